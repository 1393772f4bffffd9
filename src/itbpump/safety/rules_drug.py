"""Rules about the drug and the patient: concentration, daily total, bolus size and count, age, other drugs, stability.

Figures and sources are those of the drug library.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from difflib import get_close_matches
from fractions import Fraction

from itbpump.configuration import mass_of_units
from itbpump.drugs import DailyLimits, DrugLibrary, Figure
from itbpump.forecast import day_text
from itbpump.quantity import MS_PER_DAY, MS_PER_HOUR, Mass, MassRate, mass_of_pulses
from itbpump.safety.bolus_checks import size_hits
from itbpump.safety.context import Context, highest_across
from itbpump.safety.current import is_other_drug, is_relabelled
from itbpump.safety.model import Hit, RuleSet, Severity
from itbpump.therapy_view import count_in_words
from itbpump.wire.messages import Configuration, StepKind

__all__ = ["RULES", "daily_total_hits", "highest_of_all", "stability_hits", "untimed_text"]

RULES: RuleSet[Context] = RuleSet()
HARD, SECOND, SOFT, INFO = Severity.HARD, Severity.SECOND, Severity.SOFT, Severity.INFO


@RULES.rule("concentration", "SR-02", "SR-39", worst=HARD)
def concentration(c: Context) -> Iterator[Hit]:
    """The concentration is one of the library's for a pump."""
    value, allowed = c.rx.drug.concentration, c.library.concentrations
    if value in allowed.value:
        return
    names = ", ".join(str(item) for item in sorted(allowed.value))
    why = (
        "is for screening only, never for a pump" if value in c.library.screening_only.value else "is not one the library knows for a pump"
    )
    yield Hit(HARD, f"{value} {why}; known are {names}", value.text(), names, allowed.origin)


@RULES.rule("indication", "SR-02", worst=SECOND)
def indication(c: Context) -> Iterator[Hit]:
    """An indication or a diagnosis that the library does not know is off-label; then the strictest limits of all indications hold."""
    patient, library = c.rx.patient, c.library
    if patient.indication not in library.indications:
        known = ", ".join(library.indications)
        near = [name for name in get_close_matches(patient.indication, library.indications, 1) if name[0] == patient.indication[0]]
        hint = f"; is {near[0]} meant?" if near else ""
        message = f"{patient.indication} is no indication that the library has limits for ({known}): off-label{hint}"
        yield Hit(SECOND, f"{message}; the strictest limits of all were used", patient.indication, known, "domain 10: off-label use")
    elif patient.diagnosis is None:
        yield Hit(INFO, "not checked: the disease behind the indication, as patient.diagnosis is missing")
    elif patient.diagnosis not in library.diagnoses.get(patient.indication, ()):
        known = ", ".join(library.diagnoses.get(patient.indication, ()))
        message = (
            f"{patient.diagnosis} is not among the diseases of {patient.indication} origin that the library knows ({known}): off-label"
        )
        yield Hit(SECOND, message, patient.diagnosis, known, library.diagnosis_origins.get(patient.indication, ""))


@RULES.rule("daily-total", "SR-07", "SR-02", worst=HARD)
def daily_total(c: Context) -> Iterator[Hit]:
    """The largest total in any 24 h: the therapy's own with all patient boluses, and across the change with what was given before."""
    own, total = c.view.highest_24h_exact, highest_of_all(c)
    text, shown = total.rounded().text(), f"up to {total.rounded()} in some 24 h"
    if total > own:
        shown += " across the change"
    if total > own and c.current is not None and not is_other_drug(c.view, c.current):
        for amount, what in ((c.current.extra, "from boluses given or under way"), (c.current.primed, "from a prime")):
            shown += f", {amount.rounded()} of it {what}" if amount.ng else ""
        shown += untimed_text(c.current.untimed)
    yield from daily_total_hits(c.library.daily_limits(c.rx.patient.indication, c.rx.patient.age_years), total, shown)
    low = max((limit.soft_low for limit in c.library.daily_limits(c.rx.patient.indication, c.rx.patient.age_years)), key=_value)
    if c.is_therapy and total < low.value:
        yield Hit(SOFT, f"{shown}: below {low.value}, less than maintenance doses known", text, low.value.text(), low.origin)


def highest_of_all(c: Context) -> MassRate:
    """Largest dose in any 24 h, before, across and after the change; patient boluses at their allotment, boluses by hand included."""
    across, after = highest_across(c)
    allotment = mass_of_units(c.view.allotment_units, c.view.concentration.ng_per_mL)
    left, lately = (c.current.left.ng, c.current.unexplained.ng + c.current.primed.ng) if c.current is not None else (0, 0)
    if is_other_drug(c.view, c.current):
        left = lately = 0
    first = max(across.ng_per_day + lately, after.ng_per_day) + left + allotment
    return max(c.view.highest_24h_exact, MassRate(first))


def untimed_text(amount: Mass) -> str:
    """What a total may hold twice, in words behind it; nothing where all of it has its time."""
    what = "of a therapy before the last two changes, which the pump tells no time of: as much may be counted twice"
    return f", {amount.rounded()} of it {what}" if amount.ng else ""


def daily_total_hits(limits: tuple[DailyLimits, ...], total: MassRate, shown: str) -> Iterator[Hit]:
    """A total against the strictest upper limits of those that hold together."""
    hard = min((limit.hard_high for limit in limits), key=_value)
    soft = min((limit.soft_high for limit in limits), key=_value)
    text = total.rounded().text()
    if total > hard.value:
        yield Hit(HARD, f"{shown}: above {hard.value}, which nobody can override", text, hard.value.text(), hard.origin)
    elif total > soft.value:
        yield Hit(SOFT, f"{shown}: above {soft.value}", text, soft.value.text(), soft.origin)


def _value(figure: Figure[MassRate]) -> MassRate:
    return figure.value


@RULES.rule("bolus-size", "SR-02", worst=HARD)
def bolus_size(c: Context) -> Iterator[Hit]:
    """No bolus is larger than the library allows."""
    for bolus in c.all_boluses():
        given = mass_of_pulses(bolus.pulses, c.rx.drug.concentration, c.profile.pulse_volume.nL)
        yield from size_hits(c.library, bolus.where, bolus.prescribed, given)


@RULES.rule("surge", "SR-02", "SR-07", worst=HARD)
def surge(c: Context) -> Iterator[Hit]:
    """What rates and boluses give in any hour beyond the mean is held to the limits of one bolus: a rate for an hour is one as well."""
    ng_per_mL = c.view.concentration.ng_per_mL
    if not c.boluses() and len(c.rates()) == 1:
        return  # one rate all day has no hour above its mean
    mean = Fraction(c.view.schedule.mean_flow) * ng_per_mL / 24_000_000
    beyond = mass_of_units(c.view.schedule.max_window_units(MS_PER_HOUR)[0], ng_per_mL) - mean
    largest = max((mass_of_pulses(bolus.pulses, c.view.concentration, c.profile.pulse_volume.nL).ng for bolus in c.boluses()), default=0)
    hard, soft = c.library.bolus_hard, c.library.bolus_soft
    if beyond <= max(largest, soft.value.ng):
        return
    severity, limit = (HARD, hard) if beyond > hard.value.ng else (SOFT, soft)
    amount = Mass(beyond).rounded()
    message = f"{amount} more than the mean come in some hour, as much as a bolus; a bolus above {limit.value} is {severity.word}"
    yield Hit(severity, message, amount.text(), limit.value.text(), limit.origin)


@RULES.rule("repeated-bolus", "SR-10", worst=SOFT)
def repeated_bolus(c: Context) -> Iterator[Hit]:
    """A bolus that comes more than once a day is asked about again, with count and sum in words (the ISMP case)."""
    limit, therapy = c.library.bolus_repeats_soft, c.rx.therapy
    if therapy.mode == "periodic-bolus":
        times = -(-MS_PER_DAY // therapy.every.ms)
        doses = therapy.dose.ng * times
        shown = f"{therapy.dose} every {therapy.every}"
    elif therapy.mode == "flex":
        by_day = [[step.dose for step in therapy.pattern_of(day).steps if step.dose is not None] for day in range(7)]
        most = max(by_day, key=len)
        times, doses = len(most), sum(dose.ng for dose in most)
        shown = " + ".join(str(dose) for dose in most) if times <= 4 else f"{times} boluses"
    else:
        return
    if times > limit.value:
        words = f"{count_in_words(times)} boluses in 24 h, together {MassRate(doses)}"
        if _same_boluses(c):
            yield Hit(INFO, f"{shown}: that is {words}, as in the present therapy", str(times), str(limit.value), limit.origin)
        else:
            yield Hit(SOFT, f"{shown}: that is {words}; is once a day meant?", str(times), str(limit.value), limit.origin)


def _same_boluses(c: Context) -> bool:
    """The therapy in force has the same boluses at the same times."""
    old = c.current.configuration if c.current is not None and c.current.is_treating else None
    if old is None or is_relabelled(c.view, c.current):
        return False
    return _wire_boluses(old) == _wire_boluses(c.configuration)


def _wire_boluses(configuration: Configuration) -> tuple[object, ...]:
    periodic = (configuration.periodic_pulses, configuration.periodic_duration_min, configuration.periodic_every_min)
    steps = {
        (day, step.start_min, step.amount, step.duration_min)
        for pattern in configuration.patterns
        for day in range(7)
        if pattern.days >> day & 1
        for step in pattern.steps
        if step.kind is StepKind.BOLUS
    }
    return periodic, frozenset(steps)


@RULES.rule("age", "SR-02", worst=SECOND)
def age(c: Context) -> Iterator[Hit]:
    """Under the age of the label a second person is needed; without an age the limits of children are not checked."""
    years, limit = c.rx.patient.age_years, c.library.second_below_years
    if years is None:
        yield Hit(INFO, "not checked: limits for children, as patient.age_years is missing")
    elif years < limit.value:
        yield Hit(SECOND, f"{years} years is below the labelled age of {limit.value}", str(years), str(limit.value), limit.origin)


@RULES.rule("interaction", worst=SOFT)
def interaction(c: Context) -> Iterator[Hit]:
    """Other drugs on record that add to the effect."""
    for medication in c.rx.medication:
        known = c.library.interactions.get(medication.drug_class)
        if known is not None:
            yield Hit(SOFT, f"{medication.name} ({medication.drug_class}): {known.text}", medication.name, "", known.origin)
        else:
            message = f"not checked: {medication.name}, as the library has no class {medication.drug_class!r}"
            yield Hit(INFO, message, medication.drug_class, ", ".join(sorted(c.library.interactions)))


@RULES.rule("condition", worst=SOFT)
def condition(c: Context) -> Iterator[Hit]:
    """What else is on record of the patient and asks for care."""
    for name in c.rx.patient.conditions:
        known = c.library.conditions.get(name)
        if known is not None:
            yield Hit(SOFT, f"{name}: {known.text}", name, "", known.origin)
        else:
            listed = ", ".join(sorted(c.library.conditions))
            yield Hit(INFO, f"not checked: {name}, as the library has no such condition", name, listed)


@RULES.rule("stability", "SR-36", worst=SOFT)
def stability(c: Context) -> Iterator[Hit]:
    """The drug is in date today, and will be until the alarm."""
    as_of = c.rx.pump.as_of
    today = (c.now.astimezone(as_of.tzinfo) if c.now is not None else as_of).date()
    pump = c.current.present if c.current is not None else None
    told = c.rx.drug.filled_on if pump is None or pump.filled_on is None else pump.filled_on
    filled_on = today if c.is_refill else told if told is not None else min(as_of.date(), today)
    yield from stability_hits(c.library, filled_on, today, c.view.days_to(c.volume, c.view.low_alarm), is_told=told is not None)


def stability_hits(library: DrugLibrary, filled_on: date, today: date, days_to_alarm: int | None, *, is_told: bool) -> Iterator[Hit]:
    """Out of date is asked about, or told where the date of the filling is only taken from the file's own; so is out of date before the
    low-reservoir alarm."""
    limit = library.stability_days
    last_day = filled_on + timedelta(days=limit.value)
    if last_day < today:
        message = f"the drug was filled on {day_text(filled_on)} and keeps {limit.value} days: refill it"
        yield Hit(SOFT if is_told else INFO, message, filled_on.isoformat(), last_day.isoformat(), limit.origin)
    elif days_to_alarm is not None and today + timedelta(days=min(days_to_alarm, 100_000)) > last_day:
        days = f"{days_to_alarm:,} {'day' if days_to_alarm == 1 else 'days'}"
        message = f"the drug keeps until {day_text(last_day)}, before the low-reservoir alarm after {days}: refill by then"
        yield Hit(INFO, message, f"{days_to_alarm} d", f"{(last_day - today).days} d", limit.origin)
