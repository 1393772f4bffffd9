"""The time at which a volume has flowed, in closed form over `itbpump.schedule`: the first of the two computations (SR-37).

Units are those of the schedule, 1/86,400,000 nL; times are ms of pump uptime from now. Not modelled: as in `course`.
"""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from math import ceil

from itbpump.forecast.course import Course, Drive, Side
from itbpump.quantity import MS_PER_DAY
from itbpump.schedule import UNITS_PER_NL, Schedule, schedule_of_configuration

__all__ = ["ClosedForm"]


class ClosedForm:
    """Answers for one course; keeps its schedule."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._therapy = _schedule(course)

    def time_of(self, side: Side, volume_nL: Fraction) -> int | None:
        """First ms from now at which at least `volume_nL` (nominal, pulses times their volume) have flowed; 0 for nothing, None for
        never."""
        course = self._course
        early = side is Side.EARLIEST
        at_once_nL = course.prime_nL + course.patient_nL_per_day if early else 0
        units = ceil((volume_nL - at_once_nL) * UNITS_PER_NL)
        if units <= 0:
            return 0
        extra = course.patient_nL_per_day if early else 0
        passed_ms = 0
        for lead_ms, lead_units in self._leads(side):
            if lead_ms is None:
                return None if extra == 0 else passed_ms + ceil(Fraction(units, extra))
            whole = lead_units + extra * lead_ms
            if units <= whole:
                return passed_ms + ceil(Fraction(units * lead_ms, whole))
            units -= whole
            passed_ms += lead_ms
        from_ms = self._place(side, passed_ms)
        if extra:
            return passed_ms + self._time_with(extra, from_ms, units)
        reached_ms = self._therapy.time_of_volume(from_ms, units)
        return None if reached_ms is None else passed_ms + reached_ms - from_ms

    def _time_with(self, extra_nL_per_day: int, from_ms: int, units: int) -> int:
        """First ms after `from_ms` at which therapy and extra flow together have given `units` (1 or more): whole cycles by division, the
        rest by bisection, as the sum only rises."""
        therapy = self._therapy
        cycles = (units - 1) // (therapy.cycle_units + extra_nL_per_day * therapy.cycle_ms)
        begin_ms = cycles * therapy.cycle_ms
        before = therapy.volume_units(from_ms)

        def given(into_ms: int) -> int:
            after_ms = begin_ms + into_ms
            return therapy.volume_units(from_ms + after_ms) - before + extra_nL_per_day * after_ms

        return begin_ms + bisect_left(range(therapy.cycle_ms), units, key=given)

    def _leads(self, side: Side) -> list[tuple[int | None, int]]:
        """Bolus and bridge, each as its time and its units; no time for one that never ends."""
        course, pulse_units = self._course, self._course.pulse_nL * UNITS_PER_NL
        leads: list[tuple[int | None, int]] = []
        if course.bolus_pulses:
            unknown_ms = MS_PER_DAY if side is Side.LATEST else 0
            leads.append((unknown_ms if course.bolus_ms is None else course.bolus_ms, course.bolus_pulses * pulse_units))
        left = course.bridge_pulses - course.bolus_pulses
        if left > 0:
            slack = {Side.EARLIEST: course.bridge_slack, Side.NOMINAL: 0, Side.LATEST: -course.bridge_slack}[side]
            time_units = max(0, left - slack) * pulse_units
            lasts_ms = -(-time_units // course.bridge_nL_per_day) if course.bridge_nL_per_day else None
            leads.append((lasts_ms, max(0, left + slack) * pulse_units))
        return leads

    def _place(self, side: Side, passed_ms: int) -> int:
        """Where the cycle begins to flow; not known: at the start of its highest or lowest flow, from where most or least can flow."""
        if self._course.place_ms is not None:
            return self._course.place_ms + passed_ms
        choose = min if side is Side.LATEST else max
        return choose(self._therapy.segments, key=lambda segment: segment.flow).start_ms


def _schedule(course: Course) -> Schedule:
    if course.drive is Drive.NOTHING:
        return Schedule.constant(0)
    if course.drive is Drive.MINIMUM_RATE:
        return Schedule.constant(course.minimum_nL_per_day)
    return schedule_of_configuration(course.configuration, course.pulse_nL, course.minimum_nL_per_day)
