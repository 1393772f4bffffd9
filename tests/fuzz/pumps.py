"""A whole simulated pump as the harnesses use it: quickly made from one template, spoken to over its link, and watched.

The template runs a flex therapy with a patient bolus, has run for two days and gave a single bolus. Deterministic: every input starts
from the same bytes. Not here: what is done to the pump (`session`, `damage`).
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from firmware_sim import SimulatedPump
from firmware_sim.firmware.durable import Durable
from firmware_sim.profiles import PumpProfile, load_profile
from itbpump.link.programmer import ProgrammerLink
from itbpump.wire.frame import FrameSplitter, encode_frame
from itbpump.wire.messages import (
    BolusKind,
    BolusOrder,
    CommandKind,
    Commit,
    GetStatus,
    Mode,
    Outcome,
    Pattern,
    RecordType,
    Reply,
    Request,
    Result,
    Role,
    Stage,
    Status,
    Step,
    StepKind,
    decode_configuration,
    decode_event,
    decode_reply,
    encode_bolus_order,
    encode_configuration,
    encode_request,
)
from itbpump.wire.record import parse_header
from tests.configurations import configuration_of

__all__ = ["CLINICIAN", "CONFIGURATION", "DAY_MS", "PROGRAMMERS", "PUMP_ID", "Session", "Watch", "digest", "pump_of", "template"]

DAY_MS = 86_400_000
SERIAL = "P4000001"
PUMP_ID = SERIAL.encode()
CLINICIAN = b"FUZZCLIN"
PROGRAMMERS = (
    (CLINICIAN, Role.CLINICIAN, bytes(range(32))),
    (b"FUZZOBSV", Role.OBSERVER, bytes(range(1, 33))),
    (b"FUZZCARD", Role.EMERGENCY, bytes(range(2, 34))),
)
_PER_DAY_UNITS = 86_400_000
_DAY_STEPS = (Step(0, StepKind.RATE, 90_000, 0), Step(360, StepKind.BOLUS, 20, 60), Step(1200, StepKind.RATE, 80_000, 0))
CONFIGURATION = configuration_of(
    reservoir_set=True,
    reservoir_volume_nL=38_000_000,
    mode=Mode.FLEX,
    flow_nL_per_day=0,
    patterns=(Pattern(0b0011111, _DAY_STEPS), Pattern(0b1100000, _DAY_STEPS[:1])),
    patient_pulses=5,
    patient_duration_min=10,
    patient_lockout_min=360,
    patient_max_per_day=3,
)


_profile = cache(load_profile)


class _Pump(SimulatedPump):
    """A pump whose model is read from its file once, not for every input."""

    def __init__(self, profile: str | PumpProfile, **options: Any) -> None:
        super().__init__(_profile(profile) if isinstance(profile, str) else profile, **options)


def pump_of(state: dict[str, object]) -> SimulatedPump:
    """The pump of a saved state. Raises as `SimulatedPump.load`."""
    return _Pump.load(state)


@cache
def template() -> dict[str, object]:
    """Saved state of the pump every input starts from."""
    pump = SimulatedPump("P-40", seed=1, serial=SERIAL, fill_nL=38_000_000)
    for programmer_id, role, key in PROGRAMMERS:
        pump.provision(programmer_id, role, key)
    session = Session(pump)
    session.open(0)
    assert _applied(session.transact(CommandKind.CONFIGURE, encode_configuration(CONFIGURATION)))
    pump.advance(DAY_MS)
    counter = pump.firmware._machine.state.bolus_counter
    order = BolusOrder(layout=1, kind=BolusKind.SINGLE, from_counter=counter, to_counter=counter + 20, duration_s=600)
    assert _applied(session.transact(CommandKind.BOLUS, encode_bolus_order(order)))
    pump.advance(DAY_MS)
    return pump.save()


def _applied(reply: Reply | None) -> bool:
    return isinstance(reply, Result) and reply.result.outcome is Outcome.APPLIED


def digest(payload: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(payload).digest()


# ------------------------------------------------------------------------------------------------ over the link
class Session:
    """A programmer that seals anything: its plaintexts need not be messages. Link time is kept here."""

    def __init__(self, pump: SimulatedPump) -> None:
        self.pump = pump
        self.link_ms = 0
        self._splitter = FrameSplitter()
        self._link: ProgrammerLink | None = None

    def open(self, number: int) -> bool:
        """Handshake of programmer `number`; whether a session came about."""
        programmer_id, _, key = PROGRAMMERS[number]
        link = ProgrammerLink(programmer_id, lambda _pump: key, random.Random(number).randbytes)
        link.connect(self.link_ms)
        for _ in range(2):
            self.pump.receive(link.transmit(), self.link_ms)
            link.feed(self.pump.transmit(), self.link_ms)
        if link.state == "open":
            self._link = link
        return link.state == "open"

    def ask(self, plaintext: bytes) -> Reply | None:
        """Send one sealed request and check what comes back: at most one answer, whole, and hints that decode."""
        session = self._link._session if self._link else None
        if session is None or not self.pump.powered or self.pump.link._session is None:
            return None
        session.counter += 1
        self.pump.receive(encode_frame(session.send.seal(RecordType.COMMAND, session.counter, plaintext)), self.link_ms)
        replies: list[Reply] = []
        for body in self._splitter.feed(self.pump.transmit()):
            if not parse_header(body).sealed:
                continue  # the pump has no session, or another's
            record = session.receive.open(body)
            if record.rtype is RecordType.EVENT:
                decode_event(record.plaintext)
            else:
                re, reply = decode_reply(record.plaintext)
                assert re == session.counter, "an answer to another request"
                replies.append(reply)
        assert len(replies) <= 1, "two answers to one request"
        return replies[0] if replies else None

    def request(self, message: Request) -> Reply | None:
        """`ask` with a message."""
        return self.ask(encode_request(message))

    def transact(self, kind: CommandKind, payload: bytes) -> Reply | None:
        """Stage and commit; the last answer."""
        status = self.request(GetStatus())
        if not isinstance(status, Status):
            return status
        cmd_id, reply = self.next_id(), None
        for at in range(0, len(payload), 900):
            reply = self.request(Stage(cmd_id, kind, status.revision, len(payload), at, payload[at : at + 900]))
        committed = self.request(Commit(cmd_id, digest(payload), status.revision))
        return committed if committed is not None else reply

    def next_id(self) -> int:
        """A command id above every one this programmer has used."""
        pairing = self.pump.link.session if self.pump.powered else None
        number = self.pump.memory.pairing_number(pairing.programmer_id) if pairing else None
        return 1 if number is None else self.pump.firmware._machine.state.programmers[number].last_cmd_id + 1


# ------------------------------------------------------------------------------------------------ what must hold
@dataclass
class Watch:
    """What a pump may deliver whatever it is told: never faster than its largest flow, never more mass in 24 h than its drug's limit.

    Mass is counted with the smallest concentration `believed` in the window, so that the bound is never stricter than the pump's own.
    Each start allows a pulse of doubt.
    """

    pump: SimulatedPump
    believed: int
    starts: int = 1
    _samples: deque[tuple[int, int, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._samples.append((self.pump.uptime_ms, self.pump.plant.motor.commanded, self.believed))

    def look(self) -> None:
        """Compare with every earlier look of the last 24 h."""
        pump, limits = self.pump, self.pump.profile.firmware
        now_ms, pulses = pump.uptime_ms, pump.plant.motor.commanded
        if pump.powered:
            active = _durable(pump).active
            self.believed = decode_configuration(active).concentration_ng_per_mL if active else self.believed
        self._samples.append((now_ms, pulses, self.believed))
        while self._samples[0][0] < now_ms - DAY_MS:
            self._samples.popleft()
        # A pulse is due when half of it is scheduled; each start may add the one it could not tell of.
        spare = 2 + 2 * self.starts
        thinnest = self.believed
        for at_ms, before, concentration in reversed(self._samples):
            given_nL = (pulses - before - spare) * limits.pulse_volume_nL
            thinnest = min(thinnest, concentration)
            assert given_nL * _PER_DAY_UNITS <= limits.flow_max_nL_per_day * (now_ms - at_ms), "faster than the pump's largest flow"
            drug = limits.drugs["baclofen" if thinnest <= 3_000_000 else "morphine"]
            assert given_nL * thinnest <= drug.mass_24h_max_ng * 1_000_000, "more in 24 h than the pump's own limit"


def _durable(pump: SimulatedPump) -> Durable:
    return pump.firmware._machine.state
