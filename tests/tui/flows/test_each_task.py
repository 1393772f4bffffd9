"""Each task of the table from the menu to the proof, in process: what the pump then runs, what the page says, what the report holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from itbpump.pump import Pump
from itbpump.quantity import Volume
from itbpump.therapy import load_prescription
from itbpump.tui.screens.outcome import OutcomePage
from itbpump.wire.messages import BolusState, Mode, RunState, Status
from itbpump.workflow.facts import with_prescription
from itbpump.workflow.table import TASKS, WALKS
from tests.tui.flows.driving import AS_OF_S, BOLUS, DAY_MS, HOUR_MS, PATIENT, THERAPY, World, desk
from tests.tui.support import ROOT

LENGTHS = {"path_known": "lengths", "length_total": "114", "length_removed": "34", "volume_per_length": "0.0022", "tubing_volume": "0.14"}
PATH = {"path_known": "path", "path_volume": "0.316"}


@dataclass(frozen=True)
class Flow:
    """A task, what is typed, what must be true of the pump, and words of the outcome page and of the report."""

    task: str
    values: Mapping[str, str]
    holds: Callable[[Status], bool]
    reported: str
    rx: str = "flex-weekday-weekend"
    prepare: Callable[[Pump, World], object] | None = None
    proved: bool = True
    host_s: int = AS_OF_S
    more: Mapping[str, object] = field(default_factory=dict)


def stop(pump: Pump, _world: World) -> object:
    return pump.stop()


def from_here(pump: Pump, world: World) -> object:
    """Programmed by this computer ten days ago, so the patient is on record."""
    rx = load_prescription(ROOT / "examples" / "continuous.toml")
    outcome = pump.program(rx, basis=with_prescription({"patient": rx.patient.id}, rx))
    world.advance(10 * DAY_MS)
    return outcome


def run_20_days(_pump: Pump, world: World) -> object:
    world.advance(20 * DAY_MS)
    return world.device.bench("refill", {"fill_nL": 18_000_000, "concentration_ng_per_mL": 2_000_000})


def run_60_days(_pump: Pump, world: World) -> object:
    world.advance(60 * DAY_MS)
    return world.device.bench("refill", {"fill_nL": 38_000_000, "concentration_ng_per_mL": 2_000_000})


def stall(_pump: Pump, world: World) -> object:
    world.advance(HOUR_MS)
    stalled = world.device.bench("stall", {"state": "on"})
    world.advance(5 * HOUR_MS)
    return stalled


FLOWS = (
    Flow("therapy", THERAPY, lambda now: now.mode is Mode.CONTINUOUS and now.flow_nL_per_day == 75_000, "Therapy for patient P-0042"),
    Flow("restore", PATIENT, lambda now: now.run_state is RunState.RUNNING, "Start the stopped therapy again", prepare=stop),
    Flow(
        "revision",
        {"what": "catheter", **PATIENT, **PATH, "concentration": "2000", "mode": "continuous", "dose": "150", "path_volume": "0.25"},
        lambda now: now.mode is Mode.CONTINUOUS,
        "Therapy with a new catheter",
    ),
    Flow("bolus", BOLUS, lambda now: now.bolus_state is BolusState.RUNNING and now.bolus_requested == 10, "Bolus of 10 mcg over 10 min"),
    Flow(
        "prime",
        {**PATIENT, "scope": "catheter", **LENGTHS, "over": "30m"},
        lambda now: now.bolus_state is BolusState.RUNNING and now.bolus_requested == 352,
        "Prime of 0.176 mL",
        rx="continuous",
    ),
    Flow(
        "refill",
        {"patient_id": "P-0042", "aspirated": "33", "filled": "38", "filled_with": "same", "same_concentration": "2000", "lot": "L-1"},
        lambda now: now.reservoir_nL == 39_400_000 and now.mode is Mode.FLEX,
        "Refill of 38 mL",
        prepare=run_60_days,
    ),
    Flow(
        "titrate",
        {"goal": "240"},
        lambda now: now.flow_nL_per_day > 200_000,
        "for patient P-0101: step 1",
        rx="continuous",
        prepare=from_here,
    ),
    Flow(
        "taper",
        {"goal": "100"},
        lambda now: now.flow_nL_per_day == 180_000,
        "for patient P-0101: step 1",
        rx="continuous",
        prepare=from_here,
    ),
    Flow(
        "silence",
        {"alarm": "motor-stall"},
        lambda now: now.alarms[0].silenced_until_ms > now.uptime_ms,
        "Silence",
        prepare=stall,
        proved=False,
    ),
    Flow("alarm-test", {"tone": "critical"}, lambda now: now.run_state is RunState.RUNNING, "Test of the critical tone", proved=False),
    Flow("rebase", {}, lambda now: now.revision == 2, "Move the pump's day", host_s=AS_OF_S + 7_200),
    Flow("clock-label", {}, lambda now: abs(now.wall_s - AS_OF_S - 7_200) < 60, "label", proved=False, host_s=AS_OF_S + 7_200),
)


def test_every_task_of_the_table_is_driven_here() -> None:
    assert {flow.task for flow in FLOWS} == {task.id for task in TASKS}
    assert {walk.id for walk in WALKS} == {"after-mri"}


@pytest.mark.sr("SR-09", "SR-23")
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.task)
async def test_a_task_from_the_menu_to_the_proof(flow: Flow) -> None:
    async with desk(flow.rx, prepare=flow.prepare, host_s=flow.host_s) as at:
        before = await at.status()
        await at.carry_out(flow.task, flow.values)
        assert isinstance(at.page, OutcomePage)
        assert "APPLIED" in at.text, at.text
        assert ("PROVED" in at.text) == flow.proved, at.text
        now = await at.status()
        assert flow.holds(now), now
        assert now.uptime_ms >= before.uptime_ms
        if flow.task != "silence":  # another session ends a silence (SR-56)
            with at.world.connect("") as own:
                assert flow.holds(own.status())
        await at.press("escape")
        assert type(at.page).__name__ in {"TasksPage", "PumpPage"}
        assert flow.reported in at.report(), at.report()


async def test_the_walk_after_an_mri_is_done_point_by_point() -> None:
    async with desk() as at:
        await at.open("after-mri")
        points = len(at.page.steps)
        wait = next(number for number, step in enumerate(at.page.steps) if step.left_ms is not None)
        for _ in range(wait):
            await at.press("space")
        await at.until(lambda: "20 MIN LEFT" in at.seen, "the wait")
        at.world.advance(12 * 60_000)
        await at.until(lambda: "8 MIN LEFT" in at.seen, "the minutes going down")
        at.world.advance(8 * 60_000)
        await at.until(lambda: "THE WAIT IS OVER" in at.seen, "the end of the wait")
        for _ in range(wait, points):
            await at.press("space")
        assert "ALL DONE" in at.text, at.text
        assert len(at.page.done) == points
        await at.press("escape")
        assert "every point of the checklist is done" in at.report()
        assert "ticked early" not in at.report()


@pytest.mark.sr("SR-03")
async def test_a_wait_is_ticked_early_only_with_a_reason() -> None:
    """Neither Enter alone nor Escape ticks it; the reason stands on the page and in the report."""
    async with desk() as at:
        await at.open("after-mri")
        wait = next(step for step in at.page.steps if step.left_ms is not None)
        for _ in range(at.page.steps.index(wait)):
            await at.press("space")
        await at.press("space")
        assert "Why is it ticked now?" in at.seen
        await at.press("enter")
        assert wait.id not in at.page.done
        await at.press("space", "escape")
        assert wait.id not in at.page.done
        await at.press("space")
        await at.type("no beds")
        await at.press("enter")
        assert wait.id in at.page.done
        assert "ATTENTION: ticked early (20 min left): no beds" in at.text
        assert "ticked early (20 min left): no beds" in at.report()


async def test_a_walk_left_before_its_end_asks_first() -> None:
    async with desk() as at:
        await at.open("after-mri")
        await at.press("space", "escape")
        assert "Leave this checklist" in at.seen
        await at.press("n")
        assert len(at.page.done) == 1
        await at.press("escape", "y")
        assert type(at.page).__name__ == "TasksPage"


@pytest.mark.sr("SR-26")
async def test_a_bolus_is_followed_to_its_last_pulse_and_can_be_ended() -> None:
    async with desk() as at:
        await at.carry_out("bolus", BOLUS)
        assert "[#" in at.text or "[." in at.text
        at.world.advance(11 * 60_000)
        await at.until(lambda: at.app.snapshot.view.status.bolus_state is BolusState.DONE, "the end of the bolus")
        assert "F3 ends the bolus" not in at.text
        await at.home()
        await at.carry_out("bolus", {"dose": "5", "over": "30m"})  # who it is for was typed before
        await at.press("f3", "f3")
        await at.until(lambda: "END OF THE BOLUS" in at.text, "the end")
        assert (await at.status()).bolus_state is BolusState.ABORTED
        assert (await at.status()).run_state is RunState.RUNNING
        assert "End of the bolus" in at.report()


@pytest.mark.sr("SR-12", "SR-39")
async def test_a_refill_with_another_concentration_comes_with_its_bridge() -> None:
    values = {
        "aspirated": "33", "filled": "18", "filled_with": "other", **PATIENT, "rinse": "drug", "rinse_volume": "5", "rinse_times": "2",
        "drug": "baclofen", "concentration": "2000", "mode": "continuous", "dose": "200", "bridge": "auto",
    }  # fmt: skip
    async with desk("continuous", prepare=run_20_days) as at:
        drawn = Volume((await at.status()).reservoir_nL)
        await at.carry_out("refill", {**values, "aspirated": f"{(drawn.nL - 1_400_000) // 100_000 / 10:g}"})
        now = await at.status()
        assert (now.bridging, now.concentration_ng_per_mL, now.reservoir_nL) == (True, 2_000_000, 19_400_000)
        await at.press("escape")
        await at.until(lambda: at.app.snapshot.view.status.bridging, "the bridge read")
        assert "Refill with baclofen 2,000 mcg per mL" in at.report()
