"""A line with faults in front: it keeps the contract of every transport, its address is checked, and it waits no longer than it must."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from firmware_sim.endpoints import TcpLink
from firmware_sim.endpoints.clock import MANUAL, REAL
from firmware_sim.endpoints.inprocess import InProcessLine
from itbpump.outcome import Applied
from itbpump.pump import connect
from itbpump.transport import BadUrlError, PortUnpluggedError, innermost, open_transport
from itbpump.transport.base import PortAbsentError, PortClosedError
from itbpump.transport.faulty import FaultyTransport, parse_spec
from itbpump.transport.serial_port import SerialTransport
from itbpump.transport.sim import SimTransport
from itbpump.wire.line import Frames, Harm, Line, LineFault, LineFaultError, Pacing, Way
from tests.contract.echo import EchoDevice
from tests.contract.test_transports import served
from tests.contract.transport_contract import Rig, TransportContract
from tests.unit.client.lines import flex

QUIET = LineFault(Harm.DROP, when=Frames(nth=1_000_000))
PACED = Pacing(115_200, latency_ms=2, jitter_ms=3, buffer_bytes=100_000)


class Waits:
    """A line that says what comes when, and notes how long it was asked to wait. Its time passes in reads."""

    simulated = True
    url = "waits://"

    def __init__(self, *coming: tuple[int, bytes]) -> None:
        self.coming = list(coming)
        self.waits: list[int] = []
        self.written: list[tuple[int, bytes]] = []
        self.now = 0

    def now_ms(self) -> int:
        return self.now

    def read(self, max_wait_ms: int) -> bytes:
        self.waits.append(max_wait_ms)
        if self.coming and self.coming[0][0] <= self.now + max_wait_ms:
            at_ms, data = self.coming.pop(0)
            self.now = max(self.now, at_ms)
            return data
        self.now += max_wait_ms
        return b""

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        self.written.append((self.now, data))

    def close(self) -> None:
        """Nothing to give back."""


def faulty(inner: Waits, *faults: LineFault, pacing: Pacing | None = None) -> FaultyTransport:
    return FaultyTransport("faulty:test;waits://", inner, Line(faults, seed=1, pacing=pacing))


# ------------------------------------------------------------------------------------------------------- the contract
def rigged(line: Line, speed: str) -> Iterator[Rig]:
    inner = SimTransport("sim://echo", InProcessLine(EchoDevice(), speed={"manual": MANUAL, "real": REAL}[speed]))
    transport = FaultyTransport("faulty:drop=#1000000;sim://echo", inner, line)
    yield Rig(transport, inner.unplug)
    transport.close()


@pytest.mark.parametrize("speed", ["manual", "real"])
class TestNoFaults(TransportContract):
    @pytest.fixture
    def rig(self, speed: str) -> Iterator[Rig]:
        yield from rigged(Line(), speed)


class TestFaultsThatDoNotStrike(TransportContract):
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        yield from rigged(Line([QUIET]), "manual")


class TestPaced(TransportContract):
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        yield from rigged(Line([QUIET], pacing=PACED), "manual")


class TestInFrontOfASocket(TransportContract):
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        for url, end in served(TcpLink("127.0.0.1:0")):
            transport = open_transport(f"faulty:latency=1ms;{url}")
            assert isinstance(innermost(transport), SerialTransport)
            yield Rig(transport, end)
            transport.close()


# ------------------------------------------------------------------------------------------------------------ waiting
FRAME = b"\0frame\0"


def test_a_wait_is_no_longer_than_the_caller_asks_or_the_next_byte_needs() -> None:
    inner = Waits((40, FRAME))
    line = faulty(inner, LineFault(Harm.DELAY, ms=250))
    assert line.read(100) == b""
    assert inner.now == 100
    assert line.read(10_000) == FRAME
    assert inner.now == 290
    assert inner.waits == [100, 60, 0, 190]


def test_a_delayed_frame_leaves_for_the_pump_while_the_caller_reads() -> None:
    inner = Waits()
    line = faulty(inner, LineFault(Harm.DELAY, ms=300))
    line.write(FRAME)
    assert inner.written == []
    assert line.read(1_000) == b""
    assert inner.written == [(300, FRAME)]
    assert inner.now == 1_000


def test_the_pump_gets_a_split_frame_in_pieces() -> None:
    inner = Waits()
    faulty(inner, LineFault(Harm.SPLIT, bytes=3)).write(FRAME)
    assert [data for _, data in inner.written] == [FRAME[:3], FRAME[3:6], FRAME[6:]]


def test_a_pulled_cable_is_told_after_what_had_come_before() -> None:
    inner = Waits((5, FRAME), (6, FRAME))
    line = faulty(inner, LineFault(Harm.DISCONNECT, Way.TO_HOST, Frames(nth=1), bytes=4))
    assert line.read(100) == FRAME
    assert line.read(100) == FRAME[:4]
    with pytest.raises(PortUnpluggedError, match="fault of the plan") as caught:
        line.read(100)
    assert caught.value.url == line.url
    with pytest.raises(PortUnpluggedError):
        line.write(FRAME)
    line.line.plug_in()
    line.write(FRAME)
    assert inner.written == [(6, FRAME)]


def test_an_echoed_frame_comes_back_to_its_sender() -> None:
    inner = Waits()
    line = faulty(inner, LineFault(Harm.ECHO, Way.TO_PUMP))
    line.write(FRAME)
    assert line.read(0) == FRAME
    assert [data for _, data in inner.written] == [FRAME]


def test_what_came_before_the_close_is_not_given_after_it() -> None:
    inner = Waits((0, FRAME))
    line = faulty(inner, LineFault(Harm.DELAY, ms=10))
    assert line.read(5) == b""
    line.close()
    inner.now = 100
    with pytest.raises(PortClosedError):
        line.read(0)


# ------------------------------------------------------------------------------------------------------------ the address
def test_an_address_says_all_that_a_line_does() -> None:
    line = parse_spec(
        "drop=10%,to-pump.duplicate=0.25%:500ms,flip=every7:3bits,to-host.truncate=#4:6bytes:x1,silence=4..9:800ms,echo=all,"
        "baud=9600,latency=5ms,jitter=20ms,buffer=512,seed=7"
    )
    assert line.faults == (
        LineFault(Harm.DROP, when=Frames(rate_ppm=100_000)),
        LineFault(Harm.DUPLICATE, Way.TO_PUMP, Frames(rate_ppm=2_500), ms=500),
        LineFault(Harm.FLIP, when=Frames(every=7), bits=3),
        LineFault(Harm.TRUNCATE, Way.TO_HOST, Frames(nth=4), count=1, bytes=6),
        LineFault(Harm.SILENCE, when=Frames(window=(4, 9)), ms=800),
        LineFault(Harm.ECHO),
    )
    assert (line.pacing, line.seed) == (Pacing(9_600, 5, 20, 512), 7)
    assert parse_spec("drop=10%,seed=3").pacing is None
    assert parse_spec("jitter=20ms").pacing == Pacing(None, 0, 20)


PLAN = """
schema = "itbpump.line/1"
seed = 7
[pacing]
latency_ms = 5
[[fault]]
harm = "drop"
way = "to-pump"
rate_ppm = 100_000
window = [10, 20]
[[fault]]
harm = "flip"
nth = 3
bits = 2
count = 1
"""


def test_a_plan_file_says_the_same(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN, encoding="utf-8")
    transport = open_transport(f"faulty:{plan};sim://P-40?fill=38mL&seed=1")
    assert isinstance(transport, FaultyTransport)
    assert transport.line.faults == (
        LineFault(Harm.DROP, Way.TO_PUMP, Frames(rate_ppm=100_000, window=(10, 20))),
        LineFault(Harm.FLIP, when=Frames(nth=3), count=1, bits=2),
    )
    assert (transport.line.pacing, transport.line.seed) == (Pacing(None, 5), 7)
    assert transport.simulated
    assert isinstance(innermost(transport), SimTransport)
    transport.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("faulty:", "no line behind"),
        ("faulty:drop=10%", "no line behind"),
        ("faulty:drop=10%;", "no line behind"),
        ("faulty:;sim://P-40", "no item"),
        ("faulty:drop;sim://P-40", "no item"),
        ("faulty:drops=10%;sim://P-40", "'drops' is nothing"),
        ("faulty:up.drop=10%;sim://P-40", "the way is one of to-pump, to-host"),
        ("faulty:drop=1O%;sim://P-40", "say when"),
        ("faulty:drop=0%;sim://P-40", "0 ppm"),
        ("faulty:drop=101%;sim://P-40", "ppm"),
        ("faulty:drop=9..4;sim://P-40", "empty"),
        ("faulty:flip=all:3bit:3bits;sim://P-40", "given twice"),
        ("faulty:flip=all:three;sim://P-40", "no detail"),
        ("faulty:delay=10%;sim://P-40", "give ms"),
        ("faulty:jitter=20;sim://P-40", "whole number of ms"),
        ("faulty:seed=-1;sim://P-40", "whole number"),
        ("faulty:seed=1,seed=2;sim://P-40", "given twice"),
        ("faulty:baud=1;sim://P-40", "300 to"),
        ("faulty:nowhere.toml;sim://P-40", "cannot be read"),
        ("faulty:drop=10%;nonsense:1", "no address"),
    ],
)
def test_an_address_that_makes_no_sense_is_explained(url: str, says: str) -> None:
    with pytest.raises(BadUrlError, match=says) as caught:
        open_transport(url)
    assert caught.value.action


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('schema = "itbpump.line/1"', 'schema = "itbpump.line/2"', "no plan of a line"),
        ("seed = 7", "seed = 7.5", "seed is 7.5"),
        ("seed = 7", "speed = 7", "'speed', which nothing reads"),
        ("latency_ms = 5", "latency = 5", "'latency', which nothing reads"),
        ("latency_ms = 5", "latency_ms = true", "pacing.latency_ms is True"),
        ("[pacing]\nlatency_ms = 5", "pacing = 3", "one table"),
        ("[[fault]]", "[[faults]]", "'faults'"),
        ('harm = "drop"', 'harm = "dropp"', "fault 0: 'dropp' is nothing"),
        ('harm = "drop"', "", "fault 0: '' is nothing"),
        ('way = "to-pump"', 'way = "both"', "fault 0: way is one of"),
        ("window = [10, 20]", "window = [20]", "fault 0: window"),
        ("window = [10, 20]", "window = [20, 10]", "fault 0: .*empty"),
        ("nth = 3", "nth = 3\nevery = 2", "fault 1: name frames"),
        ("bits = 2", "bits = 0", "fault 1: flip: bits is 0"),
        ("bits = 2", "bits = '2'", "fault 1: bits is '2'"),
        ("bits = 2", "bits = ", "cannot be read"),
    ],
)
def test_a_plan_that_makes_no_sense_is_explained(before: str, after: str, says: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.replace(before, after), encoding="utf-8")
    with pytest.raises(BadUrlError, match=says) as caught:
        open_transport(f"faulty:{plan};sim://P-40")
    assert isinstance(caught.value.__cause__, LineFaultError)


def test_a_line_that_cannot_be_opened_is_told_under_its_own_address() -> None:
    with pytest.raises(PortAbsentError, match="/dev/no-such-port"):
        open_transport("faulty:drop=10%;/dev/no-such-port")


def test_a_simulated_pump_behind_faults_is_paired_and_programmed_as_one_without() -> None:
    with connect("faulty:drop=10%,duplicate=10%,jitter=20ms,seed=3;sim://P-40?fill=38mL&seed=1", entropy=Random(1).randbytes) as pump:
        assert isinstance(pump.program(flex()), Applied)
        transport = pump.session.transport
        assert isinstance(transport, FaultyTransport)
        assert transport.simulated
        assert {fired.harm for fired in transport.line.fired} <= {Harm.DROP, Harm.DUPLICATE}
        transport.line.require_all_fired()
