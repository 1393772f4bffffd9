"""Which refused handshakes are written to the log, so that whoever knows a paired id cannot wash it out, however long or in what rhythm.

For each programmer the first refusal of a series is logged at once, the next ones 1 h, 2 h, 4 h … and at last 24 h after the entry before,
with how many were refused in between; a day without any ends the series. Over all programmers no more than 16 entries and one more for each
day: a year of refusals in all eight names takes 381 of the log's 1,024 places.

The counts are kept beside the log and not in it. After a reset the newest entries of the log say how far each series is; refusals that were
only counted until then are forgotten. Times are uptime, ms. Pure. Not here: answering (the link's budget), alarms.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from firmware_sim.firmware.log import ENTRIES, EventLog
from firmware_sim.firmware.memory import Memory
from itbpump.wire.messages import LogKind

__all__ = ["BURST", "DAY_MS", "FIRST_WAIT_MS", "Entry", "RefusalLog", "detail", "most_entries", "refused_before"]

FIRST_WAIT_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
"""Longest wait, the quiet that ends a series, and the time for one entry more, all [D]."""
BURST: Final = 16  # [D] two for each of the eight programmers
_LAST_DOUBLING: Final = 5
_SINCE_BITS: Final = 32
_MOST_SINCE: Final = 0xFFFF_FFFF


class Entry(NamedTuple):
    """A refusal in the log: when, under which programmer's id, and how many were refused since that programmer's entry before."""

    at_ms: int
    programmer: int
    since: int


@dataclass(slots=True)
class _Series:
    last_ms: int
    logged_ms: int | None = None
    doublings: int = 0
    untold: int = 0

    def wait_ms(self) -> int:
        return min(FIRST_WAIT_MS << min(self.doublings, _LAST_DOUBLING), DAY_MS)


class RefusalLog:
    """Says of each refusal whether it is logged. `logged`: the entries that the log still holds, oldest first; `now_ms`: the time of a
    start after a reset, which none of them counts as after.
    """

    def __init__(self, logged: Iterable[Entry] = (), now_ms: int = 0) -> None:
        self._series: dict[int, _Series] = {}
        self._free_from_ms = 0
        for entry in logged:
            at_ms = min(entry.at_ms, now_ms)
            series = self._series.get(entry.programmer)
            # Without one refused in between, a day between two entries was a quiet one.
            begins = series is None or (entry.since == 0 and at_ms - series.last_ms >= DAY_MS)
            self._log(self._series.setdefault(entry.programmer, _Series(at_ms)), at_ms, begins=begins)
        self._free_from_ms = min(self._free_from_ms, now_ms + BURST * DAY_MS)

    def heard(self, programmer: int, now_ms: int) -> int | None:
        """A handshake of this programmer was refused: how many were since its last entry, if this one is to be logged; None if not."""
        series = self._series.setdefault(programmer, _Series(now_ms))
        begins = series.logged_ms is None or now_ms - series.last_ms >= DAY_MS
        series.last_ms = now_ms
        is_due = begins or now_ms - (series.logged_ms or 0) >= series.wait_ms()
        if not is_due or self._free_from_ms - now_ms > (BURST - 1) * DAY_MS:
            series.untold += 1
            return None
        return self._log(series, now_ms, begins=begins)

    def _log(self, series: _Series, at_ms: int, *, begins: bool) -> int:
        told, series.untold = series.untold, 0
        series.doublings = 0 if begins else series.doublings + 1
        series.logged_ms = series.last_ms = at_ms
        self._free_from_ms = max(self._free_from_ms, at_ms) + DAY_MS
        return told


def detail(reason: int, since: int) -> int:
    """Second argument of the log entry (itbp1.toml, log_arguments.handshake_failed)."""
    return min(since, _MOST_SINCE) << _SINCE_BITS | reason


def refused_before(log: EventLog, memory: Memory) -> list[Entry]:
    """What the log still tells of programmers that are paired, oldest first."""
    found = (entry for entry in log.page(0, ENTRIES) if entry.kind is LogKind.HANDSHAKE_FAILED)
    paired = (entry for entry in found if memory.pairing(entry.a.to_bytes(8, "big")) is not None)
    return [Entry(entry.uptime_ms, entry.a, entry.b >> _SINCE_BITS) for entry in paired]


def most_entries(days: int) -> int:
    """The most entries that refusals can leave within so many days."""
    return BURST + days
