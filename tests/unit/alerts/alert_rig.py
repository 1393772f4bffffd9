"""A clinic for the alert tests: pumps, contacts, channels that remember, an engine over a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from itbpump.alerts.channel import Delivery, DeliveryState
from itbpump.alerts.model import Contact, Notification, RefillDates, WatchedPump
from itbpump.alerts.store import create_tables
from itbpump.registry.engine import address_of, make_engine

NOW = datetime(2026, 8, 3, 8, tzinfo=UTC)  # a Monday
TODAY = NOW.date()
FAR = TODAY + timedelta(days=120)
NURSE = Contact("nurse", 0, "mail", "nurse@clinic.example", escalate_after_h=24, shows_patient=True)
DOCTOR = Contact("doctor", 1, "mail", "doctor@clinic.example", escalate_after_h=24, shows_patient=True)
BACKUP = Contact("backup", 2, "chat", "room", escalate_after_h=24)


def days(after: int) -> date:
    return TODAY + timedelta(days=after)


def dates(refill_by: date | None = FAR, **changes: Any) -> RefillDates:
    """A forecast whose low, alarm and empty days lie after `refill_by` as those of a pump with a good alarm volume."""
    if refill_by is None:
        later: dict[str, Any] = dict.fromkeys(("alarm", "low_earliest", "low_nominal", "low_latest"))
        later |= dict.fromkeys(("empty_earliest", "empty_nominal", "empty_latest"))
    else:
        after = {"alarm": 12, "low_earliest": 0, "low_nominal": 12, "low_latest": 30}
        after |= {"empty_earliest": 14, "empty_nominal": 26, "empty_latest": 45}
        later = {name: refill_by + timedelta(days=more) for name, more in after.items()}
    base = RefillDates(computed_at=NOW, refill_by=refill_by, limited_by="low-reservoir", **later)
    return replace(base, **changes)


def pump(number: int = 1, **changes: Any) -> WatchedPump:
    """A pump nobody need worry about."""
    base = WatchedPump(
        serial=f"S-{number:05d}",
        memory_id=f"{number:016x}",
        patient_id=f"P-{number:05d}",
        profile="P-40",
        cycle=3,
        dates=dates(),
        last_seen=NOW - timedelta(days=20),
    )
    return replace(base, **changes)


def engine_at(path: Path, *, durable: bool = True) -> Engine:
    """`durable` False: faster, for tests that cut no power."""
    engine = make_engine(address_of(path), 5.0)
    if not durable:
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    create_tables(engine)
    return engine


@dataclass
class Clinic:
    """What the job asks of a registry."""

    engine: Engine
    pumps: Sequence[WatchedPump]
    people: Sequence[Contact] = (NURSE, DOCTOR)

    def watched(self, now: datetime) -> Iterator[WatchedPump]:
        return iter(self.pumps)

    def contacts(self) -> Sequence[Contact]:
        return self.people


@dataclass
class Memory:
    """A channel that keeps what it took. `answers`: what it says instead, first come first served; `knows`: it can tell what it has."""

    name: str = "mail"
    knows: bool = True
    answers: list[Delivery | Exception] = field(default_factory=list)
    taken: list[Notification] = field(default_factory=list)

    def send(self, notification: Notification) -> Delivery:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None and not answer.is_delivered:
            return answer
        self.taken.append(notification)
        return answer or Delivery(DeliveryState.DELIVERED, reference=f"<{len(self.taken)}@memory>")

    def already_sent(self, idempotency_key: str) -> bool | None:
        return idempotency_key in self.keys() if self.knows else None

    def keys(self) -> list[str]:
        return [notification.idempotency_key for notification in self.taken]

    def subjects(self, contact: str = "") -> list[str]:
        return [notification.subject for notification in self.taken if contact in ("", notification.contact.id)]
