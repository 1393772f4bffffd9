"""Old against new beside what the pump gives now; and the bridge with its end (SR-09)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from itbpump.quantity import Volume
from itbpump.refill import Refill
from itbpump.safety import Review, Row
from itbpump.therapy import Prescription, prescription_from
from itbpump.workflow.restore import RestoreTask
from itbpump.workflow.therapy import propose_prescription
from tests.unit.workflow_tasks.pumps import DAY_MS, Bed, applied, bridging, example, running, safe, stopped


def table(review: Review | None) -> dict[str, Row]:
    assert review is not None
    return {row.label: row for row in review.table}


@pytest.mark.sr("SR-09", "SR-33")
def test_a_stopped_therapy_is_restored_from_nothing() -> None:
    """The pump still holds the very same therapy; beside that a restart would look like no change at all."""
    proposal = RestoreTask().propose(stopped().facts(), {})
    rows = table(proposal.review)
    for label in ("mean day", "lowest day", "highest day", "highest 24 h, with all patient boluses"):
        assert (rows[label].old, rows[label].changed) == ("0 mcg per day", True), label
    assert rows["mean day"].new == "165.429 mcg per day"
    assert rows["mode"].old.startswith("stopped;")
    assert rows["Mon to Fri 06:00"].old == "none"
    assert not rows["concentration"].changed
    assert proposal.old is None, "no curve of a therapy that does not run"


@pytest.mark.sr("SR-09")
def test_a_pump_at_its_minimum_rate_gives_that_and_not_what_it_holds() -> None:
    rows = table(RestoreTask().propose(safe().facts(), {}).review)
    assert rows["mean day"].old == "12 mcg per day"
    assert rows["mean volume"].old == "0.006 mL per day"
    assert rows["mean day"].changed


def test_a_therapy_that_runs_is_compared_as_it_is_held() -> None:
    """And the judgement is that of the review: only what is shown changes."""
    bed = running()
    rx = again(bed)
    found = propose_prescription(bed.facts(), rx, "therapy", "the same")
    rows = table(found.review)
    assert not any(row.changed for row in rows.values())
    assert "bridge" not in rows
    assert found.old is not None


def again(bed: Bed, **tables: object) -> Prescription:
    rx = bed.rx
    assert rx is not None
    pump = rx.pump.model_copy(update={"as_of": bed.pump.host_now()})
    named = {name: getattr(rx, name) for name in ("patient", "drug", "catheter", "screening", "medication", "therapy")}
    return prescription_from({"schema": rx.schema_, **named, "pump": pump, **tables})


@pytest.mark.sr("SR-12")
def test_a_bridge_stands_in_the_table_with_its_dose_and_its_end() -> None:
    """The end is where the pump itself ends it, within the hour of looking; the pump alone is moved here, not this computer."""
    bed = bridging()
    row = table(propose_prescription(bed.facts(), again(bed), "therapy", "the same").review)["bridge"]
    assert row.old == row.new
    dose, _, end = row.old.partition(" until about ")
    assert dose == "200 mcg per day"
    now, hours = bed.pump.host_now(), 0
    assert bed.pump.present().bridge_left_pulses
    while bed.pump.present().bridge_left_pulses:
        bed.advance(DAY_MS // 24)
        hours += 1
    told = [now + timedelta(hours=hours - 1, minutes=minute) for minute in range(62)]
    assert end in {f"{at.day} {at:%b %Y %H:%M}" for at in told}


@pytest.mark.sr("SR-12")
def test_the_bridge_that_would_come_is_new_and_a_stopped_one_waits() -> None:
    bed = running("continuous", days=20)
    new = example("concentration-change")
    bed.rx = new
    plan = Refill.plan(Volume.parse("16 mL"), Volume.parse("18 mL"), bed.pump.present(), bed.pump.profile, tuple(bed.pump.log()))
    row = table(propose_prescription(bed.facts(), again(bed, bridge={"plan": "auto"}), "refill", "new", plan).review)["bridge"]
    assert row.old == "none"
    assert row.changed
    assert " until about " in row.new
    waits = bridging()
    applied(waits.pump.stop())
    rows = table(RestoreTask().propose(waits.facts(), {}).review)
    assert rows["bridge"].old.startswith("waits for a start, ")
    assert " until about " in rows["bridge"].new
