"""Where the registry is, and a database engine that behaves the same on SQLite and PostgreSQL.

Address: `--registry`, else ITBPUMP_REGISTRY, else `registry.db` in the platform's data folder. A path or `sqlite:///PATH` is a file of this
computer: mode 0600, write-ahead log, foreign keys on, a wait for other writers. `postgresql+psycopg://…` is a clinic's server. Who writes
takes a turn at the very start (SQLite: BEGIN IMMEDIATE; PostgreSQL: an advisory lock), so that two writers queue and the audit chain never
forks. Not for a SQLite file on a network share: its locks do not hold there; several workstations take PostgreSQL.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url

from itbpump.registry.errors import CannotOpen, DamagedRegistry, NotWritten, RegistryError, RegistryLocked

__all__ = [
    "ENVIRONMENT",
    "address_of",
    "configured",
    "database_file",
    "looked_at",
    "made_file",
    "make_engine",
    "place_of",
    "reading",
    "telling",
    "writing",
]

ENVIRONMENT = "ITBPUMP_REGISTRY"
_FILE = "registry.db"
_TURN = 0x6974_6270  # "itbp": the advisory lock of writers, PostgreSQL
_NO_SUCH_TABLE = "42P01"
_LOCK_STATES = frozenset({"55P03", "40P01", "57014"})  # lock_not_available, deadlock_detected, query_canceled


def configured(option: str | None = None) -> str | None:
    """The registry that is set, by option or environment; None where none is: then nothing is recorded."""
    return option or os.environ.get(ENVIRONMENT) or None


def looked_at(environment: Mapping[str, str]) -> str | None:
    """The registry that alerts and `doctor` look at by themselves: the one the environment names, else the default one if it is there."""
    named = environment.get(ENVIRONMENT)
    if named:
        return named
    file = default_path()
    return str(file) if file.exists() else None


def default_path() -> Path:
    """In the platform's data folder."""
    import platformdirs  # noqa: PLC0415  (25 ms, only when the default is asked for)

    return Path(platformdirs.user_data_dir("itbpump", appauthor=False)) / _FILE


def address_of(given: str | os.PathLike[str] | None) -> URL:
    """The database address of a path or URL; None: of the environment, else the default. CannotOpen for one of another kind."""
    text = os.fspath(given) if given is not None else configured()
    if text is None:
        return URL.create("sqlite", database=str(default_path()))
    if "://" not in text:
        return URL.create("sqlite", database=str(Path(text).expanduser()))
    try:
        url = make_url(text)
    except (sa.exc.ArgumentError, ValueError):  # its text would repeat a password
        raise CannotOpen("(address not readable)", "its address cannot be read", _FORMS) from None
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database and url.database != ":memory:":
        return url
    raise CannotOpen(place_of(url), f"no registry can be kept in {url.drivername!r}", _FORMS)


_FORMS = "write a path, sqlite:///PATH or postgresql+psycopg://HOST/DATABASE"


def place_of(url: URL) -> str:
    """For people: the path, or the address without its password."""
    return str(url.database) if url.drivername == "sqlite" else url.render_as_string(hide_password=True)


def database_file(url: URL) -> Path | None:
    """The file of a SQLite registry; None for a server."""
    return Path(str(url.database)) if url.drivername == "sqlite" else None


def made_file(path: Path) -> None:
    """An empty file that only its owner can read. CannotOpen if it is there or cannot be made."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise CannotOpen(str(path), "there is a file already", "name another path, or open it without init") from None
    except OSError as error:
        raise CannotOpen(str(path), f"it cannot be made ({error.strerror})", "name a folder that can be written") from error


def make_engine(url: URL, wait_s: float) -> Engine:
    """Without connecting yet. CannotOpen where the driver is not installed."""
    try:
        if url.drivername == "sqlite":
            engine = sa.create_engine(url, connect_args={"timeout": wait_s, "check_same_thread": False})
            event.listen(engine, "connect", _on_sqlite_connect)
            event.listen(engine, "begin", _on_sqlite_begin)
        else:
            engine = sa.create_engine(
                url, isolation_level="READ COMMITTED", pool_pre_ping=True, connect_args={"connect_timeout": max(2, round(wait_s))}
            )
            event.listen(engine, "begin", lambda connection: _on_server_begin(connection, wait_s))
    except ModuleNotFoundError:
        raise CannotOpen(place_of(url), "psycopg is not installed", 'install it: pip install "itbpump[postgres]"') from None
    return engine


def _on_sqlite_connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver's guess
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _turn(connection: Connection) -> str:
    """What a transaction of `reading` or `writing` is for; empty for one that another room began by itself."""
    return str(connection.get_execution_options().get("itbpump_turn", ""))


def _on_sqlite_begin(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail at once, not wait, if somebody wrote in between.
    connection.exec_driver_sql("BEGIN" if _turn(connection) == "read" else "BEGIN IMMEDIATE")


def _on_server_begin(connection: Connection, wait_s: float) -> None:
    turn = _turn(connection)
    if turn == "read":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, round(wait_s * 1000))}")
    if turn == "write":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees the registry as it was at one moment. Raises RegistryError."""
    with telling(engine.url), engine.connect().execution_options(itbpump_turn="read") as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection in its turn to write: all or nothing. Raises RegistryError; then nothing has changed."""
    with telling(engine.url), engine.connect().execution_options(itbpump_turn="write") as connection, connection.begin():
        yield connection


@contextmanager
def telling(url: URL) -> Iterator[None]:
    """The database's own errors as documented ones; those that are defects of this program stay as they are."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        told = _told(url, error)
        if told is None:
            raise
        raise told from error


def _told(url: URL, error: sa.exc.DBAPIError) -> RegistryError | None:
    place, cause = place_of(url), error.orig
    first = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    state = getattr(cause, "sqlstate", None)
    if state in _LOCK_STATES or "database is locked" in first:
        return RegistryLocked(place)
    if any(sign in first for sign in ("not a database", "malformed", "disk image")):
        return DamagedRegistry(place, f"its file is damaged ({first})")
    if "unable to open database file" in first:
        return CannotOpen(place, "its file cannot be opened", "check the path and the right to it")
    if isinstance(error, sa.exc.OperationalError) and (state is None and url.drivername != "sqlite"):
        return CannotOpen(place, "the server does not answer", "check its address, that it runs, and the login")
    if isinstance(error, (sa.exc.OperationalError, sa.exc.InternalError)) or state == "42501":
        return NotWritten(place, f"the database refused ({first})")
    return None


def file_problems(connection: Connection) -> list[str]:
    """What SQLite finds wrong with its file; nothing for a sound one, and for a server."""
    if connection.dialect.name != "sqlite":
        return []
    return [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(10)") if row[0] != "ok"]


def private(path: Path) -> bool:
    """Only its owner can read the file; True where the system has no such modes."""
    with suppress(OSError):
        return os.name != "posix" or not path.stat().st_mode & 0o077
    return True
