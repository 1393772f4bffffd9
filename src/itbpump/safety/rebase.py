"""Review of a move of the pump's day: the same therapy from another place of its week on, and what the day of the change gives.

Not here: how far clocks are apart (`wording.days`), the length and dose of the changed day (`workflow.clock`), a change of the therapy
itself (`review`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from itbpump.configuration import mass_of_units
from itbpump.drugs import DrugLibrary, load_library
from itbpump.quantity import MS_PER_DAY, Mass, MassRate
from itbpump.safety.across import Course, Phase, highest_24h_across
from itbpump.safety.bolus import configured
from itbpump.safety.current import Current
from itbpump.safety.model import Hit, Rendering, Review, Row, RuleSet, Severity, canonical_digest
from itbpump.safety.rules_drug import daily_total_hits, untimed_text
from itbpump.safety.rules_present import alarm_hits, week_clock
from itbpump.schedule import WEEK_MS
from itbpump.therapy_view import TherapyView

if TYPE_CHECKING:
    from itbpump.present import PresentPump
    from itbpump.profiles import PumpProfile

__all__ = ["RULES", "RebaseContext", "RebaseReview", "review_rebase"]

HARD, SECOND, SOFT, INFO = Severity.HARD, Severity.SECOND, Severity.SOFT, Severity.INFO


@dataclass(frozen=True, slots=True)
class RebaseContext:
    """Places of the week before and after the move, ms since Monday 00:00, and the pump that is moved."""

    from_ms: int
    to_ms: int
    view: TherapyView
    current: Current
    present: PresentPump
    library: DrugLibrary

    @property
    def highest_24h(self) -> MassRate:
        """Largest dose in any 24 h across the move; boluses by hand and under way, and the patient's allotment counted.

        What follows no week goes on as it is: alone where it has run for a day; else after what ran before it, a period from its bolus on.
        """
        schedule, age = self.view.schedule, self.current.age_ms
        if not schedule.follows_week and age is not None and age >= MS_PER_DAY:
            return MassRate(self.view.highest_24h_exact.ng_per_day + self.current.extra.ng + self.current.primed.ng)
        course = Course([Phase(schedule, self.to_ms if schedule.follows_week else 0, self.view.concentration.ng_per_mL)])
        across, after = highest_24h_across(self.current.past, course)
        lately = self.current.unexplained.ng + self.current.primed.ng
        allotment = mass_of_units(self.view.allotment_units, self.view.concentration.ng_per_mL)
        return MassRate(max(across.ng_per_day + lately, after.ng_per_day) + self.current.left.ng + allotment)

    @property
    def moved_back_ms(self) -> int:
        """How far the week goes back, the shorter way round; negative where it goes ahead."""
        back = (self.from_ms - self.to_ms) % WEEK_MS
        return back if back <= WEEK_MS // 2 else back - WEEK_MS


@dataclass(frozen=True)
class RebaseReview(Review):
    """A review of a move, with the figures it was judged by, so that nobody computes them a second time.

    `from_ms` and `to_ms`: places of the week before and after, ms since Monday 00:00. `highest_24h`: `RebaseContext.highest_24h`, exact;
    `proposed["highest_24h"]` is the same to the nearest ng.
    """

    from_ms: int = field(kw_only=True)
    to_ms: int = field(kw_only=True)
    highest_24h: MassRate = field(kw_only=True)


RULES: RuleSet[RebaseContext] = RuleSet()


@RULES.rule("alarms", "SR-55", worst=SOFT)
def alarms(c: RebaseContext) -> Iterator[Hit]:
    """What the pump sounds now."""
    yield from alarm_hits(c.present.alarms)


@RULES.rule("daily-total", "SR-07", "SR-02", worst=HARD)
def daily_total(c: RebaseContext) -> Iterator[Hit]:
    """The largest 24 h across the move; the pump does not know the patient: limits of all indications, of an adult."""
    total = c.highest_24h
    shown = f"up to {total.rounded()} in 24 h across the move{untimed_text(c.current.untimed)}"
    yield from daily_total_hits(c.library.daily_limits(None, None), total, shown)


@RULES.rule("bolus-again", "SR-10", "SR-52", worst=SECOND)
def bolus_again(c: RebaseContext) -> Iterator[Hit]:
    """A day moved back gives again what it has just given; a day moved ahead leaves out what lies between."""
    schedule, back = c.view.schedule, c.moved_back_ms
    if not schedule.follows_week or not c.present.is_treating or back == 0:
        return
    begin, end = (c.to_ms, c.to_ms + back) if back > 0 else (c.from_ms, c.from_ms - back)
    boluses = [at for at, _, is_bolus in schedule.pieces_between(begin, end) if is_bolus]
    amount = Mass(mass_of_units(schedule.volume_units_between(begin, end), c.view.concentration.ng_per_mL)).rounded()
    if not boluses:
        return
    when = ", ".join(week_clock(at) for at in boluses)
    if back > 0:
        message = f"given again: the bolus of {when}; {amount} of the schedule are given a second time; choose another hour"
        yield Hit(SECOND, message, amount.text(), "", "SR-52: a change of clocks changes no dose by itself")
    else:
        message = f"left out: the bolus of {when}; {amount} of the schedule are skipped, and never made up"
        yield Hit(SOFT, message, amount.text(), "", "SR-52: a change of clocks changes no dose by itself")


@RULES.rule("bridge", "SR-12", worst=SOFT)
def bridge(c: RebaseContext) -> Iterator[Hit]:
    """A bridge or an earlier label in the path goes on whatever the day."""
    if c.present.bridging or c.present.path_left_pulses:
        yield Hit(SOFT, "the path still holds an earlier label: what this day gives is not the schedule's dose; wait until it is clear")


def review_rebase(week_offset_ms: int, present: PresentPump, profile: PumpProfile, *, library: DrugLibrary | None = None) -> RebaseReview:
    """Judge the move of the pump's week to another offset (ms, 0 to 604,799,999).

    Raises ConfigurationError for a pump without a configuration.
    """
    configuration, current, view = configured(present, profile)
    library = library if library is not None else load_library(configuration.drug)
    from_ms, to_ms = ((present.uptime_ms + offset) % WEEK_MS for offset in (configuration.week_offset_ms, week_offset_ms))
    context = RebaseContext(from_ms, to_ms, view, current, present, library)
    findings = RULES.findings(context)
    highest = context.highest_24h
    proposed = {"from": week_clock(from_ms), "to": week_clock(to_ms), "highest_24h": highest.rounded().json()}
    content = {
        "rebase": str(week_offset_ms - configuration.week_offset_ms),
        "current": current.identity(),
        "findings": [finding.json() for finding in findings],
        "library": library.json(),
        "pump": profile.constants_hash.hex(),
    }
    return RebaseReview(
        findings=findings,
        library=library.json(),
        digest=canonical_digest(content),
        rendering=Rendering(lambda: _rows(context), lambda: (), current.json, lambda: proposed),
        from_ms=from_ms,
        to_ms=to_ms,
        highest_24h=highest,
    )


def _rows(c: RebaseContext) -> Iterator[Row]:
    yield Row("the pump's day", week_clock(c.from_ms), week_clock(c.to_ms), changed=c.from_ms != c.to_ms)
    highest, usual = c.highest_24h.rounded(), c.view.highest_24h_exact.rounded()
    yield Row("highest 24 h", str(usual), str(highest), changed=usual != highest)
