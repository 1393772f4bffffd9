"""What a pump profile consists of: the constants and hard limits of the firmware, and the physics of the plant.

Integers with the unit in the name; `_ppm` is parts per million, `_e12` is 1e-12 of a full battery. Values come from the TOML
files of this package through `firmware_sim.profiles.load_profile`. Not modelled: anything that differs between two pumps of
one profile (the plant draws that from its seed).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SafeState = Literal["minimum_rate", "stopped"]

HASHED_CONSTANTS = (
    "accuracy_ppm",
    "capacity_nL",
    "flow_max_nL_per_day",
    "flow_min_nL_per_day",
    "minimum_rate_nL_per_day",
    "pulse_volume_nL",
    "residual_nL",
)


@dataclass(frozen=True, slots=True)
class DrugLimits:
    """Hard limits of the pump for one drug. `patient_mass_max_ng` 0 means: no patient bolus."""

    concentrations_ng_per_mL: tuple[int, ...]
    bolus_mass_max_ng: int
    patient_mass_max_ng: int
    mass_24h_max_ng: int


@dataclass(frozen=True, slots=True)
class FirmwareProfile:
    """What the pump believes about itself and the limits that nobody can override. `flow_min_nL_per_day` 0: zero flow is a flow."""

    name: str
    pulse_volume_nL: int
    capacity_nL: int
    residual_nL: int
    minimum_rate_nL_per_day: int
    flow_min_nL_per_day: int
    flow_max_nL_per_day: int
    accuracy_ppm: int
    path_min_nL: int
    path_max_nL: int
    prime_margin_nL: int
    prime_lockout_ms: int
    bolus_min_duration_s: int
    bolus_max_duration_s: int
    patient_lockout_min_ms: int
    patient_max_per_day: int
    low_alarm_default_nL: int
    service_life_ms: int
    eri_to_eos_ms: int
    eri_battery_permille: int
    stopped_alarm_ms: int
    stall_detect_ms: int
    over_delivery_pulses: int
    under_delivery_permille: int
    watchdog_ms: int
    reset_loop_resets: int
    reset_loop_window_ms: int
    restart_limit: int
    restart_window_ms: int
    restart_lock_ms: int
    critical_memory_safe_state: SafeState
    drugs: Mapping[str, DrugLimits]
    constants_hash: bytes


@dataclass(frozen=True, slots=True)
class PlantProfile:
    """The physics of a pump model. The plant's residual, capacity and pulse volume are the nominal ones of the firmware part."""

    name: str
    pulse_volume_nL: int
    capacity_nL: int
    residual_nL: int
    path_default_nL: int
    path_tanks: int
    accuracy_mean_ppm: int
    accuracy_sd_ppm: int
    accuracy_bound_ppm: int
    drift_bound_ppm: int
    drift_step_ppm: int
    drift_knot_nL: int
    scatter_bound_ppm: int
    pulses_per_turn: int
    battery_idle_per_day_e12: int
    battery_per_nL_e12: int
    battery_per_handshake_e12: int
    battery_per_record_e12: int
    csf_half_life_s: int
    csf_half_life_min_s: int
    csf_half_life_max_s: int
    csf_clearance_nL_per_h: int
    oscillator_bound_ppm: int


@dataclass(frozen=True, slots=True)
class PumpProfile:
    """One pump model: what its firmware knows, and what is true."""

    firmware: FirmwareProfile
    plant: PlantProfile


def hash_constants(constants: Mapping[str, int]) -> bytes:
    """SHA-256 over the ASCII lines `name=value\\n` of HASHED_CONSTANTS, sorted by name; the companion compares it with its own."""
    lines = "".join(f"{name}={constants[name]}\n" for name in sorted(HASHED_CONSTANTS))
    return hashlib.sha256(lines.encode("ascii")).digest()
