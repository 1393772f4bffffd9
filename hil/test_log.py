"""The pump's log: it only grows, stands in order, tells what was done and by whom, survives a reset whole, and marks what it had to drop.

The chain of hashes lies inside the pump, which checks it at each start (SPEC.md, section 10): a broken link shows as a failed self-test.
Not here: which alarms ought to be raised (suite on alarms), the log of a pump whose memory was damaged (faults).
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from hil.speaking import Speaker
from itbpump.hil.fixtures import Clock, Measure, Plant, Power, PumpUnderTest
from itbpump.wire import messages
from itbpump.wire.messages import (
    AlarmNumber,
    AlarmPriority,
    CommandKind,
    Error,
    ErrorCode,
    GetLog,
    LogEntry,
    LogKind,
    LogPage,
    MinimumRate,
    SetClock,
)

DAY = "200 mcg/day"
LATER_WALL_S = 1_795_400_000
KEPT = 1_024  # entries of the reference pump; SR-61 asks for 1,000 or 30 days
PAGE = 25


def require_in_order(log: list[LogEntry]) -> None:
    """Numbers rise by one (a gap entry stands for all that it replaces); times never go back."""
    for before, after in pairwise(log):
        step = after.a if after.kind is LogKind.GAP else 1
        assert after.seq == before.seq + step, f"entry {after.seq} ({after.kind.name.lower()}) follows entry {before.seq}"
        assert after.uptime_ms >= before.uptime_ms or after.kind is LogKind.GAP, f"entry {after.seq} is older than the one before"


def kinds(log: list[LogEntry]) -> list[LogKind]:
    return [entry.kind for entry in log]


@pytest.mark.sr("SR-61")
def test_what_was_done_stands_in_the_log_in_order(pump: PumpUnderTest, clock: Clock, measure: Measure) -> None:
    before = pump.status().log_next_seq
    pump.program(pump.rx(DAY))
    clock.advance("10m")
    pump.bolus("10 mcg", "5m")
    clock.advance("10m")
    pump.stop()
    log = [entry for entry in pump.log() if entry.seq >= before]
    require_in_order(log)
    told = kinds(log)
    counts = {kind: told.count(kind) for kind in (LogKind.COMMITTED, LogKind.BOLUS_START, LogKind.BOLUS_END, LogKind.STOP)}
    assert counts == {LogKind.COMMITTED: 3, LogKind.BOLUS_START: 1, LogKind.BOLUS_END: 1, LogKind.STOP: 1}
    begun, ended = (next(entry for entry in log if entry.kind is kind) for kind in (LogKind.BOLUS_START, LogKind.BOLUS_END))
    assert begun.a == ended.a > 0, "pulses ordered, pulses given"
    measure("the bolus took", ended.uptime_ms - begun.uptime_ms, "ms", lo=270_000, hi=300_000)


@pytest.mark.sr("SR-61")
def test_the_log_only_grows(pump: PumpUnderTest, clock: Clock) -> None:
    """Each reading begins with what the one before had."""
    pump.program(pump.rx(DAY))
    earlier = pump.log()
    for number in range(6):
        pump.session().set_clock(LATER_WALL_S + number)
        clock.advance("1m")
        pump.reconnect()
        now = pump.log()
        require_in_order(now)
        assert now[: len(earlier)] == earlier
        assert len(now) > len(earlier)
        assert now[-1].seq < pump.status().log_next_seq
        earlier = now


@pytest.mark.sr("SR-61")
def test_no_number_is_missing_over_many_entries(pump: PumpUnderTest, measure: Measure) -> None:
    """Forty commands: whatever each of them logs, the numbers have no hole and reach the one that status tells."""
    pump.program(pump.rx(DAY))
    before = pump.status().log_next_seq
    for number in range(40):
        pump.session().set_clock(LATER_WALL_S + number)
    expected = pump.status().log_next_seq
    log = [entry for entry in pump.log() if entry.seq >= before]
    require_in_order(log)
    measure("entries read", len(log), "entries", lo=expected - before, hi=expected - before)
    assert kinds(log).count(LogKind.COMMITTED) == 40


@pytest.mark.sr("SR-61")
def test_pages_of_any_size_tell_the_same_log(pump: PumpUnderTest) -> None:
    pump.program(pump.rx(DAY))
    for number in range(4):
        pump.session().set_clock(LATER_WALL_S + number)
    speaker = Speaker.to(pump).open()
    end = speaker.status().log_next_seq
    found = []
    for size in (1, 3, PAGE):
        seq = 0
        log: list[LogEntry] = []
        while page := speaker.ask(GetLog(seq, size), LogPage).entries:
            assert len(page) <= size
            log += page
            seq = page[-1].seq + 1
        found.append([entry for entry in log if entry.seq < end])
    assert found[0] == found[1] == found[2] != []
    assert speaker.ask(GetLog(end + 1_000, PAGE), LogPage).entries == ()


@pytest.mark.sr("SR-61")
def test_a_refused_command_is_logged_and_an_error_is_not(pump: PumpUnderTest) -> None:
    speaker = Speaker.to(pump).open()
    before = speaker.status()
    speaker.refused(MinimumRate(speaker.next_id()), ErrorCode.WRONG_STATE)
    entries = speaker.ask(GetLog(before.log_next_seq, PAGE), LogPage).entries
    assert [(entry.kind, entry.a, entry.b >> 32) for entry in entries] == [(LogKind.REFUSED, speaker.cmd_id, ErrorCode.WRONG_STATE)]
    after = speaker.status().log_next_seq
    speaker.ask(SetClock(speaker.cmd_id + 2**33, LATER_WALL_S), Error)
    assert speaker.status().log_next_seq == after


@pytest.mark.sr("SR-61")
def test_who_did_it_is_told(pump: PumpUnderTest) -> None:
    pump.program(pump.rx(DAY))
    status = pump.status()
    assert status.last_change_by == pump.programmer.state.programmer_id
    assert status.last_change_kind is CommandKind.CONFIGURE


@pytest.mark.needs("power-control")
@pytest.mark.sr("SR-61", "SR-47")
def test_the_log_is_whole_after_a_reset(pump: PumpUnderTest, power: Power, clock: Clock) -> None:
    """The chain of hashes is checked at the start; a break would be a failed self-test and the alarm for memory that was repaired."""
    pump.program(pump.rx(DAY))
    for number in range(10):
        pump.session().set_clock(LATER_WALL_S + number)
    before = pump.log()
    for _ in range(2):
        power.cut()
        clock.advance("1m")
        power.on()
    after = pump.log()
    require_in_order(after)
    assert after[: len(before)] == before
    assert kinds(after[len(before) :]).count(LogKind.BOOT) == 2
    failed = [entry for entry in after[len(before) :] if entry.kind is LogKind.SELF_TEST_FAILED]
    assert failed == [], f"self-test {failed[0].a} failed (8: the log's chain of hashes)"
    assert AlarmNumber.MEMORY_REPAIRED not in {alarm.alarm for alarm in pump.status().alarms}


@pytest.mark.needs("fault-injection")
@pytest.mark.sr("SR-61", "SR-30")
def test_an_alarm_that_is_raised_and_ends_is_logged(pump: PumpUnderTest, plant: Plant, clock: Clock) -> None:
    pump.program(pump.rx("1920 mcg/day"))
    plant.fault("mechanical.stall", for_="1h")
    clock.until(
        lambda: any(alarm.alarm == AlarmNumber.MOTOR_STALL for alarm in pump.status().alarms), within="1h", step="5m", what="the stall"
    )
    clock.until(lambda: not pump.status().alarms, within="2h", step="10m", what="the end of the alarm")
    log = pump.log()
    require_in_order(log)
    raised = [entry for entry in log if entry.kind is LogKind.ALARM_RAISED and entry.a == AlarmNumber.MOTOR_STALL]
    cleared = [entry for entry in log if entry.kind is LogKind.ALARM_CLEARED and entry.a == AlarmNumber.MOTOR_STALL]
    assert len(raised) == 1, "the log tells of the alarm that was up"
    assert len(cleared) == 1
    assert raised[0].seq < cleared[0].seq


@pytest.mark.reset("new")
@pytest.mark.sr("SR-61")
def test_what_was_dropped_is_marked_and_the_newest_thousand_are_kept(pump: PumpUnderTest, measure: Measure) -> None:
    """Wears the memory out by some 1,400 writes, so it is done to simulated pumps."""
    speaker = Speaker.to(pump).open()
    while (end := speaker.status().log_next_seq) < KEPT + 200:
        for _ in range(100):
            speaker.applied(messages.TestAlarm(speaker.next_id(), AlarmPriority.NON_CRITICAL))
    first = speaker.ask(GetLog(0, PAGE), LogPage).entries
    assert first[0].kind is LogKind.GAP
    assert (first[0].a, first[0].b) == (first[0].seq + 1, 0), "how many were lost, from which number on"
    oldest = first[1]
    assert oldest.seq == first[0].seq + 1
    measure("entries kept", end - oldest.seq, "entries", lo=1_000)
    seq = 0
    log: list[LogEntry] = []
    while page := speaker.ask(GetLog(seq, PAGE), LogPage).entries:
        log += page
        seq = page[-1].seq + 1
    require_in_order(log)
    assert log[-1].seq >= end - 1
