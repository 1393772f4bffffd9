"""Which pairing key lies where: in the host's file, or in the operating system's keyring with only its entry's name in the file.

A keyring entry is written once and never changed: its name holds a fingerprint of the key, and the file says which name counts. A new key
is put into the keyring, read back, and only then made the one that counts, in one durable write; so a crash leaves the older key in force
or the new one, never none. A key that still lies in the file moves the same way when it is first used. Not protected: bytes that were
overwritten in the file may survive in backups and on flash.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from itbpump.keyvault import KeyringChoice, KeyringError, KeyringVault, chosen, entry_name, system_vault

__all__ = ["PAIRING_TABLE", "Database", "Pairings", "StoredPairing"]

# A key is here or in the keyring under the name `entry`; never in both, never in neither.
PAIRING_TABLE = """CREATE TABLE pairing (
  pump_id BLOB PRIMARY KEY CHECK (length(pump_id) = 8), role INTEGER NOT NULL, key BLOB CHECK (length(key) = 32), entry TEXT,
  CHECK ((key IS NULL) <> (entry IS NULL)))"""

_LATELY = """SELECT pump_id FROM (SELECT pump_id FROM pairing ORDER BY rowid DESC LIMIT 20)
  UNION SELECT pump_id FROM pairing WHERE CAST(pump_id AS TEXT) IN (SELECT serial FROM recent)"""


@dataclass(frozen=True, slots=True)
class StoredPairing:
    """A pairing key for one pump; `role` is the wire's Role number. `keyring` names where the key lies, empty for the file."""

    pump_id: bytes
    role: int
    key: bytes
    keyring: str = ""


class Database(Protocol):
    """The host's file, as far as pairings use it."""

    def rows(self, query: str, *values: object) -> list[Any]:
        """What a query finds. Raises HostStateError."""

    def change(self, statement: str, *values: object) -> None:
        """One durable write. Raises HostStateError; then nothing has changed."""


class Pairings:
    """The pairings of one programmer. `unwritable` are the errors of `database` that say that it takes no writes just now."""

    def __init__(self, database: Database, programmer_id: Callable[[], bytes], choice: KeyringChoice, unwritable: type[Exception]) -> None:
        self._database = database
        self._programmer_id = programmer_id
        self._choice = choice
        self._unwritable = unwritable
        self._moves = True
        self._known: dict[tuple[bytes, str], StoredPairing] = {}  # asked once in a process: a keyring may be slow, or ask a person

    def look_up(self) -> None:
        """Have the keys of pumps paired or used lately at hand: a keyring that is slow or asks for a password must not do so while a pump
        waits for its answer. A key that cannot be had is told when it is used."""
        for (pump_id,) in self._database.rows(_LATELY):
            with suppress(KeyringError):
                self.pairing(bytes(pump_id))

    def pair(self, pump_id: bytes, role: int, key: bytes) -> None:
        """Store the key for a pump, in place of an older one. Raises KeyringError under `on` where no keyring takes it."""
        before = {entry for _, _, entry in self._rows(pump_id) if entry is not None}
        vault = system_vault(self._choice)
        entry = self._put(vault, pump_id, key)
        row = (pump_id, role, key if entry is None else None, entry)
        self._database.change("INSERT OR REPLACE INTO pairing VALUES (?, ?, ?, ?)", *row)
        if vault is not None:
            with suppress(KeyringError):  # nothing points to them any more
                for old in before - {entry}:
                    vault.drop(old)

    def pairing(self, pump_id: bytes) -> StoredPairing | None:
        """The pairing with this pump, or None. Raises KeyringError when its key cannot be had."""
        for _ in range(2):  # once more when another process has just paired anew
            rows = self._rows(pump_id)
            if not rows:
                return None
            ((role, key, entry),) = rows
            known = self._known.get((pump_id, entry or bytes(key).hex()))
            if known is not None and known.role == role:
                return known
            found = self._moved(pump_id, role, bytes(key)) if key is not None else self._asked(pump_id, role, entry)
            if found is not None:
                for name in (entry_name(self._programmer_id(), pump_id, found.key), found.key.hex()):  # wherever it lies next time
                    self._known[pump_id, name] = found
                return found
        name = pump_id.decode("ascii", "replace")
        raise KeyringError("of the system", f"the key of pump {name} is no longer in it", "pair with the pump again: itbpump pair URL")

    def _rows(self, pump_id: bytes) -> list[Any]:
        return self._database.rows("SELECT role, key, entry FROM pairing WHERE pump_id = ?", pump_id)

    def _asked(self, pump_id: bytes, role: int, entry: str) -> StoredPairing | None:
        """From the keyring. Also where this file is opened by its path, and its own choice is `off`: the key is nowhere else."""
        if chosen() is KeyringChoice.OFF:
            raise KeyringError("of the system", "the key lies in it, and ITBPUMP_KEYRING=off forbids to ask", "unset it, or pair again")
        vault = system_vault(KeyringChoice.ON)
        key = None if vault is None else vault.get(entry)
        return None if vault is None or key is None else StoredPairing(pump_id, role, key, vault.name)

    def _put(self, vault: KeyringVault | None, pump_id: bytes, key: bytes) -> str | None:
        """Name of the new entry; None without a keyring, or where it fails and the setting leaves the file as a choice."""
        if vault is None:
            return None
        entry = entry_name(self._programmer_id(), pump_id, key)
        try:
            vault.put(entry, key)
        except KeyringError:
            if self._choice is KeyringChoice.ON:
                raise
            return None
        return entry

    def _moved(self, pump_id: bytes, role: int, key: bytes) -> StoredPairing:
        """A key in the file, put into the keyring first if the setting asks for one, and taken out here only if it is still the same."""
        vault = system_vault(self._choice)
        entry = self._put(vault, pump_id, key) if self._moves else None
        if vault is None or entry is None:
            return StoredPairing(pump_id, role, key)
        try:
            self._database.change("UPDATE pairing SET key = NULL, entry = ? WHERE pump_id = ? AND key = ?", entry, pump_id, key)
        except self._unwritable:  # a full disk must not keep anybody from a stop: the keys stay where they are in this process
            self._moves = False
            return StoredPairing(pump_id, role, key)
        return StoredPairing(pump_id, role, key, vault.name)
