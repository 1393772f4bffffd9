"""What a pump's tubing and its catheter hold, and the thresholds for slips of entry: sourced, or not loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.profiles import load_profile as load_pump_profile
from itbpump.errors import ProfileError
from itbpump.profiles import load_profile, profile_names, slips
from itbpump.profiles.slips import load_slips, read_slips
from itbpump.quantity import Volume, VolumePerLength


def test_the_profiles_tell_tubing_and_bore_and_their_hash_is_still_the_pumps() -> None:
    for name in profile_names():
        profile = load_profile(name)
        assert profile.tubing_volume == Volume.parse("0.14 mL")
        assert profile.catheter_volume_per_length == VolumePerLength.parse("0.0022 mL/cm")
        assert profile.constants_hash == load_pump_profile(name).firmware.constants_hash


def test_every_threshold_has_mark_and_source_and_a_damaged_file_is_refused() -> None:
    thresholds = load_slips()
    assert all(figure.mark in {"R", "R2", "M", "D"} and figure.source for figure in thresholds.sources.values())
    text = (Path(slips.__file__).parent / "slips.toml").read_text("utf-8")
    assert read_slips(text) == thresholds
    for old, new in (
        ("entry-slips/1", "entry-slips/2"),
        ('mark = "D"', 'mark = "X"'),
        ("far_times", "for_times"),
        ("far_times = { count = 3", "far_times = { count = 2"),  # no longer above near_times
        ("far_times = { count = 3", "far_times = { count = 0"),
        ('every_short = { amount = "1h"', 'every_short = { amount = "60"'),
        ("[day]", "[day"),
    ):
        assert old in text
        with pytest.raises(ProfileError):
            read_slips(text.replace(old, new, 1))
