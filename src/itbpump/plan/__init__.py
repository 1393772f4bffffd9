"""Plans: dated prescriptions that lead from the present therapy to another dose or concentration, each reviewed beside the one before.

`titrate`, `taper` and `convert` make a `Plan`. A plan sends nothing and decides nothing. Charts are in `chart`, lines and JSON in `views`;
`csf` runs a plan in the simulator, so it is imported only where that is wanted.
"""

from __future__ import annotations

from itbpump.plan.convert import convert
from itbpump.plan.mixing import Rinse, mixed_concentration
from itbpump.plan.model import (
    DISCLAIMER,
    Conversion,
    Entry,
    Expected,
    Milestone,
    Plan,
    PlanError,
    PlanInputError,
    PlanLimitError,
    Reminder,
    RunsDryError,
    StepRefused,
)
from itbpump.plan.taper import taper
from itbpump.plan.titrate import titrate

__all__ = [
    "DISCLAIMER",
    "Conversion",
    "Entry",
    "Expected",
    "Milestone",
    "Plan",
    "PlanError",
    "PlanInputError",
    "PlanLimitError",
    "Reminder",
    "Rinse",
    "RunsDryError",
    "StepRefused",
    "convert",
    "mixed_concentration",
    "taper",
    "titrate",
]
