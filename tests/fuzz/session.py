"""Harness of the session: a whole pump with a session open, told anything by programmers that hold their keys.

An input is a script: sealed plaintexts, whole transactions, noise on the line, time, resets, hands. The seal is always true, so that the
firmware's handlers are reached. Invariants: the pump never raises; one answer of the right kind for each request; what asks moves no
byte of memory; therapy changes by an applied command of its own kind only; never more than the pump's own limits (`pumps.Watch`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from firmware_sim.firmware.durable import Durable, decode_durable, encode_durable
from firmware_sim.firmware.materialise import PulsePhase
from itbpump.wire.errors import MessageError
from itbpump.wire.messages import (
    REPLY_TO,
    ROLES,
    BolusKind,
    BolusOrder,
    Close,
    CommandKind,
    Commit,
    Error,
    GetConfiguration,
    GetInfo,
    GetLog,
    GetReadBack,
    GetResults,
    GetStatus,
    MinimumRate,
    Outcome,
    Ping,
    QueryCommand,
    Reply,
    Request,
    Result,
    StopBolus,
    StopTherapy,
    decode_request,
    encode_bolus_order,
    encode_configuration,
)
from tests.fuzz.harness import Chunk, Harness, chunks_of, mutate_chunks
from tests.fuzz.pumps import CONFIGURATION, DAY_MS, PROGRAMMERS, Session, Watch, digest, pump_of, template
from tests.fuzz.wire import KINDS, VECTORS, payload_rows

__all__ = ["OPS", "SESSION", "World"]

_HOUR_MS = 3_600_000
_READING = (GetInfo, GetStatus, GetConfiguration, GetLog, GetReadBack, GetResults, QueryCommand, Ping)
"""Requests that change nothing (a Close ends the session, which is logged)."""
_CHANGING = (Commit, StopTherapy, StopBolus, MinimumRate)
_BYTES_OUT = 4096
"""More than one answer of a whole frame and its hints."""


@dataclass(frozen=True)
class _Therapy:
    """What a stranger must not move."""

    active: bytes
    revision: int
    run_state: int
    drive: int
    bolus: object
    alarms: frozenset[int]

    @classmethod
    def of(cls, state: Durable) -> _Therapy:
        alarms = frozenset(number for number, _ in state.alarms)
        return cls(state.active, state.active_revision, state.run_state, state.drive, state.bolus, alarms)


class World:
    """One pump, and the programmer that speaks to it."""

    def __init__(self) -> None:
        self.pump = pump_of(template())
        self.session = Session(self.pump)
        self.watch = Watch(self.pump, CONFIGURATION.concentration_ng_per_mL)
        assert self.session.open(0)

    def told(self, plaintext: bytes) -> None:
        """One sealed plaintext, and what must hold whatever it is."""
        pump = self.pump
        if not pump.powered or pump.link._session is None:
            self.session.ask(plaintext)
            return
        who = pump.link.session.programmer_id if pump.link.session else None
        before, writes = _Therapy.of(self.state), pump.memory.write_index
        reply = self.session.ask(plaintext)
        if not self.pump.powered:
            return
        after = _Therapy.of(self.state)
        try:
            request: Request | None = decode_request(plaintext)
        except MessageError:
            request = None
        _answered(request, reply)
        # An alarm that the record's own draw on the battery raised is the pump's own doing.
        if after.alarms == before.alarms:
            if request is None or isinstance(request, _READING):
                assert pump.memory.write_index == writes, "what asks has written"
            if before != after:
                _allowed(before, after, request, reply)
                pairing = pump.memory.pairing(who) if who else None
                assert pairing is not None, "nobody has changed the therapy"
                assert request is not None, "no message has changed the therapy"
                assert pairing.role in ROLES[type(request)], "a role that may not has changed the therapy"

    @property
    def state(self) -> Durable:
        """What the firmware would keep through a reset."""
        return self.pump.firmware._machine.state

    def bounded(self) -> None:
        """After each step."""
        self.watch.look()
        assert len(self.pump.transmit()) <= _BYTES_OUT, "an answer without bound"
        if self.pump.powered:
            assert len(self.pump.firmware._machine.hints) <= 64, "hints pile up"
            assert decode_durable(encode_durable(self.state)) == self.state, "a state that its record cannot hold"


def _answered(request: Request | None, reply: Reply | None) -> None:
    if reply is None:
        return
    if request is None:
        assert isinstance(reply, Error), "an answer to no message"
    else:
        assert isinstance(reply, Error | REPLY_TO[type(request)]), f"{type(reply).__name__} to {type(request).__name__}"


def _allowed(before: _Therapy, after: _Therapy, request: Request | None, reply: Reply | None) -> None:
    """Therapy has changed: by an applied command that may."""
    assert isinstance(request, _CHANGING), f"{type(request).__name__} has changed the therapy"
    applied = isinstance(reply, Result) and reply.result.outcome is Outcome.APPLIED
    assert applied, "a command that was not applied has changed the therapy"
    if after.active != before.active:
        committed = isinstance(request, Commit) and request.digest == digest(after.active)
        assert committed, "another configuration than the one committed"
        assert after.revision > before.revision, "a configuration without a revision"


# ------------------------------------------------------------------------------------------------ steps of a script
def _plain(world: World, data: bytes) -> None:
    world.told(data[:996])


def _next_command(world: World, data: bytes) -> None:
    """A request whose command id is one that may come next."""
    world.told((data[:1] + world.session.next_id().to_bytes(8, "big") + data[9:])[:996])


def _configure(world: World, data: bytes) -> None:
    _transact(world, CommandKind.CONFIGURE, data)


def _bolus(world: World, data: bytes) -> None:
    _transact(world, CommandKind.BOLUS, data)


def _fitting_bolus(world: World, data: bytes) -> None:
    """kind u8 ‖ pulses u16 ‖ duration u16 s, counted from the present counter."""
    if world.pump.powered and len(data) >= 5:
        counter, pulses = world.state.bolus_counter, int.from_bytes(data[1:3], "big")
        kind = BolusKind(1 + data[0] % (len(BolusKind) - 1))
        order = BolusOrder(1, kind, counter, counter + pulses, 1 + int.from_bytes(data[3:5], "big"))
        _transact(world, CommandKind.BOLUS, encode_bolus_order(order))


def _transact(world: World, kind: CommandKind, payload: bytes) -> None:
    before = world.state if world.pump.powered else None
    reply = world.session.transact(kind, payload)
    applied = isinstance(reply, Result) and reply.result.outcome is Outcome.APPLIED
    if before is not None and world.pump.powered and kind is CommandKind.CONFIGURE:
        now = world.state
        assert now.active == (payload if applied else before.active), "committed and in force are two things"


def _line(world: World, data: bytes) -> None:
    world.pump.receive(data, world.session.link_ms)


def _uptime(world: World, data: bytes) -> None:
    world.pump.advance(int.from_bytes(data[:4], "big") % (2 * DAY_MS))


def _link_time(world: World, data: bytes) -> None:
    world.session.link_ms += int.from_bytes(data[:4], "big") % _HOUR_MS
    world.pump.link_tick(world.session.link_ms)


def _patient(world: World, _data: bytes) -> None:
    if world.pump.powered:
        world.pump.patient_request()


def _reset(world: World, data: bytes) -> None:
    phases = list(PulsePhase)
    world.pump.power_cut(phases[data[0] % len(phases)] if data else PulsePhase.NONE)
    world.pump.advance(int.from_bytes(data[1:4], "big"))
    world.pump.power_on()
    world.watch.starts += 1
    world.session.open(0)


def _others(world: World, data: bytes) -> None:
    """Another programmer (first byte), after the magnet (second), into an open session (third; only an emergency displaces one)."""
    if not data[2:3]:
        world.session.request(Close())
    number = data[0] % len(PROGRAMMERS) if data else 0
    if world.pump.powered and data[1:2]:
        world.pump.magnet(10_000, world.session.link_ms)
    world.session.open(number)


def _hardware(world: World, data: bytes) -> None:
    """The motor sticks or comes free, or the battery has another charge."""
    if len(data) >= 3 and data[0] & 1:
        world.pump.plant.set_battery(int.from_bytes(data[1:3], "big") % 1001)
    else:
        world.pump.plant.stalled = not world.pump.plant.stalled


OPS: Final[tuple[Callable[[World, bytes], None], ...]] = (
    _plain, _next_command, _configure, _bolus, _fitting_bolus, _line, _uptime, _link_time, _patient, _reset, _others, _hardware,
)  # fmt: skip


def run_session(data: bytes) -> None:
    """Whatever programmers with keys, the line, time and resets do: one answer, therapy by commands only, never above the limits."""
    world = World()
    for op, content in chunks_of(data):
        OPS[op % len(OPS)](world, content)
        world.bounded()


def _dictionary() -> list[Chunk]:
    """Every valid request and payload, the configuration in force and neighbours of it, boluses, times, hands."""
    chunks: list[Chunk] = [
        (8, b""),
        (9, b"\x00"),
        (9, b"\x02\x01\x00\x00"),
        (10, b"\x00"),
        (10, b"\x01"),
        (10, b"\x02\x01"),
        (10, b"\x02\x01\x01"),
    ]
    chunks += [(6, ms.to_bytes(4, "big")) for ms in (1, 60_000, _HOUR_MS, DAY_MS)] + [
        (7, b"\0\0\xea\x60"),
        (11, b""),
        (11, b"\x01\x00\x05"),
    ]
    chunks += [(4, bytes([kind]) + pulses.to_bytes(2, "big") + b"\x02\x57") for kind in (0, 1) for pulses in (1, 50, 600)]
    chunks.append((2, encode_configuration(CONFIGURATION)))
    for kind, payload in payload_rows():
        if KINDS[kind] == "request":
            chunks += [(0, payload), (1, payload)]
        elif KINDS[kind] in ("Configuration", "BolusOrder"):
            chunks.append((2 if KINDS[kind] == "Configuration" else 3, payload))
    frames = json.loads((VECTORS / "session.json").read_text())["frames"]
    chunks += [(5, bytes.fromhex(frame["hex"])) for frame in frames[:5]]
    return [(op, content) for op, content in chunks if len(content) < 900]


SESSION = Harness("session", run_session, mutate_chunks(len(OPS), _dictionary()), max_bytes=8192, max_calls=600_000)
