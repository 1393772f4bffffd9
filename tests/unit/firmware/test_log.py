"""The event log: order, loss marked by a gap, change shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.firmware.cells import sealed
from firmware_sim.firmware.formatting import format_memory
from firmware_sim.firmware.log import ENTRIES, EventLog
from firmware_sim.firmware.memory import Memory, PowerLost
from itbpump.wire.messages import LogEntry, LogKind


def filled(count: int) -> tuple[Memory, EventLog]:
    memory = format_memory(b"12345678", "SIM-1", "P-40")
    log = EventLog(memory)
    log.load()
    for number in range(1, count):
        log.append(number * 10, 0, LogKind.STAGED, number)
    return memory, log


def read_all(log: EventLog, from_seq: int = 0, page: int = 25) -> list[LogEntry]:
    entries: list[LogEntry] = []
    while True:
        found = log.page(from_seq, page)
        if not found:
            return entries
        entries += found
        from_seq = found[-1].seq + 1


@pytest.mark.sr("SR-61")
def test_it_holds_a_thousand_entries() -> None:
    assert ENTRIES >= 1_000


@pytest.mark.sr("SR-61")
@given(st.integers(1, 25), st.integers(0, 60))
def test_pages_join_without_loss_or_repeat(page: int, start: int) -> None:
    _, log = filled(60)
    assert [entry.seq for entry in read_all(log, start, page)] == list(range(start, 60))


@pytest.mark.sr("SR-61")
def test_overwritten_entries_show_as_one_gap() -> None:
    _, log = filled(ENTRIES + 10)
    entries = read_all(log)
    gap, rest = entries[0], entries[1:]
    assert (gap.kind, gap.a, gap.b, gap.seq) == (LogKind.GAP, 10, 0, 9)
    assert [entry.seq for entry in rest] == list(range(10, ENTRIES + 10))


@pytest.mark.sr("SR-61")
def test_a_start_goes_on_where_the_log_ended() -> None:
    memory, log = filled(ENTRIES + 3)
    again = EventLog(Memory.from_image(memory.image()))
    again.load()
    assert (again.next_seq, again.broken_links) == (log.next_seq, 0)
    assert again.append(1, 0, LogKind.BOOT) == ENTRIES + 3
    twice = EventLog(Memory.from_image(again._memory.image()))
    twice.load()
    assert twice.broken_links == 0


@pytest.mark.sr("SR-61")
@given(st.integers(0, 39), st.integers(0, 40), st.integers(0, 7))
def test_a_changed_entry_is_found(entry: int, offset: int, bit: int) -> None:
    memory, _ = filled(40)
    memory.flip("log", entry * 64 + offset, bit)
    log = EventLog(memory)
    log.load()
    # The newest entry alone cannot be told from one that was torn as it was written.
    assert log.broken_links > 0 or (entry == 39 and log.next_seq == 39)


@pytest.mark.sr("SR-61")
def test_an_entry_replaced_by_a_whole_one_breaks_the_chain() -> None:
    memory, _ = filled(40)
    forger = EventLog(Memory(memory.image()))
    forger.load()
    forger.rewind((20, bytes(8)))
    memory.write("log", 20 * 64, forger.prepare(200, 0, LogKind.STAGED, 999))
    log = EventLog(memory)
    log.load()
    assert log.broken_links > 0


@pytest.mark.sr("SR-61")
@pytest.mark.parametrize("count", [5, ENTRIES + 5])
@pytest.mark.parametrize("torn", [0, 1, 20, 44])
def test_a_torn_append_is_dropped_and_no_fault(count: int, torn: int) -> None:
    memory, log = filled(count)
    memory.cut_at(memory.write_index, torn)
    with pytest.raises(PowerLost):
        log.append(1, 0, LogKind.BOOT)
    again = EventLog(Memory.from_image(memory.image()))
    again.load()
    assert (again.next_seq, again.broken_links) == (count, 0)


def test_prepared_entries_can_be_taken_back() -> None:
    memory, log = filled(5)
    mark = log.mark()
    log.prepare(1, 0, LogKind.BOOT)
    log.rewind(mark)
    log.append(2, 0, LogKind.STOP)
    again = EventLog(memory)
    again.load()
    assert (again.next_seq, again.broken_links) == (6, 0)


@pytest.mark.sr("SR-61")
def test_a_ring_without_any_entry_is_a_loss_and_not_a_beginning() -> None:
    memory, _ = filled(40)
    memory.write("log", 0, bytes(ENTRIES * 64))
    log = EventLog(memory)
    log.load()
    assert (log.next_seq, log.broken_links) == (0, 1)


# ------------------------------------------------------------------------------------------------ tampering
FIELDS = {
    "number": (0, 4),
    "uptime": (4, 12),
    "wall clock": (12, 16),
    "kind": (16, 17),
    "first argument": (17, 25),
    "second argument": (25, 33),
    "link": (33, 41),
    "CRC": (41, 45),
}
"""Bytes of an entry, first and end."""


def loaded(memory: Memory) -> EventLog:
    log = EventLog(memory)
    log.load()
    return log


@pytest.mark.sr("SR-61")
def test_the_fields_are_all_of_an_entry() -> None:
    assert sorted(FIELDS.values()) == list(FIELDS.values())
    assert [end for _, end in FIELDS.values()][:-1] == [first for first, _ in FIELDS.values()][1:]
    memory, _ = filled(3)
    assert any(memory.read("log", 44, 1)) or any(memory.read("log", 41, 4))
    assert memory.read("log", 45, 19) == bytes(19), "what is behind an entry belongs to none"


@pytest.mark.sr("SR-61")
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("resealed", [False, True], ids=["as it is", "with a CRC that fits"])
@pytest.mark.parametrize("entry", [0, 17, 38])
def test_a_change_of_any_byte_of_an_entry_is_found(field: str, resealed: bool, entry: int) -> None:
    first, end = FIELDS[field]
    for offset in range(first, end):
        memory, _ = filled(40)
        raw = bytearray(memory.read("log", entry * 64, 45))
        raw[offset] ^= 0x01
        if resealed and field != "CRC":
            raw[41:] = sealed(bytes(raw[:41]))[41:]
        memory.write("log", entry * 64, bytes(raw))
        assert loaded(memory).broken_links > 0, offset


@pytest.mark.sr("SR-61")
@given(st.integers(1, 37), st.integers(1, 37))
def test_entries_that_changed_places_or_were_copied_are_found(one: int, other: int) -> None:
    memory, _ = filled(40)
    first, second = (memory.read("log", place * 64, 45) for place in (one, other))
    memory.write("log", one * 64, second)
    assert (loaded(memory).broken_links > 0) == (one != other)
    memory.write("log", other * 64, first)
    assert (loaded(memory).broken_links > 0) == (one != other)


@pytest.mark.sr("SR-61")
def test_an_entry_of_no_kind_is_a_lost_one() -> None:
    memory, _ = filled(40)
    raw = bytearray(memory.read("log", 20 * 64, 41))
    raw[16] = 200
    memory.write("log", 20 * 64, sealed(bytes(raw)))
    assert loaded(memory).broken_links > 0


@pytest.mark.sr("SR-61")
@given(st.integers(1, 38), st.integers(1, 38))
def test_erased_entries_are_found_and_read_as_gaps(first: int, count: int) -> None:
    memory, _ = filled(40)
    count = min(count, 39 - first)
    memory.write("log", first * 64, bytes(64 * count))
    log = loaded(memory)
    assert log.broken_links >= count
    (gap,) = [entry for entry in read_all(log) if entry.kind is LogKind.GAP]
    assert (gap.a, gap.b) == (count, first)
