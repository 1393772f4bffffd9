"""A backup: every row of every table as lines of JSON, packed, with a checksum; and back into an empty registry.

One form for SQLite and PostgreSQL, so that a clinic's one file can move to a server and back. It is read in one transaction, so it is the
registry of one moment, also while others write; tables of rooms above this one are in it because the database is asked for its tables. It
goes back in one transaction: all of it, with its audit found sound, or nothing. Sealed by a passphrase (`sealed`) unless told otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from itbpump.registry import chain, schema
from itbpump.registry.base import Instant
from itbpump.registry.errors import BackupError, NewerRegistry, NotEmpty, OlderRegistry
from itbpump.registry.sealed import MAGIC, sealed, unsealed
from itbpump.registry.store import Registry

__all__ = ["back_up", "is_sealed", "restore"]

FORM: Final = "itbpump.registry-backup/1"
_STAMP: Final = "alembic_version"
_BATCH: Final = 1_000
_COPY: Final = "take another copy of it"


def back_up(
    registry: Registry,
    file: Path,
    *,
    at: datetime,
    passphrase: str | None,
    entropy: Callable[[int], bytes] = os.urandom,
    work: dict[str, int] | None = None,
) -> dict[str, int]:
    """Write a new file, mode 0600; rows by table. `passphrase` None: not sealed. BackupError if it is there or cannot be written."""
    counts: dict[str, int] = {}
    partial = file.with_name(file.name + ".part")
    if file.exists():
        raise BackupError(str(file), "there is a file already", "name another, so that no backup is lost")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out, registry.reading() as connection:
            packed = _packed(_lines(registry, connection, at, counts))
            for part in packed if passphrase is None else sealed(packed, passphrase, entropy, work):
                out.write(part)
            out.flush()
            os.fsync(out.fileno())
        partial.rename(file)
    except OSError as error:
        raise BackupError(str(file), f"it cannot be written ({error.strerror})", "name a folder with space that can be written") from error
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
    return counts


def _packed(lines: Iterable[str]) -> Iterator[bytes]:
    """gzip, with a last line that carries the checksum of all before it."""
    packer, whole = zlib.compressobj(6, zlib.DEFLATED, 31), hashlib.sha256()
    for line in lines:
        raw = line.encode() + b"\n"
        whole.update(raw)
        yield packer.compress(raw)
    yield packer.compress(json.dumps({"sha256": whole.hexdigest()}).encode() + b"\n")
    yield packer.flush()


def _lines(registry: Registry, connection: Connection, at: datetime, counts: dict[str, int]) -> Iterator[str]:
    tables = _tables(connection)
    head = chain.head_of(connection)
    form = {"form": FORM, "schema": schema.found_version(connection), "made_at": at.astimezone(UTC).isoformat(), "head": head.digest}
    yield json.dumps({**form, "seq": head.seq, "tables": [table.name for table in tables]})
    for table in tables:
        counts[table.name] = 0
        for row in connection.execute(sa.select(table).execution_options(yield_per=_BATCH)).mappings():
            counts[table.name] += 1
            yield json.dumps([table.name, {name: _plain(value) for name, value in row.items() if value is not None}])


def _tables(connection: Connection) -> list[sa.Table]:
    """As the database has them, those that others refer to first."""
    found = sa.MetaData()
    found.reflect(connection)
    for table in found.tables.values():
        for column in table.columns:
            if isinstance(column.type, sa.DateTime):
                column.type = Instant()
            elif isinstance(column.type, sa.JSON):
                column.type = sa.JSON(none_as_null=True)
    return [table for table in found.sorted_tables if table.name != _STAMP]


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, memoryview)):
        return {"b64": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, datetime):
        return {"at": value.isoformat()}
    if isinstance(value, date):
        return {"on": value.isoformat()}
    return {"json": value} if isinstance(value, (dict, list)) else value


def _value(form: Any) -> Any:
    if not isinstance(form, dict):
        return form
    ((kind, value),) = form.items()
    readers: dict[str, Callable[[Any], Any]] = {
        "b64": base64.b64decode,
        "at": datetime.fromisoformat,
        "on": date.fromisoformat,
        "json": lambda content: content,
    }
    return readers[kind](value)


# ------------------------------------------------------------------------------------------------ back into a registry
def restore(registry: Registry, file: Path, *, at: datetime, by: str, passphrase: str | None = None) -> dict[str, int]:
    """Into a registry that was just made; rows by table. Raises BackupError, NotEmpty, OlderRegistry and NewerRegistry for a backup of
    another schema; then the registry is as it was."""
    place = str(file)
    try:
        with file.open("rb") as stream, registry.working(by, at) as work:
            _empty(registry, work.connection)
            counts = _inserted(work.connection, _checked(_content(stream, passphrase, place), place), place)
            breaches = tuple(chain.verify(work.connection, schema.vouched_tables(work.connection)))
            if breaches:
                raise BackupError(place, f"{breaches[0].where}: {breaches[0].what}", _COPY)
            work.note("restored", "registry", "backup", {"rows": sum(counts.values())})
    except OSError as error:
        raise BackupError(place, f"it cannot be read ({error.strerror})", "check the path") from error
    return counts


def is_sealed(file: Path) -> bool:
    """The backup needs a passphrase. Raises BackupError for a file that cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise BackupError(str(file), f"it cannot be read ({error.strerror})", "check the path") from error


def _empty(registry: Registry, connection: Connection) -> None:
    """Drop the few rows that a new registry has. NotEmpty for one that was used."""
    tables = _tables(connection)
    own = {"registry_identity", "audit", "audit_head"}
    used = 0
    for table in tables:
        rows = int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
        used += max(0, rows - 1) if table.name in own else rows
    if used:
        raise NotEmpty(registry.place, used)
    for table in tables:
        connection.execute(sa.delete(table))


def _content(stream: IO[bytes], passphrase: str | None, place: str) -> Iterator[bytes]:
    """The lines, unsealed and unpacked."""
    is_sealed = stream.read(len(MAGIC)) == MAGIC
    stream.seek(0)
    if is_sealed and passphrase is None:
        raise BackupError(place, "it is sealed", "give the passphrase it was made with")
    parts = unsealed(stream, passphrase, place) if is_sealed and passphrase is not None else iter(lambda: stream.read(1 << 20), b"")
    unpacker, held = zlib.decompressobj(31), b""
    try:
        for part in parts:
            *lines, held = (held + unpacker.decompress(part)).split(b"\n")
            yield from lines
        *lines, held = (held + unpacker.flush()).split(b"\n")
        yield from lines
    except zlib.error as error:
        raise BackupError(place, "it is no backup, or was changed", _COPY) from error
    if held or not unpacker.eof:
        raise BackupError(place, "it was cut short", _COPY)


def _checked(lines: Iterator[bytes], place: str) -> Iterator[Any]:
    """Each line as content; the last must be the checksum of all before it."""
    whole, before = hashlib.sha256(), None
    for line in lines:
        if before is not None:
            whole.update(before + b"\n")
            yield _json(before, place)
        before = line
    if before is None or _json(before, place) != {"sha256": whole.hexdigest()}:
        raise BackupError(place, "its checksum does not fit: it was changed or cut short", _COPY)


def _json(line: bytes, place: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise BackupError(place, "it is no backup, or was changed", _COPY) from error


def _inserted(connection: Connection, content: Iterator[Any], place: str) -> dict[str, int]:
    head = next(content, None)
    if not isinstance(head, dict) or head.get("form") != FORM:
        raise BackupError(place, "it is of another form", "restore it with the version of itbpump that made it")
    if head["schema"] != schema.VERSIONS[-1]:
        other = OlderRegistry if head["schema"] in schema.VERSIONS else NewerRegistry
        raise other(place, str(head["schema"]), schema.VERSIONS[-1])
    tables = {table.name: table for table in _tables(connection)}
    counts = dict.fromkeys(head["tables"], 0)
    waiting: list[dict[str, Any]] = []
    name = ""
    for row in content:
        if row[0] != name or len(waiting) >= _BATCH:
            _write(connection, tables, name, waiting)
            name, waiting = row[0], []
        if name not in tables:
            raise BackupError(place, f"it holds a table {name!r} that this registry does not have", "update itbpump on this computer")
        counts[name] += 1
        waiting.append({column.name: _value(row[1].get(column.name)) for column in tables[name].columns})
    _write(connection, tables, name, waiting)
    _go_on_counting(connection, tables)
    return counts


def _write(connection: Connection, tables: dict[str, sa.Table], name: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(tables[name]), rows)


def _go_on_counting(connection: Connection, tables: dict[str, sa.Table]) -> None:
    """PostgreSQL numbers new rows by a sequence, which rows that came with their number do not move."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables.values():
        sequence = (
            connection.execute(sa.text("SELECT pg_get_serial_sequence(:table, 'id')"), {"table": table.name}).scalar()
            if "id" in table.c
            else None
        )
        if sequence is not None:
            newest = connection.execute(sa.select(sa.func.max(table.c.id))).scalar()
            connection.execute(
                sa.text("SELECT setval(:sequence, :value, :used)"), {"sequence": sequence, "value": newest or 1, "used": newest is not None}
            )
