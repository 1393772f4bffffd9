"""What the alerts keep: alerts, their journal, messages, deliveries, heartbeats of the job. The tables are `itbpump.alerts.tables`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from itbpump.registry.base import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert_heartbeats",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_heartbeats")),
    )
    op.create_index(op.f("ix_alert_heartbeats_finished_at"), "alert_heartbeats", ["finished_at"], unique=False)
    op.create_table(
        "alert_messages",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("contact_id", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.SmallInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("alerts", sa.JSON(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=160), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("cancels", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", Instant(), nullable=False),
        sa.Column("leased_until", Instant(), nullable=True),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alert_messages")),
    )
    op.create_index(op.f("ix_alert_messages_state_next_try_at"), "alert_messages", ["state", "next_try_at"], unique=False)
    op.create_table(
        "alerts",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=160), nullable=False),
        sa.Column("stage", sa.SmallInteger(), nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("memory_id", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("due", sa.Date(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("supersedes", sa.String(length=160), nullable=False),
        sa.Column("next_on", sa.Date(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column("muted_by", sa.String(length=160), nullable=False),
        sa.Column("acknowledged", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("snoozed", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alerts")),
    )
    op.create_index(op.f("ix_alerts_settled_memory_id"), "alerts", ["settled", "memory_id"], unique=False)
    op.create_table(
        "alert_deliveries",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("message_key", sa.String(length=160), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["message_key"], ["alert_messages.key"], name=op.f("fk_alert_deliveries_message_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_deliveries")),
        sa.UniqueConstraint("message_key", "attempt", name=op.f("uq_alert_deliveries_message_key_attempt")),
    )
    op.create_index(op.f("ix_alert_deliveries_message_key"), "alert_deliveries", ["message_key"], unique=False)
    op.create_table(
        "alert_message_items",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("message_key", sa.String(length=160), nullable=False),
        sa.Column("alert_key", sa.String(length=160), nullable=False),
        sa.Column("contact_id", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.SmallInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["alert_key"], ["alerts.key"], name=op.f("fk_alert_message_items_alert_key")),
        sa.ForeignKeyConstraint(["message_key"], ["alert_messages.key"], name=op.f("fk_alert_message_items_message_key")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alert_message_items")),
    )
    op.create_index(op.f("ix_alert_message_items_alert_key"), "alert_message_items", ["alert_key"], unique=False)
    op.create_index(op.f("ix_alert_message_items_message_key"), "alert_message_items", ["message_key"], unique=False)
    op.create_table(
        "alert_transitions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("alert_key", sa.String(length=160), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("stage", sa.SmallInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("author", sa.String(length=500), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["alert_key"], ["alerts.key"], name=op.f("fk_alert_transitions_alert_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_transitions")),
    )
    op.create_index(op.f("ix_alert_transitions_alert_key"), "alert_transitions", ["alert_key"], unique=False)
