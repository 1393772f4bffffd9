"""Older firmwares: what a minor version lacks, what stays; and how a firmware is chosen by address and on the command line."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from firmware_sim.defects import defects, generations, pump_type
from firmware_sim.device import SimulatedPump
from firmware_sim.endpoints import EndpointError
from firmware_sim.endpoints.opening import kind_of
from firmware_sim.endpoints.simurl import SimUrl
from firmware_sim.firmware.alarm_table import ALARMS
from itbpump.transport.base import BadUrlError, SimulatorError
from itbpump.transport.sim import SimTransport
from itbpump.wire.messages import (
    CMD_ID_LEAP,
    PROTOCOL_MINOR,
    AlarmNumber,
    AlarmPriority,
    Error,
    ErrorCode,
    GetInfo,
    Info,
    LogKind,
    Request,
    RunState,
    SetClock,
    SilenceAlarm,
    StopBolus,
)
from itbpump.wire.messages import TestAlarm as AlarmTest
from tests.system.rig import DAY_MS
from tests.unit.hil.patients import Patient

OLDER = sorted(generations())
WALL_S = 1_777_600_000


def info(patient: Patient) -> Info:
    reply = patient.ask(GetInfo())
    assert isinstance(reply, Info)
    return reply


def code(reply: object) -> object:
    return reply.code if isinstance(reply, Error) else None


@pytest.mark.parametrize("minor", [*OLDER, PROTOCOL_MINOR])
def test_firmware_tells_its_minor_and_gives_its_therapy(minor: int) -> None:
    patient = Patient(minor=minor).treated()
    assert info(patient).protocol_minor == minor
    patient.pump.advance(DAY_MS)
    told = patient.status()
    assert told.run_state is RunState.RUNNING
    assert told.lifetime_pulses == patient.given() == 600
    patient.reset()
    assert not patient.alarms()


def test_versions_of_firmware_differ() -> None:
    told = [info(Patient(minor=minor)).firmware for minor in (*OLDER, PROTOCOL_MINOR)]
    assert len(set(told)) == len(told)


@pytest.mark.parametrize("minor", [*OLDER, PROTOCOL_MINOR])
@pytest.mark.parametrize("kind", [StopBolus, AlarmTest, SilenceAlarm])
def test_requests_of_later_versions_are_unknown(minor: int, kind: type) -> None:
    patient = Patient(minor=minor).treated()
    asked: dict[type, Request] = {
        StopBolus: StopBolus(patient.next_id()),
        AlarmTest: AlarmTest(patient.cmd_id, AlarmPriority.CRITICAL),
        SilenceAlarm: SilenceAlarm(patient.cmd_id, AlarmNumber.LOW_RESERVOIR),
    }
    before = info(patient).last_cmd_id
    unknown = code(patient.ask(asked[kind])) == ErrorCode.UNKNOWN_MESSAGE
    lacks = minor in generations() and kind.__name__ in generations()[minor].requests
    assert unknown == lacks
    assert (info(patient).last_cmd_id == before) == lacks, "what is unknown takes no command id"


def over_delivery(patient: Patient) -> None:
    patient.pump.faults.inject("mechanical.extra-pulse", {"pulses": 20})
    patient.advance(1)


def resets(patient: Patient) -> None:
    for _ in range(3):
        patient.pump.watchdog_reset()


def random_source(patient: Patient) -> None:
    patient.pump.parts.stick_entropy(0)
    patient.reset()


PROVOKED = {
    AlarmNumber.OVER_DELIVERY: over_delivery,
    AlarmNumber.RESET_LOOP: resets,
    AlarmNumber.RANDOM_SOURCE: random_source,
}


@pytest.mark.parametrize("minor", [*OLDER, PROTOCOL_MINOR])
@pytest.mark.parametrize("alarm", list(PROVOKED))
def test_alarms_of_later_versions_are_missing(minor: int, alarm: AlarmNumber) -> None:
    patient = Patient(minor=minor).treated()
    PROVOKED[alarm](patient)
    lacks = minor in generations() and alarm in generations()[minor].alarms
    assert (alarm in patient.alarms()) == (not lacks)


@pytest.mark.parametrize("minor", [*OLDER, PROTOCOL_MINOR])
def test_watchdog_resets_are_logged_since_minor_2(minor: int) -> None:
    patient = Patient(minor=minor).treated()
    patient.pump.watchdog_reset()
    assert bool(patient.log(LogKind.WATCHDOG_RESET)) == (minor == 2)


@pytest.mark.parametrize("minor", [*OLDER, PROTOCOL_MINOR])
def test_leap_of_a_command_id_is_refused_since_minor_2(minor: int) -> None:
    patient = Patient(minor=minor)
    refused = code(patient.ask(SetClock(CMD_ID_LEAP + 1, WALL_S))) == ErrorCode.OUT_OF_RANGE
    assert refused == (minor == 2)


def test_what_a_minor_adds_the_ones_before_lack() -> None:
    table = generations()
    for older, newer in pairwise(OLDER):
        assert table[older].requests >= table[newer].requests
        assert table[older].alarms >= table[newer].alarms
        assert table[older].log >= table[newer].log
    assert {alarm for row in table.values() for alarm in row.alarms} <= {row.alarm for row in ALARMS}


# --------------------------------------------------------------------------------------------------------------- choosing
@pytest.mark.parametrize("name", list(defects()))
def test_address_chooses_a_firmware(name: str) -> None:
    line = SimTransport.open(f"sim://P-40?fill=38mL&seed=1&firmware={name}")
    assert type(line.device) is pump_type(name)
    line.close()


def test_address_chooses_a_minor_version(tmp_path: Path) -> None:
    line = SimTransport.open("sim://P-20?minor=1")
    assert type(line.device) is pump_type(minor=1)
    line.close()
    line = SimTransport.open("sim://P-40?firmware=sound")
    assert type(line.device) is SimulatedPump
    line.close()


def test_configured_and_kept_pumps_run_the_firmware_too(tmp_path: Path) -> None:
    rx = Path(__file__).parents[3] / "examples" / "continuous.toml"
    url = f"sim://?rx={rx}&state={tmp_path / 'pump'}&firmware=low-alarm-late"
    for _ in range(2):
        line = SimTransport.open(url)
        assert type(line.device) is pump_type("low-alarm-late")
        line.close()


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("firmware=over-deliver", "did you mean over-delivers"),
        ("minor=9", "there are 0, 1, 2"),
        ("firmware=over-delivers&minor=1", "give one of them"),
    ],
)
def test_address_of_no_firmware_is_refused(query: str, says: str) -> None:
    with pytest.raises(SimulatorError, match=says):
        SimTransport.open(f"sim://P-40?{query}")


@pytest.mark.parametrize("text", ["x", "01", "-1", "1.0", "1000"])
def test_minor_is_a_whole_number(text: str) -> None:
    with pytest.raises(BadUrlError, match="minor"):
        SimTransport.open(f"sim://P-40?minor={text}")


def test_plain_address_is_the_sound_pump() -> None:
    asked = SimUrl.parse("sim://P-40")
    assert (asked.firmware, asked.minor) == (None, None)
    assert kind_of() is SimulatedPump
    with pytest.raises(EndpointError, match=r"defects\.toml"):
        kind_of("nonsense-of-a-name")


def test_sound_pump_loads_no_table_of_generations() -> None:
    """A sound pump does not read the tables: its start costs nothing of them."""
    defects.cache_clear()
    generations.cache_clear()
    SimTransport.open("sim://P-40").close()
    assert (defects.cache_info().currsize, generations.cache_info().currsize) == (0, 0)


@pytest.mark.parametrize("name", ["over-deliver", "minor-9"])
def test_command_line_refuses_what_there_is_not(name: str) -> None:
    from itbpump.cli.main import app
    from tests.command_line import CliRunner

    done = CliRunner().invoke(app, ["sim", "--firmware", name])
    assert done.exit_code == 2
    assert "--firmware" in done.output + done.stderr
