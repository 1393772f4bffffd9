"""What each harm makes of the bytes of a frame. Functions of bytes and drawn numbers; no state.

Not here: when a harm strikes (`line_faults`, `line`), when bytes arrive (`line_queue`).
"""

from __future__ import annotations

from collections.abc import Callable

from itbpump.wire import keys
from itbpump.wire.frame import encode_frame
from itbpump.wire.messages.constants import SUITE
from itbpump.wire.messages.types import RecordType
from itbpump.wire.record import clear_body

__all__ = ["burst", "flipped", "half_speed", "noise", "stranger", "truncated"]

Draw = Callable[[int, str], int]  # (below, purpose)


def flipped(data: bytes, bits: int, draw: Draw) -> bytes:
    """`bits` different bits inverted, or all of them where there are fewer."""
    places = list(range(8 * len(data)))
    out = bytearray(data)
    for turn in range(min(bits, len(places))):
        place = places.pop(draw(len(places), f"bit {turn}"))
        out[place >> 3] ^= 1 << (place & 7)
    return bytes(out)


def burst(data: bytes, length: int, draw: Draw) -> bytes:
    """`length` bytes in a row, each changed into another one."""
    length = min(length, len(data))
    start = draw(len(data) - length + 1, "start")
    out = bytearray(data)
    for place in range(start, start + length):
        out[place] ^= 1 + draw(255, f"byte {place}")
    return bytes(out)


def truncated(data: bytes, lost: int, draw: Draw) -> bytes:
    """Without its last `lost` bytes; 0: as many as are drawn, at least one."""
    return data[: max(0, len(data) - (lost or 1 + draw(len(data), "lost")))]


def noise(length: int, draw: Draw) -> bytes:
    """So many bytes of any value."""
    return bytes(draw(256, f"byte {place}") for place in range(length))


def half_speed(data: bytes) -> bytes:
    """What a receiver at half the sender's speed makes of 8N1 bytes that follow each other without a pause.

    A falling edge starts a byte; the receiver then takes one bit in the middle of each of its own bit times, two of the sender's. It takes
    a byte also where the stop bit is not high (a framing error, which most drivers pass on as it came).
    """
    levels: list[int] = []
    for value in data:
        levels += [0, *(value >> bit & 1 for bit in range(8)), 1]  # start bit, lowest bit first, stop bit
    levels += [1] * 20
    heard = bytearray()
    place = 0
    while place < len(levels) - 20:
        if levels[place]:
            place += 1
            continue
        heard.append(sum(levels[place + 2 * bit + 3] << bit for bit in range(8)))
        place += 20
        while place < len(levels) - 20 and not levels[place - 1] and not levels[place]:
            place += 1  # a low line is no new start bit
    return bytes(heard)


def stranger(draw: Draw) -> bytes:
    """The hello of a programmer whom nobody knows: a frame that a pump has to look at."""
    name = bytes(draw(256, f"id {place}") for place in range(8))
    nonce = bytes(draw(256, f"nonce {place}") for place in range(16))
    return encode_frame(clear_body(RecordType.HELLO, keys.encode_h1(1, SUITE, name, nonce)))
