"""What became of a state-changing command, as the person is told (safety 4.2, SR-42).

`Applied` and `NotApplied` are said only with proof from the pump; everything else is `Unknown`, which blocks further dosing until
`Pump.reconcile()` has asked. An exception is never used for an outcome.
"""

from __future__ import annotations

from dataclasses import dataclass

from itbpump.errors import ItbPumpError
from itbpump.hoststate import Intent
from itbpump.wire.messages import BolusState, CommandResult

__all__ = ["Applied", "BolusGiven", "DosingBlocked", "NotApplied", "Outcome", "Proof", "Unknown"]


@dataclass(frozen=True, slots=True)
class Proof:
    """Read from the pump after the commit: `checks` are (what, meant, found); it holds when all agree."""

    checks: tuple[tuple[str, object, object], ...]

    @property
    def holds(self) -> bool:
        """Everything read equals what was meant."""
        return all(meant == found for _, meant, found in self.checks)

    @property
    def failures(self) -> tuple[tuple[str, object, object], ...]:
        """The checks that do not agree."""
        return tuple(check for check in self.checks if check[1] != check[2])


@dataclass(frozen=True, slots=True)
class BolusGiven:
    """Pulses of a bolus: `doubt` of them may or may not have been given (at most one for each reset)."""

    requested: int
    delivered: int
    doubt: int
    state: BolusState


@dataclass(frozen=True, slots=True)
class Applied:
    """The pump says that the command took effect, once. `proof` is None where the line was lost before it could be read."""

    cmd_id: int
    result: CommandResult
    proof: Proof | None = None

    @property
    def bolus(self) -> BolusGiven:
        """For a bolus: how far it has come."""
        result = self.result
        return BolusGiven(result.requested_pulses, result.delivered_pulses, result.doubt_pulses, result.bolus_state)


@dataclass(frozen=True, slots=True)
class NotApplied:
    """The command had no effect and never will; `reason` says why."""

    cmd_id: int
    reason: ItbPumpError


@dataclass(frozen=True, slots=True)
class Unknown:
    """The line was lost while the pump may have taken the command. For baclofen neither "given" nor "not given" is the safe guess."""

    cmd_id: int
    what: str
    cause: ItbPumpError


Outcome = Applied | NotApplied | Unknown


class DosingBlocked(ItbPumpError):
    """Commands with unknown outcome stand open; `intents` are they."""

    def __init__(self, intents: list[Intent]) -> None:
        self.intents = intents
        listed = ", ".join(f"{intent.what} (command {intent.cmd_id})" for intent in intents)
        super().__init__(
            f"it is not known what became of: {listed}; nothing that doses is sent before that is settled; run: itbpump reconcile URL"
        )
