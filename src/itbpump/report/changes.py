"""One change of a visit as a section: outcome first, then old against new, findings with who accepted them and why, the refill. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from itbpump.quantity import Volume, number_text
from itbpump.refill import CLINIC_LIMIT_NL, Discrepancy, Refill
from itbpump.report.document import Block, Compared, Facts, Items, Section
from itbpump.report.model import BolusPulses, Change, Told
from itbpump.report.words import instant_text, milli
from itbpump.safety import Finding, Override
from itbpump.wording.layout import screen_amount, spelled_out
from itbpump.wording.refilling import signed

__all__ = ["change_section"]

HUNDREDTHS = 10_000


def change_section(number: int, change: Change) -> Section:
    """A change under its number in the visit."""
    return Section(f"Change {number}: {change.title}", tuple(_blocks(change)), level=3)


def _blocks(change: Change) -> Iterator[Block]:
    yield Facts(tuple(_told_rows(change)), "Order and outcome")
    if change.refill is not None:
        yield Facts(tuple(refill_rows(change.refill)), "Refill: expected against aspirated")
    if change.table:
        rows = tuple((row.label, row.old, row.new, row.changed) for row in change.table)
        yield Compared(rows, "Old against new; a changed row says CHANGED")
    rounded = [item for item in change.achievable if item.difference_percent != "0"]
    if rounded:
        lines = (f"{item.what}: {item.achievable} for {item.prescribed} ({item.difference_percent} %)" for item in rounded)
        yield Items(tuple(f"What the pump can achieve of {line}" for line in lines))
    if change.findings:
        yield Items(tuple(_finding_text(finding, change.overrides) for finding in change.findings))


def _told_rows(change: Change) -> Iterator[tuple[str, str]]:
    yield "When", instant_text(change.at)
    yield "Ordered by", change.user or "nobody named"
    if change.second:
        yield "Second person", change.second
    yield "Command", f"{change.cmd_id}"
    yield from _outcome_rows("Outcome", change.told)
    if change.settled is not None:
        yield "Settled on", instant_text(change.settled.at)
        yield from _outcome_rows("Settled as", change.settled.told)
        if change.settled.by:
            yield "Settled by hand by", f"{change.settled.by}: {change.settled.reason}"
    yield "Review", f"verdict {change.verdict}" if change.verdict else "nothing was judged"


def _outcome_rows(label: str, told: Told) -> Iterator[tuple[str, str]]:
    yield label, told.text
    if told.bolus is not None:
        yield "Bolus when told", bolus_text(told.bolus)
    if told.agreed is not None and told.agreed:
        yield "Read back, agrees", ", ".join(told.agreed)
    if told.disagreed:
        yield "Read back, DISAGREES", ", ".join(told.disagreed)
    if told.note:
        yield "Note", told.note


def bolus_text(given: BolusPulses) -> str:
    """How far a bolus had come when its outcome was told."""
    mass = ""
    if given.requested_mass is not None and given.delivered_mass is not None:
        mass = f"{given.delivered_mass.rounded()} of {given.requested_mass.rounded()}, "
    doubt = f", {given.doubt:,} pulses in doubt" if given.doubt else ""
    return f"{given.state}: {mass}{given.delivered:,} of {given.requested:,} pulses{doubt}"


def _finding_text(finding: Finding, overrides: tuple[Override, ...]) -> str:
    """Severity by its word, the rule, what was found against what, who accepted it and why (SR-03)."""
    value, limit = screen_amount(finding.value), screen_amount(finding.limit)
    against = f" Value {value}{f', limit {limit}' if limit else ''}." if value else f" Limit {limit}." if limit else ""
    source = f" Source: {spelled_out(finding.source)}." if finding.source else ""
    accepted = "".join(_override_text(item) for item in overrides if item.rule == finding.rule)
    return f"{finding.severity.name}, {finding.rule}: {finding.message}.{against}{source}{accepted}"


def _override_text(item: Override) -> str:
    second = f", second person {item.second}" if item.second else ""
    return f" OVERRIDDEN by {item.user or 'nobody named'}{second}; reason, {item.reason}: {item.text}."


# ------------------------------------------------------------------------------------------------ refill
def refill_rows(refill: Refill) -> Iterator[tuple[str, str]]:
    """Both tests with the sign of the difference; what was really given by the measured volume."""
    found = refill.discrepancy
    yield "Expected in the syringe", NOT_COUNTED if refill.expected_nL is None else str(Volume(refill.expected_nL))
    yield "Aspirated", str(refill.aspirated)
    yield "Difference", f"not known ({found.meaning})" if found.difference_nL is None else f"{signed(found.difference_nL)}: {found.meaning}"
    yield f"Test, clinic's {Volume(CLINIC_LIMIT_NL)}", _clinic_text(found)
    yield "Test, pump's accuracy", _accuracy_text(found)
    if refill.counted_nL is not None:
        yield "Counted since the last fill", str(Volume(refill.counted_nL))
        measured = measured_nL(refill)
        if measured is not None:
            yield "Measured since the last fill", f"{Volume(measured)}{_share(measured, refill.counted_nL)}"
    yield "Filled", str(refill.filled)
    yield "In the reservoir then", f"{refill.volume_after} (with the residual)"


NOT_COUNTED = "not known: the pump has lost its count"


def measured_nL(refill: Refill) -> int | None:
    """What left the reservoir since the last fill by the syringe, nL: the count less the difference. None where the count reached down to
    the residual, which stops the comparison, or where either is not known."""
    difference = refill.discrepancy.difference_nL
    if refill.counted_nL is None or difference is None or not refill.expected_nL or refill.counted_nL < difference:
        return None
    return refill.counted_nL - difference


def _share(measured_nL: int, counted_nL: int) -> str:
    if not counted_nL:
        return ""
    percent = Fraction(measured_nL * HUNDREDTHS // counted_nL, HUNDREDTHS // 100)
    return f", {number_text(percent, thousands=True)} % of the count"


def _clinic_text(found: Discrepancy) -> str:
    if found.difference_nL is None:
        return "not made: the expected volume is not known"
    return "FIRED" if found.above_clinic_limit else "passed"


def _accuracy_text(found: Discrepancy) -> str:
    if found.tolerance_nL is None or found.outside_accuracy is None:
        return "not made: the log no longer shows the last fill, or the count is lost"
    word = "FIRED" if found.outside_accuracy else "passed"
    return f"{word}: accuracy and the reading of syringes explain up to {milli(Volume(found.tolerance_nL))}"
