"""The run state of a whole pump against the table `therapy`: every row is driven, and what is not a row moves nothing (SR-21, SR-23)."""

from __future__ import annotations

import hashlib

import pytest
from msgspec.structs import replace

from itbpump.link.tables import MACHINES, Transition
from itbpump.wire.messages import (
    CommandKind,
    Commit,
    ErrorCode,
    Mode,
    Outcome,
    Result,
    RunState,
    Stage,
    StopTherapy,
    encode_configuration,
)
from itbpump.wire.messages import MinimumRate as ToMinimumRate
from tests.system.rig import DAY_MS, HOUR_MS, WHO, Rig, configuration

ROWS = MACHINES["therapy"].transitions
EVENTS = sorted({row.on for row in ROWS})
STATES = {"unconfigured": RunState.UNCONFIGURED, "stopped": RunState.STOPPED, "running": RunState.RUNNING, "safe": RunState.SAFE}


def pump_in(state: str) -> Rig:
    """A pump brought into a state by its own commands."""
    rig = Rig()
    if state in ("running", "safe"):
        rig.configure(configuration())
    if state == "stopped":
        rig.configure(configuration(start=False))
    if state == "safe":
        fire(rig, "minimum_rate")
    rig.pump.advance(HOUR_MS)
    assert rig.status().run_state is STATES[state]
    return rig


def fire(rig: Rig, event: str) -> None:
    """Make the event happen; what the pump refuses has no effect."""
    first = rig.status().revision == 0
    wanted = configuration(reservoir_set=first, reservoir_volume_nL=38_000_000 if first else 0)
    changes: dict[str, dict[str, object]] = {
        "commit_start": {"start": True},
        "commit_hold": {"start": False},
        "commit_stopped": {"start": False, "mode": Mode.STOPPED, "flow_nL_per_day": 0},
    }
    if event in changes:
        rig.staged(CommandKind.CONFIGURE, encode_configuration(replace(wanted, **changes[event])))
    elif event == "stop":
        rig.cmd_id += 1
        rig.pump.order(StopTherapy(rig.cmd_id), WHO)
    elif event == "minimum_rate":
        rig.cmd_id += 1
        rig.pump.order(ToMinimumRate(rig.cmd_id), WHO)
    elif event == "fault_minimum_rate":
        rig.pump.power_cut()
        for slot in ("journal_a", "journal_b"):
            rig.pump.memory.flip(slot, 20, 0)
        rig.pump.power_on()
    else:
        assert event == "fault_stop"
        rig.pump.plant.set_battery(rig.pump.profile.firmware.eri_battery_permille - 1)  # service ends 90 days later
        rig.pump.advance(95 * DAY_MS)


@pytest.mark.sr("SR-21")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.source}-{row.on}")
def test_every_row_moves_the_pump_as_it_says(row: Transition) -> None:
    rig = pump_in(row.source)
    fire(rig, row.on)
    assert rig.status().run_state is STATES[row.target]
    delivering = row.do in ("start", "switch", "minimum_rate") or (row.do == "hold" and row.target == "safe")
    assert (rig.status().flow_nL_per_day > 0) is delivering


OTHER = [(state, event) for state in STATES for event in EVENTS if (state, event) not in {(row.source, row.on) for row in ROWS}]


@pytest.mark.sr("SR-21")
@pytest.mark.parametrize(("state", "event"), [pair for pair in OTHER if not pair[1].startswith("fault")])
def test_what_is_no_row_leaves_the_state_as_it_is(state: str, event: str) -> None:
    rig = pump_in(state)
    fire(rig, event)
    assert rig.status().run_state is STATES[state]


@pytest.mark.sr("SR-32")
@pytest.mark.sr("SR-45")
def test_what_was_reviewed_before_a_safe_state_cannot_be_committed_after_it() -> None:
    rig = pump_in("running")
    reviewed = rig.status().revision
    fire(rig, "fault_stop")
    assert rig.status().revision > reviewed
    payload = encode_configuration(configuration(reservoir_set=False, reservoir_volume_nL=0))
    rig.cmd_id += 1
    rig.pump.order(Stage(rig.cmd_id, CommandKind.CONFIGURE, reviewed, len(payload), 0, payload), WHO)
    reply = rig.pump.order(Commit(rig.cmd_id, hashlib.sha256(payload).digest(), reviewed), WHO)
    assert isinstance(reply, Result)
    assert (reply.result.outcome, reply.result.error) == (Outcome.REFUSED, ErrorCode.STALE_REVISION)
