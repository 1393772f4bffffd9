"""The simulator's server in a thread, with a clock that a test moves."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Protocol, TypedDict, Unpack

from firmware_sim.bench_client import BenchClient
from firmware_sim.endpoints import EndpointError, PtyLink, Ready, Server, TcpLink
from firmware_sim.state_file import StateFile, StateFileError
from tests.contract.echo import EchoDevice


class Clock:
    """The process's clock, moved by the test."""

    ns = 5_000_000_000

    def __call__(self) -> int:
        return self.ns


class Options(TypedDict, total=False):
    """What a test may set of the server."""

    bench: str
    speed: str
    state: StateFile
    monotonic_ns: Callable[[], int]


class Running:
    """A server in a thread; `end` stops it and raises what it raised."""

    def __init__(self, device: EchoDevice, link: PtyLink | TcpLink, **options: Unpack[Options]) -> None:
        self.device, self.link = device, link
        self.ready: Ready | None = None
        self._announced = threading.Event()
        self._error: BaseException | None = None
        self.server = Server(device, link, announce=self._announce, **options)
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _announce(self, ready: Ready) -> None:
        self.ready = ready
        self._announced.set()

    def _run(self) -> None:
        try:
            self.server.run()
        except (EndpointError, StateFileError) as error:
            self._error = error
        finally:
            self._announced.set()

    def start(self) -> Running:
        self.thread.start()
        assert self._announced.wait(20)
        return self

    def bench(self) -> BenchClient:
        assert self.ready is not None
        assert self.ready.bench is not None
        return BenchClient(self.ready.bench, answer_timeout_s=20)

    def line(self) -> socket.socket:
        host, port = self.link.url.removeprefix("socket://").split(":")
        return socket.create_connection((host, int(port)), timeout=20)

    def end(self) -> None:
        self.server.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()
        error, self._error = self._error, None
        if error is not None:
            raise error


class Start(Protocol):
    def __call__(self, device: EchoDevice | None = None, link: PtyLink | TcpLink | None = None, **options: Unpack[Options]) -> Running:
        """A server that is ended with the test."""


def ask(line: socket.socket, message: bytes) -> bytes:
    line.sendall(message)
    answer = b""
    while len(answer) < len(message):
        more = line.recv(65536)
        assert more, "hung up"
        answer += more
    return answer


def run_alone(link: PtyLink | TcpLink, bench: str | None = None) -> None:
    """A server in this thread, for what fails at once."""
    Server(EchoDevice(), link, bench, speed="manual").run()
