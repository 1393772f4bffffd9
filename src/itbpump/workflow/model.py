"""What a task is to the faces: values asked for, a proposal made of them, and checklists. Pure data and protocols.

A proposal is what would be sent, with the review of it. Only `consent.carry_out` sends one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from itbpump.outcome import Outcome
from itbpump.pump import Pump
from itbpump.refill import Refill
from itbpump.safety import Review
from itbpump.therapy import Prescription
from itbpump.therapy_view import TherapyView
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import Field, Values

__all__ = ["Confirmation", "Entry", "Proposal", "Send", "Task", "Walk", "WalkStep"]

Send = Callable[[Pump, Mapping[str, Any]], Outcome]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What must be typed before anything is sent: `prompt` says what and why, one of `answers` is accepted, letter by letter."""

    prompt: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Proposal:
    """What would be sent. `review` is None only for what changes no dose (a tone, a label of the clock); `lines` stand above it.

    `send` orders it from the pump; it is called by `carry_out` alone. `old` and `new` are the therapies for charts. `rx` is kept with the
    decision. `follows_bolus`: the pump then gives a bolus that can be watched. `observe`: what to watch for afterwards.
    """

    task: str
    title: str
    serial: str
    revision: int
    patient_id: str
    review: Review | None
    confirmation: Confirmation
    send: Send
    lines: tuple[str, ...] = ()
    rx: Prescription | None = None
    old: TherapyView | None = None
    new: TherapyView | None = None
    refill: Refill | None = None
    follows_bolus: bool = False
    observe: tuple[str, ...] = ()
    record: Mapping[str, Any] | None = None


class Entry(Protocol):
    """A line of the menu. `id` is stable, `group` the heading it stands under."""

    id: str
    title: str
    summary: str
    group: str


@runtime_checkable
class Task(Entry, Protocol):
    """Something a person orders from a pump."""

    def hindered(self, facts: Facts) -> str:
        """Why it cannot be done now, in words; empty when it can."""
        ...

    def fields(self, facts: Facts, values: Values) -> tuple[Field, ...]:
        """What is asked; may depend on what was answered so far."""
        ...

    def propose(self, facts: Facts, values: Values) -> Proposal:
        """What would be sent, reviewed. Raises FieldError naming the field, ItbPumpError for what cannot be sent at all."""
        ...


@dataclass(frozen=True, slots=True)
class WalkStep:
    """A point of a checklist. `read` takes a reading and says what it shows; None for what the person does alone.

    `left_ms`: a point that is done by waiting tells what is left at a pump's uptime (ms, 0 when it is over), None while the wait has not
    begun; to tick it earlier a reason is asked for (`waiting`).
    """

    id: str
    text: str
    help: str = ""
    read: Callable[[Pump, Facts], tuple[str, ...]] | None = None
    left_ms: Callable[[int], int | None] | None = None


@runtime_checkable
class Walk(Entry, Protocol):
    """A checklist with readings; it orders nothing from the pump."""

    def steps(self, facts: Facts) -> tuple[WalkStep, ...]:
        """What is to be done, in order."""
        ...
