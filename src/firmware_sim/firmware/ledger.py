"""What was given: drug mass of the last 24 h on pump uptime, and the record of patient boluses.

Mass is kept as scheduled volume times concentration in whole mass units (`MASS_UNITS_PER_NG` of them make 1 ng) and divided once, at the
end. Pulses differ from the schedule by half a pulse at most. Whatever has to be simplified (bounded memory, hourly buckets after a reset)
is counted too high, never too low. Not modelled: what is still on its way in the catheter; mass counts when it leaves the pump.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise

from firmware_sim.firmware.cycle import DAY_MS, HOUR_MS, UNITS_PER_NL
from firmware_sim.firmware.delivery import Source

__all__ = [
    "BUCKETS",
    "MASS_UNITS_PER_NG",
    "MAX_ENTRIES",
    "MAX_PATIENT_STARTS",
    "Denial",
    "Ledger",
    "Lump",
    "PatientRecord",
    "Stretch",
    "mass_ng",
    "mass_ng_up",
    "max_future_mass_24h",
    "never_more",
]

# volume unit × ng/mL: 86,400,000 units make a nL, 1,000,000 nL a mL
MASS_UNITS_PER_NG = UNITS_PER_NL * 1_000_000
BUCKETS = 25  # any 24 h lie within 25 whole hours
MAX_ENTRIES = 64  # every patient bolus of a day makes two phases (24 × 2), which leaves 16 for everything else
MAX_PATIENT_STARTS = 24  # the wire protocol's largest allotment
HORIZON_MS = 2 * DAY_MS


def mass_ng(mass_units: int) -> int:
    """Mass in ng, rounded down: for reports."""
    return mass_units // MASS_UNITS_PER_NG


def mass_ng_up(mass_units: int) -> int:
    """Mass in ng, rounded up: for limits."""
    return -(-mass_units // MASS_UNITS_PER_NG)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Delivery from one source at one concentration (ng/mL) in (from_ms, to_ms]."""

    from_ms: int
    to_ms: int
    source: Source
    concentration_ng_per_mL: int

    def __post_init__(self) -> None:
        if self.to_ms < self.from_ms or self.concentration_ng_per_mL < 0:
            raise ValueError(f"not a stretch of delivery: {self.from_ms} to {self.to_ms} ms at {self.concentration_ng_per_mL} ng/mL")

    def mass_units_between(self, from_ms: int, to_ms: int) -> int:
        """Mass units of the part of the stretch within (from_ms, to_ms]."""
        first_ms, last_ms = max(from_ms, self.from_ms), min(to_ms, self.to_ms)
        return self.source.volume_units(first_ms, last_ms) * self.concentration_ng_per_mL if first_ms < last_ms else 0


@dataclass(frozen=True, slots=True)
class Lump:
    """Mass given some time in (from_ms, to_ms]; counts whole in every window that reaches into it."""

    from_ms: int
    to_ms: int
    mass_units: int

    def mass_units_between(self, from_ms: int, to_ms: int) -> int:
        """All of it or nothing."""
        return self.mass_units if self.from_ms < to_ms and self.to_ms > from_ms else 0


@dataclass(frozen=True, slots=True)
class Ledger:
    """Deliveries of the last 24 h, oldest first, and the running one; immutable, bounded. `Ledger()` knows of none."""

    closed: tuple[Stretch | Lump, ...] = ()
    running: Stretch | None = None
    """Its end is not known yet; `to_ms` equals `from_ms`."""

    def begin(self, source: Source, concentration_ng_per_mL: int, at_ms: int) -> Ledger:
        """End the running stretch at `at_ms` and begin another. Call it at every change of phase. ValueError for a time gone by."""
        closed = [*self.closed]
        if self.running is not None:
            closed.append(replace(self.running, to_ms=at_ms))
        kept = [entry for entry in closed if entry.to_ms > max(at_ms - DAY_MS, entry.from_ms)]
        return Ledger(_bounded(kept), Stretch(at_ms, at_ms, source, concentration_ng_per_mL))

    def entries_until(self, at_ms: int) -> tuple[Stretch | Lump, ...]:
        """All entries, the running one ended at `at_ms` (not before it began)."""
        return self.closed if self.running is None else (*self.closed, replace(self.running, to_ms=at_ms))

    def mass_units_between(self, from_ms: int, to_ms: int) -> int:
        """Mass units given in (from_ms, to_ms], at most 24 h back from the present; lumps whole."""
        running = 0
        if self.running is not None and to_ms > self.running.from_ms:
            running = replace(self.running, to_ms=to_ms).mass_units_between(from_ms, to_ms)
        return running + sum(entry.mass_units_between(from_ms, to_ms) for entry in self.closed)

    def mass_between(self, from_ms: int, to_ms: int) -> int:
        """ng given in (from_ms, to_ms], rounded down."""
        return mass_ng(self.mass_units_between(from_ms, to_ms))

    def mass_24h(self, at_ms: int) -> int:
        """ng given in the 24 h up to `at_ms`, rounded down."""
        return self.mass_between(at_ms - DAY_MS, at_ms)

    def buckets(self, at_ms: int) -> tuple[int, ...]:
        """Durable form at `at_ms`: ng, rounded up, of 25 whole hours of uptime, oldest first; the last is the hour that holds `at_ms`."""
        first_ms = _first_bucket_ms(at_ms)
        units = [0] * BUCKETS
        for entry in self.entries_until(at_ms):
            if isinstance(entry, Lump):
                # Where it ends: there it leaves the 24 h last.
                index = (entry.to_ms - 1 - first_ms) // HOUR_MS
                if 0 <= index < BUCKETS:
                    units[index] += entry.mass_units
            else:
                for index in range(BUCKETS):
                    start_ms = first_ms + index * HOUR_MS
                    units[index] += entry.mass_units_between(start_ms, start_ms + HOUR_MS)
        return tuple(mass_ng_up(amount) for amount in units)

    @classmethod
    def from_buckets(cls, buckets: Sequence[int], at_ms: int) -> Ledger:
        """Ledger from `buckets(at_ms)`. An hour only partly inside a window counts whole: too high by less than an hour's delivery."""
        if len(buckets) != BUCKETS or min(buckets) < 0:
            raise ValueError(f"a durable ledger is {BUCKETS} masses of at least 0 ng, not {list(buckets)}")
        first_ms = _first_bucket_ms(at_ms)
        starts = range(first_ms, first_ms + BUCKETS * HOUR_MS, HOUR_MS)
        entries = zip(starts, buckets, strict=True)
        return cls(tuple(Lump(start_ms, min(start_ms + HOUR_MS, at_ms), ng * MASS_UNITS_PER_NG) for start_ms, ng in entries if ng))


def _first_bucket_ms(at_ms: int) -> int:
    return (at_ms - 1) // HOUR_MS * HOUR_MS - (BUCKETS - 1) * HOUR_MS


def _bounded(entries: list[Stretch | Lump]) -> tuple[Stretch | Lump, ...]:
    """At most MAX_ENTRIES: neighbours that together span the least time become one lump, which can only count too high."""
    while len(entries) > MAX_ENTRIES:
        at = min(range(len(entries) - 1), key=lambda index: entries[index + 1].to_ms - entries[index].from_ms)
        first, second = entries[at], entries[at + 1]
        units = first.mass_units_between(first.from_ms, first.to_ms) + second.mass_units_between(second.from_ms, second.to_ms)
        entries = [*entries[:at], Lump(first.from_ms, second.to_ms, units), *entries[at + 2 :]]
    return tuple(entries)


class _Given:
    """Mass units reached by a row of stretches, as a function of uptime."""

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self._stretches = stretches
        self._starts = [stretch.from_ms for stretch in stretches]
        self._before = [0]
        for stretch in stretches:
            self._before.append(self._before[-1] + stretch.mass_units_between(stretch.from_ms, stretch.to_ms))

    def until(self, uptime_ms: int, *, up: bool) -> int:
        index = bisect_right(self._starts, uptime_ms) - 1
        if index < 0:
            return 0
        stretch = self._stretches[index]
        if uptime_ms >= stretch.to_ms:
            return self._before[index + 1]
        volume_units = (stretch.source.volume_units_up if up else stretch.source.volume_units)(stretch.from_ms, uptime_ms)
        return self._before[index] + volume_units * stretch.concentration_ng_per_mL


def max_future_mass_24h(ledger: Ledger, plan: Sequence[Stretch], now_ms: int) -> int:
    """Largest mass, ng rounded up, in any 24 h that end in (now, now + 48 h], when `plan` runs from `now_ms` on (SR-07).

    plan: stretches in order of time, none before `now_ms`; a bolus about to be given is the first of them. What `ledger` holds counts with
    it. The mass of a sliding window is piecewise linear in its position: it is largest where an end of the window meets a breakpoint.
    """
    if any(stretch.from_ms < now_ms for stretch in plan) or any(b.from_ms < a.to_ms for a, b in pairwise(plan)):
        raise ValueError("a plan is a row of stretches in order of time, none before now")
    entries = ledger.entries_until(now_ms)
    lumps = [entry for entry in entries if isinstance(entry, Lump)]
    given = _Given([*(entry for entry in entries if isinstance(entry, Stretch)), *plan])
    ends = {now_ms + 1, now_ms + HORIZON_MS}
    for lump in lumps:
        # the last ms at which a window still reaches into it, and the first at which none does
        ends.update((lump.to_ms + DAY_MS - 1, lump.to_ms + DAY_MS))
    for stretch in (*(entry for entry in entries if isinstance(entry, Stretch)), *plan):
        # No window reaches further back than 24 h, however long the stretch has run.
        first_ms, last_ms = max(stretch.from_ms, now_ms - DAY_MS), min(stretch.to_ms, now_ms + HORIZON_MS)
        for edge_ms in (first_ms, last_ms, *stretch.source.breakpoints(first_ms, last_ms)):
            ends.update((edge_ms, edge_ms + DAY_MS))
    best = 0
    for end_ms in ends:
        if now_ms < end_ms <= now_ms + HORIZON_MS:
            start_ms = end_ms - DAY_MS
            units = given.until(end_ms, up=True) - given.until(start_ms, up=False)
            best = max(best, units + sum(lump.mass_units_between(start_ms, end_ms) for lump in lumps))
    return mass_ng_up(best)


def never_more(plan: Sequence[Stretch], other: Sequence[Stretch], from_ms: int) -> bool:
    """Whether `plan` gives drug nowhere in the 48 h after `from_ms` faster than `other`. Between breakpoints both are linear in time."""
    to_ms = from_ms + HORIZON_MS
    edges = {from_ms, to_ms}
    for stretch in (*plan, *other):
        edges.update((stretch.from_ms, stretch.to_ms, *stretch.source.breakpoints(stretch.from_ms, stretch.to_ms)))
    for first_ms, last_ms in pairwise(sorted(edge_ms for edge_ms in edges if from_ms <= edge_ms <= to_ms)):
        mine, its = (sum(stretch.mass_units_between(first_ms, last_ms) for stretch in each) for each in (plan, other))
        if mine > its:
            return False
    return True


class Denial(IntEnum):
    """Why a patient bolus was not given."""

    NONE_ALLOWED = 1
    NOT_RUNNING = 2
    BOLUS_RUNNING = 3
    LOCKOUT = 4
    ALLOTMENT = 5
    MASS_24H = 6
    RESERVOIR = 7
    PATIENT_DOSE = 8
    """Too much by the concentration that the path may still hold."""


@dataclass(frozen=True, slots=True)
class PatientRecord:
    """Patient boluses: starts of the last 24 h (uptime, ascending, at most 24) and counters since formatting. Immutable.

    Lockout and allotment run on pump uptime from start to start (SR-14, SR-15); how much of a bolus was given does not matter.
    """

    starts_ms: tuple[int, ...] = ()
    granted: int = 0
    denied: int = 0

    def __post_init__(self) -> None:
        if len(self.starts_ms) > MAX_PATIENT_STARTS or list(self.starts_ms) != sorted(self.starts_ms) or min(self.granted, self.denied) < 0:
            raise ValueError(f"not a record of patient boluses: starts {self.starts_ms}, granted {self.granted}, denied {self.denied}")

    def granted_24h(self, at_ms: int) -> int:
        """Boluses started in (at_ms − 24 h, at_ms]; one at exactly 24 h ago no longer counts."""
        return sum(start_ms > at_ms - DAY_MS for start_ms in self.starts_ms)

    def lockout_left_ms(self, at_ms: int, lockout_ms: int) -> int:
        """Time until the lockout allows the next start; 0 when it does."""
        return max(0, self.starts_ms[-1] + lockout_ms - at_ms) if self.starts_ms else 0

    def may_start(self, at_ms: int, lockout_ms: int, max_per_day: int) -> Denial | None:
        """What forbids a start at `at_ms`: lockout or allotment; None if neither does."""
        if self.lockout_left_ms(at_ms, lockout_ms) > 0:
            return Denial.LOCKOUT
        return Denial.ALLOTMENT if self.granted_24h(at_ms) >= max_per_day else None

    def grant(self, at_ms: int) -> PatientRecord:
        """Record a start. The last start stays even when older than 24 h, for lockouts longer than a day."""
        kept = tuple(start_ms for start_ms in self.starts_ms if start_ms > at_ms - DAY_MS)
        return PatientRecord((*kept, at_ms), self.granted + 1, self.denied)

    def deny(self) -> PatientRecord:
        """Count a denied request."""
        return replace(self, denied=self.denied + 1)
