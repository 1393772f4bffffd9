"""The whole session of vectors/session.json through the pump and through the companion's link, byte for byte (SR-62, SR-41).

Each end is fed whole frames, single bytes, and frames with the beginning of something else behind them, and must answer with the same
bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from itbpump.link.programmer import Failed, ProgrammerLink
from itbpump.wire import keys
from itbpump.wire.frame import decode_frame
from itbpump.wire.messages import Commit, RecordType, Request, decode_request
from itbpump.wire.record import Sealer, clear_content, parse_header
from protocols import make_session

Chunks = Callable[[bytes], list[bytes]]
FEEDS: dict[str, Chunks] = {
    "whole": lambda frame: [frame],
    "byte by byte": lambda frame: [frame[i : i + 1] for i in range(len(frame))],
    "with trailing bytes": lambda frame: [frame + b"\0\0\x05\x11\x22", b"\0"],
    "cut and joined": lambda frame: [frame[: len(frame) // 2], frame[len(frame) // 2 :] + b"\0"],
}


@pytest.fixture(scope="module")
def vector() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(make_session.TARGET.read_text(encoding="utf-8"))
    return data


def test_the_file_is_what_the_two_ends_say_today(vector: dict[str, Any]) -> None:
    assert make_session.session() == vector


@pytest.mark.sr("SR-62")
@pytest.mark.parametrize("feed", FEEDS.values(), ids=list(FEEDS))
def test_the_pump_answers_with_the_same_bytes(vector: dict[str, Any], feed: Chunks) -> None:
    pump = make_session.new_pump()
    said = b""
    expected = b""
    now_ms = 0
    for frame in vector["frames"]:
        data = bytes.fromhex(frame["hex"])
        if frame["uptime_ms"] > pump.uptime_ms:
            now_ms += frame["uptime_ms"] - pump.uptime_ms
            pump.advance_to(frame["uptime_ms"])
        if frame["dir"] == "p2d":
            assert said == expected
            for chunk in feed(data):
                pump.receive(chunk, now_ms)
        else:
            expected += data
        said += pump.transmit()
    assert said == expected


@pytest.mark.parametrize("feed", FEEDS.values(), ids=list(FEEDS))
def test_the_companion_asks_with_the_same_bytes(vector: dict[str, Any], feed: Chunks) -> None:
    programmer, now_ms = make_session.new_programmer(), 0
    requests = requests_of(vector)
    previous = b""
    for frame in vector["frames"]:
        data = bytes.fromhex(frame["hex"])
        if frame["dir"] == "d2p":
            if frame["message"] == "Result" and data == lost_reply(vector) and previous != b"lost once":
                previous = b"lost once"
                continue
            for chunk in feed(data):
                assert not [event for event in programmer.feed(chunk, now_ms) if isinstance(event, Failed)]
            continue
        now_ms = speak(programmer, frame, requests, now_ms)
        assert programmer.transmit() == data, frame["message"]


def speak(programmer: ProgrammerLink, frame: dict[str, Any], requests: Iterator[Request], now_ms: int) -> int:
    """Make the programmer say the next thing; returns the link time afterwards."""
    if frame["message"] == "hello":
        programmer.connect(now_ms)
    elif frame["message"] != "confirm_programmer":
        request = next(requests)
        if programmer.state == "awaiting":  # its answer was lost
            due = programmer.deadline_ms()
            assert due is not None
            assert isinstance(request, Commit)
            programmer.tick(due)
            return due
        programmer.request(request, now_ms, now_ms + 10_000)
    return now_ms


def lost_reply(vector: dict[str, Any]) -> bytes:
    """The reply that stands twice in the file."""
    results = [frame["hex"] for frame in vector["frames"] if frame["message"] == "Result"]
    (twice,) = {text for text in results if results.count(text) == 2}
    return bytes.fromhex(twice)


def requests_of(vector: dict[str, Any]) -> Iterator[Request]:
    """The programmer's requests, opened with the session's keys as another implementation would."""
    bodies = [(frame["dir"], decode_frame(bytes.fromhex(frame["hex"])[1:-1])) for frame in vector["frames"]]
    th = keys.transcript_hash(clear_content(bodies[0][1]), clear_content(bodies[1][1]))
    psk, np, nd = (bytes.fromhex(vector[name]) for name in ("psk", "np", "nd"))
    made = keys.derive(psk, np, nd, th)
    sealer = Sealer(made.k_p2d, made.iv_p)
    for direction, body in bodies:
        if direction == "p2d" and parse_header(body).rtype is RecordType.COMMAND:
            yield decode_request(sealer.open(body).plaintext)
