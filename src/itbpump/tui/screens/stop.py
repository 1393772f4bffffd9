"""The stop: a warning first, and a key of its own that sends; the key that opened this page does not, nor does Enter (design 4, SR-33)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType

from itbpump.errors import ItbPumpError
from itbpump.outcome import Applied, NotApplied, Unknown
from itbpump.pump import Pump
from itbpump.tui.keys import bindings
from itbpump.tui.pages import key_lines
from itbpump.tui.screens.page import Lines, Page
from itbpump.wording.layout import wrapped
from itbpump.wording.outcomes import outcome_lines
from itbpump.workflow.stopping import StopResult, end_bolus, fall_to_minimum, stop_therapy, stop_warning

__all__ = ["StopPage"]


class StopPage(Page[None]):
    """Says what a stop does; F4 stops."""

    page_name = "stop"
    scopes = ("stop", "page")
    BINDINGS: ClassVar[list[BindingType]] = bindings("page", "stop")

    def __init__(self) -> None:
        super().__init__()
        self.is_sending = False

    def body(self) -> ComposeResult:
        snapshot = self.pump_app.snapshot
        drug = snapshot.view.status.drug if snapshot is not None and snapshot.view is not None else ""
        yield Lines("STOP THE THERAPY", classes="title critical")
        yield Lines("\n".join(part for text in stop_warning(drug) for part in wrapped(text, self.width)), classes="warning")
        yield Lines("\n".join(key_lines(self.scopes, self.pump_app.services.keymap)))
        yield Lines(id="told")

    def action_send_stop(self) -> None:
        """Stop all delivery."""
        self._send(stop_therapy)

    def action_send_stop_bolus(self) -> None:
        """End the bolus."""
        self._send(end_bolus)

    def action_send_minimum(self) -> None:
        """Fall to the minimum rate."""
        self._send(fall_to_minimum)

    @work(group="stop", exclusive=True)
    async def _send(self, order: Callable[[Pump], StopResult]) -> None:
        if self.is_sending:
            return
        self.is_sending = True
        told = self.query_one("#told", Lines)
        told.tell(["SENDING …"], "notice")
        try:
            result = await self.pump_app.ask(order, urgent=True)
        except ItbPumpError as error:
            told.tell(
                wrapped(f"NOT SENT: {error}. The pump goes on. Try again, or remove the drug from the reservoir.", self.width), "critical"
            )
        else:
            outcome: Applied | NotApplied | Unknown = result.outcome
            lines, state = outcome_lines(outcome, self.width, proven=False)
            told.tell([*lines, *(part for text in result.words for part in wrapped(text, self.width))], state)
            self.pump_app.visit.ordered(result.title, outcome, self.pump_app.now())
        self.is_sending = False
