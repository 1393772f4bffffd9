"""`itbpump clock`: the pump's label of the wall clock, and its day (`itbpump.workflow.clock`). No change of a clock moves a dose;
`--rebase` does, on purpose, after a review.
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
from itbpump.wording.days import day_gap_s, gap_text, host_week_ms, week_text
from itbpump.wording.layout import row
from itbpump.wording.pumpview import PumpView, read_view

if TYPE_CHECKING:
    from itbpump.pump import Pump

__all__ = ["clock"]


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
    from itbpump.workflow.clock import label_lines

    gap, lines = _day_gap_s(view), label_lines(view.status.wall_s, view.host_now)
    if gap is None or view.week_ms is None or view.therapy is None:
        return [*lines, *row("Pump's day", "none: no therapy is programmed")]
    follows = "" if view.therapy.schedule.follows_week else " (this therapy is the same at every hour of the week)"
    moves = "; --rebase moves it" if abs(gap) >= 60 else ""
    text = f"{week_text(view.week_ms)}; here it is {week_text(host_week_ms(view.host_now))}: {gap_text(gap)}{moves}{follows}"
    return [*lines, *row("Pump's day", text)]


# ------------------------------------------------------------------------------------------------ moving the day
@dataclass(frozen=True, slots=True)
class _Deciding:
    """How the person decides: overrides, staff ids, whether a question is asked."""

    override: list[str] | None
    user: str
    second: str
    yes: bool


def _rebase(out: Output, line: Pump, url: str, folder: Path | None, by: _Deciding) -> dict[str, Any]:
    """Show the changed day and its review, ask, commit. Raises as `pass_review`."""
    from itbpump.safety import basis_of
    from itbpump.workflow.clock import plan_rebase
    from itbpump.workflow.confirming import yes_confirmation

    present = line.present()
    if present.configuration is None:
        raise CommandError("the pump has no therapy, so no day to move; program one first")
    move = plan_rebase(present, line.profile, library=library_for(present.configuration.drug, folder))
    out.say(*move.lines())
    data: dict[str, Any] = {"rebase": move.json()}
    show_review(out, "Review of the move", move.review)
    decision = pass_review(out, move.review, by.override, by.user, by.second, data)
    asked = yes_confirmation("to move the pump's day")
    confirm(out, asked.prompt, asked.answers, yes=by.yes)
    outcome = line.rebase_clock(move.offset_ms, present, basis=basis_of(move.review, decision, by.user, by.second))
    data |= decided_json(move.review, decision)
    require_applied(out, outcome, url, data)
    return {**data, **outcome_json(outcome)}
