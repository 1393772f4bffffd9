"""Frames: `00 COBS(body ‖ CRC-32) 00`. Finds bodies in a noisy stream; says nothing about what is in them.

A zero stands before and after each frame, so that noise between two frames damages neither. The CRC (ISO-HDLC, the one of Ethernet,
big-endian) guards against noise only, never against a person. Not modelled: baud rate and line state.
"""

from __future__ import annotations

from struct import Struct
from zlib import crc32

from cobs import cobs  # type: ignore[import-untyped]  # ships no types

from itbpump.wire.errors import FrameError
from itbpump.wire.messages.constants import FRAME_DELIMITER, MAX_DECODED_BYTES

CRC_BYTES = 4
MAX_BODY_BYTES = MAX_DECODED_BYTES - CRC_BYTES
# COBS adds one byte, and one more for each 254 bytes without a zero.
MAX_ENCODED_BYTES = MAX_DECODED_BYTES + MAX_DECODED_BYTES // 254 + 1
_DELIMITER = bytes([FRAME_DELIMITER])
_FRAME = _DELIMITER + b"%b" + _DELIMITER
_pack_crc = Struct(">I").pack


def encode_frame(body: bytes) -> bytes:
    """Frame with both delimiters. Raises FrameError unless the body has 1 to 1,020 bytes."""
    if not 1 <= len(body) <= MAX_BODY_BYTES:
        raise FrameError(f"a body has 1 to {MAX_BODY_BYTES} bytes, not {len(body)}: send less at once")
    stuffed: bytes = cobs.encode(body + _pack_crc(crc32(body)))
    return _FRAME % stuffed


def decode_frame(encoded: bytes) -> bytes:
    """Body of one frame without its delimiters. Raises FrameError when anything about it does not hold."""
    if len(encoded) > MAX_ENCODED_BYTES:
        raise FrameError(f"a frame has at most {MAX_ENCODED_BYTES} bytes between its delimiters, not {len(encoded)}")
    try:
        decoded: bytes = cobs.decode(encoded)
    except cobs.DecodeError as problem:
        raise FrameError(f"the byte stuffing does not hold: {problem}") from None
    body = decoded[:-CRC_BYTES]
    if not 1 <= len(body) <= MAX_BODY_BYTES:
        raise FrameError(f"a frame holds {1 + CRC_BYTES} to {MAX_DECODED_BYTES} bytes, not {len(decoded)}")
    if crc32(body) != int.from_bytes(decoded[-CRC_BYTES:], "big"):
        raise FrameError("the checksum does not hold: noise on the line")
    return body


class FrameSplitter:
    """Cuts a byte stream into bodies. Holds at most one unfinished frame; never raises for what it is fed.

    `damaged` counts runs between zeros that are no frame, `oversized` those given up because they are too long for one.
    """

    __slots__ = ("_skipping", "_tail", "damaged", "oversized")

    def __init__(self) -> None:
        self.damaged = 0
        self.oversized = 0
        self._tail = b""
        self._skipping = False

    @property
    def pending_bytes(self) -> int:
        """Bytes of an unfinished frame held now, at most MAX_ENCODED_BYTES."""
        return len(self._tail)

    def feed(self, data: bytes) -> list[bytes]:
        """Bodies completed by `data`, in order; any chunking gives the same bodies."""
        runs = (self._tail + data).split(_DELIMITER)
        if self._skipping and len(runs) > 1:
            # The end of a run that was already counted as oversized.
            runs[0] = b""
            self._skipping = False
        tail = runs.pop()
        if self._skipping:
            tail = b""
        elif len(tail) > MAX_ENCODED_BYTES:
            self.oversized += 1
            self._skipping = True
            tail = b""
        self._tail = tail
        bodies: list[bytes] = []
        for run in runs:
            if not run:
                continue
            if len(run) > MAX_ENCODED_BYTES:
                self.oversized += 1
                continue
            try:
                decoded: bytes = cobs.decode(run)
            except cobs.DecodeError:
                self.damaged += 1
                continue
            body = decoded[:-4]
            if body and crc32(body) == int.from_bytes(decoded[-4:], "big") and len(body) <= MAX_BODY_BYTES:
                bodies.append(body)
            else:
                self.damaged += 1
        return bodies

    def reset(self) -> None:
        """Forget an unfinished frame (the line was opened anew); the counters stay."""
        self._tail = b""
        self._skipping = False
