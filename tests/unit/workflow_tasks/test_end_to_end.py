"""Each task from reading the pump to the proof that it runs, on a simulated pump; and the one gate, which asks for every missing part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from msgspec.structs import replace as replaced

from itbpump.outcome import Applied
from itbpump.quantity import Volume
from itbpump.safety import Severity
from itbpump.wire.messages import BolusKind, BolusState, LogKind, Mode, RunState, Status
from itbpump.workflow.consent import Consent, NotConsented, OtherPump, carry_out, missing
from itbpump.workflow.facts import Facts, Policy, patient_record
from itbpump.workflow.fields import FieldError, Kind
from itbpump.workflow.model import Proposal
from itbpump.workflow.table import task
from tests.unit.workflow_tasks.pumps import HOUR_MS, STATES, Bed, fresh, giving_a_bolus, running, stalled, stopped, unknown_patient

BY_RULE = Policy()
TICKS = {field.id: "yes" for field in task("refill").fields(running(days=0).facts(), {}) if field.kind is Kind.TICK}
PATIENT = {"patient_id": "P-7", "indication": "spinal", "age_years": "46"}
PATH = {"path_known": "path", "path_volume": "0.316"}


def consent(proposal: Proposal) -> Consent:
    """All that the review asks for."""
    needed: dict[str, str] = {}
    if proposal.review is not None:
        asked = [finding for finding in proposal.review.findings if finding.severity in (Severity.SOFT, Severity.SECOND)]
        needed = {finding.rule: "clinical-decision: agreed with the physician" for finding in asked}
    return Consent(typed=proposal.confirmation.answers[0], reasons=needed, user="rn-7", second="md-2")


def proposed(bed: Bed, name: str, values: Mapping[str, str]) -> tuple[Facts, Proposal]:
    known = bed.facts()
    entry = task(name)
    assert entry.hindered(known) == ""
    return known, entry.propose(known, values)


def carried_out(bed: Bed, name: str, values: Mapping[str, str], *, proof: bool = True) -> Proposal:
    """Applied, and proved where an order is one that is proved."""
    _, proposal = proposed(bed, name, values)
    given = consent(proposal)
    assert missing(proposal, given, BY_RULE) == ()
    outcome = carry_out(bed.pump, proposal, given, BY_RULE)
    assert isinstance(outcome, Applied), outcome
    if proof:
        assert outcome.proof is not None
        assert outcome.proof.holds, outcome.proof.failures
    return proposal


# ------------------------------------------------------------------------------------------------ each task to its end
THERAPY = {**PATIENT, **PATH, "drug": "baclofen", "concentration": "2000", "mode": "continuous", "dose": "170", "low_alarm": "6.5"}


@pytest.mark.sr("SR-23", "SR-09")
def test_a_therapy_is_programmed_and_kept_for_the_next_visit() -> None:
    bed = running()
    carried_out(bed, "therapy", THERAPY)
    now = bed.pump.status()
    assert (now.run_state, now.mode) == (RunState.RUNNING, Mode.CONTINUOUS)
    kept = patient_record(bed.pump)
    assert kept is not None
    assert (kept.patient.id, kept.therapy.mode) == ("P-7", "continuous")


@pytest.mark.sr("SR-26")
def test_a_bolus_is_given_to_its_last_pulse() -> None:
    bed = running()
    proposal = carried_out(bed, "bolus", {"dose": "25", "over": "1h"})
    assert proposal.follows_bolus
    bed.advance(HOUR_MS)
    now = bed.pump.status()
    assert (now.bolus_kind, now.bolus_state, now.bolus_delivered) == (BolusKind.SINGLE, BolusState.DONE, now.bolus_requested)


@pytest.mark.sr("SR-13")
def test_a_prime_gives_the_catheter_and_nothing_else() -> None:
    bed = running("continuous", days=0)
    values = {"scope": "catheter", "path_known": "lengths", "length_total": "114", "length_removed": "34", "volume_per_length": "0.0022",
              "tubing_volume": "0.14", "over": "30m"}  # fmt: skip
    proposal = carried_out(bed, "prime", values)
    assert proposal.confirmation.answers[0] == "0.176 mL"  # 80 cm of 0.0022 mL per cm
    assert proposal.rx is None  # a prime is no therapy to be kept
    bed.advance(HOUR_MS)
    now = bed.pump.status()
    assert (now.bolus_kind, now.bolus_state, now.bolus_delivered) == (BolusKind.PRIME, BolusState.DONE, 352)
    assert now.mode is Mode.CONTINUOUS


@pytest.mark.sr("SR-13")
def test_a_path_of_one_volume_is_primed_without_its_tubing() -> None:
    bed = running("continuous", days=0)
    values = {"scope": "catheter", **PATH, "tubing_volume": "0.14", "over": "30m"}
    assert carried_out(bed, "prime", values).confirmation.answers[0] == "0.176 mL"


@pytest.mark.sr("SR-13")
def test_nothing_of_a_known_catheter_is_offered_for_a_prime() -> None:
    known = running("continuous").facts()
    for values in ({}, {"path_known": "lengths"}, {"path_known": "path", "scope": "catheter"}):
        assert [field.id for field in task("prime").fields(known, values) if field.initial] == []


@pytest.mark.sr("SR-34", "SR-38", "SR-36")
def test_a_refill_with_the_same_drug_keeps_the_therapy() -> None:
    bed = running(days=60)
    before = bed.pump.status()
    drawn = bed.needle(Volume.parse("38 mL"), 2000)
    values = {**TICKS, "aspirated": tenth(drawn), "filled": "38", "filled_with": "same", "same_concentration": "2000", "lot": "L-1"}
    proposal = carried_out(bed, "refill", values)
    now = bed.pump.status()
    assert now.reservoir_nL == 39_400_000
    assert (now.mode, now.concentration_ng_per_mL) == (before.mode, before.concentration_ng_per_mL)
    assert any("drug stable until" in line for line in proposal.lines)
    assert proposal.refill is not None
    entry = [one for one in bed.pump.log() if one.kind is LogKind.REFILL][-1]
    assert entry.a == proposal.refill.volume_after_nL


@pytest.mark.sr("SR-12", "SR-39")
def test_a_refill_with_another_concentration_comes_with_its_prescription_and_bridge() -> None:
    bed = running("continuous", days=20)
    drawn = bed.needle(Volume.parse("18 mL"), 2000)
    values = {
        **TICKS, **PATIENT, "aspirated": tenth(drawn), "filled": "18", "filled_with": "other", "rinse": "drug", "rinse_volume": "5",
        "rinse_times": "2", "drug": "baclofen", "concentration": "2000", "mode": "continuous", "dose": "200", "bridge": "auto",
    }  # fmt: skip
    proposal = carried_out(bed, "refill", values)
    now = bed.pump.status()
    assert (now.bridging, now.concentration_ng_per_mL, now.reservoir_nL) == (True, 2_000_000, 19_400_000)
    assert any("mix, not rinsed" in line for line in proposal.lines)
    assert any("rinsed 2 times" in line for line in proposal.lines)
    assert proposal.rx is not None
    assert proposal.rx.drug.filled_on == bed.pump.host_now().date()
    assert proposal.rx.pump.reservoir_volume == Volume.parse("19.4 mL")


@pytest.mark.sr("SR-39")
def test_a_pump_that_lost_its_therapy_is_refilled_with_a_new_one() -> None:
    bed = STATES["lost configuration"]()
    drawn = bed.needle(Volume.parse("36 mL"), 2000)
    values = {**TICKS, **THERAPY, "aspirated": tenth(drawn), "filled": "36"}
    proposal = carried_out(bed, "refill", values)
    assert proposal.refill is not None
    assert proposal.refill.expected_nL is None
    assert bed.pump.status().reservoir_nL == 37_400_000


@pytest.mark.sr("SR-12")
def test_a_new_catheter_changes_the_path_and_asks_for_it_anew() -> None:
    bed = running("continuous")
    known = bed.facts()
    entry = task("revision")
    assert [field.id for field in entry.fields(known, {"path_known": "path"}) if field.group == "Catheter" and field.initial] == []
    values = {"what": "catheter", **PATIENT, **THERAPY, "concentration": "1000", "dose": "200", "path_volume": "0.25", "low_alarm": "4"}
    carried_out(bed, "revision", values)
    configuration = bed.pump.configuration()
    assert configuration is not None
    assert configuration.path_volume_nL == 250_000


def test_a_new_pump_is_given_everything_and_starts() -> None:
    bed = fresh()
    values = {**THERAPY, "what": "pump", "implanted_on": bed.pump.host_now().date().isoformat(), "reservoir_volume": "38", "dose": "100"}
    proposal = carried_out(bed, "revision", values)
    assert bed.pump.status().run_state is RunState.RUNNING
    assert proposal.rx is not None
    assert proposal.rx.pump.implanted_on == bed.pump.host_now().date()


def test_a_pump_is_not_implanted_tomorrow() -> None:
    bed = fresh()
    values = {**THERAPY, "what": "pump", "implanted_on": "2099-01-01", "reservoir_volume": "38", "dose": "50"}
    with pytest.raises(FieldError) as caught:
        task("revision").propose(bed.facts(), values)
    assert caught.value.field == "implanted_on"


@pytest.mark.parametrize("tone", ["critical", "non-critical"])
def test_a_tone_sounds_once_and_changes_nothing(tone: str) -> None:
    bed = running()
    before = bed.pump.status()
    carried_out(bed, "alarm-test", {"tone": tone}, proof=False)
    now = bed.pump.status()
    assert (now.revision, now.digest, now.flow_nL_per_day) == (before.revision, before.digest, before.flow_nL_per_day)
    assert [one.kind for one in bed.pump.log()][-1] in (LogKind.ALARM_TEST, LogKind.COMMITTED)


@pytest.mark.sr("SR-56")
def test_a_critical_alarm_is_silenced_for_ten_minutes_and_stays_active() -> None:
    bed = stalled()
    carried_out(bed, "silence", {"alarm": "motor-stall"}, proof=False)
    silenced = bed.pump.status().alarms[0]
    assert silenced.silenced_until_ms > bed.pump.status().uptime_ms
    bed.advance(10 * 60_000)
    assert bed.pump.status().alarms[0].silenced_until_ms == 0


def test_a_stopped_therapy_is_restored() -> None:
    bed = stopped()
    carried_out(bed, "restore", {})
    assert bed.pump.status().run_state is RunState.RUNNING


def test_the_first_step_of_a_taper_is_programmed() -> None:
    bed = running("continuous")
    carried_out(bed, "taper", {"goal": "100"})
    therapy = bed.pump.configuration()
    assert therapy is not None
    assert therapy.flow_nL_per_day == 180_000  # a tenth less of 200 mcg per day at 1,000 mcg per mL


def test_whose_bolus_it_is_is_asked_where_nobody_knows() -> None:
    bed = unknown_patient()
    assert [field.id for field in task("prime").fields(bed.facts(), {})][:3] == ["patient_id", "indication", "age_years"]
    assert carried_out(bed, "bolus", {**PATIENT, "dose": "5", "over": "10m"}).patient_id == "P-7"


# ------------------------------------------------------------------------------------------------ the gate
STEEP = {**THERAPY, "dose": "260"}  # 46 % up: a reason and a second person


@pytest.mark.sr("SR-03", "SR-08")
def test_each_missing_part_blocks_and_nothing_is_sent() -> None:
    bed = running()
    _, proposal = proposed(bed, "therapy", STEEP)
    full = consent(proposal)
    assert {"increase"} <= set(full.reasons)
    before = bed.pump.status()
    for lacking in (
        replace(full, reasons={}),
        replace(full, second=""),
        replace(full, second=full.user),
        replace(full, user=""),
        replace(full, typed=""),
        replace(full, typed="yes"),
        replace(full, typed="26"),
        replace(full, reasons={**full.reasons, "no-such-rule": "clinical-decision: none"}),
    ):
        assert missing(proposal, lacking, BY_RULE), lacking
        with pytest.raises(NotConsented) as caught:
            carry_out(bed.pump, proposal, lacking, BY_RULE)
        assert caught.value.missing
    assert bed.pump.status() == replace_time(before, bed)
    assert bed.pump.decisions() == ()


def replace_time(before: Status, bed: Bed) -> Status:
    """The status then, at the pump's present time: asking takes some."""
    now = bed.pump.status()
    return replaced(before, uptime_ms=now.uptime_ms, mass_24h_ng=now.mass_24h_ng)


def test_a_clinic_may_want_two_for_everything() -> None:
    bed = running()
    _, proposal = proposed(bed, "bolus", {"dose": "5", "over": "1h"})
    alone = replace(consent(proposal), second="")
    always = Policy(second_always=True)
    assert missing(proposal, alone, BY_RULE) == ()
    assert missing(proposal, alone, always)
    with pytest.raises(NotConsented):
        carry_out(bed.pump, proposal, alone, always)
    assert isinstance(carry_out(bed.pump, proposal, consent(proposal), always), Applied)


@pytest.mark.sr("SR-20")
def test_another_pump_than_the_one_reviewed_gets_nothing() -> None:
    here, there = running(), fresh("P-20", "18mL")
    _, proposal = proposed(here, "alarm-test", {"tone": "critical"})
    assert there.pump.info.serial != here.pump.info.serial
    seen = there.pump.status().log_next_seq
    with pytest.raises(OtherPump) as caught:
        carry_out(there.pump, proposal, consent(proposal), BY_RULE)
    assert (caught.value.reviewed, caught.value.found) == (here.pump.info.serial, there.pump.info.serial)
    assert there.pump.status().log_next_seq == seen


@pytest.mark.sr("SR-45")
def test_a_pump_that_was_changed_since_the_review_takes_nothing() -> None:
    bed = running()
    _, proposal = proposed(bed, "therapy", THERAPY)
    carried_out(bed, "therapy", {**THERAPY, "dose": "160"})
    outcome = carry_out(bed.pump, proposal, consent(proposal), BY_RULE)
    assert not isinstance(outcome, Applied)


@pytest.mark.sr("SR-02")
def test_a_hard_finding_is_sent_by_nobody() -> None:
    bed = running()
    _, proposal = proposed(bed, "therapy", {**THERAPY, "dose": "2500"})
    assert proposal.review is not None
    assert proposal.review.severity is Severity.HARD
    given = Consent(typed=proposal.confirmation.answers[0], reasons={}, user="rn-7", second="md-2")
    with pytest.raises(NotConsented):
        carry_out(bed.pump, proposal, given, BY_RULE)


def test_a_running_bolus_hinders_the_next() -> None:
    assert task("bolus").hindered(giving_a_bolus().facts())
    assert task("prime").hindered(giving_a_bolus().facts())


def tenth(volume: Volume) -> str:
    """As a syringe is read: to a tenth of a mL, without a trailing zero."""
    tenths = round(volume.nL / 100_000)
    return f"{tenths // 10}.{tenths % 10}" if tenths % 10 else str(tenths // 10)
