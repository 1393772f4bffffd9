"""A therapy with every rate and dose of its pattern multiplied by one exact number, rounded to amounts that people read without a slip.

Increases round down and decreases up, so that no step is larger than was asked. What the pump makes of it is measured, not assumed:
`highest` is what reviews compare. Pure. Not here: which step comes when.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from itbpump.configuration import wire_configuration
from itbpump.quantity import Concentration, Mass, MassRate, Volume, mass_of_pulses, pulses_for_mass
from itbpump.schedule import schedule_of_prescription
from itbpump.therapy import Continuous, Flex, PatientBolus, PeriodicBolus, Prescription, Step, Therapy
from itbpump.therapy_view import TherapyView, view_configuration

if TYPE_CHECKING:
    from itbpump.profiles import PumpProfile

__all__ = ["Scaled", "prescribed_mean", "scaled", "view_of"]

# What a rounded rate is a multiple of, ng per day: 0.1 mcg per day, 0.01 mcg per hour. A bolus is one of the pump's pulses.
RATE_GRID = {"mcg/day": 100, "mcg/h": 240}

Scaled = Continuous | Flex | PeriodicBolus


def view_of(rx: Prescription, profile: PumpProfile) -> TherapyView:
    """What the pump makes of a prescription."""
    return view_configuration(wire_configuration(rx, profile), profile)


def prescribed_mean(rx: Prescription) -> Fraction:
    """Mean daily dose as written, ng/day, before the pump rounds anything; patient boluses are not in it.

    At 1 mg/mL a nanolitre carries a nanogram, so the schedule of volumes at that strength is one of doses.
    """
    at_one_to_one = rx.model_copy(update={"drug": rx.drug.model_copy(update={"concentration": Concentration(Volume.UNITS["mL"])})})
    return schedule_of_prescription(at_one_to_one, 1, 0).mean_flow


def scaled(therapy: Therapy, share: Fraction, concentration: Concentration, pulse_nL: int, *, up: bool, with_patient: bool) -> Scaled:
    """Every rate and dose times `share`, rounded up or down: rates to the grid, boluses to whole pulses of those that the pump gives now.

    `with_patient` scales the patient's bolus too, else it stays. TypeError for a therapy without a rate to scale: stopped, minimum rate.
    """

    def whole(value: Fraction) -> int:
        return -(-value // 1) if up else value // 1

    def rate(value: MassRate) -> MassRate:
        grid = RATE_GRID[value.unit]
        return MassRate(whole(value.ng_per_day * share / grid) * grid, value.unit)

    def dose(value: Mass) -> Mass:
        pulses = pulses_for_mass(value, concentration, pulse_nL)
        return Mass(mass_of_pulses(whole(pulses * share), concentration, pulse_nL).ng, value.unit)

    if not isinstance(therapy, (Continuous, Flex, PeriodicBolus)):
        raise TypeError(f"a therapy of mode {therapy.mode} has nothing to scale")
    patient = _patient(therapy.patient_bolus, dose) if with_patient else therapy.patient_bolus
    if isinstance(therapy, Continuous):
        return therapy.model_copy(update={"dose": rate(therapy.dose), "patient_bolus": patient})
    if isinstance(therapy, PeriodicBolus):
        changes = {"dose": dose(therapy.dose), "background": rate(therapy.background), "patient_bolus": patient}
        return therapy.model_copy(update=changes)
    patterns = tuple(
        pattern.model_copy(update={"steps": tuple(_step(step, rate, dose) for step in pattern.steps)}) for pattern in therapy.pattern
    )
    return therapy.model_copy(update={"pattern": patterns, "patient_bolus": patient})


def _step(step: Step, rate: Callable[[MassRate], MassRate], dose: Callable[[Mass], Mass]) -> Step:
    if step.rate is not None:
        return step.model_copy(update={"rate": rate(step.rate)})
    return step if step.dose is None else step.model_copy(update={"dose": dose(step.dose)})


def _patient(bolus: PatientBolus | None, dose: Callable[[Mass], Mass]) -> PatientBolus | None:
    return None if bolus is None else bolus.model_copy(update={"dose": dose(bolus.dose)})
