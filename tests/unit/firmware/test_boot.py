"""The self-test: what the pump does at a start when its memory holds together and yet cannot be trusted."""

from __future__ import annotations

from dataclasses import replace as replace_state

import pytest
from msgspec.structs import replace

from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.boot import Check
from firmware_sim.firmware.core import Firmware
from firmware_sim.firmware.draft import SAFE_STOPPED
from firmware_sim.firmware.durable import Durable
from firmware_sim.firmware.formatting import format_memory
from firmware_sim.firmware.journal import Journal
from firmware_sim.firmware.memory import LAYOUT, Memory
from firmware_sim.profiles import load_profile
from itbpump.link.pump_side import Pairing
from itbpump.wire.messages import ConfirmResult, LogEntry, LogKind, Mode, Outcome, Role, RunState, StopTherapy, encode_configuration
from tests.unit.firmware.rig import BASE, DAY, HOUR, MINUTE, PROFILE, SERIAL, A, FakeHardware, Rig

VALVE = load_profile("V-40").firmware


class ValveRig(Rig):
    """A pump of the model whose safe state is no flow."""

    def __init__(self, memory: Memory | None = None, hardware: FakeHardware | None = None) -> None:
        if memory is None:
            memory = format_memory(b"MEMORYID", SERIAL, VALVE.name)
            memory.pair(Pairing(A, Role.CLINICIAN, bytes(32)))
        self.memory = memory
        self.hardware = hardware or FakeHardware()
        self.firmware = Firmware(VALVE, memory, self.hardware, SERIAL)
        self.firmware.boot(self.hardware.now_ms)


def running(rig: Rig | None = None) -> Rig:
    rig = rig or Rig()
    rig.configure()
    rig.advance(HOUR)
    return rig


def entries(rig: Rig, kind: LogKind) -> list[LogEntry]:
    return [entry for entry in rig.firmware._machine.log.page(0, 1000) if entry.kind is kind]


def up(rig: Rig) -> set[int]:
    return {state.alarm for state in rig.status().alarms}


def flipped(rig: Rig, *places: tuple[str, int]) -> Memory:
    """The pump's memory with one bit turned over at each place."""
    rig.firmware.materialise(rig.now)
    memory = Memory.from_image(rig.memory.image())
    for region, offset in places:
        memory.flip(region, offset, 1)
    return memory


def restarted_with(rig: Rig, configuration: bytes) -> Rig:
    """Started on a whole journal record, CRC and number right, that holds another configuration in force."""
    memory = flipped(rig)
    journal = Journal(memory)
    state = journal.load().state
    assert state is not None
    journal.store(replace_state(state, active=configuration))
    return Rig(memory, rig.hardware)


RESET_CELLS = (("resets", 3), ("resets", 23))
MEANINGLESS = {
    "no configuration": b"\xff" * 80,
    "cut short": encode_configuration(BASE)[:-1],
    "none at all": b"",
    "above the pump's flow": encode_configuration(replace(BASE, flow_nL_per_day=PROFILE.flow_max_nL_per_day + 1)),
    "above the daily mass": encode_configuration(replace(BASE, flow_nL_per_day=1_002_000)),
    "a week of no days": encode_configuration(replace(BASE, mode=Mode.FLEX, flow_nL_per_day=0)),
    "of a drug it does not know": encode_configuration(replace(BASE, drug="water")),
}


@pytest.mark.sr("SR-59", "SR-32", "SR-02")
@pytest.mark.parametrize("configuration", MEANINGLESS.values(), ids=MEANINGLESS)
def test_a_configuration_that_breaks_the_limits_is_never_delivered(configuration: bytes) -> None:
    rig = restarted_with(running(), configuration)
    status = rig.status()
    assert (status.run_state, status.flow_nL_per_day) == (RunState.SAFE, PROFILE.minimum_rate_nL_per_day)
    assert (up(rig), status.digest) == ({Alarm.MEMORY_LOST}, bytes(32))
    assert [(entry.a, entry.b) for entry in entries(rig, LogKind.SELF_TEST_FAILED)] == [(Check.CONFIGURATION, 1)]
    assert not rig.firmware.patient_request(rig.now)
    assert rig.configure().outcome is Outcome.APPLIED
    assert (rig.status().run_state, up(rig)) == (RunState.RUNNING, set())


@pytest.mark.sr("SR-59", "SR-22")
def test_a_stopped_pump_that_lost_its_configuration_stays_stopped() -> None:
    rig = running()
    rig.ask(StopTherapy(cmd_id=rig.next_id()))
    rig = restarted_with(rig, MEANINGLESS["no configuration"])
    made = rig.hardware.made
    rig.advance(DAY)
    assert (rig.status().run_state, up(rig), rig.hardware.made) == (RunState.STOPPED, {Alarm.MEMORY_LOST}, made)


@pytest.mark.sr("SR-32", "SR-33", "SR-59")
def test_a_pump_whose_safe_state_is_no_flow_stops_and_says_so_again_after_its_time() -> None:
    rig = running(ValveRig())
    rig = ValveRig(flipped(rig, ("journal_a", 99), ("journal_b", 99)), rig.hardware)
    made, status = rig.hardware.made, rig.status()
    assert (status.run_state, status.flow_nL_per_day, up(rig)) == (RunState.SAFE, 0, {Alarm.MEMORY_LOST})
    assert [(entry.a, entry.b) for entry in entries(rig, LogKind.SAFE_STATE)] == [(Alarm.MEMORY_LOST, SAFE_STOPPED)]
    rig.advance(VALVE.stopped_alarm_ms - 1)
    assert up(rig) == {Alarm.MEMORY_LOST}
    rig.advance(1)
    assert (up(rig), rig.hardware.made) == ({Alarm.MEMORY_LOST, Alarm.STOPPED_LONG}, made)
    assert rig.configure().outcome is Outcome.APPLIED
    assert (rig.status().run_state, up(rig)) == (RunState.RUNNING, set())


@pytest.mark.sr("SR-59")
def test_a_lost_reset_counter_is_told_and_the_therapy_goes_on() -> None:
    rig = running()
    rig = Rig(flipped(rig, *RESET_CELLS), rig.hardware)
    status = rig.status()
    assert (status.run_state, status.flow_nL_per_day, up(rig)) == (RunState.RUNNING, BASE.flow_nL_per_day, {Alarm.MEMORY_REPAIRED})
    assert [entry.a for entry in entries(rig, LogKind.SELF_TEST_FAILED)] == [Check.CELLS]
    assert len(entries(rig.reset(), LogKind.SELF_TEST_FAILED)) == 1, "it counts again, from the start"


@pytest.mark.sr("SR-32", "SR-59")
def test_a_reset_by_a_weak_battery_is_seen_without_the_reset_counter() -> None:
    rig = running()
    memory = flipped(rig, *RESET_CELLS)
    rig.hardware.drained = 1000 - PROFILE.eri_battery_permille
    rig = Rig(memory, rig.hardware)
    assert {Alarm.LOW_BATTERY_RESET, Alarm.MEMORY_REPAIRED} <= up(rig)
    assert (rig.status().run_state, rig.status().flow_nL_per_day) == (RunState.SAFE, PROFILE.minimum_rate_nL_per_day)


def test_a_first_start_on_a_weak_battery_is_no_reset() -> None:
    rig = Rig(hardware=FakeHardware(drained=1000 - PROFILE.eri_battery_permille))
    assert (rig.status().run_state, up(rig)) == (RunState.UNCONFIGURED, {Alarm.REPLACEMENT})


@pytest.mark.sr("SR-61", "SR-59")
def test_an_erased_log_is_found_even_where_the_journal_has_no_entry_to_put_back() -> None:
    rig = running()
    rig.ask(ConfirmResult(cmd_id=1))
    state: Durable = rig.firmware._machine.state
    assert state.pending_log == ()
    memory = flipped(rig)
    memory.write("log", 0, bytes(LAYOUT["log"].size))
    rig = Rig(memory, rig.hardware)
    assert up(rig) == {Alarm.MEMORY_REPAIRED}
    assert [entry.a for entry in entries(rig, LogKind.SELF_TEST_FAILED)] == [Check.LOG_CHAIN]
    rig.advance(MINUTE)
    assert rig.status().flow_nL_per_day == BASE.flow_nL_per_day
