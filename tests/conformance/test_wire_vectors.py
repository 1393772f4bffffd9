"""The wire layers against the vectors in protocols/vectors, which another codec wrote: whole, byte by byte, and with bytes behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import itbpump.wire.errors
from itbpump.wire import keys, messages
from itbpump.wire.errors import LengthError, MessageError, WireError
from itbpump.wire.frame import FrameSplitter, decode_frame, encode_frame
from itbpump.wire.messages import RecordType
from itbpump.wire.messages.codec import FIELDS
from itbpump.wire.record import open_sealed, seal

VECTORS = Path(__file__).resolve().parents[2] / "protocols" / "vectors"


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


VALID = load("valid.json")
INVALID = load("invalid.json")
SECURITY = load("security.json")
FRAMED = [row for row in VALID if "frame" in row]
K_P2D, K_D2P, IV_P, IV_D = (bytes.fromhex(SECURITY[name]) for name in ("k_p2d", "k_d2p", "iv_p", "iv_d"))


def title(row: dict[str, Any]) -> str:
    return f"{row['message']}-{row['case']}"


def build(name: str, values: dict[str, Any]) -> Any:
    """The typed message of a vector."""
    converted = [typed(field.type, values[field.name]) for field in FIELDS[name]]
    return getattr(messages, name)(*converted)


def typed(kind: str, value: Any) -> Any:
    base, _, rest = kind.partition(":")
    if base == "u64":
        return int(value)
    if base in ("bytes", "blob"):
        return bytes.fromhex(value)
    if base == "enum":
        return getattr(messages, rest)[value.upper()]
    if base == "struct":
        return build(rest, value)
    if base == "list":
        return tuple(build(rest.partition(":")[0], item) for item in value)
    return value


def encode(row: dict[str, Any]) -> bytes:
    message = build(row["message"], row["fields"])
    match row["kind"]:
        case "request":
            return messages.encode_request(message)
        case "reply":
            return messages.encode_reply(row["re"], message)
        case "event":
            return messages.encode_event(message)
    return messages.encode_configuration(message) if row["message"] == "Configuration" else messages.encode_bolus_order(message)


def decode(row: dict[str, Any], payload: bytes) -> Any:
    match row["kind"]:
        case "request":
            return messages.decode_request(payload)
        case "reply":
            re, message = messages.decode_reply(payload)
            assert re == row["re"]
            return message
        case "event":
            return messages.decode_event(payload)
    return messages.decode_configuration(payload) if row["message"] == "Configuration" else messages.decode_bolus_order(payload)


# ------------------------------------------------------------------------------------------------ valid
def test_each_message_and_payload_has_vectors() -> None:
    named = {row["message"] for row in VALID}
    assert named == {kind.__name__ for kind in messages.MESSAGE_IDS} | {"Configuration", "BolusOrder"}


@pytest.mark.parametrize("row", VALID, ids=title)
def test_message_becomes_the_bytes_of_its_vector(row: dict[str, Any]) -> None:
    assert encode(row).hex() == row["payload"]


@pytest.mark.parametrize("row", VALID, ids=title)
def test_bytes_of_a_vector_become_its_message(row: dict[str, Any]) -> None:
    assert decode(row, bytes.fromhex(row["payload"])) == build(row["message"], row["fields"])


@pytest.mark.parametrize("row", VALID, ids=title)
def test_payload_with_a_byte_behind_or_without_its_last_is_refused(row: dict[str, Any]) -> None:
    payload = bytes.fromhex(row["payload"])
    with pytest.raises(LengthError):
        decode(row, payload + b"\x00")
    with pytest.raises(MessageError):
        decode(row, payload[:-1])


def record_of(row: dict[str, Any]) -> bytes:
    key, iv = (K_P2D, IV_P) if row["kind"] == "request" else (K_D2P, IV_D)
    rtype = RecordType.EVENT if row["kind"] == "event" else RecordType.COMMAND
    return seal(key, iv, rtype, row["counter"], bytes.fromhex(row["payload"]))


@pytest.mark.parametrize("row", FRAMED, ids=title)
def test_sealed_message_becomes_the_frame_of_its_vector(row: dict[str, Any]) -> None:
    assert encode_frame(record_of(row)).hex() == row["frame"]


@pytest.mark.parametrize("row", FRAMED, ids=title)
def test_frame_of_a_vector_opens_to_its_payload(row: dict[str, Any]) -> None:
    (body,) = FrameSplitter().feed(bytes.fromhex(row["frame"]))
    key, iv = (K_P2D, IV_P) if row["kind"] == "request" else (K_D2P, IV_D)
    record = open_sealed(key, iv, body)
    assert (record.counter, record.plaintext.hex()) == (row["counter"], row["payload"])


def test_all_frames_in_one_stream_whole_and_byte_by_byte() -> None:
    stream = b"".join(bytes.fromhex(row["frame"]) for row in FRAMED)
    bodies = [record_of(row) for row in FRAMED]
    assert FrameSplitter().feed(stream) == bodies
    slow = FrameSplitter()
    assert [body for byte in stream for body in slow.feed(bytes([byte]))] == bodies
    assert (slow.damaged, slow.oversized, slow.pending_bytes) == (0, 0, 0)


# ------------------------------------------------------------------------------------------------ invalid
LAYERS: dict[str, Callable[[bytes], Any]] = {
    "frame": decode_frame,
    "record": lambda raw: open_sealed(K_P2D, IV_P, raw),
    "request": messages.decode_request,
    "reply": messages.decode_reply,
    "event": messages.decode_event,
    "configuration": messages.decode_configuration,
    "bolus_order": messages.decode_bolus_order,
    "hello": keys.decode_h1,
    "hello_reply": keys.decode_h2,
    "confirm_programmer": keys.decode_confirm_programmer,
    "confirm_pump": keys.decode_confirm_pump,
    "busy": keys.decode_busy,
    "refuse": keys.decode_refuse,
}


def test_invalid_vectors_cover_each_layer_and_each_decoding_error() -> None:
    assert {row["layer"] for row in INVALID} == set(LAYERS)
    assert len({row["reason"] for row in INVALID}) == len(INVALID) >= 40
    leaves = {
        "FrameError", "HeaderError", "TagError", "UnknownMessage", "LengthError", "FieldRangeError", "FieldEnumError", "FieldTextError",
    }  # fmt: skip
    assert {row["error"] for row in INVALID} == leaves


@pytest.mark.sr("SR-62")
@pytest.mark.parametrize("row", INVALID, ids=lambda row: row["reason"])
def test_invalid_bytes_raise_exactly_the_named_error(row: dict[str, Any]) -> None:
    with pytest.raises(WireError) as caught:
        LAYERS[row["layer"]](bytes.fromhex(row["hex"]))
    assert type(caught.value) is getattr(itbpump.wire.errors, row["error"])


@pytest.mark.parametrize("row", [row for row in INVALID if row["layer"] == "frame"], ids=lambda row: row["reason"])
@pytest.mark.parametrize("chunk_bytes", [1, 7, 5000])
def test_invalid_frame_is_counted_and_costs_no_neighbour(row: dict[str, Any], chunk_bytes: int) -> None:
    good = bytes.fromhex(FRAMED[0]["frame"])
    stream = good + bytes.fromhex(row["hex"]) + good
    splitter = FrameSplitter()
    bodies = [body for i in range(0, len(stream), chunk_bytes) for body in splitter.feed(stream[i : i + chunk_bytes])]
    assert bodies == [record_of(FRAMED[0])] * 2
    assert splitter.damaged + splitter.oversized >= 1


# ------------------------------------------------------------------------------------------------ security
@pytest.mark.sr("SR-62")
def test_key_schedule_matches_the_security_vector() -> None:
    v = {name: bytes.fromhex(text) for name, text in SECURITY.items() if isinstance(text, str) and name != "about"}
    h1 = keys.encode_h1(SECURITY["version"], SECURITY["suite"], v["programmer_id"], v["np"])
    h2 = keys.encode_h2(SECURITY["version"], SECURITY["suite"], v["pump_id"], v["nd"], SECURITY["boot_epoch"])
    assert (h1, h2) == (v["h1"], v["h2"])
    th = keys.transcript_hash(h1, h2)
    session = keys.derive(v["psk"], v["np"], v["nd"], th)
    assert th == v["th"]
    assert tuple(session) == (v["k_p2d"], v["k_d2p"], v["iv_p"], v["iv_d"], v["k_conf"])
    assert keys.confirm(session.k_conf, b"P", th) == v["confirm_p"]
    assert keys.confirm(session.k_conf, b"D", th) == v["confirm_d"]


@pytest.mark.sr("SR-62")
def test_security_vector_is_the_published_one() -> None:
    """The figures of the protocol's design, so that the vector file cannot drift together with the code."""
    assert SECURITY["th"] == "d3fa98ebf47a678dbd49012cdc902dbb175901076226de073cd66cd214103eab"
    assert SECURITY["k_p2d"] == "1dcae21ab6f70b74f7768e99e9751fd6"
    assert SECURITY["k_d2p"] == "0f81e0bd2bef9e5285916ca7f8811b43"
    assert (SECURITY["iv_p"], SECURITY["iv_d"]) == ("4707ba0fe619efa0", "288fd3fb556c618c")
    assert (SECURITY["confirm_p"], SECURITY["confirm_d"]) == ("e84b7b7f18444bb9d2e54eaecec928ee", "e3ef5346780ffbc9e0bcfd0251ac48b6")
    assert SECURITY["record"]["body"] == "0110000000000005" + "3c6adea326015f19e834d774f35e657e8c83efea3e"


@pytest.mark.sr("SR-62")
def test_sealed_record_matches_the_security_vector() -> None:
    record = SECURITY["record"]
    body = seal(K_P2D, IV_P, RecordType(record["type"]), record["counter"], bytes.fromhex(record["plaintext"]))
    assert body.hex() == record["body"]
    assert open_sealed(K_P2D, IV_P, body).plaintext.hex() == record["plaintext"]
