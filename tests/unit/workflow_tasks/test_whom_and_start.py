"""Whom an order is for is asked once; what a therapy form begins with; what is told at the field."""

from __future__ import annotations

import pytest

from itbpump.outcome import Applied
from itbpump.profiles import load_profile, profile_names
from itbpump.quantity import Volume
from itbpump.safety import Severity
from itbpump.workflow.bolus import BolusTask
from itbpump.workflow.consent import Consent, carry_out
from itbpump.workflow.facts import Facts, Policy
from itbpump.workflow.fields import Field, FieldError
from itbpump.workflow.model import Proposal, Task
from itbpump.workflow.prescribing import low_alarm_offered
from itbpump.workflow.prime import PrimeTask
from itbpump.workflow.refill import RefillTask
from itbpump.workflow.restore import RestoreTask
from itbpump.workflow.therapy import TherapyTask
from tests.unit.workflow_tasks.pumps import Bed, fresh, running, unknown_patient

WHO = {"patient_id": "P-77", "indication": "spinal", "age_years": "46", "medication": "diazepam cns-depressant"}


def fields(entry: Task, facts: Facts, **values: str) -> dict[str, Field]:
    return {field.id: field for field in entry.fields(facts, values)}


def sent(bed: Bed, proposal: Proposal) -> None:
    findings = proposal.review.findings if proposal.review is not None else ()
    reasons = {item.rule: f"{item.needs or 'monitored'}: on the ward" for item in findings if item.severity is not Severity.INFO}
    consent = Consent(proposal.confirmation.answers[0], reasons, "n-1", "n-2")
    assert isinstance(carry_out(bed.pump, proposal, consent, Policy()), Applied)


# ------------------------------------------------------------------------------------------------ whom it is for
@pytest.mark.sr("SR-20")
def test_who_was_typed_for_a_bolus_is_known_to_every_other_form() -> None:
    bed = unknown_patient()
    proposal = BolusTask().propose(bed.facts(), {**WHO, "dose": "5", "over": "10m"})
    assert any("diazepam (cns-depressant): sedation adds up" in line for line in proposal.lines)
    sent(bed, proposal)
    bed.advance(3_600_000)
    facts = bed.facts()
    assert facts.patient_id == "P-77"
    for entry in (BolusTask(), PrimeTask(), RestoreTask()):
        assert not fields(entry, facts).keys() & WHO.keys(), entry.id
    therapy = fields(TherapyTask(), facts)
    assert {name: therapy[name].initial for name in WHO} == WHO
    assert fields(RefillTask(), facts).get("patient_id") is None
    assert BolusTask().propose(facts, {"dose": "5", "over": "10m"}).patient_id == "P-77"


@pytest.mark.sr("SR-20")
def test_a_refill_asks_whose_pump_it_is_where_nobody_knows_and_the_next_form_knows() -> None:
    bed = unknown_patient()
    asked = fields(RefillTask(), bed.facts())
    assert asked["patient_id"].required
    drawn = bed.needle(Volume.parse("38 mL"), bed.pump.present().configuration.concentration_ng_per_mL // 1_000)  # type: ignore[union-attr]
    held = bed.pump.present().configuration
    assert held is not None
    values = {name: "yes" for name, field in asked.items() if field.kind.name == "TICK"} | {
        "patient_id": "P-77", "aspirated": drawn.text().split()[0], "filled": "38", "filled_with": "same",
        "same_concentration": str(held.concentration_ng_per_mL // 1_000),
    }  # fmt: skip
    proposal = RefillTask().propose(bed.facts(), {**asked_again(bed, values), **values})
    assert proposal.patient_id == "P-77"
    sent(bed, proposal)
    assert bed.facts().patient_id == "P-77"
    assert fields(BolusTask(), bed.facts())["patient_id"].initial == "P-77"


def asked_again(bed: Bed, values: dict[str, str]) -> dict[str, str]:
    return {name: "yes" for name, field in fields(RefillTask(), bed.facts(), **values).items() if field.kind.name == "TICK"}


def test_an_age_that_nobody_reaches_stands_at_its_field_of_a_bolus() -> None:
    with pytest.raises(FieldError) as caught:
        BolusTask().propose(unknown_patient().facts(), {**WHO, "age_years": "900", "dose": "5", "over": "10m"})
    assert caught.value.field == "age_years"


# ------------------------------------------------------------------------------------------------ what is offered
def test_the_form_begins_with_the_therapy_that_runs() -> None:
    """As it was written where the pump runs just that; nothing needs to be typed but the concentration."""
    for name in ("continuous", "flex-weekday-weekend", "patient-bolus"):
        bed = running(name)
        values = {key: field.initial for key, field in fields(TherapyTask(), bed.facts()).items()}
        assert values["concentration"] == "", "never offered (SR-01)"
        assert bed.rx is not None
        values["concentration"] = bed.rx.drug.concentration.text().split()[0]
        review = TherapyTask().propose(bed.facts(), values).review
        assert review is not None
        assert not [row.label for row in review.table if row.changed], name


def test_a_periodic_therapy_is_offered_but_for_what_has_no_end_in_hours() -> None:
    """100 mcg per day is no number of mcg per hour: nothing near it is offered, it is typed."""
    shown = fields(TherapyTask(), running("periodic-bolus").facts())
    found = {name: shown[name].initial for name in ("mode", "each_dose", "over", "every", "background")}
    assert found == {"mode": "periodic-bolus", "each_dose": "40", "over": "30m", "every": "24h", "background": ""}


def test_what_another_computer_programmed_is_offered_as_the_pump_gives_it() -> None:
    bed = running("continuous")
    bed.rx = None
    shown = fields(TherapyTask(), bed.facts())
    assert (shown["mode"].initial, shown["dose"].initial) == ("continuous", "200")
    assert fields(TherapyTask(), bed.facts(), drug="morphine")["mode"].initial == "", "no dose of one drug for another"
    assert "dose" in fields(TherapyTask(), bed.facts(), mode="continuous")
    assert "dose" not in fields(TherapyTask(), bed.facts(), mode="periodic-bolus"), "a day's dose is none of each bolus"
    assert fields(TherapyTask(), bed.facts(), mode="periodic-bolus")["each_dose"].initial == ""


@pytest.mark.sr("SR-35")
@pytest.mark.parametrize("profile", profile_names())
def test_the_low_alarm_that_is_offered_raises_no_finding(profile: str) -> None:
    found = load_profile(profile)
    offered = low_alarm_offered(found)
    assert found.safe_low_alarm <= offered < found.capacity
    assert offered >= found.low_alarm_default
    assert offered.nL % 100_000 == 0
    assert fields(TherapyTask(), fresh(profile, "18mL").facts())["low_alarm"].initial == offered.text().split()[0]


# ------------------------------------------------------------------------------------------------ told at the field
@pytest.mark.sr("SR-16")
def test_no_dose_and_an_absurd_one_are_told_where_they_are_typed() -> None:
    facts = running().facts()
    dose = fields(BolusTask(), facts)["dose"]
    with pytest.raises(FieldError, match="0 mcg is no dose"):
        dose.read("0")
    assert "100,000 mcg is above" in dose.caution("100000")
    assert dose.caution("25") == ""
    assert dose.read("100000") is not None, "told, not refused: the review judges it"
    day = fields(TherapyTask(), facts, mode="continuous")["dose"]
    assert "above" in day.caution("100000")
    assert day.caution("200") == ""
    with pytest.raises(FieldError, match="is no dose"):
        day.read("0")
    assert fields(TherapyTask(), facts, mode="periodic-bolus")["background"].read("0") is not None, "no background is one"


def test_the_caution_is_never_stricter_than_the_review() -> None:
    """What is told at the field is HARD on the review page."""
    bed = running()
    dose = fields(BolusTask(), bed.facts())["dose"]
    assert dose.most is not None
    above = str(int(dose.most.text().split()[0]) + 1)
    found = BolusTask().propose(bed.facts(), {"dose": above, "over": "2h"}).review
    assert found is not None
    assert found.severity is Severity.HARD
