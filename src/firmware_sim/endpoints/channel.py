"""One open byte stream of the server: non-blocking reads and writes with a bounded buffer.

Backpressure: while more than HIGH_WATER bytes wait to be written the stream is not read, so that a peer that asks but never listens
stops being served instead of filling the memory. Bytes beyond the cap are dropped and counted, as a serial line would lose them.
"""

from __future__ import annotations

import errno
import os

__all__ = ["Channel"]

READ_BYTES = 65_536
HIGH_WATER = 16_384


class Channel:
    """A file descriptor in non-blocking mode that this object owns."""

    def __init__(self, fd: int, *, cap_bytes: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self.dropped_bytes = 0
        self._cap_bytes = cap_bytes
        self._waiting = bytearray()
        self._open = True

    def fileno(self) -> int:
        """For selectors."""
        return self.fd

    @property
    def wants_read(self) -> bool:
        """Whether the peer may be heard now."""
        return len(self._waiting) <= HIGH_WATER

    @property
    def wants_write(self) -> bool:
        """Whether bytes wait."""
        return bool(self._waiting)

    def read(self) -> bytes | None:
        """Bytes that have come; b"" if none; None if the peer is gone."""
        try:
            return os.read(self.fd, READ_BYTES) or None
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise

    def send(self, data: bytes) -> bool:
        """Queue `data` and write what fits. False if the peer is gone."""
        room = self._cap_bytes - len(self._waiting)
        if len(data) > room:
            self.dropped_bytes += len(data) - room
            data = data[:room]
        self._waiting += data
        return self.flush()

    def flush(self) -> bool:
        """Write what fits now. False if the peer is gone."""
        while self._waiting:
            try:
                written = os.write(self.fd, self._waiting)
            except (BlockingIOError, InterruptedError):
                return True
            except OSError as error:
                if error.errno in _GONE:
                    return False
                raise
            del self._waiting[:written]
        return True

    def close(self) -> None:
        """Give the descriptor back. Harmless when repeated."""
        if self._open:
            self._open = False
            os.close(self.fd)


# What a vanished peer looks like: EIO on a pty, the others on sockets.
_GONE = frozenset(
    {errno.EIO, errno.ENXIO, errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETDOWN}
)
