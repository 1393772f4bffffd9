"""The table of concepts and units (codes.toml) as FHIR parts: a code is written only where two independent sources have it. Pure data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from itbpump.report.fhir.model import Json

__all__ = ["UCUM", "Concept", "Unit", "codes", "coding_of", "concept", "rules", "units"]

UCUM = "http://unitsofmeasure.org"


@dataclass(frozen=True, slots=True)
class Concept:
    """A row of the table. `code` is empty for a concept that has none; `status` is then empty as well."""

    text: str
    system: str = ""
    code: str = ""
    display: str = ""
    status: str = ""
    sources: tuple[str, ...] = ()
    note: str = ""

    @property
    def coded(self) -> bool:
        """The code may be written."""
        return self.status == "verified"


@dataclass(frozen=True, slots=True)
class Unit:
    """`unit` is what people read, `ucum` the code."""

    unit: str
    ucum: str


@cache
def _table(name: str) -> Mapping[str, Any]:
    return tomllib.loads(resources.files("itbpump.report.fhir").joinpath(name).read_text("utf-8"))


@cache
def codes() -> Mapping[str, Concept]:
    """All concepts by their key here, with the address of their code system."""
    table = _table("codes.toml")
    return MappingProxyType(
        {
            key: Concept(**{**row, "system": table["systems"].get(row.get("system"), ""), "sources": tuple(row.get("sources", ()))})
            for key, row in table["concepts"].items()
        }
    )


@cache
def units() -> Mapping[str, Unit]:
    """By the unit of this project's files (`mcg/day`)."""
    return MappingProxyType({key: Unit(**row) for key, row in _table("codes.toml")["units"].items()})


@cache
def rules(release: str) -> Mapping[str, Any]:
    """Elements, required elements and fixed codes of a release (rules.toml)."""
    found: Mapping[str, Any] = _table("rules.toml")[release]
    return found


def coding_of(key: str) -> Json:
    """The bare Coding of a verified concept. ValueError for one that must not be written."""
    row = codes()[key]
    if not row.coded:
        raise ValueError(f"the code of {key!r} is not verified, so it is never written")
    return {"system": row.system, "code": row.code, "display": row.display}


def concept(key: str, text: str = "") -> Json:
    """A CodeableConcept: the code where it is verified, and always words; `text` says more than the table's."""
    row = codes()[key]
    words: Json = {"text": text or row.text}
    return {"coding": [coding_of(key)], **words} if row.coded else words
