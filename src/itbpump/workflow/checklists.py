"""The points of checklists, from `checklists.toml`: what a person does or reads, why, and where it comes from.

Data that lacks an origin does not load. Not here: what a reading shows (`mri`), what a tick is good for (`refill`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from itbpump.errors import DataError

__all__ = ["AfterMri", "Point", "after_mri", "pocket_fill"]

SCHEMA = "itbpump.checklists/1"
MARKS = frozenset({"R", "R2", "M", "D"})
KINDS = frozenset({"do", "read", "wait"})


@dataclass(frozen=True, slots=True)
class Point:
    """One point. `kind`: `do` by the person alone, `read` with a reading of the pump, `wait` by time passing. `only`: what the names of its
    profiles begin with."""

    id: str
    text: str
    help: str
    mark: str
    source: str
    kind: str = "do"
    only: str = ""

    @property
    def origin(self) -> str:
        """The source, and that it was not read where that is so."""
        return f"{self.source}{' (unverified)' if self.mark == 'M' else ''}"

    @property
    def told(self) -> str:
        """Why, and from where."""
        return f"{self.help} Source: {self.origin}."


@dataclass(frozen=True, slots=True)
class AfterMri:
    """The points after an MRI. `wait_ms`: least time between two interrogations, ms of pump uptime."""

    points: tuple[Point, ...]
    wait_ms: int
    wait_origin: str


def pocket_fill() -> tuple[Point, ...]:
    """What shows that a fill went into the reservoir. Raises DataError for a damaged file."""
    return _points(_data().get("pocket_fill", ()))


def after_mri() -> AfterMri:
    """What is done after an MRI. Raises DataError for a damaged file."""
    table = _data()["after_mri"]
    if type(table.get("wait_min")) is not int or table["wait_min"] <= 0 or table.get("wait_mark") not in MARKS:
        raise DataError("checklists.toml: after_mri.wait_min is a whole number of minutes, with its mark")
    unverified = " (unverified)" if table["wait_mark"] == "M" else ""
    return AfterMri(_points(table.get("point", ())), table["wait_min"] * 60_000, f"{table['wait_source']}{unverified}")


@cache
def _data() -> Mapping[str, Any]:
    data = tomllib.loads(resources.files("itbpump.workflow").joinpath("checklists.toml").read_text("utf-8"))
    if data.get("schema") != SCHEMA:
        raise DataError(f"checklists.toml: unknown schema {data.get('schema')!r}")
    return data


def _points(tables: Iterable[Mapping[str, str]]) -> tuple[Point, ...]:
    found = tuple(Point(**table) for table in tables)
    for point in found:
        if point.mark not in MARKS or not point.source or point.kind not in KINDS or not point.help:
            raise DataError(f"checklists.toml: {point.id} needs mark, source, help and a kind")
    if not found or len({point.id for point in found}) != len(found):
        raise DataError("checklists.toml: a list is empty, or has two points of one id")
    return found
