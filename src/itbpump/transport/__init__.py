"""Lines to a pump by address: serial devices, any pyserial URL, pumps simulated in process, recordings, and any of them with faults."""

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
    "innermost",
    "open_transport",
]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?")
_KNOWN = (
    "give a serial device such as /dev/ttyUSB0 or COM3, socket://HOST:PORT, rfc2217://HOST:PORT, spy://DEVICE, sim://P-40?fill=38mL, "
    "replay:FILE, or faulty:drop=10%;URL"
)


def open_transport(url: str) -> Transport:
    """Open the line at `url`: a device, `socket://`, `rfc2217://`, `spy://`, `sim://`, `replay:`, `faulty:`. Raises TransportError.

    Neither pyserial nor the simulator is imported before a line of its kind is opened.
    """
    if url.startswith("faulty:"):
        from itbpump.transport.faulty import FaultyTransport  # noqa: PLC0415 -- only those who ask for faults load them

        return FaultyTransport.open(url, open_transport)
    if url.startswith("replay:"):
        from itbpump.transport.replay import ReplayTransport  # noqa: PLC0415 -- nobody else reads recordings

        return ReplayTransport.open(url)
    scheme = _SCHEME.match(url)
    if not url or (scheme is not None and scheme[2] is None):
        raise BadUrlError(url or "(empty)", "this is no address of a pump", _KNOWN)
    if scheme is not None and scheme[1].lower() == "sim":
        from itbpump.transport.sim import SimTransport  # noqa: PLC0415 -- a companion of a real pump never loads the simulator

        return SimTransport.open(url)
    from itbpump.transport.serial_port import SerialTransport  # noqa: PLC0415 -- `itbpump --version` needs no pyserial

    return SerialTransport.open(url)


def innermost(transport: Transport) -> Transport:
    """The line itself, behind everything that is put around it (faults, a recording)."""
    while (inner := getattr(transport, "inner", None)) is not None:
        transport = inner
    return transport
