"""The generated Wireshark dissector, run by tshark over captures written here byte by byte."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from itbpump.wire import keys
from itbpump.wire.frame import encode_frame
from itbpump.wire.messages import (
    Error,
    ErrorCode,
    GetLog,
    LimitCode,
    LogEntry,
    LogKind,
    LogPage,
    RecordType,
    RefuseReason,
    encode_reply,
    encode_request,
)
from itbpump.wire.record import clear_body, seal

SCRIPT = Path(__file__).resolve().parents[3] / "protocols" / "itbp1.lua"
USER0, USER1 = 147, 148
NP, ND = b"\xa0" * 16, b"\xb0" * 16

Dissect = Callable[[int, Sequence[bytes], Sequence[str]], list[list[str]]]


def block(kind: int, content: bytes) -> bytes:
    """A pcapng block."""
    padded = content + bytes(-len(content) % 4)
    length = struct.pack("<I", 12 + len(padded))
    return struct.pack("<I", kind) + length + padded + length


def pcapng(link_type: int, packets: Sequence[bytes]) -> bytes:
    """Section header, one interface, enhanced packets."""
    head = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", link_type, 0, 0))
    return head + b"".join(block(6, struct.pack("<IIIII", 0, 0, 0, len(p), len(p)) + p) for p in packets)


@pytest.fixture
def dissect(tmp_path: Path, requires_program: Callable[[str], str]) -> Dissect:
    """Values of the named fields, a row for each packet."""
    tshark = requires_program("tshark")

    def run(link_type: int, packets: Sequence[bytes], fields: Sequence[str]) -> list[list[str]]:
        capture = tmp_path / "capture.pcapng"
        capture.write_bytes(pcapng(link_type, packets))
        command = [tshark, "-n", "-X", f"lua_script:{SCRIPT}", "-r", str(capture), "-T", "fields"]
        for field in fields:
            command += ["-e", field]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert "Lua" not in done.stderr, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    return run


def test_handshake_is_shown_in_clear(dissect: Dissect) -> None:
    h1, h2 = keys.encode_h1(1, 1, b"PROGID01", NP), keys.encode_h2(1, 1, b"PUMPID01", ND, 7)
    mac = bytes(range(16))
    packets = [
        encode_frame(clear_body(RecordType.HELLO, h1)),
        encode_frame(clear_body(RecordType.HELLO_REPLY, h2)),
        encode_frame(clear_body(RecordType.CONFIRM_PROGRAMMER, b"PROGID01" + mac)),
        encode_frame(clear_body(RecordType.CONFIRM_PUMP, mac)),
    ]
    fields = ["itbp1.type", "itbp1.crc_ok", "itbp1.programmer", "itbp1.pump", "itbp1.nonce", "itbp1.boot_epoch", "itbp1.mac"]
    programmer, pump = b"PROGID01".hex(), b"PUMPID01".hex()
    rows = dissect(USER0, packets, fields)
    assert [[row[0], *row[2:]] for row in rows] == [
        ["0x01", programmer, "", NP.hex(), "", ""],
        ["0x02", "", pump, ND.hex(), "7", ""],
        ["0x03", programmer, "", "", "", mac.hex()],
        ["0x04", "", "", "", "", mac.hex()],
    ]
    assert {row[1] for row in rows} <= {"1", "True"}


def test_two_frames_in_one_packet_and_a_sealed_record(dissect: Dissect) -> None:
    refuse = encode_frame(clear_body(RecordType.REFUSE, keys.encode_refuse(RefuseReason.BACKOFF, 1, 2, 64)))
    busy = encode_frame(clear_body(RecordType.BUSY, keys.encode_busy(900)))
    body = seal(bytes(16), bytes(8), RecordType.COMMAND, 513, b"hello")
    fields = ["itbp1.reason", "itbp1.version_max", "itbp1.wait_s", "itbp1.retry_after_s", "itbp1.counter", "itbp1.sealed", "itbp1.tag"]
    assert dissect(USER0, [refuse + busy, encode_frame(body)], fields) == [
        ["4", "2", "64", "900", "0,0", "", ""],
        ["", "", "", "", "513", body[8:13].hex(), body[13:].hex()],
    ]


def test_damage_is_named(dissect: Dissect) -> None:
    good = bytearray(encode_frame(clear_body(RecordType.BUSY, b"\x01\x02")))
    good[3] ^= 0x40  # a content byte, not one of the stuffing
    rows = dissect(USER0, [bytes(good), b"\x00\x09abc\x00", b"\x00\x02a\x00"], ["itbp1.damage"])
    assert rows == [["CRC does not hold"], ["stuffing points beyond the frame"], ["shorter than a frame can be"]]


def test_plain_messages_are_decoded_field_by_field(dissect: Dissect) -> None:
    entry = LogEntry(8, 2**40, 0, LogKind.STALL, 5, 2**64 - 1)
    packets = [
        b"\x00" + encode_request(GetLog(8, 25)),
        b"\x01" + encode_reply(3, LogPage(9, (entry,))),
        b"\x01" + encode_reply(4, Error(ErrorCode.LIMIT, LimitCode.FLOW_MAX, 77)),
        b"\x00\x63",
    ]
    rows = dissect(USER1, packets, ["itbp1.message", "itbp1.re", "itbp1.field", "itbp1_plain.damage"])
    assert rows == [
        ["GetLog", "", "from_seq = 8,max_entries = 25", ""],
        ["LogPage", "3", f"next_seq = 9,seq = 8,uptime_ms = {2**40} ms,wall_s = 0 s,kind = stall,a = 5,b = {2**64 - 1}", ""],
        ["Error", "4", "code = 11,detail = 2,cmd_id = 77", ""],
        ["", "", "", "unknown message"],
    ]
