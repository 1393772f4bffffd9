"""Any pyserial program can open a simulated pump: our port behaves as pyserial's own do."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

import firmware_sim.urlhandlers
import firmware_sim.urlhandlers.protocol_sim as handler
from firmware_sim.endpoints.clock import Speed
from firmware_sim.endpoints.device import Device
from firmware_sim.endpoints.inprocess import InProcessLine
from firmware_sim.endpoints.opening import new_pump, open_line
from firmware_sim.endpoints.simurl import SimUrl
from tests.contract.echo import EchoDevice, load_echo

MANUAL = "sim://P-40?fill=38mL&seed=1&speed=manual"


@pytest.fixture(autouse=True)
def devices(monkeypatch: pytest.MonkeyPatch) -> list[EchoDevice]:
    """The pumps that were made."""
    made: list[EchoDevice] = []

    def make(url: SimUrl) -> Device:
        if url.rx is not None:
            return new_pump(url)
        made.append(EchoDevice(event_says=b"alarm"))
        return made[-1]

    def opened(url: SimUrl, default_speed: Speed) -> InProcessLine:
        return open_line(url, default_speed=default_speed, make=make, load=load_echo)

    monkeypatch.setattr(handler, "open_line", opened)
    return made


@pytest.fixture
def port() -> Iterator[handler.Serial]:
    with serial.serial_for_url(MANUAL, timeout=1) as opened:
        assert isinstance(opened, handler.Serial)
        yield opened


def test_importing_the_package_teaches_pyserial_once() -> None:
    assert serial.protocol_handler_packages.count(firmware_sim.urlhandlers.__name__) == 1


def test_bytes_come_as_asked_for(port: handler.Serial) -> None:
    assert port.write(bytearray(b"hello")) == 5
    assert port.in_waiting == 5
    assert port.read() == b"h"
    assert port.read(3) == b"ell"
    assert port.read(10) == b"o"
    assert port.in_waiting == 0
    assert (port.read(0), port.out_waiting) == (b"", 0)


def test_lines_and_all_and_until(port: handler.Serial) -> None:
    port.write(b"one\ntwo\nthree;rest")
    assert port.readline() == b"one\n"
    assert port.readline() == b"two\n"
    assert port.read_until(b";") == b"three;"
    assert port.read_all() == b"rest"


def test_a_timeout_passes_in_the_pump(port: handler.Serial, devices: list[EchoDevice]) -> None:
    port.timeout = 2.5
    assert port.read(4) == b""
    assert devices[0].uptime_ms == 2500
    port.timeout = 0
    assert port.read(4) == b""
    assert devices[0].uptime_ms == 2500


def test_a_read_waits_for_all_it_wants_up_to_the_timeout(port: handler.Serial, devices: list[EchoDevice]) -> None:
    devices[0].event_at_ms = 600
    port.write(b"ab")
    assert port.read(7) == b"abalarm"
    port.write(b"ab")
    assert port.read(7) == b"ab"


def test_the_time_between_two_bytes_ends_a_read(port: handler.Serial, devices: list[EchoDevice]) -> None:
    devices[0].event_at_ms = 600
    port.inter_byte_timeout = 0.5
    port.write(b"ab")
    assert port.read(7) == b"ab"
    assert devices[0].uptime_ms == 500
    assert port.read(7) == b"alarm"


def test_a_read_without_timeout_waits_for_what_will_come(port: handler.Serial, devices: list[EchoDevice]) -> None:
    devices[0].event_at_ms = 10**9
    port.timeout = None
    assert port.read(5) == b"alarm"
    with pytest.raises(serial.SerialException, match="nothing will ever come"):
        port.read(1)


def test_buffers_can_be_emptied(port: handler.Serial) -> None:
    port.write(b"old")
    port.reset_input_buffer()
    port.reset_output_buffer()
    port.flush()
    assert port.in_waiting == 0


def test_line_settings_are_kept_and_harmless(port: handler.Serial) -> None:
    port.baudrate, port.parity, port.rts, port.dtr = 9600, serial.PARITY_EVEN, False, True
    port.break_condition = True
    assert (port.baudrate, port.parity, port.rts) == (9600, "E", False)
    assert (port.cts, port.dsr, port.ri, port.cd) == (True, True, False, True)
    assert port.get_settings()["baudrate"] == 9600


def test_a_closed_port_is_closed_and_can_be_opened_again(devices: list[EchoDevice]) -> None:
    port = serial.serial_for_url(MANUAL, do_not_open=True)
    assert not port.is_open
    for use in (
        lambda: port.read(1),
        lambda: port.write(b"x"),
        lambda: port.in_waiting,
        port.flush,
        port.reset_input_buffer,
        port.cancel_read,
    ):
        with pytest.raises(serial.SerialException, match="not open"):
            use()
    port.open()
    with pytest.raises(serial.SerialException, match="already open"):
        port.open()
    port.close()
    port.close()
    port.open()
    assert len(devices) == 2
    port.close()


def test_it_has_no_descriptor_and_says_so(port: handler.Serial) -> None:
    with pytest.raises(io.UnsupportedOperation):
        port.fileno()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sim://P-40?fill=38.0mL", "no volume"),
        ("sim://P-40?rx=rx.toml", "itbpump sim --rx"),
        ("sim://P-40?state=/nowhere/x", "folder does not exist"),
    ],
)
def test_what_cannot_be_opened_is_a_serial_exception(url: str, words: str) -> None:
    with pytest.raises(serial.SerialException, match=words):
        serial.serial_for_url(url)


def test_time_is_real_unless_the_address_says_otherwise() -> None:
    with serial.serial_for_url("sim://P-40", timeout=0.03) as port:
        assert isinstance(port, handler.Serial)
        assert port.line is not None
        before_ms = port.line.now_ms()
        assert port.read(1) == b""
        assert port.line.now_ms() - before_ms >= 30


@pytest.mark.parametrize("end", ["close", "cancel_read"])
def test_a_read_in_another_thread_can_be_ended(end: str) -> None:
    port = serial.serial_for_url("sim://P-40")
    results: list[bytes] = []
    started = threading.Event()

    def read() -> None:
        started.set()
        results.append(port.read(100))

    reader = threading.Thread(target=read, daemon=True)
    port.write(b"half")
    reader.start()
    assert started.wait(20)
    while reader.is_alive():  # the read may begin after the first call, which then has nothing to end
        getattr(port, end)() if port.is_open else None
        reader.join(0.01)
    assert results in ([b"half"], [b""])
    port.close()


def test_the_state_file_is_saved_on_close(tmp_path: Path) -> None:
    url = f"sim://P-40?speed=manual&state={tmp_path / 'pump.state'}"
    for heard in (b"one", b"onetwo"):
        with serial.serial_for_url(url, timeout=1) as port:
            assert isinstance(port, handler.Serial)
            port.write(heard[-3:])
            assert port.line is not None
            assert isinstance(port.line.device, EchoDevice)
            assert port.line.device.heard == heard
