"""Plans as tasks: what they need, the first step, and that nobody programs a step ahead of its time."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest

from itbpump.quantity import MassRate
from itbpump.workflow.consent import Consent, NotConsented, carry_out, missing
from itbpump.workflow.facts import Policy
from itbpump.workflow.fields import FieldError
from itbpump.workflow.plans import PlanTask, TaperTask, TitrateTask, running_prescription
from itbpump.workflow.table import task
from tests.unit.workflow_tasks.pumps import STATES, applied, example, running
from tests.unit.workflow_tasks.test_end_to_end import THERAPY, consent


def test_a_plan_goes_from_what_the_pump_runs_now() -> None:
    known = running("continuous", days=20).facts()
    found = TaperTask().plan(known, {"goal": "100"})
    assert found.present_dose == MassRate.parse("200 mcg/day")
    assert found.present.pump.reservoir_volume.nL == known.present.reservoir_nL
    assert found.present.drug.filled_on == known.present.filled_on
    assert found.entries[0].daily_dose == MassRate.parse("180 mcg/day")
    assert all(entry.change is not None and entry.change >= Fraction(-1, 5) for entry in found.entries)


def test_the_whole_plan_stands_above_its_first_step() -> None:
    proposal = task("taper").propose(running("continuous", days=20).facts(), {"goal": "100"})
    text = "\n".join(proposal.lines)
    for word in ("Taper for patient P-0101", "Daily dose, mean", "cerebrospinal fluid", "Keep in mind", "not medical advice"):
        assert word in text
    assert proposal.rx is not None
    assert proposal.rx.patient.id == "P-0101"
    assert proposal.confirmation.answers[0] == "180"


def test_upwards_by_steps_of_the_library() -> None:
    found = TitrateTask().plan(running("continuous", days=20).facts(), {"goal": "300", "step": "10", "every": "48h"})
    assert found.entries[-1].daily_dose == MassRate.parse("300 mcg/day")
    assert all(entry.change is not None and entry.change <= Fraction(1, 10) for entry in found.entries)
    assert {later.at - earlier.at for earlier, later in zip(found.entries, found.entries[1:], strict=False)} == {timedelta(hours=48)}


@pytest.mark.sr("SR-08")
def test_a_step_ahead_of_its_time_is_shown_and_sent_by_nobody() -> None:
    """The therapy began an hour ago: no increase within its first 24 h."""
    bed = running("continuous", days=0)
    proposal = task("titrate").propose(bed.facts(), {"goal": "300"})
    assert "cannot be sent before" in proposal.confirmation.prompt
    assert proposal.lines[-1] == proposal.confirmation.prompt
    before = bed.pump.status()
    for typed in ("", "yes", "220", "220 mcg/day", proposal.confirmation.prompt):
        given = Consent(typed=typed, reasons={}, user="rn-7", second="md-2")
        assert missing(proposal, given, Policy())
        with pytest.raises(NotConsented):
            carry_out(bed.pump, proposal, given, Policy())
    with pytest.raises(AssertionError):
        proposal.send(bed.pump, {})
    assert bed.pump.status().revision == before.revision


def test_a_day_ahead_is_a_plan_for_that_day() -> None:
    known = running("continuous", days=20).facts()
    day = known.present.host_now.date() + timedelta(days=3)
    found = TaperTask().plan(known, {"goal": "100", "begin_on": day.isoformat()})
    assert found.entries[0].at.date() == day
    with pytest.raises(FieldError) as caught:
        TaperTask().plan(known, {"goal": "100", "begin_on": "2001-01-01"})
    assert caught.value.field == "begin_on"


def test_a_finding_that_stands_against_a_step_is_told_and_can_be_accepted() -> None:
    known = running().facts()
    with pytest.raises(FieldError, match="accepted findings") as caught:
        TitrateTask().plan(known, {"goal": "250"})
    assert "--override" not in str(caught.value)
    assert TitrateTask().plan(known, {"goal": "250", "accepted": "bolus-size=as before, watched"}).entries
    with pytest.raises(FieldError) as idle:
        TitrateTask().plan(known, {"goal": "250", "accepted": "bolus-size=as before; stability=none"})
    assert idle.value.field == "accepted"


@pytest.mark.parametrize(
    ("field", "text"),
    [("step", "ten"), ("step", "1,5"), ("accepted", "bolus-size"), ("accepted", "a=b; a=c"), ("every", "48"), ("goal", "0.5 mL")],
)
def test_what_cannot_be_read_is_refused_at_its_field(field: str, text: str) -> None:
    with pytest.raises(FieldError) as caught:
        TaperTask().plan(running("continuous").facts(), {"goal": "100", field: text})
    assert caught.value.field == field


@pytest.mark.parametrize("plan", [TitrateTask(), TaperTask()], ids=lambda plan: plan.id)
@pytest.mark.parametrize("state", ["fresh", "stopped", "minimum rate", "lost configuration", "bridging", "unknown patient"])
def test_no_plan_from_what_does_not_run_or_is_not_known(plan: PlanTask, state: str) -> None:
    known = STATES[state]().facts()
    assert plan.hindered(known)
    with pytest.raises(FieldError):
        plan.plan(known, {"goal": "100"})


def test_no_plan_from_a_prescription_that_the_pump_does_not_run() -> None:
    bed = running("continuous")
    bed.rx = example("continuous").model_copy(
        update={"therapy": example("continuous").therapy.model_copy(update={"dose": MassRate(99_000)})}
    )
    assert "does not run the prescription" in TaperTask().hindered(bed.facts())


def test_a_stopped_prescription_is_begun_by_its_start_dose() -> None:
    known = running("stopped", days=0).facts()
    assert [field.id for field in TitrateTask().fields(known, {})][:2] == ["goal", "start"]
    found = TitrateTask().plan(known, {"goal": "150", "start": "100"})
    assert found.entries[0].daily_dose == MassRate.parse("100 mcg/day")


def test_the_therapy_that_was_programmed_a_moment_ago_counts_from_then() -> None:
    bed = running("continuous", days=20)
    bed.rx = None
    proposal = task("therapy").propose(bed.facts(), {**THERAPY, "concentration": "1000", "dose": "180", "low_alarm": "4"})
    applied(carry_out(bed.pump, proposal, consent(proposal), Policy()))
    known = bed.facts()
    assert TaperTask().hindered(known) == ""
    since = running_prescription(known).therapy.since
    assert since is not None
    assert known.present.host_now - since < timedelta(minutes=5)
