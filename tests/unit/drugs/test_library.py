"""Drug libraries: sourced, complete, ordered, or not loaded."""

from __future__ import annotations

import itertools
from importlib import resources
from typing import Any

import pytest

from firmware_sim.profiles import load_profile as load_pump_profile
from firmware_sim.profiles import parse_profile
from firmware_sim.profiles.checks import ProfileError as PumpProfileError
from itbpump.drugs import DrugLibrary, Figure, library_names, load_library, read_library
from itbpump.drugs.keys import ASCENDING, KEYS, ORDER, find_key, matches
from itbpump.drugs.order import check_figures
from itbpump.errors import LibraryError
from itbpump.profiles import profile_names
from itbpump.quantity import Concentration, Duration, Mass, MassRate
from tests.unit.drugs.files import CONTENT, figures, key_of, size

BACLOFEN = CONTENT["baclofen"]
LIMITS = ("hard_low", "soft_low", "typical_low", "typical_high", "soft_high", "hard_high")
EVERY_FIGURE = [(name, path) for name in library_names() for path in figures(name)]


def test_two_drugs_are_shipped() -> None:
    assert library_names() == ("baclofen", "morphine")
    assert load_library("baclofen").indications == ("spinal", "cerebral")
    assert load_library("morphine").indications == ("pain",)


@pytest.mark.sr("SR-06")
@pytest.mark.parametrize(("name", "path"), EVERY_FIGURE)
def test_every_figure_has_mark_and_source_and_unverified_ones_say_so(name: str, path: str) -> None:
    figure = figures(name)[path]
    assert figure.mark in {"R", "R2", "M", "D"}
    assert len(figure.source) >= 4
    assert figure.origin.startswith("unverified") == (figure.mark == "M")


def test_an_unverified_figure_says_so_even_if_its_source_does_not() -> None:
    assert Figure(1, "M", "some paper").origin == "unverified; some paper"
    assert Figure(1, "R", "some paper").origin == "some paper"


def test_every_key_stands_in_a_shipped_library() -> None:
    paths = {path for _, path in EVERY_FIGURE}
    assert [key.path for key in KEYS if not any(matches(key.path, path) for path in paths)] == []
    assert len({key.path for key in KEYS}) == len(KEYS)
    assert find_key("bolus.hardest") is None
    assert find_key("bolus") is None


@pytest.mark.sr("SR-06")
def test_an_unknown_or_damaged_library_is_refused() -> None:
    with pytest.raises(LibraryError, match="saline"):
        load_library("saline")
    for damaged in (
        b"",
        b"\xff",
        BACLOFEN[:-30],
        BACLOFEN.replace(b"library/1", b"library/2"),
        BACLOFEN.replace(b"[stability]", b"[stale]"),
    ):
        with pytest.raises(LibraryError):
            read_library(damaged)


@pytest.mark.sr("SR-06")
@pytest.mark.parametrize("name", library_names())
def test_a_library_without_any_one_of_its_marks_is_refused(name: str) -> None:
    lines = CONTENT[name].splitlines()
    marked = [number for number, line in enumerate(lines) if b"mark = " in line and not line.startswith(b"#")]
    assert len(marked) > 50
    for number in marked:
        damaged = [*lines[:number], lines[number].replace(b"mark = ", b"mask = "), *lines[number + 1 :]]
        with pytest.raises(LibraryError, match="mark"):
            read_library(b"\n".join(damaged))


@pytest.mark.sr("SR-06")
@pytest.mark.parametrize(("name", "path"), EVERY_FIGURE)
def test_a_library_without_a_required_figure_is_refused(name: str, path: str) -> None:
    rest = {key: figure for key, figure in figures(name).items() if key != path}
    key = key_of(path)
    if "*" in key.path and path.count(".") == 1 and not path.startswith("diagnoses."):
        check_figures(rest)  # one class of drugs or one flag fewer is a library still
    elif key.required or path.startswith("start."):
        with pytest.raises(LibraryError, match=path.partition(".")[0]):
            check_figures(rest)
    else:
        check_figures(rest)


def _pairs() -> list[tuple[str, str | int, str]]:
    """Every pair of figures that a row of ORDER compares, in every library."""
    found: list[tuple[str, str | int, str]] = []
    for name in library_names():
        paths = list(figures(name))
        for low, high in ORDER:
            for high_path in (path for path in paths if matches(high, path)):
                if isinstance(low, int):
                    found.append((name, low, high_path))
                    continue
                same = high_path.split(".")[1] if "*" in low and "*" in high else None
                found += [(name, path, high_path) for path in paths if matches(low, path) and same in {None, path.split(".")[1]}]
    return found


@pytest.mark.sr("SR-04")
@pytest.mark.parametrize(("name", "low", "high"), _pairs())
def test_limits_out_of_order_are_refused(name: str, low: str | int, high: str) -> None:
    altered = figures(name)
    check_figures(altered)
    if isinstance(low, int):
        altered[high] = Figure(low - 1, "D", "broken on purpose")
        expected = f"{high}: below {low}"
    else:
        least = min(size(item) for item in _items(altered[high].value))
        altered[low] = Figure(_sized(altered[low].value, least), "D", "broken on purpose")
        expected = f"{low} is above {high}"
    with pytest.raises(LibraryError) as caught:
        check_figures(altered)
    assert expected in str(caught.value)


def _items(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _sized(like: Any, above: int) -> Any:
    """A value of the kind of `like`, one smallest step above a size."""
    if isinstance(like, Duration):
        return Duration(above + 60_000)
    return above + 1 if isinstance(like, int) else type(like)(above + 1)


def test_every_row_of_the_order_is_used_by_a_library() -> None:
    pairs = _pairs()
    for low, high in ORDER:
        assert any(matches(high, pair[2]) and (pair[1] == low or matches(str(low), str(pair[1]))) for pair in pairs), (low, high)


@pytest.mark.sr("SR-04")
@pytest.mark.parametrize("path", ASCENDING)
@pytest.mark.parametrize("name", library_names())
def test_lists_ascend_without_repeats(name: str, path: str) -> None:
    value = figures(name)[path].value
    for wrong in ((value[0], *value), (_sized(value[0], size(value[0])), *value)):
        altered = figures(name) | {path: Figure(wrong, "D", "broken on purpose")}
        with pytest.raises(LibraryError, match=path):
            check_figures(altered)


@pytest.mark.sr("SR-04")
@pytest.mark.parametrize(("low", "high"), list(itertools.combinations(LIMITS, 2)))
def test_a_file_with_two_limits_exchanged_does_not_load(low: str, high: str) -> None:
    spinal = load_library("baclofen").daily["spinal"]
    low_text, high_text = getattr(spinal, low).value.text(), getattr(spinal, high).value.text()
    head, mark, rest = BACLOFEN.decode().partition("[daily.spinal]")
    swapped = rest.replace(f'{low} = {{ amount = "{low_text}"', f'{low} = {{ amount = "{high_text}"', 1)
    swapped = swapped.replace(f'{high} = {{ amount = "{high_text}"', f'{high} = {{ amount = "{low_text}"', 1)
    with pytest.raises(LibraryError, match="is above"):
        read_library(f"{head}{mark}{swapped}".encode())


@pytest.mark.sr("SR-04", "SR-06")
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("soft_percent = { count = 30", "soft_percent = { count = 41", "increase.spinal.soft_percent is above"),
        ("second_percent = { count = 40", "second_percent = { count = 101", "increase.spinal.second_percent is above"),
        ("step_high_percent = { count = 30", "step_high_percent = { count = 31", "titration.spinal.step_high_percent is above"),
        ('soft = { amount = "50 mcg"', 'soft = { amount = "101 mcg"', "bolus.soft is above bolus.hard: 101 mcg against 100 mcg"),
        ('patient_hard = { amount = "50 mcg"', 'patient_hard = { amount = "101 mcg"', "bolus.patient_hard is above"),
        ("second_percent = { count = 150", "second_percent = { count = 99", "below 100"),
        ('soft_after = { amount = "24h"', 'soft_after = { amount = "49h"', "restart.soft_after is above"),
        ('["50 mcg", "75 mcg", "100 mcg"]', '["75 mcg", "50 mcg", "100 mcg"]', "ascending"),
        ('small = { amount = "25 mcg"', 'small = { amount = "51 mcg"', "screening.small is above screening.doses"),
        ('amounts = ["500 mcg/mL"', 'amounts = ["50 mcg/mL"', "screening only"),
        ('amounts = ["500 mcg/mL", "1000 mcg/mL", "2000 mcg/mL", "3000 mcg/mL"]', "amounts = []", "none for the pump"),
        ("[daily.child]", "[daily.adult]", "increase: has"),
        ("[titration.child]", "[daily.infant]", "no library has this key"),
        ("days = { count = 180", "days = { count = -1", "whole number"),
        ("days = { count = 180", "days = { count = true", "whole number"),
        ("days = { count = 180", 'days = { amount = "180"', "needs count"),
        ("days = { count = 180", 'days = { note = "x", count = 180', "nothing else"),
        ("days = { count = 180", "days = 180 #", "bare value"),
        ("days = {", "day = {", "no library has this key"),
        ('first_period = { amount = "24h"', 'first_period = { amount = "24"', "change.first_period"),
        ('soft = { amount = "50 mcg"', 'soft = { amount = "50 mL"', "bolus.soft"),
        ('pump = { amounts = ["500 mcg/mL"', 'pump = { amounts = ["0500 mcg/mL"', "concentrations.pump"),
        ('["Lioresal", "Gablofen"]', '"Lioresal"', "a list is needed"),
        ('slugs = ["cerebral-palsy"', 'slugs = ["Cerebral palsy"', "small letters"),
        ("[conditions]", "[conditions]\nRenal = { text = \"x\", mark = \"R\", source = \"x\" }", "small letters"),
        ('text = "sedation adds up"', 'text = " "', "interactions.cns-depressant"),
        ('source = "boxed warning of the label: lioresal.com, medlibrary, openFDA"', 'source = " "', "texts.withdrawal"),
        ('name = "baclofen"', "name = 3", "name"),
        ('version = "2"', 'versions = "2"', "versions: a bare value"),
        ("long_factor = { count = 1, ", "#", "start"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_hold_together_does_not_load(old: str, new: str, says: str) -> None:
    text = BACLOFEN.decode()
    assert old in text
    with pytest.raises(LibraryError, match=says):
        read_library(text.replace(old, new, 1).encode())


def test_limits_for_children_are_whole_or_absent() -> None:
    without = {path: figure for path, figure in figures("baclofen").items() if ".child." not in path}
    check_figures(without)
    for table in ("increase", "titration"):
        half = {path: figure for path, figure in figures("baclofen").items() if not path.startswith(f"{table}.child.")}
        with pytest.raises(LibraryError, match="together"):
            check_figures(half)


def test_a_start_has_a_limit_of_one_kind_or_both() -> None:
    both = figures("baclofen") | {path: figure for path, figure in figures("morphine").items() if path.startswith("start.")}
    both |= {path: Figure(MassRate(100_000), "D", "x") for path in ("start.absolute.soft", "start.absolute.second")}
    check_figures(both)
    with pytest.raises(LibraryError, match=r"start\.factor"):
        check_figures({path: figure for path, figure in figures("baclofen").items() if not path.startswith("start.")})


@pytest.mark.sr("SR-06")
def test_the_hash_is_over_the_file() -> None:
    assert read_library(BACLOFEN).sha256 == load_library("baclofen").sha256
    assert read_library(BACLOFEN + b"\n").sha256 != load_library("baclofen").sha256
    assert load_library("baclofen").json() == {"name": "baclofen", "version": "2", "sha256": load_library("baclofen").sha256}


def highs(library: DrugLibrary, indication: str | None, age: int | None) -> list[int]:
    return [int(limits.hard_high.value.ng_per_day) // 1_000 for limits in library.daily_limits(indication, age)]


def test_limits_are_those_of_indication_and_age() -> None:
    library = load_library("baclofen")
    assert highs(library, "spinal", 46) == [2003]
    assert highs(library, "cerebral", 12) == [1400]
    assert highs(library, "spinal", 11) == [2003, 1199]
    for unknown in (None, "hiccups", "child"):
        assert highs(library, unknown, None) == [2003, 1400]
        assert highs(library, unknown, 5) == [2003, 1400, 1199]
    softs = [limits.soft_percent.value for limits in library.increase_limits("spinal", 17)]
    assert softs == [30, 15]
    assert [limits.soft_percent.value for limits in library.increase_limits("spinal", 18)] == [30]
    assert [steps.step_high_percent.value for steps in library.titrations(None, 3)] == [30, 15, 15]
    morphine = load_library("morphine")
    assert highs(morphine, "pain", 5) == [20_000]  # no limits of their own for children: a second person below 18


def test_figures_of_the_baclofen_labels() -> None:
    """Golden: domain.md 3 and 6.3."""
    library = load_library("baclofen")
    assert [str(dose) for dose in library.screening_doses.value] == ["50 mcg", "75 mcg", "100 mcg"]
    assert library.screening_small is not None
    assert library.screening_small.value == Mass(25_000)
    for name, titrated, maintained in (("spinal", (10, 30), (10, 40)), ("cerebral", (5, 15), (5, 20))):
        titration, maintenance = library.titration[name], library.maintenance[name]
        assert (titration.step_low_percent.value, titration.step_high_percent.value) == titrated
        assert titration.every.value == Duration.parse("24h")
        assert (maintenance.step_low_percent.value, maintenance.step_high_percent.value) == maintained
    assert (library.side_effect_decrease.step_low_percent.value, library.side_effect_decrease.step_high_percent.value) == (10, 20)
    assert (library.taper.step_percent.value, library.taper.every.value) == (20, Duration.parse("48h"))
    assert (library.restart_soft_after.value, library.restart_second_after.value) == (Duration.parse("24h"), Duration.parse("48h"))
    assert set(library.concentrations.value) == {Concentration.parse(f"{amount} mcg/mL") for amount in (500, 1000, 2000, 3000)}
    assert "multiple-sclerosis" in library.diagnoses["spinal"]
    assert "stroke" in library.diagnoses["cerebral"]
    assert {"renal-impairment", "substance-use", "high-spinal-cord-injury", "communication-difficulty"} <= library.conditions.keys()
    assert library.brands.value == ("Lioresal", "Gablofen")


@pytest.mark.sr("SR-33")
@pytest.mark.parametrize("name", library_names())
def test_a_stop_is_told_by_the_drugs_own_words(name: str) -> None:
    texts = load_library(name).texts
    assert name in texts.stop_confirmation.text
    assert "withdrawal" in texts.withdrawal.text
    assert texts.stop_confirmation.origin


@pytest.mark.sr("SR-02")
@pytest.mark.parametrize("drug", library_names())
@pytest.mark.parametrize("pump", profile_names())
def test_the_companion_is_never_looser_than_the_pump(drug: str, pump: str) -> None:
    library, limits = load_library(drug), load_pump_profile(pump).firmware.drugs[drug]
    assert {item.ng_per_mL for item in library.concentrations.value} <= set(limits.concentrations_ng_per_mL)
    assert library.bolus_hard.value.ng <= limits.bolus_mass_max_ng
    assert library.patient_bolus_hard.value.ng <= limits.patient_mass_max_ng
    assert max(group.hard_high.value.ng_per_day for group in library.daily.values()) <= limits.mass_24h_max_ng


@pytest.mark.sr("SR-06")
@pytest.mark.parametrize("pump", profile_names())
def test_pump_and_companion_know_the_same_drugs(pump: str) -> None:
    assert sorted(load_pump_profile(pump).firmware.drugs) == list(library_names())


@pytest.mark.sr("SR-06")
def test_a_pump_profile_without_a_drug_is_refused() -> None:
    text = resources.files("firmware_sim.profiles").joinpath("peristaltic.toml").read_text("utf-8")
    for name in library_names():
        text = text.replace(f"[drug.{name}]", f"[variant.P-20.drug.{name}]")
    assert sorted(parse_profile(text, "P-20").firmware.drugs) == list(library_names())
    with pytest.raises(PumpProfileError, match="at least one"):
        parse_profile(text, "P-40")
