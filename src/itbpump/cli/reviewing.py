"""Showing a review, and holding the overrides given on the command line against it. The judgement itself is `itbpump.safety`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import Cancelled, CommandError, Output

if TYPE_CHECKING:
    from itbpump.pump import Pump
    from itbpump.safety import Decision, Review

__all__ = [
    "Overrides",
    "Second",
    "User",
    "Yes",
    "confirm",
    "pass_review",
    "read_overrides",
    "review_lines",
    "show_others",
    "show_review",
    "table_lines",
]

Overrides = Annotated[
    list[str] | None, typer.Option("--override", metavar="RULE=REASON", help="Accept a finding, with its reason; may be repeated.")
]
User = Annotated[str, typer.Option("--user", metavar="ID", help="Staff id of the person who decides.")]
Second = Annotated[str, typer.Option("--second", metavar="ID", help="Staff id of the second person.")]
Yes = Annotated[bool, typer.Option("--yes", help="Ask no question.")]


def read_overrides(given: Sequence[str] | None) -> dict[str, str]:
    """`RULE=REASON` texts as a table. CommandError (2) for anything else, or a rule named twice."""
    reasons: dict[str, str] = {}
    for text in given or ():
        rule, sign, reason = text.partition("=")
        if not sign or not rule.strip():
            raise CommandError(f"--override {text!r}: write RULE=REASON, such as --override increase=monitored", 2)
        if rule.strip() in reasons:
            raise CommandError(f"--override names the rule {rule.strip()!r} twice; give one reason", 2)
        reasons[rule.strip()] = reason.strip()
    return reasons


# ------------------------------------------------------------------------------------------------ showing
def table_lines(rows: Sequence[tuple[str, str, str, bool]], old: str = "now", new: str = "new") -> list[str]:
    """Old against new, changed rows marked by a sign and a word."""
    titled = [("", old, new, False), *rows]
    first, second = max(len(row[0]) for row in titled), max(len(row[1]) for row in titled)
    third = max((len(row[2]) for row in rows if row[3]), default=0)
    lines = []
    for label, before, after, changed in titled:
        sign, word = ("*", "CHANGED") if changed else (" ", "")
        lines.append(f"{sign} {label:<{first}}  {before:<{second}}  {after:<{third}}  {word}".rstrip())
    return lines


def review_lines(review: Review) -> list[str]:
    """A review for the person who decides: table, what the pump makes of each amount, findings, verdict."""
    known = any(row.old for row in review.table)
    rows = [(row.label, row.old or ("–" if known else ""), row.new, row.changed) for row in review.table]
    lines = table_lines(rows, "now" if known else "", "new")
    rounded = [item for item in review.achievable if item.difference_percent != "0"]
    if rounded:
        lines += ["", "What the pump can achieve (it gives whole pulses and whole nL per day):"]
        lines += [f"  {item.what}: {item.achievable} for {item.prescribed} ({item.difference_percent} %)" for item in rounded]
    lines += ["", "Findings:" if review.findings else "Findings: none"]
    for finding in review.findings:
        lines.append(f"  {finding.severity.name:<7}{finding.rule}: {finding.message}")
        if finding.severity and finding.source:
            lines.append(f"         source: {finding.source}")
    verdicts = {
        "ok": "nothing stands in the way",
        "soft": "each SOFT finding needs a reason",
        "second": "each SECOND finding needs a reason and a second person",
        "hard": "a HARD finding stands in the way, and nobody can override it",
    }
    lines += [f"Verdict: {review.verdict}: {verdicts[review.verdict]}", f"Review digest: {review.digest[:16]}"]
    return lines


def show_review(out: Output, title: str, review: Review) -> None:
    """Title and review on the screen; beside --json they go to stderr."""
    out.say(title, "", *review_lines(review))


def show_others(out: Output, line: Pump) -> None:
    """Results that other programmers have not yet confirmed; the pump's counts, and so the review, hold what they gave."""
    from itbpump.cli.status import result_text

    for result in line.others_unconfirmed():
        out.say(f"Not yet confirmed by another programmer, counted as given: {result_text(result)}")


# ------------------------------------------------------------------------------------------------ deciding
def pass_review(review: Review, overrides: Sequence[str] | None, user: str, second: str) -> Decision:
    """The decision, if the review lets the change through. CommandError 3 or 4 saying what is missing; OverrideError (2)."""
    from itbpump.safety import REASONS, decide

    decision = decide(review, read_overrides(overrides), user, second)
    if decision.allowed:
        return decision
    listed = "\n".join(f"  {line}" for line in decision.missing)
    if decision.exit_code == 4:
        advice = "change the order; nothing was sent"
    else:
        advice = f"accept with --override RULE=REASON ({', '.join(REASONS)}), --user ID and --second ID; nothing was sent"
    data: dict[str, Any] = {"review": review.json(), "missing": list(decision.missing), "outcome": "not sent"}
    raise CommandError(f"the review does not let this through:\n{listed}\n{advice}", decision.exit_code, data)


def confirm(out: Output, question: str, answers: Sequence[str], *, yes: bool) -> None:
    """Let the person confirm before anything is sent; any other answer cancels. Raises Cancelled, CommandError (2)."""
    if yes:
        return
    given = out.ask(question)
    if given not in answers:
        raise Cancelled("cancelled; nothing was sent")
