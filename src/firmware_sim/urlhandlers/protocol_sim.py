"""pyserial port for sim:// addresses: any pyserial program can open a simulated pump.

Time is real unless the address says `speed=…`, because pyserial programs measure their timeouts on the wall clock; with `speed=manual` a
read's timeout passes in the pump at once. Line settings (baud rate, parity, modem lines) are kept and have no effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from serial.serialutil import PortNotOpenError, SerialBase, SerialException

from firmware_sim.endpoints.clock import REAL
from firmware_sim.endpoints.device import EndpointError
from firmware_sim.endpoints.inprocess import InProcessLine, LineGoneError
from firmware_sim.endpoints.opening import open_line
from firmware_sim.endpoints.simurl import SimUrl
from firmware_sim.state_file import StateFileError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Serial"]


class Serial(SerialBase):
    """A serial port whose other end is a pump in this process. Problems are SerialException, as with any port."""

    line: InProcessLine | None = None

    def open(self) -> None:
        """Make the pump and plug in."""
        if self.port is None:
            raise SerialException("Port must be configured before it can be used.")
        if self.is_open:
            raise SerialException("Port is already open.")
        try:
            self.line = open_line(SimUrl.parse(self.port), default_speed=REAL)
        except (EndpointError, StateFileError) as error:
            raise SerialException(f"could not open port {self.port}: {error}") from error
        self.is_open = True

    def close(self) -> None:
        """Save the pump's state, if it has a file, and unplug."""
        if self.line is not None:
            line, self.line = self.line, None
            self.is_open = False
            line.close()

    def _require_line(self) -> InProcessLine:
        if self.line is None:
            raise PortNotOpenError
        return self.line

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once."""
        try:
            return self._require_line().waiting()
        except LineGoneError as error:
            raise SerialException(str(error)) from error

    @property
    def out_waiting(self) -> int:
        """Always 0: the pump takes bytes at once."""
        self._require_line()
        return 0

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes; fewer when the timeout, or the time between two bytes, is over. Without a timeout, all of them."""
        line = self._require_line()
        data = bytearray()
        end_ms = None if self.timeout is None else line.now_ms() + _ms(self.timeout)
        try:
            while len(data) < size:
                waits_ms = [] if end_ms is None else [max(0, end_ms - line.now_ms())]
                if data and self.inter_byte_timeout is not None:
                    waits_ms.append(_ms(self.inter_byte_timeout))
                more = line.read(min(waits_ms, default=None), size - len(data))
                if not more:
                    break
                data += more
        except (LineGoneError, EndpointError, StateFileError) as error:
            if not self.is_open:
                return bytes(data)  # closed by another thread: pyserial's ports end the read the same way
            raise SerialException(f"read failed: {error}") from error
        return bytes(data)

    def write(self, data: ReadableBuffer, /) -> int:
        """Hand bytes to the pump; returns how many."""
        line = self._require_line()
        content = bytes(memoryview(data))
        try:
            line.write(content)
        except (LineGoneError, StateFileError) as error:
            raise SerialException(f"write failed: {error}") from error
        return len(content)

    def flush(self) -> None:
        """Nothing waits to be written."""
        self._require_line()

    def reset_input_buffer(self) -> None:
        """Throw away what has come."""
        self._require_line().discard()

    def reset_output_buffer(self) -> None:
        """Nothing waits to be written."""
        self._require_line()

    def cancel_read(self) -> None:
        """Let a read in another thread return."""
        self._require_line().cancel()

    def cancel_write(self) -> None:
        """Writes never wait."""
        self._require_line()

    # Line settings and modem lines: kept by SerialBase, without effect here. The names are pyserial's.
    def _reconfigure_port(self) -> None:
        return

    def _update_break_state(self) -> None:
        return

    def _update_rts_state(self) -> None:
        return

    def _update_dtr_state(self) -> None:
        return

    @property
    def cts(self) -> bool:
        """Clear to send: the pump always listens."""
        return True

    @property
    def dsr(self) -> bool:
        """Data set ready."""
        return True

    @property
    def ri(self) -> bool:
        """Ring indicator."""
        return False

    @property
    def cd(self) -> bool:
        """Carrier detect."""
        return True


def _ms(seconds: float) -> int:
    """Whole milliseconds, up: a wait is never shorter than asked for."""
    return -int(-seconds * 1000 // 1)
