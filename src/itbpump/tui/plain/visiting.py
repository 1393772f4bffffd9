"""A visit at one pump: its page and menu, again and again, until the person leaves it or the line is gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial

from itbpump.errors import ItbPumpError
from itbpump.outcome import Interrupted
from itbpump.transport.base import TransportError
from itbpump.tui.plain.desk import Desk, refused_text
from itbpump.tui.plain.dialogue import Back, Left, Stopped
from itbpump.tui.plain.menu import Item, choose
from itbpump.tui.plain.outcomes import settle_page, tell_interrupted
from itbpump.tui.plain.reporting import report_page
from itbpump.tui.plain.stopping import stop_page
from itbpump.tui.plain.tasks import task_page, walk_page
from itbpump.tui.plain.watching import follow_bolus, log_page, status_page
from itbpump.wire.messages import BolusState
from itbpump.wording.pumpview import PumpView
from itbpump.wording.status import alarm_rows, delivering_text, state_text
from itbpump.workflow.table import TASKS, WALKS

__all__ = ["Ending", "Page", "visit"]

Page = Callable[[], None]


class Ending(Enum):
    """How a visit ended."""

    LEFT = "left"
    LINE_GONE = "line gone"


def visit(desk: Desk, extra: Sequence[Item[Page]] = ()) -> Ending:
    """Everything at one pump; `extra` are further lines of its menu. Raises Ended."""
    desk.dialogue.urgent = lambda: stop_page(desk)
    try:
        if desk.open_intents():
            settle_page(desk)
        while True:
            try:
                page = _choose(desk, extra)
            except Stopped:
                continue
            except (Left, Back):
                return Ending.LEFT
            except TransportError as error:
                _say_lost(desk, error)
                return Ending.LINE_GONE
            if not _at(desk, page):
                return Ending.LINE_GONE
    finally:
        desk.dialogue.urgent = None


def _at(desk: Desk, page: Page) -> bool:
    """Go through a page; False when the line is gone."""
    try:
        page()
    except (Left, Back):  # Stopped as well: the menu comes again with what the pump does now
        pass
    except Interrupted as error:
        tell_interrupted(desk, error)
    except TransportError as error:
        _say_lost(desk, error)
        return False
    except ItbPumpError as error:
        desk.dialogue.say(f"FAILED: {refused_text(error)}", "Nothing was sent. Try again.")
    return True


def _say_lost(desk: Desk, error: TransportError) -> None:
    desk.dialogue.say("", f"LINE LOST: {refused_text(error)}", "The pump goes on by itself.")


# ------------------------------------------------------------------------------------------------ the menu
def _choose(desk: Desk, extra: Sequence[Item[Page]]) -> Page:
    """What the person wants next. Raises Stopped, Left, Back, Ended; TransportError where the line is gone."""
    hindered = "" if not desk.open_intents() else "an earlier outcome is not known; settle it first"
    try:
        if not desk.is_emergency:
            desk.read()
        view = desk.view()
        desk.page("PUMP.")
        desk.dialogue.say(*_state_lines(view))
    except TransportError:
        raise
    except ItbPumpError as error:
        desk.page("PUMP, not read.")
        desk.dialogue.say(f"NOT READ: {refused_text(error)}", "The pump goes on by itself. Below, status tries again.")
        view = None
    items: list[Item[Page]] = []
    if hindered:
        items.append(Item(lambda: settle_page(desk), "OUTCOME UNKNOWN: find out what became of it"))
    items += _hearing(desk, view)
    if not desk.is_emergency:
        items += _ordering(desk, hindered)
    items += extra
    return choose(desk.dialogue, "What now? A point leaves this pump; ! stops the therapy.", items, edit=False)


def _state_lines(view: PumpView) -> list[str]:
    alarms = [f"{label or 'To do'}: {text}." for label, text in alarm_rows(view)]
    flows = [f"Delivers now: {delivering_text(view)}."] if view.therapy is not None else []
    return [*alarms, f"State: {state_text(view.status)}.", *flows]


def _hearing(desk: Desk, view: PumpView | None) -> list[Item[Page]]:
    group = "To hear"
    items: list[Item[Page]] = [Item(lambda: status_page(desk), "Status of the pump", group=group)]
    if view is not None and view.status.bolus_state is BolusState.RUNNING:
        requested = view.status.bolus_requested
        items.append(Item(lambda: follow_bolus(desk, requested), "Follow the bolus", group=group))
    if not desk.is_emergency:
        items.append(Item(lambda: log_page(desk), "Log of the pump", group=group))
        items.append(Item(lambda: report_page(desk), "Report of this visit", group=group))
    return items


def _ordering(desk: Desk, hindered: str) -> list[Item[Page]]:
    """One line for each group of tasks, so that the menu is short to hear."""
    groups: dict[str, list[Item[Page]]] = {}
    for task in TASKS:
        why = hindered or ("" if desk.facts is None else task.hindered(desk.facts))
        groups.setdefault(task.group, []).append(Item(partial(task_page, desk, task), f"{task.title}: {task.summary}", why))
    for walk in WALKS:
        groups.setdefault(walk.group, []).append(Item(partial(walk_page, desk, walk), f"{walk.title}: {walk.summary}"))
    return [Item(partial(_group, desk, name, items), _group_label(name, items), group="To do") for name, items in groups.items()]


def _group_label(name: str, items: Sequence[Item[Page]]) -> str:
    return f"{name}: {', '.join(item.label.partition(':')[0] for item in items)}"


def _group(desk: Desk, name: str, items: Sequence[Item[Page]]) -> None:
    """The tasks of one group. Raises as the task's page."""
    desk.page(f"{name}.")
    choose(desk.dialogue, "What shall be done? A point goes back.", items, edit=False)()
