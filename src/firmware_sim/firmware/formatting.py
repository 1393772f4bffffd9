"""Makes the memory of a new pump: formatted, unconfigured, stopped. Done once at manufacture, never by a running pump."""

from __future__ import annotations

from firmware_sim.firmware.cells import ALIVE, DONE, INTENT, RESETS
from firmware_sim.firmware.durable import Durable
from firmware_sim.firmware.journal import Journal
from firmware_sim.firmware.log import EventLog
from firmware_sim.firmware.memory import Memory
from itbpump.wire.messages import LogKind

__all__ = ["format_memory"]


def format_memory(memory_id: bytes, serial: str, profile_name: str) -> Memory:
    """The memory of a new pump. `memory_id` is 8 random bytes. Raises ValueError for lengths `Memory.blank` refuses."""
    memory = Memory.blank(memory_id, serial, profile_name)
    for pair in (RESETS, INTENT, DONE, ALIVE):
        pair.format(memory)
    EventLog(memory).append(0, 0, LogKind.FORMATTED, int.from_bytes(memory_id, "big"))
    journal = Journal(memory)
    # Both slots are whole from the start: a blank or damaged one later always means a fault.
    journal.store(journal.store(Durable()))
    return memory
