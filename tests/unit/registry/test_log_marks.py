"""Each contact reads only what of a pump's log the registry does not know: with the same rows as the whole log, and never past a hole."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from itbpump.registry.logmark import WHOLE, LogMark, LogRead, form_of, mark_in, mark_of, read_from
from itbpump.registry.store import Registry
from itbpump.wire.messages import LogEntry, LogKind
from tests.unit.registry.clinic import BY, DAY_MS, NOW, fill_entry, info, view

DAY = timedelta(days=1)
MEMORY = info().memory_id
SERIAL = info().serial


def entry(seq: int, kind: LogKind = LogKind.SESSION_OPEN, **changes: int) -> LogEntry:
    return replace(LogEntry(seq=seq, uptime_ms=seq * 3_600_000, wall_s=0, kind=kind, a=seq, b=0), **changes)


def log_of(count: int, fills: Sequence[int] = ()) -> list[LogEntry]:
    return [fill_entry(seq, seq * 3_600_000, 38_000_000 + seq, 2_000_000) if seq in fills else entry(seq) for seq in range(count)]


class Pump:
    """A log that says what was asked of it; entries before `lost` are overwritten."""

    def __init__(self, log: Sequence[LogEntry], lost: int = 0) -> None:
        self.kept, self.lost, self.asked = list(log), lost, list[int]()

    def log(self, from_seq: int) -> list[LogEntry]:
        self.asked.append(from_seq)
        gap = [entry(self.lost - 1, LogKind.GAP, a=self.lost - from_seq, b=from_seq)] if from_seq < self.lost else []
        return [*gap, *self.kept[max(from_seq, self.lost) :]]


def held(log: Sequence[LogEntry]) -> LogMark:
    mark = mark_of(log, WHOLE, None)
    assert mark is not None
    return mark


# ------------------------------------------------------------------------------------------------ what is read
@pytest.mark.sr("SR-36")
def test_only_what_is_newer_is_read_with_the_fill_that_dates_count_from() -> None:
    log = log_of(40, fills=(3, 7))
    pump = Pump(log)
    assert read_from(pump.log, held(log[:30])) == LogRead((log[7], *log[29:]), 29)
    assert pump.asked == [29]


def test_a_fill_at_the_joint_is_there_once() -> None:
    log = log_of(10, fills=(7,))
    assert read_from(Pump(log).log, held(log[:8])).entries == tuple(log[7:])


def test_a_pump_of_which_nothing_is_known_is_read_whole() -> None:
    log = log_of(5)
    assert read_from(Pump(log).log, None) == LogRead(tuple(log), WHOLE)


# what stands at the joint, and a word of what a person is told
OTHER: dict[str, tuple[Callable[[list[LogEntry]], Pump], str]] = {
    "number": (lambda log: Pump(log[:20]), "not the one that the registry knows"),
    "uptime": (lambda log: Pump([*log[:29], replace(log[29], uptime_ms=1), *log[30:]]), "not the one that the registry knows"),
    "clock": (lambda log: Pump([*log[:29], replace(log[29], wall_s=1), *log[30:]]), "not the one that the registry knows"),
    "kind": (lambda log: Pump([*log[:29], replace(log[29], kind=LogKind.STOP), *log[30:]]), "not the one that the registry knows"),
    "a": (lambda log: Pump([*log[:29], replace(log[29], a=99), *log[30:]]), "not the one that the registry knows"),
    "b": (lambda log: Pump([*log[:29], replace(log[29], b=99), *log[30:]]), "not the one that the registry knows"),
    "overwritten": (lambda log: Pump(log, lost=33), "has lost entries"),
    "a hole after it": (lambda log: Pump([*log[:33], entry(33, LogKind.GAP), *log[34:]]), "has lost entries"),
}


@pytest.mark.sr("SR-36", "SR-61")
@pytest.mark.parametrize("name", list(OTHER))
def test_a_log_that_does_not_join_is_read_whole_and_told(name: str) -> None:
    log = log_of(40, fills=(3,))
    change, word = OTHER[name]
    pump = change(log)
    found = read_from(pump.log, held(log[:30]))
    assert (found.entries, found.since_seq) == (tuple(pump.log(0)), WHOLE)
    assert word in found.note
    assert pump.asked[:2] == [29, 0]


# ------------------------------------------------------------------------------------------------ which mark is left
@pytest.mark.parametrize(
    ("since", "before", "leaves"),
    [(None, 30, False), (0, None, True), (29, 30, True), (29, 31, True), (29, 29, False), (29, None, False), (31, 30, False)],
)
def test_a_mark_is_left_only_where_nothing_is_missing(since: int | None, before: int | None, leaves: bool) -> None:
    log = log_of(40)
    known = None if before is None else held(log[:before])
    assert (mark_of(log[since or 0 :], since, known) is not None) == leaves
    assert mark_of((), 0, known) is None


@given(st.integers(0, 39), st.sets(st.integers(0, 39), max_size=3))
def test_a_mark_comes_back_as_it_was_kept(last: int, fills: set[int]) -> None:
    mark = held(log_of(last + 1, fills=tuple(fills)))
    assert mark_in(json.dumps({"firmware": "1.0", "log": form_of(mark)})) == mark


@pytest.mark.parametrize(
    "link", [None, "{}", '{"log": null}', '{"log": {"seq": "x"}}', '{"log": {"seq": 1, "sha256": "", "fill": [1]}}', "{"]
)
def test_what_is_no_mark_is_none(link: str | None) -> None:
    assert mark_in(link) is None


# ------------------------------------------------------------------------------------------------ in the registry
def contact(registry: Registry, log: Sequence[LogEntry], day: int) -> LogRead:
    """As a workstation does it: asks how far the log is known, reads on, records."""
    found = read_from(Pump(log).log, registry.log_mark(SERIAL, MEMORY))
    at = view(NOW + day * DAY, uptime_ms=(100 + day) * DAY_MS)
    registry.record_reading(at, log=found.entries, by=BY, log_since=found.since_seq)
    return found


def kept_fills(registry: Registry) -> list[tuple[int | None, int | None]]:
    return [(row.after_nL, row.counted_nL) for row in registry.pump_history(SERIAL).refills]


@pytest.mark.sr("SR-36")
def test_each_contact_reads_on_from_the_one_before(registry: Registry) -> None:
    log = log_of(40, fills=(3, 35))
    assert registry.log_mark(SERIAL, MEMORY) is None
    assert contact(registry, log[:30], 0).since_seq == 0
    assert contact(registry, log[:34], 1).since_seq == 29
    assert contact(registry, log, 2).since_seq == 33
    assert kept_fills(registry) == [(38_000_003, None), (38_000_035, 36_000_003)]
    assert registry.log_mark(SERIAL, b"MEMORY-2") is None
    assert registry.verify() == ()


@pytest.mark.sr("SR-36")
def test_after_a_reading_with_a_hole_the_next_reads_all(registry: Registry) -> None:
    """As a contact that waited on a workstation while the registry was made anew: what lay before it nobody has recorded."""
    log = log_of(40, fills=(3,))
    registry.record_reading(view(), log=log[29:], by=BY, log_since=29)
    assert registry.log_mark(SERIAL, MEMORY) is None
    assert contact(registry, log, 1).since_seq == 0
    assert kept_fills(registry) == [(38_000_003, None)]
    registry.record_reading(view(NOW + 2 * DAY, uptime_ms=102 * DAY_MS), by=BY)  # an emergency session reads no log
    assert registry.log_mark(SERIAL, MEMORY) is None


@settings(max_examples=25)
@given(fills=st.sets(st.integers(0, 29), max_size=5), cuts=st.sets(st.integers(1, 29), max_size=6))
def test_contacts_in_pieces_leave_the_same_fills_as_one_of_the_whole_log(
    tmp_path_factory: pytest.TempPathFactory, new_file: Path, fills: set[int], cuts: set[int]
) -> None:
    log = log_of(30, fills=tuple(fills))
    kept = []
    for pieces in ([*sorted(cuts), 30], [30]):
        path = tmp_path_factory.mktemp("marks") / "r.db"
        path.write_bytes(new_file.read_bytes())
        with Registry.open(path) as registry:
            for day, end in enumerate(pieces):
                contact(registry, log[:end], day)
            kept.append(kept_fills(registry))
    assert kept[0] == kept[1]
