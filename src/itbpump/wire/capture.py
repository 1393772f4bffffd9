"""What a recorder and a reader of recordings share: cutting a stream into frames, following sessions, opening what keys are known for.

`Cutter` loses no byte, so a recording can be played back. `Watch` follows both ways of a line: it derives the keys of a session that it
has seen opened from the pairing key, or takes them from a key log, and tells what each frame is. A key log holds keys of single sessions,
never a pairing key:

    itbp1-session np=… nd=… k_p2d=… k_d2p=… iv_p=… iv_d=…      hex; np and nd are the nonces of both hellos, which name the session

Not here: files, the transport (`transport.capture`, `transport.replay`), pcapng (`wire.pcapng`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from itbpump.wire import keys
from itbpump.wire.errors import FrameError, RecordError, WireError
from itbpump.wire.frame import MAX_ENCODED_BYTES, decode_frame
from itbpump.wire.messages import RecordType, decode_event, decode_reply, decode_request
from itbpump.wire.pcapng import RecordingError, Way
from itbpump.wire.record import IV_BYTES, KEY_BYTES, Header, Sealer, clear_content, parse_header

__all__ = ["CLOCK_REMARK", "Cutter", "LoggedKeys", "Seen", "Watch", "encode_key_line", "parse_key_log"]

CLOCK_REMARK = "host clock "  # and seconds since 1970: the comment of a packet without bytes
_HELLOS_KEPT = 4
_SESSIONS_KEPT = 64
_LONGEST_PIECE = MAX_ENCODED_BYTES + 2
_END = re.compile(rb"[^\x00]\x00")

KeyOf = Callable[[bytes], bytes | None]


class Cutter:
    """Cuts one way of a line behind each frame. What it gives out is what it was fed, byte for byte; it holds at most one frame."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Pieces completed by `data`: zeros, a run without zeros, a zero. What is too long for a frame is given out as it stands."""
        whole = self._tail + data
        pieces, start = [], 0
        for found in _END.finditer(whole):
            pieces.append(whole[start : found.end()])
            start = found.end()
        self._tail = whole[start:]
        if len(self._tail) > _LONGEST_PIECE:
            pieces.append(self._tail)
            self._tail = b""
        return pieces

    def finish(self) -> list[bytes]:
        """What is left when the line ends."""
        tail, self._tail = self._tail, b""
        return [tail] if tail else []


# ------------------------------------------------------------------------------------------------ keys
class LoggedKeys(NamedTuple):
    """Keys of one session. Whoever has them can read it, and nothing else; the session is over when they are written down for good."""

    np: bytes
    nd: bytes
    k_p2d: bytes
    k_d2p: bytes
    iv_p: bytes
    iv_d: bytes

    def __repr__(self) -> str:
        return f"LoggedKeys(np={self.np.hex()}, nd={self.nd.hex()}, …)"  # keys never reach a log by accident


_SIZES = (keys.NONCE_BYTES, keys.NONCE_BYTES, KEY_BYTES, KEY_BYTES, IV_BYTES, IV_BYTES)
_KEY_LINE = re.compile(
    "itbp1-session " + " ".join(f"{name}=(?P<{name}>[0-9a-f]{{{2 * size}}})" for name, size in zip(LoggedKeys._fields, _SIZES, strict=True))
)


def encode_key_line(logged: LoggedKeys) -> str:
    """One line of a key log, without its end."""
    return "itbp1-session " + " ".join(f"{name}={value.hex()}" for name, value in logged._asdict().items())


def parse_key_log(text: str) -> tuple[LoggedKeys, ...]:
    """The keys in a key log, oldest first. Blank lines, lines after # and an unfinished last line are passed over.

    Raises RecordingError with the number of a line that is none; the line itself is not repeated, it may hold a key.
    """
    found = []
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        match = _KEY_LINE.fullmatch(line.strip())
        if match:
            found.append(LoggedKeys(*(bytes.fromhex(value) for value in match.groups())))
        elif line.strip() and not line.startswith("#") and number < len(lines):
            raise RecordingError(f"line {number} of the key log is not `itbp1-session np=… nd=… k_p2d=… k_d2p=… iv_p=… iv_d=…`")
    return tuple(found)


# ------------------------------------------------------------------------------------------------ watching
class Seen(NamedTuple):
    """A frame as far as it can be read. `header` is None when it is none; `content` is a hello, a message, …, None when it stays sealed.

    `problem` says what is wrong with the frame; `re` is the counter of the request that a reply answers.
    """

    header: Header | None
    content: object = None
    problem: str = ""
    re: int | None = None

    @property
    def name(self) -> str:
        """`hello`, `GetStatus`, `sealed` or `damaged`."""
        if self.header is None:
            return "damaged"
        if not self.header.sealed:
            return self.header.rtype.name.lower()
        return type(self.content).__name__ if self.content is not None else "sealed"


class _Session(NamedTuple):
    logged: LoggedKeys
    made: keys.SessionKeys | None = None  # with the key of the confirmation, where the pairing key was known
    transcript: bytes = b""


class Watch:
    """Follows a line from its start, or from anywhere with a key log.

    `key_of(pump_id)` gives the pairing key or None; `logged` are keys of sessions; `on_session` is told the keys of each session whose
    confirmation by the pump was seen and held.
    """

    def __init__(
        self, key_of: KeyOf | None = None, logged: Iterable[LoggedKeys] = (), on_session: Callable[[LoggedKeys], None] | None = None
    ) -> None:
        self._key_of = key_of
        self._on_session = on_session
        self._hellos: list[tuple[bytes, keys.Hello]] = []
        self._half_made: list[_Session] = []
        self._sessions = [_Session(entry) for entry in reversed(tuple(logged))][:_SESSIONS_KEPT]

    def see(self, way: Way, data: bytes) -> list[Seen]:
        """The frames of a packet, in order; never raises for what a line brings."""
        return [self._frame(way, run) for run in data.split(b"\x00") if run]

    def _frame(self, way: Way, run: bytes) -> Seen:
        try:
            body = decode_frame(run)
            header = parse_header(body)
        except (FrameError, RecordError) as error:
            return Seen(None, problem=str(error))
        try:
            return self._sealed(way, header, body) if header.sealed else Seen(header, self._clear(header.rtype, clear_content(body)))
        except WireError as error:
            return Seen(header, problem=str(error))

    # -------------------------------------------------------------------------------------------------- handshake
    def _clear(self, rtype: RecordType, content: bytes) -> object:
        if rtype is RecordType.HELLO:
            hello = keys.decode_h1(content)
            self._hellos = [(content, hello), *(entry for entry in self._hellos if entry[0] != content)][:_HELLOS_KEPT]
            return hello
        if rtype is RecordType.HELLO_REPLY:
            reply = keys.decode_h2(content)
            self._answered(content, reply)
            return reply
        if rtype is RecordType.CONFIRM_PROGRAMMER:
            return keys.decode_confirm_programmer(content)
        if rtype is RecordType.CONFIRM_PUMP:
            mac = keys.decode_confirm_pump(content)
            self._confirmed(mac)
            return mac
        return keys.decode_busy(content) if rtype is RecordType.BUSY else keys.decode_refuse(content)

    def _answered(self, content: bytes, reply: keys.HelloReply) -> None:
        """An answer does not name the hello it is for, so it may open a session with any of the last ones."""
        key = self._key_of(reply.pump_id) if self._key_of is not None else None
        if key is None:
            return
        for h1, hello in self._hellos:
            transcript = keys.transcript_hash(h1, content)
            made = keys.derive(key, hello.np, reply.nd, transcript)
            logged = LoggedKeys(hello.np, reply.nd, *made[:4])
            if all(logged != known.logged for known in self._half_made):
                self._half_made = [_Session(logged, made, transcript), *self._half_made][: _HELLOS_KEPT**2]

    def _confirmed(self, mac: bytes) -> None:
        for session in self._half_made:
            if session.made is not None and keys.confirm_holds(session.made.k_conf, b"D", session.transcript, mac):
                self._half_made = []
                self._sessions = [session, *self._sessions][:_SESSIONS_KEPT]
                if self._on_session is not None:
                    self._on_session(session.logged)
                return

    # ---------------------------------------------------------------------------------------------------- records
    def _sealed(self, way: Way, header: Header, body: bytes) -> Seen:
        for place, session in enumerate(self._sessions):
            logged = session.logged
            key, iv = (logged.k_p2d, logged.iv_p) if way is Way.TO_PUMP else (logged.k_d2p, logged.iv_d)
            try:
                plaintext = Sealer(key, iv, header.version).open(body).plaintext
            except RecordError:
                continue  # a record of another session
            self._sessions.insert(0, self._sessions.pop(place))
            return _opened(way, header, plaintext)
        return Seen(header)


def _opened(way: Way, header: Header, plaintext: bytes) -> Seen:
    if way is Way.TO_PUMP:
        return Seen(header, decode_request(plaintext))
    if header.rtype is RecordType.EVENT:
        return Seen(header, decode_event(plaintext))
    re, reply = decode_reply(plaintext)
    return Seen(header, reply, re=re)
