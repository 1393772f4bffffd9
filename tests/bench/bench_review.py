"""Speed of a review: a prescription of seven patterns with 48 steps each, against a floor that does the same sums on bare integers.

The floor turns doses into flows and pulses and back, adds up the days and looks for the largest 24 h; it judges nothing and prints
nothing. What it finds is asserted equal to what the review says before anything is timed. The milliseconds are reported, never judged.
"""

from __future__ import annotations

import statistics
import sys
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import accumulate
from typing import Any

from itbpump.configuration import mass_of_units
from itbpump.quantity import Mass, MassRate
from itbpump.safety import review
from itbpump.schedule import UNITS_PER_NL, WEEK_MS, schedule_of_configuration
from itbpump.therapy import Prescription
from tests.bench.__main__ import lines
from tests.bench.figure import Figure

NG_PER_ML, PULSE_NL = 2_000_000, 500
DAY_MS, STEP_MS, BOLUS_MS = 86_400_000, 1_800_000, 600_000
STEPS = 48
ROUNDS = 60
TARGET = 0.06  # of the floor's speed: a review judges, forecasts and names what it found
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Sums:
    """What both sides compute: given amounts in their order, dose of each day, largest 24 h; ng."""

    given: list[int]
    days: list[int]
    highest_24h: int


def amounts(more_mcg: int) -> list[list[tuple[str, int]]]:
    """Seven days of 48 steps: three rates [mcg/h], then a bolus [mcg] over 10 min."""
    return [
        [("dose", 5 + day + more_mcg) if step % 4 == 3 else ("rate", 6 + (step * 7 + day) % 5 + more_mcg) for step in range(STEPS)]
        for day in range(7)
    ]


def prescription(week: list[list[tuple[str, int]]]) -> Prescription:
    """The same as a prescription."""
    patterns = []
    for name, day in zip(WEEKDAYS, week, strict=True):
        steps: list[dict[str, str]] = []
        for number, (kind, mcg) in enumerate(day):
            at = f"{number // 2:02d}:{number % 2 * 30:02d}"
            steps.append({"at": at, "rate": f"{mcg} mcg/h"} if kind == "rate" else {"at": at, "dose": f"{mcg} mcg", "over": "10m"})
        patterns.append({"days": [name], "steps": steps})
    tables: dict[str, Any] = {
        "schema": "itbpump.prescription/1",
        "patient": {"id": "BENCH", "indication": "spinal", "age_years": 46},
        "pump": {
            "profile": "P-40",
            "reservoir_volume": "38 mL",
            "as_of": datetime(2026, 11, 22, 10, tzinfo=timezone(timedelta(hours=-5))),
            "low_reservoir_alarm": "6.5 mL",
        },
        "drug": {"name": "baclofen", "concentration": f"{NG_PER_ML // 1_000} mcg/mL"},
        "catheter": {"path_volume": "0.316 mL"},
        "therapy": {"mode": "flex", "pattern": patterns},
    }
    return Prescription.model_validate(tables)


# ------------------------------------------------------------------------------------------------ the floor
def floor(week: list[list[tuple[str, int]]]) -> Sums:
    """The sums alone. A bolus of this bench has a whole number of volume units each ms, and the step before it goes on after it."""
    rates, boluses, edges, slopes, flow = [], [], [], [], 0
    for number, (kind, mcg) in enumerate(step for day in week for step in day):
        edges.append(number * STEP_MS)
        if kind == "rate":
            flow = mcg * 24_000 * 1_000_000 // NG_PER_ML
            rates.append(flow * NG_PER_ML // 1_000_000)
            slopes.append(flow)
        else:
            pulses = (2 * mcg * 1_000 * 1_000_000 + NG_PER_ML * PULSE_NL - 1) // (2 * NG_PER_ML * PULSE_NL)
            boluses.append(pulses * PULSE_NL * NG_PER_ML // 1_000_000)
            slopes += [pulses * PULSE_NL * UNITS_PER_NL // BOLUS_MS, flow]
            edges.append(number * STEP_MS + BOLUS_MS)
    ends = [*edges[1:], WEEK_MS]
    heights = [0, *accumulate((end - start) * slope for start, end, slope in zip(edges, ends, slopes, strict=True))]
    turn = heights[-1]

    def height(at_ms: int) -> int:
        cycles, within = divmod(at_ms, WEEK_MS)
        place = bisect_right(edges, within) - 1
        return cycles * turn + heights[place] + (within - edges[place]) * slopes[place]

    highest = max(max(height(edge + DAY_MS) - low, low - height(edge - DAY_MS)) for edge, low in zip(edges, heights, strict=False))
    per_ng = UNITS_PER_NL * 1_000_000
    days = [(height((day + 1) * DAY_MS) - height(day * DAY_MS)) * NG_PER_ML for day in range(7)]
    nearest = per_ng // 2
    return Sums(rates + boluses, [(day + nearest) // per_ng for day in days], (highest * NG_PER_ML + nearest) // per_ng)


def assert_same(week: list[list[tuple[str, int]]], rx: Prescription) -> None:
    """The floor's sums are those of the review, to the nanogram."""
    sums, judged = floor(week), review(rx)
    daily, highest = judged.proposed["daily_dose"], judged.proposed["highest_24h"]
    assert highest == MassRate(sums.highest_24h).json()
    assert daily["lowest_day"] == MassRate(min(sums.days)).json()
    assert daily["highest_day"] == MassRate(max(sums.days)).json()
    count = sum(kind == "rate" for day in week for kind, _ in day)
    texts = [str(MassRate(ng, "mcg/h")) for ng in sums.given[:count]] + [str(Mass(ng)) for ng in sums.given[count:]]
    assert [item.achievable for item in judged.achievable] == texts
    assert mass_of_units(UNITS_PER_NL, NG_PER_ML) * 1_000_000 == NG_PER_ML


# ------------------------------------------------------------------------------------------------ measuring
def _seconds(work: Callable[[], object]) -> float:
    schedule_of_configuration.cache_clear()  # as for a prescription never seen before
    start = time.process_time()
    work()
    return time.process_time() - start


def _figures(name: str, ours: Callable[[], object], other: Callable[[], object]) -> list[Figure]:
    ours()
    other()
    pairs = [(_seconds(ours), _seconds(other)) for _ in range(ROUNDS)]
    mine = [pair[0] for pair in pairs]
    return [
        Figure(f"{name} / floor", statistics.median(theirs / ours_s for ours_s, theirs in pairs), TARGET),
        Figure(name, statistics.median(mine) * 1_000, 0, None, "ms", f"fastest {min(mine) * 1_000:.3g} ms, 336 steps"),
    ]


def run() -> list[Figure]:
    """Measure everything; a few seconds."""
    week, before = amounts(0), amounts(1)
    rx, old = prescription(week), prescription(before)
    assert_same(week, rx)
    assert_same(before, old)
    return [
        *_figures("review of a new therapy", lambda: review(rx), lambda: floor(week)),
        *_figures("review beside the present one", lambda: review(rx, old), lambda: (floor(week), floor(before))),
    ]


if __name__ == "__main__":
    figures = run()
    print("\n".join(lines(figures)))
    sys.exit(0 if all(figure.ok for figure in figures) else 1)
