"""What a programme asks for at every moment, computed by the companion's schedule, beside what a pump gave.

The pump has a computation of its own; neither knows the other. Volumes in nL, exact. Not here: boluses by hand, bridges, resets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from itbpump.hil.fixtures import Clock, Pulse, PumpUnderTest
from itbpump.quantity import Mass
from itbpump.schedule import UNITS_PER_NL, Schedule, schedule_of_prescription
from itbpump.therapy import load_prescription

__all__ = ["DAY_MS", "Programme", "dose_of", "patient_button", "start"]

DAY_MS = 86_400_000


@dataclass(frozen=True)
class Programme:
    """A therapy that began at `began_ms` of pump uptime; `offset_ms` is where its schedule stands at uptime 0."""

    schedule: Schedule
    began_ms: int
    offset_ms: int
    pulse_nL: int

    def volume_nL(self, at_ms: int) -> Fraction:
        """What is due from its begin up to an uptime."""
        units = self.schedule.volume_units_between(self.began_ms + self.offset_ms, at_ms + self.offset_ms)
        return Fraction(units, UNITS_PER_NL)

    def deviation_nL(self, pulses: Sequence[Pulse], end_ms: int) -> tuple[Fraction, Fraction]:
        """How far nominal pulses have run ahead of it, and fallen behind it, at the worst moment between its begin and `end_ms`."""
        ahead, behind, given_nL = Fraction(0), Fraction(0), 0
        for pulse in pulses:
            behind = max(behind, self.volume_nL(pulse.at_ms - 1) - given_nL)  # a pulse falls due in the ms in which it is given
            given_nL += self.pulse_nL
            ahead = max(ahead, given_nL - self.volume_nL(pulse.at_ms))
        return ahead, max(behind, self.volume_nL(end_ms) - given_nL)


def start(pump: PumpUnderTest, clock: Clock, therapy: str) -> Programme:
    """Program and start a therapy, as `pump.rx` takes it."""
    rx = load_prescription(pump.rx(therapy))
    taken = pump.program(rx)
    began_ms = clock.uptime_ms() if taken is None else taken.result.uptime_ms
    schedule = schedule_of_prescription(rx, pump.info.pulse_volume_nL, pump.info.minimum_rate_nL_per_day)
    offset_ms = pump.status().week_offset_ms if schedule.follows_week else -began_ms
    return Programme(schedule, began_ms, offset_ms, pump.info.pulse_volume_nL)


def dose_of(pump: PumpUnderTest, pulses_per_day: int) -> str:
    """The dose per day that asks this pump for so many pulses, so that one figure suits pumps of any pulse."""
    ng_per_mL = load_prescription(pump.rx()).drug.concentration.ng_per_mL
    return f"{Mass(pulses_per_day * pump.info.pulse_volume_nL * ng_per_mL // 1_000_000).text()}/day"


def patient_button(dose_per_day: str) -> str:
    """A continuous therapy with a patient's button: 5 mcg over 10 min, 6 h apart, 3 in a day; as `pump.rx` takes it."""
    return f"""
mode = "continuous"
dose = "{dose_per_day}"
[therapy.patient_bolus]
dose = "5 mcg"
over = "10m"
lockout = "6h"
max_per_day = 3
"""
