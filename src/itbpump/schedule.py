"""A therapy as exact piecewise-constant flow, in closed form: volume between two times, time of a volume, largest amount in any 24 h.

The companion's own computation of what `docs/architecture.md` fixes ("Exact delivery"); the pump has another, written apart. Volume is
counted in units of 1/86,400,000 nL, so that flow [nL/day] times time [ms] is a whole number of units. Times are ms of schedule time: 0 is
Monday 00:00 of the pump's week for a weekly therapy, the start of a bolus for a periodic one, anything for a constant one.

Not modelled: single, priming and patient boluses, bridges (phases around a schedule, see `itbpump.configuration`), rounding to whole
pulses in time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, pairwise
from math import lcm
from operator import sub
from typing import TYPE_CHECKING, NamedTuple

from itbpump.quantity import MS_PER_DAY, MS_PER_MINUTE, Concentration, flow_nL_per_day, pulses_for_mass
from itbpump.wire.messages import Configuration, Mode, StepKind

if TYPE_CHECKING:
    from itbpump.therapy import Prescription, Step

__all__ = [
    "UNITS_PER_NL",
    "WEEK_MS",
    "BolusStep",
    "DayPlan",
    "RateStep",
    "Schedule",
    "Segment",
    "schedule_of_configuration",
    "schedule_of_prescription",
]

UNITS_PER_NL = 86_400_000
WEEK_MS = 7 * MS_PER_DAY
MINUTES_PER_DAY = 1_440


class RateStep(NamedTuple):
    """From `start_min` of the day on, `flow_nL_per_day`."""

    start_min: int
    flow_nL_per_day: int


class BolusStep(NamedTuple):
    """At `start_min` of the day, `pulses` spread over `duration_min`; replaces the flow under it."""

    start_min: int
    pulses: int
    duration_min: int


DayPlan = Sequence[RateStep | BolusStep]


class Segment(NamedTuple):
    """[start_ms, end_ms) of constant flow. A bolus segment knows its bolus: `duration_ms` over all of which `volume_units` fall, and how
    much of it lies before the segment (`elapsed_ms`), as a bolus can run past the end of a cycle."""

    start_ms: int
    end_ms: int
    flow_nL_per_day: int = 0
    volume_units: int = 0
    duration_ms: int = 0
    elapsed_ms: int = 0

    @property
    def is_bolus(self) -> bool:
        return bool(self.duration_ms)

    @property
    def flow(self) -> Fraction:
        """Exact flow, nL/day."""
        return Fraction(self.volume_units, self.duration_ms) if self.duration_ms else Fraction(self.flow_nL_per_day)

    @property
    def elapsed_units(self) -> int:
        """Volume of a bolus before the segment, rounded down."""
        return self.volume_units * self.elapsed_ms // self.duration_ms if self.elapsed_ms else 0

    def units(self, into_ms: int) -> int:
        """Volume of the first `into_ms` of the segment; a bolus is rounded down from ITS start, so that pieces add up to the whole."""
        if not self.duration_ms:
            return self.flow_nL_per_day * into_ms
        return self.volume_units * (self.elapsed_ms + into_ms) // self.duration_ms - self.elapsed_units

    def time_of(self, units: int) -> int:
        """First whole ms into the segment at which at least `units` (1 or more, within the segment) have flowed."""
        if not self.duration_ms:
            return -(-units // self.flow_nL_per_day)
        return -(-(self.elapsed_units + units) * self.duration_ms // self.volume_units) - self.elapsed_ms


class Schedule:
    """A repeating cycle of segments that covers [0, cycle_ms) without a hole. Immutable."""

    __slots__ = ("_before", "_largest", "_starts", "cycle_ms", "follows_week", "segments")

    def __init__(self, cycle_ms: int, segments: Sequence[Segment], *, follows_week: bool = False) -> None:
        starts = [segment.start_ms for segment in segments]
        if not segments or [*starts, cycle_ms] != [0, *(segment.end_ms for segment in segments)]:
            raise ValueError("segments must cover the cycle in order, without a hole")
        self.cycle_ms = cycle_ms
        self.follows_week = follows_week  # a bolus every 7 days has the same cycle, but no weekday
        self.segments = tuple(segments)
        self._starts = starts
        self._largest: dict[int, tuple[int, int]] = {}  # of max_window_units, by window: asked for often, never changing
        self._before = [0, *accumulate(segment.units(segment.end_ms - segment.start_ms) for segment in segments)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[int, bool, tuple[Segment, ...]]:
        return self.cycle_ms, self.follows_week, self.segments

    def __repr__(self) -> str:
        return f"Schedule(cycle_ms={self.cycle_ms}, {len(self.segments)} segments)"

    # -------------------------------------------------------------------------------------------- making one
    @classmethod
    def constant(cls, flow_nL_per_day: int) -> Schedule:
        """One flow all the time; the cycle is a day."""
        return cls(MS_PER_DAY, (Segment(0, MS_PER_DAY, flow_nL_per_day),))

    @classmethod
    def periodic(cls, pulses: int, pulse_nL: int, duration_min: int, every_min: int, flow_nL_per_day: int) -> Schedule:
        """A bolus at the start of each interval, the background for the rest. ValueError if it lasts longer than the interval."""
        duration, cycle = duration_min * MS_PER_MINUTE, every_min * MS_PER_MINUTE
        if not 0 < duration_min <= every_min:
            raise ValueError(f"a bolus of {duration_min} min does not fit an interval of {every_min} min")
        bolus = Segment(0, duration, volume_units=pulses * pulse_nL * UNITS_PER_NL, duration_ms=duration)
        rest = (Segment(duration, cycle, flow_nL_per_day),) if duration < cycle else ()
        return cls(cycle, (bolus, *rest))

    @classmethod
    def weekly(cls, days: Sequence[DayPlan], pulse_nL: int) -> Schedule:
        """Seven day plans from Monday on. A bolus may run into the next day, also from Sunday into Monday.

        ValueError for days that do not start with a rate, and for boluses that overlap.
        """
        if len(days) != 7 or any(not day or not isinstance(day[0], RateStep) or day[0].start_min != 0 for day in days):
            raise ValueError("a week is seven days that each start with a rate at 00:00")
        steps = [(number * MINUTES_PER_DAY + step.start_min, step) for number, day in enumerate(days) for step in day]
        rates = [(minute * MS_PER_MINUTE, step.flow_nL_per_day) for minute, step in steps if isinstance(step, RateStep)]
        boluses = [
            (minute * MS_PER_MINUTE, step.duration_min * MS_PER_MINUTE, step.pulses * pulse_nL * UNITS_PER_NL)
            for minute, step in steps
            if isinstance(step, BolusStep)
        ]
        return cls(WEEK_MS, tuple(_week_segments(rates, boluses)), follows_week=True)

    # -------------------------------------------------------------------------------------------- asking it
    def volume_units(self, at_ms: int) -> int:
        """Volume from schedule time 0 to `at_ms` (0 or later)."""
        before, segment, into_ms = self._place(at_ms)
        return before + segment.units(into_ms)

    def _place(self, at_ms: int) -> tuple[int, Segment, int]:
        """Volume up to the start of the segment that holds at `at_ms`, the segment, and how far into it."""
        cycles, within = divmod(at_ms, self.cycle_ms)
        number = bisect_right(self._starts, within) - 1
        return cycles * self._before[-1] + self._before[number], self.segments[number], within - self._starts[number]

    def volume_units_between(self, from_ms: int, to_ms: int) -> int:
        """Volume in [from_ms, to_ms], in units of 1/86,400,000 nL. ValueError if it ends before it begins."""
        if to_ms < from_ms:
            raise ValueError("a time span must not end before it begins")
        return self.volume_units(to_ms) - self.volume_units(from_ms)

    def time_of_volume(self, from_ms: int, units: int) -> int | None:
        """First ms at which at least `units` have flowed since `from_ms`; None if the schedule never delivers them."""
        if units <= 0:
            return from_ms
        cycle_units = self._before[-1]
        if cycle_units == 0:
            return None
        target = self.volume_units(from_ms) + units
        cycles = (target - 1) // cycle_units
        within = target - cycles * cycle_units
        number = bisect_left(self._before, within) - 1
        segment = self.segments[number]
        return cycles * self.cycle_ms + segment.start_ms + segment.time_of(within - self._before[number])

    def flow_at(self, at_ms: int) -> Fraction:
        """Flow at a time, nL/day; exact. At a step, the flow that begins there."""
        within = at_ms % self.cycle_ms
        return self.segments[bisect_right(self._starts, within) - 1].flow

    def segments_between(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int, Fraction]]:
        """(start, end, flow in nL/day) of every piece of a span, for charts."""
        for at, end, segment in self._pieces(from_ms, to_ms):
            yield at, end, segment.flow

    def pieces_between(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int, bool]]:
        """(start, end, is a bolus) of every piece of a span; a bolus that began before it is none of its boluses."""
        for at, end, segment in self._pieces(from_ms, to_ms):
            begins = at % self.cycle_ms == segment.start_ms and segment.elapsed_ms == 0
            yield at, end, segment.is_bolus and begins

    def edges_between(self, from_ms: int, to_ms: int) -> Iterator[int]:
        """Where the pieces of a span begin."""
        for at, _, _ in self._pieces(from_ms, to_ms):
            yield at

    def _pieces(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int, Segment]]:
        at = from_ms
        while at < to_ms:
            cycles, within = divmod(at, self.cycle_ms)
            segment = self.segments[bisect_right(self._starts, within) - 1]
            end = min(to_ms, cycles * self.cycle_ms + segment.end_ms)
            yield at, end, segment
            at = end

    @property
    def cycle_units(self) -> int:
        """Volume of one whole cycle."""
        return self._before[-1]

    @property
    def mean_flow(self) -> Fraction:
        """Mean over the whole cycle, nL/day; exact."""
        return Fraction(self.cycle_units, self.cycle_ms)

    def day_units(self, weekday: int) -> int:
        """Volume of a weekday, 0 is Monday. A therapy that does not follow the week gives its mean day, rounded down."""
        if self.follows_week:
            return self.volume_units_between(weekday * MS_PER_DAY, (weekday + 1) * MS_PER_DAY)
        return self.cycle_units * MS_PER_DAY // self.cycle_ms

    def max_window_units(self, window_ms: int = MS_PER_DAY) -> tuple[int, int]:
        """Largest volume in any span of `window_ms`, rounded up to a unit once, and the first schedule time at which such a span begins.

        The volume in a sliding window is piecewise linear in its start, so its largest value lies where an edge of the window meets an
        edge of a segment.
        """
        if window_ms not in self._largest:
            self._largest[window_ms] = self._largest_window(window_ms)
        return self._largest[window_ms]

    def _largest_window(self, window_ms: int) -> tuple[int, int]:
        """In whole numbers: parts of a unit, so fine that every bolus has a whole number of them each ms."""
        fineness = lcm(*{segment.duration_ms for segment in self.segments if segment.duration_ms})
        turn = self.cycle_units * fineness
        slopes = [
            segment.volume_units * (fineness // segment.duration_ms) if segment.duration_ms else segment.flow_nL_per_day * fineness
            for segment in self.segments
        ]
        # A bolus that runs on from Sunday begins on Monday with the part of a unit that was rounded away before.
        heights = [
            (self._before[number] - segment.elapsed_units) * fineness + segment.elapsed_ms * slopes[number]
            for number, segment in enumerate(self.segments)
        ]

        starts, ends, cycle_ms = self._starts, [segment.end_ms for segment in self.segments], self.cycle_ms

        def heights_beside(shift_ms: int) -> list[int]:
            """The height `shift_ms` after each start; both go up, so one walk finds them all."""
            cycles, within = divmod(shift_ms, cycle_ms)
            number, found = bisect_right(starts, within) - 1, []
            for start in starts:
                at_ms = start + shift_ms - cycles * cycle_ms
                while at_ms >= ends[number]:
                    number += 1
                    if number == len(ends):
                        number, cycles, at_ms = 0, cycles + 1, at_ms - cycle_ms
                found.append(cycles * turn + heights[number] + (at_ms - starts[number]) * slopes[number])
            return found

        from_edges = list(map(sub, heights_beside(window_ms), heights))
        to_edges = list(map(sub, heights, heights_beside(-window_ms)))
        largest = max(*from_edges, *to_edges)
        firsts = [starts[number] for number, found in enumerate(from_edges) if found == largest]
        firsts += [(starts[number] - window_ms) % cycle_ms for number, found in enumerate(to_edges) if found == largest]
        return -(-largest // fineness), min(firsts)


def _week_segments(rates: list[tuple[int, int]], boluses: list[tuple[int, int, int]]) -> Iterator[Segment]:
    """Cut a week at rate steps and at both ends of each bolus; the bolus wins while it runs."""
    pieces = sorted(piece for start, length, units in boluses for piece in _within_week(start, length, units))
    if any(earlier.end_ms > later.start_ms for earlier, later in pairwise(pieces)):
        raise ValueError("bolus steps overlap")
    rate_starts = [start for start, _ in rates]
    at = 0
    for piece in [*pieces, None]:
        until = piece.start_ms if piece is not None else WEEK_MS
        while at < until:
            number = bisect_right(rate_starts, at) - 1
            following = rate_starts[number + 1] if number + 1 < len(rates) else WEEK_MS
            end = min(until, following)
            yield Segment(at, end, rates[number][1])
            at = end
        if piece is not None:
            yield piece
            at = piece.end_ms


def _within_week(start: int, length: int, units: int) -> Iterator[Segment]:
    """A bolus as one segment, or as two if it runs from Sunday into Monday."""
    end = start + length
    yield Segment(start, min(end, WEEK_MS), volume_units=units, duration_ms=length)
    if end > WEEK_MS:
        yield Segment(0, end - WEEK_MS, volume_units=units, duration_ms=length, elapsed_ms=WEEK_MS - start)


# ------------------------------------------------------------------------------------------------ from a prescription, from a pump
def schedule_of_prescription(rx: Prescription, pulse_nL: int, minimum_rate_nL_per_day: int) -> Schedule:
    """What a pump with this pulse will be asked to give: rates rounded down to nL/day, boluses to the nearest pulse, ties down.

    ValueError where a therapy is none (boluses that overlap); a Prescription that has loaded raises none.
    """
    therapy, concentration = rx.therapy, rx.drug.concentration
    if therapy.mode == "stopped":
        return Schedule.constant(0)
    if therapy.mode == "minimum-rate":
        return Schedule.constant(minimum_rate_nL_per_day)
    if therapy.mode == "continuous":
        return Schedule.constant(flow_nL_per_day(therapy.dose, concentration))
    if therapy.mode == "periodic-bolus":
        pulses = pulses_for_mass(therapy.dose, concentration, pulse_nL)
        background = flow_nL_per_day(therapy.background, concentration)
        return Schedule.periodic(pulses, pulse_nL, therapy.over.minutes, therapy.every.minutes, background)
    return Schedule.weekly([_day_plan(therapy.pattern_of(day).steps, concentration, pulse_nL) for day in range(7)], pulse_nL)


def _day_plan(steps: Sequence[Step], concentration: Concentration, pulse_nL: int) -> list[RateStep | BolusStep]:
    plan: list[RateStep | BolusStep] = []
    for step in steps:
        if step.rate is not None:
            plan.append(RateStep(step.at.minute, flow_nL_per_day(step.rate, concentration)))
        elif step.dose is not None and step.over is not None:
            plan.append(BolusStep(step.at.minute, pulses_for_mass(step.dose, concentration, pulse_nL), step.over.minutes))
    return plan


@lru_cache(maxsize=32)
def schedule_of_configuration(configuration: Configuration, pulse_nL: int, minimum_rate_nL_per_day: int) -> Schedule:
    """What a configuration read from a pump, or about to be sent to one, gives; patient boluses and the bridge are not in it.

    ValueError for a configuration that is no therapy: a weekday without a pattern, boluses that overlap, a bolus longer than its interval.
    """
    mode = configuration.mode
    if mode is Mode.STOPPED:
        return Schedule.constant(0)
    if mode is Mode.MINIMUM_RATE:
        return Schedule.constant(minimum_rate_nL_per_day)
    if mode is Mode.CONTINUOUS:
        return Schedule.constant(configuration.flow_nL_per_day)
    if mode is Mode.PERIODIC_BOLUS:
        return Schedule.periodic(
            configuration.periodic_pulses,
            pulse_nL,
            configuration.periodic_duration_min,
            configuration.periodic_every_min,
            configuration.flow_nL_per_day,
        )
    return Schedule.weekly([_wire_day(configuration, day) for day in range(7)], pulse_nL)


def _wire_day(configuration: Configuration, weekday: int) -> list[RateStep | BolusStep]:
    patterns = [pattern for pattern in configuration.patterns if pattern.days >> weekday & 1]
    if len(patterns) != 1:
        raise ValueError(f"weekday {weekday} stands in {len(patterns)} patterns instead of one")
    return [
        RateStep(step.start_min, step.amount) if step.kind is StepKind.RATE else BolusStep(step.start_min, step.amount, step.duration_min)
        for step in patterns[0].steps
    ]
