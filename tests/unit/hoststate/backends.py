"""Keyring backends for tests: one in memory that may be told to fail, and the kinds that count as none."""

from __future__ import annotations

from itbpump.keyvault import SERVICE


class MemoryBackend:
    """A real keyring, kept in a dict. `fails` names what raises; `forgets` stores nothing; `swaps` gives back another."""

    priority = 5
    name = "in memory"

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.fails: set[str] = set()
        self.forgets = False
        self.swaps = False
        self.asked: list[str] = []

    def get_password(self, service: str, username: str) -> str | None:
        self._meet("get", service)
        found = self.kept.get(username)
        return "00" * 32 if found is not None and self.swaps else found

    def set_password(self, service: str, username: str, password: str) -> None:
        self._meet("set", service)
        if not self.forgets:
            self.kept[username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._meet("delete", service)
        del self.kept[username]

    def _meet(self, operation: str, service: str) -> None:
        assert service == SERVICE
        self.asked.append(operation)
        if operation in self.fails:
            raise OSError("the keyring is locked")  # what D-Bus and its like raise is no KeyringError of the library


class PlaintextBackend(MemoryBackend):
    """As keyrings.alt: stores, but in clear; its priority says that it is not recommended."""

    priority = 0.5  # type: ignore[assignment]  # keyring's priorities are numbers of any kind


class Chain:
    """As keyring's chainer: a high priority of its own, whatever is in it."""

    priority = 10

    def __init__(self, *backends: object) -> None:
        self.backends = list(backends)
