"""What the companion must not forget: its programmer id, pairing keys, command counters and intents.

One SQLite file, mode 0600, every write durable before the call returns; several processes may share it. An intent is written before the
first byte of a state-changing command leaves (SR-43) and settled when the outcome is known; an unsettled one blocks dosing (SR-42), and
that is looked up in the same step in which the next intent is written, so that no other process comes between.
Intents key on pump serial and the random id made when the pump's memory was formatted, so that a re-formatted pump starts afresh. Not
kept here: the clinic's registry, anything about patients. Keys lie in the operating system's keyring where there is one: see `pairings`.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from itbpump.errors import InputError, ItbPumpError
from itbpump.keyvault import KeyringChoice, KeyringError, KeyringSettingError, chosen
from itbpump.pairings import PAIRING_TABLE, Pairings, StoredPairing

__all__ = ["HostSettingError", "HostState", "HostStateError", "Intent", "PumpKey", "StoredPairing", "Unsettled", "default_path"]

_SCHEMA = 4
_RECENT = 20
_OWED = "owed INTEGER NOT NULL DEFAULT 0"
_BASIS = "basis TEXT NOT NULL DEFAULT ''"
_TABLES = f"""
CREATE TABLE identity (programmer_id BLOB NOT NULL CHECK (length(programmer_id) = 8));
{PAIRING_TABLE};
CREATE TABLE counter (serial TEXT NOT NULL, memory_id BLOB NOT NULL, last_cmd_id INTEGER NOT NULL, PRIMARY KEY (serial, memory_id));
CREATE TABLE intent (
  serial TEXT NOT NULL, memory_id BLOB NOT NULL, cmd_id INTEGER NOT NULL, kind INTEGER NOT NULL, digest BLOB NOT NULL,
  payload BLOB NOT NULL, what TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('pending', 'applied', 'not_applied', 'unknown')),
  note TEXT NOT NULL DEFAULT '', {_OWED}, {_BASIS}, PRIMARY KEY (serial, memory_id, cmd_id));
CREATE TABLE recent (url TEXT PRIMARY KEY, serial TEXT NOT NULL, profile TEXT NOT NULL, used INTEGER NOT NULL);
"""
_REPLACE = (
    "it holds pairing keys and unfinished commands, so it is not replaced by itself: "
    "restore it from a backup, or set ITBPUMP_HOME to a new folder and pair again"
)
_REPAIR = "free space on its disk, see that it can be written and that no other program holds it, then try again"


class HostStateError(ItbPumpError):
    """The state file cannot be used, or not be read or written just now; `path` names it."""

    def __init__(self, path: str, problem: str, action: str = _REPLACE) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"host state {path}: {problem}; {action}", action=action)


class HostSettingError(HostStateError, InputError):
    """A setting of the environment that the host state goes by is none of the words there are; nothing was opened."""


class Unsettled(ItbPumpError):
    """No intent was written, because the outcome of `intents` is not known."""

    def __init__(self, intents: list[Intent]) -> None:
        self.intents = intents
        super().__init__(f"{len(intents)} earlier commands have no known outcome; settle them first: itbpump reconcile URL")


@dataclass(frozen=True, slots=True)
class PumpKey:
    """Identity of one formatted pump memory."""

    serial: str
    memory_id: bytes


@dataclass(frozen=True, slots=True)
class Intent:
    """A state-changing command as it was meant; `state` is pending, applied, not_applied or unknown.

    `digest` is the SHA-256 by which the pump keeps its result. `note` is why, or by whom it was settled by hand. `basis` is what the
    decision rested on (review, library, overrides, staff, patient), as JSON; empty where nothing was judged.
    """

    cmd_id: int
    kind: int
    digest: bytes
    payload: bytes
    what: str
    state: str
    note: str
    basis: str = ""

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


@contextmanager
def _telling(name: str) -> Iterator[None]:
    """A failure of the keyring as one of the host state, which every caller knows to meet."""
    try:
        yield
    except KeyringSettingError as error:
        raise HostSettingError("setting", error.problem, error.action) from error
    except KeyringError as error:
        raise HostStateError(name, f"keyring {error.keyring}: {error.problem}", error.action) from error


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)


class HostState:
    """The store. Use `HostState.open(path)` or `HostState.in_memory()`."""

    def __init__(self, connection: sqlite3.Connection, name: str, keyring: KeyringChoice) -> None:
        self._db = connection
        self.name = name
        self._pairings = Pairings(self, lambda: self.programmer_id, keyring, HostStateError)

    @classmethod
    def open(
        cls, path: Path | None = None, entropy: Callable[[int], bytes] = os.urandom, keyring: KeyringChoice | None = None
    ) -> HostState:
        """Open or create the file. Raises HostStateError when it is damaged, foreign or from a newer version, HostSettingError when the
        setting is no word.

        One that cannot be written is opened all the same: it can be read, and a stop must be possible. `keyring` is by default what
        ITBPUMP_KEYRING says for the host's own file, and off for one at a `path`, so that a throwaway file leaves nothing behind.
        """
        if keyring is None:
            with _telling("setting"):
                keyring = chosen() if path is None else KeyringChoice.OFF
        path = default_path() if path is None else path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                cls._create(path, entropy)
            found = path.stat()
            if found.st_size == 0:
                raise HostStateError(str(path), "it is empty")
            if stat.S_IMODE(found.st_mode) != 0o600:
                path.chmod(0o600)
        except OSError as error:
            raise HostStateError(str(path), error.strerror or str(error)) from error
        state = cls._prepare(_connected(path), str(path), entropy, keyring)
        if keyring is not KeyringChoice.OFF:
            state.look_up_keys()
        return state

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
    def _prepare(
        cls, db: sqlite3.Connection, name: str, entropy: Callable[[int], bytes], keyring: KeyringChoice = KeyringChoice.OFF
    ) -> HostState:
        state = cls(db, name, keyring)
        try:
            # EXTRA also syncs the folder once the journal is gone: else a power cut could bring a written intent to nothing.
            db.execute("PRAGMA synchronous = EXTRA")
            db.execute("PRAGMA secure_delete = ON")  # a key that has moved to the keyring is overwritten in the file
            (sound,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if sound != "ok":
                raise HostStateError(name, f"it is damaged ({sound.splitlines()[-1].strip()})")
            if state._version() != _SCHEMA:
                with state._write():
                    state._upgrade(entropy)
        except sqlite3.DatabaseError as error:
            db.close()
            raise HostStateError(name, str(error)) from error
        except HostStateError:
            db.close()
            raise
        return state

    def _version(self) -> int:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        return int(version)

    def _upgrade(self, entropy: Callable[[int], bytes]) -> None:
        """Make a new file's tables, or bring an older version's up to date."""
        version = self._version()  # again, now that no other process can change it
        if version == 0:
            if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise HostStateError(self.name, "it is a database of another program")
            for statement in _TABLES.split(";"):
                self._db.execute(statement)
            self._db.execute("INSERT INTO identity VALUES (?)", (entropy(8),))
        elif version not in (1, 2, 3):
            raise HostStateError(self.name, f"it was written by another version (schema {version}, this one knows {_SCHEMA})")
        else:
            for column in (_OWED, _BASIS)[version - 1 :]:
                self._db.execute(f"ALTER TABLE intent ADD COLUMN {column}")
            self._db.execute("ALTER TABLE pairing RENAME TO pairing_before")
            self._db.execute(PAIRING_TABLE)
            self._db.execute("INSERT INTO pairing SELECT pump_id, role, key, NULL FROM pairing_before")
            self._db.execute("DROP TABLE pairing_before")
        self._db.execute(f"PRAGMA user_version = {_SCHEMA}")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _write(self) -> Iterator[None]:
        """All or nothing, and alone among the processes that share the file. HostStateError when it cannot be written."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:  # sqlite has ended it by itself after some failures
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise HostStateError(self.name, f"it cannot be written ({error})", _REPAIR) from error
            raise

    def change(self, statement: str, *values: object) -> None:
        """One durable write. Raises HostStateError; then nothing has changed."""
        with self._write():
            self._db.execute(statement, values)

    def rows(self, query: str, *values: object) -> list[Any]:
        """What a query finds. Raises HostStateError."""
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise HostStateError(self.name, f"it cannot be read ({error})", _REPAIR) from error

    # ------------------------------------------------------------------------------------------------ pairing
    @property
    def programmer_id(self) -> bytes:
        """8 random bytes that name this companion."""
        ((programmer_id,),) = self.rows("SELECT programmer_id FROM identity")
        return bytes(programmer_id)

    def look_up_keys(self) -> None:
        """Ask the keyring now for the keys of pumps paired or used lately, and not while a pump waits for its answer."""
        self._pairings.look_up()

    def pair(self, pump_id: bytes, role: int, key: bytes) -> None:
        """Store the key for a pump, in place of an older one, in the keyring or the file as ITBPUMP_KEYRING says.

        Raises HostStateError, also under `on` where no keyring takes it; then the older pairing holds.
        """
        with _telling(self.name):
            self._pairings.pair(pump_id, role, key)

    def pairing(self, pump_id: bytes) -> StoredPairing | None:
        """The pairing with this pump, or None. A key that still lies in the file is moved to the keyring, if the setting asks for one.

        Raises HostStateError, also when the key is in a keyring that does not give it.
        """
        with _telling(self.name):
            return self._pairings.pairing(pump_id)

    # ------------------------------------------------------------------------------------------------ commands
    def begin(
        self,
        pump: PumpKey,
        at_least: int,
        kind: int,
        digest: bytes | Callable[[int], bytes],
        payload: bytes,
        what: str,
        *,
        dosing: bool = False,
        basis: str = "",
    ) -> int:
        """Take the next command id, above every earlier one and above `at_least` (the last the pump reports), and write the intent.

        `digest` may be computed from the id that is taken. Durable when it returns; nothing is kept when it raises: Unsettled if
        `dosing` (true of all but a stop) and the outcome of an earlier command is not known; HostStateError when it cannot be written.
        """
        with self._write():
            if dosing and (open_intents := self.unsettled(pump)):
                raise Unsettled(open_intents)
            cmd_id = max(self.last_cmd_id(pump), at_least) + 1
            known = digest if isinstance(digest, bytes) else digest(cmd_id)
            self._db.execute("INSERT OR REPLACE INTO counter VALUES (?, ?, ?)", (pump.serial, pump.memory_id, cmd_id))
            self._db.execute(
                "INSERT INTO intent (serial, memory_id, cmd_id, kind, digest, payload, what, state, basis)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?)",
                (pump.serial, pump.memory_id, cmd_id, kind, known, payload, what, basis),
            )
        return cmd_id

    def last_cmd_id(self, pump: PumpKey) -> int:
        """The highest command id taken here for this pump; 0 before the first."""
        rows = self.rows("SELECT last_cmd_id FROM counter WHERE serial = ? AND memory_id = ?", pump.serial, pump.memory_id)
        return int(rows[0][0]) if rows else 0

    def settle(self, pump: PumpKey, cmd_id: int, state: str, note: str = "", *, owed: bool = False) -> None:
        """Record the outcome: applied, not_applied or unknown. `owed`: the pump has yet to be told that it is known here."""
        with self._write():
            self._db.execute(
                "UPDATE intent SET state = ?, note = ?, owed = ? WHERE serial = ? AND memory_id = ? AND cmd_id = ?",
                (state, note, owed, pump.serial, pump.memory_id, cmd_id),
            )

    def confirmed(self, pump: PumpKey, cmd_id: int) -> None:
        """The pump knows that this outcome is known here."""
        with self._write():
            self._db.execute(
                "UPDATE intent SET owed = 0 WHERE serial = ? AND memory_id = ? AND cmd_id = ?", (pump.serial, pump.memory_id, cmd_id)
            )

    def owed(self, pump: PumpKey) -> list[int]:
        """Ids of settled commands of which the pump has not yet been told, oldest first."""
        query = "SELECT cmd_id FROM intent WHERE serial = ? AND memory_id = ? AND owed ORDER BY cmd_id"
        return [int(cmd_id) for (cmd_id,) in self.rows(query, pump.serial, pump.memory_id)]

    def intents(self, pump: PumpKey) -> list[Intent]:
        """Every intent for this pump, oldest first."""
        return self._intents(pump, "1")

    def unsettled(self, pump: PumpKey) -> list[Intent]:
        """Intents whose outcome is not known; they block dosing."""
        return self._intents(pump, "state IN ('pending', 'unknown')")

    def _intents(self, pump: PumpKey, which: str) -> list[Intent]:
        query = (
            "SELECT cmd_id, kind, digest, payload, what, state, note, basis FROM intent"
            f" WHERE serial = ? AND memory_id = ? AND {which} ORDER BY cmd_id"
        )
        return [Intent(*row) for row in self.rows(query, pump.serial, pump.memory_id)]

    # -------------------------------------------------------------------------------------------------- recent
    def remember(self, url: str, serial: str, profile: str) -> None:
        """Note a pump that was connected; the 20 newest are kept."""
        with self._write():
            (last,) = self._db.execute("SELECT coalesce(max(used), 0) FROM recent").fetchone()
            self._db.execute("INSERT OR REPLACE INTO recent VALUES (?, ?, ?, ?)", (url, serial, profile, last + 1))
            self._db.execute("DELETE FROM recent WHERE url NOT IN (SELECT url FROM recent ORDER BY used DESC LIMIT ?)", (_RECENT,))

    def recent(self) -> list[tuple[str, str, str]]:
        """(url, serial, profile) of pumps connected before, newest first."""
        return self.rows("SELECT url, serial, profile FROM recent ORDER BY used DESC")
