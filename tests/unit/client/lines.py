"""A simulated pump in process behind a line that a test may disturb, in manual time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

from firmware_sim.device import SimulatedPump
from itbpump.hoststate import HostState
from itbpump.pump import Pump, connect
from itbpump.therapy import Prescription, load_prescription
from itbpump.transport.base import PortUnpluggedError
from itbpump.transport.sim import SimTransport
from itbpump.wire.messages import Role

EXAMPLES = Path(__file__).parents[3] / "examples"
KEY = bytes(range(32))
URL = "sim://P-40?fill=38mL&seed=1"
Passing = Callable[[bytes], list[bytes]]


def flex() -> Prescription:
    return load_prescription(EXAMPLES / "flex-weekday-weekend.toml")


def straight(data: bytes) -> list[bytes]:
    """A line that passes what it is given."""
    return [data]


class Line:
    """A Transport around the in-process one. `to_pump` and `to_host` get each chunk and say what arrives; `cut` unplugs."""

    simulated = True

    def __init__(self, url: str = URL, inner: SimTransport | None = None) -> None:
        self.url = url
        self.inner = SimTransport.open(url) if inner is None else inner
        self.to_pump: Passing = straight
        self.to_host: Passing = straight
        self.cut = False
        self.written = 0
        self.received = 0

    @property
    def device(self) -> SimulatedPump:
        device = self.inner.device
        assert isinstance(device, SimulatedPump)
        return device

    def now_ms(self) -> int:
        return self.inner.now_ms()

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        if self.cut:
            raise PortUnpluggedError(self.url, "the cable is out", "plug it in")
        self.written += 1
        for part in self.to_pump(data):
            self.inner.write(part)

    def read(self, max_wait_ms: int) -> bytes:
        if self.cut:
            raise PortUnpluggedError(self.url, "the cable is out", "plug it in")
        data = self.inner.read(max_wait_ms)
        if data:
            self.received += 1
            return b"".join(self.to_host(data))
        return data

    def close(self) -> None:
        """The pump lives on, so that a test can connect again."""


def host(line: Line, seed: int = 1, role: Role = Role.CLINICIAN) -> HostState:
    """A new programmer, paired with the pump on the line."""
    state = HostState.in_memory(Random(seed).randbytes)
    line.device.provision(state.programmer_id, role, KEY)
    state.pair(line.device.serial.encode("ascii"), role, KEY)
    return state


def joined(line: Line, state: HostState, seed: int = 1) -> Pump:
    """Connect over the line with seeded nonces."""
    return connect(line.url, transport=line, state=state, entropy=Random(seed).randbytes, host_clock=lambda: 1_795_359_600)


def nth(number: int, change: Passing) -> Passing:
    """A line that disturbs only its chunk of this number, counted from 0."""
    count = [0]

    def passing(data: bytes) -> list[bytes]:
        count[0] += 1
        return change(data) if count[0] - 1 == number else [data]

    return passing


def lost(_data: bytes) -> list[bytes]:
    return []


def doubled(data: bytes) -> list[bytes]:
    return [data, data]


def halved(data: bytes) -> list[bytes]:
    return [data[: len(data) // 2]]


def flipped(data: bytes) -> list[bytes]:
    return [data[:5] + bytes([data[5] ^ 0x10]) + data[6:]]


def lossy(percent: int, seed: int) -> Passing:
    """A line that loses so many of a hundred chunks."""
    random = Random(seed)
    return lambda data: [] if random.randrange(100) < percent else [data]
