"""A device for endpoint and transport tests: echoes what it hears, keeps a counter, and tells which times it was given."""

from __future__ import annotations

from dataclasses import dataclass, field

from firmware_sim.bench import BenchError
from firmware_sim.state_file import StateFile
from itbpump.wire.messages import Role


@dataclass
class EchoDevice:
    """Fulfils firmware_sim.endpoints.Device. Each non-empty `receive` is one durable change, unless `durable_receive` is off."""

    uptime_ms: int = 0
    drift_ppm: int = 0
    serial: str = "ECHO0001"
    powered: bool = True
    memory_version: int = 0
    heard: bytes = b""
    durable_receive: bool = True
    event_at_ms: int | None = None
    event_says: bytes = b""
    link_timer_ms: int | None = None
    link_timer_says: bytes = b""
    ticks: list[int] = field(default_factory=list)
    receptions_ms: list[int] = field(default_factory=list)
    advances: list[int] = field(default_factory=list)
    paired: list[tuple[bytes, Role, bytes]] = field(default_factory=list)
    _out: bytearray = field(default_factory=bytearray)

    def receive(self, data: bytes, link_now_ms: int) -> None:
        self.receptions_ms.append(link_now_ms)
        self.heard += data
        self._out += data
        self.memory_version += self.durable_receive

    def say(self, data: bytes) -> None:
        self._out += data

    def transmit(self) -> bytes:
        data = bytes(self._out)
        self._out.clear()
        return data

    def link_deadline_ms(self) -> int | None:
        return self.link_timer_ms

    def link_tick(self, link_now_ms: int) -> None:
        self.ticks.append(link_now_ms)
        if self.link_timer_ms is not None and link_now_ms >= self.link_timer_ms:
            self.link_timer_ms = None
            self._out += self.link_timer_says

    def next_event_ms(self) -> int | None:
        return self.event_at_ms if self.powered else None

    def advance(self, ms: int) -> None:
        assert ms >= 0
        self.advances.append(ms)
        if not self.powered:
            return
        self.uptime_ms += ms
        if self.event_at_ms is not None and self.uptime_ms >= self.event_at_ms:
            self.event_at_ms = None
            self.memory_version += 1
            self._out += self.event_says

    def power_cut(self) -> None:
        self.powered = False

    def power_on(self) -> None:
        self.powered = True

    def magnet(self, hold_ms: int, link_now_ms: int) -> None:
        self.link_timer_ms = link_now_ms + hold_ms

    def patient_request(self) -> bool:
        return self.powered

    def provision(self, programmer_id: bytes, role: Role, key: bytes) -> None:
        self.paired.append((programmer_id, role, key))
        self.memory_version += 1

    def save(self) -> dict[str, object]:
        return {"uptime_ms": self.uptime_ms, "heard": self.heard, "memory_version": self.memory_version}

    @classmethod
    def load(cls, state: dict[str, object]) -> EchoDevice:
        uptime_ms, heard, version = state["uptime_ms"], state["heard"], state["memory_version"]
        assert isinstance(uptime_ms, int)
        assert isinstance(heard, bytes)
        assert isinstance(version, int)
        return cls(uptime_ms=uptime_ms, heard=heard, memory_version=version)

    def bench(self, command: str, arguments: dict[str, object]) -> dict[str, object]:
        if command == "stall":
            raise BenchError("this rotor cannot stick")
        return {"command": command, **arguments}


def load_echo(file: StateFile) -> EchoDevice:
    """The device of a state file."""
    return EchoDevice.load(file.load())
