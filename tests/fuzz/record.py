"""Harness of the records: both ends of the link, whole, fed with whatever a line can bring.

An input is a script (`harness.chunks_of`). The fuzzer plays the line and, since a stranger's bytes end at the tag, a programmer and a
pump that seal anything with the session's true keys. Not here: what the firmware does with a request (`session`).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, Final

from itbpump.link.programmer import Failed, ProgrammerLink
from itbpump.link.pump_side import Opened, Pairing, PumpLink, Requested
from itbpump.wire.errors import HeaderError, RecordError, TagError
from itbpump.wire.frame import MAX_BODY_BYTES, MAX_ENCODED_BYTES, FrameSplitter, encode_frame
from itbpump.wire.messages import HEADER_BYTES, LogEvent, LogKind, Ping, Pong, RecordType, Role
from itbpump.wire.record import MAX_CLEAR_BYTES, MAX_PLAINTEXT_BYTES, Sealer, clear_body, open_sealed, parse_header
from tests.fuzz.harness import Chunk, Harness, chunks_of, mutate_chunks
from tests.fuzz.wire import KINDS, VECTORS, payload_rows

__all__ = ["OPS", "RECORD", "World"]

KEY, PUMP_ID, PROGRAMMER = bytes(range(32)), b"PUMPID01", b"PROGID01"
OTHERS = {b"PROGID02": Role.OBSERVER, b"EMERGENC": Role.EMERGENCY}
_CLEAR = (
    RecordType.HELLO,
    RecordType.HELLO_REPLY,
    RecordType.CONFIRM_PROGRAMMER,
    RecordType.CONFIRM_PUMP,
    RecordType.BUSY,
    RecordType.REFUSE,
)
_LONGEST_ANSWER = 8 * (MAX_ENCODED_BYTES + 2)
"""Bytes one body may make an end send: a pump's answer, or a programmer's (at most four) confirmations."""
_REASONS = 12
"""Kinds of drop each end counts, at most."""


class World:
    """A pump and a programmer with one key; the line between them is the script."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.pairings = {PROGRAMMER: Pairing(PROGRAMMER, Role.CLINICIAN, KEY)}
        self.pairings |= {name: Pairing(name, role, KEY[::-1]) for name, role in OTHERS.items()}
        self.pump = PumpLink(PUMP_ID, self, random.Random(1).randbytes, boot_epoch=7)
        self.programmer = ProgrammerLink(PROGRAMMER, lambda pump: KEY if pump == PUMP_ID else None, random.Random(2).randbytes)

    def pairing(self, programmer_id: bytes) -> Pairing | None:
        """The pump's pairing table."""
        return self.pairings.get(programmer_id)

    # ---------------------------------------------------------------------------------------------- the two ends
    def pump_takes(self, body: bytes) -> None:
        """One body into the pump; requests are answered as firmware would."""
        events = self.pump.take(body, self.now_ms)
        assert len(events) <= 3, "one body, many events"
        for event in events:
            if isinstance(event, Requested):
                self.pump.reply(Pong(nonce=1, uptime_ms=self.now_ms))
            assert not isinstance(event, Opened) or event.programmer_id == PROGRAMMER, "a session without its key"

    def programmer_hears(self, data: bytes) -> None:
        """Bytes into the programmer."""
        frames = data.count(b"\0") + 1
        events = self.programmer.feed(data, self.now_ms)
        assert len(events) <= frames, "more events than frames"
        for event in events:
            assert not isinstance(event, Failed) or len(str(event.error)) < 400, "an error as long as its input"

    def carried(self) -> None:
        """All that both ends have for the line, until they are silent."""
        for _ in range(8):
            to_pump = self.programmer.transmit()
            for body in self.pump.split(to_pump):
                self.pump_takes(body)
            to_programmer = self.pump.transmit()
            self.programmer_hears(to_programmer)
            if not to_pump and not to_programmer:
                return

    def bounded(self) -> None:
        """Neither end holds or says more than it may."""
        for end in (self.pump, self.programmer):
            assert len(end.transmit()) <= _LONGEST_ANSWER, "an answer without bound"
            assert len(end.dropped) <= _REASONS, "a table that grows with what is heard"
        handshakes = self.pump._handshakes
        assert len(handshakes._programmers) <= len(self.pairings), "half-made handshakes of strangers are kept"
        assert all(len(known.attempts) <= 2 for known in handshakes._programmers.values()), "too many half-made handshakes"
        assert len(self.pump.budget._buckets) <= len(self.pairings) + 1, "a bucket for a stranger"


# ------------------------------------------------------------------------------------------------ steps of a script
def _raw_body(world: World, data: bytes) -> None:
    world.pump_takes(data[:MAX_BODY_BYTES])


def _sealed_request(world: World, data: bytes) -> None:
    session, theirs = world.programmer._session, world.pump._session
    if session is not None and theirs is not None:
        session.counter = theirs.last_counter + 1
        world.pump_takes(session.send.seal(RecordType.COMMAND, session.counter, data[:MAX_PLAINTEXT_BYTES]))


def _any_counter(world: World, data: bytes) -> None:
    session = world.programmer._session
    if session is not None:
        counter = int.from_bytes(data[:3], "big")
        rtype = RecordType.EVENT if data[3:4] == b"\x01" else RecordType.COMMAND
        world.pump_takes(session.send.seal(rtype, counter, data[4 : 4 + MAX_PLAINTEXT_BYTES]))


def _clear(data: bytes) -> bytes:
    rtype = _CLEAR[data[0] % len(_CLEAR)] if data else RecordType.HELLO
    return clear_body(rtype, data[1 : 1 + MAX_CLEAR_BYTES])


def _clear_to_pump(world: World, data: bytes) -> None:
    world.pump_takes(_clear(data))


def _clear_to_programmer(world: World, data: bytes) -> None:
    world.programmer_hears(encode_frame(_clear(data)))


def _sealed_answer(world: World, data: bytes) -> None:
    """First byte, bit 0: an event; bit 1: an answer to the very request under way."""
    session, theirs = world.programmer._session, world.pump._session
    if session is not None and theirs is not None and data:
        plaintext = data[1 : 1 + MAX_PLAINTEXT_BYTES]
        if data[0] & 2:
            plaintext = plaintext[:1] + max(0, session.counter).to_bytes(4, "big") + plaintext[5:]
        rtype, heard = (RecordType.EVENT, session.heard_event) if data[0] & 1 else (RecordType.COMMAND, session.heard)
        world.programmer_hears(encode_frame(theirs.send.seal(rtype, heard + 1, plaintext)))


def _stream_to_pump(world: World, data: bytes) -> None:
    for body in world.pump.split(data):
        world.pump_takes(body)


def _stream_to_programmer(world: World, data: bytes) -> None:
    world.programmer_hears(data)


def _connect(world: World, data: bytes) -> None:
    world.programmer.connect(world.now_ms)
    if not data:
        world.carried()


def _pass_time(world: World, data: bytes) -> None:
    world.now_ms += int.from_bytes(data[:4], "big")
    world.pump.tick(world.now_ms)
    world.programmer.tick(world.now_ms)


def _request(world: World, data: bytes) -> None:
    if world.programmer.state == "open":
        world.programmer.request(Ping(nonce=1), world.now_ms, world.now_ms + 10_000)
        world.pump.notify(LogEvent(1, LogKind.BOOT))
        if not data:
            world.carried()


def _header(_world: World, data: bytes) -> None:
    """The two readers of a body, on their own."""
    try:
        length: int | None = parse_header(data).length
    except HeaderError:
        length = None
    assert length is None or len(data) - length in (HEADER_BYTES, HEADER_BYTES + 16), "a length that is not the body's"
    try:
        record = open_sealed(bytes(16), bytes(8), data)
    except TagError:
        assert length is not None, "a tag was judged before the header"
    except RecordError:
        pass
    else:
        again = Sealer(bytes(16), bytes(8)).seal(record.rtype, record.counter, record.plaintext)
        assert again == data, "two encodings of one record"


OPS: Final[tuple[Callable[[World, bytes], None], ...]] = (
    _raw_body, _sealed_request, _any_counter, _clear_to_pump, _clear_to_programmer, _sealed_answer,
    _stream_to_pump, _stream_to_programmer, _connect, _pass_time, _request, _header,
)  # fmt: skip


def run_record(data: bytes) -> None:
    """Neither end raises, opens a session without its key, or keeps or sends more than it may."""
    world = World()
    for op, content in chunks_of(data):
        OPS[op % len(OPS)](world, content)
        world.bounded()


def _dictionary() -> list[Chunk]:
    """Chunks that mean something: connecting, time, every valid message sealed, the recorded session's frames and bodies."""
    chunks: list[Chunk] = [(8, b""), (8, b"\x01"), (9, b"\0\x0d\xbb\xa0"), (9, b"\0\0\x03\xe8"), (10, b""), (10, b"\x01")]
    for kind, payload in payload_rows():
        if KINDS[kind] == "request":
            chunks += [(1, payload), (2, b"\0\0\x05\0" + payload)]
        elif KINDS[kind] in ("reply", "event"):
            chunks.append((5, bytes([1 if KINDS[kind] == "event" else 2]) + payload))
    session: list[dict[str, Any]] = json.loads((VECTORS / "session.json").read_text())["frames"]
    for frame in session[:6]:
        raw = bytes.fromhex(frame["hex"])
        (body,) = FrameSplitter().feed(raw)
        chunks += [(6 if frame["dir"] == "p2d" else 7, raw), (0, body), (11, body)]
        if body[1] < 16:
            content = bytes([_CLEAR.index(RecordType(body[1]))]) + body[HEADER_BYTES:]
            chunks += [(3, content), (4, content)]
    return [(op, content) for op, content in chunks if len(content) < 800]


RECORD = Harness("record", run_record, mutate_chunks(len(OPS), _dictionary()), max_bytes=8192, max_calls=60_000)
