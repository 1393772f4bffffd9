"""What leaves the catheter from the commit on, phase by phase with its times by hand: bridge, old label in the path, the new therapy."""

from __future__ import annotations

from dataclasses import replace as changed
from datetime import UTC, datetime
from typing import Any

import pytest

from itbpump.configuration import BridgePlan, wire_configuration
from itbpump.present import PresentPump
from itbpump.profiles import load_profile
from itbpump.quantity import MS_PER_HOUR
from itbpump.safety.course import course_after
from itbpump.safety.current import Current
from itbpump.schedule import Schedule
from itbpump.therapy import Prescription
from itbpump.therapy_view import view_configuration
from itbpump.wire.messages import RunState
from tests.unit.safety.test_review import pump
from tests.unit.therapy.prescriptions import bolus, continuous, flex, periodic, prescription, rate

P40 = load_profile("P-40")
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # Monday 10:00 where the prescriptions are written
WEEKLY = flex(rate("00:00", "100 mcg/day"), bolus("14:00", "100 mcg", "1h"))
AT_2000 = prescription()  # 200 mcg/day: 100,000 nL a day; a path of 316,000 nL
MG = 1_000_000  # ng/mL of 1 mg per mL
Parts = list[tuple[Schedule, int, int, int | None]]


def at_500(therapy: dict[str, Any] | None = None, plan: str = "auto") -> Prescription:
    """200 mcg/day of a weaker drug: 400,000 nL a day."""
    bridge = {"plan": plan, "reason": "rinsed"} if plan == "refused" else {"plan": plan}
    return prescription(therapy, drug={"concentration": "500 mcg/mL"}, bridge=bridge)


def parts(rx: Prescription, current: Prescription | PresentPump | None = None) -> Parts:
    """Schedule, its time, concentration and length of each phase."""
    present = None
    if isinstance(current, PresentPump):
        present = Current.from_pump(current, P40)
    elif current is not None:
        present = Current.from_prescription(current, P40, rx)
    course = course_after(rx, view_configuration(wire_configuration(rx, P40), P40), present, P40, NOW)
    return [(phase.schedule, phase.start_ms, phase.ng_per_mL, phase.length_ms) for phase in course._phases]


def schedule(rx: Prescription) -> Schedule:
    return view_configuration(wire_configuration(rx, P40), P40).schedule


def running(rx: Prescription = AT_2000, *, week_offset: int = 0, bridge: BridgePlan | None = None, **state: Any) -> PresentPump:
    return pump(wire_configuration(rx, P40, week_offset=week_offset, bridge=bridge), **state)


FLOW_100, FLOW_400 = Schedule.constant(100_000), Schedule.constant(400_000)


# ------------------------------------------------------------------------------------------------ the therapy alone
def test_a_therapy_with_nothing_before_it_is_one_phase() -> None:
    assert parts(AT_2000) == [(FLOW_100, 0, 2 * MG, None)]
    assert parts(AT_2000, prescription(continuous("300 mcg/day"))) == [(FLOW_100, 0, 2 * MG, None)]
    assert parts(AT_2000, running(prescription(continuous("300 mcg/day")))) == [(FLOW_100, 0, 2 * MG, None)]


def test_a_week_goes_on_at_the_pumps_time_or_begins_at_the_clocks() -> None:
    weekly = prescription(WEEKLY)
    by_clock = [(schedule(weekly), 10 * MS_PER_HOUR, 2 * MG, None)]
    assert parts(weekly) == by_clock
    assert parts(weekly, AT_2000) == by_clock
    assert parts(weekly, pump(None)) == by_clock
    # 900 h of uptime are five weeks and 60 h; with an offset of 110 h it is 170 h, 2 h into the next week
    assert parts(weekly, running(week_offset=110 * MS_PER_HOUR)) == [(schedule(weekly), 2 * MS_PER_HOUR, 2 * MG, None)]
    assert parts(weekly, running()) == [(schedule(weekly), 60 * MS_PER_HOUR, 2 * MG, None)]


def test_a_period_begins_with_the_commit() -> None:
    rx = prescription(periodic("10 mcg", "30m", "6h"))
    assert parts(rx, running()) == [(schedule(rx), 0, 2 * MG, None)]


# ------------------------------------------------------------------------------------------------ a bridge
@pytest.mark.sr("SR-12")
def test_a_bridge_gives_the_old_flow_until_the_path_has_passed() -> None:
    # 190 mcg/day are 95,000 nL a day; 316,300 nL are 633 pulses, 316,500 nL, which take 287,848,421.05 ms
    old = prescription(continuous("190 mcg/day"), catheter={"path_volume": "0.3163 mL"})
    expected = [(Schedule.constant(95_000), 0, 2 * MG, 287_848_422), (FLOW_400, 0, MG // 2, None)]
    assert parts(at_500(), old) == expected
    assert parts(at_500(), running(old)) == expected
    assert parts(at_500(continuous("240 mcg/day")), old)[1][0] == Schedule.constant(480_000)


@pytest.mark.sr("SR-12")
def test_after_a_bridge_a_week_is_later_and_a_period_begins() -> None:
    # 316,000 nL at 100,000 nL a day take 273,024,000 ms
    weekly, period = at_500(WEEKLY), at_500(periodic("10 mcg", "30m", "6h"))
    bridge = (FLOW_100, 0, 2 * MG, 273_024_000)
    assert parts(weekly, AT_2000) == [bridge, (schedule(weekly), 10 * MS_PER_HOUR + 273_024_000, MG // 2, None)]
    assert parts(period, AT_2000) == [bridge, (schedule(period), 0, MG // 2, None)]


@pytest.mark.sr("SR-12")
def test_without_a_running_therapy_a_bridge_gives_the_new_dose_of_the_old_drug() -> None:
    stopped = running(prescription(continuous("300 mcg/day")), run_state=RunState.STOPPED)
    assert parts(at_500(), stopped) == [(FLOW_100, 0, 2 * MG, 273_024_000), (FLOW_400, 0, MG // 2, None)]


@pytest.mark.sr("SR-12")
def test_a_bridge_in_force_goes_on_with_every_therapy_of_the_same_label() -> None:
    present = running(bridge=BridgePlan(50_000, 100), bridge_left_pulses=40, path_left_pulses=60, path_concentration_ng_per_mL=MG // 2)
    # 40 pulses, 20,000 nL, at 50,000 nL a day
    more = prescription(continuous("240 mcg/day"))
    assert parts(more, present) == [(Schedule.constant(50_000), 0, MG // 2, 34_560_000), (Schedule.constant(120_000), 0, 2 * MG, None)]
    # once the bridge is over, what its configuration says of it is past; so is a flow that is none
    over = changed(present, bridge_left_pulses=0, path_left_pulses=0)
    assert parts(more, over) == [(Schedule.constant(120_000), 0, 2 * MG, None)]
    without_flow = running(bridge=BridgePlan(0, 0), bridge_left_pulses=40)
    assert parts(more, without_flow) == [(Schedule.constant(120_000), 0, 2 * MG, None)]


@pytest.mark.sr("SR-12")
def test_no_second_bridge_is_planned_while_one_is_in_force() -> None:
    present = running(bridge=BridgePlan(50_000, 100), bridge_left_pulses=40, path_left_pulses=60, path_concentration_ng_per_mL=3 * MG)
    # the whole old path is taken for the strongest drug in it: 316,000 nL at 400,000 nL a day
    assert parts(at_500(), present) == [(FLOW_400, 0, 3 * MG, 68_256_000), (FLOW_400, 68_256_000, MG // 2, None)]


# ------------------------------------------------------------------------------------------------ the old label in the path
@pytest.mark.sr("SR-12")
def test_without_a_bridge_the_path_gives_its_old_drug_at_the_new_flow() -> None:
    expected = [(FLOW_400, 0, 2 * MG, 68_256_000), (FLOW_400, 68_256_000, MG // 2, None)]
    assert parts(at_500(plan="refused"), AT_2000) == expected
    assert parts(at_500(plan="refused"), running()) == expected


@pytest.mark.sr("SR-12")
def test_what_the_pump_tells_of_its_path_counts_for_the_same_label() -> None:
    present = running(path_left_pulses=60, path_concentration_ng_per_mL=3 * MG)
    # 30,000 nL at 100,000 nL a day
    assert parts(AT_2000, present) == [(FLOW_100, 0, 3 * MG, 25_920_000), (FLOW_100, 25_920_000, 2 * MG, None)]
    weekly = prescription(WEEKLY)
    # Wednesday 12:00: 50,000 nL a day for 2 h give 4,166.67 nL, then a bolus of 50,000 nL in an hour: half of it and 833.33 nL
    slug, rest = parts(weekly, changed(present, path_left_pulses=60))
    assert slug == (schedule(weekly), 60 * MS_PER_HOUR, 3 * MG, 9_060_000)
    assert rest == (schedule(weekly), 60 * MS_PER_HOUR + 9_060_000, 2 * MG, None)


@pytest.mark.sr("SR-12")
def test_another_drug_in_the_path_is_no_dose_of_this_one() -> None:
    pain: dict[str, Any] = {"drug": {"name": "morphine", "concentration": "10000 mcg/mL"}, "patient": {"indication": "pain"}}
    rx = prescription(continuous("4000 mcg/day"), bridge={"plan": "refused", "reason": "rinsed"}, **pain)
    # 400,000 nL a day
    assert parts(rx, AT_2000) == [(FLOW_400, 0, 0, 68_256_000), (FLOW_400, 68_256_000, 10 * MG, None)]


@pytest.mark.sr("SR-12")
def test_what_the_path_holds_stays_where_nothing_flows() -> None:
    assert parts(prescription({"mode": "stopped"}), running(path_left_pulses=60)) == [(Schedule.constant(0), 0, 2 * MG, None)]
