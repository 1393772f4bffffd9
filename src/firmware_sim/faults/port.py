"""The port between firmware and plant as a pump at fault has it: a clock that is off, a battery that is read wrongly.

The plant keeps its own time; what firmware calls uptime is `offset_ms` ahead of it. A sound port hands everything through. Not modelled:
a clock that is off by part of a ms.
"""

from __future__ import annotations

from typing import Final

from firmware_sim.plant.plant import Plant
from firmware_sim.port import PulseTrain

__all__ = ["Port", "ShiftedTrain"]

_LATEST_MS: Final = (1 << 53) - 1
"""285,000 years, the plant's own bound; a later uptime fits no record of the pump."""


class ShiftedTrain:
    """A train of firmware uptime as the plant's time sees it."""

    def __init__(self, train: PulseTrain, offset_ms: int) -> None:
        self._train = train
        self._offset_ms = offset_ms

    @property
    def start_ms(self) -> int:
        """See PulseTrain."""
        return self._train.start_ms - self._offset_ms

    def count_at(self, uptime_ms: int) -> int:
        """See PulseTrain."""
        return self._train.count_at(uptime_ms + self._offset_ms)

    def time_of_pulse(self, number: int) -> int | None:
        """See PulseTrain."""
        at_ms = self._train.time_of_pulse(number)
        return None if at_ms is None else at_ms - self._offset_ms


class Port:
    """`firmware_sim.port.Hardware` on a plant. Change its fields only through `injector`, between two drives.

    offset_ms: how far the pump's clock is ahead of the plant's; ValueError for one that makes it negative or endless.
    """

    def __init__(self, plant: Plant, offset_ms: int = 0) -> None:
        if not 0 <= plant.now_ms + offset_ms <= _LATEST_MS:
            raise ValueError(f"clock_offset_ms: a clock {offset_ms} ms ahead of the true time")
        self.plant = plant
        self.offset_ms = offset_ms
        self.battery_offset = 0
        self.battery_stuck: int | None = None
        self._shifted: tuple[PulseTrain, int, ShiftedTrain] | None = None

    @property
    def uptime_ms(self) -> int:
        """What the pump's clock shows."""
        return self.plant.now_ms + self.offset_ms

    def seen(self, train: PulseTrain) -> PulseTrain:
        """The train in the plant's time; the same object for the same train, so that the plant's history stays short."""
        if not self.offset_ms:
            return train
        if self._shifted is None or self._shifted[0] is not train or self._shifted[1] != self.offset_ms:
            self._shifted = (train, self.offset_ms, ShiftedTrain(train, self.offset_ms))
        return self._shifted[2]

    # ------------------------------------------------------------------------------------------------ Hardware
    def drive(self, train: PulseTrain, until_ms: int) -> None:
        """See Actuators."""
        self.plant.drive(self.seen(train), until_ms - self.offset_ms)

    def tone(self, name: str, at_ms: int) -> None:
        """See Actuators."""
        self.plant.tone(name, at_ms - self.offset_ms)

    def encoder_pulses(self) -> int:
        """See Sensors."""
        return self.plant.encoder_pulses()

    def encoder_pulses_ahead(self, train: PulseTrain, until_ms: int) -> int:
        """What it will show if `train` runs until then; lets the simulated monitor look at the very pulse that goes wrong."""
        return self.plant.encoder_pulses_ahead(self.seen(train), until_ms - self.offset_ms)

    def battery_permille(self) -> int:
        """See Sensors; as read, not as it is."""
        return self._read(self.plant.battery_permille())

    def battery_permille_ahead(self, train: PulseTrain, until_ms: int) -> int:
        """See Sensors."""
        return self._read(self.plant.battery_permille_ahead(self.seen(train), until_ms - self.offset_ms))

    def _read(self, permille: int) -> int:
        """An end stop of the converter, no clamp of a dose: it cannot show less than nothing or more than all."""
        if self.battery_stuck is not None:
            return self.battery_stuck
        return max(0, min(1000, permille + self.battery_offset))
