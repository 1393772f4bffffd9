"""A pump simulated in this process: `sim://P-40?fill=38mL&seed=1[&state=FILE][&speed=…][&rx=FILE]`.

Without `speed` time is manual: the link's clock and the pump's uptime move together, and only while `read` waits and in `advance`; nothing
ever sleeps, and the same seed gives the same bytes. With `speed=real` or a factor reads wait on the wall clock and uptime follows it.
The companion's only door to firmware_sim; `open_transport` loads this module when the first sim:// address is opened.
Not modelled: baud rate, losses.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from firmware_sim.endpoints.clock import MANUAL
from firmware_sim.endpoints.device import Device, EndpointError
from firmware_sim.endpoints.inprocess import InProcessLine, LineGoneError
from firmware_sim.endpoints.opening import open_line
from firmware_sim.endpoints.simurl import SimUrl
from firmware_sim.state_file import StateFileError
from itbpump.transport.base import BadUrlError, PortClosedError, PortUnpluggedError, SimulatorError, require_wait

__all__ = ["SimTransport"]


class SimTransport:
    """A Transport to a pump in this process."""

    simulated = True

    def __init__(self, url: str, line: InProcessLine) -> None:
        self.url = url
        self._line = line
        self._closed = False

    @classmethod
    def open(cls, url: str) -> SimTransport:
        """Make the pump, or take it from its state file. Raises BadUrlError, SimulatorError."""
        try:
            asked = SimUrl.parse(url)
        except EndpointError as error:
            raise BadUrlError(url, error.problem, error.action) from error
        try:
            return cls(url, open_line(asked, default_speed=MANUAL))
        except (EndpointError, StateFileError) as error:
            raise SimulatorError(url, error.problem, error.action) from error

    @property
    def device(self) -> Device:
        """The pump itself, for tests, bench commands and the truth; to be used between reads and writes."""
        return self._line.device

    def now_ms(self) -> int:
        """The link's clock: simulated in manual time, monotonic otherwise."""
        return self._line.now_ms()

    def advance(self, ms: int) -> None:
        """Let `ms` of pump time pass; in manual time the link's clock goes along. `device.advance` moves the pump alone."""
        with self._reporting():
            self._line.advance(ms)

    def read(self, max_wait_ms: int) -> bytes:
        """See Transport. In manual time the wait passes in the pump, at once for the caller."""
        require_wait(max_wait_ms)
        with self._reporting():
            return self._line.read(max_wait_ms)

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        """See Transport. The pump takes bytes at once, so no deadline is ever missed."""
        with self._reporting():
            self._line.write(data)

    def unplug(self) -> None:
        """Pull the cable: reads and writes fail from now on, and the pump lives on until `close`."""
        self._line.unplug()

    def close(self) -> None:
        """See Transport. The pump's state is saved, if it has a file."""
        self._closed = True
        with self._reporting():
            self._line.close()

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Failures of the line as the transport errors they are."""
        try:
            yield
        except LineGoneError as error:
            if self._closed:
                raise PortClosedError(self.url, "it has been closed", "open it again") from error
            raise PortUnpluggedError(self.url, str(error), "open it again; with state=FILE the pump is still there") from error
        except (EndpointError, StateFileError) as error:
            raise SimulatorError(self.url, error.problem, error.action) from error
