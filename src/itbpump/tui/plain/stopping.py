"""The stop page, reached by `!` from every question: the warning, then a word of its own that sends it (SR-33).

Two different answers, `!` and the word, so that no slip of one key stops a therapy; `.` leaves it as it was. Stopping is possible while an
earlier outcome is not known, and is never held back by a reading that fails.
"""

from __future__ import annotations

from itbpump.errors import ItbPumpError
from itbpump.outcome import Interrupted, Unknown
from itbpump.tui.plain.desk import Desk, refused_text
from itbpump.tui.plain.dialogue import Back, Left, Stopped
from itbpump.tui.plain.outcomes import tell_interrupted, unknown_page
from itbpump.workflow.stopping import ANYTHING_SUDDEN, ORDERS, STAYS_STOPPED, StopOrder, stop_warning

__all__ = ["stop_page"]

NEEDS_CLINICIAN = "stop-bolus"
"""An emergency session may not send it."""


def stop_page(desk: Desk) -> None:
    """Warn, ask for the word, send, say what the pump then gives. Raises Stopped once something was sent, Ended."""
    desk.page("STOP page. Nothing is sent yet.")
    desk.dialogue.say(*_warning(desk))
    orders = {order.word: order for order in ORDERS if not (desk.is_emergency and order.id == NEEDS_CLINICIAN)}
    desk.dialogue.say(*(f"  {word}: {order.text}" for word, order in orders.items()))
    try:
        answer = desk.dialogue.ask("Type one of these words; anything else leaves the pump as it is:", fresh=True, edit=False)
    except (Left, Back):
        answer = ""
    if answer in orders:
        _send(desk, orders[answer])
    else:
        desk.dialogue.say("NOT SENT: the pump goes on as it was.")


def _warning(desk: Desk) -> tuple[str, ...]:
    """What a stop means; a pump that cannot be read holds back no stop."""
    try:
        return stop_warning(desk.pump.status().drug)
    except ItbPumpError as error:
        unread = f"ATTENTION: the pump could not be read ({refused_text(error)}). A stop can be tried all the same."
        return (unread, ANYTHING_SUDDEN, STAYS_STOPPED)


def _send(desk: Desk, order: StopOrder) -> None:
    try:
        result = order.send(desk.pump)
    except Interrupted as error:
        tell_interrupted(desk, error)
        raise Stopped from None
    except ItbPumpError as error:
        desk.failed = True
        desk.dialogue.say(f"STOP NOT SENT: {refused_text(error)}", "The pump goes on as it was; try again.")
        return
    desk.visit.ordered(result.title, result.outcome, desk.pump.host_now())
    desk.tell(result.outcome, proven=False)
    desk.dialogue.say(*result.words)
    if not result.holds:
        desk.failed = True
    if isinstance(result.outcome, Unknown):
        unknown_page(desk, result.outcome)
    raise Stopped
