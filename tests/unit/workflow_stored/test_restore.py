"""Restoring as a task: what is asked, what is reviewed, and that exactly this is sent, through the gate alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as altered

from itbpump.configuration import wire_configuration
from itbpump.errors import ConfigurationError
from itbpump.outcome import Applied, NotApplied
from itbpump.pump import Pump
from itbpump.therapy import dump_prescription, load_prescription
from itbpump.wire.messages import Mode, RunState
from itbpump.workflow.consent import Consent, NotConsented, carry_out, missing
from itbpump.workflow.facts import Policy, gather
from itbpump.workflow.fields import FieldError, Kind
from itbpump.workflow.model import Task
from itbpump.workflow.restore import RestoreTask
from itbpump.workflow.stored import NothingToRestore
from tests.unit.therapy.prescriptions import continuous, periodic, prescription
from tests.unit.workflow_stored.conftest import EXAMPLES, Carry, consent_to, passed

TASK = RestoreTask()
WHO = {"patient_id": "P-0042", "indication": "spinal", "age_years": "46"}
RX = load_prescription(EXAMPLES / "flex-weekday-weekend.toml")


def test_it_is_a_task() -> None:
    assert isinstance(TASK, Task)


@pytest.mark.sr("SR-23", "SR-33")
def test_the_stopped_therapy_itself_comes_back(pump: Pump, carry: Carry) -> None:
    passed(pump, 24 * 30)
    before = pump.configuration()
    assert isinstance(pump.stop(), Applied)
    facts = gather(pump, rx=RX)
    assert TASK.hindered(facts) == ""
    assert TASK.fields(facts, {}) == ()
    proposal = TASK.propose(facts, {})
    assert proposal.title == "Start the stopped therapy again, for patient P-0042"
    assert proposal.confirmation.answers == ("165.429", "165.429 mcg/day", "165.429 mcg per day")
    assert "restart" in {item.rule for item in proposal.review.findings} if proposal.review is not None else False
    outcome = carry(pump, proposal)
    assert isinstance(outcome, Applied)
    assert outcome.proof is not None
    assert outcome.proof.holds
    assert pump.status().run_state is RunState.RUNNING
    after = pump.configuration()
    assert before is not None
    assert after is not None
    assert altered(after, reservoir_set=False, reservoir_volume_nL=0, start=True) == altered(
        before, reservoir_set=False, reservoir_volume_nL=0, start=True
    )


@pytest.mark.sr("SR-09")
@pytest.mark.parametrize("therapy", [continuous("170 mcg/day"), periodic("20 mcg", "15m", "4h"), {"mode": "minimum-rate"}])
def test_the_one_before_is_taken_back_as_it_was(pump: Pump, carry: Carry, therapy: dict[str, Any]) -> None:
    passed(pump, 24 * 30)
    before = pump.configuration()
    assert isinstance(pump.program(prescription(therapy)), Applied)
    passed(pump, 24 * 30)
    facts = gather(pump, rx=RX)
    proposal = TASK.propose(facts, {})
    assert proposal.title.startswith("Restore the therapy before the present one")
    assert proposal.old is not None
    assert proposal.new is not None
    assert proposal.old.mode is not Mode.FLEX
    assert proposal.new.mode is Mode.FLEX
    outcome = carry(pump, proposal)
    assert isinstance(outcome, Applied)
    after = pump.configuration()
    assert before is not None
    assert after is not None
    assert (after.mode, after.patterns, after.week_offset_ms) == (before.mode, before.patterns, before.week_offset_ms)


@pytest.mark.sr("SR-02", "SR-20")
def test_whom_it_is_for_is_asked_where_nobody_knows(pump: Pump) -> None:
    passed(pump, 24 * 30)
    pump.stop()
    facts = gather(pump)
    asked = {field.id: field for field in TASK.fields(facts, {})}
    assert set(asked) == {*WHO, "medication"}
    assert all(not field.initial for field in asked.values())
    assert asked["indication"].kind is Kind.CHOICE
    with pytest.raises(FieldError) as caught:
        TASK.propose(facts, {})
    assert caught.value.field == "patient_id"
    child = TASK.propose(facts, {**WHO, "age_years": "3"})
    assert child.review is not None
    assert "age" in {item.rule for item in child.review.findings if item.severity}
    grown = TASK.propose(facts, WHO)
    assert grown.review is not None
    assert "age" not in {item.rule for item in grown.review.findings if item.severity}
    assert grown.patient_id == "P-0042"


def test_an_age_that_nobody_reaches_stands_at_its_field(pump: Pump) -> None:
    pump.stop()
    with pytest.raises(FieldError) as caught:
        TASK.propose(gather(pump), {**WHO, "age_years": "900"})
    assert caught.value.field == "age_years"


def test_it_is_known_the_next_time(pump: Pump, carry: Carry) -> None:
    """The decision keeps the prescription, so that nobody is asked twice; it loads to the very same."""
    passed(pump, 24 * 30)
    pump.stop()
    proposal = TASK.propose(gather(pump), WHO)
    carry(pump, proposal)
    pump.stop()
    facts = gather(pump)
    assert facts.rx is not None
    assert proposal.rx is not None
    assert dump_prescription(facts.rx) == dump_prescription(proposal.rx)
    assert TASK.fields(facts, {}) == ()
    assert wire_configuration(facts.rx, facts.profile) == wire_configuration(proposal.rx, facts.profile)


@pytest.mark.sr("SR-03")
def test_nothing_is_sent_without_the_dose_typed(pump: Pump) -> None:
    passed(pump, 24 * 30)
    pump.stop()
    facts = gather(pump, rx=RX)
    proposal = TASK.propose(facts, {})
    revision = pump.status().revision
    for typed in ("", "yes", "165", "165.43"):
        with pytest.raises(NotConsented):
            carry_out(pump, proposal, replace(consent_to(proposal), typed=typed), Policy())
    assert missing(proposal, Consent(typed="165.429"), Policy(second_always=True))
    assert pump.status().revision == revision
    assert pump.status().run_state is RunState.STOPPED


@pytest.mark.sr("SR-08")
def test_after_a_long_stop_it_is_a_start(pump: Pump) -> None:
    """Without a screening dose nobody knows that this dose is one to start with."""
    passed(pump, 24 * 30)
    pump.stop()
    passed(pump, 72)
    proposal = TASK.propose(gather(pump), WHO)
    assert any(line.startswith("restart") for line in missing(proposal, Consent(typed=proposal.confirmation.answers[0]), Policy()))


def test_a_pump_that_was_changed_since_refuses(pump: Pump, carry: Carry) -> None:
    passed(pump, 24 * 30)
    pump.stop()
    proposal = TASK.propose(gather(pump, rx=RX), {})
    assert isinstance(pump.program(RX), Applied)
    pump.stop()
    outcome = carry(pump, proposal)
    assert isinstance(outcome, NotApplied)
    assert "changed since it was read" in str(outcome.reason)
    assert pump.status().run_state is RunState.STOPPED


def test_what_hinders_is_told_before_anything_is_asked(pump: Pump, fresh: Pump) -> None:
    assert TASK.hindered(gather(fresh)) == "the pump has no therapy; program it by a prescription"
    assert TASK.fields(gather(fresh), {}) == ()
    facts = gather(pump)
    assert TASK.hindered(facts).startswith("the pump holds no earlier configuration")
    with pytest.raises(NothingToRestore):
        TASK.propose(facts, WHO)


@pytest.mark.sr("SR-12")
def test_another_label_is_never_taken_back(pump: Pump) -> None:
    """The reservoir holds something else now: the earlier therapy's flows would be another dose."""
    facts = gather(pump)
    held = facts.present.configuration
    assert held is not None
    weaker = wire_configuration(prescription(drug={"concentration": "500 mcg/mL"}), facts.profile)
    other = replace(facts, previous=weaker)
    assert "another drug or concentration" in TASK.hindered(other)
    with pytest.raises(ConfigurationError, match="another drug or concentration"):
        TASK.propose(other, WHO)
