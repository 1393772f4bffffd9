"""Down by small steps instead of an abrupt stop, as far as the pump can carry it.

The stop itself belongs to the plan only where the dose before it is below any maintenance the library knows. Not modelled: the patient's
response, which decides whether the next step is taken at all; oral drugs that take over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from itbpump.drugs import load_library
from itbpump.plan.model import Entry, Milestone, Plan, PlanError, PlanInputError, PlanLimitError, RunsDryError, StepRefused
from itbpump.plan.scale import RATE_GRID, prescribed_mean, view_of
from itbpump.plan.steps import MAX_STEPS, Ground, carried, is_treating, later, percent, reminders, soft_low, span, until_the_refill
from itbpump.profiles import load_profile
from itbpump.quantity import Concentration, Duration, Flow, MassRate, rate_of_flow
from itbpump.safety import Finding, Severity
from itbpump.therapy import Continuous, Prescription, Stopped
from itbpump.therapy_view import steepest_fall

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.profiles import PumpProfile

__all__ = ["taper"]

GRID = RATE_GRID["mcg/day"]
NUDGES = 50  # a step that rounding would make too large is tried again, smaller by a fiftieth each time
FLOOR_RULES = frozenset({"achievable", "bolus-delivery", "flow-range"})  # with these the pump says that it can give no less

NOTES = (
    "a step is taken only if the patient is well with the one before; at any sign of withdrawal go back to the dose before",
    "no step is skipped, and none is taken early to make up for a late one",
)


def taper(
    present: Prescription,
    to: MassRate | None = None,
    *,
    step_percent: Fraction | None = None,
    every: Duration | None = None,
    at: datetime | None = None,
    reasons: Mapping[str, str] | None = None,
    profile: PumpProfile | None = None,
    library: DrugLibrary | None = None,
) -> Plan:
    """Steps down to a mean daily dose of `to`, by default to nothing. The whole pattern is scaled by one number, patient boluses with it.

    `step_percent` (of the dose before) defaults to the low end of the library's range for decreases; neither it nor `every` may be
    laxer than the library's taper, nor steep enough for a decrease finding. The plan ends in a stop only from a dose below any
    maintenance known; else at the least that the pump can carry, and says so. `at` is the time of the first step, by default `as_of`.
    Raises PlanInputError, PlanLimitError, RunsDryError, StepRefused; ProfileError, LibraryError.
    """
    profile = profile if profile is not None else load_profile(present.pump.profile)
    library = library if library is not None else load_library(present.drug.name)
    goal = to if to is not None else MassRate(0)
    step, wait = _step(library, step_percent), _wait(library, every)
    mean = prescribed_mean(present) if is_treating(present) else Fraction(0)
    if goal.ng_per_day >= mean:
        raise PlanInputError(f"{goal} is not below the present {view_of(present, profile).mean_day}; to go up: plan titrate")
    ground = Ground(profile, library, present.therapy.since or present.pump.as_of, _expects(present, profile, library), reasons or {})
    descent = _Descent(ground, present, goal, step, wait, later(present, at))
    entries, notes, reached = descent.run()
    return Plan(
        kind="taper",
        present=present,
        present_dose=view_of(present, profile).mean_day,
        start=present.pump.as_of,
        entries=tuple(entries),
        notes=(*NOTES, *notes),
        milestones=(Milestone(entries[-1].at + wait, "the last step has run its time: look for signs of withdrawal"),),
        reminders=reminders(library, "withdrawal_care", "stop_confirmation"),
        profile=profile,
        library=library,
        reaches_goal=reached,
    )


# ------------------------------------------------------------------------------------------------ what the library allows
def _step(library: DrugLibrary, asked: Fraction | None) -> Fraction:
    """Share of one step down."""
    top = min((library.taper.step_percent, library.decrease_soft_percent), key=lambda figure: figure.value)
    chosen = Fraction(min(library.side_effect_decrease.step_low_percent.value, top.value)) if asked is None else asked
    if chosen <= 0:
        raise PlanInputError("a step of a taper is more than 0 %")
    if chosen > top.value:
        shown = percent(chosen / 100)
        raise PlanLimitError(f"a step of {shown} down is above {top.value} %", shown, f"{top.value} %", top.origin)
    return chosen / 100


def _wait(library: DrugLibrary, asked: Duration | None) -> timedelta:
    least = library.taper.every
    if asked is not None and asked < least.value:
        raise PlanLimitError(f"steps every {asked} are closer than {least.value}", asked.text(), least.value.text(), least.origin)
    return span(asked if asked is not None else least.value)


def _expects(present: Prescription, profile: PumpProfile, library: DrugLibrary) -> Callable[[Finding, Prescription], str | None]:
    """Soft findings that a taper has of itself."""
    own = carried(present, profile, library, "bolus-size", "daily-total")

    def expects(finding: Finding, rx: Prescription) -> str | None:
        if finding.severity > Severity.SOFT:
            return None
        if finding.rule == "stop":
            return "the end of the taper, from a dose below maintenance; it is programmed with the reason: acknowledged"
        view, low = view_of(rx, profile), soft_low(library, rx)
        if finding.rule == "daily-total" and view.highest_24h_exact < low:
            return "a taper goes through doses below maintenance"
        if finding.rule == "field-swap" and view.mean_day < low:
            return "near its end a taper has doses as small as a bolus"
        return own.get(finding.rule)

    return expects


# ------------------------------------------------------------------------------------------------ steps
@dataclass
class _Descent:
    """The way down: `at` is the time of the next step."""

    ground: Ground
    present: Prescription
    goal: MassRate
    step: Fraction
    wait: timedelta
    at: datetime

    def run(self) -> tuple[list[Entry], Sequence[str], bool]:
        """The steps, what is to be said of their end, and whether that is the goal."""
        entries: list[Entry] = []
        try:
            notes, reached = self._run(entries)
        except (StepRefused, RunsDryError) as error:
            return entries, (until_the_refill(entries, error),), False
        return entries, notes, reached

    def _run(self, entries: list[Entry]) -> tuple[Sequence[str], bool]:
        """Fills `entries` up to the goal, or to what the pump cannot go below."""
        goal, share, last = self.goal.ng_per_day / prescribed_mean(self.present), Fraction(1), self.present
        while share > goal:
            if len(entries) == MAX_STEPS:
                raise PlanInputError(f"more than {MAX_STEPS} steps; choose a larger step, or an end that is nearer")
            if goal == 0 and view_of(last, self.ground.profile).highest_24h_exact <= soft_low(self.ground.library, last):
                entries.append(self._stop(last))
                return ("with the last step nothing is given any more; a stopped pump sounds its alarm, and still needs care",), True
            found = self._next(last, share, max(share * (1 - self.step), goal), goal)
            if found is None:
                lost = f"a step of {percent(self.step)} from here is lost in what the pump can tell apart"
                return self._end(last, entries, PlanInputError(f"{lost}; choose a larger step, or one rate all day"), lost), False
            rx, share = found
            reason = "down to the end asked for" if share == goal else f"down by {percent(self.step)} at most"
            try:
                entry = self.ground.judged(last, rx, reason)
            except StepRefused as refused:
                if refused.finding.rule not in FLOOR_RULES:
                    raise
                return self._at_the_floor(last, entries, refused), False
            entries.append(entry)
            last, self.at = rx, self.at + self.wait
        return (), True

    def _stop(self, last: Prescription) -> Entry:
        rx = self.ground.place(last, Stopped(mode="stopped"), self.at)
        return self.ground.judged(last, rx, "stop, from a dose below any maintenance known")

    def _next(self, last: Prescription, share: Fraction, wanted: Fraction, goal: Fraction) -> tuple[Prescription, Fraction] | None:
        """The next prescription and its share of the first; a fall that rounding makes steeper than asked is made smaller. None when none
        is left."""
        for nudge in range(NUDGES):
            aimed = wanted + (share - wanted) * nudge / NUDGES
            therapy = self.ground.scaled(self.present, aimed, up=True, with_patient=True)
            if aimed == goal and isinstance(therapy, Continuous):
                therapy = therapy.model_copy(update={"dose": self.goal})
            rx = self.ground.place(last, therapy, self.at)
            if self._is_a_step(last, rx):
                return rx, aimed
        return None

    def _is_a_step(self, last: Prescription, rx: Prescription) -> bool:
        """Down, and by no more than asked, also of what comes without the patient's asking."""
        views = view_of(last, self.ground.profile), view_of(rx, self.ground.profile)
        return -self.step <= (self.ground.change(last, rx) or Fraction(0)) < 0 and steepest_fall(*views)[0] <= self.step

    def _at_the_floor(self, last: Prescription, entries: list[Entry], refused: StepRefused) -> Sequence[str]:
        """The least that the pump can carry, where the therapy is one rate; and what it means that the plan ends there."""
        if refused.finding.rule == "flow-range" and isinstance(last.therapy, Continuous):
            least = _least(self.ground.profile.flow_min, last.drug.concentration)
            share = Fraction(least.ng_per_day) / last.therapy.dose.ng_per_day
            therapy = self.ground.scaled(last, share, up=True, with_patient=True)
            rx = self.ground.place(last, therapy.model_copy(update={"dose": least}), self.at)
            if self._is_a_step(last, rx):
                entries.append(self.ground.judged(last, rx, "down to the least that the pump can carry"))
                last = rx
        return self._end(last, entries, refused, refused.finding.message)

    def _end(self, last: Prescription, entries: list[Entry], error: PlanError, why: str) -> Sequence[str]:
        """The plan ends above its goal, and says what that means. Raises the error if there is no step at all."""
        if not entries:
            raise error
        dose = view_of(last, self.ground.profile).mean_day
        return (
            f"the plan ends at {dose}, above the {self.goal} asked for: {why}",
            f"a stop from {dose} would be abrupt, and is no step of this plan",
            *self._lower(last),
        )

    def _lower(self, last: Prescription) -> Sequence[str]:
        """Which concentration would carry less."""
        lowest = min(self.ground.library.concentrations.value)
        if lowest >= last.drug.concentration:
            return ("no concentration of the library carries less; how to go on from there is for a specialist",)
        least = _least(self.ground.profile.flow_min, lowest)
        carries = f"{lowest} carries down to {least}" if least.ng_per_day else f"{lowest} has finer pulses, in drug"
        return (f"{carries}: plan the change by itbpump plan convert, then taper on",)


def _least(flow: Flow, concentration: Concentration) -> MassRate:
    """The least daily dose of a concentration at the pump's least flow, up to the next 0.1 mcg."""
    ng_per_day = Fraction(rate_of_flow(flow, concentration).ng_per_day)
    return MassRate(-(-ng_per_day // GRID) * GRID)
