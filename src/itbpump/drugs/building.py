"""From checked figures to a `DrugLibrary`. Not here: files (`loading`), a clinic's own limits (`overlay`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from itbpump.drugs.model import (
    Clinic,
    DailyLimits,
    DrugLibrary,
    Figure,
    IncreaseLimits,
    Maintenance,
    Passage,
    Steps,
    Taper,
    Texts,
    Titration,
)
from itbpump.drugs.order import check_figures, groups_of

__all__ = ["build"]

Figures = Mapping[str, Figure[Any]]


def build(name: str, version: str, sha256: str, figures: Figures, content: bytes, clinic: Clinic | None = None) -> DrugLibrary:
    """The library these figures make. LibraryError where they are incomplete or out of order."""
    check_figures(figures)
    return DrugLibrary(
        name=name,
        version=version,
        sha256=sha256,
        concentrations=figures["concentrations.pump"],
        screening_only=figures["concentrations.screening_only"],
        screening_doses=figures["screening.doses"],
        screening_small=figures.get("screening.small"),
        daily={group: DailyLimits(**_table(figures, f"daily.{group}.")) for group in groups_of(figures, "daily")},
        increase={group: IncreaseLimits(**_table(figures, f"increase.{group}.")) for group in groups_of(figures, "increase")},
        titration={group: Titration(**_table(figures, f"titration.{group}.")) for group in groups_of(figures, "titration")},
        maintenance={group: Maintenance(**_table(figures, f"maintenance.{group}.")) for group in groups_of(figures, "maintenance")},
        side_effect_decrease=Steps(**_table(figures, "side_effects.")),
        taper=Taper(**_table(figures, "taper.")),
        decrease_soft_percent=figures["change.decrease_soft_percent"],
        first_period=figures["change.first_period"],
        start_factor=figures.get("start.factor"),
        start_long_effect=figures.get("start.long_effect"),
        start_long_factor=figures.get("start.long_factor"),
        start_second_percent=figures.get("start.second_percent"),
        start_absolute_soft=figures.get("start.absolute.soft"),
        start_absolute_second=figures.get("start.absolute.second"),
        restart_soft_after=figures["restart.soft_after"],
        restart_second_after=figures["restart.second_after"],
        bolus_soft=figures["bolus.soft"],
        bolus_hard=figures["bolus.hard"],
        patient_bolus_hard=figures["bolus.patient_hard"],
        bolus_repeats_soft=figures["bolus.repeats_soft"],
        bolus_apart=figures["bolus.apart"],
        second_below_years=figures["age.second_below_years"],
        child_below_years=figures["age.child_below_years"],
        child_daily_below_years=figures["age.child_daily_below_years"],
        stability_days=figures["stability.days"],
        rounding_soft_percent=figures["rounding.soft_percent"],
        diagnoses={group: figure.value for group, figure in _table(figures, "diagnoses.").items()},
        diagnosis_origins={group: figure.origin for group, figure in _table(figures, "diagnoses.").items()},
        interactions=_passages(figures, "interactions."),
        conditions=_passages(figures, "conditions."),
        texts=Texts(**_passages(figures, "texts.")),
        brands=figures["forms.brands"],
        tall_man=figures["forms.tall_man"],
        forms=_passage(figures["forms.note"]),
        clinic=clinic,
        content=content,
    )


def _table(figures: Figures, above: str) -> dict[str, Figure[Any]]:
    """The figures right below a path, by their last name."""
    return {path.removeprefix(above): figure for path, figure in figures.items() if path.startswith(above)}


def _passages(figures: Figures, above: str) -> dict[str, Passage]:
    return {name: _passage(figure) for name, figure in _table(figures, above).items()}


def _passage(figure: Figure[str]) -> Passage:
    return Passage(figure.value, figure.mark, figure.source)
