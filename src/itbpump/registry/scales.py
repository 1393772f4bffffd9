"""Observations of a patient: on which scale, at which site, with which grade. The lists are data (`scales.toml`).

What is not in a list is refused: grades that nobody else uses cannot be compared, and a free field for a grade soon holds a name. Words go
into `text`, which is for what was seen, never for who. Not here: judging a grade.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from itbpump.errors import InputError
from itbpump.registry.subjects import require_patient
from itbpump.registry.tables import observations

if TYPE_CHECKING:
    from datetime import datetime

    from itbpump.registry.unit import Unit

__all__ = ["ObservationError", "Scale", "checked", "load_scales", "load_sites", "record_observation"]

_TEXT_LIMIT = 2_000


class ObservationError(InputError):
    """`key` is scale, site, grade or text; `given` what was given."""

    def __init__(self, key: str, given: str, action: str) -> None:
        super().__init__(f"{key} {given!r} cannot be recorded; {action}", action=action)
        self.key, self.given = key, given


@dataclass(frozen=True, slots=True)
class Scale:
    """`grades` in order, empty for a scale of words alone; `has_site`: graded muscle by muscle."""

    id: str
    title: str
    grades: tuple[str, ...]
    has_site: bool
    mark: str
    source: str


@cache
def _file() -> Mapping[str, dict[str, dict[str, object]]]:
    return tomllib.loads(resources.files("itbpump.registry").joinpath("scales.toml").read_text("utf-8"))


@cache
def load_scales() -> Mapping[str, Scale]:
    """By id."""
    found = {}
    for key, row in _file()["scale"].items():
        grades = row["grades"]
        assert isinstance(grades, list)
        found[key] = Scale(key, str(row["title"]), tuple(grades), bool(row["site"]), str(row["mark"]), str(row["source"]))
    return found


@cache
def load_sites() -> tuple[str, ...]:
    """`left elbow-flexors` and so on."""
    sites: Mapping[str, object] = _file()["site"]
    sides, groups = sites["sides"], sites["groups"]
    assert isinstance(sides, list)
    assert isinstance(groups, list)
    return tuple(f"{side} {group}" for group in groups for side in sides)


def checked(scale: str, grade: str, site: str, text: str) -> Scale:
    """The scale, where the observation is one of it. Raises ObservationError."""
    known = load_scales().get(scale)
    if known is None:
        raise ObservationError("scale", scale, f"write one of {', '.join(load_scales())}")
    if known.grades and grade not in known.grades:
        raise ObservationError("grade", grade, f"the {known.title} has {', '.join(known.grades)}")
    if not known.grades and grade:
        raise ObservationError("grade", grade, "this one is words alone: leave the grade out")
    if known.has_site and site not in load_sites():
        raise ObservationError("site", site, f"write a side and one of {', '.join(dict.fromkeys(s.split(' ')[1] for s in load_sites()))}")
    if not known.has_site and site:
        raise ObservationError("site", site, f"the {known.title} has none: leave it out")
    if len(text) > _TEXT_LIMIT or "\x00" in text:
        raise ObservationError("text", text[:40], f"write up to {_TEXT_LIMIT} characters")
    if (not known.grades or grade == "other") and not text.strip():
        raise ObservationError("text", text, "say in words what was seen, never who")
    return known


def record_observation(unit: Unit, patient_id: str, scale: str, grade: str, site: str, text: str, at: datetime) -> int:
    """The row's id. Raises UnknownSubject, ObservationError."""
    require_patient(unit.connection, patient_id)
    checked(scale, grade, site, text)
    values = {"patient_id": patient_id, "at": at, "by": unit.by, "scale": scale, "site": site, "grade": grade, "text": text.strip()}
    return int(unit.insert(observations, values))
