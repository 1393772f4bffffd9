"""Fields of a form: what is asked, in which unit, how the text is read, and what helps the person who types it.

The unit belongs to the field (SR-18): a number alone takes it, a number with another unit is refused, never converted. Reading is
`itbpump.quantity`'s (SR-16). Pure. Not here: how a field looks, undo (`draft`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import TypeAlias

from itbpump.errors import InputError, QuantityError
from itbpump.quantity import Amount, Concentration, Duration, Mass, MassRate, TimeOfDay, Volume
from itbpump.wording.layout import spelled_out

__all__ = ["Choice", "Field", "FieldError", "Kind", "Values", "amount_field", "choice_field", "tick_field"]

Values: TypeAlias = Mapping[str, str]
"""What was typed, by field id, as it was typed."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,3}")
_LETTER = re.compile(r"[^0-9.,+\- ]")
TICKED = "yes"


class FieldError(InputError):
    """What stands in a field cannot be used. `field` is its id; empty for the form as a whole."""

    def __init__(self, field: str, problem: str, action: str = "") -> None:
        self.field = field
        self.problem = problem
        super().__init__(problem, action=action)

    def __str__(self) -> str:
        return f"{self.problem}; {self.action}" if self.action else self.problem


class Kind(Enum):
    """What a field holds."""

    AMOUNT = "amount"
    DURATION = "duration"
    TIME = "time of day"
    DATE = "date"
    WHOLE = "whole number"
    ID = "opaque id"
    TEXT = "text"
    CHOICE = "choice"
    TICK = "tick"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer of a choice: `value` is kept, `label` is shown."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Field:
    """One question. `path` is its place in a prescription (`drug.concentration`), empty for what is none; `unit` stands beside it.

    `dose`: a slip here changes what a patient gets, so key bounce is looked for. `initial` is what the pump or the last prescription says;
    a concentration never has one. `group` is the heading it stands under. `not_zero`: 0 is no answer. `most`: more than that nobody is
    ever given; `caution` tells of it, the review judges it.
    """

    id: str
    label: str
    kind: Kind
    help: str
    unit: str = ""
    path: str = ""
    group: str = ""
    initial: str = ""
    required: bool = True
    dose: bool = False
    amount: type[Amount] | None = None
    choices: tuple[Choice, ...] = ()
    example: str = ""
    most: Amount | None = None
    not_zero: bool = False

    @property
    def hint(self) -> str:
        """What may be written: the unit, the choices, or the form of a text."""
        if self.kind is Kind.CHOICE:
            return " | ".join(choice.value for choice in self.choices)
        return _HINTS.get(self.kind, "")

    def read(self, text: str) -> object:
        """The value of a text: an amount, a duration, …; None for an empty field that may be empty. Raises FieldError."""
        text = text.strip()
        if not text:
            if self.required:
                raise FieldError(self.id, f"{self.label} is missing", self._wanted())
            return None
        try:
            return _READERS[self.kind](self, text)
        except QuantityError as error:
            raise FieldError(self.id, spelled_out(error.problem), spelled_out(error.action)) from error

    def caution(self, text: str) -> str:
        """What looks wrong with an amount that can be read; empty for what does not. Raises FieldError."""
        value = self.read(text)
        if self.most is None or not isinstance(value, Amount) or value.value <= self.most.value:
            return ""
        return f"{value} is above {self.most}, which nobody is given: look at the decimal point and the unit"

    def canonical(self, text: str) -> str:
        """As a prescription file writes it, unit and all; empty for an empty field. Raises FieldError."""
        value = self.read(text)
        if value is None:
            return ""
        return value.text() if isinstance(value, (Amount, Duration, TimeOfDay)) else str(value)

    def echo(self, text: str) -> str:
        """What was read, as a screen says it: `1,250 mcg per day`. Raises FieldError."""
        value = self.read(text)
        if self.kind is Kind.CHOICE:
            return next(choice.label for choice in self.choices if choice.value == value)
        return "" if value is None else str(value)

    def _wanted(self) -> str:
        example = f", such as {self.example}" if self.example else ""
        return f"write {self.hint or f'a number of {self.unit}' if self.unit else self.hint or 'it'}{example}"


_HINTS = {
    Kind.DURATION: "hours and minutes, such as 1h30m",
    Kind.TIME: "HH:MM",
    Kind.DATE: "YYYY-MM-DD",
    Kind.WHOLE: "a whole number",
    Kind.ID: "letters, digits, . _ - ; never a name",
    Kind.TICK: "yes",
}


def _amount(field: Field, text: str) -> Amount:
    if field.amount is None:
        raise AssertionError(f"field {field.id} has no kind of amount")
    amount = field.amount.parse(text if _LETTER.search(text) else f"{text} {field.unit}")
    if field.not_zero and not amount.value:
        raise FieldError(field.id, f"{amount} is no dose", "write how much is to be given")
    if amount.unit != field.unit:
        unit = spelled_out(field.unit)
        raise FieldError(field.id, f"this field is in {unit}", f"write the number of {unit}")
    return amount


def _whole(field: Field, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise FieldError(field.id, f"{text!r} is no whole number", "write digits only, without a zero in front")
    return int(text)


def _id(field: Field, text: str) -> str:
    if not _ID.fullmatch(text):
        raise FieldError(field.id, "an id has 1 to 32 letters, digits, points, lines", "write an opaque id, never a name")
    return text


def _date(field: Field, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise FieldError(field.id, f"{text!r} is no date", "write YYYY-MM-DD") from error


def _choice(field: Field, text: str) -> str:
    known = {name: choice.value for choice in field.choices for name in (choice.value, choice.label)}
    if text not in known:
        raise FieldError(field.id, f"{text!r} is none of the answers", f"choose {' or '.join(choice.value for choice in field.choices)}")
    return known[text]


def _tick(field: Field, text: str) -> str:
    if text != TICKED:
        raise FieldError(field.id, f"not done yet: {field.label}", "do it, then tick it")
    return text


_READERS: dict[Kind, Callable[[Field, str], object]] = {
    Kind.AMOUNT: _amount,
    Kind.DURATION: lambda _field, text: Duration.parse(text),
    Kind.TIME: lambda _field, text: TimeOfDay.parse(text),
    Kind.DATE: _date,
    Kind.WHOLE: _whole,
    Kind.ID: _id,
    Kind.TEXT: lambda _field, text: text,
    Kind.CHOICE: _choice,
    Kind.TICK: _tick,
    Kind.WEEK: lambda _field, text: text,
}

_UNITS: dict[type[Amount], str] = {Mass: "mcg", Volume: "mL", Concentration: "mcg/mL", MassRate: "mcg/day"}


def amount_field(
    id: str,
    label: str,
    amount: type[Amount],
    help: str,
    *,
    unit: str = "",
    path: str = "",
    group: str = "",
    initial: str = "",
    required: bool = True,
    example: str = "",
    most: Amount | None = None,
    not_zero: bool = False,
) -> Field:
    """A field of an amount; every one is a dose field, as a volume or concentration is as dangerous as a dose."""
    return Field(
        id, label, Kind.AMOUNT, help, unit or _UNITS[amount], path, group, initial, required, dose=True, amount=amount, example=example,
        most=most, not_zero=not_zero,
    )  # fmt: skip


def choice_field(
    id: str,
    label: str,
    choices: tuple[tuple[str, str], ...],
    help: str,
    *,
    path: str = "",
    group: str = "",
    initial: str = "",
    required: bool = True,
) -> Field:
    """A field with listed answers, given as (value, label)."""
    return Field(
        id, label, Kind.CHOICE, help, "", path, group, initial, required, choices=tuple(Choice(value, text) for value, text in choices)
    )


def tick_field(id: str, label: str, help: str, *, group: str = "") -> Field:
    """A point of a checklist: it must be ticked."""
    return Field(id, label, Kind.TICK, help, group=group)
