"""Appointments, and the patient's time zone. A patient of an earlier registry has none told, which counts as UTC."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from itbpump.registry.base import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "appointments",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("pump_id", KEY, nullable=False),
        sa.Column("visit_on", sa.Date(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("kept_at", Instant(), nullable=True),
        sa.Column("cancelled_at", Instant(), nullable=True),
        sa.Column("cancelled_because", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["pump_id"], ["pumps.id"], name=op.f("fk_appointments_pump_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointments")),
    )
    op.create_index(op.f("ix_appointments_pump_id_visit_on"), "appointments", ["pump_id", "visit_on"], unique=False)
    op.add_column("patients", sa.Column("zone", sa.String(length=64), nullable=True))
