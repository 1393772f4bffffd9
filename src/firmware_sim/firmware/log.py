"""The event log: a ring of 1,024 numbered entries, each tied to the one before by a hash.

Entries are only ever appended; the oldest go first, and a reader asking for lost ones gets a `gap` entry that says how many. An
entry's hash covers its bytes and the hash before it, so a changed or removed entry shows (SR-61). A torn entry is dropped at boot.
Entries that belong to a change of the durable state are written with it in the journal and copied here (`EventLog.adopt`).
Not modelled: protection against someone who can rewrite the whole memory.
"""

from __future__ import annotations

import hashlib
import struct

from firmware_sim.firmware.cells import sealed, unsealed
from firmware_sim.firmware.memory import LAYOUT, Memory
from itbpump.wire.messages import LogEntry, LogKind

__all__ = ["ENTRIES", "EventLog"]

_ENTRY = struct.Struct(">IQIBQQ8s")
_STEP = 64
ENTRIES = LAYOUT["log"].size // _STEP
_FIRST_LINK = bytes(8)
_KINDS = frozenset(LogKind)
_RECORD_BYTES = _ENTRY.size + 4


class EventLog:
    """Appends to and reads the ring. Sequence numbers start at 0."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.next_seq = 0
        self._link = _FIRST_LINK
        self.broken_links = 0
        """Entries whose hash did not fit the one before when the log was loaded."""

    def load(self) -> None:
        """Find the newest entry and check the chain. Called at boot."""
        self.next_seq, self._link, self.broken_links = 0, _FIRST_LINK, 0
        found = {entry.seq: (entry, link) for entry, link in filter(None, map(self._stored, range(ENTRIES)))}
        if not found:
            # Formatting made the first entry: a ring without any has lost them all.
            self.broken_links = 1
            return
        newest = max(found)
        # The place after the newest may hold the torn beginning of an entry that was never finished.
        oldest = max(0, newest + 2 - ENTRIES)
        link = None if oldest else _FIRST_LINK
        for seq in range(oldest, newest + 1):
            if seq not in found:
                self.broken_links += 1
                link = None
                continue
            entry, stored = found[seq]
            if link is not None and stored != _hash(entry, link):
                self.broken_links += 1
            link = stored
        self.next_seq = newest + 1
        self._link = found[newest][1]

    def prepare(self, uptime_ms: int, wall_s: int, kind: LogKind, a: int = 0, b: int = 0) -> bytes:
        """Record of the next entry, to be journaled with a change and then given to `adopt`. Numbers are taken at once."""
        entry = LogEntry(seq=self.next_seq, uptime_ms=uptime_ms, wall_s=wall_s, kind=kind, a=a, b=b)
        self._link = _hash(entry, self._link)
        self.next_seq += 1
        return sealed(_fields(entry, self._link))

    def adopt(self, record: bytes) -> None:
        """Put a prepared record into the ring; again after a reset if need be, which changes nothing, also where the ring has gone round
        since."""
        stored = self._stored(record_seq(record) % ENTRIES)
        if stored is not None and stored[0].seq > record_seq(record):
            return
        self._memory.write_changed("log", record_seq(record) % ENTRIES * _STEP, record)

    def append(self, uptime_ms: int, wall_s: int, kind: LogKind, a: int = 0, b: int = 0) -> int:
        """Log something that changes no durable state. Returns its sequence number."""
        self.adopt(self.prepare(uptime_ms, wall_s, kind, a, b))
        return self.next_seq - 1

    def mark(self) -> tuple[int, bytes]:
        """Place to go back to with `rewind` if the journal refuses a change whose entries were prepared."""
        return self.next_seq, self._link

    def rewind(self, mark: tuple[int, bytes]) -> None:
        """Forget prepared entries that were not adopted."""
        self.next_seq, self._link = mark

    def page(self, from_seq: int, max_entries: int) -> tuple[LogEntry, ...]:
        """At most `max_entries` entries from `from_seq` on, in order; the first is a gap entry (a lost, b first lost) if some are gone.

        A gap entry carries the number of the last lost entry, so that a reader goes on at the number after it. A reader's loop over
        pages ends with an empty page.
        """
        entries: list[LogEntry] = []
        seq = from_seq
        while seq < self.next_seq and len(entries) < max_entries:
            stored = self._stored(seq % ENTRIES)
            if stored is not None and stored[0].seq == seq:
                entries.append(stored[0])
                seq += 1
                continue
            first_lost = seq
            while seq < self.next_seq and not self._holds(seq):
                seq = max(seq + 1, self.next_seq - ENTRIES)
            entries.append(LogEntry(seq=seq - 1, uptime_ms=0, wall_s=0, kind=LogKind.GAP, a=seq - first_lost, b=first_lost))
        return tuple(entries)

    def _holds(self, seq: int) -> bool:
        stored = self._stored(seq % ENTRIES)
        return stored is not None and stored[0].seq == seq

    def _stored(self, place: int) -> tuple[LogEntry, bytes] | None:
        body = unsealed(self._memory.read("log", place * _STEP, _RECORD_BYTES))
        if body is None:
            return None
        seq, uptime_ms, wall_s, kind, a, b, link = _ENTRY.unpack(body)
        if seq % ENTRIES != place or kind not in _KINDS:
            # Whole, but not what belongs here: as lost as a damaged one.
            return None
        return LogEntry(seq=seq, uptime_ms=uptime_ms, wall_s=wall_s, kind=LogKind(kind), a=a, b=b), link


def record_seq(record: bytes) -> int:
    """Sequence number of a prepared record."""
    return int.from_bytes(record[:4], "big")


def _fields(entry: LogEntry, link: bytes) -> bytes:
    return _ENTRY.pack(entry.seq, entry.uptime_ms, entry.wall_s, entry.kind, entry.a, entry.b, link)


def _hash(entry: LogEntry, before: bytes) -> bytes:
    return hashlib.sha256(before + _fields(entry, bytes(8))).digest()[:8]
