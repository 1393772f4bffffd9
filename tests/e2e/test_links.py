"""The same session over every kind of line, and over slow ones: the pump's log, status, results and truth come out equal.

The yardstick is a pump in this process without any line between (sim://). The others are a pump process on a pty and on TCP.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Protocol, cast

import pytest
import serial

import firmware_sim.urlhandlers  # noqa: F401  (teaches pyserial sim://)
from firmware_sim.bench import COMMANDS
from firmware_sim.device import SimulatedPump
from firmware_sim.urlhandlers.protocol_sim import Serial
from itbpump.hoststate import HostState
from itbpump.link.programmer import Opened, ProgrammerLink, ProgrammerLinkEvent, Replied
from itbpump.outcome import Applied
from itbpump.pump import Pump
from itbpump.quantity import Duration, Mass, Volume
from itbpump.transport import Transport
from itbpump.transport.sim import SimTransport
from itbpump.wire.messages import (
    BolusState,
    CommandResult,
    Configuration,
    GetStatus,
    LogEntry,
    LogKind,
    Role,
    RunState,
    Status,
)
from tests.e2e.process import FILL_NL, PumpProcess, Wrapped, flex, join, pair

pytestmark = pytest.mark.e2e

SIM = "sim://P-40?fill=38mL&seed=1"
PROGRAMMER = b"LINKTEST"
RESIDUAL_NL = 1_400_000
WEEK_MS = 604_800_000


class Bench(Protocol):
    """Hands at the pump."""

    def do(self, command: str, **arguments: object) -> dict[str, object]: ...


class InProcess:
    """The bench of a pump in this process. Its time moves past the line's, as that of a process does."""

    def __init__(self, device: SimulatedPump) -> None:
        self._device = device

    def do(self, command: str, **arguments: object) -> dict[str, object]:
        given = COMMANDS[command].read({name.removesuffix("_"): value for name, value in arguments.items()})
        if command == "advance":
            self._device.advance(cast("int", given["for"]))
            return {}
        return self._device.bench(command, given)


@dataclass(frozen=True)
class Figures:
    """All that a session leaves behind. `log` is without its first entry, which holds the random id of the pump's memory."""

    log: list[LogEntry]
    status: Status
    configuration: Configuration | None
    results: tuple[CommandResult, ...]
    truth: dict[str, object]
    refill_difference_nL: int | None


def session(pump: Pump, bench: Bench) -> Figures:
    """Program, a bolus to its end, eleven weeks, a refill; then everything that can be read."""
    assert isinstance(pump.program(flex()), Applied)
    bench.do("advance", for_="30h")
    bolus = pump.bolus(Mass.parse("25 mcg"), Duration.parse("10m"))
    assert isinstance(bolus, Applied)
    assert bolus.proof is not None
    assert bolus.proof.holds
    bench.do("advance", for_="10m")
    assert pump.status().bolus_state is BolusState.DONE
    bench.do("advance", for_="11w")
    drawn = cast("int", bench.do("refill", fill_nL=FILL_NL - RESIDUAL_NL)["aspirated_nL"])
    outcome, refill = pump.refill(Volume(drawn), Volume(FILL_NL - RESIDUAL_NL))
    assert isinstance(outcome, Applied)
    assert outcome.proof is not None
    assert outcome.proof.holds
    formatted, *log = pump.log()
    assert formatted.kind is LogKind.FORMATTED
    return Figures(
        log=log,
        status=pump.status(),
        configuration=pump.configuration(),
        results=pump.own_results(),
        truth=bench.do("truth"),
        refill_difference_nL=refill.discrepancy.difference_nL,
    )


def programmer() -> HostState:
    """The same programmer each time, known to nobody yet."""
    return HostState.in_memory(lambda _count: PROGRAMMER)


@contextmanager
def in_process() -> Iterator[tuple[Pump, InProcess]]:
    transport, state = SimTransport.open(SIM), programmer()
    device = transport.device
    assert isinstance(device, SimulatedPump)
    key = Random(1).randbytes(32)
    device.provision(PROGRAMMER, Role.CLINICIAN, key)
    state.pair(device.serial.encode("ascii"), Role.CLINICIAN, key)
    with join(SIM, state, transport) as pump:
        yield pump, InProcess(device)


@pytest.fixture(scope="module")
def yardstick() -> Figures:
    with in_process() as (pump, bench):
        return session(pump, bench)


def test_the_yardstick_tells_the_session_as_it_was(yardstick: Figures) -> None:
    status = yardstick.status
    assert (status.run_state, status.revision, status.bolus_counter, status.doubt_pulses) == (RunState.RUNNING, 2, 25, 0)
    assert status.uptime_ms == 11 * WEEK_MS + 30 * 3_600_000 + 600_000
    assert status.reservoir_nL == FILL_NL
    # 107,000 nL from Sunday 10:00 to Monday 16:00, the bolus, then 87,000 nL on each weekday and 72,000 nL on each day of a weekend.
    expected_nL = 107_000 + 25 * 500 + 11 * (5 * 87_000 + 2 * 72_000)
    assert status.lifetime_pulses == yardstick.truth["commanded_pulses"] == expected_nL // 500
    kinds = [entry.kind for entry in yardstick.log]
    wanted = {LogKind.COMMITTED: 3, LogKind.BOLUS_START: 1, LogKind.BOLUS_END: 1, LogKind.REFILL: 2, LogKind.SESSION_OPEN: 1}
    assert {kind: kinds.count(kind) for kind in wanted} == wanted
    assert [result.cmd_id for result in yardstick.results] == [3, 2, 1]


@pytest.mark.parametrize("tcp", [False, True], ids=["pty", "socket"])
def test_a_session_leaves_the_same_behind_on_every_line(tcp: bool, yardstick: Figures) -> None:
    with PumpProcess.start(tcp=tcp) as process:
        state = programmer()
        pair(process, state)
        assert process.link.startswith("socket://") is tcp
        with join(process.link, state) as pump:
            assert session(pump, process) == yardstick


# ------------------------------------------------------------------------------------------------ slow lines
class Dribbling(Wrapped):
    """One byte a write, one byte a read."""

    def __init__(self, inner: Transport | str) -> None:
        super().__init__(inner)
        self._waiting = b""
        self.longest = 0

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        for place in range(len(data)):
            self.inner.write(data[place : place + 1], deadline_ms)

    def read(self, max_wait_ms: int) -> bytes:
        self._waiting = self._waiting or self.inner.read(max_wait_ms)
        data, self._waiting = self._waiting[:1], self._waiting[1:]
        self.longest = max(self.longest, len(data))
        return data


class Lumping(Wrapped):
    """Noise before each answer fills reads of 4,096 bytes: frames begin and end anywhere in them."""

    SIZE = 4096

    def __init__(self, inner: Transport | str) -> None:
        super().__init__(inner)
        self._waiting = b""
        self.longest = 0

    def read(self, max_wait_ms: int) -> bytes:
        if not self._waiting:
            data = self.inner.read(max_wait_ms)
            self._waiting = data and b"\x55" * (self.SIZE - len(data) // 2) + data
        lump, self._waiting = self._waiting[: self.SIZE], self._waiting[self.SIZE :]
        self.longest = max(self.longest, len(lump))
        return lump


@pytest.mark.parametrize(("line", "longest"), [(Dribbling, 1), (Lumping, Lumping.SIZE)])
def test_how_bytes_are_cut_on_the_line_makes_no_difference(line: type[Dribbling | Lumping], longest: int, yardstick: Figures) -> None:
    with PumpProcess.start() as process:
        state = programmer()
        pair(process, state)
        slow = line(process.link)
        with join(slow.url, state, slow) as pump:
            assert session(pump, process) == yardstick
        assert slow.longest == longest


# ------------------------------------------------------------------------------------------------ plain pyserial
def exchange(port: Serial, link: ProgrammerLink) -> ProgrammerLinkEvent:
    """What a small program of one's own does: write, read until the link has something to tell. The pump answers at once, so time is 0."""
    while out := link.transmit():
        port.write(out)
        while port.in_waiting:
            for event in link.feed(port.read(1) + port.read(port.in_waiting), 0):
                return event
    raise AssertionError("the link has nothing to say and no answer came")


def test_plain_pyserial_opens_a_simulated_pump(yardstick: Figures) -> None:
    key = Random(2).randbytes(32)
    with serial.serial_for_url(f"{SIM}&speed=manual", timeout=1) as port:
        assert isinstance(port, Serial)
        assert port.line is not None
        port.line.device.provision(PROGRAMMER, Role.CLINICIAN, key)
        link = ProgrammerLink(PROGRAMMER, lambda _pump_id: key, Random(3).randbytes)
        link.connect(0)
        opened = exchange(port, link)
        assert isinstance(opened, Opened)
        link.request(GetStatus(), 0, 10_000)
        answer = exchange(port, link)
    assert isinstance(answer, Replied)
    with in_process() as (pump, _):
        assert answer.reply == pump.status()
        assert opened.pump_id.decode("ascii") == pump.info.serial
