"""What a `ProgrammerLink` gives out. Pure values; the pump's are in `pump_events`."""

from __future__ import annotations

from dataclasses import dataclass

from itbpump.link.errors import LinkError
from itbpump.wire.messages import Event, Reply

__all__ = ["Failed", "Notified", "Opened", "ProgrammerLinkEvent", "Replied"]


@dataclass(frozen=True, slots=True)
class Opened:
    """The pump proved the key; requests may be sent."""

    pump_id: bytes
    version: int
    boot_epoch: int


@dataclass(frozen=True, slots=True)
class Replied:
    """The answer to the request under way."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Notified:
    """An unsolicited hint."""

    event: Event


@dataclass(frozen=True, slots=True)
class Failed:
    """The handshake, the request or the session failed."""

    error: LinkError


ProgrammerLinkEvent = Opened | Replied | Notified | Failed
