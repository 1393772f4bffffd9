"""A copy of the pump's log on this side of the line: newest page first, then what came before, and what is added.

Entries live in two lists that only grow: `newer` upwards from the first page read, `older` downwards from it. A `LogView` is a pair of
lengths over them, so that each of many snapshots shows a log of its own without a copy, and a view once given never changes. When the
mirror is full, its newest part goes on in new lists; old views keep theirs. Pure; `reader` fetches the pages. Not here: filters, words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, overload

if TYPE_CHECKING:
    from itbpump.wire.messages import LogEntry

__all__ = ["EMPTY_LOG", "MOST_ENTRIES", "LogMirror", "LogView"]

MOST_ENTRIES: Final = 50_000
"""Bound of the mirror; at 25 entries a day more than five years. A pump itself keeps some 1,000."""


class LogView(Sequence["LogEntry"]):
    """The log as it was mirrored at one moment, oldest first; never changes."""

    __slots__ = ("_length", "_newer", "_older", "_older_length")

    def __init__(self, older: list[LogEntry], newer: list[LogEntry]) -> None:
        self._older, self._newer = older, newer
        self._older_length = len(older)
        self._length = self._older_length + len(newer)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> LogEntry: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[LogEntry, ...]: ...
    def __getitem__(self, index: int | slice) -> LogEntry | tuple[LogEntry, ...]:
        if isinstance(index, slice):
            return tuple(self._at(place) for place in range(*index.indices(self._length)))
        place = index + self._length if index < 0 else index
        if not 0 <= place < self._length:
            raise IndexError(f"entry {index} of {self._length}")
        return self._at(place)

    def _at(self, place: int) -> LogEntry:
        older = self._older_length
        return self._older[older - 1 - place] if place < older else self._newer[place - older]

    def __iter__(self) -> Iterator[LogEntry]:
        return (self._at(place) for place in range(self._length))


EMPTY_LOG: Final = LogView([], [])


class LogMirror:
    """What has been read so far: the stretch [first, end) of sequence numbers. One thread changes it; any may read its views."""

    def __init__(self, most: int = MOST_ENTRIES) -> None:
        self._most = most
        self._older: list[LogEntry] = []
        self._newer: list[LogEntry] = []
        self.first = 0
        self.end: int | None = None
        """Number after the newest entry; None before the first page."""
        self.dropped = 0
        """Entries that were read and given up again because the mirror is full."""
        self.whole = False
        """Nothing older is to be had: the pump's first entry is here, or the gap that tells what it has lost."""
        self.last_refill: LogEntry | None = None

    def __len__(self) -> int:
        return len(self._older) + len(self._newer)

    @property
    def wants_older(self) -> bool:
        """Older entries are still to be read, and there is room for them."""
        return self.end is not None and not self.whole and not self.dropped and len(self) < self._most

    def view(self) -> LogView:
        """The log as it is now; costs nothing."""
        return LogView(self._older, self._newer)

    def begin(self, entries: Sequence[LogEntry], from_seq: int, next_seq: int) -> None:
        """Forget everything and start with the newest page: asked from `from_seq`, `next_seq` is the number after it."""
        self._older, self._newer = [], list(entries)
        self.first = from_seq
        self.end = next_seq
        self.dropped = 0
        self.whole = self.first == 0
        self.last_refill = None
        self._note_refills(entries)

    def extend(self, entries: Sequence[LogEntry]) -> None:
        """Add entries that follow; what was lost between is told by the gap entry among them. ValueError for any that is here already."""
        if self.end is None or (entries and entries[0].seq < self.end):
            raise ValueError(f"entries from {entries[0].seq if entries else '?'} on do not follow {self.end}")
        if not entries:
            return
        self._newer.extend(entries)
        self.end = entries[-1].seq + 1
        self._note_refills(entries)
        if len(self) > self._most:
            self._drop()

    def prepend(self, entries: Sequence[LogEntry], from_seq: int) -> None:
        """Add entries that come before, oldest first; `from_seq` is the number they were asked from. ValueError for any that is here."""
        if entries and entries[-1].seq >= self.first:
            raise ValueError(f"entries up to {entries[-1].seq} do not come before {self.first}")
        self._older.extend(reversed(entries))
        self.first = min(from_seq, self.first)
        self.whole = self.first == 0
        if self.last_refill is None:
            self._note_refills(entries)

    def close_gap(self) -> None:
        """Nothing before the oldest entry is left in the pump: say so by a gap entry, as the pump does to one who asks from 0."""
        from itbpump.wire.messages import LogEntry, LogKind  # noqa: PLC0415 -- an empty log, which the first page has, needs no messages

        place = self._older[-1] if self._older else self._newer[0] if self._newer else None
        oldest = place.seq if place is not None else self.first
        if oldest > 0:
            self._older.append(LogEntry(seq=oldest - 1, uptime_ms=0, wall_s=0, kind=LogKind.GAP, a=oldest, b=0))
        self.first = 0
        self.whole = True

    def _drop(self) -> None:
        """Go on with the newest nine tenths, so that the copying is rare."""
        kept = self._most * 9 // 10
        entries = list(self.view()[-kept:])
        self.dropped += len(self) - kept
        self._older, self._newer = [], entries
        self.first = entries[0].seq
        self.whole = False

    def _note_refills(self, entries: Sequence[LogEntry]) -> None:
        from itbpump.wire.messages import LogKind  # noqa: PLC0415 -- the same

        for entry in reversed(entries):
            if entry.kind is LogKind.REFILL:
                self.last_refill = entry
                return
