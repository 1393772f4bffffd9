"""The only door between what the pump believes (firmware) and what is true (plant).

Firmware commands pulses as a closed form, `PulseTrain`, and reads a few sensors; it never sees volumes, masses or faults.
The plant never imports the firmware. Times are pump uptime in ms. Not modelled: electrical behaviour of the port.
"""

from __future__ import annotations

from typing import Protocol


class PulseTrain(Protocol):
    """Commanded motor pulses of one phase, in closed form; immutable."""

    @property
    def start_ms(self) -> int:
        """Uptime at which the phase begins; pulses lie strictly after it."""

    def count_at(self, uptime_ms: int) -> int:
        """Pulses commanded in (start, uptime_ms]; non-decreasing; 0 at the start."""

    def time_of_pulse(self, number: int) -> int | None:
        """Uptime of pulse `number` (1, 2, …) of this train: the first ms at which count_at reaches it; None if never."""


class Actuators(Protocol):
    """What firmware can make the hardware do."""

    def drive(self, train: PulseTrain, until_ms: int) -> None:
        """Carry out `train` up to and including `until_ms`. Called once for each consecutive stretch of uptime; the same train
        may be driven further by a later call. The plant's time is `until_ms` afterwards."""

    def tone(self, name: str, at_ms: int) -> None:
        """Sound one tone pattern now (`two-tone` or `single-tone`); repeats are derived, not commanded."""


class Sensors(Protocol):
    """What firmware can measure. Every read is free of side effects."""

    def encoder_pulses(self) -> int:
        """Pulses the rotor really made since manufacture (missed ones are not counted)."""

    def battery_permille(self) -> int:
        """State of charge now, 0 to 1000."""

    def battery_permille_ahead(self, train: PulseTrain, until_ms: int) -> int:
        """State of charge at `until_ms` if `train` runs until then; lets firmware find a threshold without polling."""


class Hardware(Actuators, Sensors, Protocol):
    """Both sides of the port in one object; `firmware_sim.plant.plant.Plant` is one."""
