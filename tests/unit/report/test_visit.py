"""A visit keeps what happened in it: outcomes as they were told, overrides with who and why, other patients, lost lines."""

from __future__ import annotations

from datetime import timedelta

import pytest

from itbpump import report
from itbpump.errors import ItbPumpError
from itbpump.outcome import Applied, NotApplied, Proof, Unknown
from itbpump.quantity import Volume
from itbpump.refill import Discrepancy, Refill
from itbpump.report import ReportError, Visit
from itbpump.report.changes import measured_nL
from itbpump.wire.messages import RunState
from tests.unit.report.visits import COMPANION, DAY_MS, OPENED, Bench, rich_record

LATER = OPENED + timedelta(minutes=5)


class LineLost(ItbPumpError):
    """A cause, as a line gives one."""


UNKNOWN = Unknown(9, "a bolus of 25 mcg", LineLost("no answer within 10 s"))


@pytest.fixture(scope="module")
def bench() -> Bench:
    bench = Bench()
    bench.program()
    bench.device.advance(3 * DAY_MS)
    return bench


@pytest.fixture
def visit(bench: Bench) -> Visit:
    return bench.opened()


def flat(text: str) -> str:
    return " ".join(text.split())


def applied(bench: Bench) -> Applied:
    """The newest outcome of this bench, as the pump keeps it."""
    result = bench.pump.own_results()[0]
    return Applied(result.cmd_id, result)


# ------------------------------------------------------------------------------------------------ outcomes
@pytest.mark.sr("SR-42")
def test_an_unknown_outcome_stands_at_the_top_of_report_and_card(bench: Bench, visit: Visit) -> None:
    record = bench.closed(visit.changed("Single bolus of 25 mcg", UNKNOWN, LATER, user="doctor-3"))
    assert record.open_outcomes == ("Single bolus of 25 mcg (command 9)",)
    told = flat(report.text(record))
    assert "OUTCOME UNKNOWN: Single bolus of 25 mcg (command 9). Nobody knows whether the pump obeyed" in told
    assert told.index("ATTENTION") < told.index("Dates")
    assert "OUTCOME UNKNOWN: Single bolus of 25 mcg (command 9); the dose may be another." in flat(report.card_text(record))
    assert report.json(record)["open_outcomes"] == ["Single bolus of 25 mcg (command 9)"]


@pytest.mark.sr("SR-42")
def test_what_became_known_later_stands_beside_what_was_told_then(bench: Bench, visit: Visit) -> None:
    visit = visit.changed("Single bolus of 25 mcg", UNKNOWN, LATER)
    settled = visit.settled(9, NotApplied(9, LineLost("it never arrived")), LATER, by="doctor-3", reason="read the log")
    record = bench.closed(settled)
    assert record.open_outcomes == ()
    assert record.changes[0].told.word == "unknown"
    assert record.changes[0].final.word == "not applied"
    told = flat(report.text(record))
    assert "OUTCOME UNKNOWN: it was sent, and no proof of its outcome came back (no answer within 10 s)" in told
    assert "Settled as NOT APPLIED: it never arrived" in told
    assert "Settled by hand by doctor-3: read the log" in told
    still = visit.settled(9, UNKNOWN, LATER)
    assert bench.closed(still).open_outcomes == ("Single bolus of 25 mcg (command 9)",)


def test_a_command_of_an_earlier_visit_is_listed_when_it_is_settled(bench: Bench, visit: Visit) -> None:
    settled = visit.settled(4, NotApplied(4, LineLost("refused")), LATER, what="a bolus of 5 mcg", by="doctor-3", reason="volume agrees")
    record = bench.closed(settled)
    assert [change.title for change in record.changes] == ["Earlier command settled: a bolus of 5 mcg"]
    assert "reason: volume agrees" in flat(report.text(record))
    assert "doctor-3" in record.staff


@pytest.mark.sr("SR-42")
def test_a_proof_that_does_not_hold_is_said_aloud(bench: Bench, visit: Visit) -> None:
    proof = Proof((("digest", "a", "a"), ("run state", RunState.RUNNING, RunState.STOPPED)))
    wrong = Applied(applied(bench).cmd_id, applied(bench).result, proof)
    record = bench.closed(visit.changed("Therapy", wrong, LATER))
    told = flat(report.text(record))
    assert f"NOT PROVEN: Therapy (command {wrong.cmd_id})" in told
    assert "the pump does NOT run what was meant" in told
    assert "Read back, agrees digest" in told
    assert "Read back, DISAGREES run state" in told
    assert "NOT PROVEN" in report.card_text(record)
    assert record.changes[0].told.proved is False


def test_an_outcome_without_a_proof_is_no_failure_and_no_proof(bench: Bench, visit: Visit) -> None:
    record = bench.closed(visit.changed("Therapy", applied(bench), LATER))
    assert record.unproven == ()
    assert record.changes[0].told.proved is False
    assert "no proof was read" in flat(report.text(record))


@pytest.mark.sr("SR-03", "SR-38")
def test_overrides_carry_value_limit_reason_and_both_people() -> None:
    record = rich_record()
    first = record.changes[0]
    assert {item.rule for item in first.overrides} == {"refill-discrepancy"}
    told = flat(report.text(record))
    assert "Value −2.658 mL, limit 1.28909 mL." in told
    assert "OVERRIDDEN by doctor-3, second person nurse-7; reason, specialist: seen with the patient." in told
    assert "Difference −2.658 mL: less than expected" in told
    assert report.json(record)["changes"][0]["refill"]["difference"] == {"value": "-2.658", "unit": "mL"}


def test_a_bolus_is_weighed_by_the_label(bench: Bench) -> None:
    told = rich_record().changes[1].told.bolus
    assert told is not None
    assert (told.requested, str(told.requested_mass)) == (25, "25 mcg")


# ------------------------------------------------------------------------------------------------ who and which
@pytest.mark.sr("SR-20")
def test_another_patient_is_told_never_taken_over(bench: Bench, visit: Visit) -> None:
    other = visit.changed("Therapy", applied(bench), LATER, patient_id="P-0999")
    record = bench.closed(other)
    assert record.identity.patient_id == "P-0103"
    assert "OTHER PATIENT: Therapy was for patient P-0999, the visit is of patient P-0103" in flat(report.text(record))
    unnamed = bench.opened(patient_id="").changed("Therapy", applied(bench), LATER, patient_id="P-0999")
    assert bench.closed(unnamed).identity.patient_id == "P-0999"


def test_everybody_is_named_once(bench: Bench, visit: Visit) -> None:
    visit = visit.changed("Therapy", applied(bench), LATER, user="doctor-3", second=" nurse-7 ").changed("Stop", applied(bench), LATER)
    assert bench.closed(visit).staff == ("nurse-7", "doctor-3")


def test_a_visit_is_not_changed_by_going_on(visit: Visit) -> None:
    visit.changed("Single bolus", UNKNOWN, LATER)
    visit.noted("seen", LATER)
    assert (visit.changes, visit.notes) == ((), ())


# ------------------------------------------------------------------------------------------------ the end
@pytest.mark.sr("SR-42")
def test_a_visit_that_ends_without_a_reading_says_so(visit: Visit) -> None:
    with pytest.raises(ReportError, match="must say why"):
        visit.closed(None, LATER, companion=COMPANION)
    record = visit.closed(None, LATER, companion=COMPANION, end_note="the cable came out", dates_note="the pump was not read")
    told = flat(report.text(record))
    assert "NOT READ AT THE END: the cable came out" in told
    assert "No dates: the pump was not read. Book the refill by hand, on the early side." in told
    assert "Configuration at the end not known" in told
    card = flat(report.card_text(record))
    assert "NOT READ AT THE END OF THE VISIT: the cable came out." in card
    assert "Refill by not known: the pump was not read" in card
    assert "No emergency text is known for the drug in this pump." in card


def test_a_reading_of_another_pump_makes_no_report(visit: Visit) -> None:
    from dataclasses import replace

    from msgspec.structs import replace as changed

    other = Bench()
    view = other.view()
    view = replace(view, info=changed(view.info, serial="P4000002"))
    with pytest.raises(ReportError, match="ends with P4000002"):
        visit.closed(view, LATER, companion=COMPANION)


@pytest.mark.sr("SR-33")
def test_a_stopped_pump_is_said_on_report_and_card() -> None:
    bench = Bench()
    bench.program()
    bench.device.advance(DAY_MS)
    visit = bench.opened()
    outcome = bench.pump.stop()
    record = bench.closed(visit.changed("Stop", outcome, bench.now(), user="doctor-3"))
    assert "NO THERAPY RUNS: the pump is stopped. Watch for withdrawal." in flat(report.text(record))
    assert "180 mcg per day (every day) PROGRAMMED, BUT THE PUMP IS STOPPED" in flat(report.card_text(record))


def test_an_alarm_is_said_with_what_to_do() -> None:
    bench = Bench()
    bench.program()
    bench.device.advance(DAY_MS)
    visit = bench.opened()
    bench.device.plant.stalled = True
    bench.device.advance(DAY_MS // 4)
    record = bench.closed(visit)
    assert "ALARM, critical: the motor does not turn; no drug is delivered; to do:" in flat(report.text(record))
    assert "critical: the motor does not turn; no drug is delivered" in flat(report.card_text(record))


def test_a_pump_that_was_never_programmed_makes_a_report() -> None:
    bench = Bench()
    record = bench.opened(patient_id="").closed(bench.view(), LATER, companion=COMPANION, dates_note="the pump has no therapy")
    assert "Patient not known: the pump knows no patient" in flat(report.text(record))
    assert "The pump has no therapy." in report.text(record)
    assert "not known: the pump holds no therapy" in flat(report.card_text(record))
    assert report.json(record)["end"]["reservoir"] is None


def test_times_need_an_offset(visit: Visit) -> None:
    naive = OPENED.replace(tzinfo=None)
    with pytest.raises(ReportError, match="no offset"):
        visit.noted("x", naive)
    with pytest.raises(ReportError, match="no offset"):
        visit.changed("x", UNKNOWN, naive)
    with pytest.raises(ReportError, match="no offset"):
        visit.settled(9, UNKNOWN, naive)
    with pytest.raises(ReportError, match="no offset"):
        visit.closed(None, naive, companion=COMPANION, end_note="x")


def test_the_digest_follows_every_figure(bench: Bench, visit: Visit) -> None:
    record = bench.closed(visit)
    more = bench.closed(visit.noted("seen", LATER))
    assert report.record_digest(record) == report.record_digest(record)
    assert report.record_digest(record) != report.record_digest(more)
    assert report.record_digest(record) in report.text(record)


# ------------------------------------------------------------------------------------------------ refill
@pytest.mark.sr("SR-38")
@pytest.mark.parametrize(
    ("expected", "difference", "counted", "measured"),
    [
        (30_000_000, -2_000_000, 6_600_000, 8_600_000),
        (30_000_000, 2_000_000, 6_600_000, 4_600_000),
        (30_000_000, 7_000_000, 6_600_000, None),
        (30_000_000, 0, None, None),
        (0, 100_000, 38_000_000, None),
        (None, None, None, None),
    ],
)
def test_what_was_given_by_the_syringe(expected: int | None, difference: int | None, counted: int | None, measured: int | None) -> None:
    """More drawn than expected means less was given, and the other way round; no figure where a side is not known."""
    refill = Refill(expected, 30_000_000, 36_000_000, 37_400_000, Discrepancy(difference, None), counted)
    assert measured_nL(refill) == measured
    assert refill.volume_after == Volume(37_400_000)
