"""What a refused amount, duration or time says, word by word: the message is all that a person at a pump has to go by."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.errors import QuantityError
from itbpump.quantity import (
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
    number_text,
    parse_amount,
)

ALL_UNITS = "use one of mL, mcg, mg, mcg/mL, mg/mL, mL/day, mL/h, mcg/day, mcg/h, cm, mL/cm"
MISREAD = " (µg and ug are misread as mg)"
DURATION = "this is not a duration"
LIKE_THESE = 'write hours and minutes, such as "2h", "90m" or "1h30m"'


def refusal(read: Callable[[object], object], text: object) -> tuple[str, str]:
    with pytest.raises(QuantityError) as caught:
        read(text)
    assert caught.value.text == text
    return caught.value.problem, caught.value.action


@pytest.mark.sr("SR-16")
@pytest.mark.parametrize(
    ("text", "problem", "action"),
    [
        (38, "an amount is text with its unit", 'write it in quotes, such as "38 mL"'),
        ("", "this is not an amount", 'write a number and a unit, such as "38 mL"'),
        ("% of 5", "the number is missing", "write a number before '% of 5'"),
        (" ", "there are spaces too many", 'write "38 mL"'),
        ("38  mL", "there are spaces too many", 'write "38 mL"'),
        ("2.5 mL ", "there are spaces too many", 'write "2.5 mL"'),
        ("40", "the unit is missing", 'write it after the number, such as "40 mL" or "40 mcg/day"'),
        ("mL", "the number is missing", "write a number before 'mL'"),
        ("٣ mL", "only the digits 0 to 9 and a point are read", "type the number on a plain keyboard"),
        ("-1 mL", "a sign is not allowed", "write the amount without a sign"),
        ("+1 mL", "a sign is not allowed", "write the amount without a sign"),
        ("1,5 mL", "a comma can be read as a decimal or as thousands", "use a point for decimals and no thousands mark"),
        ("1.2.3 mL", "this is not a number", "use digits and one point, no exponent"),
        ("1:2 mL", "this is not a number", "use digits and one point, no exponent"),
        (".5 mL", "a digit is missing before the point", "write 0.5"),
        ("5. mL", "a digit is missing after the point", "write 5, or the digits after the point"),
        ("05 mL", "a zero in front can be misread", "write 5"),
        ("00 mL", "a zero in front can be misread", "write 0"),
        ("007.25 mL", "a zero in front can be misread", "write 7.25"),
        ("1.0 mL", "a zero at the end can be read ten times too high", "write 1"),
        ("10.500 mL", "a zero at the end can be read ten times too high", "write 10.5"),
        ("100.00 mL", "a zero at the end can be read ten times too high", "write 100"),
        ("12345678 mL", "more than 7 digits before the point", "check the unit"),
        ("12345678.1234567 mL", "more than 7 digits before the point", "check the unit"),
        ("1234567.1234567 mL", "more than 6 digits after the point", "write fewer digits"),
        ("0.1234567 mL", "more than 6 digits after the point", "write fewer digits"),
        ("1e2 mcg", "an exponent is not allowed", "write all digits of the number"),
        ("5E+3 mL", "an exponent is not allowed", "write all digits of the number"),
        ("40 µg", f"the unit 'µg' is not used here{MISREAD}", 'write "40 mcg"'),
        ("40 μg/h", f"the unit 'μg/h' is not used here{MISREAD}", 'write "40 mcg/h"'),
        ("40 UG", f"the unit 'UG' is not used here{MISREAD}", 'write "40 mcg"'),
        ("38 ml", "the unit 'ml' is not used here", 'write "38 mL"'),
        ("40 mcg/hr", "the unit 'mcg/hr' is not used here", 'write "40 mcg/h"'),
        ("40 MCG", "the unit 'MCG' is not used here", 'write "40 mcg"'),
        ("40 Micrograms", "the unit 'Micrograms' is not used here", 'write "40 mcg"'),
        ("40 units", "the unit 'units' is not known", ALL_UNITS),
        ("0.1 mg/day", "the unit 'mg/day' is not used here", 'write "100 mcg/day"'),
        ("0.00005 mg/24h", "the unit 'mg/24h' is not used here", 'write "0.05 mcg/day"'),
        ("1.25 MG/hour", "the unit 'MG/hour' is not used here", 'write "1250 mcg/h"'),
        ("0.1 mg / day", "the unit 'mg / day' is not used here", 'write "100 mcg/day"'),
        ("0.1 mg/24 h", "the unit 'mg/24 h' is not used here", 'write "100 mcg/day"'),
        ("0.2 mg daily", "the unit 'mg daily' is not used here", 'write "200 mcg/day"'),
        ("0.1 milligrams/day", "the unit 'milligrams/day' is not used here", 'write "100 mcg/day"'),
        ("200 micrograms a day", "the unit 'micrograms a day' is not used here", 'write "200 mcg/day"'),
        ("200 \u00b5g / 24 h", f"the unit '\u00b5g / 24 h' is not used here{MISREAD}", 'write "200 mcg/day"'),
        ("38 millilitres", "the unit 'millilitres' is not used here", 'write "38 mL"'),
        ("9999.999 mg/day", "the unit 'mg/day' is not used here", 'write "9999999 mcg/day"'),
        ("10000 mg/day", "the unit 'mg/day' is not used here", "check the number"),
        ("0.0005 mcg", "finer than 0.001 mcg, the smallest step of a dose", "write fewer digits after the point"),
        ("0.0001 mcg/h", "finer than 0.000125 mcg/h, the smallest step of a dose rate", "write fewer digits after the point"),
    ],
)
def test_a_refused_amount_says_what_is_wrong_and_what_to_write(text: object, problem: str, action: str) -> None:
    assert refusal(parse_amount, text) == (problem, action)


@pytest.mark.sr("SR-16")
@pytest.mark.parametrize(
    ("kind", "text", "problem", "action"),
    [
        (MassRate, "100", "the unit is missing", 'write it after the number, such as "100 mcg/day"'),
        (Volume, "18", "the unit is missing", 'write it after the number, such as "18 mL"'),
        (Concentration, "2000", "the unit is missing", 'write it after the number, such as "2000 mcg/mL"'),
        (Mass, "50 units", "the unit 'units' is not known", "use one of mcg, mg"),
        (MassRate, "100 ug", f"the unit 'ug' is not used here{MISREAD}", "write it in mcg/day or mcg/h"),
        (Mass, "0.1 mg/day", "the unit 'mg/day' is not used here", "write it in mcg or mg"),
    ],
)
def test_a_field_that_knows_what_it_needs_says_so(kind: type[Volume], text: str, problem: str, action: str) -> None:
    assert refusal(kind.parse, text) == (problem, action)


@pytest.mark.sr("SR-16")
@given(
    st.sampled_from([MassRate, Mass, Concentration, Volume, Flow]),
    st.decimals("0.001", "9999999", places=3),
    st.sampled_from(["mg", "ug", "\u00b5g", "mcg", "MCG", "milligrams", "micro grams", "ml", "cc"]),
    st.sampled_from(["", "/day", "/d", " / day", "/24 h", " per day", " daily", "/h", "/hr", " per hour", "/mL", "/ml", " per ml"]),
)
def test_what_a_message_tells_to_write_is_read_where_it_is_written(kind: type[Volume], number: Decimal, unit: str, per: str) -> None:
    digits = format(number, "f").rstrip("0").removesuffix(".")
    try:
        kind.parse(f"{digits} {unit}{per}")
    except QuantityError as error:
        told = re.fullmatch(r'write "(.+)"', error.action)
        if told is not None:
            assert kind.parse(told[1]).text() == told[1]


@pytest.mark.sr("SR-16")
def test_the_smallest_step_that_a_message_names_is_read() -> None:
    assert MassRate.parse("0.000125 mcg/h") == MassRate(3)
    assert Mass.parse("0.001 mcg") == Mass(1)


@pytest.mark.sr("SR-18")
@pytest.mark.parametrize(
    ("kind", "text", "problem", "action"),
    [
        (Volume, "5 mcg", "this is a dose, but a volume is needed", "write it in mL"),
        (MassRate, "5 mcg", "this is a dose, but a dose rate is needed", "write it in mcg/day or mcg/h"),
        (Mass, "5 mcg/mL", "this is a concentration, but a dose is needed", "write it in mcg or mg"),
        (Length, "0.1 mL/cm", "this is a volume per length, but a length is needed", "write it in cm"),
        (VolumePerLength, "1 mL/day", "this is a flow, but a volume per length is needed", "write it in mL/cm"),
    ],
)
def test_an_amount_of_another_kind_is_named(kind: type[Volume], text: str, problem: str, action: str) -> None:
    assert refusal(kind.parse, text) == (problem, action)


@pytest.mark.sr("SR-16")
@pytest.mark.parametrize(
    ("text", "problem", "action"),
    [
        (90, "a duration is text with its units", 'write it in quotes, such as "1h30m"'),
        ("90", DURATION, 'write hours and minutes, "90h" or "90m"'),
        ("0", DURATION, LIKE_THESE),
        ("090", DURATION, LIKE_THESE),
        ("1.5h", DURATION, LIKE_THESE),
        ("", DURATION, LIKE_THESE),
        (" 2h", DURATION, LIKE_THESE),
        (" 5m", DURATION, LIKE_THESE),
        ("1h60m", "more than 59 minutes after the hours", 'write "2h0m"'),
        ("2h150m", "more than 59 minutes after the hours", 'write "4h30m"'),
        ("0m", "a duration of nothing", "write at least 1m"),
    ],
)
def test_a_refused_duration_says_what_to_write(text: object, problem: str, action: str) -> None:
    assert refusal(Duration.parse, text) == (problem, action)


@pytest.mark.sr("SR-16")
@pytest.mark.parametrize("text", [600, "6:00", "24:00", "06:60", "٠٦:00"])
def test_a_refused_time_of_day_says_what_to_write(text: object) -> None:
    assert refusal(TimeOfDay.parse, text) == ("this is not a time of day", 'write hours and minutes from "00:00" to "23:59"')


@pytest.mark.sr("SR-01")
@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: exact(1.0), TypeError, "an exact amount is an int or a Fraction, not float"),  # type: ignore[arg-type]
        (lambda: exact(True), TypeError, "an exact amount is an int or a Fraction, not bool"),
        (lambda: exact(-1), ValueError, "an amount is never negative: -1"),
        (lambda: exact(Fraction(-1, 3)), ValueError, "an amount is never negative: -1/3"),
        (lambda: Volume(1, "mcg"), ValueError, "'mcg' is not a unit of a volume"),
        (lambda: Volume(Fraction(1, 2)).nL, ValueError, "1/2 is not a whole number of base units"),
        (lambda: Concentration(Fraction(1, 2)).ng_per_mL, ValueError, "1/2 is not a whole number of base units"),
        (lambda: Flow(Fraction(1, 2)).whole_nL_per_day, ValueError, "1/2 is not a whole number of base units"),
        (lambda: number_text(Fraction(1, 6)), ValueError, "1/6 has no ending decimal"),
        (lambda: Duration(True), TypeError, "a duration is a whole number of ms"),
        (lambda: Duration(1.5), TypeError, "a duration is a whole number of ms"),  # type: ignore[arg-type]
        (lambda: Duration(-1), ValueError, "a duration is never negative"),
        (lambda: Duration(60_001).minutes, ValueError, "60001 ms is not a whole number of minutes"),
        (lambda: TimeOfDay(1440), ValueError, "a time of day is 0 to 1439 minutes, not 1440"),
        (lambda: TimeOfDay(-1), ValueError, "a time of day is 0 to 1439 minutes, not -1"),
        (
            lambda: catheter_volume(Length(1), Length(2), VolumePerLength(1), Volume(0)),
            ValueError,
            "more length is removed than the catheter has",
        ),
    ],
)
def test_a_wrong_use_in_a_program_says_what_is_wrong(make: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()
