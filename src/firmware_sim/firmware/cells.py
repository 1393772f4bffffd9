"""Records that survive a torn write: numbered cells in pairs, each with its CRC-32.

A record with number n is written to cell n mod 2, so the one before it stays whole while it is written. Reading gives the
highest-numbered record whose CRC holds. Not modelled: cells that read differently twice.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from firmware_sim.firmware.memory import Memory

__all__ = ["ALIVE", "CRC_BYTES", "DONE", "INTENT", "RESETS", "Cell", "CellPair", "sealed", "unsealed"]

CRC_BYTES = 4
_CELL = struct.Struct(">Qq")


def sealed(body: bytes) -> bytes:
    """The body and its CRC-32."""
    return body + zlib.crc32(body).to_bytes(CRC_BYTES, "big")


def unsealed(raw: bytes) -> bytes | None:
    """The body if its CRC-32 holds, else None."""
    body = raw[:-CRC_BYTES]
    return body if raw[-CRC_BYTES:] == zlib.crc32(body).to_bytes(CRC_BYTES, "big") else None


@dataclass(frozen=True, slots=True)
class Cell:
    """One record: its number (≥ 0, rising by one from write to write) and a signed value."""

    number: int
    value: int = 0


@dataclass(frozen=True, slots=True)
class CellPair:
    """Two cells of a region, from `offset` on."""

    region: str
    offset: int

    BYTES = _CELL.size + CRC_BYTES

    def format(self, memory: Memory) -> None:
        """Record number 0 in both cells."""
        self.fill(memory, Cell(0))

    def fill(self, memory: Memory, cell: Cell) -> None:
        """The record in both cells, whatever later ones they held; two memory writes at most."""
        self._put(memory, 0, cell)
        self._put(memory, 1, cell)

    def write(self, memory: Memory, cell: Cell) -> None:
        """Store the record; one memory write, none if the bytes are there already."""
        self._put(memory, cell.number & 1, cell)

    def read(self, memory: Memory) -> Cell | None:
        """The newest whole record; None if both cells are damaged."""
        whole = [cell for cell in self.cells(memory) if cell is not None]
        return max(whole, key=lambda cell: cell.number, default=None)

    def cells(self, memory: Memory) -> tuple[Cell | None, Cell | None]:
        """Both cells as they stand; None where the CRC does not hold."""
        first, second = (unsealed(memory.read(self.region, self.offset + place * self.BYTES, self.BYTES)) for place in (0, 1))
        return (Cell(*_CELL.unpack(first)) if first else None, Cell(*_CELL.unpack(second)) if second else None)

    def place(self, memory: Memory, cell: Cell, torn_bytes: int | None = None) -> None:
        """Put a record that was written between events; the first `torn_bytes` of it if it was being written when the power went."""
        memory.place(self.region, self.offset + (cell.number & 1) * self.BYTES, sealed(_CELL.pack(cell.number, cell.value))[:torn_bytes])

    def _put(self, memory: Memory, place: int, cell: Cell) -> None:
        memory.write_changed(self.region, self.offset + place * self.BYTES, sealed(_CELL.pack(cell.number, cell.value)))


RESETS = CellPair("resets", 0)
"""Number: power-on resets since formatting."""
INTENT = CellPair("pulses", 0)
"""Number: the pulse the motor is about to make, written before it."""
DONE = CellPair("pulses", 2 * CellPair.BYTES)
"""Number: the pulse the motor has made, written after it."""
ALIVE = CellPair("alive", 0)
"""Number: a full minute of uptime at which the pump ran. Value: sequence of the journal record then in force; a journal that has only
older ones has lost it."""
