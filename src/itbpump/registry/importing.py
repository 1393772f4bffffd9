"""A clinic's table (CSV) as rows of the registry: columns mapped to fields, every error with its line and column, all of it or nothing.

Nothing is guessed: encoding is UTF-8 unless said, the separator is the one with which the first line gives the columns asked for, dates
are `2026-11-22` unless a form is given, a number without a unit needs the unit named. What was taken is told. A column that looks like a
name is refused. Spreadsheets come in as CSV: no library that reads their own format is among those the product stands on.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from itbpump.errors import InputError, ItbPumpError, ProfileError, QuantityError
from itbpump.quantity import Volume

__all__ = ["SEPARATORS", "ImportRefused", "Mapped", "Plan", "Problem", "fields_of", "kinds", "read_mapping", "read_table"]

SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SCHEMA: Final = "itbpump.import/1"
_PATIENT = re.compile(r"(?=.*[0-9])[A-Za-z0-9._-]{1,32}")
_SERIAL = re.compile(r"(?=.*[0-9])[A-Za-z0-9._/-]{1,64}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: where (line from 1, with the head; 0: the file), which column, what was there, and what to do."""

    line: int
    column: str
    value: str
    problem: str
    action: str

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line else "file"
        place = f"{where}, column {self.column}" if self.column else where
        shown = f": {self.value!r}" if self.value else ""
        return f"{place}{shown}: {self.problem}; {self.action}"


class ImportRefused(InputError):
    """Nothing was imported. `problems` are all that were found."""

    def __init__(self, place: str, problems: Sequence[Problem]) -> None:
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{place}: nothing was imported\n{lines}")
        self.place, self.problems = place, tuple(problems)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a file is to be read. `columns`: title → field; `units`: field → unit of bare numbers; `ignore`: titles left out on purpose."""

    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    separator: str | None = None
    encoding: str = "utf-8-sig"
    date_form: str = "%Y-%m-%d"


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a file holds: (line, field → value) for each row, and in words how it was read."""

    rows: tuple[tuple[int, Mapping[str, Any]], ...]
    taken: tuple[str, ...]


@cache
def _file() -> Mapping[str, Any]:
    return tomllib.loads(resources.files("itbpump.registry").joinpath("import.toml").read_text("utf-8"))


def kinds() -> tuple[str, ...]:
    """What can be imported."""
    return tuple(name for name, table in _file().items() if isinstance(table, dict) and name != "refused")


def fields_of(kind: str) -> Mapping[str, Mapping[str, Any]]:
    """The fields of a kind. ImportRefused for one there is not."""
    if kind not in kinds():
        raise ImportRefused("import", [Problem(0, "", kind, "there is no such kind of table", f"write one of {', '.join(kinds())}")])
    found: Mapping[str, Mapping[str, Any]] = _file()[kind]
    return found


def read_mapping(file: Path) -> Plan:
    """A mapping file (TOML). Raises ImportRefused."""
    try:
        form = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ImportRefused(
            str(file), [Problem(0, "", "", f"it cannot be read ({error})", "write it as docs/registry.md shows")]
        ) from error
    known = {"schema", "columns", "units", "ignore", "separator", "encoding", "date_form"}
    odd = sorted(set(form) - known)
    if form.pop("schema", None) != SCHEMA or odd:
        what = f"unknown keys: {', '.join(odd)}" if odd else "its schema is another"
        raise ImportRefused(str(file), [Problem(0, "", "", what, f'begin with schema = "{SCHEMA}" and use {", ".join(sorted(known))}')])
    try:
        return Plan(**{**form, "ignore": tuple(form.get("ignore", ()))})
    except TypeError as error:
        raise ImportRefused(str(file), [Problem(0, "", "", str(error), "write it as docs/registry.md shows")]) from error


# ------------------------------------------------------------------------------------------------ the table
def read_table(file: Path, kind: str, plan: Plan) -> Mapped:
    """Every row of the file as values. Raises ImportRefused with every problem found."""
    fields, place = fields_of(kind), str(file)
    text = _text(file, plan.encoding)
    separator = plan.separator if plan.separator is not None else _separator(text, fields, plan)
    if separator not in SEPARATORS:
        needed = ", ".join(name for name, form in fields.items() if form.get("needed"))
        raise ImportRefused(
            place,
            [
                Problem(
                    0, "", plan.separator or "", f"with no separator its first line has the needed columns ({needed})",
                    "say which column is which, --map TITLE=FIELD; or name the separator: --separator comma, semicolon, tab or bar",
                )
            ],
        )  # fmt: skip
    try:
        lines = list(_lines(text, separator))
    except csv.Error as error:
        raise ImportRefused(place, [Problem(0, "", "", f"it is no CSV ({error})", "save it as CSV with UTF-8")]) from error
    if not lines:
        raise ImportRefused(place, [Problem(0, "", "", "it is empty", "the first line names the columns")])
    heads = [head.strip() for head in lines[0][1]]
    places, problems = _places(heads, fields, plan)
    if problems:
        raise ImportRefused(place, problems)
    rows = tuple((number, _row(number, cells, heads, places, fields, plan, problems)) for number, cells in lines[1:])
    problems += _twice(rows, fields)
    if problems:
        raise ImportRefused(place, problems)
    mapped = [f"{heads[index]} → {name}" for name, index in places.items()]
    left = [head for index, head in enumerate(heads) if index not in places.values()]
    taken = [
        f"separator: {SEPARATORS[separator]}",
        f"encoding: {plan.encoding}",
        f"dates: {plan.date_form}",
        f"columns: {', '.join(mapped)}",
    ]
    return Mapped(rows, (*taken, *([f"left out: {', '.join(left)}"] if left else [])))


def _text(file: Path, encoding: str) -> str:
    try:
        return file.read_bytes().decode(encoding)
    except OSError as error:
        raise ImportRefused(str(file), [Problem(0, "", "", f"it cannot be read ({error.strerror})", "check the path")]) from error
    except LookupError as error:
        raise ImportRefused(str(file), [Problem(0, "", encoding, "no such encoding", "write utf-8 or cp1252")]) from error
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        raise ImportRefused(
            str(file), [Problem(line, "", "", f"it is not {encoding}", "save it as UTF-8, or name it: --encoding cp1252")]
        ) from error


def _lines(text: str, separator: str) -> list[tuple[int, list[str]]]:
    """(line, cells), without empty lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    found, begun = [], 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            found.append((begun, cells))
        begun = reader.line_num + 1
    return found


def _separator(text: str, fields: Mapping[str, Mapping[str, Any]], plan: Plan) -> str:
    """The one with which the first line has every needed column; empty where none or more than one has."""
    needed = {name for name, form in fields.items() if form.get("needed")}
    fitting = []
    for separator in SEPARATORS:
        heads = next(csv.reader(io.StringIO(text.lstrip("\r\n")), delimiter=separator), [])
        if needed <= {_field_of(head.strip(), fields, plan) for head in heads}:
            fitting.append(separator)
    return fitting[0] if len(fitting) == 1 else ""


def _words(head: str) -> str:
    """A title in small letters, words apart."""
    return " ".join(re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", head).casefold()))


def _field_of(head: str, fields: Mapping[str, Mapping[str, Any]], plan: Plan) -> str | None:
    if head in plan.columns:
        return plan.columns[head]
    words = _words(head)
    return next((name for name, form in fields.items() if words in form["heads"]), None)


def _places(heads: Sequence[str], fields: Mapping[str, Mapping[str, Any]], plan: Plan) -> tuple[dict[str, int], list[Problem]]:
    """Field → index of its column, and what is wrong with the head."""
    problems: list[Problem] = []
    places: dict[str, int] = {}
    refused = set(_file()["refused"]["words"])
    for index, head in enumerate(heads):
        if refused & {*_words(head).split(), _words(head).replace(" ", "")}:
            problems.append(
                Problem(1, head, "", "it looks like a name or another identifier", "delete this column from the file and use opaque ids")
            )
            continue
        if head in plan.ignore:
            continue
        name = _field_of(head, fields, plan)
        if name is None:
            problems.append(
                Problem(1, head, "", "nothing says what it is", f"--map {head!r}=FIELD, or --ignore {head!r}; fields: {', '.join(fields)}")
            )
        elif name not in fields:
            problems.append(Problem(1, head, name, "there is no such field", f"write one of {', '.join(fields)}"))
        elif name in places:
            problems.append(Problem(1, head, "", f"{heads[places[name]]!r} is {name} already", "map one of them, and ignore the other"))
        else:
            places[name] = index
    problems += [
        Problem(0, head, "", "the mapping names it and the file does not have it", "correct the mapping")
        for head in plan.columns
        if head not in heads
    ]
    lacking = [name for name, form in fields.items() if form.get("needed") and name not in places]
    problems += [Problem(1, name, "", "the file has no column for it", f"--map TITLE={name}") for name in lacking]
    return places, problems


def _row(
    number: int,
    cells: Sequence[str],
    heads: Sequence[str],
    places: Mapping[str, int],
    fields: Mapping[str, Mapping[str, Any]],
    plan: Plan,
    problems: list[Problem],
) -> dict[str, Any]:
    """The values of a row; what is wrong joins `problems`."""
    if len(cells) != len(heads):
        problems.append(Problem(number, "", "", f"{len(cells)} cells, the head has {len(heads)}", "correct the line"))
        return {}
    found: dict[str, Any] = {}
    for name, index in places.items():
        text = cells[index].strip()
        if not text:
            if fields[name].get("needed"):
                problems.append(Problem(number, heads[index], "", "it is empty", "fill it in"))
            continue
        try:
            found[name] = READERS[fields[name]["type"]](text, plan, name)
        except ItbPumpError as error:
            problems.append(Problem(number, heads[index], text[:40], str(error.args[0]), error.action))
    return found


def _twice(rows: Sequence[tuple[int, Mapping[str, Any]]], fields: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    """Lines about what an earlier line of the file is about: which of the two holds is for a person to say."""
    names = [name for name, form in fields.items() if form.get("key")]
    first: dict[tuple[Any, ...], int] = {}
    for number, row in rows:
        if names and all(name in row for name in names):
            line = first.setdefault(tuple(row[name] for name in names), number)
            if line != number:
                what = " and ".join(f"{name} {row[name]}" for name in names)
                yield Problem(number, "", "", f"{what} is on line {line} already", "leave one of the two lines out")


# ------------------------------------------------------------------------------------------------ values
class _Unreadable(InputError):
    """A cell. The text does not repeat it."""


def _date(text: str, plan: Plan, _name: str) -> date:
    try:
        return datetime.strptime(text, plan.date_form).date()  # noqa: DTZ007  (a day of a table has no zone)
    except ValueError:
        raise _Unreadable(f"no date of the form {plan.date_form}", action="write it so, or name the form: --date-form %d.%m.%Y") from None


def _volume(text: str, plan: Plan, name: str) -> int:
    unit = plan.units.get(name)
    try:
        return Volume.parse(f"{text} {unit}" if unit is not None and re.fullmatch(r"[0-9.,]+", text) else text).nL
    except QuantityError as error:
        raise _Unreadable(
            error.problem, action=error.action or f'write it with its unit, such as "38 mL", or name the unit: --unit {name}=mL'
        ) from error


def _patient(text: str, _plan: Plan, _name: str) -> str:
    if not _PATIENT.fullmatch(text):
        raise _Unreadable("no opaque id", action="write up to 32 letters, digits, dots, dashes; one digit at least; never a name")
    return text


def _serial(text: str, _plan: Plan, _name: str) -> str:
    if not _SERIAL.fullmatch(text):
        raise _Unreadable("no serial number", action="write it as it stands on the patient's card")
    return text


def _profile(text: str, _plan: Plan, _name: str) -> str:
    from itbpump.profiles import load_profile, profile_names  # noqa: PLC0415

    try:
        return load_profile(text).name
    except ProfileError as error:
        raise _Unreadable("no such pump model", action=f"write one of {', '.join(profile_names())}") from error


def _zone(text: str, _plan: Plan, _name: str) -> str:
    from itbpump.registry.errors import Contradiction  # noqa: PLC0415
    from itbpump.registry.subjects import require_zone  # noqa: PLC0415

    try:
        require_zone(text)
    except Contradiction as error:
        raise _Unreadable(error.problem, action=error.action) from error
    return text


def _plain(text: str, _plan: Plan, _name: str) -> str:
    return text


READERS: Final[Mapping[str, Callable[[str, Plan, str], Any]]] = {
    "date": _date,
    "patient": _patient,
    "profile": _profile,
    "serial": _serial,
    "text": _plain,
    "volume": _volume,
    "word": _plain,
    "zone": _zone,
}
