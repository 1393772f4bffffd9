"""What a day's dose was to be expected: beside the present therapy, the start limit, or the usual range of the drug library.

A slip of entry is a value far from it whose other reading (per hour for per day, hours for minutes) comes near it. Not here: limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from itbpump.drugs import Figure
from itbpump.profiles.slips import EntrySlips
from itbpump.quantity import Exact, MassRate
from itbpump.safety.context import Context
from itbpump.safety.current import is_other_drug

__all__ = ["Expected", "expected_day", "screening_limit", "start_limit"]


@dataclass(frozen=True, slots=True)
class Expected:
    """Amounts in ng per day. Outside `low` to `high` a day is far from what was to be expected; a day that is too high, or too low, is
    explained by another reading that lies in the range named for it."""

    low: Fraction
    high: Fraction
    explains_high: tuple[Fraction, Fraction]
    explains_low: tuple[Fraction, Fraction]
    change_times: int
    text: str

    def is_far(self, day: Exact) -> bool:
        return day > 0 and not self.low <= day <= self.high

    def is_explained(self, day: Exact, other: Exact) -> bool:
        """`day` as typed is far off, and `other`, read from the same number, is not. Boluses that no reading changes decide nothing."""
        if not self.is_far(day) or other <= 0:
            return False
        low, high = self.explains_high if day > self.high else self.explains_low
        is_other = max(day, other) >= self.change_times * min(day, other)
        return is_other and low <= other <= high


def expected_day(c: Context, slips: EntrySlips) -> Expected:
    """What rests on the patient comes first: the present therapy, else the start limit, else the library's range."""
    present = _present_days(c)
    if present is not None:
        low, high = min(present), max(present)
        shown = str(MassRate(high)) if low == high else f"{MassRate(low)} to {MassRate(high)}"
        return _around(low, high, slips, f"the present {shown}")
    start = start_limit(c)
    if start is not None:
        limit, tested = Fraction(start.ng_per_day), _screening_ng(c)
        return _around(limit if tested is None else min(limit, tested), limit, slips, f"the start limit of {start.rounded()}")
    return _usual(c, slips)


def start_limit(c: Context) -> MassRate | None:
    """What a start from a pump known not to treat may give, by the screening dose or by the drug's own limit; None where neither is known,
    or a therapy may be running."""
    if c.current is None or (c.current.is_treating and not is_other_drug(c.view, c.current)):
        return None
    screened = screening_limit(c)
    if c.library.start_factor is not None:
        return screened[0] if screened is not None and screened[0].ng_per_day else None
    return c.library.start_absolute_soft.value if c.library.start_absolute_soft is not None else None


def screening_limit(c: Context) -> tuple[MassRate, Figure[int]] | None:
    """The start dose that the screening dose carries, and the factor it rests on; the library's largest screening dose where none is on
    record; None for a drug without screening."""
    library, screening = c.library, c.rx.screening
    factor, long_effect, long_factor = library.start_factor, library.start_long_effect, library.start_long_factor
    if factor is None or long_effect is None or long_factor is None:
        return None
    if screening is None:
        return MassRate(max(dose.ng for dose in library.screening_doses.value) * factor.value), factor
    used = long_factor if screening.effect > long_effect.value else factor
    return MassRate(screening.dose.ng * used.value), used


def _screening_ng(c: Context) -> Fraction | None:
    """The screening dose, ng; None where none is on record."""
    screening = c.rx.screening
    return Fraction(screening.dose.ng) if screening is not None and screening.dose.ng else None


def _present_days(c: Context) -> tuple[Fraction, ...] | None:
    """Dose of each weekday of the therapy in force that gives any; None without one."""
    if c.current is None or c.current.view is None or not c.current.is_treating or is_other_drug(c.view, c.current):
        return None
    return tuple(Fraction(day.ng_per_day) for day in c.current.view.day_doses if day.ng_per_day) or None


def _around(low: Fraction, high: Fraction, slips: EntrySlips, text: str) -> Expected:
    """A reading that explains too high a day may be as far below: an overdose is asked about more readily."""
    far, near = slips.day_far_times, slips.day_near_times
    return Expected(low / far, high * far, (low / far, high * near), (low / near, high * near), slips.day_change_times, text)


def _usual(c: Context, slips: EntrySlips) -> Expected:
    """The library's own: above the usual maintenance, or under a third of it (of the screening dose, if that is less)."""
    limits = c.library.daily_limits(c.rx.patient.indication, c.rx.patient.age_years)
    typical_low, typical_high = min(item.typical_low.value for item in limits), max(item.typical_high.value for item in limits)
    bottom = Fraction(min(item.soft_low.value for item in limits).ng_per_day)
    usual, high, tested = Fraction(typical_low.ng_per_day), Fraction(typical_high.ng_per_day), _screening_ng(c)
    low = (usual if tested is None else min(usual, tested)) / slips.day_far_times
    return Expected(low, high, (bottom, high), (low, high), slips.day_change_times, f"the usual {typical_low} to {typical_high}")
