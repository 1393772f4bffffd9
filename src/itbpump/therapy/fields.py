"""Types of the keys of a prescription file: text in, exact amount inside, the same text out.

Not here: which keys there are (`models`) and limits (`itbpump.safety`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Protocol, Self, TypeAlias, TypeVar

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from itbpump.quantity import Amount, Concentration, Duration, Length, Mass, MassRate, TimeOfDay, Volume, VolumePerLength

__all__ = [
    "AgeField",
    "ConcentrationField",
    "DateField",
    "DurationField",
    "InstantField",
    "LengthField",
    "MassField",
    "MassRateField",
    "OpaqueId",
    "SlugField",
    "TextField",
    "TimeField",
    "VolumeField",
    "VolumePerLengthField",
]

_FIRST_YEAR, _LAST_YEAR = 1980, 2199
"""Own bounds: no implanted pump is older; dates of any therapy of today lie before."""
_NUMBER_PATTERN = r"(0|[1-9][0-9]{0,6})(\.[0-9]{0,5}[1-9])?"
_CLOCK_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_DURATION_PATTERN = r"^([1-9][0-9]{0,3} ?h)?( ?(0|[1-9][0-9]{0,4}) ?m(in)?)?$"


class _FromText(Protocol):
    @classmethod
    def parse(cls, text: object) -> Self: ...


_Parsed = TypeVar("_Parsed", bound=_FromText)


def _reader(cls: type[_Parsed]) -> PlainValidator:
    """Take an object of the class as it is, read anything else as text."""

    def read(value: object) -> _Parsed:
        return value if isinstance(value, cls) else cls.parse(value)

    return PlainValidator(read)


def _amount_schema(cls: type[Amount], example: str) -> WithJsonSchema:
    units = "|".join(cls.UNITS)
    meaning = f"{cls.NOUN} in {' or '.join(cls.UNITS)}"
    return WithJsonSchema({"type": "string", "pattern": f"^{_NUMBER_PATTERN} ?({units})$", "description": meaning, "examples": [example]})


def _text_of(value: Amount | Duration | TimeOfDay) -> str:
    return value.text()


_write = PlainSerializer(_text_of, return_type=str)

VolumeField: TypeAlias = Annotated[Volume, _reader(Volume), _write, _amount_schema(Volume, "38 mL")]
MassField: TypeAlias = Annotated[Mass, _reader(Mass), _write, _amount_schema(Mass, "40 mcg")]
MassRateField: TypeAlias = Annotated[MassRate, _reader(MassRate), _write, _amount_schema(MassRate, "200 mcg/day")]
ConcentrationField: TypeAlias = Annotated[Concentration, _reader(Concentration), _write, _amount_schema(Concentration, "2000 mcg/mL")]
LengthField: TypeAlias = Annotated[Length, _reader(Length), _write, _amount_schema(Length, "114 cm")]
VolumePerLengthField: TypeAlias = Annotated[
    VolumePerLength, _reader(VolumePerLength), _write, _amount_schema(VolumePerLength, "0.0022 mL/cm")
]
DurationField: TypeAlias = Annotated[
    Duration,
    _reader(Duration),
    _write,
    WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN, "description": "hours and minutes", "examples": ["1h30m"]}),
]
TimeField: TypeAlias = Annotated[
    TimeOfDay, _reader(TimeOfDay), _write, WithJsonSchema({"type": "string", "pattern": _CLOCK_PATTERN, "examples": ["06:00"]})
]


def _instant(value: object) -> datetime:
    """A date-time with its offset; TOML gives a `datetime`, JSON gives text."""
    if isinstance(value, str):
        value = _from_iso(value, datetime.fromisoformat)
    if not isinstance(value, datetime):
        raise ValueError("a date and time is needed, such as 2026-11-22T10:00:00-05:00")
    if value.utcoffset() is None:
        raise ValueError("the offset from UTC is missing; write it after the time, such as 2026-11-22T10:00:00-05:00")
    return _plausible(value)


def _day(value: object) -> date:
    """A date; a date-time with its offset gives its day, at that offset."""
    if isinstance(value, str):
        value = _from_iso(value, date.fromisoformat if len(value) == 10 else datetime.fromisoformat)
    if isinstance(value, datetime):
        return _instant(value).date()
    if not isinstance(value, date):
        raise ValueError("a date is needed, such as 2026-11-22")
    return _plausible(value)


_Moment = TypeVar("_Moment", date, datetime)


def _plausible(value: _Moment) -> _Moment:
    """A year far from today's is a slip of typing, and what is reckoned from it may leave the calendar."""
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError(f"the year {value.year} is outside {_FIRST_YEAR} to {_LAST_YEAR}; check it")
    return value


def _from_iso(text: str, read: Callable[[str], _Moment]) -> _Moment:
    try:
        return read(text)
    except ValueError:
        raise ValueError("this is not a date; write 2026-11-22 or 2026-11-22T10:00:00-05:00") from None


InstantField: TypeAlias = Annotated[
    datetime,
    PlainValidator(_instant),
    PlainSerializer(datetime.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
DateField: TypeAlias = Annotated[
    date, PlainValidator(_day), PlainSerializer(date.isoformat, return_type=str), WithJsonSchema({"type": "string", "format": "date"})
]
OpaqueId: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,32}$", description="opaque id, never a name")]
SlugField: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$", description="a word of the drug library")]
TextField: TypeAlias = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
AgeField: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=130)]
