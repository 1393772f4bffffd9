"""The pump's crystal: uptime runs fast or slow by a constant within the profile's bound. Integers both ways.

Not modelled: temperature, ageing, stopped or stepping clocks.
"""

from __future__ import annotations

from firmware_sim.plant.draws import Draws
from firmware_sim.profiles import PlantProfile

PPM = 1_000_000


class Oscillator:
    """uptime = ⌊true × (1 + ppm)⌋, both in ms since manufacture."""

    def __init__(self, profile: PlantProfile, seed: int) -> None:
        self.ppm = Draws(seed, "oscillator").between(-profile.oscillator_bound_ppm, profile.oscillator_bound_ppm)

    def uptime_ms(self, true_ms: int) -> int:
        """What the pump's clock shows after `true_ms`."""
        return true_ms * (PPM + self.ppm) // PPM

    def true_ms(self, uptime_ms: int) -> int:
        """The first true ms at which the clock shows `uptime_ms` or more."""
        return -(-uptime_ms * PPM // (PPM + self.ppm))
