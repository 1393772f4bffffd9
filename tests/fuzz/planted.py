"""Defects put into the product on purpose, one for each harness at least: a harness that finds none of them proves nothing.

Each is a check that was left out. `plant` takes a function like `setattr`, so that a test can undo it. Not here: mutation of every line
(`scripts/mutate.py`), deliberate defects of the protocol (`tests/proof`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from itbpump.wire.errors import LengthError, TagError
from itbpump.wire.messages import ROLES, RecordType, Request, Role
from itbpump.wire.record import Header, Record, Sealer, parse_header

__all__ = ["PLANTED", "Planted", "Setter"]

Setter = Callable[[object, str, object], None]
"""`setattr`, or a monkeypatch of it."""


@dataclass(frozen=True)
class Planted:
    """One defect. `runs` is how many blind mutations of the corpus the test allows before it must be found."""

    harness: str
    what: str
    plant: Callable[[Setter], None]
    runs: int


def _buffer_without_cap(put: Setter) -> None:
    from itbpump.wire import frame

    put(frame, "MAX_ENCODED_BYTES", 1 << 30)


def _bytes_left_over(put: Setter) -> None:
    from itbpump.wire import messages

    sound = messages.decode_request

    def lax(raw: bytes) -> Request:
        try:
            return sound(raw)
        except LengthError:
            return sound(raw[:-1])

    put(messages, "decode_request", lax)


def _unknown_type(put: Setter) -> None:
    from itbpump.link import pump_side

    def trusting(body: bytes) -> Header:
        RecordType(body[1])
        return parse_header(body)

    put(pump_side, "parse_header", trusting)


def _tag_not_checked(put: Setter) -> None:
    sound = Sealer.open

    def lax(self: Sealer, body: bytes) -> Record:
        try:
            return sound(self, body)
        except TagError:
            header = parse_header(body)
            return Record(header.rtype, header.counter, b"\x02")

    put(Sealer, "open", lax)


def _roles_not_checked(put: Setter) -> None:
    from firmware_sim.firmware import core

    put(core, "ROLES", {message: frozenset(Role) for message in ROLES})


def _no_limits(put: Setter) -> None:
    from firmware_sim.firmware import core, prescribe

    for module in (core, prescribe):
        put(module, "check_bolus", lambda *_: None)


def _journal_without_crc(put: Setter) -> None:
    from firmware_sim.firmware import journal

    put(journal, "unsealed", lambda raw: raw[:-4])


def _context_taken_for_granted(put: Setter) -> None:
    from itbpump.therapy import files

    put(files, "_words", lambda detail, *_: (detail["ctx"]["expected"], None))


def _torn_end_refused(put: Setter) -> None:
    from itbpump.wire import pcapng

    sound = pcapng._blocks

    def strict(data: bytes) -> Iterator[object]:
        end = 0
        for block in sound(data):
            end = block.offset + 12 + len(block.body)
            yield block
        if end != len(data):
            raise pcapng.RecordingError("bytes are left over", end)

    put(pcapng, "_blocks", strict)


def _window_without_end(put: Setter) -> None:
    from firmware_sim.faults.when import When

    sound = When.next_after

    def endless(self: When, number: int, seed: object) -> int | None:
        following = sound(self, number, seed)
        return number if following is None and self.window is not None else following

    put(When, "next_after", endless)


def _foreign_numbers(put: Setter) -> None:
    from firmware_sim import state_file

    put(state_file, "_from_json", lambda value: value)


PLANTED: Final = {
    "buffer": Planted("frame", "an unfinished frame is buffered without end", _buffer_without_cap, 3_000),
    "left-over": Planted("message", "bytes behind a request are ignored", _bytes_left_over, 3_000),
    "record-type": Planted("record", "an unknown record type is looked up without asking", _unknown_type, 3_000),
    "tag": Planted("record", "a record is taken although its tag does not hold", _tag_not_checked, 3_000),
    "roles": Planted("session", "an observer may command", _roles_not_checked, 3_000),
    "limits": Planted("session", "the pump judges no bolus", _no_limits, 3_000),
    "journal": Planted("damage", "a journal record counts without its CRC", _journal_without_crc, 300),
    "context": Planted("prescription", "every problem is taken to have an expected value", _context_taken_for_granted, 300),
    "torn": Planted("capture", "a torn end is refused", _torn_end_refused, 300),
    "window": Planted("plan", "a window has no end", _window_without_end, 300),
    "number": Planted("state", "bytes in a state are not read back as bytes", _foreign_numbers, 300),
}
