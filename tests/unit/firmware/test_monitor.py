"""The monitor: over- and under-delivery by the encoder, a main task that hangs, the watchdog, and what a reset makes of it."""

from __future__ import annotations

from dataclasses import replace as replace_profile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.materialise import PulsePhase
from firmware_sim.firmware.memory import Memory
from firmware_sim.firmware.monitor import Unresponsive, Watchdog, WatchdogReset
from itbpump.wire.messages import BolusKind, BolusState, GetStatus, LogKind, Outcome, RunState, StopTherapy
from tests.unit.firmware.rig import BASE, DAY, HOUR, KEEP, MINUTE, PROFILE, SERIAL, FakeHardware, ForeseeingHardware, P, Rig, result_of

WATCHDOG = PROFILE.watchdog_ms


def running(hardware: FakeHardware | None = None, **changes: object) -> Rig:
    rig = Rig(hardware=hardware or ForeseeingHardware())
    rig.configure(replace(BASE, **changes))
    rig.advance(HOUR)
    return rig


# ------------------------------------------------------------------------------------------------ over-delivery
@pytest.mark.sr("SR-29")
@pytest.mark.parametrize(("rate_ppm", "within"), [(1_200_000, 15), (1_050_000, 60), (1_010_000, 300)])
def test_a_rotor_that_runs_fast_is_stopped_at_its_third_pulse_too_many(rate_ppm: int, within: int) -> None:
    rig = running()
    rig.hardware.rate_ppm, commanded, made = rate_ppm, rig.hardware.commanded, rig.hardware.made
    rig.advance(30 * DAY)
    given = rig.hardware.made - made - (rig.hardware.commanded - commanded)
    assert (given, rig.hardware.commanded - commanded) == (3, within)
    (raised,) = [entry for entry in rig.log(LogKind.ALARM_RAISED) if entry.a == Alarm.OVER_DELIVERY]
    assert raised.b == 3
    assert rig.status().run_state is RunState.SAFE
    assert rig.status().flow_nL_per_day == 0


@pytest.mark.sr("SR-29")
def test_missed_pulses_hide_no_surplus() -> None:
    rig = running()
    rig.hardware.rate_ppm = 950_000
    rig.advance(20 * HOUR)
    assert rig.alarms() == set()
    made = rig.hardware.made
    assert rig.hardware.commanded - made >= 8
    rig.hardware.made += 3
    rig.advance(MINUTE)
    assert rig.alarms() == {Alarm.OVER_DELIVERY}


@pytest.mark.sr("SR-29", "SR-31")
def test_a_motor_that_turns_while_the_pump_is_stopped_is_alarmed() -> None:
    rig = running()
    rig.ask(StopTherapy(cmd_id=rig.next_id()))
    rig.advance(HOUR)
    rig.hardware.made += 3
    rig.advance(1)
    assert rig.alarms() == {Alarm.OVER_DELIVERY}
    assert rig.status().run_state is RunState.STOPPED


@pytest.mark.sr("SR-29", "SR-31")
def test_a_prime_that_runs_fast_is_stopped_also_where_the_alarm_of_an_earlier_surplus_is_up() -> None:
    rig = running()
    rig.hardware.made += 3
    rig.advance(MINUTE)
    rig.ask(StopTherapy(cmd_id=rig.next_id()))
    assert (rig.alarms(), rig.status().run_state) == ({Alarm.OVER_DELIVERY}, RunState.STOPPED)
    assert result_of(rig.bolus(600, 7_200, BolusKind.PRIME)).outcome is Outcome.APPLIED
    rig.hardware.rate_ppm, commanded, made = 2_000_000, rig.hardware.commanded, rig.hardware.made
    rig.advance(3 * HOUR)
    assert (rig.hardware.commanded - commanded, rig.hardware.made - made) == (3, 6)
    status = rig.status()
    assert (status.run_state, status.flow_nL_per_day, status.bolus_state) == (RunState.STOPPED, 0, BolusState.INTERRUPTED)
    assert rig.alarms() == {Alarm.OVER_DELIVERY}


@pytest.mark.sr("SR-29")
@pytest.mark.parametrize(("surplus", "alarmed"), [(2, False), (3, True)])
def test_a_surplus_from_before_a_reset_is_not_forgotten_by_it(surplus: int, alarmed: bool) -> None:
    rig = running()
    rig.hardware.made += surplus
    rig = rig.reset(off_ms=HOUR)
    assert (Alarm.OVER_DELIVERY in rig.alarms()) is alarmed
    rig.advance(DAY)
    assert (Alarm.OVER_DELIVERY in rig.alarms()) is alarmed
    if not alarmed:
        rig.hardware.made += 1
        rig.advance(MINUTE)
        assert Alarm.OVER_DELIVERY in rig.alarms(), "two known and one more"


@pytest.mark.sr("SR-29")
def test_a_pulse_in_doubt_at_each_of_many_resets_is_no_over_delivery() -> None:
    rig = running()
    for phase in [*PulsePhase] * 4:
        rig = rig.reset(off_ms=1_000, phase=phase)
        rig.advance(HOUR)
    assert rig.alarms() == set()


# ------------------------------------------------------------------------------------------------ under-delivery
@pytest.mark.sr("SR-30")
@pytest.mark.parametrize("rate_ppm", [0, 300_000, 800_000, 890_000])
def test_missed_pulses_are_alarmed_once_a_tenth_of_the_day_is_missed(rate_ppm: int) -> None:
    rig = running(flow_nL_per_day=900_000)
    rig.hardware.rate_ppm, start = rate_ppm, rig.now
    rig.advance(3 * DAY)
    alarm = Alarm.UNDER_DELIVERY if rate_ppm else Alarm.MOTOR_STALL
    assert rig.alarms() == {alarm}
    assert rig.status().run_state is RunState.RUNNING, "therapy goes on"
    (raised,) = [entry for entry in rig.log(LogKind.ALARM_RAISED) if entry.a == alarm]
    day = 900_000 // P
    if rate_ppm:
        assert day // 10 <= raised.b <= day // 10 + 10
        expected_ms = DAY * 100_000 // (1_000_000 - rate_ppm)
        assert abs(raised.uptime_ms - start - expected_ms) < HOUR


@pytest.mark.sr("SR-30")
def test_a_few_pulses_missed_in_a_bolus_are_no_tenth_of_the_day() -> None:
    rig = running(flow_nL_per_day=200_000)
    assert rig.firmware.patient_request(rig.now)
    rig.advance(1_000)
    rig.hardware.rate_ppm = 600_000
    rig.advance(10 * MINUTE)
    rig.hardware.rate_ppm = 1_000_000
    rig.advance(DAY)
    assert (rig.hardware.commanded - rig.hardware.made, rig.alarms()) == (4, set())


@pytest.mark.sr("SR-30")
def test_a_prime_does_not_make_the_rest_of_the_day_bear_more() -> None:
    rig = running()
    rig.bolus(600, 7_200, BolusKind.PRIME)
    rig.advance(MINUTE)
    rig.hardware.rate_ppm = 990_000
    rig.advance(2 * HOUR)
    assert rig.alarms() == set(), "a hundredth"
    rig.hardware.rate_ppm = 800_000
    rig.advance(15 * HOUR)
    assert rig.alarms() == {Alarm.UNDER_DELIVERY}


@pytest.mark.sr("SR-30", "SR-61")
@given(st.integers(400_000, 990_000))
@settings(max_examples=15, deadline=None)
def test_what_a_slipping_rotor_missed_is_logged_once_an_hour_and_all_of_it(rate_ppm: int) -> None:
    rig = running()
    rig.hardware.rate_ppm = rate_ppm
    rig.advance(DAY)
    rig.hardware.rate_ppm, rig.hardware.carried = 1_000_000, 0
    rig.advance(2 * HOUR)
    told = rig.log(LogKind.STALL_RECOVERED)
    missed = rig.hardware.commanded - rig.hardware.made
    assert sum(entry.a for entry in told) == missed
    assert sum(entry.b for entry in told) == missed * P
    assert len(told) <= 27


@pytest.mark.sr("SR-30")
def test_what_was_missed_before_a_reset_is_told_by_it() -> None:
    rig = running()
    rig.hardware.stalled = True
    rig.advance(18 * MINUTE)
    assert rig.alarms() == set()
    rig.hardware.stalled = False
    rig = rig.reset()
    (told,) = rig.log(LogKind.STALL_RECOVERED)
    assert told.a == rig.hardware.commanded - rig.hardware.made == 3


@pytest.mark.sr("SR-29", "SR-30")
@given(st.integers(0, 2_000_000), st.lists(st.integers(1, 6 * HOUR), min_size=1, max_size=6), st.booleans())
@settings(max_examples=40, deadline=None)
def test_how_time_is_cut_changes_nothing_of_what_is_found(rate_ppm: int, pieces: list[int], stalls: bool) -> None:
    """But for the hour in which a missed pulse is told: a rotor is looked at when it is asked for, and each hour tells what was seen."""

    def found(cuts: list[int]) -> tuple[object, ...]:
        rig = running(patient_pulses=0, patient_duration_min=0, patient_lockout_min=0, patient_max_per_day=0)
        rig.hardware.rate_ppm, rig.hardware.stalled = rate_ppm, stalls
        for cut in cuts:
            rig.advance(cut)
        machine, status = rig.firmware._machine, rig.status()
        told = sum(entry.a for entry in machine.log.page(0, 1000) if entry.kind is LogKind.STALL_RECOVERED)
        missed = told + max(0, machine.pulses - machine.state.encoder_offset - rig.hardware.made)
        alarms = [(alarm.alarm, alarm.since_ms) for alarm in status.alarms]
        return alarms, status.run_state, status.flow_nL_per_day, status.lifetime_pulses, missed, rig.hardware.made, rig.hardware.tones

    assert found(pieces) == found([sum(pieces)])


# ------------------------------------------------------------------------------------------------ the watchdog
@pytest.mark.sr("SR-60", "SR-32")
def test_a_hanging_main_task_is_reset_and_the_therapy_goes_on_without_its_bolus() -> None:
    rig = running()
    ordered = result_of(rig.bolus(25, 600))
    rig.advance(MINUTE)
    since, revision = rig.now, rig.status().revision
    rig = rig.hang()
    assert rig.now == since + WATCHDOG
    status = rig.status()
    assert (status.run_state, status.flow_nL_per_day, status.revision) == (RunState.RUNNING, BASE.flow_nL_per_day, revision)
    assert (status.bolus_state, status.bolus_delivered) == (BolusState.INTERRUPTED, 3)
    assert ordered.cmd_id == 2
    assert [entry.a for entry in rig.log(LogKind.WATCHDOG_RESET)] == [1]
    assert rig.alarms() == set()
    before = rig.hardware.made
    rig.advance(DAY)
    assert rig.hardware.made - before == BASE.flow_nL_per_day // P
    assert rig.hardware.made == rig.status().lifetime_pulses


@pytest.mark.sr("SR-60")
@given(st.integers(0, 2 * HOUR), st.integers(0, WATCHDOG))
@settings(max_examples=30, deadline=None)
def test_a_hanging_pump_gives_what_was_scheduled_and_counts_it(at_ms: int, ask_ms: int) -> None:
    sound, rig = running(flow_nL_per_day=900_000), running(flow_nL_per_day=900_000)
    rig.advance(at_ms)
    rig.firmware.hang(rig.now)
    assert rig.firmware.next_event_ms() == rig.now + WATCHDOG
    if ask_ms < WATCHDOG:
        rig.advance(ask_ms)
        assert rig.firmware.hung
        assert rig.firmware.link_deadline() is None
        assert not rig.firmware.patient_request(rig.now)
        with pytest.raises(Unresponsive):
            rig.ask(GetStatus())
    with pytest.raises(WatchdogReset):
        rig.advance(HOUR)
    rig = Rig(Memory.from_image(rig.memory.image()), rig.hardware, watchdog=True)
    sound.advance(at_ms + WATCHDOG)
    assert (rig.now, rig.hardware.made, rig.status().lifetime_pulses) == (sound.now, sound.hardware.made, sound.status().lifetime_pulses)
    assert rig.status().doubt_pulses == 0


@pytest.mark.sr("SR-60", "SR-29")
def test_a_motor_that_runs_away_is_stopped_while_the_main_task_hangs() -> None:
    rig = Rig(hardware=ForeseeingHardware(), profile=replace_profile(PROFILE, watchdog_ms=20_000))
    rig.configure()
    result_of(rig.bolus(33, 60))
    rig.advance(30_000)
    rig.hardware.rate_ppm = 6_000_000
    made, commanded = rig.hardware.made, rig.hardware.commanded
    rig.firmware.hang(rig.now)
    with pytest.raises(WatchdogReset):
        rig.advance(DAY)
    # One commanded pulse makes six: the monitor sees five too many and takes the drive away before the second.
    assert (rig.hardware.commanded - commanded, rig.hardware.made - made) == (1, 6)
    rig.hardware.rate_ppm = 1_000_000
    rig = Rig(Memory.from_image(rig.memory.image()), rig.hardware, watchdog=True)
    assert Alarm.OVER_DELIVERY in rig.alarms(), "the main task tells what the monitor did"
    assert (rig.status().run_state, rig.status().flow_nL_per_day) == (RunState.SAFE, 0)


@pytest.mark.sr("SR-60")
def test_a_task_that_is_only_late_does_then_what_was_due() -> None:
    rig = running()
    result_of(rig.bolus(25, 600))
    rig.advance(10 * MINUTE - 500)
    rig.firmware.hang(rig.now, for_ms=1_500)
    hung = []
    for step_ms in (1_499, 1):
        rig.advance(step_ms)
        hung.append(rig.firmware.hung)
    assert hung == [True, False]
    status = rig.status()
    assert (status.bolus_state, status.bolus_delivered, status.resets) == (BolusState.DONE, 25, 0)
    rig.advance(HOUR)
    assert rig.hardware.made == rig.status().lifetime_pulses


@pytest.mark.sr("SR-60", "SR-32")
def test_a_loop_of_watchdog_resets_ends_in_the_safe_state() -> None:
    rig = running()
    rig = rig.hang().hang()
    assert rig.status().run_state is RunState.RUNNING
    rig = rig.hang()
    status = rig.status()
    assert (status.run_state, status.flow_nL_per_day) == (RunState.SAFE, PROFILE.minimum_rate_nL_per_day)
    assert [entry.a for entry in rig.log(LogKind.WATCHDOG_RESET)] == [1, 2, 3]
    rig = rig.hang()
    assert rig.alarms() == {Alarm.RESET_LOOP}


@pytest.mark.sr("SR-60")
def test_resets_far_apart_are_no_loop() -> None:
    rig = running()
    for _ in range(5):
        rig = rig.hang()
        rig.advance(PROFILE.reset_loop_window_ms // 2)
    assert rig.alarms() == set()
    assert rig.reset().log(LogKind.WATCHDOG_RESET)[-1].a == 2, "a power cut is none of them"


def test_the_watchdog_knows_when_it_bites() -> None:
    dog = Watchdog(2_000)
    with pytest.raises(ValueError, match="runs"):
        dog.end_ms()
    dog.hang(100, 2_000)
    assert dog.end_ms() == (2_100, True), "served at the last moment is too late"
    dog.hang(500, 1)
    assert dog.end_ms() == (2_100, True)
    dog.wake()
    dog.hang(100, 1_999)
    assert dog.end_ms() == (2_099, False)


# ------------------------------------------------------------------------------------------------ alert, stop, start
def alerted(rig: Rig) -> Rig:
    rig.hardware.made += 5
    rig.advance(MINUTE)
    assert Alarm.OVER_DELIVERY in rig.alarms()
    return rig


def start(rig: Rig) -> Outcome:
    return rig.configure(replace(KEEP, start=True)).outcome


@pytest.mark.sr("SR-58")
def test_the_third_stop_for_the_same_reason_locks_the_start_for_its_time() -> None:
    rig = running()
    for _ in range(2):
        alerted(rig)
        assert start(rig) is Outcome.APPLIED
    alerted(rig)
    locked = rig.now
    assert Alarm.RESTART_LOCKED in rig.alarms()
    for _ in range(2):
        assert start(rig) is Outcome.REFUSED
        assert rig.configure(KEEP).outcome is Outcome.APPLIED, "what starts nothing is taken"
        rig = rig.reset()
    rig.firmware.advance(locked + PROFILE.restart_lock_ms - MINUTE)
    assert start(rig) is Outcome.REFUSED
    rig.advance(MINUTE)
    assert Alarm.RESTART_LOCKED not in rig.alarms()
    assert start(rig) is Outcome.APPLIED
    alerted(rig)
    assert Alarm.RESTART_LOCKED not in rig.alarms(), "it counts anew"


@pytest.mark.sr("SR-58")
def test_three_stops_over_a_longer_time_or_for_other_reasons_lock_nothing() -> None:
    rig = running()
    for _ in range(4):
        alerted(rig)
        assert start(rig) is Outcome.APPLIED
        rig.advance(PROFILE.restart_window_ms // 2)
    rig.advance(PROFILE.restart_window_ms)
    for _ in range(2):
        alerted(rig)
        assert start(rig) is Outcome.APPLIED
    rig.hardware.drained = 1000 - PROFILE.eri_battery_permille
    rig = rig.reset()
    assert Alarm.LOW_BATTERY_RESET in rig.alarms()
    assert Alarm.RESTART_LOCKED not in rig.alarms()


@pytest.mark.sr("SR-58")
def test_a_clock_that_goes_back_makes_no_lock_longer() -> None:
    rig = running()
    for turn in range(3):
        alerted(rig)
        if turn < 2:
            start(rig)
    rig.firmware.materialise(rig.now)
    hardware = ForeseeingHardware(now_ms=10 * MINUTE, commanded=rig.hardware.commanded, made=rig.hardware.made)
    rig = Rig(Memory.from_image(rig.memory.image()), hardware)
    rig.advance(PROFILE.restart_lock_ms)
    assert Alarm.RESTART_LOCKED not in rig.alarms()
    assert rig.info().serial == SERIAL
