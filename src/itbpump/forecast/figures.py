"""The forecast's own figures, each with its source and mark, from `figures.toml`. Not here: figures of a pump (`itbpump.profiles`)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from itbpump.errors import DataError
from itbpump.profiles import Sourced

__all__ = ["FIGURE_NAMES", "Figures", "load_figures", "read_figures"]

SCHEMA = "itbpump.forecast-figures/1"
MARKS = frozenset({"R", "R2", "M", "D"})
FIGURE_NAMES = (
    "slack_pulses",
    "clock_ppm",
    "reading_sd_nL",
    "wander_ppm",
    "bound_sd",
    "drift_sd",
    "recent_refills",
    "window_refills",
)


@dataclass(frozen=True, slots=True)
class Figures:
    """`slack_pulses`: by how many pulses count and truth may differ on top of the flow tolerance. `clock_ppm`: how far the pump's clock
    may run from true time, either way, in millionths. The others belong to `calibration`: standard deviations of what is read at a refill
    and of one refill around the pump's mean; how many of them make a bound and a drift; refills that are recent, and that count at all."""

    slack_pulses: int
    clock_ppm: int
    reading_sd_nL: int
    wander_ppm: int
    bound_sd: int
    drift_sd: int
    recent_refills: int
    window_refills: int
    sources: dict[str, Sourced]


@cache
def load_figures() -> Figures:
    """The figures shipped here. DataError for a damaged file."""
    return read_figures(resources.files("itbpump.forecast").joinpath("figures.toml").read_text("utf-8"))


def read_figures(text: str) -> Figures:
    """Figures from the text of a file. DataError for one that is missing, unsourced or not a whole number, 0 or more."""
    try:
        data = tomllib.loads(text)
        entries: dict[str, dict[str, Any]] = data["figures"]
        if data["schema"] != SCHEMA:
            raise DataError(f"forecast figures of schema {data['schema']!r}; this version reads {SCHEMA}")
        counts = {name: _count(name, entries[name]) for name in FIGURE_NAMES}
        sources = {name: Sourced(entries[name]["mark"], entries[name]["source"]) for name in counts}
    except (KeyError, TypeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"the forecast's figures are damaged: {error!r}", action="restore forecast/figures.toml") from error
    return Figures(**counts, sources=sources)


def _count(name: str, entry: dict[str, Any]) -> int:
    count = entry["count"]
    if entry["mark"] not in MARKS or not entry["source"]:
        raise DataError(f"the forecast's figure {name} needs mark and source")
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise DataError(f"the forecast's figure {name} is a whole number, 0 or more, not {count!r}")
    return count
