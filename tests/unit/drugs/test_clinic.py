"""A clinic's own file over a library: it tightens, or it does not load."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itbpump.drugs import library_names, load_library, read_library, with_clinic
from itbpump.drugs.keys import KEYS, Kind, Tighten
from itbpump.drugs.overlay import is_looser
from itbpump.errors import LibraryError
from itbpump.quantity import Concentration, Duration, Mass
from itbpump.safety import Severity, review
from itbpump.therapy import Prescription
from tests.unit.drugs.files import CONTENT, LISTS, NUMBERS, another_concentration, by_steps, clinic_file, figures, key_of, tighter
from tests.unit.therapy.prescriptions import prescriptions

BASE = load_library("baclofen")
DIRECTED = [(name, path) for name in library_names() for path in figures(name) if key_of(path).tighten is not Tighten.FIXED]
FIXED = [(name, path) for name in library_names() for path in figures(name) if key_of(path).tighten is Tighten.FIXED]


def test_every_number_has_a_direction_or_is_not_for_a_clinic() -> None:
    """What a clinic cannot touch is listed here on purpose: adding a number to a library means deciding which way is stricter."""
    assert {key.path for key in KEYS if key.kind in NUMBERS and key.tighten is Tighten.FIXED} == {
        "concentrations.screening_only",
        "screening.doses",
        "screening.small",
        "daily.*.hard_low",
        "side_effects.step_low_percent",
        "side_effects.step_high_percent",
    }
    assert {key.path for key in KEYS if key.kind not in NUMBERS and key.tighten is not Tighten.FIXED} == set()
    assert {key.path for key in KEYS if key.tighten is Tighten.SUBSET} == {"concentrations.pump"}


def looser(path: str, value: Any) -> Any:
    """One smallest step to the loose side."""
    tighten = key_of(path).tighten
    if tighten is Tighten.SUBSET:
        return another_concentration(value)
    return by_steps(value, 1 if tighten is Tighten.LOWER else -1)


@pytest.mark.sr("SR-02", "SR-04")
@pytest.mark.parametrize(("name", "path"), DIRECTED)
def test_a_looser_figure_is_refused_with_both_values_and_the_direction(name: str, path: str) -> None:
    base, own = load_library(name), figures(name)[path].value
    assert with_clinic(base, clinic_file(name, {path: own})).sha256 != base.sha256  # the same value is not looser
    wanted = looser(path, own)
    with pytest.raises(LibraryError) as caught:
        with_clinic(base, clinic_file(name, {path: wanted}))
    text = str(caught.value)
    assert path in text
    assert key_of(path).tighten.value in text
    for value in (own, wanted):
        assert (", ".join(map(str, value)) if isinstance(value, tuple) else str(value)) in text


@pytest.mark.sr("SR-02")
@pytest.mark.parametrize(("name", "path"), FIXED)
def test_what_is_not_for_a_clinic_stays(name: str, path: str) -> None:
    own = figures(name)[path].value
    with pytest.raises(LibraryError, match=Tighten.FIXED.value):
        with_clinic(load_library(name), clinic_file(name, {path: own}))


@pytest.mark.sr("SR-04")
@given(tighter())
def test_what_tightens_loads_and_is_never_looser(content: bytes) -> None:
    strict = with_clinic(BASE, content)
    again = load_library("baclofen", content)
    assert again == strict
    for kept in ("name", "version", "screening_doses", "texts", "conditions", "interactions", "diagnoses", "content"):
        assert getattr(strict, kept) == getattr(BASE, kept)
    for name in BASE.indications:
        assert strict.daily[name].hard_high.value <= BASE.daily[name].hard_high.value
        assert strict.daily[name].soft_low.value >= BASE.daily[name].soft_low.value
        assert strict.increase[name].hard_percent.value <= BASE.increase[name].hard_percent.value
    assert set(strict.concentrations.value) <= set(BASE.concentrations.value)
    assert strict.second_below_years.value >= BASE.second_below_years.value


# A slip is a value far from what was to be expected: where a clinic expects less, another reading of the same number fits worse.
SLIPS = {"field-swap", "ten-times", "hours-minutes"}


@pytest.mark.sr("SR-02", "SR-04")
@settings(max_examples=60)
@given(prescriptions(), st.none() | prescriptions(), tighter())
def test_a_clinics_file_never_gives_a_milder_verdict(rx: Prescription, current: Prescription | None, content: bytes) -> None:
    usual, strict = review(rx, current), review(rx, current, library=with_clinic(BASE, content))
    worst = {finding.rule: finding.severity for finding in reversed(strict.findings)}
    limits = [finding for finding in usual.findings if finding.rule not in SLIPS]
    assert strict.severity >= max((finding.severity for finding in limits), default=Severity.INFO)
    for finding in limits:
        assert worst.get(finding.rule, -1) >= finding.severity


@pytest.mark.sr("SR-02")
def test_a_tighter_limit_is_the_one_that_counts_and_names_the_clinics_policy() -> None:
    content = clinic_file(
        "baclofen",
        {
            "daily.spinal.soft_high": figures("baclofen")["daily.spinal.typical_high"].value,
            "bolus.hard": Mass.parse("60 mcg"),
            "concentrations.pump": (Concentration.parse("500 mcg/mL"), Concentration.parse("2000 mcg/mL")),
            "change.first_period": Duration.parse("48h"),
        },
    )
    strict = with_clinic(BASE, content)
    assert strict.daily["spinal"].soft_high.value == BASE.daily["spinal"].typical_high.value
    assert strict.daily["cerebral"] == BASE.daily["cerebral"]
    assert strict.bolus_hard.value == Mass.parse("60 mcg")
    assert (strict.bolus_hard.mark, strict.bolus_hard.origin) == ("C", "policy 7 of this clinic")
    assert strict.bolus_soft == BASE.bolus_soft
    assert [str(item) for item in strict.concentrations.value] == ["500 mcg per mL", "2,000 mcg per mL"]
    assert strict.first_period.value == Duration.parse("48h")


def test_both_files_stand_in_every_review() -> None:
    content = clinic_file("baclofen", {"stability.days": 120})
    own = hashlib.sha256(content).hexdigest()
    assert with_clinic(BASE, content).json() == {
        "name": "baclofen",
        "version": BASE.version,
        "sha256": hashlib.sha256(CONTENT["baclofen"] + content).hexdigest(),
        "clinic": {"id": "clinic-12", "version": "3", "sha256": own},
    }
    assert "clinic" not in BASE.json()


@pytest.mark.sr("SR-04")
def test_a_soft_limit_above_a_lowered_hard_one_is_refused() -> None:
    with pytest.raises(LibraryError, match=r"bolus\.soft is above bolus\.hard: 50 mcg against 40 mcg"):
        with_clinic(BASE, clinic_file("baclofen", {"bolus.hard": Mass.parse("40 mcg")}))
    changes = {"bolus.hard": Mass.parse("40 mcg"), "bolus.soft": Mass.parse("20 mcg"), "bolus.patient_hard": Mass.parse("20 mcg")}
    assert with_clinic(BASE, clinic_file("baclofen", changes)).bolus_soft.value == Mass.parse("20 mcg")


PINNED = 'clinic = "c"\nversion = "1"\nbased_on = {{ version = "{version}", sha256 = "{sha256}" }}\n'


@pytest.mark.sr("SR-06")
def test_a_pin_holds_the_library_it_was_written_for() -> None:
    good = clinic_file("baclofen", {"stability.days": 120}, PINNED.format(version=BASE.version, sha256=BASE.sha256))
    assert with_clinic(BASE, good).stability_days.value == 120
    for version, sha256, says in (("1", BASE.sha256, "version"), (BASE.version, "0" * 64, "sha256")):
        with pytest.raises(LibraryError, match=f"based on {says}"):
            with_clinic(BASE, clinic_file("baclofen", {}, PINNED.format(version=version, sha256=sha256)))


@pytest.mark.sr("SR-06")
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("clinic-library/1", "clinic-library/2", "unknown schema"),
        ("clinic-library/1", "drug-library/1", "unknown schema"),
        ('drug = "baclofen"', 'drug = "morphine"', "for morphine, this library for baclofen"),
        ('drug = "baclofen"\n', "", "drug is missing"),
        ('clinic = "clinic-12"\n', "", "clinic is missing"),
        ('clinic = "clinic-12"', 'clinic = "Jo Doe"', "not an opaque id"),
        ('version = "3"\n', "", "version is missing"),
        ('version = "3"', 'version = "3"\nbased_on = { date = "x" }', "based_on"),
        ('version = "3"', 'version = "3"\nbased_on = "2"', "based_on"),
        ('version = "3"', 'version = "3"\nnote = "x"', "bare value"),
        ('mark = "C"', 'mark = "R"', "mark"),
        ('source = "policy 7 of this clinic"', 'source = ""', "source"),
        ("[stability]", "[stabilities]", "no library has this key"),
        ("[stability]", "[daily.hiccups]", "no library has this key"),
        ("[stability]\ndays", "[increase.hiccups]\nsoft_percent", "this library has no such figure"),
        ("count = 120", "count = 120.0", "whole number"),
        ("count = 120", "count = 181", "may only be lowered"),
        ("[stability]", "[stability", "damaged"),
    ],
)
def test_a_file_that_is_not_a_clinics_is_refused(old: str, new: str, says: str) -> None:
    text = clinic_file("baclofen", {"stability.days": 120}).decode()
    assert old in text
    with pytest.raises(LibraryError, match=says):
        with_clinic(BASE, text.replace(old, new, 1).encode())


def test_one_clinics_file_goes_over_a_library_as_read() -> None:
    once = with_clinic(BASE, clinic_file("baclofen", {}))
    with pytest.raises(LibraryError, match="as read from its file"):
        with_clinic(once, clinic_file("baclofen", {}))
    with pytest.raises(LibraryError, match="baclofen"):
        load_library("morphine", clinic_file("baclofen", {}))
    assert with_clinic(read_library(CONTENT["baclofen"]), clinic_file("baclofen", {})) == once


def test_a_figure_without_direction_is_never_compared() -> None:
    assert Kind.MASSES in LISTS
    with pytest.raises(ValueError, match="no direction"):
        is_looser(Tighten.FIXED, 1, 2)


PAGE = (Path(__file__).resolve().parents[3] / "docs" / "drug-library.md").read_text("utf-8")


def test_the_example_of_the_page_loads() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    strict = with_clinic(BASE, example.encode())
    assert strict.clinic is not None
    assert strict.clinic.id == "clinic-12"
    assert strict.bolus_hard.origin.startswith("policy 9")


@pytest.mark.parametrize("path", [key.path for key in KEYS])
def test_the_page_tells_of_every_key(path: str) -> None:
    table, _, name = path.rpartition(".")
    row = [line for line in PAGE.splitlines() if line.startswith("|") and f"`{path.partition('.')[0]}." in line]
    wanted = {"interactions.*": "CLASS", "conditions.*": "FLAG"}.get(path, name if name != "*" else f"{table}.*")
    assert any(wanted in line for line in row)
