"""The audit: each row is SHA-256 over its canonical JSON and the digest of the row before, so that change, removal and reordering show.

An audit row about a row of another table carries that row's digest; `verify` compares the newest of them with what stands there now, so
that a change past this program shows as well, in any table. `audit_head` shows rows cut off the end. Who may write the whole database can
write all of it anew: against that, note the head digest elsewhere (`registry status` prints it, a backup holds it) and give it to `verify`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from itbpump.registry.tables import audit, audit_head

__all__ = ["GENESIS", "Breach", "Head", "append", "canonical", "head_of", "row_digest", "verify", "write_head"]

GENESIS: Final = "0" * 64
_ONLY_HEAD: Final = 1
_LINK = ("seq", "at", "by", "action", "subject", "subject_id", "content", "previous")


@dataclass(frozen=True, slots=True)
class Head:
    """The newest link of the chain; `seq` 0 and GENESIS before the first."""

    seq: int
    digest: str


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that cannot be right: where, and what."""

    where: str
    what: str


def canonical(form: Mapping[str, Any]) -> str:
    """JSON that is the same for the same content: sorted, without spaces, times in UTC, bytes by their SHA-256."""
    return json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, memoryview)):
        return hashlib.sha256(value).hexdigest()
    raise TypeError(f"{type(value).__name__} has no canonical form")


def row_digest(row: Mapping[str, Any]) -> str:
    """Of every column that is not NULL, so that a nullable column added later changes no digest."""
    return hashlib.sha256(canonical({name: value for name, value in row.items() if value is not None}).encode()).hexdigest()


def head_of(connection: Connection) -> Head:
    """Where the chain ends."""
    row = connection.execute(sa.select(audit_head.c.seq, audit_head.c.digest)).one_or_none()
    return Head(0, GENESIS) if row is None else Head(int(row.seq), str(row.digest))


def append(
    head: Head, entries: Sequence[tuple[str, str, str, Mapping[str, Any]]], by: str, at: datetime
) -> tuple[Head, list[dict[str, Any]]]:
    """Links for `entries` (action, subject, its id, content) after `head`, as rows to be inserted; and the new head."""
    rows: list[dict[str, Any]] = []
    for action, subject, subject_id, content in entries:
        row: dict[str, Any] = {
            "seq": head.seq + 1,
            "at": at.astimezone(UTC),
            "by": by,
            "action": action,
            "subject": subject,
            "subject_id": subject_id,
            "content": canonical(content),
            "previous": head.digest,
        }
        row["digest"] = _link_digest(row)
        head = Head(row["seq"], row["digest"])
        rows.append(row)
    return head, rows


def write_head(connection: Connection, before: Head, after: Head) -> None:
    """Move the head; the first time, make it."""
    values = {"seq": after.seq, "digest": after.digest}
    if before.seq:
        connection.execute(sa.update(audit_head).where(audit_head.c.id == _ONLY_HEAD).values(values))
    else:
        connection.execute(sa.insert(audit_head).values(id=_ONLY_HEAD, **values))


def _link_digest(row: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical({name: row[name] for name in _LINK}).encode()).hexdigest()


# ---------------------------------------------------------------------------------------------------- looking for breaches
def verify(connection: Connection, tables: Mapping[str, sa.Table], expected_head: str | None = None) -> Iterator[Breach]:
    """Everything that cannot be right; nothing for a sound registry. `tables`: those whose rows the audit vouches for.

    `expected_head`: a head digest noted earlier; that it is still a link of the chain shows that nothing up to it was written anew.
    """
    newest: dict[tuple[str, str], str] = {}
    found_expected = expected_head is None or expected_head == GENESIS
    before = Head(0, GENESIS)
    for row in connection.execute(sa.select(audit).order_by(audit.c.seq).execution_options(yield_per=2_000)).mappings():
        yield from _judged(dict(row), before)
        before = Head(int(row["seq"]), str(row["digest"]))
        found_expected = found_expected or row["digest"] == expected_head
        vouched = _vouched(row["content"])
        if vouched is not None:
            newest[row["subject"], row["subject_id"]] = vouched
    head = head_of(connection)
    if head != before:
        yield Breach("audit head", f"it names link {head.seq}, the audit ends with {before.seq}: links are gone, or the head was changed")
    if not found_expected:
        yield Breach("audit", "the head that was noted is not in the chain: it was written anew, or this is another registry")
    yield from _rows_against(connection, tables, newest)


def _vouched(content: str) -> str | None:
    """The row digest that a link carries; None for a note, and for content that was changed, which `_judged` has told."""
    try:
        form = json.loads(content)
    except ValueError:
        return None
    digest = form.get("row") if isinstance(form, dict) else None
    return digest if isinstance(digest, str) else None


def _judged(row: Mapping[str, Any], before: Head) -> Iterator[Breach]:
    where = f"audit link {row['seq']}"
    if row["seq"] != before.seq + 1:
        yield Breach(where, f"it follows link {before.seq}: links are gone or were put in")
    if row["previous"] != before.digest:
        yield Breach(where, "it does not continue the link before it")
    if row["digest"] != _link_digest(row):
        yield Breach(where, "its content was changed")


def _rows_against(connection: Connection, tables: Mapping[str, sa.Table], newest: dict[tuple[str, str], str]) -> Iterator[Breach]:
    for name, table in tables.items():
        for row in connection.execute(sa.select(table).order_by(table.c.id).execution_options(yield_per=2_000)).mappings():
            vouched = newest.pop((name, str(row["id"])), None)
            if vouched is None:
                yield Breach(f"{name} {row['id']}", "no audit link tells of this row: it was put in past this program")
            elif vouched != row_digest(dict(row)):
                yield Breach(f"{name} {row['id']}", "it is not as it was recorded: it was changed past this program")
    for subject, subject_id in newest:
        yield Breach(f"{subject} {subject_id}", "the audit tells of this row and it is gone")
