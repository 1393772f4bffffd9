"""Drug libraries: limits of the safety review as versioned, sourced, hashed data.

A library whose limits are out of order, or a figure without source and mark, does not load (SR-04, SR-06).
Not here: the rules that use the limits (`itbpump.safety`), oral drugs, compatibility of mixtures.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any, Generic, TypeVar

from itbpump.errors import LibraryError, QuantityError
from itbpump.quantity import Concentration, Duration, Mass, MassRate

__all__ = ["DailyLimits", "DrugLibrary", "Figure", "IncreaseLimits", "Interaction", "library_names", "load_library", "read_library"]

SCHEMA = "itbpump.drug-library/1"
MARKS = frozenset({"R", "R2", "M", "D"})
LIMIT_ORDER = ("hard_low", "soft_low", "typical_low", "typical_high", "soft_high", "hard_high")

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Figure(Generic[_Value]):
    """A value with its origin. mark: R read, R2 read in a secondary source, M unverified, D derived."""

    value: _Value
    mark: str
    source: str

    @property
    def origin(self) -> str:
        """Source as shown beside a finding; an unverified figure says so."""
        return self.source if self.mark != "M" or self.source.startswith("unverified") else f"unverified; {self.source}"


@dataclass(frozen=True, slots=True)
class DailyLimits:
    """Limits of the total in any 24 h, ordered."""

    hard_low: Figure[MassRate]
    soft_low: Figure[MassRate]
    typical_low: Figure[MassRate]
    typical_high: Figure[MassRate]
    soft_high: Figure[MassRate]
    hard_high: Figure[MassRate]


@dataclass(frozen=True, slots=True)
class IncreaseLimits:
    """Percent of increase above which a change is soft, needs a second person, or is refused."""

    soft_percent: Figure[int]
    second_percent: Figure[int]
    hard_percent: Figure[int]


@dataclass(frozen=True, slots=True)
class Interaction:
    """Why a class of other drugs matters."""

    text: str
    mark: str
    source: str


@dataclass(frozen=True, slots=True)
class DrugLibrary:
    """Limits of one drug. Keys of `daily` and `increase`: indications and `child`."""

    name: str
    version: str
    sha256: str
    concentrations: Figure[tuple[Concentration, ...]]
    screening_only: Figure[tuple[Concentration, ...]]
    daily: Mapping[str, DailyLimits]
    increase: Mapping[str, IncreaseLimits]
    decrease_soft_percent: Figure[int]
    first_period: Figure[Duration]
    start_factor: Figure[int]
    start_long_effect: Figure[Duration]
    start_long_factor: Figure[int]
    start_second_percent: Figure[int]
    bolus_soft: Figure[Mass]
    bolus_hard: Figure[Mass]
    patient_bolus_hard: Figure[Mass]
    bolus_repeats_soft: Figure[int]
    second_below_years: Figure[int]
    child_below_years: Figure[int]
    child_daily_below_years: Figure[int]
    stability_days: Figure[int]
    rounding_soft_percent: Figure[int]
    interactions: Mapping[str, Interaction]

    def json(self) -> dict[str, str]:
        """Name, version and hash, as every review and log carries them."""
        return {"name": self.name, "version": self.version, "sha256": self.sha256}


def library_names() -> tuple[str, ...]:
    """Drugs with a library shipped here, sorted."""
    files = resources.files("itbpump.drugs").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


@cache
def load_library(name: str) -> DrugLibrary:
    """The library shipped for a drug. LibraryError for a drug without one, or a damaged file."""
    if name not in library_names():
        raise LibraryError(f"no drug library for {name!r}", action=f"drugs with a library: {', '.join(library_names())}")
    return read_library(resources.files("itbpump.drugs").joinpath(f"{name}.toml").read_bytes())


def read_library(content: bytes) -> DrugLibrary:
    """A library from the bytes of its file; the hash is over these bytes. LibraryError for anything missing, unsourced or out of order."""
    try:
        data = tomllib.loads(content.decode("utf-8"))
        if data.get("schema") != SCHEMA:
            raise LibraryError(f"unknown schema {data.get('schema')!r}", action=f"this version reads {SCHEMA}")
        library = _library(data, hashlib.sha256(content).hexdigest())
    except (KeyError, TypeError, QuantityError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LibraryError(
            f"the drug library is damaged: {error!r}", action="restore the file; nothing is programmed without it"
        ) from error
    _check_order(library)
    return library


def _library(data: Mapping[str, Any], sha256: str) -> DrugLibrary:
    def amount(table: str, key: str, parse: Any) -> Figure[Any]:
        return _figure(data[table][key], parse(data[table][key]["amount"]))

    def count(table: str, key: str) -> Figure[int]:
        return _count(data[table][key])

    return DrugLibrary(
        name=data["name"],
        version=data["version"],
        sha256=sha256,
        concentrations=_concentrations(data["concentrations"]["pump"]),
        screening_only=_concentrations(data["concentrations"]["screening_only"]),
        daily={name: _daily(limits) for name, limits in data["daily"].items()},
        increase={
            name: IncreaseLimits(**{key: _count(entry) for key, entry in limits.items()}) for name, limits in data["increase"].items()
        },
        decrease_soft_percent=count("change", "decrease_soft_percent"),
        first_period=amount("change", "first_period", Duration.parse),
        start_factor=count("start", "factor"),
        start_long_effect=amount("start", "long_effect", Duration.parse),
        start_long_factor=count("start", "long_factor"),
        start_second_percent=count("start", "second_percent"),
        bolus_soft=amount("bolus", "soft", Mass.parse),
        bolus_hard=amount("bolus", "hard", Mass.parse),
        patient_bolus_hard=amount("bolus", "patient_hard", Mass.parse),
        bolus_repeats_soft=count("bolus", "repeats_soft"),
        second_below_years=count("age", "second_below_years"),
        child_below_years=count("age", "child_below_years"),
        child_daily_below_years=count("age", "child_daily_below_years"),
        stability_days=count("stability", "days"),
        rounding_soft_percent=count("rounding", "soft_percent"),
        interactions={name: _interaction(name, entry) for name, entry in data["interactions"].items()},
    )


def _figure(entry: Mapping[str, Any], value: _Value) -> Figure[_Value]:
    if entry.get("mark") not in MARKS or not entry.get("source"):
        raise LibraryError(f"a figure needs mark and source: {entry}")
    return Figure(value, entry["mark"], entry["source"])


def _count(entry: Mapping[str, Any]) -> Figure[int]:
    if not isinstance(entry["count"], int) or isinstance(entry["count"], bool) or entry["count"] < 0:
        raise LibraryError(f"a whole number, 0 or more, is needed: {entry}")
    return _figure(entry, entry["count"])


def _concentrations(entry: Mapping[str, Any]) -> Figure[tuple[Concentration, ...]]:
    return _figure(entry, tuple(Concentration.parse(text) for text in entry["amounts"]))


def _daily(limits: Mapping[str, Any]) -> DailyLimits:
    return DailyLimits(**{key: _figure(entry, MassRate.parse(entry["amount"])) for key, entry in limits.items()})


def _interaction(name: str, entry: Mapping[str, Any]) -> Interaction:
    if entry.get("mark") not in MARKS or not entry.get("source") or not entry.get("text"):
        raise LibraryError(f"interaction {name} needs text, mark and source")
    return Interaction(entry["text"], entry["mark"], entry["source"])


def _check_order(library: DrugLibrary) -> None:
    """SR-04: hard_low ≤ soft_low ≤ typical ≤ soft_high ≤ hard_high, and the same sense in every pair of limits."""
    for name in ("spinal", "cerebral", "child"):
        if name not in library.daily or name not in library.increase:
            raise LibraryError(f"limits for {name} are missing")
    for name, daily in library.daily.items():
        for low, high in pairwise(LIMIT_ORDER):
            if getattr(daily, low).value > getattr(daily, high).value:
                raise LibraryError(f"daily.{name}: {low} is above {high}")
    for name, steps in library.increase.items():
        if not steps.soft_percent.value <= steps.second_percent.value <= steps.hard_percent.value:
            raise LibraryError(f"increase.{name}: soft ≤ second ≤ hard does not hold")
    if library.bolus_soft.value > library.bolus_hard.value:
        raise LibraryError("bolus: soft is above hard")
    if library.patient_bolus_hard.value > library.bolus_hard.value:
        raise LibraryError("bolus: patient_hard is above hard")
    if library.start_second_percent.value < 100:
        raise LibraryError("start: second_percent is below the limit itself")
    if not library.concentrations.value or set(library.concentrations.value) & set(library.screening_only.value):
        raise LibraryError("concentrations: none for the pump, or one that is for screening only")
