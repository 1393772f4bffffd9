"""Hearing of the pump without ordering anything: status, log with a filter, a bolus on its way.

Nothing is said that was not asked for, so that a voice is not interrupted: each line of progress comes for an Enter, or for a wait of so
many minutes. Not here: what the words mean (`wording`).
"""

from __future__ import annotations

from collections.abc import Callable

from itbpump.errors import ItbPumpError
from itbpump.outcome import Unknown
from itbpump.tui.plain.desk import Desk, refused_text
from itbpump.tui.plain.dialogue import Back, Left
from itbpump.tui.plain.menu import Item, choose, number
from itbpump.wire.messages import BolusState, LogEntry, Status
from itbpump.wording.log import is_wanted, log_lines
from itbpump.wording.status import given_text, status_lines
from itbpump.wording.words import log_groups, log_words
from itbpump.workflow.stopping import end_bolus

__all__ = ["LONGEST_WAIT_MIN", "follow_bolus", "log_page", "status_page", "wait_for"]

PAGE = 20
LOOK_EVERY_MS = 1_000
LONGEST_WAIT_MIN = 60
END_BOLUS = "b"
_ALL = "all"
_HOW = (
    f"Enter looks again; a number waits that many minutes, at most {LONGEST_WAIT_MIN}; {END_BOLUS} ends the bolus, the therapy goes on; "
    "a point leaves, and the bolus goes on."
)


def status_page(desk: Desk) -> None:
    """The pump as it is now, alarms with their priority in words. Raises LinkError, TransportError."""
    desk.page("Status of the pump.")
    desk.dialogue.say(*status_lines(desk.view()))


# ------------------------------------------------------------------------------------------------ the log
def log_page(desk: Desk) -> None:
    """The pump's log by group and by words, the newest first, page by page. Raises LinkError, TransportError, Left, Back, Ended."""
    desk.page("Log of the pump.")
    groups = log_groups()
    items = [Item(_ALL, "all entries"), *(Item(name, f"only {name}") for name in groups)]
    group = choose(desk.dialogue, "Which entries?", items, edit=False)
    words = desk.dialogue.ask("Only with these words (Enter for all):", edit=False).casefold()
    desk.log = (*desk.log, *desk.pump.log(desk.log[-1].seq + 1 if desk.log else 0))
    wanted = frozenset(groups.get(group, ())) | {"gap"}
    found = [entry for entry in desk.log if group == _ALL or is_wanted(entry, wanted)]
    _pages(desk, [entry for entry in found if words in log_words(entry).casefold()])


def _pages(desk: Desk, entries: list[LogEntry]) -> None:
    desk.dialogue.say(f"{len(entries):,} of {len(desk.log):,} entries.")
    while entries:
        desk.dialogue.say(*log_lines(entries[-PAGE:]))
        entries = entries[:-PAGE]
        if entries and desk.dialogue.ask(f"{len(entries):,} older ones. Enter for more, anything else ends:", edit=False):
            return


# ------------------------------------------------------------------------------------------------ a bolus
def follow_bolus(desk: Desk, requested: int) -> None:
    """Look at the pump's own counter for as long as the person wants; `requested` are pulses. Raises Ended, Stopped."""
    dialogue = desk.dialogue
    dialogue.say("", "The bolus was started. It is in the pump's hands, also if you leave this page.")
    while True:
        try:
            now = desk.pump.status()
        except ItbPumpError as error:
            dialogue.say(f"NOT READ: {refused_text(error)}", "The bolus was started and goes on in the pump.")
            now = None
        if now is not None and now.bolus_state is not BolusState.RUNNING:
            _ended(desk, now, requested)
            return
        if now is not None:
            dialogue.say(f"RUNNING: {_progress(desk, now)}")
        try:
            _act(desk, dialogue.ask("Enter, minutes, b, or ? for help:", _HOW, edit=False))
        except ItbPumpError as error:
            desk.failed = True
            dialogue.say(f"NOT SENT: {refused_text(error)}")
        except (Left, Back):
            dialogue.say("NO LONGER WATCHED: the bolus goes on in the pump.")
            return


def _act(desk: Desk, answer: str) -> None:
    minutes = number(answer, LONGEST_WAIT_MIN)
    if answer == END_BOLUS:
        result = end_bolus(desk.pump)
        desk.visit.ordered(result.title, result.outcome, desk.pump.host_now())
        if isinstance(result.outcome, Unknown):
            desk.failed = True
            desk.dialogue.say("OUTCOME UNKNOWN of ending the bolus. The counter below tells; settle it from the pump's page.")
        desk.tell(result.outcome, proven=False)
        desk.dialogue.say(*result.words)
    elif minutes is not None:
        wait_for(desk, minutes, lambda now: now.bolus_state is not BolusState.RUNNING)
    elif answer:
        desk.dialogue.say(_HOW)


def wait_for(desk: Desk, minutes: int, is_over: Callable[[Status], bool]) -> None:
    """Until so many minutes have passed, the pump says that it is over, or somebody types. A line that fails is met by the next look."""
    transport = desk.pump.session.transport
    end_ms = transport.now_ms() + minutes * 60_000
    try:
        while transport.now_ms() < end_ms and not desk.dialogue.streams.pending():
            desk.pump.session.listen(LOOK_EVERY_MS)
            if is_over(desk.pump.status()):
                return
    except ItbPumpError as error:
        desk.dialogue.say(f"NOT READ: {refused_text(error)}")
    except KeyboardInterrupt:
        desk.dialogue.say("No longer waiting.")


def _ended(desk: Desk, now: Status, requested: int) -> None:
    given = given_text(now, desk.pump)
    if now.bolus_state is BolusState.DONE and now.bolus_delivered == requested:
        desk.dialogue.say(f"GIVEN: {given}.")
    else:
        desk.failed = True
        desk.dialogue.say(f"NOT WHOLE: the bolus did not come to its end: {given}.")


def _progress(desk: Desk, now: Status) -> str:
    minutes = -(-now.bolus_left_ms // 60_000)
    return f"{given_text(now, desk.pump)}; {minutes:,} min left."
