"""The pump's end of the link, sans-IO.

`PumpLink` turns bytes from the line into `Opened`, `Requested`, `Ended` and `HandshakeFailed`, and replies and hints into bytes. A
handshake runs beside an open session and cannot disturb it before its confirmation verified. Roles and commands are judged by the
pump's firmware, not here. Not modelled: more than one session at a time (the protocol has one).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from itbpump.link.budget import HandshakeBudget
from itbpump.link.machine import StateMachine
from itbpump.link.pump_events import Ended, HandshakeRefused, Opened, Pairing, PairingTable, PumpLinkEvent, Requested
from itbpump.wire import keys
from itbpump.wire.errors import FieldRangeError, MessageError, RecordError, UnknownMessage, WireError
from itbpump.wire.frame import FrameSplitter, encode_frame
from itbpump.wire.messages import (
    EMERGENCY_PER_HOUR,
    EMERGENCY_WINDOW_MS,
    HANDSHAKE_PENDING_MS,
    MAGNET_HOLD_MS,
    MAX_COUNTER,
    MAX_COUNTER_GAP,
    SESSION_IDLE_MS,
    SESSION_LIFE_MS,
    SUITE,
    Error,
    ErrorCode,
    Event,
    RecordType,
    RefuseReason,
    Reply,
    Role,
    decode_request,
    encode_event,
    encode_reply,
)
from itbpump.wire.record import Sealer, clear_body, parse_header

__all__ = ["Ended", "HandshakeRefused", "Opened", "Pairing", "PairingTable", "PumpLink", "PumpLinkEvent", "Requested"]

_HOUR_MS = 3_600_000


@dataclass(slots=True)
class _Pending:
    machine: StateMachine
    hello: bytes = b""
    reply: bytes = b""
    session: keys.SessionKeys | None = None
    transcript: bytes = b""
    version: int = 0
    expires_ms: int = 0


@dataclass(slots=True)
class _Session:
    pairing: Pairing
    receive: Sealer
    send: Sealer
    confirm_body: bytes
    confirm_frame: bytes
    opened_ms: int
    heard_ms: int
    last_counter: int = -1
    next_counter: int = 0
    next_event: int = 0
    reply_frame: bytes = b""


class PumpLink:
    """One pump's link. `pump_id` is 8 bytes; `entropy(n)` gives n random bytes; `boot_epoch` rises with each reset."""

    def __init__(
        self,
        pump_id: bytes,
        pairings: PairingTable,
        entropy: Callable[[int], bytes],
        boot_epoch: int,
        versions: tuple[int, int] = (1, 1),
    ) -> None:
        self.pump_id = pump_id
        self.versions = versions
        self.boot_epoch = boot_epoch
        self.dropped: dict[str, int] = {}
        self.budget = HandshakeBudget()
        self._pairings = pairings
        self._entropy = entropy
        self._splitter = FrameSplitter()
        self._pending: dict[bytes, _Pending] = {}
        self._machine = StateMachine("pump_session")
        self._session: _Session | None = None
        self._out = bytearray()
        self._events: list[PumpLinkEvent] = []
        self._unanswered = False
        self._magnet_until_ms = -1
        self._emergencies_ms: list[int] = []

    # -------------------------------------------------------------------------------------------------- surface
    @property
    def session(self) -> Pairing | None:
        """Who is in session."""
        return self._session.pairing if self._session else None

    def magnet(self, held_ms: int, now_ms: int) -> bool:
        """A magnet was held at the pump for `held_ms`, ending now. Returns whether an emergency session is now accepted."""
        if held_ms < MAGNET_HOLD_MS:
            return False
        self._magnet_until_ms = now_ms + EMERGENCY_WINDOW_MS
        return True

    def split(self, data: bytes) -> list[bytes]:
        """Bodies of the intact frames in the bytes heard so far; give each to `take`."""
        return self._splitter.feed(data)

    def take(self, body: bytes, now_ms: int) -> list[PumpLinkEvent]:
        """One body off the line. Never raises for anything the line brings."""
        self._events = []
        try:
            header = parse_header(body)
        except RecordError:
            self._drop("header")
            return self._events
        if header.rtype == RecordType.COMMAND:
            self._record(body, now_ms)
        elif header.rtype == RecordType.HELLO:
            self._hello(body, body[8:], now_ms)
        elif header.rtype == RecordType.CONFIRM_PROGRAMMER:
            self._confirm(body, body[8:], now_ms)
        else:
            self._drop("type")
        return self._events

    def reply(self, message: Reply) -> None:
        """Answer the request given out last. Kept for a repeat of that request."""
        session = self._session
        if session is None:
            return
        body = session.send.seal(RecordType.COMMAND, session.next_counter, encode_reply(session.last_counter, message))
        session.next_counter += 1
        session.reply_frame = encode_frame(body)
        self._out += session.reply_frame

    def notify(self, message: Event) -> bool:
        """Send a hint to the programmer in session. Returns False when nobody is."""
        session = self._session
        if session is None or self._machine.state != "open":
            return False
        self._out += encode_frame(session.send.seal(RecordType.EVENT, session.next_event, encode_event(message)))
        session.next_event += 1
        return True

    def close(self) -> list[PumpLinkEvent]:
        """The programmer said good-bye (its reply is already on its way)."""
        self._events = []
        self._machine.fire("close")
        self._end("closed")
        return self._events

    def transmit(self) -> bytes:
        """Bytes for the line; drained."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def deadline_ms(self) -> int | None:
        """Link time at which `tick` has something to do."""
        times = [pending.expires_ms for pending in self._pending.values() if pending.machine.state == "pending"]
        if self._session is not None:
            times.append(self._session_ends_ms(self._session))
        return min(times, default=None)

    def tick(self, now_ms: int) -> list[PumpLinkEvent]:
        """Forget what has expired."""
        self._events = []
        for programmer_id, pending in list(self._pending.items()):
            if now_ms >= pending.expires_ms and pending.machine.fire("timeout") == "forget":
                del self._pending[programmer_id]
        if self._session is not None and now_ms >= self._session_ends_ms(self._session) and self._machine.fire("expired"):
            self._end("expired")
        return self._events

    # ------------------------------------------------------------------------------------------------ handshake
    def _hello(self, body: bytes, content: bytes, now_ms: int) -> None:
        try:
            hello = keys.decode_h1(content)
        except WireError:
            self._drop("hello")
            return
        pending = self._pending.get(hello.programmer_id)
        if pending is not None and pending.hello == body and pending.machine.state == "pending":
            pending.machine.fire("same_hello")
            self._out += pending.reply
            return
        pairing = self._pairings.pairing(hello.programmer_id)
        denied = self._denial(hello, pairing, now_ms)
        if denied is not None:
            if pending is not None and pending.machine.fire("hello_denied") == "refuse":
                del self._pending[hello.programmer_id]
            self._refuse(hello.programmer_id, *denied)
            return
        assert pairing is not None  # _denial names an unknown programmer
        if pending is None:
            pending = self._pending[hello.programmer_id] = _Pending(StateMachine("pump_handshake"))
        pending.machine.fire("hello")
        nonce = self._entropy(16)
        h2 = keys.encode_h2(hello.version, SUITE, self.pump_id, nonce, self.boot_epoch)
        pending.transcript = keys.transcript_hash(content, h2)
        pending.session = keys.derive(pairing.key, hello.np, nonce, pending.transcript)
        pending.hello = body
        pending.version = hello.version
        pending.reply = encode_frame(clear_body(RecordType.HELLO_REPLY, h2))
        pending.expires_ms = now_ms + HANDSHAKE_PENDING_MS
        self._out += pending.reply

    def _denial(self, hello: keys.Hello, pairing: Pairing | None, now_ms: int) -> tuple[RefuseReason, int] | None:
        """Why this hello is not answered, with the seconds to wait; None when it is. Busy has its own frame and reason 0."""
        if not self.versions[0] <= hello.version <= self.versions[1]:
            return RefuseReason.VERSION, 0
        if hello.suite != SUITE:
            return RefuseReason.SUITE, 0
        if pairing is None:
            return RefuseReason.UNPAIRED, _seconds(self.budget.take_stranger(now_ms))
        if pairing.role == Role.EMERGENCY:
            return self._emergency_denial(now_ms)
        wait = self.budget.take(hello.programmer_id, now_ms)
        if wait:
            return RefuseReason.BACKOFF, _seconds(wait)
        return None

    def _emergency_denial(self, now_ms: int) -> tuple[RefuseReason, int] | None:
        if now_ms >= self._magnet_until_ms:
            return RefuseReason.NO_MAGNET, 0
        recent = [t for t in self._emergencies_ms if now_ms - t < _HOUR_MS]
        if len(recent) >= EMERGENCY_PER_HOUR:
            return RefuseReason.BACKOFF, _seconds(recent[0] + _HOUR_MS - now_ms)
        return None

    def _refuse(self, programmer_id: bytes, reason: RefuseReason, wait_s: int) -> None:
        self._events.append(HandshakeRefused(programmer_id, reason))
        if reason is RefuseReason.UNPAIRED and wait_s:
            self._drop("stranger")
            return
        content = keys.encode_refuse(reason, self.versions[0], self.versions[1], min(wait_s, 0xFFFF))
        self._out += encode_frame(clear_body(RecordType.REFUSE, content))

    def _confirm(self, body: bytes, content: bytes, now_ms: int) -> None:
        session = self._session
        if session is not None and session.confirm_body == body:
            if self._machine.fire("repeat_confirm") == "resend_confirm":
                self._out += session.confirm_frame
            return
        try:
            programmer_id, mac = keys.decode_confirm_programmer(content)
        except WireError:
            self._drop("confirm")
            return
        pending = self._pending.get(programmer_id)
        if pending is None or pending.session is None or pending.machine.state != "pending":
            self._drop("confirm")
        elif keys.confirm_holds(pending.session.k_conf, b"P", pending.transcript, mac):
            self._admit(programmer_id, pending, body, now_ms)
        else:
            pending.machine.fire("bad_confirm")
            del self._pending[programmer_id]
            self._refuse(programmer_id, RefuseReason.KEY, _seconds(self.budget.failed(programmer_id, now_ms)))

    def _admit(self, programmer_id: bytes, pending: _Pending, body: bytes, now_ms: int) -> None:
        """The MAC held. Somebody else's session is only displaced by an emergency."""
        pairing = self._pairings.pairing(programmer_id)
        made = pending.session
        if pairing is None or made is None:
            return
        current = self._session
        if current is not None and current.pairing.programmer_id != programmer_id and pairing.role != Role.EMERGENCY:
            pending.machine.fire("others_session")
            del self._pending[programmer_id]
            wait_s = _seconds(self._session_ends_ms(current) - now_ms)
            self._out += encode_frame(clear_body(RecordType.BUSY, keys.encode_busy(max(1, min(wait_s, 0xFFFF)))))
            return
        pending.machine.fire("confirm")
        del self._pending[programmer_id]
        if current is not None:
            self._events.append(Ended(current.pairing.programmer_id, "replaced"))
        self._machine.fire("opened")
        self.budget.succeeded(programmer_id, now_ms)
        if pairing.role == Role.EMERGENCY:
            self._emergencies_ms = [*(t for t in self._emergencies_ms if now_ms - t < _HOUR_MS), now_ms]
        frame = encode_frame(clear_body(RecordType.CONFIRM_PUMP, keys.confirm(made.k_conf, b"D", pending.transcript)))
        self._session = _Session(
            pairing=pairing,
            receive=Sealer(made.k_p2d, made.iv_p, pending.version),
            send=Sealer(made.k_d2p, made.iv_d, pending.version),
            confirm_body=body,
            confirm_frame=frame,
            opened_ms=now_ms,
            heard_ms=now_ms,
        )
        self._out += frame
        self._events.append(Opened(programmer_id, pairing.role))

    # -------------------------------------------------------------------------------------------------- session
    def _record(self, body: bytes, now_ms: int) -> None:
        session = self._session
        if session is None:
            self._machine.fire("record")
            self._out += encode_frame(
                clear_body(RecordType.REFUSE, keys.encode_refuse(RefuseReason.NO_SESSION, self.versions[0], self.versions[1], 0))
            )
            return
        try:
            record = session.receive.open(body)
        except RecordError:
            self._machine.fire("bad_record")
            self._drop("tag")
            return
        counter, last = record.counter, session.last_counter
        if last < counter <= last + MAX_COUNTER_GAP and counter < MAX_COUNTER:
            self._machine.fire("new_record")
            session.last_counter = counter
            session.heard_ms = now_ms
            session.reply_frame = b""
            self._dispatch(record.plaintext)
        elif counter == last:
            self._machine.fire("last_record")
            session.heard_ms = now_ms
            self._out += session.reply_frame
        else:
            self._machine.fire("old_record")
            self._drop("replay")

    def _dispatch(self, plaintext: bytes) -> None:
        try:
            request = decode_request(plaintext)
        except MessageError as error:
            self.reply(_error_of(error))
            self._drop("message")
            return
        self._events.append(Requested(request))

    def _session_ends_ms(self, session: _Session) -> int:
        return min(session.heard_ms + SESSION_IDLE_MS, session.opened_ms + SESSION_LIFE_MS)

    def _end(self, reason: str) -> None:
        if self._session is not None:
            self._events.append(Ended(self._session.pairing.programmer_id, reason))
        self._session = None

    def _drop(self, why: str) -> None:
        self.dropped[why] = self.dropped.get(why, 0) + 1


def _seconds(ms: int) -> int:
    """Whole seconds, rounded up."""
    return -(-ms // 1000)


def _error_of(error: MessageError) -> Error:
    """The answer to a message that does not decode."""
    if isinstance(error, UnknownMessage):
        return Error(code=ErrorCode.UNKNOWN_MESSAGE, detail=error.id, cmd_id=0)
    if isinstance(error, FieldRangeError):
        return Error(code=ErrorCode.OUT_OF_RANGE, detail=error.field_number, cmd_id=0)
    return Error(code=ErrorCode.BAD_MESSAGE, detail=0, cmd_id=0)
