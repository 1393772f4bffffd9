"""Which trains ran when, so that pulses and past states can be computed on demand. Bounded: the oldest stretches are forgotten.

An epoch is the time between two events made from outside (fill, aspiration, new catheter, a fault of the tubing): inside it everything
is a function of the pulses made and, where the rollers leak, of time. A stretch is the time in which one train ran in one epoch, stalled
or not; a pulse outside any train is a stretch of no length.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

from firmware_sim.plant.errors import HistoryGoneError, PlantError
from firmware_sim.plant.hydraulics import SOUND, Hydraulics
from firmware_sim.plant.motor import Encoder
from firmware_sim.plant.path import Path
from firmware_sim.plant.reservoir import Contents
from firmware_sim.plant.truth import Ledger
from firmware_sim.port import PulseTrain

MAX_STRETCHES = 1024


@dataclass(frozen=True, slots=True)
class Epoch:
    """State right after a hand-made event; the base from which the time up to the next is computed."""

    reservoir: Contents
    residual_nL: int
    path: Path
    true_nL: int
    """W of the pulses made before."""
    delivered_nL: int
    tip_fg: float
    ledger: Ledger
    at_ms: int = 0
    flow: Hydraulics = SOUND

    def displaced_nL(self, true_nL: int, at_ms: int) -> int:
        """What has left the reservoir since the event, once the motor has moved `true_nL` in its life, at `at_ms`."""
        there = max(0, self.reservoir.volume_nL - self.residual_nL)
        return min(self.flow.moved_nL(true_nL - self.true_nL, at_ms - self.at_ms), there)

    def entered_nL(self, true_nL: int, at_ms: int) -> int:
        """The part of it that has entered the path; the rest is lost before."""
        displaced = self.displaced_nL(true_nL, at_ms)
        return displaced - self.flow.lost_nL(displaced)

    def ledger_after(self, displaced_nL: int) -> Ledger:
        """The ledger with what has been lost out of `displaced_nL` since the event."""
        lost = self.flow.lost_nL(displaced_nL)
        if not lost:
            return self.ledger
        known, mass_fg = self.ledger, self.reservoir.mass_of_fg(displaced_nL)
        return replace(known, lost_nL=known.lost_nL + lost, lost_fg=known.lost_fg + mass_fg * lost // displaced_nL)

    def inlet_fg_per_nL(self) -> float:
        """Concentration entering the path."""
        return float(self.reservoir.concentration_ng_per_mL)


@dataclass(slots=True)
class Stretch:
    """One train from `from_ms` to `to_ms`. The counters are those at `from_ms`; `offset` is the train's own count there."""

    epoch: Epoch
    train: PulseTrain | None
    from_ms: int
    to_ms: int
    stalled: bool
    encoder: Encoder
    offset: int
    commanded: int
    made: int
    by_hand: bool = False
    """No train: a single pulse at `from_ms` itself. Counters are those before it."""

    def train_count(self, at_ms: int) -> int:
        """Pulses of the train in (from_ms, at_ms]."""
        return self.train.count_at(at_ms) - self.offset if self.train is not None else 0

    def commanded_at(self, at_ms: int) -> int:
        """Pulses commanded since manufacture."""
        return self.commanded + self.train_count(at_ms)

    def made_at(self, at_ms: int) -> int:
        """Pulses made since manufacture."""
        return self.made if self.stalled else self.commanded_at(at_ms) - self.commanded + self.made

    def made_pulses(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
        """(uptime, number since manufacture) of each pulse of this stretch made in (from_ms, to_ms]."""
        if self.stalled:
            return
        if self.by_hand and from_ms < self.from_ms <= to_ms:
            yield self.from_ms, self.made + 1
        if self.train is None:
            return
        from_ms, to_ms = max(from_ms, self.from_ms), min(to_ms, self.to_ms)
        first, last = self.train_count(from_ms) + 1, self.train_count(to_ms)
        for number in range(first, last + 1):
            at_ms = self.train.time_of_pulse(self.offset + number)
            if at_ms is None:
                raise PlantError(f"the train counts {last} pulses up to {to_ms} ms but gives no time for pulse {self.offset + number}")
            yield at_ms, self.made + number


class History:
    """The kept stretches, without gaps, in order of time. `floor_ms` is the first moment that can be answered."""

    def __init__(self, floor_ms: int) -> None:
        self.floor_ms = floor_ms
        self._stretches: list[Stretch] = []
        self._starts: list[int] = []

    def add(self, stretch: Stretch) -> None:
        """Append the stretch that follows; a stretch that goes on is made longer instead."""
        if self._stretches:
            last = self._stretches[-1]
            unlike = last.by_hand or stretch.by_hand or last.encoder is not stretch.encoder
            if not unlike and last.train is stretch.train and last.epoch is stretch.epoch and last.stalled == stretch.stalled:
                last.to_ms = stretch.to_ms
                return
        self._stretches.append(stretch)
        self._starts.append(stretch.from_ms)

    def next_floor_ms(self) -> int | None:
        """Where the history will begin once the older half is forgotten; None while there is room."""
        return self._starts[MAX_STRETCHES] if len(self._starts) >= 2 * MAX_STRETCHES else None

    def forget_older_half(self) -> None:
        """Make room, in halves so that it costs little."""
        del self._stretches[:MAX_STRETCHES]
        del self._starts[:MAX_STRETCHES]
        self.floor_ms = self._starts[0]

    def at(self, at_ms: int) -> Stretch:
        """The latest stretch that has begun at `at_ms`, which must lie inside what is kept."""
        return self._stretches[bisect_right(self._starts, at_ms) - 1]

    def between(self, from_ms: int, to_ms: int) -> list[Stretch]:
        """Stretches that may have pulses in (from_ms, to_ms]. Raises HistoryGoneError."""
        if from_ms < self.floor_ms:
            raise HistoryGoneError(from_ms, self.floor_ms)
        return self._stretches[max(0, bisect_right(self._starts, from_ms) - 1) : bisect_right(self._starts, to_ms)]

    def __len__(self) -> int:
        return len(self._stretches)
