"""What the review says of bridge and path, of a pump that lost its memory, and of a bolus that comes with the commit."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from itbpump.configuration import wire_configuration
from itbpump.profiles import load_profile
from itbpump.quantity import Volume
from itbpump.safety import Severity, review
from itbpump.wire.messages import Mode, RunState
from tests.unit.safety.test_review import STOPPED, message, of, pump, severities
from tests.unit.therapy.prescriptions import continuous, periodic, prescription

P40 = load_profile("P-40")


@pytest.mark.sr("SR-12", "SR-39")
@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.STOPPED, RunState.SAFE])
def test_a_bridge_in_force_is_told_in_any_state_and_nothing_may_end_it(state: RunState) -> None:
    held = replace(wire_configuration(prescription(), P40), bridge_flow_nL_per_day=400_000, bridge_pulses=632)
    more = {"bridge_left_pulses": 300, "path_left_pulses": 300, "path_concentration_ng_per_mL": 500_000}
    present = pump(held, run_state=state, **more)
    same = review(prescription(), present)
    assert "goes on first: 200 mcg per day from 500 mcg per mL until 0.15 mL more have passed, 9 h" in message(same, "bridge")
    assert severities(same)["bridge"] is Severity.INFO
    assert of(prescription(continuous("100 mcg/day")), "bridge", present) is Severity.SOFT
    assert "waits for the next start, 0.15 mL still to pass" in message(review(prescription(STOPPED), present), "bridge")
    assert of(prescription({"mode": "minimum-rate"}), "bridge", present) is Severity.HARD
    assert of(prescription(catheter={"path_volume": "0.1 mL"}), "bridge", present) is Severity.HARD
    other = prescription(drug={"concentration": "1000 mcg/mL"}, bridge={"plan": "auto"})
    assert of(other, "bridge", present, refill=Volume(38_000_000)) is Severity.HARD


@pytest.mark.sr("SR-12")
def test_a_path_that_is_not_clear_is_told_and_takes_no_second_change() -> None:
    present = pump(wire_configuration(prescription(), P40), path_left_pulses=300, path_concentration_ng_per_mL=500_000)
    assert "up to 50 mcg per day in the mean instead of 200 mcg per day until 0.15 mL more" in message(
        review(prescription(), present), "path"
    )
    for plan in ({"plan": "auto"}, {"plan": "refused", "reason": "rinsed"}):
        other = prescription(drug={"concentration": "1000 mcg/mL"}, bridge=plan)
        judged = review(other, present, refill=Volume(38_000_000))
        assert severities(judged)["path"] is Severity.HARD
        assert "wait until 300 more pulses have passed, about 36 h" in message(judged, "path")


@pytest.mark.sr("SR-39")
def test_a_pump_that_lost_its_configuration_is_measured_first() -> None:
    lost = pump(None, run_state=RunState.SAFE)
    assert of(prescription(), "lost-configuration", lost) is Severity.HARD
    assert of(prescription(), "lost-configuration", lost, refill=Volume(38_000_000)) is Severity.SECOND
    assert of(prescription(), "lost-configuration", pump(None)) is None


# ------------------------------------------------------------------------------------------------ a bolus with the commit
@pytest.mark.sr("SR-07", "SR-10")
def test_a_bolus_that_starts_with_the_commit_is_told_with_its_24_hours() -> None:
    old = wire_configuration(prescription(periodic("30 mcg", "1h", "6h", "48 mcg/day")), P40)
    moved = review(prescription(periodic("30 mcg", "1h", "8h", "48 mcg/day")), pump(old))
    assert severities(moved)["bolus-at-once"] is Severity.SOFT
    text = message(moved, "bolus-at-once")
    assert "may have begun at any time in the last 6 h, even just before" in text
    # by hand: two old boluses in 7 h and three new ones in 17 h, 150 mcg, and 19 h of 2 mcg per hour
    assert "up to 188 mcg per day in 24 h across the change" in text
    stopped = {"run_state": RunState.STOPPED, "mass_24h_ng": 30_000}
    assert of(prescription(periodic("30 mcg", "1h", "8h")), "bolus-at-once", pump(old, **stopped)) is Severity.SOFT
    edited = review(prescription(periodic("31 mcg", "1h", "6h", "48 mcg/day")), pump(old))
    assert severities(edited)["bolus-at-once"] is Severity.INFO
    assert "moves no bolus" in message(edited, "bolus-at-once")


@pytest.mark.sr("SR-07")
def test_a_bolus_with_the_commit_stacks_on_nothing_where_none_came_before() -> None:
    new = prescription(periodic("30 mcg", "1h", "6h"))
    continuous_now = pump(wire_configuration(prescription(), P40))
    assert of(new, "bolus-at-once", continuous_now) is Severity.INFO
    assert of(new, "bolus-at-once") is Severity.INFO
    for state in ({"run_state": RunState.SAFE, "mode": Mode.MINIMUM_RATE}, {"run_state": RunState.STOPPED}):
        assert "moves no bolus" in message(review(new, pump(wire_configuration(new, P40), **state)), "bolus-at-once")
    stopped = pump(wire_configuration(prescription(), P40), run_state=RunState.STOPPED)
    assert of(new, "bolus-at-once", stopped, refill=Volume(38_000_000)) is None
