"""The pump's own profiles, apart from the companion's: P-20, P-40 (peristaltic), V-20, V-40 (valve-gated)."""

from __future__ import annotations

from firmware_sim.profiles.checks import ProfileError
from firmware_sim.profiles.loader import PROFILE_NAMES, Figure, load_figures, load_profile, parse_profile
from firmware_sim.profiles.model import HASHED_CONSTANTS, DrugLimits, FirmwareProfile, PlantProfile, PumpProfile, hash_constants

__all__ = [
    "HASHED_CONSTANTS",
    "PROFILE_NAMES",
    "DrugLimits",
    "Figure",
    "FirmwareProfile",
    "PlantProfile",
    "ProfileError",
    "PumpProfile",
    "hash_constants",
    "load_figures",
    "load_profile",
    "parse_profile",
]
