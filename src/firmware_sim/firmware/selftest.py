"""The checks of the power-on self-test as a table, and the two that need no memory: the random source and the version pair (SR-59).

`boot` carries them out before anything flows. A failed check is logged by its number with a detail, and raises the alarm of its row; a
fatal one means that no therapy can be trusted. Not modelled: a test pattern over all of the memory; every record has its CRC, and the
start's own journal record is read back before anything flows.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.memory import LAYOUT_NUMBER
from firmware_sim.profiles import FirmwareProfile

__all__ = ["ALARM_OF", "CHECKS", "NOISE_BYTES", "Check", "CheckRow", "NoiseFault", "fingerprint", "is_fatal", "noise_fault"]

NOISE_BYTES = 64
"""Length of the sample a start takes of the random source."""
_BLOCK = 8
_MOST_OF_ONE = 9
"""More than so many equal bytes of 64 come once in some 10^10 starts: the adaptive proportion test of NIST SP 800-90B 4.4.2."""


class Check(IntEnum):
    """Checks of the self-test; the number is the first argument of its log entry."""

    JOURNAL = 1
    CLOCK = 2
    CONFIGURATION = 3
    JOURNAL_OLD = 4
    JOURNAL_SLOT = 5
    COUNTERS = 6
    CELLS = 7
    LOG_CHAIN = 8
    RESULTS = 9
    PAIRINGS = 10
    VERSION = 11
    RANDOM_SOURCE = 12


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check. `tested` says what fails it, `detail` what its log entry tells beside it; `alarm` None: logged only."""

    check: Check
    alarm: Alarm | None
    tested: str
    detail: str
    source: str


_LOST, _REPAIRED = Alarm.MEMORY_LOST, Alarm.MEMORY_REPAIRED

CHECKS: Final[tuple[CheckRow, ...]] = (
    CheckRow(Check.JOURNAL, _LOST, "no journal slot is whole", "damaged slots", "SR-59 memory; safety 4.2"),
    CheckRow(Check.CLOCK, _LOST, "the clock shows less than the last time the pump ran at", "ms", "SR-59 clock"),
    CheckRow(Check.CONFIGURATION, _LOST, "the configuration in force does not decode or breaks the limits", "its revision", "SR-59, SR-02"),
    CheckRow(
        Check.JOURNAL_OLD, _LOST, "a stamp or a result is ahead of the newest whole journal record", "sequence that is lost", "safety 4.2"
    ),
    CheckRow(
        Check.JOURNAL_SLOT, None, "the slot not in force is damaged: what a power cut in a write leaves", "damaged slots", "safety 4.2"
    ),
    CheckRow(
        Check.COUNTERS, _REPAIRED, "the pulse counters are damaged or contradict the journal", "pulses by the schedule", "SR-59 counters"
    ),
    CheckRow(Check.CELLS, _REPAIRED, "the stamps of time, or the count of starts, are damaged", "1: stamps; 0: starts", "SR-59 counters"),
    CheckRow(Check.LOG_CHAIN, _REPAIRED, "an entry of the log is missing or does not follow from the one before", "links", "SR-61"),
    CheckRow(Check.RESULTS, _REPAIRED, "a kept result is damaged", "results", "SR-59 memory"),
    CheckRow(Check.PAIRINGS, _REPAIRED, "a pairing is damaged", "pairings", "SR-59 memory"),
    CheckRow(
        Check.VERSION,
        _LOST,
        "a program of other layout or constants wrote the configuration",
        "its revision",
        "SR-59 version pair",
    ),
    CheckRow(Check.RANDOM_SOURCE, Alarm.RANDOM_SOURCE, "a sample of the random source repeats itself", "the fault", "SR-59 RNG"),
)
ALARM_OF: Final = {entry.check: entry.alarm for entry in CHECKS}


def is_fatal(check: Check) -> bool:
    """Whether no therapy can be trusted when this check fails."""
    return ALARM_OF[check] is _LOST


def fingerprint(profile: FirmwareProfile) -> bytes:
    """8 bytes that differ where the layout of the memory or the constants of the profile differ."""
    return hashlib.sha256(LAYOUT_NUMBER.to_bytes(2, "big") + profile.constants_hash).digest()[:8]


class NoiseFault(IntEnum):
    """What is wrong with a sample of the random source; the detail of its log entry."""

    NONE = 0
    REPEATED_BLOCK = 1
    ONE_BYTE_TOO_OFTEN = 2


def noise_fault(sample: bytes) -> NoiseFault:
    """Judge `NOISE_BYTES` bytes: no block of 8 stands in them twice, and no byte too often. Raises ValueError for another length.

    It finds a source that is stuck or repeats within the sample; that it is unpredictable nobody can test.
    """
    if len(sample) != NOISE_BYTES:
        raise ValueError(f"a sample of the random source has {NOISE_BYTES} bytes, not {len(sample)}")
    blocks = [sample[at : at + _BLOCK] for at in range(0, NOISE_BYTES, _BLOCK)]
    if len(set(blocks)) < len(blocks):
        return NoiseFault.REPEATED_BLOCK
    if max(Counter(sample).values()) > _MOST_OF_ONE:
        return NoiseFault.ONE_BYTE_TOO_OFTEN
    return NoiseFault.NONE
