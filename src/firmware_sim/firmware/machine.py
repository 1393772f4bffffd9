"""The pump's working state: what it has in memory, what it delivers, and how a change of both is made in one step.

A change is prepared as a `Draft` and made by `Machine.store`: journal first, then the stamp that names its record, the copies of results
and log entries, then what the pump does. Until the journal holds the record nothing has happened; from then on all of it has. Not
modelled: a task that runs while a change is made.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache

from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.alarms import AlarmPanel
from firmware_sim.firmware.cells import ALIVE, RESETS, Cell
from firmware_sim.firmware.course import PresentState
from firmware_sim.firmware.cycle import compile_cycle
from firmware_sim.firmware.delivery import BolusSource, ConstantSource, CycleSource, Delivery, NoFlow, Source, resume_delivery
from firmware_sim.firmware.draft import Draft
from firmware_sim.firmware.durable import Drive, Durable
from firmware_sim.firmware.journal import Journal
from firmware_sim.firmware.ledger import Ledger, PatientRecord
from firmware_sim.firmware.log import EventLog
from firmware_sim.firmware.materialise import PulsePhase, place_pulses, place_stamps
from firmware_sim.firmware.memory import Memory, MemoryFault
from firmware_sim.firmware.monitor import Monitor
from firmware_sim.firmware.results import ResultsRing
from firmware_sim.port import Hardware
from firmware_sim.profiles import FirmwareProfile
from itbpump.wire.messages import AlarmEvent, Configuration, LogEvent, LogKind, decode_configuration

__all__ = ["Machine", "bolus_source", "decoded"]


class Machine:
    """Everything the handlers of events and commands work on. All times are uptime in ms."""

    def __init__(self, profile: FirmwareProfile, memory: Memory, hardware: Hardware) -> None:
        self.profile = profile
        self.memory = memory
        self.hardware = hardware
        self.monitor = Monitor(hardware, profile.over_delivery_pulses)
        self.journal = Journal(memory)
        self.log = EventLog(memory)
        self.results = ResultsRing(memory)
        self.panel = AlarmPanel()
        self.state = Durable()
        self.configuration: Configuration | None = None
        self.delivery: Delivery = resume_delivery(profile.pulse_volume_nL, NoFlow(), 0)
        self.ledger = Ledger()
        self.now_ms = 0
        self.boot_pulses = 0
        """Pulses made before this start."""
        self.last_stamped = 0
        """Minute of the last stamp that is in the memory as far as changes, not `materialise`, have put it there."""
        self.hints: list[AlarmEvent | LogEvent] = []

    # ------------------------------------------------------------------------------------------------ what holds now
    @property
    def pulses(self) -> int:
        """Pulses since formatting."""
        return self.delivery.lifetime_at(self.now_ms)

    @property
    def resets(self) -> int:
        """Power-on resets since formatting; the first start is none."""
        return max(0, self.boots - 1)

    @property
    def boots(self) -> int:
        """Starts since formatting."""
        cell = RESETS.read(self.memory)
        return cell.number if cell is not None else 0

    def reservoir_nL(self) -> int:
        """Volume entered at the last refill less what the pulses since then took; never negative."""
        taken_nL = (self.pulses - self.state.entered_lifetime) * self.profile.pulse_volume_nL
        return max(0, self.state.entered_nL - taken_nL)

    def bolus_delivered(self) -> int:
        """Pulses of the running or last bolus given so far."""
        bolus = self.state.bolus
        return self.pulses - bolus.start_lifetime if bolus.running else bolus.delivered

    def bolus_counter(self) -> int:
        """The durable counter that only boluses move."""
        return self.delivery.bolus_counter_at(self.now_ms)

    def active_digest(self) -> bytes:
        """SHA-256 of the active configuration; zeros while unconfigured."""
        return hashlib.sha256(self.state.active).digest() if self.state.active else bytes(32)

    def bridge_left(self) -> int:
        """Lifetime pulses until the bridge ends; 0 without one."""
        return max(0, self.state.bridge_end - self.pulses)

    def wall_s(self, uptime_ms: int) -> int:
        """Wall-clock label of an uptime; 0 while unset. It stands still at the end of its 32 bits (February 2106): a label, not a dose."""
        return min(self.state.wall_s + (uptime_ms - self.state.wall_set_ms) // 1000, 0xFFFF_FFFF) if self.state.wall_s else 0

    def patient(self) -> PatientRecord:
        """The record of patient boluses."""
        return PatientRecord(self.state.grants_ms, self.state.granted, self.state.denied)

    def present(self) -> PresentState:
        """What the limits judge by."""
        state = self.state
        return PresentState(
            now_ms=self.now_ms,
            running=state.drive is not Drive.NONE,
            active=self.configuration,
            anchor_ms=state.anchor_ms,
            reservoir_nL=self.reservoir_nL(),
            ledger=self.ledger,
            patient=self.patient(),
            path_concentration_ng_per_mL=state.path_concentration_ng_per_mL,
            path_left_nL=max(0, state.path_clear - self.pulses) * self.profile.pulse_volume_nL,
            bridge_left_pulses=self.bridge_left(),
            minimum_rate=state.drive is Drive.MINIMUM,
            bolus=bolus_source(state, self.profile.pulse_volume_nL),
            last_prime_ms=state.primed_ms,
        )

    # ------------------------------------------------------------------------------------------------ what is delivered
    def source_of(self, state: Durable, lifetime: int) -> Source:
        """What flows in `state` with so many pulses made: bolus before bridge before therapy."""
        bolus = bolus_source(state, self.profile.pulse_volume_nL)
        if bolus is not None:
            return bolus
        if state.drive is Drive.MINIMUM:
            return ConstantSource(self.profile.minimum_rate_nL_per_day)
        configuration = decoded(state.active)
        if state.drive is Drive.NONE or configuration is None:
            return NoFlow()
        if state.bridge_end > lifetime:
            return ConstantSource(configuration.bridge_flow_nL_per_day)
        profile = self.profile
        return _therapy(state.active, profile.minimum_rate_nL_per_day, profile.pulse_volume_nL, state.anchor_ms)

    def concentration_of(self, state: Durable, lifetime: int) -> int:
        """Concentration the ledger counts with, ng/mL: the higher of old and new while the old is in the path, the old in a bridge."""
        configuration = decoded(state.active)
        if configuration is None:
            return 0
        if state.path_clear <= lifetime or state.path_concentration_ng_per_mL == 0:
            return configuration.concentration_ng_per_mL
        if state.bridge_end > lifetime and not state.bolus.running:
            return state.path_concentration_ng_per_mL
        return max(configuration.concentration_ng_per_mL, state.path_concentration_ng_per_mL)

    def run_to(self, uptime_ms: int) -> None:
        """Deliver until `uptime_ms`. The caller sees to it that nothing is due before."""
        if uptime_ms > self.now_ms:
            self.hardware.drive(self.delivery.phase, uptime_ms)
            self.now_ms = uptime_ms

    def cut_motor(self) -> None:
        """The monitor takes the motor's drive away; what the pump believes to deliver is left as it is."""
        self.delivery = resume_delivery(
            self.profile.pulse_volume_nL,
            NoFlow(),
            self.now_ms,
            residual_units=self.delivery.residual_at(self.now_ms),
            lifetime_pulses=self.pulses,
            bolus_counter=self.bolus_counter(),
        )
        self.monitor.follow(self.delivery.phase, self.now_ms)

    # ------------------------------------------------------------------------------------------------ making a change
    def draft(self) -> Draft:
        """A change that begins as the present state, as of now."""
        pulses = self.pulses
        state = replace(
            self.state,
            at_ms=self.now_ms,
            residual_units=self.delivery.residual_at(self.now_ms),
            lifetime=pulses,
            pending_results=(),
            pending_log=(),
        )
        return Draft(self.profile, state, self.now_ms, self.reservoir_nL())

    def store(self, draft: Draft) -> None:
        """Make the change, all of it or nothing. Raises MemoryFault if the journal does not read back; then nothing has changed."""
        self._settle_memory()
        mark = self.log.mark()
        state = draft.state
        log, hints = [], []
        for kind, a, b in draft.entries:
            seq = self.log.next_seq
            log.append(self.log.prepare(self.now_ms, self.wall_s(self.now_ms), kind, a, b))
            hints += draft.hints(seq, kind, a)
        results, programmers = draft.result_records(self.results)
        ledger = self._ledger_after(state)
        state = replace(
            state,
            programmers=programmers,
            buckets=ledger.buckets(self.now_ms),
            pending_results=results,
            pending_log=tuple(log),
        )
        try:
            state = self.journal.store(state)
        except MemoryFault:
            self.log.rewind(mark)
            raise
        # Named at once, so that a record that is lost is missed at the next start, be it within its minute (`boot`).
        ALIVE.write(self.memory, Cell(self.last_stamped, state.sequence))
        self.adopt(state)
        self.apply(state, ledger)
        self.hints += hints
        for name in draft.tones:
            self.hardware.tone(name, self.now_ms)

    def force(self, draft: Draft) -> None:
        """Make a change that the journal can no longer hold: delivery, alarms and log follow.

        A reset will not know of it, but that it was: the stamp names a journal record that does not exist, so the next start
        takes what it finds for old and goes to the safe state, and never back to what was in force before.
        """
        for kind, a, b in draft.entries:
            seq = self.note(kind, a, b)
            self.hints += draft.hints(seq, kind, a)
        state = replace(draft.state, sequence=draft.state.sequence + 1)
        self.apply(state, self._ledger_after(state))
        ALIVE.write(self.memory, Cell(self.last_stamped, state.sequence))
        for name in draft.tones:
            self.hardware.tone(name, self.now_ms)

    def store_or_force(self, draft: Draft) -> None:
        """Make a change of the pump's own. If the journal fails it, the pump goes to its safe state without it."""
        try:
            self.store(draft)
        except MemoryFault:
            draft.raise_alarm(Alarm.MEMORY_LOST)
            self.force(draft)

    def adopt(self, state: Durable) -> None:
        """Copy the journaled results and log entries to their places; again after a reset, which changes nothing if it was done."""
        for result in state.pending_results:
            self.results.adopt(result)
        for entry in state.pending_log:
            self.log.adopt(entry)

    def apply(self, state: Durable, ledger: Ledger) -> None:
        """Deliver by `state` from now on."""
        source = self.source_of(state, state.lifetime)
        bolus_counter = state.bolus_counter
        if source != self.delivery.phase.source or self.delivery.phase.start_ms == self.now_ms:
            self.delivery = resume_delivery(
                self.profile.pulse_volume_nL,
                source,
                self.now_ms,
                residual_units=state.residual_units,
                lifetime_pulses=state.lifetime,
                bolus_counter=bolus_counter + (state.lifetime - state.bolus.start_lifetime if state.bolus.running else 0),
            )
            self.monitor.follow(self.delivery.phase, self.now_ms)
        self.state = state
        self.ledger = ledger
        self.configuration = decoded(state.active)
        self.panel.load(state.alarms)

    def _ledger_after(self, state: Durable) -> Ledger:
        source = self.source_of(state, state.lifetime)
        concentration = self.concentration_of(state, state.lifetime)
        running = self.ledger.running
        if running is not None and running.source == source and running.concentration_ng_per_mL == concentration:
            return self.ledger
        return self.ledger.begin(source, concentration, self.now_ms)

    # ------------------------------------------------------------------------------------------------ memory and log
    def note(self, kind: LogKind, a: int = 0, b: int = 0) -> int:
        """Log something that changes no durable state. Returns the entry's number."""
        self._settle_memory()
        return self.log.append(self.now_ms, self.wall_s(self.now_ms), kind, a, b)

    def _settle_memory(self) -> None:
        """What was written before the write that comes now, which a power cut may tear; stamps with the sequence now in force."""
        place_pulses(self.memory, self.boot_pulses, self.pulses, PulsePhase.NONE, None)
        self.last_stamped = place_stamps(self.memory, self.last_stamped, self.now_ms, self.state.sequence)

    def materialise(self, uptime_ms: int, phase: PulsePhase, torn_bytes: int | None, served_ms: int | None = None) -> None:
        """Put into the memory what was written between events up to `uptime_ms`; see `materialise`.

        Pulses are recorded by their own interrupt; minutes are stamped by the main task, which last ran at `served_ms` if it hangs.
        """
        place_pulses(self.memory, self.boot_pulses, self.delivery.lifetime_at(uptime_ms), phase, torn_bytes)
        place_stamps(self.memory, self.last_stamped, uptime_ms if served_ms is None else served_ms, self.state.sequence)


def bolus_source(state: Durable, pulse_volume_nL: int) -> BolusSource | None:
    """The running single, priming or patient bolus."""
    bolus = state.bolus
    return BolusSource(bolus.requested, bolus.duration_ms, bolus.start_ms, pulse_volume_nL) if bolus.running else None


@lru_cache(maxsize=8)
def decoded(configuration: bytes) -> Configuration | None:
    """The configuration of canonical bytes; None for none."""
    return decode_configuration(configuration) if configuration else None


@lru_cache(maxsize=8)
def _therapy(configuration: bytes, minimum_rate_nL_per_day: int, pulse_volume_nL: int, anchor_ms: int) -> CycleSource:
    return CycleSource(compile_cycle(decode_configuration(configuration), minimum_rate_nL_per_day, pulse_volume_nL, anchor_ms))
