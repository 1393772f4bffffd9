"""The dose in any 24 h across a change: golden cases by hand, and against brute force over the pieces of both therapies."""

from __future__ import annotations

from dataclasses import replace as changed
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itbpump.configuration import mass_of_units, wire_configuration
from itbpump.history import History
from itbpump.profiles import load_profile
from itbpump.quantity import MS_PER_DAY, MS_PER_HOUR, Exact, MassRate
from itbpump.safety import review
from itbpump.safety.across import NOTHING, Course, Past, Phase, anywhere_in, begun, highest_24h_across, ran_until, sum_of_last_24h
from itbpump.safety.current import Current
from itbpump.safety.model import Severity
from itbpump.schedule import WEEK_MS, RateStep, Schedule
from itbpump.therapy import Prescription
from itbpump.therapy_view import view_configuration
from itbpump.wire.messages import RunState
from tests.unit.safety.test_review import message, of, pump, severities
from tests.unit.therapy.prescriptions import bolus, continuous, flex, prescription, prescriptions, rate

P40 = load_profile("P-40")
MG_PER_ML = 1_000_000  # ng/mL: then 1 nL/day is 1 ng/day


def constant(flow: int, ng_per_mL: int = MG_PER_ML, length_ms: int | None = None) -> Phase:
    return Phase(Schedule.constant(flow), 0, ng_per_mL, length_ms)


def rates(past: Past, *phases: Phase) -> tuple[Exact, Exact]:
    across, after = highest_24h_across(past, Course(phases))
    return across.ng_per_day, after.ng_per_day


@pytest.mark.sr("SR-07")
def test_by_hand() -> None:
    old = ran_until(Schedule.constant(1_000), 0, MG_PER_ML)
    assert rates(NOTHING, constant(500)) == (500, 500)
    assert rates(old, constant(500)) == (1_000, 500)
    assert rates(old, constant(2_000)) == (2_000, 2_000)
    # 6 h of the old concentration at four times, then the label: 500/4 + 18/24 of 500 is less than 2,000/4 + 18/24 of 500
    assert rates(NOTHING, constant(500, 4 * MG_PER_ML, 6 * MS_PER_HOUR), constant(500)) == (875, 875)
    # stopped 6 h ago: 18 h of the old therapy lie in the 24 h that end now
    idle = ran_until(Schedule.constant(1_000), 0, MG_PER_ML, 6 * MS_PER_HOUR)
    assert rates(idle, constant(1)) == (750, 1)
    assert rates(ran_until(Schedule.constant(1_000), 0, MG_PER_ML, MS_PER_DAY), constant(1)) == (1, 1)
    assert rates(begun(old, 3 * MS_PER_HOUR), constant(1)) == (125 + Fraction(21, 24), 1)
    # only the sum is known: it may all have come just before the commit, but for one ms of the day after
    assert rates(sum_of_last_24h(700), constant(864))[0] == 700 + 864 - Fraction(864, MS_PER_DAY)


def test_a_course_is_phases_with_an_end_and_a_last_without() -> None:
    for wrong in ((), (constant(1, length_ms=1),), (constant(1), constant(1))):
        with pytest.raises(ValueError, match="a course is phases"):
            Course(wrong)


@pytest.mark.sr("SR-07")
def test_a_period_may_be_anywhere() -> None:
    period = Schedule.periodic(pulses=100, pulse_nL=1_000, duration_min=60, every_min=24 * 60, flow_nL_per_day=0)
    past = anywhere_in(period, MG_PER_ML)
    assert rates(past, constant(1))[0] == 100_000 + Fraction(23, 24)


@pytest.mark.sr("SR-07")
@given(prescriptions(), prescriptions(), st.integers(0, 7 * 24 * 60 - 1), st.integers(0, 6_000), st.integers(0, 24 * 60))
def test_no_24_hours_across_a_change_give_more_than_told(
    old: Prescription, new: Prescription, place_min: int, slug_min: int, back_min: int
) -> None:
    before, after = (view_configuration(wire_configuration(rx, P40), P40) for rx in (old, new))
    place, back = place_min * 60_000, back_min * 60_000
    past = ran_until(before.schedule, place, before.concentration.ng_per_mL)
    slug = Phase(after.schedule, 0, before.concentration.ng_per_mL, slug_min * 60_000)
    course = Course([slug, Phase(after.schedule, slug_min * 60_000, after.concentration.ng_per_mL)])
    across, later = highest_24h_across(past, course)
    turns = WEEK_MS * 8 // before.schedule.cycle_ms * before.schedule.cycle_ms
    earlier = before.schedule.volume_units_between(place + turns - back, place + turns)
    given_ng = mass_of_units(earlier, before.concentration.ng_per_mL) + mass_of_units(course.mass(MS_PER_DAY - back), 1)
    slack = Fraction(1, 1_000)  # whole units on both sides
    assert given_ng <= Fraction(across.ng_per_day) + slack
    start = min(back, slug_min * 60_000)
    window = course.mass(start + MS_PER_DAY) - course.mass(start)
    assert mass_of_units(window, 1) <= Fraction(later.ng_per_day) + slack


# ------------------------------------------------------------------------------------------------ in the review
@settings(max_examples=300)
@pytest.mark.sr("SR-07")
@given(
    st.lists(st.integers(0, 40), min_size=7, max_size=7),
    st.integers(0, 6),
    st.integers(0, WEEK_MS),
    st.integers(0, 4 * WEEK_MS),
    st.sampled_from([10, 200_000, 400_000]),
)
def test_a_phase_of_many_cycles_is_told_by_its_beginning_and_its_end(
    doses: list[int], ramp: int, start: int, length: int, after: int
) -> None:
    """One step of each day is large; which 24 h are the worst may hang on any edge of the week."""
    days = [
        [RateStep(0, 1_000), RateStep(60 * (1 + ramp), 20_000 * dose), RateStep(60 * (9 + day), 500 * day)]
        for day, dose in enumerate(doses)
    ]
    week = Schedule.weekly(days, 500)
    phases = (Phase(week, start, 3 * MG_PER_ML, length), constant(after, 3 * MG_PER_ML, 20 * MS_PER_HOUR), constant(20))
    course, settled = Course(phases), length + 20 * MS_PER_HOUR
    edges = {0, length, settled, settled + MS_PER_DAY} | {edge - start for edge in week.edges_between(start, start + length)}
    starts = {at for edge in edges for at in (edge, edge - MS_PER_DAY) if 0 <= at <= settled}
    assert highest_24h_across(NOTHING, course)[1] == told(max(course.mass(at + MS_PER_DAY) - course.mass(at) for at in starts))


def told(numerator: int) -> MassRate:
    return MassRate(Fraction(mass_of_units(numerator, 1)))


def day_of_boluses(morning: str, evening: str) -> Prescription:
    return prescription(flex(rate("00:00", "4 mcg/h"), bolus("06:00", morning, "1h"), bolus("18:00", evening, "1h")))


@pytest.mark.sr("SR-07", "SR-02")
def test_a_change_may_break_a_limit_that_neither_therapy_breaks() -> None:
    """A bolus moved from 11:00 to 13:00, changed at noon: on the day of the change the patient gets both."""
    before, after = (prescription(flex(rate("00:00", "38 mcg/h"), bolus(at, "90 mcg", "1h"))) for at in ("11:00", "13:00"))
    assert of(after, "daily-total") is None
    at_noon = pump(wire_configuration(before, P40))  # 900 h after Monday 00:00
    found = review(after, at_noon)
    assert severities(found)["daily-total"] is Severity.SOFT
    assert "up to 1,016 mcg per day in some 24 h across the change" in message(found, "daily-total")  # 22 h of 38 and both boluses


@pytest.mark.sr("SR-07")
def test_what_ran_until_the_stop_counts_and_what_ended_a_day_ago_does_not() -> None:
    configuration = wire_configuration(prescription(continuous("960 mcg/day")), P40)
    again = prescription(continuous("960 mcg/day"))
    stopped = pump(configuration, run_state=RunState.STOPPED)
    hour_ago = changed(stopped, history=History(untreated_since_ms=stopped.uptime_ms - MS_PER_HOUR), mass_24h_ng=920_000)
    assert of(again, "daily-total", hour_ago) is None  # 23 h of the old and the rest of the day never come together with 24 h of the new
    unknown = changed(stopped, mass_24h_ng=920_000)
    assert "up to 1,880 mcg per day in some 24 h across the change" in message(review(again, unknown), "daily-total")
    assert (
        of(again, "daily-total", changed(stopped, history=History(untreated_since_ms=stopped.uptime_ms - MS_PER_DAY), mass_24h_ng=0))
        is None
    )


@pytest.mark.sr("SR-12", "SR-07")
def test_a_refused_bridge_counts_the_old_concentration_in_the_path() -> None:
    old = prescription(drug={"concentration": "2000 mcg/mL"})
    new = prescription(continuous("600 mcg/day"), drug={"concentration": "500 mcg/mL"}, bridge={"plan": "refused", "reason": "rinsed"})
    text = message(review(new, old), "daily-total")
    # 0.316 mL of 2,000 mcg per mL are 632 mcg, in 6.3 h at 1.2 mL per day; the other 17.7 h give 442 mcg
    assert "up to 1,074" in text


@pytest.mark.sr("SR-07")
def test_the_schedule_alone_explains_what_was_given() -> None:
    configuration = wire_configuration(day_of_boluses("60 mcg", "30 mcg"), P40)
    current = Current.from_pump(pump(configuration), P40)
    assert current.extra.ng == 0
    with_bolus = changed(pump(configuration), mass_24h_ng=pump(configuration).mass_24h_ng + 25_000)
    assert Current.from_pump(with_bolus, P40).extra == type(current.extra)(25_000)
    assert MassRate(Current.from_pump(with_bolus, P40).scheduled_24h.ng).ng_per_day == pump(configuration).mass_24h_ng
