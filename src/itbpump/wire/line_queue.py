"""Bytes of one way under way: when they arrive, and what the receiver's buffer takes. Time is an argument, in ms of the link's clock.

8N1: ten bits a byte. Jitter keeps the order; a parcel that is sent aside (a delayed frame) is overtaken. Not modelled: parity, flow
control, and a receiver whose clock is off (see Harm.WRONG_BAUD for one that is set wrong).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush

from itbpump.wire.line_faults import LineFaultError

__all__ = ["LINUX_TTY_BUFFER_BYTES", "FrameCutter", "LineQueue", "Pacing"]

# The input queue of a Linux terminal line (N_TTY_BUF_SIZE in drivers/tty/n_tty.c).
LINUX_TTY_BUFFER_BYTES = 4_096
_BITS_A_BYTE = 10
_US_BITS = _BITS_A_BYTE * 1_000_000


@dataclass(frozen=True, slots=True)
class Pacing:
    """How fast a line is: `baud` (bits per second, 300 to 10,000,000; None: no limit), `latency_ms` to each byte, up to `jitter_ms` more
    to each frame (both 0 to 60,000), and `buffer_bytes` that wait for the receiver: the newest are lost when it is full.

    SPEC.md fixes 115200 8N1. Raises LineFaultError.
    """

    baud: int | None = 115_200
    latency_ms: int = 0
    jitter_ms: int = 0
    buffer_bytes: int = LINUX_TTY_BUFFER_BYTES

    def __post_init__(self) -> None:
        if self.baud is not None and not 300 <= self.baud <= 10_000_000:
            raise LineFaultError(f"baud {self.baud}: give 300 to 10,000,000")
        if not (0 <= self.latency_ms <= 60_000 and 0 <= self.jitter_ms <= 60_000):
            raise LineFaultError(f"latency {self.latency_ms} ms and jitter {self.jitter_ms} ms: give 0 to 60,000 each")
        if self.buffer_bytes < 1:
            raise LineFaultError(f"a buffer of {self.buffer_bytes} bytes: give 1 or more")


class LineQueue:
    """One way of the line. `lost_bytes` counts what the receiver's buffer could not take."""

    __slots__ = ("_free_us", "_given", "_last_us", "_order", "_pacing", "_ready", "_ready_bytes", "_ready_ms", "_under_way", "lost_bytes")

    def __init__(self, pacing: Pacing | None) -> None:
        self.lost_bytes = 0
        self._pacing = pacing
        self._under_way: list[tuple[int, int, bytes, bool]] = []
        self._order = 0
        self._last_us = 0  # no earlier than this does a parcel in order leave
        self._free_us = 0  # when the wire has given the last byte of the parcel before
        self._given = 0  # bytes of the first parcel that have arrived
        self._ready: deque[tuple[bytes, bool]] = deque()
        self._ready_bytes = 0
        self._ready_ms = 0

    def put(self, data: bytes, now_ms: int, *, late_ms: int = 0, jitter_ms: int = 0, aside: bool = False, alone: bool = False) -> None:
        """Send `data`, `late_ms` late. `aside`: others may overtake it; `alone`: it ends the read that gives it."""
        latency_ms = self._pacing.latency_ms if self._pacing else 0
        leaves_us = (now_ms + late_ms + latency_ms + jitter_ms) * 1000
        if not aside:
            leaves_us = self._last_us = max(self._last_us, leaves_us)
        heappush(self._under_way, (leaves_us, self._order, data, alone))
        self._order += 1

    def take(self, now_ms: int) -> bytes:
        """The bytes that have arrived by `now_ms`, up to the end of the first parcel that comes alone."""
        self._arrive(now_ms * 1000, now_ms)
        parts: list[bytes] = []
        while self._ready:
            data, alone = self._ready.popleft()
            parts.append(data)
            self._ready_bytes -= len(data)
            if alone:
                break
        return b"".join(parts)

    def next_ms(self) -> int | None:
        """When the next bytes arrive, or have arrived; None when none are under way."""
        if self._ready:
            return self._ready_ms
        if not self._under_way:
            return None
        us = max(self._under_way[0][0], self._free_us) + self._wire_us(self._given + 1)
        return -(-us // 1000)

    def _arrive(self, now_us: int, now_ms: int) -> None:
        while self._under_way:
            leaves_us, _, data, alone = self._under_way[0]
            start_us = max(leaves_us, self._free_us)
            count = self._given_by(now_us - start_us, len(data))
            given, self._given = self._given, count
            if count > given:
                # Two parcels never mix on a wire: what is left of this one stays first.
                self._keep(data[given:count], alone and count == len(data), now_ms)
            if count < len(data):
                return
            self._free_us = start_us + self._wire_us(count)
            self._given = 0
            heappop(self._under_way)

    def _keep(self, data: bytes, alone: bool, now_ms: int) -> None:
        room = self._pacing.buffer_bytes - self._ready_bytes if self._pacing else len(data)
        self.lost_bytes += max(0, len(data) - room)
        if room > 0:
            if not self._ready:
                self._ready_ms = now_ms
            self._ready.append((data[:room], alone))
            self._ready_bytes += min(room, len(data))

    def _given_by(self, us: int, length: int) -> int:
        if us < 0:
            return 0
        if self._pacing is None or self._pacing.baud is None:
            return length
        return min(length, us * self._pacing.baud // _US_BITS)

    def _wire_us(self, count: int) -> int:
        return -(-count * _US_BITS // self._pacing.baud) if self._pacing and self._pacing.baud else 0


class FrameCutter:
    """Cuts a stream into frames (`00 … 00`, also those that share a zero) and what is none. Holds at most one unfinished frame."""

    __slots__ = ("_longest", "_zero_seen", "held")

    def __init__(self, longest: int) -> None:
        self.held = b""
        self._longest = longest
        self._zero_seen = False

    def feed(self, data: bytes) -> list[tuple[bytes, bool]]:
        """(bytes, whether they are a frame) in order; the pieces and what is held are together what came."""
        if not self.held and data and data[0] == 0 and len(data) > 2 and data.find(0, 1) == len(data) - 1:
            self._zero_seen = True
            return [(data, True)]
        data, self.held = self.held + data, b""
        pieces: list[tuple[bytes, bool]] = []
        place = 0
        if not self._zero_seen:
            place = data.find(0)
            if place != 0 and data:
                pieces.append((data if place < 0 else data[:place], False))
            if place < 0:
                return pieces
            self._zero_seen = True
        while place < len(data):
            inner = place
            while inner < len(data) and data[inner] == 0:
                inner += 1
            start = max(place, inner - 1)  # its own zero before it, if it has one
            if start > place:
                pieces.append((data[place:start], False))
            end = data.find(0, inner)
            if end < 0:
                self.held = data[start:]
                break
            pieces.append((data[start : end + 1], True))
            place = end + 1
        if len(self.held) > self._longest:
            pieces.append((self.release(), False))
        return pieces

    def count(self, data: bytes) -> int:
        """How many frames end in `data`; for a line that does nothing to them."""
        if not self.held and len(data) > 2 and data[0] == 0 and data.find(0, 1) == len(data) - 1:
            self._zero_seen = True
            return 1
        return sum(is_frame for _, is_frame in self.feed(data))

    def release(self) -> bytes:
        """What is held, as something that turned out to be no frame; so is what comes before the next zero."""
        data, self.held = self.held, b""
        self._zero_seen = self._zero_seen and not data
        return data
