"""The refill: typed concentration, checklist, discrepancy with both tests and the trend, rinse and residual mix."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.hoststate import Intent
from itbpump.quantity import Volume
from itbpump.refill import READING_ERROR_NL, Discrepancy, Refill
from itbpump.safety import Severity
from itbpump.workflow.consent import Consent, carry_out, missing
from itbpump.workflow.facts import Facts, Policy
from itbpump.workflow.fields import FieldError
from itbpump.workflow.refills import IN_A_ROW, PastRefill, Trend, past_refills, refill_record, trend_lines
from itbpump.workflow.table import task
from tests.unit.workflow_tasks.pumps import Bed, running
from tests.unit.workflow_tasks.test_end_to_end import PATIENT, TICKS, consent

SAME = {**TICKS, "filled": "38", "filled_with": "same", "same_concentration": "2000"}
OTHER = {
    **TICKS, **PATIENT, "aspirated": "12.5", "filled": "18", "filled_with": "other", "drug": "baclofen", "concentration": "500",
    "mode": "continuous", "dose": "200", "rinse": "none", "bridge": "auto",
}  # fmt: skip
ACCURACY = 145_000


def expected(known: Facts) -> Volume:
    return Volume(known.present.reservoir_nL - known.profile.residual.nL)


@pytest.mark.sr("SR-01", "SR-39")
@pytest.mark.parametrize("typed", ["200", "500", "20000", "2000.5"])
def test_another_concentration_than_the_pumps_is_no_same_drug(typed: str) -> None:
    known = running().facts()
    with pytest.raises(FieldError) as caught:
        task("refill").propose(known, {**SAME, "aspirated": "36", "same_concentration": typed})
    assert caught.value.field == "same_concentration"


def test_the_checklist_against_a_pocket_fill_is_whole() -> None:
    """Domain 2.4 and 2.5: the port, the needle proved by what comes back, the pocket, the syringe, the patient."""
    assert list(TICKS) == ["right_port", "needle_proved", "no_swelling", "syringe_counted", "patient_watched"]


@pytest.mark.parametrize("name", list(TICKS))
def test_every_point_of_the_checklist_must_be_ticked(name: str) -> None:
    with pytest.raises(FieldError) as caught:
        task("refill").propose(running().facts(), {**SAME, "aspirated": "36", name: ""})
    assert caught.value.field == name


@pytest.mark.sr("SR-39")
@pytest.mark.parametrize(
    ("field", "text"), [("filled", "38.7"), ("filled", "0"), ("aspirated", "41"), ("aspirated", "1,5"), ("lot", "x" * 41)]
)
def test_what_the_reservoir_cannot_hold_is_refused_at_its_field(field: str, text: str) -> None:
    with pytest.raises(FieldError) as caught:
        task("refill").propose(running().facts(), {**SAME, "aspirated": "36", field: text})
    assert caught.value.field == field


@pytest.mark.sr("SR-38")
@pytest.mark.parametrize(("off_mL", "fires"), [(-3, True), (3, True), (0, False)])
def test_a_discrepancy_of_either_sign_demands_a_recorded_decision(off_mL: int, fires: bool) -> None:
    bed = running(days=60)
    known = bed.facts()
    drawn = Volume((expected(known).nL // 100_000 * 100_000) + off_mL * 1_000_000)
    proposal = task("refill").propose(known, {**SAME, "aspirated": drawn.text().partition(" ")[0]})
    assert proposal.review is not None
    found = [finding for finding in proposal.review.findings if finding.rule == "refill-discrepancy"]
    assert [finding.severity for finding in found] == [Severity.SOFT] * fires
    typed = Consent(typed=proposal.confirmation.answers[0])
    assert bool(missing(proposal, typed, Policy())) == fires
    carry_out(bed.pump, proposal, consent(proposal), Policy())
    record = past_refills(bed.pump.decisions())
    assert [one.difference_nL for one in record] == [drawn.nL - expected(known).nL]


def test_the_record_keeps_lot_and_product() -> None:
    bed = running(days=10)
    proposal = task("refill").propose(bed.facts(), {**SAME, "aspirated": "36", "lot": "L-77", "brand": "Gablofen"})
    carry_out(bed.pump, proposal, consent(proposal), Policy())
    assert '"lot": "L-77"' in bed.pump.decisions()[-1].basis
    assert '"brand": "Gablofen"' in bed.pump.decisions()[-1].basis


# ------------------------------------------------------------------------------------------------ another concentration
@pytest.mark.sr("SR-12")
def test_a_new_label_on_the_old_drug_is_no_change() -> None:
    with pytest.raises(FieldError) as caught:
        task("refill").propose(running("continuous").facts(), {**OTHER, "concentration": "1000"})
    assert caught.value.field == "concentration"


@pytest.mark.sr("SR-12")
def test_a_refused_bridge_needs_its_reason_and_a_second_person() -> None:
    known = running("continuous", days=20).facts()
    with pytest.raises(FieldError) as caught:
        task("refill").propose(known, {**OTHER, "bridge": "refused"})
    assert caught.value.field == "bridge_reason"
    proposal = task("refill").propose(known, {**OTHER, "bridge": "refused", "bridge_reason": "catheter rinsed in the theatre"})
    assert proposal.review is not None
    assert Severity.SECOND in {finding.severity for finding in proposal.review.findings if "bridge" in finding.rule}


@pytest.mark.parametrize(
    ("new", "mix", "warned"),
    [("500", "552.5 mcg per mL", True), ("1000", "1,035 mcg per mL", False)],  # 3.5 % is within the library's 5 %
)
def test_the_residual_mix_is_told(new: str, mix: str, warned: bool) -> None:
    """Domain 2.2: 1.4 mL of 2,000 in 40 mL of 500 is 552."""
    known = running().facts()
    assert known.present.configuration is not None
    assert (known.info.profile, known.present.configuration.concentration_ng_per_mL) == ("P-40", 2_000_000)
    values = {**OTHER, "aspirated": "36", "filled": "38.6", "concentration": new, "dose": "165"}
    told = " ".join(task("refill").propose(known, values).lines)
    assert mix in " ".join(told.split())
    assert ("the dose is off by" in told) == warned


def test_a_rinse_brings_the_mix_to_its_label() -> None:
    known = running().facts()
    values = {**OTHER, "aspirated": "36", "filled": "38.6", "dose": "165", "rinse": "drug", "rinse_volume": "5", "rinse_times": "3"}
    told = " ".join(" ".join(task("refill").propose(known, values).lines).split())
    assert "rinsed 3 times with 5 mL of 500 mcg per mL" in told
    assert "the dose is off by" not in told


@pytest.mark.parametrize(("field", "text"), [("rinse_times", "0"), ("rinse_times", "11"), ("rinse_volume", "0"), ("rinse_volume", "41")])
def test_a_rinse_that_is_none_is_refused(field: str, text: str) -> None:
    values = {**OTHER, "aspirated": "36", "filled": "38.6", "rinse": "saline", "rinse_volume": "5", "rinse_times": "3", field: text}
    with pytest.raises(FieldError) as caught:
        task("refill").propose(running().facts(), values)
    assert caught.value.field == field


# ------------------------------------------------------------------------------------------------ the trend
def plan(difference_nL: int | None, given_nL: int = 10_000_000) -> Refill:
    tolerance = READING_ERROR_NL + given_nL * ACCURACY // 1_000_000
    held = 20_000_000
    if difference_nL is None:
        return Refill(None, held, 38_000_000, 39_400_000, Discrepancy(None, None))
    return Refill(held, held + difference_nL, 38_000_000, 39_400_000, Discrepancy(difference_nL, tolerance), given_nL)


def past(*differences_nL: int, given_nL: int = 10_000_000) -> tuple[PastRefill, ...]:
    tolerance = READING_ERROR_NL + given_nL * ACCURACY // 1_000_000
    return tuple(PastRefill("2026-01-02", one, tolerance, given_nL) for one in differences_nL)


@pytest.mark.sr("SR-38")
@pytest.mark.parametrize(
    ("before", "now", "fires"),
    [
        ((-1_000_000, -800_000), -900_000, True),  # three to one side, each within its own limits
        ((1_000_000, 800_000), 900_000, True),
        ((-1_000_000, 800_000), -900_000, False),
        ((-1_000_000, -400_000), -900_000, False),  # within what syringes are read to
        ((), -900_000, False),
        ((-2_500_000,), -2_600_000, True),  # together beyond all tolerances
    ],
)
def test_the_trend_fires_where_no_single_refill_does(before: tuple[int, ...], now: int, fires: bool) -> None:
    told = " ".join(" ".join(trend_lines(plan(now), past(*before), ACCURACY)).split())
    assert ("FIRED" in told) == fires
    if before and fires:
        assert ("less than expected" in told) == (now < 0)


def test_without_an_earlier_refill_the_trend_is_not_checked_rather_than_passed() -> None:
    assert "not checked" in " ".join(trend_lines(plan(-900_000), (), ACCURACY))
    assert "not checked" in " ".join(trend_lines(plan(None), past(-1, -2), ACCURACY))


@given(st.lists(st.integers(-5_000_000, 5_000_000), min_size=1, max_size=6))
def test_the_share_given_is_what_syringes_say_of_what_was_counted(differences: list[int]) -> None:
    trend = Trend(past(*differences))
    counted = 10_000_000 * len(differences)
    assert trend.given_share == Fraction(counted - sum(differences), counted)
    mirrored = Trend(past(*(-one for one in differences)))
    assert (mirrored.in_a_row, mirrored.fires) == (-trend.in_a_row, trend.fires)
    assert abs(trend.in_a_row) <= len(differences)


@given(st.one_of(st.none(), st.integers(-20_000_000, 20_000_000)))
def test_what_is_kept_of_a_refill_reads_back(difference: int | None) -> None:
    bed = bed_once()
    kept = refill_record(plan(difference), bed.pump.host_now(), {"lot": "L-1"})
    intent = Intent(1, 1, b"", b"", "refill", "applied", "", json.dumps({"refill": kept}))
    (found,) = past_refills([intent])
    assert found.difference_nL == difference
    assert past_refills([replace(intent, state="not_applied")]) == ()
    assert past_refills([replace(intent, basis=json.dumps({"refill": {"difference": {"value": "x", "unit": "mL"}}}))]) == ()


_BEDS: list[Bed] = []


def bed_once() -> Bed:
    if not _BEDS:
        _BEDS.append(running())
    return _BEDS[0]


@pytest.mark.sr("SR-38")
def test_three_refills_of_one_sign_are_told_at_the_third() -> None:
    """End to end: from the decisions kept at this computer."""
    bed, told = running(days=0), ""
    for _ in range(IN_A_ROW):
        bed.advance(40 * 86_400_000)
        known = bed.facts()
        drawn = Volume((expected(known).nL - 800_000) // 100_000 * 100_000)
        values = {**SAME, "aspirated": drawn.text().partition(" ")[0]}
        proposal = task("refill").propose(known, values)
        told = " ".join(" ".join(proposal.lines).split())
        carry_out(bed.pump, proposal, consent(proposal), Policy())
    assert "FIRED: 3 refills in a row drew less than expected" in told
