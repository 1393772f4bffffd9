"""Showing a review, and holding the overrides given on the command line against it. The judgement itself is `itbpump.safety`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import FAILED, HARD_LIMIT, USAGE, Cancelled, CommandError, Output
from itbpump.wording.review import override_lines, review_lines

if TYPE_CHECKING:
    from itbpump.pump import Pump
    from itbpump.safety import Decision, Review

__all__ = [
    "Digest",
    "Overrides",
    "Second",
    "User",
    "Yes",
    "confirm",
    "decided_json",
    "hold_lines",
    "pass_review",
    "read_overrides",
    "require_digest",
    "show_others",
    "show_review",
]

Overrides = Annotated[
    list[str] | None,
    typer.Option("--override", metavar="RULE=REASON", help='Accept a finding: RULE="REASON: what and why"; may be repeated.'),
]
User = Annotated[str, typer.Option("--user", metavar="ID", help="Staff id of the person who decides.")]
Second = Annotated[str, typer.Option("--second", metavar="ID", help="Staff id of the second person.")]
Digest = Annotated[
    str | None,
    typer.Option("--digest", metavar="DIGEST", help="Send only what was reviewed: the digest that `itbpump review` told, also elsewhere."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Ask no question.")]


def read_overrides(given: Sequence[str] | None) -> dict[str, str]:
    """`RULE=REASON` texts as a table. CommandError (2) for anything else, or a rule named twice."""
    reasons: dict[str, str] = {}
    for text in given or ():
        rule, sign, reason = text.partition("=")
        if not sign or not rule.strip():
            raise CommandError(f'--override {text!r}: write RULE=REASON, such as --override "increase=monitored: on the ward"', USAGE)
        if rule.strip() in reasons:
            raise CommandError(f"--override names the rule {rule.strip()!r} twice; give one reason", USAGE)
        reasons[rule.strip()] = reason.strip()
    return reasons


# ------------------------------------------------------------------------------------------------ showing


def show_review(out: Output, title: str, review: Review) -> None:
    """Title and review on the screen; beside --json they go to stderr."""
    out.say(title, "", *review_lines(review))


def show_others(out: Output, line: Pump) -> None:
    """Results that other programmers have not yet confirmed; the pump's counts, and so the review, hold what they gave."""
    from itbpump.wording.status import result_text

    for result in line.others_unconfirmed():
        out.say(f"Not yet confirmed by another programmer, counted as given: {result_text(result)}")


# ------------------------------------------------------------------------------------------------ what was reviewed elsewhere
_SHOWN = 16
"""Hex digits of a digest on the screen; as many are enough for `--digest`."""


def hold_lines(review: Review) -> list[str]:
    """How to send, also from another computer, nothing but what was just reviewed."""
    return [f"To send nothing but this, also from another computer: itbpump program … --digest {review.hold[:_SHOWN]}"]


def require_digest(review: Review, digest: str | None) -> None:
    """Nothing is asked or sent where something else was reviewed: another prescription, library or pump model, or other findings.

    `digest`: of the review itself, which holds for the same reading alone, or what `hold_lines` told; 16 to 64 hex digits of it.
    CommandError (1), or (2) for what is no digest.
    """
    if digest is None:
        return
    wanted = digest.strip().lower()
    if not re.fullmatch(f"[0-9a-f]{{{_SHOWN},64}}", wanted):
        raise CommandError(f"--digest {digest!r}: write the digest that itbpump review told, {_SHOWN} to 64 hex digits", USAGE)
    if review.hold.startswith(wanted) or review.digest.startswith(wanted):
        return
    raise CommandError(
        f"this is not what was reviewed as {wanted[:_SHOWN]}; here it is {review.hold[:_SHOWN]}\n"
        "the prescription, the drug library, the clinic's file, the pump's model or what has to be accepted beside this pump is another: "
        "review it here, by itbpump review RX --pump URL\nnothing was sent",
        FAILED,
        {"review": review.json(), "outcome": "not sent"},
    )


# ------------------------------------------------------------------------------------------------ deciding
def pass_review(
    out: Output, review: Review, overrides: Sequence[str] | None, user: str, second: str, data: Mapping[str, Any] | None = None
) -> Decision:
    """The decision, if the review lets the change through; what is overridden is shown as it will be logged, before any question.

    CommandError 3 or 4 saying what is missing, `data` joining it; OverrideError (2).
    """
    from itbpump.safety import decide

    decision = decide(review, read_overrides(overrides), user, second)
    if not decision.allowed:
        form = {**(data or {}), "review": review.json(), "missing": list(decision.missing), "outcome": "not sent"}
        raise CommandError(_refusal(decision), decision.exit_code, form)
    if decision.overrides:
        out.say("", "Overrides, as they will be logged:", *(line for item in decision.overrides for line in override_lines(item)))
    return decision


def _refusal(decision: Decision) -> str:
    """What is missing, and how to give it."""
    from itbpump.safety import REASONS

    listed = "".join(f"  {line}\n" for line in decision.missing)
    head = f"the review does not let this through:\n{listed}"
    if decision.exit_code == HARD_LIMIT:
        return f"{head}change the order; nothing was sent"
    return (
        f'{head}accept with --override "RULE=REASON: what and why", --user ID, --second ID\nREASON: {", ".join(REASONS)}\nnothing was sent'
    )


def confirm(out: Output, question: str, answers: Sequence[str], *, yes: bool) -> None:
    """Let the person confirm before anything is sent; any other answer cancels. Raises Cancelled, CommandError (2)."""
    if yes:
        return
    given = out.ask(question)
    if given not in answers:
        raise Cancelled("cancelled; nothing was sent")


def decided_json(review: Review, decision: Decision) -> dict[str, Any]:
    """Review and overrides for programs."""
    return {"review": review.json(), "overrides": [item.json() for item in decision.overrides]}
