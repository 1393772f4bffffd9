"""Reads profiles: every figure has a value, a mark and a source, or the profile does not load.

Two TOML files hold two sizes each. `parse_profile` is pure; only `load_profile` and `load_figures` read the packaged files.
Not checked here: that the companion's profiles agree (a test of both trees does).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal, cast

from firmware_sim.profiles.checks import NEGATIVE_ALLOWED, ORDER, ZERO_ALLOWED, ProfileError, check_drug, check_plant
from firmware_sim.profiles.model import HASHED_CONSTANTS, DrugLimits, FirmwareProfile, PlantProfile, PumpProfile, SafeState, hash_constants

SCHEMA = "firmware_sim.profile/1"
_FILE_OF = {"P-20": "peristaltic.toml", "P-40": "peristaltic.toml", "V-20": "valve.toml", "V-40": "valve.toml"}
PROFILE_NAMES = tuple(_FILE_OF)

Mark = Literal["R", "R2", "M", "D"]
MARKS = ("R", "R2", "M", "D")
SAFE_STATES = ("minimum_rate", "stopped")

_SHARED_KEYS = {"name", "pulse_volume_nL", "capacity_nL", "residual_nL"}
_FIRMWARE_KEYS = {field.name for field in fields(FirmwareProfile)} - {"name", "drugs", "constants_hash"}
_PLANT_KEYS = {field.name for field in fields(PlantProfile)} - _SHARED_KEYS
_DRUG_KEYS = {field.name for field in fields(DrugLimits)}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a profile with its mark (R, R2, M = unverified, D = derived) and its source."""

    value: int | str | tuple[int, ...]
    mark: Mark
    source: str


def load_profile(name: str, *, pulse_volume_nL: int | None = None) -> PumpProfile:
    """The profile called `name`.

    `pulse_volume_nL` (1 to 100,000) replaces the file's pulse volume, for benches of scale; the constants hash follows it.
    Raises ProfileError for an unknown name or a file that does not hold together.
    """
    return _loaded(name, pulse_volume_nL)


def load_figures(name: str) -> dict[str, Figure]:
    """Every figure of a profile by its path (`firmware.capacity_nL`, `drug.baclofen.mass_24h_max_ng`), for tables and tests."""
    return _figures(_read(name), name)


def parse_profile(text: str, name: str, *, pulse_volume_nL: int | None = None) -> PumpProfile:
    """The profile `name` out of the TOML of its family. Raises ProfileError naming the key and what is wrong with it."""
    figures = _figures(text, name)
    firmware = {key: figures[f"firmware.{key}"].value for key in _FIRMWARE_KEYS}
    if pulse_volume_nL is not None:
        if not 1 <= pulse_volume_nL <= 100_000:
            raise ProfileError(name, "pulse_volume_nL", f"{pulse_volume_nL} is not between 1 and 100,000 nL")
        firmware["pulse_volume_nL"] = pulse_volume_nL
    numbers = {key: value for key, value in firmware.items() if isinstance(value, int)}
    for low, relation, high in ORDER:
        _check_order(name, numbers, low, relation, high)
    drugs = {drug: _drug(figures, name, drug) for drug in _drug_names(figures)}
    if not drugs:
        raise ProfileError(name, "drug", "at least one drug is needed")
    shared = {key: numbers[key] for key in _SHARED_KEYS - {"name"}}
    plant = PlantProfile(name=name, **shared, **{key: cast(int, figures[f"plant.{key}"].value) for key in _PLANT_KEYS})
    check_plant(plant, numbers["path_min_nL"], numbers["path_max_nL"])
    return PumpProfile(
        FirmwareProfile(
            name=name,
            critical_memory_safe_state=cast(SafeState, firmware["critical_memory_safe_state"]),
            drugs=MappingProxyType(drugs),
            constants_hash=hash_constants({key: numbers[key] for key in HASHED_CONSTANTS}),
            **numbers,
        ),
        plant,
    )


@lru_cache(maxsize=16)  # the files are the program's own and a profile cannot be changed; reading one takes longer than making a pump
def _loaded(name: str, pulse_volume_nL: int | None) -> PumpProfile:
    return parse_profile(_read(name), name, pulse_volume_nL=pulse_volume_nL)


def _read(name: str) -> str:
    if name not in _FILE_OF:
        raise ProfileError(name, "name", f"unknown profile; known are {', '.join(PROFILE_NAMES)}")
    return resources.files(__package__).joinpath(_FILE_OF[name]).read_text(encoding="utf-8")


def _figures(text: str, name: str) -> dict[str, Figure]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(name, "file", f"not TOML: {error}") from error
    if document.get("schema") != SCHEMA:
        raise ProfileError(name, "schema", f"is {document.get('schema')!r}, expected {SCHEMA!r}")
    _refuse_unknown(name, "", document, {"schema", "firmware", "plant", "drug", "variant"})
    variant = _table(name, "variant", document).get(name)
    if not isinstance(variant, dict):
        raise ProfileError(name, f"variant.{name}", "missing: the file does not hold this profile")
    _refuse_unknown(name, f"variant.{name}", variant, {"firmware", "plant", "drug"})
    figures: dict[str, Figure] = {}
    for source in (document, variant):
        for section in ("firmware", "plant"):
            _collect(figures, name, section, _table(name, section, source))
        for drug, limits in _table(name, "drug", source).items():
            if not isinstance(limits, dict):
                raise ProfileError(name, f"drug.{drug}", "must be a table of limits")
            _collect(figures, name, f"drug.{drug}", limits)
    expected = {f"firmware.{key}" for key in _FIRMWARE_KEYS} | {f"plant.{key}" for key in _PLANT_KEYS}
    expected |= {f"drug.{drug}.{key}" for drug in _drug_names(figures) for key in _DRUG_KEYS}
    for path in sorted(figures.keys() - expected):
        raise ProfileError(name, path, "unknown key")
    for path in sorted(expected - figures.keys()):
        raise ProfileError(name, path, "missing")
    return figures


def _table(name: str, key: str, source: Mapping[str, Any]) -> Mapping[str, Any]:
    table = source.get(key, {})
    if not isinstance(table, dict):
        raise ProfileError(name, key, "must be a table")
    return table


def _refuse_unknown(name: str, where: str, table: Mapping[str, Any], known: set[str]) -> None:
    for key in sorted(table.keys() - known):
        raise ProfileError(name, f"{where}.{key}".lstrip("."), "unknown key")


def _collect(figures: dict[str, Figure], name: str, section: str, table: Mapping[str, Any]) -> None:
    for key, raw in table.items():
        path = f"{section}.{key}"
        if path in figures:
            raise ProfileError(name, path, "stands in the common part and in the variant; keep one")
        figures[path] = _figure(name, path, key, raw)


def _figure(name: str, path: str, key: str, raw: Any) -> Figure:
    if not isinstance(raw, dict):
        raise ProfileError(name, path, "must be { value, mark, source }")
    _refuse_unknown(name, path, raw, {"value", "mark", "source"})
    mark, source = raw.get("mark"), raw.get("source")
    if mark not in MARKS:
        raise ProfileError(name, path, f"mark is {mark!r}, expected one of {', '.join(MARKS)}")
    if not isinstance(source, str) or not source.strip():
        raise ProfileError(name, path, "has no source")
    if mark == "M" and not source.startswith("unverified"):
        raise ProfileError(name, path, "is marked M, so its source must begin with 'unverified'")
    return Figure(_value(name, path, key, raw.get("value")), cast(Mark, mark), source)


def _value(name: str, path: str, key: str, value: Any) -> int | str | tuple[int, ...]:
    if key == "critical_memory_safe_state":
        if value not in SAFE_STATES:
            raise ProfileError(name, path, f"is {value!r}, expected one of {', '.join(SAFE_STATES)}")
        return cast(str, value)
    if key == "concentrations_ng_per_mL":
        if not isinstance(value, list) or not value or not all(type(entry) is int and entry > 0 for entry in value):
            raise ProfileError(name, path, "must be a list of positive integers")
        return tuple(value)
    if type(value) is not int:
        raise ProfileError(name, path, f"is {value!r}, expected an integer")
    if value < 0 and key not in NEGATIVE_ALLOWED:
        raise ProfileError(name, path, f"is {value}, must not be negative")
    if value == 0 and key not in ZERO_ALLOWED:
        raise ProfileError(name, path, "must not be zero")
    return value


def _drug_names(figures: Mapping[str, Figure]) -> list[str]:
    return sorted({path.split(".")[1] for path in figures if path.startswith("drug.")})


def _drug(figures: Mapping[str, Figure], name: str, drug: str) -> DrugLimits:
    values: dict[str, Any] = {key: figures[f"drug.{drug}.{key}"].value for key in _DRUG_KEYS}
    limits = DrugLimits(**values)
    check_drug(name, drug, limits)
    return limits


def _check_order(name: str, numbers: Mapping[str, int], low: str, relation: str, high: str) -> None:
    below = numbers[low] < numbers[high] if relation == "<" else numbers[low] <= numbers[high]
    if not below:
        raise ProfileError(name, f"firmware.{low}", f"is {numbers[low]}, must be {relation} {high} ({numbers[high]})")
