"""What the pump's end of the link gives out, and what it asks for: events, and the pairing it looks up. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from itbpump.wire.messages import RefuseReason, Request, Role

__all__ = ["Ended", "HandshakeRefused", "Opened", "Pairing", "PairingTable", "PumpLinkEvent", "Requested"]


@dataclass(frozen=True, slots=True)
class Pairing:
    """What a pump knows of one programmer."""

    programmer_id: bytes
    role: Role
    key: bytes


class PairingTable(Protocol):
    """Where the pump looks pairings up."""

    def pairing(self, programmer_id: bytes) -> Pairing | None:
        """The pairing of this programmer, or None."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session was opened; an older one, if any, is gone.

    `is_again`: it takes the place of the same programmer's emergency session, of which nothing was heard: the confirmation was lost.
    """

    programmer_id: bytes
    role: Role
    is_again: bool = False


@dataclass(frozen=True, slots=True)
class Requested:
    """A new request, verified and decoded; answer it by `PumpLink.reply` before feeding more bytes."""

    request: Request


@dataclass(frozen=True, slots=True)
class Ended:
    """The session ended; staged data are to be dropped."""

    programmer_id: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class HandshakeRefused:
    """A handshake did not come about; for the pump's log and its battery account."""

    programmer_id: bytes
    reason: RefuseReason


PumpLinkEvent = Opened | Requested | Ended | HandshakeRefused
