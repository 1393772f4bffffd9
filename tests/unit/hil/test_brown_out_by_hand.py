"""A brown-out by hand happens in a memory write to come, counted from now; whatever resets and plans went before."""

from __future__ import annotations

import pytest

from firmware_sim.bench import BenchError
from firmware_sim.faults import PlanError
from itbpump.wire.messages import LogKind, SetClock
from tests.unit.hil.patients import Patient

WALL_S = 1_777_600_000


def writes_of_a_command(patient: Patient) -> int:
    before = patient.pump.writes
    patient.ask(SetClock(patient.next_id(), WALL_S))
    return patient.pump.writes - before


@pytest.mark.sr("SR-47")
@pytest.mark.parametrize("resets", [0, 2])
def test_supply_fails_in_the_write_that_was_named(resets: int) -> None:
    sound = Patient().treated()
    for _ in range(resets):
        sound.reset()
    count = writes_of_a_command(sound)
    assert count >= 3
    for write in range(1, count + 1):
        patient = Patient().treated()
        for _ in range(resets):
            patient.reset()
        begun = patient.pump.writes
        patient.pump.faults.inject("power.brown-out", {"write": write, "torn": 9})
        assert not patient.pump.faults.fired
        with pytest.raises(BenchError, match="the power went"):
            patient.ask(SetClock(patient.next_id(), WALL_S))
        assert patient.pump.writes == begun + write
        assert [fired.id for fired in patient.pump.faults.fired] == ["power.brown-out"]
        patient.pump.advance(0)
        assert patient.pump.powered
        assert len(patient.log(LogKind.BOOT)) == resets + 2
        writes_of_a_command(patient)  # and never again


def test_write_beyond_the_command_is_another_ones() -> None:
    patient = Patient().treated()
    count = writes_of_a_command(patient)
    patient.pump.faults.inject("power.brown-out", {"write": count + 1, "off": "5s"})
    patient.ask(SetClock(patient.next_id(), WALL_S))
    with pytest.raises(BenchError, match="the power went"):
        patient.ask(SetClock(patient.next_id(), WALL_S))
    patient.pump.advance(4_999)
    assert not patient.pump.powered
    patient.pump.advance(1)
    assert patient.pump.powered


@pytest.mark.parametrize("write", [0, -1, "3", True, 1.5])
def test_write_is_a_whole_number_from_1(write: object) -> None:
    with pytest.raises(PlanError, match="write"):
        Patient().pump.faults.inject("power.brown-out", {"write": write})


def test_other_faults_know_no_write() -> None:
    with pytest.raises(PlanError, match="write"):
        Patient().treated().pump.faults.inject("mechanical.slip", {"write": 2, "percent": 20})
