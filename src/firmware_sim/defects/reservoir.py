"""Defects of the alarms and of the count of what is in the reservoir."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace as replace_struct

from firmware_sim.defects.building import DraftingMachine, OtherFirmware
from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.alarms import AlarmPanel
from firmware_sim.firmware.draft import Draft
from firmware_sim.firmware.machine import Machine

if TYPE_CHECKING:
    from firmware_sim.firmware.alarm_table import SafeAction
    from firmware_sim.firmware.memory import Memory
    from firmware_sim.firmware.stall import Due
    from firmware_sim.port import Hardware
    from firmware_sim.profiles import FirmwareProfile

__all__ = [
    "BolusNotDeducted",
    "EarlyLowAlarm",
    "EndlessSilence",
    "LateLowAlarm",
    "NeverRefilled",
    "NoEmptyAlarm",
    "NoSafeState",
    "NoUsedUpAlarm",
]


# --------------------------------------------------------------------------------------------------- the low alarm volume
class _MisreadLowAlarm(OtherFirmware):
    """The event compares with the low alarm volume times `numerator` / `denominator`; everything else sees the right one."""

    numerator: ClassVar[int]
    denominator: ClassVar[int]

    def _next(self) -> Due | None:
        machine = self._machine
        right = machine.configuration
        if right is not None:
            machine.configuration = replace_struct(right, low_alarm_nL=right.low_alarm_nL * self.numerator // self.denominator)
        try:
            return super()._next()
        finally:
            machine.configuration = right


class LateLowAlarm(_MisreadLowAlarm):
    """At half of the volume."""

    numerator, denominator = 1, 2


class EarlyLowAlarm(_MisreadLowAlarm):
    """At one and a half times the volume."""

    numerator, denominator = 3, 2


# -------------------------------------------------------------------------------------------------- alarms that never come
class _Believed(dict[int, int]):
    """The active alarms; of `alarm` it says that it is up already, so that nobody raises it."""

    def __init__(self, alarms: tuple[tuple[int, int], ...], alarm: Alarm) -> None:
        super().__init__(alarms)
        self._alarm = alarm

    def __contains__(self, alarm: object) -> bool:
        return alarm == self._alarm or super().__contains__(alarm)


class _BlindPanel(AlarmPanel):
    def __init__(self, alarm: Alarm) -> None:
        super().__init__()
        self._alarm = alarm

    def load(self, alarms: tuple[tuple[int, int], ...]) -> None:
        super().load(alarms)
        self.active = _Believed(alarms, self._alarm)


class _EmptyBlindMachine(Machine):
    def __init__(self, profile: FirmwareProfile, memory: Memory, hardware: Hardware) -> None:
        super().__init__(profile, memory, hardware)
        self.panel = _BlindPanel(Alarm.EMPTY_RESERVOIR)


class NoEmptyAlarm(OtherFirmware):
    """The empty alarm is taken for up."""

    machine_type = _EmptyBlindMachine


class _UsedUpBlindMachine(Machine):
    def __init__(self, profile: FirmwareProfile, memory: Memory, hardware: Hardware) -> None:
        super().__init__(profile, memory, hardware)
        self.panel = _BlindPanel(Alarm.RESERVOIR_USED_UP)


class NoUsedUpAlarm(OtherFirmware):
    """The alarm of a reservoir that is used up is taken for up."""

    machine_type = _UsedUpBlindMachine


# ------------------------------------------------------------------------------------------------------------- silences
class _DeafPanel(AlarmPanel):
    @staticmethod
    def silence_end(at_ms: int) -> int:
        return at_ms + (1 << 40)

    def end_silences(self, at_ms: int) -> None:
        """Nothing ends them."""


class _DeafMachine(Machine):
    def __init__(self, profile: FirmwareProfile, memory: Memory, hardware: Hardware) -> None:
        super().__init__(profile, memory, hardware)
        self.panel = _DeafPanel()


class EndlessSilence(OtherFirmware):
    """A silence lasts 35 years and outlives its session."""

    machine_type = _DeafMachine


# ----------------------------------------------------------------------------------------------------------- safe states
class _UnsafeDraft(Draft):
    def _safe_state(self, alarm: Alarm, action: SafeAction) -> None:
        """The alarm sounds, and everything flows on."""


class _UnsafeMachine(DraftingMachine):
    draft_type = _UnsafeDraft


class NoSafeState(OtherFirmware):
    """Alarms change nothing of the delivery."""

    machine_type = _UnsafeMachine


# ----------------------------------------------------------------------------------------------------------- the count
class _NeverRefilledMachine(Machine):
    def store(self, draft: Draft) -> None:
        if self.state.entered_nL:
            draft.set(entered_nL=self.state.entered_nL, entered_lifetime=self.state.entered_lifetime)
        super().store(draft)


class NeverRefilled(OtherFirmware):
    """Only the first volume entered counts."""

    machine_type = _NeverRefilledMachine


class _BasalOnlyMachine(Machine):
    def reservoir_nL(self) -> int:
        basal = self.pulses - self.state.entered_lifetime - self.bolus_counter()
        return max(0, self.state.entered_nL - max(0, basal) * self.profile.pulse_volume_nL)


class BolusNotDeducted(OtherFirmware):
    """What single, priming and patient boluses take is not deducted."""

    machine_type = _BasalOnlyMachine
