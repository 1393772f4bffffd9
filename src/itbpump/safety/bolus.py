"""Review of a single bolus to be given now by a pump that was just read.

Not here: priming boluses (their volume follows from the catheter, see `configuration.prime_order`), boluses inside a therapy (`review`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from itbpump.configuration import PresentPump, path_text, wait_text
from itbpump.drugs import DrugLibrary, load_library
from itbpump.errors import ConfigurationError
from itbpump.profiles import PumpProfile
from itbpump.quantity import Concentration, Duration, Mass, MassRate, mass_of_pulses, pulses_for_mass
from itbpump.safety.bolus_checks import delivery_hits, size_hits
from itbpump.safety.context import Current, percent_text
from itbpump.safety.model import Achievable, Hit, Review, Row, RuleSet, Severity, canonical_digest
from itbpump.therapy_view import TherapyView
from itbpump.wire.messages import AlarmNumber, RunState

__all__ = ["RULES", "BolusContext", "review_bolus"]

HARD, SECOND, SOFT, INFO = Severity.HARD, Severity.SECOND, Severity.SOFT, Severity.INFO


@dataclass(frozen=True, slots=True)
class BolusContext:
    """A bolus, its pulses, and the pump that will give it."""

    dose: Mass
    over: Duration
    pulses: int
    view: TherapyView
    current: Current
    present: PresentPump
    profile: PumpProfile
    library: DrugLibrary
    indication: Literal["spinal", "cerebral"] | None
    age_years: int | None

    @property
    def given(self) -> Mass:
        """What the whole pulses give; exact."""
        return mass_of_pulses(self.pulses, self.view.concentration, self.profile.pulse_volume.nL)


RULES: RuleSet[BolusContext] = RuleSet()


@RULES.rule("bolus-size", "SR-02", worst=HARD)
def bolus_size(c: BolusContext) -> Iterator[Hit]:
    """50 mcg soft, 100 mcg hard for baclofen."""
    yield from size_hits(c.library, "the bolus", c.dose, c.given)


@RULES.rule("bolus-delivery", "SR-02", "SR-27", worst=HARD)
def bolus_delivery(c: BolusContext) -> Iterator[Hit]:
    """Within the pump's flow and duration, and at least one pulse."""
    yield from delivery_hits(c.profile, "the bolus", c.dose, c.pulses, c.over)


@RULES.rule("achievable", "SR-01", "SR-05", worst=SOFT)
def achievable(c: BolusContext) -> Iterator[Hit]:
    """Whole pulses change the dose by no more than the library's limit."""
    limit = c.library.rounding_soft_percent
    difference = Fraction(c.given.ng) / c.dose.ng - 1 if c.pulses else Fraction(0)
    if abs(difference) > Fraction(limit.value, 100):
        share = f"{percent_text(difference)} %"
        yield Hit(SOFT, f"the pump gives {c.given} for {c.dose}: {share}", share, f"{limit.value} %", limit.origin)


@RULES.rule("daily-total", "SR-07", "SR-02", worst=HARD)
def daily_total(c: BolusContext) -> Iterator[Hit]:
    """The largest 24 h of the schedule, boluses given or under way, and this one."""
    scheduled = c.view.highest_24h_exact.ng_per_day if c.present.run_state is RunState.RUNNING else 0
    total = MassRate(max(scheduled + c.current.extra.ng, c.present.mass_24h_ng) + c.given.ng)
    groups: list[str] = [c.indication] if c.indication is not None else ["spinal", "cerebral"]
    if c.age_years is not None and c.age_years < c.library.child_daily_below_years.value:
        groups.append("child")
    hard = min((c.library.daily[group].hard_high for group in groups), key=lambda figure: figure.value)
    soft = min((c.library.daily[group].soft_high for group in groups), key=lambda figure: figure.value)
    text = total.rounded().text()
    if total > hard.value:
        yield Hit(HARD, f"up to {total.rounded()} in some 24 h with this bolus, above {hard.value}", text, hard.value.text(), hard.origin)
    elif total > soft.value:
        yield Hit(SOFT, f"up to {total.rounded()} in some 24 h with this bolus, above {soft.value}", text, soft.value.text(), soft.origin)


@RULES.rule("unknown-patient", "SR-02", worst=INFO)
def unknown_patient(c: BolusContext) -> Iterator[Hit]:
    """What could not be checked, as the pump does not know the patient."""
    if c.indication is None:
        yield Hit(INFO, "not checked: limits by indication and age; the strictest of spinal and cerebral were used")


@RULES.rule("pump-state", "SR-22", "SR-12", worst=HARD)
def pump_state(c: BolusContext) -> Iterator[Hit]:
    """The pump runs, and gives neither another bolus nor a bridge."""
    if c.present.run_state is not RunState.RUNNING:
        yield Hit(HARD, f"the pump is {c.present.run_state.name.lower()}; start a therapy first")
    if AlarmNumber.MOTOR_STALL in c.present.alarms:
        yield Hit(HARD, "the motor does not turn: the pump would count a bolus that nobody gets; find the cause first")
    if c.present.bolus_left_pulses:
        yield Hit(HARD, f"another bolus is under way: {c.current.extra} given or still to come; wait for its end or stop it")
    if c.present.bridging:
        held = path_text(c.present)
        yield Hit(HARD, f"a bridge is in force: the path still holds {held}, so the dose would not be this one; {_wait(c)}")


def _wait(c: BolusContext) -> str:
    return wait_text(c.present, c.profile)


@RULES.rule("path", "SR-12", "SR-02", worst=HARD)
def path(c: BolusContext) -> Iterator[Hit]:
    """A bolus first pushes out what the path still holds: never what is stronger, or another drug."""
    left = c.present.path_left_pulses
    if not left or c.present.bridging:
        return
    old, label, pulse = Concentration(c.present.path_concentration_ng_per_mL), c.view.concentration, c.profile.pulse_volume.nL
    first = min(c.pulses, left)
    really = Mass(mass_of_pulses(first, old, pulse).ng + mass_of_pulses(c.pulses - first, label, pulse).ng).rounded()
    message = f"the path still holds {path_text(c.present)}: this bolus would give about {really} instead of {c.given}; {_wait(c)}"
    yield Hit(SOFT if old < label else HARD, message, really.text(), c.given.text(), "domain 2.2: a bolus pushes out what the path holds")


@RULES.rule("reservoir", "SR-39", worst=HARD)
def reservoir(c: BolusContext) -> Iterator[Hit]:
    """The reservoir holds the bolus above what cannot be drawn from it."""
    volume, usable = c.pulses * c.profile.pulse_volume.nL, c.present.reservoir_nL - c.profile.residual.nL
    if volume > usable:
        yield Hit(HARD, "the reservoir is too empty for this bolus; refill it", f"{volume} nL", f"{max(0, usable)} nL")


def review_bolus(
    dose: Mass,
    over: Duration,
    present: PresentPump,
    profile: PumpProfile,
    *,
    library: DrugLibrary | None = None,
    indication: Literal["spinal", "cerebral"] | None = None,
    age_years: int | None = None,
) -> Review:
    """Judge a single bolus. `indication` and `age_years` come from the patient's prescription where there is one.

    Raises ConfigurationError for a pump without a configuration, whose drug is not known, and for a bolus of no drug or no time.
    """
    if present.configuration is None:
        raise ConfigurationError("the pump has no configuration, so its drug is not known", "program a therapy first")
    if dose.ng == 0 or over.ms == 0:
        raise ConfigurationError("a bolus of no drug, or in no time", "write a dose and a duration")
    library = library if library is not None else load_library(present.configuration.drug)
    current = Current.from_pump(present, profile)
    if current.view is None:
        raise AssertionError("a configured pump has a therapy to show")
    pulses = pulses_for_mass(dose, current.view.concentration, profile.pulse_volume.nL)
    context = BolusContext(dose, over, pulses, current.view, current, present, profile, library, indication, age_years)
    findings = RULES.findings(context)
    proposed = {
        "dose": dose.json(),
        "over": over.text(),
        "achievable": context.given.json(),
        "pulses": str(pulses),
        "concentration": current.view.concentration.json(),
    }
    current_json = current.json()
    difference = Fraction(context.given.ng) / dose.ng - 1
    return Review(
        findings=findings,
        table=tuple(_rows(context)),
        current=current_json,
        proposed=proposed,
        achievable=(Achievable("the bolus", str(dose), str(context.given), percent_text(difference)),),
        library=library.json(),
        digest=canonical_digest(
            {
                "bolus": proposed,
                "counter": str(present.bolus_counter),
                "current": current_json,
                "findings": [finding.json() for finding in findings],
                "library": library.json(),
            }
        ),
    )


def _rows(c: BolusContext) -> Iterator[Row]:
    concentration: Concentration = c.view.concentration
    yield Row("bolus", "", f"{c.dose} over {c.over}", changed=True)
    yield Row("achievable", "", f"{c.given} in {c.pulses:,} pulses at {concentration}", changed=False)
    yield Row("given in the last 24 h", str(Mass(c.present.mass_24h_ng)), "", changed=False)
    yield Row("highest 24 h of the therapy", str(c.view.highest_24h_exact.rounded()), "", changed=False)
