"""`itbpump clock`: the pump's label of the wall clock, and its day. No change of a clock moves a dose; `--rebase` does, on purpose, after
a review.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import USAGE, CommandError, Output
from itbpump.cli.libraries import ClinicLibrary, library_for
from itbpump.cli.outcomes import outcome_json, require_applied
from itbpump.cli.pumps import opened
from itbpump.cli.reviewing import Overrides, Second, User, Yes, confirm, decided_json, pass_review, show_review
from itbpump.cli.statusdata import status_json
from itbpump.wording.days import WEEK_MS, day_gap_s, gap_text, host_week_ms, offset_text, week_text
from itbpump.wording.layout import row
from itbpump.wording.pumpview import PumpView, read_view

if TYPE_CHECKING:
    from itbpump.configuration import PresentPump
    from itbpump.pump import Pump
    from itbpump.schedule import Schedule
    from itbpump.therapy_view import TherapyView

__all__ = ["Rebase", "clock", "plan_rebase"]

DAY_MS = 86_400_000


def clock(
    url: Annotated[str, typer.Argument(metavar="URL", help="The pump.")],
    set_label: Annotated[
        bool, typer.Option("--set", help="Set the pump's wall-clock label to this computer's time; no dose changes.")
    ] = False,
    rebase: Annotated[
        bool, typer.Option("--rebase", help="Move the pump's day to this computer's; shows the dose of the changed day.")
    ] = False,
    *,
    override: Overrides = None,
    user: User = "",
    second: Second = "",
    clinic_library: ClinicLibrary = None,
    yes: Yes = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Show the pump's clock beside this computer's; set its label, or move its day."""
    out = Output(as_json)
    if set_label and rebase:
        raise CommandError("give --set or --rebase, one at a time: they are two commands to the pump", USAGE)
    with opened(url, dosing=rebase) as line:
        data: dict[str, Any] = {}
        if set_label:
            outcome = line.set_clock(int(line.host_now().timestamp()))
            require_applied(out, outcome, url, proven=False)
            data = outcome_json(outcome)
            out.say("The label is set; the schedule has not moved.")
        elif rebase:
            data = _rebase(out, line, url, clinic_library, _Deciding(override, user, second, yes))
        view = read_view(line)
    out.say(*_clock_lines(view))
    out.data({**data, "clock": status_json(view)["clock"], "day_gap_s": _day_gap_s(view)})


def _day_gap_s(view: PumpView) -> int | None:
    """None while the pump has no therapy, and so no day."""
    return None if view.week_ms is None else day_gap_s(view.week_ms, view.host_now)


def _clock_lines(view: PumpView) -> list[str]:
    from itbpump.wording.words import wall_text

    status, gap, label_gap = view.status, _day_gap_s(view), view.gap_s
    lines = [
        *row("Pump's label", wall_text(status.wall_s)),
        *row("This computer", f"{view.host_now.strftime('%d %b %Y %H:%M:%S')}, {offset_text(view.host_now)}"),
    ]
    if label_gap is not None:
        lines += row("Gap of labels", f"{label_gap:+,} s (a label only: no dose hangs on it)".replace("-", "−"))
    if gap is None or view.week_ms is None or view.therapy is None:
        return [*lines, *row("Pump's day", "none: no therapy is programmed")]
    follows = "" if view.therapy.schedule.follows_week else " (this therapy is the same at every hour of the week)"
    moves = "; --rebase moves it" if abs(gap) >= 60 else ""
    text = f"{week_text(view.week_ms)}; here it is {week_text(host_week_ms(view.host_now))}: {gap_text(gap)}{moves}{follows}"
    return [*lines, *row("Pump's day", text)]


# ------------------------------------------------------------------------------------------------ moving the day
@dataclass(frozen=True, slots=True)
class Rebase:
    """A move of the pump's day: places in the week before and after (ms), what the changed day gives, and the largest 24 h across it.

    `usual_units` is what the day would have given, both in units of 1/86,400,000 nL.
    """

    from_ms: int
    to_ms: int
    length_ms: int
    changed_units: int
    usual_units: int
    highest_units: int


def plan_rebase(schedule: Schedule, from_ms: int, to_ms: int) -> Rebase:
    """The day on which a weekly schedule jumps from one place of its week to another (ms since Monday 00:00).

    The changed day goes from the midnight before the jump to the midnight after it. The largest 24 h across the jump is exact: it lies
    where an edge of the window meets an edge of a segment or the jump.
    """
    since, until = from_ms % DAY_MS, DAY_MS - to_ms % DAY_MS
    before, after = from_ms + WEEK_MS, to_ms + WEEK_MS  # a week later is the same, and a day before it is not negative

    def given(back_ms: int, ahead_ms: int) -> int:
        return schedule.volume_units_between(before - back_ms, before) + schedule.volume_units_between(after, after + ahead_ms)

    backs = {0, DAY_MS}
    for start, end, _ in schedule.segments_between(before - DAY_MS, before):
        backs |= {before - start, before - end}
    for start, end, _ in schedule.segments_between(after, after + DAY_MS):
        backs |= {DAY_MS - (start - after), DAY_MS - (end - after)}
    day = before - since
    return Rebase(
        from_ms=from_ms,
        to_ms=to_ms,
        length_ms=since + until,
        changed_units=given(since, until),
        usual_units=schedule.volume_units_between(day, day + DAY_MS),
        highest_units=max(given(back, DAY_MS - back) for back in backs if 0 <= back <= DAY_MS),
    )


@dataclass(frozen=True, slots=True)
class _Deciding:
    """How the person decides: overrides, staff ids, whether a question is asked."""

    override: list[str] | None
    user: str
    second: str
    yes: bool


def _rebase(out: Output, line: Pump, url: str, folder: Path | None, by: _Deciding) -> dict[str, Any]:
    """Show the changed day and its review, ask, commit. Raises as `pass_review`."""
    from itbpump.configuration import week_offset_ms
    from itbpump.safety import basis_of, review_rebase
    from itbpump.therapy_view import view_configuration

    present = line.present()
    if present.configuration is None:
        raise CommandError("the pump has no therapy, so no day to move; program one first")
    view = view_configuration(present.configuration, line.profile)
    offset = week_offset_ms(present.host_now, present.host_now, present.uptime_ms)
    old_ms = (present.uptime_ms + present.configuration.week_offset_ms) % WEEK_MS
    new_ms = (present.uptime_ms + offset) % WEEK_MS
    if view.schedule.follows_week:
        data = _show_rebase(out, plan_rebase(view.schedule, old_ms, new_ms), view, present)
    else:
        out.say(f"The pump's day moves from {week_text(old_ms)} to {week_text(new_ms)}; no dose of this therapy hangs on the day.")
        data = {"rebase": {"from": week_text(old_ms), "to": week_text(new_ms), "changed_day": None}}
    found = review_rebase(offset, present, line.profile, library=library_for(view.drug, folder))
    show_review(out, "Review of the move", found)
    decision = pass_review(out, found, by.override, by.user, by.second, data)
    confirm(out, 'Type "yes" to move the pump\'s day; anything else cancels:', ["yes"], yes=by.yes)
    outcome = line.rebase_clock(offset, present, basis=basis_of(found, decision, by.user, by.second))
    data |= decided_json(found, decision)
    require_applied(out, outcome, url, data)
    return {**data, **outcome_json(outcome)}


def _show_rebase(out: Output, plan: Rebase, view: TherapyView, present: PresentPump) -> dict[str, Any]:
    from itbpump.configuration import mass_of_units
    from itbpump.quantity import Duration, Mass, MassRate

    def mass(units: int) -> Mass:
        return Mass(mass_of_units(units, view.concentration.ng_per_mL)).rounded()

    highest = MassRate(mass_of_units(plan.highest_units + view.allotment_units, view.concentration.ng_per_mL)).rounded()
    running = "" if present.is_treating else " (the therapy is not running now: nothing flows)"
    out.say(
        f"The pump's day moves from {week_text(plan.from_ms)} to {week_text(plan.to_ms)}.",
        f"  the changed day lasts {Duration(plan.length_ms)} and gives {mass(plan.changed_units)} by the schedule; "
        f"unchanged it would give {mass(plan.usual_units)}{running}",
        f"  highest 24 h across the change: {highest}, all patient boluses counted; otherwise {view.highest_24h_exact.rounded()}",
    )
    return {
        "rebase": {
            "from": week_text(plan.from_ms),
            "to": week_text(plan.to_ms),
            "changed_day": {
                "lasts": Duration(plan.length_ms).screen(),
                "dose": mass(plan.changed_units).json(),
                "usual": mass(plan.usual_units).json(),
            },
            "highest_24h": highest.json(),
        }
    }
