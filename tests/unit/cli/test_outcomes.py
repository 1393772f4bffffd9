"""Outcomes as they are told: nothing is called applied without its proof."""

from __future__ import annotations

import pytest

from itbpump.cli.guard import CommandError, Output
from itbpump.cli.outcomes import require_applied
from itbpump.link.errors import NoReply, PumpRefused
from itbpump.outcome import Applied, NotApplied, Outcome, Proof, Unknown
from itbpump.wire.messages import BolusState, CommandKind, CommandResult, Error, ErrorCode, LimitCode, Mode
from itbpump.wire.messages import Outcome as PumpOutcome

RESULT = CommandResult(
    programmer=bytes(8), cmd_id=7, kind=CommandKind.CONFIGURE, outcome=PumpOutcome.APPLIED, error=0, error_detail=0, digest=bytes(32),
    revision=2, uptime_ms=0, requested_pulses=0, delivered_pulses=0, doubt_pulses=0, bolus_state=BolusState.IDLE, confirmed=False,
)  # fmt: skip
GOOD = Proof((("mode", Mode.FLEX, Mode.FLEX),))
BAD = Proof((("mode", Mode.FLEX, Mode.STOPPED), ("revision", 2, 2)))


def refusal(code: ErrorCode, detail: int = 0) -> NotApplied:
    return NotApplied(7, PumpRefused(Error(code=code, detail=detail, cmd_id=7)))


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize(
    ("outcome", "code", "words"),
    [
        (Applied(7, RESULT), 1, "the line was lost before it could be read again"),
        (Applied(7, RESULT, BAD), 1, "mode: meant FLEX, the pump says STOPPED"),
        (refusal(ErrorCode.STALE_REVISION), 1, "not applied, nothing changed in the pump"),
        (refusal(ErrorCode.LIMIT, LimitCode.MASS_24H), 4, "this limit cannot be overridden"),
        (Unknown(7, "program a therapy", NoReply("Commit", 10_000, 4)), 5, "OUTCOME UNKNOWN of command 7: program a therapy"),
    ],
)
def test_what_is_not_proved_is_not_called_applied(outcome: Outcome, code: int, words: str) -> None:
    with pytest.raises(CommandError, match=words) as error:
        require_applied(Output(as_json=False), outcome, "/dev/pump")
    assert error.value.code == code
    assert error.value.data["command"] == 7


@pytest.mark.sr("SR-42")
def test_what_is_proved_is(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Applied(7, RESULT, GOOD)
    assert require_applied(Output(as_json=False), outcome, "/dev/pump") is outcome
    assert "Applied as command 7" in capsys.readouterr().out
    assert require_applied(Output(as_json=False), Applied(7, RESULT), "/dev/pump", proven=False).proof is None
