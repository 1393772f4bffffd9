"""What stands between a test and the line: a watcher that notes every frame, a lease of a line in this process, a clock that runs ahead.

Not here: faults (`link_faults`, in front of any line), reading the frames (`recording`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from itbpump.transport.base import PortClosedError, Transport

if TYPE_CHECKING:
    from itbpump.transport.sim import SimTransport

__all__ = ["Ahead", "Leased", "Watched"]

Seen = Callable[[bool, bytes, int], None]


class Watched:
    """A Transport that hands everything on and tells `seen(to_pump, data, at_ms)` of it, `at_ms` by the link's clock."""

    def __init__(self, inner: Transport, seen: Seen) -> None:
        self.inner = inner
        self.url = inner.url
        self.simulated = inner.simulated
        self._seen = seen

    def now_ms(self) -> int:
        """See Transport."""
        return self.inner.now_ms()

    def read(self, max_wait_ms: int) -> bytes:
        """See Transport."""
        data = self.inner.read(max_wait_ms)
        if data:
            self._seen(False, data, self.inner.now_ms())
        return data

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        """See Transport. Noted before it is sent: what is not sent to its end has been tried."""
        self._seen(True, data, self.inner.now_ms())
        self.inner.write(data, deadline_ms)

    def close(self) -> None:
        """See Transport."""
        self.inner.close()


class Ahead:
    """A Transport whose clock is `ahead_ms()` before that of the inner one: the time that a rig has skipped in place of waiting."""

    def __init__(self, inner: Transport, ahead_ms: Callable[[], int]) -> None:
        self.inner = inner
        self.url = inner.url
        self.simulated = inner.simulated
        self._ahead_ms = ahead_ms

    def now_ms(self) -> int:
        """See Transport."""
        return self.inner.now_ms() + self._ahead_ms()

    def read(self, max_wait_ms: int) -> bytes:
        """See Transport."""
        return self.inner.read(max_wait_ms)

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        """See Transport."""
        self.inner.write(data, None if deadline_ms is None else deadline_ms - self._ahead_ms())

    def close(self) -> None:
        """See Transport."""
        self.inner.close()


class Leased:
    """The line of a pump in this process, for one user: closing gives it back, and the pump lives on. What nobody read is lost."""

    def __init__(self, line: SimTransport) -> None:
        self._line = line
        self._open = True
        self.url = line.url
        self.simulated = line.simulated
        line.discard()

    def now_ms(self) -> int:
        """See Transport."""
        return self._line.now_ms()

    def read(self, max_wait_ms: int) -> bytes:
        """See Transport."""
        return self._held().read(max_wait_ms)

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        """See Transport."""
        self._held().write(data, deadline_ms)

    def close(self) -> None:
        """See Transport."""
        self._open = False

    def _held(self) -> SimTransport:
        if not self._open:
            raise PortClosedError(self.url, "it has been closed", "open it again")
        return self._line
