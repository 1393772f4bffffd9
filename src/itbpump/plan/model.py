"""What a plan is: dated prescriptions, each with its review beside the one before, and what the reader must know besides.

A plan decides nothing: each step is reviewed and confirmed again when it is programmed. Frozen data. Not here: how steps are found
(`titrate`, `taper`, `convert`), charts, the CSF.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from itbpump.errors import InputError, ItbPumpError
from itbpump.quantity import Concentration, Flow, Mass, MassRate, Volume
from itbpump.safety import Finding, Review, Severity
from itbpump.therapy import Prescription, dump_prescription

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.plan.mixing import Rinse
    from itbpump.profiles import PumpProfile

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
    "RunsDryError",
    "StepRefused",
    "date_text",
    "time_text",
]

DISCLAIMER = "A plan is arithmetic, not medical advice: who prescribes decides each step, and each is reviewed again when it is programmed."

Kind = Literal["titrate", "taper", "convert"]


class PlanError(ItbPumpError):
    """No plan can be made."""


class PlanInputError(PlanError, InputError):
    """What was asked makes no plan: a target on the wrong side, a missing figure."""


class RunsDryError(PlanInputError):
    """The reservoir does not last until a step."""


class PlanLimitError(PlanError):
    """What was asked is beyond a limit: `value` against `limit`, and where that comes from."""

    def __init__(self, message: str, value: str, limit: str, source: str) -> None:
        super().__init__(f"{message} (source: {source})")
        self.value = value
        self.limit = limit
        self.source = source


class StepRefused(PlanError):
    """A step does not pass its review. `finding` is the worst, `review` the whole; `at` and `dose` say which step."""

    def __init__(self, at: datetime, dose: MassRate, finding: Finding, review: Review, action: str) -> None:
        step = f"the step of {time_text(at)} to {dose} does not pass its review"
        super().__init__(f"{step}: {finding.severity.word} {finding.rule}: {finding.message}; {action}", action=action)
        self.at = at
        self.dose = dose
        self.finding = finding
        self.review = review


@dataclass(frozen=True, slots=True)
class Expected:
    """A soft finding that a step cannot avoid, and why; programming it needs a reason all the same."""

    finding: Finding
    why: str

    def json(self) -> dict[str, str]:
        return {"rule": self.finding.rule, "message": self.finding.message, "why": self.why}


@dataclass(frozen=True, slots=True)
class Entry:
    """One step: from `at` on this prescription runs. `review` is the one beside the prescription before; `daily_dose` is what the pump
    gives in the mean, `change` of the highest 24 h as a share (None from a pump that treats nobody)."""

    at: datetime
    rx: Prescription
    review: Review
    reason: str
    daily_dose: MassRate
    change: Fraction | None
    expected: tuple[Expected, ...] = ()

    @property
    def verdict(self) -> str:
        return self.review.verdict


@dataclass(frozen=True, slots=True)
class Milestone:
    """A time at which something happens or is to be looked at, without a new prescription."""

    at: datetime
    text: str

    def json(self) -> dict[str, str]:
        return {"at": self.at.isoformat(), "text": self.text}


@dataclass(frozen=True, slots=True)
class Reminder:
    """What to watch, in the library's words, with its origin."""

    text: str
    origin: str

    def json(self) -> dict[str, str]:
        return {"text": self.text, "source": self.origin}


@dataclass(frozen=True, slots=True)
class Conversion:
    """The figures of a change of concentration. `mix` is what the reservoir really holds (ng/mL, exact), `unrinsed` without the rinse;
    `advised_rinses` of `advised_volume` bring it within `tolerance` of the label, None where none is needed or not even they do.
    `bridge_hours` and `unbridged_hours` are exact; `unbridged_dose` is what the patient would get for so long without a bridge."""

    old: Concentration
    new: Concentration
    residual: Volume
    filled: Volume
    volume_after: Volume
    rinse: Rinse | None
    unrinsed: Fraction
    mix: Fraction
    tolerance: Fraction
    advised_rinses: int | None
    advised_volume: Volume
    bridge_flow: Flow
    bridge_volume: Volume
    bridge_mass: Mass
    bridge_dose: MassRate
    bridge_hours: Fraction
    unbridged_dose: MassRate
    unbridged_hours: Fraction

    @property
    def mix_share(self) -> Fraction:
        """How much more (or less, negative) drug there is in each mL than its label says."""
        return self.mix / self.new.ng_per_mL - 1

    @property
    def unrinsed_share(self) -> Fraction:
        """The same without the rinse."""
        return self.unrinsed / self.new.ng_per_mL - 1


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order of time. `present` is the therapy before the first, `start` when it is known to run. `reaches_goal`: the last step is
    what was asked for; else the notes say why the plan ends before."""

    kind: Kind
    present: Prescription
    present_dose: MassRate
    start: datetime
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]
    milestones: tuple[Milestone, ...]
    reminders: tuple[Reminder, ...]
    profile: PumpProfile
    library: DrugLibrary
    reaches_goal: bool = True
    conversion: Conversion | None = None

    @property
    def severity(self) -> Severity:
        """The severest of all steps: info or soft, as others make no plan."""
        return max((entry.review.severity for entry in self.entries), default=Severity.INFO)

    def doses(self) -> Iterator[tuple[datetime, MassRate]]:
        """When each daily dose begins, the present one first."""
        yield self.start, self.present_dose
        for entry in self.entries:
            yield entry.at, entry.daily_dose

    def files(self) -> dict[str, str]:
        """Each prescription as TOML under its file name; `00-…` is the therapy before, so that each can be reviewed beside the last."""
        steps = [(self.start, self.present), *((entry.at, entry.rx) for entry in self.entries)]
        return {f"{number:02d}-{at:%Y-%m-%d}.toml": dump_prescription(rx) for number, (at, rx) in enumerate(steps)}


def date_text(at: datetime) -> str:
    """`22 Nov 2026`."""
    return f"{at.day} {at:%b %Y}"


def time_text(at: datetime) -> str:
    """`22 Nov 2026 10:00`, rounded down to the minute, at its own offset."""
    return f"{date_text(at)} {at:%H:%M}"
