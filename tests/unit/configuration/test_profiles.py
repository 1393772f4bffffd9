"""Pump profiles: sourced, ordered, or not loaded."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from firmware_sim.profiles import load_profile as load_pump_profile
from itbpump.errors import ProfileError
from itbpump.profiles import load_profile, mismatches, profile_names
from itbpump.quantity import Volume


def test_every_figure_of_a_profile_has_mark_and_source() -> None:
    assert profile_names() == ("P-20", "P-40", "V-20", "V-40")
    for name in profile_names():
        sources = load_profile(name).sources
        assert all(figure.mark in {"R", "R2", "M", "D"} and figure.source for figure in sources.values())
        assert all("unverified" in figure.source for figure in sources.values() if figure.mark == "M")


@pytest.mark.sr("SR-35")
def test_the_safe_alarm_volumes_are_those_of_domain_0_3() -> None:
    assert load_profile("P-20").safe_low_alarm == Volume.parse("3.755459 mL")
    assert load_profile("P-40").safe_low_alarm == Volume.parse("6.28821 mL")


@pytest.mark.sr("SR-06")
def test_an_unknown_pump_is_refused() -> None:
    with pytest.raises(ProfileError) as caught:
        load_profile("X-1")
    assert "P-20" in caught.value.action


@dataclass(frozen=True)
class Reported:
    """What a pump says of itself."""

    profile: str
    constants_hash: bytes
    capacity_nL: int = 40_000_000


@pytest.mark.sr("SR-06")
def test_a_pump_that_reports_other_constants_is_told_from_its_profile() -> None:
    mine = load_profile("P-40")
    same = load_pump_profile("P-40").firmware.constants_hash
    assert mismatches(mine, Reported("P-40", same)) == ()
    assert mismatches(mine, Reported("P-20", same)) == ("the pump is a P-20, not a P-40",)
    assert mismatches(mine, Reported("P-40", same, 20_000_000)) == ("capacity_nL: pump 20000000, companion 40000000",)
    assert len(mismatches(mine, Reported("P-40", bytes(32)))) == 1
