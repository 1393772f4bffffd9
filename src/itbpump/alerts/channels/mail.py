"""E-mail through an SMTP server, with the standard library: the line is protected as the clinic says, never as it happens to work out.

`starttls` and `tls` check the server's certificate and name; `plain` is for a server on this machine or a line protected otherwise, and
never carries a password to another machine. A mail counts as delivered when the server has taken it over (250 after the data); whatever is
unclear counts as failed and is sent again under the same Message-ID. SMTP cannot be asked whether it has seen a mail.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path

from itbpump.alerts.channel import Delivery, DeliveryState
from itbpump.alerts.channels.errors import AddressError, ChannelSetupError
from itbpump.alerts.channels.message import address_of, message_id, message_of
from itbpump.alerts.model import Notification

__all__ = ["EmailChannel", "MailSettings", "Security"]


class Security(StrEnum):
    """How the line is protected; nothing else is tried."""

    STARTTLS = "starttls"
    TLS = "tls"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The server and the sender. `timeout_s`: longest wait for each answer, of which a mail needs about ten. Raises ChannelSetupError."""

    host: str
    port: int
    security: Security
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    timeout_s: int = 20

    def __post_init__(self) -> None:
        try:
            address_of(self.sender)
        except AddressError as error:
            raise ChannelSetupError("e-mail", error.problem, "write one address such as pumps@clinic.example", key="sender") from error
        if bool(self.user) != bool(self.password):
            raise ChannelSetupError("e-mail", "a user without a password, or the other way round", "give both or neither", key="user")
        if self.security is Security.PLAIN and self.password and not _is_this_machine(self.host):
            problem = "the password would cross the network in the clear"
            raise ChannelSetupError("e-mail", problem, 'write security = "starttls" or "tls"', key="security")


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False  # a name, which may lead anywhere


class EmailChannel:
    """Sends each notification as one mail, over a connection of its own."""

    def __init__(self, settings: MailSettings, name: str = "email") -> None:
        self._settings, self._name = settings, name

    @property
    def name(self) -> str:
        return self._name

    def send(self, notification: Notification) -> Delivery:
        """Send it once. REFUSED where this mail can never go to this address; FAILED for all that may be better the next time."""
        try:
            mail = message_of(notification, self._settings.sender)
        except AddressError as error:
            return Delivery(DeliveryState.REFUSED, detail=error.problem)
        try:
            with self._connected() as server:
                server.send_message(mail, self._settings.sender, [notification.contact.address])
        except (smtplib.SMTPException, OSError) as error:
            return _failed(error)
        return Delivery(DeliveryState.DELIVERED, message_id(notification.idempotency_key, self._settings.sender))

    def already_sent(self, idempotency_key: str) -> bool | None:
        """Nobody can be asked: the mail goes again, and the receiving side knows it by its Message-ID."""
        return None

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        settings = self._settings
        context = None if settings.security is Security.PLAIN else ssl.create_default_context(cafile=settings.ca_file)
        server: smtplib.SMTP
        if settings.security is Security.TLS:
            server = smtplib.SMTP_SSL(settings.host, settings.port, timeout=settings.timeout_s, context=context)
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_s)
        try:
            if settings.security is Security.STARTTLS:
                server.starttls(context=context)
            if settings.user:
                server.login(settings.user, settings.password)
            yield server
            with suppress(smtplib.SMTPException, OSError):
                server.quit()  # the mail is taken over already: a clumsy goodbye does not make it undelivered
        finally:
            server.close()


def _failed(error: Exception) -> Delivery:
    """In own words and the server's code alone: a server's text may repeat addresses."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = sorted({code for code, _ in error.recipients.values()})
        permanent = all(code >= 500 for code in codes)
        state = DeliveryState.REFUSED if permanent else DeliveryState.FAILED
        return Delivery(state, detail=f"the server does not take this address ({', '.join(map(str, codes))})")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Delivery(DeliveryState.FAILED, detail="the server lacks what was asked of it: encryption, login or such an address")
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Delivery(DeliveryState.FAILED, detail=f"the server does not take user and password ({error.smtp_code})")
    if isinstance(error, smtplib.SMTPDataError):
        state = DeliveryState.REFUSED if error.smtp_code >= 500 else DeliveryState.FAILED
        return Delivery(state, detail=f"the server does not take this mail ({error.smtp_code})")
    if isinstance(error, smtplib.SMTPResponseException):
        return Delivery(DeliveryState.FAILED, detail=f"the server refused before the mail ({error.smtp_code})")
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return Delivery(DeliveryState.FAILED, detail="the server hung up or fell silent; whether it took the mail is not known")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Delivery(DeliveryState.FAILED, detail="the server's certificate cannot be trusted")
    if isinstance(error, TimeoutError):
        return Delivery(DeliveryState.FAILED, detail="the server did not answer in time")
    return Delivery(DeliveryState.FAILED, detail=f"the server cannot be reached ({type(error).__name__})")
