"""The clock as tasks: a label moves no dose; moving the day shows the changed day exactly, and the review's own largest 24 h."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.configuration import mass_of_units, wire_configuration
from itbpump.errors import ConfigurationError
from itbpump.outcome import Applied
from itbpump.profiles import load_profile
from itbpump.pump import Pump
from itbpump.safety import review_rebase
from itbpump.schedule import BolusStep, RateStep, Schedule
from itbpump.therapy_view import view_configuration
from itbpump.workflow.clock import ClockLabelTask, RebaseTask, changed_day, label_lines, plan_rebase
from itbpump.workflow.consent import Consent, NotConsented, carry_out, missing
from itbpump.workflow.facts import Policy, gather
from itbpump.workflow.fields import FieldError
from itbpump.workflow.model import Task
from tests.unit.safety.test_review import pump as present_pump
from tests.unit.therapy.prescriptions import bolus, continuous, flex, prescription, rate
from tests.unit.workflow_stored.conftest import AS_OF_S, Carry, passed

DAY_MS, WEEK_MS, HOUR_MS = 86_400_000, 604_800_000, 3_600_000
PULSE_NL = 500
TO_TUESDAY_MORNING_H = 4 * 7 * 24 + 45
"""From Sunday 10:00, where the example begins, to the end of a Tuesday's bolus: moved to Sunday 10:00, Monday's comes 20 h later."""
P40 = load_profile("P-40")

rates = st.builds(RateStep, st.just(0), st.integers(0, 500_000))
boluses = st.lists(st.integers(1, 1_300), max_size=3, unique=True).map(
    lambda starts: [BolusStep(at, 20, 30) for at in sorted(starts) if at % 40 == 0]
)
days = st.lists(st.tuples(rates, boluses).map(lambda day: [day[0], *day[1]]), min_size=7, max_size=7)
places = st.integers(0, WEEK_MS - 1)


def given_between(schedule: Schedule, start: int, end: int, from_ms: int, to_ms: int) -> int:
    """Volume between two times around the jump at 0: before it the week is at from_ms, after it at to_ms."""
    total = 0
    if start < 0:
        total += schedule.volume_units_between(WEEK_MS + from_ms + start, WEEK_MS + from_ms + min(end, 0))
    if end > 0:
        total += schedule.volume_units_between(WEEK_MS + to_ms + max(start, 0), WEEK_MS + to_ms + end)
    return total


# ------------------------------------------------------------------------------------------------ the changed day
@pytest.mark.sr("SR-52")
@given(days, places, places)
def test_the_changed_day_goes_from_midnight_to_midnight(plan: Any, from_ms: int, to_ms: int) -> None:
    schedule = Schedule.weekly(plan, PULSE_NL)
    found = changed_day(schedule, from_ms, to_ms)
    since, until = from_ms % DAY_MS, DAY_MS - to_ms % DAY_MS
    assert found.length_ms == since + until
    assert found.changed_units == given_between(schedule, -since, until, from_ms, to_ms)


@pytest.mark.sr("SR-52")
@given(days, places)
def test_no_change_changes_no_dose(plan: Any, place: int) -> None:
    found = changed_day(Schedule.weekly(plan, PULSE_NL), place, place)
    assert found.length_ms == DAY_MS
    assert abs(found.changed_units - found.usual_units) <= 1


@pytest.mark.sr("SR-52")
def test_an_hour_forward_shortens_the_day_by_its_hour() -> None:
    found = changed_day(Schedule.weekly([[RateStep(0, 240_000)]] * 7, PULSE_NL), 2 * HOUR_MS, 3 * HOUR_MS)
    assert (found.length_ms, found.changed_units, found.usual_units) == (23 * HOUR_MS, 230_000 * DAY_MS, 240_000 * DAY_MS)


RX = prescription(flex(rate("00:00", "6 mcg/h"), bolus("06:00", "40 mcg", "1h"), rate("20:00", "5 mcg/h"), days=("mon", "tue", "sat")))
HELD = wire_configuration(RX, P40)


@pytest.mark.sr("SR-07", "SR-52")
@given(places, places, st.integers(0, DAY_MS))
def test_no_24_hours_across_the_move_give_more_than_the_review_says(from_ms: int, to_ms: int, back: int) -> None:
    """By the schedule alone, window by window; the review may know of more, never of less."""
    there = present_pump(HELD, uptime_ms=WEEK_MS * 3 + (from_ms - HELD.week_offset_ms) % WEEK_MS)
    found = review_rebase((to_ms - there.uptime_ms) % WEEK_MS, there, P40)
    assert (found.from_ms, found.to_ms) == (from_ms, to_ms)
    view = view_configuration(HELD, P40)
    # a bolus is rounded down from its own start, once for each piece: one unit for each of the two pieces
    units = given_between(view.schedule, -back, DAY_MS - back, from_ms, to_ms) - 2
    assert mass_of_units(units, view.concentration.ng_per_mL) <= found.highest_24h.ng_per_day


@pytest.mark.sr("SR-07")
def test_the_lines_tell_the_figure_that_was_judged(pump: Pump) -> None:
    passed(pump, TO_TUESDAY_MORNING_H)
    facts = gather(pump)
    move = plan_rebase(facts.present, facts.profile)
    highest = move.review.highest_24h
    assert highest > view_of(facts.present.configuration).highest_24h_exact
    assert move.review.proposed["highest_24h"] == highest.rounded().json() == move.json()["highest_24h"]
    assert f"highest 24 h across the change: {highest.rounded()}, all patient" in move.lines()[2]
    assert str(highest.rounded()) in {row.new for row in move.review.table}


def view_of(configuration: Any) -> Any:
    return view_configuration(configuration, P40)


# ------------------------------------------------------------------------------------------------ the label
@pytest.mark.sr("SR-52", "SR-53")
def test_the_label_is_set_and_moves_nothing(pump: Pump, carry: Carry) -> None:
    task = ClockLabelTask()
    assert isinstance(task, Task)
    passed(pump, 5)
    facts = gather(pump)
    assert task.hindered(facts) == ""
    assert task.fields(facts, {}) == ()
    proposal = task.propose(facts, {})
    assert proposal.review is None
    assert "not set" in " ".join(proposal.lines)
    with pytest.raises(NotConsented):
        carry_out(pump, proposal, Consent(typed="y"), Policy())
    assert pump.status().wall_s == 0
    before = pump.status()
    assert isinstance(carry(pump, proposal), Applied)
    after = pump.status()
    assert after.wall_s - AS_OF_S in range(2)
    assert (after.week_offset_ms, after.revision, after.digest) == (before.week_offset_ms, before.revision, before.digest)
    assert any("s (a label only" in line for line in task.propose(gather(pump), {}).lines)


def test_a_pump_without_a_therapy_has_a_label_and_no_day(fresh: Pump, carry: Carry) -> None:
    facts = gather(fresh)
    assert isinstance(carry(fresh, ClockLabelTask().propose(facts, {})), Applied)
    task = RebaseTask()
    assert "no day to move" in task.hindered(facts)
    with pytest.raises(FieldError, match="no day to move"):
        task.propose(facts, {})
    with pytest.raises(ConfigurationError):
        plan_rebase(facts.present, facts.profile)


def test_a_gap_is_told_with_its_sign(pump: Pump) -> None:
    now = pump.host_now()
    assert any("−3,600 s" in line for line in label_lines(AS_OF_S - 3_600, now))
    assert any("+7 s" in line for line in label_lines(AS_OF_S + 7, now))
    assert not any("Gap" in line for line in label_lines(0, now))
    assert any("UTC−05:00" in line for line in label_lines(0, now))


# ------------------------------------------------------------------------------------------------ the day
@pytest.mark.sr("SR-52", "SR-53")
def test_the_day_moves_only_on_purpose(pump: Pump, carry: Carry) -> None:
    task = RebaseTask()
    assert isinstance(task, Task)
    passed(pump, TO_TUESDAY_MORNING_H)
    facts = gather(pump)
    assert (task.hindered(facts), task.fields(facts, {})) == ("", ())
    proposal = task.propose(facts, {})
    told = " ".join(" ".join(proposal.lines).split())
    assert "The pump's day moves from Tue 07:00 to Sun 10:00." in told
    assert "the changed day lasts 21 h" in told
    assert proposal.review is not None
    assert "bolus-again" in {item.rule for item in proposal.review.findings}
    # the reason, both staff ids and the word are asked for, each
    assert len(missing(proposal, Consent(), Policy())) >= 2
    with pytest.raises(NotConsented):
        carry_out(pump, proposal, Consent(typed="yes"), Policy())
    assert pump.status().revision == facts.present.revision
    outcome = carry(pump, proposal)
    assert isinstance(outcome, Applied)
    assert outcome.proof is not None
    assert outcome.proof.holds
    after = pump.status()
    place = (after.uptime_ms + after.week_offset_ms) % WEEK_MS
    assert place - (6 * DAY_MS + 10 * HOUR_MS) in range(60_000)


def test_a_therapy_without_a_day_moves_without_a_dose() -> None:
    there = present_pump(wire_configuration(prescription(continuous("150 mcg/day")), P40))
    move = plan_rebase(there, P40)
    assert move.day is None
    assert move.lines()[0].endswith("no dose of this therapy hangs on the day.")
    assert move.json()["changed_day"] is None
    assert move.review.highest_24h.rounded().text() == "150 mcg/day"


def test_a_pump_that_does_not_run_is_said_so(pump: Pump) -> None:
    passed(pump, 24 * 30 + 5)
    pump.stop()
    facts = gather(pump)
    assert "nothing flows" in plan_rebase(facts.present, facts.profile).lines()[1]
