"""Pump profiles and drug libraries: sourced, ordered, or not loaded."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from importlib import resources

import pytest

from firmware_sim.profiles import load_profile as load_pump_profile
from itbpump.drugs import LIMIT_ORDER, library_names, load_library, read_library
from itbpump.errors import LibraryError, ProfileError
from itbpump.profiles import load_profile, mismatches, profile_names
from itbpump.quantity import Volume

BACLOFEN = resources.files("itbpump.drugs").joinpath("baclofen.toml").read_bytes()


def test_every_figure_of_a_profile_has_mark_and_source() -> None:
    assert profile_names() == ("P-20", "P-40", "V-20", "V-40")
    for name in profile_names():
        sources = load_profile(name).sources
        assert all(figure.mark in {"R", "R2", "M", "D"} and figure.source for figure in sources.values())
        assert all("unverified" in figure.source for figure in sources.values() if figure.mark == "M")


def test_the_safe_alarm_volumes_are_those_of_domain_0_3() -> None:
    assert load_profile("P-20").safe_low_alarm == Volume.parse("3.755459 mL")
    assert load_profile("P-40").safe_low_alarm == Volume.parse("6.28821 mL")


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


@pytest.mark.sr("SR-06")
def test_an_unknown_or_damaged_library_is_refused() -> None:
    assert library_names() == ("baclofen",)
    with pytest.raises(LibraryError):
        load_library("morphine")
    for damaged in (b"", b"\xff", BACLOFEN.replace(b"library/1", b"library/2"), BACLOFEN.replace(b"[stability]", b"[stale]")):
        with pytest.raises(LibraryError):
            read_library(damaged)
    for number, line in enumerate(BACLOFEN.splitlines()):
        if b"mark = " in line:
            lines = BACLOFEN.splitlines()
            lines[number] = line.replace(b"mark = ", b"mask = ")
            with pytest.raises(LibraryError):
                read_library(b"\n".join(lines))


@pytest.mark.sr("SR-04")
@pytest.mark.parametrize(("low", "high"), list(itertools.combinations(LIMIT_ORDER, 2)))
def test_limits_out_of_order_do_not_load(low: str, high: str) -> None:
    library = load_library("baclofen")
    spinal = library.daily["spinal"]
    low_text, high_text = getattr(spinal, low).value.text(), getattr(spinal, high).value.text()
    head, mark, rest = BACLOFEN.decode().partition("[daily.spinal]")
    swapped = rest.replace(f'{low} = {{ amount = "{low_text}"', f'{low} = {{ amount = "{high_text}"', 1)
    swapped = swapped.replace(f'{high} = {{ amount = "{high_text}"', f'{high} = {{ amount = "{low_text}"', 1)
    with pytest.raises(LibraryError, match="is above"):
        read_library(f"{head}{mark}{swapped}".encode())


@pytest.mark.sr("SR-04")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("soft_percent = { count = 30", "soft_percent = { count = 41"),
        ("second_percent = { count = 40", "second_percent = { count = 101"),
        ('soft = { amount = "50 mcg"', 'soft = { amount = "101 mcg"'),
        ('patient_hard = { amount = "50 mcg"', 'patient_hard = { amount = "101 mcg"'),
        ("second_percent = { count = 150", "second_percent = { count = 99"),
        ('amounts = ["500 mcg/mL"', 'amounts = ["50 mcg/mL"'),
        ("[daily.child]", "[daily.adult]"),
        ("days = { count = 180", "days = { count = -1"),
        ("days = { count = 180", "days = { count = true"),
    ],
)
def test_other_limits_out_of_order_do_not_load(old: str, new: str) -> None:
    text = BACLOFEN.decode()
    assert old in text
    with pytest.raises(LibraryError):
        read_library(text.replace(old, new, 1).encode())


def test_the_hash_is_over_the_file() -> None:
    assert read_library(BACLOFEN).sha256 == load_library("baclofen").sha256
    assert read_library(BACLOFEN + b"\n").sha256 != load_library("baclofen").sha256


def test_the_companion_is_never_looser_than_the_pump() -> None:
    library = load_library("baclofen")
    for name in profile_names():
        drug = load_pump_profile(name).firmware.drugs["baclofen"]
        assert {item.ng_per_mL for item in library.concentrations.value} <= set(drug.concentrations_ng_per_mL)
        assert library.bolus_hard.value.ng <= drug.bolus_mass_max_ng
        assert library.patient_bolus_hard.value.ng <= drug.patient_mass_max_ng
        assert max(limits.hard_high.value.ng_per_day for limits in library.daily.values()) <= drug.mass_24h_max_ng
