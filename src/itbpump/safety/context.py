"""What the rules look at: the prescription as the pump would take it, beside what is known of the present.

Pure: built from objects handed in. Not here: judgement (`rules_*`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from itbpump.configuration import has_therapy, mass_of_units
from itbpump.quantity import MS_PER_DAY, Duration, Flow, Mass, MassRate, Volume, number_text, pulses_for_mass
from itbpump.safety.across import NOTHING, Course, Phase, highest_24h_across
from itbpump.safety.current import Current, is_other_drug
from itbpump.schedule import Schedule
from itbpump.therapy_view import TherapyView, days_in_words
from itbpump.wire.messages import Configuration, Mode

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.forecast import Forecast, ForecastError
    from itbpump.profiles import PumpProfile
    from itbpump.refill import Refill
    from itbpump.therapy import Prescription, Step
    from itbpump.wire.messages import Step as WireStep

__all__ = ["Bolus", "Context", "Current", "Rate", "highest_across", "keeps_period", "percent_text"]


def percent_text(fraction: Fraction) -> str:
    """A share as percent with at most one decimal, `12.5`; a minus sign for less."""
    tenths = round(abs(fraction) * 1000)
    return ("-" if fraction < 0 and tenths else "") + number_text(Fraction(tenths, 10), thousands=True)


class Rate(NamedTuple):
    """A rate of the prescription, where it stands, and the flow the pump would run."""

    where: str
    prescribed: MassRate
    flow: Flow


class Bolus(NamedTuple):
    """A bolus of the prescription, where it stands, and its pulses."""

    where: str
    prescribed: Mass
    over: Duration
    pulses: int


@dataclass(frozen=True)
class Context:
    """Everything a rule may look at. `volume`: what will be in the reservoir; `sets_volume`: whether this change writes it to the pump;
    `refill`: the refill it comes with; `now`: the time of the decision, None for a file that is judged as of its own date."""

    rx: Prescription
    profile: PumpProfile
    library: DrugLibrary
    configuration: Configuration
    view: TherapyView
    current: Current | None
    volume: Volume
    sets_volume: bool
    is_refill: bool
    refill: Refill | None
    now: datetime | None
    course: Course
    forecast: Forecast | ForecastError

    @property
    def is_therapy(self) -> bool:
        """The prescription treats: not stopped, not the minimum rate."""
        return has_therapy(self.rx)

    def rates(self) -> tuple[Rate, ...]:
        """Every rate of the prescription, in its order."""
        return self._rates

    def boluses(self) -> tuple[Bolus, ...]:
        """Every bolus of the therapy but the patient's, in its order."""
        return self._boluses

    @cached_property
    def _rates(self) -> tuple[Rate, ...]:
        therapy, amount = self.rx.therapy, self.configuration
        if therapy.mode == "continuous":
            return (Rate("the dose", therapy.dose, Flow(amount.flow_nL_per_day)),)
        if therapy.mode == "periodic-bolus":
            return (Rate("the background", therapy.background, Flow(amount.flow_nL_per_day)),)
        return tuple(
            Rate(f"{days} {step.at}", step.rate, Flow(wire_step.amount)) for days, step, wire_step in self._steps() if step.rate is not None
        )

    @cached_property
    def _boluses(self) -> tuple[Bolus, ...]:
        therapy = self.rx.therapy
        if therapy.mode == "periodic-bolus":
            return (Bolus("the periodic bolus", therapy.dose, therapy.over, self.configuration.periodic_pulses),)
        return tuple(
            Bolus(f"{days} {step.at}", step.dose, step.over, wire_step.amount)
            for days, step, wire_step in self._steps()
            if step.dose is not None and step.over is not None
        )

    def _steps(self) -> Iterator[tuple[str, Step, WireStep]]:
        """Days in words, the step as prescribed and as the pump takes it; none but for a flex therapy."""
        if self.rx.therapy.mode == "flex":
            for pattern, wire in zip(self.rx.therapy.pattern, self.configuration.patterns, strict=True):
                days = _days(wire.days)
                for step, wire_step in zip(pattern.steps, wire.steps, strict=True):
                    yield days, step, wire_step

    def patient_bolus(self) -> Bolus | None:
        """The bolus a patient may ask for."""
        bolus = self.rx.patient_bolus
        if bolus is None:
            return None
        pulses = pulses_for_mass(bolus.dose, self.rx.drug.concentration, self.profile.pulse_volume.nL)
        return Bolus("the patient bolus", bolus.dose, bolus.over, pulses)

    def all_boluses(self) -> Iterator[Bolus]:
        yield from self.boluses()
        patient = self.patient_bolus()
        if patient is not None:
            yield patient


def keeps_period(c: Context) -> bool:
    """The pump's period runs on by its uptime, also while it is stopped or at its minimum rate: the change moves no bolus."""
    old, new = c.current.configuration if c.current is not None else None, c.configuration
    same_drug = old is not None and old.drug == new.drug
    return (
        old is not None
        and same_drug
        and new.mode is Mode.PERIODIC_BOLUS
        and (old.mode, old.periodic_every_min) == (new.mode, new.periodic_every_min)
    )


def highest_across(c: Context) -> tuple[MassRate, MassRate]:
    """Largest dose in any 24 h that begin before the commit, and in those from it on until the path is clear; with the boluses by hand that
    the log tells of, without those of the patient. A kept period is judged by the larger of both therapies in every field; where it is
    younger than a day, what ran before it counts up to a bolus of the period."""
    old, new = c.current.configuration if c.current is not None else None, c.configuration
    if c.current is not None and old is not None and keeps_period(c):
        flow = max(old.flow_nL_per_day, new.flow_nL_per_day)
        over = min(old.periodic_duration_min, new.periodic_duration_min)
        pulses = max(old.periodic_pulses, new.periodic_pulses)
        larger = Schedule.periodic(pulses, c.profile.pulse_volume.nL, over, new.periodic_every_min, flow)
        ng_per_mL = max(old.concentration_ng_per_mL, new.concentration_ng_per_mL)
        most = MassRate(mass_of_units(larger.max_window_units()[0], ng_per_mL))
        present, age = c.current.present, c.current.age_ms
        across = MassRate(most.ng_per_day + c.current.boluses.ng)
        if present is not None and (age is None or age < MS_PER_DAY):
            across = max(across, highest_24h_across(c.current.past, Course([Phase(larger, 0, ng_per_mL)]))[0])
        return across, most
    past = NOTHING if c.current is None or is_other_drug(c.view, c.current) else c.current.past
    return highest_24h_across(past, c.course)


def _days(bits: int) -> str:
    return days_in_words(tuple(day for day in range(7) if bits >> day & 1))
