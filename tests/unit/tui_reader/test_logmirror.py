"""The mirror of the log: what it shows is what the pump holds, however reading and writing take turns; it is bounded and says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from itbpump.pump import Pump
from itbpump.tui.logmirror import EMPTY_LOG, LogMirror, LogView
from itbpump.tui.readings import PAGE_ENTRIES, newer_page, older_page
from itbpump.wire.messages import LogEntry, LogKind


def entry(seq: int, kind: LogKind = LogKind.SESSION_OPEN) -> LogEntry:
    return LogEntry(seq=seq, uptime_ms=seq * 10, wall_s=0, kind=kind, a=seq * 3, b=0)


def entries(first: int, end: int) -> list[LogEntry]:
    return [entry(seq) for seq in range(first, end)]


@dataclass
class RingPump:
    """The log of a pump as it answers GetLog: a ring of `room` entries, `damaged` ones lost; a gap entry tells of what is lost."""

    room: int = 60
    next_seq: int = 0
    damaged: frozenset[int] = frozenset()
    pages: list[int] = field(default_factory=list)

    def holds(self, seq: int) -> bool:
        return max(0, self.next_seq - self.room) <= seq < self.next_seq and seq not in self.damaged

    def _page(self, from_seq: int) -> list[LogEntry]:
        self.pages.append(from_seq)
        page: list[LogEntry] = []
        seq = from_seq
        while seq < self.next_seq and len(page) < PAGE_ENTRIES:
            if self.holds(seq):
                page.append(entry(seq, LogKind.REFILL if seq % 50 == 7 else LogKind.SESSION_OPEN))
                seq += 1
                continue
            first = seq
            while seq < self.next_seq and not self.holds(seq):
                seq += 1
            page.append(LogEntry(seq=seq - 1, uptime_ms=0, wall_s=0, kind=LogKind.GAP, a=seq - first, b=first))
        return page

    def log(self, from_seq: int = 0) -> Iterator[LogEntry]:
        while page := self._page(from_seq):
            yield from page
            from_seq = page[-1].seq + 1
            if from_seq >= self.next_seq:
                return


def as_pump(ring: RingPump) -> Pump:
    return cast("Pump", ring)


def mirror_all(mirror: LogMirror, ring: RingPump) -> None:
    newer_page(as_pump(ring), mirror, ring.next_seq)
    while mirror.end is not None and mirror.end < ring.next_seq:
        newer_page(as_pump(ring), mirror, ring.next_seq)
    while mirror.wants_older:
        older_page(as_pump(ring), mirror)


@given(
    st.lists(st.tuples(st.sampled_from(["write", "newer", "older"]), st.integers(1, 90)), max_size=40), st.frozensets(st.integers(0, 400))
)
@example([("write", 149)], frozenset({101, 102})).via("a gap over the place where two pages meet")
def test_it_holds_what_the_pump_holds_and_gaps_tell_the_rest(turns: list[tuple[str, int]], damaged: frozenset[int]) -> None:
    ring, mirror = RingPump(next_seq=3, damaged=damaged), LogMirror()
    views: list[tuple[LogView, tuple[LogEntry, ...]]] = []
    for what, count in turns:
        if what == "write":
            ring.next_seq += count
        elif what == "newer" or mirror.end is None:
            newer_page(as_pump(ring), mirror, ring.next_seq)
        elif mirror.wants_older:
            older_page(as_pump(ring), mirror)
        views.append((mirror.view(), tuple(mirror.view())))
    mirror_all(mirror, ring)
    got = tuple(mirror.view())
    told = {one.seq for one in got}
    assert all(ring.holds(one.seq) <= (one.kind is not LogKind.GAP) for one in got)
    assert {seq for seq in range(ring.next_seq) if ring.holds(seq)} <= told
    for one, following in pairwise(got):
        step = following.a if following.kind is LogKind.GAP else 1
        assert following.seq == one.seq + step
    assert got[0].seq == 0 or (got[0].kind is LogKind.GAP and (got[0].a, got[0].b) == (got[0].seq + 1, 0))
    assert mirror.end == ring.next_seq
    refills = [one.seq for one in got if one.kind is LogKind.REFILL]
    assert (mirror.last_refill.seq if mirror.last_refill is not None else None) == (refills[-1] if refills else None)
    for view, then in views:
        assert tuple(view) == then, "a view once given has changed"


def test_a_log_that_was_never_lost_is_mirrored_entry_by_entry() -> None:
    ring, mirror = RingPump(next_seq=57), LogMirror()
    mirror_all(mirror, ring)
    assert tuple(mirror.view()) == tuple(ring.log())
    assert mirror.whole
    assert mirror.dropped == 0
    assert ring.pages[0] == 57 - PAGE_ENTRIES, "the newest page comes first"


@pytest.mark.parametrize("damaged", [{7}, {6}, {31}, {32}, {33}, {0}, {56}, {7, 8, 9, 32}])
def test_a_damaged_entry_is_told_where_it_lies(damaged: set[int]) -> None:
    ring, mirror = RingPump(next_seq=57, damaged=frozenset(damaged)), LogMirror()
    mirror_all(mirror, ring)
    assert tuple(mirror.view()) == tuple(ring.log())


def test_a_ring_that_has_gone_round_is_read_without_asking_for_every_lost_page() -> None:
    ring, mirror = RingPump(next_seq=50_000), LogMirror()
    mirror_all(mirror, ring)
    assert tuple(mirror.view()) == tuple(ring.log(0))
    assert len(ring.pages) < 10


@given(st.integers(1, 80), st.integers(0, 60), st.integers(-200, 200), st.integers(-200, 200))
def test_a_view_is_a_sequence_like_a_tuple(newer: int, older: int, start: int, stop: int) -> None:
    mirror = LogMirror()
    mirror.begin(entries(100, 100 + newer), 100, 100 + newer)
    mirror.prepend(entries(100 - older, 100), 100 - older)
    view, whole = mirror.view(), tuple(entries(100 - older, 100 + newer))
    assert (len(view), tuple(view)) == (len(whole), whole)
    assert view[start:stop] == whole[start:stop]
    assert list(reversed(view)) == list(reversed(whole))
    if -len(whole) <= start < len(whole):
        assert view[start] == whole[start]
    else:
        with pytest.raises(IndexError):
            view[start]


def test_snapshots_share_one_log_and_each_keeps_its_length() -> None:
    mirror = LogMirror()
    mirror.begin(entries(0, 10_000), 0, 10_000)
    first = mirror.view()
    mirror.extend(entries(10_000, 10_001))
    second = mirror.view()
    assert (len(first), len(second)) == (10_000, 10_001)
    assert first[-1].seq == 9_999
    assert first[0] is second[0]


def test_it_is_bounded_says_what_it_dropped_and_remembers_the_last_refill() -> None:
    mirror = LogMirror(most=100)
    mirror.begin([entry(0, LogKind.REFILL), *entries(1, 50)], 0, 50)
    before = mirror.view()
    for first in range(50, 1_050, 25):
        mirror.extend(entries(first, first + 25))
        assert len(mirror) <= 100
    view = mirror.view()
    assert [one.seq for one in view] == list(range(1_050 - len(view), 1_050))
    assert mirror.dropped == 1_050 - len(view)
    assert not mirror.whole
    assert not mirror.wants_older, "what was dropped is not read again and dropped again"
    assert mirror.last_refill == entry(0, LogKind.REFILL)
    assert [one.seq for one in before] == list(range(50))


def test_older_pages_stop_at_the_bound() -> None:
    ring, mirror = RingPump(room=1_000, next_seq=1_000), LogMirror(most=100)
    mirror_all(mirror, ring)
    assert 100 <= len(mirror) < 100 + PAGE_ENTRIES
    assert not mirror.whole


@pytest.mark.parametrize(
    "add", [lambda m: m.extend(entries(9, 12)), lambda m: m.prepend(entries(3, 6), 3), lambda m: LogMirror().extend([])]
)
def test_entries_that_do_not_fit_are_refused(add: object) -> None:
    mirror = LogMirror()
    mirror.begin(entries(5, 10), 5, 10)
    assert callable(add)
    with pytest.raises(ValueError, match="do not"):
        add(mirror)
    assert [one.seq for one in mirror.view()] == [5, 6, 7, 8, 9]


def test_a_pump_without_entries_is_a_log_without_entries() -> None:
    mirror = LogMirror()
    newer_page(as_pump(RingPump()), mirror, 0)
    assert (tuple(mirror.view()), mirror.whole, mirror.wants_older) == (tuple(EMPTY_LOG), True, False)
