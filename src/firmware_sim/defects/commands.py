"""Defects of commands: what is taken, from whom, how often, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgspec.structs import replace as replace_struct

from firmware_sim.defects.building import DraftingMachine, OtherFirmware
from firmware_sim.firmware.core import SessionInfo
from firmware_sim.firmware.draft import Draft
from firmware_sim.firmware.durable import Drive
from firmware_sim.firmware.log import EventLog
from firmware_sim.firmware.machine import Machine
from firmware_sim.firmware.staging import Payload, Staging
from itbpump.link.pump_side import PumpLink
from itbpump.wire.messages import (
    ROLES,
    BolusState,
    CommandKind,
    Commit,
    Configuration,
    LimitCode,
    LogKind,
    MinimumRate,
    Outcome,
    Reply,
    Request,
    Result,
    Role,
    RunState,
    decode_bolus_order,
    decode_configuration,
    encode_bolus_order,
    encode_configuration,
)
from itbpump.wire.messages import Error as ErrorReply
from itbpump.wire.record import parse_header

if TYPE_CHECKING:
    from firmware_sim.firmware.memory import Memory
    from firmware_sim.port import Hardware
    from firmware_sim.profiles import FirmwareProfile

__all__ = [
    "AnswersById",
    "AnyRole",
    "BrokenChain",
    "Clamps",
    "LosesEntries",
    "Replays",
    "SilentAlarms",
    "StagedForEver",
    "StagedOutlivesSession",
    "StaleBase",
    "StartsAtMinimum",
    "StopLetsBolusRun",
    "StopsAtCommit",
]


# ------------------------------------------------------------------------------------------------------- exactly once
class AnswersById(OtherFirmware):
    """A known command id is answered whatever the command says."""

    def handle(self, request: Request, session: SessionInfo, uptime_ms: int, link_now_ms: int) -> Reply:
        if isinstance(request, Commit):
            request = self._as_known(request, session)
        return super().handle(request, session, uptime_ms, link_now_ms)

    def _as_known(self, request: Commit, session: SessionInfo) -> Commit:
        machine = self._machine
        number = machine.memory.pairing_number(session.programmer_id)
        if number is None:
            return request
        found = machine.results.find(number, machine.state.programmers[number], request.cmd_id)
        return request if found.result is None else replace_struct(request, digest=found.result.digest)


class StaleBase(OtherFirmware):
    """The base revision of a commit is not compared with the present one."""

    def handle(self, request: Request, session: SessionInfo, uptime_ms: int, link_now_ms: int) -> Reply:
        payload = self._staging.current()
        if isinstance(request, Commit) and payload is not None and payload.base_revision == request.base_revision:
            payload.base_revision = self._machine.state.revision
            request = replace_struct(request, base_revision=payload.base_revision)
        return super().handle(request, session, uptime_ms, link_now_ms)


class AnyRole(OtherFirmware):
    """Whoever is paired may do everything."""

    def handle(self, request: Request, session: SessionInfo, uptime_ms: int, link_now_ms: int) -> Reply:
        if session.role not in ROLES[type(request)]:
            session = replace(session, role=Role.CLINICIAN)
        return super().handle(request, session, uptime_ms, link_now_ms)


class Replays(PumpLink):
    """Any record whose tag holds is new."""

    def _record(self, body: bytes, now_ms: int) -> None:
        if self._session is not None:
            self._session.last_counter = parse_header(body).counter - 1
        super()._record(body, now_ms)


# ------------------------------------------------------------------------------------------------------- staged data
class _LastingStaging(Staging):
    def expire(self, link_now_ms: int) -> None:
        """Nothing expires."""

    def deadline_ms(self) -> int | None:
        return None


class StagedForEver(OtherFirmware):
    """Staged data have no time of their own."""

    staging_type = _LastingStaging


class StagedOutlivesSession(OtherFirmware):
    """The end of a session leaves what was staged in it."""

    def session_closed(self, programmer_id: bytes, uptime_ms: int) -> None:
        kept = self._staging
        self._staging = Staging()
        super().session_closed(programmer_id, uptime_ms)
        self._staging = kept


# ------------------------------------------------------------------------------------------------------------- limits
@dataclass(slots=True)
class _Changed(Payload):
    """A payload that was changed after its digest was told."""

    told: bytes = b""

    @property
    def digest(self) -> bytes:
        return self.told


class _OpenStaging(Staging):
    def exchange(self, payload: Payload) -> None:
        self._payload = payload


class Clamps(OtherFirmware):
    """A single bolus above the largest mass, and a flow above the highest, are taken as the largest allowed."""

    staging_type = _OpenStaging

    def _judge_staged(self, payload: Payload) -> ErrorReply | None:
        refusal = super()._judge_staged(payload)
        return None if refusal is not None and refusal.detail in (LimitCode.BOLUS_MASS, LimitCode.FLOW_MAX) else refusal

    def handle(self, request: Request, session: SessionInfo, uptime_ms: int, link_now_ms: int) -> Reply:
        staging = self._staging
        payload = staging.find(request.cmd_id, link_now_ms) if isinstance(request, Commit) else None
        if payload is not None and isinstance(staging, _OpenStaging):
            taken = self._bolus(payload.taken) if payload.kind is CommandKind.BOLUS else self._flow(payload.taken)
            head = (payload.cmd_id, payload.kind, payload.base_revision)
            staging.exchange(_Changed(*head, len(taken), taken, payload.expires_ms, payload.digest))
        return super().handle(request, session, uptime_ms, link_now_ms)

    def _bolus(self, taken: bytes) -> bytes:
        order, active = decode_bolus_order(taken), self._machine.configuration
        if active is None:
            return taken
        profile = self._machine.profile
        most = profile.drugs[active.drug].bolus_mass_max_ng * 1_000_000 // (profile.pulse_volume_nL * active.concentration_ng_per_mL)
        return encode_bolus_order(replace_struct(order, to_counter=min(order.to_counter, order.from_counter + most)))

    def _flow(self, taken: bytes) -> bytes:
        wanted: Configuration = decode_configuration(taken)
        flow = min(wanted.flow_nL_per_day, self._machine.profile.flow_max_nL_per_day)
        return encode_configuration(replace_struct(wanted, flow_nL_per_day=flow))


# ------------------------------------------------------------------------------------------------------- transitions
class StopsAtCommit(OtherFirmware):
    """A running pump is stopped for each commit, and nobody starts it again."""

    def handle(self, request: Request, session: SessionInfo, uptime_ms: int, link_now_ms: int) -> Reply:
        reply = super().handle(request, session, uptime_ms, link_now_ms)
        if isinstance(request, Commit) and isinstance(reply, Result) and reply.result.outcome is Outcome.APPLIED:
            self._change(_stopped)
            self._settle()
        return reply


def _stopped(machine: Machine, draft: Draft) -> None:
    if draft.state.run_state is RunState.RUNNING and not draft.state.bolus.running:
        draft.drive(RunState.STOPPED, Drive.NONE)


class StartsAtMinimum(OtherFirmware):
    """The command to go down to the minimum rate starts a pump that gives nothing."""

    def handle(self, request: Request, session: SessionInfo, uptime_ms: int, link_now_ms: int) -> Reply:
        stands = isinstance(request, MinimumRate) and self._machine.state.run_state is RunState.STOPPED
        reply = super().handle(request, session, uptime_ms, link_now_ms)
        if stands and isinstance(reply, Result):
            self._change(lambda _machine, draft: draft.drive(RunState.SAFE, Drive.MINIMUM))
            self._settle()
        return reply


class _PersistentDraft(Draft):
    def end_bolus(self, state: BolusState, doubt: int = 0) -> None:
        if state is not BolusState.ABORTED:
            super().end_bolus(state, doubt)


class _PersistentMachine(DraftingMachine):
    draft_type = _PersistentDraft


class StopLetsBolusRun(OtherFirmware):
    """A stop ends the therapy, and the bolus over it goes on."""

    machine_type = _PersistentMachine


# --------------------------------------------------------------------------------------------------------------- log
class _LossyLog(EventLog):
    def adopt(self, record: bytes) -> None:
        if int.from_bytes(record[:4], "big") % 8 != 7:
            super().adopt(record)


class _LossyMachine(Machine):
    def __init__(self, profile: FirmwareProfile, memory: Memory, hardware: Hardware) -> None:
        super().__init__(profile, memory, hardware)
        self.log = _LossyLog(memory)


class LosesEntries(OtherFirmware):
    """One log entry of eight is numbered and never written."""

    machine_type = _LossyMachine


class _UnchainedLog(EventLog):
    def prepare(self, uptime_ms: int, wall_s: int, kind: LogKind, a: int = 0, b: int = 0) -> bytes:
        self._link = bytes(len(self._link))
        return super().prepare(uptime_ms, wall_s, kind, a, b)


class _UnchainedMachine(Machine):
    def __init__(self, profile: FirmwareProfile, memory: Memory, hardware: Hardware) -> None:
        super().__init__(profile, memory, hardware)
        self.log = _UnchainedLog(memory)


class BrokenChain(OtherFirmware):
    """Each entry's hash begins anew."""

    machine_type = _UnchainedMachine


class _UnloggedDraft(Draft):
    def log(self, kind: LogKind, a: int = 0, b: int = 0) -> None:
        if kind is not LogKind.ALARM_RAISED:
            super().log(kind, a, b)


class _UnloggedMachine(DraftingMachine):
    draft_type = _UnloggedDraft


class SilentAlarms(OtherFirmware):
    """An alarm is shown and sounds, and neither the log nor a hint tells of it."""

    machine_type = _UnloggedMachine
