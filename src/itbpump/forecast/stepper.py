"""The time at which a volume has flowed, by walking through it: the second of the two computations, with no code of the first (SR-37).

Reads the pump's own configuration (steps, pulses, minutes) and nothing of `itbpump.schedule`. It lays the cycle out as runs of constant
rate, goes through whole cycles at once, then run by run. A *grain* is so small that every rate is a whole number of grains per ms: one
nL/day for one ms, divided by the least common multiple of all bolus durations. Not modelled: as in `course`.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, lcm
from typing import NamedTuple

from itbpump.forecast.course import Course, Drive, Side
from itbpump.wire.messages import Mode, StepKind

__all__ = ["Stepper"]

MINUTE = 60_000
DAY_MINUTES = 24 * 60
DAY = DAY_MINUTES * MINUTE
WEEK_MINUTES = 7 * DAY_MINUTES
STRIDE = 24  # about the root of the most runs a week can have


class _Event(NamedTuple):
    """A step of the week: from `minute` on a rate, or a bolus that lasts `lasts_min`."""

    minute: int
    amount: int
    lasts_min: int


class _Run(NamedTuple):
    """`ms` long, so many grains in each ms."""

    ms: int
    rate: int


class _Cycle:
    """The runs of one cycle, in strides of some dozen runs, so that a walk need not stop at each."""

    def __init__(self, runs: list[_Run]) -> None:
        self.runs = runs
        self.ms = sum(run.ms for run in runs)
        self.grains = sum(run.ms * run.rate for run in runs)
        strides = [runs[first : first + STRIDE] for first in range(0, len(runs), STRIDE)]
        self._strides = [(sum(ms for ms, _ in stride), sum(ms * rate for ms, rate in stride), stride) for stride in strides]

    def given_before(self, place_ms: int, beside: int) -> int:
        """Grains from the start of the cycle to a place in it."""
        given = place_ms * beside
        for stride_ms, stride_grains, stride in self._strides:
            if stride_ms <= place_ms:
                given += stride_grains
                place_ms -= stride_ms
                continue
            for ms, rate in stride:
                given += min(ms, place_ms) * rate
                place_ms -= min(ms, place_ms)
            break
        return given

    def place_of(self, grains: int, beside: int) -> int:
        """First ms from the start at which so many grains (1 or more, no more than a cycle has) were given."""
        at_ms = 0
        for stride_ms, stride_grains, stride in self._strides:
            if stride_grains + stride_ms * beside < grains:
                grains -= stride_grains + stride_ms * beside
                at_ms += stride_ms
                continue
            for ms, rate in stride:
                together = ms * (rate + beside)
                if grains <= together:
                    return at_ms - (-grains // (rate + beside))
                grains -= together
                at_ms += ms
        raise AssertionError("more grains were asked of a cycle than it has")


class Stepper:
    """Answers for one course; keeps the runs of its cycle."""

    def __init__(self, course: Course) -> None:
        self._course = course
        pieces = _pieces(course)
        self._fineness = lcm(1, *(lasts_min for _, _, lasts_min in pieces if lasts_min))
        self._cycle = _Cycle([_Run(minutes * MINUTE, self._rate(amount, lasts_min)) for minutes, amount, lasts_min in pieces])

    def time_of(self, side: Side, volume_nL: Fraction) -> int | None:
        """First ms from now at which at least `volume_nL` have flowed; 0 for nothing, None for never."""
        course, walk = self._course, _Walk(ceil(volume_nL * DAY * self._fineness))
        if side is Side.EARLIEST:
            walk.give(course.prime_nL * DAY * self._fineness)
            walk.give(course.patient_nL_per_day * DAY * self._fineness)
            walk.beside = course.patient_nL_per_day * self._fineness
        self._give_bolus(walk, side)
        if self._give_bridge(walk, side):
            self._give_therapy(walk, side)
        return walk.found_ms

    def _rate(self, amount: int, lasts_min: int) -> int:
        """Grains per ms of a flow in nL/day, or of so many pulses over a duration."""
        if not lasts_min:
            return amount * self._fineness
        return amount * self._course.pulse_nL * DAY_MINUTES * (self._fineness // lasts_min)

    def _give_bolus(self, walk: _Walk, side: Side) -> None:
        grains = self._course.bolus_pulses * self._course.pulse_nL * DAY * self._fineness
        lasts_ms = self._course.bolus_ms
        if lasts_ms is None:
            lasts_ms = DAY if side is Side.LATEST else 0
        walk.give(grains, lasts_ms if grains else 0)

    def _give_bridge(self, walk: _Walk, side: Side) -> bool:
        """Whether the therapy follows: a bridge that does not flow never ends."""
        course = self._course
        pulses = course.bridge_pulses - course.bolus_pulses
        if pulses <= 0:
            return True
        if course.bridge_nL_per_day == 0:
            walk.rest_for_ever()
            return False
        volume_pulses, time_pulses = pulses, pulses
        if side is Side.EARLIEST:
            volume_pulses, time_pulses = pulses + course.bridge_slack, max(0, pulses - course.bridge_slack)
        elif side is Side.LATEST:
            volume_pulses, time_pulses = max(0, pulses - course.bridge_slack), pulses + course.bridge_slack
        lasts_ms = ceil(Fraction(time_pulses * course.pulse_nL * DAY, course.bridge_nL_per_day))
        walk.give(volume_pulses * course.pulse_nL * DAY * self._fineness, lasts_ms)
        return True

    def _give_therapy(self, walk: _Walk, side: Side) -> None:
        if self._course.place_ms is not None:
            place_ms = (self._course.place_ms + walk.passed_ms) % self._cycle.ms
        else:
            rates = [run.rate for run in self._cycle.runs]
            first = rates.index(min(rates) if side is Side.LATEST else max(rates))
            place_ms = sum(run.ms for run in self._cycle.runs[:first])
        walk.give_round_and_round(self._cycle, place_ms)


class _Walk:
    """How much is still wanted, and how far the walk has come. `beside` flows all the time, in grains per ms."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.beside = 0
        self.passed_ms = 0
        self.found_ms: int | None = 0 if wanted <= 0 else None

    def give(self, grains: int, lasts_ms: int = 0) -> None:
        """So many grains, evenly over a time, or at once."""
        if self.found_ms is not None:
            return
        together = grains + self.beside * lasts_ms
        if self.wanted <= together:
            self.found_ms = self.passed_ms + -(-self.wanted * lasts_ms // together)
            return
        self.wanted -= together
        self.passed_ms += lasts_ms

    def give_round_and_round(self, cycle: _Cycle, place_ms: int) -> None:
        """A cycle again and again, from a place in it on: as from its start, where what lies before the place is wanted besides."""
        in_cycle = cycle.grains + self.beside * cycle.ms
        if self.found_ms is not None or in_cycle == 0:
            return
        wanted = self.wanted + cycle.given_before(place_ms, self.beside)
        cycles = (wanted - 1) // in_cycle  # the last grain falls into the cycle after these
        into_ms = cycle.place_of(wanted - cycles * in_cycle, self.beside)
        self.found_ms = self.passed_ms + cycles * cycle.ms + into_ms - place_ms

    def rest_for_ever(self) -> None:
        """Nothing flows any more but what is beside."""
        if self.found_ms is None and self.beside:
            self.found_ms = self.passed_ms + -(-self.wanted // self.beside)


# ------------------------------------------------------------------------------------------------ one cycle, piece by piece
def _pieces(course: Course) -> list[tuple[int, int, int]]:
    """(minutes, amount, 0) of a flow in nL/day and (minutes, pulses, minutes of the whole bolus) of a bolus, in order."""
    configuration = course.configuration
    if course.drive is Drive.NOTHING:
        return [(DAY_MINUTES, 0, 0)]
    if course.drive is Drive.MINIMUM_RATE or configuration.mode is Mode.MINIMUM_RATE:
        return [(DAY_MINUTES, course.minimum_nL_per_day, 0)]
    if configuration.mode is Mode.STOPPED:
        return [(DAY_MINUTES, 0, 0)]
    if configuration.mode is Mode.CONTINUOUS:
        return [(DAY_MINUTES, configuration.flow_nL_per_day, 0)]
    if configuration.mode is Mode.PERIODIC_BOLUS:
        lasts, every = configuration.periodic_duration_min, configuration.periodic_every_min
        rest = [(every - lasts, configuration.flow_nL_per_day, 0)] if every > lasts else []
        return [(lasts, configuration.periodic_pulses, lasts), *rest]
    return _week(_events(course))


def _events(course: Course) -> list[_Event]:
    """The steps of all seven days, in order of time."""
    events = []
    for day in range(7):
        for pattern in course.configuration.patterns:
            if pattern.days & 1 << day:
                midnight = day * DAY_MINUTES
                events += [
                    _Event(midnight + step.start_min, step.amount, step.duration_min if step.kind is StepKind.BOLUS else 0)
                    for step in pattern.steps
                ]
    return events


def _week(events: list[_Event]) -> list[tuple[int, int, int]]:
    """Cut the week at each event and each end of a bolus; while a bolus lasts it is what flows, and the rate last passed otherwise."""
    last_bolus = next((event for event in reversed(events) if event.lasts_min), None)
    bolus_until = last_bolus.minute + last_bolus.lasts_min - WEEK_MINUTES if last_bolus is not None else 0
    bolus, rate, now = last_bolus, 0, 0
    pieces: list[tuple[int, int, int]] = []
    for event in [*events, _Event(WEEK_MINUTES, 0, 0)]:
        if bolus is not None and now < bolus_until:
            end = min(bolus_until, event.minute)
            pieces.append((end - now, bolus.amount, bolus.lasts_min))
            now = end
        if now < event.minute:
            pieces.append((event.minute - now, rate, 0))
            now = event.minute
        if event.lasts_min:
            bolus, bolus_until = event, event.minute + event.lasts_min
        else:
            rate = event.amount
    return [piece for piece in pieces if piece[0]]
