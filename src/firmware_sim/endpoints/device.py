"""What an endpoint needs of a pump. `firmware_sim.device.SimulatedPump` is one; tests use a small echo device."""

from __future__ import annotations

from typing import Protocol

from itbpump.wire.messages import Role

__all__ = ["Device", "EndpointError"]


class EndpointError(Exception):
    """An endpoint cannot be opened or kept: says what is wrong and what to do."""

    def __init__(self, problem: str, action: str) -> None:
        super().__init__(f"{problem}; {action}")
        self.problem = problem
        self.action = action


class Device(Protocol):
    """A pump on a line. Two times are told to it: uptime by `advance`, the link's by argument; it reads no clock."""

    @property
    def serial(self) -> str:
        """Who the pump is: 8 ASCII characters, its id on the wire."""

    @property
    def uptime_ms(self) -> int:
        """The pump's monotonic clock, ms."""

    @property
    def drift_ppm(self) -> int:
        """How much faster its clock runs than true time."""

    @property
    def powered(self) -> bool:
        """Whether the supply is on."""

    @property
    def memory_version(self) -> int:
        """Rises with each change that must survive a power cut."""

    def receive(self, data: bytes, link_now_ms: int) -> None:
        """Take bytes from the line."""

    def transmit(self) -> bytes:
        """Give the bytes for the line, once."""

    def link_deadline_ms(self) -> int | None:
        """Link time at which `link_tick` wants to be called; None if not at all."""

    def link_tick(self, link_now_ms: int) -> None:
        """Let link timers act."""

    def next_event_ms(self) -> int | None:
        """Uptime at which something happens by itself; None if nothing will."""

    def advance(self, ms: int) -> None:
        """Let pump time pass, 0 or more."""

    def power_cut(self) -> None:
        """Take the supply away."""

    def power_on(self) -> None:
        """Give the supply back."""

    def magnet(self, hold_ms: int, link_now_ms: int) -> object:
        """Hold the magnet over the pump. Raises BenchError without power."""

    def patient_request(self) -> bool:
        """Press the patient's button; whether a bolus starts. Raises BenchError without power."""

    def provision(self, programmer_id: bytes, role: Role, key: bytes) -> None:
        """Store a pairing through the provisioning port."""

    def save(self) -> dict[str, object]:
        """Memory and truth, as state_file.py can keep them."""

    def bench(self, command: str, arguments: dict[str, object]) -> dict[str, object]:
        """Carry out a bench command of the device; raises BenchError."""
