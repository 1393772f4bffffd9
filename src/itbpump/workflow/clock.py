"""The pump's label of the wall clock, and its day. No label moves a dose; moving the day does, on purpose, after a review (SR-52, SR-53).

The changed day is exact, by the schedule in units of 1/86,400,000 nL; the largest 24 h across the move are the review's own figure
(`safety.RebaseReview`). Not modelled there: boluses by hand and patient boluses of the changed day. Not here: how a pump keeps time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from itbpump.changes import rebased_configuration
from itbpump.configuration import mass_of_units, week_offset_ms
from itbpump.drugs import DrugLibrary
from itbpump.outcome import Outcome
from itbpump.present import PresentPump
from itbpump.profiles import PumpProfile
from itbpump.pump import Pump
from itbpump.quantity import MS_PER_DAY, Duration, Mass
from itbpump.safety import review_rebase
from itbpump.safety.rebase import RebaseReview
from itbpump.schedule import Schedule
from itbpump.therapy_view import TherapyView, view_configuration
from itbpump.wording.beside import heading_lines
from itbpump.wording.days import WEEK_MS, offset_text, week_text
from itbpump.wording.layout import row
from itbpump.wording.words import wall_text
from itbpump.workflow.confirming import yes_confirmation
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import Field, FieldError, Values
from itbpump.workflow.libraries import library_for
from itbpump.workflow.model import Proposal
from itbpump.workflow.therapy import present_view
from itbpump.workflow.unreviewed import unreviewed

__all__ = ["ChangedDay", "ClockLabelTask", "Move", "RebaseTask", "changed_day", "label_lines", "plan_rebase"]

GROUP = "Clock"


# ------------------------------------------------------------------------------------------------ the label
class ClockLabelTask:
    """Sets the pump's label to this computer's time."""

    id = "clock-label"
    title = "Set the clock's label"
    summary = "the pump's label takes this computer's time; no dose changes"
    group = GROUP

    def hindered(self, facts: Facts) -> str:
        return ""

    def fields(self, facts: Facts, values: Values) -> tuple[Field, ...]:
        return ()

    def propose(self, facts: Facts, values: Values) -> Proposal:
        now, wall_s = facts.present.host_now, facts.status.wall_s
        lines = (
            *label_lines(wall_s, now),
            "Only the label is set, to this computer's time when it is sent: the schedule does not move, no dose changes.",
        )

        def send(pump: Pump, basis: Mapping[str, Any]) -> Outcome:
            return pump.set_clock(int(pump.host_now().timestamp()))

        return unreviewed(facts, self.id, "Set the label of the pump's clock", "to set the label", send, lines=lines)


def label_lines(wall_s: int, now: datetime) -> list[str]:
    """The pump's label (s since 1970, UTC; 0: not set), this computer's time, and the gap between them."""
    lines = [
        *row("Pump's label", wall_text(wall_s)),
        *row("This computer", f"{now.strftime('%d %b %Y %H:%M:%S')}, {offset_text(now)}"),
    ]
    if wall_s:
        gap_s = wall_s - int(now.timestamp())
        lines += row("Gap of labels", f"{gap_s:+,} s (a label only: no dose hangs on it)".replace("-", "−"))
    return lines


# ------------------------------------------------------------------------------------------------ the day
@dataclass(frozen=True, slots=True)
class ChangedDay:
    """The day on which the week jumps, from the midnight before it to the midnight after it: `length_ms`, and what the schedule gives in
    it. `usual_units` is what the day would have given; both in units of 1/86,400,000 nL."""

    length_ms: int
    changed_units: int
    usual_units: int


def changed_day(schedule: Schedule, from_ms: int, to_ms: int) -> ChangedDay:
    """The day on which a weekly schedule jumps from one place of its week to another (ms since Monday 00:00, each below a week)."""
    since, until = from_ms % MS_PER_DAY, MS_PER_DAY - to_ms % MS_PER_DAY
    before, after = from_ms + WEEK_MS, to_ms + WEEK_MS  # a week later is the same, and a day before it is not negative
    day = before - since
    return ChangedDay(
        length_ms=since + until,
        changed_units=schedule.volume_units_between(day, before) + schedule.volume_units_between(after, after + until),
        usual_units=schedule.volume_units_between(day, day + MS_PER_DAY),
    )


@dataclass(frozen=True, slots=True)
class Move:
    """A move of the pump's day to this computer's, reviewed. `offset_ms` is the week's new offset (0 to 604,799,999).

    `day` is None for a therapy that is the same at every hour of the week. `is_treating`: what the schedule gives flows now.
    """

    offset_ms: int
    view: TherapyView
    day: ChangedDay | None
    review: RebaseReview
    is_treating: bool

    def mass(self, units: int) -> Mass:
        """Drug of a volume in units of 1/86,400,000 nL, to the nearest ng."""
        return Mass(mass_of_units(units, self.view.concentration.ng_per_mL)).rounded()

    def lines(self) -> tuple[str, ...]:
        """In words: from where to where, the changed day, and the largest 24 h."""
        places = f"The pump's day moves from {week_text(self.review.from_ms)} to {week_text(self.review.to_ms)}"
        if self.day is None:
            return (f"{places}; no dose of this therapy hangs on the day.",)
        running = "" if self.is_treating else " (the therapy is not running now: nothing flows)"
        changed, usual = self.mass(self.day.changed_units), self.mass(self.day.usual_units)
        highest, otherwise = self.review.highest_24h.rounded(), self.view.highest_24h_exact.rounded()
        lasts = f"  the changed day lasts {Duration(self.day.length_ms)} and gives {changed} by the schedule"
        return (
            f"{places}.",
            f"{lasts}; unchanged it would give {usual}{running}",
            f"  highest 24 h across the change: {highest}, all patient boluses counted; otherwise {otherwise}",
        )

    def json(self) -> dict[str, Any]:
        """The form of `clock --rebase --json`."""
        places: dict[str, Any] = {"from": week_text(self.review.from_ms), "to": week_text(self.review.to_ms)}
        if self.day is None:
            return {**places, "changed_day": None}
        day = {
            "lasts": Duration(self.day.length_ms).screen(),
            "dose": self.mass(self.day.changed_units).json(),
            "usual": self.mass(self.day.usual_units).json(),
        }
        return {**places, "changed_day": day, "highest_24h": self.review.highest_24h.rounded().json()}


def plan_rebase(present: PresentPump, profile: PumpProfile, *, library: DrugLibrary | None = None) -> Move:
    """The pump's day moved to this computer's at the time of reading (`present.host_now`); it stays right while both clocks run.

    Raises ConfigurationError for a pump without a therapy, LibraryError for a drug without a library where none is given.
    """
    offset = week_offset_ms(present.host_now, present.host_now, present.uptime_ms)
    view = view_configuration(rebased_configuration(offset, present), profile)
    found = review_rebase(offset, present, profile, library=library)
    day = changed_day(view.schedule, found.from_ms, found.to_ms) if view.schedule.follows_week else None
    return Move(offset, view, day, found, present.is_treating)


class RebaseTask:
    """Moves the pump's day to this computer's."""

    id = "rebase"
    title = "Move the pump's day"
    summary = "the day of the schedule becomes this computer's; shows the dose of the changed day"
    group = GROUP

    def hindered(self, facts: Facts) -> str:
        return "the pump has no therapy, so no day to move; program one first" if facts.present.configuration is None else ""

    def fields(self, facts: Facts, values: Values) -> tuple[Field, ...]:
        return ()

    def propose(self, facts: Facts, values: Values) -> Proposal:
        present, configuration = facts.present, facts.present.configuration
        if configuration is None:
            raise FieldError("", self.hindered(facts))
        move = plan_rebase(present, facts.profile, library=library_for(configuration.drug, facts.policy.clinic_library))

        def send(pump: Pump, basis: Mapping[str, Any]) -> Outcome:
            return pump.rebase_clock(move.offset_ms, present, basis=basis)

        return Proposal(
            task=self.id,
            title=f"Move the pump's day{f', for patient {facts.patient_id}' if facts.patient_id else ''}",
            serial=facts.info.serial,
            revision=present.revision,
            patient_id=facts.patient_id,
            review=move.review,
            confirmation=yes_confirmation("to move the pump's day"),
            send=send,
            lines=(*heading_lines(facts.info, present), *move.lines()),
            old=present_view(facts),
            new=move.view,
        )
