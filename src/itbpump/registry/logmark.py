"""How far the registry knows a pump's log, so that the next contact reads only what is newer.

A mark is the newest entry that a reading brought, as a digest, with the newest fill up to there, from which dates count. It stands in the
reading's `link` column. The pump sends no hash of its chain, so the joint is checked by reading the entry of the mark once more: number,
times and arguments must be the same. `read_from` reads on from there, or the whole log where that does not fit, and says why.

A reading leaves a mark only where its log joins what is known or was read from its beginning: with a hole in between, the next contact
reads all of it. Not here: what is made of the entries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from itbpump.wire.messages import LogEntry, LogKind

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

__all__ = ["WHOLE", "LogMark", "LogRead", "form_of", "mark_in", "mark_of", "newest_mark", "read_from"]

WHOLE: Final = 0
"""The log was read from its beginning, or from the oldest entry that the pump still has."""


class LogMark(NamedTuple):
    """Number and digest of the newest entry that is known; `fill`: the newest fill up to it, None without one."""

    seq: int
    digest: str
    fill: LogEntry | None


class _Form(msgspec.Struct, frozen=True):
    seq: int
    sha256: str
    fill: tuple[int, int, int, int, int] | None


class _Link(msgspec.Struct, frozen=True):
    log: _Form | None = None


class LogRead(NamedTuple):
    """Entries oldest first, the fill of the mark before them; the number from which on none is missing; and what a person must know."""

    entries: tuple[LogEntry, ...]
    since_seq: int
    note: str = ""


# ------------------------------------------------------------------------------------------------ at the pump
def read_from(log: Callable[[int], Iterable[LogEntry]], held: LogMark | None) -> LogRead:
    """What is newer than `held`, and its own entry; the whole log without one, after a hole, and where another log stands there.

    `log` gives the entries from a number on, oldest first; what it raises goes through.
    """
    if held is None:
        return LogRead(tuple(log(0)), WHOLE)
    newer = tuple(log(held.seq))
    if any(entry.kind is LogKind.GAP for entry in newer):
        note = "The pump has lost entries of its log since its last contact: it was read whole. See what is missing: itbpump log URL"
    elif not newer or _digest(newer[0]) != held.digest:
        note = (
            f"The pump's log is not the one that the registry knows (entry {held.seq} is another): it was read whole. Compare the serial "
            "on the pump and find out what became of its memory."
        )
    else:
        before = () if held.fill is None or held.fill.seq >= held.seq else (held.fill,)
        return LogRead((*before, *newer), held.seq)
    return LogRead(tuple(log(0)), WHOLE, note)


# ------------------------------------------------------------------------------------------------ in the registry
def mark_of(log: Sequence[LogEntry], since_seq: int | None, held: LogMark | None) -> LogMark | None:
    """The mark that a reading leaves behind. `since_seq`: from where on its log is whole, None where that is not known; `held`: the mark
    of the reading before it."""
    if not log or since_seq is None or not (since_seq == WHOLE or (held is not None and held.seq >= since_seq)):
        return None
    fills = [entry for entry in log if entry.kind is LogKind.REFILL]
    return LogMark(log[-1].seq, _digest(log[-1]), fills[-1] if fills else None)


def form_of(mark: LogMark) -> dict[str, Any]:
    """For the column `link`."""
    return {"seq": mark.seq, "sha256": mark.digest, "fill": None if mark.fill is None else _numbers(mark.fill)}


def mark_in(link: str | None) -> LogMark | None:
    """The mark in that column; None where there is none, as of an earlier version, or of a reading without a whole log. One that was
    changed past the program is none either: `verify` tells of it, and the log is read whole."""
    try:
        form = msgspec.json.decode(link, type=_Link).log if link else None
    except msgspec.DecodeError:
        return None
    if form is None:
        return None
    fill = None
    if form.fill is not None:
        seq, uptime_ms, wall_s, a, b = form.fill
        fill = LogEntry(seq=seq, uptime_ms=uptime_ms, wall_s=wall_s, kind=LogKind.REFILL, a=a, b=b)
    return LogMark(form.seq, form.sha256, fill)


def newest_mark(connection: Connection, serial: str, memory_id: bytes) -> LogMark | None:
    """Of the newest reading of this pump with this memory; None where there is none."""
    import sqlalchemy as sa  # noqa: PLC0415  (at the pump no database is needed)

    from itbpump.registry.tables import NEWEST_READING, interrogations, pumps  # noqa: PLC0415

    query = (
        sa.select(interrogations.c.link)
        .join(pumps, pumps.c.id == interrogations.c.pump_id)
        .where(pumps.c.serial == serial, pumps.c.memory_id == memory_id.hex())
        .order_by(*(column.desc() for column in NEWEST_READING))
    )
    return mark_in(connection.execute(query.limit(1)).scalar_one_or_none())


def _numbers(entry: LogEntry) -> tuple[int, ...]:
    return entry.seq, entry.uptime_ms, entry.wall_s, entry.a, entry.b


def _digest(entry: LogEntry) -> str:
    text = " ".join(map(str, (*_numbers(entry), int(entry.kind))))
    return hashlib.sha256(text.encode()).hexdigest()
