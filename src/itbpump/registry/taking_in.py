"""Rows of a clinic's table into the registry, in one transaction; a dry run does all of it and then undoes it.

Rows of refills learn what their neighbours tell: from what was expected in the reservoir follows what the pump counted since the fill
before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from itbpump.errors import ItbPumpError
from itbpump.refill import CLINIC_LIMIT_NL
from itbpump.registry import subjects
from itbpump.registry.errors import Contradiction
from itbpump.registry.fills import Fill, insert_fill
from itbpump.registry.importing import ImportRefused, Mapped, Plan, Problem, read_table
from itbpump.registry.recording import imported_dates
from itbpump.registry.scales import record_observation
from itbpump.registry.store import Registry
from itbpump.registry.tables import pumps, refills
from itbpump.registry.unit import Unit

__all__ = ["Taken", "take_in"]


@dataclass(frozen=True, slots=True)
class Taken:
    """What an import did, or would do: rows taken in, lines left out because they were known, and how the file was read."""

    rows: int
    known: tuple[int, ...]
    read_as: tuple[str, ...]


class _DryRun(Exception):
    """Everything went well and is not to be kept."""


def take_in(
    registry: Registry, file: Path, kind: str, plan: Plan, *, at: datetime, by: str, dry_run: bool = False, skip_known: bool = False
) -> Taken:
    """Import a table. `skip_known`: leave out pumps that are registered and refills of a day that is. Raises ImportRefused with every
    problem; then nothing was imported."""
    table = read_table(file, kind, plan)
    known: list[int] = []
    problems: list[Problem] = []
    try:
        with registry.working(by, at) as unit:
            for number, row in sorted(table.rows, key=lambda numbered: str(numbered[1].get("on", ""))):
                try:
                    if not _TAKERS[kind](unit, row, skip_known):
                        known.append(number)
                except ItbPumpError as error:
                    problem = error.problem if isinstance(error, Contradiction) else str(error)
                    problems.append(Problem(number, "", "", problem, error.action or "correct the line"))
            if problems:
                raise ImportRefused(str(file), problems)
            unit.note("imported", "registry", kind, {"rows": len(table.rows) - len(known)})
            if dry_run:
                raise _DryRun
    except _DryRun:
        pass
    return _taken(table, known)


def _taken(table: Mapped, known: list[int]) -> Taken:
    return Taken(len(table.rows) - len(known), tuple(known), table.taken)


def _noon(day: date) -> datetime:
    """A day of a table as a moment: noon UTC is that day from −11:59 to +11:59."""
    return datetime.combine(day, time(12), tzinfo=UTC)


def _pump(unit: Unit, row: Mapping[str, Any], skip_known: bool) -> bool:
    serial = row["serial"]
    if skip_known and unit.connection.execute(sa.select(pumps.c.id).where(subjects.is_serial(serial))).first() is not None:
        return False
    if ("filled" in row) != ("filled_on" in row):
        raise Contradiction("a fill has a volume and a day, and one of them is missing", "fill in both, or neither")
    if "zone" in row and "patient" not in row:
        raise Contradiction("a time zone is the patient's, and no patient is named", "fill in the patient's id")
    pump_id = subjects.imported_pump(unit, serial, row["profile"], row.get("implanted_on"))
    if "patient" in row:
        subjects.ensure_patient(unit, row["patient"], row.get("zone"))
        subjects.assign(unit, pump_id, row["patient"], unit.at)
    if "filled" in row:
        insert_fill(unit, pump_id, row["profile"], Fill(_noon(row["filled_on"]), "import", after_nL=row["filled"]))
    if "refill_by" in row or "alarm" in row:
        imported_dates(unit, pump_id, unit.at, row.get("refill_by"), row.get("alarm"))
    if "visit_on" in row:
        subjects.book(unit, serial, row["visit_on"])
    return True


def _refill(unit: Unit, row: Mapping[str, Any], skip_known: bool) -> bool:
    pump = subjects.pump_row(unit.connection, row["serial"])
    at = _noon(row["on"])
    before = (
        unit.connection.execute(sa.select(refills).where(refills.c.pump_id == pump["id"]).order_by(refills.c.at.desc())).mappings().all()
    )
    if any(known["at"].date() == row["on"] for known in before):
        if skip_known:
            return False
        raise Contradiction(
            f"a refill of pump {row['serial']} on {row['on'].isoformat()} is there already", "leave the line out, or pass --skip-known"
        )
    residual = _residual(pump["profile"])
    expected, aspirated = row.get("expected"), row.get("aspirated")
    last = next((known for known in before if known["at"] < at), None)
    counted = last["after_nL"] - residual - expected if last is not None and last["after_nL"] and expected is not None else None
    difference = aspirated - expected if aspirated is not None and expected is not None else None
    fill = Fill(
        at,
        "import",
        expected_nL=expected,
        aspirated_nL=aspirated,
        filled_nL=row["filled"],
        after_nL=residual + row["filled"],
        counted_nL=counted if counted is None or counted >= 0 else None,
        discrepancy_nL=difference,
        suspicious=difference is not None and abs(difference) > CLINIC_LIMIT_NL,
        decision=row.get("decision", ""),
    )
    insert_fill(unit, pump["id"], pump["profile"], fill)
    return True


def _residual(profile: str) -> int:
    from itbpump.profiles import load_profile  # noqa: PLC0415

    return load_profile(profile).residual.nL


def _observation(unit: Unit, row: Mapping[str, Any], _skip_known: bool) -> bool:
    place, words = row.get("site", ""), row.get("text", "")
    record_observation(unit, row["patient"], row["scale"], row.get("grade", ""), place, words, _noon(row["on"]))
    return True


_TAKERS = {"pumps": _pump, "refills": _refill, "observations": _observation}
