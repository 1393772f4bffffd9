"""Power cuts at every memory write of a command, torn writes included; resets and what they cost."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from firmware_sim.firmware.cells import ALIVE, DONE, INTENT, Cell, CellPair
from firmware_sim.firmware.materialise import PulsePhase
from firmware_sim.firmware.memory import Memory, PowerLost
from itbpump.wire.messages import (
    BolusKind,
    BolusState,
    CommandKind,
    Commit,
    LogKind,
    Outcome,
    QueryCommand,
    Request,
    RunState,
    Staged,
    Status,
    StopTherapy,
    encode_configuration,
)
from tests.unit.firmware.rig import BASE, DAY, HOUR, KEEP, MINUTE, FakeHardware, P, Rig, result_of

Prepare = Callable[[Rig], Request]


def configuration(rig: Rig) -> Request:
    return _staged(rig, encode_configuration(replace(KEEP, flow_nL_per_day=150_000)), CommandKind.CONFIGURE)


def refill(rig: Rig) -> Request:
    return _staged(rig, encode_configuration(replace(BASE, reservoir_volume_nL=30_000_000)), CommandKind.CONFIGURE)


def bolus(rig: Rig) -> Request:
    return _staged(rig, rig.order(), CommandKind.BOLUS)


def stop(rig: Rig) -> Request:
    return StopTherapy(cmd_id=rig.next_id())


def _staged(rig: Rig, payload: bytes, kind: CommandKind) -> Request:
    cmd_id, revision = rig.next_id(), rig.status().revision
    staged = rig.stage(payload, kind, cmd_id, revision)
    assert isinstance(staged, Staged)
    assert staged.complete
    return Commit(cmd_id=cmd_id, digest=hashlib.sha256(payload).digest(), base_revision=revision)


def view(rig: Rig, cmd_id: int) -> tuple[object, ...]:
    """What a programmer sees of the pump, but for what counts resets."""
    status: Status = replace(rig.status(), resets=0, log_next_seq=0)
    outcome = result_of(rig.ask(QueryCommand(cmd_id=cmd_id))).outcome
    return status, outcome, rig.info().last_cmd_id


def running_pump() -> tuple[bytes, FakeHardware]:
    rig = Rig()
    rig.configure()
    rig.advance(3 * HOUR + 7)
    rig.firmware.materialise(rig.now)
    return rig.memory.image(), rig.hardware


def restored(start: tuple[bytes, FakeHardware]) -> Rig:
    return Rig(Memory.from_image(start[0]), copy.deepcopy(start[1]))


def cut(rig: Rig, request: Request, write: int, torn: int) -> Rig:
    """Send the request, lose the power at that write of it, start again."""
    rig.memory.cut_at(rig.memory.write_index + write, torn)
    with pytest.raises(PowerLost):
        rig.ask(request)
    # Nothing is to be materialised: what was written before the cut is in the memory.
    return Rig(Memory.from_image(rig.memory.image()), rig.hardware)


def writes_of(start: tuple[bytes, FakeHardware], prepare: Prepare) -> list[int]:
    """Length of each memory write of the command."""
    rig = restored(start)
    request = prepare(rig)
    lengths: list[int] = []
    write = Memory.write

    def counting(self: Memory, region: str, offset: int, data: bytes) -> None:
        lengths.append(len(data))
        write(self, region, offset, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Memory, "write", counting)
        rig.ask(request)
    return lengths


@pytest.mark.parametrize("prepare", [configuration, refill, bolus, stop])
@pytest.mark.sr("SR-41", "SR-47")
def test_a_cut_at_any_write_leaves_the_old_or_the_new_state(prepare: Prepare) -> None:
    start = running_pump()
    before = restored(start)
    request = prepare(before)
    cmd_id = request.cmd_id  # type: ignore[union-attr]
    old = view(before.reset(), cmd_id)
    after = restored(start)
    after.ask(prepare(after))
    new = view(after.reset(), cmd_id)
    assert old != new
    lengths = writes_of(start, prepare)
    seen = set()
    for write, length in enumerate(lengths):
        for torn in sorted({0, 1, length // 2, length - 1, length}):
            rig = restored(start)
            found = view(cut(rig, prepare(rig), write, torn), cmd_id)
            assert found in (old, new), (write, torn)
            seen.add(found == new)
            assert (found == new) == (write > 0 or torn == length), "the first write is the journal and decides alone"
    assert seen == {True, False}


@pytest.mark.parametrize("prepare", [bolus, stop])
@pytest.mark.sr("SR-41", "SR-47")
def test_a_second_cut_while_starting_changes_nothing(prepare: Prepare) -> None:
    start = running_pump()
    whole = restored(start)
    cmd_id = prepare(whole).cmd_id  # type: ignore[union-attr]
    reached = 0
    for write in (0, 1):
        reference = restored(start)
        expected = view(cut(reference, prepare(reference), write, 40).reset(), cmd_id)
        for boot_write in range(4):
            for torn in (0, 9, 10_000):
                rig = restored(start)
                request = prepare(rig)
                rig.memory.cut_at(rig.memory.write_index + write, 40)
                with pytest.raises(PowerLost):
                    rig.ask(request)
                memory = Memory.from_image(rig.memory.image())
                memory.cut_at(boot_write, torn)
                try:
                    Rig(memory, rig.hardware)
                except PowerLost:
                    reached = max(reached, boot_write)
                final = Rig(Memory.from_image(memory.image()), rig.hardware)
                assert view(final, cmd_id) == expected, (write, boot_write, torn)
    assert reached >= 2, "the reset counter, the journal and a log entry are written at least"


@pytest.mark.sr("SR-41")
def test_the_command_repeated_after_a_cut_takes_effect_once() -> None:
    start = running_pump()
    payload = restored(start).order()
    for write, length in enumerate(writes_of(start, bolus)):
        for torn in (0, length):
            rig = restored(start)
            rig = cut(rig, bolus(rig), write, torn)
            applied = result_of(rig.ask(QueryCommand(cmd_id=2))).outcome is Outcome.APPLIED
            again = result_of(rig.commit(payload, CommandKind.BOLUS, cmd_id=2) if not applied else rig.ask(QueryCommand(cmd_id=2)))
            rig.advance(HOUR)
            counter = rig.status().bolus_counter
            # Interrupted at once by the reset, or given whole on the second try: never both.
            assert (applied, counter) in ((True, 0), (False, 25))
            assert again.outcome is Outcome.APPLIED


# ------------------------------------------------------------------------------------------------ resets
@pytest.mark.sr("SR-49", "SR-50")
@given(st.integers(0, 600_000), st.sampled_from(PulsePhase), st.integers(0, 10 * MINUTE))
def test_a_reset_in_a_bolus_gives_its_pulses_and_at_most_one_doubt(into_ms: int, phase: PulsePhase, off_ms: int) -> None:
    rig = Rig()
    rig.configure()
    rig.advance(HOUR)
    made_before = rig.hardware.made
    result_of(rig.bolus(25, 600))
    rig.advance(into_ms)
    rig = rig.reset(off_ms, phase)
    result = result_of(rig.ask(QueryCommand(cmd_id=2)))
    status = rig.status()
    truly = min(rig.hardware.made - made_before, 25) if into_ms < 600_000 else 25
    if result.bolus_state is BolusState.DONE:
        assert (result.delivered_pulses, result.doubt_pulses) == (25, 0)
    else:
        assert result.bolus_state is BolusState.INTERRUPTED
        assert result.delivered_pulses <= 25
    assert result.doubt_pulses <= 1
    assert result.delivered_pulses - result.doubt_pulses <= truly <= result.delivered_pulses
    assert status.bolus_counter == result.delivered_pulses
    assert status.run_state is RunState.RUNNING
    assert status.flow_nL_per_day == BASE.flow_nL_per_day
    assert status.doubt_pulses == (phase in (PulsePhase.INTENT, PulsePhase.MOVED))
    rig.advance(HOUR)
    assert rig.status().bolus_counter == result.delivered_pulses, "never resumed"


@pytest.mark.sr("SR-48")
@given(st.lists(st.tuples(st.integers(0, 3 * HOUR), st.sampled_from(PulsePhase), st.integers(0, HOUR)), min_size=1, max_size=8))
def test_accounting_after_n_resets_is_off_by_n_pulses_at_most(cuts: list[tuple[int, PulsePhase, int]]) -> None:
    rig = Rig()
    rig.configure(replace(BASE, flow_nL_per_day=800_000))
    for run_ms, phase, off_ms in cuts:
        rig.advance(run_ms)
        rig = rig.reset(off_ms, phase)
    rig.advance(HOUR)
    status = rig.status()
    assert 0 <= status.lifetime_pulses - rig.hardware.made <= status.doubt_pulses <= len(cuts)
    assert status.resets == len(cuts)


@pytest.mark.sr("SR-50")
@given(st.integers(1, 20 * HOUR), st.integers(0, 5 * HOUR), st.integers(48_000, 3_900_000))
def test_the_gap_is_not_caught_up(run_ms: int, off_ms: int, flow: int) -> None:
    rig = Rig()
    rig.configure(replace(BASE, flow_nL_per_day=flow, concentration_ng_per_mL=500_000))
    rig.advance(run_ms)
    rig = rig.reset(off_ms)
    rig.advance(10 * HOUR)
    scheduled_nL = flow * (run_ms + 10 * HOUR) / DAY
    given_nL = rig.hardware.made * P
    # Lost at most: the minute since the last stamp; gained: nothing.
    assert scheduled_nL - flow * MINUTE / DAY - P <= given_nL <= scheduled_nL + P


@pytest.mark.sr("SR-12", "SR-22", "SR-50")
def test_a_stopped_pump_stays_stopped_and_a_bridge_goes_on() -> None:
    rig = Rig()
    rig.configure()
    rig.advance(DAY)
    relabelled = replace(BASE, concentration_ng_per_mL=500_000, flow_nL_per_day=400_000, bridge_flow_nL_per_day=100_000, bridge_pulses=632)
    assert rig.configure(relabelled).outcome is Outcome.APPLIED
    rig.advance(DAY)
    left = rig.status().bridge_left_pulses
    rig = rig.reset(HOUR)
    assert (rig.status().bridge_left_pulses, rig.status().flow_nL_per_day) == (left, 100_000)
    rig.ask(StopTherapy(cmd_id=rig.next_id()))
    rig = rig.reset(DAY)
    status = rig.status()
    assert (status.run_state, status.flow_nL_per_day, status.bridge_left_pulses) == (RunState.STOPPED, 0, left)
    rig.configure(replace(relabelled, reservoir_set=False, reservoir_volume_nL=0, bridge_pulses=left))
    rig.advance(10 * DAY)
    assert (rig.status().bridging, rig.status().flow_nL_per_day) == (False, 400_000)


def test_one_start_makes_one_entry() -> None:
    rig = Rig()
    rig.configure()
    for _ in range(3):
        rig.advance(HOUR)
        rig = rig.reset(MINUTE)
    kinds = [entry.kind for entry in rig.firmware._machine.log.page(0, 25)]
    assert kinds.count(LogKind.BOOT) == 4


@pytest.mark.sr("SR-49", "SR-50")
def test_a_prime_is_interrupted_and_a_stopped_pump_stays_stopped() -> None:
    rig = Rig()
    rig.configure(replace(BASE, start=False))
    result_of(rig.bolus(600, 3600, BolusKind.PRIME))
    rig.advance(30 * MINUTE)
    rig = rig.reset()
    result = result_of(rig.ask(QueryCommand(cmd_id=2)))
    assert (result.bolus_state, result.delivered_pulses) == (BolusState.INTERRUPTED, 300)
    assert rig.status().run_state is RunState.STOPPED


# ------------------------------------------------------------------------------------------------ the stepwise twin
@pytest.mark.sr("SR-47")
@given(
    st.integers(50_000, 3_900_000),
    st.integers(0, 40 * MINUTE),
    st.integers(0, 40 * MINUTE),
    st.sampled_from(PulsePhase),
    st.none() | st.integers(0, 20),
)
def test_memory_between_events_is_what_every_single_write_would_leave(
    flow: int, before_ms: int, run_ms: int, phase: PulsePhase, torn: int | None
) -> None:
    rig = Rig()
    rig.configure(replace(BASE, flow_nL_per_day=flow, concentration_ng_per_mL=500_000))
    rig.advance(before_ms)
    rig = rig.reset(17)
    twin = Memory.from_image(rig.memory.image())
    machine = rig.firmware._machine
    start_ms, delivery = rig.now, machine.delivery
    for minute in range(start_ms // MINUTE + 1, (start_ms + run_ms) // MINUTE + 1):
        ALIVE.write(twin, Cell(minute, machine.state.sequence))
    last = delivery.lifetime_at(start_ms + run_ms)
    for pulse in range(delivery.lifetime_before + 1, last + 1):
        INTENT.write(twin, Cell(pulse))
        DONE.write(twin, Cell(pulse))
    if phase is not PulsePhase.NONE:
        _write_torn(twin, INTENT, last + 1, torn if phase is PulsePhase.INTENT else None)
    if phase is PulsePhase.DONE:
        _write_torn(twin, DONE, last + 1, torn)
    rig.advance(run_ms)
    rig.firmware.materialise(rig.now, phase, torn)
    assert rig.memory.image() == twin.image()


def _write_torn(memory: Memory, pair: CellPair, number: int, torn: int | None) -> None:
    if torn is not None:
        memory.cut_at(memory.write_index, torn)
    try:
        pair.write(memory, Cell(number))
    except PowerLost:
        assert torn is not None


@pytest.mark.sr("SR-48")
@pytest.mark.parametrize("phase", [PulsePhase.INTENT, PulsePhase.MOVED])
def test_a_pulse_in_doubt_is_counted_once_however_often_the_start_is_cut(phase: PulsePhase) -> None:
    rig = Rig()
    rig.configure()
    rig.advance(HOUR)
    rig.firmware.materialise(rig.now, phase)
    image = rig.memory.image()
    expected = Rig(Memory.from_image(image), rig.hardware).status()
    assert expected.doubt_pulses == 1
    writes = 0
    while True:
        memory = Memory.from_image(image)
        memory.cut_at(writes, 0)
        try:
            Rig(memory, rig.hardware)
        except PowerLost:
            status = Rig(Memory.from_image(memory.image()), rig.hardware).status()
            assert (status.doubt_pulses, status.lifetime_pulses) == (1, expected.lifetime_pulses), writes
            writes += 1
            continue
        break
    assert writes >= 4


def test_a_stamp_names_the_journal_record_in_force_from_the_write_on() -> None:
    rig = Rig()
    rig.configure()
    rig.advance(90_000)
    before = rig.firmware._machine.state.sequence
    rig.bolus()
    after = rig.firmware._machine.state.sequence
    assert before < after
    assert ALIVE.read(rig.memory) == Cell(1, after), "within the minute, too"
    rig.advance(40_000)
    rig.firmware.materialise(rig.now)
    assert set(ALIVE.cells(rig.memory)) == {Cell(1, after), Cell(2, after)}


@pytest.mark.sr("SR-07")
@given(st.integers(1, 59_999), st.sampled_from(PulsePhase))
def test_mass_given_since_the_last_stamp_survives_a_reset(into_ms: int, phase: PulsePhase) -> None:
    rig = Rig()
    rig.configure()
    rig.advance(HOUR)
    result_of(rig.bolus(30, 60))
    rig.advance(into_ms)
    given_ng = rig.status().bolus_delivered * P * 2
    rig = rig.reset(MINUTE, phase)
    assert rig.status().mass_24h_ng >= given_ng
