"""What was given since the visit before: against the pump's own counters, and nothing guessed where the log ends (SR-14, SR-49)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from itbpump.outcome import Applied
from itbpump.profiles import load_profile
from itbpump.quantity import Duration, Mass, Volume
from itbpump.report import Delivered, delivered_since
from itbpump.wire.messages import AlarmNumber, AlarmPriority, AlarmState, BolusKind, BolusState, CommandKind, LogEntry, LogKind, Status
from tests.unit.report.visits import DAY_MS, OPENED, Bench

PROFILE = load_profile("P-40")
PULSE = PROFILE.pulse_volume.nL
FILLED = 38_000_000


def since(bench: Bench) -> Delivered:
    return delivered_since(list(bench.pump.log()), bench.pump.status(), bench.pump.profile, bench.now())


@pytest.fixture(scope="module")
def running() -> Status:
    """A status of a pump that runs, to be varied."""
    bench = Bench()
    bench.program()
    bench.device.advance(DAY_MS)
    return bench.pump.status()


def entry(seq: int, kind: LogKind, a: int = 0, b: int = 0) -> LogEntry:
    return LogEntry(seq=seq, uptime_ms=seq * 1_000, wall_s=0, kind=kind, a=a, b=b)


def numbered(*entries: tuple[LogKind, int, int], first: int = 0) -> list[LogEntry]:
    return [entry(first + seq, *what) for seq, what in enumerate(entries)]


def beside(status: Status, log: list[LogEntry], **changes: object) -> Status:
    return replace(status, log_next_seq=log[-1].seq + 1, uptime_ms=10_000_000, alarms=(), bolus_left_ms=0, reservoir_nL=FILLED, **changes)


# ------------------------------------------------------------------------------------------------ a pump's life
@pytest.mark.sr("SR-14")
def test_all_that_a_pump_gave_is_in_it_and_split_by_who_asked() -> None:
    bench = Bench()
    bench.program()
    bench.device.advance(3 * DAY_MS)
    granted = [bench.device.patient_request() for _ in range(2)]
    bench.device.advance(DAY_MS)
    assert isinstance(bench.pump.bolus(Mass.parse("25 mcg"), Duration.parse("10m")), Applied)
    bench.device.advance(DAY_MS)
    given, status = since(bench), bench.pump.status()
    assert given.reference == "fill"
    assert given.since == OPENED
    assert given.total is not None
    assert given.pattern is not None
    assert given.single is not None
    assert given.patient is not None
    assert given.prime is not None
    assert given.total.nL == status.lifetime_pulses * PULSE
    assert given.single.volume.nL + given.patient.volume.nL == status.bolus_counter * PULSE
    assert given.single.mass == Mass.parse("25 mcg")
    assert given.total.nL == given.pattern.nL + given.single.volume.nL + given.patient.volume.nL + given.prime.volume.nL
    assert given.pattern_mass is not None
    assert abs(int(given.pattern_mass.ng) - 5 * 180_000) <= 12_000
    assert granted == [True, False]
    assert (given.granted, given.denied) == (status.patient_granted, status.patient_denied) == (1, 1)
    assert given.interruptions == 0
    assert given.not_known == ()


def test_a_running_bolus_counts_as_far_as_it_has_come() -> None:
    bench = Bench()
    bench.program()
    bench.device.advance(3 * DAY_MS)
    assert isinstance(bench.pump.bolus(Mass.parse("40 mcg"), Duration.parse("40m")), Applied)
    bench.device.advance(20 * 60_000)
    given, status = since(bench), bench.pump.status()
    assert 0 < status.bolus_delivered < status.bolus_requested
    assert given.single is not None
    assert given.single.count == 1
    assert given.single.volume.nL == status.bolus_delivered * PULSE


def test_the_next_fill_starts_a_new_count() -> None:
    bench = Bench()
    bench.program()
    bench.device.advance(30 * DAY_MS)
    assert bench.device.patient_request()
    bench.device.advance(DAY_MS)
    present = bench.present()
    outcome, refill = bench.pump.refill(Volume.parse("34 mL"), Volume.parse("36 mL"), present=present)
    assert isinstance(outcome, Applied)
    filled_at = bench.now()
    bench.device.advance(10 * DAY_MS)
    given = since(bench)
    assert given.filled == refill.volume_after
    assert given.since is not None
    assert abs(given.since - filled_at) < timedelta(minutes=1)
    assert given.granted == 0
    assert given.total_mass is not None
    assert abs(int(given.total_mass.ng) - 1_800_000) <= 1_000


def test_a_stop_and_a_standing_motor_are_told() -> None:
    bench = Bench()
    bench.program()
    bench.device.advance(DAY_MS)
    bench.device.plant.stalled = True
    bench.device.advance(DAY_MS // 4)
    assert any("motor has missed" in text for text in since(bench).not_known)
    bench.device.plant.stalled = False
    bench.device.advance(DAY_MS // 4)
    assert isinstance(bench.pump.stop(), Applied)
    given = since(bench)
    assert given.interruptions == 1
    assert abs(given.missed.nL - 22_500) <= 1_000
    assert not any("motor has missed" in text for text in given.not_known)


def test_a_fresh_pump_has_no_visit_before() -> None:
    given = since(Bench())
    assert given.reference == "none"
    assert (given.since, given.total, given.single, given.granted, given.interruptions) == (None, None, None, None, None)
    assert given.not_known == ("what was given: the pump was neither filled nor programmed before",)


# ------------------------------------------------------------------------------------------------ a log that ends
FILL = (LogKind.REFILL, FILLED, 0)
CONFIGURED = (LogKind.COMMITTED, 7, CommandKind.CONFIGURE << 32)
GRANTED = (LogKind.BOLUS_START, 5, BolusKind.PATIENT)
GIVEN = (LogKind.BOLUS_END, 5, BolusKind.PATIENT << 16 | BolusState.DONE << 8)


def test_without_a_fill_the_boluses_are_known_since_the_last_programming_and_the_total_is_not(running: Status) -> None:
    log = numbered((LogKind.GAP, 900, 0), CONFIGURED, GRANTED, GIVEN, first=900)
    given = delivered_since(log, beside(running, log), PROFILE, OPENED)
    assert given.reference == "programming"
    assert (given.filled, given.total, given.pattern, given.total_mass, given.true_bounds) == (None, None, None, None, None)
    assert given.patient is not None
    assert (given.patient.volume.nL, given.patient.mass, given.granted) == (5 * PULSE, None, 1)
    assert any("no longer shows the last fill" in text for text in given.not_known)


@pytest.mark.parametrize(
    "log",
    [
        numbered(FILL, CONFIGURED, (LogKind.GAP, 1, 2), GRANTED, GIVEN),
        [*numbered(FILL, CONFIGURED), *numbered(GRANTED, GIVEN, first=5)],
    ],
    ids=["the pump's gap", "numbers that were not read"],
)
def test_what_lies_before_a_hole_is_not_counted_from(log: list[LogEntry], running: Status) -> None:
    given = delivered_since(log, beside(running, log), PROFILE, OPENED)
    assert (given.reference, given.granted) == ("none", None)
    assert given.not_known == ("what was given: the pump's log no longer shows the visit before this one",)


def test_a_log_that_was_not_read_to_its_end_tells_nothing(running: Status) -> None:
    log = numbered(FILL, CONFIGURED, GRANTED, GIVEN)
    status = replace(beside(running, log), log_next_seq=log[-1].seq + 3)
    given = delivered_since(log, status, PROFILE, OPENED)
    assert given.not_known == ("what was given: the log was not read to its end",)


def test_entries_newer_than_the_counters_are_left_out(running: Status) -> None:
    log = numbered(FILL, CONFIGURED, GRANTED, GIVEN)
    status = replace(beside(running, log), log_next_seq=2)
    assert delivered_since(log, status, PROFILE, OPENED).granted == 0


def test_a_count_that_cannot_be_is_not_shown(running: Status) -> None:
    log = numbered(FILL, CONFIGURED)
    more = replace(beside(running, log), reservoir_nL=FILLED + 1)
    lost = replace(beside(running, log), drug="")
    for status, words in ((more, "more in the reservoir than was filled"), (lost, "lost its therapy")):
        given = delivered_since(log, status, PROFILE, OPENED)
        assert given.total is None
        assert any(words in text for text in given.not_known)
    boluses = numbered(FILL, CONFIGURED, GRANTED, GIVEN)
    given = delivered_since(boluses, beside(running, boluses), PROFILE, OPENED)
    assert (given.total, given.pattern) == (Volume(0), None)
    assert any("boluses in the log are more" in text for text in given.not_known)


@pytest.mark.parametrize(
    ("log", "changes", "words"),
    [
        ((FILL, (LogKind.ALARM_RAISED, AlarmNumber.OVER_DELIVERY, 4)), {}, "more pulses than commanded"),
        ((FILL, (LogKind.SELF_TEST_FAILED, 6, 0)), {}, "self-test"),
        ((FILL, CONFIGURED), {"reservoir_nL": 1_000_000}, "run dry"),
    ],
)
def test_what_keeps_the_count_from_being_the_truth_is_said(
    log: tuple[tuple[LogKind, int, int], ...], changes: dict[str, int], words: str, running: Status
) -> None:
    entries = numbered(*log)
    status = replace(beside(running, entries), **changes)
    found = delivered_since(entries, status, PROFILE, OPENED)
    assert any(words in text for text in found.not_known)
    quiet = numbered(FILL, CONFIGURED)
    assert delivered_since(quiet, beside(running, quiet), PROFILE, OPENED).not_known == ()


def test_an_alarm_that_stands_counts_even_where_its_entry_is_older(running: Status) -> None:
    log = numbered(FILL, CONFIGURED)
    alarm = AlarmState(alarm=AlarmNumber.OVER_DELIVERY, priority=AlarmPriority.CRITICAL, since_ms=0, silenced_until_ms=0)
    given = delivered_since(log, replace(beside(running, log), alarms=(alarm,)), PROFILE, OPENED)
    assert any("more pulses than commanded" in text for text in given.not_known)


def test_pulses_in_doubt_are_those_of_the_starts_since(running: Status) -> None:
    log = numbered((LogKind.BOOT, 1, 1), FILL, CONFIGURED, (LogKind.BOOT, 2, 1), (LogKind.BOOT, 3, 1))
    assert delivered_since(log, beside(running, log), PROFILE, OPENED).doubt_pulses == 2


def test_a_time_without_offset_is_refused(running: Status) -> None:
    with pytest.raises(ValueError, match="offset"):
        delivered_since([], running, PROFILE, OPENED.replace(tzinfo=None))


# ------------------------------------------------------------------------------------------------ always
kinds = st.sampled_from([BolusKind.SINGLE, BolusKind.PRIME, BolusKind.PATIENT])
ended = st.tuples(kinds, st.integers(0, 400), st.integers(0, 2))


@settings(deadline=None)
@given(st.lists(ended, max_size=12), st.integers(0, 30_000_000), st.integers(0, 8), st.integers(0, 3))
def test_parts_and_whole_agree(running: Status, boluses: list[tuple[BolusKind, int, int]], pattern: int, denied: int, stops: int) -> None:
    """Whatever the log says: pattern and boluses add up to the total, and the bounds enclose it."""
    bolus_nL = sum(pulses for _, pulses, _ in boluses) * PULSE
    events = [(LogKind.BOLUS_END, pulses, kind << 16 | BolusState.DONE << 8 | doubt) for kind, pulses, doubt in boluses]
    events += [(LogKind.BOLUS_DENIED, 1, 4)] * denied + [(LogKind.STOP, 2, 2)] * stops
    log = numbered(FILL, CONFIGURED, *events)
    status = replace(beside(running, log), reservoir_nL=max(0, FILLED - pattern - bolus_nL))
    found = delivered_since(log, status, PROFILE, OPENED)
    assert found.total is not None
    assert found.pattern is not None
    assert found.true_bounds is not None
    assert found.single is not None
    assert found.prime is not None
    assert found.patient is not None
    assert found.total.nL == found.pattern.nL + found.single.volume.nL + found.prime.volume.nL + found.patient.volume.nL
    assert found.pattern.nL == pattern
    assert found.true_bounds[0] <= found.total <= found.true_bounds[1]
    assert (found.denied, found.interruptions) == (denied, stops)
    assert found.single.doubt_pulses == sum(doubt for kind, _, doubt in boluses if kind is BolusKind.SINGLE)
