"""A stop leaves where the disk neither takes nor gives anything, also when it needs a new session."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from itbpump.hoststate import HostState, HostStateError
from itbpump.outcome import Applied
from itbpump.wire.messages import RunState
from tests.proof.scenario import staged_scene


@pytest.mark.sr("SR-42", "SR-33")
@pytest.mark.parametrize("lost", [False, True])
def test_a_stop_leaves_though_the_record_can_neither_be_read_nor_written(lost: bool) -> None:
    scene = staged_scene("stop")
    if lost:
        scene.world.pump.power_cut()
        scene.world.pump.power_on()
    failing = HostStateError("state.db", "disk I/O error")
    with patch.object(HostState, "rows", side_effect=failing), patch.object(type(scene.state), "_write", side_effect=failing):
        outcomes = [scene.pump.stop() for _ in range(2)]  # the first one may meet the end of the old session
    assert isinstance(outcomes[-1], Applied)
    assert scene.world.pump.firmware._machine.state.run_state is RunState.STOPPED
