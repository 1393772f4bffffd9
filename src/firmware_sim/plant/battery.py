"""Charge of the battery in closed form, in 1e-12 of full: so much a day, a pulse commanded, a handshake, a record.

A stalled rotor costs what a turning one does. Not modelled: voltage, temperature, self-healing; at 0 the pump is dead, which the
device has to act on.
"""

from __future__ import annotations

from firmware_sim.plant.errors import PlantError
from firmware_sim.profiles import PlantProfile

FULL_E12 = 10**12
MS_PER_DAY = 86_400_000


class Battery:
    """Charge since manufacture; what runs with time and pulses is computed, what comes in events is counted."""

    def __init__(self, profile: PlantProfile) -> None:
        self._per_day_e12 = profile.battery_idle_per_day_e12
        self._per_pulse_e12 = profile.battery_per_nL_e12 * profile.pulse_volume_nL
        self._per_handshake_e12 = profile.battery_per_handshake_e12
        self._per_record_e12 = profile.battery_per_record_e12
        self.events_e12 = 0  # used by the radio, and what the bench put in (negative) or took out

    def radio(self, handshakes: int, records: int) -> None:
        """Count link activity. Raises PlantError for negative counts."""
        if handshakes < 0 or records < 0:
            raise PlantError(f"radio activity cannot be negative: {handshakes} handshakes, {records} records")
        self.events_e12 += handshakes * self._per_handshake_e12 + records * self._per_record_e12

    def left_e12(self, uptime_ms: int, commanded: int) -> int:
        """Charge at an uptime after so many commanded pulses; never below 0."""
        used = self._per_day_e12 * uptime_ms // MS_PER_DAY + self._per_pulse_e12 * commanded + self.events_e12
        return max(0, FULL_E12 - used)

    def permille(self, uptime_ms: int, commanded: int) -> int:
        """The same as 0 to 1000, rounded down."""
        return min(1000, self.left_e12(uptime_ms, commanded) * 1000 // FULL_E12)

    def set_permille(self, permille: int, uptime_ms: int, commanded: int) -> None:
        """Make the charge exactly this now, 0 to 1000: a bench supply in place of the battery. Raises PlantError outside."""
        if not 0 <= permille <= 1000:
            raise PlantError(f"a battery holds 0 to 1000 permille, not {permille}")
        running = self._per_day_e12 * uptime_ms // MS_PER_DAY + self._per_pulse_e12 * commanded
        self.events_e12 = FULL_E12 * (1000 - permille) // 1000 - running
