"""The companion's own pump profiles: what each generic pump can do, every figure with its source and mark.

Written apart from the pump's own file on purpose: before programming, the companion compares what the pump reports with what stands here.
Not here: physics of the simulated pump, battery, alarm tones.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Any, Protocol

from itbpump.errors import ProfileError
from itbpump.quantity import Amount, Duration, Flow, Volume, VolumePerLength

__all__ = ["FILES", "PumpConstants", "PumpProfile", "Sourced", "load_profile", "mismatches", "profile_names"]

FILES = ("peristaltic.toml", "valve.toml")
MARKS = frozenset({"R", "R2", "M", "D"})
# What the pump reports and hashes; name → attribute of PumpProfile in base units.
HASHED = (
    "accuracy_ppm",
    "capacity_nL",
    "flow_max_nL_per_day",
    "flow_min_nL_per_day",
    "minimum_rate_nL_per_day",
    "pulse_volume_nL",
    "residual_nL",
)


@dataclass(frozen=True, slots=True)
class Sourced:
    """Where a figure comes from. mark: R read, R2 read in a secondary source, M unverified, D derived."""

    mark: str
    source: str


@dataclass(frozen=True, slots=True)
class PumpProfile:
    """What a pump can do, and what it and its catheter hold: `tubing_volume` inside the pump, `catheter_volume_per_length` typically.

    `sources` names every figure's origin.
    """

    name: str
    pulse_volume: Volume
    capacity: Volume
    residual: Volume
    minimum_rate: Flow
    flow_min: Flow
    flow_max: Flow
    accuracy_ppm: int
    path_min: Volume
    path_max: Volume
    prime_margin: Volume
    prime_lockout: Duration
    tubing_volume: Volume
    catheter_volume_per_length: VolumePerLength
    bolus_min_duration: Duration
    bolus_max_duration: Duration
    patient_lockout_min: Duration
    patient_max_per_day: int
    low_alarm_default: Volume
    service_life_days: int
    sources: Mapping[str, Sourced]

    @property
    def constants(self) -> dict[str, int]:
        """The constants that pump and companion must agree on, in base units."""
        return {
            "accuracy_ppm": self.accuracy_ppm,
            "capacity_nL": self.capacity.nL,
            "flow_max_nL_per_day": self.flow_max.whole_nL_per_day,
            "flow_min_nL_per_day": self.flow_min.whole_nL_per_day,
            "minimum_rate_nL_per_day": self.minimum_rate.whole_nL_per_day,
            "pulse_volume_nL": self.pulse_volume.nL,
            "residual_nL": self.residual.nL,
        }

    @property
    def constants_hash(self) -> bytes:
        """SHA-256 over the lines `name=value`, sorted by name; the pump reports its own."""
        constants = self.constants
        return hashlib.sha256("".join(f"{name}={constants[name]}\n" for name in HASHED).encode("ascii")).digest()

    @property
    def safe_low_alarm(self) -> Volume:
        """The alarm volume that always sounds before the pump is dry, A = (V·t + r) / (1 + t) of domain 0.3, for a full pump; rounded
        up."""
        return self.safe_low_alarm_at(self.capacity)

    def safe_low_alarm_at(self, filled: Volume) -> Volume:
        """The same for a reservoir filled with less."""
        tolerance = Fraction(self.accuracy_ppm, 1_000_000)
        return Volume(-(-((filled.nL * tolerance + self.residual.nL) / (1 + tolerance)) // 1))


class PumpConstants(Protocol):
    """What a pump reports of itself; the wire's Info is one."""

    @property
    def profile(self) -> str: ...
    @property
    def constants_hash(self) -> bytes: ...


def mismatches(profile: PumpProfile, pump: PumpConstants) -> tuple[str, ...]:
    """What a pump reports otherwise than its profile here, in words; empty when they agree. The companion programs no pump that differs."""
    if pump.profile != profile.name:
        return (f"the pump is a {pump.profile}, not a {profile.name}",)
    wrong = [
        f"{name}: pump {getattr(pump, name)}, companion {value}"
        for name, value in profile.constants.items()
        if getattr(pump, name, value) != value
    ]
    if not wrong and pump.constants_hash != profile.constants_hash:
        wrong.append("the hash of the pump's constants differs though each constant agrees")
    return tuple(wrong)


def profile_names() -> tuple[str, ...]:
    """Names of all pumps known, sorted."""
    return tuple(sorted(_load_all()))


def load_profile(name: str) -> PumpProfile:
    """The profile of a pump. Raises ProfileError for an unknown name or a damaged file."""
    profiles = _load_all()
    if name not in profiles:
        raise ProfileError(f"no pump profile {name!r}", action=f"use one of {', '.join(sorted(profiles))}")
    return profiles[name]


@cache
def _load_all() -> dict[str, PumpProfile]:
    found: dict[str, PumpProfile] = {}
    for file in FILES:
        data = resources.files("itbpump.profiles").joinpath(file).read_text("utf-8")
        found.update(_read(file, tomllib.loads(data)))
    return found


def _read(file: str, data: Mapping[str, Any]) -> Iterator[tuple[str, PumpProfile]]:
    if data.get("schema") != "itbpump.pump-profile/1":
        raise ProfileError(f"{file}: unknown schema {data.get('schema')!r}")
    for name, own in data["size"].items():
        figures = {**data["figures"], **own}
        values: dict[str, Any] = {key: _figure(f"{file}: {name}", key, figure) for key, figure in figures.items()}
        sources = {key: Sourced(figure["mark"], figure["source"]) for key, figure in figures.items()}
        try:
            yield name, _ordered(PumpProfile(name=name, **values, sources=sources))
        except TypeError as error:
            raise ProfileError(f"{file}: {name}: {error}") from error


def _figure(where: str, key: str, figure: Mapping[str, Any]) -> Amount | Duration | int:
    """One figure in the type its key has in `PumpProfile`."""
    if figure.get("mark") not in MARKS or not figure.get("source"):
        raise ProfileError(f"{where}.{key}: a figure needs mark and source")
    kind = PumpProfile.__annotations__.get(key)
    if kind == "int":
        if not isinstance(figure.get("count"), int):
            raise ProfileError(f"{where}.{key}: a whole count is needed")
        return int(figure["count"])
    readers: dict[str, type[Amount | Duration]] = {
        "Volume": Volume,
        "Flow": Flow,
        "Duration": Duration,
        "VolumePerLength": VolumePerLength,
    }
    if kind not in readers:
        raise ProfileError(f"{where}.{key}: not a figure of a profile")
    return readers[kind].parse(figure.get("amount"))


def _ordered(profile: PumpProfile) -> PumpProfile:
    """A profile whose figures contradict each other does not load."""
    if not profile.residual < profile.low_alarm_default < profile.capacity:
        raise ProfileError(f"{profile.name}: residual < low_alarm_default < capacity does not hold")
    if not profile.flow_min <= profile.flow_max or not profile.minimum_rate <= profile.flow_max:
        raise ProfileError(f"{profile.name}: flow_min and minimum_rate must be at most flow_max")
    if not profile.path_min <= profile.path_max or not profile.bolus_min_duration <= profile.bolus_max_duration:
        raise ProfileError(f"{profile.name}: a smallest value is above the largest")
    if profile.tubing_volume > profile.path_max:
        raise ProfileError(f"{profile.name}: tubing_volume is above path_max")
    return profile
