"""E-mail through a real SMTP server on loopback: what arrives, under which protection, and what is said when it does not."""

from __future__ import annotations

import email
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from itbpump.alerts.channel import Channel, DeliveryState
from itbpump.alerts.channels.errors import ChannelSetupError
from itbpump.alerts.channels.mail import EmailChannel, MailSettings, Security
from itbpump.alerts.ical import entries_of
from itbpump.alerts.model import Stage
from tests.unit.alert_channels import ics_reader
from tests.unit.alert_channels.samples import DAY, alert, contact, notification

SENDER = "pumps@clinic.example"
SECRET = "correct horse"
LOST = "the server hung up or fell silent; whether it took the mail is not known"
# aiosmtpd's own, where it is asked to take a login without TLS; here it is the loopback.
AUTH_WARNING = "ignore:Requiring AUTH while not requiring TLS:UserWarning"


@dataclass
class Mailbox:
    """The server's side: keeps what was taken over; `rcpt` and `data` answer in its place."""

    mails: list[bytes] = field(default_factory=list)
    tls: list[bool] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    rcpt: str = ""
    data: str = ""
    hang_up: bool = False

    async def handle_RCPT(self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:
        if self.rcpt:
            return self.rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        if self.data:
            return self.data
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content)
        self.tls.append(session.ssl is not None or server.transport.get_extra_info("cipher") is not None)
        if self.hang_up:
            server.transport.abort()
        return "250 taken over"

    def authenticate(self, _server: Any, _session: Session, _envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        if isinstance(data, LoginPassword) and data.password == SECRET.encode():
            self.logins.append(data.login.decode())
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False)

    def read(self) -> EmailMessage:
        assert len(self.mails) == 1
        return email.message_from_bytes(self.mails[0], policy=default)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


Started = Callable[..., MailSettings]


@pytest.fixture
def started(mailbox: Mailbox) -> Iterator[Started]:
    """Starts the server; gives the settings that reach it."""
    running: list[Controller] = []

    def start(security: Security = Security.PLAIN, *, certificate: Path | None = None, login: bool = False, **changes: Any) -> MailSettings:
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        options: dict[str, Any] = {"authenticator": mailbox.authenticate, "auth_required": True, "auth_require_tls": False} if login else {}
        if security is Security.STARTTLS and context is not None:
            options["tls_context"] = context
        controller = Controller(mailbox, hostname="127.0.0.1", port=0, ssl_context=context if security is Security.TLS else None, **options)
        controller.port = free_port()
        controller.start()
        running.append(controller)
        return MailSettings(**{"host": "127.0.0.1", "port": controller.port, "security": security, "sender": SENDER, **changes})

    yield start
    for controller in running:
        controller.stop(no_assert=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate for 127.0.0.1, its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


# ------------------------------------------------------------------------------------------------ what arrives
@pytest.mark.sr("SR-40")
def test_a_mail_arrives_with_words_page_calendar_and_file(started: Started, mailbox: Mailbox) -> None:
    sent = EmailChannel(started()).send(notification())
    assert sent.state is DeliveryState.DELIVERED
    mail = mailbox.read()
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
        "application/ics",
    ]
    assert (mail["From"], mail["To"], mail["Subject"]) == (SENDER, "refills@clinic.example", "Refill by 19 Aug 2026")
    assert mail["Message-ID"] == sent.reference
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "Importance" not in mail
    words, page, calendar, file = (part for part in mail.walk() if not part.is_multipart())
    assert words.get_content().startswith("Pump P40-000123: refill by 19 Aug 2026.")
    assert calendar.get_param("method") == "PUBLISH"
    assert file.get_filename() == "refill.ics"
    data = file.get_payload(decode=True)
    assert isinstance(data, bytes)
    assert calendar.get_content().encode().splitlines() == data.splitlines()
    (entry,) = entries_of(data, "x")
    assert (entry.uid, entry.sequence, entry.day) == ("0123456789abcdef@itbpump", 4, DAY)
    (event,) = ics_reader.read(data).of("VEVENT")
    assert event.raw("ORGANIZER") == f"mailto:{SENDER}"
    assert "http" not in page.get_content().split("</head>")[1]


def test_sent_again_it_is_the_same_mail_to_the_last_byte(started: Started, mailbox: Mailbox) -> None:
    channel = EmailChannel(started())
    assert channel.send(notification()) == channel.send(notification())
    first, second = mailbox.mails
    assert first == second
    assert channel.already_sent(notification().idempotency_key) is None
    assert channel.send(notification(idempotency_key="another")).reference != channel.send(notification()).reference


def test_what_is_critical_says_so_and_a_cancellation_cancels(started: Started, mailbox: Mailbox) -> None:
    channel = EmailChannel(started())
    channel.send(notification(alerts=(alert(stage=Stage.CRITICAL),)))
    assert mailbox.read()["Importance"] == "high"
    mailbox.mails.clear()
    channel.send(notification(cancels=True, idempotency_key="gone"))
    mail = mailbox.read()
    (calendar,) = (part for part in mail.walk() if part.get_content_type() == "text/calendar")
    assert calendar.get_param("method") == "CANCEL"
    read = ics_reader.read(calendar.get_content().encode())
    assert read.raw("METHOD") == "CANCEL"
    assert [(event.raw("STATUS"), event.raw("SEQUENCE")) for event in read.of("VEVENT")] == [("CANCELLED", "5")]
    assert "alerts ack" not in mailbox.mails[0].decode()


# ------------------------------------------------------------------------------------------------ how it is protected
@pytest.mark.filterwarnings(AUTH_WARNING)
@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
def test_over_tls_with_a_login(started: Started, mailbox: Mailbox, certificate: Path, security: Security) -> None:
    settings = started(security, certificate=certificate, login=True, ca_file=certificate, user="pumps", password=SECRET)
    assert EmailChannel(settings).send(notification()).is_delivered
    assert (mailbox.tls, mailbox.logins) == ([True], ["pumps"])


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
def test_a_certificate_that_cannot_be_trusted_gets_nothing(
    started: Started, mailbox: Mailbox, certificate: Path, security: Security
) -> None:
    sent = EmailChannel(started(security, certificate=certificate)).send(notification())
    assert (sent.state, sent.detail) == (DeliveryState.FAILED, "the server's certificate cannot be trusted")
    assert mailbox.mails == []


def test_a_server_without_starttls_gets_nothing_in_the_clear(started: Started, mailbox: Mailbox) -> None:
    plain = started()
    settings = MailSettings(plain.host, plain.port, Security.STARTTLS, SENDER)
    sent = EmailChannel(settings).send(notification())
    assert sent.state is DeliveryState.FAILED
    assert "lacks what was asked" in sent.detail
    assert mailbox.mails == []


@pytest.mark.filterwarnings(AUTH_WARNING)
def test_a_wrong_password_is_told_without_it(started: Started, mailbox: Mailbox) -> None:
    sent = EmailChannel(started(login=True, user="pumps", password="wrong")).send(notification())
    assert (sent.state, sent.detail) == (DeliveryState.FAILED, "the server does not take user and password (535)")
    assert mailbox.mails == []


def test_a_password_does_not_cross_the_network_in_the_clear() -> None:
    with pytest.raises(ChannelSetupError, match="in the clear"):
        MailSettings("mail.clinic.example", 25, Security.PLAIN, SENDER, "pumps", SECRET)
    settings = MailSettings("::1", 25, Security.PLAIN, SENDER, "pumps", SECRET)
    assert SECRET not in repr(settings)


# ------------------------------------------------------------------------------------------------ what goes wrong
@pytest.mark.parametrize(
    ("rcpt", "data", "state", "says"),
    [
        ("550 no such user refills@clinic.example", "", DeliveryState.REFUSED, "does not take this address (550)"),
        ("450 greylisted", "", DeliveryState.FAILED, "does not take this address (450)"),
        ("", "554 spam", DeliveryState.REFUSED, "does not take this mail (554)"),
        ("", "451 disk full", DeliveryState.FAILED, "does not take this mail (451)"),
        ("421 going down", "", DeliveryState.FAILED, "421"),
    ],
)
def test_the_servers_answer_decides_whether_it_is_tried_again(
    started: Started, mailbox: Mailbox, rcpt: str, data: str, state: DeliveryState, says: str
) -> None:
    mailbox.rcpt, mailbox.data = rcpt, data
    sent = EmailChannel(started()).send(notification())
    assert sent.state is state
    assert says in sent.detail
    assert "@" not in sent.detail


def test_a_line_that_breaks_after_the_mail_counts_as_failed(started: Started, mailbox: Mailbox) -> None:
    mailbox.hang_up = True
    sent = EmailChannel(started()).send(notification())
    assert (sent.state, sent.detail) == (DeliveryState.FAILED, LOST)
    assert len(mailbox.mails) == 1


def test_nobody_there_and_nobody_answering_are_failures_in_time() -> None:
    sent = EmailChannel(MailSettings("127.0.0.1", free_port(), Security.PLAIN, SENDER)).send(notification())
    assert (sent.state, sent.detail) == (DeliveryState.FAILED, "the server cannot be reached (ConnectionRefusedError)")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = MailSettings("127.0.0.1", silent.getsockname()[1], Security.PLAIN, SENDER, timeout_s=1)
        sent = EmailChannel(settings).send(notification())
    assert (sent.state, sent.detail) == (DeliveryState.FAILED, LOST)


@pytest.mark.parametrize(
    "address", ["", "ward", "a@b@c.example", "a@b.example\r\nBcc: x@y.example", "a@b.example, c@d.example", " a@b.example"]
)
def test_an_address_that_is_none_is_refused_without_a_line_opened(address: str) -> None:
    channel: Channel = EmailChannel(MailSettings("127.0.0.1", 1, Security.PLAIN, SENDER))
    sent = channel.send(notification(contact=contact(address=address)))
    assert sent.state is DeliveryState.REFUSED
    assert not address or address not in sent.detail


def test_a_setting_that_is_half_is_refused() -> None:
    with pytest.raises(ChannelSetupError, match="user without a password"):
        MailSettings("127.0.0.1", 25, Security.PLAIN, SENDER, user="pumps")
    with pytest.raises(ChannelSetupError, match="sender"):
        MailSettings("127.0.0.1", 25, Security.PLAIN, "pumps")
