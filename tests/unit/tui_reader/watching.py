"""A reader under test: what it publishes is kept, time is moved by hand, and tests wait for what they expect, never for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from random import Random

from itbpump.hoststate import HostState
from itbpump.pump import Pump
from itbpump.tui.reader import Reader
from itbpump.tui.readerlogic import Timing
from itbpump.tui.snapshot import LinkWord, Snapshot
from itbpump.wire.messages import Role
from tests.unit.client.lines import EXAMPLES, Line, host, joined

RUNNING = f"sim://P-40?rx={EXAMPLES / 'flex-weekday-weekend.toml'}&seed=1"
PATIENCE_S = 20.0
NEVER = Timing(poll_ms=86_400_000, fast_ms=86_400_000)
"""Nothing is read but at the beginning, after a job, and when somebody asks."""


class Clock:
    """The reader's monotonic clock, ms."""

    def __init__(self) -> None:
        self.ms = 1_000_000

    def __call__(self) -> int:
        return self.ms


class Watch:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.seen: list[Snapshot] = []
        self._changed = threading.Condition()

    def __call__(self, snapshot: Snapshot) -> None:
        with self._changed:
            self.seen.append(snapshot)
            self._changed.notify_all()

    @property
    def last(self) -> Snapshot:
        return self.seen[-1]

    def until(self, holds: Callable[[Snapshot], bool]) -> Snapshot:
        """The first snapshot from now on, the last one included, of which `holds` is so."""
        start = max(0, len(self.seen) - 1)
        with self._changed:
            found = self._changed.wait_for(lambda: next((s for s in self.seen[start:] if holds(s)), None), PATIENCE_S)
        assert found is not None, f"not seen; the last was {self.seen[-1] if self.seen else 'none'}"
        return found

    def until_word(self, word: LinkWord) -> Snapshot:
        return self.until(lambda snapshot: snapshot.link.word is word)


def is_read(snapshot: Snapshot) -> bool:
    """Everything there is to read of a running pump has been read."""
    return snapshot.link.word is LinkWord.LIVE and snapshot.dates is not None and snapshot.log_complete


class Bench:
    """A running simulated pump in manual time behind a line that can be disturbed, and a reader of it."""

    def __init__(self, *, url: str = RUNNING, role: Role = Role.CLINICIAN, timing: Timing = NEVER) -> None:
        self.line = Line(url)
        self.state: HostState = host(self.line, role=role)
        self.clock = Clock()
        self.watch = Watch()
        self.pumps: list[Pump] = []
        self.reader = Reader(self.connect, self.watch, timing=timing, monotonic=self.clock)

    def connect(self) -> Pump:
        pump = joined(self.line, self.state, seed=len(self.pumps) + 1)
        self.pumps.append(pump)
        return pump

    def word(self) -> LinkWord:
        """State of the line as told last."""
        return self.watch.last.link.word

    def turns(self, most: int = 200) -> None:
        """Without a thread: everything that is to be done at this moment."""
        for _ in range(most):
            if self.reader.turn() is not None:
                return
        raise AssertionError("the reader finds no rest")


def at(snapshot: Snapshot) -> datetime:
    assert snapshot.read_at is not None
    return snapshot.read_at


def seeded(seed: int) -> Callable[[int], bytes]:
    return Random(seed).randbytes
