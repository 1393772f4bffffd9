"""Frames: any chunking gives the same bodies, noise costs only what it hits, buffers stay bounded."""

from __future__ import annotations

import random
from zlib import crc32

import pytest
from cobs import cobs  # type: ignore[import-untyped]  # ships no types
from hypothesis import given
from hypothesis import strategies as st

from itbpump.wire.errors import FrameError
from itbpump.wire.frame import MAX_BODY_BYTES, MAX_ENCODED_BYTES, FrameSplitter, decode_frame, encode_frame
from protocols import reference_codec

BODIES = st.binary(min_size=1, max_size=MAX_BODY_BYTES)


@given(BODIES)
def test_frame_holds_no_zero_between_its_delimiters_and_gives_the_body_back(body: bytes) -> None:
    frame = encode_frame(body)
    assert frame[0] == frame[-1] == 0
    assert 0 not in frame[1:-1]
    assert len(frame) <= MAX_ENCODED_BYTES + 2
    assert decode_frame(frame[1:-1]) == body


@given(BODIES)
def test_frame_equals_the_one_of_the_reference_codec(body: bytes) -> None:
    assert encode_frame(body) == reference_codec.frame(body)


def test_worked_examples_of_the_specification() -> None:
    """CBF43926 is the published check value of CRC-32/ISO-HDLC over the nine digits."""
    assert encode_frame(b"123456789").hex(" ") == "00 0e 31 32 33 34 35 36 37 38 39 cb f4 39 26 00"
    assert encode_frame(bytes.fromhex("11002233")).hex(" ") == "00 02 11 07 22 33 d1 83 c8 d0 00"


@pytest.mark.parametrize("size", [0, MAX_BODY_BYTES + 1, 5000])
def test_body_that_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(FrameError, match=str(size)):
        encode_frame(bytes(size))


@given(st.lists(BODIES, max_size=5), st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_any_chunking_gives_the_same_bodies(bodies: list[bytes], chunks: list[int]) -> None:
    stream = b"".join(encode_frame(body) for body in bodies)
    splitter, found, at, turn = FrameSplitter(), list[bytes](), 0, 0
    while at < len(stream):
        size = chunks[turn % len(chunks)]
        found += splitter.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert found == bodies
    assert (splitter.damaged, splitter.oversized) == (0, 0)


@given(st.lists(st.binary(max_size=3000), max_size=8))
def test_any_bytes_at_all_are_taken_and_the_buffer_stays_bounded(chunks: list[bytes]) -> None:
    splitter = FrameSplitter()
    for chunk in chunks:
        for body in splitter.feed(chunk):
            assert 1 <= len(body) <= MAX_BODY_BYTES
        assert splitter.pending_bytes <= MAX_ENCODED_BYTES


@given(st.binary(max_size=1500).filter(lambda noise: 0 not in noise), st.integers(1, 64))
def test_both_ways_in_agree_on_a_single_run(run: bytes, chunk: int) -> None:
    """`decode_frame` and `FrameSplitter` judge a run alike, whatever it is."""
    try:
        expected = [decode_frame(run)]
    except FrameError:
        expected = []
    splitter = FrameSplitter()
    stream = b"\x00" + run + b"\x00"
    assert [body for i in range(0, len(stream), chunk) for body in splitter.feed(stream[i : i + chunk])] == expected
    assert splitter.damaged + splitter.oversized == (1 if run and not expected else 0)


def test_zeros_between_frames_are_nothing() -> None:
    splitter = FrameSplitter()
    assert splitter.feed(b"\x00" * 50 + encode_frame(b"a") + b"\x00" * 50 + encode_frame(b"b") + b"\x00") == [b"a", b"b"]
    assert (splitter.damaged, splitter.oversized) == (0, 0)


def test_endless_noise_without_a_zero_is_counted_once_and_forgotten() -> None:
    splitter = FrameSplitter()
    for _ in range(200):
        assert splitter.feed(b"\x55" * 997) == []
        assert splitter.pending_bytes <= MAX_ENCODED_BYTES
    assert splitter.feed(b"\x55\x55\x00") == []
    assert (splitter.damaged, splitter.oversized) == (0, 1)
    assert splitter.feed(encode_frame(b"after")) == [b"after"]


def test_good_content_above_the_cap_is_refused_although_its_crc_holds() -> None:
    body = bytes(MAX_BODY_BYTES + 1)
    run = cobs.encode(body + crc32(body).to_bytes(4, "big"))
    assert len(run) <= MAX_ENCODED_BYTES
    splitter = FrameSplitter()
    assert splitter.feed(b"\x00" + run + b"\x00") == []
    assert splitter.damaged + splitter.oversized == 1


def test_reset_forgets_half_a_frame_and_keeps_the_counters() -> None:
    splitter = FrameSplitter()
    splitter.feed(b"\x00\x05\x01\x00" + encode_frame(b"half")[:5])
    assert (splitter.damaged, splitter.pending_bytes > 0) == (1, True)
    splitter.reset()
    assert splitter.feed(encode_frame(b"whole")) == [b"whole"]
    assert splitter.damaged == 1


def noisy_line(frames: int, byte_fault_rate: float, seed: int) -> tuple[list[bytes], list[bytes], bytes]:
    """(bodies whose frame no fault touched, all bodies, stream). A fault flips, drops or inserts one byte."""
    rng = random.Random(seed)
    intact, every, stream = list[bytes](), list[bytes](), bytearray()
    for number in range(frames):
        body = number.to_bytes(4, "big") + rng.randbytes(12)
        every.append(body)
        touched = False
        for byte in encode_frame(body):
            if rng.random() >= byte_fault_rate:
                stream.append(byte)
                continue
            touched = True
            match rng.randrange(3):
                case 0:
                    stream.append(byte ^ 1 << rng.randrange(8))
                case 1:
                    pass
                case _:
                    stream += bytes([byte, rng.randrange(256)])
        if not touched:
            intact.append(body)
    return intact, every, bytes(stream)


def check_noise(frames: int, seed: int) -> None:
    intact, every, stream = noisy_line(frames, 0.01, seed)
    splitter, found = FrameSplitter(), list[bytes]()
    for i in range(0, len(stream), 333):
        found += splitter.feed(stream[i : i + 333])
    assert len(intact) < 0.85 * frames
    assert not set(intact) - set(found), "an intact frame was lost"
    assert not set(found) - set(every), "something was accepted that nobody sent"
    assert len(found) == len(set(found))
    assert splitter.damaged > 0


@pytest.mark.sr("SR-62")
def test_noise_loses_no_intact_frame_and_invents_none() -> None:
    check_noise(20_000, seed=7)


@pytest.mark.slow
@pytest.mark.sr("SR-62")
def test_much_noise_loses_no_intact_frame_and_invents_none() -> None:
    check_noise(100_000, seed=8)
