"""Every row of the alarm table is raised by one case and stays quiet in its neighbour; tones and silence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from firmware_sim.firmware.alarm_table import ALARMS, Alarm, SafeAction, row
from firmware_sim.firmware.alarms import SILENCE_MS, AlarmPanel
from firmware_sim.firmware.core import SessionInfo
from firmware_sim.firmware.draft import SAFE_STOPPED
from firmware_sim.firmware.memory import Memory
from itbpump.wire.messages import (
    AlarmEvent,
    AlarmPriority,
    BolusKind,
    BolusState,
    LogKind,
    MinimumRate,
    Outcome,
    Role,
    RunState,
    SilenceAlarm,
    StopTherapy,
)
from itbpump.wire.messages import TestAlarm as SoundOnce  # pytest would take the name for a test class
from tests.unit.firmware.rig import BASE, CARD, DAY, HOUR, KEEP, MINUTE, PROFILE, A, ForeseeingHardware, P, Rig, result_of

ERI_AGE = PROFILE.service_life_ms - PROFILE.eri_to_eos_ms
LOW_DAYS = (BASE.reservoir_volume_nL - BASE.low_alarm_nL) // BASE.flow_nL_per_day
EMPTY_DAYS = (BASE.reservoir_volume_nL - BASE.empty_alarm_nL) // BASE.flow_nL_per_day
DRY_DAYS = BASE.reservoir_volume_nL // BASE.flow_nL_per_day


def running(after_ms: int = 0) -> Rig:
    rig = Rig()
    rig.configure()
    rig.advance(after_ms)
    return rig


def stopped(for_ms: int) -> Rig:
    rig = running(HOUR)
    rig.ask(StopTherapy(cmd_id=rig.next_id()))
    rig.advance(for_ms)
    return rig


def aged(uptime_ms: int) -> Rig:
    """A stopped pump is as old as a running one."""
    rig = stopped(0)
    rig.firmware.advance(uptime_ms)
    return rig


def stalled(for_ms: int) -> Rig:
    rig = running(HOUR)
    rig.hardware.stalled = True
    # The first pulse missed is 4 min 48 s to 7 min 12 s away at this flow.
    rig.advance(for_ms)
    return rig


def damaged(region: str, *more: str) -> Rig:
    rig = running(HOUR)
    rig.ask(SoundOnce(cmd_id=rig.next_id(), priority=AlarmPriority.CRITICAL))
    rig.firmware.materialise(rig.now)
    for name in (region, *more):
        rig.memory.flip(name, 40, 2)
    return Rig(Memory.from_image(rig.memory.image()), rig.hardware)


def weak_battery(permille: int) -> Rig:
    rig = running(HOUR)
    rig.hardware.drained = 1000 - permille
    return rig.reset()


def emergency(role: Role) -> Rig:
    rig = running()
    rig.firmware.session_opened(SessionInfo(CARD, role), rig.now)
    return rig


def surplus(pulses: int) -> Rig:
    rig = running(HOUR)
    rig.hardware.made += pulses
    rig.advance(MINUTE)
    return rig


def slipping(rate_ppm: int) -> Rig:
    rig = Rig(hardware=ForeseeingHardware())
    rig.configure()
    rig.hardware.rate_ppm = rate_ppm
    rig.advance(DAY + HOUR)
    return rig


def hung(times: int) -> Rig:
    rig = running(HOUR)
    for _ in range(times):
        rig = rig.hang()
    return rig


def started_over(times: int) -> Rig:
    """Alert, stop and start again, so many times; the last start is left out."""
    rig = running(HOUR)
    for turn in range(times):
        if turn:
            assert rig.configure(replace(KEEP, start=True)).outcome is Outcome.APPLIED
        rig.hardware.made += 5
        rig.advance(MINUTE)
    return rig


def started_with(noise: bytes) -> Rig:
    rig = running(HOUR)
    rig.firmware.materialise(rig.now)
    return Rig(Memory.from_image(rig.memory.image()), rig.hardware, noise=noise)


CASES: dict[Alarm, tuple[Callable[[], Rig], Callable[[], Rig]]] = {
    Alarm.LOW_RESERVOIR: (lambda: running(LOW_DAYS * DAY), lambda: running(LOW_DAYS * DAY - 15 * MINUTE)),
    Alarm.REPLACEMENT: (lambda: aged(ERI_AGE), lambda: aged(ERI_AGE - 1)),
    Alarm.MEMORY_REPAIRED: (lambda: damaged("results"), lambda: running(HOUR).reset()),
    Alarm.EMPTY_RESERVOIR: (lambda: running(EMPTY_DAYS * DAY), lambda: running(EMPTY_DAYS * DAY - 15 * MINUTE)),
    Alarm.RESERVOIR_USED_UP: (lambda: running(DRY_DAYS * DAY), lambda: running(DRY_DAYS * DAY - 15 * MINUTE)),
    Alarm.END_OF_SERVICE: (lambda: aged(PROFILE.service_life_ms), lambda: aged(PROFILE.service_life_ms - 1)),
    Alarm.MOTOR_STALL: (lambda: stalled(28 * MINUTE), lambda: stalled(19 * MINUTE)),
    Alarm.STOPPED_LONG: (lambda: stopped(48 * HOUR), lambda: stopped(48 * HOUR - 1)),
    Alarm.MEMORY_LOST: (lambda: damaged("journal_a", "journal_b"), lambda: running(HOUR).reset(HOUR)),
    Alarm.LOW_BATTERY_RESET: (
        lambda: weak_battery(PROFILE.eri_battery_permille),
        lambda: weak_battery(PROFILE.eri_battery_permille + 1),
    ),
    Alarm.EMERGENCY_SESSION: (lambda: emergency(Role.EMERGENCY), lambda: emergency(Role.OBSERVER)),
    Alarm.OVER_DELIVERY: (lambda: surplus(3), lambda: surplus(2)),
    Alarm.UNDER_DELIVERY: (lambda: slipping(890_000), lambda: slipping(910_000)),
    Alarm.RESET_LOOP: (lambda: hung(3), lambda: hung(2)),
    Alarm.RESTART_LOCKED: (lambda: started_over(3), lambda: started_over(2)),
    Alarm.RANDOM_SOURCE: (lambda: started_with(bytes(64)), lambda: started_with(bytes(range(64)))),
}


def up(rig: Rig) -> set[int]:
    return {state.alarm for state in rig.status().alarms}


@pytest.mark.sr("SR-32")
def test_the_table_and_the_cases_cover_the_same_alarms() -> None:
    assert set(CASES) == {entry.alarm for entry in ALARMS} == set(Alarm)
    assert len({entry.id for entry in ALARMS}) == len(ALARMS)
    assert all(entry.reason and entry.raised and entry.cleared and entry.source and entry.mark in {"R", "D"} for entry in ALARMS)


@pytest.mark.parametrize("alarm", list(Alarm), ids=lambda alarm: row(alarm).id)
@pytest.mark.sr("SR-29", "SR-30", "SR-33", "SR-35", "SR-55", "SR-59", "SR-64")
def test_each_alarm_is_raised_logged_and_sounded(alarm: Alarm) -> None:
    rig = CASES[alarm][0]()
    assert alarm in up(rig)
    entry = next(
        entry for entry in reversed(rig.firmware._machine.log.page(0, 1000)) if entry.kind is LogKind.ALARM_RAISED and entry.a == alarm
    )
    state = next(state for state in rig.status().alarms if state.alarm == alarm)
    assert state.priority is row(alarm).priority
    assert state.since_ms == entry.uptime_ms
    tone = "two-tone" if state.priority is AlarmPriority.CRITICAL else "single-tone"
    assert (state.since_ms, tone) in rig.hardware.tones
    hints = [hint for hint in rig.firmware.take_events() if isinstance(hint, AlarmEvent) and hint.alarm == alarm]
    assert [hint.log_seq for hint in hints] == [entry.seq]
    assert rig.firmware.take_events() == []


@pytest.mark.sr("SR-29", "SR-30", "SR-33", "SR-35", "SR-59")
@pytest.mark.parametrize("alarm", list(Alarm), ids=lambda alarm: row(alarm).id)
def test_each_alarm_stays_quiet_in_the_neighbouring_case(alarm: Alarm) -> None:
    assert alarm not in up(CASES[alarm][1]())


@pytest.mark.parametrize(
    "alarm", [entry.alarm for entry in ALARMS if entry.action is not SafeAction.CONTINUE], ids=lambda alarm: row(alarm).id
)
@pytest.mark.sr("SR-32")
def test_a_safe_state_is_what_the_table_says(alarm: Alarm) -> None:
    if alarm is Alarm.END_OF_SERVICE:
        rig = running()
        for _ in range(30):
            rig.advance(100 * DAY)
            assert rig.configure().outcome is Outcome.APPLIED or alarm in up(rig)
        rig.firmware.advance(PROFILE.service_life_ms)
    else:
        rig = CASES[alarm][0]()
    status = rig.status()
    assert status.run_state is RunState.SAFE
    action = row(alarm).action
    if action is SafeAction.PROFILE:
        action = SafeAction.STOP if PROFILE.critical_memory_safe_state == "stopped" else SafeAction.MINIMUM_RATE
    assert status.flow_nL_per_day == (0 if action is SafeAction.STOP else PROFILE.minimum_rate_nL_per_day)


def flow_after(*alarms: Alarm) -> int:
    """What flows once these alarms have been raised in this order, nL/day."""
    rig = running()
    for alarm in alarms:
        rig.advance(MINUTE)
        draft = rig.firmware._machine.draft()
        draft.raise_alarm(alarm)
        rig.firmware._machine.store(draft)
    return rig.status().flow_nL_per_day


@pytest.mark.sr("SR-55", "SR-32")
@pytest.mark.parametrize("first", list(Alarm), ids=lambda alarm: row(alarm).id)
def test_of_two_alarms_the_most_restrictive_safe_state_wins(first: Alarm) -> None:
    for second in Alarm:
        alone = min(flow_after(first), flow_after(second))
        assert flow_after(first, second) == flow_after(second, first) == alone, second


@pytest.mark.sr("SR-32")
@pytest.mark.parametrize(
    "alarm",
    # A restart is locked on top of another alarm, which has chosen the safe state.
    [entry.alarm for entry in ALARMS if entry.action is SafeAction.CONTINUE and entry.alarm is not Alarm.RESTART_LOCKED],
    ids=lambda alarm: row(alarm).id,
)
def test_an_alarm_without_safe_state_leaves_the_therapy(alarm: Alarm) -> None:
    rig = CASES[alarm][0]()
    assert rig.status().run_state in (RunState.RUNNING, RunState.STOPPED)
    assert (rig.status().flow_nL_per_day > 0) == (rig.status().run_state is RunState.RUNNING)


# ------------------------------------------------------------------------------------------------ how each ends
@pytest.mark.sr("SR-34", "SR-35")
def test_a_refill_ends_the_reservoir_alarms_and_starts_a_pump_run_dry_only_if_it_says_so() -> None:
    rig = running(DRY_DAYS * DAY + HOUR)
    assert {Alarm.LOW_RESERVOIR, Alarm.EMPTY_RESERVOIR, Alarm.RESERVOIR_USED_UP} <= up(rig)
    assert rig.status().reservoir_nL == 0
    assert rig.configure(replace(KEEP, start=True)).outcome is Outcome.REFUSED
    assert rig.configure(replace(BASE, start=False)).outcome is Outcome.APPLIED
    assert (up(rig), rig.status().run_state) == (set(), RunState.SAFE)
    rig.configure(replace(KEEP, start=True))
    assert rig.status().run_state is RunState.RUNNING


@pytest.mark.sr("SR-35")
def test_a_commit_without_refill_leaves_the_reservoir_alarms() -> None:
    rig = running(EMPTY_DAYS * DAY)
    rig.advance(HOUR)
    alarms, tones = rig.status().alarms, list(rig.hardware.tones)
    assert {state.alarm for state in alarms} == {Alarm.LOW_RESERVOIR, Alarm.EMPTY_RESERVOIR}
    assert rig.configure(replace(KEEP, flow_nL_per_day=80_000)).outcome is Outcome.APPLIED
    assert (rig.status().alarms, rig.hardware.tones) == (alarms, tones), "neither ended and raised anew nor sounded anew"
    assert rig.status().flow_nL_per_day == 80_000


@pytest.mark.sr("SR-31")
def test_the_empty_stop_falls_on_a_whole_pulse() -> None:
    rig = running()
    odd = replace(BASE, reservoir_volume_nL=8_000_123)
    rig.configure(odd)
    rig.advance(200 * DAY)
    assert rig.hardware.made == 8_000_123 // P
    assert rig.status().reservoir_nL == 8_000_123 % P
    assert rig.hardware.commanded == rig.status().lifetime_pulses


@pytest.mark.sr("SR-30")
def test_a_rotor_that_turns_again_ends_the_stall_and_tells_what_was_missed() -> None:
    rig = stalled(2 * HOUR)
    rig.hardware.stalled = False
    rig.advance(HOUR)
    assert Alarm.MOTOR_STALL not in up(rig)
    entries = rig.firmware._machine.log.page(0, 25)
    recovered = next(entry for entry in entries if entry.kind is LogKind.STALL_RECOVERED)
    assert recovered.a == rig.status().lifetime_pulses - rig.hardware.made
    assert recovered.b == recovered.a * P
    rig.hardware.stalled = True
    rig.advance(28 * MINUTE)
    assert Alarm.MOTOR_STALL in up(rig), "a second stall is seen like the first"


@pytest.mark.sr("SR-30")
def test_a_reset_in_a_stall_neither_ends_its_alarm_nor_forgets_what_it_cost() -> None:
    rig = stalled(2 * HOUR).reset(off_ms=HOUR)
    assert Alarm.MOTOR_STALL in up(rig)
    rig.advance(HOUR)
    assert [entry.kind for entry in rig.firmware._machine.log.page(0, 100)].count(LogKind.STALL) == 1
    rig.hardware.stalled = False
    rig.advance(HOUR)
    assert Alarm.MOTOR_STALL not in up(rig)
    recovered = next(entry for entry in rig.firmware._machine.log.page(0, 100) if entry.kind is LogKind.STALL_RECOVERED)
    assert recovered.a == rig.status().lifetime_pulses - rig.hardware.made >= 3 * HOUR * BASE.flow_nL_per_day // (DAY * P) - 1


@pytest.mark.sr("SR-30")
def test_a_rotor_that_caught_up_while_the_power_was_off_ends_the_stall_too() -> None:
    rig = stalled(2 * HOUR)
    rig.hardware.made = rig.hardware.commanded
    rig.hardware.stalled = False
    rig = rig.reset()
    assert Alarm.MOTOR_STALL in up(rig)
    rig.advance(HOUR)
    assert up(rig) == set()


@pytest.mark.sr("SR-30")
def test_a_stall_is_alarmed_when_due_also_within_one_long_stretch() -> None:
    rig = stalled(30 * DAY)
    state = next(state for state in rig.status().alarms if state.alarm == Alarm.MOTOR_STALL)
    stall = next(entry for entry in rig.firmware._machine.log.page(0, 25) if entry.kind is LogKind.STALL)
    first_missed = rig.firmware._machine.delivery.time_of_lifetime(stall.a)
    assert first_missed is not None
    assert state.since_ms == first_missed + PROFILE.stall_detect_ms


@pytest.mark.sr("SR-33")
def test_a_start_ends_the_stopped_alarm() -> None:
    rig = stopped(50 * HOUR)
    assert Alarm.STOPPED_LONG in up(rig)
    rig.configure(replace(KEEP, start=True))
    assert Alarm.STOPPED_LONG not in up(rig)


@pytest.mark.parametrize(
    "alarm",
    [
        Alarm.MEMORY_REPAIRED,
        Alarm.MEMORY_LOST,
        Alarm.LOW_BATTERY_RESET,
        Alarm.EMERGENCY_SESSION,
        Alarm.OVER_DELIVERY,
        Alarm.UNDER_DELIVERY,
        Alarm.RESET_LOOP,
    ],
)
def test_a_commit_ends_the_alarms_that_a_clinician_has_to_see(alarm: Alarm) -> None:
    rig = CASES[alarm][0]()
    rig.configure()
    assert alarm not in up(rig)
    assert rig.status().run_state is RunState.RUNNING


def test_replacement_and_end_of_service_never_end() -> None:
    rig = aged(PROFILE.service_life_ms)
    assert rig.configure().outcome is Outcome.REFUSED
    rig.configure(replace(BASE, start=False))
    assert {Alarm.REPLACEMENT, Alarm.END_OF_SERVICE} <= up(rig)


@pytest.mark.sr("SR-37")
@pytest.mark.parametrize("drained", [0, 400, 900])
def test_end_of_service_comes_with_the_replacement_time_and_never_after_the_service_life(drained: int) -> None:
    rig = stopped(0)
    rig.hardware.drained = drained
    rig.firmware.advance(PROFILE.service_life_ms)
    since = {state.alarm: state.since_ms for state in rig.status().alarms}
    expected = min(since[Alarm.REPLACEMENT] + PROFILE.eri_to_eos_ms, PROFILE.service_life_ms)
    assert since[Alarm.END_OF_SERVICE] == expected
    if since[Alarm.REPLACEMENT] < ERI_AGE:
        before, after = (rig.hardware._charge(since[Alarm.REPLACEMENT] - back) for back in (1, 0))
        assert after <= PROFILE.eri_battery_permille < before


@pytest.mark.sr("SR-37")
def test_a_replacement_indicator_seen_late_does_not_move_the_end_of_service() -> None:
    rig = stopped(0).reset(off_ms=ERI_AGE + 30 * DAY)
    assert Alarm.REPLACEMENT in up(rig)
    assert rig.status().eri_left_days == (PROFILE.service_life_ms - rig.now) // DAY
    rig.firmware.advance(PROFILE.service_life_ms)
    assert Alarm.END_OF_SERVICE in up(rig)


@pytest.mark.sr("SR-29", "SR-31")
def test_an_alarm_that_stops_ends_a_running_bolus_as_interrupted() -> None:
    rig = running(HOUR)
    rig.bolus(25, 600)
    rig.advance(MINUTE)
    rig.hardware.made += 5
    rig.advance(MINUTE)
    status = rig.status()
    assert (status.run_state, status.bolus_state) == (RunState.SAFE, BolusState.INTERRUPTED)
    assert 0 < status.bolus_delivered < 25


@pytest.mark.sr("SR-29", "SR-31", "SR-32")
def test_an_alarm_that_stops_ends_the_prime_of_a_stopped_pump_and_leaves_it_stopped() -> None:
    rig = Rig()
    rig.configure(replace(BASE, start=False))
    result_of(rig.bolus(600, 3600, BolusKind.PRIME))
    rig.advance(10 * MINUTE)
    rig.hardware.made += 5
    rig.advance(MINUTE)
    status = rig.status()
    assert (status.run_state, status.bolus_state, status.flow_nL_per_day) == (RunState.STOPPED, BolusState.INTERRUPTED, 0)
    told = [(entry.a, entry.b) for entry in rig.firmware._machine.log.page(0, 100) if entry.kind is LogKind.SAFE_STATE]
    assert told == [(Alarm.OVER_DELIVERY, SAFE_STOPPED)]
    made = rig.hardware.made
    rig.advance(DAY)
    assert rig.hardware.made == made


@pytest.mark.sr("SR-33")
def test_a_prime_on_a_stopped_pump_does_not_silence_the_stopped_alarm() -> None:
    rig = Rig()
    rig.configure(replace(BASE, start=False))
    rig.advance(47 * HOUR)
    result_of(rig.bolus(600, 7200, BolusKind.PRIME))
    rig.advance(HOUR)
    assert Alarm.STOPPED_LONG in up(rig)


# ------------------------------------------------------------------------------------------------ tones and silence
@pytest.mark.sr("SR-33", "SR-55")
def test_tones_repeat_from_the_alarm_on_and_do_not_depend_on_how_they_are_asked() -> None:
    rig = stopped(48 * HOUR)
    since = rig.now
    rig.advance(2 * HOUR)
    tones = rig.firmware.tones(since, since + HOUR)
    assert [tone.at_ms - since for tone in tones] == [10 * MINUTE * turn for turn in range(1, 7)]
    assert {(tone.name, tone.length_ms) for tone in tones} == {("two-tone", 3_000)}
    parts = [
        tone
        for start in range(since, since + HOUR, 7 * MINUTE)
        for tone in rig.firmware.tones(start, min(start + 7 * MINUTE, since + HOUR))
    ]
    assert parts == list(tones)


@pytest.mark.sr("SR-51", "SR-56")
def test_a_silence_ends_by_itself_and_with_the_session() -> None:
    rig = stopped(48 * HOUR)
    start = rig.now
    silence = SilenceAlarm(cmd_id=rig.next_id(), alarm=Alarm.STOPPED_LONG)
    assert result_of(rig.ask(silence)).outcome is Outcome.APPLIED
    assert rig.status().alarms[0].silenced_until_ms == start + SILENCE_MS
    rig.advance(9 * MINUTE)
    assert result_of(rig.ask(silence)).uptime_ms == start
    assert rig.status().alarms[0].silenced_until_ms == start + SILENCE_MS, "a repeat does not prolong it"
    rig.advance(MINUTE)
    assert rig.status().alarms[0].silenced_until_ms == 0
    assert [tone.at_ms for tone in rig.firmware.tones(start, rig.now)] == [start + SILENCE_MS]
    rig.ask(SilenceAlarm(cmd_id=rig.next_id(), alarm=Alarm.STOPPED_LONG))
    rig.advance(MINUTE)
    rig.firmware.session_closed(A, rig.now)
    assert rig.status().alarms[0].silenced_until_ms == 0


@pytest.mark.sr("SR-56")
def test_a_silence_ahead_of_its_alarm_is_refused_and_hides_no_tone() -> None:
    panel = AlarmPanel()
    with pytest.raises(KeyError):
        panel.silence(Alarm.MOTOR_STALL, 0)
    panel.load(((Alarm.MOTOR_STALL, 0),))
    assert [tone.at_ms for tone in panel.tones(0, SILENCE_MS)] == [SILENCE_MS]
    assert panel.silenced_until(Alarm.MOTOR_STALL, 1) == 0


@pytest.mark.sr("SR-56")
def test_only_an_active_alarm_can_be_silenced() -> None:
    rig = running()
    refused = result_of(rig.ask(SilenceAlarm(cmd_id=rig.next_id(), alarm=Alarm.STOPPED_LONG)))
    assert refused.outcome is Outcome.REFUSED


def test_an_alarm_test_sounds_once() -> None:
    rig = running()
    request = SoundOnce(cmd_id=rig.next_id(), priority=AlarmPriority.NON_CRITICAL)
    rig.ask(request)
    rig.ask(request)
    assert rig.hardware.tones == [(rig.now, "single-tone")]


@pytest.mark.sr("SR-55")
def test_alarms_are_listed_critical_first_then_newest() -> None:
    rig = running(DRY_DAYS * DAY)
    listed = [(state.priority, state.since_ms) for state in rig.status().alarms]
    assert listed == sorted(listed, reverse=True)
    assert len(listed) == 3


@pytest.mark.sr("SR-33")
def test_the_minimum_rate_is_no_reason_for_the_stopped_alarm() -> None:
    rig = running(HOUR)
    rig.ask(MinimumRate(cmd_id=rig.next_id()))
    rig.advance(60 * HOUR)
    assert up(rig) == set()
