"""Hours typed for minutes, and minutes for hours: interval, duration and lockout of a bolus (FDA Class I 2004, domain 0.5).

A duration is asked about where the number read in the other unit fits better: beside the day's dose, the rate that a bolus replaces, the
present therapy, or the pump's own limits. Thresholds: `itbpump.profiles.slips`. Not here: the rule itself (`rules_entry`), limits of
durations (`rules_pump`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from msgspec.structs import replace

from itbpump.profiles.slips import EntrySlips
from itbpump.quantity import MS_PER_DAY, Duration, Flow, Mass, MassRate, volume_for_mass
from itbpump.safety.context import Context
from itbpump.safety.expected import expected_day
from itbpump.safety.model import Hit, Severity
from itbpump.therapy_view import BolusView, count_in_words, days_in_words, view_configuration

__all__ = ["duration_hits"]

SECOND, SOFT = Severity.SECOND, Severity.SOFT
HOUR_MINUTES = 60
LONGEST = Duration(7 * MS_PER_DAY)
LONGEST_BOLUS = Duration(MS_PER_DAY)


def duration_hits(c: Context, slips: EntrySlips) -> Iterator[Hit]:
    """Interval, duration and lockout, each told once."""
    yield from _interval(c, slips)
    for bolus in _timed(c, slips):
        hit = _other_duration(c, bolus, slips)
        if hit is not None:
            yield hit
    yield from _lockout(c, slips)


def _as_hours(typed: Duration) -> Duration | None:
    """The number of minutes read as hours; None for what cannot have been minutes alone."""
    return Duration.of_minutes(typed.minutes * HOUR_MINUTES) if typed.minutes <= HOUR_MINUTES else None


def _as_minutes(typed: Duration) -> Duration | None:
    """The number of hours read as minutes; None for what is not whole hours."""
    hours, rest = divmod(typed.minutes, HOUR_MINUTES)
    return Duration.of_minutes(hours) if hours and not rest else None


def _is_sixtyfold(one: Duration, other: Duration) -> bool:
    return one.ms == other.ms * HOUR_MINUTES or other.ms == one.ms * HOUR_MINUTES


# ------------------------------------------------------------------------------------------------ the interval
def _interval(c: Context, slips: EntrySlips) -> Iterator[Hit]:
    """`every`: as short as minutes for hours would be, or so long that the day is far too little and minutes would explain it."""
    therapy, old = c.rx.therapy, c.current.view if c.current is not None else None
    if therapy.mode != "periodic-bolus":
        return
    every, expected, typed = therapy.every, expected_day(c, slips), c.view.mean_day
    if old is not None and old.periodic is not None and old.periodic.every == every:
        return
    hours, minutes = _as_hours(every), _as_minutes(every)
    if hours is not None and every <= slips.time_every_short:
        read = hours
    elif minutes is not None and therapy.over <= minutes and expected.is_explained(typed.ng_per_day, _day_at(c, minutes).ng_per_day):
        read = minutes
    else:
        return
    message = (
        f"{therapy.dose} every {every}: {_count(every)}, {typed} in all; every {read}: {_count(read)}, {_day_at(c, read)} in all; "
        f"compare with {expected.text}; check hours and minutes"
    )
    yield Hit(SECOND, message, every.text(), read.text(), slips.source("time_every_short"))


def _day_at(c: Context, every: Duration) -> MassRate:
    """The mean day of the same bolus at another interval."""
    return view_configuration(replace(c.configuration, periodic_every_min=every.minutes), c.profile).mean_day


def _count(every: Duration) -> str:
    """`120 boluses in 24 h`, `a bolus in 60 h`."""
    if every.ms > MS_PER_DAY:
        return f"a bolus in {every}"
    times = -(-MS_PER_DAY // every.ms)
    return f"{count_in_words(times)} {'bolus' if times == 1 else 'boluses'} in 24 h"


# ------------------------------------------------------------------------------------------------ how long a bolus takes
@dataclass(frozen=True, slots=True)
class _Timed:
    """A bolus with the rate that it replaces, how long it may last at most, and how long it takes in the therapy in force.

    `is_block`: a step of a day, which may be meant as a block of hours rather than as a bolus.
    """

    where: str
    dose: Mass
    over: Duration
    replaces: MassRate
    longest: Duration
    present: Duration | None
    is_patient: bool = False
    is_block: bool = False


def _timed(c: Context, slips: EntrySlips) -> Iterator[_Timed]:
    """The boluses to look at; steps whose duration no reading could make odd are left out."""
    therapy, old = c.rx.therapy, c.current.view if c.current is not None else None
    if therapy.mode == "periodic-bolus":
        present = old.periodic.over if old is not None and old.periodic is not None else None
        longest = min(LONGEST_BOLUS, therapy.every)
        yield _Timed("the periodic bolus", therapy.dose, therapy.over, therapy.background, longest, present)
    elif therapy.mode == "flex":
        for pattern, wire in zip(therapy.pattern, c.configuration.patterns, strict=True):
            days = tuple(day for day in range(7) if wire.days >> day & 1)
            before = old.bolus_durations(days[0]) if old is not None else {}
            rate = MassRate(0)
            for step in pattern.steps:
                rate = step.rate if step.rate is not None else rate
                if step.dose is None or step.over is None:
                    continue
                present = before.get(step.at.minute)
                is_long, is_large = step.over.ms >= slips.time_over_long.ms, step.dose.value > c.library.bolus_soft.value.value
                if is_long or is_large or (present is not None and _is_sixtyfold(step.over, present)):
                    where = f"{days_in_words(days)} {step.at}"
                    yield _Timed(where, step.dose, step.over, rate, LONGEST_BOLUS, present, is_block=True)
    bolus = c.rx.patient_bolus
    if bolus is not None:
        present = old.patient.over if old is not None and old.patient is not None else None
        longest = min(LONGEST_BOLUS, bolus.lockout)
        yield _Timed("the patient bolus", bolus.dose, bolus.over, c.view.mean_day, longest, present, is_patient=True)


def _other_duration(c: Context, bolus: _Timed, slips: EntrySlips) -> Hit | None:
    """The reading that fits better, and why; None where the duration is as good as any."""
    if bolus.dose.ng == 0:
        return None
    hours, minutes = _as_hours(bolus.over), _as_minutes(bolus.over)
    pace = MassRate(round(_per_day(bolus.dose, bolus.over)), "mcg/h")
    if bolus.present is not None and _is_sixtyfold(bolus.over, bolus.present):
        return _told(bolus, bolus.present, f"the present one takes {bolus.present}", slips)
    if minutes is not None and bolus.over >= slips.time_over_long and _can_give(c, bolus.dose, minutes):
        if _per_day(bolus.dose, bolus.over) < bolus.replaces.ng_per_day:
            return _told(bolus, minutes, f"{pace} is less than the {bolus.replaces} it replaces", slips, SOFT if bolus.is_block else SECOND)
        if bolus.is_patient and bolus.over >= slips.time_patient_over_long:
            return _told(bolus, minutes, f"{pace} answers no sudden need", slips)
    if hours is not None and hours <= bolus.longest and bolus.dose > c.library.bolus_soft.value:
        read, far = _per_day(bolus.dose, hours), slips.day_far_times
        if bolus.replaces.ng_per_day <= read * far <= bolus.replaces.ng_per_day * far * far:
            return _told(bolus, hours, f"{pace}; over {hours} it would be near the {bolus.replaces} it replaces", slips)
    return None


def _told(bolus: _Timed, read: Duration, why: str, slips: EntrySlips, severity: Severity = SECOND) -> Hit:
    message = f"{bolus.where}: {bolus.dose} over {bolus.over}: {why}; is {read} meant? check hours and minutes"
    return Hit(severity, message, bolus.over.text(), read.text(), slips.source("time_over_long"))


def _per_day(dose: Mass, over: Duration) -> Fraction:
    """The rate of a bolus while it runs, ng/day."""
    return Fraction(dose.ng * MS_PER_DAY, over.ms)


def _can_give(c: Context, dose: Mass, over: Duration) -> bool:
    """The pump could give it so: a reading that it refuses is none."""
    flow = Flow(volume_for_mass(dose, c.rx.drug.concentration) * MS_PER_DAY / over.ms)
    return over >= c.profile.bolus_min_duration and flow <= c.profile.flow_max


# ------------------------------------------------------------------------------------------------ the lockout
def _lockout(c: Context, slips: EntrySlips) -> Iterator[Hit]:
    """Shorter than the pump allows, or so long that the count per day can never be reached, or sixty times from the present one."""
    bolus = c.rx.patient_bolus
    if bolus is None:
        return
    old = _patient_of_present(c)
    least, most = c.profile.patient_lockout_min, bolus.max_per_day
    hours, minutes = _as_hours(bolus.lockout), _as_minutes(bolus.lockout)
    if old is not None and old.lockout is not None and _is_sixtyfold(bolus.lockout, old.lockout):
        read = old.lockout
    elif hours is not None and bolus.lockout < least and bolus.over <= hours <= LONGEST:
        read = hours
    elif minutes is not None and minutes >= max(least, bolus.over) and (most - 1) * bolus.lockout.ms >= MS_PER_DAY:
        read = minutes
    else:
        return
    message = (
        f"the patient bolus: a lockout of {bolus.lockout} lets {_passes(bolus.dose, bolus.lockout, most)}, one of {read} "
        f"{_passes(bolus.dose, read, most)}; check hours and minutes"
    )
    yield Hit(SECOND, message, bolus.lockout.text(), read.text(), slips.source("time_every_short"))


def _patient_of_present(c: Context) -> BolusView | None:
    return c.current.view.patient if c.current is not None and c.current.view is not None else None


def _passes(dose: Mass, lockout: Duration, most: int) -> str:
    """`three boluses, 15 mcg, through within 12 h`: from the start of the first to that of the last."""
    times = min(most, -(-MS_PER_DAY // lockout.ms))
    if times == 1:
        return f"one bolus, {dose}, through in 24 h"
    return f"{count_in_words(times)} boluses, {Mass(dose.ng * times)}, through within {Duration(lockout.ms * (times - 1))}"
