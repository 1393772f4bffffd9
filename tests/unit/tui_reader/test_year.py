"""A reader that is left open for a simulated year keeps no more than it says, and reads as it did on the first day."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import dataclass

import pytest

from itbpump.tui.logmirror import LogMirror, LogView
from itbpump.tui.reader import Reader
from itbpump.tui.readerlogic import Rest, Timing
from itbpump.tui.snapshot import LinkWord, Snapshot
from itbpump.wire.messages import SESSION_IDLE_MS
from tests.unit.tui_reader.watching import Bench

YEAR_MS = 365 * 86_400_000
DAY_MS = 86_400_000


@dataclass
class Last:
    """A face: it keeps the newest snapshot and lets the others go."""

    snapshot: Snapshot | None = None
    count: int = 0

    def __call__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.count += 1


def opened(timing: Timing) -> tuple[Bench, Last]:
    """A bench whose face keeps nothing but the newest snapshot."""
    bench, face = Bench(timing=timing), Last()
    bench.reader = Reader(bench.connect, face, timing=timing, monotonic=bench.clock)
    return bench, face


def live_for(bench: Bench, ms: int) -> int:
    """Every poll at its time, pump time and the reader's going together; once a day the patient asks for a bolus and is denied."""
    end_ms, day, polls = bench.clock.ms + ms, bench.clock.ms // DAY_MS, 0
    while bench.clock.ms < end_ms:
        todo = bench.reader.turn()
        if not isinstance(todo, Rest):
            continue
        polls += 1
        assert todo.until_ms is not None
        bench.line.inner.advance(todo.until_ms - bench.clock.ms)
        bench.clock.ms = todo.until_ms
        if bench.clock.ms // DAY_MS > day:
            day = bench.clock.ms // DAY_MS
            bench.line.device.patient_request()
    return polls


def _kept() -> int:
    gc.collect()
    return sum(isinstance(one, Snapshot | LogView | LogMirror) for one in gc.get_objects())


def test_a_year_of_polls_keeps_bounded_structures() -> None:
    """So seldom that each poll finds its session over, the worst case for the log: two entries for each."""
    before = _kept()
    bench, face = opened(Timing(poll_ms=DAY_MS // 3))
    polls = live_for(bench, YEAR_MS)
    assert polls >= 365 * 3
    snapshot = face.snapshot
    assert snapshot is not None
    assert snapshot.link.word is LinkWord.LIVE
    assert snapshot.log_complete
    assert len(snapshot.log) <= 2 * polls + 2 * 365
    bench.reader.stop()
    assert _kept() - before < 10, "old snapshots are let go"


@pytest.mark.slow
def test_a_season_of_polls_takes_no_memory() -> None:
    """As often as keeps the session: what grows is the log, a few entries a day."""
    bench, face = opened(Timing(poll_ms=SESSION_IDLE_MS - 60_000, refresh_uptime_ms=DAY_MS))
    live_for(bench, YEAR_MS // 50)
    tracemalloc.start()
    try:
        live_for(bench, YEAR_MS // 50)
        gc.collect()
        early, entries = tracemalloc.get_traced_memory()[0], len(face.snapshot.log) if face.snapshot is not None else 0
        live_for(bench, YEAR_MS // 4)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - early
    finally:
        tracemalloc.stop()
    assert face.snapshot is not None
    assert face.count > 9_000
    assert len(face.snapshot.log) - entries < 5 * 365 // 4
    assert grown < 1_000_000, f"{grown:,} bytes more than after a week"
