"""Every line to a pump keeps the contract: pty, TCP, in process in three kinds of time, our pyserial handler in the serial transport."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import serial

import firmware_sim.urlhandlers.protocol_sim as handler
from firmware_sim.endpoints import PtyLink, Server, TcpLink
from firmware_sim.endpoints.clock import MANUAL, REAL, Speed
from firmware_sim.endpoints.inprocess import InProcessLine
from itbpump.transport import open_transport
from itbpump.transport.serial_port import SLICE_MS, SerialTransport
from itbpump.transport.sim import SimTransport
from tests.contract.echo import EchoDevice
from tests.contract.transport_contract import Rig, TransportContract


def served(link: PtyLink | TcpLink) -> Iterator[tuple[str, Callable[[], None]]]:
    """An echo served in a thread: its URL, and how to end it."""
    ready: list[str] = []
    listening = threading.Event()

    def announce(info: object) -> None:
        ready.append(link.url)
        listening.set()

    server = Server(EchoDevice(), link, speed="manual", announce=announce)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert listening.wait(20)

    def end() -> None:
        server.stop()
        thread.join(20)
        assert not thread.is_alive()

    yield ready[0], end
    end()


def opened(url: str, vanish: Callable[[], None]) -> Iterator[Rig]:
    transport = open_transport(url)
    yield Rig(transport, vanish)
    transport.close()


class TestPty(TransportContract):
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        for url, end in served(PtyLink()):
            yield from opened(url, end)


class TestPtyByLink(TransportContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        for url, end in served(PtyLink(tmp_path / "pump")):
            yield from opened(url, end)


class TestSpy(TransportContract):
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        for url, end in served(PtyLink()):
            yield from opened(f"spy://{url}", end)


class TestTcp(TransportContract):
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        for url, end in served(TcpLink("127.0.0.1:0")):
            yield from opened(url, end)


class TestInProcess(TransportContract):
    @pytest.fixture(params=[MANUAL, REAL, Speed.parse("3600")], ids=str)
    def rig(self, request: pytest.FixtureRequest) -> Iterator[Rig]:
        transport = SimTransport("sim://echo", InProcessLine(EchoDevice(), speed=request.param))
        yield Rig(transport, transport.unplug)
        transport.close()


class TestPyserialHandler(TransportContract):
    @pytest.fixture(params=[MANUAL, REAL], ids=str)
    def rig(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
        line = InProcessLine(EchoDevice(), speed=request.param)
        monkeypatch.setattr(handler, "open_line", lambda url, default_speed: line)
        port = serial.serial_for_url("sim://P-40", timeout=SLICE_MS / 1000)
        transport = SerialTransport("sim://P-40", port)
        yield Rig(transport, line.unplug)
        transport.close()
