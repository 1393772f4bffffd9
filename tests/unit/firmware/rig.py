"""A bench for firmware tests: hardware that counts, a programmer that stages and commits, a pump that survives power cuts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from firmware_sim.firmware.core import Firmware, SessionInfo
from firmware_sim.firmware.formatting import format_memory
from firmware_sim.firmware.materialise import PulsePhase
from firmware_sim.firmware.memory import Memory
from firmware_sim.firmware.monitor import WatchdogReset
from firmware_sim.port import PulseTrain
from firmware_sim.profiles import FirmwareProfile, load_profile
from itbpump.link.pump_side import Pairing
from itbpump.wire.messages import (
    BolusKind,
    BolusOrder,
    CommandKind,
    CommandResult,
    Commit,
    Configuration,
    Error,
    GetInfo,
    GetStatus,
    Info,
    LogEntry,
    LogKind,
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
from tests.configurations import configuration_of

SERIAL = "SIM-0001"
PROFILE = load_profile("P-40").firmware
P = PROFILE.pulse_volume_nL
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
A, B, CARD, WATCHER = b"PROGID_A", b"PROGID_B", b"EMERGENC", b"OBSERVER"

BASE = configuration_of(
    reservoir_set=True,
    reservoir_volume_nL=38_000_000,
    empty_alarm_nL=2_000_000,
    patient_pulses=10,
    patient_duration_min=10,
    patient_lockout_min=360,
    patient_max_per_day=3,
)
KEEP = replace(BASE, reservoir_set=False, reservoir_volume_nL=0, start=False)


@dataclass
class FakeHardware:
    """Counts pulses; charge falls by time and pulses, linearly."""

    now_ms: int = 0
    commanded: int = 0
    made: int = 0
    stalled: bool = False
    rate_ppm: int = 1_000_000
    """Pulses made of a million commanded ones."""
    carried: int = 0
    life_ms: int = 12 * 365 * DAY
    """Time to empty at rest."""
    drained: int = 0
    tones: list[tuple[int, str]] = field(default_factory=list)

    def drive(self, train: PulseTrain, until_ms: int) -> None:
        assert train.start_ms <= self.now_ms <= until_ms
        pulses = train.count_at(until_ms) - train.count_at(self.now_ms)
        assert pulses >= 0
        self.commanded += pulses
        made, self.carried = self._made_of(pulses)
        self.made += made
        self.now_ms = until_ms

    def _made_of(self, pulses: int) -> tuple[int, int]:
        return (0, self.carried) if self.stalled else divmod(self.carried + pulses * self.rate_ppm, 1_000_000)

    def tone(self, name: str, at_ms: int) -> None:
        assert at_ms == self.now_ms
        self.tones.append((at_ms, name))

    def encoder_pulses(self) -> int:
        return self.made

    def battery_permille(self) -> int:
        return self._charge(self.now_ms)

    def battery_permille_ahead(self, train: PulseTrain, until_ms: int) -> int:
        return self._charge(until_ms)

    def _charge(self, at_ms: int) -> int:
        return max(0, 1000 - at_ms * 1000 // self.life_ms - self.drained)


class ForeseeingHardware(FakeHardware):
    """The same hardware, which can tell ahead what its encoder will show, as a simulated plant can."""

    def encoder_pulses_ahead(self, train: PulseTrain, until_ms: int) -> int:
        return self.made + self._made_of(train.count_at(until_ms) - train.count_at(max(self.now_ms, train.start_ms)))[0]


class Rig:
    """One pump with its memory and hardware, and programmers A (clinician), B (clinician), WATCHER (observer), CARD (emergency)."""

    def __init__(
        self,
        memory: Memory | None = None,
        hardware: FakeHardware | None = None,
        *,
        profile: FirmwareProfile = PROFILE,
        watchdog: bool = False,
        noise: bytes | None = None,
    ) -> None:
        if memory is None:
            memory = format_memory(b"MEMORYID", SERIAL, PROFILE.name)
            for programmer, role in ((A, Role.CLINICIAN), (B, Role.CLINICIAN), (WATCHER, Role.OBSERVER), (CARD, Role.EMERGENCY)):
                memory.pair(Pairing(programmer, role, bytes(32)))
        self.memory = memory
        self.hardware = hardware or FakeHardware()
        self.firmware = Firmware(profile, memory, self.hardware, SERIAL)
        self.firmware.boot(self.hardware.now_ms, watchdog=watchdog, noise=noise)

    @property
    def now(self) -> int:
        return self.hardware.now_ms

    def advance(self, duration_ms: int) -> None:
        self.firmware.advance(self.now + duration_ms)

    def ask(self, request: Request, who: bytes = A, link_ms: int | None = None) -> Reply:
        role = {A: Role.CLINICIAN, B: Role.CLINICIAN, WATCHER: Role.OBSERVER, CARD: Role.EMERGENCY}[who]
        return self.firmware.handle(request, SessionInfo(who, role), self.now, self.now if link_ms is None else link_ms)

    def status(self, who: bytes = A) -> Status:
        reply = self.ask(GetStatus(), who)
        assert isinstance(reply, Status)
        return reply

    def info(self, who: bytes = A) -> Info:
        reply = self.ask(GetInfo(), who)
        assert isinstance(reply, Info)
        return reply

    def next_id(self, who: bytes = A) -> int:
        return self.info(who).last_cmd_id + 1

    def stage(self, payload: bytes, kind: CommandKind, cmd_id: int, base: int, who: bytes = A) -> Reply:
        reply: Reply | None = None
        for offset in range(0, len(payload), 900):
            reply = self.ask(
                Stage(
                    cmd_id=cmd_id,
                    kind=kind,
                    base_revision=base,
                    total_length=len(payload),
                    offset=offset,
                    fragment=payload[offset : offset + 900],
                ),
                who,
            )
            if isinstance(reply, Error):
                return reply
        assert reply is not None
        return reply

    def commit(self, payload: bytes, kind: CommandKind, who: bytes = A, cmd_id: int | None = None, base: int | None = None) -> Reply:
        cmd_id = self.next_id(who) if cmd_id is None else cmd_id
        base = self.status(who).revision if base is None else base
        staged = self.stage(payload, kind, cmd_id, base, who)
        if not (isinstance(staged, Staged) and staged.complete):
            return staged
        return self.ask(Commit(cmd_id=cmd_id, digest=hashlib.sha256(payload).digest(), base_revision=base), who)

    def configure(self, configuration: Configuration = BASE, who: bytes = A) -> CommandResult:
        return result_of(self.commit(encode_configuration(configuration), CommandKind.CONFIGURE, who))

    def order(self, pulses: int = 25, duration_s: int = 600, kind: BolusKind = BolusKind.SINGLE) -> bytes:
        counter = self.status().bolus_counter
        return encode_bolus_order(BolusOrder(layout=1, kind=kind, from_counter=counter, to_counter=counter + pulses, duration_s=duration_s))

    def bolus(self, pulses: int = 25, duration_s: int = 600, kind: BolusKind = BolusKind.SINGLE) -> Reply:
        return self.commit(self.order(pulses, duration_s, kind), CommandKind.BOLUS)

    def hang(self) -> Rig:
        """The main task hangs; the pump after the watchdog has reset it."""
        self.firmware.hang(self.now)
        with pytest.raises(WatchdogReset) as bitten:
            self.advance(DAY)
        assert bitten.value.at_ms == self.now
        return Rig(Memory.from_image(self.memory.image()), self.hardware, watchdog=True)

    def log(self, kind: LogKind) -> list[LogEntry]:
        """All entries of a kind, oldest first."""
        return [entry for entry in self.firmware._machine.log.page(0, 1024) if entry.kind is kind]

    def alarms(self) -> set[int]:
        """Numbers of the active alarms."""
        return {state.alarm for state in self.status().alarms}

    def reset(self, off_ms: int = 0, phase: PulsePhase = PulsePhase.NONE, torn_bytes: int | None = None) -> Rig:
        """Cut the power now and start again after `off_ms`; the pulse in flight is made if it moved."""
        self.firmware.materialise(self.now, phase, torn_bytes)
        if phase.moved:
            self.hardware.commanded += 1
            self.hardware.made += 1
        self.hardware.now_ms += off_ms
        return Rig(Memory.from_image(self.memory.image()), self.hardware)


def result_of(reply: Reply) -> CommandResult:
    assert isinstance(reply, Result), reply
    return reply.result


def error_of(reply: Reply) -> int:
    assert isinstance(reply, Error), reply
    return reply.code
