"""Vectors that must be refused: each a good one with one thing wrong, the layer that must notice, and the error it must raise.

Layers: frame (the run between two delimiters), record (a sealed body from programmer to pump under the vector keys), request, reply,
event, configuration, bolus_order (payloads), and the contents of clear records: hello, hello_reply, confirm_programmer, confirm_pump,
busy, refuse.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from protocols import reference_codec as codec
from protocols.spec_model import Spec
from protocols.vector_keys import H1, H2, IV_P, K_D2P, K_P2D

Row = dict[str, str]
_BODY = codec.seal(K_P2D, IV_P, 16, 0, b"\x07\x00\x00\x00\x05")
_RUN = codec.frame(_BODY)[1:-1]


def invalid(spec: Spec) -> list[Row]:
    """All rows; the reasons are unique."""
    return [*_frames(), *_records(), *_headless(), *_requests(spec), *_replies(spec), *_events(), *_payloads(spec), *_contents()]


def _row(layer: str, raw: bytes, error: str, reason: str) -> Row:
    return {"layer": layer, "reason": reason, "error": error, "hex": raw.hex()}


def _patched(raw: bytes, at: int, value: bytes) -> bytes:
    at %= len(raw)
    return raw[:at] + value + raw[at + len(value) :]


def _frames() -> list[Row]:
    big = bytes(1 + i % 255 for i in range(1021))
    wrong_order = _BODY + zlib.crc32(_BODY).to_bytes(4, "little")
    rows = [
        (_patched(_RUN, 5, bytes([_RUN[5] ^ 0x10 or 1])), "one bit of the body flipped"),
        (_patched(_RUN, -1, bytes([_RUN[-1] ^ 0x01 or 2])), "one bit of the CRC flipped"),
        (codec.cobs(wrong_order), "CRC in little-endian order"),
        (_RUN[:-3], "stuffing truncated at the end"),
        (_RUN[1:], "first byte missing"),
        (_RUN[:6] + b"\x00" + _RUN[7:], "a zero inside the run"),
        (_RUN + b"\x01\x02", "bytes added at the end"),
        (b"\x01", "empty content"),
        (codec.cobs(b"\x00\x00\x00\x00"), "CRC of nothing, no body"),
        (codec.cobs(b"\x12\x34\x56"), "shorter than a CRC"),
        (b"\xff\x01\x02", "stuffing code beyond the run"),
        (codec.frame(big)[1:-1], "body of 1,021 bytes with a good CRC"),
        (b"\x02\x11" * 700, "longer than any frame"),
    ]
    return [_row("frame", raw, "FrameError", reason) for raw, reason in rows]


def _records() -> list[Row]:
    long = codec.seal(K_P2D, IV_P, 16, 0, bytes(997))
    rows = [
        (_BODY[:7], "HeaderError", "shorter than a header"),
        (_patched(_BODY, 0, b"\x02"), "HeaderError", "version 2 in the header"),
        (codec.seal(K_P2D, IV_P, 16, 0, b"\x01", version=2), "HeaderError", "sealed under version 2, tag good"),
        (_patched(_BODY, 1, b"\x12"), "HeaderError", "unknown record type 18"),
        (_patched(_BODY, 1, b"\x00"), "HeaderError", "record type 0"),
        (codec.header(1, 0, len(H1)) + H1, "HeaderError", "a clear hello where a sealed record belongs"),
        (_patched(_BODY, 6, b"\x00\x06"), "HeaderError", "length field one too large"),
        (_patched(_BODY, 6, b"\x00\x04"), "HeaderError", "length field one too small"),
        (_BODY[:-1], "HeaderError", "last byte of the tag missing"),
        (_BODY + b"\x00", "HeaderError", "a byte behind the tag"),
        (_BODY[:8], "HeaderError", "header alone"),
        (long, "HeaderError", "plaintext of 997 bytes"),
        (codec.seal(K_P2D, IV_P, 16, 1 << 24, b"\x01"), "HeaderError", "counter 2^24"),
        (_patched(_BODY, -1, bytes([_BODY[-1] ^ 1])), "TagError", "one bit of the tag flipped"),
        (_patched(_BODY, 8, bytes([_BODY[8] ^ 1])), "TagError", "one bit of the ciphertext flipped"),
        (_patched(_BODY, 5, b"\x01"), "TagError", "counter changed after sealing"),
        (_patched(_BODY, 1, b"\x11"), "TagError", "command turned into an event"),
        (codec.seal(K_D2P, IV_P, 16, 0, b"\x01"), "TagError", "sealed with the key of the other direction"),
        (codec.seal(K_P2D, bytes(8), 16, 0, b"\x01"), "TagError", "sealed with another iv"),
    ]
    return [_row("record", raw, error, reason) for raw, error, reason in rows]


def _headless() -> list[Row]:
    """Ids: none, and those of another direction."""
    return [
        _row("request", b"", "LengthError", "an empty request"),
        _row("reply", b"", "LengthError", "an empty reply"),
        _row("event", b"", "LengthError", "an empty event"),
        _row("request", b"\x00", "UnknownMessage", "id 0"),
        _row("request", b"\x63", "UnknownMessage", "id 99, which no message has"),
        _row("request", b"\x88\x00\x00\x00\x05", "UnknownMessage", "a reply where a request belongs"),
        _row("reply", b"\x07\x00\x00\x00\x05", "UnknownMessage", "a request where a reply belongs"),
        _row("event", b"\x01", "UnknownMessage", "a request where an event belongs"),
    ]


def _builder(spec: Spec) -> Callable[..., bytes]:
    layouts = {layout.name: layout for layout in [*spec.messages, *spec.structs.values()]}

    def build(name: str, **values: Any) -> bytes:
        """Bytes of a message or structure; a bytes value is put in as it stands, whatever the field's type is."""
        layout = layouts[name]
        head = (bytes([layout.id]) if layout.id else b"") + (bytes(4) if layout.kind == "reply" else b"")
        parts: list[bytes] = []
        for f in layout.fields:
            given = values.pop(f.name, None)
            parts.append(given if isinstance(given, bytes) else bytes(spec.field_sizes(f)[0]))
        assert not values, f"{name} has no {', '.join(values)}"
        return head + b"".join(parts)

    return build


def _requests(spec: Spec) -> list[Row]:
    build = _builder(spec)
    one = (1).to_bytes(8, "big")
    stage = {"cmd_id": one, "kind": b"\x01", "total_length": b"\x00\x01"}
    rows = [
        (build("Ping") + b"\x00", "LengthError", "a byte behind Ping"),
        (build("Ping")[:-1], "LengthError", "Ping one byte short"),
        (build("GetInfo") + b"\x00", "LengthError", "a byte behind GetInfo, which has no fields"),
        (build("GetLog", max_entries=b"\x00"), "FieldRangeError", "GetLog for 0 entries"),
        (build("GetLog", max_entries=b"\x1a"), "FieldRangeError", "GetLog for 26 entries"),
        (build("QueryCommand"), "FieldRangeError", "command id 0"),
        (build("GetConfiguration", slot=b"\x03"), "FieldEnumError", "configuration slot 3"),
        (build("GetResults", scope=b"\xff"), "FieldEnumError", "result scope 255"),
        (build("SetClock", cmd_id=one, wall_s=(1577836799).to_bytes(4, "big")), "FieldRangeError", "a clock in 2019"),
        (build("TestAlarm", cmd_id=one, priority=b"\x00"), "FieldEnumError", "alarm priority 0"),
        (build("Commit", cmd_id=one)[:-4], "LengthError", "Commit without its base revision"),
        (build("Stage", **stage, fragment=b"\x03\x85" + bytes(901)), "LengthError", "a fragment of 901 bytes"),
        (build("Stage", **stage, fragment=b"\x00\x05" + bytes(4)), "LengthError", "a fragment shorter than its length"),
        (build("Stage", **stage, fragment=b"\x00\x03" + bytes(4)), "LengthError", "a fragment longer than its length"),
        (build("Stage", **{**stage, "total_length": b"\x00\x00"}, fragment=b"\x00\x00"), "FieldRangeError", "nothing to stage"),
        (build("Stage", **{**stage, "kind": b"\x09"}, fragment=b"\x00\x00"), "FieldEnumError", "command kind 9"),
        (build("Stage", **stage)[:-1], "LengthError", "Stage cut inside the length of its fragment"),
    ]
    return [_row("request", raw, error, reason) for raw, error, reason in rows]


def _replies(spec: Spec) -> list[Row]:
    build = _builder(spec)
    size = spec.sizes(spec.structs["LogEntry"])[0]
    rows = [
        (build("Closed")[:-1], "LengthError", "a reply whose `re` is cut"),
        (build("Staged", complete=b"\x02"), "FieldEnumError", "a bool of 2"),
        (build("Staged", complete=b"\xff"), "FieldEnumError", "a bool of 255"),
        (build("LogPage", entries=b"\x1a" + bytes(26 * size)), "LengthError", "26 log entries"),
        (build("LogPage", entries=b"\x02" + bytes(size)), "LengthError", "fewer log entries than told"),
        (build("LogPage", entries=b"\x01" + bytes(2 * size)), "LengthError", "more log entries than told"),
        (build("LogPage", entries=b"\x01" + bytes(size - 1)), "LengthError", "a log entry cut"),
        (build("LogPage", entries=b"\x01" + bytes(16) + b"\xfe" + bytes(16)), "FieldEnumError", "a log kind of 254 inside a list"),
        (build("Info", serial=b"\x11" + b"a" * 17, role=b"\x01"), "LengthError", "a serial number of 17 bytes"),
        (build("Info", serial=b"\x02\xc3\x28", role=b"\x01"), "FieldTextError", "a serial number that is not UTF-8"),
        (build("Info", serial=b"\x02\xc0\x80", role=b"\x01"), "FieldTextError", "an overlong encoding of zero"),
        (build("Info", serial=b"\x03\xed\xa0\x80", role=b"\x01"), "FieldTextError", "half of a surrogate pair"),
        (build("Info", firmware=b"\x01\x80", role=b"\x01"), "FieldTextError", "a lone continuation byte"),
        (build("Info"), "FieldEnumError", "role 0"),
        (build("Info", role=b"\x01")[:-1], "LengthError", "Info one byte short"),
        (build("Status", battery_permille=b"\x03\xe9"), "FieldRangeError", "a battery of 1,001 permille"),
        (build("Status", mode=b"\x05"), "FieldEnumError", "therapy mode 5"),
        (build("Status", drug=b"\xff"), "LengthError", "a text longer than the message"),
        (build("ResultsPage", results=b"\x09" + bytes(9 * spec.sizes(spec.structs["CommandResult"])[0])), "LengthError", "9 results"),
    ]
    return [_row("reply", raw, error, reason) for raw, error, reason in rows]


def _events() -> list[Row]:
    return [
        _row("event", b"\xc0" + bytes(4) + b"\x01\x00\x01", "FieldEnumError", "an alarm event of priority 0"),
        _row("event", b"\xc0" + bytes(4) + b"\x01\x01\x02", "FieldEnumError", "an alarm event neither raised nor cleared"),
        _row("event", b"\xc1" + bytes(4), "LengthError", "a log event without its kind"),
    ]


def _payloads(spec: Spec) -> list[Row]:
    build = _builder(spec)
    good: dict[str, bytes] = {"layout": b"\x01", "concentration_ng_per_mL": (2_000_000).to_bytes(4, "big")}
    step = bytes(9)
    pattern = b"\x7f\x01" + step
    configurations = [
        (build("Configuration", **good) + b"\x00", "LengthError", "a byte behind a configuration"),
        (build("Configuration", **good)[:-1], "LengthError", "a configuration one byte short"),
        (build("Configuration", **{**good, "layout": b"\x02"}), "FieldRangeError", "configuration layout 2"),
        (build("Configuration", **{**good, "concentration_ng_per_mL": bytes(4)}), "FieldRangeError", "concentration 0"),
        (build("Configuration", **good, flow_nL_per_day=b"\xff" * 4), "FieldRangeError", "a flow far above any pump"),
        (build("Configuration", **good, week_offset_ms=(604_800_000).to_bytes(4, "big")), "FieldRangeError", "an offset of a whole week"),
        (build("Configuration", **good, start=b"\x02"), "FieldEnumError", "start neither true nor false"),
        (build("Configuration", **good, mode=b"\x05"), "FieldEnumError", "mode 5"),
        (build("Configuration", **good, patterns=b"\x08" + pattern * 8), "LengthError", "8 patterns"),
        (build("Configuration", **good, patterns=b"\x01\x7f\x31" + step * 49), "LengthError", "49 steps"),
        (build("Configuration", **good, patterns=b"\x01\x00\x01" + step), "FieldRangeError", "a pattern for no day"),
        (build("Configuration", **good, patterns=b"\x01\x80\x01" + step), "FieldRangeError", "a pattern for an eighth day"),
        (build("Configuration", **good, patterns=b"\x01\x01\x01\x05\xa0" + step[2:]), "FieldRangeError", "a step at 24:00"),
        (build("Configuration", **good, patterns=b"\x01\x01\x01\x00\x00\x02" + step[3:]), "FieldEnumError", "a step of kind 2"),
        (build("Configuration", **good, drug=b"\x19" + b"a" * 25), "LengthError", "a drug name of 25 bytes"),
    ]
    duration = (600).to_bytes(4, "big")
    orders = [
        (build("BolusOrder", layout=b"\x01", duration_s=duration) + b"\x00", "LengthError", "a byte behind a bolus order"),
        (build("BolusOrder", layout=b"\x00", duration_s=duration), "FieldRangeError", "bolus layout 0"),
        (build("BolusOrder", layout=b"\x01"), "FieldRangeError", "a bolus over 0 s"),
        (build("BolusOrder", layout=b"\x01", duration_s=(86_401).to_bytes(4, "big")), "FieldRangeError", "a bolus over more than a day"),
        (build("BolusOrder", layout=b"\x01", kind=b"\x04", duration_s=duration), "FieldEnumError", "bolus kind 4"),
    ]
    return [
        *[_row("configuration", raw, error, reason) for raw, error, reason in configurations],
        *[_row("bolus_order", raw, error, reason) for raw, error, reason in orders],
    ]


def _contents() -> list[Row]:
    return [
        _row("hello", H1[:-1], "LengthError", "a hello one byte short"),
        _row("hello", H1 + b"\x00", "LengthError", "a byte behind a hello"),
        _row("hello_reply", H2[:-1], "LengthError", "a hello reply one byte short"),
        _row("confirm_programmer", bytes(16), "LengthError", "a programmer's confirmation without its id"),
        _row("confirm_programmer", bytes(25), "LengthError", "a byte behind a programmer's confirmation"),
        _row("confirm_pump", bytes(15), "LengthError", "a pump's confirmation of 15 bytes"),
        _row("busy", b"\x00", "LengthError", "busy with half a time"),
        _row("refuse", b"\x01\x01\x01\x00", "LengthError", "a refusal cut"),
        _row("refuse", b"\x00\x01\x01\x00\x00", "FieldEnumError", "refuse reason 0"),
    ]
