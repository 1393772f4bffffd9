"""One task from its first question to its outcome: form, review, order, what to watch for. And checklists, point by point."""

from __future__ import annotations

from itbpump.errors import ItbPumpError
from itbpump.outcome import Interrupted, Unknown
from itbpump.tui.plain.desk import Desk, refused_text
from itbpump.tui.plain.dialogue import Back, Left, Stopped
from itbpump.tui.plain.forms import Form
from itbpump.tui.plain.menu import number
from itbpump.tui.plain.outcomes import tell_interrupted, unknown_page
from itbpump.tui.plain.reviewing import After, Sent, review_page
from itbpump.tui.plain.watching import LONGEST_WAIT_MIN, follow_bolus, wait_for
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import FieldError
from itbpump.workflow.model import Proposal, Task, Walk, WalkStep
from itbpump.workflow.waiting import early_lines, is_over, wait_text

__all__ = ["task_page", "walk_page"]

LEFT = "LEFT: nothing was sent."
EARLY = "early"
_HOW = (
    f"Enter looks again; a number waits that many minutes, at most {LONGEST_WAIT_MIN}; {EARLY} ticks it now, with a reason; a point leaves."
)


def task_page(desk: Desk, task: Task) -> None:
    """Everything from the questions to the outcome. Raises Stopped, Ended; LinkError and TransportError while the pump is read."""
    facts = desk.read()
    desk.page(f"{task.title}: {task.summary}.")
    hindered = task.hindered(facts)
    if hindered:
        desk.dialogue.say(f"NOT NOW: {hindered}.")
        return
    desk.dialogue.say("The therapy in the pump goes on untouched until the end. ? helps, < goes back, . leaves, ! stops the therapy.")
    try:
        proposal, sent = _until_sent(desk, task, facts)
    except Stopped:
        raise
    except (Left, Back):
        desk.dialogue.say(LEFT)
    except Interrupted as error:
        tell_interrupted(desk, error)
    else:
        _afterwards(desk, proposal, sent)


def _until_sent(desk: Desk, task: Task, facts: Facts) -> tuple[Proposal, Sent]:
    form = Form(desk.dialogue, lambda values: task.fields(facts, values))
    while True:
        values = form.fill()
        try:
            proposal = task.propose(facts, values)
        except FieldError as error:
            form.correct(error)
            continue
        except ItbPumpError as error:
            desk.dialogue.say(f"CANNOT BE SENT: {refused_text(error)}")
            if not values:
                raise Left from error
            form.change()
            continue
        done = _until_decided(desk, proposal, has_answers=bool(values))
        if isinstance(done, Sent):
            return proposal, done
        form.change()


def _until_decided(desk: Desk, proposal: Proposal, *, has_answers: bool) -> Sent | After:
    """Raises Left also for what `carry_out` refuses before anything is sent."""
    while True:
        try:
            done = review_page(desk, proposal, has_answers=has_answers)
        except ItbPumpError as error:
            desk.failed = True
            desk.dialogue.say(f"NOT SENT: {refused_text(error)}")
            raise Left from error
        if done is not After.AGAIN:
            return done


def _afterwards(desk: Desk, proposal: Proposal, sent: Sent) -> None:
    outcome = sent.outcome
    desk.visit.did(proposal, sent.consent, outcome, desk.pump.host_now())
    if isinstance(outcome, Unknown):
        if outcome.note:
            desk.dialogue.say(f"ATTENTION: {outcome.note}")
        unknown_page(desk, outcome)
        return
    applied = desk.tell(outcome, proven=proposal.review is not None)
    if applied is None:
        return
    desk.dialogue.say(*proposal.observe)
    if proposal.follows_bolus:
        follow_bolus(desk, applied.bolus.requested)


# ------------------------------------------------------------------------------------------------ checklists
def walk_page(desk: Desk, walk: Walk) -> None:
    """Point by point; a reading is taken when the person says so. Raises Stopped, Ended, LinkError, TransportError."""
    facts = desk.read()
    desk.page(f"{walk.title}: {walk.summary}.")
    steps = walk.steps(facts)
    place = 0
    try:
        while place < len(steps):
            desk.dialogue.say("", f"{place + 1} of {len(steps)}: {steps[place].text}")
            try:
                place += _step(desk, walk, facts, steps[place])
            except Back:
                place = max(0, place - 1)
    except Stopped:
        raise
    except Left:
        desk.dialogue.say("LEFT: the checklist is not finished.")
    else:
        desk.visit.noted(f"{walk.title}: every point of the checklist is done", desk.pump.host_now())
        desk.dialogue.say("DONE: every point of the checklist.")


def _step(desk: Desk, walk: Walk, facts: Facts, step: WalkStep) -> int:
    """1 once the point is done, 0 to meet it again."""
    if step.left_ms is not None:
        return _waited(desk, walk, step)
    if step.read is None:
        answer = desk.dialogue.ask("yes when done:", step.help, edit=False)
        if answer != "yes":
            desk.dialogue.say("NOT DONE: write yes once it is done, or a point to leave.")
        return int(answer == "yes")
    desk.dialogue.ask("Enter takes the reading:", step.help, edit=False)
    try:
        desk.dialogue.say(*step.read(desk.pump, facts))
    except ItbPumpError as error:
        desk.dialogue.say(f"NOT READ: {refused_text(error)}", "Take the reading again.")
        return 0
    return 1


def _waited(desk: Desk, walk: Walk, step: WalkStep) -> int:
    """1 once the wait is over, or somebody has said why it is not waited for; 0 to look again. Raises LinkError, TransportError."""
    uptime_ms = desk.pump.status().uptime_ms
    desk.dialogue.say(f"WAIT: {wait_text(step, uptime_ms)}.")
    if is_over(step, uptime_ms):
        return 1
    answer = desk.dialogue.ask(f"Enter, minutes, {EARLY}, or ? for help:", f"{step.help} {_HOW}", edit=False)
    minutes = number(answer, LONGEST_WAIT_MIN)
    if minutes is not None:
        wait_for(desk, minutes, lambda now: is_over(step, now.uptime_ms))
    elif answer == EARLY:
        try:
            lines = early_lines(step, uptime_ms, desk.dialogue.ask("Why is it not waited for?", step.help, edit=False))
        except FieldError as error:
            desk.dialogue.say(f"NOT DONE: {error}.")
            return 0
        desk.visit.noted(f"{walk.title}: {step.text}: {lines[0]}", desk.pump.host_now())
        desk.dialogue.say(*lines)
        return 1
    elif answer:
        desk.dialogue.say(_HOW)
    return 0
