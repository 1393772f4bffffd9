"""A whole pump and its supply: when the battery goes flat, what a bench does with the power, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.bench import BenchCall, parse_call
from firmware_sim.device import SimulatedPump
from firmware_sim.endpoints.clock import MANUAL, UptimeClock
from firmware_sim.endpoints.controls import Controls
from firmware_sim.endpoints.keeper import StateKeeper
from firmware_sim.endpoints.opening import load_pump, new_pump, open_line
from firmware_sim.endpoints.simurl import SimUrl
from firmware_sim.state_file import StateFile
from itbpump.wire.messages import BolusState, Configuration, RunState
from tests.system.rig import DAY_MS, HOUR_MS, Rig, configuration, therapies


# ------------------------------------------------------------------------------------------------ a flat battery
def seen(pump: SimulatedPump) -> tuple[object, ...]:
    pulses = [(pulse.at_ms, pulse.number) for pulse in pump.pulses(pump.uptime_ms - 20 * DAY_MS, pump.uptime_ms)]
    return pump.powered, pump.truth, pump.memory.image(), pump.next_event_ms(), pulses


@settings(max_examples=40)
@given(therapies(), st.integers(1, 4), st.integers(0, 25), st.lists(st.integers(0, 40 * DAY_MS), min_size=1, max_size=12))
def test_time_may_be_cut_anyhow_also_where_the_battery_goes_flat(wanted: Configuration, permille: int, bolus: int, cuts: list[int]) -> None:
    whole, pieces = Rig(), Rig()
    for rig in (whole, pieces):
        rig.configure(wanted)
        rig.pump.advance(DAY_MS)
        rig.try_bolus(bolus, 3_600)
        rig.pump.plant.set_battery(permille)
    whole.pump.advance(20 * DAY_MS + sum(cuts))
    for piece in (*cuts, 20 * DAY_MS):
        pieces.pump.advance(piece)
    for rig in (whole, pieces):
        rig.pump.save()  # puts into the memory what is written between events
    assert seen(whole.pump) == seen(pieces.pump)


@pytest.mark.sr("SR-48")
def test_a_pump_with_a_flat_battery_gives_nothing_and_keeps_what_it_gave() -> None:
    rig = Rig()
    rig.configure(configuration())
    rig.pump.advance(DAY_MS)
    rig.pump.plant.set_battery(3)
    rig.pump.advance(400 * DAY_MS)
    made = rig.pump.truth.encoder_pulses
    last_ms = rig.pump.pulses(DAY_MS, rig.pump.uptime_ms)[-1].at_ms
    assert not rig.pump.powered
    assert last_ms < 60 * DAY_MS, "not at the end of the advance"
    rig.pump.plant.set_battery(500)
    rig.pump.power_on()
    assert rig.status().lifetime_pulses == made
    rig.pump.plant.set_battery(0)
    rig.pump.advance(0)
    assert not rig.pump.powered


# ------------------------------------------------------------------------------------------------ the bench's power switch
def controls(pump: SimulatedPump, keeper: StateKeeper) -> Controls:
    return Controls(pump, UptimeClock(MANUAL, 0), keeper, lambda: 10**10, lambda: None)


def power(action: str) -> BenchCall:
    return parse_call(b'{"command": "power", "arguments": {"action": "%s"}}' % action.encode())


@pytest.mark.sr("SR-47")
def test_what_the_bench_does_to_the_power_is_kept_before_it_is_answered(tmp_path: Path) -> None:
    rig = Rig()
    rig.configure(configuration())
    with StateFile(tmp_path / "pump.state") as file:
        keeper = StateKeeper(rig.pump, file)
        keeper.save(0)
        bench = controls(rig.pump, keeper)
        for action, powered in (("cut", False), ("on", True), ("cut", False), ("cycle", True)):
            before = rig.pump.memory_version
            assert bench.carry_out(power(action))["powered"] is powered  # type: ignore[index]
            assert rig.pump.memory_version > before
            assert file.load()["powered"] is powered
            assert load_pump(file).powered is powered


def test_a_flat_battery_is_a_change_to_be_kept() -> None:
    rig = Rig()
    rig.configure(configuration())
    rig.pump.plant.set_battery(0)
    before = rig.pump.memory_version
    rig.pump.advance(HOUR_MS)
    assert rig.pump.memory_version > before


# ------------------------------------------------------------------------------------------------ two pumps are two
@pytest.mark.sr("SR-20", "SR-42")
def test_pumps_of_two_state_files_are_never_the_same_pump(tmp_path: Path) -> None:
    urls = [SimUrl.parse(f"sim://P-40?seed=1&state={tmp_path / name}") for name in "ab"]
    pumps = [new_pump(url) for url in urls]
    assert len({pump.memory.memory_id for pump in pumps}) == 2
    assert len({pump.plant.motor.accuracy_ppm for pump in pumps}) == 1, "the seed still makes the pump"
    seeded = [new_pump(SimUrl.parse("sim://P-40?seed=1")) for _ in range(2)]
    assert len({pump.memory.memory_id for pump in seeded}) == 1


@pytest.mark.sr("SR-63")
def test_a_pump_of_a_file_draws_other_random_bytes_at_each_start(tmp_path: Path) -> None:
    url = SimUrl.parse(f"sim://P-40?seed=1&state={tmp_path / 'p'}")
    drawn = set()
    for _ in range(3):
        line = open_line(url, default_speed=MANUAL)
        assert isinstance(line.device, SimulatedPump)
        drawn.add(line.device._entropy(16))
        line.close()
    assert len(drawn) == 3


@pytest.mark.sr("SR-47", "SR-50")
@pytest.mark.parametrize("write", range(3))
def test_a_power_cut_in_a_write_of_a_patient_bolus_is_a_power_cut(write: int) -> None:
    rig = Rig()
    rig.configure(configuration(patient_pulses=10, patient_duration_min=10, patient_lockout_min=360, patient_max_per_day=3))
    rig.pump.advance(HOUR_MS)
    rig.pump.memory.cut_at(rig.pump.memory.write_index + write, 3)
    assert not rig.pump.patient_request()
    assert not rig.pump.powered
    rig.pump.power_on()
    status = rig.status()
    assert (status.run_state, status.bolus_state is BolusState.RUNNING) == (RunState.RUNNING, False)
