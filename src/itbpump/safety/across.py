"""The dose in any 24 h across a change: what the old therapy gave before the commit, what the new one gives after it (SR-07).

After the commit the course has phases: a bridge, or a path that still holds another concentration, then the new therapy from a clear path.
Everything is piecewise linear, so the largest 24 h has one end at an edge of a phase or a segment. Pure. Not modelled: mixing in the path,
boluses given by hand (the rules add them), the time of a bolus that only the pump's 24-h sum tells of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from itbpump.configuration import mass_of_units
from itbpump.quantity import MS_PER_DAY, MassRate
from itbpump.schedule import UNITS_PER_NL, Schedule

__all__ = [
    "NOTHING",
    "Course",
    "Past",
    "Phase",
    "anywhere_in",
    "begun",
    "ended",
    "given_at",
    "highest_24h_across",
    "ran_until",
    "sum_of_last_24h",
    "together",
]

NG = UNITS_PER_NL * 1_000_000  # one ng in the unit of `Phase.mass`


@dataclass(frozen=True, slots=True)
class Phase:
    """A schedule from its time `start_ms` on, at one concentration, for `length_ms`; the last phase of a course has no end (None)."""

    schedule: Schedule
    start_ms: int
    ng_per_mL: int
    length_ms: int | None = None

    def mass(self, into_ms: int) -> int:
        """Drug of the first `into_ms`, in units of 1/86,400,000 nL × ng/mL; short of the exact value by less than two such units."""
        return self.schedule.volume_units_between(self.start_ms, self.start_ms + into_ms) * self.ng_per_mL


class Course:
    """What leaves the catheter from the commit on."""

    __slots__ = ("_phases",)

    def __init__(self, phases: Sequence[Phase]) -> None:
        if not phases or phases[-1].length_ms is not None or any(phase.length_ms is None for phase in phases[:-1]):
            raise ValueError("a course is phases that end, then one that does not")
        self._phases = tuple(phases)

    @property
    def settled_ms(self) -> int:
        """When the last phase begins."""
        return sum(phase.length_ms or 0 for phase in self._phases)

    def mass(self, to_ms: int) -> int:
        """Drug from the commit to `to_ms` (0 or later), in the unit of `Phase.mass`."""
        total, left = 0, to_ms
        for phase in self._phases:
            if phase.length_ms is None or left <= phase.length_ms:
                return total + phase.mass(left)
            total, left = total + phase.mass(phase.length_ms), left - phase.length_ms
        raise AssertionError("the last phase has no end")

    def edges(self, until_ms: int) -> Iterator[int]:
        """Times at which the flow may change, from 0 to `until_ms`. Of a phase of many cycles only those of its beginning and of its end:
        a day that begins and ends between them gives what one a cycle earlier gave."""
        at = 0
        for phase in self._phases:
            end = until_ms if phase.length_ms is None else min(until_ms, at + phase.length_ms)
            for begin, length in _telling(end - at, phase.schedule.cycle_ms):
                first = phase.start_ms + begin
                yield from (at + edge - phase.start_ms for edge in phase.schedule.edges_between(first, first + length))
            at = end
        yield until_ms


def _telling(length_ms: int, cycle_ms: int) -> tuple[tuple[int, int], ...]:
    """(start, length) of the parts of a phase in which every day that differs from the others begins or ends."""
    whole = cycle_ms + MS_PER_DAY
    if length_ms <= whole + MS_PER_DAY:
        return ((0, length_ms),)
    return (0, whole), (length_ms - MS_PER_DAY, MS_PER_DAY)


@dataclass(frozen=True, slots=True)
class Past:
    """What was given before the commit: `mass(b)` is the most that the last `b` ms may have given, in the unit of `Phase.mass`; `edges` are
    the `b` at which it bends, between 0 and 24 h."""

    mass: Callable[[int], int]
    edges: tuple[int, ...]


NOTHING = Past(lambda back_ms: 0, ())


def ran_until(schedule: Schedule, now_ms: int, ng_per_mL: int, idle_ms: int = 0) -> Past:
    """A schedule that ran until `idle_ms` ago; `now_ms` is its time now."""
    if idle_ms >= MS_PER_DAY:
        return NOTHING
    ahead = -(-MS_PER_DAY // schedule.cycle_ms) * schedule.cycle_ms  # a schedule has no time before 0
    now = now_ms + ahead

    def mass(back_ms: int) -> int:
        return schedule.volume_units_between(now - back_ms, now - idle_ms) * ng_per_mL if back_ms > idle_ms else 0

    return Past(mass, (*(now - edge for edge in schedule.edges_between(now - MS_PER_DAY, now - idle_ms)), idle_ms))


def anywhere_in(schedule: Schedule, ng_per_mL: int) -> Past:
    """A schedule of few segments that runs, nobody knows where in its cycle: the most that any span of that length can give."""
    turns = range(MS_PER_DAY // schedule.cycle_ms + 2)
    gaps = {segment.start_ms - other.start_ms for segment in schedule.segments for other in schedule.segments}
    edges = {turn * schedule.cycle_ms + gap for turn in turns for gap in gaps}

    def mass(back_ms: int) -> int:
        return schedule.max_window_units(back_ms)[0] * ng_per_mL if back_ms else 0

    return Past(mass, tuple(edge for edge in edges if 0 <= edge <= MS_PER_DAY))


def begun(past: Past, age_ms: int) -> Past:
    """The same of a therapy that began `age_ms` ago: nothing before."""
    if age_ms >= MS_PER_DAY:
        return past
    return Past(lambda back_ms: past.mass(min(back_ms, age_ms)), (*(edge for edge in past.edges if edge < age_ms), age_ms))


def ended(past: Past, idle_ms: int) -> Past:
    """The same of a therapy that ended `idle_ms` ago, wherever it then was."""
    if not idle_ms:
        return past
    edges = (edge + idle_ms for edge in past.edges if edge + idle_ms <= MS_PER_DAY)
    return Past(lambda back_ms: past.mass(back_ms - idle_ms) if back_ms > idle_ms else 0, (*edges, min(idle_ms, MS_PER_DAY)))


def given_at(boluses: Sequence[tuple[int, int]]) -> Past:
    """Boluses that ended so many ms ago, and their ng; each counts whole from its end on."""

    def mass(back_ms: int) -> int:
        return sum(ng for back, ng in boluses if back < back_ms) * NG

    return Past(mass, tuple(min(back + 1, MS_PER_DAY) for back, _ in boluses))


def together(one: Past, other: Past) -> Past:
    """Both."""
    return Past(lambda back_ms: one.mass(back_ms) + other.mass(back_ms), one.edges + other.edges)


def sum_of_last_24h(mass_ng: int) -> Past:
    """Only the pump's sum is known: all of it may have been given just before the commit."""
    numerator = mass_ng * NG
    return Past(lambda back_ms: numerator if back_ms else 0, (1,))


def highest_24h_across(past: Past, course: Course) -> tuple[MassRate, MassRate]:
    """Largest dose in 24 h that begin before the commit, and in those that begin from it on until the course has settled; patient boluses
    and boluses by hand are in neither."""
    backs = {0, MS_PER_DAY, *past.edges} | {MS_PER_DAY - edge for edge in course.edges(MS_PER_DAY)}
    across = max(past.mass(back) + course.mass(MS_PER_DAY - back) for back in backs if 0 <= back <= MS_PER_DAY)
    settled = course.settled_ms
    edges = set(course.edges(settled + MS_PER_DAY)) if settled else {0, MS_PER_DAY}
    starts = {start for edge in edges for start in (edge, edge - MS_PER_DAY) if 0 <= start <= settled}
    after = max(course.mass(start + MS_PER_DAY) - course.mass(start) for start in starts)
    return _rate(across), _rate(after)


def _rate(numerator: int) -> MassRate:
    return MassRate(Fraction(mass_of_units(numerator, 1)))
