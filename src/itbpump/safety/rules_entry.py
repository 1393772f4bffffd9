"""Rules about slips of entry: a dose or volume that fits another field better than the one it was typed in (SR-18).

Per hour for per day, a dose for the day's total, hours for minutes, ten times off. Each message names what was typed, what it makes in
24 h, and what the other reading would make. Thresholds: `itbpump.profiles.slips`. Not here: limits, path and reservoir
(`rules_catheter`), the grammar of numbers (`quantity`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from msgspec.structs import replace

from itbpump.profiles.slips import EntrySlips, load_slips
from itbpump.quantity import Amount, Exact, Mass, MassRate, TimeOfDay, Volume
from itbpump.safety.context import Context, percent_text
from itbpump.safety.current import is_other_drug
from itbpump.safety.entry_times import duration_hits
from itbpump.safety.expected import Expected, expected_day, start_limit
from itbpump.safety.model import Hit, RuleSet, Severity
from itbpump.therapy_view import TherapyView, count_in_words, days_in_words, view_configuration

__all__ = ["RULES"]

RULES: RuleSet[Context] = RuleSet()
SECOND, SOFT = Severity.SECOND, Severity.SOFT
PER_HOUR, PER_DAY = "mcg/h", "mcg/day"
HOURS = 24


# ------------------------------------------------------------------------------------------------ per hour for per day
@RULES.rule("field-swap", "SR-18", "SR-10", worst=SECOND)
def field_swap(c: Context) -> Iterator[Hit]:
    """A rate that fits the other unit of time, or a bolus dose that fits the day's total."""
    if not c.is_therapy:
        return
    slips = load_slips()
    swapped = [step for step in _odd_steps(c, slips) if step.is_swapped]
    for step in swapped:
        read = _other_unit(step.typed)
        message = (
            f"{step.where}: {step.typed} is {step.times_text} the other steps, {c.view.highest_day} in all; "
            f"{read} would be near the others' {step.others}; check the unit"
        )
        yield Hit(SOFT, message, step.typed.text(), read.text(), slips.source("tenfold_step_times"))
    expected = expected_day(c, slips)
    if any(expected.is_far(day.ng_per_day) for day in c.view.day_doses):
        if not swapped:
            yield from _swapped_rates(c, expected, slips)
        yield from _daily_as_hourly(c, expected, slips)
    yield from _dose_as_total(c, slips)


def _other_unit(rate: Amount) -> MassRate:
    """The same number in the other unit of time."""
    if rate.unit == PER_HOUR:
        return MassRate(Fraction(rate.value) / HOURS, PER_DAY)
    return MassRate(rate.value * HOURS, PER_HOUR)


def _swapped_rates(c: Context, expected: Expected, slips: EntrySlips) -> Iterator[Hit]:
    """All rates typed in one unit, read in the other: the day as typed is far from what was to be expected, the other near it."""
    typed = c.view.day_doses
    for unit, factor in ((PER_HOUR, Fraction(1, HOURS)), (PER_DAY, Fraction(HOURS))):
        rates = [rate for rate in c.rates() if rate.prescribed.unit == unit and rate.prescribed.value]
        if not rates:
            continue
        fixed = _without_rates(c, unit).day_doses
        read = [MassRate(rest.ng_per_day + (day.ng_per_day - rest.ng_per_day) * factor) for day, rest in zip(typed, fixed, strict=True)]
        days = tuple(day for day in range(7) if expected.is_explained(typed[day].ng_per_day, read[day].ng_per_day))
        if not days:
            continue
        on = f" ({days_in_words(days)})" if len(days) < len(typed) else ""
        first = rates[0]
        others = f" and {count_in_words(len(rates) - 1)} more" if len(rates) > 1 else ""
        message = (
            f"{first.where}: {first.prescribed}{others}, {typed[days[0]]} in all{on}; read as {_other_unit(first.prescribed)}, "
            f"{read[days[0]].rounded()} in all; compare with {expected.text}; check the unit"
        )
        yield Hit(SOFT, message, typed[days[0]].text(), expected.text, slips.source("day_far_times"))


def _without_rates(c: Context, unit: str) -> TherapyView:
    """The therapy without the rates typed in a unit: what no other reading of them changes."""
    therapy, wire = c.rx.therapy, c.configuration
    if therapy.mode != "flex":
        return view_configuration(replace(wire, flow_nL_per_day=0), c.profile)
    patterns = []
    for typed, pattern in zip(therapy.pattern, wire.patterns, strict=True):
        pairs = zip(typed.steps, pattern.steps, strict=True)
        steps = tuple(replace(step, amount=0) if own.rate is not None and own.rate.unit == unit else step for own, step in pairs)
        patterns.append(replace(pattern, steps=steps))
    return view_configuration(replace(wire, patterns=tuple(patterns)), c.profile)


def _dose_as_total(c: Context, slips: EntrySlips) -> Iterator[Hit]:
    """A bolus of about the whole day's dose, in a day that becomes more by it."""
    band = Fraction(slips.total_apart_percent, 100)
    source, own = slips.source("total_apart_percent"), c.view.mean_day
    patient = c.patient_bolus()
    if patient is not None and own.ng_per_day and band * own.ng_per_day >= own.ng_per_day - patient.prescribed.ng:
        message = f"{patient.where}: {patient.prescribed} each time is as much as the whole day without it, {own}; check it"
        yield Hit(SOFT, message, patient.prescribed.text(), own.text(), source)
    if c.current is None or c.current.view is None or not c.current.is_treating or is_other_drug(c.view, c.current):
        return
    old, new = c.current.view.highest_day, c.view.highest_day
    if new.ng_per_day * 100 < old.ng_per_day * slips.total_rise_percent:
        return
    for bolus in c.boluses():
        if old.ng_per_day and abs(Fraction(bolus.prescribed.ng) - old.ng_per_day) <= old.ng_per_day * band:
            message = (
                f"{bolus.where}: {bolus.prescribed} at once is about the present dose of a whole day, {old}; "
                f"it makes {new} in all; is it the day's total?"
            )
            yield Hit(SOFT, message, bolus.prescribed.text(), old.text(), source)


def _daily_as_hourly(c: Context, expected: Expected, slips: EntrySlips) -> Iterator[Hit]:
    """The ISMP case as steps: the same bolus about every hour, in a day that would be as expected with one of them."""
    therapy = c.rx.therapy
    if therapy.mode != "flex":
        return
    for number, pattern in enumerate(therapy.pattern):
        bits = c.configuration.patterns[number].days
        days = tuple(day for day in range(7) if bits >> day & 1)
        typed, counted = c.view.day_doses[days[0]], Counter(step.dose for step in pattern.steps if step.dose is not None)
        for dose, times in counted.items():
            if times < slips.total_hourly_boluses:
                continue
            once = _with_one_bolus(c, number, dose).day_doses[days[0]]
            if expected.is_explained(typed.ng_per_day, once.ng_per_day):
                message = (
                    f"{days_in_words(days)}: {dose} {count_in_words(times)} times, {typed} in all; once a day, {once} in all; "
                    f"compare with {expected.text}; was a daily dose entered as an hourly one?"
                )
                yield Hit(SECOND, message, typed.text(), expected.text, slips.source("total_hourly_boluses"))


def _with_one_bolus(c: Context, number: int, dose: Mass) -> TherapyView:
    """The therapy with only the first of the boluses of this dose in one of its patterns."""
    patterns, kept, seen = list(c.configuration.patterns), [], False
    if c.rx.therapy.mode == "flex":
        for own, step in zip(c.rx.therapy.pattern[number].steps, patterns[number].steps, strict=True):
            if own.dose != dose or not seen:
                kept.append(step)
            seen = seen or own.dose == dose
    patterns[number] = replace(patterns[number], steps=tuple(kept))
    return view_configuration(replace(c.configuration, patterns=tuple(patterns)), c.profile)


# ------------------------------------------------------------------------------------------------ hours for minutes
@RULES.rule("hours-minutes", "SR-18", "SR-10", "SR-14", worst=SECOND)
def hours_minutes(c: Context) -> Iterator[Hit]:
    """Interval, duration and lockout of boluses: the number fits the other unit of time better."""
    yield from duration_hits(c, load_slips())


# ------------------------------------------------------------------------------------------------ ten times off
@RULES.rule("ten-times", "SR-18", "SR-16", worst=SECOND)
def ten_times(c: Context) -> Iterator[Hit]:
    """A decimal point left out or moved: beside the present, the start limit, the reservoir, the other steps of a day."""
    slips = load_slips()
    yield from _tenfold_day(c, slips)
    yield from _tenfold_bolus(c, slips)
    yield from _tenfold_volume(c, slips)
    for step in _odd_steps(c, slips):
        if step.is_high and not step.is_swapped:
            message = f"{step.where}: {step.typed} is {step.times_text} the others, {step.others}; check the decimal point"
            yield Hit(SOFT, message, step.typed.text(), step.others.text(), slips.source("tenfold_step_times"))


def _is_tenfold(larger: Exact, smaller: Exact, slips: EntrySlips) -> bool:
    return smaller > 0 and slips.tenfold_from_percent * smaller <= larger * 100 <= slips.tenfold_to_percent * smaller


def _tenfold_day(c: Context, slips: EntrySlips) -> Iterator[Hit]:
    if not c.is_therapy or c.current is None:
        return
    source, old, new = slips.source("tenfold_from_percent"), c.current.view, c.view
    if c.current.is_treating and old is not None and not is_other_drug(new, c.current):
        low, high = old.lowest_day, old.highest_day
        if _is_tenfold(low.ng_per_day, new.lowest_day.ng_per_day, slips):
            yield _tenfold(new.lowest_day, low, Fraction(10), "the present", source)
        what = "the present"
    else:
        start = start_limit(c)
        if start is None:
            return
        high, what = start, "the start limit of"
    if _is_tenfold(new.highest_day.ng_per_day, high.ng_per_day, slips):
        yield _tenfold(new.highest_day, high, Fraction(1, 10), what, source)


def _tenfold(typed: MassRate, expected: MassRate, factor: Fraction, what: str, source: str) -> Hit:
    read, times = MassRate(typed.ng_per_day * factor).rounded(), _times(Fraction(typed.ng_per_day) / expected.ng_per_day)
    message = f"as typed it makes {typed}, {times} {what} {expected.rounded()}; is {read} meant? check the decimal point"
    return Hit(SECOND, message, typed.text(), expected.rounded().text(), source)


def _times(ratio: Fraction) -> str:
    """`9.2 times`, `a tenth of`."""
    if ratio >= 1:
        return f"{percent_text(ratio / 100)} times"
    return "a tenth of" if Fraction(95, 1000) <= ratio <= Fraction(105, 1000) else f"{percent_text(ratio)} % of"


def _tenfold_bolus(c: Context, slips: EntrySlips) -> Iterator[Hit]:
    """The periodic and the patient's bolus beside those in force."""
    old = c.current.view if c.current is not None else None
    if old is None or is_other_drug(c.view, c.current):
        return
    pairs = ((c.view.periodic, old.periodic, "the periodic bolus"), (c.view.patient, old.patient, "the patient bolus"))
    for new_bolus, old_bolus, where in pairs:
        if new_bolus is None or old_bolus is None:
            continue
        new, present = new_bolus.dose, old_bolus.dose
        if _is_tenfold(new.ng, present.ng, slips) or _is_tenfold(present.ng, new.ng, slips):
            read = Mass(new.ng * (Fraction(1, 10) if new > present else 10)).rounded()
            times = _times(Fraction(new.ng) / present.ng)
            message = (
                f"{where}: {new.rounded()} each time is {times} the present {present.rounded()}, and makes up to "
                f"{c.view.highest_24h_exact.rounded()}; is {read} meant? check the decimal point"
            )
            yield Hit(SECOND, message, new.rounded().text(), present.rounded().text(), slips.source("tenfold_from_percent"))


def _tenfold_volume(c: Context, slips: EntrySlips) -> Iterator[Hit]:
    """The volume that this change tells the pump: a tenth, or ten times, of a filling."""
    if not c.sets_volume:
        return
    capacity, low = c.profile.capacity.nL, c.view.low_alarm.nL
    if capacity * slips.reservoir_full_percent <= c.volume.nL * 10 * 100 <= capacity * 100:
        read = Volume(c.volume.nL * 10)
    elif c.volume.nL > capacity and low * 10 < c.volume.nL <= capacity * 10:
        read = Volume(Fraction(c.volume.nL, 10))
    else:
        return
    message = f"{c.volume} in a reservoir of {c.profile.capacity}: is {read} meant? check the decimal point"
    yield Hit(SECOND, message, c.volume.text(), c.profile.capacity.text(), slips.source("reservoir_full_percent"))


# ------------------------------------------------------------------------------------------------ a step among the others
@dataclass(frozen=True, slots=True)
class _OddStep:
    """A step of a pattern far above or below the median of the other steps of its kind. `is_swapped`: the other unit of time brings it
    near them."""

    where: str
    typed: Amount
    others: Amount
    is_high: bool
    is_swapped: bool

    @property
    def times_text(self) -> str:
        return _times(Fraction(self.typed.value) / self.others.value)


def _odd_steps(c: Context, slips: EntrySlips) -> Iterator[_OddStep]:
    """Rates among rates, boluses among boluses; the same slip in several patterns is told for each."""
    therapy = c.rx.therapy
    if therapy.mode != "flex":
        return
    for pattern, wire in zip(therapy.pattern, c.configuration.patterns, strict=True):
        rates = [(step.at, step.rate) for step in pattern.steps if step.rate is not None]
        doses = [(step.at, step.dose) for step in pattern.steps if step.dose is not None]
        for steps in (rates, doses):
            yield from _odd_among(wire.days, steps, slips)


def _odd_among(bits: int, steps: Sequence[tuple[TimeOfDay, Amount]], slips: EntrySlips) -> Iterator[_OddStep]:
    """A single step, or a few, high beside the upper median of the others, or low beside the lower one; steps of two kinds are no slip."""
    if len(steps) < 2:
        return
    ordered = sorted((amount for _, amount in steps), key=_value)
    values, times = [amount.value for amount in ordered], slips.tenfold_step_times
    if 0 < values[-1] < times * values[0]:
        return
    high, low = [], []
    for at, typed in steps:
        taken = bisect_left(values, typed.value)
        upper, lower = (_without(ordered, taken, (len(steps) - back) // 2) for back in (1, 2))
        if not lower.value or not typed.value:
            continue
        where = f"{days_in_words(tuple(day for day in range(7) if bits >> day & 1))} {at}"
        if typed.value >= times * upper.value:
            high.append(_OddStep(where, typed, upper, True, _is_swapped(typed, upper, PER_HOUR, slips)))
        elif lower.value >= times * typed.value:
            low.append(_OddStep(where, typed, lower, False, _is_swapped(typed, lower, PER_DAY, slips)))
    for odd in (high, low):
        if len(odd) == 1 or len(odd) * slips.tenfold_step_share <= len(steps):
            yield from odd


def _value(amount: Amount) -> Exact:
    return amount.value


def _without(ordered: Sequence[Amount], taken: int, number: int) -> Amount:
    """The amount of this number once the one `taken` is left out."""
    return ordered[number + (taken <= number)]


def _is_swapped(typed: Amount, others: Amount, unit: str, slips: EntrySlips) -> bool:
    """Typed in this unit of time, and near the others in the other one."""
    if typed.unit != unit:
        return False
    read, near = _other_unit(typed).value, slips.day_near_times
    return others.value <= read * near <= others.value * near * near
