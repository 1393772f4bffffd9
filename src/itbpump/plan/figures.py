"""Figures of plans that belong to no drug and no pump model, from `figures.toml`: each with mark and source."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from itbpump.drugs import Figure
from itbpump.quantity import Duration, Volume

__all__ = ["PlanFigures", "plan_figures"]


@dataclass(frozen=True, slots=True)
class PlanFigures:
    """`rinse`: the volume of a rinse that is advised. `full_effect`: when a changed infusion acts most."""

    rinse: Figure[Volume]
    full_effect: Figure[Duration]


@cache
def plan_figures() -> PlanFigures:
    """The figures shipped."""
    data = tomllib.loads(resources.files("itbpump.plan").joinpath("figures.toml").read_text("utf-8"))
    rinse, effect = data["rinse"], data["full_effect"]
    return PlanFigures(
        rinse=Figure(Volume.parse(rinse["amount"]), rinse["mark"], rinse["source"]),
        full_effect=Figure(Duration.parse(effect["amount"]), effect["mark"], effect["source"]),
    )
