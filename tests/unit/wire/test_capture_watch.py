"""Cutting a stream without losing a byte, following sessions, key logs, and frames as JSON and text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.wire import keys
from itbpump.wire.capture import Cutter, LoggedKeys, Seen, Watch, encode_key_line, parse_key_log
from itbpump.wire.frame import MAX_ENCODED_BYTES, FrameSplitter, encode_frame
from itbpump.wire.messages import GetStatus, RecordType, RefuseReason, Status
from itbpump.wire.pcapng import Packet, RecordingError, Way
from itbpump.wire.record import clear_body, seal
from itbpump.wire.shown import frame_json, frame_text

VECTOR = json.loads((Path(__file__).resolve().parents[3] / "protocols" / "vectors" / "session.json").read_text("utf-8"))
PSK = bytes.fromhex(VECTOR["psk"])
FRAMES = [(Way.TO_PUMP if frame["dir"] == "p2d" else Way.FROM_PUMP, bytes.fromhex(frame["hex"])) for frame in VECTOR["frames"]]
NAMES = [frame["message"] for frame in VECTOR["frames"]]

logged = st.builds(LoggedKeys, *(st.binary(min_size=size, max_size=size) for size in (16, 16, 16, 16, 8, 8)))
streams = st.lists(st.one_of(st.binary(max_size=40), st.just(b"\0"), st.binary(min_size=1, max_size=20).map(encode_frame)), max_size=20)


@given(streams)
def test_nothing_is_lost_by_cutting(chunks: list[bytes]) -> None:
    cutter, splitter = Cutter(), FrameSplitter()
    pieces = [piece for chunk in chunks for piece in cutter.feed(chunk)] + cutter.finish()
    assert b"".join(pieces) == b"".join(chunks)
    assert cutter.finish() == []
    again = FrameSplitter()
    assert [body for piece in pieces for body in again.feed(piece)] == splitter.feed(b"".join(chunks))
    assert all(len([run for run in piece.split(b"\0") if run]) <= 1 for piece in pieces)


def test_frames_come_out_one_by_one_however_they_come_in() -> None:
    one, two = encode_frame(b"one"), encode_frame(b"two")
    assert Cutter().feed(one + two) == [one, two]
    cutter = Cutter()
    assert [cutter.feed(bytes([byte])) for byte in one][-1] == [one]


@pytest.mark.parametrize("noise", [b"\xff", b"\0"])
def test_endless_noise_is_given_out_and_not_kept(noise: bytes) -> None:
    cutter = Cutter()
    given_out = b"".join(piece for _ in range(100) for piece in cutter.feed(noise * 100))
    assert len(given_out) > 10_000 - MAX_ENCODED_BYTES - 10
    assert b"".join(cutter.finish()) == noise * (10_000 - len(given_out))


# ------------------------------------------------------------------------------------------------ key logs
@given(st.lists(logged, max_size=4))
def test_a_key_log_is_read_back(found: list[LoggedKeys]) -> None:
    text = "# keys of a test\n\n" + "".join(encode_key_line(entry) + "\n" for entry in found)
    assert parse_key_log(text) == tuple(found)
    assert parse_key_log(text + encode_key_line(LoggedKeys(*map(bytes, (16, 16, 16, 16, 8, 8))))[:-5]) == tuple(
        found
    )  # still being written


def test_a_bad_line_is_named_but_not_repeated() -> None:
    line = encode_key_line(LoggedKeys(*(bytes([7]) * size for size in (16, 16, 16, 16, 8, 8))))
    with pytest.raises(RecordingError, match="line 2") as caught:
        parse_key_log(line + "\n" + line + "00\n")
    assert "0707" not in str(caught.value)


def test_logged_keys_do_not_print_themselves() -> None:
    entry = LoggedKeys(b"n" * 16, b"N" * 16, b"k" * 16, b"K" * 16, b"i" * 8, b"I" * 8)
    assert (b"k" * 16).hex() not in repr(entry)
    assert repr(b"k" * 16) not in repr(entry)


# ------------------------------------------------------------------------------------------------ following a session
def names(watch: Watch) -> list[str]:
    return [seen.name for way, data in FRAMES for seen in watch.see(way, data)]


def test_a_session_seen_from_its_start_is_opened_by_the_pairing_key() -> None:
    told: list[LoggedKeys] = []
    assert names(Watch(lambda _pump: PSK, on_session=told.append)) == NAMES
    (entry,) = told
    assert (entry.np.hex(), entry.nd.hex()) == (VECTOR["np"], VECTOR["nd"])
    assert names(Watch(logged=told)) == NAMES


def test_a_session_is_opened_by_its_logged_keys_from_anywhere() -> None:
    told: list[LoggedKeys] = []
    names(Watch(lambda _pump: PSK, on_session=told.append))
    others = [LoggedKeys(*(bytes([number]) * size for size in (16, 16, 16, 16, 8, 8))) for number in range(3)]
    watch = Watch(logged=[others[0], *told, *others[1:]])
    assert [seen.name for way, data in FRAMES[10:] for seen in watch.see(way, data)] == NAMES[10:]


@pytest.mark.sr("SR-62")
def test_without_the_key_only_headers_are_seen() -> None:
    for watch in (Watch(), Watch(lambda _pump: bytes(32)), Watch(lambda _pump: None)):
        seen = [seen for way, data in FRAMES for seen in watch.see(way, data)]
        assert [entry.name for entry in seen] == [name if name.islower() else "sealed" for name in NAMES]
        assert all(entry.content is None for entry in seen if entry.header is not None and entry.header.sealed)


def test_an_unconfirmed_handshake_tells_no_keys() -> None:
    told: list[LoggedKeys] = []
    watch = Watch(lambda _pump: PSK, on_session=told.append)
    for way, data in FRAMES[:3]:
        watch.see(way, data)
    assert told == []
    watch.see(Way.FROM_PUMP, encode_frame(clear_body(RecordType.CONFIRM_PUMP, bytes(16))))
    assert told == []
    watch.see(*FRAMES[3])
    assert len(told) == 1


def test_several_hellos_and_answers_still_give_the_right_keys() -> None:
    told: list[LoggedKeys] = []
    watch = Watch(lambda _pump: PSK, on_session=told.append)
    stranger = encode_frame(clear_body(RecordType.HELLO, keys.encode_h1(1, 1, b"PROGID09", bytes(16))))
    answer = encode_frame(clear_body(RecordType.HELLO_REPLY, keys.encode_h2(1, 1, b"PUMPID01", bytes(16), 1)))
    for way, data in (FRAMES[0], (Way.TO_PUMP, stranger), FRAMES[1], FRAMES[1], (Way.FROM_PUMP, answer), *FRAMES[2:4]):
        watch.see(way, data)
    assert [entry.np.hex() for entry in told] == [VECTOR["np"]]


@given(
    st.lists(st.tuples(st.sampled_from(Way), st.one_of(st.binary(max_size=60), st.sampled_from([data for _, data in FRAMES]))), max_size=30)
)
def test_watching_never_raises(traffic: list[tuple[Way, bytes]]) -> None:
    watch = Watch(lambda _pump: PSK)
    for number, (way, data) in enumerate(traffic, 1):
        for seen in watch.see(way, data):
            json.dumps(frame_json(number, Packet(0, way, data), seen))
            assert frame_text(seen)


def test_a_message_that_does_not_decode_is_named() -> None:
    told: list[LoggedKeys] = []
    watch = Watch(lambda _pump: PSK, on_session=told.append)
    for way, data in FRAMES[:4]:
        watch.see(way, data)
    (seen,) = watch.see(Way.TO_PUMP, encode_frame(seal(told[0].k_p2d, told[0].iv_p, RecordType.COMMAND, 9, b"\x63")))
    assert "no message" in seen.problem
    assert frame_text(seen).startswith("sealed #9: ")


# ------------------------------------------------------------------------------------------------ as JSON and text
def shown(name: str) -> tuple[Packet, Seen]:
    watch = Watch(lambda _pump: PSK)
    found = [(Packet(5_000, way, data), seen) for way, data in FRAMES for seen in watch.see(way, data)]
    return next(entry for entry in found if entry[1].name == name)


def test_json_holds_header_and_message_in_the_protocols_units() -> None:
    packet, seen = shown("Status")
    found = json.loads(json.dumps(frame_json(7, packet, seen)))
    assert (found["frame"], found["time_us"], found["way"], found["type"], found["message"]) == (7, 5_000, "from-pump", "command", "Status")
    assert isinstance(seen.content, Status)
    assert found["fields"]["flow_nL_per_day"] == seen.content.flow_nL_per_day
    assert found["fields"]["run_state"] == "unconfigured"
    assert found["fields"]["digest"] == seen.content.digest.hex()
    assert set(found["fields"]) == set(Status.__struct_fields__)
    assert found["re"] == seen.re
    assert bytes.fromhex(found["data"]) == packet.data


def test_every_clear_record_has_named_fields() -> None:
    contents: list[tuple[RecordType, bytes]] = [
        (RecordType.CONFIRM_PROGRAMMER, bytes(24)),
        (RecordType.CONFIRM_PUMP, bytes(16)),
        (RecordType.BUSY, keys.encode_busy(70)),
        (RecordType.REFUSE, keys.encode_refuse(RefuseReason.BACKOFF, 1, 1, 64)),
    ]
    found = [
        frame_json(1, Packet(0, Way.FROM_PUMP, b""), seen)["fields"]
        for rtype, content in contents
        for seen in Watch().see(Way.FROM_PUMP, encode_frame(clear_body(rtype, content)))
    ]
    assert found == [
        {"programmer_id": "00" * 8, "mac": "00" * 16},
        {"mac": "00" * 16},
        {"retry_after_s": 70},
        {"reason": "backoff", "version_min": 1, "version_max": 1, "wait_s": 64},
    ]


def test_text_tells_what_it_is() -> None:
    assert frame_text(shown("GetStatus")[1]) == "GetStatus #1"
    assert isinstance(shown("GetStatus")[1].content, GetStatus)
    assert frame_text(shown("Status")[1]).startswith("Status #1 for #1: uptime_ms=0, ")
    assert frame_text(Watch().see(Way.TO_PUMP, b"\0\5abc\0")[0]).startswith("damaged: ")
    assert frame_text(Watch().see(*FRAMES[4])[0]) == "sealed #0, 1 bytes"
