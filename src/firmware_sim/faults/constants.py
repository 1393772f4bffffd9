"""A pump whose own table of constants has gone wrong: another value, and the hash that is computed from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from firmware_sim.faults.errors import FaultError
from firmware_sim.profiles import FirmwareProfile
from firmware_sim.profiles.model import HASHED_CONSTANTS, hash_constants

__all__ = ["with_changed_constant"]


def with_changed_constant(profile: FirmwareProfile, name: str, change: int) -> FirmwareProfile:
    """The profile with `change` added to one of its hashed constants. Raises FaultError for another name, or a value below 1."""
    if name not in HASHED_CONSTANTS:
        raise FaultError(f"{name!r} is no constant with a place in the hash; there are: {', '.join(HASHED_CONSTANTS)}")
    values = {constant: getattr(profile, constant) for constant in HASHED_CONSTANTS} | {name: getattr(profile, name) + change}
    if values[name] < 1:
        raise FaultError(f"{name} would be {values[name]}; a corrupted constant of this catalogue stays positive")
    changed: dict[str, Any] = {name: values[name], "constants_hash": hash_constants(values)}
    return replace(profile, **changed)
