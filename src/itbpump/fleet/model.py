"""A fleet as arrays, checked at the door: every sum that `kernel` makes of what stands here fits 64 bits.

The limits are far outside any pump; a value beyond them is refused, never cut. Not here: dates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from itbpump.errors import ItbPumpError

__all__ = ["DAY_MS", "LAST_DAY", "MOST_LESS_PPM", "NEVER", "PPM", "WEEK_MS", "Fleet", "FleetDays", "FleetError", "Ints"]

Ints = NDArray[np.int64]
DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
PPM = 1_000_000
LAST_DAY = 2_932_896  # 31 Dec 9999 in days since 1 Jan 1970: what lies beyond is no date, here as in the scalar forecast
NEVER = 2**31 - 1
FLOW_LIMIT = 2**26  # nL/day, 67 mL: 24 steps of it add up within 32 bits
VOLUME_LIMIT = 10**8  # nL, 100 mL
MOST_LESS_PPM = 900_000
MINUTES_PER_DAY = 1_440


class FleetError(ItbPumpError):
    """Arrays that do not belong together, or a value outside what the fleet's arithmetic holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """n pumps of one kind, all without a bolus or bridge under way.

    `flow` (patterns, steps of a day, n), nL/day, int32: step s of a pattern begins at s/steps of the day; each entry 0 to 2**26 − 1.
    `pattern_of_day`: for Monday to Sunday, which pattern. `place_ms`: how far the pump is in its week; `local_ms`: the local time of
    `as_of`, ms since 1 Jan 1970 00:00 on the same clock. `volume_nL` now by the count, `filled_nL` when last measured. `more_ppm`,
    `less_ppm`: by how much the pump may give more or less than it counts, one for all or one each. `slack_nL`: by how much count and truth
    may differ beside; `clock_ppm`: by how much the pump's clock may run. `patient_nL_per_day`, `prime_nL`: None for none.
    Raises FleetError for a shape or value that does not fit.
    """

    flow: NDArray[np.int32]
    pattern_of_day: tuple[int, ...]
    place_ms: Ints
    local_ms: Ints
    volume_nL: Ints
    filled_nL: Ints
    more_ppm: int | Ints
    less_ppm: int | Ints
    slack_nL: int
    clock_ppm: int
    patient_nL_per_day: Ints | None = None
    prime_nL: Ints | None = None

    def __post_init__(self) -> None:
        if self.flow.ndim != 3 or self.flow.dtype != np.int32 or not self.flow.flags.c_contiguous:
            raise FleetError("flow is an int32 array of patterns, steps and pumps, in that order in memory")
        patterns, steps, _ = self.flow.shape
        if steps < 1 or MINUTES_PER_DAY % steps:
            raise FleetError(f"{steps} steps do not divide a day into whole minutes")
        if len(self.pattern_of_day) != 7 or not all(0 <= number < patterns for number in self.pattern_of_day):
            raise FleetError(f"pattern_of_day {self.pattern_of_day} does not name one of {patterns} patterns for each of seven days")
        self._check("place_ms", self.place_ms, WEEK_MS)
        self._check("local_ms", self.local_ms, (LAST_DAY + 1) * DAY_MS)
        self._check("volume_nL", self.volume_nL, VOLUME_LIMIT)
        self._check("filled_nL", self.filled_nL, VOLUME_LIMIT)
        for name in ("patient_nL_per_day", "prime_nL"):
            value = getattr(self, name)
            if value is not None:
                self._check(name, value, FLOW_LIMIT)
        for name, limit in (("more_ppm", PPM + 1), ("less_ppm", MOST_LESS_PPM + 1)):
            value = getattr(self, name)
            self._check(name, np.full(len(self), value, np.int64) if isinstance(value, int) else value, limit)
        if not 0 <= self.clock_ppm <= PPM // 100 or not 0 <= self.slack_nL <= PPM:
            raise FleetError(f"clock_ppm {self.clock_ppm} or slack_nL {self.slack_nL} is out of range")
        if len(self) and bool(np.any(self.filled_nL < self.volume_nL)):
            number = int(np.argmax(self.filled_nL < self.volume_nL))
            raise FleetError(f"pump {number} holds more than at its last fill; measure what is in it")
        # Every bit that is set anywhere: one pass finds both a negative flow and one beyond the limit.
        if len(self) and not 0 <= int(np.bitwise_or.reduce(self.flow, axis=None)) < FLOW_LIMIT:
            raise FleetError(f"a flow is not from 0 to {FLOW_LIMIT - 1} nL/day")

    def __len__(self) -> int:
        return int(self.flow.shape[2])

    def _check(self, name: str, values: Any, limit: int) -> None:
        if values.shape != (len(self),) or values.dtype != np.int64:
            raise FleetError(f"{name} is an int64 array of {len(self)} pumps")
        if len(self) and not 0 <= int(values.min()) <= int(values.max()) < limit:
            raise FleetError(f"{name} is not from 0 to {limit - 1} for every pump")


@dataclass(frozen=True, slots=True, eq=False)
class FleetDays:
    """For each pump the local day, in days since 1 Jan 1970, on which it is down to a volume; NEVER for no date."""

    earliest: NDArray[np.int32]
    nominal: NDArray[np.int32]
    latest: NDArray[np.int32]
