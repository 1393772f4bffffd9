"""Review of a single bolus to be given now by a pump that was just read, and what it shares with the review of a prime.

Not here: priming boluses (`prime`), boluses inside a therapy (`review`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from itbpump.configuration import PresentPump, path_text, wait_text
from itbpump.drugs import DrugLibrary, load_library
from itbpump.errors import ConfigurationError
from itbpump.profiles import PumpProfile
from itbpump.quantity import MS_PER_HOUR, MS_PER_MINUTE, Concentration, Duration, Mass, MassRate, Volume, mass_of_pulses, pulses_for_mass
from itbpump.safety.across import Course, Phase, highest_24h_across
from itbpump.safety.bolus_checks import delivery_hits, size_hits
from itbpump.safety.context import percent_text
from itbpump.safety.current import Current, boluses_of_a_day
from itbpump.safety.model import Achievable, Finding, Hit, Rendering, Review, Row, RuleSet, Severity, canonical_digest
from itbpump.safety.rules_drug import daily_total_hits, untimed_text
from itbpump.safety.rules_present import alarm_hits, patient_hits, state_words
from itbpump.safety.rules_start import missed_hits
from itbpump.schedule import WEEK_MS
from itbpump.therapy_view import TherapyView
from itbpump.wire.messages import RunState

if TYPE_CHECKING:
    from itbpump.wire.messages import Configuration

__all__ = ["GIVEN_LATELY", "RULES", "BolusContext", "bolus_review", "configured", "review_bolus"]

GIVEN_LATELY = "given at most in 24-25 h"
"""Row of a review: the pump keeps its sum by whole hours, so it may hold up to an hour more than 24 (SPEC.md, section 8)."""

HARD, SECOND, SOFT, INFO = Severity.HARD, Severity.SECOND, Severity.SOFT, Severity.INFO


@dataclass(frozen=True, slots=True)
class BolusContext:
    """A bolus, its pulses, and the pump that will give it."""

    dose: Mass
    over: Duration
    pulses: int
    configuration: Configuration
    view: TherapyView
    current: Current
    present: PresentPump
    profile: PumpProfile
    library: DrugLibrary
    indication: str | None
    age_years: int | None
    patient_id: str | None = None
    name: str = "the bolus"

    @property
    def volume(self) -> Volume:
        """Of all its pulses."""
        return Volume(self.pulses * self.profile.pulse_volume.nL)

    @property
    def given(self) -> Mass:
        """What the whole pulses give; exact."""
        return mass_of_pulses(self.pulses, self.view.concentration, self.profile.pulse_volume.nL)

    @property
    def highest_24h(self) -> MassRate:
        """Largest dose in any 24 h that hold this bolus: what was given, what is under way, the schedule underneath, patient boluses at
        their allotment."""
        past, left = self.current.past, self.current.left.ng
        if self.present.run_state is not RunState.RUNNING:
            return MassRate(Mass(self.present.mass_24h_ng).ng + left + self.given.ng)
        start = (self.present.uptime_ms + self.configuration.week_offset_ms) % WEEK_MS if self.view.schedule.follows_week else 0
        course = Course([Phase(self.view.schedule, start, self.view.concentration.ng_per_mL)])
        across, after = highest_24h_across(past, course)
        lately = self.current.unexplained.ng + self.current.primed.ng
        scheduled = max(across.ng_per_day + lately, after.ng_per_day)
        patient = self.view.highest_24h_exact.ng_per_day - self.view.highest_scheduled_24h.ng_per_day
        return MassRate(max(scheduled + patient, self.present.mass_24h_ng) + left + self.given.ng)


RULES: RuleSet[BolusContext] = RuleSet()


@RULES.rule("alarms", "SR-55", worst=SOFT)
def alarms(c: BolusContext) -> Iterator[Hit]:
    """What the pump sounds now."""
    yield from alarm_hits(c.present.alarms)


@RULES.rule("identity", "SR-20", worst=SECOND)
def identity(c: BolusContext) -> Iterator[Hit]:
    """It is for the patient who has the pump."""
    if c.patient_id is not None:
        yield from patient_hits(c.present, c.patient_id, c.name)


@RULES.rule("bolus-size", "SR-02", worst=HARD)
def bolus_size(c: BolusContext) -> Iterator[Hit]:
    """The library's soft and hard limit of one bolus."""
    yield from size_hits(c.library, "the bolus", c.dose, c.given)


@RULES.rule("bolus-delivery", "SR-02", "SR-27", worst=HARD)
def bolus_delivery(c: BolusContext) -> Iterator[Hit]:
    """Within the pump's flow and duration, and at least one pulse."""
    yield from delivery_hits(c.profile, c.name, c.dose, c.pulses, c.over)


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
    """The largest 24 h that hold this bolus."""
    total = c.highest_24h
    limits = c.library.daily_limits(c.indication, c.age_years)
    yield from daily_total_hits(limits, total, f"up to {total.rounded()} in some 24 h with {c.name}{untimed_text(c.current.untimed)}")


@RULES.rule("whole-day-at-once", "SR-18", worst=SECOND)
def whole_day_at_once(c: BolusContext) -> Iterator[Hit]:
    """A bolus of about the day's whole dose looks like a daily dose in the wrong field."""
    day, limit = Fraction(c.view.mean_day.ng_per_day), c.library.decrease_soft_percent
    if day and abs(c.dose.ng - day) * 100 <= limit.value * day:
        message = f"{c.dose} at once is about the dose of a whole day, {c.view.mean_day}; is a daily dose meant? That is itbpump program"
        yield Hit(SECOND, message, c.dose.text(), c.view.mean_day.text(), "safety 2: dose against rate, wrong field")


@RULES.rule("catch-up", "SR-08", worst=SECOND)
def catch_up(c: BolusContext) -> Iterator[Hit]:
    """No bolus makes up for what was missed."""
    yield from missed_hits(c.current, f"a bolus of {c.dose}", c.library)


@RULES.rule("repeated-bolus", "SR-10", "SR-08", worst=SOFT)
def repeated_bolus(c: BolusContext) -> Iterator[Hit]:
    """Boluses of one day add up: together they raise it as a change of the therapy would, and are asked about from the same share on."""
    before, day = c.current.given_by_hand, c.view.highest_scheduled_24h
    if not before.ng or not day.ng_per_day:
        return
    together = Mass(before.ng + c.given.ng).rounded()
    share = Fraction(together.ng) / day.ng_per_day
    limit = min((group.soft_percent for group in c.library.increase_limits(c.indication, c.age_years)), key=lambda figure: figure.value)
    text = f"{percent_text(share)} %"
    given = f"{'at most ' if c.current.unlogged.ng else ''}{before.rounded()}"  # what only the pump's sum tells is by whole hours
    message = f"{given} came in the last 24 h beside the schedule; with this bolus {together}, {text} of the day's {day.rounded()}"
    yield Hit(SOFT if share * 100 > limit.value else INFO, message, text, f"{limit.value} %", limit.origin)


@RULES.rule("bolus-soon", "SR-08", worst=SECOND)
def bolus_soon(c: BolusContext) -> Iterator[Hit]:
    """Boluses before the first has come to its effect are one bolus to the patient."""
    apart = c.library.bolus_apart
    recent = [mass.ng for back, mass in boluses_of_a_day(c.present, c.view, c.profile.pulse_volume.nL) if back < apart.value.ms]
    if not recent:
        return
    together = Mass(sum(recent) + c.given.ng).rounded()
    message = f"a bolus of the last {apart.value} has not come to its full effect; with this one {together}"
    is_large = together > c.library.bolus_hard.value
    limit = c.library.bolus_hard.value.text() if is_large else apart.value.text()
    yield Hit(SECOND if is_large else SOFT, message, together.text(), limit, apart.origin)


@RULES.rule("first-period", "SR-08", worst=INFO)
def first_period(c: BolusContext) -> Iterator[Hit]:
    """A bolus on top of a therapy that has only just begun says so."""
    limit, age = c.library.first_period, c.current.age_ms
    if c.current.is_treating and age is not None and age < limit.value.ms:
        message = f"the therapy has been running for less than {limit.value}; its effect is not yet to be seen"
        yield Hit(INFO, message, f"{age // MS_PER_HOUR} h", limit.value.text(), limit.origin)


@RULES.rule("unknown-patient", "SR-02", worst=INFO)
def unknown_patient(c: BolusContext) -> Iterator[Hit]:
    """What could not be checked, as the pump does not know the patient."""
    if c.indication is None:
        names = " and ".join(c.library.indications)
        yield Hit(INFO, f"not checked: limits by indication and age; the strictest of {names} were used")
    elif c.age_years is None:
        yield Hit(INFO, "not checked: limits for children, as the age is not told")


@RULES.rule("pump-state", "SR-22", "SR-12", worst=HARD)
def pump_state(c: BolusContext) -> Iterator[Hit]:
    """The pump runs, and gives neither another bolus nor a bridge."""
    if c.present.run_state is not RunState.RUNNING:
        yield Hit(HARD, f"the pump is {state_words(c.present)}; start a therapy first")
    if c.present.stalled:
        yield Hit(HARD, "the motor does not turn: the pump would count a bolus that nobody gets; find the cause first")
    if c.present.bolus_left_pulses:
        yield Hit(HARD, f"another bolus is under way: {c.current.left} still to come; wait for its end or stop it")
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
    what = f"{mass_of_pulses(first, old, pulse).rounded()} of that" if old == label else f"about {really} instead of {c.given}"
    message = f"the path still holds {path_text(c.present)}: this bolus would give {what}; {_wait(c)}"
    yield Hit(SOFT if old < label else HARD, message, really.text(), c.given.text(), "domain 2.2: a bolus pushes out what the path holds")


@RULES.rule("reservoir", "SR-39", worst=HARD)
def reservoir(c: BolusContext) -> Iterator[Hit]:
    """The reservoir holds the bolus above what cannot be drawn from it."""
    usable = Volume(max(0, c.present.reservoir_nL - c.profile.residual.nL))
    if c.volume > usable:
        yield Hit(HARD, f"the reservoir is too empty for {c.name}; refill it", c.volume.text(), usable.text())


def review_bolus(
    dose: Mass,
    over: Duration,
    present: PresentPump,
    profile: PumpProfile,
    *,
    library: DrugLibrary | None = None,
    indication: str | None = None,
    age_years: int | None = None,
    patient_id: str | None = None,
) -> Review:
    """Judge a single bolus. `indication`, `age_years` and `patient_id` come from the patient's prescription where there is one.

    Raises ConfigurationError for a pump without a configuration, whose drug is not known, and for a bolus of no drug or no time.
    """
    configuration, current, view = configured(present, profile)
    if dose.ng == 0 or over.ms == 0 or over.ms % MS_PER_MINUTE:
        raise ConfigurationError("a bolus of no drug, in no time, or not in whole minutes", "write a dose and a duration such as 10m")
    library = library if library is not None else load_library(configuration.drug)
    pulses = pulses_for_mass(dose, view.concentration, profile.pulse_volume.nL)
    context = BolusContext(dose, over, pulses, configuration, view, current, present, profile, library, indication, age_years, patient_id)
    return bolus_review(context, RULES.findings(context), lambda: _rows(context))


def configured(present: PresentPump, profile: PumpProfile) -> tuple[Configuration, Current, TherapyView]:
    """Configuration, present and therapy of a pump that has one; ConfigurationError for one that has none."""
    configuration, current = present.configuration, Current.from_pump(present, profile)
    if configuration is None or current.view is None:
        raise ConfigurationError("the pump has no configuration, so its drug is not known", "program a therapy first")
    return configuration, current, current.view


def bolus_review(c: BolusContext, findings: tuple[Finding, ...], rows: Callable[[], Iterable[Row]]) -> Review:
    """The review of a bolus by hand from its findings; the digest covers order, counter it starts from, present and library."""
    proposed = {
        "dose": c.dose.json(),
        "over": c.over.text(),
        "achievable": c.given.json(),
        "pulses": str(c.pulses),
        "concentration": c.view.concentration.json(),
        "highest_24h": c.highest_24h.rounded().json(),
    }
    difference = percent_text(Fraction(c.given.ng) / c.dose.ng - 1) if c.dose.ng else "0"
    content = {
        "bolus": c.name,
        "patient": [c.indication, c.age_years, c.patient_id],
        "pump": c.profile.constants_hash.hex(),
        "order": proposed,
        "counter": str(c.present.bolus_counter),
        "current": c.current.identity(),
        "findings": [finding.json() for finding in findings],
        "library": c.library.json(),
    }
    return Review(
        findings=findings,
        library=c.library.json(),
        digest=canonical_digest(content),
        rendering=Rendering(
            rows=rows,
            achievable=lambda: (Achievable(c.name, str(c.dose), str(c.given), difference),),
            current=c.current.json,
            proposed=lambda: proposed,
        ),
    )


def _rows(c: BolusContext) -> Iterator[Row]:
    given = Mass(c.present.mass_24h_ng)
    yield Row("bolus", "none", f"{c.dose} over {c.over}", changed=True)
    yield Row(
        "achievable", "", f"{c.given} in {c.pulses:,} {'pulse' if c.pulses == 1 else 'pulses'} at {c.view.concentration}", changed=False
    )
    yield Row(GIVEN_LATELY, str(given), "", changed=False)
    yield Row("highest 24 h", str(c.view.highest_24h_exact.rounded()), str(c.highest_24h.rounded()), changed=True)
