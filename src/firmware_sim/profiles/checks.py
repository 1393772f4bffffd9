"""What must hold between the figures of a profile before it is used.

Not checked: whether a figure is medically sensible; its source answers for that.
"""

from __future__ import annotations

from firmware_sim.profiles.model import DrugLimits, PlantProfile

PPM = 1_000_000
MAX_TANKS = 64  # beyond it the Poisson sums of the path would need more care than doubles in plain order

ZERO_ALLOWED = {
    "flow_min_nL_per_day",
    "prime_margin_nL",
    "patient_mass_max_ng",
    "patient_max_per_day",
    "accuracy_mean_ppm",
    "accuracy_sd_ppm",
    "drift_bound_ppm",
    "drift_step_ppm",
    "scatter_bound_ppm",
    "oscillator_bound_ppm",
}
NEGATIVE_ALLOWED = {"accuracy_mean_ppm"}

ORDER: tuple[tuple[str, str, str], ...] = (
    ("residual_nL", "<", "low_alarm_default_nL"),
    ("low_alarm_default_nL", "<", "capacity_nL"),
    ("flow_min_nL_per_day", "<", "flow_max_nL_per_day"),
    ("minimum_rate_nL_per_day", "<=", "flow_max_nL_per_day"),
    ("path_min_nL", "<=", "path_max_nL"),
    ("path_max_nL", "<", "capacity_nL"),
    ("bolus_min_duration_s", "<=", "bolus_max_duration_s"),
    ("eri_to_eos_ms", "<", "service_life_ms"),
    ("stall_detect_ms", "<", "stopped_alarm_ms"),
    ("watchdog_ms", "<", "reset_loop_window_ms"),
    ("restart_window_ms", "<=", "restart_lock_ms"),
    ("restart_lock_ms", "<", "stopped_alarm_ms"),
)


class ProfileError(ValueError):
    """A profile that may not be used: `profile`, `key` and what is wrong with it."""

    def __init__(self, profile: str, key: str, problem: str) -> None:
        super().__init__(f"profile {profile}: {key}: {problem}")
        self.profile = profile
        self.key = key
        self.problem = problem


def check_drug(profile: str, drug: str, limits: DrugLimits) -> None:
    """Raises ProfileError unless concentrations ascend and patient ≤ bolus ≤ 24 h mass."""
    path = f"drug.{drug}"
    known = limits.concentrations_ng_per_mL
    if list(known) != sorted(set(known)):
        raise ProfileError(profile, f"{path}.concentrations_ng_per_mL", "must ascend without repeats")
    if limits.patient_mass_max_ng > limits.bolus_mass_max_ng:
        raise ProfileError(profile, f"{path}.patient_mass_max_ng", f"is above bolus_mass_max_ng ({limits.bolus_mass_max_ng})")
    if limits.bolus_mass_max_ng > limits.mass_24h_max_ng:
        raise ProfileError(profile, f"{path}.bolus_mass_max_ng", f"is above mass_24h_max_ng ({limits.mass_24h_max_ng})")


def check_plant(plant: PlantProfile, path_min_nL: int, path_max_nL: int) -> None:
    """Raises ProfileError unless the physics can be simulated: tolerance holds drift, pulses never run backwards, tanks are few."""
    if not path_min_nL <= plant.path_default_nL <= path_max_nL:
        raise ProfileError(plant.name, "plant.path_default_nL", f"is {plant.path_default_nL}, outside {path_min_nL} to {path_max_nL}")
    if not plant.path_tanks <= MAX_TANKS:
        raise ProfileError(plant.name, "plant.path_tanks", f"is {plant.path_tanks}, at most {MAX_TANKS}")
    room = plant.accuracy_bound_ppm - plant.drift_bound_ppm
    if not abs(plant.accuracy_mean_ppm) <= room:
        problem = f"with the drift bound exceeds accuracy_bound_ppm ({plant.accuracy_bound_ppm})"
        raise ProfileError(plant.name, "plant.accuracy_mean_ppm", problem)
    if plant.drift_step_ppm > plant.drift_bound_ppm:
        raise ProfileError(plant.name, "plant.drift_step_ppm", f"is above drift_bound_ppm ({plant.drift_bound_ppm})")
    if plant.accuracy_bound_ppm + plant.scatter_bound_ppm >= PPM:
        raise ProfileError(plant.name, "plant.scatter_bound_ppm", "with the tolerance would make a pulse run backwards")
    if not plant.csf_half_life_min_s <= plant.csf_half_life_s <= plant.csf_half_life_max_s:
        low, high = plant.csf_half_life_min_s, plant.csf_half_life_max_s
        raise ProfileError(plant.name, "plant.csf_half_life_s", f"is {plant.csf_half_life_s}, outside {low} to {high}")
