"""The stop: a warning first, and a key of its own that sends; the key that opened this page does not, nor does Enter (design 4, SR-33)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from itbpump.errors import ItbPumpError
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
        """Stop all delivery; again while it is under way sends nothing more and calls nothing back."""
        self._send(stop_therapy)

    def action_send_stop_bolus(self) -> None:
        """End the bolus."""
        self._send(end_bolus)

    def action_send_minimum(self) -> None:
        """Fall to the minimum rate."""
        self._send(fall_to_minimum)

    def _send(self, order: Callable[[Pump], StopResult]) -> None:
        if self.is_sending:
            return
        self.is_sending = True
        self.query_one("#told", Lines).tell(["SENDING …"], "notice")
        self.pump_app.deliver_less(order, self._done)

    def _done(self, result: StopResult | ItbPumpError) -> None:
        """Told here, or on the page on top where this one was left meanwhile."""
        self.is_sending = False
        if isinstance(result, ItbPumpError):
            lines, state = [f"NOT SENT: {result}. The pump goes on. Try again, or remove the drug from the reservoir."], "critical"
        else:
            lines, state = outcome_lines(result.outcome, self.width, proven=False)
            lines = [*lines, *result.words]
        if self.is_attached:
            self.query_one("#told", Lines).tell([part for text in lines for part in wrapped(text, self.width)], state)
        else:
            self.pump_app.say("; ".join(lines), state)
