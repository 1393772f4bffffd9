"""How to wait on a pyserial port: on its file descriptor where it has one, else in slices of its own timeout."""

from __future__ import annotations

import io
import selectors
import socket
from typing import Protocol

import serial

__all__ = ["Waiter", "make_waiter"]

READ_BYTES = 65_536


class Waiter(Protocol):
    """Reads and writes one open port without ever waiting much longer than told."""

    def read(self, wait_ms: int) -> bytes:
        """What comes within the wait, or b""."""

    def write(self, data: bytes, wait_ms: int) -> int:
        """How many bytes were taken within the wait."""

    def wake(self) -> None:
        """End waits under way, for good."""

    def close(self) -> None:
        """Give up what was needed to wait. Nobody may be waiting. Harmless when repeated."""


class DescriptorWaiter:
    """For ports with a file descriptor. They are set to never wait by themselves."""

    def __init__(self, port: serial.Serial, fd: int) -> None:
        port.timeout = 0
        port.write_timeout = 0
        self._port = port
        self._fd = fd
        self._wake_read, self._wake_write = socket.socketpair()
        self._readable = self._selector(selectors.EVENT_READ)
        self._writable = self._selector(selectors.EVENT_WRITE)

    def _selector(self, event: int) -> selectors.BaseSelector:
        selector = selectors.DefaultSelector()
        selector.register(self._fd, event)
        selector.register(self._wake_read, selectors.EVENT_READ)
        return selector

    def _await(self, selector: selectors.BaseSelector, wait_ms: int) -> bool:
        return any(key.fd == self._fd for key, _ in selector.select(wait_ms / 1000))

    def read(self, wait_ms: int) -> bytes:
        """See Waiter. The port is asked only when it has bytes or an error to report."""
        return self._port.read(READ_BYTES) if self._await(self._readable, wait_ms) else b""

    def write(self, data: bytes, wait_ms: int) -> int:
        """See Waiter. Written only when there is room: pyserial's own loop would spin on a full port."""
        return (self._port.write(data) or 0) if self._await(self._writable, wait_ms) else 0

    def wake(self) -> None:
        """See Waiter. The byte is never read back, so it also ends waits that begin later."""
        try:
            self._wake_write.send(b"\0")
        except OSError:  # closed already: nobody waits
            return

    def close(self) -> None:
        """See Waiter."""
        self._readable.close()
        self._writable.close()
        self._wake_read.close()
        self._wake_write.close()


class SliceWaiter:
    """For ports without a file descriptor: their own read timeout, set when they were opened, is the slice."""

    def __init__(self, port: serial.Serial) -> None:
        self._port = port

    def read(self, wait_ms: int) -> bytes:
        """See Waiter; lasts one slice at most."""
        if wait_ms == 0 and not self._port.in_waiting:
            return b""
        data = self._port.read(1)
        return data + self._port.read(self._port.in_waiting) if data else data

    def write(self, data: bytes, wait_ms: int) -> int:
        """See Waiter; the port's own write timeout is the bound."""
        written = self._port.write(data)
        return len(data) if written is None else written

    def wake(self) -> None:
        """See Waiter. A slice ends by itself."""

    def close(self) -> None:
        """See Waiter. Nothing was needed."""


def make_waiter(port: serial.Serial) -> Waiter:
    """The better way that `port` allows."""
    try:
        return DescriptorWaiter(port, port.fileno())
    except (AttributeError, io.UnsupportedOperation, PermissionError):  # no descriptor, or one that the system cannot wait on
        return SliceWaiter(port)
