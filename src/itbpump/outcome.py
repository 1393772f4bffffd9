"""What became of a state-changing command, as the person is told (safety 4.2, SR-42).

`Applied` and `NotApplied` are said only with proof from the pump; everything else is `Unknown`, which blocks everything but a stop until
`Pump.reconcile()` has asked, or a person has settled it by hand. An exception is never used for an outcome. `note`, empty as a rule, is
what the person must be told besides.
"""

from __future__ import annotations

from dataclasses import dataclass

from itbpump.errors import ItbPumpError
from itbpump.hoststate import Intent
from itbpump.link.errors import PumpRefused
from itbpump.link.transaction import CommandFailed
from itbpump.wire.messages import BolusState, CommandResult

__all__ = ["Applied", "BolusGiven", "DosingBlocked", "Interrupted", "NotApplied", "NothingOpen", "Outcome", "Proof", "Unknown"]


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
    note: str = ""

    @property
    def bolus(self) -> BolusGiven:
        """For a bolus: how far it has come."""
        result = self.result
        return BolusGiven(result.requested_pulses, result.delivered_pulses, result.doubt_pulses, result.bolus_state)


@dataclass(frozen=True, slots=True)
class NotApplied:
    """The command did not take effect as ordered and never will; `reason` says why."""

    cmd_id: int
    reason: ItbPumpError
    note: str = ""

    @property
    def nothing_changed(self) -> bool:
        """The pump is as it was. False after a fault of its memory: it may have stopped or gone to its minimum rate; read its status."""
        refusal = self.reason.refusal if isinstance(self.reason, CommandFailed) else self.reason
        return not (isinstance(refusal, PumpRefused) and refusal.memory_fault)


@dataclass(frozen=True, slots=True)
class Unknown:
    """The line was lost while the pump may have taken the command. For baclofen neither "given" nor "not given" is the safe guess."""

    cmd_id: int
    what: str
    cause: ItbPumpError
    note: str = ""


Outcome = Applied | NotApplied | Unknown


class DosingBlocked(ItbPumpError):
    """Commands with unknown outcome stand open; `intents` are they."""

    def __init__(self, intents: list[Intent]) -> None:
        self.intents = intents
        listed = ", ".join(f"{intent.what} (command {intent.cmd_id})" for intent in intents)
        super().__init__(
            f"it is not known what became of: {listed}; nothing but a stop is sent before that is settled; run: itbpump reconcile URL"
        )


class NothingOpen(ItbPumpError):
    """There is no command of this id whose outcome is not known."""

    def __init__(self, cmd_id: int) -> None:
        self.cmd_id = cmd_id
        super().__init__(f"command {cmd_id} is not open, so there is nothing to settle; see which are: itbpump reconcile URL")


class Interrupted(KeyboardInterrupt):
    """The person interrupted while command `cmd_id` was under way. `outcome` is what was known by then; None: the pump must be asked."""

    def __init__(self, cmd_id: int, what: str, outcome: Applied | NotApplied | None = None) -> None:
        self.cmd_id, self.what, self.outcome = cmd_id, what, outcome
        super().__init__(f"interrupted in command {cmd_id}, {what}")
