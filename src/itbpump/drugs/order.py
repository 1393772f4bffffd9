"""What must hold between the figures of a library before it is used (SR-04): the tables of `keys`, and that no group is half there.

Not checked: whether a figure is medically right; its source answers for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

from itbpump.drugs.keys import ASCENDING, KEYS, ORDER, find_key, matches
from itbpump.drugs.model import CHILD, Figure
from itbpump.errors import LibraryError
from itbpump.quantity import Amount, Duration

__all__ = ["check_figures", "groups_of"]

Figures = Mapping[str, Figure[Any]]

SCREENING_START = ("start.factor", "start.long_effect", "start.long_factor", "start.second_percent")
ABSOLUTE_START = ("start.absolute.soft", "start.absolute.second")
# Tables whose names are the indications; those that may have limits for children beside them.
BY_INDICATION = ("daily", "increase", "titration", "maintenance", "diagnoses")
WITH_CHILD = frozenset({"daily", "increase", "titration"})


def check_figures(figures: Figures) -> None:
    """LibraryError that names what is missing, out of order or half there."""
    _check_complete(figures)
    for path in ASCENDING:
        for low, high in pairwise(figures[path].value):
            if not low < high:
                raise LibraryError(f"{path}: {low} stands before {high}; write them ascending, each once")
    for low_pattern, high_pattern in ORDER:
        for low_path, high_path in _pairs(low_pattern, high_pattern, figures):
            _check_pair(low_path, high_path, figures)
    pump = figures["concentrations.pump"].value
    if not pump or set(pump) & set(figures["concentrations.screening_only"].value):
        raise LibraryError("concentrations: none for the pump, or one that is for screening only")


def groups_of(figures: Figures, table: str) -> tuple[str, ...]:
    """Names in a table of groups, in the order of the file."""
    return tuple(dict.fromkeys(path.split(".")[1] for path in figures if path.startswith(f"{table}.")))


def _check_complete(figures: Figures) -> None:
    indications = [name for name in groups_of(figures, "daily") if name != CHILD]
    if not indications:
        raise LibraryError("daily: no indication")
    for table in BY_INDICATION:
        names = set(groups_of(figures, table))
        if names - ({CHILD} if table in WITH_CHILD else set()) != set(indications):
            raise LibraryError(f"{table}: has {', '.join(sorted(names)) or 'nothing'}, but daily has {', '.join(indications)}")
    if (f"increase.{CHILD}.soft_percent" in figures) != (f"titration.{CHILD}.step_high_percent" in figures):
        raise LibraryError(f"increase.{CHILD} and titration.{CHILD} are given together or not at all")
    for key in KEYS:
        table, *rest = key.path.split(".")
        paths = [".".join((table, name, *rest[1:])) for name in groups_of(figures, table)] if rest[0] == "*" else [key.path]
        for path in paths:
            if key.required and path not in figures:
                raise LibraryError(f"{path} is missing")
    starts = [[path in figures for path in group] for group in (SCREENING_START, ABSOLUTE_START)]
    if not any(map(all, starts)) or any(any(there) and not all(there) for there in starts):
        both = f"{', '.join(SCREENING_START)} together, {' and '.join(ABSOLUTE_START)} together"
        raise LibraryError(f"start: {both}; at least one of the two")


def _pairs(low: str | int, high: str, figures: Figures) -> Iterator[tuple[str | int, str]]:
    """The paths of a row of `ORDER`: the same name for a `*` on both sides, else every pair there is."""
    lows = [low] if isinstance(low, int) else _paths(low, figures)
    by_name = isinstance(low, str) and "*" in low and "*" in high
    for high_path in _paths(high, figures):
        for low_path in lows:
            if not by_name or str(low_path).split(".")[1] == high_path.split(".")[1]:
                yield low_path, high_path


def _paths(pattern: str, figures: Figures) -> list[str]:
    """Those of a pattern that there are."""
    if "*" in pattern:
        return [path for path in figures if matches(pattern, path)]
    return [pattern] if pattern in figures else []


def _check_pair(low_path: str | int, high_path: str, figures: Figures) -> None:
    low = low_path if isinstance(low_path, int) else max(_sizes(figures[low_path].value), default=0)
    high = min(_sizes(figures[high_path].value), default=None)
    if high is None or low <= high:
        return
    if isinstance(low_path, int):
        raise LibraryError(f"{high_path}: below {low_path}")
    raise LibraryError(f"{low_path} is above {high_path}: {_shown(low_path, figures)} against {_shown(high_path, figures)}")


def _sizes(value: Any) -> list[int | Fraction]:
    """A figure, or each of a list, in base units."""
    items = value if isinstance(value, tuple) else (value,)
    return [item.value if isinstance(item, Amount) else item.ms if isinstance(item, Duration) else item for item in items]


def _shown(path: str, figures: Figures) -> str:
    value, key = figures[path].value, find_key(path)
    unit = " %" if key is not None and path.endswith("percent") else ""
    return ", ".join(str(item) for item in value) if isinstance(value, tuple) else f"{value}{unit}"
