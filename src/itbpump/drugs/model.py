"""What a drug library holds: figures with their origin, limits, steps and texts of one drug.

Plain frozen data; the rules that use it are in `itbpump.safety`. Not modelled: mixtures, oral drugs, weight-based doses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from itbpump.quantity import Concentration, Duration, Mass, MassRate

__all__ = [
    "CHILD",
    "Clinic",
    "Condition",
    "DailyLimits",
    "DrugLibrary",
    "Figure",
    "IncreaseLimits",
    "Interaction",
    "Maintenance",
    "Passage",
    "Steps",
    "Taper",
    "Texts",
    "Titration",
]

CHILD = "child"  # the group that stands beside the indications in [daily], [increase] and [titration]

_Value = TypeVar("_Value")
_Group = TypeVar("_Group")


@dataclass(frozen=True, slots=True)
class Figure(Generic[_Value]):
    """A value with its origin. mark: R read, R2 read in a secondary source, M unverified, D derived, C a clinic's own policy."""

    value: _Value
    mark: str
    source: str

    @property
    def origin(self) -> str:
        """Source as shown beside a finding; an unverified figure says so."""
        return _origin(self.mark, self.source)


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence or two with their origin; marks as in `Figure`."""

    text: str
    mark: str
    source: str

    @property
    def origin(self) -> str:
        return _origin(self.mark, self.source)


Interaction = Passage  # why a class of other drugs matters
Condition = Passage  # why a flag of the patient matters


@dataclass(frozen=True, slots=True)
class DailyLimits:
    """Limits of the total in any 24 h, ordered."""

    hard_low: Figure[MassRate]
    soft_low: Figure[MassRate]
    typical_low: Figure[MassRate]
    typical_high: Figure[MassRate]
    soft_high: Figure[MassRate]
    hard_high: Figure[MassRate]


@dataclass(frozen=True, slots=True)
class IncreaseLimits:
    """Percent of increase above which a change is soft, needs a second person, or is refused."""

    soft_percent: Figure[int]
    second_percent: Figure[int]
    hard_percent: Figure[int]


@dataclass(frozen=True, slots=True)
class Steps:
    """A range of steps, in percent of the present dose."""

    step_low_percent: Figure[int]
    step_high_percent: Figure[int]


Maintenance = Steps


@dataclass(frozen=True, slots=True)
class Titration(Steps):
    """Steps upwards after the start, and the shortest time from one to the next."""

    every: Figure[Duration]


@dataclass(frozen=True, slots=True)
class Taper:
    """Largest step down, in percent of the present dose, and the shortest time from one to the next."""

    step_percent: Figure[int]
    every: Figure[Duration]


@dataclass(frozen=True, slots=True)
class Texts:
    """What people are told of this drug. `withdrawal` is a clause for findings; the others are whole sentences."""

    withdrawal: Passage
    withdrawal_care: Passage
    overdose: Passage
    stop_confirmation: Passage
    observe_after_bolus: Passage
    priming: Passage
    diluted_only: Passage


@dataclass(frozen=True, slots=True)
class Clinic:
    """Which clinic's file tightened a library; `sha256` is over that file alone."""

    id: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class DrugLibrary:
    """Limits of one drug.

    Keys of `daily`, `increase` and `titration`: the indications, and `child` where the drug has limits of its own for children. A start is
    limited by the screening dose (`start_factor` to `start_second_percent`, None together), by an absolute dose (`start_absolute_soft` and
    `start_absolute_second`, None together), or both; at least one of the two is there.
    `sha256` is over the file, and over file and clinic's file one after the other where `clinic` is there.
    """

    name: str
    version: str
    sha256: str
    concentrations: Figure[tuple[Concentration, ...]]
    screening_only: Figure[tuple[Concentration, ...]]
    screening_doses: Figure[tuple[Mass, ...]]
    screening_small: Figure[Mass] | None
    daily: Mapping[str, DailyLimits]
    increase: Mapping[str, IncreaseLimits]
    titration: Mapping[str, Titration]
    maintenance: Mapping[str, Maintenance]
    side_effect_decrease: Steps
    taper: Taper
    decrease_soft_percent: Figure[int]
    first_period: Figure[Duration]
    start_factor: Figure[int] | None
    start_long_effect: Figure[Duration] | None
    start_long_factor: Figure[int] | None
    start_second_percent: Figure[int] | None
    start_absolute_soft: Figure[MassRate] | None
    start_absolute_second: Figure[MassRate] | None
    restart_soft_after: Figure[Duration]
    restart_second_after: Figure[Duration]
    bolus_soft: Figure[Mass]
    bolus_hard: Figure[Mass]
    patient_bolus_hard: Figure[Mass]
    bolus_repeats_soft: Figure[int]
    bolus_apart: Figure[Duration]
    second_below_years: Figure[int]
    child_below_years: Figure[int]
    child_daily_below_years: Figure[int]
    stability_days: Figure[int]
    rounding_soft_percent: Figure[int]
    diagnoses: Mapping[str, tuple[str, ...]]
    diagnosis_origins: Mapping[str, str]
    interactions: Mapping[str, Interaction]
    conditions: Mapping[str, Condition]
    texts: Texts
    brands: Figure[tuple[str, ...]]
    tall_man: Figure[str]
    forms: Passage
    clinic: Clinic | None = None
    content: bytes = field(default=b"", repr=False)

    @property
    def indications(self) -> tuple[str, ...]:
        """What the drug is labelled for, in the order of the file."""
        return tuple(name for name in self.daily if name != CHILD)

    def daily_limits(self, indication: str | None, age_years: int | None) -> tuple[DailyLimits, ...]:
        """Limits of the 24-h total that hold together: the strictest of them counts.

        An indication not known, or None, has the limits of all; a child under `child_daily_below_years` those of children beside them.
        """
        return self._groups(self.daily, indication, age_years, self.child_daily_below_years.value)

    def increase_limits(self, indication: str | None, age_years: int | None) -> tuple[IncreaseLimits, ...]:
        """Limits of an increase that hold together; those of children under `child_below_years` beside the indication's."""
        return self._groups(self.increase, indication, age_years, self.child_below_years.value)

    def titrations(self, indication: str | None, age_years: int | None) -> tuple[Titration, ...]:
        """Steps of titration that hold together: the smallest step and the longest wait count."""
        return self._groups(self.titration, indication, age_years, self.child_below_years.value)

    def _groups(self, table: Mapping[str, _Group], indication: str | None, age_years: int | None, child_below: int) -> tuple[_Group, ...]:
        names = (indication,) if indication is not None and indication in self.indications else self.indications
        young = age_years is not None and age_years < child_below and CHILD in table
        return tuple(table[name] for name in (*names, *((CHILD,) if young else ())))

    def json(self) -> dict[str, Any]:
        """Name, version and hash, as every review and log carries them; with a clinic's file, that file's as well."""
        form: dict[str, Any] = {"name": self.name, "version": self.version, "sha256": self.sha256}
        if self.clinic is not None:
            form["clinic"] = {"id": self.clinic.id, "version": self.clinic.version, "sha256": self.clinic.sha256}
        return form


def _origin(mark: str, source: str) -> str:
    return source if mark != "M" or source.startswith("unverified") else f"unverified; {source}"
