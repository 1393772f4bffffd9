"""Every attack on the companion: what it is told of a dose is the truth or Unknown, and it never doses twice or another pump (SR-62)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from random import Random

import pytest

from firmware_sim.device import SimulatedPump
from itbpump.hoststate import HostState
from itbpump.link.errors import HandshakeFailed, LinkError, NoReply
from itbpump.outcome import Applied, DosingBlocked, Outcome, Unknown
from itbpump.pump import Pump
from itbpump.quantity import Duration, Mass
from itbpump.transport.base import TransportError
from itbpump.transport.demo_key import DEMO_KEY, pair_with_demo_key
from itbpump.transport.sim import SimTransport
from itbpump.wire import keys
from itbpump.wire.frame import FrameSplitter, encode_frame
from itbpump.wire.messages import RecordType, Role
from itbpump.wire.record import Sealer, clear_body, parse_header
from tests.security.companion_attacks import COMPANION_ATTACKS, Recordings
from tests.unit.client.lines import KEY, Line, flex, host, joined, straight

TABLE = tomllib.loads((Path(__file__).resolve().parents[2] / "docs" / "threats.toml").read_text("utf-8"))
DOSE, OVER = Mass.parse("25 mcg"), Duration.parse("10m")
HOUR_MS = 3_600_000


@pytest.fixture
def line() -> Line:
    return Line()


def running(line: Line, state: HostState, said: Recordings) -> Pump:
    """A therapy in force, everything recorded that was said for it, and a new session."""

    def keep(into: list[bytes], data: bytes) -> list[bytes]:
        into.append(data)
        return [data]

    line.to_pump = lambda data: keep(said.to_pump, data)
    line.to_host = lambda data: keep(said.to_host, data)
    first = joined(line, state, seed=1)
    assert isinstance(first.program(flex()), Applied)
    line.device.advance(30 * HOUR_MS)
    return joined(line, state, seed=2)


def boluses(pump: SimulatedPump) -> int:
    """Pulses that boluses have given in all: the truth, once none is running."""
    assert not pump.firmware._machine.state.bolus.running
    return pump.firmware._machine.state.bolus_counter


def tried(pump: Pump) -> Outcome | None:
    """A bolus, and what the companion says of it; None when it says that it could not even begin."""
    try:
        return pump.bolus(DOSE, OVER)
    except (LinkError, TransportError, DosingBlocked):
        return None


def test_every_row_has_its_attack_and_every_attack_its_row() -> None:
    rows = {row["id"] for row in TABLE["attack"] if row["against"] == "companion"}
    assert rows == set(COMPANION_ATTACKS)


@pytest.mark.sr("SR-42", "SR-62")
@pytest.mark.parametrize("name", sorted(COMPANION_ATTACKS))
def test_what_the_companion_says_of_a_dose_is_true_under_attack(line: Line, name: str) -> None:
    state, said = host(line), Recordings()
    state.pair(b"P4000002", Role.CLINICIAN, bytes(reversed(KEY)))  # another pump it knows
    pump = running(line, state, said)
    line.to_pump, line.to_host = straight, straight
    COMPANION_ATTACKS[name](line, said)
    outcomes = []
    for _ in range(3):
        outcomes.append(tried(pump))
        line.device.advance(HOUR_MS)
    line.to_pump, line.to_host = straight, straight
    pump.session.reconnect()
    settled = [outcome for _, outcome in pump.reconcile()]
    assert not [outcome for outcome in settled if isinstance(outcome, Unknown)]
    given = [outcome for outcome in (*outcomes, *settled) if isinstance(outcome, Applied)]
    each = 25_000 // 1_000  # 25 mcg of 2000 mcg/mL are 12500 nL: 25 pulses of 500 nL
    assert boluses(line.device) == each * len(given)
    assert state.unsettled(pump.key) == []
    pump.status()


@pytest.mark.sr("SR-62")
def test_nothing_is_said_to_a_pump_that_does_not_prove_its_key(line: Line) -> None:
    """The attacker answers in the pump's place, without its key, in every way that he can: no command ever leaves the companion."""
    state = host(line)
    said: list[bytes] = []
    random = Random(5)

    def swallow(data: bytes) -> list[bytes]:
        said.append(data)
        return []

    def invented() -> bytes:
        h2 = keys.encode_h2(1, 1, b"P4000001", random.randbytes(16), 1)
        sealer = Sealer(random.randbytes(16), random.randbytes(8))
        bodies = (
            clear_body(RecordType.HELLO_REPLY, h2),
            clear_body(RecordType.CONFIRM_PUMP, random.randbytes(16)),
            clear_body(RecordType.CONFIRM_PUMP, bytes(16)),
            sealer.seal(RecordType.COMMAND, 0, b"\x81\0\0\0\0"),
        )
        return b"".join(encode_frame(body) for body in bodies)

    line.to_pump = swallow
    inner = line.inner.read
    line.inner.read = lambda max_wait_ms: inner(min(max_wait_ms, 100)) + invented()  # type: ignore[method-assign]
    with pytest.raises((HandshakeFailed, NoReply)):
        joined(line, state)
    heard = {parse_header(body).rtype for chunk in said for body in FrameSplitter().feed(chunk)}
    assert heard == {RecordType.HELLO, RecordType.CONFIRM_PROGRAMMER}


@pytest.mark.sr("SR-20", "SR-62")
def test_another_pump_put_on_the_line_is_noticed_before_it_is_dosed(line: Line) -> None:
    """The attacker has a second pump of the same clinic: paired with the same companion, under a key of its own."""
    state, said = host(line), Recordings()
    pump = running(line, state, said)
    other = SimTransport.open("sim://P-40?fill=38mL&seed=2")
    other.device.provision(state.programmer_id, Role.CLINICIAN, bytes(reversed(KEY)))
    state.pair(b"P4000002", Role.CLINICIAN, bytes(reversed(KEY)))
    first, line.inner = line.inner, other
    for _ in range(2):
        assert not isinstance(tried(pump), Applied)
    assert isinstance(other.device, SimulatedPump)
    assert boluses(other.device) == 0
    assert other.device.firmware._machine.state.revision == 0
    line.inner = first
    pump.session.reconnect()
    pump.reconcile()
    assert boluses(line.device) == 0


@pytest.mark.sr("SR-63")
def test_the_demo_key_goes_to_a_pump_in_this_process_only(line: Line) -> None:
    state = HostState.in_memory()
    with pytest.raises(TransportError, match="sim:// pumps only"):
        pair_with_demo_key(line, state)
    assert state.pairing(b"P4000001") is None
    pair_with_demo_key(line.inner, state)
    stored = state.pairing(b"P4000001")
    assert stored is not None
    assert stored.key == DEMO_KEY
