"""What the companion must not forget: its programmer id, pairing keys, command counters and intents.

One SQLite file, mode 0600, every write durable before the call returns; several processes may share it. An intent is written before the
first byte of a state-changing command leaves (SR-43) and settled when the outcome is known; an unsettled one blocks dosing (SR-42).
Intents key on pump serial and the random id made when the pump's memory was formatted, so that a re-formatted pump starts afresh. Not
kept here: the clinic's registry, anything about patients. Keys are not yet in the operating system's keyring.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from itbpump.errors import ItbPumpError

__all__ = ["HostState", "HostStateError", "Intent", "PumpKey", "StoredPairing", "default_path"]

_SCHEMA = 1
_TABLES = """
CREATE TABLE identity (programmer_id BLOB NOT NULL CHECK (length(programmer_id) = 8));
CREATE TABLE pairing (
  pump_id BLOB PRIMARY KEY CHECK (length(pump_id) = 8), role INTEGER NOT NULL, key BLOB NOT NULL CHECK (length(key) = 32));
CREATE TABLE counter (serial TEXT NOT NULL, memory_id BLOB NOT NULL, last_cmd_id INTEGER NOT NULL, PRIMARY KEY (serial, memory_id));
CREATE TABLE intent (
  serial TEXT NOT NULL, memory_id BLOB NOT NULL, cmd_id INTEGER NOT NULL, kind INTEGER NOT NULL, digest BLOB NOT NULL,
  payload BLOB NOT NULL, what TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('pending', 'applied', 'not_applied', 'unknown')),
  note TEXT NOT NULL DEFAULT '', PRIMARY KEY (serial, memory_id, cmd_id));
CREATE TABLE recent (url TEXT PRIMARY KEY, serial TEXT NOT NULL, profile TEXT NOT NULL, used INTEGER NOT NULL);
"""


class HostStateError(ItbPumpError):
    """The state file cannot be used; `path` names it."""

    def __init__(self, path: str, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(
            f"host state {path}: {problem}; it holds pairing keys and unfinished commands, so it is not replaced by itself: "
            "restore it from a backup, or set ITBPUMP_HOME to a new folder and pair again"
        )


@dataclass(frozen=True, slots=True)
class PumpKey:
    """Identity of one formatted pump memory."""

    serial: str
    memory_id: bytes


@dataclass(frozen=True, slots=True)
class StoredPairing:
    """A pairing key for one pump; `role` is the wire's Role number."""

    pump_id: bytes
    role: int
    key: bytes


@dataclass(frozen=True, slots=True)
class Intent:
    """A state-changing command as it was meant; `state` is pending, applied, not_applied or unknown."""

    cmd_id: int
    kind: int
    digest: bytes
    payload: bytes
    what: str
    state: str
    note: str

    @property
    def settled(self) -> bool:
        """The outcome is known."""
        return self.state in ("applied", "not_applied")


def default_path() -> Path:
    """`ITBPUMP_HOME`/state.db, else state.db in the platform's state folder."""
    home = os.environ.get("ITBPUMP_HOME")
    if home:
        return Path(home) / "state.db"
    import platformdirs  # noqa: PLC0415  (25 ms, only when the default is asked for)

    return Path(platformdirs.user_state_dir("itbpump", appauthor=False)) / "state.db"


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)


class HostState:
    """The store. Use `HostState.open(path)` or `HostState.in_memory()`."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._db = connection
        self.name = name

    @classmethod
    def open(cls, path: Path | None = None, entropy: Callable[[int], bytes] = os.urandom) -> HostState:
        """Open or create the file. Raises HostStateError when it is damaged, foreign or from a newer version."""
        path = default_path() if path is None else path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                cls._create(path, entropy)
            if path.stat().st_size == 0:
                raise HostStateError(str(path), "it is empty")
            path.chmod(0o600)
        except OSError as error:
            raise HostStateError(str(path), error.strerror or str(error)) from error
        return cls._prepare(_connected(path), str(path), entropy)

    @classmethod
    def _create(cls, path: Path, entropy: Callable[[int], bytes]) -> None:
        """Make the file whole elsewhere and link it into place, so that an empty one is always damage and never a beginning."""
        draft = path.with_name(f"{path.name}.new-{entropy(6).hex()}")
        try:
            os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            cls._prepare(_connected(draft), str(path), entropy).close()
            with suppress(FileExistsError):  # another process was first: its file is the one
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)

    @classmethod
    def in_memory(cls, entropy: Callable[[int], bytes] = os.urandom) -> HostState:
        """A store that is gone with the process; for `sim://` without a state file, and for tests."""
        return cls._prepare(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False), "in memory", entropy)

    @classmethod
    def _prepare(cls, db: sqlite3.Connection, name: str, entropy: Callable[[int], bytes]) -> HostState:
        state = cls(db, name)
        try:
            db.execute("PRAGMA synchronous = FULL")
            (sound,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if sound != "ok":
                raise HostStateError(name, f"it is damaged ({sound.splitlines()[-1].strip()})")
            with state._write():
                (version,) = db.execute("PRAGMA user_version").fetchone()
                if version == 0:
                    if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                        raise HostStateError(name, "it is a database of another program")
                    for statement in _TABLES.split(";"):
                        db.execute(statement)
                    db.execute("INSERT INTO identity VALUES (?)", (entropy(8),))
                    db.execute(f"PRAGMA user_version = {_SCHEMA}")
                elif version != _SCHEMA:
                    raise HostStateError(name, f"it was written by another version (schema {version}, this one knows {_SCHEMA})")
        except sqlite3.DatabaseError as error:
            db.close()
            raise HostStateError(name, str(error)) from error
        except HostStateError:
            db.close()
            raise
        return state

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _write(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # ------------------------------------------------------------------------------------------------ pairing
    @property
    def programmer_id(self) -> bytes:
        """8 random bytes that name this companion."""
        return bytes(self._db.execute("SELECT programmer_id FROM identity").fetchone()[0])

    def pair(self, pump_id: bytes, role: int, key: bytes) -> None:
        """Store the key for a pump, in place of an older one."""
        with self._write():
            self._db.execute("INSERT OR REPLACE INTO pairing VALUES (?, ?, ?)", (pump_id, role, key))

    def pairing(self, pump_id: bytes) -> StoredPairing | None:
        """The pairing with this pump, or None."""
        row = self._db.execute("SELECT pump_id, role, key FROM pairing WHERE pump_id = ?", (pump_id,)).fetchone()
        return None if row is None else StoredPairing(bytes(row[0]), row[1], bytes(row[2]))

    # ------------------------------------------------------------------------------------------------ commands
    def begin(self, pump: PumpKey, at_least: int, kind: int, digest: bytes, payload: bytes, what: str) -> int:
        """Take the next command id, above every earlier one and above `at_least` (the last the pump reports), and write the intent.

        Durable when it returns. Raises nothing of its own; a full disk shows as sqlite3.OperationalError before any byte is sent.
        """
        with self._write():
            row = self._db.execute(
                "SELECT last_cmd_id FROM counter WHERE serial = ? AND memory_id = ?", (pump.serial, pump.memory_id)
            ).fetchone()
            cmd_id = max(0 if row is None else row[0], at_least) + 1
            self._db.execute("INSERT OR REPLACE INTO counter VALUES (?, ?, ?)", (pump.serial, pump.memory_id, cmd_id))
            self._db.execute(
                "INSERT INTO intent (serial, memory_id, cmd_id, kind, digest, payload, what, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 'pending')",
                (pump.serial, pump.memory_id, cmd_id, kind, digest, payload, what),
            )
        return int(cmd_id)

    def settle(self, pump: PumpKey, cmd_id: int, state: str, note: str = "") -> None:
        """Record the outcome: applied, not_applied or unknown."""
        with self._write():
            self._db.execute(
                "UPDATE intent SET state = ?, note = ? WHERE serial = ? AND memory_id = ? AND cmd_id = ?",
                (state, note, pump.serial, pump.memory_id, cmd_id),
            )

    def intents(self, pump: PumpKey) -> list[Intent]:
        """Every intent for this pump, oldest first."""
        rows = self._db.execute(
            "SELECT cmd_id, kind, digest, payload, what, state, note FROM intent WHERE serial = ? AND memory_id = ? ORDER BY cmd_id",
            (pump.serial, pump.memory_id),
        ).fetchall()
        return [Intent(*row) for row in rows]

    def unsettled(self, pump: PumpKey) -> list[Intent]:
        """Intents whose outcome is not known; they block dosing."""
        return [intent for intent in self.intents(pump) if not intent.settled]

    # -------------------------------------------------------------------------------------------------- recent
    def remember(self, url: str, serial: str, profile: str) -> None:
        """Note a pump that was connected, newest first."""
        with self._write():
            (last,) = self._db.execute("SELECT coalesce(max(used), 0) FROM recent").fetchone()
            self._db.execute("INSERT OR REPLACE INTO recent VALUES (?, ?, ?, ?)", (url, serial, profile, last + 1))

    def recent(self) -> list[tuple[str, str, str]]:
        """(url, serial, profile) of pumps connected before, newest first."""
        return self._db.execute("SELECT url, serial, profile FROM recent ORDER BY used DESC LIMIT 20").fetchall()
