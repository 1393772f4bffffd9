"""The pump's firmware as one object: time, requests and patients come in, replies, hints and motor pulses go out.

`advance` carries out everything that is due by itself, `handle` one request. Both are pure but for the memory and the hardware they
were given: no clock, no I/O, no chance. Two times come in and are never mixed: uptime (therapy, lockouts, alarms, battery) and link
time (life of staged data).

The motor is watched apart from all this (`monitor`). Not modelled: execution time; the radio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from firmware_sim.firmware import queries
from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.alarms import Tone
from firmware_sim.firmware.boot import boot
from firmware_sim.firmware.commands import Session, confirm, perform, query
from firmware_sim.firmware.draft import Draft
from firmware_sim.firmware.events import next_due
from firmware_sim.firmware.limits import check_bolus, check_configuration
from firmware_sim.firmware.machine import Machine
from firmware_sim.firmware.materialise import PulsePhase
from firmware_sim.firmware.memory import Memory
from firmware_sim.firmware.monitor import Unresponsive, Watchdog, WatchdogReset
from firmware_sim.firmware.prescribe import patient_request
from firmware_sim.firmware.refusals import RefusalLog, detail, refused_before
from firmware_sim.firmware.staging import Payload, StageRefused, Staging
from firmware_sim.firmware.stall import Due, StallWatch
from firmware_sim.firmware.visits import VisitLog
from firmware_sim.port import Hardware, PulseTrain
from firmware_sim.profiles import FirmwareProfile
from itbpump.wire.errors import FieldRangeError, MessageError
from itbpump.wire.messages import (
    CMD_ID_LEAP,
    EMERGENCY_PER_HOUR,
    ROLES,
    AlarmEvent,
    Close,
    Closed,
    CommandKind,
    ConfirmResult,
    Error,
    ErrorCode,
    GetConfiguration,
    GetInfo,
    GetLog,
    GetReadBack,
    GetResults,
    GetStatus,
    LogEvent,
    LogKind,
    Ping,
    Pong,
    QueryCommand,
    Reply,
    Request,
    Role,
    Stage,
    Staged,
    decode_bolus_order,
    decode_configuration,
)

__all__ = ["Firmware", "SessionInfo"]

_HOUR_MS = 3_600_000
_Reading = GetInfo | GetStatus | GetConfiguration | GetLog | GetResults | GetReadBack | QueryCommand | Ping | Close
"""Requests that change nothing."""


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """Who is in session."""

    programmer_id: bytes
    role: Role


class Firmware:
    """One pump's firmware, from one reset to the next. After `PowerLost` it is dead: build another on the memory and boot that.

    serial: must be the one the memory was formatted for; ValueError otherwise.
    """

    def __init__(self, profile: FirmwareProfile, memory: Memory, hardware: Hardware, serial: str) -> None:
        if memory.serial != serial or memory.profile != profile.name:
            raise ValueError(f"this memory belongs to pump {memory.serial} of model {memory.profile}, not to {serial} of {profile.name}")
        self._machine = Machine(profile, memory, hardware)
        self._watch = StallWatch(self._machine.monitor)
        self._watchdog = Watchdog(profile.watchdog_ms)
        self._staging = Staging()
        self._due: Due | None = None
        self._due_known = False
        self._refusals: RefusalLog | None = None  # made of the log when the first handshake since the reset is refused
        self._visits = VisitLog()

    # ------------------------------------------------------------------------------------------------ time
    def boot(self, uptime_ms: int, *, watchdog: bool = False, noise: bytes | None = None) -> None:
        """Self-test, load the journal, go on. Once, before anything else. Raises PowerLost where a cut was set.

        watchdog: this start follows a `WatchdogReset`. noise: `selftest.NOISE_BYTES` of the random source, to be judged; None: no source.
        """
        boot(self._machine, uptime_ms, watchdog=watchdog, noise=noise)
        self._watch.start(self._machine)
        self._settle()

    def next_event_ms(self) -> int | None:
        """Uptime at which `advance` has something to do beyond pulses; None if never. Asking changes nothing."""
        if self._watchdog.hung:
            return self._watchdog.end_ms()[0]
        due = self._next()
        return None if due is None else due.at_ms

    def advance(self, uptime_ms: int) -> None:
        """Deliver and carry out every event up to and including `uptime_ms`. Costs by events, not by pulses or days.

        An `uptime_ms` before the present changes nothing. Raises WatchdogReset when the main task has hung for the watchdog's time: the
        pump is then to be started anew on its memory.
        """
        if self._watchdog.hung and not self._run_unattended(uptime_ms):
            return
        machine = self._machine
        self._due_known = False  # the radio may have drawn on the battery meanwhile
        probed = False
        while True:
            due = self._next()
            target_ms = uptime_ms if due is None else min(uptime_ms, due.at_ms)
            if not probed:
                # The first pulse after a pause shows whether the rotor turns; between two calls nothing happens to it.
                probed = True
                probe_ms = self._watch.probe_ms(machine)
                if probe_ms is not None and probe_ms < target_ms:
                    target_ms = probe_ms
            turn_ms = machine.monitor.turn_ms(machine.delivery.phase, machine.now_ms, target_ms, stands=self._watch.stands)
            self._run_to(target_ms if turn_ms is None else turn_ms)
            if self._next() != due or machine.now_ms < min(uptime_ms, uptime_ms if due is None else due.at_ms):
                continue
            if due is None or due.at_ms > uptime_ms:
                return
            self._change(due.effect)

    @property
    def train(self) -> PulseTrain:
        """The pulses commanded from now on, as long as nothing changes."""
        return self._machine.delivery.phase

    def _next(self) -> Due | None:
        if not self._due_known:
            self._due = next_due(self._machine, self._watch)
            self._due_known = True
        return self._due

    def _run_to(self, uptime_ms: int) -> None:
        machine = self._machine
        before = self._watch.due(machine)
        machine.run_to(uptime_ms)
        consequence = self._watch.check(machine)
        if consequence is not None:
            self._change(consequence)
        elif self._watch.due(machine) != before:
            self._due_known = False

    def _change(self, effect: Callable[[Machine, Draft], object]) -> None:
        """A change of the pump's own."""
        machine = self._machine
        self._due_known = False
        draft = machine.draft()
        effect(machine, draft)
        machine.store_or_force(draft)

    def _settle(self) -> None:
        """Carry out what a change has made due at once."""
        self.advance(self._machine.now_ms)

    def materialise(self, uptime_ms: int, phase: PulsePhase = PulsePhase.NONE, torn_bytes: int | None = None) -> None:
        """Put into the memory what a pump writes between events, as of `uptime_ms`, before the memory is saved or the power is cut.

        `uptime_ms` is where `advance` has come to. After `PowerLost` it has been done.

        phase: how far the next pulse has come; if it has moved the motor, the plant must make one pulse more. torn_bytes: see
        `materialise.place_pulses`. Changes nothing but the memory, which is then a pure function of what happened and the time.
        """
        self._machine.materialise(uptime_ms, phase, torn_bytes, self._watchdog.served_ms)

    # ------------------------------------------------------------------------------------------------ a main task that hangs
    @property
    def hung(self) -> bool:
        """Whether the main task does not run: nothing is heard, no event is carried out, and the motor goes on with its last schedule."""
        return self._watchdog.hung

    def hang(self, uptime_ms: int, for_ms: int | None = None) -> None:
        """Fault hook of the bench: from `uptime_ms` on the main task does not run, for ever or for `for_ms` (a late task). Nothing in the
        pump calls it. Only the monitor and the watchdog are left (SR-60)."""
        self.advance(uptime_ms)
        self._watchdog.hang(self._machine.now_ms, for_ms)

    def _run_unattended(self, uptime_ms: int) -> bool:
        """Let time pass without the main task; whether it runs again. Raises WatchdogReset at the bite."""
        machine = self._machine
        end_ms, by_reset = self._watchdog.end_ms()
        until_ms = min(uptime_ms, end_ms)
        while machine.now_ms < until_ms:
            turn_ms = machine.monitor.turn_ms(machine.delivery.phase, machine.now_ms, until_ms, stands=False)
            machine.run_to(until_ms if turn_ms is None else turn_ms)
            machine.monitor.look(machine.now_ms)
            if machine.monitor.trips:
                machine.cut_motor()
        if uptime_ms < end_ms:
            return False
        if by_reset:
            self.materialise(machine.now_ms)
            raise WatchdogReset(machine.now_ms)
        self._watchdog.wake()
        self._due_known = False
        return True

    def _attend(self, uptime_ms: int) -> None:
        """Come to `uptime_ms` to do something. Raises Unresponsive while the main task hangs."""
        self.advance(uptime_ms)
        if self._watchdog.hung:
            raise Unresponsive

    # ------------------------------------------------------------------------------------------------ sessions
    def session_opened(self, session: SessionInfo, uptime_ms: int, *, is_again: bool = False) -> None:
        """A session was opened: logged; an emergency session is alarmed and counted (SR-64), once where it `is_again` the same."""
        self._attend(uptime_ms)
        programmer = int.from_bytes(session.programmer_id, "big")
        if self._visits.opened(session.programmer_id, session.role, uptime_ms):
            self._machine.note(LogKind.SESSION_OPEN, programmer, session.role)
        if session.role is Role.EMERGENCY and not is_again:
            self._change(_emergency(programmer))

    def session_closed(self, programmer_id: bytes, uptime_ms: int) -> None:
        """A session ended, however: staged data die, silenced alarms sound again (SR-46, SR-51)."""
        self._attend(uptime_ms)
        self._staging.drop()
        self._machine.panel.end_silences(uptime_ms)
        if self._visits.closed(programmer_id):
            self._machine.note(LogKind.SESSION_CLOSE, int.from_bytes(programmer_id, "big"))

    def handshake_refused(self, programmer_id: bytes, reason: int, uptime_ms: int) -> None:
        """A handshake was refused: logged for a paired programmer, as often as `refusals` lets it; anybody can send hellos."""
        if self._machine.memory.pairing(programmer_id) is None:
            return
        if self._refusals is None:
            self._refusals = RefusalLog(refused_before(self._machine.log, self._machine.memory), uptime_ms)
        since = self._refusals.heard(int.from_bytes(programmer_id, "big"), uptime_ms)
        if since is not None:
            self.handshake_failed(programmer_id, reason, uptime_ms, since)

    def handshake_failed(self, programmer_id: bytes, reason: int, uptime_ms: int, since: int = 0) -> None:
        """The log entry of a refused handshake. `since`: how many were refused since the entry before of this programmer."""
        self._attend(uptime_ms)
        self._machine.note(LogKind.HANDSHAKE_FAILED, int.from_bytes(programmer_id, "big"), detail(reason, since))

    def link_deadline(self) -> int | None:
        """Link time at which `link_tick` has something to do."""
        return None if self._watchdog.hung else self._staging.deadline_ms()

    def link_tick(self, link_now_ms: int) -> None:
        """Let staged data die when their time is over."""
        if not self._watchdog.hung:
            self._staging.expire(link_now_ms)

    # ------------------------------------------------------------------------------------------------ requests
    def handle(self, request: Request, session: SessionInfo, uptime_ms: int, link_now_ms: int) -> Reply:
        """Answer one request. Never raises for anything a programmer sends; PowerLost where a cut was set."""
        self._attend(uptime_ms)
        self._staging.expire(link_now_ms)
        number = self._machine.memory.pairing_number(session.programmer_id)
        if number is None or session.role not in ROLES[type(request)]:
            return Error(code=ErrorCode.ROLE_DENIED, detail=0, cmd_id=getattr(request, "cmd_id", 0))
        who = Session(session.programmer_id, session.role, number)
        if self._leaps(request, number):
            return Error(code=ErrorCode.OUT_OF_RANGE, detail=1, cmd_id=getattr(request, "cmd_id", 0))
        if isinstance(request, _Reading):
            return self._read(request, who)
        reply: Reply
        if isinstance(request, Stage):
            reply = self._stage(request, who, link_now_ms)
        elif isinstance(request, ConfirmResult):
            reply = confirm(self._machine, who, request)
        else:
            reply = perform(self._machine, who, request, self._staging, link_now_ms)
        if isinstance(reply, Error) and reply.code == ErrorCode.MEMORY_FAULT:
            self._change(_memory_lost)
        self._due_known = False
        self._settle()
        return reply

    def _leaps(self, request: Request, number: int) -> bool:
        """Whether a new command id is so far above the last that taking it could use up all ids of this programmer."""
        if isinstance(request, QueryCommand | GetReadBack | ConfirmResult):
            return False  # they ask about an id and take none
        cmd_id = getattr(request, "cmd_id", 0)
        return bool(cmd_id > self._machine.state.programmers[number].last_cmd_id + CMD_ID_LEAP)

    def _read(self, request: _Reading, who: Session) -> Reply:
        machine = self._machine
        match request:
            case GetInfo():
                return queries.info(machine, who)
            case GetStatus():
                return queries.status(machine, who)
            case GetConfiguration():
                return queries.configuration_page(machine, request, self._staging)
            case GetLog():
                return queries.log_page(machine, request)
            case GetResults():
                return queries.results_page(machine, who, request)
            case GetReadBack():
                payload = self._staging.current()
                return queries.read_back(machine, request.cmd_id, payload if payload and payload.cmd_id == request.cmd_id else None)
            case QueryCommand():
                return query(machine, who, request)
            case Ping():
                return Pong(nonce=request.nonce, uptime_ms=machine.now_ms)
            case Close():
                return Closed()
            case _:
                assert_never(request)

    def _stage(self, request: Stage, who: Session, link_now_ms: int) -> Reply:
        machine = self._machine
        record = machine.state.programmers[who.number]
        if request.cmd_id <= record.last_cmd_id:
            known = machine.results.find(who.number, record, request.cmd_id).result
            return Error(code=ErrorCode.TOO_OLD if known is None else ErrorCode.CONFLICT, detail=0, cmd_id=request.cmd_id)
        before = self._staging.current()
        try:
            payload = self._staging.take(request, link_now_ms)
        except StageRefused as error:
            return Error(code=error.code, detail=error.detail, cmd_id=request.cmd_id)
        if payload.complete and payload is not before:
            refusal = self._judge_staged(payload)
            if refusal is not None:
                self._staging.drop()
                return refusal
            machine.note(LogKind.STAGED, payload.cmd_id, payload.kind << 32 | payload.total_length)
        return Staged(cmd_id=payload.cmd_id, received=len(payload.taken), complete=payload.complete)

    def _judge_staged(self, payload: Payload) -> Error | None:
        """Refuse at once what no commit could accept; it is judged again at the commit."""
        machine = self._machine
        try:
            if payload.kind is CommandKind.CONFIGURE:
                limit = check_configuration(decode_configuration(payload.taken), machine.profile, machine.present())
            else:
                limit = check_bolus(decode_bolus_order(payload.taken), machine.profile, machine.present())
        except FieldRangeError as error:
            return Error(code=ErrorCode.OUT_OF_RANGE, detail=error.field_number, cmd_id=payload.cmd_id)
        except MessageError:
            return Error(code=ErrorCode.BAD_MESSAGE, detail=0, cmd_id=payload.cmd_id)
        return None if limit is None else Error(code=ErrorCode.LIMIT, detail=limit, cmd_id=payload.cmd_id)

    # ------------------------------------------------------------------------------------------------ patient and bench
    def patient_request(self, uptime_ms: int) -> bool:
        """The patient asks for a bolus. Returns whether it is given; a denial is counted and logged, but by a main task that hangs."""
        self.advance(uptime_ms)
        if self._watchdog.hung:
            return False
        granted: list[bool] = []
        self._change(lambda machine, draft: granted.append(patient_request(machine, draft)))
        self._settle()
        return granted[0]

    def take_events(self) -> list[AlarmEvent | LogEvent]:
        """Hints for the programmer in session since the last call."""
        hints, self._machine.hints = self._machine.hints, []
        return hints

    def tones(self, from_ms: int, to_ms: int) -> tuple[Tone, ...]:
        """Tones of the active alarms that begin in (from_ms, to_ms]; see `AlarmPanel.tones`."""
        return self._machine.panel.tones(from_ms, to_ms)

    def emergency_ages_ms(self, uptime_ms: int) -> tuple[int, ...]:
        """How long ago the emergency sessions of the last hour were opened, the oldest first; they outlive a reset (SR-64)."""
        return tuple(uptime_ms - at_ms for at_ms in self._machine.state.emergencies_ms if uptime_ms - at_ms < _HOUR_MS)

    @property
    def boot_epoch(self) -> int:
        """Starts since formatting; rises with every reset."""
        return self._machine.boots


def _memory_lost(_machine: Machine, draft: Draft) -> None:
    draft.raise_alarm(Alarm.MEMORY_LOST)


def _emergency(programmer: int) -> Callable[[Machine, Draft], None]:
    def effect(_machine: Machine, draft: Draft) -> None:
        recent = [at_ms for at_ms in draft.state.emergencies_ms if draft.now_ms - at_ms < _HOUR_MS]
        draft.set(emergencies_ms=(*recent, draft.now_ms)[-EMERGENCY_PER_HOUR:])
        draft.log(LogKind.EMERGENCY, programmer)
        draft.raise_alarm(Alarm.EMERGENCY_SESSION, programmer)

    return effect
