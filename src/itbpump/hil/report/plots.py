"""Curves of a run: those of one test with the same axes together, each as an inline SVG that follows the page's colours.

matplotlib draws them where it is installed (extra `report`), else `svg`, which needs nothing. Lines are told apart by colour and by stroke;
limits are drawn thin. A curve of many points is thinned so that every extreme stays. Pure. Not here: what is measured.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

from itbpump.hil.model import Series
from itbpump.hil.report.markup import visible

__all__ = ["LARGEST", "MOST_LINES", "STROKES", "Figure", "Line", "figures_of", "thinned"]

MOST_LINES = 4
STROKES: Final = (("curve", "solid", ""), ("curve2", "dashed", "7 4"), ("curve3", "dotted", "2 3"), ("curve4", "dash and dot", "7 3 2 3"))
"""Class of the page's style, in words, dashes of an SVG."""
LARGEST = 10**15  # matplotlib reckons in binary floats; what is larger is drawn by our own
_POINTS = 1_200
_MARKED = 40
_LOG_FROM = 10


@dataclass(frozen=True, slots=True)
class Line:
    """Points of one line, in the order of x given."""

    x: tuple[Fraction, ...]
    y: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """One pair of axes. `log_x`: x are window lengths or the like, each of which gets its tick."""

    names: tuple[str, ...]
    x_unit: str
    y_unit: str
    curves: tuple[Line, ...]
    limits: tuple[Line, ...]
    log_x: bool

    @property
    def words(self) -> str:
        """What is drawn how."""
        told = [f"{name} ({STROKES[place][1]})" if len(self.names) > 1 else name for place, name in enumerate(self.names)]
        return ", ".join(told) + ("; thin: limits" if self.limits else "")

    @property
    def marked(self) -> bool:
        """Few enough points to show each."""
        return max((len(line.x) for line in self.curves), default=0) <= _MARKED

    def svg(self, prefix: str) -> str:
        """The picture; `prefix` keeps its ids apart from others on the page."""
        from itbpump.hil.report import svg  # noqa: PLC0415 -- one of the two is loaded

        largest = max((abs(value) for line in (*self.curves, *self.limits) for value in (*line.x, *line.y)), default=Fraction(0))
        if largest < LARGEST and importlib.util.find_spec("matplotlib") is not None:
            from itbpump.hil.report import plotted  # noqa: PLC0415 -- some 0.5 s, for those who have curves

            return plotted.svg_of(self, prefix)
        return svg.svg_of(self)


def figures_of(series: Iterable[Series]) -> list[Figure]:
    """Curves with the same units and the same x share their axes, four at most; those without points are left out."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[Series]] = {}
    for one in series:
        if one.x:
            groups.setdefault((one.x_unit, one.y_unit, one.x), []).append(one)
    return [_figure(group[at : at + MOST_LINES]) for group in groups.values() for at in range(0, len(group), MOST_LINES)]


def _figure(group: Sequence[Series]) -> Figure:
    first = group[0]
    x = _numbers(first.x)
    limits = dict.fromkeys(line for one in group for line in (one.lo, one.hi) if line)  # the same limits of two curves are drawn once
    return Figure(
        names=tuple(visible(one.name) for one in group),
        x_unit=visible(first.x_unit),
        y_unit=visible(first.y_unit),
        curves=tuple(thinned(x, _numbers(one.y)) for one in group),
        limits=tuple(thinned(x, _numbers(line)) for line in limits),
        log_x=_wants_log(x),
    )


def _numbers(texts: Iterable[str]) -> tuple[Fraction, ...]:
    return tuple(Fraction(text) for text in texts)


def _wants_log(x: Sequence[Fraction]) -> bool:
    """Few rising, positive, unevenly spaced places over more than a decade: the windows of a trumpet, not samples in time."""
    if not 2 < len(x) <= _MARKED or x[0] <= 0 or x[-1] < _LOG_FROM * x[0]:
        return False
    gaps = [after - before for before, after in pairwise(x)]
    return min(gaps) > 0 and max(gaps) > 3 * min(gaps)


def thinned(x: Sequence[Fraction], y: Sequence[Fraction], most: int = _POINTS) -> Line:
    """At most some `most` points: of each stretch its first, lowest, highest and last, in their order."""
    if len(x) <= most:
        return Line(tuple(x), tuple(y))
    stretch = -(-len(x) * 4 // most)
    kept: list[int] = []
    for begin in range(0, len(x), stretch):
        places = range(begin, min(begin + stretch, len(x)))
        kept += sorted({places[0], min(places, key=y.__getitem__), max(places, key=y.__getitem__), places[-1]})
    return Line(tuple(x[place] for place in kept), tuple(y[place] for place in kept))
