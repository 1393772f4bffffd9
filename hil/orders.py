"""Commands in pieces, for what the client would not send: staged here, committed there, with figures that nobody has checked.

It speaks over the session of the `pump` fixture, under command ids of its own; after it has taken some, `pump.reconnect()` tells the client
how far they have come. Not here: bytes that are no messages (`pump.line()`).
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from hil.commands import bolus_payload, commit_of, fragments
from itbpump.hil.fixtures import PumpUnderTest
from itbpump.wire.messages import (
    BolusKind,
    CommandKind,
    CommandResult,
    Configuration,
    Error,
    ErrorCode,
    GetInfo,
    Info,
    Outcome,
    QueryCommand,
    Reply,
    Request,
    Result,
    Staged,
    encode_configuration,
)

__all__ = ["Orders", "applied", "refusal"]


def applied(reply: Reply) -> bool:
    """Whether the pump has carried it out."""
    return isinstance(reply, Result) and reply.result.outcome is Outcome.APPLIED


def refusal(reply: Reply) -> tuple[ErrorCode, int] | None:
    """Why the pump has refused it, with the detail; None if it has not."""
    match reply:
        case Error(code=code, detail=detail):
            return ErrorCode(code), detail
        case Result(result=CommandResult(outcome=Outcome.REFUSED, error=error, error_detail=detail)):
            return ErrorCode(error), detail
        case _:
            return None


class Orders:
    """Commands to one pump, in its present session. `patience_ms`: how long to wait for a reply, where the client's own is too long."""

    def __init__(self, pump: PumpUnderTest, patience_ms: int | None = None) -> None:
        self._pump = pump
        self._patience_ms = patience_ms

    def send(self, request: Request) -> Reply:
        """One request and its reply, whatever it is. Raises NoReply, SessionLost."""
        session = self._pump.session().session
        return session.send(request, None if self._patience_ms is None else session.now_ms() + self._patience_ms)

    def next_id(self) -> int:
        """A command id that the pump has not seen."""
        return self._pump.session().session.ask(GetInfo(), Info).last_cmd_id + 1

    def direct(self, make: Callable[[int], Request]) -> Reply:
        """A command of one message, made of a new id."""
        return self.send(make(self.next_id()))

    # ------------------------------------------------------------------------------------------------------- staged
    def stage(self, kind: CommandKind, payload: bytes, cmd_id: int | None = None, base: int | None = None) -> tuple[int, Reply]:
        """All fragments, or up to the first refusal; the id and the last reply. By default a new id on the present revision."""
        number = self.next_id() if cmd_id is None else cmd_id
        revision = self._pump.status().revision if base is None else base
        for fragment in fragments(number, kind, revision, payload):
            reply = self.send(fragment)
            if not isinstance(reply, Staged) or reply.complete:
                return number, reply
        raise AssertionError(f"the pump took all {len(payload)} bytes and does not call them complete")

    def commit(self, cmd_id: int, payload: bytes, base: int | None = None) -> Reply:
        """Commit what was staged under this id."""
        revision = self._pump.status().revision if base is None else base
        return self.send(commit_of(cmd_id, revision, payload))

    def give(self, kind: CommandKind, payload: bytes) -> Reply:
        """Stage and commit: the refusal of either, or the result."""
        cmd_id, reply = self.stage(kind, payload)
        return self.commit(cmd_id, payload) if isinstance(reply, Staged) else reply

    def configure(self, configuration: Configuration) -> Reply:
        """Stage and commit a configuration as it is."""
        return self.give(CommandKind.CONFIGURE, encode_configuration(configuration))

    def bolus(self, pulses: int, duration_s: int, kind: BolusKind = BolusKind.SINGLE, counter: int | None = None) -> Reply:
        """Stage and commit a bolus, from the present counter unless told."""
        return self.give(CommandKind.BOLUS, self.bolus_payload(pulses, duration_s, kind, counter))

    def bolus_payload(self, pulses: int, duration_s: int, kind: BolusKind = BolusKind.SINGLE, counter: int | None = None) -> bytes:
        """The bytes of a bolus order."""
        start = self._pump.status().bolus_counter if counter is None else counter
        return bolus_payload(start, pulses, duration_s, kind)

    def result_of(self, cmd_id: int) -> CommandResult:
        """What the pump knows of a command of this programmer; over a new session where a reset has ended the old one."""
        return self._pump.session().session.ask(QueryCommand(cmd_id), Result).result

    # --------------------------------------------------------------------------------------------------------- bases
    def active(self, **changes: object) -> Configuration:
        """The configuration in force with these fields changed; it neither starts the pump nor sets the reservoir unless told."""
        found = self._pump.configuration()
        assert found is not None, "program the pump first"
        return replace(found, **{"start": False, "reservoir_set": False, "reservoir_volume_nL": 0} | changes)
