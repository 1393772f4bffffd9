"""A programmer written out by hand over `pump.line()`: for what no client would send (conformance, exactly-once, security).

It uses `itbpump.wire` (frames, records, messages, keys) and the documented fixtures, and none of the client's session: keys, counters and
ids are its own, so that a test can bend each of them. Frames are resent like any programmer does, until a deadline on the line's own clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from hil.commands import bolus_payload, commit_of, fragments
from itbpump.hil.fixtures import PumpUnderTest
from itbpump.link.errors import NoReply
from itbpump.transport.base import Transport
from itbpump.wire import keys
from itbpump.wire.frame import FrameSplitter, encode_frame
from itbpump.wire.messages import (
    PROTOCOL_VERSION,
    SUITE,
    CommandKind,
    Commit,
    Error,
    ErrorCode,
    GetInfo,
    GetStatus,
    Info,
    Outcome,
    RecordType,
    Reply,
    Request,
    Result,
    Stage,
    Staged,
    Status,
    decode_reply,
    encode_request,
)
from itbpump.wire.record import Sealer, clear_body, clear_content, parse_header

VECTORS = Path(__file__).resolve().parents[1] / "protocols" / "vectors"
RESEND_MS = 500
DEADLINE_MS = 10_000
R = TypeVar("R", bound=Reply)


def hello(programmer_id: bytes, np: bytes, version: int = PROTOCOL_VERSION, suite: int = SUITE) -> bytes:
    """A hello, framed."""
    return encode_frame(clear_body(RecordType.HELLO, keys.encode_h1(version, suite, programmer_id, np)))


def confirmation(programmer_id: bytes, mac: bytes) -> bytes:
    """A programmer's confirmation, framed."""
    return encode_frame(clear_body(RecordType.CONFIRM_PROGRAMMER, programmer_id + mac))


def types(bodies: list[bytes]) -> list[RecordType]:
    """Of records, in their order."""
    return [parse_header(body).rtype for body in bodies]


@dataclass
class Speaker:
    """One programmer on one line. `said` holds the body of each command record that it sent, `heard` each body that came; `changed_ms`
    is the pump's uptime at the last command that it had applied."""

    line: Transport
    programmer_id: bytes
    key_of: Callable[[bytes], bytes | None]
    entropy: Callable[[int], bytes]
    said: list[bytes] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    pump_id: bytes = b""
    counter: int = -1
    cmd_id: int = 0
    changed_ms: int = 0
    _reply_counter: int = -1
    _splitter: FrameSplitter = field(default_factory=FrameSplitter)
    _keys: keys.SessionKeys | None = None

    @classmethod
    def to(cls, pump: PumpUnderTest, line: Transport | None = None) -> Speaker:
        """This pump's programmer, on the line opened anew, or on one that another speaker has already."""
        programmer = pump.programmer
        return cls(line or pump.line(), programmer.state.programmer_id, programmer.key_of, programmer.entropy)

    # ------------------------------------------------------------------------------------------------ bytes
    def send(self, *frames: bytes) -> None:
        """Bytes as they are."""
        for frame in frames:
            self.line.write(frame)

    def listen(self, wait_ms: int = 0) -> list[bytes]:
        """Bodies that come within a wait on the line's clock; the first ends it."""
        bodies = self._splitter.feed(self.line.read(wait_ms))
        self.heard += bodies
        return bodies

    def await_body(self, what: str, wanted: Callable[[bytes], bool], resend: bytes = b"", wait_ms: int = DEADLINE_MS) -> bytes:
        """The first body that is wanted; what was sent is sent again now and then. Raises NoReply."""
        begun_ms, sent, next_ms = self.line.now_ms(), 1, self.line.now_ms() + RESEND_MS
        while (now_ms := self.line.now_ms()) < begun_ms + wait_ms:
            for body in self.listen(min(next_ms, begun_ms + wait_ms) - now_ms):
                if wanted(body):
                    return body
            if self.line.now_ms() >= next_ms:
                if resend:
                    self.send(resend)
                    sent += 1
                next_ms = self.line.now_ms() + RESEND_MS
        raise NoReply(what, wait_ms, sent)

    # ------------------------------------------------------------------------------------------------ handshake
    def greet(self) -> keys.HelloReply:
        """Hello, up to the pump's answer. Raises NoReply; AssertionError when the pump refuses or is busy."""
        np = self.entropy(16)
        said = keys.encode_h1(PROTOCOL_VERSION, SUITE, self.programmer_id, np)
        frame = hello(self.programmer_id, np)
        self.send(frame)
        body = self.await_body("hello", lambda body: parse_header(body).rtype in (RecordType.HELLO_REPLY, RecordType.REFUSE), frame)
        assert parse_header(body).rtype is RecordType.HELLO_REPLY, f"the pump refuses: {keys.decode_refuse(clear_content(body))}"
        answer = keys.decode_h2(clear_content(body))
        psk = self.key_of(answer.pump_id)
        assert psk is not None, f"no key for pump {answer.pump_id!r}"
        self.pump_id, self._transcript = answer.pump_id, keys.transcript_hash(said, clear_content(body))
        self._pending = keys.derive(psk, np, answer.nd, self._transcript)
        return answer

    def proof(self) -> bytes:
        """The confirmation that fits the last greeting, framed."""
        return confirmation(self.programmer_id, keys.confirm(self._pending.k_conf, b"P", self._transcript))

    def confirm(self) -> bytes:
        """Send it; what the pump answers: confirm_pump, busy or refuse."""
        frame = self.proof()
        self.send(frame)
        answers = (RecordType.CONFIRM_PUMP, RecordType.BUSY, RecordType.REFUSE)
        return self.await_body("the confirmation", lambda body: parse_header(body).rtype in answers, frame)

    def open(self) -> Speaker:
        """A session; ids go on above the last that the pump has taken."""
        self.greet()
        body = self.confirm()
        assert parse_header(body).rtype is RecordType.CONFIRM_PUMP, f"no session: {types([body])}"
        assert keys.confirm_holds(self._pending.k_conf, b"D", self._transcript, clear_content(body)), "the pump does not prove its key"
        self._keys = self._pending
        self.counter = self._reply_counter = -1
        self.cmd_id = max(self.cmd_id, self.ask(GetInfo(), Info).last_cmd_id)
        return self

    # ------------------------------------------------------------------------------------------------ records
    def sealed(self, plaintext: bytes, counter: int | None = None) -> bytes:
        """A command record with the next counter, or with another; counts only the next."""
        assert self._keys is not None, "no session"
        if counter is None:
            self.counter += 1
        return Sealer(self._keys.k_p2d, self._keys.iv_p).seal(RecordType.COMMAND, self.counter if counter is None else counter, plaintext)

    def reply_in(self, body: bytes) -> tuple[int, Reply]:
        """The counter of the request that a record answers, and the answer."""
        assert self._keys is not None, "no session"
        return decode_reply(Sealer(self._keys.k_d2p, self._keys.iv_d).open(body).plaintext)

    def ask_bytes(self, plaintext: bytes) -> Reply:
        """The answer to a request given as bytes. What every reply must be is looked at here: `re` and the counter."""
        body = self.sealed(plaintext)
        return self.answer_to(body)

    def answer_to(self, body: bytes) -> Reply:
        """Send a record of the present counter and give the answer to it."""
        self.said.append(body)
        frame = encode_frame(body)
        self.send(frame)

        def is_new(come: bytes) -> bool:
            header = parse_header(come)
            return header.rtype is RecordType.COMMAND and header.counter > self._reply_counter

        come = self.await_body(f"request {plain_id(body)}", is_new, frame)
        re, reply = self.reply_in(come)
        assert re == self.counter, f"a reply to record {re}, while record {self.counter} was asked"
        assert parse_header(come).counter == self._reply_counter + 1, "the counter of replies rises by one"
        self._reply_counter += 1
        return reply

    def ask_bytes_of(self, request: Request) -> Reply:
        """The answer, whatever it is."""
        return self.ask_bytes(encode_request(request))

    def ask(self, request: Request, kind: type[R]) -> R:
        """The answer, which must be of that kind."""
        reply = self.ask_bytes_of(request)
        assert isinstance(reply, kind), f"{type(request).__name__} is answered with {told(reply)}"
        return reply

    def silent_at(self, *frames: bytes) -> list[bytes]:
        """Send bytes; what comes in answer up to the answer to a Status asked after them. None of it may be a command record."""
        before = len(self.heard)
        self.send(*frames)
        self.ask(GetStatus(), Status)
        come = [body for body in self.heard[before:] if parse_header(body).rtype is not RecordType.EVENT]
        answers = [body for body in come if parse_header(body).rtype is RecordType.COMMAND]
        assert len(answers) == 1, f"{len(answers) - 1} answers to what must not be answered"
        return [body for body in come if body is not answers[0]]

    # ------------------------------------------------------------------------------------------------ commands
    def status(self) -> Status:
        """What the pump says of itself."""
        return self.ask(GetStatus(), Status)

    def next_id(self) -> int:
        """An id that the pump has not taken."""
        self.cmd_id += 1
        return self.cmd_id

    def stage(self, kind: CommandKind, payload: bytes, cmd_id: int | None = None, base: int | None = None) -> Commit:
        """Stage a payload to its end; the Commit that belongs to it. AssertionError when a fragment is refused."""
        number = self.next_id() if cmd_id is None else cmd_id
        revision = self.status().revision if base is None else base
        for fragment in fragments(number, kind, revision, payload):
            self.ask(fragment, Staged)
        return commit_of(number, revision, payload)

    def stage_refused(self, kind: CommandKind, payload: bytes) -> Error:
        """The Error with which the pump refuses a payload of one fragment."""
        cmd_id = self.next_id()
        return self.ask(Stage(cmd_id, kind, self.status().revision, len(payload), 0, payload), Error)

    def applied(self, request: Request) -> Result:
        """A command that must be applied."""
        result = self.ask(request, Result)
        assert result.result.outcome is Outcome.APPLIED, told(result)
        self.changed_ms = result.result.uptime_ms
        return result

    def refused(self, request: Request, code: ErrorCode) -> Result:
        """A command that must be refused, for that reason, and is kept as such."""
        result = self.ask(request, Result)
        assert (result.result.outcome, result.result.error) == (Outcome.REFUSED, code), told(result)
        return result


def plain_id(body: bytes) -> str:
    """Which record it is, for a text."""
    return f"record {parse_header(body).counter}"


def told(reply: Reply) -> str:
    """A reply in words."""
    if isinstance(reply, Error):
        return f"Error {name_of(reply.code)}, detail {reply.detail}"
    if isinstance(reply, Result):
        why = f", {name_of(reply.result.error)}, detail {reply.result.error_detail}" if reply.result.error else ""
        return f"Result {reply.result.outcome.name.lower()}{why}"
    return type(reply).__name__


def name_of(code: int) -> str:
    """Of an error code."""
    return ErrorCode(code).name.lower() if code in set(ErrorCode) else f"code {code}"


def small_bolus(speaker: Speaker, pulses: int = 4, seconds: int = 600) -> bytes:
    """A single bolus from the present counter, as it is staged."""
    return bolus_payload(speaker.status().bolus_counter, pulses, seconds)
