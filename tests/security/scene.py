"""A pump in the middle of its therapy, its clinician, and an attacker who hears and says whatever they like on the line.

The story is the same with an attack and without: a session that is over, a therapy, a bolus given, a change staged but not yet
committed; there the attack falls. Then the clinician commits, half a day passes, and what the pump then holds is compared with the
twin that nobody attacked. Both ends share one line: what the pump says to the attacker, the clinician hears as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random

from firmware_sim.device import SimulatedPump
from firmware_sim.firmware.durable import Durable
from firmware_sim.firmware.memory import LAYOUT
from itbpump.link.programmer import Failed, Opened, ProgrammerLink, Replied
from itbpump.wire.frame import FrameSplitter
from itbpump.wire.messages import (
    BolusKind,
    BolusOrder,
    Close,
    CommandKind,
    Commit,
    Configuration,
    GetInfo,
    GetLog,
    GetStatus,
    LogKind,
    LogPage,
    Outcome,
    Ping,
    Pong,
    Reply,
    Request,
    Result,
    Role,
    Stage,
    Staged,
    Status,
    encode_bolus_order,
    encode_configuration,
)
from tests.system.rig import configuration

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
CLINICIAN, SECOND, OBSERVER, EMERGENCY = b"CLINIC01", b"CLINIC02", b"OBSERV01", b"EMERGN01"
ROLES_OF = {CLINICIAN: Role.CLINICIAN, SECOND: Role.CLINICIAN, OBSERVER: Role.OBSERVER, EMERGENCY: Role.EMERGENCY}
TICK_MS = 250


def key_of(programmer_id: bytes, pump: str = "P4000007") -> bytes:
    """The pairing key of this programmer with this pump; random enough for a test, and another for each pair."""
    return hashlib.sha256(b"a key for tests only" + programmer_id + pump.encode()).digest()


class Scene:
    """The story so far. Link time and uptime go together. `to_pump` and `to_host` hold every frame body that passed."""

    def __init__(self, seed: int = 7) -> None:
        self.pump = SimulatedPump("P-40", seed=seed, fill_nL=38_000_000, concentration_ng_per_mL=500_000)
        for programmer_id, role in ROLES_OF.items():
            self.pump.provision(programmer_id, role, key_of(programmer_id, self.pump.serial))
        self.link_ms = 0
        self.to_pump: list[bytes] = []
        self.to_host: list[bytes] = []
        self.earlier: tuple[list[bytes], list[bytes]] = ([], [])
        self.events: list[object] = []
        self.clinician = self.programmer(CLINICIAN)
        self.staged: tuple[Commit, bytes] | None = None
        self.cmd_id = 0
        self._ears = FrameSplitter(), FrameSplitter()
        self._links = seed

    # ------------------------------------------------------------------------------------------------ the two ends
    def programmer(self, programmer_id: bytes, key: bytes | None = None, seed: int = 3, pump_id: bytes | None = None) -> ProgrammerLink:
        """A new programmer's end of the line; by default with the right key for the pump that answers."""

        def key_for(answering: bytes) -> bytes | None:
            if pump_id is not None and answering != pump_id:
                return None
            return key_of(programmer_id, answering.decode("ascii", "replace")) if key is None else key

        return ProgrammerLink(programmer_id, key_for, Random(seed).randbytes)

    def carry(self, link: ProgrammerLink) -> None:
        """Bytes both ways until nobody has any."""
        while out := link.transmit():
            self.to_pump += self._ears[0].feed(out)
            self.pump.receive(out, self.link_ms)
            self.hear(link)

    def hear(self, link: ProgrammerLink) -> bytes:
        """What the pump says goes to everybody on the line."""
        said = self.pump.transmit()
        self.to_host += self._ears[1].feed(said)
        self.events += link.feed(said, self.link_ms)
        return said

    def open(self, link: ProgrammerLink | None = None) -> None:
        """A session for `link`, by default a new one of the clinician, which the pump must grant."""
        if link is None:
            self._links += 1
            link = self.clinician = self.programmer(CLINICIAN, seed=self._links)
        self.events.clear()
        link.connect(self.link_ms)
        self.carry(link)
        assert any(isinstance(event, Opened) for event in self.events), self.events

    def ask(self, request: Request, link: ProgrammerLink | None = None) -> Reply:
        """One request, resent while need be, and its reply."""
        link = self.clinician if link is None else link
        self.events.clear()
        link.request(request, self.link_ms, self.link_ms + 10_000)
        for _ in range(40):
            self.carry(link)
            assert not [event for event in self.events if isinstance(event, Failed)], self.events
            replies = [event.reply for event in self.events if isinstance(event, Replied)]
            if replies:
                assert len(replies) == 1
                return replies[0]
            self.pass_ms(TICK_MS)
            self.events += link.tick(self.link_ms)
        raise AssertionError(f"no reply to {request}")

    def pass_ms(self, ms: int) -> None:
        """Time for both."""
        self.pump.advance(ms)
        self.link_ms += ms
        self.pump.link_tick(self.link_ms)

    # ------------------------------------------------------------------------------------------------ the attacker
    def say(self, *frames: bytes) -> bytes:
        """The attacker writes on the line. What the pump answers, the clinician hears too; no session ends, no reply appears."""
        answers = b""
        for frame in frames:
            self.pump.receive(frame, self.link_ms)
            self.events.clear()
            answers += self.hear(self.clinician)
            assert not [event for event in self.events if isinstance(event, Failed | Replied | Opened)], self.events
        return answers

    # ------------------------------------------------------------------------------------------------ what is ordered
    def stage(self, kind: CommandKind, payload: bytes, parts: int = 1) -> Commit:
        """Put an order into the pump without making it effective."""
        revision = self.status().revision
        self.cmd_id += 1
        step = -(-len(payload) // parts)
        for offset in range(0, len(payload), step):
            reply = self.ask(Stage(self.cmd_id, kind, revision, len(payload), offset, payload[offset : offset + step]))
            assert isinstance(reply, Staged), reply
        return Commit(self.cmd_id, hashlib.sha256(payload).digest(), revision)

    def order(self, kind: CommandKind, payload: bytes) -> None:
        """Stage and commit; it must be applied."""
        self.applied(self.ask(self.stage(kind, payload)))

    @staticmethod
    def applied(reply: Reply) -> None:
        assert isinstance(reply, Result), reply
        assert reply.result.outcome is Outcome.APPLIED, reply

    def status(self, link: ProgrammerLink | None = None) -> Status:
        reply = self.ask(GetStatus(), link)
        assert isinstance(reply, Status)
        return reply


FIRST = configuration()
THEN: Configuration = configuration(reservoir_set=False, reservoir_volume_nL=0, flow_nL_per_day=330_000)
Attack = Callable[[Scene], None]


@dataclass(frozen=True)
class After:
    """What is left of a story: memory by region, what its journal says, each true pulse, the last status, the log without its numbers."""

    regions: dict[str, bytes]
    state: Durable
    pulses: list[tuple[int, int]]
    status: Status
    log: list[tuple[LogKind, int, int, int]]


def prepared() -> Scene:
    """Up to the moment of the attack: one session over, the therapy runs, a bolus was given, a change lies staged in two parts."""
    scene = Scene()
    scene.open()
    scene.order(CommandKind.CONFIGURE, encode_configuration(FIRST))
    scene.pass_ms(10 * MINUTE_MS)
    scene.ask(Close())
    scene.earlier = (list(scene.to_pump), list(scene.to_host))
    scene.to_pump.clear()
    scene.to_host.clear()
    scene.pass_ms(HOUR_MS)
    scene.open()
    scene.ask(GetInfo())
    counter = scene.status().bolus_counter
    scene.order(CommandKind.BOLUS, encode_bolus_order(BolusOrder(1, BolusKind.SINGLE, counter, counter + 60, 480)))
    scene.pass_ms(10 * MINUTE_MS)
    payload = encode_configuration(THEN)
    scene.staged = scene.stage(CommandKind.CONFIGURE, payload, parts=2), payload
    return scene


def finished(scene: Scene, *, commits: bool = True) -> After:
    """From the attack to the end: the clinician goes on in the same session, commits, and comes back half a day later."""
    assert scene.staged is not None
    assert isinstance(scene.ask(Ping(nonce=5)), Pong)
    if commits:
        scene.applied(scene.ask(scene.staged[0]))
        assert scene.status().revision == scene.staged[0].base_revision + 1
    scene.pass_ms(12 * HOUR_MS)
    scene.open()
    status = scene.status()
    scene.pump.firmware.materialise(scene.pump.uptime_ms)
    regions = {name: scene.pump.memory.read(name, 0, area.size) for name, area in LAYOUT.items()}
    pulses = [(pulse.at_ms, pulse.volume_nL) for pulse in scene.pump.pulses(0, scene.pump.uptime_ms)]
    page = scene.ask(GetLog(from_seq=0, max_entries=25))
    assert isinstance(page, LogPage)
    assert len(page.entries) < 25
    log = [(entry.kind, entry.a, entry.b, entry.uptime_ms) for entry in page.entries]
    return After(regions, scene.pump.firmware._machine.state, pulses, status, log)


def story(attack: Attack) -> After:
    """The whole of it. The attack itself may take no time: then the twin's is the same."""
    scene = prepared()
    began_ms = scene.link_ms
    attack(scene)
    assert scene.link_ms == began_ms
    return finished(scene)


@cache
def twin() -> After:
    """Nobody attacks."""
    return story(lambda _scene: None)
