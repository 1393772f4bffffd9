"""Printing by the ISMP rules, exact arithmetic, and no float on the way."""

from __future__ import annotations

import ast
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import itbpump
from itbpump.quantity import (
    Amount,
    Concentration,
    Duration,
    Flow,
    Length,
    Mass,
    MassRate,
    TimeOfDay,
    Volume,
    VolumePerLength,
    catheter_volume,
    exact,
    flow_nL_per_day,
    mass_of_pulses,
    mass_of_volume,
    number_text,
    pulses_for_mass,
    rate_of_flow,
    volume_for_mass,
)

concentrations = st.sampled_from([500_000, 1_000_000, 2_000_000, 3_000_000]).map(Concentration)


@pytest.mark.sr("SR-17")
@pytest.mark.parametrize(
    ("amount", "screen", "text"),
    [
        (Mass(1_250_000), "1,250 mcg", "1250 mcg"),
        (Mass(1_250_000, "mg"), "1,250 mcg", "1.25 mg"),
        (Volume(500_000), "0.5 mL", "0.5 mL"),
        (MassRate(200_000), "200 mcg per day", "200 mcg/day"),
        (MassRate(156_000, "mcg/h"), "6.5 mcg per hour", "6.5 mcg/h"),
        (Concentration(2_000_000), "2,000 mcg per mL", "2000 mcg/mL"),
        (Flow(48_000), "0.048 mL per day", "0.048 mL/day"),
        (MassRate(100_000, "mcg/h"), "100 mcg per day", "100 mcg/day"),
    ],
)
def test_amounts_print_for_people_and_for_files(amount: Amount, screen: str, text: str) -> None:
    assert (str(amount), amount.screen(), amount.text()) == (screen, screen, text)


@pytest.mark.sr("SR-17")
@given(st.integers(0, 10**13), st.sampled_from([Volume, Mass, MassRate, Flow, Concentration]))
def test_every_screen_text_keeps_the_rules(value: int, kind: type[Amount]) -> None:
    shown = kind(value).screen()
    assert re.fullmatch(r"(0|[1-9][0-9]{0,2}(,[0-9]{3})*)(\.[0-9]*[1-9])? (mcg|mL)( per (mL|day|hour))?", shown)
    assert re.fullmatch(r"(0|[1-9][0-9]*)(\.[0-9]*[1-9])?", kind(value).json()["value"])


def test_json_has_value_as_text_and_the_default_unit() -> None:
    assert Volume(38_000_000).json() == {"value": "38", "unit": "mL"}
    assert MassRate(156_000, "mcg/h").json() == {"value": "156", "unit": "mcg/day"}


@pytest.mark.parametrize("text", ["2h", "1h30m", "45m", "0m"])
def test_a_duration_in_a_file_has_no_part_of_nothing(text: str) -> None:
    minutes = {"2h": 120, "1h30m": 90, "45m": 45, "0m": 0}[text]
    assert Duration.of_minutes(minutes).text() == text


def test_durations_print_with_words() -> None:
    assert str(Duration.parse("1h30m")) == "1 h 30 min"
    assert str(Duration(45_000)) == "45 s"
    assert str(Duration(0)) == "0 min"
    assert str(TimeOfDay(360)) == "06:00"


def test_an_endless_decimal_is_not_printed_as_if_it_ended() -> None:
    with pytest.raises(ValueError, match="no ending decimal"):
        number_text(Fraction(1, 7))
    assert MassRate(Fraction(1_000, 7)).rounded() == MassRate(143)


@pytest.mark.sr("SR-17")
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1_250, "1250"),
        (Fraction(5_001, 4), "1250.25"),
        (Fraction(1, 2**7), "0.0078125"),
        (Fraction(3, 10**25), "0." + "0" * 24 + "3"),
        (Fraction(1, 5**30), "0." + f"{2**30:030d}"),
    ],
)
def test_an_exact_value_is_printed_with_all_its_digits(value: int | Fraction, text: str) -> None:
    assert number_text(value) == text
    assert Fraction(number_text(value)) == value


def test_thousands_have_a_comma_where_it_is_asked_for() -> None:
    assert number_text(Fraction(12_345_671, 10), thousands=True) == "1,234,567.1"
    assert number_text(1_000, thousands=True) == "1,000"


@pytest.mark.sr("SR-17")
@pytest.mark.parametrize(("ng", "screen"), [(3, "0.000125 mcg per hour"), (4, "0.004 mcg per day"), (24_000, "1 mcg per hour")])
def test_an_hourly_rate_that_does_not_end_is_printed_per_day(ng: int, screen: str) -> None:
    assert MassRate(ng, "mcg/h").screen() == screen
    assert MassRate.parse(MassRate(ng, "mcg/h").text()) == MassRate(ng)


def test_rounding_keeps_the_unit_that_was_typed() -> None:
    assert MassRate(Fraction(72_001, 3), "mcg/h").rounded().text() == "1 mcg/h"


@pytest.mark.sr("SR-01")
def test_what_is_whole_is_an_int_and_the_rest_stays_exact() -> None:
    assert exact(0) == 0
    assert [type(exact(value)) for value in (7, Fraction(4, 2), Fraction(1, 2))] == [int, int, Fraction]
    assert mass_of_volume(1, Concentration(1)).ng == Fraction(1, 1_000_000)
    assert rate_of_flow(Flow(Fraction(1, 3)), Concentration(2)).ng_per_day == Fraction(2, 3_000_000)
    assert mass_of_pulses(3, Concentration(2_000_000), 500).ng == 3_000


@pytest.mark.sr("SR-01")
@pytest.mark.parametrize("value", [1.0, 0.1, True, "1", None])
def test_no_amount_is_made_of_anything_inexact(value: object) -> None:
    for kind in (Volume, Mass, Concentration, Flow, MassRate):
        with pytest.raises(TypeError):
            kind(value)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Duration(1.5)  # type: ignore[arg-type]


@pytest.mark.sr("SR-01", "SR-18")
def test_amounts_of_different_kinds_never_compare_equal() -> None:
    assert Volume(1) != Mass(1)  # type: ignore[comparison-overlap]
    with pytest.raises(TypeError):
        assert Volume(1) < Mass(2)  # type: ignore[operator]
    with pytest.raises(ValueError, match="never negative"):
        Volume(-1)


@pytest.mark.sr("SR-01")
def test_no_float_stands_in_a_module_of_the_dose_path() -> None:
    root = Path(itbpump.__file__).parent
    names = ("schedule", "configuration", "present", "history", "read_back", "refill", "changes", "therapy_view")
    files = [root / f"{name}.py" for name in names]
    for folder in ("quantity", "therapy", "safety", "profiles", "drugs", "forecast", "plan"):
        files += sorted((root / folder).glob("*.py"))
    what_if = {root / "plan" / "csf.py", root / "plan" / "chart.py"}  # pictures of a model, never a dose
    files = [file for file in files if file not in what_if]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), f"{file.name}:{node.lineno}"
            assert not (isinstance(node, ast.Name) and node.id == "float"), f"{file.name}:{node.lineno}"


@pytest.mark.sr("SR-05")
@given(st.integers(0, 10**10), concentrations)
def test_a_flow_never_gives_more_than_was_prescribed_and_less_than_one_nanolitre_short(
    ng_per_day: int, concentration: Concentration
) -> None:
    wanted = MassRate(ng_per_day)
    flow = flow_nL_per_day(wanted, concentration)
    assert rate_of_flow(Flow(flow), concentration) <= wanted < rate_of_flow(Flow(flow + 1), concentration)


@pytest.mark.sr("SR-05")
@given(st.integers(0, 10**9), concentrations, st.sampled_from([500, 2000]))
def test_a_bolus_is_the_nearest_pulses_and_ties_go_down(ng: int, concentration: Concentration, pulse_nL: int) -> None:
    pulses = pulses_for_mass(Mass(ng), concentration, pulse_nL)
    error = volume_for_mass(Mass(ng), concentration) - pulses * pulse_nL
    assert -Fraction(pulse_nL, 2) < error <= Fraction(pulse_nL, 2)
    if pulses:
        assert mass_of_pulses(pulses, concentration, pulse_nL).ng > 0


def test_half_a_pulse_is_none() -> None:
    assert pulses_for_mass(Mass(500), Concentration(2_000_000), 500) == 0
    assert pulses_for_mass(Mass(501), Concentration(2_000_000), 500) == 1
    assert pulses_for_mass(Mass(1_500), Concentration(2_000_000), 500) == 1


@pytest.mark.sr("SR-13")
def test_the_path_follows_from_the_lengths() -> None:
    tubing, per_length = Volume.parse("0.14 mL"), VolumePerLength.parse("0.0022 mL/cm")
    assert catheter_volume(Length.parse("114 cm"), Length.parse("34 cm"), per_length, tubing) == Volume.parse("0.316 mL")
    assert catheter_volume(Length.parse("80.0001 cm"), Length.parse("0 cm"), per_length, tubing) == Volume(316_001)
    assert catheter_volume(Length.parse("34 cm"), Length.parse("34 cm"), per_length, tubing) == tubing
    with pytest.raises(ValueError, match="more length is removed"):
        catheter_volume(Length.parse("34 cm"), Length.parse("114 cm"), per_length, tubing)
