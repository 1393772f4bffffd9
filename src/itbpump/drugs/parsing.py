"""From the bytes of a drug file, the library's or a clinic's, to its head and its figures by path (`daily.spinal.hard_high`).

A figure without mark and source, a key no library has, and a value of the wrong kind are refused (SR-06). Not here: what the figures mean
to each other (`building`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from itbpump.drugs.keys import Key, Kind, find_key
from itbpump.drugs.model import Figure
from itbpump.errors import LibraryError, QuantityError
from itbpump.quantity import Concentration, Duration, Mass, MassRate

__all__ = ["CLINIC_MARK", "CLINIC_SCHEMA", "MARKS", "SCHEMA", "Document", "figures_of", "parse"]

SCHEMA = "itbpump.drug-library/1"
CLINIC_SCHEMA = "itbpump.clinic-library/1"
MARKS = frozenset({"R", "R2", "M", "D"})
CLINIC_MARK = "C"

_SLUG = re.compile(r"[a-z][a-z0-9-]{0,31}")
_ENTRY_WORDS = frozenset({"amount", "amounts", "count", "slugs", "names", "text", "mark", "source"})


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its words at the top, and its tables."""

    head: Mapping[str, Any]
    tables: Mapping[str, Any]

    def word(self, key: str) -> str:
        """A text of the head that must be there."""
        value = self.head.get(key)
        if not isinstance(value, str) or not value:
            raise LibraryError(f"{key} is missing or no text", action=f'write {key} = "…" at the top of the file')
        return value


def parse(content: bytes, schema: str, head: frozenset[str]) -> Document:
    """A file of this schema whose top has no words but these. LibraryError for anything else."""
    try:
        data = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LibraryError(f"the drug library is damaged: {error}", action="restore the file; nothing is programmed without it") from error
    if data.get("schema") != schema:
        raise LibraryError(f"unknown schema {data.get('schema')!r}", action=f"this version reads {schema}")
    known = head | {"schema"}
    tables = {key: value for key, value in data.items() if key not in known}
    return Document({key: value for key, value in data.items() if key in known}, tables)


def figures_of(tables: Mapping[str, Any], marks: frozenset[str]) -> dict[str, Figure[Any]]:
    """Every figure of a file by its path, in the order of the file. `marks`: those this file may use."""
    found: dict[str, Figure[Any]] = {}
    for path, entry in _entries(tables):
        key = find_key(path)
        if key is None:
            raise LibraryError(f"{path}: no library has this key", action="docs/drug-library.md lists all keys")
        if "*" in key.path:
            _slug(path, path.split(".")[1])
        found[path] = _figure(path, key, entry, marks)
    return found


def _entries(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, value in table.items():
        path = f"{above}{name}"
        if not isinstance(value, dict):
            raise LibraryError(f"{path}: a bare value", action='write { amount = "…", mark = "…", source = "…" } or its like')
        if _ENTRY_WORDS & value.keys():
            yield path, value
        else:
            yield from _entries(value, f"{path}.")


def _figure(path: str, key: Key, entry: Mapping[str, Any], marks: frozenset[str]) -> Figure[Any]:
    word, read = _READERS[key.kind]
    mark, source = entry.get("mark"), entry.get("source")
    if not isinstance(mark, str) or mark not in marks or not isinstance(source, str) or not source.strip():
        raise LibraryError(f"{path}: a figure needs its mark ({', '.join(sorted(marks))}) and its source")
    if entry.keys() != {word, "mark", "source"}:
        raise LibraryError(f"{path}: needs {word}, mark and source, and nothing else; it has {', '.join(entry)}")
    try:
        return Figure(read(path, entry[word]), mark, source)
    except QuantityError as error:
        raise LibraryError(f"{path}: {error}", action=error.action) from error


def _count(path: str, value: object) -> int:
    if type(value) is not int or value < 0:
        raise LibraryError(f"{path}: {value!r} is not a whole number, 0 or more")
    return value


def _list(path: str, value: object) -> list[object]:
    if not isinstance(value, list):
        raise LibraryError(f"{path}: a list is needed")
    return value


def _slug(path: str, value: object) -> str:
    if not isinstance(value, str) or not _SLUG.fullmatch(value):
        raise LibraryError(f"{path}: {value!r} is not a word of small letters, digits and hyphens")
    return value


def _text(path: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or value != value.strip():
        raise LibraryError(f"{path}: a text without spaces around it is needed")
    return value


# The word that carries the value of each kind in the file, and what reads it.
_READERS: Mapping[Kind, tuple[str, Callable[[str, Any], Any]]] = {
    Kind.MASS: ("amount", lambda _, value: Mass.parse(value)),
    Kind.RATE: ("amount", lambda _, value: MassRate.parse(value)),
    Kind.DURATION: ("amount", lambda _, value: Duration.parse(value)),
    Kind.COUNT: ("count", _count),
    Kind.CONCENTRATIONS: ("amounts", lambda path, value: tuple(Concentration.parse(item) for item in _list(path, value))),
    Kind.MASSES: ("amounts", lambda path, value: tuple(Mass.parse(item) for item in _list(path, value))),
    Kind.SLUGS: ("slugs", lambda path, value: tuple(_slug(path, item) for item in _list(path, value))),
    Kind.NAMES: ("names", lambda path, value: tuple(_text(path, item) for item in _list(path, value))),
    Kind.TEXT: ("text", _text),
}
