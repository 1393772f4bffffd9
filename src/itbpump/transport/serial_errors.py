"""What a pyserial failure means and what to do about it.

pyserial keeps the system's error number in one case, buries it in the cause or only in the text in others; all three are looked at.
"""

from __future__ import annotations

import errno
import re
import socket
import sys
from collections.abc import Iterator

from itbpump.transport.base import (
    BadUrlError,
    PortAbsentError,
    PortBusyError,
    PortForbiddenError,
    PortUnpluggedError,
    TransportError,
    WriteTimeoutError,
)

__all__ = ["opening_error", "running_error"]

_ABSENT = {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ENOTDIR, errno.EIO}
_NOT_SERIAL = {errno.ENOTTY, errno.EINVAL, errno.EISDIR}
_BUSY = {errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK, errno.ETXTBSY}
_NO_PEER = {errno.ECONNREFUSED, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNRESET}
_IN_TEXT = re.compile(r"\[Errno (\d+)\]|\w*Error\((\d+),")


def opening_error(url: str, error: BaseException) -> TransportError:
    """Why `url` could not be opened."""
    text = _text(error)
    if _caused_by(error, (ValueError, TypeError)):  # TypeError: pyserial compares the port that is missing in socket://host
        if any(isinstance(link, TypeError) for link in _chain(error)):
            text = "the port is missing after the host"
        return BadUrlError(
            url, text, "give a serial device, socket://HOST:PORT, rfc2217://HOST:PORT, spy://DEVICE, or sim://P-40?fill=38mL"
        )
    numbers = set(_numbers(error))
    if numbers & _NO_PEER or _caused_by(error, (socket.gaierror, TimeoutError)):
        return PortAbsentError(url, f"nothing answers there ({text})", "check host and port; a simulator prints its address when it starts")
    if numbers & {errno.EACCES, errno.EPERM}:
        if sys.platform == "win32":  # Windows refuses a second opener this way
            return PortBusyError(url, "another program has it open", "close that program")
        return PortForbiddenError(
            url,
            "you may not open it",
            "join the group that owns it, on most systems `sudo usermod -aG dialout $USER`, then log out and in again",
        )
    if numbers & _BUSY:
        return PortBusyError(url, "another program has it open", "close that program, or find it with `fuser` on the device")
    if numbers & _ABSENT:
        return PortAbsentError(
            url, "there is no such device", "plug the adapter in, and look for its name with `python -m serial.tools.list_ports`"
        )
    if numbers & _NOT_SERIAL:
        return PortAbsentError(url, "it is not a serial device", "look for the adapter's name with `python -m serial.tools.list_ports`")
    return TransportError(url, f"it cannot be opened ({text})", "check the address and the adapter")


def running_error(url: str, error: BaseException) -> TransportError:
    """Why a read or write on the open port failed: pyserial raises nothing else for a port that is still there."""
    if type(error).__name__ == "SerialTimeoutException":
        return WriteTimeoutError(url, "the other end does not take bytes", "check the cable and that the pump is on")
    return PortUnpluggedError(
        url,
        f"the line has gone ({_text(error)})",
        "check cable, adapter or simulator and connect again; a simulator on TCP serves one program at a time",
    )


def _text(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def _caused_by(error: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    return any(isinstance(link, kinds) for link in _chain(error))


def _numbers(error: BaseException) -> Iterator[int]:
    """Error numbers of the chain; termios.error is no OSError and carries its number as first argument."""
    for link in _chain(error):
        number = link.errno if isinstance(link, OSError) else (link.args[0] if link.args else None)
        if isinstance(number, int):
            yield number
    for match in _IN_TEXT.finditer(str(error)):
        yield int(match[1] or match[2])
