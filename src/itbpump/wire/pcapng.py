"""Recordings of a pump's line as pcapng files, which Wireshark opens: bytes in, bytes out, nothing read or written here.

A file is a row of sections, one for each time somebody recorded into it; a section has one interface for each line and one packet for
each frame, with its time, its way and perhaps a comment. Format: draft-ietf-opsawg-pcapng (section header, interface description and
enhanced packet blocks; anything else is stepped over). Link type 147 (DLT_USER0) is the one that protocols/itbp1.lua is registered for.
Not modelled: name resolution, statistics, decryption secrets: a recording holds no keys.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from itbpump.errors import InputError
from itbpump.wire.errors import WireError

__all__ = [
    "LINKTYPE_USER0",
    "Line",
    "Packet",
    "Recording",
    "RecordingError",
    "Section",
    "Way",
    "decode",
    "encode_line",
    "encode_packet",
    "encode_section",
    "whole_bytes",
]

LINKTYPE_USER0 = 147
LARGEST_BLOCK = 1 << 20  # far above any frame of 1,024 bytes with its comment; a larger length is damage
MAGIC = b"\x0a\x0d\x0d\x0a"  # the same in both byte orders

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER = 0x1A2B3C4D
_END, _COMMENT, _APPLICATION, _FLAGS = 0, 1, 4, 2
_NAME, _DESCRIPTION, _RESOLUTION, _OFFSET = 2, 3, 9, 14
_MICROSECONDS = 6
_DIRECTION = 3


class RecordingError(WireError, InputError):
    """A file is no recording, or a damaged one; `offset` is the byte where that shows."""

    def __init__(self, problem: str, offset: int = 0) -> None:
        self.problem, self.offset = problem, offset
        super().__init__(f"byte {offset}: {problem}; record anew, or cut the file there", action="record anew, or cut the file there")


class Way(IntEnum):
    """Whose bytes they are; the numbers are pcapng's inbound and outbound, as the programmer sees it."""

    FROM_PUMP = 1
    TO_PUMP = 2


class Packet(NamedTuple):
    """What went over the line at once: a frame with its zeros, or a piece of noise. `time_us` is the link's clock, µs; `line` from 0."""

    time_us: int
    way: Way
    data: bytes
    comment: str = ""
    line: int = 0


class Line(NamedTuple):
    """A recorded line. `wall_offset_s` + `time_us` of its packets is the host's time since 1970."""

    name: str
    wall_offset_s: int = 0
    description: str = ""


class Section(NamedTuple):
    """What was recorded at one go."""

    lines: tuple[Line, ...]
    packets: tuple[Packet, ...]


class Recording(NamedTuple):
    """A whole file. `torn_bytes` at its end belong to a block that was never finished (killed, disk full)."""

    sections: tuple[Section, ...]
    torn_bytes: int = 0


# ------------------------------------------------------------------------------------------------ writing
def encode_section() -> bytes:
    """Head of a section; lines and packets follow."""
    return _block(_SECTION, struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1) + _options((_APPLICATION, b"itbpump")))


def encode_line(line: Line) -> bytes:
    """Description of a line; its number is its place in the section. Raises RecordingError for a text above 65,535 bytes."""
    return _block(
        _INTERFACE,
        struct.pack("<HHI", LINKTYPE_USER0, 0, 0)
        + _options(
            (_NAME, line.name.encode()),
            (_DESCRIPTION, line.description.encode()),
            (_RESOLUTION, bytes([_MICROSECONDS])),
            (_OFFSET, struct.pack("<q", line.wall_offset_s)),
        ),
    )


def encode_packet(packet: Packet) -> bytes:
    """One packet. Raises RecordingError for a time, size or comment that the format has no room for."""
    if not 0 <= packet.time_us < 1 << 64 or len(packet.data) > LARGEST_BLOCK // 2:
        raise RecordingError(f"a packet of {len(packet.data)} bytes at {packet.time_us} µs does not fit the format")
    size = len(packet.data)
    head = struct.pack("<IIIII", packet.line, packet.time_us >> 32, packet.time_us & 0xFFFF_FFFF, size, size)
    options = _options((_COMMENT, packet.comment.encode()), (_FLAGS, struct.pack("<I", packet.way)))
    return _block(_PACKET, head + _padded(packet.data) + options)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _options(*pairs: tuple[int, bytes]) -> bytes:
    """Options that hold something, and the end of them."""
    out = b""
    for code, value in pairs:
        if len(value) > 0xFFFF:
            raise RecordingError(f"a text of {len(value)} bytes does not fit the format")
        if value:
            out += struct.pack("<HH", code, len(value)) + _padded(value)
    return out + struct.pack("<HH", _END, 0)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


# ------------------------------------------------------------------------------------------------ reading
class _Block(NamedTuple):
    kind: int
    body: bytes
    offset: int
    order: str


class _Interface(NamedTuple):
    line: Line
    units_per_s: int


def decode(data: bytes) -> Recording:
    """A file's content; a torn end is told, not refused. Raises RecordingError for what is no recording, or is damaged before its end."""
    sections: list[Section] = []
    interfaces: list[_Interface] = []
    packets: list[Packet] = []
    end = 0

    def finish() -> None:
        sections.append(Section(tuple(found.line for found in interfaces), tuple(packets)))

    for number, block in enumerate(_blocks(data)):
        end = block.offset + 12 + len(block.body)
        if block.kind == _SECTION:
            if number:
                finish()
            interfaces, packets = [], []
        elif block.kind == _INTERFACE:
            interfaces.append(_interface(block))
        elif block.kind == _PACKET:
            packets.append(_packet(block, interfaces))
    if end:
        finish()
    return Recording(tuple(sections), len(data) - end)


def whole_bytes(data: bytes) -> int:
    """How many bytes at the start are whole blocks. Raises as `decode`."""
    return len(data) - decode(data).torn_bytes


def _blocks(data: bytes) -> Iterator[_Block]:
    """Whole blocks; ends where the last one is torn."""
    if data[:4] != MAGIC[: len(data)] or not data:
        raise RecordingError("this is no pcapng file: it does not begin with a section")
    at, order = 0, "<"
    while len(data) - at >= 12:
        if data[at : at + 4] == MAGIC:
            order = _order(data, at)
        kind, length = struct.unpack_from(f"{order}II", data, at)
        if length < 12 or length % 4 or length > LARGEST_BLOCK:
            raise RecordingError(f"a block cannot have {length} bytes", at)
        if at + length > len(data):
            return
        (again,) = struct.unpack_from(f"{order}I", data, at + length - 4)
        if again != length:
            raise RecordingError(f"a block begins with a length of {length} and ends with {again}", at)
        yield _Block(kind, data[at + 8 : at + length - 4], at, order)
        at += length


def _order(data: bytes, at: int) -> str:
    for order in "<>":
        if struct.unpack_from(f"{order}I", data, at + 8) == (_BYTE_ORDER,):
            return order
    raise RecordingError("the section tells no byte order", at)


def _interface(block: _Block) -> _Interface:
    if len(block.body) < 8:
        raise RecordingError("the description of a line is too short", block.offset)
    (link_type,) = struct.unpack_from(f"{block.order}H", block.body)
    if link_type != LINKTYPE_USER0:
        raise RecordingError(f"link type {link_type} is not that of a pump's line ({LINKTYPE_USER0})", block.offset)
    options = _read_options(block, 8)
    resolution = options.get(_RESOLUTION, bytes([_MICROSECONDS]))
    offset = options.get(_OFFSET, bytes(8))
    if len(resolution) != 1 or len(offset) != 8:
        raise RecordingError("resolution or offset of the times has the wrong size", block.offset)
    power = resolution[0] & 0x7F
    if power > 63:  # 10^-63 s: no clock
        raise RecordingError(f"times in units of 10^-{power} s", block.offset)
    (wall_offset_s,) = struct.unpack(f"{block.order}q", offset)
    line = Line(_text(options, _NAME), wall_offset_s, _text(options, _DESCRIPTION))
    return _Interface(line, (2 if resolution[0] & 0x80 else 10) ** power)


def _packet(block: _Block, interfaces: list[_Interface]) -> Packet:
    if len(block.body) < 20:
        raise RecordingError("a packet is too short", block.offset)
    number, high, low, captured, original = struct.unpack_from(f"{block.order}IIIII", block.body)
    if number >= len(interfaces):
        raise RecordingError(f"a packet names line {number}, which is not described", block.offset)
    end = 20 + captured + -captured % 4
    if captured != original or end > len(block.body):
        raise RecordingError(f"a packet holds {captured} of {original} bytes", block.offset)
    options = _read_options(block, end)
    flags = options.get(_FLAGS, b"")
    way = struct.unpack(f"{block.order}I", flags)[0] & _DIRECTION if len(flags) == 4 else 0
    if way not in (Way.FROM_PUMP, Way.TO_PUMP):
        raise RecordingError("a packet does not tell its direction", block.offset)
    time_us = (high << 32 | low) * 1_000_000 // interfaces[number].units_per_s
    return Packet(time_us, Way(way), block.body[20 : 20 + captured], _text(options, _COMMENT), number)


def _read_options(block: _Block, at: int) -> dict[int, bytes]:
    """The first of each kind."""
    found: dict[int, bytes] = {}
    body = block.body
    while len(body) - at >= 4:
        code, length = struct.unpack_from(f"{block.order}HH", body, at)
        at += 4
        if code == _END:
            return found
        if at + length > len(body):
            raise RecordingError("an option reaches beyond its block", block.offset)
        found.setdefault(code, body[at : at + length])
        at += length + -length % 4
    return found


def _text(options: dict[int, bytes], code: int) -> str:
    return options.get(code, b"").decode("utf-8", "replace")
