"""One small world for proofs: a companion, a line and a pump in one process, under one seed, with a hand on everything that can go wrong.

Time is the link's, in ms, and moves only while the companion waits; the pump's uptime moves with it. Everything that happens on the line,
in the pump's memory and at the companion's steps passes `Chooser.choose`, which says what goes wrong there, as a rule nothing. The same
choices give the same world, byte for byte (`World.trace`). Not modelled here: pacing and noise of a real line (`itbpump.wire.line`).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol
from unittest.mock import patch

from firmware_sim.device import SimulatedPump
from firmware_sim.firmware.memory import Memory
from itbpump.hoststate import HostState, PumpKey
from itbpump.pump import Pump, connect
from itbpump.transport.base import PortClosedError, PortUnpluggedError
from itbpump.wire.messages import Role

__all__ = ["FRAME_HARMS", "Chooser", "CrashableState", "HostCrash", "Nothing", "Point", "World", "on_memory_writes"]

LATENCY_MS = 5
DELAY_MS = 20_000  # beyond the deadline of any request
POWER_BACK_MS = 1_500
LONG_CUT_MS = 70_000  # beyond the deadline of a transaction
HOST_CLOCK_S = 1_795_359_600.0
FRAME_HARMS = ("drop", "duplicate", "delay", "late", "truncate", "corrupt", "cut")
CRASH = "crash"


class HostCrash(BaseException):
    """The companion's process is gone. Control flow of the proof, caught by nothing of the companion."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place where something may go wrong: `kind` is frame, write, pulse or host; `name` says which, `size` bytes it concerns."""

    kind: str
    name: str
    size: int = 0


class Chooser(Protocol):
    """Says what goes wrong where."""

    def choose(self, point: Point) -> str | None:
        """The name of the harm at this point, or None."""


class Nothing:
    """Nothing ever goes wrong."""

    def choose(self, point: Point) -> str | None:
        """None."""
        return None


@dataclass
class _Flight:
    """A frame under way."""

    due_ms: int
    number: int
    to_pump: bool
    data: bytes
    cuts: bool
    """The line is cut once it has arrived."""


@dataclass
class World:
    """The pump and its line. `chooser` may be exchanged at any time."""

    seed: int = 1
    chooser: Chooser = field(default_factory=Nothing)
    now_ms: int = 0
    unplugged: bool = False
    trace: list[tuple[int, str, str]] = field(default_factory=list)
    watch: Callable[[], None] | None = None
    """Called after everything that reaches the pump."""

    def __post_init__(self) -> None:
        self.random = random.Random(f"itbpump proof {self.seed}")
        self.pump = SimulatedPump("P-40", seed=self.seed, fill_nL=30_000_000, entropy=self.random.randbytes)
        self._flights: list[_Flight] = []
        self._late: set[bytes] = set()
        self._sent = 0
        self._inbox = bytearray()
        self._power_back_ms: int | None = None
        self._power_off_ms = POWER_BACK_MS
        self._last_kind = ""

    # ------------------------------------------------------------------------------------------------ companions
    def companion(self) -> CrashableState:
        """A new companion, paired as a clinician with this pump."""
        state = CrashableState.made(self)
        key = self.random.randbytes(32)
        self.pump.provision(state.programmer_id, Role.CLINICIAN, key)
        state.pair(self.pump.serial.encode("ascii"), Role.CLINICIAN, key)
        return state

    def join(self, state: HostState) -> Pump:
        """A session of this companion, over a line of its own."""
        self._inbox.clear()
        return connect(
            "proof:", state=state, transport=_WorldTransport(self), entropy=self.random.randbytes, host_clock=lambda: HOST_CLOCK_S
        )

    def pause(self) -> None:
        """The next step of the companion comes after none."""
        self._last_kind = ""

    def host_step(self, name: str) -> None:
        """The companion has come to a step at which it may die. A step right after another one is called `then`, not `before`."""
        if self._last_kind == "host":
            name = name.replace("before ", "then ")
        if self._harm(Point("host", name)) == CRASH:
            raise HostCrash(name)

    # ------------------------------------------------------------------------------------------------ the line
    def send(self, data: bytes, *, to_pump: bool) -> None:
        """Put frames on the line."""
        for frame in _frames(data):
            way = "to-pump" if to_pump else "to-host"
            harm = self._harm(Point("frame", way, len(frame)))
            self._note(way, frame)
            if harm == "late":
                self._late.add(frame)
            if frame in self._late:
                harm = "delay"
            if self.unplugged:
                continue
            for delay_ms, piece in _harmed(harm, frame):
                self._sent += 1
                self._flights.append(_Flight(self.now_ms + LATENCY_MS + delay_ms, self._sent, to_pump, piece, harm == "cut"))

    def advance_to(self, until_ms: int, *, or_bytes: bool = False) -> None:
        """Let time pass; `or_bytes`: only until something has come for the companion."""
        while True:
            self._deliver()
            if or_bytes and self._inbox:
                return
            times = (*(flight.due_ms for flight in self._flights), self._power_back_ms, self.pump.link_deadline_ms())
            next_ms = min([until_ms, *(at_ms for at_ms in times if at_ms is not None and at_ms > self.now_ms)])
            self._pass(next_ms)
            if self.now_ms >= until_ms:
                self._deliver()
                return

    def _pass(self, until_ms: int) -> None:
        self.pump.advance(until_ms - self.now_ms)
        self.now_ms = until_ms
        if self._power_back_ms is not None and until_ms >= self._power_back_ms:
            self._power_back_ms = None
            self.power_on()
        self.pump.link_tick(until_ms)
        self._after()
        self.send(self.pump.transmit(), to_pump=False)

    def _deliver(self) -> None:
        while due := sorted((flight for flight in self._flights if flight.due_ms <= self.now_ms), key=lambda flight: flight.number):
            flight = due[0]
            self._flights.remove(flight)
            if self.unplugged:
                continue
            self.unplugged = flight.cuts
            if flight.to_pump:
                self.pump.receive(flight.data, self.now_ms)
                self._after()
                self.send(self.pump.transmit(), to_pump=False)
            else:
                self._inbox += flight.data

    def _after(self) -> None:
        if not self.pump.powered and self._power_back_ms is None:
            self._power_back_ms = self.now_ms + self._power_off_ms
            self._note("power", b"lost")
        if self.watch is not None:
            self.watch()

    def take(self) -> bytes:
        """What has come for the companion."""
        data = bytes(self._inbox)
        self._inbox.clear()
        return data

    # ------------------------------------------------------------------------------------------------ power
    def power_on(self) -> None:
        """Give the supply back."""
        self._power_back_ms = None
        self._power_off_ms = POWER_BACK_MS
        self.pump.power_on()
        self._note("power", b"back")
        self._after()

    def mend(self) -> None:
        """The line is whole and empty again, the pump has power."""
        self.unplugged = False
        self._flights.clear()
        self._late.clear()
        self._inbox.clear()
        while not self.pump.powered:
            self.power_on()

    def write_harm(self, memory: Memory, region: str, size: int) -> None:
        """Called before each memory write of the pump: a harm `torn N` loses the power in it after N bytes, for long with `torn N long`."""
        harm = self._harm(Point("write", region, size))
        if harm is not None:
            words = harm.split()
            if words[-1] == "long":
                self._power_off_ms = LONG_CUT_MS
            memory.cut_at(memory.write_index, int(words[1]))

    # ------------------------------------------------------------------------------------------------ what happened
    def _harm(self, point: Point) -> str | None:
        self._last_kind = point.kind
        return self.chooser.choose(point)

    def _note(self, what: str, data: bytes) -> None:
        self.trace.append((self.now_ms, what, data.hex()))

    def trace_digest(self) -> str:
        """Of everything that was on the line, and of the pump's memory."""
        digest = hashlib.sha256(repr(self.trace).encode("ascii"))
        digest.update(self.pump.memory.image())
        return digest.hexdigest()


class _WorldTransport:
    """The companion's end of the line."""

    url = "proof:"
    simulated = True

    def __init__(self, world: World) -> None:
        self._world = world
        self._closed = False

    def now_ms(self) -> int:
        return self._world.now_ms

    def read(self, max_wait_ms: int) -> bytes:
        world = self._world
        if not world.unplugged:
            world.advance_to(world.now_ms + max_wait_ms, or_bytes=True)
        data = world.take()
        if not data:
            self._require()
        if data:
            world.host_step("read")
        return data

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        self._require()
        self._world.host_step("before write")
        self._world.send(data, to_pump=True)
        self._world.host_step("after write")

    def close(self) -> None:
        self._closed = True

    def _require(self) -> None:
        if self._closed:
            raise PortClosedError(self.url, "it has been closed", "open it again")
        if self._world.unplugged:
            raise PortUnpluggedError(self.url, "the line was cut", "plug it in again")


class CrashableState(HostState):
    """The companion's record, whose writes are steps at which the companion may die: before one, or after it."""

    world: World

    @classmethod
    def made(cls, world: World) -> CrashableState:
        """A new one, in memory."""
        state = cls.in_memory(world.random.randbytes)
        assert isinstance(state, CrashableState)
        state.world = world
        return state

    @contextmanager
    def _write(self) -> Iterator[None]:
        world = getattr(self, "world", None)
        if world is not None:
            world.host_step("before disk")
        with super()._write():
            yield
        if world is not None:
            world.host_step("after disk")

    def key_of(self, pump: SimulatedPump) -> PumpKey:
        """Under which name this companion keeps the pump's commands."""
        return PumpKey(pump.serial, pump.memory.memory_id)


@contextmanager
def on_memory_writes(hook: Callable[[Memory, str, int], None]) -> Iterator[None]:
    """Call `hook` before each memory write of any pump."""
    original = Memory.write

    def write(memory: Memory, region: str, offset: int, data: bytes) -> None:
        hook(memory, region, len(data))
        original(memory, region, offset, data)

    with patch.object(Memory, "write", write):
        yield


def _frames(data: bytes) -> Iterator[bytes]:
    """Frames with their zero before and after."""
    for body in data.split(b"\0"):
        if body:
            yield b"\0" + body + b"\0"


def _harmed(harm: str | None, frame: bytes) -> Sequence[tuple[int, bytes]]:
    """(further delay in ms, bytes) of what becomes of a frame."""
    middle = len(frame) // 2
    match harm:
        case "drop":
            return ()
        case "duplicate":
            return ((0, frame), (1, frame))
        case "delay":
            return ((DELAY_MS, frame),)
        case "truncate":
            return ((0, frame[:middle] + b"\0"),)
        case "corrupt":
            changed = frame[middle] ^ 0x55 or 0xAA
            return ((0, frame[:middle] + bytes([changed]) + frame[middle + 1 :]),)
        case _:
            return ((0, frame),)
