"""A check over registered pumps: rules, state and store in SQLite, at 1,000, 10,000 and 100,000 pumps. Linear, and within a minute.

The second check of a day finds nothing new; the first one opens every alert. One pump in twenty is due, and nothing is sent: the check is
what grows with the clinic. What it wrote is asserted before anything is reported.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine

from itbpump.alerts.job import check
from itbpump.alerts.model import Contact, WatchedPump
from itbpump.alerts.store import AlertStore
from tests.bench.figure import Figure
from tests.unit.alerts.alert_rig import NOW, NURSE, dates, days, engine_at, pump

SIZES = (1_000, 10_000, 100_000)
DUE_EVERY = 20
LIMIT_S, LINEAR = 60, 1.6
LISTED = 10_000
T = TypeVar("T")


@dataclass
class Fleet:
    """Made while it is read, as a registry streams it."""

    engine: Engine
    size: int

    def watched(self, now: datetime) -> Iterator[WatchedPump]:
        return (pump(number, dates=dates(days(5 if number % DUE_EVERY == 0 else 40 + number % 100))) for number in range(self.size))

    def contacts(self) -> Sequence[Contact]:
        return (NURSE,)


def run() -> Iterator[Figure]:
    each_us = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            engine = engine_at(Path(folder) / "registry.db")
            fleet = Fleet(engine, size)
            first_s, first = _timed(lambda fleet=fleet: check(fleet, NOW))  # type: ignore[misc]
            again_s, again = _timed(lambda fleet=fleet: check(fleet, NOW + timedelta(hours=1)))  # type: ignore[misc]
            assert (first.pumps, first.fired, first.told) == (size, size, size // DUE_EVERY)
            assert (again.pumps, again.fired, again.told) == (size, 0, 0)
            each_us.append(max(first_s, again_s) / size * 1e6)
            yield Figure(f"alerts: first check of {size:,} pumps", first_s, LIMIT_S, "at most", "s", "every alert is opened")
            yield Figure(f"alerts: next check of {size:,} pumps", again_s, LIMIT_S, "at most", "s", "nothing new")
            if size == LISTED:
                list_s, rows = _timed(AlertStore(engine).listed)
                assert len(rows) == LISTED
                yield Figure(f"alerts: list of {LISTED:,}", list_s, 1, "at most", "s", "read with deliveries, not printed")
            engine.dispose()
    note = "time per pump, largest clinic to smallest; 1 is linear"
    yield Figure("alerts: growth from 1,000 to 100,000 pumps", each_us[-1] / each_us[0], LINEAR, "at most", "×", note)


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result
