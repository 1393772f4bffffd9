"""Start low, go slow: from the present therapy, or from nothing, up to a target by steps of the label.

Not modelled: the patient's response, which decides whether the next step is taken at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from itbpump.drugs import load_library
from itbpump.plan.model import Entry, Milestone, Plan, PlanInputError, PlanLimitError, RunsDryError, StepRefused, time_text
from itbpump.plan.scale import prescribed_mean, view_of
from itbpump.plan.steps import MAX_STEPS, Ground, carried, is_treating, later, percent, reminders, soft_low, span, until_the_refill
from itbpump.profiles import load_profile
from itbpump.quantity import Duration, MassRate
from itbpump.safety import Finding, Severity
from itbpump.therapy import Continuous, Prescription

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.profiles import PumpProfile

__all__ = ["titrate"]

NUDGES = 50  # a step that rounding would make too large is tried again, smaller by a fiftieth each time

NOTES = (
    "a step is taken only if the patient is well with the one before; a step that was missed is taken later, never added to the next",
    "if several increases have no effect, look at pump and catheter before more drug is given",
)


def titrate(
    present: Prescription,
    target: MassRate,
    *,
    step_percent: Fraction | None = None,
    every: Duration | None = None,
    start: MassRate | None = None,
    at: datetime | None = None,
    reasons: Mapping[str, str] | None = None,
    profile: PumpProfile | None = None,
    library: DrugLibrary | None = None,
) -> Plan:
    """Steps up to a mean daily dose of `target`. The whole pattern is scaled by one number; patient boluses stay as they are.

    `step_percent` defaults to the low end of the label's range for this patient, `every` to its shortest interval; neither may be laxer.
    From a stopped or minimum-rate pump the plan begins with a constant rate of the library's start rule, or with `start` if that is given.
    `at` is the time of the first step, by default the earliest that the library allows. `reasons` (rule → reason) let soft findings stand.
    Raises PlanInputError, PlanLimitError, StepRefused; ProfileError, LibraryError.
    """
    profile = profile if profile is not None else load_profile(present.pump.profile)
    library = library if library is not None else load_library(present.drug.name)
    step, wait = _step(present, library, step_percent), _wait(present, library, every)
    ground = Ground(profile, library, present.therapy.since or present.pump.as_of, _expects(present, profile, library), reasons or {})
    begin, last, entries = _begin(present, library, at), present, list[Entry]()
    if is_treating(present):
        if start is not None:
            raise PlanInputError("a start dose is for a pump that treats nobody, and a therapy is running; leave --start out")
    else:
        last = ground.place(present, _first(present, target, start, library), begin)
        entries.append(ground.judged(present, last, "start from nothing: one rate all day"))
        begin += max(wait, span(library.first_period.value))
    mean = prescribed_mean(last)
    if mean == 0 or target.ng_per_day < mean or (target.ng_per_day == mean and not entries):
        raise PlanInputError(f"the target of {target} is not above the present {view_of(last, profile).mean_day}; to go down: plan taper")
    more, ends = _Ascent(ground, last, target, step, wait, begin).run(entries)
    entries += more
    if not entries:
        raise PlanInputError(f"the target of {target} is the present dose, as far as this pump can tell them apart")
    return Plan(
        kind="titrate",
        present=present,
        present_dose=view_of(present, profile).mean_day,
        start=present.pump.as_of,
        entries=tuple(entries),
        notes=(*NOTES, *_since_note(present), *_patient_note(entries), *(ends or _landing_note(entries, target))),
        milestones=(Milestone(entries[-1].at + wait, "the last step has run its time: judge its effect"),),
        reminders=reminders(library, "overdose", "withdrawal_care"),
        profile=profile,
        library=library,
        reaches_goal=not ends,
    )


# ------------------------------------------------------------------------------------------------ what the label allows
def _step(present: Prescription, library: DrugLibrary, asked: Fraction | None) -> Fraction:
    """Share of one step."""
    ranges = library.titrations(present.patient.indication, present.patient.age_years)
    low = min((found.step_low_percent for found in ranges), key=lambda figure: figure.value)
    top = min((found.step_high_percent for found in ranges), key=lambda figure: figure.value)
    chosen = Fraction(low.value) if asked is None else asked
    if chosen <= 0:
        raise PlanInputError("a step of a titration is more than 0 %")
    if chosen > top.value:
        shown = percent(chosen / 100)
        raise PlanLimitError(f"a step of {shown} is above the {top.value} % of this patient's range", shown, f"{top.value} %", top.origin)
    return chosen / 100


def _wait(present: Prescription, library: DrugLibrary, asked: Duration | None) -> timedelta:
    """Time from one step to the next."""
    ranges = library.titrations(present.patient.indication, present.patient.age_years)
    least = max((found.every for found in ranges), key=lambda figure: figure.value)
    if asked is not None and asked < least.value:
        raise PlanLimitError(f"steps every {asked} are closer than {least.value}", asked.text(), least.value.text(), least.origin)
    return span(asked if asked is not None else least.value)


def _begin(present: Prescription, library: DrugLibrary, asked: datetime | None) -> datetime:
    """Time of the first step: from a running therapy its first period after its start, which is `as_of` where nothing earlier is known."""
    begin, limit = later(present, asked), library.first_period
    earliest = present.pump.as_of
    if is_treating(present):
        since = present.therapy.since or present.pump.as_of
        earliest = max(earliest, since + span(limit.value)).astimezone(present.pump.as_of.tzinfo)
    if asked is None:
        return earliest
    if begin < earliest:
        shown, least = time_text(begin), time_text(earliest)
        raise PlanLimitError(f"a first step at {shown} is before {least}, the earliest", shown, least, limit.origin)
    return begin


def _first(present: Prescription, target: MassRate, asked: MassRate | None, library: DrugLibrary) -> Continuous:
    """The start: a factor times the screening dose, a smaller one if its effect lasted long; never above the target."""
    dose, screening = asked, present.screening
    factor, long_effect, long_factor = library.start_factor, library.start_long_effect, library.start_long_factor
    if dose is None:
        if screening is None or factor is None or long_effect is None or long_factor is None:
            why = "[screening] is missing" if screening is None else f"the library has no start rule by screening for {library.name}"
            raise PlanInputError(f"nothing tells how to start: {why}; add it, or say --start")
        times = long_factor if screening.effect > long_effect.value else factor
        dose = min(MassRate(screening.dose.ng * times.value), target)
    if dose > target:
        raise PlanInputError(f"a start at {dose} is above the target of {target}")
    return Continuous(mode="continuous", dose=dose)


def _expects(present: Prescription, profile: PumpProfile, library: DrugLibrary) -> Callable[[Finding, Prescription], str | None]:
    """Findings that a careful titration has all the same."""
    own = carried(present, profile, library)

    def expects(finding: Finding, rx: Prescription) -> str | None:
        if finding.severity > Severity.SOFT:
            return None
        if finding.rule == "daily-total" and view_of(rx, profile).highest_24h_exact < soft_low(library, rx):
            return "a start is lower than maintenance"
        return own.get(finding.rule)

    return expects


# ------------------------------------------------------------------------------------------------ steps
@dataclass
class _Ascent:
    """The way up from `first`: each step no larger than asked by what the pump makes of it. `at` is the time of the next step."""

    ground: Ground
    first: Prescription
    target: MassRate
    step: Fraction
    wait: timedelta
    at: datetime

    def run(self, before: Sequence[Entry]) -> tuple[list[Entry], Sequence[str]]:
        """The steps after those `before`, and what is to be said where they end below the target: at the refill."""
        goal, share = self.target.ng_per_day / prescribed_mean(self.first), Fraction(1)
        last, entries = self.first, list[Entry]()
        while share < goal:
            if len(entries) == MAX_STEPS:
                raise PlanInputError(f"the target is more than {MAX_STEPS} steps away; choose a larger step, or a nearer target")
            try:
                found = self._next(last, share, goal)
                if found is None:
                    break
                rx, share = found
                reason = f"up by {percent(self.step)} at most" if share < goal else "up to the target"
                entry = self.ground.judged(last, rx, reason)
            except (StepRefused, RunsDryError) as error:
                return entries, (until_the_refill([*before, *entries], error),)
            entries.append(entry)
            last, self.at = rx, self.at + self.wait
        return entries, ()

    def _next(self, last: Prescription, share: Fraction, goal: Fraction) -> tuple[Prescription, Fraction] | None:
        """The next prescription and its share of the first; None when the target is reached but for rounding."""
        whole = min(share * (1 + self.step), goal)
        for nudge in range(NUDGES):
            aimed = whole - (whole - share) * nudge / NUDGES
            therapy = self.ground.scaled(self.first, aimed, up=False, with_patient=False)
            if aimed == goal and isinstance(therapy, Continuous):
                therapy = therapy.model_copy(update={"dose": self.target})
            rx = self.ground.place(last, therapy, self.at)
            change = self.ground.change(last, rx) or Fraction(0)
            if change == 0 and aimed == goal:
                return None
            if 0 < change <= self.step:
                return rx, aimed
        dose = view_of(last, self.ground.profile).mean_day
        raise PlanInputError(f"a step of {percent(self.step)} from {dose} is lost in what the pump can tell apart; choose a larger step")


# ------------------------------------------------------------------------------------------------ notes
def _since_note(present: Prescription) -> Sequence[str]:
    if not is_treating(present) or present.therapy.since is not None:
        return ()
    return (f"therapy.since is not given: the present therapy counts as begun at {time_text(present.pump.as_of)}",)


def _patient_note(entries: Sequence[Entry]) -> Sequence[str]:
    bolus = entries[-1].rx.patient_bolus
    return () if bolus is None else (f"the patient's bolus of {bolus.dose} stays as it is; the reservoir is counted without it",)


def _landing_note(entries: Sequence[Entry], target: MassRate) -> Sequence[str]:
    reached = entries[-1].daily_dose
    if isinstance(entries[-1].rx.therapy, Continuous) or reached == target:
        return ()
    return (f"the pattern reaches {reached} in the mean, as its amounts are rounded down; the target was {target}",)
