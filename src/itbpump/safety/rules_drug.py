"""Rules about the drug and the patient: concentration, daily total, bolus size and count, age, other drugs, stability.

Figures and sources are those of the drug library.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from itbpump.drugs import DailyLimits, Figure
from itbpump.quantity import MS_PER_DAY, MassRate, mass_of_pulses
from itbpump.safety.bolus_checks import size_hits
from itbpump.safety.context import Context
from itbpump.safety.model import Hit, RuleSet, Severity
from itbpump.therapy_view import count_in_words

__all__ = ["RULES", "daily_limits"]

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


def daily_limits(c: Context) -> tuple[DailyLimits, ...]:
    """Limits of the indication, and of a young child beside them."""
    age = c.rx.patient.age_years
    limits = (c.library.daily[c.rx.patient.indication],)
    young = age is not None and age < c.library.child_daily_below_years.value
    return (*limits, c.library.daily["child"]) if young else limits


@RULES.rule("daily-total", "SR-07", "SR-02", worst=HARD)
def daily_total(c: Context) -> Iterator[Hit]:
    """The largest total in any 24 h, all patient boluses and the rest of boluses under way included."""
    extra = c.current.extra.ng if c.current is not None else 0
    total = MassRate(c.view.highest_24h_exact.ng_per_day + extra)
    text, shown = total.rounded().text(), f"up to {total.rounded()} in some 24 h"
    if extra:
        shown += f", {MassRate(extra)} of it from boluses given or under way"
    limits = daily_limits(c)
    hard = min((limit.hard_high for limit in limits), key=_value)
    soft = min((limit.soft_high for limit in limits), key=_value)
    low = max((limit.soft_low for limit in limits), key=_value)
    if total > hard.value:
        yield Hit(HARD, f"{shown}: above {hard.value}, which nobody can override", text, hard.value.text(), hard.origin)
    elif total > soft.value:
        yield Hit(SOFT, f"{shown}: above {soft.value}", text, soft.value.text(), soft.origin)
    elif c.is_therapy and total < low.value:
        yield Hit(SOFT, f"{shown}: below {low.value}, less than maintenance doses known", text, low.value.text(), low.origin)


def _value(figure: Figure[MassRate]) -> MassRate:
    return figure.value


@RULES.rule("bolus-size", "SR-02", worst=HARD)
def bolus_size(c: Context) -> Iterator[Hit]:
    """No bolus is larger than the library allows."""
    for bolus in c.all_boluses():
        given = mass_of_pulses(bolus.pulses, c.rx.drug.concentration, c.profile.pulse_volume.nL)
        yield from size_hits(c.library, bolus.where, bolus.prescribed, given)


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
        yield Hit(SOFT, f"{shown}: that is {words}; is once a day meant?", str(times), str(limit.value), limit.origin)


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
            yield Hit(SOFT, f"{medication.name} ({medication.drug_class}): {known.text}", medication.name, "", known.source)
        else:
            message = f"not checked: {medication.name}, as the library has no class {medication.drug_class!r}"
            yield Hit(INFO, message, medication.drug_class, ", ".join(sorted(c.library.interactions)))


@RULES.rule("stability", "SR-36", worst=SOFT)
def stability(c: Context) -> Iterator[Hit]:
    """The drug is in date, and will be until the alarm."""
    limit, as_of = c.library.stability_days, c.rx.pump.as_of.date()
    filled_on = c.rx.drug.filled_on if c.rx.drug.filled_on is not None and not c.is_refill else as_of
    last_day = filled_on + timedelta(days=limit.value)
    if last_day < as_of:
        message = f"the drug was filled on {_day(filled_on)} and keeps {limit.value} days: refill it"
        yield Hit(SOFT, message, filled_on.isoformat(), last_day.isoformat(), limit.origin)
        return
    days = c.view.days_to(c.volume, c.view.low_alarm)
    if days is not None and as_of + timedelta(days=min(days, 100_000)) > last_day:
        message = f"the drug keeps until {_day(last_day)}, before the low-reservoir alarm after {days:,} days: refill by then"
        yield Hit(INFO, message, f"{days} d", f"{(last_day - as_of).days} d", limit.origin)


def _day(day: object) -> str:
    return f"{day:%d %b %Y}".lstrip("0")
