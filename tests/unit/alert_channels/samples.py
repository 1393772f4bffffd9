"""Alerts, contacts and notifications to try the channels with."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from itbpump.alerts.model import Alert, AlertKind, Contact, Notification, RefillDates, Stage, WatchedPump

NOW = datetime(2026, 8, 1, 10, 30, tzinfo=UTC)
DAY = date(2026, 8, 19)


def alert(**changes: Any) -> Alert:
    """A refill that is due soon."""
    values: dict[str, Any] = {
        "key": "refill/P40-000123/ab12/3",
        "kind": AlertKind.REFILL,
        "stage": Stage.DUE_SOON,
        "serial": "P40-000123",
        "memory_id": "ab12",
        "patient_id": "P-0042",
        "cycle": 3,
        "due": DAY,
        "title": "Refill by 19 Aug 2026",
        "lines": ("Limited by: low reservoir.", "The pump may be empty from 22 Aug 2026."),
        "since": NOW,
    }
    return Alert(**{**values, **changes})


def contact(**changes: Any) -> Contact:
    return Contact(**{"id": "ward", "order": 0, "channel": "email", "address": "refills@clinic.example", **changes})


def notification(**changes: Any) -> Notification:
    values: dict[str, Any] = {
        "idempotency_key": "refill/P40-000123/ab12/3/0/due_soon/0/ward",
        "alerts": (alert(),),
        "contact": contact(),
        "subject": "Refill by 19 Aug 2026",
        "lines": ("Pump P40-000123: refill by 19 Aug 2026.", "Limited by: low reservoir."),
        "made_at": NOW,
        "uid": "0123456789abcdef@itbpump",
        "sequence": 4,
    }
    return Notification(**{**values, **changes})


def dates(**changes: Any) -> RefillDates:
    values: dict[str, Any] = {
        "computed_at": NOW,
        "alarm": date(2026, 8, 21),
        "low_earliest": DAY,
        "low_nominal": date(2026, 8, 21),
        "low_latest": date(2026, 8, 24),
        "empty_earliest": date(2026, 8, 22),
        "empty_nominal": date(2026, 8, 26),
        "empty_latest": date(2026, 8, 30),
        "refill_by": DAY,
        "limited_by": "low-reservoir",
    }
    return RefillDates(**{**values, **changes})


def watched(**changes: Any) -> WatchedPump:
    values: dict[str, Any] = {
        "serial": "P40-000123",
        "memory_id": "ab12",
        "patient_id": "P-0042",
        "profile": "P-40",
        "cycle": 3,
        "dates": dates(),
        "last_seen": NOW,
    }
    return WatchedPump(**{**values, **changes})
