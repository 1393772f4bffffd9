"""Recordings as pcapng: what is written is read back, a torn end is told, anything damaged ends in the documented error."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.errors import InputError
from itbpump.wire.pcapng import (
    Line,
    Packet,
    Recording,
    RecordingError,
    Section,
    Way,
    decode,
    encode_line,
    encode_packet,
    encode_section,
    whole_bytes,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
lines = st.builds(Line, texts, st.integers(-(2**40), 2**40), texts)
packets = st.builds(Packet, st.integers(0, 2**63), st.sampled_from(Way), st.binary(max_size=1_100), texts, st.just(0))
sections = st.builds(lambda line, found: Section((line,), tuple(found)), lines, st.lists(packets, max_size=6))


def encode(*found: Section) -> bytes:
    return b"".join(
        encode_section() + b"".join(map(encode_line, section.lines)) + b"".join(map(encode_packet, section.packets)) for section in found
    )


PACKETS = (Packet(1_000, Way.TO_PUMP, b"\0\1\2\0"), Packet(2_500, Way.FROM_PUMP, b"\0\3\0", "late"), Packet(2_600, Way.FROM_PUMP, b""))
SMALL = Section((Line("/dev/pump", 1_795_359_600, "bench"),), PACKETS)


@given(st.lists(sections, min_size=1, max_size=3))
def test_what_is_written_is_read_back(found: list[Section]) -> None:
    assert decode(encode(*found)) == Recording(tuple(found), 0)


def test_several_lines_keep_their_packets_apart() -> None:
    section = Section((Line("a", 5), Line("b", -7)), (Packet(1, Way.TO_PUMP, b"x", line=1), Packet(2, Way.FROM_PUMP, b"y", line=0)))
    assert decode(encode(section)).sections == (section,)


def test_a_file_cut_anywhere_gives_what_is_whole() -> None:
    data = encode(SMALL)
    for size in range(1, len(data)):
        found = decode(data[:size])
        kept = found.sections[0].packets if found.sections else ()
        assert kept == SMALL.packets[: len(kept)]
        assert whole_bytes(data[:size]) + found.torn_bytes == size
        assert decode(data[: whole_bytes(data[:size])]) == found._replace(torn_bytes=0) if found.sections else found.torn_bytes == size
    assert len(decode(data[:-1]).sections[0].packets) == len(PACKETS) - 1


@given(st.integers(0, len(encode(SMALL)) - 1), st.integers(1, 255))
def test_a_changed_byte_is_read_or_refused(place: int, flip: int) -> None:
    data = bytearray(encode(SMALL))
    data[place] ^= flip
    try:
        found = decode(bytes(data))
    except RecordingError:
        return
    assert len(found.sections) <= 1


@given(st.binary(max_size=200), st.integers(0, 120))
def test_any_bytes_are_read_or_refused(noise: bytes, keep: int) -> None:
    try:
        found = decode(encode(SMALL)[:keep] + noise)
    except RecordingError:
        return
    assert found.torn_bytes <= keep + len(noise)


def block(order: str, kind: int, body: bytes) -> bytes:
    length = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + length + body + length


def foreign(order: str = "<", link: int = 147, options: bytes = b"", flags: int = 1, line: int = 0, original: int = 4) -> bytes:
    """A file as another program may write it: a block that is unknown here, no options but the direction."""
    direction = struct.pack(f"{order}HHI", 2, 4, flags) if flags >= 0 else b""
    return (
        block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
        + block(order, 1, struct.pack(f"{order}HHI", link, 0, 0) + options)
        + block(order, 5, bytes(16))
        + block(order, 6, struct.pack(f"{order}IIIII", line, 1, 2, 4, original) + b"abcd" + direction)
    )


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("resolution", "per_second"), [(None, 10**6), (9, 10**9), (0x80 | 20, 2**20)])
def test_files_of_other_programs_are_read(order: str, resolution: int | None, per_second: int) -> None:
    options = b"" if resolution is None else struct.pack(f"{order}HHB3x", 9, 1, resolution)
    ((line,), (packet,)) = decode(foreign(order, options=options)).sections[0]
    assert line == Line("")
    assert packet == Packet((2**32 + 2) * 10**6 // per_second, Way.FROM_PUMP, b"abcd")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no pcapng"),
        (b"PK\x03\x04", "no pcapng"),
        (foreign(link=1), "link type 1"),
        (foreign(flags=-1), "direction"),
        (foreign(flags=0), "direction"),
        (foreign(line=3), "line 3"),
        (foreign(original=9), "4 of 9 bytes"),
        (foreign(options=struct.pack("<HHB3x", 9, 1, 100)), "10\\^-100"),
        (foreign(options=struct.pack("<HHI", 14, 4, 0)), "wrong size"),
        (foreign(options=struct.pack("<HH", 2, 400)), "beyond its block"),
        (encode(SMALL)[:-4] + b"\1\2\3\4", "ends with"),
        (encode(SMALL) + struct.pack("<II", 6, 7) + bytes(8), "7 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_recording_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(RecordingError, match=words) as caught:
        decode(data)
    assert isinstance(caught.value, InputError)  # the command line ends with 2
    assert caught.value.action


NO_ROOM = {
    "before time": Packet(-1, Way.TO_PUMP, b""),
    "after time": Packet(2**64, Way.TO_PUMP, b""),
    "huge": Packet(0, Way.TO_PUMP, bytes(2**20)),
    "endless comment": Packet(0, Way.FROM_PUMP, b"", "x" * 65_536),
}


@pytest.mark.parametrize("packet", NO_ROOM.values(), ids=NO_ROOM)
def test_what_does_not_fit_the_format_is_not_written(packet: Packet) -> None:
    with pytest.raises(RecordingError, match="does not fit"):
        encode_packet(packet)


def test_wireshark_reads_times_ways_and_comments(tmp_path: Path, requires_program: Callable[[str], str]) -> None:
    import subprocess

    path = tmp_path / "small.pcapng"
    path.write_bytes(encode(SMALL))
    command = [requires_program("tshark"), "-n", "-r", str(path), "-T", "fields"]
    for field in ("frame.time_epoch", "frame.packet_flags_direction", "frame.len", "frame.comment", "frame.interface_name"):
        command += ["-e", field]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    rows = [line.split("\t") for line in told.splitlines()]
    assert [row[0][:17] for row in rows] == ["1795359600.001000", "1795359600.002500", "1795359600.002600"]
    assert [int(row[1], 16) for row in rows] == [2, 1, 1]
    assert [row[2:] for row in rows] == [["4", "", "/dev/pump"], ["3", "late", "/dev/pump"], ["0", "", "/dev/pump"]]
