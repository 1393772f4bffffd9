"""The operating system's keyring, as a place for pairing keys.

`ITBPUMP_KEYRING` says which. `auto` (the default): a keyring with a real backend if there is one, else the file of mode 0600. `on`: the
keyring or nothing. `off`: the file, and keys that are in the keyring already are not asked for. The library `keyring` (extra
`itbpump[keyring]`) is loaded only when a key is needed. Its null, fail and plaintext backends keep no secret and count as none.

Not here: which key lies where (`pairings`). Not protected: a key is readable by whoever runs programs as this user.
"""

from __future__ import annotations

import binascii
import hashlib
import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

from itbpump.errors import InputError, ItbPumpError

__all__ = [
    "MEANINGS",
    "Backend",
    "KeyringChoice",
    "KeyringError",
    "KeyringSettingError",
    "KeyringVault",
    "chosen",
    "entry_name",
    "system_vault",
]

SERVICE = "itbpump"
VARIABLE = "ITBPUMP_KEYRING"
_REAL_PRIORITY = 1  # keyring's own convention: below 1 a backend is not recommended (plaintext 0.5, fail 0, null -1)
_UNLOCK = "unlock it (log in to the desktop session) and try again, or set ITBPUMP_KEYRING=off to keep keys in the file"


class KeyringError(ItbPumpError):
    """The keyring cannot be used just now, or not at all; `keyring` names it."""

    def __init__(self, keyring: str, problem: str, action: str = _UNLOCK) -> None:
        self.keyring, self.problem = keyring, problem
        super().__init__(f"keyring {keyring}: {problem}; {action}", action=action)


class KeyringSettingError(KeyringError, InputError):
    """ITBPUMP_KEYRING says something else than the words there are; `word` is what."""

    def __init__(self, word: str) -> None:
        self.word = word
        words = [f"{choice} ({meaning})" for choice, meaning in MEANINGS.items()]
        super().__init__("setting", f"{VARIABLE}={word} is no setting", f"write {', '.join(words[:-1])} or {words[-1]}")


class KeyringChoice(StrEnum):
    """What ITBPUMP_KEYRING may say."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


MEANINGS: Mapping[KeyringChoice, str] = {
    KeyringChoice.AUTO: "the system's keyring where there is one, else the file",
    KeyringChoice.ON: "the keyring or nothing",
    KeyringChoice.OFF: "the file",
}


def chosen(environment: Mapping[str, str] = os.environ) -> KeyringChoice:
    """The setting; `auto` where there is none. Raises KeyringSettingError for another word: a typing slip must not move keys."""
    word = environment.get(VARIABLE) or KeyringChoice.AUTO
    if word not in tuple(KeyringChoice):
        raise KeyringSettingError(word)
    return KeyringChoice(word)


class Backend(Protocol):
    """What is used of a backend of the library `keyring`."""

    def get_password(self, service: str, username: str) -> str | None:
        """The secret, or None."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store a secret."""

    def delete_password(self, service: str, username: str) -> None:
        """Forget a secret."""


class KeyringVault:
    """Keys of 32 bytes in one keyring backend. Every failure of the backend comes as KeyringError."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.name = str(getattr(backend, "name", "") or type(backend).__name__)

    def put(self, entry: str, key: bytes) -> None:
        """Store a key and read it back. Raises KeyringError, also when another comes back: then it is not stored."""
        try:
            self._backend.set_password(SERVICE, entry, key.hex())
        except Exception as error:  # backends raise what their systems raise: D-Bus, Keychain, Credential Manager
            raise KeyringError(self.name, f"it does not store a key ({_told(error)})") from error
        if self.get(entry) != key:
            raise KeyringError(self.name, "it does not give back the key that was just stored")

    def get(self, entry: str) -> bytes | None:
        """The key, or None if there is no such entry. Raises KeyringError."""
        try:
            found = self._backend.get_password(SERVICE, entry)
        except Exception as error:
            raise KeyringError(self.name, f"it does not give keys ({_told(error)})") from error
        if found is None:
            return None
        try:
            return binascii.unhexlify(found)
        except ValueError as error:
            raise KeyringError(self.name, f"its entry {entry} is no key", "pair with the pump again: itbpump pair URL") from error

    def drop(self, entry: str) -> None:
        """Forget a key that nothing points to any more. Raises KeyringError."""
        try:
            self._backend.delete_password(SERVICE, entry)
        except Exception as error:
            raise KeyringError(self.name, f"it does not delete a key ({_told(error)})") from error


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def entry_name(programmer_id: bytes, pump_id: bytes, key: bytes) -> str:
    """Name of the entry of this key: programmer, pump, and 8 bytes of the key's SHA-256, which tell nothing of 32 random bytes."""
    return f"{programmer_id.hex()}/{pump_id.hex()}/{hashlib.sha256(key).hexdigest()[:16]}"


def system_vault(choice: KeyringChoice) -> KeyringVault | None:
    """The system's keyring; None under `off`, and under `auto` where there is no real one.

    Raises KeyringError under `on` where there is none.
    """
    if choice is KeyringChoice.OFF:
        return None
    problem = "the library `keyring` is not installed"
    action = "install it: pip install 'itbpump[keyring]', or set ITBPUMP_KEYRING=auto"
    try:
        import keyring  # noqa: PLC0415  (0.1 s and D-Bus, only when a key is needed)
    except ImportError:
        backend: Backend | None = None
    else:
        found = keyring.get_keyring()
        backend = _real(found)
        problem = f"this system has no keyring that keeps a secret (found: {type(found).__module__})"
        action = "start one (GNOME Keyring, KWallet, Keychain, Credential Manager), or set ITBPUMP_KEYRING=auto"
    if backend is None and choice is KeyringChoice.ON:
        raise KeyringError("of the system", problem, action)
    return None if backend is None else KeyringVault(backend)


def _real(found: Any) -> Backend | None:
    """The backend itself, or the first real one of a chain; a chain's own priority says nothing about what it would fall back to."""
    chained = getattr(found, "backends", None)
    for backend in [found] if chained is None else list(chained):
        if getattr(backend, "priority", 0) >= _REAL_PRIORITY:
            real: Backend = backend
            return real
    return None
