"""What is wrong with a pump as long as a fault lasts, and how several faults at once add up. Pure data; `injector` applies it.

Scales multiply, leaks take from what the one before left, creeps and offsets add; of two stuck readings the later one counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from firmware_sim.plant.hydraulics import MOST_CREEP_NL_PER_DAY, MOST_SCALE_PPM, PPM, Hydraulics

__all__ = ["SOUND", "Condition", "together"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A sound pump by default. Shares are ppm of the sound value; charges are permille of a full battery."""

    scale_ppm: int = PPM
    leak_ppm: int = 0
    creep_nL_per_day: int = 0
    stalled: bool = False
    encoder_ppm: int = PPM
    battery_offset: int = 0
    battery_stuck: int | None = None
    drift_ppm: int = 0
    clock_stands: bool = False
    double: bool = False
    queue_bytes: int | None = None
    """At most so many bytes of what comes at once are taken off the line."""

    @property
    def flow(self) -> Hydraulics:
        """The part that the tubing feels."""
        return Hydraulics(min(self.scale_ppm, MOST_SCALE_PPM), self.leak_ppm, min(self.creep_nL_per_day, MOST_CREEP_NL_PER_DAY))


SOUND = Condition()


def together(conditions: Iterable[Condition]) -> Condition:
    """All of them at once, in this order."""
    total = SOUND
    for one in conditions:
        queues = [size for size in (total.queue_bytes, one.queue_bytes) if size is not None]
        total = Condition(
            scale_ppm=total.scale_ppm * one.scale_ppm // PPM,
            leak_ppm=PPM - (PPM - total.leak_ppm) * (PPM - one.leak_ppm) // PPM,
            creep_nL_per_day=total.creep_nL_per_day + one.creep_nL_per_day,
            stalled=total.stalled or one.stalled,
            encoder_ppm=min(total.encoder_ppm * one.encoder_ppm // PPM, 2 * PPM),
            battery_offset=total.battery_offset + one.battery_offset,
            battery_stuck=one.battery_stuck if one.battery_stuck is not None else total.battery_stuck,
            drift_ppm=total.drift_ppm + one.drift_ppm,
            clock_stands=total.clock_stands or one.clock_stands,
            double=total.double or one.double,
            queue_bytes=min(queues, default=None),
        )
    return total
