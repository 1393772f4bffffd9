"""What the bench commands do: those of the server (time, power, pairing, the process) here, the others by the device itself.

Every effect is on disk before its answer is given. Not here: reading requests (bench.py) and sending answers (bench_port.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_sim.bench import BenchCall, BenchError, help_table
from firmware_sim.endpoints.clock import Speed, UptimeClock, link_ms
from firmware_sim.endpoints.device import Device
from firmware_sim.endpoints.keeper import StateKeeper
from firmware_sim.firmware.memory import MemoryFault, PairingTableFull
from itbpump.wire.messages import Role

__all__ = ["Advance", "Controls"]

Answer = dict[str, object]


@dataclass(slots=True)
class Advance:
    """A stretch of pump time that the server gives in chunks."""

    total_ms: int
    left_ms: int = field(init=False)

    def __post_init__(self) -> None:
        self.left_ms = self.total_ms

    def answer(self, device: Device) -> Answer:
        """The answer once it is over."""
        return {"advanced_ms": self.total_ms, "uptime_ms": device.uptime_ms}


class Controls:
    """Carries out checked bench calls on one device."""

    def __init__(
        self, device: Device, clock: UptimeClock, keeper: StateKeeper, monotonic_ns: Callable[[], int], end: Callable[[], None]
    ) -> None:
        self._device = device
        self._clock = clock
        self._keeper = keeper
        self._monotonic_ns = monotonic_ns
        self._end = end
        self._handlers: dict[str, Callable[[Answer], Answer | Advance]] = {
            "advance": self._advance,
            "advance-to-event": self._advance_to_event,
            "power": self._power,
            "magnet": self._magnet,
            "patient-request": lambda _: {"accepted": device.patient_request()},
            "pair": self._pair,
            "time": lambda _: self._time(),
            "speed": self._speed,
            "save": lambda _: {"saved": keeper.save(self._link_now_ms())},
            "quit": self._quit,
            "help": lambda _: help_table(),
        }

    def carry_out(self, call: BenchCall) -> Answer | Advance:
        """The answer, or an Advance whose answer comes when it has been given. Raises BenchError."""
        name = call.command.name
        outcome = self._device.bench(name, call.arguments) if call.command.on_device else self._handlers[name](call.arguments)
        self._keeper.settle(self._link_now_ms())
        return outcome

    def _link_now_ms(self) -> int:
        return link_ms(self._monotonic_ns())

    def _advance(self, arguments: Answer) -> Advance:
        return Advance(_whole(arguments["for"]))

    def _advance_to_event(self, _: Answer) -> Advance:
        event_ms = self._device.next_event_ms()
        if event_ms is None:
            raise BenchError("nothing will happen by itself: give a time with `advance`")
        return Advance(max(0, event_ms - self._device.uptime_ms))

    def _power(self, arguments: Answer) -> Answer:
        action = arguments["action"]
        if action in ("cut", "cycle"):
            self._device.power_cut()
        if action in ("on", "cycle"):
            try:
                self._device.power_on()
            except MemoryFault as error:
                raise BenchError(f"the pump does not start: {error}") from error
        return self._time()

    def _magnet(self, arguments: Answer) -> Answer:
        self._device.magnet(_whole(arguments["hold_ms"]), self._link_now_ms())
        return self._time()

    def _pair(self, arguments: Answer) -> Answer:
        programmer, role, key = arguments["programmer"], arguments["role"], arguments["key"]
        if not (isinstance(programmer, bytes) and isinstance(role, str) and isinstance(key, bytes)):
            raise BenchError("pair needs programmer and key as bytes and a role")  # the table has checked it; this keeps the types honest
        try:
            self._device.provision(programmer, Role[role.upper()], key)
        except PairingTableFull as error:
            raise BenchError("eight programmers are paired already, the pump has no room for another") from error
        return {"programmer": programmer.hex(), "role": role}

    def _time(self) -> Answer:
        return {
            "uptime_ms": self._device.uptime_ms,
            "link_now_ms": self._link_now_ms(),
            "speed": str(self._clock.speed),
            "powered": self._device.powered,
            "next_event_ms": self._device.next_event_ms(),
        }

    def _speed(self, arguments: Answer) -> Answer:
        try:
            speed = Speed.parse(str(arguments["to"]))
        except ValueError as error:
            raise BenchError(str(error), kind="bad-argument", argument="to") from error
        self._clock.change(speed, self._monotonic_ns())
        return self._time()

    def _quit(self, _: Answer) -> Answer:
        self._end()
        return self._time()


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise BenchError(f"{value!r} is not a whole number", kind="bad-argument")
    return value
