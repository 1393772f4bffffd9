"""The firmware as a whole: interrogation changes nothing, time may be cut anyhow, bridges and relabelling, starts with lost memory."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.core import Firmware, SessionInfo
from firmware_sim.firmware.formatting import format_memory
from firmware_sim.firmware.memory import Memory
from itbpump.wire.messages import (
    ConfigurationSlot,
    GetConfiguration,
    GetInfo,
    GetLog,
    GetReadBack,
    GetResults,
    GetStatus,
    LogEvent,
    LogKind,
    LogPage,
    Mode,
    Outcome,
    Pattern,
    Ping,
    QueryCommand,
    Request,
    ResultScope,
    Role,
    RunState,
    SetClock,
    Step,
    StepKind,
    StopTherapy,
    encode_reply,
)
from tests.unit.firmware.rig import BASE, CARD, DAY, HOUR, KEEP, MINUTE, PROFILE, SERIAL, A, FakeHardware, P, Rig, result_of

READS: list[Request] = [
    GetInfo(),
    GetStatus(),
    GetConfiguration(slot=ConfigurationSlot.ACTIVE, offset=0),
    GetConfiguration(slot=ConfigurationSlot.STAGED, offset=0),
    GetLog(from_seq=0, max_entries=25),
    QueryCommand(cmd_id=1),
    QueryCommand(cmd_id=99),
    GetResults(scope=ResultScope.OWN, skip=0),
    GetResults(scope=ResultScope.OTHERS_UNCONFIRMED, skip=0),
    GetReadBack(cmd_id=1),
    Ping(nonce=1),
]
FLEX = replace(
    BASE,
    mode=Mode.FLEX,
    flow_nL_per_day=0,
    patterns=(
        Pattern(
            days=127,
            steps=(
                Step(start_min=0, kind=StepKind.RATE, amount=96_000, duration_min=0),
                Step(start_min=360, kind=StepKind.BOLUS, amount=40, duration_min=60),
                Step(start_min=1_200, kind=StepKind.RATE, amount=78_000, duration_min=0),
            ),
        ),
    ),
)
ACTIONS = st.lists(
    st.tuples(
        st.integers(0, 3 * DAY), st.sampled_from(["none", "bolus", "patient", "clock", "stop", "start", "refill", "stall", "free", "reset"])
    ),
    max_size=8,
)


def act(rig: Rig, what: str) -> Rig:
    match what:
        case "bolus":
            rig.bolus(25, 600)
        case "patient":
            rig.firmware.patient_request(rig.now)
        case "clock":
            rig.ask(SetClock(cmd_id=rig.next_id(), wall_s=1_800_000_000))
        case "stop":
            rig.ask(StopTherapy(cmd_id=rig.next_id()))
        case "start":
            rig.configure(replace(KEEP, start=True))
        case "refill":
            rig.configure(FLEX)
        case "stall":
            rig.hardware.stalled = True
        case "free":
            rig.hardware.stalled = False
        case "reset":
            return rig.reset(MINUTE)
    return rig


def everything(rig: Rig) -> tuple[object, ...]:
    rig.firmware.materialise(rig.now)
    return rig.memory.image(), rig.status(), copy.copy(rig.hardware), rig.firmware.next_event_ms()


@pytest.mark.sr("SR-34")
@given(ACTIONS, st.lists(st.tuples(st.integers(0, 7), st.integers(0, 100)), max_size=12))
def test_interrogation_changes_nothing(actions: list[tuple[int, str]], looks: list[tuple[int, int]]) -> None:
    left_alone, asked = Rig(), Rig()
    for rig in (left_alone, asked):
        rig.configure()
    for turn, (wait_ms, what) in enumerate(actions):
        target = left_alone.now + wait_ms
        left_alone.firmware.advance(target)
        for place, percent in sorted(looks, key=lambda look: look[1]):
            if place == turn:
                asked.firmware.advance(asked.now + (target - asked.now) * percent // 100)
                image = asked.memory.image()
                for request in READS:
                    asked.ask(request)
                assert asked.memory.image() == image
        asked.firmware.advance(target)
        if what not in ("stall", "free"):
            assert everything(asked) == everything(left_alone)
        left_alone, asked = act(left_alone, what), act(asked, what)
    assert everything(asked) == everything(left_alone)


@given(st.lists(st.integers(0, 40 * DAY), min_size=1, max_size=20))
def test_time_may_be_cut_anyhow(cuts: list[int]) -> None:
    whole, pieces = Rig(), Rig()
    for rig in (whole, pieces):
        rig.configure(FLEX)
        rig.bolus(25, 600)
    for piece in cuts:
        pieces.advance(piece)
    whole.advance(sum(cuts))
    assert everything(pieces) == everything(whole)


@pytest.mark.sr("SR-34")
@given(ACTIONS)
def test_the_counted_volume_rises_only_with_a_refill_and_is_never_negative(actions: list[tuple[int, str]]) -> None:
    rig = Rig()
    rig.configure()
    last = rig.status().reservoir_nL
    for wait_ms, what in actions:
        rig.advance(wait_ms)
        assert 0 <= rig.status().reservoir_nL <= last
        rig = act(rig, what)
        now = rig.status().reservoir_nL
        refilled = what == "refill" and now == BASE.reservoir_volume_nL
        assert now <= last or refilled
        last = now


@pytest.mark.sr("SR-24")
@given(ACTIONS)
def test_pulses_follow_the_schedule_through_everything(actions: list[tuple[int, str]]) -> None:
    """Within half a pulse of what the phases add up to; a reset may lose a minute and count a pulse."""
    rig = Rig()
    rig.configure(FLEX)
    for wait_ms, what in actions:
        rig.advance(wait_ms)
        if what not in ("stall", "free"):
            rig = act(rig, what)
        delivery = rig.firmware._machine.delivery
        off = 2 * (delivery.total_units_at(rig.now) - rig.hardware.made * P * DAY)
        assert -P * DAY <= off < P * DAY


@pytest.mark.sr("SR-24")
def test_the_sum_of_a_week_is_the_pattern() -> None:
    rig = Rig()
    rig.configure(FLEX)
    before = rig.hardware.made
    rig.advance(7 * DAY)
    nL = 7 * (96_000 * 19 + 78_000 * 4) / 24 + 7 * 40 * P
    assert abs((rig.hardware.made - before) * P - nL) <= P


@pytest.mark.sr("SR-12")
def test_a_bridge_ends_on_its_pulse_and_is_told() -> None:
    rig = Rig()
    rig.configure()
    rig.advance(DAY)
    pulses = rig.status().lifetime_pulses
    rig.configure(
        replace(BASE, concentration_ng_per_mL=500_000, flow_nL_per_day=400_000, bridge_flow_nL_per_day=100_000, bridge_pulses=632)
    )
    assert (rig.status().bridging, rig.status().flow_nL_per_day, rig.status().bridge_left_pulses) == (True, 100_000, 632)
    assert not rig.firmware.patient_request(rig.now), "none while the path holds the old concentration"
    rig.advance(10 * DAY)
    ended = next(entry for entry in rig.firmware._machine.log.page(0, 25) if entry.kind is LogKind.BRIDGE_END)
    assert ended.a == pulses + 632
    assert LogKind.BRIDGE_END in [hint.kind for hint in rig.firmware.take_events() if isinstance(hint, LogEvent)]
    assert (rig.status().bridging, rig.status().flow_nL_per_day) == (False, 400_000)


@pytest.mark.sr("SR-12")
def test_bolus_pulses_count_towards_the_end_of_a_bridge() -> None:
    rig = Rig()
    rig.configure()
    rig.configure(
        replace(BASE, concentration_ng_per_mL=3_000_000, flow_nL_per_day=66_000, bridge_flow_nL_per_day=100_000, bridge_pulses=50)
    )
    start = rig.status().lifetime_pulses
    rig.advance(6 * MINUTE)
    result_of(rig.bolus(49, 600))
    rig.advance(10 * MINUTE)
    ended = next(entry for entry in rig.firmware._machine.log.page(0, 25) if entry.kind is LogKind.BRIDGE_END)
    assert ended.a == start + 50
    assert rig.status().bolus_delivered == 49


@pytest.mark.sr("SR-07")
def test_mass_counts_by_the_old_concentration_while_the_path_holds_it() -> None:
    rig = Rig()
    rig.configure()
    rig.advance(2 * DAY)
    rig.configure(replace(BASE, concentration_ng_per_mL=500_000, flow_nL_per_day=100_000))
    rig.advance(2 * DAY)
    assert rig.status().mass_24h_ng == 200_000
    rig.advance(3 * DAY)
    assert rig.status().mass_24h_ng == 50_000


@pytest.mark.sr("SR-07")
@given(ACTIONS)
def test_a_reset_never_forgets_mass(actions: list[tuple[int, str]]) -> None:
    rig = Rig()
    rig.configure()
    for wait_ms, what in actions:
        rig.advance(wait_ms)
        if what not in ("stall", "free", "reset"):
            rig = act(rig, what)
    rig.advance(30 * MINUTE)
    before = rig.status().mass_24h_ng
    # A pulse is given when half of it is scheduled: half a pulse of 2 mcg/uL is what the two accounts may differ by.
    assert rig.reset().status().mass_24h_ng >= before - P * 2


# ------------------------------------------------------------------------------------------------ memory of another kind
@pytest.mark.sr("SR-20")
def test_a_memory_of_another_pump_or_model_is_refused() -> None:
    memory = format_memory(b"MEMORYID", SERIAL, PROFILE.name)
    with pytest.raises(ValueError, match="belongs to"):
        Firmware(PROFILE, memory, FakeHardware(), "SIM-0002")


@pytest.mark.sr("SR-59")
def test_a_lost_journal_means_the_profiles_safe_state_and_counters_that_do_not_go_back() -> None:
    rig = Rig()
    rig.configure()
    rig.advance(HOUR)
    rig.bolus(25)
    rig.advance(DAY)
    before = rig.status()
    rig.firmware.materialise(rig.now)
    for region in ("journal_a", "journal_b"):
        rig.memory.flip(region, 99, 0)
    rig = Rig(Memory.from_image(rig.memory.image()), rig.hardware)
    status = rig.status()
    assert (status.run_state, status.flow_nL_per_day) == (RunState.SAFE, PROFILE.minimum_rate_nL_per_day)
    assert status.lifetime_pulses == before.lifetime_pulses
    assert status.bolus_counter >= before.bolus_counter
    assert rig.info().last_cmd_id == 2
    assert result_of(rig.ask(QueryCommand(cmd_id=2))).outcome is Outcome.APPLIED
    assert rig.configure().outcome is Outcome.APPLIED
    assert rig.status().run_state is RunState.RUNNING


@pytest.mark.sr("SR-59")
def test_an_older_record_is_not_taken_for_the_newest() -> None:
    rig = Rig()
    rig.configure()
    rig.advance(HOUR)
    rig.configure(replace(KEEP, flow_nL_per_day=50_000))
    rig.advance(2 * MINUTE)
    rig.firmware.materialise(rig.now)
    newest = rig.firmware._machine.journal._next_slot ^ 1
    rig.memory.flip(("journal_a", "journal_b")[newest], 50, 4)
    rig = Rig(Memory.from_image(rig.memory.image()), rig.hardware)
    assert Alarm.MEMORY_LOST in {state.alarm for state in rig.status().alarms}
    assert rig.status().run_state is RunState.SAFE
    rig.configure()
    rig = rig.reset(HOUR)
    assert (rig.status().alarms, rig.status().run_state) == ((), RunState.RUNNING), "it goes on above the number that was lost"


@pytest.mark.sr("SR-54", "SR-59")
def test_a_clock_that_went_back_is_found_and_a_stopped_pump_stays_stopped() -> None:
    for stop, state in ((False, RunState.SAFE), (True, RunState.STOPPED)):
        rig = Rig()
        rig.configure()
        rig.advance(DAY)
        rig.firmware.patient_request(rig.now)
        if stop:
            rig.ask(StopTherapy(cmd_id=rig.next_id()))
        rig.advance(HOUR)
        rig.firmware.materialise(rig.now)
        hardware = copy.copy(rig.hardware)
        hardware.now_ms = 5 * MINUTE
        rig = Rig(Memory.from_image(rig.memory.image()), hardware)
        assert Alarm.MEMORY_LOST in {alarm.alarm for alarm in rig.status().alarms}
        assert rig.status().run_state is state
        rig.advance(DAY)


@pytest.mark.sr("SR-48", "SR-59")
def test_lost_pulse_records_are_made_good_from_the_schedule_with_the_doubt_told() -> None:
    rig = Rig()
    rig.configure()
    rig.advance(DAY + 30_000)
    rig.firmware.materialise(rig.now)
    for offset in (3, 23):
        rig.memory.flip("pulses", offset, 1)
    rig = Rig(Memory.from_image(rig.memory.image()), rig.hardware)
    status = rig.status()
    assert abs(status.lifetime_pulses - rig.hardware.made) <= status.doubt_pulses
    assert 0 < status.doubt_pulses <= 2
    assert status.run_state is RunState.RUNNING


@pytest.mark.sr("SR-61")
def test_the_log_pages_through_the_wire() -> None:
    rig = Rig()
    for cmd_id in range(1, 40):
        rig.ask(SetClock(cmd_id=cmd_id, wall_s=1_800_000_000))
    page = rig.ask(GetLog(from_seq=0, max_entries=25))
    assert isinstance(page, LogPage)
    assert len(page.entries) == 25
    assert len(encode_reply(0, page)) <= 900
    assert page.next_seq == rig.status().log_next_seq


@pytest.mark.sr("SR-61", "SR-62")
def test_sessions_and_refused_handshakes_are_logged() -> None:
    rig = Rig()
    rig.firmware.session_opened(SessionInfo(A, Role.CLINICIAN), rig.now)
    rig.firmware.session_closed(A, rig.now)
    rig.firmware.handshake_failed(A, 3, rig.now)
    entries = rig.firmware._machine.log.page(2, 25)
    assert [(entry.kind, entry.a) for entry in entries] == [
        (kind, int.from_bytes(A, "big")) for kind in (LogKind.SESSION_OPEN, LogKind.SESSION_CLOSE, LogKind.HANDSHAKE_FAILED)
    ]


def test_ten_years_cost_by_events() -> None:
    """Not a speed test: the number of drives is what would grow with days or pulses."""
    rig = Rig()
    drives = 0
    real = rig.hardware.drive

    def counted(train: object, until_ms: int) -> None:
        nonlocal drives
        drives += 1
        real(train, until_ms)  # type: ignore[arg-type]

    rig.hardware.drive = counted  # type: ignore[method-assign]
    rig.configure(FLEX)
    for _ in range(40):
        rig.advance(91 * DAY)
        rig.configure(FLEX)
    assert drives < 40 * 5


@pytest.mark.sr("SR-32")
def test_a_bolus_whose_end_cannot_be_journaled_ends_all_the_same() -> None:
    rig = Rig()
    rig.configure()
    rig.advance(HOUR)
    before = rig.hardware.made
    result_of(rig.bolus(25, 600))
    for region in ("journal_a", "journal_b"):
        rig.memory.stick(region, 30, rig.memory.read(region, 30, 1)[0] ^ 0xFF)
    rig.advance(10 * MINUTE)
    assert rig.hardware.made - before == 25
    status = rig.status()
    assert (status.run_state, status.flow_nL_per_day) == (RunState.SAFE, PROFILE.minimum_rate_nL_per_day)
    assert Alarm.MEMORY_LOST in {state.alarm for state in status.alarms}
    rig.advance(30 * DAY)
    assert rig.status().bolus_counter == 25


def test_a_pump_stopped_after_it_lost_its_memory_starts_again_stopped() -> None:
    rig = Rig()
    rig.configure()
    rig.advance(HOUR)
    rig.firmware.materialise(rig.now)
    for region in ("journal_a", "journal_b"):
        rig.memory.flip(region, 99, 0)
    rig = Rig(Memory.from_image(rig.memory.image()), rig.hardware)
    rig.ask(StopTherapy(cmd_id=rig.next_id()))
    made = rig.hardware.made
    rig = rig.reset(HOUR)
    rig.advance(DAY)
    assert (rig.status().run_state, rig.hardware.made) == (RunState.STOPPED, made)
    assert [entry.kind for entry in rig.firmware._machine.log.page(0, 100)].count(LogKind.SELF_TEST_FAILED) == 1


@pytest.mark.sr("SR-64")
def test_the_emergency_sessions_of_the_last_hour_outlive_a_reset() -> None:
    rig = Rig()
    rig.configure()
    for _ in range(5):
        rig.advance(10 * MINUTE)
        rig.firmware.session_opened(SessionInfo(CARD, Role.EMERGENCY), rig.now)
    rig.firmware.session_opened(SessionInfo(A, Role.CLINICIAN), rig.now)
    rig = rig.reset(off_ms=15 * MINUTE)
    assert rig.firmware.emergency_ages_ms(rig.now) == (35 * MINUTE, 25 * MINUTE, 15 * MINUTE)
    rig.advance(30 * MINUTE)
    assert rig.firmware.emergency_ages_ms(rig.now) == (55 * MINUTE, 45 * MINUTE)
