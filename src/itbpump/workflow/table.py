"""Every task and checklist, in the order of the menu; those of one group stand together.

A stop is none of them: it is reached from everywhere, by a key of its own (`stopping`).
"""

from __future__ import annotations

from itbpump.workflow.alarms import AlarmTestTask, SilenceTask
from itbpump.workflow.bolus import BolusTask
from itbpump.workflow.clock import ClockLabelTask, RebaseTask
from itbpump.workflow.model import Task, Walk
from itbpump.workflow.mri import AfterMriWalk
from itbpump.workflow.plans import TaperTask, TitrateTask
from itbpump.workflow.prime import PrimeTask
from itbpump.workflow.refill import RefillTask
from itbpump.workflow.restore import RestoreTask
from itbpump.workflow.revision import ReviseTask
from itbpump.workflow.therapy import TherapyTask

__all__ = ["TASKS", "WALKS", "task"]

TASKS: tuple[Task, ...] = (
    TherapyTask(),
    RestoreTask(),
    ReviseTask(),
    BolusTask(),
    PrimeTask(),
    RefillTask(),
    TitrateTask(),
    TaperTask(),
    SilenceTask(),
    AlarmTestTask(),
    RebaseTask(),
    ClockLabelTask(),
)
WALKS: tuple[Walk, ...] = (AfterMriWalk(),)
_BY_ID = {entry.id: entry for entry in TASKS}


def task(id: str) -> Task:
    """The task of this id. Raises KeyError for one that is not in the table."""
    return _BY_ID[id]
