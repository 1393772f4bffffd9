"""What a full ring of results pushes out, and what never."""

from __future__ import annotations

import pytest

from itbpump.wire.messages import CommandKind, Outcome, QueryCommand, StopTherapy, encode_configuration
from tests.unit.firmware.rig import BASE, Rig, result_of


@pytest.mark.sr("SR-42", "SR-44")
def test_stops_push_out_no_dose_that_is_not_confirmed_be_it_a_refused_one() -> None:
    rig = Rig()
    rig.configure()
    refused = result_of(rig.commit(encode_configuration(BASE), CommandKind.CONFIGURE, base=rig.status().revision + 7))
    assert refused.outcome is Outcome.REFUSED
    for _ in range(30):
        rig.ask(StopTherapy(cmd_id=rig.next_id()))
    for cmd_id, outcome in ((1, Outcome.APPLIED), (refused.cmd_id, Outcome.REFUSED)):
        assert result_of(rig.ask(QueryCommand(cmd_id=cmd_id))).outcome is outcome
