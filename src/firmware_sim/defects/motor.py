"""Defects of the motor's driver, and of constants a firmware was compiled with: a figure nothing reaches is a check that is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from firmware_sim.defects.building import OtherFirmware

if TYPE_CHECKING:
    from firmware_sim.firmware.monitor import Foresight
    from firmware_sim.port import Hardware, PulseTrain
    from firmware_sim.profiles import FirmwareProfile

__all__ = ["FourFifths", "LateStall", "NoBatteryAlarm", "NoMonitor", "NoStallAlarm", "NoStoppedAlarm", "SixFifths"]

_HOUR_MS = 3_600_000
_NEVER_MS = 1 << 50


class _GearedTrain:
    """A train of `numerator` motor pulses for each `denominator` commanded; `before` pulses were commanded ahead of it."""

    def __init__(self, train: PulseTrain, before: int, numerator: int, denominator: int) -> None:
        self._train = train
        self._before = before
        self._numerator, self._denominator = numerator, denominator

    @property
    def start_ms(self) -> int:
        return self._train.start_ms

    def count_at(self, uptime_ms: int) -> int:
        return self._made(self._before + self._train.count_at(uptime_ms)) - self._made(self._before)

    def time_of_pulse(self, number: int) -> int | None:
        # The first commanded pulse whose own count of motor pulses reaches `number`.
        wanted = self._made(self._before) + number
        return self._train.time_of_pulse(-(-wanted * self._denominator // self._numerator) - self._before)

    def _made(self, commanded: int) -> int:
        return commanded * self._numerator // self._denominator


class _Geared:
    """The port behind a wrong gear: the motor turns by the ratio, and the encoder's count is turned back by it, so that all looks right."""

    def __init__(self, hardware: Hardware, numerator: int, denominator: int) -> None:
        self._hardware = hardware
        self._numerator, self._denominator = numerator, denominator
        self._last: tuple[PulseTrain, _GearedTrain] | None = None

    def drive(self, train: PulseTrain, until_ms: int) -> None:
        self._hardware.drive(self._geared(train), until_ms)

    def tone(self, name: str, at_ms: int) -> None:
        self._hardware.tone(name, at_ms)

    def encoder_pulses(self) -> int:
        return self._told(self._hardware.encoder_pulses())

    def encoder_pulses_ahead(self, train: PulseTrain, until_ms: int) -> int:
        return self._told(cast("Foresight", self._hardware).encoder_pulses_ahead(self._geared(train), until_ms))

    def battery_permille(self) -> int:
        return self._hardware.battery_permille()

    def battery_permille_ahead(self, train: PulseTrain, until_ms: int) -> int:
        return self._hardware.battery_permille_ahead(self._geared(train), until_ms)

    def _told(self, made: int) -> int:
        return -(-made * self._denominator // self._numerator)

    def _geared(self, train: PulseTrain) -> _GearedTrain:
        """The same object for the same train, so that the plant's history stays short."""
        if self._last is None or self._last[0] is not train:
            self._last = (train, _GearedTrain(train, self.encoder_pulses(), self._numerator, self._denominator))
        return self._last[1]


class SixFifths(OtherFirmware):
    """Six turns of the motor for five pulses."""

    def wired(self, hardware: Hardware) -> Hardware:
        return _Geared(hardware, 6, 5)


class FourFifths(OtherFirmware):
    """Four turns of the motor for five pulses."""

    def wired(self, hardware: Hardware) -> Hardware:
        return _Geared(hardware, 4, 5)


class _Constants(OtherFirmware):
    changed: ClassVar[dict[str, Any]]

    def constants(self, profile: FirmwareProfile) -> FirmwareProfile:
        return replace(profile, **self.changed)


class LateStall(_Constants):
    """Six hours where the profile says 20 min."""

    changed: ClassVar = {"stall_detect_ms": 6 * _HOUR_MS}


class NoStallAlarm(_Constants):
    """A stall is never long enough, and nothing it costs is too much."""

    changed: ClassVar = {"stall_detect_ms": _NEVER_MS, "under_delivery_permille": 1_000_000}


class NoStoppedAlarm(_Constants):
    """A stopped pump is never stopped for long."""

    changed: ClassVar = {"stopped_alarm_ms": _NEVER_MS}


class NoBatteryAlarm(_Constants):
    """No charge is as low as the threshold."""

    changed: ClassVar = {"eri_battery_permille": -1}


class NoMonitor(_Constants):
    """No surplus of pulses is too large."""

    changed: ClassVar = {"over_delivery_pulses": 1 << 30}
