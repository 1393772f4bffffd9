"""The patient's line between an endpoint and its device: sound, or as a fault plan has it (itbpump.wire.line). Reads no clock."""

from __future__ import annotations

from firmware_sim.endpoints.device import Device
from itbpump.wire.line import Line, Way

__all__ = ["Wire"]


class Wire:
    """Carries bytes both ways; without a `line` they arrive at once and whole, at no cost. Times are those of the link."""

    def __init__(self, device: Device, line: Line | None = None) -> None:
        self._device = device
        self._line = line

    @property
    def unplugged(self) -> bool:
        """A fault has pulled the cable."""
        return self._line is not None and self._line.unplugged

    def plug_in(self) -> None:
        """Put the cable back; what was on it is lost."""
        if self._line is not None:
            self._line.plug_in()

    def to_pump(self, data: bytes, now_ms: int) -> None:
        """Bytes from the programmer; those due reach the device before this returns."""
        if self._line is None:
            self._device.receive(data, now_ms)
            return
        self._line.send(Way.TO_PUMP, data, now_ms)
        self.carry(now_ms)

    def carry(self, now_ms: int) -> None:
        """Let the device have what is due by now."""
        if self._line is not None:
            for data in _due(self._line, Way.TO_PUMP, now_ms):
                self._device.receive(data, now_ms)

    def to_host(self, data: bytes, now_ms: int) -> bytes:
        """Bytes from the device; returns what reaches the programmer by now."""
        if self._line is None:
            return data
        if data:
            self._line.send(Way.TO_HOST, data, now_ms)
        return b"".join(_due(self._line, Way.TO_HOST, now_ms))

    def next_ms(self) -> int | None:
        """When more is due; None if nothing is under way."""
        return None if self._line is None else self._line.next_ms()


def _due(line: Line, way: Way, now_ms: int) -> list[bytes]:
    """All that is due; split frames come one piece a call."""
    pieces: list[bytes] = []
    while (at_ms := line.next_ms(way)) is not None and at_ms <= now_ms:
        piece = line.receive(way, now_ms)
        if not piece:
            break
        pieces.append(piece)
    return pieces
