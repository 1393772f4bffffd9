"""The outbox: messages are recorded with the decision that made them, sent afterwards, and marked when the other side has them.

    recorded --claim--> leased --send--> sent --mark--> delivered | refused | waiting for its next try

At least once: a message stays pending until an answer is written down. A crash after the claim leaves a lease that runs out; whoever claims
the message then asks the channel `already_sent` first, under the same idempotency key, so that the receiver can tell a repeat where it can
tell at all. Two jobs at once cannot both claim. Back-off: 1, 2, 4 … 60 min, without end; a message is given up only by an answer that it
will never be taken, or because its alert is settled. Not here: who is told (state), when (job).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, func, insert, or_, select, update

from itbpump.alerts.channel import Channel, Delivery, DeliveryState
from itbpump.alerts.ical import uid_of
from itbpump.alerts.model import Alert, AlertKind, Contact, Notification
from itbpump.alerts.snapshot import alert_of, json_of
from itbpump.alerts.state import Telling
from itbpump.alerts.store import AlertStore
from itbpump.alerts.tables import MessageState, deliveries, messages
from itbpump.registry.engine import reading, writing

__all__ = ["Grouping", "Outbox", "Sent", "compose", "retry_after"]

LEASE = timedelta(minutes=10)
"""Longer than any channel's own time limit for one message."""
FIRST_RETRY_MIN, LONGEST_RETRY_MIN = 1, 60
LONGEST_DETAIL = 200
_STATES = {DeliveryState.DELIVERED: MessageState.DELIVERED, DeliveryState.REFUSED: MessageState.REFUSED}


class Grouping(StrEnum):
    """What goes into one message to one contact: one alert, all of one patient, or all of one run."""

    ALERT = "alert"
    PATIENT = "patient"
    CLINIC = "clinic"


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt. `defect`: class of the error where the channel raised instead of answering."""

    key: str
    delivery: Delivery
    channel: str
    alert_keys: tuple[str, ...]
    defect: str = ""


# ------------------------------------------------------------------------------------------------ making messages
def compose(tellings: Iterable[Telling], now: datetime, grouping: Grouping) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of messages and of their items."""
    groups: dict[tuple[str, ...], list[Telling]] = {}
    for telling in tellings:
        part = {Grouping.ALERT: telling.key, Grouping.PATIENT: telling.alert.patient_id or telling.alert.memory_id, Grouping.CLINIC: ""}
        groups.setdefault((telling.contact.id, str(telling.cancels), part[grouping]), []).append(telling)
    rows: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for group in groups.values():
        group.sort(key=lambda telling: (-telling.alert.stage, telling.key))
        row = _message(group, now)
        rows.append(row)
        parts.extend(_item(telling, row["key"]) for telling in group)
    return rows, parts


def _message(group: Sequence[Telling], now: datetime) -> dict[str, Any]:
    first, contact = group[0], group[0].contact
    refill = next((telling for telling in group if telling.alert.kind is AlertKind.REFILL), None)
    return {
        "key": first.key if len(group) == 1 else _group_key(group),
        "contact_id": contact.id,
        "channel": contact.channel,
        "stage": int(first.alert.stage),
        "subject": _subject(group),
        "lines": [line for telling in group for line in _lines(telling.alert, contact, cancels=telling.cancels)],
        "alerts": [json_of(telling.alert) for telling in group],
        "made_at": now,
        "round": first.round,
        "uid": "" if refill is None else uid_of(refill.alert.serial, refill.alert.memory_id, refill.alert.cycle),
        "sequence": 0 if refill is None else refill.generation,
        "cancels": first.cancels,
        "state": MessageState.PENDING.value,
        "attempts": 0,
        "next_try_at": now,
        "leased_until": None,
        "settled_at": None,
    }


def _item(telling: Telling, message_key: str) -> dict[str, Any]:
    return {
        "key": telling.key,
        "message_key": message_key,
        "alert_key": telling.alert.key,
        "contact_id": telling.contact.id,
        "stage": int(telling.alert.stage),
        "generation": telling.generation,
    }


def _group_key(group: Sequence[Telling]) -> str:
    """Of the same alerts at the same rounds, the same key."""
    text = "\n".join(sorted(telling.key for telling in group))
    return f"group/{hashlib.sha256(text.encode()).hexdigest()[:32]}/{group[0].contact.id}"


def _subject(group: Sequence[Telling]) -> str:
    """No patient, no pump: a subject is read over shoulders."""
    first = group[0]
    word = "Settled" if first.cancels else first.alert.stage.word.capitalize()
    more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
    return f"{word}: {first.alert.title}{more}"


def _lines(alert: Alert, contact: Contact, *, cancels: bool) -> list[str]:
    """Details and the opaque id go only to a contact that may see them; the others find them by the alert's key."""
    lines = [f"{'Settled' if cancels else alert.stage.word.capitalize()}: {alert.title}"]
    if contact.shows_patient:
        lines.append(f"Patient {alert.patient_id}, pump {alert.serial}.")
        lines.extend(alert.lines if not cancels else ["Settled; nothing is to be done about it any more."])
    lines.append(f"Alert {alert.key}")
    return lines


def retry_after(attempts: int) -> timedelta:
    """Time until the next try after so many (1 or more) in vain."""
    return timedelta(minutes=min(FIRST_RETRY_MIN << min(attempts - 1, 16), LONGEST_RETRY_MIN))


# ------------------------------------------------------------------------------------------------ sending them
class Outbox:
    """Sends what is recorded. `clock` gives the time at each step: a lease counts from when it is taken."""

    def __init__(
        self, store: AlertStore, channels: Mapping[str, Channel], contacts: Sequence[Contact], clock: Callable[[], datetime]
    ) -> None:
        self._store, self._channels, self._clock = store, channels, clock
        self._contacts = {contact.id: contact for contact in contacts}

    def due(self) -> list[str]:
        """Keys of what can be tried now, the most urgent first."""
        c, now = messages.c, self._clock()
        with reading(self._store.engine) as connection:
            query = select(c.key).where(c.state == MessageState.PENDING.value, c.next_try_at <= now)
            query = query.where(or_(c.leased_until.is_(None), c.leased_until <= now))
            return list(connection.execute(query.order_by(c.stage.desc(), c.made_at, c.key)).scalars())

    def claim(self, key: str) -> Mapping[str, Any] | None:
        """The row, as it was before, now leased to the caller; None where somebody else has it."""
        c, now = messages.c, self._clock()
        free = (c.key == key, c.state == MessageState.PENDING.value, or_(c.leased_until.is_(None), c.leased_until <= now))
        with writing(self._store.engine) as connection:
            row = connection.execute(select(messages).where(*free)).mappings().one_or_none()
            if row is None:
                return None
            taken = update(messages).where(*free, c.attempts == row["attempts"])
            leased = connection.execute(taken.values(leased_until=now + LEASE, attempts=row["attempts"] + 1))
            return dict(row) if leased.rowcount == 1 else None

    def attempt(self, row: Mapping[str, Any]) -> Sent:
        """Send a claimed message, or find that an earlier attempt had arrived. Does not mark it."""
        alert_keys = tuple(alert["key"] for alert in row["alerts"])
        contact, channel = self._contacts.get(row["contact_id"]), self._channels.get(row["channel"])
        if contact is None or channel is None:
            missing = "the contact is not kept any more" if contact is None else "no channel of this name is set up"
            return Sent(row["key"], Delivery(DeliveryState.REFUSED, detail=missing), row["channel"], alert_keys)
        try:
            if row["attempts"] and channel.already_sent(row["key"]):
                delivery = Delivery(DeliveryState.DELIVERED, detail="had arrived by an earlier attempt")
            else:
                delivery = channel.send(_notification(row, contact))
        except Exception as error:  # noqa: BLE001  # one broken channel must not keep word from the others; the job raises it at its end
            name = type(error).__name__
            return Sent(row["key"], Delivery(DeliveryState.FAILED, detail=f"the channel raised {name}"), row["channel"], alert_keys, name)
        return Sent(row["key"], delivery, row["channel"], alert_keys)

    def mark(self, row: Mapping[str, Any], sent: Sent) -> None:
        """Write down what became of it. Delivered and refused are final; a later attempt's failure does not undo them."""
        c, now, attempt = messages.c, self._clock(), row["attempts"] + 1
        final = _STATES.get(sent.delivery.state)
        values: dict[str, Any] = {"leased_until": None}
        values |= {"next_try_at": now + retry_after(attempt)} if final is None else {"state": final.value, "settled_at": now}
        mine = c.state != MessageState.DELIVERED.value
        if final is not MessageState.DELIVERED:
            mine = and_(c.state == MessageState.PENDING.value, c.attempts == attempt)
        entry = {"state": sent.delivery.state.value, "reference": sent.delivery.reference, "detail": sent.delivery.detail[:LONGEST_DETAIL]}
        with writing(self._store.engine) as connection:
            connection.execute(insert(deliveries).values(message_key=sent.key, attempt=attempt, at=now, **entry))
            connection.execute(update(messages).where(c.key == sent.key, mine).values(**values))

    def counts(self) -> dict[str, int]:
        """Messages by state."""
        with reading(self._store.engine) as connection:
            return dict(connection.execute(select(messages.c.state, func.count()).group_by(messages.c.state)).tuples().all())


def _notification(row: Mapping[str, Any], contact: Contact) -> Notification:
    """The same as at the first attempt; only the contact's address is the present one, and what it may see no more is not in it."""
    alerts = tuple(alert_of(alert) for alert in row["alerts"])
    lines = row["lines"] if contact.shows_patient else [line for alert in alerts for line in _lines(alert, contact, cancels=row["cancels"])]
    return Notification(
        idempotency_key=row["key"],
        alerts=alerts,
        contact=contact,
        subject=row["subject"],
        lines=tuple(lines),
        made_at=row["made_at"],
        round=row["round"],
        uid=row["uid"],
        sequence=row["sequence"],
        cancels=row["cancels"],
    )
