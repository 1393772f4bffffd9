"""Commands of a workstation as rows, with the therapy or the refill that each brought about.

What is handed in is the workstation's own record (`Pump.decisions()`), all of it, each time: what is there already is left, what has become
known since is completed, and what was decided while the registry could not be reached comes in late rather than never.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from itbpump.errors import QuantityError
from itbpump.quantity import Volume
from itbpump.registry.fills import Fill, told_fill
from itbpump.registry.subjects import assign, ensure_patient
from itbpump.registry.tables import commands, therapies

if TYPE_CHECKING:
    from itbpump.hoststate import Intent
    from itbpump.registry.unit import Unit

__all__ = ["record_decisions"]

# Keys of a decision's record, as `workflow` writes it (`facts.RX_KEY`, `refills.REFILL_KEY`), which stands above this room.
RX_KEY: Final = "prescription"
REFILL_KEY: Final = "refill"
MOVES_DATES: Final = frozenset({"configure", "bolus", "stop", "stop_bolus", "minimum_rate"})
"""Kinds of commands that change what is given, and so the dates."""


def record_decisions(unit: Unit, pump_id: int, profile: str, programmer_id: bytes, intents: Sequence[Intent]) -> tuple[int, str]:
    """How many were new or had changed; and what the newest of those did that took effect and changed what is given, in words."""
    query = sa.select(commands).where(commands.c.pump_id == pump_id, commands.c.programmer_id == programmer_id.hex())
    known = {row["cmd_id"]: row for row in unit.connection.execute(query).mappings()}
    changed, because = 0, ""
    for intent in intents:
        row = known.get(intent.cmd_id)
        if row is None:
            _insert(unit, pump_id, programmer_id, intent)
        elif (row["state"], row["note"]) != (intent.state, intent.note):
            unit.update(commands, row["id"], {"state": intent.state, "note": intent.note}, intent.state)
        else:
            continue
        changed += 1
        if intent.state == "applied" and (row is None or row["state"] != "applied"):
            _effect(unit, pump_id, profile, intent)
            because = intent.what if _kind(intent.kind) in MOVES_DATES else because
    return changed, because


def _insert(unit: Unit, pump_id: int, programmer_id: bytes, intent: Intent) -> None:
    basis = _basis(intent)
    values = {
        "pump_id": pump_id,
        "programmer_id": programmer_id.hex(),
        "cmd_id": intent.cmd_id,
        "kind": _kind(intent.kind),
        "digest": intent.digest.hex(),
        "what": intent.what,
        "state": intent.state,
        "note": intent.note,
        "basis": intent.basis,
        "at": unit.at,
        "by": str(basis.get("user", "")) or unit.by,
        "second": str(basis.get("second", "")),
    }
    unit.insert(commands, values, intent.state)


def _basis(intent: Intent) -> dict[str, Any]:
    found = json.loads(intent.basis) if intent.basis else {}
    return found if isinstance(found, dict) else {}


def _kind(number: int) -> str:
    from itbpump.wire.messages import CommandKind  # noqa: PLC0415

    return CommandKind(number).name.lower() if number in CommandKind._value2member_map_ else str(number)


def _effect(unit: Unit, pump_id: int, profile: str, intent: Intent) -> None:
    """What a command that took effect leaves: whose pump it is, the therapy, the refill."""
    basis = _basis(intent)
    patient = str(basis.get("patient", "")) or None
    if patient is not None:
        ensure_patient(unit, patient)
        assign(unit, pump_id, patient, unit.at)
    if RX_KEY in basis:
        values = {
            "pump_id": pump_id,
            "patient_id": patient,
            "since": unit.at,
            "prescription": str(basis[RX_KEY]),
            "digest": intent.digest.hex(),
            "review_digest": str(basis.get("review", ""))[:64],
            "by": str(basis.get("user", "")) or unit.by,
            "second": str(basis.get("second", "")),
        }
        unit.insert(therapies, values)
    if isinstance(basis.get(REFILL_KEY), dict):
        told_fill(unit, pump_id, profile, _fill(basis[REFILL_KEY], basis, unit.at))


def _fill(form: Mapping[str, Any], basis: Mapping[str, Any], at: datetime) -> Fill:
    """A refill as its decision kept it. The amount of a record that cannot be read is not known; the fill itself is kept."""
    difference = _nL(form.get("difference"))
    above, outside = bool(form.get("above_clinic_limit")), bool(form.get("outside_accuracy"))
    reasons = [
        f"{item.get('rule')}: {item.get('reason')}: {item.get('text')}" for item in basis.get("overrides", []) if isinstance(item, dict)
    ]
    lot = form.get("lot")
    return Fill(
        at=_moment(form.get("on"), at),
        source="command",
        expected_nL=_nL(form.get("expected")),
        aspirated_nL=_nL(form.get("aspirated")),
        filled_nL=_nL(form.get("filled")),
        after_nL=_nL(form.get("volume_after")),
        counted_nL=_nL(form.get("counted_since_last_fill")),
        discrepancy_nL=difference,
        tolerance_nL=_nL(form.get("tolerance")),
        suspicious=above or outside,
        decision="; ".join(reasons),
        lot=str(lot)[:64] if lot else None,
    )


def _moment(on: Any, at: datetime) -> datetime:
    """Of a refill that is recorded on its own day, now; of one that comes in late, noon of its day."""
    try:
        day = date.fromisoformat(str(on))
    except ValueError:
        return at
    return at if day == at.date() else datetime.combine(day, time(12), tzinfo=at.tzinfo)


def _nL(form: Any) -> int | None:
    """A volume as records write it, the sign before the number; None for none, and for what is no volume."""
    if not isinstance(form, Mapping):
        return None
    text = str(form.get("value", ""))
    try:
        volume = Volume.parse(f"{text.removeprefix('-')} {form.get('unit', '')}").nL
    except QuantityError:
        return None
    return -volume if text.startswith("-") else volume
