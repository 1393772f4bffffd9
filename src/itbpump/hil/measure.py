"""Measurements of a test: exact figures with limits. One outside fails the test at its end, so that all the others are measured too.

No binary float: a limit that a figure just meets must not depend on rounding. Figures come as int, Decimal, Fraction or decimal text; one
whose decimals never end is rounded by the caller, on purpose (`round(value, 6)`). Not here: where measurements are kept (`recording`),
and what a failed one makes of the test (`plugin`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TypeAlias

from itbpump.hil.errors import MeasurementError, OutsideLimits
from itbpump.hil.model import Limits, Measurement, Series

__all__ = ["Figure", "Measure", "exact_figure", "figure_text"]

Figure: TypeAlias = int | Decimal | Fraction | str


def exact_figure(value: object, what: str = "a measurement") -> Fraction:
    """The value exactly. Raises MeasurementError for a float, a bool, text that is no decimal number, and what is not finite."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, Fraction, str)):
        hint = (
            "round it to what is meant and give it as text or Decimal"
            if isinstance(value, float)
            else "give int, Decimal, Fraction or text"
        )
        raise MeasurementError(f"{what} is {value!r}, which is no exact figure; {hint}")
    try:
        number = Decimal(value) if isinstance(value, str) else value
        if isinstance(number, Decimal) and not number.is_finite():
            raise MeasurementError(f"{what} is {value!r}, which is no number; measure what is finite")
        return Fraction(number)
    except InvalidOperation as error:
        raise MeasurementError(f'{what} is {value!r}, which is no decimal number; write it like "499.5"') from error


def figure_text(value: Fraction, what: str = "a measurement") -> str:
    """Decimal text: leading zero, no trailing zero, a minus sign where it is negative. MeasurementError where the decimals never end."""
    whole, rest = divmod(abs(value.numerator), value.denominator)
    digits = ""
    for _ in range(value.denominator.bit_length()):  # decimals that end have at most as many places as the denominator has bits
        if not rest:
            break
        digit, rest = divmod(rest * 10, value.denominator)
        digits += str(digit)
    if rest:
        raise MeasurementError(f"{what} is {value}, whose decimals never end; round it on purpose, such as round(value, 6)")
    return ("-" if value < 0 else "") + str(whole) + (f".{digits}" if digits else "")


class Measure:
    """The `measure` fixture: `measure("bolus given", 12_500, "nL", lo=12_000, hi=13_000)`; `.series(…)` for curves."""

    def __init__(self) -> None:
        self.measurements: list[Measurement] = []
        self.curves: list[Series] = []
        self._outside: list[str] = []

    def __call__(self, name: str, value: Figure, unit: str, lo: Figure | None = None, hi: Figure | None = None) -> Measurement:
        """Note a value; limits are inclusive, in its unit. Outside: the test fails at its end. MeasurementError for what is not exact, a
        name used twice, or limits that no value can meet."""
        if not name or any(one.name == name for one in self.measurements):
            raise MeasurementError(f"a measurement {name!r} has been taken in this test; give each a name of its own")
        figure = exact_figure(value, name)
        low = None if lo is None else exact_figure(lo, f"{name}, lo")
        high = None if hi is None else exact_figure(hi, f"{name}, hi")
        if low is not None and high is not None and low > high:
            raise MeasurementError(f"{name}: nothing lies between {lo} and {hi}; exchange the limits")
        limits = Limits(
            None if low is None else figure_text(low, f"{name}, lo"), None if high is None else figure_text(high, f"{name}, hi")
        )
        within = (low is None or figure >= low) and (high is None or figure <= high)
        taken = Measurement(name, figure_text(figure, name), unit, limits, within)
        self.measurements.append(taken)
        return taken

    def series(
        self,
        name: str,
        x_unit: str,
        y_unit: str,
        x: Iterable[Figure],
        y: Iterable[Figure],
        lo: Iterable[Figure] = (),
        hi: Iterable[Figure] = (),
    ) -> Series:
        """Note a curve for the report. With `lo` or `hi` (as many as x), a point outside fails the test at its end, as a value does.

        Raises MeasurementError for lists of different length, or what is not exact.
        """
        points, values = _figures(name, x), _figures(name, y)
        low, high = _figures(f"{name}, lo", lo), _figures(f"{name}, hi", hi)
        if len(points) != len(values) or len(low) not in (0, len(points)) or len(high) not in (0, len(points)):
            raise MeasurementError(f"{name}: {len(points)} x, {len(values)} y, {len(low)} lo, {len(high)} hi; give as many of each")
        beyond = [place for place, value in enumerate(values) if (low and value < low[place]) or (high and value > high[place])]
        if beyond:
            first = beyond[0]
            self._outside.append(
                f"{name}: {len(beyond)} of {len(points)} points, the first {figure_text(values[first], name)} {y_unit} "
                f"at {figure_text(points[first], name)} {x_unit}"
            )
        curve = Series(name, x_unit, y_unit, *(tuple(figure_text(one, name) for one in line) for line in (points, values, low, high)))
        self.curves.append(curve)
        return curve

    def outside(self) -> OutsideLimits | None:
        """The failure of all that lies outside its limits; None when nothing does."""
        missed = tuple(one for one in self.measurements if not one.within)
        return OutsideLimits(missed, tuple(self._outside)) if missed or self._outside else None


def _figures(name: str, values: Iterable[Figure]) -> Sequence[Fraction]:
    return [exact_figure(value, name) for value in values]
