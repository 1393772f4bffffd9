"""Two slots: the old record or the new one, at every byte of a write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.cells import sealed
from firmware_sim.firmware.durable import BolusRecord, Drive, Durable, ProgrammerRecord, decode_durable, encode_durable
from firmware_sim.firmware.formatting import format_memory
from firmware_sim.firmware.journal import Journal
from firmware_sim.firmware.memory import JOURNAL_SLOT_BYTES, Memory, MemoryFault, PowerLost
from itbpump.wire.messages import BolusKind, BolusState, CommandKind, RunState

U64 = st.integers(0, 2**63 - 1)
MAYBE = st.none() | U64
states = st.builds(
    Durable,
    revision=st.integers(0, 2**32 - 1),
    active=st.binary(max_size=60),
    previous=st.binary(max_size=60),
    run_state=st.sampled_from(RunState),
    drive=st.sampled_from(Drive),
    anchor_ms=U64,
    residual_units=st.integers(-(2**60), 2**60),
    bolus=st.builds(BolusRecord, kind=st.sampled_from(BolusKind), state=st.sampled_from(BolusState), start_ms=U64, cmd_id=U64),
    stopped_since_ms=MAYBE,
    eri_since_ms=MAYBE,
    primed_ms=MAYBE,
    changed_by=st.binary(min_size=8, max_size=8),
    changed_kind=st.sampled_from(CommandKind),
    encoder_offset=st.integers(-(2**60), 2**60),
    grants_ms=st.lists(U64, max_size=24).map(tuple),
    alarms=st.lists(st.tuples(st.integers(0, 255), U64), max_size=12).map(tuple),
    buckets=st.lists(U64, min_size=25, max_size=25).map(tuple),
    programmers=st.lists(st.builds(ProgrammerRecord, U64, st.integers(0, 2**32 - 1)), min_size=8, max_size=8).map(tuple),
    pending_results=st.lists(st.binary(max_size=90), max_size=3).map(tuple),
    pending_log=st.lists(st.binary(max_size=50), max_size=9).map(tuple),
)


@given(states)
def test_a_state_survives_its_bytes(state: Durable) -> None:
    assert decode_durable(encode_durable(state)) == state


@given(states, st.integers(1, 50))
def test_a_shortened_record_is_refused(state: Durable, cut: int) -> None:
    with pytest.raises(ValueError, match="journal record"):
        decode_durable(encode_durable(state)[:-cut])


@given(states, st.binary(min_size=1, max_size=50))
def test_a_lengthened_record_is_refused(state: Durable, more: bytes) -> None:
    with pytest.raises(ValueError, match="left over"):
        decode_durable(encode_durable(state) + more)


def loaded(memory: Memory) -> Durable:
    state = Journal(memory).load().state
    assert state is not None
    return state


@pytest.mark.sr("SR-47")
def test_a_cut_at_every_byte_leaves_the_old_or_the_new_record() -> None:
    old_memory = format_memory(b"12345678", "SIM-1", "P-40")
    journal = Journal(old_memory)
    state = journal.load().state
    assert state is not None
    old = journal.store(Durable(sequence=state.sequence, revision=7, active=b"old configuration"))
    image = old_memory.image()
    size = len(encode_durable(old)) + 20
    seen = set()
    for torn in range(size):
        memory = Memory.from_image(image)
        journal = Journal(memory)
        before = journal.load().state
        assert before is not None
        memory.cut_at(0, torn)
        with pytest.raises(PowerLost):
            journal.store(Durable(sequence=before.sequence, revision=8, active=b"new configuration"))
        after = loaded(Memory.from_image(memory.image()))
        assert (after.revision, after.active) in ((7, b"old configuration"), (8, b"new configuration"))
        seen.add(after.revision)
    assert seen == {7, 8}


@pytest.mark.sr("SR-47")
def test_a_slot_that_does_not_take_a_record_is_reported_and_the_old_one_stays() -> None:
    memory = format_memory(b"12345678", "SIM-1", "P-40")
    journal = Journal(memory)
    state = journal.load().state
    assert state is not None
    state = journal.store(Durable(sequence=state.sequence, revision=1))
    memory.stick("journal_a", 60, 0x5A)
    memory.stick("journal_b", 60, 0x5A)
    with pytest.raises(MemoryFault, match="read back"):
        journal.store(Durable(sequence=state.sequence, revision=2))


@pytest.mark.sr("SR-59")
def test_one_damaged_slot_is_counted_and_two_leave_nothing() -> None:
    memory = format_memory(b"12345678", "SIM-1", "P-40")
    memory.flip("journal_a", 10, 1)
    assert Journal(memory).load().damaged == 1
    memory.flip("journal_b", 10, 1)
    both = Journal(memory).load()
    assert (both.state, both.damaged) == (None, 2)


@pytest.mark.sr("SR-59")
def test_a_record_whose_crc_holds_but_which_means_nothing_counts_as_damaged() -> None:
    whole = encode_durable(Durable(sequence=9, revision=7))
    unknown_state = whole[:16] + b"\xee" + whole[17:]
    for body in (whole + b"\0", whole[:-1], unknown_state):
        memory = format_memory(b"12345678", "SIM-1", "P-40")
        memory.write("journal_a", 0, sealed(len(body).to_bytes(2, "big") + body))
        one = Journal(memory).load()
        memory.write("journal_b", 0, sealed(len(body).to_bytes(2, "big") + body))
        both = Journal(memory).load()
        assert (one.damaged, both.damaged, both.state) == (1, 2, None)
        assert one.state is not None
        assert one.state.revision == 0


@pytest.mark.sr("SR-47")
def test_a_record_too_large_for_its_slot_is_refused_and_the_old_one_stays() -> None:
    memory = format_memory(b"12345678", "SIM-1", "P-40")
    journal = Journal(memory)
    before, image = journal.load().state, memory.image()
    assert before is not None
    with pytest.raises(MemoryFault, match="does not fit"):
        journal.store(Durable(sequence=before.sequence, active=bytes(JOURNAL_SLOT_BYTES)))
    assert (loaded(memory), memory.image()) == (before, image)


def test_the_largest_state_fits_its_slot() -> None:
    state = Durable(
        active=bytes(3_200),
        previous=bytes(3_200),
        grants_ms=(2**62,) * 24,
        alarms=((1, 1),) * len(Alarm),
        alert_stops=((1, 1),) * 8,
        watchdogs_ms=(2**62,) * 3,
        emergencies_ms=(2**62,) * 3,
        pending_results=(bytes(90),) * 3,
        pending_log=(bytes(50),) * 20,
    )
    assert len(encode_durable(state)) + 6 < JOURNAL_SLOT_BYTES
