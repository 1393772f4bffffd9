"""Present therapies for the tests of plans: plain data to alter, and what a plan must hold whatever it is."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from itbpump.configuration import wire_configuration
from itbpump.plan import Plan
from itbpump.therapy import Prescription, load_prescription
from itbpump.therapy_view import view_configuration

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AS_OF = datetime(2026, 11, 22, 10, tzinfo=timezone(timedelta(hours=-5)))  # a Sunday


def example(name: str) -> Prescription:
    return load_prescription(EXAMPLES / f"{name}.toml")


def present(therapy: dict[str, Any], **changes: Any) -> Prescription:
    """An adult with spinal spasticity; `changes`: profile, volume, concentration, path, alarm, indication, age, screening, since."""
    told = {"profile": "P-40", "volume": "38 mL", "concentration": "2000 mcg/mL", "path": "0.316 mL", "alarm": "6.5 mL"} | changes
    data: dict[str, Any] = {
        "schema": "itbpump.prescription/1",
        "patient": {"id": "P-1", "indication": told.get("indication", "spinal"), "age_years": told.get("age", 46)},
        "pump": {
            "profile": told["profile"],
            "reservoir_volume": told["volume"],
            "as_of": AS_OF,
            "low_reservoir_alarm": told["alarm"],
        },
        "drug": {"name": "baclofen", "concentration": told["concentration"]},
        "catheter": {"path_volume": told["path"]},
        "therapy": therapy | ({"since": told["since"]} if "since" in told else {}),
    }
    for table in ("screening", "medication"):
        if table in told:
            data[table] = told[table]
    return Prescription.model_validate(data)


def continuous(dose: str, **more: Any) -> dict[str, Any]:
    return {"mode": "continuous", "dose": dose, **more}


def flex(*steps: dict[str, str]) -> dict[str, Any]:
    return {"mode": "flex", "pattern": [{"days": list(WEEK), "steps": list(steps)}]}


def highest(rx: Prescription, plan: Plan) -> Fraction:
    """Highest 24 h, ng, computed apart from the plan's own measure."""
    return Fraction(view_configuration(wire_configuration(rx, plan.profile), plan.profile).highest_24h_exact.ng_per_day)


def steps_of(plan: Plan) -> list[tuple[Prescription, Prescription]]:
    """Each prescription beside the one before."""
    chain = [plan.present, *(entry.rx for entry in plan.entries)]
    return list(pairwise(chain))
