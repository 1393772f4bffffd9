"""Results of commands: a ring of 16 per paired programmer, so that a repeated command is answered and never carried out again.

A result is journaled together with its effect and then copied into the ring; after a reset the copy is made good. A result of a bolus is
replaced when the bolus ends, any result when its programmer confirms it. A full ring pushes out its oldest result, but none of a
configuration or bolus that its programmer has not confirmed while there is another: a host that does not know what became of a dose may
stop the pump as often as it likes and still be told. Not modelled: results of programmers no longer paired.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from firmware_sim.firmware.cells import sealed, unsealed
from firmware_sim.firmware.durable import ProgrammerRecord
from firmware_sim.firmware.memory import Memory
from itbpump.wire.messages import PROGRAMMERS, RESULTS_PER_PROGRAMMER, BolusState, CommandKind, CommandResult, Outcome

__all__ = ["Found", "ResultsRing", "Verdict"]

_RESULT = struct.Struct(">8sQBBBI32sIQIIBB?")
_PLACE_BYTES = 2
_STEP = 128
_RECORD_BYTES = _RESULT.size + 4


class Verdict:
    """What the ring knows of a command id."""

    NEW = "new"
    KNOWN = "known"
    TOO_OLD = "too old"
    NEVER = "never taken"


@dataclass(frozen=True, slots=True)
class Found:
    """A verdict, with the result when it is known."""

    verdict: str
    result: CommandResult | None = None


class ResultsRing:
    """Reads and fills the rings; `number` is the programmer's pairing number."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def find(self, number: int, record: ProgrammerRecord, cmd_id: int) -> Found:
        """What is known of `cmd_id`.

        NEW: above the last id taken. NEVER: below it but certainly never taken, and it never will be. TOO_OLD: may have been taken, its
        result is gone.
        """
        if cmd_id > record.last_cmd_id:
            return Found(Verdict.NEW)
        kept = self.results(number, record)
        for result in kept:
            if result.cmd_id == cmd_id:
                return Found(Verdict.KNOWN, result)
        complete = len(kept) == min(record.results, RESULTS_PER_PROGRAMMER)
        return Found(Verdict.NEVER if complete and cmd_id > record.pushed_out else Verdict.TOO_OLD)

    def results(self, number: int, record: ProgrammerRecord) -> list[CommandResult]:
        """All results kept of one programmer, newest first."""
        stored = (self._stored(place) for place in _places(number, record))
        return sorted((result for result in stored if result is not None), key=lambda result: -result.cmd_id)

    def damaged(self, programmers: tuple[ProgrammerRecord, ...]) -> int:
        """Results that should be there but fail their CRC."""
        expected = sum(min(record.results, RESULTS_PER_PROGRAMMER) for record in programmers)
        return expected - sum(len(self.results(number, record)) for number, record in enumerate(programmers))

    def rebuilt(self) -> tuple[ProgrammerRecord, ...]:
        """Counters of the programmers as the rings themselves tell them, where the journal is lost."""
        return tuple(self._rebuilt(number) for number in range(PROGRAMMERS))

    def _rebuilt(self, number: int) -> ProgrammerRecord:
        stored = [self._stored(number * RESULTS_PER_PROGRAMMER + place) for place in range(RESULTS_PER_PROGRAMMER)]
        found = [(result.cmd_id, place) for place, result in enumerate(stored) if result is not None]
        if not found:
            return ProgrammerRecord()
        newest = max(found)[0]
        used = sum(any(self._memory.read("results", place * _STEP, _RECORD_BYTES)) for place in range(*_bounds(number)))
        # Nobody knows what a full ring has pushed out, nor what a damaged place held.
        return ProgrammerRecord(newest, used, newest if used == len(stored) or len(found) < used else 0)

    def ahead_of(self, programmers: tuple[ProgrammerRecord, ...]) -> tuple[ProgrammerRecord, ...]:
        """The journal's counters, and the ring's own where that holds a higher command id than the journal knows."""
        pairs = zip(programmers, self.rebuilt(), strict=True)
        return tuple(rebuilt if rebuilt.last_cmd_id > known.last_cmd_id else known for known, rebuilt in pairs)

    def kept(self, programmers: tuple[ProgrammerRecord, ...]) -> list[tuple[int, CommandResult]]:
        """All results kept, each with its programmer's number."""
        return [(number, result) for number, record in enumerate(programmers) for result in self.results(number, record)]

    def new_record(self, number: int, record: ProgrammerRecord, result: CommandResult) -> tuple[bytes, ProgrammerRecord]:
        """Journal form of a result that is added, and its programmer's counters after it."""
        places = _places(number, record)
        if len(places) < RESULTS_PER_PROGRAMMER:
            place, pushed_out = number * RESULTS_PER_PROGRAMMER + len(places), record.pushed_out
        else:
            place, gone = min(((place, self._stored(place)) for place in places), key=_push_out_order)
            # What a damaged place held is not known.
            pushed_out = max(record.pushed_out, record.last_cmd_id if gone is None else gone.cmd_id)
        after = ProgrammerRecord(result.cmd_id, record.results + 1, pushed_out)
        return place.to_bytes(_PLACE_BYTES, "big") + _encode(result), after

    def changed_record(
        self, number: int, record: ProgrammerRecord, cmd_id: int, change: Callable[[CommandResult], CommandResult]
    ) -> bytes | None:
        """Journal form of what `change` makes of the result of `cmd_id`, in its place; None if that is no longer kept."""
        for place in _places(number, record):
            stored = self._stored(place)
            if stored is not None and stored.cmd_id == cmd_id:
                return place.to_bytes(_PLACE_BYTES, "big") + _encode(change(stored))
        return None

    def adopt(self, record: bytes) -> None:
        """Copy a journaled result into its place; again after a reset if need be, which changes nothing."""
        place = int.from_bytes(record[:_PLACE_BYTES], "big")
        self._memory.write_changed("results", place * _STEP, sealed(record[_PLACE_BYTES:]))

    def _stored(self, place: int) -> CommandResult | None:
        body = unsealed(self._memory.read("results", place * _STEP, _RECORD_BYTES))
        return None if body is None else _decode(body)


def _places(number: int, record: ProgrammerRecord) -> range:
    """Places of the ring that hold a result of this programmer."""
    first = number * RESULTS_PER_PROGRAMMER
    return range(first, first + min(record.results, RESULTS_PER_PROGRAMMER))


def _bounds(number: int) -> tuple[int, int]:
    return number * RESULTS_PER_PROGRAMMER, (number + 1) * RESULTS_PER_PROGRAMMER


def _push_out_order(item: tuple[int, CommandResult | None]) -> tuple[bool, int]:
    """A damaged place goes first, then the oldest; a dose nobody has confirmed, given or refused, or that is being given, last of all."""
    _, result = item
    if result is None:
        return False, 0
    dosing = result.kind in (CommandKind.CONFIGURE, CommandKind.BOLUS)
    return dosing and (not result.confirmed or result.bolus_state is BolusState.RUNNING), result.cmd_id


def _encode(result: CommandResult) -> bytes:
    return _RESULT.pack(
        result.programmer,
        result.cmd_id,
        result.kind,
        result.outcome,
        result.error,
        result.error_detail,
        result.digest,
        result.revision,
        result.uptime_ms,
        result.requested_pulses,
        result.delivered_pulses,
        result.doubt_pulses,
        result.bolus_state,
        result.confirmed,
    )


def _decode(body: bytes) -> CommandResult:
    raw = _RESULT.unpack(body)
    return CommandResult(
        programmer=raw[0],
        cmd_id=raw[1],
        kind=CommandKind(raw[2]),
        outcome=Outcome(raw[3]),
        error=raw[4],
        error_detail=raw[5],
        digest=raw[6],
        revision=raw[7],
        uptime_ms=raw[8],
        requested_pulses=raw[9],
        delivered_pulses=raw[10],
        doubt_pulses=raw[11],
        bolus_state=BolusState(raw[12]),
        confirmed=raw[13],
    )
