"""What a therapy form begins with: the therapy that runs, so that a change is typed as a change and not from memory.

Doses are offered in the units of the fields, and only at the drug the pump holds; a concentration never is (design 4, ISMP 1999). A
prescription that was opened, or that the pump runs exactly, is offered as it was written; any other therapy as the pump gives it. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from itbpump.configuration import wire_configuration
from itbpump.errors import PrescriptionError
from itbpump.quantity import Amount
from itbpump.therapy import PeriodicBolus, Prescription
from itbpump.workflow.facts import Facts
from itbpump.workflow.stored import as_prescription, essence
from itbpump.workflow.week import Week

__all__ = ["NOTHING", "Start", "start_of", "therapy_start"]

Start = Mapping[str, str]
"""What is offered, by the field's place in a prescription; amounts as numbers in the field's unit."""
NOTHING: Start = MappingProxyType({})


def therapy_start(facts: Facts) -> Start:
    """What the form offers; nothing where no therapy is known."""
    rx = _known(facts)
    return NOTHING if rx is None else start_of(rx)


def start_of(rx: Prescription) -> Start:
    """A prescription's therapy as the fields would have it."""
    therapy, patient = rx.therapy, rx.patient_bolus
    found: dict[str, str] = {"therapy.mode": therapy.mode}
    if therapy.mode == "continuous":
        found |= {"therapy.dose": _number(therapy.dose, "mcg/day")}
    if therapy.mode in {"continuous", "flex"}:
        found |= {"therapy.pattern": Week.of(rx).text()}
    if isinstance(therapy, PeriodicBolus):
        found |= {
            "therapy.periodic": _number(therapy.dose, "mcg"),
            "therapy.over": therapy.over.text(),
            "therapy.every": therapy.every.text(),
            "therapy.background": _number(therapy.background, "mcg/h"),
        }
    if patient is not None:
        found |= {
            "therapy.patient_bolus.dose": _number(patient.dose, "mcg"),
            "therapy.patient_bolus.over": patient.over.text(),
            "therapy.patient_bolus.lockout": patient.lockout.text(),
            "therapy.patient_bolus.max_per_day": str(patient.max_per_day),
        }
    return MappingProxyType({path: text for path, text in found.items() if text})


def _known(facts: Facts) -> Prescription | None:
    rx, held = facts.rx, facts.present.configuration
    if held is None or (rx is not None and facts.opened):
        return rx
    if rx is not None and rx.pump.profile == facts.info.profile and essence(wire_configuration(rx, facts.profile)) == essence(held):
        return rx
    try:
        return as_prescription(held, facts, {"patient": {"id": "unknown", "indication": "unknown"}})
    except PrescriptionError:  # a pump may hold what no form can: then nothing is offered, and all is typed
        return None


def _number(amount: Amount, unit: str) -> str:
    """The number in this unit; empty where it has no end in it, as a day's dose in hours."""
    number, _, printed = type(amount)(amount.value, unit).text().partition(" ")
    return number if printed == unit else ""
