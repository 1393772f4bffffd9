"""Helpers of the generated codec: the description of a field, and the errors a codec raises, built from that description.

The codec's fast path asks only "is it in range?"; what is said when it is not is worked out here, once something is wrong.
"""

from __future__ import annotations

from typing import NamedTuple

from itbpump.wire.errors import FieldEnumError, FieldRangeError, FieldTextError, FieldTypeError, LengthError, MessageError

_U32_MAX = 0xFFFF_FFFF


class Field(NamedTuple):
    """One field as itbp1.toml gives it. `low` and `high` hold for numbers, bools and enums; `bound` for bytes, text, blobs and lists."""

    name: str
    type: str
    low: int
    high: int
    bound: int
    unit: str
    doc: str


class Codec:
    """Error factories of one message or structure; the fields are in wire order, numbered from 1."""

    __slots__ = ("fields", "name")

    def __init__(self, name: str, fields: tuple[Field, ...]) -> None:
        self.name = name
        self.fields = fields

    def range_error(self, number: int, value: int) -> FieldRangeError:
        """The value of field `number` is outside its range, or none of the values of its enum."""
        f = self.fields[number - 1]
        kind = FieldEnumError if f.type == "bool" or f.type.startswith("enum:") else FieldRangeError
        return kind(self.name, f.name, value, f.low, f.high, number)

    def bound_error(self, number: int, length: int) -> LengthError:
        """Field `number` is longer than its bound, or the message ends inside it."""
        f = self.fields[number - 1]
        exactly = "exactly" if f.type.startswith("bytes:") else "at most"
        return LengthError(self.name, length, f"{exactly} {f.bound}", f.name, number)

    def text_error(self, number: int) -> FieldTextError:
        """Field `number` is not UTF-8."""
        return FieldTextError(self.name, self.fields[number - 1].name, number)

    def length_error(self, length: int, allowed: str) -> LengthError:
        """The whole is too short or too long."""
        return LengthError(self.name, length, allowed)

    def explain(self, message: object, re: object = 0) -> MessageError:
        """Why a message could not be packed: the first field that is wrong, or else what is nested in it."""
        if not isinstance(re, int):
            return FieldTypeError(self.name, "re", re)
        if not 0 <= re <= _U32_MAX:
            return FieldRangeError(self.name, "re", re, 0, _U32_MAX)
        for number, f in enumerate(self.fields, 1):
            problem = self._problem(number, f, getattr(message, f.name))
            if problem is not None:
                return problem
        return FieldTypeError(self.name, "a nested value", message)

    def _problem(self, number: int, f: Field, value: object) -> MessageError | None:
        """What is wrong with the value of one field; None if nothing is."""
        base, _, rest = f.type.partition(":")
        if base in ("bytes", "blob", "list", "str"):
            return self._sequence_problem(number, f, base, value)
        if base == "struct":
            return None
        if not isinstance(value, int):
            return FieldTypeError(self.name, f.name, value)
        if not f.low <= value <= f.high:
            return self.range_error(number, value)
        if (base == "enum" and type(value).__name__ != rest) or (base == "bool" and not isinstance(value, bool)):
            return FieldTypeError(self.name, f.name, value)
        return None

    def _sequence_problem(self, number: int, f: Field, base: str, value: object) -> MessageError | None:
        if base == "str":
            if not isinstance(value, str):
                return FieldTypeError(self.name, f.name, value)
            return self.text_error(number) if any("\ud800" <= c <= "\udfff" for c in value) else None
        if not isinstance(value, tuple if base == "list" else bytes):
            return FieldTypeError(self.name, f.name, value)
        if len(value) > f.bound or (base == "bytes" and len(value) != f.bound):
            return self.bound_error(number, len(value))
        return None
