"""Each role against each command, over real sessions with a whole pump, beside the table in protocols/itbp1.toml (SR-62, SR-64)."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from itbpump.link.errors import HandshakeFailed
from itbpump.link.programmer import Failed
from itbpump.wire.messages import (
    EMERGENCY_PER_HOUR,
    EMERGENCY_WINDOW_MS,
    AlarmNumber,
    AlarmPriority,
    Close,
    CommandKind,
    Commit,
    ConfigurationSlot,
    ConfirmResult,
    Error,
    ErrorCode,
    GetConfiguration,
    GetInfo,
    GetLog,
    GetReadBack,
    GetResults,
    GetStatus,
    MinimumRate,
    Outcome,
    Ping,
    QueryCommand,
    Request,
    Result,
    ResultScope,
    Role,
    RunState,
    SetClock,
    SilenceAlarm,
    Stage,
    StopBolus,
    StopTherapy,
    encode_configuration,
)
from itbpump.wire.messages import (
    TestAlarm as SoundAlarm,
)
from tests.security.scene import CLINICIAN, EMERGENCY, HOUR_MS, OBSERVER, ROLES_OF, THEN, Scene, prepared

SPEC = tomllib.loads((Path(__file__).resolve().parents[2] / "protocols" / "itbp1.toml").read_text("utf-8"))
REQUESTS = {name: set(row["roles"]) for name, row in SPEC["message"].items() if row["kind"] == "request"}
PAYLOAD = encode_configuration(THEN)
SAMPLES: dict[str, Request] = {
    "GetInfo": GetInfo(),
    "GetStatus": GetStatus(),
    "GetConfiguration": GetConfiguration(ConfigurationSlot.ACTIVE, 0),
    "GetLog": GetLog(0, 5),
    "QueryCommand": QueryCommand(1),
    "GetResults": GetResults(ResultScope.OWN, 0),
    "Ping": Ping(1),
    "Close": Close(),
    "Stage": Stage(1, CommandKind.CONFIGURE, 1, len(PAYLOAD), 0, PAYLOAD),
    "GetReadBack": GetReadBack(1),
    "Commit": Commit(1, bytes(32), 1),
    "StopTherapy": StopTherapy(1),
    "StopBolus": StopBolus(1),
    "MinimumRate": MinimumRate(1),
    "SetClock": SetClock(1, 1_800_000_000),
    "TestAlarm": SoundAlarm(1, AlarmPriority.CRITICAL),
    "SilenceAlarm": SilenceAlarm(1, AlarmNumber.LOW_RESERVOIR),
    "ConfirmResult": ConfirmResult(1),
}
WHO = {"clinician": CLINICIAN, "observer": OBSERVER, "emergency": EMERGENCY}


def test_every_request_and_role_of_the_protocol_is_tried() -> None:
    assert set(SAMPLES) == set(REQUESTS)
    assert set(WHO) == {role.name.lower() for role in Role} == set().union(*REQUESTS.values())


def running() -> Scene:
    """A pump with a running therapy and nobody in session."""
    scene = prepared()
    scene.ask(Close())
    return scene


@pytest.mark.sr("SR-62", "SR-64")
@pytest.mark.parametrize("role", sorted(WHO))
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_role_gets_what_its_row_says_and_a_denial_changes_nothing(role: str, name: str) -> None:
    scene = running()
    scene.pump.magnet(10_000, scene.link_ms)
    link = scene.programmer(WHO[role], seed=11)
    scene.open(link)
    before, status = scene.pump.memory.image(), scene.status(link)
    reply = scene.ask(SAMPLES[name], link)
    denied = isinstance(reply, Error) and reply.code == ErrorCode.ROLE_DENIED
    assert denied is (role not in REQUESTS[name])
    if denied:
        assert scene.pump.memory.image() == before
        assert scene.status(link) == status


@pytest.mark.sr("SR-64")
def test_an_emergency_session_from_the_magnet_to_the_stop() -> None:
    """Near the pump, with the card's key: it displaces the clinician, alarms, may look, go down and stop, and nothing else."""
    scene = prepared()
    clinician = scene.clinician
    assert not scene.pump.magnet(9_999, scene.link_ms)
    emergency = scene.programmer(EMERGENCY, seed=12)
    emergency.connect(scene.link_ms)
    scene.carry(emergency)
    (failed,) = [event for event in scene.events if isinstance(event, Failed)]
    assert isinstance(failed.error, HandshakeFailed)
    assert scene.pump.link.session is not None
    assert scene.pump.link.session.programmer_id == CLINICIAN

    scene.pump.magnet(10_000, scene.link_ms)
    scene.pass_ms(EMERGENCY_WINDOW_MS - 1)
    scene.open(emergency)
    status = scene.status(emergency)
    assert AlarmNumber.EMERGENCY_SESSION in {alarm.alarm for alarm in status.alarms if alarm.priority == AlarmPriority.CRITICAL}
    assert status.run_state is RunState.RUNNING
    flow = status.flow_nL_per_day
    reply = scene.ask(MinimumRate(1), emergency)
    assert isinstance(reply, Result)
    assert reply.result.outcome is Outcome.APPLIED
    status = scene.status(emergency)
    assert status.run_state is RunState.SAFE
    assert status.flow_nL_per_day < flow
    reply = scene.ask(StopTherapy(2), emergency)
    assert isinstance(reply, Result)
    assert scene.status(emergency).run_state is RunState.STOPPED
    pulses = scene.status(emergency).lifetime_pulses
    scene.pass_ms(6 * HOUR_MS)

    # what the clinician had staged went with the session; the clinician finds the alarm, and who did it
    assert scene.staged is not None
    clinician.disconnect()
    scene.open()
    reply = scene.ask(scene.staged[0])
    assert isinstance(reply, Error)
    assert reply.code == ErrorCode.NOT_STAGED
    status = scene.status()
    assert (status.run_state, status.lifetime_pulses, status.last_change_by) == (RunState.STOPPED, pulses, EMERGENCY)


@pytest.mark.sr("SR-64")
def test_the_magnet_counts_for_a_minute_and_three_times_an_hour() -> None:
    scene = running()

    def refused() -> str:
        link = scene.programmer(EMERGENCY, seed=scene.link_ms)
        link.connect(scene.link_ms)
        scene.events.clear()
        scene.carry(link)
        return " ".join(str(event.error) for event in scene.events if isinstance(event, Failed))

    scene.pump.magnet(10_000, scene.link_ms)
    scene.pass_ms(EMERGENCY_WINDOW_MS)
    assert "magnet" in refused()
    for number in range(EMERGENCY_PER_HOUR):
        scene.pump.magnet(10_000, scene.link_ms)
        used = scene.programmer(EMERGENCY, seed=number)
        scene.open(used)
        scene.ask(GetStatus(), used)
        scene.pass_ms(1_000)
    scene.pump.magnet(10_000, scene.link_ms)
    assert refused()
    scene.pump.power_cut()
    scene.pump.power_on()
    scene.pump.magnet(10_000, scene.link_ms)
    assert refused(), "a reset gives no further session"
    scene.pass_ms(HOUR_MS)
    scene.pump.magnet(10_000, scene.link_ms)
    assert refused() == ""


def test_the_scene_has_every_role() -> None:
    assert set(ROLES_OF.values()) == set(Role)


@pytest.mark.sr("SR-64")
def test_hours_after_a_reset_the_emergency_sessions_before_it_keep_nobody_out() -> None:
    scene = running()
    for number in range(EMERGENCY_PER_HOUR):
        scene.pump.magnet(10_000, scene.link_ms)
        used = scene.programmer(EMERGENCY, seed=number)
        scene.open(used)
        scene.ask(GetStatus(), used)
        scene.pass_ms(1_000)
    scene.pump.power_cut()
    scene.pump.power_on()
    scene.pass_ms(6 * HOUR_MS)  # nobody has spoken to it meanwhile
    scene.pump.magnet(10_000, scene.link_ms)
    scene.open(scene.programmer(EMERGENCY, seed=99))
    session = scene.pump.link.session
    assert session is not None
    assert session.programmer_id == EMERGENCY
