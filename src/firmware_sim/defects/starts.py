"""Defects that show at a start after a reset: what is forgotten, and what goes on that must not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_sim.defects.building import DraftingMachine, OtherFirmware, StartingFirmware
from firmware_sim.firmware.draft import Draft
from firmware_sim.firmware.durable import Drive, Durable
from firmware_sim.firmware.journal import Journal
from firmware_sim.firmware.ledger import Ledger
from firmware_sim.firmware.machine import Machine
from firmware_sim.firmware.memory import LAYOUT
from itbpump.wire.messages import BolusState, LogKind, Mode, RunState

if TYPE_CHECKING:
    from firmware_sim.firmware.memory import Memory
    from firmware_sim.port import Hardware
    from firmware_sim.profiles import FirmwareProfile

__all__ = [
    "ForgetsBridge",
    "ForgetsDayMass",
    "ForgetsEmergencies",
    "ForgetsLockout",
    "ForgetsPrime",
    "ForgetsResults",
    "NoDoubt",
    "OneSlot",
    "ResumesBolus",
    "StartsByItself",
    "StaysStopped",
]

_LEAST_BOLUS_MS = 60_000


class ForgetsResults(StartingFirmware):
    """The results ring and the last command ids are held in RAM."""

    def wrongly(self, machine: Machine, draft: Draft, before: Durable) -> None:
        machine.memory.write("results", 0, bytes(LAYOUT["results"].size))
        draft.set(programmers=Durable().programmers)


class ResumesBolus(StartingFirmware):
    """What was left of the interrupted bolus is given after the start."""

    def wrongly(self, machine: Machine, draft: Draft, before: Durable) -> None:
        bolus = before.bolus
        left = bolus.requested - draft.state.bolus.delivered
        if bolus.running and left > 0:
            duration_ms = max(_LEAST_BOLUS_MS, bolus.duration_ms * left // bolus.requested)
            draft.start_bolus(bolus.kind, left, duration_ms)


class ForgetsEmergencies(StartingFirmware):
    """The times of the emergency sessions are held in RAM."""

    def wrongly(self, machine: Machine, draft: Draft, before: Durable) -> None:
        draft.set(emergencies_ms=())


class ForgetsBridge(StartingFirmware):
    """The end of a bridge is held in RAM."""

    def wrongly(self, machine: Machine, draft: Draft, before: Durable) -> None:
        draft.set(bridge_end=0)


class ForgetsLockout(StartingFirmware):
    """The starts of patient boluses are held in RAM."""

    def wrongly(self, machine: Machine, draft: Draft, before: Durable) -> None:
        draft.set(grants_ms=())


class ForgetsPrime(StartingFirmware):
    """The time of the last prime is held in RAM."""

    def wrongly(self, machine: Machine, draft: Draft, before: Durable) -> None:
        draft.set(primed_ms=None)


class ForgetsDayMass(OtherFirmware):
    """The mass of the last 24 h is held in RAM."""

    def boot(self, uptime_ms: int, *, watchdog: bool = False, noise: bytes | None = None) -> None:
        super().boot(uptime_ms, watchdog=watchdog, noise=noise)
        machine = self._machine
        concentration = machine.concentration_of(machine.state, machine.state.lifetime)
        machine.ledger = Ledger().begin(machine.delivery.phase.source, concentration, machine.now_ms)


class StaysStopped(StartingFirmware):
    """Delivery waits for a start by hand."""

    def wrongly(self, machine: Machine, draft: Draft, before: Durable) -> None:
        if draft.state.run_state is RunState.RUNNING:
            draft.drive(RunState.STOPPED, Drive.NONE)


class StartsByItself(StartingFirmware):
    """A stopped pump starts with the power."""

    def wrongly(self, machine: Machine, draft: Draft, before: Durable) -> None:
        configuration = machine.configuration
        if draft.state.run_state is RunState.STOPPED and configuration is not None and configuration.mode is not Mode.STOPPED:
            draft.drive(RunState.RUNNING, Drive.THERAPY)


class _SureDraft(Draft):
    def set(self, **changes: object) -> None:
        super().set(**{name: value for name, value in changes.items() if name != "doubt"})

    def log(self, kind: LogKind, a: int = 0, b: int = 0) -> None:
        if kind is not LogKind.PULSE_DOUBT:
            super().log(kind, a, 0 if kind is LogKind.BOOT else b)

    def end_bolus(self, state: BolusState, doubt: int = 0) -> None:
        super().end_bolus(state)


class _SureMachine(DraftingMachine):
    draft_type = _SureDraft


class NoDoubt(OtherFirmware):
    """A pulse that a reset has left in doubt is counted and told as given."""

    machine_type = _SureMachine


class _OneSlotJournal(Journal):
    def store(self, state: Durable) -> Durable:
        self._next_slot = 0
        return super().store(state)


class _OneSlotMachine(Machine):
    def __init__(self, profile: FirmwareProfile, memory: Memory, hardware: Hardware) -> None:
        super().__init__(profile, memory, hardware)
        self.journal = _OneSlotJournal(memory)


class OneSlot(OtherFirmware):
    """The journal record in force is written over in place."""

    machine_type = _OneSlotMachine
