"""Speed of the codec as ratios, never as times: ours against a floor and against pymavlink, in the same process, blocks interleaved.

The floor does the same work with nothing around it: one struct, zlib.crc32, C-backed COBS, one delimiter, a plain splitter, tuples
instead of messages. Run as a script for the table; `run()` returns it. Outputs are asserted equal before anything is timed.
"""

from __future__ import annotations

import statistics
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from zlib import crc32

from cobs import cobs  # type: ignore[import-untyped]  # ships no types

from itbpump.wire.frame import FrameSplitter, encode_frame
from itbpump.wire.messages import (
    BolusState,
    CommandKind,
    CommandResult,
    Outcome,
    Pong,
    Reply,
    Request,
    Result,
    Stage,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
)
from tests.bench.__main__ import lines
from tests.bench.figure import Figure

FRAMES = 400
ROUNDS = 15
ENCODE_TARGET = 0.5
DECODE_TARGET = 0.35
PYMAVLINK_TARGET = 3.0
READ_SIZES = (64, 4096)


@dataclass(frozen=True)
class Case:
    """One message in both forms: ours, and the bare values of the floor."""

    name: str
    layout: struct.Struct
    values: list[tuple[Any, ...]]
    messages: list[Any]
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


def _pong() -> Case:
    values = [(135, i, i * 7 + 1, i * 1_000_003) for i in range(FRAMES)]
    messages: list[tuple[int, Reply]] = [(re, Pong(nonce, uptime)) for _, re, nonce, uptime in values]
    return Case("16 B payload (Pong)", struct.Struct(">BIIQ"), values, messages, lambda m: encode_reply(*m), decode_reply)


def _stage() -> Case:
    values = [(16, i + 1, 1, 9, 8192, i, 44, bytes((i + k) % 256 for k in range(44))) for i in range(FRAMES)]
    messages: list[Request] = [Stage(v[1], CommandKind.CONFIGURE, v[3], v[4], v[5], v[7]) for v in values]
    return Case("64 B payload (Stage)", struct.Struct(">BQBIHHH44s"), values, messages, encode_request, decode_request)


def _result() -> Case:
    digest, who = bytes(range(32)), b"PROGID01"
    values = [(133, i, who, i + 1, 2, 1, 0, 0, digest, 4, i * 1_000_003, 25, 25, 0, 2, 1) for i in range(FRAMES)]
    messages: list[tuple[int, Reply]] = [
        (
            v[1],
            Result(CommandResult(who, v[3], CommandKind.BOLUS, Outcome.APPLIED, 0, 0, digest, 4, v[10], 25, 25, 0, BolusState.DONE, True)),
        )
        for v in values
    ]
    layout = struct.Struct(">BI8sQBBBI32sIQIIBBB")
    return Case("82 B payload (Result)", layout, values, messages, lambda m: encode_reply(*m), decode_reply)


# ------------------------------------------------------------------------------------------------ the two sides
def _floor_encode(case: Case) -> list[bytes]:
    pack, stuff = case.layout.pack, cobs.encode
    frames: list[bytes] = []
    for values in case.values:
        body = pack(*values)
        frames.append(stuff(body + crc32(body).to_bytes(4, "big")) + b"\0")
    return frames


def _our_encode(case: Case) -> list[bytes]:
    encode = case.encode
    return [encode_frame(encode(message)) for message in case.messages]


def _floor_decode(case: Case, reads: list[bytes]) -> list[tuple[Any, ...]]:
    unpack, unstuff = case.layout.unpack, cobs.decode
    found: list[tuple[Any, ...]] = []
    tail = b""
    for data in reads:
        runs = (tail + data).split(b"\0")
        tail = runs.pop()
        for run in runs:
            decoded = unstuff(run)
            body = decoded[:-4]
            if crc32(body) == int.from_bytes(decoded[-4:], "big"):
                found.append(unpack(body))
    return found


def _our_decode(case: Case, reads: list[bytes]) -> list[Any]:
    splitter, decode = FrameSplitter(), case.decode
    found: list[Any] = []
    for data in reads:
        for body in splitter.feed(data):
            found.append(decode(body))  # noqa: PERF401  # the loop of a session
    return found


def _chunks(stream: bytes, size: int) -> list[bytes]:
    return [stream[i : i + size] for i in range(0, len(stream), size)]


# ------------------------------------------------------------------------------------------------ pymavlink
@dataclass(frozen=True)
class Peer:
    """pymavlink v2 with a message of 16 or 64 bytes payload and about as many fields as ours."""

    encode: Callable[[], list[bytes]]
    decode: Callable[[list[bytes]], list[Any]]


def _peer(payload_bytes: int) -> Peer:
    from pymavlink.dialects.v20 import common

    def link() -> Any:
        mav = common.MAVLink(None, srcSystem=1, srcComponent=1)
        mav.robust_parsing = True
        return mav

    def build(i: int) -> Any:
        if payload_bytes == 16:
            return common.MAVLink_timesync_message(i * 7 + 1, (1 << 62) + i * 1_000_003)
        floats = [1.5, 2.5, 3.5, 4.5]
        shorts = [i % 1000 + k for k in range(1, 9)]
        return common.MAVLink_hil_state_quaternion_message(i + 1, floats, 0.5, 0.25, 0.125, i + 2, i + 3, i + 4, *shorts)

    sender, messages = link(), [build(i) for i in range(FRAMES)]

    def encode() -> list[bytes]:
        return [bytes(m.pack(sender)) for m in messages]

    def decode(reads: list[bytes]) -> list[Any]:
        receiver = link()
        found: list[Any] = []
        for data in reads:
            found += receiver.parse_buffer(data) or []
        return found

    return Peer(encode, decode)


# ------------------------------------------------------------------------------------------------ measuring
def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _ratio(ours: Callable[[], object], other: Callable[[], object]) -> float:
    """Median of other/ours over interleaved blocks: 1 is as fast as the other, 2 twice as fast."""
    ours()
    other()
    ratios: list[float] = []
    for i in range(ROUNDS):
        if i % 2:
            mine, theirs = _seconds(ours), _seconds(other)
        else:
            theirs, mine = _seconds(other), _seconds(ours)
        ratios.append(theirs / mine)
    return statistics.median(ratios)


def _assert_same(case: Case) -> tuple[bytes, bytes]:
    """Both sides give the same frames and find the same values; returns our stream and the floor's."""
    ours, floor = _our_encode(case), _floor_encode(case)
    assert [b"\0" + frame for frame in floor] == ours
    our_stream, floor_stream = b"".join(ours), b"".join(floor)
    for size in READ_SIZES:
        assert _our_decode(case, _chunks(our_stream, size)) == case.messages
        assert _floor_decode(case, _chunks(floor_stream, size)) == case.values
    return our_stream, floor_stream


def _case_figures(case: Case, payload_bytes: int) -> list[Figure]:
    our_stream, floor_stream = _assert_same(case)
    peer = _peer(payload_bytes)
    peer_stream = b"".join(peer.encode())
    assert len(peer.decode(_chunks(peer_stream, READ_SIZES[0]))) == FRAMES
    figures = [
        Figure(f"{case.name} encode / floor", _ratio(lambda: _our_encode(case), lambda: _floor_encode(case)), ENCODE_TARGET),
        Figure(f"{case.name} encode / pymavlink", _ratio(lambda: _our_encode(case), peer.encode), PYMAVLINK_TARGET),
    ]
    for size in READ_SIZES:
        reads, floor_reads, peer_reads = (_chunks(stream, size) for stream in (our_stream, floor_stream, peer_stream))
        work = partial(_our_decode, case, reads)
        name = f"{case.name} decode, reads of {size} B"
        figures.append(Figure(f"{name} / floor", _ratio(work, partial(_floor_decode, case, floor_reads)), DECODE_TARGET))
        figures.append(Figure(f"{name} / pymavlink", _ratio(work, partial(peer.decode, peer_reads)), PYMAVLINK_TARGET))
    return figures


def run() -> list[Figure]:
    """Measure everything; a few seconds."""
    cases = ((_pong(), 16), (_stage(), 64), (_result(), 64))
    return [figure for case, payload_bytes in cases for figure in _case_figures(case, payload_bytes)]


if __name__ == "__main__":
    figures = run()
    print("\n".join(lines(figures)))
    sys.exit(0 if all(figure.ok for figure in figures) else 1)
