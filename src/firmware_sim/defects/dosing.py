"""Defects of what is counted as given, of the limits that count by it, and of the clock they run on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec.structs import replace as replace_struct

from firmware_sim.defects.building import DraftingMachine, OtherFirmware
from firmware_sim.firmware.cycle import compile_cycle
from firmware_sim.firmware.delivery import CycleSource, NoFlow, Source
from firmware_sim.firmware.draft import Draft
from firmware_sim.firmware.ledger import MAX_PATIENT_STARTS, Ledger, PatientRecord
from firmware_sim.firmware.machine import Machine, decoded
from itbpump.wire.messages import BolusKind, BolusState, CommandKind

if TYPE_CHECKING:
    from firmware_sim.firmware.course import PresentState
    from firmware_sim.firmware.durable import Durable
    from firmware_sim.firmware.memory import Memory
    from firmware_sim.port import Hardware
    from firmware_sim.profiles import FirmwareProfile

__all__ = [
    "BolusMassUnlimited",
    "CommitOpensLockout",
    "CountsBolusTwice",
    "DayMassUnlimited",
    "ExchangesWeekend",
    "FollowsWallClock",
    "ForgetsBolusMass",
    "ForgetsPath",
    "ForgetsPatientMass",
    "IgnoresPatientLimits",
    "LockoutByWallClock",
    "RepeatsPrime",
]

_WEEK_MS = 604_800_000
_ANY_NG = 1 << 60


# ------------------------------------------------------------------------------------------------------------ counts
class _DoubleDraft(Draft):
    def end_bolus(self, state: BolusState, doubt: int = 0) -> None:
        before = self.state.bolus_counter
        super().end_bolus(state, doubt)
        self.set(bolus_counter=before + 2 * (self.state.bolus_counter - before))


class _DoubleMachine(DraftingMachine):
    draft_type = _DoubleDraft


class CountsBolusTwice(OtherFirmware):
    """The end of a bolus adds it to its counter once more."""

    machine_type = _DoubleMachine


class _BolusBlindMachine(Machine):
    def _ledger_after(self, state: Durable) -> Ledger:
        return self.ledger.begin(NoFlow(), 0, self.now_ms) if state.bolus.running else super()._ledger_after(state)


class ForgetsBolusMass(OtherFirmware):
    """The mass of the last 24 h holds the therapy alone."""

    machine_type = _BolusBlindMachine


class _PatientBlindMachine(Machine):
    def _ledger_after(self, state: Durable) -> Ledger:
        if state.bolus.running and state.bolus.kind is BolusKind.PATIENT:
            return self.ledger.begin(NoFlow(), 0, self.now_ms)
        return super()._ledger_after(state)


class ForgetsPatientMass(OtherFirmware):
    """The mass of the last 24 h holds no bolus that the patient asked for."""

    machine_type = _PatientBlindMachine


# ------------------------------------------------------------------------------------------------------------ limits
class _NewLeafDraft(Draft):
    def changed(self, programmer: bytes, kind: CommandKind) -> None:
        super().changed(programmer, kind)
        if kind is CommandKind.CONFIGURE:
            self.set(grants_ms=())


class _NewLeafMachine(DraftingMachine):
    draft_type = _NewLeafDraft


class CommitOpensLockout(OtherFirmware):
    """A new configuration begins with a new record of the patient's boluses."""

    machine_type = _NewLeafMachine


class _ClearPathDraft(Draft):
    def set(self, **changes: object) -> None:
        super().set(**changes | ({"path_clear": 0} if "path_clear" in changes else {}))


class _ClearPathMachine(DraftingMachine):
    draft_type = _ClearPathDraft


class ForgetsPath(OtherFirmware):
    """After a change of label the path is taken for clear."""

    machine_type = _ClearPathMachine


class DayMassUnlimited(OtherFirmware):
    """No mass in 24 h is too much."""

    def constants(self, profile: FirmwareProfile) -> FirmwareProfile:
        return replace(profile, drugs={name: replace(limits, mass_24h_max_ng=_ANY_NG) for name, limits in profile.drugs.items()})


class BolusMassUnlimited(OtherFirmware):
    """No mass of a single bolus is too much."""

    def constants(self, profile: FirmwareProfile) -> FirmwareProfile:
        return replace(profile, drugs={name: replace(limits, bolus_mass_max_ng=_ANY_NG) for name, limits in profile.drugs.items()})


class _GenerousMachine(Machine):
    def patient(self) -> PatientRecord:
        # What is shown has room for 24 starts, and this firmware grants more.
        return PatientRecord(self.state.grants_ms[1 - MAX_PATIENT_STARTS :], self.state.granted, self.state.denied)

    def present(self) -> PresentState:
        return replace(super().present(), patient=PatientRecord())


class IgnoresPatientLimits(OtherFirmware):
    """Lockout and allotment are shown and not asked."""

    machine_type = _GenerousMachine


class _PrimingMachine(Machine):
    def present(self) -> PresentState:
        return replace(super().present(), last_prime_ms=None)


class RepeatsPrime(OtherFirmware):
    """A prime may follow a prime at once."""

    machine_type = _PrimingMachine


# ------------------------------------------------------------------------------------------------------------- clock
class _LabelledMachine(Machine):
    """Knows how far the label has been moved since it was first set; a reset forgets it."""

    def __init__(self, profile: FirmwareProfile, memory: Memory, hardware: Hardware) -> None:
        super().__init__(profile, memory, hardware)
        self._first_ms: int | None = None

    def moved_ms(self, state: Durable) -> int:
        """By how much, ms."""
        if not state.wall_s:
            return 0
        label_ms = state.wall_s * 1_000 - state.wall_set_ms
        if self._first_ms is None:
            self._first_ms = label_ms
        return label_ms - self._first_ms


class _WallDayMachine(_LabelledMachine):
    def __init__(self, profile: FirmwareProfile, memory: Memory, hardware: Hardware) -> None:
        super().__init__(profile, memory, hardware)
        self._moved: dict[tuple[bytes, int, int], CycleSource] = {}

    def source_of(self, state: Durable, lifetime: int) -> Source:
        source, moved_ms = super().source_of(state, lifetime), self.moved_ms(state)
        configuration = decoded(state.active)
        if not moved_ms or configuration is None or not isinstance(source, CycleSource):
            return source
        key = (state.active, state.anchor_ms, moved_ms)
        if key not in self._moved:
            shifted = replace_struct(configuration, week_offset_ms=(configuration.week_offset_ms + moved_ms) % _WEEK_MS)
            profile = self.profile
            cycle = compile_cycle(shifted, profile.minimum_rate_nL_per_day, profile.pulse_volume_nL, state.anchor_ms)
            self._moved[key] = CycleSource(cycle)
        return self._moved[key]


class FollowsWallClock(OtherFirmware):
    """The therapy's day moves with the label: an hour set forward is an hour of the day left out."""

    machine_type = _WallDayMachine


class _WallLockoutMachine(_LabelledMachine):
    def __init__(self, profile: FirmwareProfile, memory: Memory, hardware: Hardware) -> None:
        super().__init__(profile, memory, hardware)
        self._moved_at: dict[int, int] = {}

    def store(self, draft: Draft) -> None:
        super().store(draft)
        for start_ms in self.state.grants_ms:
            self._moved_at.setdefault(start_ms, self.moved_ms(self.state))

    def present(self) -> PresentState:
        moved_ms = self.moved_ms(self.state)
        starts = (start_ms - (moved_ms - self._moved_at.get(start_ms, moved_ms)) for start_ms in self.state.grants_ms)
        return replace(super().present(), patient=PatientRecord(tuple(sorted(starts))))


class LockoutByWallClock(OtherFirmware):
    """The lockout is counted from label to label."""

    machine_type = _WallLockoutMachine


# ------------------------------------------------------------------------------------------------------------ the week
class _WeekendMachine(Machine):
    def source_of(self, state: Durable, lifetime: int) -> Source:
        source, active = super().source_of(state, lifetime), decoded(state.active)
        if not isinstance(source, CycleSource) or active is None or not active.patterns:
            return source
        patterns = tuple(replace_struct(pattern, days=_exchanged(pattern.days)) for pattern in active.patterns)
        profile = self.profile
        wrong = replace_struct(active, patterns=patterns)
        return CycleSource(compile_cycle(wrong, profile.minimum_rate_nL_per_day, profile.pulse_volume_nL, state.anchor_ms))


def _exchanged(days: int) -> int:
    return days & 0b0011111 | days >> 1 & 0b0100000 | days << 1 & 0b1000000


class ExchangesWeekend(OtherFirmware):
    """Saturday's pattern runs on Sunday, and Sunday's on Saturday."""

    machine_type = _WeekendMachine
