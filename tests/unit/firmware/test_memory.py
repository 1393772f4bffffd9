"""The image: numbered writes, cuts and torn writes, identity, pairings."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.firmware.cells import ALIVE, Cell
from firmware_sim.firmware.formatting import format_memory
from firmware_sim.firmware.memory import LAYOUT, LAYOUT_NUMBER, Memory, MemoryFault, PairingTableFull, PowerLost
from itbpump.link.pump_side import Pairing
from itbpump.wire.messages import Role


def fresh() -> Memory:
    return format_memory(b"12345678", "SIM-1", "P-40")


def test_regions_do_not_overlap_and_fill_the_image() -> None:
    areas = sorted(LAYOUT.values(), key=lambda area: area.offset)
    end = 0
    for area in areas:
        assert area.offset == end
        end += area.size
    assert len(fresh().image()) == end


def test_identity_survives_the_image() -> None:
    kept = Memory.from_image(fresh().image())
    assert (kept.memory_id, kept.serial, kept.profile) == (b"12345678", "SIM-1", "P-40")


@pytest.mark.parametrize(("memory_id", "serial", "profile"), [(b"1", "S", "P"), (b"12345678", "", "P"), (b"12345678", "S" * 17, "P")])
def test_wrong_identity_lengths_are_refused(memory_id: bytes, serial: str, profile: str) -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        format_memory(memory_id, serial, profile)


@pytest.mark.sr("SR-59")
@given(st.integers(0, 45), st.integers(0, 7))
def test_a_damaged_identity_is_never_taken_for_a_pump(offset: int, bit: int) -> None:
    memory = fresh()
    memory.flip("identity", offset, bit)
    with pytest.raises(MemoryFault):
        Memory.from_image(memory.image())


@pytest.mark.parametrize(
    ("at", "field"), [(0, b"OTHERMEM"), (8, struct.pack(">H", LAYOUT_NUMBER + 1))], ids=["no pump memory", "a later layout"]
)
def test_a_whole_identity_of_another_layout_is_refused(at: int, field: bytes) -> None:
    memory = fresh()
    body = bytearray(memory.read("identity", 0, 42))
    body[at : at + len(field)] = field
    memory.write("identity", 0, bytes(body) + zlib.crc32(body).to_bytes(4, "big"))
    with pytest.raises(MemoryFault, match="the program version that wrote it"):
        Memory.from_image(memory.image())


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(MemoryFault, match="bytes"):
        Memory.from_image(fresh().image()[:-1])


@pytest.mark.parametrize("torn", [0, 1, 2, 3, 4])
@pytest.mark.sr("SR-47")
def test_a_cut_leaves_the_first_bytes_new_and_the_rest_old(torn: int) -> None:
    memory = fresh()
    memory.write("log", 0, b"old!")
    memory.cut_at(memory.write_index + 1, torn)
    memory.write("log", 100, b"whole")
    with pytest.raises(PowerLost) as caught:
        memory.write("log", 0, b"NEW?")
    assert caught.value.written == torn
    assert memory.read("log", 0, 4) == b"NEW?"[:torn] + b"old!"[torn:]
    with pytest.raises(PowerLost):
        memory.write("log", 0, b"dead")
    assert memory.read("log", 100, 5) == b"whole"


def test_writes_outside_a_region_are_refused() -> None:
    memory = fresh()
    with pytest.raises(ValueError, match="outside region"):
        memory.write("alive", LAYOUT["alive"].size - 1, b"ab")


def test_a_stuck_byte_keeps_its_value() -> None:
    memory = fresh()
    memory.stick("log", 1, 0xAA)
    memory.write("log", 0, b"abc")
    assert memory.read("log", 0, 3) == b"a\xaac"


def test_eight_programmers_pair_and_a_ninth_does_not() -> None:
    memory = fresh()
    for number in range(8):
        memory.pair(Pairing(bytes([number + 1]) * 8, Role.CLINICIAN, bytes([number]) * 32))
    memory.pair(Pairing(bytes([3]) * 8, Role.OBSERVER, bytes(32)))
    found = memory.pairing(bytes([3]) * 8)
    assert found is not None
    assert (found.role, memory.pairing_number(bytes([3]) * 8)) == (Role.OBSERVER, 2)
    with pytest.raises(PairingTableFull):
        memory.pair(Pairing(b"\xff" * 8, Role.CLINICIAN, bytes(32)))
    assert memory.pairing(b"\xff" * 8) is None


@pytest.mark.sr("SR-62")
@pytest.mark.parametrize(("programmer", "key"), [(b"PROGRAM", bytes(32)), (b"PROGRAMMER", bytes(32)), (b"PROGRAMM", bytes(16))])
def test_a_pairing_of_wrong_lengths_is_refused_and_nothing_is_written(programmer: bytes, key: bytes) -> None:
    memory = fresh()
    before = memory.image()
    with pytest.raises(ValueError, match="8 bytes and a pairing key 32"):
        memory.pair(Pairing(programmer, Role.CLINICIAN, key))
    assert memory.image() == before


def test_a_damaged_pairing_pairs_nobody_and_is_counted() -> None:
    memory = fresh()
    memory.pair(Pairing(b"PROGRAMM", Role.CLINICIAN, bytes(32)))
    assert memory.damaged_pairings() == 0
    memory.flip("pairings", 20, 3)
    assert memory.pairing(b"PROGRAMM") is None
    assert memory.damaged_pairings() == 1


@pytest.mark.sr("SR-47")
@given(st.integers(1, 10**9), st.integers(0, 20))
def test_a_torn_cell_leaves_the_one_before(number: int, torn: int) -> None:
    memory = fresh()
    ALIVE.write(memory, Cell(number - 1, 5))
    ALIVE.write(memory, Cell(number, 6))
    memory.cut_at(memory.write_index, torn)
    with pytest.raises(PowerLost):
        ALIVE.write(memory, Cell(number + 1, 7))
    found = ALIVE.read(memory)
    assert found in (Cell(number, 6), Cell(number + 1, 7))
