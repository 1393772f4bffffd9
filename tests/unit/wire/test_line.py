"""The pure model of a line: each harm does what it says and nothing else, chance repeats with the seed, and nothing is lost unsaid."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.wire import keys
from itbpump.wire.errors import WireError
from itbpump.wire.frame import FrameSplitter, encode_frame
from itbpump.wire.line import HOLD_MS, FaultsNeverFired, Fired, Frames, Harm, Line, LineFault, LineFaultError, Pacing, Way
from itbpump.wire.line_harms import half_speed
from itbpump.wire.messages import SUITE, RecordType
from itbpump.wire.numbers import beyond_64_bits
from itbpump.wire.record import clear_body

UP, DOWN = Way.TO_PUMP, Way.TO_HOST
A, B, C, D = (encode_frame(bytes([letter]) * 12) for letter in b"ABCD")
LATE_MS = 100_000


def hello(nonce: int) -> bytes:
    return encode_frame(clear_body(RecordType.HELLO, keys.encode_h1(1, SUITE, b"PROGID01", bytes([nonce]) * 16)))


def bodies(data: bytes) -> list[bytes]:
    return FrameSplitter().feed(data)


def through(fault: LineFault | list[LineFault], *frames: bytes, way: Way = UP, seed: int = 1) -> Line:
    """The line after these frames, sent at 0, 10, 20, … ms."""
    line = Line([fault] if isinstance(fault, LineFault) else fault, seed=seed)
    for number, frame in enumerate(frames):
        line.send(way, frame, 10 * number)
    return line


def heard(line: Line, way: Way = UP, now_ms: int = LATE_MS) -> bytes:
    """All that has come by then, read by read."""
    data = b""
    while more := line.receive(way, now_ms):
        data += more
    return data


def bits_apart(one: bytes, other: bytes) -> int:
    assert len(one) == len(other)
    return sum((a ^ b).bit_count() for a, b in zip(one, other, strict=True))


# ---------------------------------------------------------------------------------------------------------- each harm
SECOND = Frames(nth=1)


def dropped() -> None:
    assert heard(through(LineFault(Harm.DROP, when=SECOND), A, B, C)) == A + C


def duplicated() -> None:
    assert heard(through(LineFault(Harm.DUPLICATE, when=SECOND), A, B, C)) == A + B + B + C
    assert heard(through(LineFault(Harm.DUPLICATE, when=SECOND, ms=500), A, B, C)) == A + B + C + B


def reordered() -> None:
    assert heard(through(LineFault(Harm.REORDER, when=SECOND), A, B, C, D)) == A + C + B + D
    alone = through(LineFault(Harm.REORDER, when=SECOND, ms=300), A, B)
    assert heard(alone, now_ms=309) == A
    assert alone.next_ms() == 310
    assert heard(alone, now_ms=310) == B


def delayed() -> None:
    line = through(LineFault(Harm.DELAY, when=SECOND, ms=700), A, B, C)
    assert heard(line, now_ms=709) == A + C
    assert line.next_ms(UP) == 710
    assert heard(line, now_ms=710) == B


def truncated() -> None:
    assert heard(through(LineFault(Harm.TRUNCATE, when=SECOND, bytes=5), A, B, C)) == A + B[:-5] + C
    drawn = heard(through(LineFault(Harm.TRUNCATE, when=SECOND), A, B, C))
    assert drawn.startswith(A)
    assert drawn.endswith(C)
    assert len(A + C) <= len(drawn) < len(A + B + C)


def flipped() -> None:
    for bits in (1, 3, 40):
        data = heard(through(LineFault(Harm.FLIP, when=SECOND, bits=bits), A, B, C))
        assert (data[: len(A)], data[-len(C) :]) == (A, C)
        assert bits_apart(data[len(A) : -len(C)], B) == bits
    every = heard(through(LineFault(Harm.FLIP, when=SECOND, bits=8_192), A, B))
    assert bits_apart(every[len(A) :], B) == 8 * len(B)


def burst() -> None:
    data = heard(through(LineFault(Harm.BURST, when=SECOND, bytes=6), A, B, C))[len(A) : -len(C)]
    hit = [place for place in range(len(B)) if data[place] != B[place]]
    assert len(hit) == 6
    assert hit[-1] - hit[0] == 5


def stuck_low() -> None:
    line = through(LineFault(Harm.STUCK_LOW, when=SECOND, ms=15), A, B, C, D)
    assert heard(line) == A + bytes(len(B)) + bytes(len(C)) + D
    assert heard(through(LineFault(Harm.STUCK_LOW, when=SECOND), A, B, C)) == A + bytes(len(B)) + C


def echoed() -> None:
    line = through(LineFault(Harm.ECHO, when=SECOND), A, B, C)
    assert heard(line) == A + B + C
    assert heard(line, DOWN) == B


def half_open() -> None:
    line = through(LineFault(Harm.HALF_OPEN, when=SECOND), A, B, C)
    line.send(DOWN, D, 25)
    assert (heard(line), heard(line, DOWN)) == (A, D)
    line.plug_in()
    line.send(UP, D, 10**9)
    assert heard(line, now_ms=10**9) == D
    assert heard(through(LineFault(Harm.HALF_OPEN, when=SECOND, ms=15), A, B, C, D)) == A + D


def silent() -> None:
    line = through(LineFault(Harm.SILENCE, UP, SECOND, ms=50), A, B, C)
    line.send(DOWN, D, 59)
    assert (heard(line), heard(line, DOWN)) == (A, b"")
    line.send(DOWN, D, 60)
    assert heard(line, DOWN) == D
    assert not line.unplugged


def noisy() -> None:
    data = heard(through(LineFault(Harm.NOISE, when=SECOND, bytes=9), A, B, C))
    assert len(data) == len(A + B + C) + 9
    assert data.startswith(A)
    assert data.endswith(B + C)


def wrong_baud() -> None:
    data = heard(through(LineFault(Harm.WRONG_BAUD, when=SECOND, ms=5), A, B, C))
    assert (data[: len(A)], data[-len(C) :]) == (A, C)
    assert 0 < len(data) - len(A + C) < len(B)
    # Worked by hand: 0xF0 is the levels 0 0000 1111 1, of which half the speed takes places 3, 5, 7, 9 and then the idle line.
    assert half_speed(b"\xf0") == b"\xfe"
    # Two bytes make one: of 0 0000 0000 1 0 1111 1111 1 the places 3, 5, 7 are low, 9 to 17 high.
    assert half_speed(b"\x00\xff") == b"\xf8"
    assert bodies(data[len(A) : -len(C)]) == []


def split() -> None:
    line = through(LineFault(Harm.SPLIT, when=SECOND, bytes=4), A, B, C)
    reads = []
    while more := line.receive(UP, LATE_MS):
        reads.append(more)
    assert b"".join(reads) == A + B + C
    assert reads[0] == A + B[:4]
    assert [len(read) for read in reads[1:-1]] == [4] * (len(reads) - 3) + [len(B) % 4 or 4]
    slow = through(LineFault(Harm.SPLIT, when=Frames(nth=0), bytes=10, ms=30), A)
    assert (heard(slow, now_ms=29), slow.next_ms(), heard(slow, now_ms=30)) == (A[:10], 30, A[10:])


def disconnected() -> None:
    line = through(LineFault(Harm.DISCONNECT, when=SECOND, bytes=7), A, B, C)
    assert line.unplugged
    line.send(DOWN, D, 30)
    assert (heard(line), heard(line, DOWN)) == (A + B[:7], b"")
    line.plug_in()
    line.send(UP, D, 40)
    assert heard(line) == D
    after = through(LineFault(Harm.DISCONNECT, when=SECOND, bytes=65_536), A, B, C)
    assert heard(after) == A + B


def stale() -> None:
    line = through(LineFault(Harm.STALE, way=DOWN), hello(1), A)
    line.send(DOWN, B, 30)
    assert heard(line, DOWN) == B
    assert line.fired == ()
    line.send(UP, hello(2), 40)
    line.send(DOWN, C, 50)
    line.send(UP, hello(2), 60)  # a resend begins no other session
    line.send(DOWN, D, 70)
    assert heard(line, DOWN) == B + C + B + D


def replayed() -> None:
    line = through(LineFault(Harm.REPLAY, when=Frames(nth=0)), A)
    assert (heard(line), line.fired) == (A, ())
    data = heard(through(LineFault(Harm.REPLAY, when=Frames(nth=2)), A, B, C, D))
    assert data in (A + B + C + A + D, A + B + C + B + D)


def flooded() -> None:
    data = heard(through(LineFault(Harm.FLOOD, when=SECOND, bytes=5), A, B))
    found = bodies(data)
    assert (found[0], found[-1], len(found)) == (bodies(A)[0], bodies(B)[0], 7)
    assert len(set(found)) == 7
    for body in found[1:-1]:
        assert keys.decode_h1(body[8:]).programmer_id not in (b"PROGID01", bytes(8))


CHECKS: dict[Harm, Callable[[], None]] = {
    Harm.DROP: dropped,
    Harm.DUPLICATE: duplicated,
    Harm.REORDER: reordered,
    Harm.DELAY: delayed,
    Harm.TRUNCATE: truncated,
    Harm.FLIP: flipped,
    Harm.BURST: burst,
    Harm.STUCK_LOW: stuck_low,
    Harm.ECHO: echoed,
    Harm.HALF_OPEN: half_open,
    Harm.SILENCE: silent,
    Harm.NOISE: noisy,
    Harm.WRONG_BAUD: wrong_baud,
    Harm.SPLIT: split,
    Harm.DISCONNECT: disconnected,
    Harm.STALE: stale,
    Harm.REPLAY: replayed,
    Harm.FLOOD: flooded,
}


@pytest.mark.parametrize("harm", Harm)
def test_each_harm_does_what_it_says_and_spares_the_other_frames(harm: Harm) -> None:
    CHECKS[harm]()


@pytest.mark.parametrize("harm", Harm)
def test_each_harm_tells_that_it_fired_where_and_when(harm: Harm) -> None:
    line = Line([LineFault(harm, UP, Frames(nth=3), ms=1)])
    for number, frame in enumerate((hello(1), A, hello(2), B, C)):
        line.send(UP, frame, 10 * number)
    assert line.fired == (Fired(0, harm, UP, 3, 30),)
    line.require_all_fired()


# ------------------------------------------------------------------------------------------------------- which frames
@pytest.mark.parametrize(
    ("when", "struck"),
    [
        (Frames(), [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (Frames(nth=4), [4]),
        (Frames(every=3), [2, 5, 8]),
        (Frames(window=(2, 5)), [2, 3, 4]),
        (Frames(every=2, window=(2, 6)), [3, 5]),
        (Frames(rate_ppm=1_000_000, window=(7, 9)), [7, 8]),
    ],
)
def test_frames_are_chosen_by_number_step_window_and_rate(when: Frames, struck: list[int]) -> None:
    line = through(LineFault(Harm.DROP, when=when), *[A] * 9)
    assert [fired.frame for fired in line.fired] == struck
    assert (line.frames(UP), line.frames(DOWN)) == (9, 0)


def test_a_rate_strikes_about_so_often_and_elsewhere_with_another_seed() -> None:
    def struck(seed: int) -> list[int]:
        return [fired.frame for fired in through(LineFault(Harm.DROP, when=Frames(rate_ppm=100_000)), *[A] * 4000, seed=seed).fired]

    # Binomial: 400 expected, standard deviation 19.
    assert 300 < len(struck(1)) < 500
    assert struck(1) == struck(1) != struck(2)


def test_a_count_bounds_how_often_both_ways_together() -> None:
    line = Line([LineFault(Harm.DROP, count=3)])
    for number in range(4):
        line.send(UP, A, number)
        line.send(DOWN, A, number)
    assert [(fired.way, fired.frame) for fired in line.fired] == [(UP, 0), (DOWN, 0), (UP, 1)]


def test_a_fault_of_one_way_spares_the_other() -> None:
    line = Line([LineFault(Harm.DROP, DOWN)])
    line.send(UP, A, 0)
    line.send(DOWN, A, 0)
    assert (heard(line, UP), heard(line, DOWN)) == (A, b"")


def test_faults_that_never_fired_are_named() -> None:
    line = through([LineFault(Harm.DROP, when=Frames(nth=0)), LineFault(Harm.FLIP, DOWN, Frames(every=5))], A, B)
    with pytest.raises(FaultsNeverFired, match="number 1: flip to-host, every 5") as caught:
        line.require_all_fired()
    assert [number for number, _ in caught.value.faults] == [1]


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([Harm.DUPLICATE, Harm.DROP], A + B + C),
        ([Harm.DROP, Harm.DUPLICATE], A + C),
        ([Harm.DUPLICATE, Harm.DELAY], A + B + C + B),
        ([Harm.DUPLICATE, Harm.TRUNCATE], A + B[:-1] + B + C),
        ([Harm.TRUNCATE, Harm.DUPLICATE], A + B[:-1] + B[:-1] + C),
        ([Harm.REORDER, Harm.DUPLICATE], A + B + C + B),
        ([Harm.DROP, Harm.ECHO], A + C),
    ],
)
def test_two_faults_on_one_frame_act_in_order_each_on_the_first_copy(faults: list[Harm], expected: bytes) -> None:
    line = through([LineFault(harm, UP, SECOND, ms=400 * (harm is Harm.DELAY), bytes=1) for harm in faults], A, B, C)
    assert heard(line) == expected


# ------------------------------------------------------------------------------------------------- bytes that are no frame
def test_bytes_of_no_frame_pass_at_once_and_an_unfinished_frame_after_a_while() -> None:
    line = Line([LineFault(Harm.DROP)])
    line.send(UP, b"hello", 0)
    assert heard(line, now_ms=0) == b"hello"
    line.send(UP, A[:4], 5)
    assert heard(line, now_ms=5 + HOLD_MS - 1) == b""
    assert line.next_ms() == 5 + HOLD_MS
    assert heard(line, now_ms=5 + HOLD_MS) == A[:4]
    line.send(UP, A[4:] + B, 5 + HOLD_MS)
    # What is left of the frame given up is none; the next one is, and is dropped.
    assert heard(line, now_ms=LATE_MS) == A[4:]
    assert line.frames(UP) == 1


def test_a_run_without_end_is_no_frame_and_is_not_kept() -> None:
    line = Line([LineFault(Harm.DROP)])
    endless = b"\0" + b"\x55" * 5000
    for place in range(0, len(endless), 50):
        line.send(UP, endless[place : place + 50], place)
    assert heard(line) == endless


@given(st.lists(st.sampled_from([A, B, b"\0", b"\0\0\0", b"xyz", b"\0ab", encode_frame(bytes(300))]), max_size=12), st.data())
def test_a_line_whose_faults_do_not_strike_changes_no_byte_however_it_is_cut(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(parts)
    line, counting = Line([LineFault(Harm.DROP, when=Frames(nth=10_000))]), Line()
    place = 0
    while place < len(whole):
        step = data.draw(st.integers(1, len(whole) - place))
        line.send(UP, whole[place : place + step], 0)
        counting.send(UP, whole[place : place + step], 0)
        place += step
    assert heard(line) == heard(counting) == whole
    assert line.frames(UP) == counting.frames(UP)


# ------------------------------------------------------------------------------------------------------------- the seed
FAULTS = st.builds(
    LineFault,
    st.sampled_from(Harm),
    st.sampled_from([None, UP, DOWN]),
    st.one_of(st.just(Frames()), st.builds(Frames, every=st.integers(1, 3)), st.builds(Frames, rate_ppm=st.integers(1, 1_000_000))),
    st.one_of(st.none(), st.integers(1, 3)),
    ms=st.integers(1, 60),
    bits=st.integers(1, 9),
    bytes=st.integers(0, 20),
)
SENT = st.lists(st.tuples(st.sampled_from(Way), st.sampled_from([A, B, C, hello(1), hello(2), b"junk"])), max_size=15)


def trace(faults: list[LineFault], seed: int, pacing: Pacing | None, sent: list[tuple[Way, bytes]], polls: int) -> dict[Way, bytes]:
    """What comes on each way when it is asked for `polls` times between two frames."""
    line = Line(faults, seed=seed, pacing=pacing)
    got = dict.fromkeys(Way, b"")
    for number, (way, frame) in enumerate(sent):
        line.send(way, frame, 12 * number)
        for turn in range(polls):
            for one in Way:
                got[one] += line.receive(one, 12 * number + turn * 12 // polls)
    for one in Way:
        while (due := line.next_ms(one)) is not None:
            got[one] += line.receive(one, max(due, 12 * len(sent)))
    return got


@given(
    st.lists(FAULTS, max_size=3),
    st.integers(0, 9),
    st.sampled_from([None, Pacing(9_600, 7, 15, 100_000), Pacing(None, 0, 40, 100_000)]),
    SENT,
)
def test_the_same_seed_gives_the_same_bytes_however_often_it_is_asked(
    faults: list[LineFault], seed: int, pacing: Pacing | None, sent: list[tuple[Way, bytes]]
) -> None:
    assert trace(faults, seed, pacing, sent, 1) == trace(faults, seed, pacing, sent, 4)


def test_a_frame_that_waits_goes_before_a_silence_that_begins_later() -> None:
    """Found by the property above: asked late, the silence of the other way swallowed it."""
    faults = [LineFault(Harm.REORDER, ms=1), LineFault(Harm.SILENCE, ms=1)]
    assert trace(faults, 0, None, [(UP, A), (DOWN, B)], 1) == trace(faults, 0, None, [(UP, A), (DOWN, B)], 4)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_a_byte_arrives_when_it_does_however_often_it_was_asked_for(waits: list[int]) -> None:
    asked, patient = (Line(pacing=Pacing(2_400)) for _ in range(2))
    for number in range(3):
        asked.send(UP, B, 3 * number)
        patient.send(UP, B, 3 * number)
    now_ms, got = 6, b""
    for wait in waits:
        now_ms += wait
        got += asked.receive(UP, now_ms)
    assert got == patient.receive(UP, now_ms)


# ------------------------------------------------------------------------------------------------------------ how fast
def test_bytes_come_at_the_speed_of_the_line() -> None:
    line = Line(pacing=Pacing(9_600))
    line.send(UP, bytes(range(96)), 0)  # 96 bytes of ten bits at 9,600 bits a second: 100 ms
    assert line.next_ms() == 2
    got = {ms: len(line.receive(UP, ms)) for ms in (1, 2, 50, 99, 100)}
    assert got == {1: 0, 2: 1, 50: 47, 99: 47, 100: 1}
    assert line.next_ms() is None


def test_what_is_sent_meanwhile_waits_for_the_wire_and_ways_do_not_wait_for_each_other() -> None:
    line = Line(pacing=Pacing(9_600, latency_ms=5))
    line.send(UP, bytes(48), 0)
    line.send(UP, bytes(48), 10)
    line.send(DOWN, bytes(48), 10)
    assert len(heard(line, UP, 55)) == 48
    assert len(heard(line, UP, 104)) == 47
    assert len(heard(line, UP, 105)) == 1
    assert len(heard(line, DOWN, 65)) == 48


@given(st.integers(0, 100), st.integers(1, 50))
def test_jitter_is_bounded_and_keeps_the_order(seed: int, jitter_ms: int) -> None:
    line = Line(seed=seed, pacing=Pacing(None, 10, jitter_ms))
    frames = [encode_frame(bytes([number + 1]) * 5) for number in range(8)]
    got = b""
    for number, frame in enumerate(frames):
        line.send(UP, frame, 100 * number)
        assert heard(line, now_ms=100 * number + 9) == b""
        got += heard(line, now_ms=100 * number + 10 + jitter_ms)
    assert got == b"".join(frames)
    for frame in frames:
        line.send(UP, frame, 1_000)
    assert heard(line, now_ms=1_010 + jitter_ms) == b"".join(frames)


def test_a_full_buffer_loses_the_newest_bytes_and_counts_them() -> None:
    line = Line(pacing=Pacing(None, buffer_bytes=10))
    line.send(UP, b"abcdefgh", 0)
    line.send(UP, b"ijklmnop", 1)
    assert heard(line) == b"abcdefghij"
    assert (line.lost_bytes(UP), line.lost_bytes(DOWN)) == (6, 0)
    line.send(UP, b"next", LATE_MS)
    assert heard(line) == b"next"


# ------------------------------------------------------------------------------------------------------------ what is refused
@pytest.mark.parametrize(
    "make",
    [
        lambda: Frames(nth=-1),
        lambda: Frames(every=0),
        lambda: Frames(rate_ppm=0),
        lambda: Frames(rate_ppm=1_000_001),
        lambda: Frames(window=(3, 3)),
        lambda: Frames(window=(-1, 3)),
        lambda: Frames(nth=1, every=2),
        lambda: Frames(nth=1, window=(0, 2)),
        lambda: LineFault(Harm.DROP, count=0),
        lambda: LineFault(Harm.FLIP, bits=0),
        lambda: LineFault(Harm.NOISE, bytes=-1),
        lambda: LineFault(Harm.SILENCE, ms=-1),
        lambda: LineFault(Harm.DELAY),
        lambda: Pacing(baud=0),
        lambda: Pacing(latency_ms=-1),
        lambda: Pacing(jitter_ms=60_001),
        lambda: Pacing(buffer_bytes=0),
    ],
)
def test_what_cannot_be_is_refused_and_never_clamped(make: Callable[[], object]) -> None:
    with pytest.raises(LineFaultError) as caught:
        make()
    assert isinstance(caught.value, WireError)


def test_faults_cannot_be_changed_once_declared() -> None:
    with pytest.raises(FrozenInstanceError):
        LineFault(Harm.DROP).count = 3  # type: ignore[misc]


# --------------------------------------------------------------------------------------------------------------- a bad line
@pytest.mark.sr("SR-62")
def test_of_20_000_frames_at_one_percent_of_bad_bytes_no_sound_one_is_lost_and_no_bad_one_taken() -> None:
    """Each byte of a frame of 33 is hit with a chance of 1 % (as many single bursts, each at one drawn place), noise between them."""
    frames, size = 20_000, len(encode_frame(bytes(26)))
    hits = [LineFault(Harm.BURST, when=Frames(rate_ppm=10_000), bytes=1) for _ in range(size)]
    line = Line([*hits, LineFault(Harm.NOISE, when=Frames(every=7), bytes=5)], seed=4)
    splitter, taken = FrameSplitter(), []
    for number in range(frames):
        line.send(UP, encode_frame(number.to_bytes(4, "big") + bytes(number * place % 256 for place in range(22))), number)
        taken += splitter.feed(line.receive(UP, number))
    struck = {fired.frame for fired in line.fired if fired.harm is Harm.BURST}
    assert [int.from_bytes(body[:4], "big") for body in taken] == [number for number in range(frames) if number not in struck]
    assert all(body[4:] == bytes(int.from_bytes(body[:4], "big") * place % 256 for place in range(22)) for body in taken)
    bad_bytes = sum(fired.harm is Harm.BURST for fired in line.fired)
    assert 0.009 * frames * size < bad_bytes < 0.011 * frames * size


@pytest.mark.parametrize("document", ["a = 1", "a = [1, {b = -9223372036854775808}]", "[x]\ny = 9223372036854775807"])
def test_numbers_of_64_bits_are_taken(document: str) -> None:
    assert beyond_64_bits(tomllib.loads(document)) is None


@pytest.mark.parametrize(("document", "key"), [(f"a = {hex(2**63)}", "a"), (f"[x]\ny = [1, {{z = {hex(2**20_000)}}}]", "z")])
def test_larger_numbers_are_told_by_their_key(document: str, key: str) -> None:
    assert beyond_64_bits(tomllib.loads(document)) == key
