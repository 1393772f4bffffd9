"""What became of an order: applied and proved, not applied, or unknown; a bolus is followed to its end by the pump's own counter."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from itbpump.errors import ItbPumpError
from itbpump.outcome import Applied, NotApplied, Unknown
from itbpump.tui.keys import bindings
from itbpump.tui.screens.page import Lines, Page
from itbpump.tui.screens.unknown import UnknownPage
from itbpump.tui.snapshot import LinkWord, Snapshot
from itbpump.tui.told import told
from itbpump.wire.messages import BolusState
from itbpump.wording.layout import wrapped
from itbpump.wording.outcomes import outcome_lines
from itbpump.wording.status import bolus_text
from itbpump.workflow.model import Proposal
from itbpump.workflow.stopping import StopResult, end_bolus
from itbpump.workflow.visit import VisitKeeper

__all__ = ["OutcomePage"]

END_BOLUS = "stop-bolus"


class OutcomePage(Page[None]):
    """Says what is known, in words that do not claim more."""

    page_name = "outcome"
    scopes = ("page", "outcome")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("page"), Binding("f3", "end_bolus", "End bolus", priority=True)]

    def __init__(self, proposal: Proposal, outcome: Applied | NotApplied | Unknown | Exception) -> None:
        super().__init__()
        self.proposal = proposal
        self.outcome = outcome

    def body(self) -> ComposeResult:
        yield Lines(self.proposal.title, classes="title")
        yield Lines(id="told")
        yield Lines(id="since", classes="notice")
        yield Lines(id="bolus", classes="panel")
        yield Lines(id="after")

    def on_mount(self) -> None:
        super().on_mount()
        lines, state = outcome_lines(self.outcome, self.width, face="screen")
        self.query_one("#told", Lines).tell(lines, state)
        applied = isinstance(self.outcome, Applied)
        after = [part for text in self.proposal.observe for part in wrapped(text, self.width)] if applied else []
        self.query_one("#after", Lines).tell([*after, "Esc: back to the pump. F7 there saves the report of this visit."])
        if isinstance(self.outcome, Unknown):
            self.app.push_screen(UnknownPage())

    def show_snapshot(self, snapshot: Snapshot) -> None:
        super().show_snapshot(snapshot)
        since = self.pump_app.answers.get(self.outcome.cmd_id, "") if isinstance(self.outcome, Unknown) else ""
        self.query_one("#since", Lines).tell(wrapped(f"SINCE ASKED: {since}", self.width) if since else [], "notice")
        follows = self.proposal.follows_bolus and isinstance(self.outcome, Applied)
        if not follows or snapshot.view is None:
            self.query_one("#bolus", Lines).tell([])
            return
        if snapshot.link.word is not LinkWord.LIVE:  # what was read before is of an earlier bolus, or an earlier moment of this one
            self.query_one("#bolus", Lines).tell(
                ["BOLUS NOT KNOWN: the line is not live; do not give another before the pump is read"], "stale"
            )
            return
        now = snapshot.view.status
        running = now.bolus_state is BolusState.RUNNING
        lines = [bolus_text(snapshot.view)]
        if running and now.bolus_requested:
            share = now.bolus_delivered * (self.width - 2) // now.bolus_requested
            lines += [
                "[" + "#" * share + "." * (self.width - 2 - share) + "]",
                "F3 ends the bolus; the therapy goes on. F8 stops everything.",
            ]
        self.query_one("#bolus", Lines).tell(lines, "notice" if running else "ok" if now.bolus_state is BolusState.DONE else "warning")

    def action_end_bolus(self) -> None:
        """Ends the bolus that is followed here, at once: giving less is the safe side, and the therapy goes on."""
        if not self.proposal.follows_bolus or not isinstance(self.outcome, Applied):
            return
        visit = self.pump_app.visit
        if visit.under_way:
            self.say("an order is under way already: nothing more was sent; wait for its outcome", "warning")
            return
        visit.under_way.add(END_BOLUS)
        self.pump_app.deliver_less(end_bolus, lambda result: self._ended(visit, result))

    def _ended(self, visit: VisitKeeper, result: StopResult | ItbPumpError) -> None:
        visit.under_way.discard(END_BOLUS)
        if isinstance(result, ItbPumpError):
            lines, state = [f"NOT SENT: {told(result)}. The bolus goes on; try again."], "critical"
        else:
            lines, state = outcome_lines(result.outcome, self.width, proven=False, face="screen")
            lines = [*lines, *result.words]
        if self.is_attached:
            parts = [part for text in lines for part in wrapped(text, self.width)]
            self.query_one("#told", Lines).tell(["END OF THE BOLUS", *parts], state)
        else:
            self.pump_app.say("; ".join(lines), state)
