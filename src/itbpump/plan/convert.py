"""The same daily dose from another concentration: refill, residual mix, bridge (domain 2.2), in figures before anything is done.

Not modelled: the mix in the catheter, which spreads the change around the end of the bridge (the CSF chart shows it); a residual other than
the profile's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from itbpump.configuration import BridgePlan, plan_bridge
from itbpump.drugs import load_library
from itbpump.plan.figures import plan_figures
from itbpump.plan.mixing import Rinse, least_rinses, mixed_concentration
from itbpump.plan.model import Conversion, Milestone, Plan, PlanInputError, PlanLimitError
from itbpump.plan.scale import view_of
from itbpump.plan.steps import Ground, carried, is_treating, later, percent, reminders, span
from itbpump.profiles import load_profile
from itbpump.quantity import Concentration, Flow, MassRate, Volume, mass_of_volume, rate_of_flow
from itbpump.refill import Discrepancy, Refill
from itbpump.safety import Finding, Severity
from itbpump.therapy import Bridge, Flex, PeriodicBolus, Prescription

if TYPE_CHECKING:
    from collections.abc import Callable

    from itbpump.drugs import DrugLibrary
    from itbpump.profiles import PumpProfile

__all__ = ["convert"]

HOURS_PER_DAY = 24


def convert(
    present: Prescription,
    concentration: Concentration,
    filled: Volume,
    *,
    aspirated: Volume | None = None,
    rinse: Rinse | None = None,
    at: datetime | None = None,
    reasons: Mapping[str, str] | None = None,
    profile: PumpProfile | None = None,
    library: DrugLibrary | None = None,
) -> Plan:
    """One refill with `filled` of the new concentration, a bridge while the path still holds the old one, the same therapy.

    `at` is the time of the refill, by default `as_of`. `aspirated` is compared with what was expected. The mix of residual and fill is
    a dose that nobody prescribed: above the limit of an increase in one change it is refused.
    Raises PlanInputError, PlanLimitError, StepRefused; ProfileError, LibraryError.
    """
    profile = profile if profile is not None else load_profile(present.pump.profile)
    library = library if library is not None else load_library(present.drug.name)
    when = later(present, at)
    if not is_treating(present):
        raise PlanInputError("there is no therapy to bridge; program the new concentration with the refill, as a start")
    if concentration == present.drug.concentration:
        raise PlanInputError(f"the reservoir holds {concentration} already; a refill with the same needs no plan")
    after = Volume(profile.residual.nL + filled.nL)
    if after > profile.capacity:
        message = f"{filled} beside the residual {profile.residual} is more than the reservoir of {profile.capacity} holds"
        raise PlanLimitError(message, after.text(), profile.capacity.text(), profile.sources["capacity"].source)
    ground = Ground(profile, library, present.therapy.since or present.pump.as_of, _expects(present, profile, library), reasons or {})
    placed = ground.place(present, present.therapy, when)
    rx = Prescription.model_validate(
        placed.model_copy(
            update={
                "pump": placed.pump.model_copy(update={"reservoir_volume": after}),
                "drug": present.drug.model_copy(update={"concentration": concentration, "filled_on": None}),
                "bridge": Bridge(plan="auto"),
            }
        ).model_dump(by_alias=True)
    )
    refill = None if aspirated is None else _refill(ground, present, rx, aspirated, filled)
    entry = ground.judged(present, rx, f"refill with {filled} of {concentration}, with a bridge", refill)
    figures = _figures(ground, present, rx, filled, rinse)
    _refuse_mix(ground, present, figures)
    return Plan(
        kind="convert",
        present=present,
        present_dose=view_of(present, profile).mean_day,
        start=present.pump.as_of,
        entries=(entry,),
        notes=_notes(ground, rx, figures, refill),
        milestones=_milestones(when, figures),
        reminders=reminders(library, "overdose", "withdrawal_care"),
        profile=profile,
        library=library,
        conversion=figures,
    )


def _expects(present: Prescription, profile: PumpProfile, library: DrugLibrary) -> Callable[[Finding, Prescription], str | None]:
    """Soft findings that the present therapy brings along: its daily total does not change either."""
    own = carried(present, profile, library, "bolus-size", "daily-total")
    return lambda finding, rx: own.get(finding.rule) if finding.severity is Severity.SOFT else None


# ------------------------------------------------------------------------------------------------ figures
def _figures(ground: Ground, present: Prescription, rx: Prescription, filled: Volume, rinse: Rinse | None) -> Conversion:
    profile, old, new = ground.profile, present.drug.concentration, rx.drug.concentration
    residual, after = profile.residual.nL, rx.pump.reservoir_volume.nL
    tolerance = Fraction(ground.library.rounding_soft_percent.value, 100)
    flows = [view_of(one, profile).schedule.mean_flow for one in (present, rx)]
    advised = plan_figures().rinse.value
    path_nL = present.catheter.path.nL
    bridge = plan_bridge(
        path_nL=path_nL,
        pulse_nL=profile.pulse_volume.nL,
        old_flow=flows[0],
        old_ng_per_mL=old.ng_per_mL,
        new_flow=flows[1],
        new_ng_per_mL=new.ng_per_mL,
    )
    through = Volume(bridge.pulses * profile.pulse_volume.nL)
    return Conversion(
        old=old,
        new=new,
        residual=profile.residual,
        filled=filled,
        volume_after=rx.pump.reservoir_volume,
        rinse=rinse,
        unrinsed=mixed_concentration(residual, old.ng_per_mL, after, new.ng_per_mL),
        mix=mixed_concentration(residual, old.ng_per_mL, after, new.ng_per_mL, rinse),
        tolerance=tolerance,
        advised_rinses=least_rinses(residual, old.ng_per_mL, after, new.ng_per_mL, advised.nL, tolerance),
        advised_volume=advised,
        bridge_flow=Flow(bridge.flow_nL_per_day),
        bridge_volume=through,
        bridge_mass=mass_of_volume(through.nL, old),
        bridge_dose=rate_of_flow(Flow(bridge.flow_nL_per_day), old),
        bridge_hours=_hours(through, bridge),
        unbridged_dose=rate_of_flow(Flow(flows[1]), old).rounded(),
        unbridged_hours=Fraction(path_nL * HOURS_PER_DAY) / flows[1],
    )


def _hours(volume: Volume, bridge: BridgePlan) -> Fraction:
    return Fraction(volume.nL * HOURS_PER_DAY, bridge.flow_nL_per_day)


def _refill(ground: Ground, present: Prescription, rx: Prescription, aspirated: Volume, filled: Volume) -> Refill:
    """The refill beside what the therapy should have left, counted from `as_of` and without patient boluses."""
    profile, at = ground.profile, rx.pump.as_of
    counted = ground.used(present, at).nL
    expected = max(0, ground.reservoir_at(present, at).nL - profile.residual.nL)
    tolerance = -(-counted * profile.accuracy_ppm // 1_000_000)
    found = Discrepancy(aspirated.nL - expected, tolerance if counted else None)
    return Refill(expected, aspirated.nL, filled.nL, rx.pump.reservoir_volume.nL, found, counted or None)


def _refuse_mix(ground: Ground, present: Prescription, figures: Conversion) -> None:
    """PlanLimitError if the mix raises the dose by more than one change may."""
    limits = ground.library.increase_limits(present.patient.indication, present.patient.age_years)
    limit = min((found.soft_percent for found in limits), key=lambda figure: figure.value)
    if figures.mix_share > Fraction(limit.value, 100):
        share = percent(figures.mix_share)
        message = f"the residual makes each mL {share} stronger than labelled, above the increase of {limit.value} %; {_advice(figures)}"
        raise PlanLimitError(message, share, f"{limit.value} %", limit.origin)


def _advice(figures: Conversion) -> str:
    if figures.advised_rinses is None:
        return f"even many rinses of {figures.advised_volume} do not bring it within {percent(figures.tolerance)}"
    times = "once" if figures.advised_rinses == 1 else f"{figures.advised_rinses} times"
    return f"rinse {times} with {figures.advised_volume} of {figures.new} to come within {percent(figures.tolerance)}"


# ------------------------------------------------------------------------------------------------ words
def _notes(ground: Ground, rx: Prescription, figures: Conversion, refill: Refill | None) -> tuple[str, ...]:
    notes = [
        "tell the pump of refill, prescription and bridge at once: itbpump refill URL --aspirated … --filled … --rx FILE",
        "a second person reads concentration and volume from the vials; a forgotten bridge or a wrong label is an overdose or a withdrawal",
    ]
    if abs(figures.mix_share) > figures.tolerance:
        dose = MassRate(view_of(rx, ground.profile).mean_day.ng_per_day * (1 + figures.mix_share)).rounded()
        notes.append(f"the residual mix makes {dose} of the {view_of(rx, ground.profile).mean_day} prescribed; {_advice(figures)}")
    if figures.new < figures.old and _has_boluses(rx):
        notes.append("the path mixes: the first boluses after the bridge push out some of the old, stronger drug; watch the patient then")
    if rx.patient_bolus is not None:
        notes.append("a patient's bolus pushes the old concentration on; consider to leave it out until the bridge is through")
    if refill is not None and refill.expected_nL is not None:
        drawn, expected = Volume(refill.aspirated_nL), Volume(refill.expected_nL)
        notes.append(f"aspirated {drawn}, expected {expected} by the count: {refill.discrepancy.meaning}")
    return tuple(notes)


def _has_boluses(rx: Prescription) -> bool:
    if isinstance(rx.therapy, Flex):
        return any(step.dose is not None for pattern in rx.therapy.pattern for step in pattern.steps)
    return isinstance(rx.therapy, PeriodicBolus)


def _milestones(when: datetime, figures: Conversion) -> tuple[Milestone, ...]:
    ends = when + timedelta(minutes=-(-figures.bridge_hours * 60 // 1))
    return (
        Milestone(ends, f"the bridge ends: from here {figures.new} reaches the patient, some of it earlier as the path mixes"),
        Milestone(ends + span(plan_figures().full_effect.value), "the effect of the new concentration is full: examine the patient again"),
    )
