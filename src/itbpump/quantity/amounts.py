"""Amounts with their unit in the type: reading, printing, comparing. See the package for the rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd
from typing import ClassVar, Self, TypeAlias

from itbpump.errors import QuantityError

Exact: TypeAlias = int | Fraction

NL_PER_ML = 1_000_000

_NUMBER = re.compile(r"(0|[1-9][0-9]{0,6})(?:\.([0-9]{0,5}[1-9]))?")
_AMOUNT = re.compile(r"([^ A-Za-z\u00b5\u03bc%/]*) ?(\S.*)?")

# What people write instead of a unit of the file, and what to write. Keys in lower case.
_UNIT_HINTS = {
    "mcgs": "mcg", "microgram": "mcg", "micrograms": "mcg", "cc": "mL", "mgs": "mg",
    "mcg/d": "mcg/day", "mcg/24h": "mcg/day", "mcg/hr": "mcg/h", "mcg/hour": "mcg/h", "ml/d": "mL/day", "ml/24h": "mL/day",
    "ml/hr": "mL/h", "ml/hour": "mL/h",
    "mcg per day": "mcg/day", "mcg per hour": "mcg/h", "ml per day": "mL/day", "ml per hour": "mL/h", "mcg per ml": "mcg/mL",
    "mg per ml": "mg/mL",
}  # fmt: skip


def exact(value: Exact) -> Exact:
    """The same value, as `int` where it is whole. A `bool`, `float` or negative number is a programming error (TypeError, ValueError)."""
    if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
        raise TypeError(f"an exact amount is an int or a Fraction, not {type(value).__name__}")
    if value < 0:
        raise ValueError(f"an amount is never negative: {value}")
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


def number_text(value: Exact, *, thousands: bool = False) -> str:
    """Decimal text of an exact value: leading zero, no trailing zero. ValueError if the decimals do not end: round first, on purpose."""
    return _ratio_text(value.numerator, value.denominator, thousands=thousands)


def _ratio_text(numerator: int, denominator: int, *, thousands: bool = False) -> str:
    """Decimal text of a quotient; in integers, as a table of steps prints hundreds."""
    common = gcd(numerator, denominator)
    numerator, denominator = numerator // common, denominator // common
    twos = (denominator & -denominator).bit_length() - 1
    rest, fives = denominator >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        raise ValueError(f"a fraction with denominator {denominator} has no ending decimal")
    places = max(twos, fives)
    whole, decimals = divmod(numerator * 10**places // denominator, 10**places)
    head = f"{whole:,}" if thousands else str(whole)
    return f"{head}.{decimals:0{places}d}" if places else head


@dataclass(frozen=True, slots=True, order=True)
class Amount:
    """Shared behaviour of the amounts below; `value` is in the base unit of the class, `unit` is how it was typed and does not compare."""

    value: Exact
    unit: str = field(default="", compare=False)

    UNITS: ClassVar[dict[str, int]] = {}  # unit → base units in one; the first is the default
    NOUN: ClassVar[str] = "an amount"

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", exact(self.value))
        unit = self.unit or next(iter(self.UNITS))
        if unit not in self.UNITS:
            raise ValueError(f"{unit!r} is not a unit of {self.NOUN}")
        object.__setattr__(self, "unit", unit)

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read `38 mL`. QuantityError, with a message that teaches, for anything else."""
        amount = parse_amount(text)
        if not isinstance(amount, cls):
            units = " or ".join(cls.UNITS)
            raise QuantityError(text, f"this is {amount.NOUN}, but {cls.NOUN} is needed", f"write it in {units}")
        return amount

    def text(self) -> str:
        """For files: `1250 mcg/day`; reads back to the same value."""
        unit, divisor = self._printed()
        return f"{_ratio_text(self.value.numerator, divisor)} {unit}"

    def json(self) -> dict[str, str]:
        """For JSON: `{"value": "38", "unit": "mL"}`, in the default unit."""
        unit, factor = next(iter(self.UNITS.items()))
        return {"value": _ratio_text(self.value.numerator, factor * self.value.denominator), "unit": unit}

    def screen(self) -> str:
        """For people: `1,250 mcg per day`, in the default unit, or per hour if typed so."""
        unit, divisor = self._printed()
        if unit.startswith("mg"):  # one unit of mass on screens, so that two doses compare at a glance
            unit, factor = next(iter(self.UNITS.items()))
            divisor = factor * self.value.denominator
        number = _ratio_text(self.value.numerator, divisor, thousands=True)
        return f"{number} {unit.replace('/h', ' per hour').replace('/', ' per ')}"

    def rounded(self) -> Self:
        """To the nearest base unit, ties to even; for figures that are not doses, such as a mean."""
        return type(self)(round(self.value), self.unit)

    def _printed(self) -> tuple[str, int]:
        """Unit, and what the numerator is divided by to be in it; an hourly figure that does not end is printed per day."""
        divisor = self.UNITS[self.unit] * self.value.denominator
        if divisor % 3 == 0 and self.value.numerator * 10**30 % divisor:
            unit = next(iter(self.UNITS))
            return unit, self.UNITS[unit] * self.value.denominator
        return self.unit, divisor

    def __str__(self) -> str:
        return self.screen()


class Volume(Amount):
    """A volume; `nL`."""

    __slots__ = ()
    UNITS: ClassVar[dict[str, int]] = {"mL": NL_PER_ML}
    NOUN: ClassVar[str] = "a volume"

    @property
    def nL(self) -> int:
        """Whole nanolitres; ValueError for a fraction of one."""
        return _whole(self.value)


class Mass(Amount):
    """A dose; `ng`."""

    __slots__ = ()
    UNITS: ClassVar[dict[str, int]] = {"mcg": 1_000, "mg": 1_000_000}
    NOUN: ClassVar[str] = "a dose"

    @property
    def ng(self) -> Exact:
        return self.value


class Concentration(Amount):
    """Drug per volume; `ng_per_mL`, whole and above 0 when used."""

    __slots__ = ()
    UNITS: ClassVar[dict[str, int]] = {"mcg/mL": 1_000, "mg/mL": 1_000_000}
    NOUN: ClassVar[str] = "a concentration"

    @property
    def ng_per_mL(self) -> int:
        return _whole(self.value)


class Flow(Amount):
    """Volume per time; `nL_per_day`."""

    __slots__ = ()
    UNITS: ClassVar[dict[str, int]] = {"mL/day": NL_PER_ML, "mL/h": 24 * NL_PER_ML}
    NOUN: ClassVar[str] = "a flow"

    @property
    def nL_per_day(self) -> Exact:
        return self.value

    @property
    def whole_nL_per_day(self) -> int:
        """As a pump takes it; ValueError for a fraction of a nL/day."""
        return _whole(self.value)


class MassRate(Amount):
    """Dose per time; `ng_per_day`."""

    __slots__ = ()
    UNITS: ClassVar[dict[str, int]] = {"mcg/day": 1_000, "mcg/h": 24_000}
    NOUN: ClassVar[str] = "a dose rate"

    @property
    def ng_per_day(self) -> Exact:
        return self.value


class Length(Amount):
    """A length of catheter; in millionths of a centimetre, so that every number of the grammar is exact."""

    __slots__ = ()
    UNITS: ClassVar[dict[str, int]] = {"cm": 1_000_000}
    NOUN: ClassVar[str] = "a length"


class VolumePerLength(Amount):
    """Inner volume of a catheter; `nL` per cm."""

    __slots__ = ()
    UNITS: ClassVar[dict[str, int]] = {"mL/cm": NL_PER_ML}
    NOUN: ClassVar[str] = "a volume per length"


def _whole(value: Exact) -> int:
    if isinstance(value, Fraction):
        raise ValueError(f"{value} is not a whole number of base units")
    return value


_CLASSES: tuple[type[Amount], ...] = (Volume, Mass, Concentration, Flow, MassRate, Length, VolumePerLength)
_CLASS_OF_UNIT: dict[str, type[Amount]] = {unit: cls for cls in _CLASSES for unit in cls.UNITS}


def parse_amount(text: object) -> Amount:
    """Read an amount of any kind by its unit. QuantityError with a message that teaches for anything malformed."""
    if not isinstance(text, str):
        raise QuantityError(text, "an amount is text with its unit", 'write it in quotes, such as "38 mL"')
    tidy = " ".join(text.split())
    if text != tidy:
        raise QuantityError(text, "there are spaces too many", f'write "{tidy or "38 mL"}"')
    parts = _AMOUNT.fullmatch(text)
    if parts is None or not text:
        raise QuantityError(text, "this is not an amount", 'write a number and a unit, such as "38 mL"')
    number, unit = parts[1], parts[2] or ""
    digits, places = _read_number(text, number, unit)
    cls = _CLASS_OF_UNIT.get(unit)
    if cls is None:
        raise _unit_error(text, number, unit)
    value, finer = divmod(digits * cls.UNITS[unit], 10**places)
    if finer:
        finest = number_text(Fraction(1, cls.UNITS[unit])) if cls.UNITS[unit] % 3 else number_text(Fraction(1, 1_000))
        raise QuantityError(text, f"finer than {finest} {unit}, the smallest step of {cls.NOUN}", "write fewer digits after the point")
    return cls(value, unit)


def _read_number(text: str, number: str, unit: str) -> tuple[int, int]:
    """Digits without the point, and how many of them stand after it."""
    match = _NUMBER.fullmatch(number)
    if match is None:
        problem, action = _number_problem(number, unit)
        raise QuantityError(text, problem, action)
    decimals = match[2] or ""
    return int(match[1] + decimals), len(decimals)


def _number_problem(number: str, unit: str) -> tuple[str, str]:
    """What is wrong with a number, and what to write: the first fault a reader would see."""
    if not number:
        return "the number is missing", f"write a number before {unit!r}" if unit else 'write a number and a unit, such as "38 mL"'
    if not number.isascii():
        return "only the digits 0 to 9 and a point are read", "type the number on a plain keyboard"
    if number[0] in "+-":
        return "a sign is not allowed", "write the amount without a sign"
    if "," in number:
        return "a comma can be read as a decimal or as thousands", "use a point for decimals and no thousands mark"
    if not re.fullmatch(r"[0-9.]+", number) or number.count(".") > 1:
        return "this is not a number", "use digits and one point, no exponent"
    whole, point, decimals = number.partition(".")
    if not whole:
        return "a digit is missing before the point", f"write 0{number}"
    if point and not decimals:
        return "a digit is missing after the point", f"write {whole}, or the digits after the point"
    if len(whole) > 1 and whole[0] == "0":
        return "a zero in front can be misread", f"write {whole.lstrip('0') or '0'}{point}{decimals}"
    if decimals.endswith("0"):
        kept = decimals.rstrip("0")
        return "a zero at the end can be read ten times too high", f"write {whole}{'.' if kept else ''}{kept}"
    if len(whole) > 7:
        return "more than 7 digits before the point", "check the unit"
    return "more than 6 digits after the point", "write fewer digits"


def _unit_error(text: str, number: str, unit: str) -> QuantityError:
    if not unit:
        return QuantityError(text, "the unit is missing", f'write it after the number, such as "{number} mL" or "{number} mcg/day"')
    if re.match(r"[eE][0-9+-]", unit):
        return QuantityError(text, "an exponent is not allowed", "write all digits of the number")
    micro = re.sub("[\u00b5\u03bcu]g", "mcg", unit.lower())
    plain = _UNIT_HINTS.get(micro) or next((name for name in _CLASS_OF_UNIT if name.lower() == micro), None)
    if plain is not None:
        why = " (\u00b5g and ug are misread as mg)" if micro != unit.lower() else ""
        return QuantityError(text, f"the unit {unit!r} is not used here{why}", f'write "{number} {plain}"')
    return QuantityError(text, f"the unit {unit!r} is not known", f"use one of {', '.join(_CLASS_OF_UNIT)}")
