"""Lines to a pump by address: serial devices, any pyserial URL, and pumps simulated in process."""

from __future__ import annotations

import re

from itbpump.transport.base import (
    BadUrlError,
    PortAbsentError,
    PortBusyError,
    PortClosedError,
    PortForbiddenError,
    PortUnpluggedError,
    SimulatorError,
    Transport,
    TransportError,
    WriteTimeoutError,
)

__all__ = [
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
    "open_transport",
]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?")
_KNOWN = "give a serial device such as /dev/ttyUSB0 or COM3, socket://HOST:PORT, rfc2217://HOST:PORT, spy://DEVICE, or sim://P-40?fill=38mL"


def open_transport(url: str) -> Transport:
    """Open the line at `url`: `/dev/ttyUSB0`, `COM3`, `socket://`, `rfc2217://`, `spy://`, `sim://`. Raises TransportError.

    Neither pyserial nor the simulator is imported before a line of its kind is opened.
    """
    scheme = _SCHEME.match(url)
    if not url or (scheme is not None and scheme[2] is None):
        raise BadUrlError(url or "(empty)", "this is no address of a pump", _KNOWN)
    if scheme is not None and scheme[1].lower() == "sim":
        from itbpump.transport.sim import SimTransport  # noqa: PLC0415 -- a companion of a real pump never loads the simulator

        return SimTransport.open(url)
    from itbpump.transport.serial_port import SerialTransport  # noqa: PLC0415 -- `itbpump --version` needs no pyserial

    return SerialTransport.open(url)
