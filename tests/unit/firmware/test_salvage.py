"""A journal that is older than the rings of results, or gone: what ran is not told as never taken. And a memory that takes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.boot import Check
from firmware_sim.firmware.materialise import PulsePhase
from firmware_sim.firmware.memory import LAYOUT, Memory
from firmware_sim.firmware.results import Verdict
from itbpump.wire.messages import (
    BolusKind,
    BolusState,
    CommandKind,
    CommandResult,
    Error,
    ErrorCode,
    LogKind,
    MinimumRate,
    Mode,
    Outcome,
    QueryCommand,
    Result,
    RunState,
    SetClock,
    StopTherapy,
    encode_configuration,
)
from tests.unit.firmware.rig import BASE, DAY, HOUR, KEEP, MINUTE, PROFILE, A, B, P, Rig, error_of, result_of

SLOTS = ("journal_a", "journal_b")
MINIMUM = PROFILE.minimum_rate_nL_per_day


def running() -> Rig:
    rig = Rig()
    rig.configure()
    rig.advance(HOUR)
    return rig


def restarted(rig: Rig, *, lost: tuple[str, ...], phase: PulsePhase = PulsePhase.NONE) -> Rig:
    """A reset, with one bit turned over in these journal slots."""
    rig.firmware.materialise(rig.now, phase)
    if phase.moved:
        rig.hardware.commanded += 1
        rig.hardware.made += 1
    memory = Memory.from_image(rig.memory.image())
    for slot in lost:
        memory.flip(slot, 100, 0)
    return Rig(memory, rig.hardware)


def newest(rig: Rig) -> str:
    return SLOTS[rig.firmware._machine.journal._next_slot ^ 1]


def known(rig: Rig, cmd_id: int, who: bytes = A) -> CommandResult:
    return result_of(rig.ask(QueryCommand(cmd_id=cmd_id), who))


def alarms(rig: Rig) -> set[int]:
    return {state.alarm for state in rig.status().alarms}


def checks(rig: Rig) -> list[int]:
    return [entry.a for entry in rig.firmware._machine.log.page(0, 1000) if entry.kind is LogKind.SELF_TEST_FAILED]


# ------------------------------------------------------------------------------------------------ the newest record is lost
@pytest.mark.sr("SR-41", "SR-49", "SR-59")
@given(st.integers(0, 599_999), st.sampled_from(PulsePhase))
def test_a_bolus_whose_journal_record_is_lost_is_told_with_what_it_gave(into_ms: int, phase: PulsePhase) -> None:
    rig = running()
    made, before = rig.hardware.made, rig.status()
    result_of(rig.bolus(25, 600))
    rig.advance(into_ms)
    rig = restarted(rig, lost=(newest(rig),), phase=phase)
    truly = min(rig.hardware.made - made, 25)
    result = known(rig, 2)
    assert (result.outcome, result.bolus_state) == (Outcome.APPLIED, BolusState.INTERRUPTED)
    assert result.delivered_pulses - result.doubt_pulses <= truly <= result.delivered_pulses
    assert result.doubt_pulses <= 1
    status = rig.status()
    assert (status.bolus_state, status.bolus_requested, status.bolus_delivered) == (BolusState.INTERRUPTED, 25, result.delivered_pulses)
    assert status.bolus_counter >= before.bolus_counter + result.delivered_pulses, "an order for the old counter cannot run"
    assert status.mass_24h_ng >= before.mass_24h_ng + (truly - 1) * P * 2
    assert rig.info().last_cmd_id == 2
    assert (status.run_state, status.flow_nL_per_day, alarms(rig)) == (RunState.SAFE, MINIMUM, {Alarm.MEMORY_LOST})
    assert Check.JOURNAL_OLD in checks(rig)
    assert known(rig.reset(), 2) == result, "ended for good"


@pytest.mark.sr("SR-41", "SR-44")
def test_a_number_that_was_taken_is_not_given_to_another_command() -> None:
    rig = running()
    result_of(rig.ask(SetClock(cmd_id=rig.next_id(B), wall_s=1_800_000_000), B))
    payload = rig.order()
    result_of(rig.commit(payload, CommandKind.BOLUS))
    rig.advance(10_000)
    rig = restarted(rig, lost=(newest(rig),))
    counter = rig.status().bolus_counter
    again = result_of(rig.ask(QueryCommand(cmd_id=2)))
    assert again.outcome is Outcome.APPLIED
    assert error_of(rig.stage(rig.order(), CommandKind.BOLUS, 2, rig.status().revision)) == ErrorCode.CONFLICT
    rig.advance(HOUR)
    assert (rig.status().bolus_counter, known(rig, 1, B).outcome) == (counter, Outcome.APPLIED)


@pytest.mark.sr("SR-22", "SR-59")
def test_a_stop_whose_journal_record_is_lost_stays() -> None:
    rig = running()
    result_of(rig.ask(StopTherapy(cmd_id=2)))
    rig.advance(40 * HOUR)
    made, told = rig.hardware.made, rig.status()
    rig = restarted(rig, lost=(newest(rig),))
    status = rig.status()
    assert (status.run_state, status.flow_nL_per_day) == (RunState.STOPPED, 0)
    assert Alarm.MEMORY_LOST in alarms(rig)
    assert (status.lifetime_pulses, status.reservoir_nL) == (told.lifetime_pulses, told.reservoir_nL), "what was not given is not counted"
    assert (status.last_change_by, status.last_change_kind) == (A, CommandKind.STOP)
    rig.advance(DAY)
    assert rig.hardware.made == made
    assert Alarm.STOPPED_LONG in alarms(rig)


@pytest.mark.sr("SR-59")
def test_a_label_that_was_replaced_is_not_in_force_again() -> None:
    rig = running()
    rig.configure(replace(BASE, concentration_ng_per_mL=500_000, flow_nL_per_day=400_000))
    revision = rig.status().revision
    rig.advance(10_000)
    rig = restarted(rig, lost=(newest(rig),))
    status = rig.status()
    assert (status.drug, status.digest, status.flow_nL_per_day, status.run_state) == ("", bytes(32), MINIMUM, RunState.SAFE)
    assert status.revision > revision
    same = rig.stage(encode_configuration(replace(KEEP, start=True)), CommandKind.CONFIGURE, rig.next_id(), status.revision)
    assert error_of(same) == ErrorCode.LIMIT
    assert rig.configure().outcome is Outcome.APPLIED
    assert (rig.status().run_state, alarms(rig)) == (RunState.RUNNING, set())


@pytest.mark.sr("SR-22", "SR-59")
def test_a_stopped_pump_whose_new_configuration_is_lost_stays_stopped() -> None:
    rig = running()
    rig.ask(StopTherapy(cmd_id=2))
    rig.configure(KEEP)
    rig = restarted(rig, lost=(newest(rig),))
    assert (rig.status().run_state, rig.status().drug) == (RunState.STOPPED, "")
    assert alarms(rig) == {Alarm.MEMORY_LOST}


@pytest.mark.sr("SR-59")
def test_a_refusal_whose_record_is_lost_moves_nothing_but_is_not_forgotten() -> None:
    rig = running()
    refused = result_of(rig.commit(encode_configuration(KEEP), CommandKind.CONFIGURE, base=7))
    assert refused.outcome is Outcome.REFUSED
    rig = restarted(rig, lost=(newest(rig),))
    assert known(rig, 2) == refused
    assert rig.status().drug == BASE.drug
    assert alarms(rig) == {Alarm.MEMORY_LOST}


@pytest.mark.sr("SR-47")
def test_a_torn_write_alone_is_no_lost_record() -> None:
    rig = running()
    older = SLOTS[rig.firmware._machine.journal._next_slot]
    rig = restarted(rig, lost=(older,))
    assert (checks(rig), alarms(rig), rig.status().run_state) == ([Check.JOURNAL_SLOT], set(), RunState.RUNNING)


# ------------------------------------------------------------------------------------------------ all records are lost
@pytest.mark.sr("SR-49", "SR-59")
@pytest.mark.parametrize(("pulses", "doubt"), [(25, 25), (600, 255)])
def test_a_bolus_under_way_when_all_is_lost_is_told_with_all_its_doubt(pulses: int, doubt: int) -> None:
    rig = running()
    result_of(rig.bolus(pulses, 3600, BolusKind.PRIME))
    rig.advance(20 * MINUTE)
    revision = rig.status().revision
    rig = restarted(rig, lost=SLOTS)
    result = known(rig, 2)
    assert (result.bolus_state, result.delivered_pulses, result.doubt_pulses) == (BolusState.INTERRUPTED, pulses, doubt)
    assert rig.status().revision > revision, "what was reviewed before is stale"
    assert alarms(rig) == {Alarm.MEMORY_LOST}


@pytest.mark.sr("SR-45")
def test_a_revision_is_never_in_force_twice() -> None:
    rig = running()
    for _ in range(5):
        rig.configure(KEEP)
    result_of(rig.ask(StopTherapy(cmd_id=rig.next_id())))
    seen = rig.status().revision
    for lost in (SLOTS, (), SLOTS):
        rig = restarted(rig, lost=lost)
        assert rig.status().revision > seen or not lost
        seen = rig.status().revision


@pytest.mark.sr("SR-48")
def test_pulses_that_nobody_counted_put_all_that_the_bolus_may_have_given_in_doubt() -> None:
    rig = running()
    result_of(rig.bolus(25, 600))
    rig.advance(5 * MINUTE)
    rig.firmware.materialise(rig.now)
    memory = Memory.from_image(rig.memory.image())
    for region, offset in ((newest(rig), 100), ("pulses", 3), ("pulses", 23)):
        memory.flip(region, offset, 1)
    rig = Rig(memory, rig.hardware)
    result = known(rig, 2)
    assert result.bolus_state is BolusState.INTERRUPTED
    assert result.doubt_pulses == result.delivered_pulses <= 25


def test_rings_without_a_result_tell_nothing() -> None:
    rig = running()
    rig.firmware.materialise(rig.now)
    rig.memory.write("results", 0, bytes(LAYOUT["results"].size))
    rig = restarted(rig, lost=SLOTS)
    assert (rig.info().last_cmd_id, known(rig, 1).outcome) == (0, Outcome.UNKNOWN_COMMAND)
    assert rig.firmware._machine.results.find(0, rig.firmware._machine.state.programmers[0], 1).verdict == Verdict.NEW


@pytest.mark.sr("SR-42", "SR-44", "SR-59")
@pytest.mark.parametrize("damaged", [0, 4, 5, 9, 15])
def test_where_the_journal_and_a_result_are_lost_nothing_is_told_as_never_taken(damaged: int) -> None:
    """A ring that has gone round: the result that is damaged says how many there were to nobody."""
    rig = running()
    for _ in range(20):
        rig.ask(SetClock(cmd_id=rig.next_id(), wall_s=1_800_000_000))
    taken = rig.info().last_cmd_id
    rig.firmware.materialise(rig.now)
    rig.memory.flip("results", damaged * 128 + 20, 0)
    rig = restarted(rig, lost=SLOTS)
    assert rig.info().last_cmd_id in (taken - 1, taken)
    told = [rig.ask(QueryCommand(cmd_id=cmd_id)) for cmd_id in range(1, rig.info().last_cmd_id + 1)]
    assert {error_of(reply) for reply in told if isinstance(reply, Error)} == {ErrorCode.TOO_OLD}
    kept = [reply.result.outcome for reply in told if isinstance(reply, Result)]
    assert kept == [Outcome.APPLIED] * 15


# ------------------------------------------------------------------------------------------------ mass
@pytest.mark.sr("SR-07", "SR-48")
@settings(max_examples=40)
@given(st.sampled_from([0, 1, 7_000, 59_999, 60_000, 61_000]), st.integers(0, 2 * MINUTE), st.integers(1, 8))
def test_a_pulse_in_doubt_counts_in_the_last_24_hours_whenever_the_cut_comes(gap_ms: int, into_ms: int, cuts: int) -> None:
    rig = running()
    rig.advance(into_ms)
    first = rig.status()
    for _ in range(cuts):
        rig = rig.reset(gap_ms, PulsePhase.MOVED)
    last = rig.status()
    given_ng = (last.lifetime_pulses - first.lifetime_pulses) * P * 2
    assert given_ng >= cuts * P * 2
    # Nothing is older than 24 h; schedule and pulses differ by half a pulse.
    assert last.mass_24h_ng >= first.mass_24h_ng + given_ng - P * 2


# ------------------------------------------------------------------------------------------------ a memory that takes nothing
def worn_out(rig: Rig) -> None:
    for region in SLOTS:
        rig.memory.stick(region, 30, rig.memory.read(region, 30, 1)[0] ^ 0xFF)


@pytest.mark.sr("SR-21", "SR-32", "SR-45")
def test_a_stop_stops_though_the_memory_cannot_hold_it() -> None:
    rig = running()
    result_of(rig.bolus(25, 600))
    rig.advance(MINUTE)
    worn_out(rig)
    made = rig.hardware.made
    for _ in range(3):
        assert error_of(rig.ask(StopTherapy(cmd_id=3))) == ErrorCode.MEMORY_FAULT
        status = rig.status()
        assert (status.run_state, status.flow_nL_per_day, status.bolus_state) == (RunState.STOPPED, 0, BolusState.ABORTED)
        assert (status.last_change_by, status.last_change_kind, status.revision) == (A, CommandKind.STOP, 2)
        assert alarms(rig) == {Alarm.MEMORY_LOST}
        assert known(rig, 3).outcome is Outcome.UNKNOWN_COMMAND
    rig.advance(10 * DAY)
    assert rig.hardware.made == made
    assert Alarm.STOPPED_LONG in alarms(rig)


@pytest.mark.sr("SR-22", "SR-32", "SR-59")
@pytest.mark.parametrize("heals", [False, True])
@pytest.mark.parametrize("after_ms", [0, 90_000])
def test_after_a_reset_such_a_stop_is_the_safe_state_and_never_the_therapy(heals: bool, after_ms: int) -> None:
    rig = running()
    # Only the spare slot is worn: the other still holds the therapy, whole.
    spare = SLOTS[rig.firmware._machine.journal._next_slot]
    rig.memory.stick(spare, 30, 0xA5)
    assert error_of(rig.ask(StopTherapy(cmd_id=2))) == ErrorCode.MEMORY_FAULT
    rig.advance(after_ms)
    assert rig.status().run_state is RunState.STOPPED
    rig.firmware.materialise(rig.now)
    memory = Memory.from_image(rig.memory.image())
    if not heals:
        memory.stick(spare, 30, 0xA5)
    rig = Rig(memory, rig.hardware)
    assert (rig.status().run_state, rig.status().flow_nL_per_day) == (RunState.SAFE, MINIMUM)
    assert Alarm.MEMORY_LOST in alarms(rig)


@pytest.mark.sr("SR-32", "SR-59")
def test_a_pump_that_starts_on_a_worn_out_memory_goes_to_its_safe_state() -> None:
    rig = running()
    rig.firmware.materialise(rig.now)
    memory = Memory.from_image(rig.memory.image())
    spare = SLOTS[rig.firmware._machine.journal._next_slot]
    memory.stick(spare, 30, 0xA5)
    rig = Rig(memory, rig.hardware)
    assert (rig.status().run_state, rig.status().flow_nL_per_day, alarms(rig)) == (RunState.SAFE, MINIMUM, {Alarm.MEMORY_LOST})
    rig.advance(DAY)
    assert rig.status().run_state is RunState.SAFE


# ------------------------------------------------------------------------------------------------ the phase of a periodic therapy
@pytest.mark.sr("SR-24")
@pytest.mark.parametrize("between", [None, "stop", "minimum"])
def test_another_dose_of_a_periodic_therapy_starts_no_bolus(between: str | None) -> None:
    fields = {"mode": Mode.PERIODIC_BOLUS, "flow_nL_per_day": MINIMUM, "periodic_duration_min": 60, "periodic_every_min": 360}
    rig = Rig()
    rig.configure(replace(BASE, **fields, periodic_pulses=30))
    rig.advance(7 * HOUR)  # the second bolus has just ended
    if between is not None:
        rig.ask(StopTherapy(cmd_id=2) if between == "stop" else MinimumRate(cmd_id=2))
    made = rig.hardware.made
    assert rig.configure(replace(KEEP, **fields, periodic_pulses=31, start=True)).outcome is Outcome.APPLIED
    rig.advance(5 * HOUR)
    assert rig.hardware.made - made <= 3, "the minimum rate only"
    rig.advance(HOUR)
    assert rig.hardware.made - made >= 31
    made = rig.hardware.made
    assert rig.configure(replace(KEEP, **fields | {"periodic_every_min": 720}, periodic_pulses=31)).outcome is Outcome.APPLIED
    rig.advance(HOUR)
    assert rig.hardware.made - made >= 31, "another period begins with its bolus"
