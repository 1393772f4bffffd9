"""What alerts get to see of the registry: pumps nobody read, pumps without dates, pumps that stand still, clocks that were wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from itbpump.alerts.model import Stage
from itbpump.alerts.policy import load_policy
from itbpump.alerts.rules import Finding, judge
from itbpump.alerts.source import watched_of
from itbpump.hoststate import Intent
from itbpump.present import PresentPump
from itbpump.registry.errors import Contradiction
from itbpump.registry.importing import Plan
from itbpump.registry.store import Registry
from itbpump.registry.taking_in import take_in
from itbpump.wire.messages import CommandKind, LogEntry, LogKind, Mode, RunState
from tests.unit.registry.clinic import BY, DAY_MS, NOW, View, dates, fill_entry, info, status, view

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
POLICY = load_policy()


def findings(registry: Registry, now: datetime = NOW) -> dict[str, Finding]:
    (pump,) = registry.watched()
    return {finding.rule: finding for finding in judge(watched_of(pump), now, POLICY)}


# ------------------------------------------------------------------------------------------------ what is not known is never silence
@pytest.mark.sr("SR-40")
def test_an_imported_pump_that_nobody_read_raises_an_alert(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("serial,profile,patient\nK-100,P-40,P-0042\n")
    take_in(registry, tmp_path / "t.csv", "pumps", Plan(), at=NOW, by=BY)
    found = findings(registry)
    assert {"refill-unknown", "silent"} <= set(found)
    assert found["refill-unknown"].alert.stage is Stage.DUE


@pytest.mark.sr("SR-36", "SR-40")
def test_a_pump_just_refilled_without_new_dates_raises_an_alert(registry: Registry) -> None:
    first = (fill_entry(1, 10 * DAY_MS, 38_000_000, 1_000_000),)
    registry.record_reading(view(), log=first, dates=dates(), by=BY)
    assert findings(registry)["refill-date"].alert.stage is Stage.SCHEDULED
    refilled = (*first, fill_entry(2, 100 * DAY_MS, 39_000_000, 2_000_000))
    registry.record_reading(view(NOW + HOUR, uptime_ms=100 * DAY_MS + 1), log=refilled, by=BY)
    found = findings(registry, NOW + HOUR)
    assert "refill-date" not in found
    assert found["refill-unknown"].alert.stage is Stage.DUE


def test_a_simulated_pump_is_watched_like_any_other_and_every_word_says_what_it_is(registry: Registry) -> None:
    registry.record_reading(view(), dates=dates(NOW, 3), by=BY)
    alert = findings(registry)["refill-date"].alert
    assert alert.stage is Stage.DUE
    assert alert.title.startswith("SIMULATED: ")
    assert "This pump is simulated: it treats nobody." in alert.lines


# ------------------------------------------------------------------------------------------------ pumps that stand still
@pytest.mark.sr("SR-40")
@pytest.mark.parametrize("state", [RunState.STOPPED, RunState.SAFE, RunState.UNCONFIGURED])
def test_a_pump_that_gives_nothing_is_told_whatever_it_calls_its_state(registry: Registry, state: RunState) -> None:
    registry.record_reading(view(run_state=state), by=BY)
    registry.record_reading(view(NOW + 2 * DAY, run_state=state, uptime_ms=102 * DAY_MS), by=BY)
    (pump,) = registry.watched()
    assert (pump.run_state, pump.stopped_since) == (state.name.lower(), NOW)
    assert findings(registry, NOW + 2 * DAY)["left-stopped"].alert.stage is Stage.CRITICAL


def test_since_when_a_safe_state_holds_is_taken_from_the_pumps_log(registry: Registry) -> None:
    now = status(run_state=RunState.SAFE, mode=Mode.CONTINUOUS)
    entry = LogEntry(seq=1, uptime_ms=97 * DAY_MS, wall_s=0, kind=LogKind.SAFE_STATE, a=1, b=0)
    present = PresentPump.from_status(now, None, NOW, (entry,))
    registry.record_reading(view(run_state=RunState.SAFE), present, (entry,), by=BY)
    (pump,) = registry.watched()
    assert pump.stopped_since == NOW - 3 * DAY


def test_a_stop_that_became_a_safe_state_keeps_its_beginning(registry: Registry) -> None:
    registry.record_reading(view(run_state=RunState.STOPPED, last_change_kind=CommandKind.STOP, last_change_ms=99 * DAY_MS), by=BY)
    registry.record_reading(view(NOW + DAY, run_state=RunState.SAFE, uptime_ms=101 * DAY_MS), by=BY)
    (pump,) = registry.watched()
    assert pump.stopped_since == NOW - DAY


@pytest.mark.sr("SR-40")
def test_since_when_a_pump_is_at_the_minimum_rate_is_the_commit_that_put_it_there(registry: Registry) -> None:
    registry.record_reading(view(), by=BY)
    assert "minimum-rate" not in findings(registry)
    at_minimum: dict[str, Any] = {"mode": Mode.MINIMUM_RATE, "last_change_ms": 101 * DAY_MS, "digest": bytes([2]) * 32}
    registry.record_reading(view(NOW + 2 * DAY, uptime_ms=102 * DAY_MS, **at_minimum), by=BY)
    (pump,) = registry.watched()
    assert (pump.run_state, pump.mode, pump.stopped_since) == ("running", "minimum_rate", NOW + DAY)
    assert findings(registry, NOW + 2 * DAY)["minimum-rate"].alert.stage is Stage.CRITICAL
    refilled = at_minimum | {"last_change_ms": 103 * DAY_MS}
    registry.record_reading(view(NOW + 4 * DAY, uptime_ms=104 * DAY_MS, **refilled), by=BY)
    (pump,) = registry.watched()
    assert pump.stopped_since == NOW + DAY, "a refill begins no therapy"
    registry.record_reading(view(NOW + 5 * DAY, uptime_ms=105 * DAY_MS), by=BY)
    (pump,) = registry.watched()
    assert pump.stopped_since is None
    assert "minimum-rate" not in findings(registry, NOW + 9 * DAY)


@pytest.mark.sr("SR-40")
def test_a_stop_that_became_the_minimum_rate_keeps_its_beginning(registry: Registry) -> None:
    registry.record_reading(view(run_state=RunState.STOPPED, last_change_kind=CommandKind.STOP, last_change_ms=99 * DAY_MS), by=BY)
    registry.record_reading(view(NOW + DAY, mode=Mode.MINIMUM_RATE, uptime_ms=101 * DAY_MS, last_change_ms=100 * DAY_MS), by=BY)
    (pump,) = registry.watched()
    assert pump.stopped_since == NOW - DAY


def test_the_minimum_rate_is_dated_by_the_log_before_the_last_change(registry: Registry) -> None:
    """A bolus after it is the last change, so that the status alone does not tell."""
    now = status(mode=Mode.MINIMUM_RATE, last_change_ms=99 * DAY_MS, last_change_kind=CommandKind.BOLUS)
    entry = LogEntry(seq=1, uptime_ms=97 * DAY_MS, wall_s=0, kind=LogKind.COMMITTED, a=1, b=CommandKind.CONFIGURE << 32)
    registry.record_reading(View(info(), now, NOW), PresentPump.from_status(now, None, NOW, (entry,)), (entry,), by=BY)
    (pump,) = registry.watched()
    assert pump.stopped_since == NOW - 3 * DAY


# ------------------------------------------------------------------------------------------------ retired pumps that answer
@pytest.mark.sr("SR-40")
def test_a_retired_pump_that_is_read_again_is_told_until_it_is_assigned(registry: Registry) -> None:
    registry.record_reading(view(), dates=dates(NOW, 60), by=BY)
    registry.assign("SIM-0001", "P-0042", at=NOW, by=BY)
    registry.retire("SIM-0001", "explanted", at=NOW + DAY, by=BY)
    late = view(NOW + HOUR, uptime_ms=100 * DAY_MS + 1)  # kept on a workstation since before it was retired
    registry.record_reading(late, by=BY)
    assert list(registry.watched()) == []
    again = view(NOW + 2 * DAY, uptime_ms=102 * DAY_MS)
    present = replace(PresentPump.from_status(again.status, None, again.host_now), patient_id="P-0042")
    registry.record_reading(again, present, dates=dates(NOW + 2 * DAY, 50), by=BY)
    found = findings(registry, NOW + 3 * DAY)
    assert set(found) == {"retired-pump"}
    assert "25 Nov 2026" in found["retired-pump"].alert.title
    (pump,) = registry.watched()
    assert (pump.dates, pump.patient_id) == (None, ""), "no date is published, and whose it is now nobody has said"
    assert registry.pumps() == ()
    registry.assign("SIM-0001", "P-0042", at=NOW + 3 * DAY, by=BY)
    assert set(findings(registry, NOW + 3 * DAY)) == {"refill-date"}
    assert [row.retired_because for row in registry.pumps()] == [""]
    assert registry.verify() == ()


@pytest.mark.sr("SR-40")
def test_a_retired_pump_that_was_read_may_be_retired_again_and_is_quiet_then(registry: Registry) -> None:
    registry.record_reading(view(), by=BY)
    registry.retire("SIM-0001", "explanted", at=NOW, by=BY)
    with pytest.raises(Contradiction, match="retired already"):
        registry.retire("SIM-0001", "explanted", at=NOW + DAY, by=BY)
    registry.record_reading(view(NOW + DAY, uptime_ms=101 * DAY_MS), by=BY)
    assert set(findings(registry, NOW + DAY)) == {"retired-pump"}
    registry.retire("SIM-0001", "read on the bench after explantation", at=NOW + 2 * DAY, by=BY)
    assert list(registry.watched()) == []


# ------------------------------------------------------------------------------------------------ why a date moved
def intent(cmd_id: int, kind: CommandKind, what: str, state: str = "applied") -> Intent:
    return Intent(cmd_id, int(kind), bytes([cmd_id]) * 32, b"", what, state, "", json.dumps({}))


@pytest.mark.sr("SR-36")
def test_the_newest_command_that_was_not_known_is_why_a_date_moved(registry: Registry) -> None:
    programmed, bolus = intent(1, CommandKind.CONFIGURE, "program a therapy"), intent(2, CommandKind.BOLUS, "a bolus of 50 mcg")
    registry.record_reading(view(), dates=dates(NOW, 60), by=BY, decisions_here=(programmed,), programmer_id=b"A")
    later, clock = NOW + DAY, intent(3, CommandKind.SET_CLOCK, "set the clock")
    all_of_them = (programmed, bolus, clock)
    moved = dates(later, 50)
    registry.record_reading(view(later, uptime_ms=101 * DAY_MS), dates=moved, by=BY, decisions_here=all_of_them, programmer_id=b"A")
    (pump,) = registry.watched()
    assert (pump.previous_refill_by, pump.moved_because) == ((NOW + 60 * DAY).date(), "a bolus of 50 mcg")
    again = later + DAY  # the same decisions tell nothing new
    registry.record_reading(
        view(again, uptime_ms=102 * DAY_MS), dates=dates(again, 45), by=BY, decisions_here=all_of_them, programmer_id=b"A"
    )
    (pump,) = registry.watched()
    assert (pump.previous_refill_by, pump.moved_because) == ((NOW + 60 * DAY).date(), "a bolus of 50 mcg")


def test_a_reading_handed_in_twice_is_kept_once(registry: Registry) -> None:
    for _ in range(2):
        registry.record_reading(view(), log=(fill_entry(1, DAY_MS, 38_000_000, 0),), dates=dates(), by=BY)
    kept = registry.pump_history("SIM-0001")
    assert (len(kept.readings), len(kept.dates), len(kept.refills)) == (1, 1, 1)


# ------------------------------------------------------------------------------------------------ clocks that were wrong
@pytest.mark.sr("SR-54")
def test_a_reading_of_a_wrong_clock_is_set_aside_and_shown(registry: Registry) -> None:
    """Its interval to the next reading ends before it begins; gone by, it would stay the newest for a year."""
    registry.record_reading(view(NOW, reservoir_nL=30_000_000), dates=dates(NOW, 60), by=BY)
    ahead = NOW + 365 * DAY
    registry.record_reading(view(ahead, uptime_ms=101 * DAY_MS, reservoir_nL=29_000_000), dates=dates(ahead, 60), by="N-99")
    assert findings(registry, NOW + DAY)["clock-ahead"].alert.stage is Stage.DUE
    right = NOW + 2 * DAY
    registry.record_reading(view(right, uptime_ms=102 * DAY_MS, reservoir_nL=28_000_000), dates=dates(right, 58), by=BY)
    (pump,) = registry.watched()
    assert (pump.last_seen, pump.reservoir_nL) == (right, 28_000_000)
    assert pump.dates is not None
    assert pump.dates.refill_by == (NOW + 60 * DAY).date()
    assert "clock-ahead" not in findings(registry, right)
    assert [(one.serial, one.taken_at, one.by) for one in registry.set_aside()] == [("SIM-0001", ahead, "N-99")]
    assert len(registry.pump_history("SIM-0001").readings) == 3
    assert registry.pumps()[0].last_seen == right


@pytest.mark.sr("SR-54")
def test_a_pump_whose_own_clock_went_back_over_a_reset_is_read_by_its_newest_reading(registry: Registry) -> None:
    registry.record_reading(view(NOW, resets=1), dates=dates(NOW, 60), by=BY)
    later = NOW + DAY
    registry.record_reading(view(later, uptime_ms=5 * DAY_MS, resets=2, run_state=RunState.SAFE), dates=dates(later, None), by=BY)
    (pump,) = registry.watched()
    assert (pump.last_seen, pump.run_state) == (later, "safe")
    assert registry.set_aside() == ()


@pytest.mark.sr("SR-54")
def test_clocks_a_little_apart_set_nothing_aside(registry: Registry) -> None:
    registry.record_reading(view(NOW), by=BY)
    registry.record_reading(view(NOW - HOUR / 2, uptime_ms=100 * DAY_MS + 60_000), by=BY)
    assert registry.set_aside() == ()


@pytest.mark.sr("SR-54")
def test_a_count_that_rose_between_two_fills_is_not_known_instead_of_below_zero(registry: Registry) -> None:
    log = (fill_entry(1, DAY_MS, 20_000_000, 0), fill_entry(2, 2 * DAY_MS, 38_000_000, 21_000_000))
    registry.record_reading(view(), log=log, by=BY)
    assert [refill.counted_nL for refill in registry.refill_history("SIM-0001")] == [None, None]
