"""What the rules look at: the prescription as the pump would take it, and what is known of the present.

Pure: built from objects handed in. Not here: judgement (`rules_*`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from itbpump.configuration import (
    THERAPEUTIC,
    PresentPump,
    configuration_digest,
    has_therapy,
    mass_of_units,
    wire_configuration,
)
from itbpump.quantity import (
    MS_PER_DAY,
    Concentration,
    Duration,
    Flow,
    Mass,
    MassRate,
    Volume,
    mass_of_pulses,
    number_text,
    pulses_for_mass,
)
from itbpump.schedule import WEEK_MS
from itbpump.therapy_view import TherapyView, days_in_words, view_configuration
from itbpump.wire.messages import CommandKind, Configuration

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.profiles import PumpProfile
    from itbpump.therapy import Prescription

__all__ = ["Bolus", "Context", "Current", "Rate", "percent_text"]


def percent_text(fraction: Fraction) -> str:
    """A share as percent with at most one decimal, `12.5`; a minus sign for less."""
    tenths = round(abs(fraction) * 1000)
    return ("-" if fraction < 0 and tenths else "") + number_text(Fraction(tenths, 10), thousands=True)


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate of the prescription, where it stands, and the flow the pump would run."""

    where: str
    prescribed: MassRate
    flow: Flow


@dataclass(frozen=True, slots=True)
class Bolus:
    """A bolus of the prescription, where it stands, and its pulses."""

    where: str
    prescribed: Mass
    over: Duration
    pulses: int


@dataclass(frozen=True, slots=True)
class Current:
    """The present: a therapy from a file, or what was read from the pump. `age_ms`: how long it has been running, None where not known."""

    source: str
    configuration: Configuration | None
    view: TherapyView | None
    is_treating: bool
    age_ms: int | None
    extra: Mass
    bridging: bool
    present: PresentPump | None
    rx: Prescription | None

    @classmethod
    def from_prescription(cls, rx: Prescription, profile: PumpProfile, later: Prescription) -> Current:
        """A therapy taken to be running as written, until `later.pump.as_of`."""
        configuration = wire_configuration(rx, profile)
        since = rx.therapy.since
        age = int((later.pump.as_of - since).total_seconds() * 1000) if since is not None else None
        treating = configuration.mode in THERAPEUTIC
        view = view_configuration(configuration, profile)
        return cls("file", configuration, view, treating, age, Mass(0), bridging=False, present=None, rx=rx)

    @classmethod
    def from_pump(cls, present: PresentPump, profile: PumpProfile) -> Current:
        """What the pump runs. `extra`: boluses still to be given, and those of the last 24 h that its schedule does not explain."""
        configuration = present.configuration
        if configuration is None:
            return cls("pump", None, None, False, None, Mass(0), present.bridging, present, None)
        view = view_configuration(configuration, profile)
        # Whatever the last change was, the therapy is at least as old as it.
        unchanged_ms = present.uptime_ms - present.last_change_ms
        age = unchanged_ms if present.last_change_kind is CommandKind.CONFIGURE or unchanged_ms >= MS_PER_DAY else None
        held = present.path_concentration_ng_per_mL if present.path_left_pulses else 0
        highest = Concentration(max(view.concentration.ng_per_mL, held))
        left = mass_of_pulses(present.bolus_left_pulses, highest, profile.pulse_volume.nL)
        unexplained: Fraction | int = 0
        if present.is_treating:
            now = (present.uptime_ms + configuration.week_offset_ms) % WEEK_MS + WEEK_MS
            span = MS_PER_DAY if age is None else min(MS_PER_DAY, age)
            scheduled = mass_of_units(view.schedule.volume_units_between(now - span, now), configuration.concentration_ng_per_mL)
            unexplained = max(Fraction(0), present.mass_24h_ng - scheduled)
        extra = Mass(left.ng + unexplained).rounded()
        return cls("pump", configuration, view, present.is_treating, age, extra, present.bridging, present, None)

    def json(self) -> dict[str, Any]:
        """For the review and its digest: what the judgement rested on."""
        form: dict[str, Any] = {"source": self.source, "treating": self.is_treating, "therapy": self.view.json() if self.view else None}
        if self.present is not None:
            configuration = self.configuration
            form |= {
                "revision": self.present.revision,
                "run_state": self.present.run_state.name.lower(),
                "digest": configuration_digest(configuration).hex() if configuration is not None else None,
                "given_last_24h": Mass(self.present.mass_24h_ng).json(),
                "bridge_left_pulses": self.present.bridge_left_pulses,
                "path_left_pulses": self.present.path_left_pulses,
                "path_holds": Concentration(self.present.path_concentration_ng_per_mL).json(),
            }
        return form


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a rule may look at. `volume`: what will be in the reservoir; `sets_volume`: whether this change writes it to the pump."""

    rx: Prescription
    profile: PumpProfile
    library: DrugLibrary
    configuration: Configuration
    view: TherapyView
    current: Current | None
    volume: Volume
    sets_volume: bool
    is_refill: bool

    @property
    def is_therapy(self) -> bool:
        """The prescription treats: not stopped, not the minimum rate."""
        return has_therapy(self.rx)

    def rates(self) -> Iterator[Rate]:
        """Every rate of the prescription, in its order."""
        therapy, amount = self.rx.therapy, self.configuration
        if therapy.mode == "continuous":
            yield Rate("the dose", therapy.dose, Flow(amount.flow_nL_per_day))
        elif therapy.mode == "periodic-bolus":
            yield Rate("the background", therapy.background, Flow(amount.flow_nL_per_day))
        elif therapy.mode == "flex":
            for pattern, wire in zip(therapy.pattern, amount.patterns, strict=True):
                for step, wire_step in zip(pattern.steps, wire.steps, strict=True):
                    if step.rate is not None:
                        yield Rate(f"{_days(wire.days)} {step.at}", step.rate, Flow(wire_step.amount))

    def boluses(self) -> Iterator[Bolus]:
        """Every bolus of the therapy but the patient's, in its order."""
        therapy, amount = self.rx.therapy, self.configuration
        if therapy.mode == "periodic-bolus":
            yield Bolus("the periodic bolus", therapy.dose, therapy.over, amount.periodic_pulses)
        elif therapy.mode == "flex":
            for pattern, wire in zip(therapy.pattern, amount.patterns, strict=True):
                for step, wire_step in zip(pattern.steps, wire.steps, strict=True):
                    if step.dose is not None and step.over is not None:
                        yield Bolus(f"{_days(wire.days)} {step.at}", step.dose, step.over, wire_step.amount)

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


def _days(bits: int) -> str:
    return days_in_words(tuple(day for day in range(7) if bits >> day & 1))
