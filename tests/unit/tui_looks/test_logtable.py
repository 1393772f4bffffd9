"""The log as a table of any length: newest first, place kept as it grows, filters in slices, words for the lines on the screen alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from itbpump.tui import logtable
from itbpump.tui.logtable import LogTable, _fitted
from itbpump.tui.themes import DEFAULT, register
from itbpump.wire.messages import LogEntry, LogKind
from itbpump.wording.log import is_wanted
from itbpump.wording.words import log_groups, log_words
from tests.unit.tui_looks.screen import lines

LONG = 5_000
KINDS = (LogKind.SESSION_OPEN, LogKind.BOLUS_START, LogKind.ALARM_RAISED, LogKind.SESSION_CLOSE)


def entries(count: int, first: int = 0, wall_s: int = 0) -> list[LogEntry]:
    """Oldest first; each alarm is another, one bolus is of 4,711 pulses."""
    made = []
    for seq in range(first, first + count):
        kind = KINDS[seq % len(KINDS)]
        a = {LogKind.ALARM_RAISED: seq // 4 % 16 + 1, LogKind.BOLUS_START: 4_711 if seq == 41 else 20}.get(kind, 7)
        made.append(LogEntry(seq, seq * 3_600_000, wall_s and wall_s + seq, kind, a, 3 if kind is LogKind.BOLUS_START else 2))
    return made


class Shelf(App[None]):
    """A table alone."""

    def __init__(self, first: list[LogEntry]) -> None:
        super().__init__()
        register(self)
        self.theme = DEFAULT
        self.first = first
        self.heard: list[Any] = []

    def compose(self) -> ComposeResult:
        yield LogTable(id="log")

    def on_mount(self) -> None:
        self.table.show(self.first)
        self.table.focus()

    @property
    def table(self) -> LogTable:
        return self.query_one(LogTable)

    def on_log_table_highlighted(self, event: LogTable.Highlighted) -> None:
        self.heard.append(("highlighted", event.entry.seq if event.entry else None))

    def on_log_table_chosen(self, event: LogTable.Chosen) -> None:
        self.heard.append(("chosen", event.entry.seq if event.entry else None))

    def on_log_table_searched(self, event: LogTable.Searched) -> None:
        self.heard.append(("searched", event.shown, event.total))


def shown(app: Shelf) -> list[int]:
    """Numbers of the entries on the screen, from above."""
    return [int(words[0].replace(",", "")) for line in lines(app)[1:-2] if (words := line.replace(">", " ").split())]


def at_cursor(app: Shelf) -> list[int]:
    return [int(line[1:].split()[0].replace(",", "")) for line in lines(app)[1:-2] if line.startswith(">")]


def try_out(first: list[LogEntry], what: Callable[[Shelf, Pilot[None]], Awaitable[None]], size: tuple[int, int] = (80, 13)) -> Shelf:
    """Show entries on a screen of ten rows and try something."""
    app = Shelf(first)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await settle(app, pilot)
            await what(app, pilot)

    asyncio.run(run())
    return app


async def settle(app: Shelf, pilot: Pilot[None]) -> None:
    """Until the whole log has been judged and drawn."""
    while app.table.is_searching:
        await pilot.pause()
    await pilot.pause()


# ------------------------------------------------------------------------------------------------ reading it
def test_the_newest_entry_stands_on_top_and_keys_move() -> None:
    async def walk(app: Shelf, pilot: Pilot[None]) -> None:
        assert (shown(app), at_cursor(app)) == (list(range(99, 89, -1)), [99])
        steps: list[tuple[str, list[int], int]] = [
            ("down", list(range(99, 89, -1)), 98),
            ("pagedown", list(range(97, 87, -1)), 88),
            ("up", list(range(97, 87, -1)), 89),
            ("end", list(range(9, -1, -1)), 0),
            ("down", list(range(9, -1, -1)), 0),
            ("pageup", list(range(10, 0, -1)), 10),
            ("home", list(range(99, 89, -1)), 99),
            ("up", list(range(99, 89, -1)), 99),
        ]
        for key, on_screen, place in steps:
            await pilot.press(key)
            assert (key, shown(app), at_cursor(app)) == (key, on_screen, [place])
        await pilot.press("down", "enter")
        await pilot.pause()
        assert app.heard[-2:] == [("highlighted", 98), ("chosen", 98)]

    try_out(entries(100), walk)


def test_the_table_as_it_is_drawn() -> None:
    async def read(app: Shelf, pilot: Pilot[None]) -> None:
        await pilot.press("down")
        assert [line.rstrip() for line in lines(app)] == [
            "   number            uptime  newest first",
            "        3      0 d 03:00:00  session closed by 0000000000000007",
            ">       2      0 d 02:00:00  alarm: the reservoir is low by the pump's count",
            "        1      0 d 01:00:00  patient bolus of 20 pulses started",
            "        0      0 d 00:00:00  session opened by 0000000000000007 as observer",
            "",
            "2: alarm: the reservoir is low by the pump's count, at 0 d 02:00:00 of the",
            "  pump's uptime",
        ]

    try_out(entries(4), read, (80, 8))


def test_a_clock_that_was_set_has_its_column_where_there_is_room() -> None:
    async def wide(app: Shelf, pilot: Pilot[None]) -> None:
        del pilot
        assert "clock (UTC)" in lines(app)[0]
        assert "22 Nov 2026 15:00" in lines(app)[1]

    async def narrow(app: Shelf, pilot: Pilot[None]) -> None:
        del pilot
        assert "clock (UTC)" not in lines(app)[0]
        assert "22 Nov 2026 15:00" in "".join(lines(app)[-2:])

    try_out(entries(4, wall_s=1_795_359_600), wide, (110, 12))
    try_out(entries(4, wall_s=1_795_359_600), narrow, (80, 12))


def test_an_empty_log_and_a_filter_that_nothing_passes_are_said() -> None:
    async def empty(app: Shelf, pilot: Pilot[None]) -> None:
        assert "no entries" in lines(app)[1]
        await pilot.press("down", "up", "end", "pagedown", "enter")
        assert app.table.entry is None
        app.table.show(entries(3))
        await settle(app, pilot)
        assert shown(app) == [2, 1, 0]
        app.table.filter(text="no such words")
        await settle(app, pilot)
        assert "no entry passes the filter" in lines(app)[1]
        app.table.clear()
        await settle(app, pilot)
        assert (app.table.total, len(app.table), bool(app.table)) == (0, 0, True)

    try_out([], empty)


@given(st.integers(1, 90), st.sampled_from(entries(60)).map(log_words))
def test_what_does_not_fit_is_left_out_by_whole_words(room: int, text: str) -> None:
    line = _fitted(text, room)
    assert len(line) <= room
    if line != text:
        assert line.endswith(".." if room > 1 else ".")
        kept = line.removesuffix("..").rstrip()
        assert text.startswith(kept) or room < 12
        assert not kept or room < 12 or text[len(kept)] == " "
        assert not (kept[-1:].isdigit() and text[len(kept) :].startswith((" pulses", " mL", " min")))


def test_the_table_can_be_clicked() -> None:
    async def click(app: Shelf, pilot: Pilot[None]) -> None:
        await pilot.click(LogTable, offset=(5, 4))
        assert at_cursor(app) == [96]
        await pilot.click(LogTable, offset=(5, 0))
        await pilot.click(LogTable, offset=(5, 12))
        assert at_cursor(app) == [96]

    try_out(entries(100), click)


# ------------------------------------------------------------------------------------------------ as it grows
def test_new_entries_come_on_top_and_the_newest_is_followed() -> None:
    async def grow(app: Shelf, pilot: Pilot[None]) -> None:
        app.table.show(entries(103))
        await settle(app, pilot)
        assert (shown(app), at_cursor(app)) == (list(range(102, 92, -1)), [102])

    try_out(entries(100), grow)


def test_who_reads_further_down_keeps_his_place() -> None:
    async def grow(app: Shelf, pilot: Pilot[None]) -> None:
        await pilot.press("pagedown", "pagedown", "up")
        before, place = shown(app), at_cursor(app)
        for count in (101, 108, 150):
            app.table.show(entries(count))
            await settle(app, pilot)
            assert (shown(app), at_cursor(app)) == (before, place)
        await pilot.press("home")
        assert shown(app)[0] == 149

    try_out(entries(100), grow)


def test_older_entries_that_are_read_later_come_below() -> None:
    async def grow(app: Shelf, pilot: Pilot[None]) -> None:
        app.table.filter(group="alarm")
        for log in (entries(60, 40), entries(80, 20), entries(105)):
            app.table.show(log)
        await settle(app, pilot)
        everything = [app.table.entry_at(row).seq for row in range(len(app.table))]
        assert everything == [seq for seq in range(104, -1, -1) if seq % 4 == 2]
        with pytest.raises(IndexError):
            app.table.entry_at(len(app.table))
        with pytest.raises(IndexError):
            app.table.entry_at(-1)

    try_out(entries(40, 60), grow)


def test_a_log_that_is_known_costs_nothing() -> None:
    async def again(app: Shelf, pilot: Pilot[None]) -> None:
        log = entries(100)
        count = len(app.heard)
        for _ in range(5):
            app.table.show(log)
        await settle(app, pilot)
        assert (app.table.total, len(app.heard)) == (100, count)

    try_out(entries(100), again)


# ------------------------------------------------------------------------------------------------ filters
@pytest.mark.parametrize("group", sorted(log_groups()))
def test_each_group_shows_its_entries_and_the_text_narrows_them(group: str) -> None:
    log = [LogEntry(seq, seq, 0, kind, 1, 1 << 32) for seq, kind in enumerate(LogKind)]
    wanted = frozenset(log_groups()[group])

    async def choose(app: Shelf, pilot: Pilot[None]) -> None:
        app.table.filter(group=group)
        await settle(app, pilot)
        expected = [entry for entry in reversed(log) if is_wanted(entry, wanted)]
        assert [app.table.entry_at(row) for row in range(len(app.table))] == expected
        assert 0 < len(expected) < len(log)
        needle = log_words(expected[0])[:6]
        app.table.filter(group=group, text=needle.upper())
        await settle(app, pilot)
        found = [app.table.entry_at(row) for row in range(len(app.table))]
        assert found == [entry for entry in expected if needle.lower() in log_words(entry).lower()]

    try_out(log, choose)


def test_a_group_that_is_none_is_refused() -> None:
    async def choose(app: Shelf, pilot: Pilot[None]) -> None:
        del pilot
        with pytest.raises(KeyError):
            app.table.filter(group="no such group")

    try_out(entries(3), choose)


def test_a_long_log_is_searched_between_keys() -> None:
    """In slices, each of which leaves the loop to others; the end is told once."""

    async def search(app: Shelf, pilot: Pilot[None]) -> None:
        app.heard.clear()
        app.table.filter(text="4,711")
        begun, found = app.table.is_searching, len(app.table)
        assert (begun, found) == (True, 0)
        turns = 0
        while app.table.is_searching:
            await asyncio.sleep(0)
            turns += 1
        assert turns >= LONG // 1_000 - 1  # whoever waits for the loop has it after each slice
        await settle(app, pilot)
        assert [app.table.entry_at(row).seq for row in range(len(app.table))] == [41]
        assert app.heard == [("searched", 1, LONG)]
        app.table.filter()
        app.table.filter(group="alarm")  # begun before the other has ended
        await settle(app, pilot)
        assert len(app.table) == LONG // 4
        app.table.show(entries(LONG + 4))
        await settle(app, pilot)
        assert (len(app.table), app.table.entry_at(0).seq) == (LONG // 4 + 1, LONG + 2)

    try_out(entries(LONG), search)


def test_words_are_made_for_the_lines_on_the_screen_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the log is; and what was made is kept within bounds."""
    asked: list[int] = []

    def words(entry: LogEntry) -> str:
        asked.append(entry.seq)
        return log_words(entry)

    kept = logtable._words.cache_info().maxsize
    assert kept is not None
    assert kept <= 1_000
    monkeypatch.setattr(logtable, "_words", words)

    async def move(app: Shelf, pilot: Pilot[None]) -> None:
        await pilot.press("end")
        assert shown(app)[-1] == 0
        asked.clear()
        await pilot.press("home")
        assert set(asked) == set(range(9_999, 9_989, -1))
        assert len(asked) <= 3 * 13  # a line may be drawn again, none beside the screen

    try_out(entries(10_000), move)
