"""A notification as an e-mail: plain words first, the same as HTML, and the refill day as a calendar entry. Pure.

The same notification gives the same bytes, whenever and however often it is made: Message-ID, date and boundaries come from its
idempotency key and its own time, so that a mail sent twice over a crash is one mail to whoever looks for repeats. It says by itself that no
person wrote it (RFC 3834). A patient's id appears only where the contact may see it. Not here: how it travels (`mail`, `folder`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from html import escape

from itbpump.alerts.channels.errors import AddressError
from itbpump.alerts.ical import Entry, calendar_bytes, uid_of
from itbpump.alerts.model import Alert, AlertKind, Notification
from itbpump.report.document import held_together, plain
from itbpump.wording import DISCLAIMER

__all__ = ["address_of", "body_lines", "message_id", "message_of", "without_patient"]

WITHHELD = "[patient id withheld]"
_POLICY = SMTP.clone(max_line_length=78)


def message_id(idempotency_key: str, sender: str) -> str:
    """`<…@domain of the sender>`, the same for ever for one key. Raises AddressError."""
    return f"<{_digest(idempotency_key)}@{address_of(sender).domain}>"


def address_of(text: str) -> Address:
    """One plain address, without a name before it. Raises AddressError for anything else, also for two, or for one with a line break."""
    if not text.isprintable() or text != text.strip() or not text:
        raise AddressError("the address is empty or not one plain line")
    try:
        found = Address(addr_spec=text)
    except (MessageError, ValueError, IndexError) as error:
        raise AddressError("the address is none that mail can go to") from error
    if not found.username or not found.domain:
        raise AddressError("the address lacks what stands before or after the @")
    return found


def message_of(notification: Notification, sender: str) -> EmailMessage:
    """The whole mail. Raises AddressError."""
    to = address_of(notification.contact.address)
    lines = body_lines(notification)
    subject = without_patient(plain(notification.subject), notification)
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = address_of(sender)
    mail["To"] = to
    mail["Subject"] = subject
    mail["Date"] = notification.made_at
    mail["Message-ID"] = message_id(notification.idempotency_key, sender)
    if notification.uid:
        # Later rounds and stages of one refill stand together in a mailbox.
        mail["References"] = message_id(notification.uid, sender)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if any(alert.is_critical for alert in notification.alerts):
        mail["Importance"] = "high"
    mail.set_content("\n".join(lines) + "\n")
    mail.add_alternative(_page(subject, lines), subtype="html")
    _add_calendar(mail, notification, sender)
    for number, part in enumerate(part for part in mail.walk() if part.is_multipart()):
        part.set_boundary(f"itbpump-{_digest(notification.idempotency_key)[:32]}-{number}")
    return mail


def body_lines(notification: Notification) -> list[str]:
    """What the mail says, line by line."""
    found = [without_patient(plain(line), notification) for line in notification.lines]
    if notification.contact.shows_patient:
        said = "\n".join(found)
        found += [f"Patient {patient}" for patient in _patients(notification) if patient not in said]
    elif not notification.cancels:
        found.append("Which pump it is and what to do: itbpump alerts list --details")
    found.append("")
    found += [] if notification.cancels else _how_to_answer(notification.alerts)
    found.append(f"Sent by itbpump, {DISCLAIMER}. Nobody reads answers to this mail.")
    return found


def without_patient(text: str, notification: Notification) -> str:
    """The text with each patient's opaque id taken out, unless the contact may see it.

    An id of a few digits alone cannot be told from a figure of a dose, so it is taken out only behind the word "patient".
    """
    if notification.contact.shows_patient:
        return text
    for patient in sorted(_patients(notification), key=len, reverse=True):
        alone = rf"(?<![\w-]){re.escape(patient)}(?![\w-])"
        if patient.isdecimal() and len(patient) < 6:
            alone = rf"(?<=patient ){re.escape(patient)}(?![\w-])"
        text = re.sub(alone, WITHHELD, text, flags=re.IGNORECASE)
    return text


def _patients(notification: Notification) -> list[str]:
    return sorted({alert.patient_id for alert in notification.alerts if alert.patient_id})


def _how_to_answer(alerts: Iterable[Alert]) -> Iterator[str]:
    for alert in alerts:
        yield f'To acknowledge: itbpump alerts ack {alert.key} --by YOU --reason "…"'


def _page(subject: str, lines: Iterable[str]) -> str:
    """Self-contained; nothing in it runs or loads anything."""
    paragraphs = "\n".join(f"<p>{escape(held_together(line))}</p>" for line in lines if line)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(subject)}</title></head>\n"
        f'<body style="overflow-wrap: break-word">\n<h1>{escape(held_together(subject))}</h1>\n{paragraphs}\n</body>\n</html>\n'
    )


def _add_calendar(mail: EmailMessage, notification: Notification, sender: str) -> None:
    """The refill days of it, as the part a mail program offers to enter and as a file."""
    entries = tuple(_entries(notification))
    if not entries:
        return
    method = "CANCEL" if notification.cancels else "PUBLISH"
    data = calendar_bytes(entries, made_at=notification.made_at, method=method, organizer=f"mailto:{sender}")
    mail.add_alternative(data.decode(), subtype="calendar", params={"method": method})
    mail.add_attachment(data, maintype="application", subtype="ics", filename="refill.ics")


def _entries(notification: Notification) -> Iterator[Entry]:
    refills = [alert for alert in notification.alerts if alert.kind is AlertKind.REFILL and alert.due is not None]
    for alert in refills:
        # The notification's own UID is meant for its only refill; a group of several has one of each.
        uid = notification.uid if notification.uid and len(refills) == 1 else uid_of(alert.serial, alert.memory_id, alert.cycle)
        if alert.due is not None:
            # Who may not see the patient finds pump and patient by the alert's key, as in the text of the mail.
            may_see = notification.contact.shows_patient
            title, lines = (f"Refill pump {alert.serial}", alert.lines) if may_see else (f"Pump refill, alert {alert.key}", ())
            sequence = notification.sequence + notification.cancels  # a cancellation counts as a change
            yield Entry(uid, alert.due, notification.made_at, title, lines, sequence, notification.cancels)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]
