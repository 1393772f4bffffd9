"""The two-slot journal: the durable state is replaced as a whole or not at all.

A new record goes into the slot that is not in force, is read back, and is in force from the byte that completes its CRC: of two
whole records the one with the higher sequence counts. A power cut at any byte leaves the old record whole. Not modelled: slots
in different chips.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from firmware_sim.firmware.cells import CRC_BYTES, sealed, unsealed
from firmware_sim.firmware.durable import Durable, decode_durable, encode_durable
from firmware_sim.firmware.memory import JOURNAL_SLOT_BYTES, Memory, MemoryFault

__all__ = ["Journal", "Loaded"]

_SLOTS = ("journal_a", "journal_b")
_LENGTH_BYTES = 2


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the slots held. `state` is None when neither is whole; `damaged` counts slots that are not."""

    state: Durable | None
    damaged: int


class Journal:
    """Reads and replaces the durable state."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._next_slot = 0

    def load(self) -> Loaded:
        """The state in force. Called once at boot, before `store`."""
        found: list[tuple[int, Durable]] = []
        damaged = 0
        for slot, region in enumerate(_SLOTS):
            state = _read(self._memory, region)
            if state is None:
                damaged += 1
            else:
                found.append((slot, state))
        if not found:
            return Loaded(None, damaged)
        slot, state = max(found, key=lambda item: item[1].sequence)
        self._next_slot = 1 - slot
        return Loaded(state, damaged)

    def store(self, state: Durable) -> Durable:
        """Make `state` durable with the next sequence number; returns it as stored.

        Raises MemoryFault if it does not read back (the old state is then still in force), PowerLost where a cut was set.
        """
        numbered = replace(state, sequence=state.sequence + 1)
        body = encode_durable(numbered)
        record = sealed(len(body).to_bytes(_LENGTH_BYTES, "big") + body)
        if len(record) > JOURNAL_SLOT_BYTES:
            raise MemoryFault(_SLOTS[self._next_slot], f"a record of {len(record)} bytes does not fit; this is a defect of the pump")
        region = _SLOTS[self._next_slot]
        self._memory.write(region, 0, record)
        if self._memory.read(region, 0, len(record)) != record:
            raise MemoryFault(region, "a written record does not read back; the pump needs service")
        self._next_slot = 1 - self._next_slot
        return numbered


def _read(memory: Memory, region: str) -> Durable | None:
    """The record of a slot; None if it is damaged or blank."""
    raw = memory.read(region, 0, JOURNAL_SLOT_BYTES)
    size = _LENGTH_BYTES + int.from_bytes(raw[:_LENGTH_BYTES], "big") + CRC_BYTES
    body = unsealed(raw[:size]) if size <= JOURNAL_SLOT_BYTES else None
    if body is None:
        return None
    try:
        return decode_durable(body[_LENGTH_BYTES:])
    except ValueError:
        # The CRC held but the content has no meaning: as useless as a torn record.
        return None
