"""A pump that runs a firmware of `firmware_sim.defects`, with hands and programmers; past the link, in manual time."""

from __future__ import annotations

import hashlib
import random

from firmware_sim.defects import pump_type
from firmware_sim.endpoints.inprocess import InProcessLine
from firmware_sim.firmware.core import SessionInfo
from firmware_sim.firmware.materialise import PulsePhase
from itbpump.hoststate import HostState
from itbpump.wire.messages import (
    AlarmNumber,
    BolusKind,
    BolusOrder,
    CommandKind,
    Commit,
    Configuration,
    GetLog,
    LogEntry,
    LogKind,
    LogPage,
    Reply,
    Request,
    Role,
    Stage,
    encode_bolus_order,
    encode_configuration,
)
from tests.system.rig import CONCENTRATION, WHO, Rig, configuration

MINUTE_MS = 60_000
WATCHER = SessionInfo(b"OBSERVER", Role.OBSERVER)
CARD = SessionInfo(b"EMERGENC", Role.EMERGENCY)
WITH_PATIENT = {"patient_pulses": 10, "patient_duration_min": 10, "patient_lockout_min": 360, "patient_max_per_day": 3}


class Patient(Rig):
    """A P-40 with the firmware `name`, or of a minor version. `treated`: it gives 0.3 mL a day, a pulse in 144 s."""

    def __init__(self, name: str | None = None, minor: int | None = None) -> None:
        self.pump = pump_type(name, minor)("P-40", seed=1, fill_nL=38_000_000, concentration_ng_per_mL=CONCENTRATION)
        for who in (WHO, WATCHER):
            self.pump.provision(who.programmer_id, who.role, bytes(32))
        self.cmd_id = 0

    def treated(self, **changes: object) -> Patient:
        self.configure(configuration(**changes))
        return self

    def next_id(self) -> int:
        self.cmd_id += 1
        return self.cmd_id

    def ask(self, request: Request) -> Reply:
        return self.pump.order(request, WHO)

    def advance(self, hours: float) -> None:
        self.pump.advance(int(hours * 3_600_000))

    def reset(self, phase: PulsePhase = PulsePhase.NONE) -> None:
        self.pump.power_cut(phase)
        self.pump.power_on()

    # ------------------------------------------------------------------------------------------------ commands in pieces
    def order(self, pulses: int, duration_s: int, kind: BolusKind = BolusKind.SINGLE) -> bytes:
        counter = self.status().bolus_counter
        return encode_bolus_order(BolusOrder(layout=1, kind=kind, from_counter=counter, to_counter=counter + pulses, duration_s=duration_s))

    def stage(self, payload: bytes, kind: CommandKind, base: int | None = None) -> Reply:
        return self.ask(Stage(self.next_id(), kind, self.status().revision if base is None else base, len(payload), 0, payload))

    def commit(self, payload: bytes, base: int | None = None) -> Reply:
        revision = self.status().revision if base is None else base
        return self.ask(Commit(self.cmd_id, hashlib.sha256(payload).digest(), revision))

    def give(self, pulses: int, duration_s: int, kind: BolusKind = BolusKind.SINGLE) -> Reply:
        payload = self.order(pulses, duration_s, kind)
        staged = self.stage(payload, CommandKind.BOLUS)
        return self.commit(payload) if type(staged).__name__ == "Staged" else staged

    def take(self, wanted: Configuration) -> Reply:
        payload = encode_configuration(wanted)
        staged = self.stage(payload, CommandKind.CONFIGURE)
        return self.commit(payload) if type(staged).__name__ == "Staged" else staged

    # ------------------------------------------------------------------------------------------------------ what it says
    def alarms(self) -> set[AlarmNumber]:
        return {AlarmNumber(alarm.alarm) for alarm in self.status().alarms}

    def log(self, kind: LogKind | None = None) -> list[LogEntry]:
        entries: list[LogEntry] = []
        while True:
            page = self.ask(GetLog(from_seq=entries[-1].seq + 1 if entries else 0, max_entries=25))
            assert isinstance(page, LogPage)
            if not page.entries:
                return [entry for entry in entries if kind is None or entry.kind is kind]
            entries += page.entries

    def given(self) -> int:
        """Pulses the motor really made."""
        return self.pump.truth.made_pulses


class Recorder:
    """A Transport to a pump in this process that remembers what was written."""

    url = "sim://P-40"
    simulated = True

    def __init__(self, inner: InProcessLine) -> None:
        self.inner = inner
        self.written: list[bytes] = []

    def now_ms(self) -> int:
        return self.inner.now_ms()

    def read(self, max_wait_ms: int) -> bytes:
        return self.inner.read(max_wait_ms)

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        self.written.append(data)
        self.inner.write(data)

    def close(self) -> None:
        self.inner.close()


def paired(patient: Patient) -> HostState:
    """The host state of a programmer of its own."""
    state = HostState.in_memory(random.Random(7).randbytes)
    key = bytes(range(32))
    patient.pump.provision(state.programmer_id, Role.CLINICIAN, key)
    state.pair(patient.pump.serial.encode("ascii"), Role.CLINICIAN, key)
    return state
