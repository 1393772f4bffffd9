"""State-changing commands: each takes effect once or not at all, and its outcome is kept (design 4, "Exactly once").

Order of checks: role (`core`) → command id → range and limits → state. A command id is *taken* when the pump has judged the command:
carried out, or refused for a reason that lies in the pump's state or limits (stale revision, limit, counter moved, bolus busy, wrong
state). Such a refusal is stored like a success and answered as a `Result` with outcome refused: the same id is never carried out
later, even if the reason has gone. Errors before the judgement (nothing staged, other digest, bad fragment, conflict, too old, memory
fault) take nothing, come as `Error`, and the host may try again under the same id. A stop that meets a memory fault stops all the same.

Not modelled: commands that take time; a bolus is started by its command and ended by an event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

from msgspec.structs import replace as replace_struct

from firmware_sim.firmware.alarms import tone_name
from firmware_sim.firmware.draft import Draft
from firmware_sim.firmware.durable import NO_OWNER
from firmware_sim.firmware.machine import Machine
from firmware_sim.firmware.memory import MemoryFault
from firmware_sim.firmware.prescribe import Refused, bolus, configure, minimum_rate, stop, stop_bolus
from firmware_sim.firmware.results import Verdict
from firmware_sim.firmware.staging import Staging
from itbpump.wire.messages import (
    BolusState,
    Closed,
    CommandKind,
    CommandResult,
    Commit,
    ConfirmResult,
    Error,
    ErrorCode,
    LogKind,
    MinimumRate,
    Outcome,
    QueryCommand,
    Reply,
    Result,
    Role,
    SetClock,
    SilenceAlarm,
    StopBolus,
    StopTherapy,
    TestAlarm,
    encode_request,
)

__all__ = ["Session", "confirm", "live", "perform", "query"]

Effect = Callable[[Machine, Draft], None]
Immediate = StopTherapy | StopBolus | MinimumRate | SetClock | TestAlarm | SilenceAlarm
"""Commands of one message."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who sends, with the number of the pairing record."""

    programmer_id: bytes
    role: Role
    number: int


def perform(machine: Machine, session: Session, request: Commit | Immediate, staging: Staging, link_now_ms: int) -> Reply:
    """Carry out a state-changing command."""
    match request:
        case Commit():
            return _commit(machine, session, request, staging, link_now_ms)
        case StopTherapy():
            return _immediate(machine, session, request, CommandKind.STOP, stop)
        case StopBolus():
            return _immediate(machine, session, request, CommandKind.STOP_BOLUS, stop_bolus)
        case MinimumRate():
            return _immediate(machine, session, request, CommandKind.MINIMUM_RATE, minimum_rate)
        case SetClock():
            return _immediate(machine, session, request, CommandKind.SET_CLOCK, _set_clock(request))
        case TestAlarm():
            return _immediate(machine, session, request, CommandKind.ALARM_TEST, _test_alarm(request))
        case SilenceAlarm():
            return _silence(machine, session, request)
        case _:
            assert_never(request)


# ------------------------------------------------------------------------------------------------ once, or not at all
def _known(machine: Machine, session: Session, cmd_id: int, kind: CommandKind | None, digest: bytes) -> Reply | None:
    """The answer to a command id that has been judged before; None if it is new."""
    found = machine.results.find(session.number, machine.state.programmers[session.number], cmd_id)
    if found.verdict is Verdict.NEW:
        return None
    if found.result is None:
        return Error(code=ErrorCode.TOO_OLD, detail=0, cmd_id=cmd_id)
    if found.result.digest != digest or (kind is not None and found.result.kind is not kind):
        return Error(code=ErrorCode.CONFLICT, detail=0, cmd_id=cmd_id)
    return Result(result=live(machine, session.number, found.result))


def _immediate(machine: Machine, session: Session, request: Immediate, kind: CommandKind, effect: Effect) -> Reply:
    """A command that is one message: its digest is the SHA-256 of the message."""
    digest = hashlib.sha256(encode_request(request)).digest()
    known = _known(machine, session, request.cmd_id, kind, digest)
    return known or _judge(machine, session, request.cmd_id, kind, digest, effect)


def _judge(machine: Machine, session: Session, cmd_id: int, kind: CommandKind, digest: bytes, effect: Effect) -> Reply:
    """Carry out or refuse a new command, and store which, in one step."""
    draft = machine.draft()
    refusal: Refused | None = None
    try:
        effect(machine, draft)
    except Refused as error:
        refusal = error
        draft = machine.draft()
        draft.log(LogKind.REFUSED, cmd_id, error.code << 32 | error.detail)
    else:
        draft.changed(session.programmer_id, kind)
        draft.log(LogKind.COMMITTED, cmd_id, kind << 32 | draft.state.revision)
    started = kind is CommandKind.BOLUS and refusal is None
    if started:
        draft.set(bolus=replace(draft.state.bolus, owner=session.number, cmd_id=cmd_id))
    result = CommandResult(
        programmer=session.programmer_id,
        cmd_id=cmd_id,
        kind=kind,
        outcome=Outcome.APPLIED if refusal is None else Outcome.REFUSED,
        error=0 if refusal is None else refusal.code,
        error_detail=0 if refusal is None else refusal.detail,
        digest=digest,
        revision=draft.state.revision,
        uptime_ms=machine.now_ms,
        requested_pulses=draft.state.bolus.requested if started else 0,
        delivered_pulses=0,
        doubt_pulses=0,
        bolus_state=BolusState.RUNNING if started else BolusState.IDLE,
        confirmed=False,
    )
    draft.add_result(session.number, result)
    try:
        machine.store(draft)
    except MemoryFault:
        if kind is CommandKind.STOP:
            _stop_all_the_same(machine, session)
        return Error(code=ErrorCode.MEMORY_FAULT, detail=0, cmd_id=cmd_id)
    return Result(result=result)


def _stop_all_the_same(machine: Machine, session: Session) -> None:
    """A stop is not for the memory to refuse: delivery ends, though neither effect nor result will outlive a reset."""
    draft = machine.draft()
    stop(machine, draft)
    draft.changed(session.programmer_id, CommandKind.STOP)
    machine.force(draft)


def live(machine: Machine, number: int, result: CommandResult) -> CommandResult:
    """The result with the pulses given so far, if its bolus is running."""
    running = machine.state.bolus
    if not running.running or running.owner == NO_OWNER or (running.owner, running.cmd_id) != (number, result.cmd_id):
        return result
    return replace_struct(result, delivered_pulses=machine.bolus_delivered())


# ------------------------------------------------------------------------------------------------ the commands
def _commit(machine: Machine, session: Session, commit: Commit, staging: Staging, link_now_ms: int) -> Reply:
    known = _known(machine, session, commit.cmd_id, None, commit.digest)
    if known is not None:
        return known
    payload = staging.find(commit.cmd_id, link_now_ms)
    if payload is None:
        return Error(code=ErrorCode.NOT_STAGED, detail=0, cmd_id=commit.cmd_id)
    if (payload.digest, payload.base_revision) != (commit.digest, commit.base_revision):
        return Error(code=ErrorCode.DIGEST_MISMATCH, detail=0, cmd_id=commit.cmd_id)
    make = configure if payload.kind is CommandKind.CONFIGURE else bolus
    effect = make(payload.taken, commit.base_revision)
    reply = _judge(machine, session, commit.cmd_id, payload.kind, commit.digest, effect)
    if isinstance(reply, Result):
        staging.drop()
    return reply


def _set_clock(request: SetClock) -> Effect:
    def effect(machine: Machine, draft: Draft) -> None:
        draft.log(LogKind.CLOCK_SET, request.wall_s, machine.wall_s(machine.now_ms))
        draft.set(wall_s=request.wall_s, wall_set_ms=machine.now_ms)

    return effect


def _test_alarm(request: TestAlarm) -> Effect:
    def effect(machine: Machine, draft: Draft) -> None:
        draft.log(LogKind.ALARM_TEST, request.priority)
        draft.tones.append(tone_name(request.priority))

    return effect


def _silence(machine: Machine, session: Session, request: SilenceAlarm) -> Reply:
    """The silence itself is not durable: after a reset everything sounds. It starts once the command is taken."""

    def effect(machine: Machine, draft: Draft) -> None:
        if request.alarm not in machine.panel.active:
            raise Refused(ErrorCode.WRONG_STATE)
        draft.log(LogKind.ALARM_SILENCED, request.alarm, machine.panel.silence_end(machine.now_ms))

    before = machine.state.programmers[session.number].last_cmd_id
    reply = _immediate(machine, session, request, CommandKind.SILENCE, effect)
    taken = machine.state.programmers[session.number].last_cmd_id != before
    if taken and isinstance(reply, Result) and reply.result.outcome is Outcome.APPLIED:
        machine.panel.silence(request.alarm, machine.now_ms)
    return reply


def query(machine: Machine, session: Session, request: QueryCommand) -> Reply:
    """What became of a command. Unknown is said of an id that was not taken; too old of one that may have been."""
    found = machine.results.find(session.number, machine.state.programmers[session.number], request.cmd_id)
    if found.result is not None:
        return Result(result=live(machine, session.number, found.result))
    if found.verdict is Verdict.TOO_OLD:
        return Error(code=ErrorCode.TOO_OLD, detail=0, cmd_id=request.cmd_id)
    unknown = CommandResult(
        programmer=session.programmer_id,
        cmd_id=request.cmd_id,
        kind=CommandKind.NONE,
        outcome=Outcome.UNKNOWN_COMMAND,
        error=0,
        error_detail=0,
        digest=bytes(32),
        revision=machine.state.revision,
        uptime_ms=machine.now_ms,
        requested_pulses=0,
        delivered_pulses=0,
        doubt_pulses=0,
        bolus_state=BolusState.IDLE,
        confirmed=False,
    )
    return Result(result=unknown)


def confirm(machine: Machine, session: Session, request: ConfirmResult) -> Reply:
    """Note that the programmer knows this result; harmless for one that is confirmed or gone."""
    found = machine.results.find(session.number, machine.state.programmers[session.number], request.cmd_id)
    if found.result is None or found.result.confirmed:
        return Closed()
    draft = machine.draft()
    draft.confirm_result(session.number, request.cmd_id)
    try:
        machine.store(draft)
    except MemoryFault:
        return Error(code=ErrorCode.MEMORY_FAULT, detail=0, cmd_id=request.cmd_id)
    return Closed()
