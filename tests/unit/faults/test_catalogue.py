"""Every row of the fault catalogue: injected into a whole pump that gives a therapy, it is detected as the row says, and only then."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.bench import BenchError, parse_duration_ms
from firmware_sim.device import SimulatedPump
from firmware_sim.faults import FaultError, Row, UnknownFault, UnsupportedFault, catalogue
from firmware_sim.faults.catalogue import GROUPS, parse_catalogue
from firmware_sim.faults.effects import ACTIONS, CONDITIONS
from firmware_sim.faults.table import markdown
from firmware_sim.firmware.alarm_table import ALARMS
from itbpump.wire.line import Harm
from itbpump.wire.messages import LogKind
from tests.system.rig import Rig
from tests.unit.faults.patient import DAY_MS, FLOW, alarms, check_volumes, log, plan_of, planned, status, treated

ROOT = Path(__file__).resolve().parents[3]
ROWS = catalogue().rows
INJECTED = [row for row in ROWS if row.by == "inject"]
BY_PUMP = [row for row in INJECTED if row.expect.detected_by == "pump"]
MINIMUM_RATE = 6_000
FLOWS = {"continue": FLOW, "minimum rate": MINIMUM_RATE, "stop": 0}
# What lies beside each example and must not be alarmed: less of it, shorter, or once.
QUIET: dict[str, dict[str, object]] = {
    "power.reset-loop": {"count": 2},
    "power.battery-sag": {"permille": 100},
    "power.early-end": {"permille": 200},
    "power.eri-stuck": {"permille": 300},
    "power.battery-noise": {"permille": 100},
    "clock.step-back": {"when": {"on": "time", "nth": "26h30s"}, "by": "1ms"},
    "clock.wrap-32-bit": {"when": {"on": "time", "nth": "40d"}},
    "sensors.encoder-missed": {"percent": 2},
    "sensors.encoder-extra": {"percent": 1, "for": "6h"},
    "mechanical.stall": {"for": "15m"},
    "mechanical.extra-pulse": {"pulses": 2},
    "memory.flip": {"region": "log", "offset": 60_000},
}


def ids(rows: list[Row]) -> list[str]:
    return [row.id for row in rows]


def until_fired(rig: Rig) -> int:
    """Let time pass until the planned fault has happened; the plant's time then. A fault of a write waits for a bolus."""
    pump = rig.pump
    for _ in range(61 * 24):
        if pump.faults.fired:
            return pump.faults.fired[0].at_ms
        next_ms = pump.faults.next_ms()
        if next_ms is None:
            provoke(rig)
        else:
            pump.advance(next_ms - pump.plant.now_ms)
    raise AssertionError("the planned fault never fired")


def provoke(rig: Rig) -> None:
    """A bolus: writes to the memory, and reads them back. A pump that has lost its power takes none."""
    if status(rig.pump) is not None:
        with suppress(BenchError):  # the power may go in the middle of the order
            rig.try_bolus(10, 600)


def seen(pump: SimulatedPump, row: Row, since_ms: int) -> bool:
    if row.expect.alarm:
        return row.expect.alarm in alarms(pump)
    return any(entry.kind is LogKind[row.expect.log] and entry.uptime_ms >= since_ms for entry in log(pump))


# ------------------------------------------------------------------------------------------------ the table itself
def test_all_nine_groups_and_every_fault_have_a_way_in() -> None:
    assert {row.group for row in ROWS} == set(GROUPS)
    assert {row.id for row in INJECTED} == set(ACTIONS) | set(CONDITIONS) | {"power.brown-out"}
    assert {row.harm for row in ROWS if row.by == "line"} == set(Harm)
    assert {row.expect.alarm for row in ROWS} - {""} <= {alarm.id for alarm in ALARMS}
    assert {row.expect.safe_state for row in ROWS} == {*FLOWS, "none"}
    for row in INJECTED:
        assert row.expect.detected_by != "pump" or (row.expect.within and (row.expect.alarm or row.expect.log)), row.id
        assert not (row.lasting and row.id in ACTIONS and row.id not in CONDITIONS), f"{row.id}: what is done at once does not last"
        if row.expect.detected_by == "pump" and row.expect.alarm and not row.id.startswith("memory."):
            assert row.id in QUIET or row.id == "software.random-source", f"{row.id} has no quiet neighbour"


@pytest.mark.parametrize("row", ROWS, ids=ids(list(ROWS)))
def test_a_row_names_tests_and_requirements_that_exist(row: Row) -> None:
    for number in row.srs:
        assert re.fullmatch(r"SR-(0[1-9]|[1-5][0-9]|6[0-4])", number)
    assert row.srs or row.by == "absent"
    for named in row.tests:
        path, _, name = named.partition("::")
        text = (ROOT / path).read_text("utf-8")
        assert f"def {name}(" in text or f'"{name}"' in text, named


@pytest.mark.parametrize(
    ("fault_id", "nearest"),
    [("mechanical.stal", "mechanical.stall"), ("pocketfill", "mechanical.pocket-fill"), ("clock.stall", "mechanical.stall"), ("zzz", "")],
)
def test_an_unknown_fault_is_refused_with_the_nearest(fault_id: str, nearest: str) -> None:
    with pytest.raises(UnknownFault, match="unsupported") as caught:
        catalogue().row(fault_id)
    assert caught.value.nearest == nearest
    assert (f"did you mean {nearest!r}" if nearest else "there are: link.drop") in str(caught.value)


@pytest.mark.parametrize("row", [row for row in ROWS if row.by in ("absent", "scenario")], ids=lambda row: row.id)
def test_what_cannot_be_injected_says_why(row: Row) -> None:
    with pytest.raises(UnsupportedFault) as caught:
        catalogue().injectable(row.id)
    assert caught.value.reason
    with pytest.raises(UnsupportedFault):
        treated().pump.faults.inject(row.id, {})


def test_a_table_that_does_not_hold_together_is_refused() -> None:
    text = (ROOT / "src/firmware_sim/faults/catalogue.toml").read_text("utf-8")
    for wrong, problem in (
        (text.replace('id = "link.duplicate"', 'id = "link.drop"'), "stands twice"),
        (text.replace('by = "line"', 'by = "magic"', 1), "`by` is"),
        (text.replace('id = "power.outage"', 'id = "weather.rain"'), "group.kind"),
        (text.replace('what = "a frame is lost"', 'what = " "'), "may not be empty"),
        (text.replace("lasting = true", "lasting = true\ncolour = 1", 1), "unknown key"),
        (text.replace('detected_by = "person"', 'detected_by = "luck"', 1), "detected_by"),
    ):
        with pytest.raises(FaultError, match=problem):
            parse_catalogue(wrong)


# ------------------------------------------------------------------------------------------------ what the pump detects
@pytest.mark.sr("SR-29", "SR-30", "SR-31", "SR-32", "SR-59", "SR-60")
@pytest.mark.parametrize("row", BY_PUMP, ids=ids(BY_PUMP))
def test_the_pump_detects_it_in_time_and_does_what_the_table_says(row: Row) -> None:
    rig = treated()
    pump = rig.pump
    pump.plan_faults(plan_of(row))
    fired_ms = until_fired(rig)
    since_ms = pump.uptime_ms if row.expect.log else 0
    if row.id == "memory.stuck-cell":
        assert row.expect.alarm not in alarms(pump), "nothing shows before the cell is used"
        provoke(rig)
    # A pulse is due every 144 s; what the motor does shows with the next one.
    pump.advance(fired_ms + parse_duration_ms(row.expect.within) - pump.plant.now_ms)
    assert seen(pump, row, since_ms - parse_duration_ms(row.expect.within)), f"alarms {alarms(pump)}"
    if row.id == "memory.stuck-cell":
        pump.advance(DAY_MS)
    told = status(pump)
    assert told is not None
    assert told.flow_nL_per_day == FLOWS[row.expect.safe_state]
    made = pump.truth.made_pulses
    pump.advance(DAY_MS)
    given = (pump.truth.made_pulses - made) * 500
    assert abs(given - FLOWS[row.expect.safe_state]) <= 1_000 or row.id == "mechanical.stall"
    check_volumes(pump.truth)
    pump.faults.require_all_fired()


@pytest.mark.parametrize("row", [row for row in BY_PUMP if row.id in QUIET], ids=lambda row: row.id)
def test_its_neighbour_stays_quiet(row: Row) -> None:
    rig = treated()
    rig.pump.plan_faults(plan_of(row, **QUIET[row.id]))
    until_fired(rig)
    rig.pump.advance(parse_duration_ms(row.expect.within) + DAY_MS)
    assert row.expect.alarm not in alarms(rig.pump)
    told = status(rig.pump)
    assert told is not None
    assert told.flow_nL_per_day == FLOW
    check_volumes(rig.pump.truth)


@pytest.mark.parametrize("row", BY_PUMP, ids=ids(BY_PUMP))
def test_a_sound_pump_shows_nothing_of_it(row: Row) -> None:
    pump = treated().pump
    pump.advance(55 * DAY_MS)
    assert row.expect.alarm not in alarms(pump) or not row.expect.alarm
    assert sum(entry.kind is LogKind.BOOT for entry in log(pump)) == 1
    assert not pump.faults.fired


# ------------------------------------------------------------------------------------------------ what others have to notice
REFILL_DIFFERENCE_NL = 2_000_000  # SR-38: above it a recorded decision is asked for


def drawn_out_and_expected(pump: SimulatedPump) -> tuple[int, int]:
    told = status(pump)
    assert told is not None
    return pump.plant.aspirate("all").volume_nL, told.reservoir_nL - pump.profile.firmware.residual_nL


PERSON = [row for row in INJECTED if row.expect.detected_by == "person"]
NOBODY = [row for row in INJECTED if row.expect.detected_by == "nobody"]
GAP = [row for row in INJECTED if row.group == "clock" and row.expect.detected_by == "companion"]


@pytest.mark.sr("SR-28", "SR-38")
@pytest.mark.parametrize("row", PERSON, ids=ids(PERSON))
def test_the_refill_shows_it(row: Row) -> None:
    rig = treated()
    rig.pump.plan_faults(plan_of(row))
    rig.pump.advance(60 * DAY_MS)
    rig.pump.faults.require_all_fired()
    assert not alarms(rig.pump)
    check_volumes(rig.pump.truth)
    drawn, expected = drawn_out_and_expected(rig.pump)
    assert abs(drawn - expected) > REFILL_DIFFERENCE_NL


def test_the_refill_of_a_sound_pump_shows_nothing() -> None:
    pump = treated().pump
    pump.advance(60 * DAY_MS)
    drawn, expected = drawn_out_and_expected(pump)
    assert abs(drawn - expected) < REFILL_DIFFERENCE_NL


@pytest.mark.parametrize("row", NOBODY, ids=ids(NOBODY))
def test_nobody_at_the_pump_sees_it_and_the_pump_gives_what_it_should(row: Row) -> None:
    rig, sound = treated(), treated()
    rig.pump.plan_faults(plan_of(row))
    for one in (rig, sound):
        one.pump.advance(30 * DAY_MS)
    assert not alarms(rig.pump)
    assert rig.pump.truth.made_pulses == sound.pump.truth.made_pulses
    assert rig.pump.truth.reservoir_nL == sound.pump.truth.reservoir_nL
    leaks = row.id in ("mechanical.leak", "mechanical.disconnection")
    assert (rig.pump.truth.delivered_nL < sound.pump.truth.delivered_nL) == leaks
    check_volumes(rig.pump.truth)
    rig.pump.faults.require_all_fired()


@pytest.mark.sr("SR-53")
@pytest.mark.parametrize("row", GAP, ids=ids(GAP))
def test_the_hosts_clock_shows_it(row: Row) -> None:
    pump = treated().pump
    pump.plan_faults(plan_of(row))
    pump.advance(14 * 3_600_000 + 2 * 3_600_000)
    assert not alarms(pump)
    assert abs(pump.truth.true_ms - pump.uptime_ms) > 60_000
    check_volumes(pump.truth)


def test_a_clock_that_stands_brings_no_pulse_and_therapy_goes_on_with_it() -> None:
    pump = treated().pump
    pump.plan_faults(plan_of(catalogue().row("clock.stuck")))
    pump.advance(3 * 3_600_000)
    made, shown = pump.truth.made_pulses, pump.uptime_ms
    pump.advance(10 * 3_600_000)
    assert (pump.truth.made_pulses, pump.uptime_ms) == (made, shown)
    pump.advance(DAY_MS)
    assert pump.truth.made_pulses - made >= 550


def test_a_memory_of_another_version_gives_nothing_and_is_not_overwritten() -> None:
    pump = treated().pump
    pump.plan_faults(plan_of(catalogue().row("software.version-pair")))
    pump.advance(DAY_MS)
    made, image = pump.truth.made_pulses, pump.memory.image()
    pump.advance(DAY_MS)
    assert status(pump) is None
    assert (pump.truth.made_pulses, pump.memory.image()) == (made, image)


@pytest.mark.sr("SR-61")
def test_a_log_that_wrapped_tells_its_gap_and_the_chain_holds() -> None:
    pump = treated().pump
    pump.plan_faults(plan_of(catalogue().row("memory.log-wrap")))
    pump.advance(DAY_MS)
    assert log(pump)[0].kind is LogKind.GAP


@pytest.mark.sr("SR-61")
def test_a_log_that_wrapped_since_the_last_change_is_whole_after_a_reset() -> None:
    pump = treated().pump
    pump.plan_faults(plan_of(catalogue().row("memory.log-wrap")))
    pump.advance(DAY_MS)
    pump.power_cut()
    pump.power_on()
    assert not alarms(pump)


def test_a_task_that_runs_twice_gives_one_bolus(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = treated()
    rig.pump.plan_faults(plan_of(catalogue().row("software.double-task")))
    rig.pump.advance(DAY_MS)
    rig.pump.faults.require_all_fired()
    assert rig.pump.faults.active == ("software.double-task",)
    before = status(rig.pump)
    assert before is not None
    handle, calls = rig.pump.firmware.handle, []

    def counted(*arguments: Any) -> Any:
        calls.append(type(arguments[0]).__name__)
        return handle(*arguments)

    monkeypatch.setattr(rig.pump.firmware, "handle", counted)
    rig.bolus(20, 600)
    assert calls.count("Commit") == 2
    rig.pump.advance(3_600_000)
    after = status(rig.pump)
    assert after is not None
    assert after.bolus_counter == before.bolus_counter + 20


def test_every_example_is_a_plan() -> None:
    for row in ROWS:
        if row.by in ("inject", "line"):
            assert planned(row).row is row


def test_the_page_of_faults_shows_the_catalogue() -> None:
    page = (ROOT / "docs" / "faults.md").read_text("utf-8")
    assert markdown() in page, "run `python -m firmware_sim.faults.table` and put what it prints at the end of docs/faults.md"
