"""From one step of a plan to the next: the prescription at its date, its reservoir, its review.

`Ground` is what holds for a whole plan. Pure. Not here: the size and time of steps (`titrate`, `taper`, `convert`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from itbpump.plan.model import Entry, Expected, PlanInputError, Reminder, RunsDryError, StepRefused, date_text, time_text
from itbpump.plan.scale import Scaled, scaled, view_of
from itbpump.quantity import MS_PER_DAY, Duration, MassRate, Volume, number_text
from itbpump.safety import Finding, Review, Severity, review
from itbpump.schedule import UNITS_PER_NL, Schedule, schedule_of_prescription
from itbpump.therapy import SCHEMA, Prescription, Therapy

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.profiles import PumpProfile
    from itbpump.refill import Refill

__all__ = [
    "MAX_STEPS",
    "Ground",
    "carried",
    "is_treating",
    "later",
    "milliseconds",
    "percent",
    "reminders",
    "soft_low",
    "span",
    "until_the_refill",
]

MAX_STEPS = 100  # a plan longer than that is not read to its end

# What to change when a rule stands against a step.
ADVICE: Mapping[str, str] = {
    "achievable": "choose another dose or another concentration",
    "age": "plan with a specialist, one step at a time",
    "daily-total": "choose a lower target",
    "decrease": "choose a smaller step",
    "first-period": "begin later",
    "flow-range": "plan a change of concentration first: itbpump plan convert",
    "increase": "choose a smaller step",
    "dates": "refill first, and plan from there",
    "reservoir": "plan up to the refill, and from there on again",
    "restart": "begin again as at a start, with the screening dose",
    "start": "choose a lower start",
}
ON_RECORD = frozenset({"achievable", "alarm-volume", "catheter-trim", "condition", "interaction", "repeated-bolus"})
REFILL_RULES = frozenset({"dates", "reservoir", "stability"})  # with these a step says that a refill comes first
OTHER_ADVICE = "change the prescription, and review it: itbpump review"


@dataclass(frozen=True, slots=True)
class Ground:
    """What a plan stands on. `anchor` is when a periodic therapy began its period; `expects` says why a finding cannot be avoided, None
    for one that can; `reasons` are those given beforehand for soft findings, by rule."""

    profile: PumpProfile
    library: DrugLibrary
    anchor: datetime
    expects: Callable[[Finding, Prescription], str | None]
    reasons: Mapping[str, str]

    def used(self, rx: Prescription, until: datetime) -> Volume:
        """Volume that the therapy takes from `as_of` to `until`, rounded up to a nL; without patient boluses."""
        schedule = schedule_of_prescription(rx, self.profile.pulse_volume.nL, self.profile.minimum_rate.whole_nL_per_day)
        begin = self._phase(schedule, rx.pump.as_of)
        units = schedule.volume_units_between(begin, begin + milliseconds(until - rx.pump.as_of))
        return Volume(-(-units // UNITS_PER_NL))

    def _phase(self, schedule: Schedule, at: datetime) -> int:
        """Schedule time of a moment: from Monday 00:00 for a weekly therapy, from the anchor for any other."""
        if not schedule.follows_week:
            return milliseconds(at - self.anchor) % schedule.cycle_ms
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        return at.weekday() * MS_PER_DAY + milliseconds(at - midnight)

    def reservoir_at(self, rx: Prescription, at: datetime) -> Volume:
        """What is left at `at` by the count. RunsDryError if the therapy would have emptied the reservoir before."""
        used = self.used(rx, at)
        if used >= rx.pump.reservoir_volume:
            held = f"the {rx.pump.reservoir_volume} of {date_text(rx.pump.as_of)}"
            raise RunsDryError(f"{held} do not last until {date_text(at)}; refill first, and plan from there")
        return Volume(rx.pump.reservoir_volume.nL - used.nL)

    def place(self, before: Prescription, therapy: Therapy, at: datetime, **changes: Any) -> Prescription:
        """The prescription of a step: `before` at a later date with another therapy. What belongs to one session (bridge, prime, who
        signed) is not taken along; `changes` replace whole tables."""
        pump = before.pump.model_copy(update={"as_of": at, "reservoir_volume": self.reservoir_at(before, at)})
        drug = before.drug
        if drug.filled_on is None:
            drug = drug.model_copy(update={"filled_on": before.pump.as_of.date()})
        tables: dict[str, Any] = {
            "schema": SCHEMA,
            "patient": before.patient,
            "pump": pump,
            "drug": drug,
            "catheter": before.catheter,
            "screening": before.screening,
            "medication": before.medication,
            "therapy": therapy.model_copy(update={"since": at}),
        }
        return Prescription.model_validate(tables | changes)

    def judged(self, before: Prescription, rx: Prescription, reason: str, refill: Refill | None = None) -> Entry:
        """The step with its review. StepRefused for a finding that nobody can override, that needs a second person, or that a plan can
        avoid."""
        found = review(rx, before, profile=self.profile, library=self.library, refill=refill)
        view = view_of(rx, self.profile)
        expected: list[Expected] = []
        for finding in found.findings:
            if finding.severity is Severity.INFO:
                continue
            why = self.expects(finding, rx)
            if finding.severity is Severity.SOFT:
                why = self.reasons.get(finding.rule) or why
            if why is None:
                raise StepRefused(rx.pump.as_of, view.mean_day, finding, found, _advice(finding))
            expected.append(Expected(finding, why))
        return Entry(rx.pump.as_of, rx, found, reason, view.mean_day, self.change(before, rx), tuple(expected))

    def highest(self, rx: Prescription) -> Fraction:
        """Largest dose in any 24 h, every patient bolus included, ng; what increases and decreases are measured by."""
        return Fraction(view_of(rx, self.profile).highest_24h_exact.ng_per_day)

    def scaled(self, base: Prescription, share: Fraction, *, up: bool, with_patient: bool) -> Scaled:
        """The therapy of `base` times `share`, in amounts that this pump can give."""
        pulse = self.profile.pulse_volume.nL
        return scaled(base.therapy, share, base.drug.concentration, pulse, up=up, with_patient=with_patient)

    def change(self, before: Prescription, rx: Prescription) -> Fraction | None:
        """Share by which the highest 24 h changes; None where no therapy was running."""
        old = self.highest(before) if is_treating(before) else Fraction(0)
        return self.highest(rx) / old - 1 if old else None


def soft_low(library: DrugLibrary, rx: Prescription) -> MassRate:
    """Below this daily dose no maintenance is known for this patient; the highest of the limits that hold together."""
    limits = library.daily_limits(rx.patient.indication, rx.patient.age_years)
    return max(limit.soft_low.value for limit in limits)


def carried(present: Prescription, profile: PumpProfile, library: DrugLibrary, *more: str) -> Mapping[str, str]:
    """Soft findings that the present therapy has by itself and that no step makes worse: what is on record of patient and pump, and the
    rules named in `more`."""
    alone: Review = review(present, None, profile=profile, library=library)
    return {
        finding.rule: "the present therapy has it too, and this plan does not make it worse"
        for finding in alone.findings
        if finding.severity is Severity.SOFT and finding.rule in ON_RECORD | set(more)
    }


def _advice(finding: Finding) -> str:
    """What to change; a soft finding may also be accepted beforehand."""
    accept = f", or let it stand with --override {finding.rule}=REASON" if finding.severity is Severity.SOFT else ""
    return ADVICE.get(finding.rule, OTHER_ADVICE) + accept


def until_the_refill(entries: list[Entry], error: StepRefused | RunsDryError) -> str:
    """The note of a plan that ends where the reservoir does. Raises the error where it is another, or where there is no step before."""
    if not entries or (isinstance(error, StepRefused) and error.finding.rule not in REFILL_RULES):
        raise error
    why = error.finding.message if isinstance(error, StepRefused) else str(error)
    return f"the plan ends before its goal, at {entries[-1].daily_dose}, as a refill comes first: {why}; plan on from the refill"


def is_treating(rx: Prescription) -> bool:
    """A therapy proper: not stopped, not the minimum rate."""
    return rx.therapy.mode not in {"stopped", "minimum-rate"}


def milliseconds(span: timedelta) -> int:
    """Whole ms of a time span, rounded down; negative for one that runs backwards."""
    return span // timedelta(milliseconds=1)


def span(duration: Duration) -> timedelta:
    """The same as a time span."""
    return timedelta(milliseconds=duration.ms)


def percent(share: Fraction) -> str:
    """`12.5 %`, at most one decimal; a minus sign for less."""
    tenths = round(abs(share) * 1000)
    return ("-" if share < 0 and tenths else "") + f"{number_text(Fraction(tenths, 10), thousands=True)} %"


def later(present: Prescription, at: datetime | None) -> datetime:
    """`at` at the offset of the present therapy, by default its `as_of`. PlanInputError for a time before it, or without an offset."""
    as_of = present.pump.as_of
    if at is None:
        return as_of
    if at.utcoffset() is None:
        raise PlanInputError("the time of the first step has no offset from UTC; write it such as 2026-11-22T10:00:00-05:00")
    if at < as_of:
        raise PlanInputError(f"{time_text(at)} is before {time_text(as_of)}, for which the present therapy is written")
    return at.astimezone(as_of.tzinfo)


def reminders(library: DrugLibrary, *names: str) -> tuple[Reminder, ...]:
    """Texts of the library by name, in that order."""
    passages = (getattr(library.texts, name) for name in names)
    return tuple(Reminder(passage.text, passage.origin) for passage in passages)
