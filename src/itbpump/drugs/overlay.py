"""A clinic's own file over a library: it may only tighten.

A figure that is looser than the library's, one that is not for a clinic to change, and a key the library does not have are refused with
both values and the direction. What is left out stays as it is. Not here: where the clinic keeps its file (a face reads the bytes).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from itbpump.drugs.building import build
from itbpump.drugs.keys import Tighten, find_key
from itbpump.drugs.model import Clinic, DrugLibrary, Figure
from itbpump.drugs.parsing import CLINIC_MARK, CLINIC_SCHEMA, MARKS, SCHEMA, Document, figures_of, parse
from itbpump.errors import LibraryError

__all__ = ["HEAD", "is_looser", "read_library", "with_clinic"]

HEAD = frozenset({"name", "version"})
CLINIC_HEAD = frozenset({"drug", "clinic", "version", "based_on"})
PIN = frozenset({"version", "sha256"})
_OPAQUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


def read_library(content: bytes) -> DrugLibrary:
    """A library from the bytes of its file; the hash is over these bytes. LibraryError for anything missing, unsourced or out of order."""
    document = parse(content, SCHEMA, HEAD)
    figures = figures_of(document.tables, MARKS)
    return build(document.word("name"), document.word("version"), _sha256(content), figures, content)


def with_clinic(base: DrugLibrary, content: bytes) -> DrugLibrary:
    """The library with a clinic's tighter figures; its hash is over both files, the library's first.

    `base` is a library as read from its file. LibraryError, naming the key, both values and the direction, for a figure that is looser;
    also for a file of another drug, or one pinned to another version of the library.
    """
    if base.clinic is not None or not base.content or read_library(base.content) != base:
        raise LibraryError("a clinic's file goes over a library as read from its file", action="read the library again, and apply one file")
    document = parse(content, CLINIC_SCHEMA, CLINIC_HEAD)
    _check_drug(base, document)
    figures = figures_of(parse(base.content, SCHEMA, HEAD).tables, MARKS)
    for path, figure in figures_of(document.tables, frozenset({CLINIC_MARK})).items():
        _check_tighter(path, figures.get(path), figure)
        figures[path] = figure
    clinic = Clinic(_opaque(document.word("clinic")), document.word("version"), _sha256(content))
    return build(base.name, base.version, _sha256(base.content + content), figures, base.content, clinic)


def _check_drug(base: DrugLibrary, document: Document) -> None:
    if document.word("drug") != base.name:
        raise LibraryError(f"the clinic's file is for {document.word('drug')}, this library for {base.name}")
    pin = document.head.get("based_on", {})
    if not isinstance(pin, Mapping) or pin.keys() - PIN:
        raise LibraryError("based_on: only version and sha256 are known")
    for key, own in (("version", base.version), ("sha256", base.sha256)):
        if key in pin and pin[key] != own:
            raise LibraryError(
                f"the clinic's file is based on {key} {pin[key]!r}, the library is {own!r}",
                action="compare the two, then pin the clinic's file anew",
            )


def _check_tighter(path: str, own: Figure[Any] | None, wanted: Figure[Any]) -> None:
    key = find_key(path)
    if own is None or key is None:
        raise LibraryError(f"clinic's file: {path}: this library has no such figure")
    if key.tighten is Tighten.FIXED or is_looser(key.tighten, own.value, wanted.value):
        raise LibraryError(
            f"clinic's file: {path}: {_shown(wanted.value)} against the library's {_shown(own.value)}; {key.tighten.value}",
            action="correct or remove the figure; nothing is programmed with a looser one",
        )


def is_looser(tighten: Tighten, own: Any, wanted: Any) -> bool:
    """Whether a figure is looser than the library's own. Raises ValueError for a figure that has no direction."""
    if tighten is Tighten.LOWER:
        return bool(wanted > own)
    if tighten is Tighten.RAISE:
        return bool(wanted < own)
    if tighten is Tighten.SUBSET:
        return not set(wanted) <= set(own)
    raise ValueError(f"{tighten} has no direction")


def _shown(value: Any) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, tuple) else str(value)


def _opaque(name: str) -> str:
    if not _OPAQUE.fullmatch(name):
        raise LibraryError(f"clinic: {name!r} is not an opaque id", action="use letters, digits, . _ and -, no name of a person")
    return name


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
