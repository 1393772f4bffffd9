"""Numbers in words: what is read aloud is the number that stands there."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.quantity import MassRate
from itbpump.wording.numbers import amount_in_words, in_words

SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
UNITS = {word: number for number, word in enumerate(SMALL)}
TENS = {word: 10 * number for number, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)}
GROUPS = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}


def heard(words: str) -> Fraction:
    """What a listener writes down: an own reading, that shares no code with the saying."""
    whole, _, decimals = words.partition(" point ")
    total = group = 0
    for word in whole.replace("-", " ").split():
        if word in GROUPS:
            total, group = total + group * GROUPS[word], 0
        elif word == "hundred":
            group *= 100
        else:
            group += UNITS[word] if word in UNITS else TENS[word]
    digits = "".join(str(UNITS[word]) for word in decimals.split())
    return Fraction(total + group) + Fraction(int(digits or "0"), 10 ** len(digits))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (7, "seven"),
        (13, "thirteen"),
        (40, "forty"),
        (99, "ninety-nine"),
        (100, "one hundred"),
        (250, "two hundred fifty"),
        (1_000, "one thousand"),
        (1_250, "one thousand two hundred fifty"),
        (10_000, "ten thousand"),
        (1_000_001, "one million one"),
        (Fraction(13, 2), "six point five"),
        (Fraction(1, 20), "zero point zero five"),
        (Fraction(165_429, 1_000), "one hundred sixty-five point four two nine"),
    ],
)
def test_a_number_is_said(number: int | Fraction, words: str) -> None:
    assert in_words(number) == words


@pytest.mark.sr("SR-10")
@given(st.integers(0, 10**12 - 1), st.integers(0, 10**6 - 1))
def test_what_is_said_is_heard_as_the_same_number(whole: int, millionths: int) -> None:
    value = whole + Fraction(millionths, 10**6)
    assert heard(in_words(value)) == value


@pytest.mark.parametrize("tenfold", [25, 250, 2_500])
def test_a_dose_ten_times_off_sounds_otherwise(tenfold: int) -> None:
    assert amount_in_words(MassRate(tenfold * 1_000)) != amount_in_words(MassRate(tenfold * 10_000))


def test_a_daily_dose_is_said_with_its_unit() -> None:
    assert amount_in_words(MassRate.parse("250 mcg/day")) == "two hundred fifty micrograms per day"
    assert amount_in_words(MassRate.parse("6.5 mcg/h")) == "one hundred fifty-six micrograms per day"
    assert amount_in_words(MassRate.parse("1 mcg/day")) == "one microgram per day"


def test_what_cannot_be_said_exactly_is_refused() -> None:
    with pytest.raises(ValueError, match="no ending decimal"):
        in_words(Fraction(1, 3))
    with pytest.raises(ValueError, match="too large"):
        in_words(10**12)
    with pytest.raises(TypeError):
        in_words(6.5)  # type: ignore[arg-type]
