"""Prescription files: TOML text to a `Prescription` and back without loss, and what is wrong where.

Reading a file is left to the object handed in (`Path.read_bytes`); this module opens nothing itself.
Not here: comments and order of keys are not kept by `dump_prescription`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from itbpump.errors import PrescriptionError
from itbpump.therapy.lines import Location, line_of, lines_of_keys
from itbpump.therapy.models import SCHEMA, Continuous, Flex, MinimumRate, PeriodicBolus, Prescription, Stopped
from itbpump.wire.numbers import beyond_64_bits

__all__ = [
    "MAX_BYTES",
    "Problem",
    "Readable",
    "dump_prescription",
    "json_schema",
    "load_prescription",
    "prescription_from",
    "prescription_json",
]

MAX_BYTES = 256 * 1024  # a full file of 7 patterns of 48 steps is about 20 kB
_MOST_DOTS = 1_000  # in a line: `a.a.a…` costs tomllib the square of its length; a pattern of 48 steps on one line has some 100
_MODES: dict[str, type[BaseModel]] = {
    "continuous": Continuous,
    "flex": Flex,
    "periodic-bolus": PeriodicBolus,
    "minimum-rate": MinimumRate,
    "stopped": Stopped,
}


class Readable(Protocol):
    """What a file is to this module; `pathlib.Path` is one."""

    def read_bytes(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a file. `nearest` is the valid key or value that was probably meant."""

    file: str
    line: int | None
    key: str
    text: str
    nearest: str | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        meant = f" (did you mean {self.nearest!r}?)" if self.nearest else ""
        return f"{where}: {self.key + ': ' if self.key else ''}{self.text}{meant}"


def load_prescription(source: Readable | str, name: str = "") -> Prescription:
    """Read a prescription from a `Path`, or from its text. `name` stands for the file in messages.

    Raises PrescriptionError for anything that is not a prescription; every problem is named at once.
    """
    if isinstance(source, str):
        name, text = name or "<text>", source
    else:
        name, text = name or str(source), _read(source, name or str(source))
    if len(text.encode()) > MAX_BYTES:
        raise PrescriptionError((Problem(name, None, "", f"larger than {MAX_BYTES:,} bytes; this is not a prescription"),))
    if any(line.count(".") > _MOST_DOTS for line in text.splitlines()):
        raise PrescriptionError((Problem(name, None, "", f"a line with more than {_MOST_DOTS:,} dots; this is not a prescription"),))
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at_line = re.search(r"line ([0-9]+)", str(error))
        line = int(at_line[1]) if at_line else text.count("\n") + 1
        hint = "; is this the path of a file? pass a Path" if "\n" not in text else ""
        raise PrescriptionError((Problem(name, line, "", f"not TOML: {error}{hint}"),)) from error
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits; tables nested without end
        raise PrescriptionError((Problem(name, None, "", f"no prescription looks like this: {error}"),)) from error
    key = beyond_64_bits(data)
    if key is not None:
        raise PrescriptionError((Problem(name, None, key, "a number beyond 64 bits; this is not a prescription"),))
    try:
        return Prescription.model_validate(data)
    except ValidationError as error:
        lines = lines_of_keys(text)
        raise PrescriptionError(tuple(_problem(name, lines, detail) for detail in error.errors(include_url=False))) from error


def prescription_from(tables: Mapping[str, Any], name: str = "<form>") -> Prescription:
    """A prescription from tables as a file would hold them, for forms. Raises PrescriptionError; every problem is named at once."""
    try:
        return Prescription.model_validate(dict(tables))
    except ValidationError as error:
        raise PrescriptionError(tuple(_problem(name, {}, detail) for detail in error.errors(include_url=False))) from error


def _read(source: Readable, name: str) -> str:
    try:
        return source.read_bytes().decode("utf-8")
    except OSError as error:
        raise PrescriptionError((Problem(name, None, "", f"cannot be read: {error.strerror or error}"),)) from error
    except UnicodeDecodeError as error:
        raise PrescriptionError((Problem(name, None, "", "not UTF-8 text; save the file as UTF-8"),)) from error


def _problem(name: str, lines: dict[Location, int], detail: ErrorDetails) -> Problem:
    """A pydantic error in the words of the file."""
    # pydantic puts the mode into the location of a key of [therapy]; the file does not
    location, mode = detail["loc"], ""
    if len(location) > 1 and location[0] == "therapy" and location[1] in _MODES:
        location, mode = (location[0], *location[2:]), str(location[1])
    text, nearest = _words(detail, location, mode)
    return Problem(name, line_of(lines, location), _dotted(location), text, nearest)


def _words(detail: ErrorDetails, location: Location, mode: str) -> tuple[str, str | None]:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return "this key is not known here" + _other_mode(location, mode), _closest(str(location[-1]), _keys_beside(location, mode))
    if kind == "missing":
        return "this key is missing", None
    if kind == "union_tag_invalid":
        return f"{context['tag']!r} is not a mode; modes are {', '.join(_MODES)}", _closest(str(context["tag"]), _MODES)
    if kind == "union_tag_not_found":
        return f"the key mode is missing; modes are {', '.join(_MODES)}", None
    if kind == "literal_error":
        expected = str(context["expected"])
        return f"{detail['input']!r} is not allowed; use {expected}", _closest(str(detail["input"]), re.findall(r"'([^']*)'", expected))
    if kind == "value_error":
        return str(context["error"]), None
    return f"{detail['msg'][0].lower()}{detail['msg'][1:]}", None


def _dotted(location: Location) -> str:
    """`therapy.pattern[2].steps[1].rate`, elements counted from 1 as people count."""
    return "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def _closest(word: str, valid: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, list(valid), n=1)), None)


def _keys_of(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _keys_beside(location: Location, mode: str) -> list[str]:
    """Keys that are valid where the last name of a location stands."""
    model: type[BaseModel] | None = Prescription
    for part in location[:-1]:
        if isinstance(part, int) or model is None:
            continue
        model = _MODES[mode] if part == "therapy" and mode else _model_in(_keys_of(model).get(part))
    return list(_keys_of(model)) if model is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The table an annotation speaks of: itself, optional, or the element of a tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := _model_in(part)) is not None), None)


def _other_mode(location: Location, mode: str) -> str:
    if not mode or len(location) != 2:
        return ""
    others = [other for other, model in _MODES.items() if location[1] in model.model_fields]
    return f" (it belongs to mode {' or '.join(others)})" if others else ""


# ------------------------------------------------------------------------------------------------ writing
def prescription_json(prescription: Prescription) -> dict[str, Any]:
    """Canonical JSON form: amounts as text with their unit, absent tables left out; digests are taken over it."""
    data = prescription.model_dump(mode="json", by_alias=True, exclude_none=True)
    if not data["patient"]["conditions"]:
        del data["patient"]["conditions"]
    return data


def json_schema() -> dict[str, Any]:
    """JSON schema of the file, for editors and other programs."""
    return Prescription.model_json_schema(by_alias=True, mode="validation") | {"$id": SCHEMA, "title": "itbpump prescription"}


def dump_prescription(prescription: Prescription) -> str:
    """TOML text that loads to an equal prescription, amounts in the units they were typed in."""
    data = prescription_json(prescription)
    data["pump"]["as_of"] = prescription.pump.as_of
    for table, key, value in (
        ("pump", "implanted_on", prescription.pump.implanted_on),
        ("drug", "filled_on", prescription.drug.filled_on),
        ("therapy", "since", prescription.therapy.since),
    ):
        if value is not None:
            data[table][key] = value
    parts = [f"schema = {_quoted(SCHEMA)}\n"]
    for name, table_value in data.items():
        if isinstance(table_value, Mapping):
            parts.append(_table(name, table_value))
        elif isinstance(table_value, list):
            parts.extend(_table(name, element, array=True) for element in table_value)
    return "\n".join(parts)


def _table(name: str, table: Mapping[str, Any], *, array: bool = False) -> str:
    """One table with the tables under it; [[therapy.pattern]] and [therapy.patient_bolus] follow their parent's keys."""
    head = f"[[{name}]]" if array else f"[{name}]"
    plain = [f"{key} = {_value(value)}" for key, value in table.items() if not _is_table(key, value)]
    nested = []
    for key, value in table.items():
        if _is_table(key, value):
            elements = value if isinstance(value, list) else [value]
            nested += [_table(f"{name}.{key}", element, array=isinstance(value, list)) for element in elements]
    return "\n".join([head, *plain, *(["", *nested] if nested else [])]) + ("" if nested else "\n")


def _is_table(key: str, value: object) -> bool:
    return isinstance(value, Mapping) or (key == "pattern" and isinstance(value, list))


def _value(value: object) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        lines = [", ".join(f"{key} = {_value(item)}" for key, item in element.items()) for element in value]
        return "[\n" + "".join(f"  {{ {line} }},\n" for line in lines) + "]"
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    raise TypeError(f"a prescription holds no {type(value).__name__}")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
