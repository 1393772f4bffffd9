"""The stop: a warning first, and a key of its own that sends; the key that opened this page does not, nor does Enter (design 4, SR-33)."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from itbpump.errors import ItbPumpError
from itbpump.tui.keys import bindings
from itbpump.tui.pages import key_lines
from itbpump.tui.screens.page import Lines, Page
from itbpump.tui.told import told
from itbpump.wording.layout import wrapped
from itbpump.wording.outcomes import outcome_lines
from itbpump.workflow.stopping import ORDERS, StopOrder, StopResult, stop_warning
from itbpump.workflow.visit import VisitKeeper

__all__ = ["StopPage"]

STOP = "stop"


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

    def on_mount(self) -> None:
        super().on_mount()
        if self.pump_app.visit.under_way:
            self.query_one("#told", Lines).tell(["SENDING: an order from before is under way; its outcome is told here"], "notice")

    def action_send_stop(self) -> None:
        """Stop all delivery."""
        self._send("stop")

    def action_send_stop_bolus(self) -> None:
        """End the bolus."""
        self._send("stop-bolus")

    def action_send_minimum(self) -> None:
        """Fall to the minimum rate."""
        self._send("minimum-rate")

    def _send(self, id: str) -> None:
        """Once until it has its outcome, whatever that is. A stop of everything waits for no lesser order; those wait for any."""
        order = next(order for order in ORDERS if order.id == id)
        visit = self.pump_app.visit
        if id in visit.under_way or (visit.under_way and id != STOP):
            self.say("an order is under way already: nothing more was sent; wait for its outcome", "warning")
            return
        visit.under_way.add(id)
        self.is_sending = True
        self.query_one("#told", Lines).tell(["SENDING …"], "notice")
        self.pump_app.deliver_less(order.send, lambda result: self._done(order, visit, result))

    def _done(self, order: StopOrder, visit: VisitKeeper, result: StopResult | ItbPumpError) -> None:
        """Told here, or on the page on top where this one was left meanwhile."""
        visit.under_way.discard(order.id)
        self.is_sending = bool(visit.under_way)
        if isinstance(result, ItbPumpError):
            lines, state = [f"NOT SENT: {told(result)}. The pump goes on. Try again, or remove the drug from the reservoir."], "critical"
        else:
            lines, state = outcome_lines(result.outcome, self.width, proven=False, face="screen")
            lines = [*lines, *result.words]
        if self.is_attached:
            self.query_one("#told", Lines).tell([part for text in lines for part in wrapped(text, self.width)], state)
        else:
            self.pump_app.say("; ".join(lines), state)
