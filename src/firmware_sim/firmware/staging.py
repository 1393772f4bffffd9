"""Staged payloads: fragments of a configuration or bolus order that wait for their commit.

One payload at a time. A repeated fragment is harmless; offset 0 under another command id starts anew; a hole is refused. Staged data
die 60 s of link time after the last new fragment, with the session, and at a reset (SR-46); nothing of them is in the memory.
Not modelled: staging by two programmers at once, since there is one session at a time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from itbpump.wire.messages import STAGED_BYTES, STAGED_LIFE_MS, CommandKind, ErrorCode, LimitCode, Stage

__all__ = ["Payload", "StageRefused", "Staging"]


class StageRefused(Exception):
    """A fragment was not taken. `code` and `detail` go into the error reply."""

    def __init__(self, code: ErrorCode, detail: int = 0) -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"fragment refused: {code.name} {detail}")


@dataclass(slots=True)
class Payload:
    """What has been staged so far."""

    cmd_id: int
    kind: CommandKind
    base_revision: int
    total_length: int
    taken: bytes
    expires_ms: int

    @property
    def complete(self) -> bool:
        """All bytes are there."""
        return len(self.taken) == self.total_length

    @property
    def digest(self) -> bytes:
        """SHA-256 of the bytes."""
        return hashlib.sha256(self.taken).digest()


class Staging:
    """Holds at most one payload. Times are link time in ms."""

    def __init__(self) -> None:
        self._payload: Payload | None = None

    def take(self, stage: Stage, link_now_ms: int) -> Payload:
        """Take a fragment; returns the payload so far. Raises StageRefused."""
        self.expire(link_now_ms)
        if stage.kind not in (CommandKind.CONFIGURE, CommandKind.BOLUS):
            raise StageRefused(ErrorCode.OUT_OF_RANGE, 2)
        if stage.total_length > STAGED_BYTES:
            raise StageRefused(ErrorCode.LIMIT, LimitCode.PAYLOAD_SIZE)
        payload = self._payload
        if payload is None or payload.cmd_id != stage.cmd_id:
            if stage.offset != 0:
                raise StageRefused(ErrorCode.BAD_FRAGMENT)
            payload = Payload(stage.cmd_id, stage.kind, stage.base_revision, stage.total_length, b"", 0)
        elif (payload.kind, payload.base_revision, payload.total_length) != (stage.kind, stage.base_revision, stage.total_length):
            raise StageRefused(ErrorCode.BAD_FRAGMENT)
        end = stage.offset + len(stage.fragment)
        known = payload.taken[stage.offset : end]
        if not stage.fragment or end > payload.total_length or stage.offset > len(payload.taken) or known != stage.fragment[: len(known)]:
            raise StageRefused(ErrorCode.BAD_FRAGMENT)
        if end > len(payload.taken):
            payload.taken += stage.fragment[len(known) :]
            payload.expires_ms = link_now_ms + STAGED_LIFE_MS
        self._payload = payload
        return payload

    def find(self, cmd_id: int, link_now_ms: int) -> Payload | None:
        """The complete payload of this command, or None."""
        self.expire(link_now_ms)
        payload = self._payload
        return payload if payload is not None and payload.cmd_id == cmd_id and payload.complete else None

    def current(self) -> Payload | None:
        """The complete payload, whosever it is; for read-back."""
        return self._payload if self._payload is not None and self._payload.complete else None

    def drop(self) -> None:
        """Forget it."""
        self._payload = None

    def deadline_ms(self) -> int | None:
        """Link time at which the payload dies."""
        return None if self._payload is None else self._payload.expires_ms

    def expire(self, link_now_ms: int) -> None:
        """Forget it if its time is over. Safe to call early."""
        if self._payload is not None and link_now_ms >= self._payload.expires_ms:
            self._payload = None
