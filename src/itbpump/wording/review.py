"""A review as lines for the person who decides: old against new, what the pump makes of each amount, findings, verdict, library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from itbpump.wording.deeds import Face, on_face
from itbpump.wording.layout import WIDTH, old_against_new, rows, screen_amount, spelled_out, wrapped

if TYPE_CHECKING:
    from itbpump.safety import Finding, Override, Review, Row, Severity
    from itbpump.therapy_view import TherapyView

__all__ = [
    "finding_lines",
    "library_lines",
    "override_lines",
    "review_head_lines",
    "review_lines",
    "total_lines",
    "verdict_lines",
]


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


_HASH_SHOWN = 12


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


def verdict_lines(review: Review, width: int = WIDTH) -> list[str]:
    """What the findings come to, in a word and in words; a face says it before all else."""
    return wrapped(f"VERDICT {review.verdict.upper()}: {_VERDICTS[review.verdict]}", width)


def review_head_lines(review: Review, width: int = WIDTH) -> list[str]:
    """Old against new and what the pump makes of each amount, without verdict and findings."""
    return [*_table_lines(review.table, width), *_achievable_lines(review, width), "", *library_lines(review.library)]


def total_lines(view: TherapyView, width: int = WIDTH) -> list[str]:
    """The total of a day in figures and in words, and the number of boluses a day; a slip of ten is heard where it is not seen."""
    from itbpump.wording.numbers import amount_in_words

    mean, highest = view.mean_day, view.highest_24h_exact.rounded()
    pairs = [("24-h total", f"{mean}: {amount_in_words(mean)}")]
    if highest != mean:
        pairs.append(("highest 24 h", f"{highest}: {amount_in_words(highest)}, all patient boluses counted"))
    return rows(pairs, width=width)


def finding_lines(finding: Finding, width: int = WIDTH, *, how: str = "", face: Face | None = None) -> list[str]:
    """One finding under its severity; `how` names what accepts it, where a face has its own way. `face`: whose keys it tells, None for
    commands."""
    message = finding.message if face is None else on_face(finding.message, face)
    lines = wrapped(f"{_HEADINGS[finding.severity.name].partition(':')[0]} {finding.rule}: {message}", width, hanging=4)
    if finding.source and (finding.severity or _UNVERIFIED in finding.source):
        lines += wrapped(f"    source: {_marked(spelled_out(finding.source))}", width, hanging=12)
    return [*lines, *(wrapped(f"    {how}", width, hanging=12) if how else [])]


def _table_lines(table: Sequence[Row], width: int = WIDTH) -> Iterator[str]:
    """Old against new; what speaks of the new alone follows in lines of its own, where anything is known of the old."""
    known = any(row.old for row in table)
    compared = [row for row in table if row.old or row.changed or not known]
    yield from old_against_new([(row.label, row.old or ("–" if known else ""), row.new, row.changed) for row in compared], width=width)
    alone = [(row.label, row.new) for row in table if known and not (row.old or row.changed)]
    yield from rows(alone, indent="  ", width=width)


def _achievable_lines(review: Review, width: int = WIDTH) -> Iterator[str]:
    rounded = [item for item in review.achievable if item.difference_percent != "0"]
    if rounded:
        yield from ("", "What the pump can achieve, as it gives whole pulses:")
    for item in rounded:
        yield from wrapped(f"  {item.what}: {item.achievable} for {item.prescribed} ({item.difference_percent} %)", width)


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


def override_lines(item: Override) -> Iterator[str]:
    value, limit = screen_amount(item.value), screen_amount(item.limit)
    against = f" against {limit}" if value and limit else limit
    yield from wrapped(f"  {item.rule}: {value}{against}".rstrip(": "), hanging=6)
    covers = f" (given once for all {item.covers} findings of {item.rule})" if item.covers > 1 else ""
    yield from wrapped(f"      reason: {item.reason}: {item.text}{covers}", hanging=14)
    second = f", second person {item.second}" if item.second else ""
    yield f"      by {item.user or 'nobody named (--user ID)'}{second}"


def library_lines(library: Mapping[str, Any]) -> list[str]:
    """Name, version and hash of what a review was made by, and of the clinic's file; from the review's own record."""
    lines = [f"Library: {library['name']}, version {library['version']}, {library['sha256'][:_HASH_SHOWN]}"]
    clinic = library.get("clinic")
    if clinic is None:
        return [f"{lines[0]}, without a clinic's file"]
    return [*lines, f"Clinic:  {clinic['id']}, version {clinic['version']}, {clinic['sha256'][:_HASH_SHOWN]}"]
