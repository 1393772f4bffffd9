"""A real SMTP server on loopback for the crash tests of the alert job. Each mail it takes over is a file, so that it outlives a process."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from itbpump.alerts.channel import Delivery
from itbpump.alerts.channels.mail import EmailChannel, MailSettings, Security
from itbpump.alerts.channels.message import message_id
from itbpump.alerts.model import Notification, WatchedPump
from tests.unit.alerts.alert_rig import dates, days, pump

SENDER = "pumps@clinic.example"


class Mailbox:
    """What the server took over, in order; `keys` by Message-ID."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        number = len(list(self.folder.iterdir()))
        (self.folder / f"{number:05d}.eml").write_bytes(b"X-To: " + ",".join(envelope.rcpt_tos).encode() + b"\r\n" + content)
        return "250 taken"

    def mails(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.folder.iterdir())]

    def ids(self) -> list[str]:
        return [str(message_from_bytes(mail)["Message-ID"]) for mail in self.mails()]

    def subjects(self) -> set[tuple[str, str]]:
        """To whom, about what."""
        return {(str(mail["X-To"]), str(mail["Subject"])) for mail in map(message_from_bytes, self.mails())}

    def empty(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()


class AskingChannel(EmailChannel):
    """Mail to a mailbox that can be asked, as one can be over IMAP."""

    def __init__(self, port: int, mailbox: Mailbox) -> None:
        super().__init__(MailSettings(host="127.0.0.1", port=port, security=Security.PLAIN, sender=SENDER), "mail")
        self._mailbox = mailbox

    def already_sent(self, idempotency_key: str) -> bool | None:
        return message_id(idempotency_key, SENDER) in self._mailbox.ids()


class SilentChannel(AskingChannel):
    """Plain SMTP: nobody can be asked. `sent` is what it was told to send, by key."""

    def __init__(self, port: int, mailbox: Mailbox) -> None:
        super().__init__(port, mailbox)
        self.sent: list[str] = []

    def send(self, notification: Notification) -> Delivery:
        self.sent.append(notification.idempotency_key)
        return super().send(notification)

    def already_sent(self, idempotency_key: str) -> bool | None:
        return None


@contextmanager
def serving(mailbox: Mailbox) -> Iterator[int]:
    """The port of a running server."""
    controller = Controller(mailbox, hostname="127.0.0.1", port=_free_port())
    controller.start()
    try:
        yield int(controller.port)
    finally:
        controller.stop(no_assert=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def troubled_pumps() -> list[WatchedPump]:
    """One due, one critical with an alarm that mutes nothing critical, one without trouble."""
    empty = replace(pump(2, dates=dates(days(-20))), alarms=("empty-reservoir",))
    return [pump(1, dates=dates(days(5))), empty, pump(3)]


def digest(folder: Path) -> str:
    """Of all mails in any order."""
    return hashlib.sha256(b"".join(sorted(path.read_bytes() for path in folder.iterdir()))).hexdigest()
