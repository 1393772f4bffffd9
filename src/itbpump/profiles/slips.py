"""Thresholds for slips of entry: values that fit another field better than the one they were typed in.

Data with mark and source, read once; the rules that use them are `itbpump.safety.rules_entry`, which itself reads no file.
Not here: limits of pump and drug.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import Any

from itbpump.errors import ProfileError, QuantityError
from itbpump.profiles import MARKS, Sourced
from itbpump.quantity import Duration, Volume

__all__ = ["EntrySlips", "load_slips", "read_slips"]

SCHEMA = "itbpump.entry-slips/1"


@dataclass(frozen=True, slots=True)
class EntrySlips:
    """Each field is a figure of `slips.toml`, named table_key; `sources` names its origin. Times are ratios, percent are of a hundred."""

    day_far_times: int
    day_near_times: int
    day_change_times: int
    tenfold_from_percent: int
    tenfold_to_percent: int
    tenfold_step_times: int
    tenfold_step_share: int
    total_apart_percent: int
    total_rise_percent: int
    total_hourly_boluses: int
    time_every_short: Duration
    time_over_long: Duration
    time_patient_over_long: Duration
    reservoir_tolerance_percent: int
    reservoir_full_percent: int
    catheter_agreement: Volume
    catheter_bore_times: int
    sources: Mapping[str, Sourced]

    def source(self, name: str) -> str:
        """Origin of a figure, as shown beside a finding."""
        return self.sources[name].source


@cache
def load_slips() -> EntrySlips:
    """The thresholds shipped. Raises ProfileError for a damaged file."""
    return read_slips(resources.files("itbpump.profiles").joinpath("slips.toml").read_text("utf-8"))


def read_slips(text: str) -> EntrySlips:
    """Thresholds from the text of a file. ProfileError for a figure missing, unknown, unsourced, of the wrong kind or out of order."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"slips.toml: {error}", action="restore the file") from error
    if data.pop("schema", None) != SCHEMA:
        raise ProfileError("slips.toml: unknown schema", action=f"this version reads {SCHEMA}")
    figures = {f"{table}_{key}": figure for table, keys in data.items() for key, figure in keys.items()}
    values = {name: _figure(name, figure) for name, figure in figures.items()}
    sources = {name: Sourced(figure["mark"], figure["source"]) for name, figure in figures.items()}
    known = {field.name for field in fields(EntrySlips)} - {"sources"}
    if values.keys() != known:
        raise ProfileError(f"slips.toml: missing or unknown: {', '.join(sorted(values.keys() ^ known))}", action="restore the file")
    return _ordered(EntrySlips(**values, sources=sources))


def _figure(name: str, figure: Mapping[str, Any]) -> Any:
    """One figure in the type its name has in `EntrySlips`."""
    if figure.get("mark") not in MARKS or not figure.get("source"):
        raise ProfileError(f"slips.toml: {name}: a figure needs mark and source")
    kind = EntrySlips.__annotations__.get(name)
    readers: dict[str, type[Duration | Volume]] = {"Duration": Duration, "Volume": Volume}
    if kind in readers:
        try:
            return readers[kind].parse(figure.get("amount"))
        except QuantityError as error:
            raise ProfileError(f"slips.toml: {name}: {error}") from error
    count = figure.get("count")
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ProfileError(f"slips.toml: {name}: a whole count of 1 or more is needed")
    return count


def _ordered(slips: EntrySlips) -> EntrySlips:
    """Thresholds that contradict each other do not load."""
    pairs = (
        ("day_near_times", "day_far_times"),
        ("tenfold_from_percent", "tenfold_to_percent"),
        ("time_over_long", "time_patient_over_long"),
    )
    for low, high in pairs:
        if getattr(slips, low) >= getattr(slips, high):
            raise ProfileError(f"slips.toml: {low} is not below {high}")
    return slips
