"""Tables of the alerts, on the registry's metadata: alerts, their journal, the outbox, attempts of delivery, heartbeats of the job.

`alert_transitions` and `alert_deliveries` only grow. An alert that fired is a row of `alerts`; that it was told is a row of
`alert_messages` with its `alert_message_items`; that it was delivered is a row of `alert_deliveries`. The three are never one. Contacts are
the registry's; no address stands here.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import JSON, Boolean, Column, Date, ForeignKey, Index, Integer, SmallInteger, String, Table, Text, UniqueConstraint

from itbpump.registry.base import Instant, metadata

__all__ = ["TABLES", "MessageState", "alerts", "deliveries", "heartbeats", "items", "messages", "transitions"]

KEY = String(160)


class MessageState(StrEnum):
    """Where a message stands. `withdrawn`: settled before it could be delivered."""

    PENDING = "pending"
    DELIVERED = "delivered"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


alerts = Table(
    "alerts",
    metadata,
    Column("key", KEY, primary_key=True),
    Column("version", Integer, nullable=False),  # counts writes: who writes over a newer one must read again
    Column("kind", String(32), nullable=False),
    Column("subject", String(160), nullable=False),
    Column("stage", SmallInteger, nullable=False),
    Column("serial", String(64), nullable=False),
    Column("memory_id", String(64), nullable=False),
    Column("patient_id", String(64), nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("due", Date),
    Column("title", Text, nullable=False),
    Column("lines", JSON, nullable=False),
    Column("since", Instant, nullable=False),
    Column("supersedes", KEY, nullable=False),
    Column("next_on", Date),
    Column("generation", Integer, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("muted_by", KEY, nullable=False),
    Column("acknowledged", JSON(none_as_null=True)),
    Column("snoozed", JSON(none_as_null=True)),
    Column("told", JSON, nullable=False),
    Index(None, "settled", "memory_id"),
)

transitions = Table(
    "alert_transitions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("alert_key", KEY, ForeignKey("alerts.key"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("event", String(32), nullable=False),
    Column("stage", SmallInteger, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("author", String(500), nullable=False),
    Column("detail", Text, nullable=False),
)

messages = Table(
    "alert_messages",
    metadata,
    Column("key", KEY, primary_key=True),
    Column("contact_id", String(64), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("stage", SmallInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("lines", JSON, nullable=False),
    Column("alerts", JSON, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("round", Integer, nullable=False),
    Column("uid", String(160), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("cancels", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", Instant, nullable=False),
    Column("leased_until", Instant),
    Column("settled_at", Instant),
    Index(None, "state", "next_try_at"),
)

items = Table(
    "alert_message_items",
    metadata,
    Column("key", KEY, primary_key=True),  # one alert, generation, stage, round and contact: told once in all times
    Column("message_key", KEY, ForeignKey("alert_messages.key"), nullable=False, index=True),
    Column("alert_key", KEY, ForeignKey("alerts.key"), nullable=False, index=True),
    Column("contact_id", String(64), nullable=False),
    Column("stage", SmallInteger, nullable=False),
    Column("generation", Integer, nullable=False),
)

deliveries = Table(
    "alert_deliveries",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("message_key", KEY, ForeignKey("alert_messages.key"), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reference", Text, nullable=False),
    Column("detail", String(200), nullable=False),
    UniqueConstraint("message_key", "attempt"),
)

heartbeats = Table(
    "alert_heartbeats",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant, index=True),
    Column("counts", JSON, nullable=False),
)

TABLES = (alerts, transitions, messages, items, deliveries, heartbeats)
