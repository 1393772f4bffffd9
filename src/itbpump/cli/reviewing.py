"""Showing a review, and holding the overrides given on the command line against it. The judgement itself is `itbpump.safety`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import HARD_LIMIT, USAGE, Cancelled, CommandError, Output
from itbpump.cli.layout import old_against_new, rows, screen_amount, spelled_out, wrapped
from itbpump.cli.libraries import library_lines

if TYPE_CHECKING:
    from itbpump.pump import Pump
    from itbpump.safety import Decision, Finding, Override, Review, Row, Severity

__all__ = [
    "Overrides",
    "Second",
    "User",
    "Yes",
    "confirm",
    "decided_json",
    "pass_review",
    "read_overrides",
    "review_lines",
    "show_others",
    "show_review",
]

Overrides = Annotated[
    list[str] | None,
    typer.Option("--override", metavar="RULE=REASON", help='Accept a finding: RULE="REASON: what and why"; may be repeated.'),
]
User = Annotated[str, typer.Option("--user", metavar="ID", help="Staff id of the person who decides.")]
Second = Annotated[str, typer.Option("--second", metavar="ID", help="Staff id of the second person.")]
Yes = Annotated[bool, typer.Option("--yes", help="Ask no question.")]

_VERDICTS = {
    "ok": "nothing stands in the way",
    "soft": "each SOFT finding needs a reason",
    "second": "each SECOND finding needs a reason and a second person",
    "hard": "a HARD finding stands in the way, and nobody can override it",
}
_HEADINGS = {
    "HARD": "HARD: nobody can override",
    "SECOND": "SECOND: needs a reason and a second person",
    "SOFT": "SOFT: needs a reason",
    "INFO": "INFO: to know",
}
_UNVERIFIED = "unverified"


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
def review_lines(review: Review) -> list[str]:
    """A review for the person who decides: table, what the pump makes of each amount, findings, verdict, library, digest."""
    return [
        *_table_lines(review.table),
        *_achievable_lines(review),
        "",
        *_finding_lines(review.findings),
        "",
        f"Verdict: {review.verdict}: {_VERDICTS[review.verdict]}",
        *library_lines(review.library),
        f"Digest:  {review.digest[:16]}",
    ]


def _table_lines(table: Sequence[Row]) -> Iterator[str]:
    """Old against new; what speaks of the new alone follows in lines of its own, where anything is known of the old."""
    known = any(row.old for row in table)
    compared = [row for row in table if row.old or row.changed or not known]
    yield from old_against_new([(row.label, row.old or ("–" if known else ""), row.new, row.changed) for row in compared])
    alone = [(row.label, row.new) for row in table if known and not (row.old or row.changed)]
    yield from rows(alone, indent="  ")


def _achievable_lines(review: Review) -> Iterator[str]:
    rounded = [item for item in review.achievable if item.difference_percent != "0"]
    if rounded:
        yield from ("", "What the pump can achieve, as it gives whole pulses:")
    for item in rounded:
        yield from wrapped(f"  {item.what}: {item.achievable} for {item.prescribed} ({item.difference_percent} %)")


def _finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Findings under a heading for each severity, the worst first."""
    if not findings:
        yield "Findings: none"
    last: Severity | None = None
    for finding in findings:
        if finding.severity is not last:
            last = finding.severity
            yield _HEADINGS[last.name]
        yield from wrapped(f"  {finding.rule}: {finding.message}", hanging=6)
        if finding.source and (finding.severity or _UNVERIFIED in finding.source):
            yield from wrapped(f"      source: {_marked(spelled_out(finding.source))}", hanging=14)
        if finding.needs:
            yield from wrapped(f'      accepted by: --override "{finding.rule}={finding.needs}: what was said to whom"', hanging=14)


def _marked(source: str) -> str:
    """A source, the word for a figure nobody has checked in capitals."""
    return source.replace(_UNVERIFIED, _UNVERIFIED.upper())


def show_review(out: Output, title: str, review: Review) -> None:
    """Title and review on the screen; beside --json they go to stderr."""
    out.say(title, "", *review_lines(review))


def show_others(out: Output, line: Pump) -> None:
    """Results that other programmers have not yet confirmed; the pump's counts, and so the review, hold what they gave."""
    from itbpump.cli.status import result_text

    for result in line.others_unconfirmed():
        out.say(f"Not yet confirmed by another programmer, counted as given: {result_text(result)}")


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
        out.say("", "Overrides, as they will be logged:", *(line for item in decision.overrides for line in _override_lines(item)))
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


def _override_lines(item: Override) -> Iterator[str]:
    value, limit = screen_amount(item.value), screen_amount(item.limit)
    against = f" against {limit}" if value and limit else limit
    yield from wrapped(f"  {item.rule}: {value}{against}".rstrip(": "), hanging=6)
    yield from wrapped(f"      reason: {item.reason}: {item.text}", hanging=14)
    second = f", second person {item.second}" if item.second else ""
    yield f"      by {item.user or 'nobody named (--user ID)'}{second}"


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
