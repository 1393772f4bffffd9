"""What is asked of the registry: the newest of everything for the alerts, histories, lists.

`watched` is one query with one index look-up per table and pump, streamed: its time grows with the pumps in use, not with their histories.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from itbpump.registry.model import (
    AppointmentRow,
    CommandRow,
    ContactRow,
    DateRow,
    Learned,
    ObservationRow,
    PatientRow,
    PumpHistory,
    PumpRow,
    PumpSummary,
    ReadingRow,
    RefillRow,
    SetAside,
    TherapyRow,
    alarm_id,
)
from itbpump.registry.subjects import pump_row, require_patient
from itbpump.registry.tables import (
    NEWEST_READING,
    appointments,
    assignments,
    calibrations,
    commands,
    contacts,
    forecasts,
    interrogations,
    observations,
    patients,
    pumps,
    refills,
    therapies,
)

__all__ = [
    "contact_rows",
    "history",
    "learned",
    "observation_rows",
    "patient_rows",
    "pump_summaries",
    "refill_rows",
    "set_aside",
    "watched",
]

_BATCH: Final = 2_000
CLOCKS_APART: Final = timedelta(hours=1)
"""How far the clocks of two workstations may be apart before a reading is shown as set aside [D]."""
_DATES: Final = (
    "computed_at",
    "alarm",
    "low_earliest",
    "low_nominal",
    "low_latest",
    "empty_earliest",
    "empty_nominal",
    "empty_latest",
    "refill_by",
    "limited_by",
    "stable_until",
    "battery_until",
)


def _newest(table: sa.Table, *order: str, until: sa.ColumnElement[bool] | None = None) -> sa.ScalarSelect[Any]:
    """The id of a pump's newest row, for a join; found at the end of the table's index."""
    one = table.alias(f"any_{table.name}")
    query = sa.select(one.c.id).where(one.c.pump_id == pumps.c.id)
    if until is not None:
        query = query.where(until)
    return query.order_by(*(one.c[name].desc() for name in (*order, "id"))).limit(1).correlate(pumps, interrogations).scalar_subquery()


def _newest_reading() -> sa.ScalarSelect[Any]:
    return _newest(interrogations, *(column.name for column in NEWEST_READING[:-1]))


def _newest_dates() -> sa.ScalarSelect[Any]:
    """Of the newest reading or one before it: dates of a reading that is set aside are set aside with it."""
    any_dates: sa.ColumnClause[datetime] = sa.literal_column("any_forecasts.computed_at")
    return _newest(forecasts, "computed_at", until=sa.or_(interrogations.c.taken_at.is_(None), any_dates <= interrogations.c.taken_at))


def _labelled(table: sa.Table, prefix: str, names: tuple[str, ...]) -> list[sa.Label[Any]]:
    return [table.c[name].label(f"{prefix}_{name}") for name in names]


def _fill_count() -> sa.ScalarSelect[Any]:
    return sa.select(sa.func.count()).select_from(refills).where(refills.c.pump_id == pumps.c.id).correlate(pumps).scalar_subquery()


def _open_difference() -> sa.ScalarSelect[Any]:
    """The newest suspicious difference that nobody has decided on."""
    open_ = sa.and_(refills.c.pump_id == pumps.c.id, refills.c.suspicious, refills.c.decision == "")
    query = sa.select(refills.c.discrepancy_nL).where(open_).order_by(refills.c.at.desc(), refills.c.id.desc()).limit(1)
    return query.correlate(pumps).scalar_subquery()


def _last_difference() -> sa.ScalarSelect[Any]:
    query = sa.select(refills.c.discrepancy_nL).where(refills.c.pump_id == pumps.c.id)
    return query.order_by(refills.c.at.desc(), refills.c.id.desc()).limit(1).correlate(pumps).scalar_subquery()


def _next_visit() -> sa.ScalarSelect[Any]:
    """The first that stands: one that was missed stays until a fill makes up for it or it is cancelled."""
    stands = sa.and_(appointments.c.pump_id == pumps.c.id, appointments.c.cancelled_at.is_(None), appointments.c.kept_at.is_(None))
    return sa.select(sa.func.min(appointments.c.visit_on)).where(stands).correlate(pumps).scalar_subquery()


def _watched_query() -> sa.Select[Any]:
    return (
        sa.select(
            *_labelled(pumps, "p", ("serial", "memory_id", "profile", "simulated", "retired_at")),
            assignments.c.patient_id,
            patients.c.zone,
            _fill_count().label("cycle"),
            *_labelled(
                interrogations, "i", ("taken_at", "run_state", "mode", "stopped_since", "mean_flow_nL_per_day", "reservoir_nL", "alarms")
            ),
            *_labelled(forecasts, "f", (*_DATES, "offset_min", "previous_refill_by", "moved_because", "cycle")),
            *_labelled(calibrations, "c", ("flow_error_ppm", "alerts")),
            _last_difference().label("difference"),
            _open_difference().label("open_difference"),
            _next_visit().label("visit_on"),
        )
        .select_from(pumps)
        .outerjoin(assignments, sa.and_(assignments.c.pump_id == pumps.c.id, assignments.c.until.is_(None)))
        .outerjoin(patients, patients.c.id == assignments.c.patient_id)
        .outerjoin(interrogations, interrogations.c.id == _newest_reading())
        .outerjoin(forecasts, forecasts.c.id == _newest_dates())
        .outerjoin(calibrations, calibrations.c.id == _newest(calibrations, "at"))
        .where(sa.or_(pumps.c.retired_at.is_(None), interrogations.c.taken_at > pumps.c.retired_at))
        .order_by(pumps.c.id)
    )


def watched(connection: Connection) -> Iterator[PumpRow]:
    """Every pump in use, and every retired one that was read after it was retired, by the order in which they came."""
    with connection.execute(_watched_query().execution_options(yield_per=_BATCH)) as found:  # closed also when the asker stops half-way
        for row in found.mappings():
            yield _pump_row(row)


def _pump_row(row: Any) -> PumpRow:
    # A forecast of the cycle before tells nothing of the present one: what it said would end with the refill has ended.
    # A retired pump promises nobody a date.
    is_current = row["f_computed_at"] is not None and row["f_cycle"] == row["cycle"] and row["p_retired_at"] is None
    return PumpRow(
        serial=row["p_serial"],
        memory_id=row["p_memory_id"],
        patient_id=row["patient_id"] or "",
        profile=row["p_profile"],
        cycle=row["cycle"],
        dates=_dates(row) if is_current else None,
        last_seen=row["i_taken_at"],
        run_state=row["i_run_state"] or "unknown",
        stopped_since=row["i_stopped_since"],
        zone=row["zone"] or "UTC",
        visit_on=row["visit_on"],
        previous_refill_by=row["f_previous_refill_by"] if is_current else None,
        moved_because=row["f_moved_because"] if is_current else "",
        mean_flow_nL_per_day=row["i_mean_flow_nL_per_day"] or 0,
        reservoir_nL=row["i_reservoir_nL"] or 0,
        alarms=tuple(alarm_id(number) for number in json.loads(row["i_alarms"] or "[]")),
        calibration_ppm=row["c_flow_error_ppm"],
        calibration_drifts=bool(row["c_alerts"]),
        discrepancy_nL=row["open_difference"] if row["open_difference"] is not None else row["difference"],
        discrepancy_open=row["open_difference"] is not None,
        simulated=row["p_simulated"],
        mode=row["i_mode"] or "",
        retired_on=row["p_retired_at"],
    )


def _dates(row: Any) -> DateRow:
    at: datetime = row["f_computed_at"]
    shift = timezone(timedelta(minutes=row["f_offset_min"])) if row["f_offset_min"] else UTC
    return DateRow(at.astimezone(shift), **{name: row[f"f_{name}"] for name in _DATES[1:]})


def set_aside(connection: Connection) -> tuple[SetAside, ...]:
    """Readings told to be later than one that the pump made after them: the clock of a workstation was wrong. Of pumps in use."""
    query = (
        sa.select(pumps.c.serial, interrogations.c.pump_id, interrogations.c.taken_at, interrogations.c.by)
        .join(pumps, pumps.c.id == interrogations.c.pump_id)
        .where(pumps.c.retired_at.is_(None))
        .order_by(interrogations.c.pump_id, *(column.desc() for column in NEWEST_READING))
    )
    found, pump_id, later = [], None, datetime.max.replace(tzinfo=UTC)
    for row in connection.execute(query.execution_options(yield_per=_BATCH)):
        later = datetime.max.replace(tzinfo=UTC) if row.pump_id != pump_id else later
        pump_id = row.pump_id
        if row.taken_at - later > CLOCKS_APART:
            found.append(SetAside(row.serial, row.taken_at, row.by))
        else:
            later = min(later, row.taken_at)
    return tuple(found)


# ------------------------------------------------------------------------------------------------ histories
def history(connection: Connection, serial: str) -> PumpHistory:
    """Raises UnknownSubject."""
    row = pump_row(connection, serial)
    pump_id = row["id"]
    (summary,) = _summaries(connection, pumps.c.id == pump_id)
    every = _rows(connection, calibrations, pump_id, "at")
    return PumpHistory(
        pump=summary,
        readings=tuple(_as(ReadingRow, one) for one in _rows(connection, interrogations, pump_id, "taken_at")),
        dates=tuple(_as(DateRow, one) for one in _rows(connection, forecasts, pump_id, "computed_at")),
        refills=tuple(_as(RefillRow, one) for one in _rows(connection, refills, pump_id, "at")),
        therapies=tuple(_as(TherapyRow, one) for one in _rows(connection, therapies, pump_id, "since")),
        commands=tuple(_as(CommandRow, one) for one in _rows(connection, commands, pump_id, "cmd_id")),
        appointments=tuple(_as(AppointmentRow, one) for one in _rows(connection, appointments, pump_id, "visit_on")),
        calibrations=tuple({name: value for name, value in one.items() if name not in ("id", "pump_id")} for one in every),
    )


def learned(connection: Connection, pump_id: int) -> Learned:
    """What a session with this pump takes from here."""
    from itbpump.forecast import Calibration, Drift  # noqa: PLC0415  (with the pump's own rooms, not before)

    implanted_on = connection.execute(sa.select(pumps.c.implanted_on).where(pumps.c.id == pump_id)).scalar_one()
    assigned = sa.select(assignments.c.patient_id).where(assignments.c.pump_id == pump_id, assignments.c.until.is_(None))
    patient_id = connection.execute(assigned).scalar_one_or_none()
    every = sa.select(calibrations).where(calibrations.c.pump_id == pump_id)
    newest = connection.execute(every.order_by(calibrations.c.at.desc(), calibrations.c.id.desc()).limit(1)).mappings().first()
    if newest is None:
        return Learned(None, implanted_on, patient_id)
    names = ("flow_error_ppm", "spread_ppm", "lower_ppm", "upper_ppm", "refills", "outside")
    return Learned(Calibration(**{name: newest[name] for name in names}, drift=Drift(newest["drift"])), implanted_on, patient_id)


def refill_rows(connection: Connection, serial: str) -> tuple[RefillRow, ...]:
    """Oldest first. Raises UnknownSubject."""
    return tuple(_as(RefillRow, one) for one in _rows(connection, refills, pump_row(connection, serial)["id"], "at"))


def _rows(connection: Connection, table: sa.Table, pump_id: int, time: str) -> list[Any]:
    return list(connection.execute(sa.select(table).where(table.c.pump_id == pump_id).order_by(table.c[time], table.c.id)).mappings())


def _as(kind: Any, row: Any) -> Any:
    """A row as its value: the fields are columns of the same name."""
    return kind(**{name: row[name] for name in kind.__slots__})


def observation_rows(connection: Connection, patient_id: str) -> tuple[ObservationRow, ...]:
    """Oldest first. Raises UnknownSubject."""
    require_patient(connection, patient_id)
    query = sa.select(observations).where(observations.c.patient_id == patient_id).order_by(observations.c.at, observations.c.id)
    return tuple(_as(ObservationRow, row) for row in connection.execute(query).mappings())


# ------------------------------------------------------------------------------------------------ lists
def pump_summaries(connection: Connection, *, retired: bool) -> tuple[PumpSummary, ...]:
    """By serial. `retired`: those no longer in use as well."""
    return _summaries(connection, sa.true() if retired else pumps.c.retired_at.is_(None))


def _summaries(connection: Connection, which: sa.ColumnElement[bool]) -> tuple[PumpSummary, ...]:
    query = (
        sa.select(pumps, assignments.c.patient_id, interrogations.c.taken_at, forecasts.c.refill_by, forecasts.c.limited_by)
        .select_from(pumps)
        .outerjoin(assignments, sa.and_(assignments.c.pump_id == pumps.c.id, assignments.c.until.is_(None)))
        .outerjoin(interrogations, interrogations.c.id == _newest_reading())
        .outerjoin(forecasts, sa.and_(forecasts.c.id == _newest_dates(), forecasts.c.cycle == _fill_count()))
        .where(which)
        .order_by(pumps.c.serial, pumps.c.id)
    )
    return tuple(
        PumpSummary(
            serial=row["serial"],
            memory_id=row["memory_id"],
            profile=row["profile"],
            simulated=row["simulated"],
            patient_id=row["patient_id"] or "",
            last_seen=row["taken_at"],
            refill_by=row["refill_by"],
            limited_by=row["limited_by"] or "none",
            retired_because=row["retired_because"] or "",
        )
        for row in connection.execute(query).mappings()
    )


def patient_rows(connection: Connection) -> tuple[PatientRow, ...]:
    """By id, with the pumps assigned now."""
    query = (
        sa.select(patients.c.id, patients.c.zone, pumps.c.serial)
        .select_from(patients)
        .outerjoin(assignments, sa.and_(assignments.c.patient_id == patients.c.id, assignments.c.until.is_(None)))
        .outerjoin(pumps, pumps.c.id == assignments.c.pump_id)
        .order_by(patients.c.id, pumps.c.serial)
    )
    found: dict[str, tuple[str, list[str]]] = {}
    for row in connection.execute(query).mappings():
        found.setdefault(row["id"], (row["zone"] or "UTC", []))[1].extend([row["serial"]] if row["serial"] else [])
    return tuple(PatientRow(key, zone, tuple(serials)) for key, (zone, serials) in found.items())


def contact_rows(connection: Connection) -> tuple[ContactRow, ...]:
    """In order of escalation, those that stand."""
    query = sa.select(contacts).where(contacts.c.removed_at.is_(None)).order_by(contacts.c.position, contacts.c.id)
    return tuple(_as(ContactRow, row) for row in connection.execute(query).mappings())
