"""Pumps as the scalar forecast takes them (`itbpump.forecast.facts`) laid out as the arrays of a fleet, and those that do not fit.

Pure. Not here: where the facts come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from itbpump.fleet.model import DAY_MS, MOST_LESS_PPM, PPM, WEEK_MS, Fleet
from itbpump.forecast.course import Drive
from itbpump.forecast.figures import load_figures
from itbpump.schedule import Schedule, schedule_of_configuration

if TYPE_CHECKING:
    from itbpump.forecast.calibration import Calibration
    from itbpump.forecast.course import Course
    from itbpump.forecast.facts import Facts
    from itbpump.profiles import PumpProfile

__all__ = ["Gathered", "gather"]

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local time, counted on each pump's own clock


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """`fleet` of those at `members` of what was given, in that order; those at `others` are for the scalar forecast."""

    fleet: Fleet
    members: tuple[int, ...]
    others: tuple[int, ...]


def gather(facts: Sequence[Facts], profile: PumpProfile, *, calibrations: Sequence[Calibration | None] = (), steps: int = 24) -> Gathered:
    """A fleet of one profile; `steps` a day. `calibrations`: one for each, or none at all. Raises FleetError for what `Fleet` refuses."""
    step_ms = DAY_MS // steps
    learned = tuple(calibrations) or (None,) * len(facts)
    reach = [_reach(one, profile) for one in learned]
    grids = [
        _grid(one.course, step_ms) if more <= PPM and less <= MOST_LESS_PPM else None
        for one, (more, less) in zip(facts, reach, strict=True)
    ]
    members = tuple(number for number, grid in enumerate(grids) if grid is not None)
    chosen = [facts[number] for number in members]
    flow = np.zeros((7, steps, len(members)), np.int32)
    for column, number in enumerate(members):
        flow[:, :, column] = np.array(grids[number], np.int64).reshape(7, steps)
    figures = load_figures()
    return Gathered(
        Fleet(
            flow=flow,
            pattern_of_day=(0, 1, 2, 3, 4, 5, 6),
            place_ms=_ints([_place(one, grids[number]) for one, number in zip(chosen, members, strict=True)]),
            local_ms=_ints([_local_ms(one) for one in chosen]),
            volume_nL=_ints([one.volume_nL for one in chosen]),
            filled_nL=_ints([one.filled_nL for one in chosen]),
            more_ppm=_ints([reach[number][0] for number in members]),
            less_ppm=_ints([reach[number][1] for number in members]),
            slack_nL=figures.slack_pulses * profile.pulse_volume.nL,
            clock_ppm=figures.clock_ppm,
            patient_nL_per_day=_ints([one.course.patient_nL_per_day for one in chosen]),
            prime_nL=_ints([one.course.prime_nL for one in chosen]),
        ),
        members,
        tuple(number for number, grid in enumerate(grids) if grid is None),
    )


def _reach(learned: Calibration | None, profile: PumpProfile) -> tuple[int, int]:
    """How much more and less than it counts the pump may give, as the scalar forecast takes it."""
    accuracy = profile.accuracy_ppm
    return (accuracy, accuracy) if learned is None else (max(accuracy, learned.upper_ppm), max(accuracy, -learned.lower_ppm))


def _local_ms(facts: Facts) -> int:
    return (facts.as_of.replace(tzinfo=None) - EPOCH) // timedelta(milliseconds=1)


def _place(facts: Facts, grid: list[int] | None) -> int:
    """Where the pump is in its week; for one flow all week any place is right, and that of its local day is the quickest."""
    place_ms = facts.course.place_ms
    if place_ms is None or grid is None or len(set(grid)) == 1:
        return _local_ms(facts) % WEEK_MS
    return place_ms


def _ints(values: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def _grid(course: Course, step_ms: int) -> list[int] | None:
    """Flow in each step of the week; None for a pump that only the scalar can do."""
    if course.bolus_pulses or course.bridge_pulses:
        return None
    steps = WEEK_MS // step_ms
    if course.drive is Drive.NOTHING:
        return [0] * steps
    if course.drive is Drive.MINIMUM_RATE:
        return [course.minimum_nL_per_day] * steps
    schedule = schedule_of_configuration(course.configuration, course.pulse_nL, course.minimum_nL_per_day)
    if course.place_ms is None or WEEK_MS % schedule.cycle_ms or not _fits(schedule, step_ms):
        return None
    return [int(schedule.flow_at(number * step_ms)) for number in range(steps)]


def _fits(schedule: Schedule, step_ms: int) -> bool:
    """Every segment begins on the grid and gives whole nL/day."""
    return all(segment.start_ms % step_ms == 0 and segment.flow.denominator == 1 for segment in schedule.segments)
