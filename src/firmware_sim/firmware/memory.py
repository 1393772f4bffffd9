"""The pump's non-volatile memory: one byte image in named fixed regions, written in numbered writes.

Everything the pump must know after a reset is in here and nowhere else. Each change is one `write`, counted by `write_index`, so that a
test or a fault plan can cut the power before, inside or after any of them. A write may be torn: its first bytes are new, the rest old.
Readers therefore trust nothing without its CRC-32.

Not modelled: wear, erase blocks, write time. The model is a byte-writable memory such as FRAM.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from itbpump.link.pump_side import Pairing
from itbpump.wire.messages import Role

__all__ = ["JOURNAL_SLOT_BYTES", "LAYOUT", "LAYOUT_NUMBER", "Area", "Memory", "MemoryFault", "PairingTableFull", "PowerLost"]

_MAGIC = b"ITBPNVM1"
LAYOUT_NUMBER = 2
"""Of regions and records; a program with another number does not touch the memory."""
_IDENTITY = struct.Struct(">8sH8s16s8s")
_PAIRING = struct.Struct(">B8sB32s")
_PAIRINGS = 8
_PAIRING_STEP = 48
_CRC_BYTES = 4
JOURNAL_SLOT_BYTES = 9216


class MemoryFault(Exception):
    """The memory image cannot be used, or a write did not read back. `region` names where."""

    def __init__(self, region: str, problem: str) -> None:
        self.region = region
        self.problem = problem
        super().__init__(f"pump memory, region {region}: {problem}")


class PairingTableFull(MemoryFault):
    """All eight pairing records are taken."""

    def __init__(self) -> None:
        super().__init__("pairings", "all 8 pairing records are taken; format the memory or pair one of the known programmers again")


class PowerLost(Exception):
    """The power went away at write `write_index`, after `written` of its bytes. Control flow of the simulation, no error of the pump."""

    def __init__(self, write_index: int, written: int) -> None:
        self.write_index = write_index
        self.written = written
        super().__init__(f"power lost at memory write {write_index} after {written} bytes")


@dataclass(frozen=True, slots=True)
class Area:
    """Where a region lies in the image; bytes."""

    offset: int
    size: int


def _layout() -> dict[str, Area]:
    sizes = {
        "identity": 64,
        "resets": 64,  # two cells
        "pairings": _PAIRINGS * _PAIRING_STEP,
        "journal_a": JOURNAL_SLOT_BYTES,
        "journal_b": JOURNAL_SLOT_BYTES,
        "pulses": 128,  # two cells of intent, two of done
        "alive": 64,  # two cells
        "results": 8 * 16 * 128,
        "log": 1024 * 64,
    }
    areas, offset = {}, 0
    for name, size in sizes.items():
        areas[name] = Area(offset, size)
        offset += size
    return areas


LAYOUT = _layout()
_IMAGE_BYTES = sum(area.size for area in LAYOUT.values())


class Memory:
    """The image and the counter of its writes. Build it with `formatting.format_memory` (a new pump) or `from_image` (a kept one)."""

    __slots__ = ("_bytes", "_cut", "_lost", "_stuck", "write_index")

    def __init__(self, image: bytes) -> None:
        self._bytes = bytearray(image)
        self._cut: tuple[int, int] | None = None
        self._lost: PowerLost | None = None
        self._stuck: dict[int, int] = {}
        self.write_index = 0

    # ------------------------------------------------------------------------------------------------ making
    @classmethod
    def blank(cls, memory_id: bytes, serial: str, profile: str) -> Memory:
        """A memory that knows who it belongs to and nothing else (`formatting.format_memory` goes on).

        `memory_id` is 8 random bytes; `serial` at most 16 and `profile` at most 8 ASCII characters. Raises ValueError if a length is wrong.
        """
        if len(memory_id) != 8 or not 0 < len(serial.encode("ascii")) <= 16 or not 0 < len(profile.encode("ascii")) <= 8:
            raise ValueError("a memory id has 8 bytes, a serial 1 to 16 and a profile name 1 to 8 ASCII characters")
        memory = cls(bytes(_IMAGE_BYTES))
        body = _IDENTITY.pack(_MAGIC, LAYOUT_NUMBER, memory_id, serial.encode("ascii"), profile.encode("ascii"))
        memory.write("identity", 0, body + _crc(body))
        return memory

    @classmethod
    def from_image(cls, image: bytes) -> Memory:
        """The memory of a kept image. Raises MemoryFault if it is not one; a fresh pump is never made out of a damaged image."""
        if len(image) != _IMAGE_BYTES:
            raise MemoryFault("identity", f"an image has {_IMAGE_BYTES} bytes, this one {len(image)}")
        memory = cls(image)
        memory._identity()
        return memory

    def image(self) -> bytes:
        """All bytes."""
        return bytes(self._bytes)

    # --------------------------------------------------------------------------------------------- reading, writing
    def read(self, region: str, offset: int, size: int) -> bytes:
        """`size` bytes of a region. Raises ValueError outside the region."""
        start = self._address(region, offset, size)
        return bytes(self._bytes[start : start + size])

    def write(self, region: str, offset: int, data: bytes) -> None:
        """One numbered write. Raises PowerLost where a cut was set, and at every write after it; ValueError outside the region."""
        start = self._address(region, offset, len(data))
        if self._lost is not None:
            raise self._lost
        index, self.write_index = self.write_index, self.write_index + 1
        if self._cut is not None and index == self._cut[0]:
            written = min(self._cut[1], len(data))
            self._put(start, data[:written])
            self._lost = PowerLost(index, written)
            raise self._lost
        self._put(start, data)

    def place(self, region: str, offset: int, data: bytes) -> None:
        """Put bytes that were written earlier, between events, and were not carried out one by one (`materialise`). Not numbered."""
        self._put(self._address(region, offset, len(data)), data)

    def write_changed(self, region: str, offset: int, data: bytes) -> None:
        """Write unless the bytes are there already."""
        if self.read(region, offset, len(data)) != data:
            self.write(region, offset, data)

    def _put(self, start: int, data: bytes) -> None:
        self._bytes[start : start + len(data)] = data
        for address, value in self._stuck.items():
            self._bytes[address] = value

    def _address(self, region: str, offset: int, size: int) -> int:
        area = LAYOUT[region]
        if offset < 0 or size < 0 or offset + size > area.size:
            raise ValueError(f"{size} bytes at {offset} lie outside region {region} of {area.size} bytes")
        return area.offset + offset

    # ---------------------------------------------------------------------------------------------------- faults
    def cut_at(self, write_index: int, torn_bytes: int) -> None:
        """Lose the power in the write of this number after `torn_bytes` of it: 0 is before it, its length (or more) after it."""
        self._cut = (write_index, torn_bytes)

    def stick(self, region: str, offset: int, value: int) -> None:
        """From now on this byte holds `value` whatever is written (a worn-out cell)."""
        address = self._address(region, offset, 1)
        self._stuck[address] = value
        self._bytes[address] = value

    def flip(self, region: str, offset: int, bit: int) -> None:
        """Turn one bit over, as radiation would; not a write."""
        self._bytes[self._address(region, offset, 1)] ^= 1 << bit

    # -------------------------------------------------------------------------------------------------- identity
    def _identity(self) -> tuple[bytes, str, str]:
        body = self.read("identity", 0, _IDENTITY.size)
        if self.read("identity", _IDENTITY.size, _CRC_BYTES) != _crc(body):
            raise MemoryFault("identity", "the CRC does not hold; restore the state file from a copy")
        magic, number, memory_id, serial, profile = _IDENTITY.unpack(body)
        if magic != _MAGIC or number != LAYOUT_NUMBER:
            raise MemoryFault("identity", f"layout {number} is not layout {LAYOUT_NUMBER}; use the program version that wrote it")
        return memory_id, serial.rstrip(b"\0").decode("ascii"), profile.rstrip(b"\0").decode("ascii")

    @property
    def memory_id(self) -> bytes:
        """8 random bytes made when the memory was formatted."""
        return self._identity()[0]

    @property
    def serial(self) -> str:
        """Serial number of the pump this memory belongs to."""
        return self._identity()[1]

    @property
    def profile(self) -> str:
        """Name of the pump model."""
        return self._identity()[2]

    # -------------------------------------------------------------------------------------------------- pairings
    def pairing(self, programmer_id: bytes) -> Pairing | None:
        """The pairing of this programmer, or None."""
        number = self.pairing_number(programmer_id)
        return None if number is None else self._pairing(number)

    def pairing_number(self, programmer_id: bytes) -> int | None:
        """Position (0 to 7) of this programmer's pairing record, or None."""
        for number in range(_PAIRINGS):
            found = self._pairing(number)
            if found is not None and found.programmer_id == programmer_id:
                return number
        return None

    def pair(self, pairing: Pairing) -> None:
        """Store a pairing; the same programmer's older one is replaced and keeps its command ids.

        Done over the provisioning port only. Raises PairingTableFull, ValueError for wrong lengths.
        """
        if len(pairing.programmer_id) != 8 or len(pairing.key) != 32:
            raise ValueError("a programmer id has 8 bytes and a pairing key 32")
        number = self.pairing_number(pairing.programmer_id)
        if number is None:
            free = [n for n in range(_PAIRINGS) if not any(self.read("pairings", n * _PAIRING_STEP, _PAIRING_STEP))]
            if not free:
                raise PairingTableFull
            number = free[0]
        body = _PAIRING.pack(1, pairing.programmer_id, pairing.role, pairing.key)
        self.write("pairings", number * _PAIRING_STEP, body + _crc(body))

    def damaged_pairings(self) -> int:
        """Pairing records that hold something but fail their CRC."""
        raw = [self.read("pairings", number * _PAIRING_STEP, _PAIRING_STEP) for number in range(_PAIRINGS)]
        return sum(any(record) and self._pairing(number) is None for number, record in enumerate(raw))

    def _pairing(self, number: int) -> Pairing | None:
        raw = self.read("pairings", number * _PAIRING_STEP, _PAIRING.size + _CRC_BYTES)
        body = raw[: _PAIRING.size]
        if raw[_PAIRING.size :] != _crc(body):
            return None
        used, programmer_id, role, key = _PAIRING.unpack(body)
        return Pairing(programmer_id, Role(role), key) if used == 1 else None


def _crc(body: bytes) -> bytes:
    """CRC-32 over the body; never zero for a body of zeros, so that blank memory does not pass for a record."""
    return zlib.crc32(body).to_bytes(_CRC_BYTES, "big")
