"""The pump's checks of itself, on a whole pump: a main task that hangs, a motor that does not follow, a start that finds a fault."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.plant.truth import Truth
from itbpump.wire.messages import BolusState, GetLog, LogEntry, LogKind, LogPage, RunState
from tests.system.rig import DAY_MS, HOUR_MS, PULSE_NL, WHO, Rig, configuration

WATCHDOG_MS = 2_000


def running(**changes: object) -> Rig:
    rig = Rig()
    rig.configure(configuration(**changes))
    rig.pump.advance(HOUR_MS)
    return rig


def log(rig: Rig, kind: LogKind) -> list[LogEntry]:
    """Entries of a kind, over the protocol."""
    entries: list[LogEntry] = []
    while True:
        page = rig.pump.order(GetLog(from_seq=entries[-1].seq + 1 if entries else 0, max_entries=25), WHO)
        assert isinstance(page, LogPage)
        if not page.entries:
            return [entry for entry in entries if entry.kind is kind]
        entries += page.entries


def alarms(rig: Rig) -> set[int]:
    return {state.alarm for state in rig.status().alarms}


def balance_nL(truth: Truth) -> int:
    """Volume that came in, less where it is now; 0 where none is lost or made."""
    ledger = truth.ledger
    there = truth.reservoir_nL + truth.path_nL + truth.delivered_nL + ledger.aspirated_nL + ledger.lost_nL
    return ledger.filled_nL + ledger.initial_path_nL - there


@pytest.mark.sr("SR-60", "SR-32")
@pytest.mark.parametrize("cuts_ms", [[DAY_MS], [1, 1_998, 2, DAY_MS - 2_001]])
def test_a_pump_that_hangs_is_back_in_two_seconds_with_its_therapy_and_without_its_bolus(cuts_ms: list[int]) -> None:
    rig = running()
    rig.bolus(25, 600)
    rig.pump.advance(60_000)
    rig.pump.firmware.hang(rig.pump.uptime_ms)
    for cut_ms in cuts_ms:
        rig.pump.advance(cut_ms)
    status = rig.status()
    assert (status.run_state, status.bolus_state, status.resets) == (RunState.RUNNING, BolusState.INTERRUPTED, 1)
    (bitten,) = log(rig, LogKind.WATCHDOG_RESET)
    assert bitten.uptime_ms == HOUR_MS + 60_000 + WATCHDOG_MS
    assert status.lifetime_pulses == rig.pump.truth.encoder_pulses
    assert alarms(rig) == set()
    assert balance_nL(rig.pump.truth) == 0


@pytest.mark.sr("SR-60", "SR-48")
def test_the_line_is_dead_while_the_main_task_hangs_and_a_new_session_is_needed_after_it() -> None:
    rig = running()
    link = rig.pump.link
    rig.pump.firmware.hang(rig.pump.uptime_ms)
    rig.pump.receive(b"\x00\x03\x01\x02\x00" * 50, 0)
    assert rig.pump.transmit() == b""
    assert rig.pump.link_deadline_ms() is None
    assert rig.pump.next_event_ms() == rig.pump.uptime_ms + WATCHDOG_MS
    rig.pump.advance(WATCHDOG_MS)
    assert rig.pump.link is not link
    assert rig.pump.link.session is None


@pytest.mark.sr("SR-60", "SR-32")
def test_a_pump_that_hangs_for_the_third_time_gives_its_minimum_rate_and_alarms() -> None:
    rig = running()
    for _ in range(3):
        rig.pump.firmware.hang(rig.pump.uptime_ms)
        rig.pump.advance(10_000)
    minimum = rig.pump.profile.firmware.minimum_rate_nL_per_day
    assert (rig.status().run_state, rig.status().flow_nL_per_day, alarms(rig)) == (RunState.SAFE, minimum, {Alarm.RESET_LOOP})
    before = rig.pump.truth.encoder_pulses
    rig.pump.advance(10 * DAY_MS)
    assert rig.pump.truth.encoder_pulses - before == 10 * minimum // PULSE_NL


@pytest.mark.sr("SR-60")
@given(st.lists(st.integers(0, 400_000), min_size=1, max_size=6))
@settings(max_examples=20, deadline=None)
def test_pulses_are_counted_and_volume_is_kept_whenever_it_hangs(gaps_ms: list[int]) -> None:
    rig = running(flow_nL_per_day=2_000_000)
    for gap_ms in gaps_ms:
        rig.pump.advance(gap_ms)
        rig.pump.firmware.hang(rig.pump.uptime_ms)
        rig.pump.advance(WATCHDOG_MS)
    truth = rig.pump.truth
    assert rig.status().lifetime_pulses == truth.encoder_pulses
    assert (rig.status().doubt_pulses, balance_nL(truth)) == (0, 0)
    assert len(log(rig, LogKind.WATCHDOG_RESET)) == len(gaps_ms)


@pytest.mark.sr("SR-29", "SR-31")
def test_a_motor_that_turns_by_itself_is_stopped_at_once() -> None:
    rig = running()
    for _ in range(3):
        rig.pump.plant.turn_by_hand()
    rig.pump.advance(1)
    assert (rig.status().run_state, rig.status().flow_nL_per_day, alarms(rig)) == (RunState.SAFE, 0, {Alarm.OVER_DELIVERY})
    made = rig.pump.truth.encoder_pulses
    rig.pump.advance(DAY_MS)
    assert rig.pump.truth.encoder_pulses == made


@pytest.mark.sr("SR-29")
def test_a_rotor_that_turns_too_fast_is_found_within_a_minute_of_its_third_pulse_in_one_long_stretch() -> None:
    rig = running()
    commanded, start_ms = rig.status().lifetime_pulses, rig.pump.uptime_ms
    rig.pump.plant.set_encoder_rate(1_200_000)
    rig.pump.advance(30 * DAY_MS)
    (raised,) = [entry for entry in log(rig, LogKind.ALARM_RAISED) if entry.a == Alarm.OVER_DELIVERY]
    assert rig.status().lifetime_pulses - commanded == 15
    last_ms = rig.pump.pulses(start_ms, rig.pump.uptime_ms)[-1].at_ms
    assert 0 <= raised.uptime_ms - last_ms <= 60_000


@pytest.mark.sr("SR-30")
def test_a_rotor_that_misses_a_fifth_is_alarmed_while_the_therapy_goes_on() -> None:
    rig = running()
    rig.pump.plant.set_encoder_rate(800_000)
    rig.pump.advance(DAY_MS)
    assert (rig.status().run_state, alarms(rig)) == (RunState.RUNNING, {Alarm.UNDER_DELIVERY})
    rig.pump.advance(DAY_MS)
    told = log(rig, LogKind.STALL_RECOVERED)
    missed = rig.status().lifetime_pulses - rig.pump.truth.encoder_pulses
    assert missed - 20 <= sum(entry.a for entry in told) <= missed
    assert all(entry.b == entry.a * PULSE_NL for entry in told)
