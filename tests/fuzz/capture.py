"""Harness of recordings: pcapng files, key logs, and what a reader of a recording makes of its frames.

An input is a script: whole pcapng content, packets put into sound blocks, key logs. Any bytes are a recording or a RecordingError; a file
cut off anywhere still gives what was whole; whoever watches never raises. Not here: files, replay over a transport.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

from itbpump.wire.capture import Cutter, LoggedKeys, Watch, encode_key_line, parse_key_log
from itbpump.wire.pcapng import (
    Line,
    Packet,
    Recording,
    RecordingError,
    Way,
    decode,
    encode_line,
    encode_packet,
    encode_section,
    whole_bytes,
)
from itbpump.wire.shown import frame_json, frame_text
from tests.fuzz.harness import Chunk, Harness, brief, chunks_of, joined, mutate_chunks
from tests.fuzz.wire import VECTORS

__all__ = ["CAPTURE", "seeds"]

_KEY, _PUMP_ID = bytes(range(32)), b"PUMPID01"
"""Of the recorded session in the vectors, so that its records open."""
_SHOWN_MOST = 20_000
"""Characters of one frame shown: a full log page of 25 entries takes some 5,000."""


def _sections(content: bytes) -> Recording | None:
    try:
        return decode(content)
    except RecordingError as error:
        brief(error, 300)
        return None


def _file(content: bytes) -> None:
    found = _sections(content)
    if found is None:
        return
    packets = [packet for section in found.sections for packet in section.packets]
    assert sum(len(packet.data) for packet in packets) <= len(content), "more bytes than the file holds"
    assert 0 <= found.torn_bytes <= len(content)
    whole = whole_bytes(content)
    assert decode(content[:whole]) == found._replace(torn_bytes=0) if whole else not found.sections, "what is whole reads otherwise alone"
    if whole > 4:
        # Killed while it was written: what was whole before stays.
        cut = _sections(content[: whole - 1 - len(content) % 4])
        assert cut is not None, "a torn end is refused"
        told = [packet for section in cut.sections for packet in section.packets]
        assert told == packets[: len(told)], "a torn file tells other packets"
    _written_again(found)
    _watched(packets)


def _written_again(found: Recording) -> None:
    try:
        again = b"".join(
            encode_section() + b"".join(map(encode_line, section.lines)) + b"".join(map(encode_packet, section.packets))
            for section in found.sections
        )
    except RecordingError:
        return  # a time or a text that only another program's units or lengths have room for
    if again:
        assert decode(again).sections == found.sections, "what is written is not what was read"


def _watched(packets: list[Packet]) -> None:
    watch, blind = Watch(lambda pump: _KEY if pump == _PUMP_ID else None), Watch()
    cutters = {way: Cutter() for way in Way}
    for number, packet in enumerate(packets, 1):
        for seen in (*watch.see(packet.way, packet.data), *blind.see(packet.way, packet.data)):
            assert len(frame_text(seen)) <= _SHOWN_MOST, "a frame shown without bound"
            assert len(json.dumps(frame_json(number, packet, seen))) <= _SHOWN_MOST + 4 * len(packet.data)
        pieces = cutters[packet.way].feed(packet.data)
        assert len(cutters[packet.way]._tail) <= 2048, "more than one frame is held"
        assert len(b"".join(pieces)) <= 2048 + len(packet.data)


def _packets(data: bytes) -> None:
    """way u8 ‖ data, as many times as there are chunks inside, in a file that is otherwise sound."""
    made = [Packet(1000 * number, Way(1 + way % 2), raw) for number, (way, raw) in enumerate(chunks_of(data))]
    _file(encode_section() + encode_line(Line("fuzz")) + b"".join(map(encode_packet, made)))


def _key_log(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        logged = parse_key_log(text)
    except RecordingError as error:
        brief(error, 300)
        return
    assert len(logged) <= text.count("\n") + 1
    again = "".join(encode_key_line(entry) + "\n" for entry in logged)
    assert parse_key_log(again) == logged, "what is written is not what was read"
    Watch(logged=logged).see(Way.TO_PUMP, data)


OPS: Final[tuple[Callable[[bytes], None], ...]] = (_file, _packets, _key_log)


def run_capture(data: bytes) -> None:
    """Each chunk is one file."""
    for op, content in chunks_of(data)[:4]:
        OPS[op % len(OPS)](content)


# ------------------------------------------------------------------------------------------------ what means something
def _frames() -> list[tuple[int, bytes]]:
    rows: list[dict[str, Any]] = json.loads((VECTORS / "session.json").read_text())["frames"]
    return [(1 if row["dir"] == "p2d" else 0, bytes.fromhex(row["hex"])) for row in rows]


def seeds() -> Iterator[bytes]:
    """A sound file, another program's (big-endian, nanoseconds), the handshake and requests as packets, a key log."""
    frames = _frames()
    sound = encode_section() + encode_line(Line("fuzz", 1_700_000_000, "a line"))
    yield joined([(0, sound + encode_packet(Packet(5, Way.TO_PUMP, frames[0][1], "remark")))])
    yield joined([(0, sound + sound + b"\x06\0\0\0")])
    yield joined([(0, _big_endian())])
    for at in range(0, 12, 3):
        yield joined([(1, joined(frames[:4] + frames[4 + at : 7 + at]))])
    logged = LoggedKeys(bytes(16), bytes(16), bytes(16), bytes(16), bytes(8), bytes(8))
    yield joined([(2, f"# keys\n{encode_key_line(logged)}\n\nitbp1-sess".encode())])


def _big_endian() -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        return struct.pack(">II", kind, 12 + len(body)) + body + struct.pack(">I", 12 + len(body))

    head = block(0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1))
    line = block(1, struct.pack(">HHI", 147, 0, 0) + struct.pack(">HHB3x", 9, 1, 9) + struct.pack(">HH", 0, 0))
    packet = block(6, struct.pack(">IIIII", 0, 1, 2, 3, 3) + b"abc\0" + struct.pack(">HHI", 2, 4, 1) + struct.pack(">HH", 0, 0))
    return head + line + block(5, bytes(8)) + packet


def _dictionary() -> list[Chunk]:
    chunks: list[Chunk] = []
    for seed in seeds():
        chunks += chunks_of(seed)
    return chunks + [(1, joined([frame])) for frame in _frames() if len(frame[1]) < 900]


CAPTURE = Harness("capture", run_capture, mutate_chunks(len(OPS), _dictionary()), max_bytes=8192, max_calls=200_000)
