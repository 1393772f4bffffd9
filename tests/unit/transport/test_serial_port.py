"""A port that cannot be opened, or that fails, says which of the things that happen to ports it was, and what to do."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from itbpump.errors import ItbPumpError
from itbpump.transport import (
    BadUrlError,
    PortAbsentError,
    PortBusyError,
    PortForbiddenError,
    PortUnpluggedError,
    TransportError,
    WriteTimeoutError,
    open_transport,
)
from itbpump.transport.serial_errors import opening_error, running_error
from itbpump.transport.serial_port import SerialTransport


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    """Master descriptor and device path."""
    master, slave = os.openpty()
    yield master, os.ttyname(slave)
    os.close(slave)
    os.close(master)


@pytest.mark.parametrize("url", ["", "mailto:pump", "sim:P-40", "nonsense://host:1", "socket://host"])
def test_what_is_no_address_is_refused_with_the_known_kinds(url: str) -> None:
    with pytest.raises(BadUrlError) as caught:
        open_transport(url)
    assert isinstance(caught.value, ItbPumpError)
    assert isinstance(caught.value, ValueError)
    assert "socket://HOST:PORT" in caught.value.action


def test_an_absent_device_and_a_dead_host() -> None:
    with pytest.raises(PortAbsentError, match="no such device") as caught:
        open_transport("/dev/ttyUSB999")
    assert "list_ports" in caught.value.action
    with pytest.raises(PortAbsentError, match="nothing answers there"):
        open_transport("socket://127.0.0.1:1")


def test_what_is_no_serial_device(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    for url in ("/dev/null", str(file), str(tmp_path)):
        with pytest.raises(PortAbsentError, match="not a serial device"):
            open_transport(url)


def test_a_port_is_had_by_one_program(pty: tuple[int, str]) -> None:
    first = open_transport(pty[1])
    with pytest.raises(PortBusyError, match="another program") as caught:
        open_transport(pty[1])
    assert "close that program" in caught.value.action
    first.close()
    open_transport(pty[1]).close()


@pytest.mark.parametrize(
    ("error", "kind", "advice"),
    [
        (serial.SerialException(errno.EACCES, "could not open port: denied"), PortForbiddenError, "dialout"),
        (serial.SerialException(errno.EBUSY, "busy"), PortBusyError, "close that program"),
        (serial.SerialException("could not open port 'COM3': FileNotFoundError(2, 'not found', None, 2)"), PortAbsentError, "plug"),
        (serial.SerialException("could not open port 'COM3': PermissionError(13, 'denied', None, 5)"), PortForbiddenError, "group"),
        (serial.SerialException("Could not configure port: (5, 'Input/output error')"), TransportError, "check"),
        (TimeoutError("timed out"), PortAbsentError, "host and port"),
        (ValueError("invalid URL, protocol 'x' not known"), BadUrlError, "socket://"),
    ],
)
def test_what_pyserial_says_is_understood(error: Exception, kind: type[TransportError], advice: str) -> None:
    told = opening_error("COM3", error)
    assert type(told) is kind
    assert advice in told.action
    assert told.url == "COM3"


def test_a_cause_is_looked_for_behind_pyserials_own_words() -> None:
    error = serial.SerialException("Could not configure port")
    error.__context__ = termios.error(errno.ENOTTY, "Inappropriate ioctl for device")
    assert type(opening_error("/dev/x", error)) is PortAbsentError


def test_failures_of_an_open_port() -> None:
    assert type(running_error("/dev/x", serial.SerialTimeoutException("Write timeout"))) is WriteTimeoutError
    assert type(running_error("/dev/x", serial.SerialException("device disconnected"))) is PortUnpluggedError
    assert isinstance(running_error("/dev/x", serial.SerialTimeoutException()), TimeoutError)


def test_the_line_is_set_as_the_protocol_says(pty: tuple[int, str]) -> None:
    transport = open_transport(pty[1])
    fd = os.open(pty[1], os.O_RDWR | os.O_NOCTTY)
    iflag, oflag, cflag, lflag, speed_in, speed_out, _ = termios.tcgetattr(fd)
    os.close(fd)
    transport.close()
    assert (speed_in, speed_out) == (termios.B115200, termios.B115200)
    assert cflag & termios.CSIZE == termios.CS8
    assert not cflag & (termios.PARENB | termios.CSTOPB | termios.CRTSCTS)
    assert not iflag & (termios.IXON | termios.IXOFF)
    assert not lflag & (termios.ECHO | termios.ICANON | termios.ISIG)
    assert not oflag & termios.OPOST


def test_a_line_that_takes_nothing_is_told_by_the_deadline(pty: tuple[int, str]) -> None:
    transport = open_transport(pty[1])
    with pytest.raises(WriteTimeoutError, match="were not taken in time"):
        transport.write(bytes(1_000_000), transport.now_ms() + 50)
    with pytest.raises(WriteTimeoutError, match="1 of 1 bytes"):
        transport.write(b"x", transport.now_ms() - 1)
    transport.close()


def test_a_real_port_is_not_known_to_be_simulated(pty: tuple[int, str]) -> None:
    transport = open_transport(pty[1])
    assert isinstance(transport, SerialTransport)
    assert transport.simulated is False
    assert transport.url == pty[1]
    transport.close()


def test_a_port_without_descriptor_is_waited_on_in_slices() -> None:
    transport = open_transport("loop://")
    transport.write(b"there and back")
    assert transport.read(1000) == b"there and back"
    assert transport.read(0) == b""
    transport.close()


def test_neither_pyserial_nor_the_simulator_is_loaded_before_it_is_needed() -> None:
    program = """
import sys
import itbpump.transport
assert not {"serial", "firmware_sim"} & set(sys.modules), "at import"
try:
    itbpump.transport.open_transport("/dev/ttyUSB999")
except itbpump.transport.PortAbsentError:
    pass
assert "firmware_sim" not in sys.modules, "for a serial device"
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
