"""One step of work on the registry: rows written together, each with its digest in the audit, or nothing at all.

The only way in which this room writes rows. Not here: taking the turn and the transaction (`engine.writing`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from itbpump.registry import chain
from itbpump.registry.engine import writing
from itbpump.registry.errors import Contradiction
from itbpump.registry.tables import audit

__all__ = ["Unit", "working"]


class Unit:
    """Collects what was done; `working` seals it. `by`: an opaque staff id, or the name of a job."""

    def __init__(self, connection: Connection, by: str, at: datetime) -> None:
        self.connection, self.by, self.at = connection, by, at
        self._entries: list[tuple[str, str, str, Mapping[str, Any]]] = []

    def insert(self, table: sa.Table, values: Mapping[str, Any], action: str = "recorded") -> Any:
        """A new row; gives its id. Every column that is not nullable must be given: the database fills in nothing."""
        result = self.connection.execute(sa.insert(table).values(dict(values)))
        found = result.inserted_primary_key
        key = values["id"] if "id" in values else found[0] if found is not None else None
        self._vouch(action, table, key)
        return key

    def update(self, table: sa.Table, key: Any, changes: Mapping[str, Any], action: str = "changed") -> None:
        """Change a row that is there."""
        self.connection.execute(sa.update(table).where(table.c.id == key).values(dict(changes)))
        self._vouch(action, table, key)

    def note(self, action: str, subject: str, subject_id: str, content: Mapping[str, Any]) -> None:
        """Something that is no row: a backup, an import, a migration. `row` is a reserved key."""
        self._entries.append((action, subject, subject_id, {"note": dict(content)}))

    def _vouch(self, action: str, table: sa.Table, key: Any) -> None:
        row = self.connection.execute(sa.select(table).where(table.c.id == key)).mappings().one()
        self._entries.append((action, table.name, str(key), {"row": chain.row_digest(dict(row))}))

    def seal(self) -> None:
        """Append the audit of everything done since the last seal."""
        if not self._entries:
            return
        before = chain.head_of(self.connection)
        after, rows = chain.append(before, self._entries, self.by, self.at)
        self.connection.execute(sa.insert(audit), rows)
        chain.write_head(self.connection, before, after)
        self._entries = []


@contextmanager
def working(engine: Engine, by: str, at: datetime) -> Iterator[Unit]:
    """A step of work. Raises RegistryError, and Contradiction for a nameless author or a time without its offset; then nothing is kept."""
    if not by.strip():
        raise Contradiction("nobody is named who does this", "give the staff id")
    if at.utcoffset() is None:
        raise Contradiction(f"the time {at.isoformat()} has no offset from UTC", "pass an aware datetime")
    with writing(engine) as connection:
        unit = Unit(connection, by, at)
        yield unit
        unit.seal()
