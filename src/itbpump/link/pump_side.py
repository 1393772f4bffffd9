"""The pump's end of the link, sans-IO.

`PumpLink` turns bytes from the line into `Opened`, `Requested`, `Ended` and `HandshakeFailed`, and replies and hints into bytes. A
handshake runs beside an open session and cannot disturb it before its confirmation verified. Roles and commands are judged by the
pump's firmware, not here. Not modelled: more than one session at a time (the protocol has one).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from itbpump.link.budget import Allowance, HandshakeBudget
from itbpump.link.machine import StateMachine
from itbpump.link.pump_events import Ended, HandshakeRefused, Opened, Pairing, PairingTable, PumpLinkEvent, Requested
from itbpump.link.pump_handshake import Admitted, Answer, PumpHandshakes
from itbpump.wire import keys
from itbpump.wire.errors import FieldRangeError, MessageError, RecordError, UnknownMessage
from itbpump.wire.frame import FrameSplitter, encode_frame
from itbpump.wire.messages import (
    MAX_COUNTER,
    MAX_COUNTER_GAP,
    SESSION_IDLE_MS,
    SESSION_LIFE_MS,
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
from itbpump.wire.record import Sealer, clear_body, clear_content, parse_header

__all__ = ["Ended", "HandshakeRefused", "Opened", "Pairing", "PairingTable", "PumpLink", "PumpLinkEvent", "Requested"]

_RESENDS = 64  # of one reply or confirmation; a programmer asks again some 20 times within a deadline, and the line may double that
# Of a session: whoever repeats each request of a programmer that polls must not drain the battery. A line that loses every other frame
# costs less than one a second.
_RESENDS_IN_A_ROW, _RESEND_EVERY_MS = 256, 1_000


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
    resends_left: int = _RESENDS
    resends: Allowance = field(init=False)

    def __post_init__(self) -> None:
        self.resends = Allowance(_RESENDS_IN_A_ROW, _RESEND_EVERY_MS, self.opened_ms)


class PumpLink:
    """One pump's link. `pump_id` is 8 bytes; `entropy(n)` gives n random bytes; `boot_epoch` rises with each reset.
    `emergency_ages_ms` tells, when asked, how long ago emergency sessions were opened that count for the limit of an hour."""

    def __init__(
        self,
        pump_id: bytes,
        pairings: PairingTable,
        entropy: Callable[[int], bytes],
        boot_epoch: int,
        versions: tuple[int, int] = (1, 1),
        *,
        emergency_ages_ms: Callable[[], tuple[int, ...]] = tuple,
    ) -> None:
        self.pump_id = pump_id
        self.dropped: dict[str, int] = {}
        self._handshakes = PumpHandshakes(pump_id, pairings, entropy, boot_epoch, versions, emergency_ages_ms)
        self._splitter = FrameSplitter()
        self._machine = StateMachine("pump_session")
        self._session: _Session | None = None
        self._out = bytearray()
        self._events: list[PumpLinkEvent] = []

    # -------------------------------------------------------------------------------------------------- surface
    @property
    def session(self) -> Pairing | None:
        """Who is in session."""
        return self._session.pairing if self._session else None

    def magnet(self, held_ms: int, now_ms: int) -> bool:
        """A magnet was held at the pump for `held_ms`, ending now. Returns whether an emergency session is now accepted."""
        return self._handshakes.magnet(held_ms, now_ms)

    @property
    def budget(self) -> HandshakeBudget:
        """What is left of the pump's patience with handshakes."""
        return self._handshakes.budget

    def take_spent(self) -> tuple[int, int]:
        """Handshakes answered and frames sent once more since the last call, for the battery; requests are counted apart."""
        spent = self._handshakes.spent_handshakes, self._handshakes.spent_records
        self._handshakes.spent_handshakes = self._handshakes.spent_records = 0
        return spent

    def split(self, data: bytes) -> list[bytes]:
        """Bodies of the intact frames in the bytes heard so far; give each to `take`."""
        return self._splitter.feed(data)

    def take(self, body: bytes, now_ms: int) -> list[PumpLinkEvent]:
        """One body off the line, judged after what has expired by `now_ms` is forgotten. Never raises for anything the line brings."""
        self.tick(now_ms)
        try:
            header = parse_header(body)
        except RecordError:
            self._drop("header")
            return self._events
        if header.rtype == RecordType.COMMAND:
            self._record(body, now_ms)
        elif header.rtype == RecordType.HELLO:
            self._answer(self._handshakes.hello(body, clear_content(body), now_ms))
        elif header.rtype == RecordType.CONFIRM_PROGRAMMER:
            self._confirm(body, clear_content(body), now_ms)
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
        session.resends_left = _RESENDS
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
        session_ends_ms = None if self._session is None else self._session_ends_ms(self._session)
        return min((t for t in (self._handshakes.deadline_ms(), session_ends_ms) if t is not None), default=None)

    def tick(self, now_ms: int) -> list[PumpLinkEvent]:
        """Forget what has expired."""
        self._events = []
        self._handshakes.tick(now_ms)
        if self._session is not None and now_ms >= self._session_ends_ms(self._session) and self._machine.fire("expired"):
            self._end("expired")
        return self._events

    # ------------------------------------------------------------------------------------------------ handshake
    def _confirm(self, body: bytes, content: bytes, now_ms: int) -> None:
        session = self._session
        if session is not None and session.confirm_body == body:
            if self._machine.fire("repeat_confirm") == "resend_confirm":
                self._resend(session, session.confirm_frame, now_ms)
            return
        answer = self._handshakes.confirm(content, now_ms)
        self._answer(answer)
        if answer.admitted is not None:
            self._admit(answer.admitted, body, now_ms)

    def _answer(self, answer: Answer) -> None:
        self._out += answer.frame
        if answer.refused is not None:
            self._events.append(answer.refused)
        if answer.dropped:
            self._drop(answer.dropped)

    def _admit(self, admitted: Admitted, body: bytes, now_ms: int) -> None:
        """The MAC held. Somebody else's session is only displaced by an emergency."""
        pairing, current = admitted.pairing, self._session
        if current is not None and current.pairing.programmer_id != pairing.programmer_id and pairing.role is not Role.EMERGENCY:
            self._handshakes.settle(admitted, now_ms, opened=False)
            wait_s = -(-(self._session_ends_ms(current) - now_ms) // 1000)
            self._out += encode_frame(clear_body(RecordType.BUSY, keys.encode_busy(max(1, min(wait_s, 0xFFFF)))))
            return
        again = self._handshakes.settle(admitted, now_ms, opened=True)
        if current is not None:
            self._events.append(Ended(current.pairing.programmer_id, "replaced"))
        self._machine.fire("opened")
        self._session = _Session(
            pairing=pairing,
            receive=Sealer(admitted.made.k_p2d, admitted.made.iv_p, admitted.version),
            send=Sealer(admitted.made.k_d2p, admitted.made.iv_d, admitted.version),
            confirm_body=body,
            confirm_frame=admitted.confirm_frame,
            opened_ms=now_ms,
            heard_ms=now_ms,
        )
        self._out += admitted.confirm_frame
        self._events.append(Opened(pairing.programmer_id, pairing.role, again))

    # -------------------------------------------------------------------------------------------------- session
    def _record(self, body: bytes, now_ms: int) -> None:
        session = self._session
        if session is None:
            self._machine.fire("record")
            if self._handshakes.budget.take_clear(now_ms) == 0:
                self._out += self._handshakes.refusal(RefuseReason.NO_SESSION, 0)
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
            self._handshakes.heard()
            session.reply_frame = b""
            self._dispatch(record.plaintext)
        elif counter == last:
            # Anybody can say it again: it does not keep the session, and is not answered without end.
            self._machine.fire("last_record")
            self._resend(session, session.reply_frame, now_ms)
        else:
            self._machine.fire("old_record")
            self._drop("replay")

    def _resend(self, session: _Session, frame: bytes, now_ms: int) -> None:
        if session.resends_left == 0 or not session.resends.take(now_ms):
            self._drop("over budget")
            return
        session.resends_left -= 1
        self._handshakes.spent_records += 1
        self._out += frame

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
            self._handshakes.heard()
        self._session = None

    def _drop(self, why: str) -> None:
        self.dropped[why] = self.dropped.get(why, 0) + 1


def _error_of(error: MessageError) -> Error:
    """The answer to a message that does not decode."""
    if isinstance(error, UnknownMessage):
        return Error(code=ErrorCode.UNKNOWN_MESSAGE, detail=error.id, cmd_id=0)
    if isinstance(error, FieldRangeError):
        return Error(code=ErrorCode.OUT_OF_RANGE, detail=error.field_number, cmd_id=0)
    return Error(code=ErrorCode.BAD_MESSAGE, detail=0, cmd_id=0)
