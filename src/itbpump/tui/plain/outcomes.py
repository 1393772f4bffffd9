"""What became of an order, and the page of an unknown outcome: what is known, what is blocked, ask the pump, settle by hand (SR-42)."""

from __future__ import annotations

from itbpump.errors import ItbPumpError
from itbpump.hoststate import Intent
from itbpump.outcome import Applied, Interrupted, NothingOpen, Unknown
from itbpump.tui.plain.desk import Desk, refused_text
from itbpump.tui.plain.dialogue import Back, Left
from itbpump.tui.plain.forms import ask_field
from itbpump.tui.plain.menu import Item, choose
from itbpump.tui.plain.watching import log_page, status_page
from itbpump.wording.outcomes import BY_HAND, answer_text, unknown_text
from itbpump.workflow.fields import Field, Kind, choice_field

__all__ = ["settle_page", "tell_interrupted", "unknown_page"]

SETTLE = "SETTLE"
_ASK, _STATUS, _LOG, _HAND = "ask", "status", "log", "by hand"
_STATE = choice_field(
    "state", "What became of it", (("applied", "the pump carried it out"), ("not_applied", "the pump did not carry it out")),
    "By the pump's log, its counters, and the volume drawn out.",
)  # fmt: skip
_BY = Field("by", "Your staff id", Kind.ID, "Who settles it. It is kept with the command.")
_REASON = Field("reason", "What shows it", Kind.TEXT, "Log entries, counters, the volume drawn out. It is kept with the command.")


def unknown_page(desk: Desk, outcome: Unknown) -> None:
    """For a command just sent; ends once it is settled, or left open. Raises Ended."""
    desk.failed = True
    _unknown(desk, outcome.what, outcome.cmd_id, str(outcome.cause))


def tell_interrupted(desk: Desk, error: Interrupted) -> None:
    """For a command that was under way when somebody pressed Ctrl-C. Raises Ended."""
    desk.failed = True
    if error.outcome is None:
        _unknown(desk, error.what, error.cmd_id, "it was interrupted from the keyboard")
        return
    done = "APPLIED" if isinstance(error.outcome, Applied) else "NOT APPLIED"
    desk.dialogue.say(f"{done}, INTERRUPTED: command {error.cmd_id}, {error.what}. The pump was not read again; read its status.")


def _unknown(desk: Desk, what: str, cmd_id: int, cause: str) -> None:
    desk.page("OUTCOME UNKNOWN.")
    desk.dialogue.say(unknown_text(what, cmd_id, cause, desk.url))
    settle_page(desk)


def settle_page(desk: Desk) -> None:
    """Until every outcome is known, or the person leaves it open. Raises Ended."""
    actions = {_ASK: _reconcile, _STATUS: status_page, _LOG: log_page, _HAND: _by_hand}
    while still := desk.open_intents():
        listed = [f"  {intent.what} (command {intent.cmd_id})" for intent in still]
        desk.dialogue.say("", "STILL UNKNOWN; nothing but a stop is sent from here to this pump before it is settled:", *listed)
        items = [
            Item(_ASK, "Ask the pump what became of it"),
            Item(_STATUS, "Read the pump's status"),
            Item(_LOG, "Read the pump's log"),
            Item(_HAND, "Settle it by hand, as the pump no longer knows"),
        ]
        try:
            action = choose(desk.dialogue, "What now? A point leaves it open.", items, edit=False)
        except (Left, Back):
            desk.dialogue.say("LEFT OPEN: the outcome is still unknown. Watch the patient.")
            return
        try:
            actions[action](desk)
        except (Left, Back):
            desk.dialogue.say("Nothing was settled.")
        except ItbPumpError as error:
            desk.dialogue.say(f"FAILED: {refused_text(error)}")
    desk.dialogue.say("Every outcome is known; dosing is possible.")


def _reconcile(desk: Desk) -> None:
    for intent, outcome in desk.pump.reconcile():
        desk.dialogue.say(answer_text(intent, outcome))
        desk.visit.settled(intent.cmd_id, outcome, desk.pump.host_now(), intent.what)
        if outcome.note:
            desk.dialogue.say(f"ATTENTION: {outcome.note}")


def _by_hand(desk: Desk) -> None:
    dialogue = desk.dialogue
    dialogue.say(BY_HAND)
    intent = _which(desk)
    state, by, reason = (ask_field(dialogue, field, desk.policy.user if field is _BY else "") for field in (_STATE, _BY, _REASON))
    if dialogue.ask(f"Type {SETTLE} to take your word in place of the pump's; anything else leaves it open:", fresh=True) != SETTLE:
        raise Left
    try:
        told = desk.pump.settle_by_hand(intent.cmd_id, "applied" if state == "applied" else "not_applied", by, reason)
    except NothingOpen:  # it was open a moment ago, so the pump has answered
        dialogue.say("The pump itself has told what became of it, and that stands.")
        return
    if told is not None:
        dialogue.say(answer_text(intent, told))
    else:
        desk.visit.noted(f"settled by hand by {by}: command {intent.cmd_id}, {intent.what}, {state}: {reason}", desk.pump.host_now())
        dialogue.say(f"SETTLED by {by}: command {intent.cmd_id}, {intent.what}, {state.replace('_', ' ')}: {reason}")


def _which(desk: Desk) -> Intent:
    still = desk.open_intents()
    if len(still) == 1:
        return still[0]
    return choose(desk.dialogue, "Which command?", [Item(intent, f"{intent.what} (command {intent.cmd_id})") for intent in still])
