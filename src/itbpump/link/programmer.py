"""The programmer's end of the link, sans-IO.

`ProgrammerLink` makes the handshake, sends one request at a time, resends identical bytes until an absolute deadline, and gives out
`Opened`, `Replied`, `Notified` and `Failed`. The driver feeds bytes and times and writes what `transmit` returns. A pump that was reset
between hello and confirmation drops the confirmation in silence: when none is answered for a while the link says hello anew, once, and
within the same deadline. Not modelled: pipelining.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from itbpump.link.errors import LinkError, LinkMisuse, NoReply, NotPaired, PumpBusy, SessionLost, refusal_error
from itbpump.link.machine import StateMachine
from itbpump.link.pacing import Pacing
from itbpump.link.programmer_events import Failed, Notified, Opened, ProgrammerLinkEvent, Replied
from itbpump.link.programmer_handshake import ProgrammerHandshake
from itbpump.wire import keys
from itbpump.wire.errors import MessageError, RecordError, WireError
from itbpump.wire.frame import FrameSplitter, encode_frame
from itbpump.wire.messages import (
    HANDSHAKE_DEADLINE_MS,
    MAX_COUNTER,
    MAX_COUNTER_GAP,
    SESSION_IDLE_MS,
    SESSION_LIFE_MS,
    RecordType,
    RefuseReason,
    Request,
    decode_event,
    decode_reply,
    encode_request,
)
from itbpump.wire.record import Sealer, clear_body, parse_header

__all__ = ["Failed", "Notified", "Opened", "ProgrammerLink", "ProgrammerLinkEvent", "Replied"]

# How long a confirmation may stay unanswered before hello is said anew: sent three to five times by then, which a line that loses 10 %
# each way swallows once in a hundred handshakes at most; and a multiple of what the hello took, so that a slow line is not a reset.
_SILENCE_MS = 2_000
_SILENCE_OF_HELLO = 3


@dataclass(slots=True)
class _Session:
    send: Sealer
    receive: Sealer
    opened_ms: int
    sent_ms: int
    counter: int = -1
    heard: int = -1
    heard_event: int = -1


class ProgrammerLink:
    """One programmer's link to one pump.

    `programmer_id` is 8 bytes; `key_of(pump_id)` returns the 32-byte pairing key or None; `entropy(n)` gives n random bytes;
    `versions` are the lowest and highest protocol version spoken.
    """

    def __init__(
        self,
        programmer_id: bytes,
        key_of: Callable[[bytes], bytes | None],
        entropy: Callable[[int], bytes],
        versions: tuple[int, int] = (1, 1),
    ) -> None:
        self.programmer_id = programmer_id
        self.versions = versions
        self.pacing = Pacing()
        self.dropped: dict[str, int] = {}
        self.resent = 0
        self._key_of = key_of
        self._entropy = entropy
        self._splitter = FrameSplitter()
        self._machine = StateMachine("programmer_link")
        self._session: _Session | None = None
        self._out = bytearray()
        self._events: list[ProgrammerLinkEvent] = []
        self._version = versions[1]
        self._handshake: ProgrammerHandshake | None = None
        # what is under way: its frame, when it was first and last sent, how often, and until when to wait
        self._what = ""
        self._frame = b""
        self._first_ms = 0
        self._resend_ms = 0
        self._sent = 0
        self._deadline_ms = 0
        self._unpaired: keys.Refusal | None = None
        self._anew_ms: int | None = None
        self._may_begin_anew = False

    # -------------------------------------------------------------------------------------------------- surface
    @property
    def state(self) -> str:
        """State of the machine `programmer_link`."""
        return self._machine.state

    @property
    def negotiated_version(self) -> int:
        """Version of the session or of the handshake under way."""
        return self._version

    def connect(self, now_ms: int, deadline_ms: int | None = None) -> None:
        """Start a handshake, to be done by `deadline_ms` (link time; default HANDSHAKE_DEADLINE_MS from now)."""
        if self._machine.state != "closed":
            self.disconnect()
        self._version = self.versions[1]
        self._deadline_ms = now_ms + HANDSHAKE_DEADLINE_MS if deadline_ms is None else deadline_ms
        self._may_begin_anew = True
        self._machine.fire("connect")
        self._send_hello(now_ms)

    def disconnect(self) -> None:
        """Forget the session and whatever is under way, without telling the pump."""
        self._machine.fire("disconnect")
        self._session = None
        self._handshake = None

    def request(self, message: Request, now_ms: int, deadline_ms: int) -> None:
        """Send one request; its answer or failure comes as an event by `deadline_ms`.

        Raises LinkMisuse when no session is open or a request is under way; FieldRangeError for a field out of range.
        """
        session = self._session
        if session is None or self._machine.state != "open":
            raise LinkMisuse(f"a request in state {self._machine.state}: open a session and wait for the answer before")
        plaintext = encode_request(message)
        self._machine.fire("request")
        session.counter += 1
        session.sent_ms = now_ms
        self._what = type(message).__name__
        self._deadline_ms = deadline_ms
        self._send(encode_frame(session.send.seal(RecordType.COMMAND, session.counter, plaintext)), now_ms)

    def feed(self, data: bytes, now_ms: int) -> list[ProgrammerLinkEvent]:
        """Bytes off the line. Never raises for anything the line brings."""
        self._events = []
        for body in self._splitter.feed(data):
            self._take(body, now_ms)
        return self._events

    def tick(self, now_ms: int) -> list[ProgrammerLinkEvent]:
        """Do what is due: resend, give up, end the session."""
        self._events = []
        state = self._machine.state
        if state in ("open", "awaiting") and self._session is not None and now_ms >= self._session_ends_ms(self._session):
            self._machine.fire("expired")
            self._fail(SessionLost("the session is over (idle or 24 h old); connect again"))
        elif state in ("hello_sent", "confirm_sent", "awaiting"):
            if self._unpaired is not None and now_ms >= min(self._resend_ms, self._deadline_ms):
                self._end_refused(self._unpaired)
            elif now_ms >= self._deadline_ms:
                self._give_up(now_ms)
            elif self._anew_ms is not None and now_ms >= self._anew_ms:
                self._begin_anew(now_ms)
            elif now_ms >= self._resend_ms:
                self._machine.fire("timeout")
                if self._handshake is not None:
                    self._handshake.resent()
                self.pacing.missed()
                self.resent += 1
                self._sent += 1
                self._resend_ms = now_ms + self.pacing.timeout_ms
                self._out += self._frame
        return self._events

    def deadline_ms(self) -> int | None:
        """Link time at which `tick` has something to do."""
        if self._machine.state in ("hello_sent", "confirm_sent", "awaiting"):
            due = min(self._resend_ms, self._deadline_ms)
            return due if self._anew_ms is None else min(due, self._anew_ms)
        return self._session_ends_ms(self._session) if self._session else None

    def transmit(self) -> bytes:
        """Bytes for the line; drained."""
        out = bytes(self._out)
        self._out.clear()
        return out

    # ------------------------------------------------------------------------------------------------ handshake
    def _send_hello(self, now_ms: int) -> None:
        self._anew_ms = None
        self._handshake = ProgrammerHandshake(self.programmer_id, self._version, self._entropy)
        self._what = "hello"
        self._send(encode_frame(clear_body(RecordType.HELLO, self._handshake.hello)), now_ms)

    def _begin_anew(self, now_ms: int) -> None:
        """The pump does not know this handshake any more: it was reset, or has forgotten it; another, by the same deadline."""
        self._may_begin_anew = False
        self._machine.fire("disconnect")
        self._machine.fire("connect")
        self._send_hello(now_ms)

    def _hello_reply(self, content: bytes, now_ms: int) -> None:
        answer = self._handshake.fits(content) if self._handshake and self._machine.state in ("hello_sent", "confirm_sent") else None
        if self._handshake is None or answer is None:
            self._drop("hello_reply")
            return
        key = self._key_of(answer.pump_id)
        if key is None:
            if self._machine.fire("no_key"):
                self._fail(NotPaired(answer.pump_id))
            return
        before = self._frame if self._machine.state == "confirm_sent" else b""
        if not before:
            self._measure(now_ms)
            if self._may_begin_anew:
                self._anew_ms = now_ms + max(_SILENCE_MS, _SILENCE_OF_HELLO * (now_ms - self._first_ms))
        confirm = encode_frame(clear_body(RecordType.CONFIRM_PROGRAMMER, self._handshake.confirmation(content, answer, key)))
        self._machine.fire("hello_reply")
        self._what = "the confirmation"
        self._send(confirm, now_ms)
        self._frame = before + confirm  # a resend repeats every confirmation

    def _confirmed(self, mac: bytes, now_ms: int) -> None:
        handshake = self._handshake
        made = handshake.confirmed(mac) if handshake and self._machine.state == "confirm_sent" else None
        if handshake is None or handshake.answer is None or made is None:
            self._drop("confirm")
            return
        self._machine.fire("confirmed")
        self._anew_ms = None
        self._measure(now_ms)
        self._session = _Session(
            send=Sealer(made.k_p2d, made.iv_p, self._version),
            receive=Sealer(made.k_d2p, made.iv_d, self._version),
            opened_ms=now_ms,
            sent_ms=now_ms,
        )
        self._handshake = None
        self._events.append(Opened(handshake.answer.pump_id, self._version, handshake.answer.boot_epoch))

    def _refused(self, content: bytes, now_ms: int) -> None:
        try:
            refusal = keys.decode_refuse(content)
        except WireError:
            self._drop("refuse")
            return
        state = self._machine.state
        if refusal.reason == RefuseReason.NO_SESSION:
            if self._session is not None and self._machine.fire("refused"):
                self._fail(SessionLost("the pump no longer has this session (it was reset or another session replaced it)"))
            else:
                self._drop("refuse")
            return
        if refusal.reason == RefuseReason.VERSION and refusal.version_min <= self._version <= refusal.version_max:
            self._drop("refuse")  # it belongs to an earlier hello of another version
            return
        if refusal.reason == RefuseReason.KEY and self._handshake is not None and not self._handshake.key_refused():
            return
        if state == "hello_sent" and refusal.reason == RefuseReason.VERSION:
            common = min(self.versions[1], refusal.version_max)
            if max(self.versions[0], refusal.version_min) <= common < self._version:
                self._version = common
                self._machine.fire("other_version")
                self._send_hello(now_ms)
                return
        if refusal.reason == RefuseReason.UNPAIRED and state == "hello_sent":
            self._unpaired = refusal  # it may be meant for a stranger's hello: believed when no better answer comes in time
        elif state in ("hello_sent", "confirm_sent") and refusal.reason != RefuseReason.UNPAIRED:
            self._end_refused(refusal)
        else:
            self._drop("refuse")

    def _end_refused(self, refusal: keys.Refusal) -> None:
        self._machine.fire("refused")
        answer = self._handshake.answer if self._handshake else None
        self._fail(refusal_error(refusal, self.versions, answer.pump_id if answer else b""))

    # -------------------------------------------------------------------------------------------------- records
    def _take(self, body: bytes, now_ms: int) -> None:
        try:
            header = parse_header(body)
        except RecordError:
            self._drop("header")
            return
        if header.rtype == RecordType.COMMAND:
            self._reply(body, now_ms)
        elif header.rtype == RecordType.EVENT:
            self._event(body)
        elif header.rtype == RecordType.HELLO_REPLY:
            self._hello_reply(body[8:], now_ms)
        elif header.rtype == RecordType.CONFIRM_PUMP:
            self._confirmed(body[8:], now_ms)
        elif header.rtype == RecordType.REFUSE:
            self._refused(body[8:], now_ms)
        elif header.rtype == RecordType.BUSY:
            self._busy(body[8:])
        else:
            self._drop("type")

    def _busy(self, content: bytes) -> None:
        try:
            retry_after_s = keys.decode_busy(content)
        except WireError:
            self._drop("busy")
            return
        if self._machine.state in ("hello_sent", "confirm_sent"):
            self._machine.fire("refused")
            self._fail(PumpBusy(retry_after_s))
        else:
            self._drop("busy")

    def _reply(self, body: bytes, now_ms: int) -> None:
        session = self._session
        if session is None:
            self._drop("no_session")
            return
        try:
            record = session.receive.open(body)
        except RecordError:
            self._drop("tag")
            return
        if not session.heard < record.counter <= session.heard + MAX_COUNTER_GAP:
            self._drop("replay")
            return
        session.heard = record.counter
        try:
            re, reply = decode_reply(record.plaintext)
        except MessageError:
            self._drop("message")
            return
        if self._machine.state != "awaiting" or re != session.counter:
            self._drop("late")
            return
        self._machine.fire("reply")
        self._measure(now_ms)
        self._events.append(Replied(reply))

    def _event(self, body: bytes) -> None:
        session = self._session
        if session is None:
            self._drop("no_session")
            return
        try:
            record = session.receive.open(body)
            if record.counter <= session.heard_event:
                self._drop("replay")
                return
            session.heard_event = record.counter
            event = decode_event(record.plaintext)
        except RecordError:
            self._drop("tag")
        except MessageError:
            self._drop("message")
        else:
            self._events.append(Notified(event))

    # ---------------------------------------------------------------------------------------------------- pieces
    def _send(self, frame: bytes, now_ms: int) -> None:
        self._frame = frame
        self._unpaired = None
        self._first_ms = now_ms
        self._sent = 1
        self._resend_ms = now_ms + self.pacing.timeout_ms
        self._out += frame

    def _measure(self, now_ms: int) -> None:
        if self._sent == 1:
            self.pacing.measured(now_ms - self._first_ms)
        else:
            self.pacing.answered_late()

    def _give_up(self, now_ms: int) -> None:
        error = NoReply(self._what, now_ms - self._first_ms, self._sent)
        if self._machine.fire("deadline") == "fail":
            self._fail(error)
        else:
            self._events.append(Failed(error))

    def _fail(self, error: LinkError) -> None:
        self._session = None
        self._handshake = None
        self._events.append(Failed(error))

    def _session_ends_ms(self, session: _Session) -> int:
        # The programmer leaves a little earlier than the pump, so that it never speaks into a session that is gone.
        margin_ms = 5_000
        if session.counter + 1 >= MAX_COUNTER:
            return 0
        return min(session.sent_ms + SESSION_IDLE_MS, session.opened_ms + SESSION_LIFE_MS) - margin_ms

    def _drop(self, why: str) -> None:
        self.dropped[why] = self.dropped.get(why, 0) + 1
