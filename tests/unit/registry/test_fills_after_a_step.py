"""A fill first seen in the log after the pump's clock went back is kept at its day, or at an earlier one, never at a later one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from itbpump.profiles import load_profile
from itbpump.registry.store import Registry
from itbpump.wire.messages import LogEntry, LogKind
from tests.unit.registry.clinic import BY, DAY_MS, NOW, fill_entry, view

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
LIFE = timedelta(days=load_profile("P-40").service_life_days)


def boot(seq: int, uptime_ms: int) -> LogEntry:
    return LogEntry(seq=seq, uptime_ms=uptime_ms, wall_s=0, kind=LogKind.BOOT, a=2, b=0)


def went_back(seq: int, uptime_ms: int, by_ms: int) -> LogEntry:
    return LogEntry(seq=seq, uptime_ms=uptime_ms, wall_s=0, kind=LogKind.SELF_TEST_FAILED, a=2, b=by_ms)


def starts(told: bool) -> list[LogEntry]:
    """20 days after the fill the clock goes from 90 back to 60 days."""
    return [boot(8, 60 * DAY_MS), *([went_back(9, 60 * DAY_MS, 30 * DAY_MS - 1)] if told else [])]


@pytest.mark.sr("SR-36", "SR-53")
def test_the_time_that_the_clock_went_back_is_added(registry: Registry) -> None:
    log = [fill_entry(7, 70 * DAY_MS, 39_400_000, 20_000_000), *starts(told=True)]
    registry.record_reading(view(uptime_ms=65 * DAY_MS), log=log, by=BY)
    (row,) = registry.refill_history("SIM-0001")
    assert NOW - 25 * DAY - 3 * MINUTE <= row.at <= NOW - 25 * DAY


@pytest.mark.sr("SR-36", "SR-53")
def test_a_fill_of_unknown_time_is_kept_at_the_earliest_possible(registry: Registry) -> None:
    log = [fill_entry(7, 70 * DAY_MS, 39_400_000, 20_000_000), *starts(told=False)]
    registry.record_reading(view(uptime_ms=65 * DAY_MS), log=log, by=BY)
    (row,) = registry.refill_history("SIM-0001")
    assert row.at == NOW - LIFE


@pytest.mark.sr("SR-36", "SR-53")
def test_it_was_not_before_the_fill_that_is_known(registry: Registry) -> None:
    first = fill_entry(2, 10 * DAY_MS, 38_000_000, 0)
    registry.record_reading(view(NOW - 60 * DAY, uptime_ms=20 * DAY_MS), log=[first], by=BY)
    log = [first, fill_entry(7, 70 * DAY_MS, 39_400_000, 20_000_000), *starts(told=False)]
    registry.record_reading(view(uptime_ms=65 * DAY_MS), log=log, by=BY)
    assert [row.at for row in registry.refill_history("SIM-0001")] == [NOW - 70 * DAY, NOW - 70 * DAY]


@pytest.mark.sr("SR-38")
def test_one_told_from_here_is_known_by_its_volume(registry: Registry) -> None:
    from itbpump.refill import Discrepancy, Refill

    difference = Discrepancy(0, 5_200_000)
    registry.record_reading(view(NOW - 30 * DAY, uptime_ms=60 * DAY_MS), by=BY)
    told = Refill(6_000_000, 6_000_000, 38_000_000, 39_400_000, difference, 20_000_000)
    registry.record_refill("SIM-0001", told, at=NOW - 25 * DAY, by=BY)
    log = [fill_entry(7, 70 * DAY_MS, 39_400_000, 20_000_000), *starts(told=False)]
    registry.record_reading(view(uptime_ms=65 * DAY_MS), log=log, by=BY)
    (row,) = registry.refill_history("SIM-0001")
    assert row.at == NOW - 25 * DAY
