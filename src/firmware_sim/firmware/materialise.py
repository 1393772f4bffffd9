"""Writes into the memory what the pump wrote between events: pulse records and the alive stamp.

A pump makes up to tens of thousands of pulses a day, each with a record of intent before it and of done after it, and stamps every full
minute of uptime. The simulation does not execute these writes; they are a pure function of time, and this module puts the bytes that
would be there at a given instant. A test executes them one by one and compares. Not modelled: a cut within a stamp of time.
"""

from __future__ import annotations

from enum import Enum

from firmware_sim.firmware.cells import ALIVE, DONE, INTENT, Cell
from firmware_sim.firmware.memory import Memory

__all__ = ["MINUTE_MS", "PulsePhase", "place_pulses", "place_stamps"]

MINUTE_MS = 60_000


class PulsePhase(Enum):
    """How far the next pulse has come at the instant of a power cut."""

    NONE = "none"
    """It has not begun."""
    INTENT = "intent"
    """Its intent is written; the motor has not moved."""
    MOVED = "moved"
    """The motor has moved; it is not yet written that it has."""
    DONE = "done"
    """It is written that the motor has moved."""

    @property
    def moved(self) -> bool:
        """Whether the pulse was truly made: the plant has one pulse more than were due."""
        return self in (PulsePhase.MOVED, PulsePhase.DONE)


def place_pulses(memory: Memory, boot_pulses: int, pulses: int, phase: PulsePhase, torn_bytes: int | None) -> None:
    """Put the pulse records as of `pulses` made since formatting, of which `boot_pulses` before this start.

    torn_bytes: how much of the last record of `phase` was written (INTENT: of the intent, DONE: of the done); None for all of it.
    """
    for number in (pulses - 1, pulses):
        if number > boot_pulses:
            INTENT.place(memory, Cell(number))
            DONE.place(memory, Cell(number))
    if phase is not PulsePhase.NONE:
        INTENT.place(memory, Cell(pulses + 1), torn_bytes if phase is PulsePhase.INTENT else None)
    if phase is PulsePhase.DONE:
        DONE.place(memory, Cell(pulses + 1), torn_bytes)


def place_stamps(memory: Memory, last_stamped: int, uptime_ms: int, sequence: int) -> int:
    """Put the stamps of the full minutes after minute `last_stamped` up to `uptime_ms`, all with one journal sequence.

    A stamp at the very ms of a change comes before it. Returns the last minute stamped.
    """
    minute = uptime_ms // MINUTE_MS
    for number in (minute - 1, minute):
        if number > last_stamped:
            ALIVE.place(memory, Cell(number, sequence))
    return max(minute, last_stamped)
