"""Boluses in succession: mean, least and greatest volume given, and their errors. The form of report follows safety 1.5 (mean, min, max).

Not here: what may be borne, and whether each volume was measured in time before the next bolus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from itbpump.hil.accuracy.errors import AccuracyError

__all__ = ["BolusStatistics", "bolus_statistics"]


@dataclass(frozen=True, slots=True)
class BolusStatistics:
    """Of `count` boluses of the same setting; errors in percent of the setting."""

    set_nL: int | Fraction
    count: int
    mean_nL: Fraction
    min_nL: int
    max_nL: int

    @property
    def mean_percent(self) -> Fraction:
        """Error of the mean."""
        return self._percent(self.mean_nL)

    @property
    def min_percent(self) -> Fraction:
        """Error of the smallest."""
        return self._percent(self.min_nL)

    @property
    def max_percent(self) -> Fraction:
        """Error of the largest."""
        return self._percent(self.max_nL)

    def _percent(self, volume_nL: int | Fraction) -> Fraction:
        return 100 * (Fraction(volume_nL) / self.set_nL - 1)


def bolus_statistics(given_nL: Sequence[int], set_nL: int | Fraction) -> BolusStatistics:
    """Statistics of volumes given, each for a setting of `set_nL`. Raises AccuracyError for no bolus, or a setting of nothing."""
    if not given_nL or set_nL <= 0:
        raise AccuracyError(f"{len(given_nL)} boluses of {set_nL} nL", "give at least one, of more than nothing")
    return BolusStatistics(set_nL, len(given_nL), Fraction(sum(given_nL), len(given_nL)), min(given_nL), max(given_nL))
