"""A configuration that a pump holds, as the prescription that could have made it: so that it is reviewed like any other (SR-09, SR-33).

A pump says what it gives, not to whom: the patient's data are told. Pure: everything comes from `Facts`. Not here: therapies that the
pump no longer holds (it keeps one beside the present one), judging and sending (`restore`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from itbpump.configuration import wire_configuration
from itbpump.errors import ItbPumpError
from itbpump.forecast import last_fill
from itbpump.present import THERAPEUTIC
from itbpump.pump import WrongPump
from itbpump.quantity import Volume
from itbpump.therapy import SCHEMA, WEEKDAYS, Prescription, prescription_from
from itbpump.therapy_view import TherapyView, view_configuration
from itbpump.wire.messages import Configuration, RunState
from itbpump.workflow.facts import Facts

__all__ = ["NothingToRestore", "Stored", "as_prescription", "essence", "patient_tables", "require_same", "stored_therapy"]

_BY_PRESCRIPTION = "itbpump program RX --pump URL"


class NothingToRestore(ItbPumpError):
    """The pump holds nothing that could be given again. `problem` says why and `advice` what to do, both without a command line."""

    def __init__(self, problem: str, advice: str, command: str = "") -> None:
        self.problem, self.advice = problem, advice
        super().__init__(problem, action=f"{advice}: {command}" if command else advice)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is to be given again. `was_stopped`: it is the present configuration of a pump that does not run it; else the one before."""

    configuration: Configuration
    was_stopped: bool

    @property
    def title(self) -> str:
        """What is done with it, in words."""
        return "Start the stopped therapy again" if self.was_stopped else "Restore the therapy before the present one"


def stored_therapy(facts: Facts) -> Stored:
    """The stopped therapy, or the one before the present one. Raises NothingToRestore."""
    present, previous = facts.present, facts.previous
    active = present.configuration
    if active is None:
        if present.has_lost_its_configuration:
            raise NothingToRestore(
                "the pump has lost its therapy", "measure the reservoir, fill it, and tell both", "itbpump refill URL --rx RX"
            )
        raise NothingToRestore("the pump has no therapy", "program it by a prescription", _BY_PRESCRIPTION)
    if present.run_state is not RunState.RUNNING and active.mode in THERAPEUTIC:
        return Stored(active, was_stopped=True)
    if previous is None:
        raise NothingToRestore("the pump holds no earlier configuration", "program it by a prescription")
    if present.bridging:
        raise NothingToRestore("a bridge is in force", "program by a prescription, which carries it on", _BY_PRESCRIPTION)
    if essence(previous) == essence(active):
        raise NothingToRestore(
            "the configuration before the present one holds the same therapy "
            "(a refill or a moved day came last, and the pump keeps only one)",
            "program by a prescription",
            _BY_PRESCRIPTION,
        )
    return Stored(previous, was_stopped=False)


def require_same(former: Prescription, stored: Configuration, facts: Facts) -> None:
    """What is reviewed is what is sent. Raises NothingToRestore for a stored therapy that no prescription makes."""
    if essence(wire_configuration(former, facts.profile)) != essence(stored):
        raise NothingToRestore(
            f"no prescription makes exactly what pump {facts.info.serial} holds (revision {facts.present.revision}), "
            "so it cannot be reviewed",
            "program by a prescription",
            _BY_PRESCRIPTION,
        )


def essence(configuration: Configuration) -> Configuration:
    """A configuration without what belongs to the moment of its commit: volume, week, start, bridge."""
    return replace(
        configuration,
        reservoir_set=False,
        reservoir_volume_nL=0,
        week_offset_ms=0,
        start=True,
        bridge_flow_nL_per_day=0,
        bridge_pulses=0,
    )


# ------------------------------------------------------------------------------------------------ as a prescription
def patient_tables(rx: Prescription, facts: Facts) -> dict[str, Any]:
    """The tables of a prescription that speak of the patient. Raises WrongPump for one of another model."""
    if rx.pump.profile != facts.info.profile:
        raise WrongPump(rx.pump.profile, facts.info.profile)
    return {"patient": rx.patient, "screening": rx.screening, "medication": rx.medication}


def as_prescription(stored: Configuration, facts: Facts, patient: Mapping[str, Any]) -> Prescription:
    """A stored configuration as what could have been prescribed; its amounts are exactly what the pump gives.

    `patient`: the tables `patient`, and where known `screening` and `medication`. Reservoir and time are the present ones. Raises
    PrescriptionError for what cannot be a patient, or a therapy.
    """
    view, fill = view_configuration(stored, facts.profile), last_fill(facts.log, facts.present)
    return prescription_from(
        {
            "schema": SCHEMA,
            **patient,
            "pump": {
                "profile": facts.info.profile,
                "reservoir_volume": Volume(facts.present.reservoir_nL),
                "as_of": facts.present.host_now,
                "low_reservoir_alarm": view.low_alarm,
            },
            "drug": {"name": view.drug, "concentration": view.concentration, "filled_on": fill.on if fill is not None else None},
            "catheter": {"path_volume": view.path},
            "therapy": _as_therapy(stored, view),
        }
    )


def _as_therapy(stored: Configuration, view: TherapyView) -> dict[str, Any]:
    therapy: dict[str, Any] = {"mode": view.mode_text}
    if view.mode_text == "continuous":
        therapy["dose"] = view.days[0][0].rate
    elif view.mode_text == "periodic-bolus" and view.periodic is not None:
        therapy |= {"dose": view.periodic.dose, "over": view.periodic.over, "every": view.periodic.every, "background": view.background}
    elif view.mode_text == "flex":
        therapy["pattern"] = [_pattern(pattern.days, view) for pattern in stored.patterns]
    if view.patient is not None:
        patient = view.patient
        therapy["patient_bolus"] = {
            "dose": patient.dose,
            "over": patient.over,
            "lockout": patient.lockout,
            "max_per_day": patient.max_per_day,
        }
    return therapy


def _pattern(days: int, view: TherapyView) -> dict[str, Any]:
    """One pattern of a week; `days` has bit 0 for Monday."""
    numbers = [number for number in range(7) if days >> number & 1]
    return {
        "days": [WEEKDAYS[number] for number in numbers],
        "steps": [
            {"at": step.at, **({"rate": step.rate} if step.rate is not None else {"dose": step.dose, "over": step.over})}
            for step in view.days[numbers[0]]
        ],
    }
