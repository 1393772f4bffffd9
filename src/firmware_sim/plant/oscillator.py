"""The pump's crystal: uptime runs fast or slow within the profile's bound, or beyond it where a fault has changed the rate. Integers.

Not modelled: temperature, ageing; a clock that stops or steps (what the firmware reads of it then is the device's affair).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from firmware_sim.plant.draws import Draws
from firmware_sim.plant.errors import PlantError
from firmware_sim.profiles import PlantProfile

PPM = 1_000_000
MOST_PPM = 500_000


@dataclass(frozen=True, slots=True)
class Rate:
    """From this uptime and true time on the clock gains `ppm` ms in a million."""

    uptime_ms: int
    true_ms: int
    ppm: int


class Oscillator:
    """uptime = ⌊true × (1 + ppm)⌋, both in ms since manufacture, as long as the rate is the one of manufacture."""

    def __init__(self, profile: PlantProfile, seed: int) -> None:
        drawn = Draws(seed, "oscillator").between(-profile.oscillator_bound_ppm, profile.oscillator_bound_ppm)
        self.rates = [Rate(0, 0, drawn)]

    @property
    def ppm(self) -> int:
        """The present rate."""
        return self.rates[-1].ppm

    def change(self, uptime_ms: int, ppm: int) -> None:
        """Run at another rate from `uptime_ms` (the present) on. Raises PlantError beyond ± 500,000 ppm."""
        if not -MOST_PPM <= ppm <= MOST_PPM:
            raise PlantError(f"a clock that gains {ppm} ppm is impossible: at most {MOST_PPM} either way")
        self.rates.append(Rate(uptime_ms, self.true_ms(uptime_ms), ppm))

    def uptime_ms(self, true_ms: int) -> int:
        """What the pump's clock shows after `true_ms`."""
        rate = self.rates[max(0, bisect_right(self.rates, true_ms, key=lambda rate: rate.true_ms) - 1)]
        return rate.uptime_ms + (true_ms - rate.true_ms) * (PPM + rate.ppm) // PPM

    def true_ms(self, uptime_ms: int) -> int:
        """The first true ms at which the clock shows `uptime_ms` or more."""
        rate = self.rates[max(0, bisect_right(self.rates, uptime_ms, key=lambda rate: rate.uptime_ms) - 1)]
        return rate.true_ms - (-(uptime_ms - rate.uptime_ms) * PPM // (PPM + rate.ppm))
