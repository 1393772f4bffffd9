"""Three days for every pump of a fleet, block by block, so that a million need little more memory than a thousand.

A date needs the day, not the millisecond. For most pumps the day is plain from the sums of whole days: the volume is reached well after one
midnight of the pump and well before the next, further off than the pump's clock may run. Only those near a midnight (about 2 in 24), or
years ahead, are worked out to the ms; so every day is exactly the scalar's. Volume in units of 1/86,400,000 nL (flow times ms), int64;
`model` keeps every sum inside it. Formulas: `itbpump.forecast.dates`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from itbpump.fleet.model import DAY_MS, LAST_DAY, NEVER, PPM, VOLUME_LIMIT, WEEK_MS, Fleet, FleetDays, FleetError, Ints

__all__ = ["bounds", "day_of", "refill_by"]

BLOCK = 12_288
UNITS_PER_NL = DAY_MS
MOST_WEEKS = 500_000  # beyond the year 9999 from any local time
DAYS = range(7)
SURE_WEEKS = 26  # the drug is used up by then; what lies further ahead is worked out to the ms
MOST_NARROW_STEPS = 24  # so many flows below 2**26 add up within 32 bits


class _Side(NamedTuple):
    """One of the three dates: its target in units from now, what flows beside in nL/day, and the clock: how many millionths of
    `clock_of` it runs fast (above 0: the date comes sooner) or slow."""

    units: Ints
    beside: Ints | None
    clock_ppm: int
    clock_of: int


def bounds(fleet: Fleet, to_nL: int | Ints) -> FleetDays:
    """The days on which each pump is down to `to_nL` (one for all, or one each, 0 to 100 mL). Raises FleetError for another level."""
    count = len(fleet)
    if not _is_level(to_nL, count):
        raise FleetError(f"the level is one volume, or an int64 array of {count}, from 0 to {VOLUME_LIMIT - 1} nL")
    days = FleetDays(*(np.empty(count, np.int32) for _ in range(3)))
    for low in range(0, count, BLOCK):
        part = slice(low, min(low + BLOCK, count))
        block = _Block(fleet, part)
        for side, out in zip(
            _sides(fleet, part, to_nL if isinstance(to_nL, int) else to_nL[part]), (days.earliest, days.nominal, days.latest), strict=True
        ):
            out[part] = block.day_numbers(side)
    return days


def _is_level(level: int | Ints, count: int) -> bool:
    if isinstance(level, int):
        return 0 <= level < VOLUME_LIMIT
    return level.shape == (count,) and level.dtype == np.int64 and (not count or 0 <= int(level.min()) <= int(level.max()) < VOLUME_LIMIT)


def refill_by(*ends: NDArray[np.int32]) -> NDArray[np.int32]:
    """The earliest of all ends of each pump: `earliest` of low and empty, and arrays of its drug's, battery's and service life's last
    days."""
    found: NDArray[np.int32] = np.minimum.reduce(ends)
    return found


def day_of(number: int) -> date | None:
    """A day number as a date; None for NEVER."""
    return None if number == NEVER else date(1970, 1, 1) + timedelta(days=int(number))


# ------------------------------------------------------------------------------------------------ how much, for each side
def _sides(fleet: Fleet, part: slice, level: int | Ints) -> Iterator[_Side]:
    """Earliest, nominal, latest: the formulas of `itbpump.forecast.dates`, in whole units rounded up."""
    volume, filled, slack = fleet.volume_nL[part], fleet.filled_nL[part], fleet.slack_nL
    counted, measured = filled - volume, filled - level
    at_once, beside = counted + slack, None
    if fleet.prime_nL is not None:
        at_once += fleet.prime_nL[part]
    if fleet.patient_nL_per_day is not None:
        beside = fleet.patient_nL_per_day[part]
        at_once += beside
    clock = fleet.clock_ppm
    yield _Side(_shrunk(measured - slack, PPM + _of(fleet.more_ppm, part)) - at_once * UNITS_PER_NL, beside, clock, PPM + clock)
    yield _Side((volume - level) * UNITS_PER_NL, None, 0, PPM)
    yield _Side(_shrunk(measured + slack, PPM - _of(fleet.less_ppm, part)) - (counted - slack) * UNITS_PER_NL, None, -clock, PPM - clock)


def _of(ppm: int | Ints, part: slice) -> Ints:
    return np.array(ppm, np.int64) if isinstance(ppm, int) else ppm[part]


def _shrunk(volume_nL: Ints, millionths: Ints) -> Ints:
    """volume × PPM / millionths in units, rounded up; in two steps, because in one it would leave 64 bits."""
    parts = volume_nL * PPM
    whole = np.floor_divide(parts, millionths)
    rest = (parts - whole * millionths) * UNITS_PER_NL
    found: Ints = whole * UNITS_PER_NL - np.floor_divide(-rest, millionths)
    return found


# ------------------------------------------------------------------------------------------------ when
class _Block:
    """Some thousand pumps: the sums of their days, kept while the three sides are asked."""

    def __init__(self, fleet: Fleet, part: slice) -> None:
        self._flow = fleet.flow[:, :, part]
        self._pattern_of_day = np.array(fleet.pattern_of_day)
        _, self._steps, self._count = self._flow.shape
        self._step_ms = DAY_MS // self._steps
        self._place_ms, self._local_ms = fleet.place_ms[part], fleet.local_ms[part]
        self._before = np.zeros((8, self._count), np.int64)
        self._given = self._sum_up(fleet, part)
        self._week = np.maximum(self._before[7], 1)
        week_begins_ms = self._local_ms - self._place_ms
        self._week_day = (week_begins_ms + DAY_MS // 2) // DAY_MS
        gap_ms = int(np.abs(week_begins_ms - self._week_day * DAY_MS).max())
        # The pump's midnight and that of the date are less than the margin apart, for so many weeks, whatever the clock does. Where a step
        # is not enough for that, nothing is sure.
        margin_ms = gap_ms + -(-(SURE_WEEKS + 1) * WEEK_MS * fleet.clock_ppm // (PPM - fleet.clock_ppm)) + 2
        self._sure_weeks = SURE_WEEKS if margin_ms <= self._step_ms else -1
        self._margin_ms = min(margin_ms, self._step_ms)
        self._edges: list[tuple[Ints, int]] = [edge for day in DAYS for edge in self._edges_of(day, fleet.pattern_of_day[day])]

    def day_numbers(self, side: _Side) -> Ints:
        """Local day on which the side's volume has flowed."""
        beside, week, target = side.beside, self._week, side.units + self._given
        if beside is not None:
            week, target = week + beside * WEEK_MS, target + beside * self._place_ms
        weeks = (target - 1) // week
        within = target - weeks * week
        passed = np.zeros(self._count, np.int8)
        for edge, at_ms in self._edges:
            passed += (within > (edge if beside is None else edge + beside * at_ms)).view(np.int8)
        numbers: Ints = self._week_day + 7 * weeks + (passed >> 1)
        sure = (passed & 1).view(np.bool_) & (weeks <= self._sure_weeks) & (side.units > 0)
        which = np.flatnonzero(~sure)
        if which.size:
            numbers[which] = self._slowly(side, which, weeks[which], within[which])
        return np.where(numbers > LAST_DAY, NEVER, numbers)

    def _edges_of(self, day: int, pattern: int) -> Iterator[tuple[Ints, int]]:
        """Volume and time since Monday 00:00, a margin after a day begins and a margin before it ends: between them the day is sure."""
        first, last = (_units(self._flow[pattern, step], self._margin_ms) for step in (0, -1))
        yield self._before[day] + first, day * DAY_MS + self._margin_ms
        yield self._before[day + 1] - last, (day + 1) * DAY_MS - self._margin_ms

    def _sum_up(self, fleet: Fleet, part: slice) -> Ints:
        """Fill `_before`, the units before each midnight from Monday on; return those before the place of each pump: whole days, whole
        parts of a day, the few steps of the last part, the time in the last step."""
        span = _part_steps(self._steps)
        parts_a_day = self._steps // span
        narrow = np.int32 if self._steps <= MOST_NARROW_STEPS else np.int64
        before_part = np.empty((len(self._flow), parts_a_day + 1, self._count), narrow)
        before_part[:, 0] = 0
        for pattern, flow in enumerate(self._flow):
            for number in range(self._steps):
                sums = before_part[pattern, number // span + 1]
                np.add(before_part[pattern, number // span] if number % span == 0 else sums, flow[number], out=sums)
        for number in DAYS:
            whole_day = before_part[fleet.pattern_of_day[number], -1]
            np.add(self._before[number], _units(whole_day, self._step_ms), out=self._before[number + 1])
        pumps = np.arange(self._count)
        day, in_day = _divided(self._place_ms, DAY_MS)
        step, in_step = _divided(in_day, self._step_ms)
        part_of_day, in_part = _divided(step, span)
        patterns = self._pattern_of_day[day]
        given: Ints = np.take(before_part, (patterns * (parts_a_day + 1) + part_of_day) * self._count + pumps).astype(np.int64)
        at = (patterns * self._steps + step) * len(fleet) + (pumps + part.start)
        here = np.take(fleet.flow, at)
        for back in range(1, span):
            # Where this part has none, any entry, times 0.
            given += np.take(fleet.flow, at - back * len(fleet), mode="clip") * (in_part >= back)
        given *= self._step_ms
        given += np.take(self._before, day * self._count + pumps) + here * in_step
        return given

    def _slowly(self, side: _Side, which: Ints, weeks: Ints, within: Ints) -> Ints:
        """The few: what is so already, what never is, and the others to the ms."""
        flows = self._before[7, which] > 0 if side.beside is None else (self._before[7, which] > 0) | (side.beside[which] > 0)
        begun, never = side.units[which] <= 0, ~flows | (weeks > MOST_WEEKS)
        numbers: Ints = np.where(begun, self._local_ms[which] // DAY_MS, NEVER)
        few = np.flatnonzero(~begun & ~never)
        numbers[few] = self._exactly(side, which[few], weeks[few], within[few])
        return numbers

    def _exactly(self, side: _Side, which: Ints, weeks: Ints, within: Ints) -> Ints:
        """The day, the step in it, the ms in that, the pump's clock, the local day."""
        before = self._before[:7, which]
        if side.beside is not None:
            before = before + np.arange(7)[:, None] * DAY_MS * side.beside[which]
        pumps = np.arange(which.size)
        day = (within > before[1:]).sum(axis=0)
        left = within - before[day, pumps]
        rows = self._flow[self._pattern_of_day[day], :, which].astype(np.int64)
        if side.beside is not None:
            rows += side.beside[which][:, None]
        sums = np.cumsum(rows, axis=1) * self._step_ms
        step = (sums < left[:, None]).sum(axis=1)
        left -= sums[pumps, step] - rows[pumps, step] * self._step_ms
        pump_ms = weeks * WEEK_MS + day * DAY_MS + step * self._step_ms - (-left // rows[pumps, step]) - self._place_ms[which]
        # p·P/(P + k) rounded down is p − ⌈p·k/(P + k)⌉, and p·P/(P − k) rounded up is p + ⌈p·k/(P − k)⌉: no product beyond 64 bits.
        shift = -(-pump_ms * abs(side.clock_ppm) // side.clock_of)
        true_ms = pump_ms - shift if side.clock_ppm > 0 else pump_ms + shift
        found: Ints = (self._local_ms[which] + true_ms) // DAY_MS
        return found


def _divided(values: Ints, by: int) -> tuple[Ints, Ints]:
    """Quotient and rest; several times as quick as divmod, which is not vectorised."""
    whole = values // by
    return whole, values - whole * by


def _part_steps(steps: int) -> int:
    """How many steps make a part of a day: the largest divisor up to the root of the steps, so that neither is many."""
    return max(span for span in range(1, steps + 1) if steps % span == 0 and span * span <= steps)


def _units(flow: NDArray[Any], for_ms: int) -> Ints:
    """Units that a flow, nL/day, gives in a time."""
    found: Ints = np.multiply(flow, for_ms, dtype=np.int64)
    return found
