"""Amounts with their unit in the type: reading, printing, comparing. See the package for the rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar, Self, TypeAlias

from itbpump.errors import QuantityError

Exact: TypeAlias = int | Fraction

NL_PER_ML = 1_000_000

_NUMBER = re.compile(r"(0|[1-9][0-9]{0,6})(?:\.([0-9]{0,5}[1-9]))?")
_BEFORE_UNIT = re.compile(r"(?=[ A-Za-z\u00b5\u03bc%/])")  # the first of these places is the end of the number

# What people write instead of a unit of the file, and what to write. Keys in lower case.
_UNIT_HINTS = {
    "mcgs": "mcg", "cc": "mL", "mgs": "mg",
    "mcg/d": "mcg/day", "mcg/24h": "mcg/day", "mcg daily": "mcg/day", "mcg a day": "mcg/day",
    "mcg/hr": "mcg/h", "mcg/hour": "mcg/h", "ml/d": "mL/day", "ml/24h": "mL/day",
    "ml/hr": "mL/h", "ml/hour": "mL/h",
    "mcg per day": "mcg/day", "mcg per hour": "mcg/h", "ml per day": "mL/day", "ml per hour": "mL/h", "mcg per ml": "mcg/mL",
    "mg per ml": "mg/mL",
}  # fmt: skip

# Rates in mg are not read, as a day's dose is compared with others in mcg; the message does the sum. Keys in lower case.
_MG_RATES = {
    unit: per
    for per, units in {
        "mcg/day": ("mg/day", "mg/d", "mg/24h", "mg per day", "mg daily", "mg a day"),
        "mcg/h": ("mg/h", "mg/hr", "mg/hour", "mg per hour"),
    }.items()
    for unit in units
}
_MOST_DIGITS = 7


def exact(value: Exact) -> Exact:
    """The same value, as `int` where it is whole. A `bool`, `float` or negative number is a programming error (TypeError, ValueError)."""
    if type(value) is not int and not isinstance(value, Fraction):
        raise TypeError(f"an exact amount is an int or a Fraction, not {type(value).__name__}")
    if value.numerator < 0:
        raise ValueError(f"an amount is never negative: {value}")
    return value.numerator if value.denominator == 1 else value


def number_text(value: Exact, *, thousands: bool = False) -> str:
    """Decimal text of an exact value: leading zero, no trailing zero. ValueError if the decimals do not end: round first, on purpose."""
    return _ratio_text(value.numerator, value.denominator, thousands=thousands)


def _ratio_text(numerator: int, denominator: int, *, thousands: bool = False) -> str:
    """Decimal text of a quotient; in integers, as a table of steps prints hundreds."""
    whole, part = divmod(numerator, denominator)
    head = f"{whole:,}" if thousands else str(whole)
    if not part:
        return head
    decimals = ""
    for _ in range(denominator.bit_length()):  # decimals that end have at most as many places as the denominator has bits
        digit, part = divmod(part * 10, denominator)
        decimals += str(digit)
        if not part:
            return f"{head}.{decimals}"
    raise ValueError(f"{numerator}/{denominator} has no ending decimal")


@dataclass(frozen=True, slots=True, order=True, init=False)
class Amount:
    """Shared behaviour of the amounts below; `value` is in the base unit of the class, `unit` is how it was typed and does not compare.

    TypeError or ValueError for a value that is not exact (see `exact`), ValueError for a unit of another kind.
    """

    value: Exact
    unit: str = field(compare=False)

    UNITS: ClassVar[dict[str, int]] = {}  # unit → base units in one; the first is the default
    NOUN: ClassVar[str] = "an amount"

    # Written out, as a review makes thousands of amounts: the one that dataclass writes would set each field twice.
    def __init__(self, value: Exact, unit: str = "") -> None:
        object.__setattr__(self, "value", value if type(value) is int and value >= 0 else exact(value))
        if unit not in self.UNITS:
            if unit:
                raise ValueError(f"{unit!r} is not a unit of {self.NOUN}")
            unit = next(iter(self.UNITS))
        object.__setattr__(self, "unit", unit)

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read `38 mL`. QuantityError, with a message that teaches, for anything else."""
        amount = parse_amount(text, cls)
        if not isinstance(amount, cls):
            units = " or ".join(cls.UNITS)
            raise QuantityError(text, f"this is {amount.NOUN}, but {cls.NOUN} is needed", f"write it in {units}")
        return amount

    def text(self) -> str:
        """For files: `1250 mcg/day`; reads back to the same value."""
        unit = self._printed_unit()
        return f"{_ratio_text(self.value.numerator, self.UNITS[unit] * self.value.denominator)} {unit}"

    def json(self) -> dict[str, str]:
        """For JSON: `{"value": "38", "unit": "mL"}`, in the default unit."""
        unit, factor = next(iter(self.UNITS.items()))
        return {"value": _ratio_text(self.value.numerator, factor * self.value.denominator), "unit": unit}

    def screen(self) -> str:
        """For people: `1,250 mcg per day`, in the default unit, or per hour if typed so."""
        words, factor = _ON_SCREEN[self._printed_unit()]
        return f"{_ratio_text(self.value.numerator, factor * self.value.denominator, thousands=True)} {words}"

    def rounded(self) -> Self:
        """To the nearest base unit, ties to even; for figures that are not doses, such as a mean."""
        return type(self)(round(self.value), self.unit)

    def _printed_unit(self) -> str:
        """The unit as typed; an hourly figure that does not end is printed per day."""
        ends = not self.unit.endswith("/h") or self.value.numerator % 3 == 0  # a 24th of a day: only the 3 in 24 has no decimal
        return self.unit if ends else next(iter(self.UNITS))

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
    if type(value) is int:
        return value
    raise ValueError(f"{value} is not a whole number of base units")


_CLASSES: tuple[type[Amount], ...] = (Volume, Mass, Concentration, Flow, MassRate, Length, VolumePerLength)
_CLASS_OF_UNIT: dict[str, type[Amount]] = {unit: cls for cls in _CLASSES for unit in cls.UNITS}

# Unit as typed → in words, and base units in one; one unit of mass on screens, so that two doses compare at a glance.
_ON_SCREEN: dict[str, tuple[str, int]] = {
    "mL": ("mL", NL_PER_ML), "mcg": ("mcg", 1_000), "mg": ("mcg", 1_000),
    "mcg/mL": ("mcg per mL", 1_000), "mg/mL": ("mcg per mL", 1_000),
    "mL/day": ("mL per day", NL_PER_ML), "mL/h": ("mL per hour", 24 * NL_PER_ML),
    "mcg/day": ("mcg per day", 1_000), "mcg/h": ("mcg per hour", 24_000),
    "cm": ("cm", 1_000_000), "mL/cm": ("mL per cm", NL_PER_ML),
}  # fmt: skip


def parse_amount(text: object, wanted: type[Amount] | None = None) -> Amount:
    """Read an amount of any kind by its unit. QuantityError with a message that teaches for anything malformed.

    `wanted`: the kind that is needed, for the message where the unit does not tell one; another kind is read all the same.
    """
    if not isinstance(text, str):
        raise QuantityError(text, "an amount is text with its unit", 'write it in quotes, such as "38 mL"')
    tidy = " ".join(text.split())
    if text != tidy:
        raise QuantityError(text, "there are spaces too many", f'write "{tidy or "38 mL"}"')
    if not text:
        raise QuantityError(text, "this is not an amount", 'write a number and a unit, such as "38 mL"')
    number, *rest = _BEFORE_UNIT.split(text)
    unit = "".join(rest).removeprefix(" ")
    digits, places = _read_number(text, number, unit)
    cls = _CLASS_OF_UNIT.get(unit)
    if cls is None:
        raise _unit_error(text, number, unit, tuple((wanted or Amount).UNITS))
    value, finer = divmod(digits * cls.UNITS[unit], 10**places)
    if finer:
        # An hour's share of a base unit has no ending decimal; of three it has.
        finest = _ratio_text(3 if cls.UNITS[unit] % 3 == 0 else 1, cls.UNITS[unit])
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
        return "the number is missing", f"write a number before {unit!r}"
    if not number.isascii():
        return "only the digits 0 to 9 and a point are read", "type the number on a plain keyboard"
    if number.startswith(("+", "-")):
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
        return "a zero in front can be misread", f"write {int(whole)}{point}{decimals}"
    if decimals.endswith("0"):
        return "a zero at the end can be read ten times too high", f"write {re.sub(r'[.]?0+$', '', number)}"
    if len(whole) > _MOST_DIGITS:
        return "more than 7 digits before the point", "check the unit"
    return "more than 6 digits after the point", "write fewer digits"


def _unit_error(text: str, number: str, unit: str, wanted: tuple[str, ...]) -> QuantityError:
    """`wanted`: units of the kind that is needed; empty where any will do."""
    if not unit:
        such = " or ".join(f'"{number} {one}"' for one in wanted[:1] or ("mL", "mcg/day"))
        return QuantityError(text, "the unit is missing", f"write it after the number, such as {such}")
    if re.match(r"[eE][0-9+-]", unit):
        return QuantityError(text, "an exponent is not allowed", "write all digits of the number")
    spelled = _spelled_short(unit.lower())
    micro = re.sub("[\u00b5\u03bcu]g", "mcg", spelled)
    plain = _UNIT_HINTS.get(micro) or next((name for name in _CLASS_OF_UNIT if name.lower() == micro), None)
    if plain is None and micro not in _MG_RATES:
        return QuantityError(text, f"the unit {unit!r} is not known", f"use one of {', '.join(wanted or _CLASS_OF_UNIT)}")
    why = " (\u00b5g and ug are misread as mg)" if micro != spelled else ""
    if plain is None:
        plain, number = _MG_RATES[micro], number_text(Fraction(number) * 1_000)
    # What is told to write must be read where it is then written.
    if wanted and plain not in wanted:
        action = f"write it in {' or '.join(wanted)}"
    else:
        action = f'write "{number} {plain}"' if len(number.partition(".")[0]) <= _MOST_DIGITS else "check the number"
    return QuantityError(text, f"the unit {unit!r} is not used here{why}", action)


def _spelled_short(unit: str) -> str:
    """A unit in lower case with its words short and no blanks around its stroke: `milligrams / 24 h` is `mg/24h`."""
    for word, short in ((r"\bmicro ?grams?\b", "mcg"), (r"\bmilli ?grams?\b", "mg"), (r"\bmilli ?lit(?:er|re)s?\b", "ml")):
        unit = re.sub(word, short, unit)
    return re.sub(r" ?/ ?", "/", unit).replace("/24 h", "/24h")
