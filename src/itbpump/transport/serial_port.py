"""Serial devices and every pyserial URL as a Transport, at the line setting of the protocol: 115200 8N1, no flow control.

Where the port has a file descriptor (POSIX devices, spy://, socket://) a read sleeps until bytes come or `close` wakes it. Elsewhere
(COM ports, rfc2217://) it sleeps in slices, so a read may last one slice longer than asked, and a close waits for at most one.
Not modelled: modem lines, breaks, other settings. pyserial is loaded with this module, so load this module late.
"""

from __future__ import annotations

import sys
import threading
import time

import serial

from itbpump.transport.base import WRITE_WAIT_MS, PortClosedError, WriteTimeoutError, require_wait
from itbpump.transport.serial_errors import opening_error, running_error
from itbpump.transport.waiting import make_waiter

__all__ = ["SerialTransport"]

BAUD = 115_200
# Short enough that nobody notices a late close, long enough to cost nothing.
SLICE_MS = 20


class SerialTransport:
    """A Transport over one pyserial port, which it owns."""

    simulated = False

    def __init__(self, url: str, port: serial.Serial) -> None:
        """`port` is open, with read and write timeouts as `open` sets them."""
        self.url = url
        self._port = port
        self._closing = False
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._waiter = make_waiter(port)

    @classmethod
    def open(cls, url: str) -> SerialTransport:
        """Open a device or pyserial URL. Raises a TransportError that says why it cannot be had."""
        try:
            # One setting of the timeouts for life: changing them on rfc2217:// renegotiates the whole line each time.
            port = serial.serial_for_url(
                url,
                do_not_open=True,
                baudrate=BAUD,
                bytesize=serial.EIGHTBITS,
                parity=serial.PARITY_NONE,
                stopbits=serial.STOPBITS_ONE,
                timeout=SLICE_MS / 1000,
                write_timeout=WRITE_WAIT_MS / 1000,
                exclusive=None if sys.platform == "win32" else True,
            )
            port.open()
        except (serial.SerialException, ValueError, OSError) as error:
            raise opening_error(url, error) from error
        return cls(url, port)

    def now_ms(self) -> int:
        """The process's monotonic clock."""
        return time.monotonic_ns() // 1_000_000

    def read(self, max_wait_ms: int) -> bytes:
        """See Transport."""
        require_wait(max_wait_ms)
        end_ms = self.now_ms() + max_wait_ms
        with self._reading:
            while True:
                self._require_open()
                try:
                    data = self._waiter.read(max(0, end_ms - self.now_ms()))
                except (OSError, ValueError) as error:
                    raise running_error(self.url, error) from error
                if data or (self.now_ms() >= end_ms and not self._closing):
                    return data

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        """See Transport."""
        end_ms = self.now_ms() + WRITE_WAIT_MS if deadline_ms is None else deadline_ms
        left = memoryview(data)
        with self._writing:
            self._require_open()
            while left:
                wait_ms = end_ms - self.now_ms()
                if wait_ms <= 0:
                    raise WriteTimeoutError(
                        self.url, f"{len(left)} of {len(data)} bytes were not taken in time", "check the cable and that the pump is on"
                    )
                try:
                    written = self._waiter.write(bytes(left), wait_ms)
                except (OSError, ValueError) as error:
                    raise running_error(self.url, error) from error
                self._require_open()
                left = left[written:]

    def close(self) -> None:
        """See Transport."""
        self._closing = True
        self._waiter.wake()
        with self._reading, self._writing:
            self._waiter.close()
            # pyserial leaves its socket open if the peer has hung up first (shutdown fails, close is skipped).
            left_over = getattr(self._port, "_socket", None)
            self._port.close()
            if left_over is not None:
                left_over.close()

    def _require_open(self) -> None:
        if self._closing:
            raise PortClosedError(self.url, "it has been closed", "open it again")
