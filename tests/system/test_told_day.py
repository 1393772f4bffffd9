"""What a review tells of the 24 h around a change, beside what the simulated pump gives in them (SR-07): never less, and hardly more.

A pump lives through any mix of commits, stops, starts, single boluses, moves of its day and power cuts; then one more change is
reviewed and carried out, and each 24 h that hold its moment are summed over the true pulses. A pump keeps two configurations and one
sum, so what a therapy before them gave has no time: it is taken to have come just before the change, and may be told twice. That is
the whole of what is told too much (`Current.untimed`), beside what a bolus replaced and the hour that the pump's own sum may be too
long after a reset. Not here: other labels, bridges, primes (`test_reviewed_therapies`), boluses of the patient, whose allotment is
added as a whole.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from itbpump.changes import rebased_configuration
from itbpump.configuration import bolus_order, to_configuration
from itbpump.drugs import load_library
from itbpump.present import PresentPump
from itbpump.profiles import load_profile
from itbpump.quantity import Concentration, Duration, Mass, MassRate
from itbpump.safety import review, review_bolus, review_rebase
from itbpump.safety.current import Current
from itbpump.safety.review import _context
from itbpump.safety.rules_drug import highest_of_all
from itbpump.schedule import WEEK_MS
from itbpump.therapy_view import view_configuration
from itbpump.wire.messages import (
    CommandKind,
    Commit,
    Configuration,
    GetLog,
    LogEntry,
    LogPage,
    Outcome,
    Result,
    RunState,
    Stage,
    Staged,
    StopTherapy,
    encode_configuration,
)
from tests.system.rig import DAY_MS, HOUR_MS, PULSE_NL, WHO, Rig
from tests.unit.therapy.prescriptions import bolus, continuous, flex, periodic, prescription, rate

P40, LIBRARY = load_profile("P-40"), load_library("baclofen")
EPOCH = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
LABEL = 2_000_000
PULSE_NG = PULSE_NL * LABEL // 1_000_000
READ_BACK_MS = 2 * DAY_MS  # how far back `Pump.present` reads the log


class Pump:
    """A P-40 of one label, with the two configurations it keeps."""

    def __init__(self) -> None:
        self.rig = Rig()
        self.active: Configuration | None = None
        self.previous: Configuration | None = None

    @property
    def uptime_ms(self) -> int:
        return self.rig.pump.uptime_ms

    def present(self) -> PresentPump:
        status, log = self.rig.status(), list[LogEntry]()
        while len(log) < status.log_next_seq:
            page = self.rig.pump.order(GetLog(len(log), 20), WHO)
            assert isinstance(page, LogPage)
            log += page.entries
        first = bisect_right([entry.uptime_ms for entry in log], status.uptime_ms - READ_BACK_MS)
        now = EPOCH + timedelta(milliseconds=status.uptime_ms)
        return PresentPump.from_status(status, self.active, now, log[max(0, first - 1) :], self.previous)

    def commit(self, wanted: Configuration) -> bool:
        """Whether the pump took it: it takes none in a bolus, and none above its own limits."""
        payload, revision = encode_configuration(wanted), self.rig.status().revision
        self.rig.cmd_id += 1
        staged = self.rig.pump.order(Stage(self.rig.cmd_id, CommandKind.CONFIGURE, revision, len(payload), 0, payload), WHO)
        if not isinstance(staged, Staged):
            return False
        reply = self.rig.pump.order(Commit(self.rig.cmd_id, hashlib.sha256(payload).digest(), revision), WHO)
        if not isinstance(reply, Result) or reply.result.outcome is not Outcome.APPLIED:
            return False
        self.previous, self.active = self.active, wanted
        return True

    def program(self, therapy: dict[str, Any]) -> bool:
        present = self.present()
        return self.commit(to_configuration(prescription(therapy, pump={"as_of": present.host_now}), present, P40))

    def move(self, by_ms: int) -> bool:
        return self.commit(rebased_configuration(self.offset(by_ms), self.present()))

    def offset(self, by_ms: int) -> int:
        assert self.active is not None
        return (self.active.week_offset_ms + by_ms) % WEEK_MS

    def stop(self) -> None:
        self.rig.cmd_id += 1
        self.rig.pump.order(StopTherapy(self.rig.cmd_id), WHO)

    def give(self, mcg: int, minutes: int) -> bool:
        order = bolus_order(
            Mass(mcg * 1_000), Duration.of_minutes(minutes), Concentration(LABEL), P40.pulse_volume, self.rig.status().bolus_counter
        )
        return self.rig.try_bolus(order.to_counter - order.from_counter, order.duration_s)

    def reset(self) -> None:
        self.rig.pump.power_cut()
        self.rig.pump.power_on()

    def live(self, ms: int) -> None:
        self.rig.pump.advance(ms)

    def worst_around(self, at_ms: int) -> int:
        """ng of the largest 24 h that begin before `at_ms` and end after it, by true pulses of the label."""
        times = [pulse.at_ms for pulse in self.rig.pump.pulses(max(0, at_ms - DAY_MS), at_ms + DAY_MS)]
        ends = {at_ms, *(time for time in times if time > at_ms), *(time + DAY_MS - 1 for time in times if time <= at_ms)}
        return max(bisect_right(times, end) - bisect_right(times, end - DAY_MS) for end in ends) * PULSE_NG


# ------------------------------------------------------------------------------------------------ what is lived and asked
Step = Callable[[Pump], object]


@dataclass(frozen=True)
class Asked:
    """A change as its review tells it: the largest 24 h that hold it, the largest of the therapy alone, a bolus that it is."""

    told: MassRate
    own: MassRate
    carry_out: Callable[[Pump], bool]
    bolus_ng: int = 0


def rebase(by_ms: int) -> Callable[[Pump, PresentPump], Asked]:
    def ask(pump: Pump, present: PresentPump) -> Asked:
        return Asked(review_rebase(pump.offset(by_ms), present, P40).highest_24h, _own(present), lambda pump: pump.move(by_ms))

    return ask


def programme(therapy: dict[str, Any]) -> Callable[[Pump, PresentPump], Asked]:
    def ask(pump: Pump, present: PresentPump) -> Asked:
        rx = prescription(therapy, pump={"as_of": present.host_now})
        context = _context(rx, present, P40, LIBRARY, None, None)
        return Asked(highest_of_all(context), context.view.highest_24h_exact, lambda pump: pump.program(therapy))

    return ask


def single(mcg: int, minutes: int) -> Callable[[Pump, PresentPump], Asked]:
    def ask(pump: Pump, present: PresentPump) -> Asked:
        judged = review_bolus(Mass(mcg * 1_000), Duration.of_minutes(minutes), present, P40)
        told = MassRate.parse(_text(judged.proposed["highest_24h"]))
        return Asked(told, _own(present), lambda pump: pump.give(mcg, minutes), mcg * 1_000)

    return ask


def _own(present: PresentPump) -> MassRate:
    assert present.configuration is not None
    return view_configuration(present.configuration, P40).highest_24h_exact


def _text(amount: dict[str, str]) -> str:
    return f"{amount['value']} {amount['unit']}"


def therapies(*, periods: bool) -> st.SearchStrategy[dict[str, Any]]:
    flow = st.integers(100, 500).map("{} mcg/day".format)
    steady = flow.map(continuous)
    uneven = st.builds(lambda a, b: flex(rate("00:00", a), bolus("06:00", "40 mcg", "1h"), rate("12:00", b)), flow, flow)
    kinds = [steady, uneven]
    return st.one_of(
        *kinds, st.builds(periodic, st.just("30 mcg"), st.just("30m"), st.sampled_from(["5h", "8h"]), flow) if periods else uneven
    )


def steps(*, periods: bool) -> st.SearchStrategy[Step]:
    return st.one_of(
        therapies(periods=periods).map(lambda therapy: lambda pump: pump.program(therapy)),
        st.integers(1, WEEK_MS - 1).map(lambda by_ms: lambda pump: pump.move(by_ms)),
        st.tuples(st.integers(5, 60), st.integers(1, 60)).map(lambda dose: lambda pump: pump.give(*dose)),
        st.sampled_from([Pump.stop, Pump.stop, Pump.reset]),
        st.integers(1, 30 * HOUR_MS).map(lambda ms: lambda pump: pump.live(ms)),
        st.integers(1, HOUR_MS).map(lambda ms: lambda pump: pump.live(ms)),
    )


@st.composite
def courses(draw: st.DrawFn, *, periods: bool) -> tuple[Pump, Asked, Current]:
    pump, therapy = Pump(), therapies(periods=periods)
    pump.program(draw(therapy))
    pump.live(draw(st.integers(0, 3 * DAY_MS)))
    for step in draw(st.lists(steps(periods=periods), max_size=9)):
        step(pump)
    if pump.present().run_state is not RunState.RUNNING:
        assume(pump.program(draw(therapy)))
        pump.live(draw(st.sampled_from([0, 1, HOUR_MS // 2])))
    change = draw(
        st.one_of(
            st.integers(1, WEEK_MS - 1).map(rebase),
            therapy.map(programme),
            st.tuples(st.integers(5, 60), st.integers(1, 60)).map(lambda dose: single(*dose)),
        )
    )
    present = pump.present()
    return pump, change(pump, present), Current.from_pump(present, P40)


def really(pump: Pump, asked: Asked) -> int | None:
    """ng of the worst 24 h around the change, once it was carried out and a day has passed; None where the pump did not take it."""
    at_ms = pump.uptime_ms
    if not asked.carry_out(pump):
        return None
    pump.live(DAY_MS)
    return pump.worst_around(at_ms)


@pytest.mark.sr("SR-07")
@settings(max_examples=120, deadline=None)
@given(courses(periods=True))
def test_no_24_h_around_a_change_hold_more_than_its_review_tells(course: tuple[Pump, Asked, Current]) -> None:
    pump, asked, current = course
    event(f"untimed: {current.untimed.ng > 0}")
    truly = really(pump, asked)
    assert truly is None or truly <= asked.told.ng_per_day + PULSE_NG


MOST_REPLACED_NG = 500_000 // 24 + 1  # 500 mcg/day, the largest rate here, for an hour, the longest bolus here


@pytest.mark.sr("SR-07")
@settings(max_examples=120, deadline=None)
@given(courses(periods=False))
def test_what_is_told_too_much_is_what_has_no_time_and_what_boluses_replaced(course: tuple[Pump, Asked, Current]) -> None:
    """Where no bolus was given and the pump's sum fits its log, that is `untimed` alone, to the pulse."""
    pump, asked, current = course
    given_here = len(current.present.history.boluses) if current.present is not None else 0
    by_hand = current.boluses.ng + current.left.ng + asked.bolus_ng
    replaced = MOST_REPLACED_NG * (given_here + bool(current.left.ng) + bool(asked.bolus_ng))
    event(f"untimed: {current.untimed.ng > 0}, by hand: {by_hand > 0}, unlogged: {current.unlogged.ng > 0}")
    truly = really(pump, asked)
    assume(truly is not None)
    assert (
        asked.told.ng_per_day
        <= max(truly or 0, asked.own.ng_per_day) + current.untimed.ng + current.unlogged.ng + by_hand + replaced + 2 * PULSE_NG
    )


# ------------------------------------------------------------------------------------------------ the two known cases
UNEVEN = flex(rate("00:00", "900 mcg/day"), rate("12:00", "300 mcg/day"))


def refilled_and_adjusted_thrice() -> Pump:
    """The same dose, committed three times in ten hours."""
    pump = Pump()
    pump.program(UNEVEN)
    pump.live(50 * HOUR_MS)
    for wait_h in (3, 5, 2):
        assert pump.program(UNEVEN)
        pump.live(wait_h * HOUR_MS)
    return pump


def moved_after_a_stop() -> Pump:
    """Stopped for minutes, moved while it stood, started again; then the next move is reviewed."""
    pump = Pump()
    pump.program(UNEVEN)
    pump.live(50 * HOUR_MS)
    pump.stop()
    pump.live(HOUR_MS // 10)
    assert pump.move(HOUR_MS)
    assert pump.program(UNEVEN)
    return pump


@pytest.mark.sr("SR-07", "SR-52")
@pytest.mark.parametrize("lived", [refilled_and_adjusted_thrice, moved_after_a_stop])
def test_a_therapy_that_the_pump_no_longer_knows_may_be_told_twice_and_the_finding_says_so(lived: Callable[[], Pump]) -> None:
    pump = lived()
    present = pump.present()
    judged, untimed = review_rebase(pump.offset(HOUR_MS), present, P40), Current.from_pump(present, P40).untimed
    assert untimed.ng > 300_000
    (found,) = (finding for finding in judged.findings if finding.rule == "daily-total")
    assert f"{untimed.rounded()} of it of a therapy before the last two changes" in found.message
    assert "may be counted twice" in found.message
    truly = really(pump, rebase(HOUR_MS)(pump, present))
    assert truly is not None
    assert truly <= judged.highest_24h.ng_per_day + PULSE_NG
    assert judged.highest_24h.ng_per_day <= truly + untimed.ng + PULSE_NG


@pytest.mark.sr("SR-07", "SR-52")
def test_a_dose_that_does_not_follow_the_week_is_told_with_what_ran_before_it() -> None:
    """A move changes nothing of it; the day that holds the move still began with more."""
    pump = Pump()
    pump.program(continuous("500 mcg/day"))
    pump.live(30 * HOUR_MS)
    pump.program(continuous("100 mcg/day"))
    pump.live(HOUR_MS)
    told = review_rebase(pump.offset(HOUR_MS), pump.present(), P40).highest_24h
    assert MassRate(483_000) <= told <= MassRate(484_000)  # 23 h of the one, 1 h of the other
    truly = really(pump, rebase(HOUR_MS)(pump, pump.present()))
    assert truly is not None
    assert truly <= told.ng_per_day + PULSE_NG


@pytest.mark.sr("SR-07", "SR-10")
def test_a_kept_period_is_told_with_the_boluses_and_the_therapy_before_it() -> None:
    """Found by the first property: with the period kept, neither what was given by hand nor what ran before was counted."""
    pump, every_5h = Pump(), periodic("30 mcg", "30m", "5h", "100 mcg/day")
    pump.program(continuous("500 mcg/day"))
    pump.live(30 * HOUR_MS)
    pump.program(every_5h)
    pump.give(60, 10)
    pump.live(HOUR_MS)
    asked = programme(every_5h)(pump, pump.present())
    truly = really(pump, asked)
    assert truly is not None
    assert 540_000 <= truly <= asked.told.ng_per_day + PULSE_NG
    for _ in range(3):
        pump.give(50, 10)
        pump.live(HOUR_MS)
    asked = programme(every_5h)(pump, pump.present())
    assert asked.told >= MassRate(asked.own.ng_per_day + 150_000)


@pytest.mark.sr("SR-08")
def test_the_hour_that_a_reset_adds_to_the_sum_makes_no_rise_smaller() -> None:
    """After a reset the pump counts the hour in which the 24 h began as a whole; the schedules tell what those 24 h gave."""
    pump = Pump()
    pump.program(continuous("200 mcg/day"))
    pump.live(48 * HOUR_MS + HOUR_MS // 2)
    pump.program(continuous("210 mcg/day"))
    pump.live(HOUR_MS // 10)
    pump.reset()
    pump.live(HOUR_MS // 3)
    present = pump.present()
    assert present.mass_24h_ng > 207_000
    used_to = Current.from_pump(present, P40).used_to
    assert used_to is not None
    assert MassRate(200_000) <= used_to <= MassRate(201_000)
    raised = prescription(continuous("264 mcg/day"), pump={"as_of": present.host_now})
    (found,) = (finding for finding in review(raised, present).findings if finding.rule == "increase")
    assert found.message.startswith("beside at most 200.")
