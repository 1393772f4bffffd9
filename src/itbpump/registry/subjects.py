"""Pumps, patients, who has which, appointments, contacts: rows that other rows hang on. Each function works inside a `Unit`.

A pump whose memory was formatted anew is another row with the same serial: its command numbers, log and counters begin again. The old row
is retired and the patient goes on with the new one. A pump that was imported has no memory id until it is read for the first time.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from itbpump.registry.errors import Contradiction, UnknownSubject
from itbpump.registry.model import ContactRow
from itbpump.registry.tables import appointments, assignments, contacts, interrogations, patients, pumps

if TYPE_CHECKING:
    from itbpump.registry.unit import Unit
    from itbpump.wire.messages import Info

__all__ = [
    "assign",
    "book",
    "cancel_visits",
    "ensure_patient",
    "ensure_pump",
    "holder",
    "imported_pump",
    "in_use",
    "is_retired",
    "is_serial",
    "keep_visits",
    "pump_row",
    "remove_contact",
    "require_patient",
    "require_zone",
    "retire",
    "set_contact",
    "set_zone",
]

_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")


# ------------------------------------------------------------------------------------------------ pumps
def is_serial(serial: str) -> sa.ColumnElement[bool]:
    """A pump's row has this serial, however a table or a person spells its letters."""
    return sa.func.lower(pumps.c.serial) == serial.lower()


def ensure_pump(unit: Unit, info: Info) -> int:
    """The row of the pump that answered; made when it is new."""
    memory_id = info.memory_id.hex()
    same = unit.connection.execute(sa.select(pumps).where(is_serial(info.serial)).order_by(pumps.c.id)).mappings().all()
    for row in same:
        if row["memory_id"] == memory_id:
            return int(row["id"])
    for row in same:
        if not row["memory_id"]:
            # The pump knows better than the table what it is; kept as imported it could never be recorded.
            why = "first read" if row["profile"] == info.profile else f"first read; imported as {row['profile']}"
            told = {"serial": info.serial, "memory_id": memory_id, "simulated": info.simulated, "profile": info.profile}
            unit.update(pumps, row["id"], told, why)
            return int(row["id"])
    values = {"memory_id": memory_id, "profile": info.profile, "simulated": info.simulated, "first_seen": unit.at}
    made = int(unit.insert(pumps, {"serial": info.serial, **values}))
    for row in same:
        if row["retired_at"] is None:
            _succeed(unit, row, made)
    return made


def _succeed(unit: Unit, old: Any, new_id: int) -> None:
    """The same pump with a memory formatted anew: its patient, its day of implant and the visits that stand go on with the new row."""
    patient = holder(unit.connection, old["id"])
    if patient is not None:
        assign(unit, new_id, patient, unit.at)
    if old["implanted_on"] is not None:
        unit.update(pumps, new_id, {"implanted_on": old["implanted_on"]}, "memory formatted anew")
    for key in list(unit.connection.execute(sa.select(appointments.c.id).where(*_standing(old["id"]))).scalars()):
        unit.update(appointments, key, {"pump_id": new_id}, "memory formatted anew")
    unit.update(pumps, old["id"], {"retired_at": unit.at, "retired_because": "its memory was formatted anew"}, "retired")
    _close_assignment(unit, old["id"], unit.at)


def imported_pump(unit: Unit, serial: str, profile: str, implanted_on: date | None) -> int:
    """A pump that the clinic's papers tell of and that was not read yet. Contradiction if its serial is there."""
    if unit.connection.execute(sa.select(pumps.c.id).where(is_serial(serial))).first() is not None:
        raise Contradiction(f"pump {serial} is registered already", "leave this line out, or pass --skip-known")
    values = {"serial": serial, "memory_id": "", "profile": profile, "simulated": False, "first_seen": unit.at}
    return int(unit.insert(pumps, {**values, "implanted_on": implanted_on}, "imported"))


def pump_row(connection: Connection, serial: str, memory_id: str | None = None) -> Any:
    """The row of a pump by serial: the one in use, else the newest. Raises UnknownSubject."""
    query = sa.select(pumps).where(is_serial(serial))
    if memory_id is not None:
        query = query.where(pumps.c.memory_id == memory_id)
    row = connection.execute(query.order_by(pumps.c.retired_at.is_not(None), pumps.c.id.desc())).mappings().first()
    if row is None:
        raise UnknownSubject("pump", serial)
    return row


def retire(unit: Unit, serial: str, because: str) -> None:
    """A pump that is no longer used: nothing watches it until it is read again, and then it may be retired once more.

    Raises UnknownSubject, Contradiction without a reason, and for one that is retired and was not read since.
    """
    if not because.strip():
        raise Contradiction("a pump is not retired without a reason", "say what became of it: replaced, explanted, patient moved away")
    row = pump_row(unit.connection, serial)
    if row["retired_at"] is not None and not _read_since(unit.connection, row["id"], row["retired_at"]):
        raise Contradiction(f"pump {serial} is retired already: {row['retired_because']}", "nothing is to be done")
    unit.update(pumps, row["id"], {"retired_at": unit.at, "retired_because": because.strip()}, "retired")
    _close_assignment(unit, row["id"], unit.at)


def _read_since(connection: Connection, pump_id: int, since: datetime) -> bool:
    query = sa.select(interrogations.c.id).where(interrogations.c.pump_id == pump_id, interrogations.c.taken_at > since)
    return connection.execute(query.limit(1)).first() is not None


def is_retired(connection: Connection, pump_id: int) -> bool:
    """Taken out of use by a person, or followed by the same pump with another memory."""
    return connection.execute(sa.select(pumps.c.retired_at).where(pumps.c.id == pump_id)).scalar_one() is not None


def in_use(unit: Unit, serial: str) -> int:
    """The row of a pump that is given to a patient; a retired one is in use again. Raises UnknownSubject."""
    row = pump_row(unit.connection, serial)
    if row["retired_at"] is not None:
        unit.update(pumps, row["id"], {"retired_at": None, "retired_because": None}, "in use again")
    return int(row["id"])


# ------------------------------------------------------------------------------------------------ patients
def ensure_patient(unit: Unit, patient_id: str, zone: str | None = None) -> None:
    """A patient's row; made when it is new. Contradiction for an id that is none, or an unknown zone."""
    if not _ID.fullmatch(patient_id):
        raise Contradiction(
            f"{patient_id!r} is no opaque patient id", "write up to 32 letters, digits, dots, dashes or underscores, and never a name"
        )
    require_zone(zone)
    row = unit.connection.execute(sa.select(patients).where(patients.c.id == patient_id)).mappings().first()
    if row is None:
        unit.insert(patients, {"id": patient_id, "created_at": unit.at, "zone": zone})
    elif zone is not None and row["zone"] != zone:
        unit.update(patients, patient_id, {"zone": zone})


def require_patient(connection: Connection, patient_id: str) -> None:
    """Raises UnknownSubject."""
    if connection.execute(sa.select(patients.c.id).where(patients.c.id == patient_id)).first() is None:
        raise UnknownSubject("patient", patient_id)


def set_zone(unit: Unit, patient_id: str, zone: str) -> None:
    """Where the patient lives or travels. Raises UnknownSubject, Contradiction for an unknown zone."""
    require_patient(unit.connection, patient_id)
    ensure_patient(unit, patient_id, zone)


def require_zone(zone: str | None) -> None:
    """Contradiction for one that the IANA list does not have; None is none told."""
    if zone is None:
        return
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Contradiction(f"{zone!r} is no time zone", "write one of the IANA list, such as Europe/Berlin or America/New_York") from None


# ------------------------------------------------------------------------------------------------ who has which
def holder(connection: Connection, pump_id: int) -> str | None:
    """The patient who has the pump now."""
    query = sa.select(assignments.c.patient_id).where(assignments.c.pump_id == pump_id, assignments.c.until.is_(None))
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else str(found)


def assign(unit: Unit, pump_id: int, patient_id: str, since: datetime) -> None:
    """From now on this patient has the pump; a patient assigned before has it no longer."""
    if holder(unit.connection, pump_id) == patient_id:
        return
    ensure_patient(unit, patient_id)
    _close_assignment(unit, pump_id, since)
    unit.insert(assignments, {"pump_id": pump_id, "patient_id": patient_id, "since": since}, "assigned")


def _close_assignment(unit: Unit, pump_id: int, until: datetime) -> None:
    query = sa.select(assignments.c.id).where(assignments.c.pump_id == pump_id, assignments.c.until.is_(None))
    found = unit.connection.execute(query).scalar_one_or_none()
    if found is not None:
        unit.update(assignments, found, {"until": until}, "ended")


# ------------------------------------------------------------------------------------------------ appointments, contacts
def _standing(pump_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    """Neither kept nor cancelled."""
    return (appointments.c.pump_id == pump_id, appointments.c.cancelled_at.is_(None), appointments.c.kept_at.is_(None))


def book(unit: Unit, serial: str, visit_on: date) -> None:
    """A visit, which takes the place of one that was missed. Raises UnknownSubject."""
    row = pump_row(unit.connection, serial)
    missed = sa.select(appointments.c.id).where(*_standing(row["id"]), appointments.c.visit_on < min(visit_on, unit.at.date()))
    for key in list(unit.connection.execute(missed).scalars()):
        unit.update(appointments, key, {"cancelled_at": unit.at, "cancelled_because": "missed, and booked again"}, "cancelled")
    unit.insert(appointments, {"pump_id": row["id"], "visit_on": visit_on, "made_at": unit.at, "by": unit.by}, "booked")


def keep_visits(unit: Unit, pump_id: int, filled_at: datetime) -> None:
    """A fill makes up for every visit booked for its day or earlier, by the day at the fill's own offset."""
    query = sa.select(appointments.c.id).where(*_standing(pump_id), appointments.c.visit_on <= filled_at.date())
    for key in list(unit.connection.execute(query).scalars()):
        unit.update(appointments, key, {"kept_at": filled_at}, "kept")


def cancel_visits(unit: Unit, serial: str, visit_on: date, because: str) -> int:
    """Cancel the visits of that day; how many there were. Raises UnknownSubject, Contradiction where there is none."""
    row = pump_row(unit.connection, serial)
    query = sa.select(appointments.c.id).where(*_standing(row["id"]), appointments.c.visit_on == visit_on)
    found = list(unit.connection.execute(query).scalars())
    if not found:
        raise Contradiction(f"pump {serial} has no visit on {visit_on.isoformat()}", "see its history for the day that was booked")
    for key in found:
        unit.update(appointments, key, {"cancelled_at": unit.at, "cancelled_because": because}, "cancelled")
    return len(found)


def set_contact(unit: Unit, contact: ContactRow) -> None:
    """Add a contact, or change it. Contradiction for one that is not complete."""
    named = all(text.strip() for text in (contact.id, contact.channel, contact.address))
    if contact.escalate_after_h <= 0 or not named:
        raise Contradiction(
            f"contact {contact.id!r} is not complete", "give id, channel, address, and hours above 0 until the next is told"
        )
    values = {name: getattr(contact, name) for name in ContactRow.__slots__ if name != "id"}
    if unit.connection.execute(sa.select(contacts.c.id).where(contacts.c.id == contact.id)).first() is None:
        unit.insert(contacts, {"id": contact.id, **values}, "added")
    else:
        unit.update(contacts, contact.id, {**values, "removed_at": None})


def remove_contact(unit: Unit, key: str) -> None:
    """Nobody is told there any more; what was told stays on record. Raises UnknownSubject."""
    query = sa.select(contacts.c.id).where(contacts.c.id == key, contacts.c.removed_at.is_(None))
    if unit.connection.execute(query).first() is None:
        raise UnknownSubject("contact", key)
    unit.update(contacts, key, {"removed_at": unit.at}, "removed")
