"""Outcome unknown: what is known, what is blocked, what to do; asking the pump, and settling by hand what it no longer knows (SR-42)."""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label, Select

from itbpump.commands import Settled
from itbpump.errors import ItbPumpError
from itbpump.hoststate import Intent
from itbpump.outcome import Outcome
from itbpump.pump import Pump
from itbpump.tui.keys import bindings
from itbpump.tui.screens.page import Lines, Page
from itbpump.tui.told import told
from itbpump.wording.layout import wrapped
from itbpump.wording.outcomes import BY_HAND, answer_text, unknown_lines

__all__ = ["UnknownPage"]


class UnknownPage(Page[None]):
    """The commands of which this computer does not know what became."""

    page_name = "unknown"
    scopes = ("page", "unknown")
    BINDINGS: ClassVar[list[BindingType]] = bindings("page", "unknown")

    def __init__(self) -> None:
        super().__init__()
        self._intents: tuple[Intent, ...] = ()
        self._is_asking = False
        self._answered: list[str] = []

    def body(self) -> ComposeResult:
        yield Lines("OUTCOME UNKNOWN", classes="title critical")
        yield Lines(id="known")
        yield Lines(id="answers")
        with Vertical(id="by-hand"):
            yield Lines("\n".join(wrapped(told(BY_HAND), self.width)), classes="warning")
            with Horizontal(classes="entry"):
                yield Label("What became of it", classes="label", markup=False)
                yield Select([("applied", "applied"), ("not applied", "not_applied")], prompt="choose", id="state", compact=True)
            for name, label in (("by", "Who says so (staff id)"), ("reason", "What shows it")):
                with Horizontal(classes="entry"):
                    yield Label(label, classes="label", markup=False)
                    yield Input(id=name, compact=True)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#by-hand").display = False
        self._look()

    @work(group="look", exclusive=True)
    async def _look(self) -> None:
        """What is open, from this computer's own record."""
        try:
            self._intents = await self.pump_app.ask(lambda pump: pump.unsettled())
        except ItbPumpError as error:
            self.query_one("#known", Lines).tell(
                wrapped(f"the record of this computer could not be read: {told(error)}", self.width), "critical"
            )
            return
        self._tell_known()

    def _tell_known(self) -> None:
        if not self._intents:
            self.query_one("#known", Lines).tell(["Nothing is open: every outcome is known. Dosing is possible."], "ok")
            self.query_one("#by-hand").display = False
            return
        lines = [line for intent in self._intents for line in unknown_lines(intent, self.width)]
        self.query_one("#known", Lines).tell(lines, "critical")

    def action_reconcile(self) -> None:
        """Ask the pump about every one of them; once, as the answer to a first asking would be lost with it."""
        if not self._is_asking:
            self._is_asking = True
            self._reconcile()

    @work(group="reconcile")
    async def _reconcile(self) -> None:
        said = self.query_one("#answers", Lines)
        said.tell(["asking the pump …"], "notice")
        try:
            answers, self._intents = await self.pump_app.ask(_reconciled)
        except ItbPumpError as error:
            said.tell(wrapped(f"no answer: {told(error)}. Nothing is settled; restore the line and ask again.", self.width), "critical")
            return
        finally:
            self._is_asking = False
        for intent, outcome in answers:
            self._keep(intent, outcome)
        self._answered += [answer_text(intent, outcome) for intent, outcome in answers]
        self._answered += [f"ATTENTION: {outcome.note}" for _, outcome in answers if outcome.note]
        said.tell([part for text in self._answered for part in wrapped(text, self.width)], "notice")
        self.query_one("#by-hand").display = bool(self._intents)
        self._tell_known()

    def _keep(self, intent: Intent, outcome: Outcome) -> None:
        """In the report of the visit, and for the page that told of the unknown outcome."""
        app = self.pump_app
        app.visit.settled(intent.cmd_id, outcome, app.now(), intent.what)
        app.answers[intent.cmd_id] = answer_text(intent, outcome)

    @work(group="settle", exclusive=True)
    async def action_settle(self) -> None:
        """Take a person's word where the pump itself no longer knows; only after it was asked."""
        if not self.query_one("#by-hand").display or not self._intents:
            self.say("ask the pump first, with F5; only what it no longer knows is settled by hand", "warning")
            return
        state, by, reason = (
            self.query_one("#state", Select).value,
            self.query_one("#by", Input).value,
            self.query_one("#reason", Input).value,
        )
        if state not in ("applied", "not_applied"):
            self.say("choose what became of it", "warning")
            return
        settled: Settled = "applied" if state == "applied" else "not_applied"
        intent = self._intents[0]
        said = self.query_one("#answers", Lines)
        try:
            outcome = await self.pump_app.ask(lambda pump: pump.settle_by_hand(intent.cmd_id, settled, by, reason))
        except ItbPumpError as error:
            said.tell(wrapped(f"not settled: {told(error)}", self.width), "warning")
            return
        if outcome is not None:
            self._keep(intent, outcome)
            words = answer_text(intent, outcome)
        else:
            words = f"command {intent.cmd_id}, {intent.what}: settled by {by} as {settled.replace('_', ' ')}: {reason}"
            self.pump_app.visit.noted(words, self.pump_app.now())
            self.pump_app.answers[intent.cmd_id] = words
        said.tell(wrapped(words, self.width), "notice")
        self._look()


def _reconciled(pump: Pump) -> tuple[list[tuple[Intent, Outcome]], tuple[Intent, ...]]:
    return pump.reconcile(), pump.unsettled()
