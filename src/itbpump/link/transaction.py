"""One staged command on the programmer's side, sans-IO: STAGE → read-back → COMMIT (safety 4.2).

Ask `next_request`, give the answer to `replied` or `lost`, until it returns None; then `state` is applied, not_applied or unknown.
The human has confirmed before the first fragment; the read-back is compared by machine. `verdict` is the one judge of whether a result
of the pump is about the command that was meant; it serves commands of one message too. Not modelled: asking later what became of an
unknown command over a new session feeds `queried`, but opening that session is the caller's task.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from enum import Enum
from typing import assert_never

from itbpump.errors import ItbPumpError
from itbpump.link.errors import LinkError, PumpRefused
from itbpump.link.machine import StateMachine
from itbpump.wire.messages import (
    FRAGMENT_BYTES,
    STAGED_BYTES,
    CommandKind,
    CommandResult,
    Commit,
    Error,
    GetReadBack,
    Outcome,
    ReadBack,
    Reply,
    Request,
    Result,
    Stage,
    Staged,
)

__all__ = ["CommandFailed", "OtherCommand", "ReadBackDiffers", "Transaction", "UnexpectedReply", "Verdict", "verdict"]


class Verdict(Enum):
    """What a result of the pump says of the command that was meant."""

    APPLIED = "it took effect"
    REFUSED = "it was refused, and the refusal is kept"
    NEVER_SEEN = "the pump never took it"
    OTHER = "it is about another command"


def verdict(result: CommandResult, cmd_id: int, kind: int, digest: bytes) -> Verdict:
    """Judge a result: a stored one must carry the kind and digest of what was meant, not only its id."""
    if result.cmd_id != cmd_id:
        return Verdict.OTHER
    if result.outcome == Outcome.UNKNOWN_COMMAND:
        return Verdict.NEVER_SEEN
    if (result.kind, result.digest) != (kind, digest):
        return Verdict.OTHER
    return Verdict.APPLIED if result.outcome == Outcome.APPLIED else Verdict.REFUSED


class ReadBackDiffers(LinkError):
    """The pump understood something else than was meant; nothing was committed. `differences` name field, meant and read value."""

    def __init__(self, differences: tuple[str, ...]) -> None:
        self.differences = differences
        super().__init__(
            f"the pump read the command differently and it was not committed: {'; '.join(differences)}; report this with a capture"
        )


class UnexpectedReply(LinkError):
    """The pump answered with a message that does not fit the question."""

    def __init__(self, asked: str, reply: Reply) -> None:
        self.asked, self.reply = asked, reply
        super().__init__(f"{type(reply).__name__} is no answer to {asked}; the pump's firmware does not follow the protocol")


class OtherCommand(LinkError):
    """The pump's result under the command's id is that of another command, so it proves nothing."""

    def __init__(self, cmd_id: int, result: CommandResult) -> None:
        self.cmd_id, self.result = cmd_id, result
        super().__init__(
            f"another command took this id: the pump keeps {_kind(result)} as command {result.cmd_id}, which is not what was meant as "
            f"command {cmd_id}; is this host state a copy that is used elsewhere, or restored from a backup? use one copy only"
        )


def _kind(result: CommandResult) -> str:
    return result.kind.name.lower().replace("_", " ")


class CommandFailed(LinkError):
    """The pump stored the command as refused; it had no effect and never will."""

    def __init__(self, result: CommandResult) -> None:
        self.result = result
        self.refusal = PumpRefused(Error(code=result.error, detail=result.error_detail, cmd_id=result.cmd_id))
        super().__init__(str(self.refusal))


class Transaction:
    """State of one staged command.

    `payload` are canonical bytes (1 to STAGED_BYTES); `compare(read_back)` returns differences, empty when the pump understood what was
    meant. Raises ValueError for a payload of another size.
    """

    def __init__(
        self,
        cmd_id: int,
        kind: CommandKind,
        payload: bytes,
        base_revision: int,
        compare: Callable[[ReadBack], tuple[str, ...]],
    ) -> None:
        if not 1 <= len(payload) <= STAGED_BYTES:
            raise ValueError(f"payload of {len(payload)} bytes; allowed are 1 to {STAGED_BYTES}")
        self.cmd_id = cmd_id
        self.kind = kind
        self.digest = hashlib.sha256(payload).digest()
        self.result: CommandResult | None = None
        self.error: ItbPumpError | None = None
        self._payload = payload
        self._base_revision = base_revision
        self._compare = compare
        self._machine = StateMachine("transaction")
        self._received = 0
        self._fragments_left = 4 * (len(payload) // FRAGMENT_BYTES + 2)

    @property
    def state(self) -> str:
        """State of the machine `transaction`."""
        return self._machine.state

    @property
    def finished(self) -> bool:
        """No further request follows."""
        return self.state in ("applied", "not_applied", "unknown")

    def next_request(self) -> Request | None:
        """The request to send now; None when finished."""
        if self.state == "staging":
            fragment = self._payload[self._received : self._received + FRAGMENT_BYTES]
            return Stage(
                cmd_id=self.cmd_id,
                kind=self.kind,
                base_revision=self._base_revision,
                total_length=len(self._payload),
                offset=self._received,
                fragment=fragment,
            )
        if self.state == "reading_back":
            return GetReadBack(cmd_id=self.cmd_id)
        if self.state == "committing":
            return Commit(cmd_id=self.cmd_id, digest=self.digest, base_revision=self._base_revision)
        return None

    def replied(self, reply: Reply) -> None:
        """The answer to the request given out last."""
        if isinstance(reply, Error):
            self._error(PumpRefused(reply))
        elif self.state == "staging":
            self._staged(reply)
        elif self.state == "reading_back":
            self._read_back(reply)
        elif self.state == "committing":
            self._committed(reply)

    def lost(self, error: ItbPumpError) -> None:
        """No answer came to the request given out last."""
        self.error = error
        self._machine.fire("lost")

    def queried(self, result: CommandResult) -> None:
        """In state unknown: the pump's answer to QueryCommand, asked after the commit could no longer arrive."""
        self._conclude(result)

    def _error(self, error: LinkError) -> None:
        self.error = error
        self._machine.fire("error")

    def _staged(self, reply: Reply) -> None:
        self._fragments_left -= 1
        if not isinstance(reply, Staged) or reply.cmd_id != self.cmd_id or self._fragments_left <= 0:
            self._error(UnexpectedReply("Stage", reply))
            return
        if reply.complete:
            self._machine.fire("staged_all")
            return
        if not 0 <= reply.received < len(self._payload):
            self._error(UnexpectedReply("Stage", reply))
            return
        self._received = reply.received
        self._machine.fire("staged_part")

    def _read_back(self, reply: Reply) -> None:
        if not isinstance(reply, ReadBack):
            self._error(UnexpectedReply("GetReadBack", reply))
            return
        differences = tuple(
            f"{name}: meant {meant}, pump says {read}"
            for name, meant, read in (
                ("cmd_id", self.cmd_id, reply.cmd_id),
                ("kind", self.kind, reply.kind),
                ("digest", self.digest.hex(), reply.digest.hex()),
                ("base_revision", self._base_revision, reply.base_revision),
            )
            if meant != read
        )
        differences += self._compare(reply)
        if differences:
            self.error = ReadBackDiffers(differences)
            self._machine.fire("different")
        else:
            self._machine.fire("equal")

    def _committed(self, reply: Reply) -> None:
        if isinstance(reply, Result) and reply.result.outcome != Outcome.UNKNOWN_COMMAND:
            self._conclude(reply.result)
        else:
            # Something authentic but wrong answered a commit: whether it took effect is not known.
            self.lost(UnexpectedReply("Commit", reply))

    def _conclude(self, result: CommandResult) -> None:
        self.result = result
        match verdict(result, self.cmd_id, self.kind, self.digest):
            case Verdict.APPLIED:
                self._machine.fire("applied")
            case Verdict.REFUSED:
                self.error = CommandFailed(result)
                self._machine.fire("refused")
            case Verdict.NEVER_SEEN:
                self._machine.fire("never_seen")
            case Verdict.OTHER:
                self.error = OtherCommand(self.cmd_id, result)
                self._machine.fire("lost")
            case unreachable:
                assert_never(unreachable)
