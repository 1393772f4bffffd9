"""The seam between the outbox and what carries a message: e-mail, a chat service, a file.

A channel sends one notification and says what became of it, in one of three words. What it may promise differs: an SMTP server's 250 means
that the server has taken the message over, not that a person has read it; only an acknowledgement of the alert says that. Hence `DELIVERED`
here is "the next system has it". Not here: which notification goes when (`outbox`), and retries; a channel tries once, within its own time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from itbpump.alerts.model import Notification

__all__ = ["Channel", "Delivery", "DeliveryState"]


class DeliveryState(StrEnum):
    """What became of one attempt."""

    DELIVERED = "delivered"
    """The next system took it over and said so."""
    FAILED = "failed"
    """Not taken over, or not known whether (the line broke): it is tried again, after asking `already_sent`."""
    REFUSED = "refused"
    """It will never be taken in this form (no such address, channel not set up): not tried again, the next contact is told at once."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """`reference`: what the other side calls it (a Message-ID), empty where it says nothing. `detail`: why not, in words, without address,
    secret or patient; at most 200 characters are kept.
    """

    state: DeliveryState
    reference: str = ""
    detail: str = ""

    @property
    def is_delivered(self) -> bool:
        return self.state is DeliveryState.DELIVERED


@runtime_checkable
class Channel(Protocol):
    """One way to tell people. `name` is what `Contact.channel` says."""

    @property
    def name(self) -> str: ...

    def send(self, notification: Notification) -> Delivery:
        """Send it once, within the channel's own time limit; the other side can tell a repeat by `notification.idempotency_key`.

        Says FAILED or REFUSED for what the other side, the line or the settings did. Whatever it raises is a defect of the channel; the
        outbox records it as FAILED with the class of the error, goes on with the other notifications and raises when all are done.
        """
        ...

    def already_sent(self, idempotency_key: str) -> bool | None:
        """Asked before a notification is sent again after an attempt whose end is not known. None: this channel cannot tell, and the
        notification is sent once more, under the same key.
        """
        ...
