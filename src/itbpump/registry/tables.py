"""The registry's tables. Times are UTC instants, dates are dates, amounts integers with the unit in the column's name.

Every row is written through `unit.Unit`, which puts a digest of it into the audit. A digest covers every column that is not NULL, so a
column that a later version adds must be nullable: rows written before it keep their digest. Wire bytes are kept as the pump sent them, so
that what was read can be read again by a later version. Tables of alerts stand in `itbpump.alerts`; what alters tables is `migrations`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Date, ForeignKey, Index, Integer, LargeBinary, String, Table, Text
from sqlalchemy import UniqueConstraint as Unique

from itbpump.registry.base import Instant, metadata

__all__ = [
    "NEWEST_READING",
    "VOUCHED",
    "appointments",
    "assignments",
    "audit",
    "audit_head",
    "calibrations",
    "commands",
    "contacts",
    "forecasts",
    "identity",
    "interrogations",
    "observations",
    "patients",
    "pumps",
    "refills",
    "therapies",
]

# SQLite numbers rows by itself only where the type is plainly INTEGER.
Key = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", Key, primary_key=True, autoincrement=True)


def _pump() -> Column[int]:
    return Column("pump_id", Key, ForeignKey("pumps.id"), nullable=False)


identity = Table(
    "registry_identity",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("created_at", Instant, nullable=False),
)

pumps = Table(
    "pumps",
    metadata,
    _id(),
    Column("serial", String(64), nullable=False),
    # Hexadecimal; empty for a pump that was imported and not yet read.
    Column("memory_id", String(64), nullable=False),
    Column("profile", String(16), nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("first_seen", Instant, nullable=False),
    Column("implanted_on", Date),
    Column("retired_at", Instant),
    Column("retired_because", Text),
    Unique("serial", "memory_id"),
)

patients = Table(
    "patients",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created_at", Instant, nullable=False),
    # IANA; NULL: not told, which counts as UTC. Since schema 0002.
    Column("zone", String(64)),
)

assignments = Table(
    "assignments",
    metadata,
    _id(),
    _pump(),
    Column("patient_id", String(64), ForeignKey("patients.id"), nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
)
_OPEN = assignments.c.until.is_(None)
# One patient at a time: two would send one's alerts about the other.
Index("uq_assignments_open", assignments.c.pump_id, unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index(None, assignments.c.patient_id)

interrogations = Table(
    "interrogations",
    metadata,
    _id(),
    _pump(),
    Column("taken_at", Instant, nullable=False),
    Column("offset_min", Integer, nullable=False),
    Column("by", String(64), nullable=False),
    Column("status_wire", LargeBinary, nullable=False),
    Column("configuration_wire", LargeBinary),
    Column("link", Text, nullable=False),
    Column("run_state", String(16), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("stopped_since", Instant),
    Column("uptime_ms", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("reservoir_nL", BigInteger, nullable=False),
    Column("mean_flow_nL_per_day", BigInteger, nullable=False),
    Column("lifetime_pulses", BigInteger, nullable=False),
    Column("battery_permille", Integer, nullable=False),
    Column("eri_left_days", Integer),
    Column("resets", BigInteger, nullable=False),
    Column("alarms", Text, nullable=False),
)
# By the pump's own clock: one that a workstation's wrong clock puts into the future would stay the newest for ever. Since schema 0004.
NEWEST_READING = (interrogations.c.resets, interrogations.c.uptime_ms, interrogations.c.taken_at, interrogations.c.id)
Index("ix_interrogations_newest", interrogations.c.pump_id, *NEWEST_READING)

forecasts = Table(
    "forecasts",
    metadata,
    _id(),
    _pump(),
    Column("computed_at", Instant, nullable=False),
    Column("offset_min", Integer, nullable=False),
    Column("source", String(16), nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("alarm", Date),
    Column("low_earliest", Date),
    Column("low_nominal", Date),
    Column("low_latest", Date),
    Column("empty_earliest", Date),
    Column("empty_nominal", Date),
    Column("empty_latest", Date),
    Column("stable_until", Date),
    Column("battery_until", Date),
    Column("service_until", Date),
    Column("refill_by", Date),
    Column("limited_by", String(32), nullable=False),
    Column("previous_refill_by", Date),
    Column("moved_because", Text, nullable=False),
    Column("library_sha256", String(64), nullable=False),
    Column("document", Text, nullable=False),
)
Index("ix_forecasts_newest", forecasts.c.pump_id, forecasts.c.computed_at, forecasts.c.id)

therapies = Table(
    "therapies",
    metadata,
    _id(),
    _pump(),
    Column("patient_id", String(64), ForeignKey("patients.id")),
    Column("since", Instant, nullable=False),
    Column("prescription", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("review_digest", String(64), nullable=False),
    Column("by", String(64), nullable=False),
    Column("second", String(64), nullable=False),
)
Index("ix_therapies_newest", therapies.c.pump_id, therapies.c.since, therapies.c.id)

refills = Table(
    "refills",
    metadata,
    _id(),
    _pump(),
    Column("at", Instant, nullable=False),
    Column("by", String(64), nullable=False),
    # command: told from here; log: seen in the pump's log; import: from the clinic's papers.
    Column("source", String(16), nullable=False),
    Column("expected_nL", BigInteger),
    Column("aspirated_nL", BigInteger),
    Column("filled_nL", BigInteger),
    Column("after_nL", BigInteger),
    Column("counted_nL", BigInteger),
    Column("discrepancy_nL", BigInteger),
    Column("tolerance_nL", BigInteger),
    Column("suspicious", Boolean, nullable=False),
    Column("decision", Text, nullable=False),
    Column("uptime_ms", BigInteger),
    Column("log_seq", BigInteger),
    Column("lot", String(64)),
    CheckConstraint('"aspirated_nL" IS NULL OR "aspirated_nL" >= 0', name="aspirated"),
    CheckConstraint('"filled_nL" IS NULL OR "filled_nL" >= 0', name="filled"),
)
Index("ix_refills_newest", refills.c.pump_id, refills.c.at, refills.c.id)

calibrations = Table(
    "calibrations",
    metadata,
    _id(),
    _pump(),
    Column("at", Instant, nullable=False),
    Column("refills", Integer, nullable=False),
    Column("flow_error_ppm", Integer, nullable=False),
    Column("spread_ppm", Integer, nullable=False),
    Column("lower_ppm", Integer, nullable=False),
    Column("upper_ppm", Integer, nullable=False),
    Column("drift", String(32), nullable=False),
    Column("outside", Boolean, nullable=False),
    Column("alerts", Boolean, nullable=False),
)
Index("ix_calibrations_newest", calibrations.c.pump_id, calibrations.c.at, calibrations.c.id)

observations = Table(
    "observations",
    metadata,
    _id(),
    Column("patient_id", String(64), ForeignKey("patients.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", String(64), nullable=False),
    Column("scale", String(32), nullable=False),
    Column("site", String(64), nullable=False),
    Column("grade", String(32), nullable=False),
    Column("text", Text, nullable=False),
)
Index("ix_observations_newest", observations.c.patient_id, observations.c.at, observations.c.id)

commands = Table(
    "commands",
    metadata,
    _id(),
    _pump(),
    Column("programmer_id", String(32), nullable=False),
    Column("cmd_id", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("what", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("note", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", String(64), nullable=False),
    Column("second", String(64), nullable=False),
    Unique("pump_id", "programmer_id", "cmd_id"),
)

# Since schema 0002.
appointments = Table(
    "appointments",
    metadata,
    _id(),
    _pump(),
    Column("visit_on", Date, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("by", String(64), nullable=False),
    # A fill on that day or later: the visit has been.
    Column("kept_at", Instant),
    Column("cancelled_at", Instant),
    Column("cancelled_because", Text),
)
Index(None, appointments.c.pump_id, appointments.c.visit_on)

contacts = Table(
    "contacts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("channel", String(32), nullable=False),
    Column("address", Text, nullable=False),
    Column("escalate_after_h", Integer, nullable=False),
    Column("shows_patient", Boolean, nullable=False),
    Column("removed_at", Instant),
    CheckConstraint("escalate_after_h > 0", name="escalate"),
)

# Numbered by the writer, without a gap: a row that is gone shows.
audit = Table(
    "audit",
    metadata,
    Column("seq", Key, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("by", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    Column("subject", String(32), nullable=False),
    Column("subject_id", String(64), nullable=False),
    Column("content", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)

# The newest link: rows cut off the end of the audit leave it pointing to nothing.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
)

VOUCHED = (
    identity,
    pumps,
    patients,
    assignments,
    interrogations,
    forecasts,
    therapies,
    refills,
    calibrations,
    observations,
    commands,
    appointments,
    contacts,
)
"""Tables whose every row the audit vouches for."""
