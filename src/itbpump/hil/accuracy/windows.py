"""Least and greatest volume that any window of samples holds: from running totals, so that a window costs one subtraction.

Two ways that must agree: numpy where it is installed (extra `hil`), plain Python elsewhere. Integers in both.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import cache
from operator import sub
from typing import NamedTuple

__all__ = ["Extremes", "WindowVolumes", "best_way", "by_numpy", "by_python"]


class Extremes(NamedTuple):
    """Over all windows of one length; `windows` is how many there are."""

    windows: int
    least_nL: int
    most_nL: int


class WindowVolumes(NamedTuple):
    """One way: `extremes(totals, n)`, and `within(totals, n, low_nL, high_nL)`, how many windows of n samples lie there (inclusive)."""

    name: str
    extremes: Callable[[array[int], int], Extremes]
    within: Callable[[array[int], int, int, int], int]


def _python_volumes(totals: array[int], samples: int) -> list[int]:
    return list(map(sub, totals[samples:], totals))


def _python_extremes(totals: array[int], samples: int) -> Extremes:
    volumes = _python_volumes(totals, samples)
    return Extremes(len(volumes), min(volumes), max(volumes))


def _python_within(totals: array[int], samples: int, low_nL: int, high_nL: int) -> int:
    return sum(low_nL <= volume <= high_nL for volume in _python_volumes(totals, samples))


def by_python() -> WindowVolumes:
    """Plain Python."""
    return WindowVolumes("python", _python_extremes, _python_within)


@cache
def by_numpy() -> WindowVolumes:
    """With numpy. Raises ModuleNotFoundError where it is not installed."""
    import numpy as np  # noqa: PLC0415 -- of the extra; the kit works without it
    from numpy.typing import NDArray  # noqa: PLC0415

    def volumes(totals: array[int], samples: int) -> NDArray[np.int64]:
        line = np.frombuffer(totals, dtype=np.int64)
        return line[samples:] - line[:-samples]

    def extremes(totals: array[int], samples: int) -> Extremes:
        found = volumes(totals, samples)
        return Extremes(len(found), int(found.min()), int(found.max()))

    def within(totals: array[int], samples: int, low_nL: int, high_nL: int) -> int:
        found = volumes(totals, samples)
        return int(np.count_nonzero((found >= low_nL) & (found <= high_nL)))

    return WindowVolumes("numpy", extremes, within)


@cache
def best_way() -> WindowVolumes:
    """numpy where it is installed, else plain Python."""
    try:
        return by_numpy()
    except ModuleNotFoundError:
        return by_python()
