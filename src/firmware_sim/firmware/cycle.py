"""A programmed therapy as exact scheduled volume: closed form over a repeating cycle.

Volume is counted in units of 1/86,400,000 nL, so that a flow in nL/day times a time in ms is a whole number of units and no
rounding builds up over years (docs/architecture.md, "Exact delivery"). Every look-up costs O(log segments), whatever the time span.
Not modelled here: pulses (`delivery`), bridges and single boluses (phases of `delivery`), mechanical tolerance (the plant).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, assert_never

from itbpump.wire.messages import Configuration, Mode, Pattern, Step, StepKind

__all__ = [
    "DAY_MS",
    "HOUR_MS",
    "MINUTE_MS",
    "UNITS_PER_NL",
    "WEEK_MS",
    "Cycle",
    "CycleError",
    "compile_cycle",
    "patterns_problem",
    "periodic_anchor_ms",
]

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
DAYS = 7
DAY_MIN = 1440
# One nL/day during one ms is one unit; hence as many units in a nanolitre as milliseconds in a day.
UNITS_PER_NL = DAY_MS


class CycleError(ValueError):
    """A configuration cannot be a therapy. `problem` says why; stage a corrected one."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"not a therapy: {problem}; correct the configuration and stage it again")
        self.problem = problem


class Segment(NamedTuple):
    """A stretch of constant flow. After `dt` ms it has given ⌊volume_units · dt / length_ms⌋; for a rate that division is exact."""

    start_ms: int
    length_ms: int
    volume_units: int
    is_bolus: bool


@dataclass(frozen=True, slots=True)
class Cycle:
    """A compiled therapy: segments around a circle, immutable. Make one with `compile_cycle`.

    Uptimes are any integers; volumes are of (from_ms, to_ms], to_ms ≥ from_ms. The flow at an uptime is the one that holds from it on.
    """

    length_ms: int
    offset_ms: int
    """(uptime + offset) mod length is the place on the circle; the circle is turned so that no bolus runs across its origin."""
    monday_ms: int | None
    """Place of Monday 00:00 relative to the origin (≤ 0); None when the cycle is not a week."""
    segments: tuple[Segment, ...]
    starts_ms: tuple[int, ...]
    before_units: tuple[int, ...]
    """Volume given from the origin to the start of each segment."""
    total_units: int
    edges_ms: tuple[int, ...]
    """Places where the flow changes or a bolus begins."""

    def volume_units(self, from_ms: int, to_ms: int) -> int:
        """Scheduled volume in (from_ms, to_ms], units; a bolus entered half-way counts by difference of its rounded-down volumes."""
        _check_order(from_ms, to_ms)
        return self._reached(to_ms) - self._reached(from_ms)

    def volume_units_up(self, from_ms: int, to_ms: int) -> int:
        """As `volume_units`, the volume reached at `to_ms` rounded up: never below what flows in between. For limits."""
        _check_order(from_ms, to_ms)
        return self._reached_up(to_ms) - self._reached(from_ms)

    def uptime_of_volume(self, from_ms: int, units: int) -> int | None:
        """First uptime t ≥ from_ms with volume_units(from_ms, t) ≥ units; None if the therapy never gives them."""
        if units <= 0:
            return from_ms
        if self.total_units == 0:
            return None
        turns, left = divmod(self._reached(from_ms) + units - 1, self.total_units)
        left += 1
        index = bisect_left(self.before_units, left) - 1
        segment = self.segments[index]
        missing = left - self.before_units[index]
        dt = -(-missing * segment.length_ms // segment.volume_units)
        return turns * self.length_ms + segment.start_ms + dt - self.offset_ms

    def flow_at(self, uptime_ms: int) -> int:
        """Flow in nL/day in force from `uptime_ms` on; of a bolus its mean, rounded down."""
        segment = self.segments[self._index(uptime_ms)]
        return segment.volume_units // segment.length_ms

    def in_bolus_step(self, uptime_ms: int) -> bool:
        """Whether a bolus of the pattern is running at `uptime_ms` (its end not included)."""
        return self.segments[self._index(uptime_ms)].is_bolus

    def day_volume_units(self) -> tuple[int, int, int, int, int, int, int]:
        """Volume of each day, Monday to Sunday, units; for a cycle that is not a week the 24-h mean, rounded down."""
        if self.monday_ms is None:
            mean = self.total_units * DAY_MS // self.length_ms
            return (mean, mean, mean, mean, mean, mean, mean)
        monday = self.monday_ms - self.offset_ms
        mon, tue, wed, thu, fri, sat, sun = (self.volume_units(monday + day * DAY_MS, monday + (day + 1) * DAY_MS) for day in range(DAYS))
        return (mon, tue, wed, thu, fri, sat, sun)

    def max_volume_in(self, window_ms: int) -> int:
        """Largest volume in any window of `window_ms` > 0 of the repeating schedule, units; rounded up by less than one.

        The volume of a sliding window is piecewise linear in its position, so its maximum lies where an end meets an edge.
        """
        if window_ms <= 0:
            raise ValueError(f"window_ms must be positive, not {window_ms}")
        return _largest_window(self, window_ms)

    def breakpoints(self, from_ms: int, to_ms: int) -> Iterator[int]:
        """Uptimes in (from_ms, to_ms] at which the flow changes or a bolus begins, ascending. A constant flow has none."""
        if not self.edges_ms:
            return
        turns, place = divmod(from_ms + self.offset_ms, self.length_ms)
        index = bisect_right(self.edges_ms, place)
        while True:
            if index == len(self.edges_ms):
                index = 0
                turns += 1
            uptime_ms = turns * self.length_ms + self.edges_ms[index] - self.offset_ms
            if uptime_ms > to_ms:
                return
            yield uptime_ms
            index += 1

    def _index(self, uptime_ms: int) -> int:
        return bisect_right(self.starts_ms, (uptime_ms + self.offset_ms) % self.length_ms) - 1

    def _reached(self, uptime_ms: int) -> int:
        """Volume since the origin of turn 0, rounded down to a unit; non-decreasing in time, defined before uptime 0 too."""
        turns, place = divmod(uptime_ms + self.offset_ms, self.length_ms)
        index = bisect_right(self.starts_ms, place) - 1
        start_ms, length_ms, volume_units, _ = self.segments[index]
        return turns * self.total_units + self.before_units[index] + volume_units * (place - start_ms) // length_ms

    def _reached_up(self, uptime_ms: int) -> int:
        turns, place = divmod(uptime_ms + self.offset_ms, self.length_ms)
        index = bisect_right(self.starts_ms, place) - 1
        start_ms, length_ms, volume_units, _ = self.segments[index]
        return turns * self.total_units + self.before_units[index] - (-volume_units * (place - start_ms) // length_ms)


@lru_cache(maxsize=8)  # asked again at each stage and commit of the same few therapies
def _largest_window(cycle: Cycle, window_ms: int) -> int:
    turns, rest_ms = divmod(window_ms, cycle.length_ms)
    best = 0
    for start_ms in cycle.starts_ms:
        edge_ms = start_ms - cycle.offset_ms
        begins = cycle.volume_units_up(edge_ms, edge_ms + rest_ms)
        ends = cycle.volume_units_up(edge_ms - rest_ms, edge_ms)
        best = max(best, begins, ends)
    return turns * cycle.total_units + best


def compile_cycle(configuration: Configuration, minimum_rate_nL_per_day: int, pulse_volume_nL: int, anchor_ms: int) -> Cycle:
    """Compile the therapy of `configuration`.

    minimum_rate_nL_per_day: flow of mode minimum_rate. pulse_volume_nL: nominal, > 0. anchor_ms: uptime at which the first periodic
    bolus starts (only mode periodic_bolus reads it). Amounts are not judged here (`limits`); raises CycleError for what has no meaning.
    """
    if pulse_volume_nL <= 0 or minimum_rate_nL_per_day < 0:
        raise ValueError("the pulse volume must be positive and the minimum rate not negative")
    match configuration.mode:
        case Mode.STOPPED:
            return _constant(0)
        case Mode.MINIMUM_RATE:
            return _constant(minimum_rate_nL_per_day)
        case Mode.CONTINUOUS:
            return _constant(configuration.flow_nL_per_day)
        case Mode.PERIODIC_BOLUS:
            return _periodic(configuration, pulse_volume_nL, anchor_ms)
        case Mode.FLEX:
            return _week(configuration.patterns, pulse_volume_nL, configuration.week_offset_ms)
        case _:
            assert_never(configuration.mode)


def periodic_anchor_ms(new: Configuration, old: Configuration | None, old_anchor_ms: int, now_ms: int) -> int:
    """Anchor of a periodic therapy committed at `now_ms`: kept while mode and period stay, so that another dose, duration or flow starts
    no bolus of its own; else the commit itself."""
    kept = old is not None and (new.mode, new.periodic_every_min) == (old.mode, old.periodic_every_min)
    return old_anchor_ms if kept else now_ms


def patterns_problem(patterns: tuple[Pattern, ...]) -> str | None:
    """What keeps `patterns` from being a week, in words; None if each weekday has one, in order and without overlap."""
    covered = 0
    for pattern in patterns:
        if covered & pattern.days:
            return "a weekday stands in two patterns"
        covered |= pattern.days
        problem = _steps_problem(pattern.steps)
        if problem is not None:
            return problem
    if covered != (1 << DAYS) - 1:
        return "a weekday stands in no pattern"
    boluses = [(at, at + step.duration_min) for at, step in _week_steps(patterns) if step.kind is StepKind.BOLUS]
    for index, (_, end_min) in enumerate(boluses):
        next_min = boluses[index + 1][0] if index + 1 < len(boluses) else boluses[0][0] + DAYS * DAY_MIN
        if end_min > next_min:
            return "two bolus steps overlap"
    return None


def _steps_problem(steps: tuple[Step, ...]) -> str | None:
    if not steps or steps[0].kind is not StepKind.RATE or steps[0].start_min != 0:
        return "the first step of a day is not a rate at 00:00"
    last_min = -1
    for step in steps:
        if step.start_min <= last_min:
            return "steps are not in order of time"
        last_min = step.start_min
        if (step.kind is StepKind.BOLUS) != (step.duration_min > 0):
            return "a rate step has a duration, or a bolus step has none"
    return None


def _week_steps(patterns: tuple[Pattern, ...]) -> list[tuple[int, Step]]:
    """All steps of the week with their minute after Monday 00:00, in order; days without a pattern are left out."""
    steps: list[tuple[int, Step]] = []
    for day in range(DAYS):
        midnight_min = day * DAY_MIN
        for pattern in patterns:
            if pattern.days >> day & 1:
                steps.extend((midnight_min + step.start_min, step) for step in pattern.steps)
    return steps


# The same therapy is compiled again at each refill, stage and commit; a pure function of a few kilobytes may be kept.
@lru_cache(maxsize=8)
def _week(patterns: tuple[Pattern, ...], pulse_volume_nL: int, week_offset_ms: int) -> Cycle:
    problem = patterns_problem(patterns)
    if problem is not None:
        raise CycleError(problem)
    steps = _week_steps(patterns)
    last_bolus = next((index for index in reversed(range(len(steps))) if steps[index][1].kind is StepKind.BOLUS), None)
    origin_min = 0
    if last_bolus is not None and steps[last_bolus][0] + steps[last_bolus][1].duration_min > DAYS * DAY_MIN:
        # It runs into Monday: start the circle with it, so that it stays in one piece.
        origin_min = steps[last_bolus][0]
        steps = [(at, step) for at, step in steps[last_bolus:]] + [(at + DAYS * DAY_MIN, step) for at, step in steps[:last_bolus]]
    origin_ms = origin_min * MINUTE_MS
    segments: list[Segment] = []
    cursor_ms = 0
    flow = 0
    for at_min, step in steps:
        at_ms = at_min * MINUTE_MS - origin_ms
        if at_ms > cursor_ms:
            _add_rate(segments, cursor_ms, at_ms, flow)
            cursor_ms = at_ms
        if step.kind is StepKind.RATE:
            flow = step.amount  # also under a bolus: it is in force when the bolus ends
        else:
            length_ms = step.duration_min * MINUTE_MS
            segments.append(Segment(at_ms, length_ms, step.amount * pulse_volume_nL * UNITS_PER_NL, True))
            cursor_ms = at_ms + length_ms
    if cursor_ms < WEEK_MS:
        _add_rate(segments, cursor_ms, WEEK_MS, flow)
    return _close(segments, WEEK_MS, week_offset_ms - origin_ms, -origin_ms)


def _periodic(configuration: Configuration, pulse_volume_nL: int, anchor_ms: int) -> Cycle:
    every_ms = configuration.periodic_every_min * MINUTE_MS
    duration_ms = configuration.periodic_duration_min * MINUTE_MS
    if not 0 < duration_ms <= every_ms:
        raise CycleError("a periodic bolus needs a duration above 0 and not above its period")
    volume_units = configuration.periodic_pulses * pulse_volume_nL * UNITS_PER_NL
    segments = [Segment(0, duration_ms, volume_units, True)]
    if duration_ms < every_ms:
        _add_rate(segments, duration_ms, every_ms, configuration.flow_nL_per_day)
    return _close(segments, every_ms, -anchor_ms, None)


def _constant(flow_nL_per_day: int) -> Cycle:
    return _close([Segment(0, DAY_MS, flow_nL_per_day * DAY_MS, False)], DAY_MS, 0, None)


def _add_rate(segments: list[Segment], start_ms: int, end_ms: int, flow_nL_per_day: int) -> None:
    """Append a rate, or lengthen the last segment when it has the same one."""
    if segments:
        last = segments[-1]
        if not last.is_bolus and last.volume_units == flow_nL_per_day * last.length_ms:
            segments[-1] = Segment(last.start_ms, end_ms - last.start_ms, flow_nL_per_day * (end_ms - last.start_ms), False)
            return
    segments.append(Segment(start_ms, end_ms - start_ms, flow_nL_per_day * (end_ms - start_ms), False))


def _close(segments: list[Segment], length_ms: int, offset_ms: int, monday_ms: int | None) -> Cycle:
    before: list[int] = []
    edges: list[int] = []
    total = 0
    last = segments[-1]
    for segment in segments:
        before.append(total)
        total += segment.volume_units
        same_rate = last.volume_units * segment.length_ms == segment.volume_units * last.length_ms
        if segment.is_bolus or last.is_bolus or not same_rate:
            edges.append(segment.start_ms)
        last = segment
    starts = tuple(segment.start_ms for segment in segments)
    return Cycle(length_ms, offset_ms, monday_ms, tuple(segments), starts, tuple(before), total, tuple(edges))


def _check_order(from_ms: int, to_ms: int) -> None:
    if to_ms < from_ms:
        raise ValueError(f"a span of time cannot end ({to_ms} ms) before it begins ({from_ms} ms)")
