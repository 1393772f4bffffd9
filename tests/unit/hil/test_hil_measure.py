"""Measurements: exact, inclusive, and none lost because another was outside."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.hil.errors import MeasurementError
from itbpump.hil.measure import Measure, exact_figure, figure_text

_DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=9)


@given(_DECIMALS)
def test_text_reads_back_to_the_same_figure(value: Decimal) -> None:
    text = figure_text(Fraction(value))
    assert exact_figure(text) == Fraction(value)
    whole, _, places = text.removeprefix("-").partition(".")
    assert whole, "a leading zero is printed"
    assert not places.endswith("0"), "and no trailing one"


@given(_DECIMALS, _DECIMALS, _DECIMALS)
def test_limits_are_inclusive_and_exact(value: Decimal, one: Decimal, other: Decimal) -> None:
    low, high = sorted((one, other))
    measure = Measure()
    assert measure("x", value, "nL", lo=low, hi=high).within is (low <= value <= high)
    assert measure("low", low, "nL", lo=low, hi=high).within
    assert measure("high", high, "nL", lo=low, hi=high).within
    assert (measure.outside() is None) is (low <= value <= high)


@pytest.mark.parametrize("value", [1.5, float("nan"), True, None, "1,5", "", "abc", Decimal("NaN"), "Infinity", 1j])
def test_what_is_not_exact_is_refused(value: object) -> None:
    with pytest.raises(MeasurementError):
        Measure()("x", value, "nL")  # type: ignore[arg-type]


def test_decimals_that_never_end_are_rounded_by_the_caller() -> None:
    measure = Measure()
    with pytest.raises(MeasurementError, match="round it on purpose"):
        measure("third", Fraction(1, 3), "nL")
    assert measure("third", round(Fraction(1, 3), 4), "nL").value == "0.3333"


def test_every_measurement_outside_is_named_with_its_limits() -> None:
    measure = Measure()
    measure("first", 5, "nL", lo=6)
    measure("second", "7.5", "mcg", hi=8)
    measure("third", 9, "nL", lo=1, hi=8)
    outside = measure.outside()
    assert outside is not None
    assert [one.name for one in outside.measurements] == ["first", "third"]
    assert "first = 5 nL (limits: at least 6)" in str(outside)
    assert "third = 9 nL (limits: at least 1 and at most 8)" in str(outside)
    assert "second" not in str(outside)


def test_name_used_twice_and_limits_that_nothing_meets_are_refused() -> None:
    measure = Measure()
    measure("x", 1, "nL")
    with pytest.raises(MeasurementError, match="has been taken"):
        measure("x", 1, "nL")
    with pytest.raises(MeasurementError, match="nothing lies between"):
        measure("y", 1, "nL", lo=2, hi=1)


def test_curve_outside_its_limits_counts_as_a_value_does() -> None:
    measure = Measure()
    curve = measure.series("trumpet", "min", "%", [2, 5, 11], ["-20", 3, 1], lo=[-15, -15, -15], hi=[15, 15, 15])
    assert curve.y == ("-20", "3", "1")
    outside = measure.outside()
    assert outside is not None
    assert "trumpet: 1 of 3 points, the first -20 % at 2 min" in str(outside)


def test_curve_of_uneven_lists_is_refused() -> None:
    with pytest.raises(MeasurementError, match="as many of each"):
        Measure().series("x", "min", "%", [1, 2], [1])
    with pytest.raises(MeasurementError, match="as many of each"):
        Measure().series("x", "min", "%", [1, 2], [1, 2], lo=[1])
