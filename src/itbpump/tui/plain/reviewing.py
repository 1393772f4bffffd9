"""The review page, heard line by line: what changes, what the pump makes of it, findings one by one, who accepts them, the dose typed.

Rows are sentences, not columns: a voice reads a table across. Nothing is judged here (`safety`), and the one way to the pump is
`consent.carry_out`, which asks for all that is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from itbpump.errors import InputError
from itbpump.outcome import Outcome
from itbpump.safety import REASONS, Finding, Review, Row, Severity
from itbpump.tui.plain.desk import Desk, refused_text
from itbpump.tui.plain.dialogue import Back, Dialogue, Left, said
from itbpump.tui.plain.forms import ask_field
from itbpump.tui.plain.menu import Item, choose
from itbpump.wording.layout import spelled_out
from itbpump.wording.review import library_lines, override_lines, total_lines, verdict_lines
from itbpump.wording.status import result_text
from itbpump.workflow import consent
from itbpump.workflow.consent import Consent, NotConsented
from itbpump.workflow.fields import Field, Kind
from itbpump.workflow.model import Proposal

__all__ = ["After", "Sent", "review_page"]

_HEADS = {
    Severity.HARD: "HARD, nobody can override",
    Severity.SECOND: "SECOND, needs a reason and a second person",
    Severity.SOFT: "SOFT, needs a reason",
    Severity.INFO: "INFO, to know",
}
_USER = Field("user", "Your staff id", Kind.ID, "Who decides. It is kept with the command.")
_SECOND = Field("second", "Staff id of the second person", Kind.ID, "Somebody else, who has checked this change beside you.")
_TEXT = Field("text", "In words", Kind.TEXT, "What was considered, and what was said to whom. It is kept with the command.")


class After(Enum):
    """What the person wants after a review that sent nothing."""

    CHANGE = "change"
    AGAIN = "again"


@dataclass(frozen=True)
class Sent:
    """What was sent, on whose word, and what became of it."""

    consent: Consent
    outcome: Outcome


def review_page(desk: Desk, proposal: Proposal, *, has_answers: bool = True) -> Sent | After:
    """Show the review, ask for what it wants, send. Without a sent order: whether to change an answer or to hear the review again.

    Raises Left when the person leaves, Abandoned, Ended, and what `carry_out` raises before anything is sent, but NotConsented.
    """
    dialogue = desk.dialogue
    desk.page(f"REVIEW. {proposal.title}.", proposal.patient_id)
    if proposal.review is not None:
        dialogue.say(*verdict_lines(proposal.review))
    dialogue.say(*proposal.lines)
    try:
        if proposal.review is not None:
            _show(dialogue, proposal.review, total_lines(proposal.new) if proposal.new is not None else [])
            _others(desk)
        if proposal.review is not None and proposal.review.severity is Severity.HARD:
            dialogue.say("NOT SENT: a HARD finding stands in the way. Change the order.")
        else:
            return _decide(desk, proposal)
    except Back:
        dialogue.say("Nothing was sent.")
    except NotConsented as error:
        dialogue.say(*(f"NOT SENT: {said(lack)}." for lack in error.missing))
    items = [*([Item(After.CHANGE, "Change an answer")] if has_answers else []), Item(After.AGAIN, "Hear the review again")]
    try:
        return choose(dialogue, "What now? A point leaves the task.", items)
    except Back:
        raise Left from None


# ------------------------------------------------------------------------------------------------ what is heard
def _show(dialogue: Dialogue, review: Review, total: list[str]) -> None:
    changed = [row for row in review.table if row.changed]
    dialogue.say("", f"{len(changed)} of {len(review.table)} rows change.")
    dialogue.say(*(_row_text(row) for row in sorted(review.table, key=lambda row: not row.changed)))
    dialogue.say(*total)
    for item in review.achievable:
        if item.difference_percent != "0":
            dialogue.say(
                f"The pump gives whole pulses. {item.what}: {item.achievable} for {item.prescribed} ({item.difference_percent} %)."
            )
    dialogue.say("", f"Findings: {len(review.findings) or 'none'}.")
    for place, finding in enumerate(review.findings, 1):
        dialogue.say(f"{place} of {len(review.findings)}: {_finding_text(finding)}")
        if finding.source:
            dialogue.say(f"    source: {spelled_out(finding.source).replace('unverified', 'UNVERIFIED')}")
    dialogue.say(*library_lines(review.library), f"Digest: {review.digest[:16]}")


def _row_text(row: Row) -> str:
    if row.changed:
        return f"CHANGED {row.label}: now {row.old or 'none'}; new {row.new or 'none'}."
    return f"{row.label}: {row.new or row.old or 'none'}."


def _finding_text(finding: Finding) -> str:
    return f"{_HEADS[finding.severity]}: {finding.rule}: {finding.message}"


def _others(desk: Desk) -> None:
    """What others did and have not confirmed; the pump's counts, and so the review, hold it."""
    for result in desk.facts.others if desk.facts is not None else ():
        desk.dialogue.say(f"Not yet confirmed by another programmer, counted as given: {result_text(result)}")


# ------------------------------------------------------------------------------------------------ what is asked
def _decide(desk: Desk, proposal: Proposal) -> Sent:
    """Reasons, staff ids, the confirmation; then the gate. Raises NotConsented, Back, Left, Abandoned, Ended."""
    dialogue = desk.dialogue
    findings = [finding for finding in proposal.review.findings if finding.severity is not Severity.INFO] if proposal.review else []
    reasons: dict[str, str] = {}
    for place, finding in enumerate(findings, 1):
        if finding.rule not in reasons:
            dialogue.say("", f"Finding {place} of {len(findings)} to accept. {_finding_text(finding)}")
            reasons[finding.rule] = _reason(dialogue, finding)
    user, second = _staff(desk, proposal, findings)
    given = Consent(reasons=reasons, user=user, second=second)
    if reasons:
        _say_overrides(dialogue, proposal, given)
    dialogue.say("", desk.identity(proposal.patient_id))
    typed = dialogue.ask(
        said(proposal.confirmation.prompt), "What is asked for is typed letter by letter. Anything else sends nothing.", fresh=True
    )
    given = Consent(typed, reasons, user, second)
    return Sent(given, consent.carry_out(desk.pump, proposal, given, desk.policy))


def _reason(dialogue: Dialogue, finding: Finding) -> str:
    """`reason: text`, as an override is written."""
    known = [finding.needs] if finding.needs else list(REASONS)
    word = choose(dialogue, "Accepted for which reason?", [Item(name, f"{name}: {REASONS[name]}") for name in known])
    return f"{word}: {ask_field(dialogue, _TEXT, '')}"


def _staff(desk: Desk, proposal: Proposal, findings: list[Finding]) -> tuple[str, str]:
    """Who decides and who checks, where anybody wants to know."""
    wants_second = proposal.review is not None and desk.policy.second_always
    wants_second = wants_second or any(finding.severity is Severity.SECOND for finding in findings)
    if not findings and not wants_second:
        return desk.policy.user, ""
    desk.dialogue.say("")
    user = ask_field(desk.dialogue, _USER, desk.policy.user)
    return user, ask_field(desk.dialogue, _SECOND, "") if wants_second else ""


def _say_overrides(dialogue: Dialogue, proposal: Proposal, given: Consent) -> None:
    """As they will be kept; what cannot be an override is said by the gate."""
    try:
        decision = consent.decision_of(proposal, given)
    except InputError as error:
        raise NotConsented((refused_text(error),)) from error
    if decision is not None:
        dialogue.say("", "Overrides, as they will be logged:", *(line for item in decision.overrides for line in override_lines(item)))
