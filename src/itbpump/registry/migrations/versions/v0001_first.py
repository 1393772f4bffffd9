"""The first registry: pumps, patients, readings, dates, therapies, refills, observations, commands, contacts, audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from itbpump.registry.base import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", KEY, autoincrement=False, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "contacts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("escalate_after_h", sa.Integer(), nullable=False),
        sa.Column("shows_patient", sa.Boolean(), nullable=False),
        sa.Column("removed_at", Instant(), nullable=True),
        sa.CheckConstraint("escalate_after_h > 0", name=op.f("ck_contacts_escalate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
    )
    op.create_table(
        "patients",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patients")),
    )
    op.create_table(
        "pumps",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("memory_id", sa.String(length=64), nullable=False),
        sa.Column("profile", sa.String(length=16), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("first_seen", Instant(), nullable=False),
        sa.Column("implanted_on", sa.Date(), nullable=True),
        sa.Column("retired_at", Instant(), nullable=True),
        sa.Column("retired_because", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pumps")),
        sa.UniqueConstraint("serial", "memory_id", name=op.f("uq_pumps_serial_memory_id")),
    )
    op.create_table(
        "registry_identity",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_identity")),
    )
    op.create_table(
        "assignments",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("pump_id", KEY, nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("until", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_assignments_patient_id")),
        sa.ForeignKeyConstraint(["pump_id"], ["pumps.id"], name=op.f("fk_assignments_pump_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignments")),
    )
    op.create_index(op.f("ix_assignments_patient_id"), "assignments", ["patient_id"], unique=False)
    op.create_index(
        "uq_assignments_open",
        "assignments",
        ["pump_id"],
        unique=True,
        sqlite_where=sa.text("until IS NULL"),
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_table(
        "calibrations",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("pump_id", KEY, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("refills", sa.Integer(), nullable=False),
        sa.Column("flow_error_ppm", sa.Integer(), nullable=False),
        sa.Column("spread_ppm", sa.Integer(), nullable=False),
        sa.Column("lower_ppm", sa.Integer(), nullable=False),
        sa.Column("upper_ppm", sa.Integer(), nullable=False),
        sa.Column("drift", sa.String(length=32), nullable=False),
        sa.Column("outside", sa.Boolean(), nullable=False),
        sa.Column("alerts", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["pump_id"], ["pumps.id"], name=op.f("fk_calibrations_pump_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibrations")),
    )
    op.create_index("ix_calibrations_newest", "calibrations", ["pump_id", "at", "id"], unique=False)
    op.create_table(
        "commands",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("pump_id", KEY, nullable=False),
        sa.Column("programmer_id", sa.String(length=32), nullable=False),
        sa.Column("cmd_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("second", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["pump_id"], ["pumps.id"], name=op.f("fk_commands_pump_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commands")),
        sa.UniqueConstraint("pump_id", "programmer_id", "cmd_id", name=op.f("uq_commands_pump_id_programmer_id_cmd_id")),
    )
    op.create_table(
        "forecasts",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("pump_id", KEY, nullable=False),
        sa.Column("computed_at", Instant(), nullable=False),
        sa.Column("offset_min", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("alarm", sa.Date(), nullable=True),
        sa.Column("low_earliest", sa.Date(), nullable=True),
        sa.Column("low_nominal", sa.Date(), nullable=True),
        sa.Column("low_latest", sa.Date(), nullable=True),
        sa.Column("empty_earliest", sa.Date(), nullable=True),
        sa.Column("empty_nominal", sa.Date(), nullable=True),
        sa.Column("empty_latest", sa.Date(), nullable=True),
        sa.Column("stable_until", sa.Date(), nullable=True),
        sa.Column("battery_until", sa.Date(), nullable=True),
        sa.Column("service_until", sa.Date(), nullable=True),
        sa.Column("refill_by", sa.Date(), nullable=True),
        sa.Column("limited_by", sa.String(length=32), nullable=False),
        sa.Column("previous_refill_by", sa.Date(), nullable=True),
        sa.Column("moved_because", sa.Text(), nullable=False),
        sa.Column("library_sha256", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["pump_id"], ["pumps.id"], name=op.f("fk_forecasts_pump_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forecasts")),
    )
    op.create_index("ix_forecasts_newest", "forecasts", ["pump_id", "computed_at", "id"], unique=False)
    op.create_table(
        "interrogations",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("pump_id", KEY, nullable=False),
        sa.Column("taken_at", Instant(), nullable=False),
        sa.Column("offset_min", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("status_wire", sa.LargeBinary(), nullable=False),
        sa.Column("configuration_wire", sa.LargeBinary(), nullable=True),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("run_state", sa.String(length=16), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("stopped_since", Instant(), nullable=True),
        sa.Column("uptime_ms", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("reservoir_nL", sa.BigInteger(), nullable=False),
        sa.Column("mean_flow_nL_per_day", sa.BigInteger(), nullable=False),
        sa.Column("lifetime_pulses", sa.BigInteger(), nullable=False),
        sa.Column("battery_permille", sa.Integer(), nullable=False),
        sa.Column("eri_left_days", sa.Integer(), nullable=True),
        sa.Column("resets", sa.BigInteger(), nullable=False),
        sa.Column("alarms", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["pump_id"], ["pumps.id"], name=op.f("fk_interrogations_pump_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interrogations")),
    )
    op.create_index("ix_interrogations_newest", "interrogations", ["pump_id", "taken_at", "id"], unique=False)
    op.create_table(
        "observations",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("scale", sa.String(length=32), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("grade", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_observations_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observations")),
    )
    op.create_index("ix_observations_newest", "observations", ["patient_id", "at", "id"], unique=False)
    op.create_table(
        "refills",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("pump_id", KEY, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("expected_nL", sa.BigInteger(), nullable=True),
        sa.Column("aspirated_nL", sa.BigInteger(), nullable=True),
        sa.Column("filled_nL", sa.BigInteger(), nullable=True),
        sa.Column("after_nL", sa.BigInteger(), nullable=True),
        sa.Column("counted_nL", sa.BigInteger(), nullable=True),
        sa.Column("discrepancy_nL", sa.BigInteger(), nullable=True),
        sa.Column("tolerance_nL", sa.BigInteger(), nullable=True),
        sa.Column("suspicious", sa.Boolean(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("uptime_ms", sa.BigInteger(), nullable=True),
        sa.Column("log_seq", sa.BigInteger(), nullable=True),
        sa.Column("lot", sa.String(length=64), nullable=True),
        sa.CheckConstraint('"aspirated_nL" IS NULL OR "aspirated_nL" >= 0', name=op.f("ck_refills_aspirated")),
        sa.CheckConstraint('"filled_nL" IS NULL OR "filled_nL" >= 0', name=op.f("ck_refills_filled")),
        sa.ForeignKeyConstraint(["pump_id"], ["pumps.id"], name=op.f("fk_refills_pump_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refills")),
    )
    op.create_index("ix_refills_newest", "refills", ["pump_id", "at", "id"], unique=False)
    op.create_table(
        "therapies",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("pump_id", KEY, nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=True),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("prescription", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("review_digest", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("second", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_therapies_patient_id")),
        sa.ForeignKeyConstraint(["pump_id"], ["pumps.id"], name=op.f("fk_therapies_pump_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_therapies")),
    )
    op.create_index("ix_therapies_newest", "therapies", ["pump_id", "since", "id"], unique=False)
