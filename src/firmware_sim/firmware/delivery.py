"""From scheduled volume to motor pulses: phases of delivery and the residual carried between them.

A phase runs one source of volume from its start; the pump has given ⌊V/p + ½⌋ pulses of the volume V scheduled since formatting, so
pulses stay within half a pulse of the schedule at every instant, across any number of phases (docs/architecture.md, "Exact delivery").
Everything is immutable and a function of uptime; who may start which phase is decided in `core`. Not modelled: what a pulse truly
delivers (the plant).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from firmware_sim.firmware.cycle import UNITS_PER_NL, Cycle

__all__ = ["BolusSource", "ConstantSource", "CycleSource", "Delivery", "NoFlow", "Phase", "Source", "resume_delivery"]


class Source(Protocol):
    """Scheduled volume as a function of uptime; immutable. Spans are (from_ms, to_ms] with to_ms ≥ from_ms."""

    def volume_units(self, from_ms: int, to_ms: int) -> int:
        """Scheduled volume, units (1/86,400,000 nL), rounded down; additive over adjoining spans."""

    def volume_units_up(self, from_ms: int, to_ms: int) -> int:
        """The same with the volume reached at `to_ms` rounded up; for limits."""

    def uptime_of_volume(self, from_ms: int, units: int) -> int | None:
        """First uptime ≥ from_ms at which `units` have flowed since from_ms; None if never."""

    def flow_at(self, uptime_ms: int) -> int:
        """Flow from `uptime_ms` on, nL/day, rounded down."""

    def breakpoints(self, from_ms: int, to_ms: int) -> Iterator[int]:
        """Uptimes in (from_ms, to_ms] at which the flow changes, ascending."""


@dataclass(frozen=True, slots=True)
class CycleSource:
    """The programmed therapy."""

    cycle: Cycle

    def volume_units(self, from_ms: int, to_ms: int) -> int:
        """See Source."""
        return self.cycle.volume_units(from_ms, to_ms)

    def volume_units_up(self, from_ms: int, to_ms: int) -> int:
        """See Source."""
        return self.cycle.volume_units_up(from_ms, to_ms)

    def uptime_of_volume(self, from_ms: int, units: int) -> int | None:
        """See Source."""
        return self.cycle.uptime_of_volume(from_ms, units)

    def flow_at(self, uptime_ms: int) -> int:
        """See Source."""
        return self.cycle.flow_at(uptime_ms)

    def breakpoints(self, from_ms: int, to_ms: int) -> Iterator[int]:
        """See Source."""
        return self.cycle.breakpoints(from_ms, to_ms)


@dataclass(frozen=True, slots=True)
class BolusSource:
    """A single, priming or patient bolus: `pulses` ≥ 0 spread evenly over `duration_ms` > 0 from `start_ms`; nothing before or after."""

    pulses: int
    duration_ms: int
    start_ms: int
    pulse_volume_nL: int

    def __post_init__(self) -> None:
        if self.pulses < 0 or self.duration_ms <= 0 or self.pulse_volume_nL <= 0:
            raise ValueError(f"not a bolus: {self.pulses} pulses of {self.pulse_volume_nL} nL over {self.duration_ms} ms")

    @property
    def end_ms(self) -> int:
        """Uptime of the last pulse at the latest; the caller starts the next phase here."""
        return self.start_ms + self.duration_ms

    @property
    def whole_units(self) -> int:
        """Volume of the whole bolus, units."""
        return self.pulses * self.pulse_volume_nL * UNITS_PER_NL

    def volume_units(self, from_ms: int, to_ms: int) -> int:
        """See Source."""
        _check_order(from_ms, to_ms)
        return self._reached(to_ms) - self._reached(from_ms)

    def volume_units_up(self, from_ms: int, to_ms: int) -> int:
        """See Source."""
        _check_order(from_ms, to_ms)
        return -(-self.whole_units * self._elapsed(to_ms) // self.duration_ms) - self._reached(from_ms)

    def uptime_of_volume(self, from_ms: int, units: int) -> int | None:
        """See Source."""
        if units <= 0:
            return from_ms
        target = self._reached(from_ms) + units
        if target > self.whole_units:
            return None
        return self.start_ms - (-target * self.duration_ms // self.whole_units)

    def flow_at(self, uptime_ms: int) -> int:
        """See Source."""
        return self.whole_units // self.duration_ms if self.start_ms <= uptime_ms < self.end_ms else 0

    def breakpoints(self, from_ms: int, to_ms: int) -> Iterator[int]:
        """See Source."""
        return (edge_ms for edge_ms in (self.start_ms, self.end_ms) if from_ms < edge_ms <= to_ms)

    def _elapsed(self, uptime_ms: int) -> int:
        # Not a clamped dose: outside its own time a bolus gives nothing.
        return min(max(uptime_ms - self.start_ms, 0), self.duration_ms)

    def _reached(self, uptime_ms: int) -> int:
        return self.whole_units * self._elapsed(uptime_ms) // self.duration_ms


@dataclass(frozen=True, slots=True)
class ConstantSource:
    """A constant flow (≥ 0 nL/day), e.g. a bridge; for ever, the caller ends it."""

    flow_nL_per_day: int

    def __post_init__(self) -> None:
        if self.flow_nL_per_day < 0:
            raise ValueError(f"a flow cannot be negative: {self.flow_nL_per_day} nL/day")

    def volume_units(self, from_ms: int, to_ms: int) -> int:
        """See Source."""
        _check_order(from_ms, to_ms)
        return self.flow_nL_per_day * (to_ms - from_ms)

    def volume_units_up(self, from_ms: int, to_ms: int) -> int:
        """See Source; a constant flow has nothing to round."""
        return self.volume_units(from_ms, to_ms)

    def uptime_of_volume(self, from_ms: int, units: int) -> int | None:
        """See Source."""
        if units <= 0:
            return from_ms
        return None if self.flow_nL_per_day == 0 else from_ms - (-units // self.flow_nL_per_day)

    def flow_at(self, uptime_ms: int) -> int:
        """See Source."""
        return self.flow_nL_per_day

    def breakpoints(self, from_ms: int, to_ms: int) -> Iterator[int]:
        """See Source: none."""
        return iter(())


class NoFlow(ConstantSource):
    """A stopped pump."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(0)


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of delivery from one source; a `firmware_sim.port.PulseTrain`. Pulses are numbered from 1 within the phase.

    residual_units: schedule less pulses at the start, −pU/2 ≤ r < pU/2 with p the pulse volume and U units per nL.
    """

    start_ms: int
    residual_units: int
    pulse_volume_nL: int
    source: Source

    def __post_init__(self) -> None:
        if self.pulse_volume_nL <= 0:
            raise ValueError(f"a pulse volume must be positive: {self.pulse_volume_nL} nL")
        if not -self.pulse_units <= 2 * self.residual_units < self.pulse_units:
            raise ValueError(f"a residual of {self.residual_units} units is not within half a pulse of {self.pulse_units} units")

    @property
    def pulse_units(self) -> int:
        """Volume of one pulse, units."""
        return self.pulse_volume_nL * UNITS_PER_NL

    def scheduled_units_at(self, uptime_ms: int) -> int:
        """Volume scheduled in (start, uptime_ms], units; 0 before the start."""
        return self.source.volume_units(self.start_ms, uptime_ms) if uptime_ms > self.start_ms else 0

    def count_at(self, uptime_ms: int) -> int:
        """Pulses in (start, uptime_ms]: ⌊(r + V)/pU + ½⌋."""
        return (2 * (self.residual_units + self.scheduled_units_at(uptime_ms)) + self.pulse_units) // (2 * self.pulse_units)

    def time_of_pulse(self, number: int) -> int | None:
        """Uptime of pulse `number` ≥ 1: the first ms at which count_at reaches it; None if never."""
        if number < 1:
            raise ValueError(f"pulses are numbered from 1, not {number}")
        # A pulse volume has an even number of units, so half of it is whole.
        return self.source.uptime_of_volume(self.start_ms, number * self.pulse_units - self.pulse_units // 2 - self.residual_units)

    def residual_at(self, uptime_ms: int) -> int:
        """Schedule less pulses at `uptime_ms`, units, within half a pulse; what the next phase starts from."""
        return self.residual_units + self.scheduled_units_at(uptime_ms) - self.count_at(uptime_ms) * self.pulse_units


@dataclass(frozen=True, slots=True)
class Delivery:
    """The counters of the pump and its present phase; immutable. Make one with `resume_delivery`, also for each new phase.

    The bolus counter moves with the pulses of phases whose source is a BolusSource (single, priming, patient); pattern boluses belong to
    the therapy and do not move it. Queries hold for uptimes from the start of the phase to the start of the next.
    """

    phase: Phase
    lifetime_before: int
    """Lifetime pulses at the start of the phase."""
    bolus_before: int
    """Bolus counter at the start of the phase."""

    def lifetime_at(self, uptime_ms: int) -> int:
        """Pulses since formatting."""
        return self.lifetime_before + self.phase.count_at(uptime_ms)

    def bolus_counter_at(self, uptime_ms: int) -> int:
        """The durable bolus counter."""
        return self.bolus_before + (self.phase.count_at(uptime_ms) if isinstance(self.phase.source, BolusSource) else 0)

    def residual_at(self, uptime_ms: int) -> int:
        """Schedule less pulses, units; persist it with the counters."""
        return self.phase.residual_at(uptime_ms)

    def total_units_at(self, uptime_ms: int) -> int:
        """Volume scheduled since formatting, units."""
        return self.lifetime_before * self.phase.pulse_units + self.phase.residual_units + self.phase.scheduled_units_at(uptime_ms)

    def flow_at(self, uptime_ms: int) -> int:
        """Flow from `uptime_ms` on, nL/day, rounded down."""
        return self.phase.source.flow_at(uptime_ms)

    def time_of_lifetime(self, pulses: int) -> int | None:
        """First uptime in this phase at which the lifetime count is `pulses` or more (its start if it already was); None if never."""
        ahead = pulses - self.lifetime_before
        return self.phase.start_ms if ahead <= 0 else self.phase.time_of_pulse(ahead)

    def next_pulse_after(self, uptime_ms: int) -> int | None:
        """Uptime of the first pulse after `uptime_ms`; None if the phase gives no more."""
        return self.phase.time_of_pulse(self.phase.count_at(uptime_ms) + 1)


def resume_delivery(
    pulse_volume_nL: int, source: Source, at_ms: int, *, residual_units: int = 0, lifetime_pulses: int = 0, bolus_counter: int = 0
) -> Delivery:
    """Delivery from journaled counters: a fresh pump, a new phase, or a start after a reset. What was not delivered while the pump was
    down is not caught up."""
    if lifetime_pulses < 0 or bolus_counter < 0:
        raise ValueError(f"counters cannot be negative: lifetime {lifetime_pulses}, bolus {bolus_counter}")
    return Delivery(Phase(at_ms, residual_units, pulse_volume_nL, source), lifetime_pulses, bolus_counter)


def _check_order(from_ms: int, to_ms: int) -> None:
    if to_ms < from_ms:
        raise ValueError(f"a span of time cannot end ({to_ms} ms) before it begins ({from_ms} ms)")
