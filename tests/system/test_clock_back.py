"""The pump's clock goes back while it runs, once and twice: nothing that was given is forgotten, nothing is counted that was not, no
warning comes later, and the companion tells no fill later than it was. Ground truth is the simulator's.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.firmware.durable import Durable
from itbpump.forecast import last_fill
from itbpump.history import elapsed_ms
from itbpump.present import PresentPump
from itbpump.wire.messages import AlarmNumber, LogKind, StopTherapy
from tests.system.rig import CONCENTRATION, DAY_MS, HOUR_MS, PULSE_NL, WHO, Rig, configuration

MINUTE_MS = 60_000
BACK = [1, HOUR_MS, 3 * DAY_MS]
LATER = {"anchor_ms", "wall_set_ms", "locked_until_ms"}
"""A phase, a label that is told to be wrong, and an end."""


def aged(days: int) -> Rig:
    """Running at 300,000 nL per day for 10 d 20 h more than `days`, and refilled every 50 days."""
    rig = Rig()
    rig.configure(configuration(flow_nL_per_day=300_000))
    for _ in range(days // 50):
        rig.pump.advance(50 * DAY_MS)
        rig.pump.bench("refill", {"fill_nL": 38_000_000})
        rig.configure(configuration())
    rig.pump.advance(10 * DAY_MS + 20 * HOUR_MS)
    return rig


def stop(rig: Rig) -> None:
    rig.cmd_id += 1
    rig.pump.order(StopTherapy(rig.cmd_id), WHO)


def given_ng(rig: Rig) -> int:
    return rig.pump.truth.made_pulses * PULSE_NL * CONCENTRATION // 1_000_000


@pytest.mark.sr("SR-07", "SR-53")
@pytest.mark.parametrize("by", BACK)
def test_what_was_given_in_the_day_before_still_counts(by: int) -> None:
    rig = Rig()
    rig.configure(configuration(flow_nL_per_day=3_800_000))
    rig.pump.advance(20 * HOUR_MS)
    rig.pump.faults.inject("clock.step-back", {"by": by})
    rig.pump.advance(1_000)
    assert rig.status().mass_24h_ng >= given_ng(rig)
    rig.configure(configuration(reservoir_set=False, reservoir_volume_nL=0, flow_nL_per_day=200_000))
    taken = 0
    while rig.try_bolus(360, 1800):
        taken += 1
        rig.pump.advance(31 * 60_000)
        assert taken < 8
    assert taken > 0
    assert given_ng(rig) <= rig.pump.profile.firmware.drugs["baclofen"].mass_24h_max_ng


@pytest.mark.sr("SR-24", "SR-53")
@pytest.mark.parametrize("again_ms", [1, 30_000, 90_000])
@pytest.mark.parametrize("odd_ms", [0, 60_000])
@pytest.mark.parametrize("fault", [("clock.wrap-32-bit", {}), ("clock.step-back", {"by": 3 * DAY_MS})])
def test_a_second_start_believes_no_stamp_of_a_time_to_come(fault: tuple[str, dict[str, object]], odd_ms: int, again_ms: int) -> None:
    rig = aged(50)
    rig.pump.advance(odd_ms)
    rig.pump.faults.inject(fault[0], fault[1])
    rig.pump.advance(again_ms)
    rig.pump.watchdog_reset()
    rig.pump.advance(1_000)
    status = rig.status()
    assert abs(status.lifetime_pulses - rig.pump.truth.made_pulses) <= status.doubt_pulses


@pytest.mark.sr("SR-53")
def test_nothing_that_was_is_to_come() -> None:
    rig = aged(0)
    stop(rig)
    rig.pump.faults.inject("clock.step-back", {"by": 5 * DAY_MS})
    rig.pump.advance(1_000)
    state, now = rig.pump.firmware._machine.state, rig.status().uptime_ms
    checked = 0
    for name in [field.name for field in fields(Durable) if field.name.endswith("_ms") and field.name not in LATER]:
        value = getattr(state, name)
        times = value if isinstance(value, tuple) else () if value is None else (value,)
        assert all(at <= now for at in times), name
        checked += len(times)
    assert all(at <= now for _, at in (*state.alarms, *state.alert_stops))
    assert checked >= 3
    assert state.alarms


@pytest.mark.sr("SR-32", "SR-53")
def test_a_battery_near_its_end_is_told_no_more_days_than_before() -> None:
    rig = aged(50)
    rig.pump.plant.set_battery(40)
    rig.pump.advance(10 * DAY_MS)
    before = rig.status()
    assert AlarmNumber.REPLACEMENT in {alarm.alarm for alarm in before.alarms}
    rig.pump.faults.inject("clock.step-back", {"by": 20 * DAY_MS})
    rig.pump.advance(1_000)
    assert rig.status().eri_left_days <= before.eri_left_days


@pytest.mark.sr("SR-32", "SR-53")
def test_a_pump_left_stopped_is_told_after_the_same_hours() -> None:
    rig = aged(0)
    stop(rig)
    rig.pump.advance(40 * HOUR_MS)
    rig.pump.faults.inject("clock.step-back", {"by": 5 * DAY_MS})
    rig.configure(configuration(start=False))
    rig.pump.advance(9 * HOUR_MS)
    assert AlarmNumber.STOPPED_LONG in {alarm.alarm for alarm in rig.status().alarms}


# ------------------------------------------------------------------------------------------------ what the companion makes of it
@pytest.mark.sr("SR-36", "SR-53")
@settings(max_examples=25)
@given(steps=st.lists(st.tuples(st.integers(0, 9 * DAY_MS), st.integers(1, 12 * DAY_MS)), max_size=4), rest_ms=st.integers(0, 9 * DAY_MS))
def test_the_last_fill_is_never_told_later_than_it_was(steps: list[tuple[int, int]], rest_ms: int) -> None:
    rig = Rig()
    rig.pump.advance(60 * DAY_MS)
    rig.configure(configuration())
    filled_ms = rig.pump.plant.now_ms
    for run_ms, by in steps:
        rig.pump.advance(run_ms)
        rig.pump.faults.inject("clock.step-back", {"by": by})
        rig.pump.advance(0)
    rig.pump.advance(rest_ms)
    log = list(rig.pump.firmware._machine.log.page(0, 1_000))
    fill = [entry for entry in log if entry.kind is LogKind.REFILL][-1]
    truly = rig.pump.plant.now_ms - filled_ms
    counted = elapsed_ms(log, fill, rig.status().uptime_ms)
    assert counted is not None
    # a step of less than a minute the pump does not notice
    assert -len(steps) * MINUTE_MS < counted - truly <= 2 * len(steps) * MINUTE_MS or counted == truly

    now = datetime.fromtimestamp(rig.pump.plant.now_ms / 1_000, UTC)
    present = PresentPump.from_status(rig.status(), None, now, recent_log=log)
    filled_on = datetime.fromtimestamp(filled_ms / 1_000, UTC).date()
    told = last_fill(log, present)
    assert told is not None
    assert present.filled_on == told.on
    assert told.on in (filled_on, filled_on - timedelta(days=1))
