"""Rows of the catalogue that nothing injects: what the calendar and the wall clock can do to a therapy, which is nothing."""

from __future__ import annotations

import pytest

from itbpump.wire.messages import Configuration, Mode, Pattern, Result, SetClock, Step, StepKind
from tests.system.rig import DAY_MS, WHO, Rig, configuration
from tests.unit.faults.patient import status

HOUR_MS = 3_600_000
DAY = (Step(0, StepKind.RATE, 150_000, 0), Step(360, StepKind.BOLUS, 40, 60), Step(1200, StepKind.RATE, 400_000, 0))
NEW_YEAR_S = 1_798_761_600  # 1 January 2027, 00:00 UTC
JUNE_S = 1_781_000_000
LATEST_S = 4_102_444_800  # the latest that a pump can be told, 1 January 2100
LAST_S = 2**32 - 1


def by_the_day(wall_s: int | None) -> Rig:
    """A flex therapy; the pump is told the time of day, or never."""
    return told_the_time(configuration(mode=Mode.FLEX, flow_nL_per_day=0, patterns=(Pattern(0b1111111, DAY),)), wall_s)


def told_the_time(therapy: Configuration, wall_s: int | None) -> Rig:
    rig = Rig()
    rig.configure(therapy)
    if wall_s is not None:
        rig.cmd_id += 1
        assert isinstance(rig.pump.order(SetClock(cmd_id=rig.cmd_id, wall_s=wall_s), WHO), Result)
    return rig


def given(rig: Rig, days: int) -> list[tuple[int, int]]:
    rig.pump.advance(days * DAY_MS)
    return [(pulse.at_ms, pulse.volume_nL) for pulse in rig.pump.pulses(0, rig.pump.uptime_ms)]


@pytest.mark.sr("SR-52")
def test_a_pump_that_was_never_told_the_time_doses_by_its_own() -> None:
    rig = by_the_day(None)
    assert given(rig, 20) == given(by_the_day(JUNE_S), 20)
    told = status(rig.pump)
    assert told is not None
    assert told.wall_s == 0


@pytest.mark.sr("SR-52")
def test_the_turn_of_the_year_is_a_night_like_any_other() -> None:
    assert given(by_the_day(NEW_YEAR_S - 5 * HOUR_MS // 1000), 3) == given(by_the_day(JUNE_S), 3)


@pytest.mark.sr("SR-52")
def test_a_label_at_its_end_stands_still_and_doses_go_on() -> None:
    slow = configuration(mode=Mode.MINIMUM_RATE, flow_nL_per_day=0)
    rig = told_the_time(slow, LATEST_S)
    days = (LAST_S - LATEST_S) // 86_400 + 2
    assert given(rig, days) == given(told_the_time(slow, JUNE_S), days)
    told = status(rig.pump)
    assert told is not None
    assert told.wall_s == LAST_S
