"""Reading amounts, durations and times: the grammar, and messages that teach."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.errors import InputError, ItbPumpError, QuantityError
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
    parse_amount,
)

GRAMMAR = re.compile(r"(0|[1-9][0-9]{0,6})(\.[0-9]{0,5}[1-9])?", re.ASCII)
KINDS: tuple[type[Amount], ...] = (Volume, Mass, Concentration, Flow, MassRate, Length, VolumePerLength)
UNITS = [unit for kind in KINDS for unit in kind.UNITS]


@pytest.mark.sr("SR-01")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("38 mL", Volume(38_000_000)),
        ("38mL", Volume(38_000_000)),
        ("0.5 mL", Volume(500_000)),
        ("0.000001 mL", Volume(1)),
        ("40 mcg", Mass(40_000)),
        ("1.5 mg", Mass(1_500_000)),
        ("2000 mcg/mL", Concentration(2_000_000)),
        ("2 mg/mL", Concentration(2_000_000)),
        ("200 mcg/day", MassRate(200_000)),
        ("6.5 mcg/h", MassRate(156_000)),
        ("0.048 mL/day", Flow(48_000)),
        ("1 mL/h", Flow(24_000_000)),
        ("114 cm", Length(114_000_000)),
        ("0.0022 mL/cm", VolumePerLength(2_200)),
        ("0 mcg", Mass(0)),
    ],
)
def test_an_amount_is_read_exactly(text: str, value: Amount) -> None:
    assert parse_amount(text) == value


@pytest.mark.sr("SR-16")
@pytest.mark.parametrize(
    ("text", "teaches"),
    [
        (".5 mL", "write 0.5"),
        ("5. mL", "write 5"),
        ("1.0 mL", "write 1"),
        ("1.50 mL", "write 1.5"),
        ("05 mL", "write 5"),
        ("1,5 mL", "comma"),
        ("1,250 mcg", "comma"),
        ("1e2 mcg", "exponent"),
        ("1.2.3 mL", "not a number"),
        ("-1 mL", "sign"),
        ("+1 mL", "sign"),
        ("٣ mL", "digits 0 to 9"),
        ("\uff13 mL", "digits 0 to 9"),
        ("12345678 mL", "7 digits"),
        ("0.1234567 mL", "6 digits"),
        ("40", "unit is missing"),
        ("mL", "number is missing"),
        ("", "write an amount|write"),
        ("38  mL", "spaces"),
        (" 38 mL", "spaces"),
        ("38 mL\n", "spaces"),
        ("40 µg", "misread as mg.*40 mcg"),
        ("40 μg", "misread as mg.*40 mcg"),
        ("40 ug/h", "misread as mg.*40 mcg/h"),
        ("38 ml", "38 mL"),
        ("40 mcg/hr", "40 mcg/h"),
        ("40 mcg/d", "40 mcg/day"),
        ("40 units", "not known"),
        ("0.0005 mcg", "finer than 0.001 mcg"),
        ("nan mL", "number is missing"),
    ],
)
def test_a_malformed_amount_is_refused_with_a_message_that_teaches(text: str, teaches: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_amount(text)
    assert re.search(teaches, str(caught.value)), str(caught.value)


@pytest.mark.sr("SR-16")
@pytest.mark.parametrize("value", [38, 38.0, None, True, ["38 mL"]])
def test_a_bare_number_is_no_amount(value: object) -> None:
    with pytest.raises(QuantityError, match="text with its unit"):
        Volume.parse(value)


@pytest.mark.sr("SR-18")
def test_a_rate_is_not_taken_for_a_dose_nor_the_other_way_round() -> None:
    with pytest.raises(QuantityError, match="this is a dose rate, but a dose is needed"):
        Mass.parse("40 mcg/h")
    with pytest.raises(QuantityError, match="this is a dose, but a dose rate is needed"):
        MassRate.parse("40 mcg")


numbers = st.from_regex(GRAMMAR, fullmatch=True)


@pytest.mark.sr("SR-16", "SR-05")
@given(number=st.text(alphabet="0123456789.,eE+- ٣", max_size=9), unit=st.sampled_from(UNITS), space=st.sampled_from(["", " "]))
def test_a_text_is_accepted_only_if_the_grammar_says_so_and_then_exactly(number: str, unit: str, space: str) -> None:
    text = f"{number}{space}{unit}"
    try:
        amount = parse_amount(text)
    except QuantityError:
        return
    assert GRAMMAR.fullmatch(number.strip(" ") if not space else number)
    assert amount.value == Fraction(number.strip()) * type(amount).UNITS[unit]


@pytest.mark.sr("SR-01", "SR-05")
@given(number=numbers, unit=st.sampled_from(UNITS))
def test_what_is_read_prints_to_what_was_typed(number: str, unit: str) -> None:
    try:
        amount = parse_amount(f"{number} {unit}")
    except QuantityError as error:
        assert "finer" in error.problem  # noqa: PT017
        return
    assert amount.text() == f"{number} {unit}"
    assert parse_amount(amount.text()) == amount


@pytest.mark.sr("SR-16")
@given(st.text(max_size=20))
def test_any_text_is_read_or_refused_with_the_documented_error(text: str) -> None:
    for read in (parse_amount, Duration.parse, TimeOfDay.parse):
        try:
            read(text)
        except QuantityError as error:
            assert isinstance(error, InputError | ItbPumpError)  # noqa: PT017
            assert error.text == text  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("2h", 120), ("90m", 90), ("90min", 90), ("1h30m", 90), ("1h 30m", 90), ("1 h 30 min", 90), ("1h0m", 60), ("1h59m", 119), ("1m", 1)],
)
def test_a_duration_is_read_in_hours_and_minutes(text: str, minutes: int) -> None:
    assert Duration.parse(text).minutes == minutes


@pytest.mark.sr("SR-16")
@pytest.mark.parametrize(
    ("text", "teaches"),
    [
        ("90", '"90h" or "90m"'),
        ("1.5h", "not a duration"),
        ("1h90m", '"2h30m"'),
        ("0m", "nothing"),
        ("", "not a duration"),
        ("h", "not a duration"),
        (" 2h", "not a duration"),
        ("2 days", "not a duration"),
        ("٢h", "not a duration"),
    ],
)
def test_a_malformed_duration_is_refused(text: str, teaches: str) -> None:
    with pytest.raises(QuantityError, match=re.escape(teaches)):
        Duration.parse(text)


@pytest.mark.parametrize("text", ["24:00", "6:00", "06:60", "0600", "06:00:00", "", "٠٦:00"])
def test_a_time_of_day_is_hh_mm(text: str) -> None:
    assert TimeOfDay.parse("23:59").minute == 1439
    with pytest.raises(QuantityError, match="not a time of day"):
        TimeOfDay.parse(text)


@given(st.integers(1, 5_000_000))
def test_a_duration_survives_printing(minutes: int) -> None:
    duration = Duration.of_minutes(minutes)
    if minutes < 10_000 * 60:
        assert Duration.parse(duration.text()) == duration


@given(st.integers(0, 1439))
def test_a_time_of_day_survives_printing(minute: int) -> None:
    assert TimeOfDay.parse(TimeOfDay(minute).text()) == TimeOfDay(minute)
