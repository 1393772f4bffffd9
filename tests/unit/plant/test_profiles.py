"""Every figure of a profile has a source and a mark; a profile that does not hold together does not load."""

from __future__ import annotations

import dataclasses
import hashlib
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.profiles import PROFILE_NAMES, ProfileError, load_figures, load_profile, parse_profile

PERISTALTIC = resources.files("firmware_sim.profiles").joinpath("peristaltic.toml").read_text("utf-8")


def changed(old: str, new: str) -> str:
    assert PERISTALTIC.count(old) == 1
    return PERISTALTIC.replace(old, new)


@pytest.mark.parametrize("name", PROFILE_NAMES)
def test_every_figure_has_a_source_and_unverified_ones_say_so(name: str) -> None:
    figures = load_figures(name)
    assert len(figures) > 40
    for path, figure in figures.items():
        assert figure.mark in ("R", "R2", "M", "D"), path
        assert len(figure.source) >= 10, path
        assert (figure.mark == "M") == figure.source.startswith("unverified"), path


@pytest.mark.parametrize(
    ("name", "volumes", "accuracy", "flows", "low"),
    [
        ("P-20", (500, 20_000_000, 1_400_000), 145_000, (48_000, 24_000_000), 4_000_000),
        ("P-40", (500, 40_000_000, 1_400_000), 145_000, (48_000, 24_000_000), 6_000_000),
        ("V-20", (2000, 20_000_000, 1_000_000), 150_000, (0, 28_800_000), 4_000_000),
        ("V-40", (2000, 40_000_000, 1_000_000), 150_000, (0, 28_800_000), 6_000_000),
    ],
)
def test_figures_are_those_of_the_domain_page(
    name: str, volumes: tuple[int, int, int], accuracy: int, flows: tuple[int, int], low: int
) -> None:
    firmware, plant = load_profile(name).firmware, load_profile(name).plant
    assert (firmware.pulse_volume_nL, firmware.capacity_nL, firmware.residual_nL) == volumes
    assert (plant.pulse_volume_nL, plant.capacity_nL, plant.residual_nL) == volumes
    assert (firmware.accuracy_ppm, plant.accuracy_bound_ppm) == (accuracy, accuracy)
    assert (firmware.flow_min_nL_per_day, firmware.flow_max_nL_per_day) == flows
    assert firmware.low_alarm_default_nL == low
    assert firmware.minimum_rate_nL_per_day == 6_000
    assert (firmware.stopped_alarm_ms, firmware.stall_detect_ms, firmware.eri_to_eos_ms) == (172_800_000, 1_200_000, 90 * 86_400_000)
    baclofen = firmware.drugs["baclofen"]
    assert baclofen.concentrations_ng_per_mL == (500_000, 1_000_000, 2_000_000, 3_000_000)
    assert (baclofen.bolus_mass_max_ng, baclofen.patient_mass_max_ng, baclofen.mass_24h_max_ng) == (100_000, 50_000, 2_003_000)


@pytest.mark.parametrize("name", PROFILE_NAMES)
def test_replacement_warning_outlasts_its_ninety_days(name: str) -> None:
    """At 1 mL/day the battery still runs for 90 d after the replacement indicator; at 0.25 mL/day it lasts to the end of service."""
    firmware, plant = load_profile(name).firmware, load_profile(name).plant

    def drain_per_day(flow_nL: int) -> int:
        return plant.battery_idle_per_day_e12 + plant.battery_per_nL_e12 * flow_nL

    assert drain_per_day(1_000_000) * 90 * 1000 < firmware.eri_battery_permille * 10**12
    assert drain_per_day(250_000) * firmware.service_life_ms // 86_400_000 < 10**12


def test_constants_hash_covers_the_seven_constants_sorted_by_name() -> None:
    lines = (
        "accuracy_ppm=145000\ncapacity_nL=40000000\nflow_max_nL_per_day=24000000\nflow_min_nL_per_day=48000\n"
        "minimum_rate_nL_per_day=6000\npulse_volume_nL=500\nresidual_nL=1400000\n"
    )
    assert load_profile("P-40").firmware.constants_hash == hashlib.sha256(lines.encode()).digest()
    assert len({load_profile(name).firmware.constants_hash for name in PROFILE_NAMES}) == 4


def test_pulse_volume_can_be_replaced_and_changes_the_hash_only_with_it() -> None:
    fine, usual = load_profile("P-40", pulse_volume_nL=50), load_profile("P-40")
    assert fine.plant == dataclasses.replace(usual.plant, pulse_volume_nL=50)
    assert fine.firmware.constants_hash != usual.firmware.constants_hash
    assert load_profile("P-40", pulse_volume_nL=500).firmware == usual.firmware


@pytest.mark.parametrize("pulse_volume_nL", [0, -1, 100_001])
def test_impossible_pulse_volume_is_refused(pulse_volume_nL: int) -> None:
    with pytest.raises(ProfileError, match="pulse_volume_nL"):
        load_profile("P-40", pulse_volume_nL=pulse_volume_nL)


def test_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(ProfileError, match="P-20, P-40, V-20, V-40"):
        load_profile("P-41")


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        ("residual_nL = {", "residual_mL = {", "firmware.residual_mL", "unknown key"),
        ("path_tanks = {", "path_tank = {", "plant.path_tank", "unknown key"),
        (
            'mark = "R", source = "a screening bolus',
            'mark = "R", source = "", sauce = "a',
            "firmware.bolus_min_duration_s.sauce",
            "unknown",
        ),
        (
            'source = "a screening bolus is given over at least 1 min: drugs.com/dosage/baclofen, domain 3"',
            'source = " "',
            "bolus_min",
            "no source",
        ),
        ('mark = "M", source = "unverified; 2003', 'mark = "M", source = "2003', "drug.baclofen.mass_24h_max_ng", "unverified"),
        ('mark = "M", source = "unverified; 2003', 'mark = "Q", source = "unverified; 2003', "drug.baclofen.mass_24h_max_ng", "mark"),
        ("{ value = 1400000,", "{ value = 1400000.0,", "firmware.residual_nL", "integer"),
        ("{ value = 1400000,", "{ value = true,", "firmware.residual_nL", "integer"),
        ("{ value = 1400000,", "{ value = -1,", "firmware.residual_nL", "negative"),
        ("{ value = 1400000,", "{ value = 0,", "firmware.residual_nL", "zero"),
        ("{ value = 1400000,", "{ value = 7000000,", "firmware.residual_nL", "must be <"),
        (
            "low_alarm_default_nL = { value = 6000000",
            "low_alarm_default_nL = { value = 40000000",
            "firmware.low_alarm_default_nL",
            "must be <",
        ),
        ("flow_min_nL_per_day = { value = 48000", "flow_min_nL_per_day = { value = 24000000", "firmware.flow_min_nL_per_day", "must be <"),
        ("[500000, 1000000,", "[1000000, 500000,", "drug.baclofen.concentrations_ng_per_mL", "ascend"),
        ("[500000, 1000000,", "[500000, 500000,", "drug.baclofen.concentrations_ng_per_mL", "ascend"),
        ("patient_mass_max_ng = { value = 50000", "patient_mass_max_ng = { value = 100001", "drug.baclofen.patient_mass_max_ng", "above"),
        ("mass_24h_max_ng = { value = 2003000", "mass_24h_max_ng = { value = 99999", "drug.baclofen.bolus_mass_max_ng", "above"),
        ('value = "minimum_rate"', 'value = "hope"', "firmware.critical_memory_safe_state", "expected one of"),
        ("accuracy_mean_ppm = { value = 10000", "accuracy_mean_ppm = { value = 125001", "plant.accuracy_mean_ppm", "exceeds"),
        ("path_tanks = { value = 12", "path_tanks = { value = 65", "plant.path_tanks", "at most 64"),
        ("path_default_nL = { value = 316000", "path_default_nL = { value = 139999", "plant.path_default_nL", "outside"),
        ("csf_half_life_s = { value = 5436", "csf_half_life_s = { value = 3239", "plant.csf_half_life_s", "outside"),
        ("scatter_bound_ppm = { value = 80000", "scatter_bound_ppm = { value = 855000", "plant.scatter_bound_ppm", "backwards"),
        ("[variant.P-40.firmware]", "[variant.P-40.firmwear]", "variant.P-40.firmwear", "unknown key"),
        ("[variant.P-40.firmware]", "[variant.P-41.firmware]", "variant.P-40", "missing"),
        ("\n[plant]", "\n[plants]", "plants", "unknown key"),
        ("[500000, 1000000, 2000000, 3000000]", "500000", "drug.baclofen.concentrations_ng_per_mL", "list"),
        ("[500000, 1000000,", "[500000, 0,", "drug.baclofen.concentrations_ng_per_mL", "list"),
        ("drift_step_ppm = { value = 5000", "drift_step_ppm = { value = 20001", "plant.drift_step_ppm", "above"),
        ("[drug.baclofen]", "[drug]\nbaclofen = 3\n[variant.P-40.plant]", "drug.baclofen", "table of limits"),
        ("\n[firmware]", "\nplant = 3\n[firmware]", "file", "not TOML"),
        ("\n[plant]", "\n[variant.P-40]\nplant = 3\n[variant.P-20.plant]", "plant", "must be a table"),
        ("[variant.P-40.firmware]", "[variant.P-40.firmware]\nresidual_nL = 3", "firmware.residual_nL", "keep one"),
        ("capacity_nL = { value = 40000000,", "capacity_nL = 4\nspare = { value = 40000000,", "firmware.capacity_nL", "must be {"),
        ("firmware_sim.profile/1", "firmware_sim.profile/2", "schema", "expected"),
        ("[drug.baclofen]", "[drug.baclofen", "file", "not TOML"),
    ],
)
@pytest.mark.sr("SR-06")
def test_profile_that_does_not_hold_together_is_refused_with_its_key(old: str, new: str, key: str, problem: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(changed(old, new), "P-40")
    assert caught.value.profile == "P-40"
    assert problem in caught.value.problem
    assert key in caught.value.key


@given(st.data())
@pytest.mark.sr("SR-06")
def test_profile_with_any_figure_missing_is_refused(data: st.DataObject) -> None:
    lines = PERISTALTIC.splitlines()
    figures = [number for number, line in enumerate(lines) if "= { value" in line]
    number = data.draw(st.sampled_from(figures))
    text = "\n".join(lines[:number] + lines[number + 1 :])
    in_one_variant = number > next(index for index, line in enumerate(lines) if line.startswith("[variant."))
    in_p20 = number < next(index for index, line in enumerate(lines) if line.startswith("[variant.P-40"))
    for name in ("P-20", "P-40"):
        if in_one_variant and in_p20 != (name == "P-20"):
            parse_profile(text, name)
        else:
            with pytest.raises(ProfileError, match="missing"):
                parse_profile(text, name)
