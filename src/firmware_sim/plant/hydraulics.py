"""How turns of the motor become flow out of the reservoir and into the path: sound, or worn, kinked, leaking, creeping.

One `Hydraulics` holds for an epoch, so that what has flowed stays a closed form of pulses and time; it changes only by a hand from outside.
Flow never turns round (SR-28): the roller in engagement closes the tube, so back pressure can take a pulse down to nothing but not below.
Not modelled: compliance (what a kink held back and lets go at once), a leak that depends on pressure, fluid from outside entering a leak.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_sim.plant.errors import PlantError

PPM = 1_000_000
MS_PER_DAY = 86_400_000
MOST_SCALE_PPM = 10 * PPM
MOST_CREEP_NL_PER_DAY = 40_000_000


@dataclass(frozen=True, slots=True)
class Hydraulics:
    """`scale_ppm`: volume of a pulse, 1,000,000 is a sound one, 0 nothing, at most ten times. `leak_ppm`: share of what leaves the
    reservoir that is lost before the path, 0 to 1,000,000. `creep_nL_per_day`: flow past the rollers without a pulse, 0 to 40 mL/day.

    Raises PlantError outside; a negative flow is none (SR-28).
    """

    scale_ppm: int = PPM
    leak_ppm: int = 0
    creep_nL_per_day: int = 0

    def __post_init__(self) -> None:
        for name, value, most in (
            ("scale_ppm", self.scale_ppm, MOST_SCALE_PPM),
            ("leak_ppm", self.leak_ppm, PPM),
            ("creep_nL_per_day", self.creep_nL_per_day, MOST_CREEP_NL_PER_DAY),
        ):
            if not 0 <= value <= most:
                raise PlantError(f"{name} of {value} is impossible: 0 to {most}; flow never turns round")

    def moved_nL(self, turned_nL: int, elapsed_ms: int) -> int:
        """What leaves a reservoir that has enough, for `turned_nL` of sound pulses in `elapsed_ms`; non-decreasing in both."""
        return (turned_nL + self.creep_nL_per_day * elapsed_ms // MS_PER_DAY) * self.scale_ppm // PPM

    def lost_nL(self, displaced_nL: int) -> int:
        """The part of it that never enters the path."""
        return displaced_nL * self.leak_ppm // PPM


SOUND = Hydraulics()
