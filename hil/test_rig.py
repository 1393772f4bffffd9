"""The rig itself: each fixture once, the same on every rig. Run this first when a new bench is set up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from itbpump.hil.fixtures import Clock, LinkFaults, Measure, Plant, Power, PumpUnderTest
from itbpump.outcome import Applied
from itbpump.wire.messages import AlarmNumber, LogKind, RunState

DAY = "200 mcg/day"  # of 2000 mcg/mL: 0.1 mL, 200 pulses of 500 nL


def test_pump_tells_who_it_is(pump: PumpUnderTest) -> None:
    assert len(pump.info.serial) == 8
    assert pump.status().uptime_ms >= 0


def test_program_runs_as_prescribed(pump: PumpUnderTest) -> None:
    assert isinstance(pump.program(pump.rx(DAY)), Applied)
    status = pump.status()
    assert status.run_state is RunState.RUNNING
    assert status.flow_nL_per_day == 100_000
    configuration = pump.configuration()
    assert configuration is not None
    assert configuration.flow_nL_per_day == 100_000


@pytest.mark.needs("plant-truth")
def test_bolus_leaves_the_pump(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure, events: Callable[[str], None]) -> None:
    pump.program(pump.rx(DAY))
    before_nL = plant.delivered_nL()
    pump.bolus("25 mcg", "10m")
    events("bolus started")
    clock.until(lambda: pump.status().bolus_left_ms == 0, within="15m", step="1m", what="the end of the bolus")
    # 25 mcg are 12,500 nL; the therapy goes on besides, and a pump may be 14.5 % off.
    measure("given in the bolus", plant.delivered_nL() - before_nL, "nL", lo=10_500, hi=16_500)


@pytest.mark.needs("plant-pulses")
def test_pulses_are_what_the_pump_counts(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure) -> None:
    pump.program(pump.rx("1920 mcg/day"))
    began_ms = clock.uptime_ms()
    clock.advance("1h")
    listed = plant.pulses(began_ms, clock.uptime_ms())
    assert [pulse.number for pulse in listed] == list(range(listed[0].number, listed[0].number + len(listed)))
    measure("pulses in an hour", len(listed), "pulses", lo=78, hi=90)  # 80, and what a rig in real time takes on top
    assert pump.status().lifetime_pulses >= len(listed)


@pytest.mark.needs("power-control")
@pytest.mark.sr("SR-24")
def test_power_cut_is_survived_and_logged(pump: PumpUnderTest, power: Power, clock: Clock) -> None:
    pump.program(pump.rx(DAY))
    before = pump.status()
    power.cut()
    clock.advance("1m")
    power.on()
    after = pump.status()
    assert after.run_state is RunState.RUNNING
    assert after.revision == before.revision
    assert after.resets == before.resets + 1
    assert any(entry.kind is LogKind.BOOT for entry in pump.log())


@pytest.mark.needs("link-faults")
def test_program_over_a_line_that_loses_frames(pump: PumpUnderTest, link_faults: LinkFaults, hil_seed: int) -> None:
    with link_faults(f"drop=20%,duplicate=10%,seed={hil_seed % 1000}") as line:
        pump.program(pump.rx(DAY))
        for _ in range(10):
            pump.status()
    assert line.fired
    assert pump.status().revision == 1


@pytest.mark.needs("bench-hands")
def test_hands_reach_the_pump(pump: PumpUnderTest, plant: Plant, measure: Measure) -> None:
    pump.program(pump.rx(DAY))
    before_nL = plant.reservoir_nL()
    measure("drawn out", plant.needle(fill="5 mL", aspirate="10 mL"), "nL", lo=10_000_000, hi=10_000_000)
    measure("in it now", before_nL - plant.reservoir_nL(), "nL", lo=5_000_000, hi=5_010_000)
    assert plant.battery(500) == 500
    assert not plant.patient_request(), "no patient bolus is prescribed"
    plant.magnet("5s")


@pytest.mark.needs("fault-injection")
@pytest.mark.sr("SR-30")
def test_stall_is_found_by_the_pump(pump: PumpUnderTest, plant: Plant, clock: Clock) -> None:
    pump.program(pump.rx("1920 mcg/day"))
    plant.fault("mechanical.stall")
    assert not pump.status().alarms
    clock.until(lambda: pump.status().alarms, within="4h", step="5m", what="the stall alarm")
    assert AlarmNumber.MOTOR_STALL in {alarm.alarm for alarm in pump.status().alarms}


@pytest.mark.parametrize(
    ("state", "runs", "sounds"),
    [("idle", False, False), ("infusing", True, False), ("alarm", True, True)],
    ids=["idle", "infusing", "alarm"],
)
def test_states_are_reached(pump: PumpUnderTest, state: str, runs: bool, sounds: bool) -> None:
    pump.to("infusing")
    pump.to(state)
    status = pump.status()
    assert (status.run_state is RunState.RUNNING) == runs
    assert bool(status.alarms) == sounds


@pytest.mark.needs("power-control")
def test_state_off_and_back(pump: PumpUnderTest) -> None:
    pump.to("infusing")
    pump.to("off")
    pump.to("idle")
    assert pump.status().run_state is RunState.STOPPED


def test_line_takes_raw_bytes(pump: PumpUnderTest) -> None:
    line = pump.line()
    line.write(b"\x00no frame\x00")
    assert line.read(200) == b"", "noise is not answered"
    assert pump.status() is not None


@pytest.mark.needs("bench-hands")
def test_second_programmer(pump: PumpUnderTest) -> None:
    pump.program(pump.rx(DAY))
    other = pump.by("night shift")
    assert other.status().others_unconfirmed in (0, 1)
    other.stop()
    assert pump.status().run_state is RunState.STOPPED


@pytest.mark.reset("session")
def test_session_scope_leaves_the_pump_as_it_was(pump: PumpUnderTest) -> None:
    assert pump.status().uptime_ms >= 0
    first = pump.session()
    assert pump.session() is first
    assert pump.reconnect() is not first
