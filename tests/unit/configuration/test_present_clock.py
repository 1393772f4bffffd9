"""The pump's clock went back: how long ago the entries of its log were, by the present clock; what nothing tells is not known."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.configuration import wire_configuration
from itbpump.drugs import load_library
from itbpump.forecast import forecast, last_fill
from itbpump.history import History, by_present_clock, elapsed_ms
from itbpump.profiles import load_profile
from itbpump.quantity import MS_PER_DAY, MS_PER_MINUTE
from itbpump.safety.lately import untreated_since_ms
from itbpump.wire.messages import BolusKind, BolusState, CommandKind, LogEntry, LogKind, RunState
from tests.unit.safety.test_review import pump
from tests.unit.therapy.prescriptions import prescription

P40 = load_profile("P-40")
RUNS = wire_configuration(prescription(), P40)
DAY = MS_PER_DAY
CLOCK, CELLS = 2, 7


@dataclass
class Clock:
    """A pump's clock and log beside true time, ms. A start finds the clock behind its last minute stamp, or, where that is lost, behind the
    last record."""

    shown: int = 50 * DAY
    true: int = 0
    log: list[LogEntry] = field(default_factory=list)
    truly: list[int] = field(default_factory=list)

    def run(self, ms: int) -> Clock:
        self.shown, self.true = self.shown + ms, self.true + ms
        return self

    def note(self, kind: LogKind, a: int = 0, b: int = 0) -> LogEntry:
        self.log.append(LogEntry(seq=len(self.log), uptime_ms=self.shown, wall_s=0, kind=kind, a=a, b=b))
        self.truly.append(self.true)
        return self.log[-1]

    def step(self, by: int, *, stamps_lost: bool = False, tells: bool = True) -> Clock:
        """Below 0: ahead. `tells`: as every pump of the protocol does."""
        last = self.log[-1].uptime_ms if stamps_lost else max(self.log[-1].uptime_ms, self.shown // MS_PER_MINUTE * MS_PER_MINUTE)
        self.shown = max(0, self.shown - by)
        self.note(LogKind.BOOT)
        if self.shown < last and tells:
            self.note(LogKind.SELF_TEST_FAILED, CLOCK, last - self.shown)
        if stamps_lost:
            self.note(LogKind.SELF_TEST_FAILED, CELLS, 1)
        return self

    def elapsed(self, entry: LogEntry) -> int | None:
        return elapsed_ms(self.log, entry, self.shown)

    def history(self, state: RunState = RunState.RUNNING) -> History:
        return History.of_log(self.log, self.shown, state, RUNS, RUNS)


def filled() -> Clock:
    clock = Clock()
    clock.note(LogKind.REFILL, 38_000_000)
    return clock


# ------------------------------------------------------------------------------------------------ the last fill
BACK = st.tuples(st.integers(0, 9 * DAY), st.integers(0, 60 * DAY) | st.integers(0, 3 * MS_PER_MINUTE), st.booleans())
AHEAD = st.tuples(st.integers(0, 9 * DAY), st.integers(-60 * DAY, 60 * DAY) | st.integers(-90_000, 90_000), st.booleans())


def stepped(steps: list[tuple[int, int, bool]], rest_ms: int) -> Clock:
    clock = filled()
    for run_ms, by, notes in steps:
        clock.run(run_ms)
        if notes:
            clock.note(LogKind.SESSION_OPEN)
        clock.step(by)
    return clock.run(rest_ms)


@pytest.mark.sr("SR-36", "SR-53")
@given(steps=st.lists(AHEAD, max_size=6), rest_ms=st.integers(0, 9 * DAY), of_day_ms=st.integers(0, DAY - 1))
def test_a_fill_is_never_told_later_than_it_was(steps: list[tuple[int, int, bool]], rest_ms: int, of_day_ms: int) -> None:
    clock = stepped(steps, rest_ms)
    elapsed = clock.elapsed(clock.log[0])
    assert elapsed is not None
    assert elapsed >= clock.true

    truly = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(milliseconds=of_day_ms)
    now = truly + timedelta(milliseconds=clock.true)
    present = pump(RUNS, uptime_ms=clock.shown, host_now=now, history=clock.history())
    told = last_fill(clock.log, present)
    assert told is not None
    assert told.on is not None
    assert present.filled_on == told.on <= truly.date()


@pytest.mark.sr("SR-36", "SR-53")
@given(steps=st.lists(BACK, max_size=6), rest_ms=st.integers(0, 9 * DAY))
def test_back_alone_is_right_to_a_minute_for_each_start(steps: list[tuple[int, int, bool]], rest_ms: int) -> None:
    clock = stepped(steps, rest_ms)
    elapsed = clock.elapsed(clock.log[0])
    assert elapsed is not None
    assert 0 <= elapsed - clock.true <= len(steps) * MS_PER_MINUTE
    timed, known_seq = by_present_clock(clock.log, clock.shown)
    assert known_seq == 0
    for entry, true in zip(timed, clock.truly, strict=True):
        assert 0 <= (clock.true - true) - (clock.shown - entry.uptime_ms) <= len(steps) * MS_PER_MINUTE


@pytest.mark.sr("SR-36", "SR-53")
@pytest.mark.parametrize("kind", ["nothing tells", "stamps lost", "not in the log yet"])
def test_a_fill_of_which_nothing_tells_how_long_ago_it_was_has_no_day_and_the_forecast_says_so(kind: str) -> None:
    clock = filled().run(20 * DAY)
    if kind == "not in the log yet":
        clock.note(LogKind.SESSION_OPEN)
        clock.shown -= 30 * DAY
    else:
        clock.step(30 * DAY, stamps_lost=kind == "stamps lost", tells=kind != "nothing tells")
    clock.run(5 * DAY)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    present = pump(RUNS, uptime_ms=clock.shown, host_now=now, history=clock.history())
    told = last_fill(clock.log, present)
    assert told is not None
    assert told.on is None
    assert told.volume.nL == 38_000_000
    assert present.filled_on is None
    assert present.history.filled_nL == 38_000_000
    dates = forecast(present, profile=P40, library=load_library("baclofen"), filled=told.volume, filled_on=told.on)
    assert dates.stable_until is None
    assert any(one.startswith("drug stability") for one in dates.not_checked)


def test_a_log_that_is_some_seconds_newer_than_the_status_is_no_step() -> None:
    clock = filled()
    clock.run(DAY).note(LogKind.SESSION_OPEN)
    clock.shown -= 3_000
    assert clock.elapsed(clock.log[0]) == DAY - 3_000
    assert by_present_clock(clock.log, clock.shown) == (tuple(clock.log), 0)


# ------------------------------------------------------------------------------------------------ the last days
def stopped_for(days: int) -> Clock:
    clock = Clock()
    clock.note(LogKind.COMMITTED, 7, CommandKind.CONFIGURE << 32 | 3)
    clock.run(9 * DAY).note(LogKind.STOP, 3, 2)
    return clock.run(days * DAY)


@pytest.mark.sr("SR-33", "SR-53")
@pytest.mark.parametrize("by", [DAY, 25 * DAY, 60 * DAY, 200 * DAY])
def test_a_pump_long_stopped_is_not_taken_for_one_just_stopped(by: int) -> None:
    clock = stopped_for(30).step(by)
    clock.note(LogKind.SAFE_STATE, 7, 2)
    clock.run(DAY)
    present = pump(RUNS, uptime_ms=clock.shown, run_state=RunState.SAFE, history=clock.history(RunState.SAFE))
    since = untreated_since_ms(present)
    assert since is not None
    assert abs(clock.shown - since - 31 * DAY) <= MS_PER_MINUTE


@pytest.mark.sr("SR-33", "SR-53")
def test_an_interruption_of_unknown_length_is_not_taken_for_a_short_one() -> None:
    clock = stopped_for(30).step(60 * DAY, tells=False)
    clock.note(LogKind.SAFE_STATE, 7, 2)
    clock.run(DAY // 2)
    history = clock.history(RunState.SAFE)
    assert (history.untreated_since_ms, history.interruptions) == (None, ())
    assert history.interrupted
    assert untreated_since_ms(pump(RUNS, uptime_ms=clock.shown, run_state=RunState.SAFE, history=history)) is None


@pytest.mark.sr("SR-07", "SR-53")
def test_only_the_boluses_of_the_last_day_are_recent() -> None:
    clock = Clock()
    done = BolusKind.SINGLE << 16 | BolusState.DONE << 8
    clock.note(LogKind.BOLUS_END, 400, done)
    clock.run(30 * DAY).note(LogKind.BOLUS_END, 360, done)
    clock.run(DAY // 2).step(20 * DAY).run(DAY // 4)
    at, pulses = clock.history().boluses[0]
    assert len(clock.history().boluses) == 1
    assert pulses == 360
    assert 0 <= 3 * DAY // 4 - (clock.shown - at) <= MS_PER_MINUTE


def test_two_starts_at_one_time_of_the_clock_are_two() -> None:
    clock = filled()
    clock.step(99 * DAY).note(LogKind.SAFE_STATE, 7, 2)
    clock.run(5 * DAY).step(9 * DAY)
    assert {entry.uptime_ms for entry in clock.log[1:]} == {0}
    timed, _ = by_present_clock(clock.log, clock.shown)
    safe = next(entry for entry in timed if entry.kind is LogKind.SAFE_STATE)
    assert clock.shown - safe.uptime_ms == 5 * DAY
