"""What every line to a pump offers, and how it fails.

::

    TransportError                        carries `url`
    ├── BadUrlError (ValueError)          the address makes no sense
    ├── PortAbsentError                   no such device, nothing listens there, or it is no serial port
    ├── PortForbiddenError                it is there, but this user may not open it
    ├── PortBusyError                     another program has it
    ├── PortUnpluggedError                it was open and has gone: cable, adapter, simulator or network
    ├── PortClosedError                   this program has closed it
    ├── WriteTimeoutError (TimeoutError)  the other end does not take bytes
    └── SimulatorError                    the simulated pump behind a sim:// address cannot be made or kept

A wait that ends without bytes is no error: `read` returns b"". Not here: framing, resends (itbpump.link).
"""

from __future__ import annotations

from typing import Protocol

from itbpump.errors import ItbPumpError

__all__ = [
    "WRITE_WAIT_MS",
    "BadUrlError",
    "PortAbsentError",
    "PortBusyError",
    "PortClosedError",
    "PortForbiddenError",
    "PortUnpluggedError",
    "SimulatorError",
    "Transport",
    "TransportError",
    "WriteTimeoutError",
]

# A full frame of 1,024 bytes takes 89 ms at 115200 baud; a line that has not taken it after this long is stuck.
WRITE_WAIT_MS = 2_000


class TransportError(ItbPumpError):
    """A line cannot be opened, or has failed. The text ends with what to do; `url` is the address, `problem` what is wrong."""

    def __init__(self, url: str, problem: str, action: str) -> None:
        super().__init__(f"{url}: {problem}; {action}", action=action)
        self.url = url
        self.problem = problem


class BadUrlError(TransportError, ValueError):
    """The address makes no sense."""


class PortAbsentError(TransportError):
    """No such device, nothing listens there, or it is no serial port."""


class PortForbiddenError(TransportError):
    """The port is there, but this user may not open it."""


class PortBusyError(TransportError):
    """Another program has the port."""


class PortUnpluggedError(TransportError):
    """The port was open and has gone. What was written last may or may not have arrived."""


class PortClosedError(TransportError):
    """This program has closed the port."""


class WriteTimeoutError(TransportError, TimeoutError):
    """The other end does not take bytes. How many it took is not known."""


class SimulatorError(TransportError):
    """The simulated pump behind a sim:// address cannot be made or kept."""


class Transport(Protocol):
    """A two-way stream of bytes with a clock. One thread reads and writes; `close` may be called from any thread."""

    @property
    def url(self) -> str:
        """The address it was opened with."""

    @property
    def simulated(self) -> bool:
        """Whether the pump is known to be simulated; False means not known."""

    def read(self, max_wait_ms: int) -> bytes:
        """The bytes that have come; waits for the first one up to `max_wait_ms` (0 or more, link clock); b"" if none came.

        Raises PortUnpluggedError, PortClosedError; ValueError for a negative wait.
        """

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        """Send all of `data` by `deadline_ms` on `now_ms`'s clock; None: WRITE_WAIT_MS from now.

        Raises WriteTimeoutError, PortUnpluggedError, PortClosedError.
        """

    def close(self) -> None:
        """Give the port back; a read or write under way in another thread ends with PortClosedError. Harmless when repeated."""

    def now_ms(self) -> int:
        """The link's clock, ms: monotonic on real ports, the simulated one on a pump in process."""


def require_wait(max_wait_ms: int) -> None:
    """Raises ValueError for a negative wait: a deadline that has passed is 0, and a caller that forgot it is wrong."""
    if max_wait_ms < 0:
        raise ValueError(f"max_wait_ms is {max_wait_ms}: a wait has 0 or more milliseconds")
