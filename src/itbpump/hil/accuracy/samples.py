"""Samples of a flow: what has been given since the start, every S ms, as whole nL. From single pulses, or from readings of a balance.

Not modelled: what a balance does between two readings (the last one counts), evaporation, buoyancy.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from itbpump.hil.accuracy.errors import AccuracyError

__all__ = ["Samples"]

# Differences of two volumes then fit in 64 bits, whoever subtracts them.
_MOST_NL = 1 << 62


@dataclass(frozen=True, slots=True)
class Samples:
    """`cumulative_nL[k]`: volume given in (start, start + k × step]; the first is 0. Read only, though an array."""

    start_ms: int
    step_ms: int
    cumulative_nL: array[int]

    @classmethod
    def of(cls, start_ms: int, step_ms: int, cumulative_nL: Iterable[int]) -> Samples:
        """From totals; what was given before the start (the first of them) is taken off.

        Raises AccuracyError for an interval below 1 ms, fewer than two totals, or volumes beyond 2^62 nL.
        """
        totals = list(cumulative_nL)
        if step_ms < 1 or len(totals) < 2:
            raise AccuracyError(f"{len(totals)} totals every {step_ms} ms", "give at least two, an interval of at least 1 ms apart")
        if any(abs(total) > _MOST_NL for total in (min(totals), max(totals))):
            raise AccuracyError("a volume beyond 2^62 nL", "give nanolitres")
        return cls(start_ms, step_ms, array("q", [total - totals[0] for total in totals]))

    @classmethod
    def from_pulses(cls, pulses: Iterable[tuple[int, int]], start_ms: int, step_ms: int, count: int) -> Samples:
        """`count` samples from pulses (time in ms, volume in nL) in order of time. A pulse at a sample's very end belongs to it; pulses
        up to the start, and after the last sample, do not count. Raises AccuracyError as `of`, and for times that go back."""
        given, total, before, due = [0], 0, None, start_ms + step_ms
        for at_ms, volume_nL in pulses:
            if before is not None and at_ms < before:
                raise AccuracyError(f"a pulse at {at_ms} ms after one at {before} ms", "give pulses in order of time")
            before = at_ms
            while at_ms > due and len(given) <= count and step_ms > 0:
                given.append(total)
                due += step_ms
            if at_ms > start_ms:
                total += volume_nL
        given += [total] * (count + 1 - len(given))
        return cls.of(start_ms, step_ms, given[: count + 1])

    @classmethod
    def from_readings(cls, readings: Sequence[tuple[int, int]], start_ms: int, step_ms: int, count: int, patience_ms: int) -> Samples:
        """`count` samples from readings (time in ms, total in nL) of a balance: at each sample's end the last reading counts.

        Raises AccuracyError as `of`, for times that go back, and where that reading is more than `patience_ms` old.
        """
        totals: list[int] = []
        newest = -1
        for place in range(count + 1):
            now_ms = start_ms + place * step_ms
            while newest + 1 < len(readings) and readings[newest + 1][0] <= now_ms:
                newest += 1
                if newest and readings[newest][0] < readings[newest - 1][0]:
                    raise AccuracyError(f"readings go back to {readings[newest][0]} ms", "give them in order of time")
            if newest < 0 or now_ms - readings[newest][0] > patience_ms:
                raise AccuracyError(f"no reading in the {patience_ms} ms before {now_ms} ms", "read more often, or allow older ones")
            totals.append(readings[newest][1])
        return cls.of(start_ms, step_ms, totals)

    @property
    def period_ms(self) -> int:
        """How long they go."""
        return (len(self.cumulative_nL) - 1) * self.step_ms

    @property
    def volume_nL(self) -> int:
        """Given in all of it."""
        return self.cumulative_nL[-1]

    def between(self, from_ms: int, to_ms: int) -> Samples:
        """The part from one sample's end to another's. Raises AccuracyError for times that are none, or less than one sample."""
        first, last = (self._place(at_ms) for at_ms in (from_ms, to_ms))
        return Samples.of(from_ms, self.step_ms, self.cumulative_nL[first : last + 1])

    def coarser(self, step_ms: int) -> Samples:
        """The same flow sampled every `step_ms`, a multiple of the interval; a rest shorter than that is dropped. Raises AccuracyError."""
        if step_ms < 1 or step_ms % self.step_ms:
            raise AccuracyError(f"{step_ms} ms is no multiple of the interval of {self.step_ms} ms", "sample finer")
        return Samples.of(self.start_ms, step_ms, self.cumulative_nL[:: step_ms // self.step_ms])

    def _place(self, at_ms: int) -> int:
        place, rest = divmod(at_ms - self.start_ms, self.step_ms)
        if rest or not 0 <= place < len(self.cumulative_nL):
            raise AccuracyError(
                f"no sample ends at {at_ms} ms", f"give {self.start_ms} ms and whole multiples of {self.step_ms} ms after it"
            )
        return place
