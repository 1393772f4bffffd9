"""Opens one target: a pump in this process, one in a process of its own on a pty or TCP, or one that is there.

A rig gives its line to one user at a time, a fresh pump where pumps are made, its bench where there is one, and the pump's time. What the
tests see of it are the fixtures (`station`). Not here: sessions (`pump`), power and balance (`power`, `balance`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction

from itbpump.hil.benches import Bench, InProcessBench, PortBench
from itbpump.hil.errors import RigError
from itbpump.hil.lines import Ahead, Leased
from itbpump.hil.model import Capability
from itbpump.hil.processes import RackProcess
from itbpump.hil.targets import Target
from itbpump.transport import Transport, open_transport
from itbpump.transport.base import TransportError

__all__ = ["DeviceRig", "MemoryRig", "ProcessRig", "Rig", "open_rig"]

_DAY_MS = 86_400_000


class Rig(ABC):
    """One opened target. `bench` is None where there is none; `made` counts its pumps, 0 where none was made here."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.bench: Bench | None = None
        self.made = 0

    @property
    def name(self) -> str:
        """As in targets.toml."""
        return self.target.name

    def has(self, capability: Capability) -> bool:
        """Whether the rig can do it."""
        return capability in self.target.capabilities

    @property
    def speed(self) -> Fraction | None:
        """Pump seconds in a real second; None where the bench alone moves time."""
        told = self.target.speed
        return None if told == "manual" else Fraction(1) if told == "real" else Fraction(told)

    @abstractmethod
    def fresh(self) -> None:
        """Another pump, unpaired and unconfigured, in place of the one before. RigError where pumps are not made here."""

    @abstractmethod
    def open_line(self) -> Transport:
        """The line. Whoever had it before has it no more. Raises TransportError."""

    @property
    def serial(self) -> str:
        """Who the pump is; empty where only a session can tell."""
        return ""

    def uptime_ms(self) -> int | None:
        """The pump's monotonic clock by the bench; None without one."""
        return None if self.bench is None else int(self.bench.call("time")["uptime_ms"])

    def skip_line_time(self, ms: int) -> bool:
        """Have so much time pass at both ends of the line at once; False where only waiting does that. Pump time goes along."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Give everything back. Harmless when repeated."""


class MemoryRig(Rig):
    """A pump in this process: `sim://`, with each of its parameters."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._lease: Leased | None = None
        self.fresh()

    def fresh(self) -> None:
        """See Rig; some milliseconds."""
        from itbpump.transport.sim import SimTransport  # noqa: PLC0415 -- a kit that tests metal loads no simulator

        self._drop_lease()
        try:
            self._line = SimTransport.open(self.target.address)
        except TransportError as error:
            raise RigError(self.name, error.problem, error.action) from error
        self.bench = InProcessBench(self.name, self._line)
        self.made += 1

    @property
    def serial(self) -> str:
        """See Rig."""
        return self._line.device.serial

    def open_line(self) -> Transport:
        """See Rig."""
        self._drop_lease()
        self._lease = Leased(self._line)
        return self._lease

    def skip_line_time(self, ms: int) -> bool:
        """See Rig."""
        if self._line.manual:
            self._line.advance(ms)
        return self._line.manual

    def _drop_lease(self) -> None:
        if self._lease is not None:
            self._lease.close()
            self._lease = None

    def close(self) -> None:
        """See Rig."""
        self._drop_lease()
        self._line.close()


class _WithPort(Rig):
    """A rig whose line is opened by its address each time."""

    _port: Transport | None = None

    def _open(self, url: str) -> Transport:
        self._close_port()
        self._port = open_transport(url)
        return self._port

    def _close_port(self) -> None:
        if self._port is not None:
            self._port.close()
            self._port = None

    def _close_bench(self) -> None:
        if self.bench is not None:
            self.bench.close()
            self.bench = None


class ProcessRig(_WithPort):
    """A pump in a process of its own, on a pty or TCP."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._rack = RackProcess(target.name)
        self._skipped_ms = 0
        try:
            self.fresh()
        except BaseException:
            self._rack.close()
            raise

    def fresh(self) -> None:
        """See Rig; the process goes on, the pump, its line and its bench are new."""
        self._close_port()
        self._close_bench()
        self._served = self._rack.serve(self.target.address, self.target.link, self.target.speed)
        self.bench = PortBench(self.name, self._served.bench)
        self.made += 1

    @property
    def serial(self) -> str:
        """See Rig."""
        return self._served.serial

    def open_line(self) -> Transport:
        """See Rig."""
        return Ahead(self._open(self._served.link), lambda: self._skipped_ms)

    def skip_line_time(self, ms: int) -> bool:
        """See Rig. In scaled time the pump's goes on by so much times the speed, as in a wait."""
        if self.bench is None:
            return False
        if self.speed is None:
            self.bench.call("advance", for_=ms)
        self._rack.later(ms)
        self._skipped_ms += ms
        for _ in range(1 + int(ms * (self.speed or 0)) // _DAY_MS):
            self.bench.call("time")  # a turn of the server, which lets what is over end; in scaled time it takes up to a day in each
        return True

    def close(self) -> None:
        """See Rig."""
        self._close_port()
        self._close_bench()
        self._rack.close()


class DeviceRig(_WithPort):
    """A line that is there: a serial device, a socket. With `bench` it is a simulator that somebody else started."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        if target.bench:
            self.bench = PortBench(target.name, target.bench)
            try:
                self._require_speed(str(self.bench.call("time")["speed"]))
            except BaseException:
                self._close_bench()
                raise

    def _require_speed(self, found: str) -> None:
        """A wait for a clock that somebody else has stopped would never end."""
        if found != self.target.speed:
            raise RigError(self.name, f"its time goes {found}, not {self.target.speed}", f'write speed = "{found}", or set it at the bench')

    @property
    def serial(self) -> str:
        """See Rig."""
        return self.target.serial

    def fresh(self) -> None:
        """See Rig."""
        raise RigError(
            self.name, "no fresh pump can be made here", 'let tests declare @pytest.mark.reset("power"), or run them on a simulator'
        )

    def open_line(self) -> Transport:
        """See Rig."""
        return self._open(self.target.address)

    def close(self) -> None:
        """See Rig."""
        self._close_port()
        self._close_bench()


def open_rig(target: Target) -> Rig:
    """The rig of a target. Raises RigError; nothing stays open then."""
    kinds: dict[str, type[MemoryRig | ProcessRig | DeviceRig]] = {"memory": MemoryRig, "process": ProcessRig, "device": DeviceRig}
    return kinds[target.kind](target)
