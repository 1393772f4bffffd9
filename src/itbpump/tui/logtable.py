"""The pump's event log as a table of any length: words are made for the lines on the screen only, the newest entry on top.

A row is one line; what does not fit is left out at a word, marked `..`, and the entry under the cursor stands in full below the table.
Filtering goes through the log in slices between keys, so that no search holds up the screen. Not here: reading the log, what entries mean.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from itbpump.wire.messages import LogEntry
from itbpump.wording.layout import wrapped
from itbpump.wording.log import is_wanted, uptime_text
from itbpump.wording.words import log_groups, log_words, wall_text

__all__ = ["LogTable"]

SLICE = 1_000
"""Entries judged between two keys: some milliseconds."""
NUMBER, UPTIME, CLOCK = 7, 16, 17
CLOCK_FROM = 100
"""From this width on there is room for the clock's column; below, it stands in the full text only."""
DETAIL = 2
DETAIL_FROM = 8
"""Lines below the table for the entry under the cursor, where the table has this height."""
_CUT = " .."

_words = lru_cache(maxsize=512)(log_words)


class LogTable(ScrollView, can_focus=True):
    """A log, newest first. Up, down, page up and down, home and end move; Enter chooses."""

    DEFAULT_CSS = """
    LogTable { height: 1fr; overflow-x: hidden; }
    LogTable > .logtable--head { text-style: bold; }
    LogTable > .logtable--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
    LogTable > .logtable--detail { background: $panel; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"logtable--head", "logtable--cursor", "logtable--detail"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Newer", show=False),
        Binding("down", "move(1)", "Older", show=False),
        Binding("pageup", "page(-1)", "A page newer", show=False),
        Binding("pagedown", "page(1)", "A page older", show=False),
        Binding("home", "end_of(0)", "Newest", show=False),
        Binding("end", "end_of(1)", "Oldest", show=False),
        Binding("enter", "choose", "This entry", show=False),
    ]

    class Highlighted(Message):
        """The cursor is on another entry; None where the table is empty."""

        def __init__(self, table: LogTable, entry: LogEntry | None) -> None:
            super().__init__()
            self.table = table
            self.entry = entry

        @property
        def control(self) -> LogTable:
            return self.table

    class Chosen(Highlighted):
        """Enter on an entry."""

    class Searched(Message):
        """The whole log has been judged; `shown` of `total` entries pass the filter."""

        def __init__(self, table: LogTable, shown: int, total: int) -> None:
            super().__init__()
            self.table = table
            self.shown = shown
            self.total = total

        @property
        def control(self) -> LogTable:
            return self.table

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._wanted: frozenset[str] | None = None
        self._text = ""
        self._has_clock = False
        self.clear()

    # -------------------------------------------------------------------------------------------------- what it holds
    def clear(self) -> None:
        """Forget every entry, as of another pump; the filter stays."""
        self._newer: list[LogEntry] = []  # upwards from the first that was shown, and downwards: each only ever grows at its end
        self._older: list[LogEntry] = []
        self._has_clock = False
        self._start_search()

    def show(self, entries: Sequence[LogEntry]) -> None:
        """Take in what is new of a log, oldest first: newer entries, and older ones still missing. What is known costs nothing."""
        if not self._newer and not self._older:
            self._newer = list(entries)
            self._note_clock(self._newer)
            self._start_search()
            return
        newest = self._newer[-1].seq
        oldest = self._older[-1].seq if self._older else self._newer[0].seq
        arrived = entries[bisect_right(entries, newest, key=_number) :]
        before = entries[: bisect_left(entries, oldest, key=_number)]
        if not arrived and not before:
            return
        self._note_clock(arrived)
        self._note_clock(before)
        self._newer += arrived
        self._older += reversed(before)
        passed = [entry for entry in arrived if self._passes(entry)]
        self._above += passed
        self._hold_place(len(passed))
        self._search()

    def _note_clock(self, entries: Sequence[LogEntry]) -> None:
        self._has_clock = self._has_clock or any(entry.wall_s for entry in entries)

    def filter(self, *, group: str = "", text: str = "") -> None:
        """Show the entries of a group (`log_groups`; empty for all) with `text` in their words, capitals or not. KeyError for no group."""
        wanted = frozenset(log_groups()[group]) if group else None
        if (wanted, text.casefold()) != (self._wanted, self._text):
            self._wanted, self._text = wanted, text.casefold()
            self._start_search()

    def _passes(self, entry: LogEntry) -> bool:
        if self._wanted is not None and not is_wanted(entry, self._wanted):
            return False
        return not self._text or self._text in log_words(entry).casefold()

    # -------------------------------------------------------------------------------------------------- the search
    def _start_search(self) -> None:
        """Judge every entry again, the newest first."""
        self._above: list[LogEntry] = []  # passed and newer than the search, upwards
        self._below: list[LogEntry] = []  # passed in the search, downwards
        self._next_newer = len(self._newer) - 1
        self._next_older = 0
        self._cursor = 0
        self.scroll_to(y=0, animate=False, immediate=True)
        self._search()

    def _search(self) -> None:
        """One slice; the rest after the keys that wait."""
        for _ in range(SLICE):
            if self._next_newer >= 0:
                entry = self._newer[self._next_newer]
                self._next_newer -= 1
            elif self._next_older < len(self._older):
                entry = self._older[self._next_older]
                self._next_older += 1
            else:
                break
            if self._passes(entry):
                self._below.append(entry)
        self._resize()
        if self.is_searching:
            self.call_later(self._search_on)
        else:
            self.post_message(self.Searched(self, len(self), self.total))

    async def _search_on(self) -> None:
        """The next slice, when whoever waits for the loop has had it: a callback alone would run at once, before any key."""
        await asyncio.sleep(0)
        self._search()

    @property
    def is_searching(self) -> bool:
        """Entries are left that have not been judged."""
        return self._next_newer >= 0 or self._next_older < len(self._older)

    @property
    def total(self) -> int:
        """Entries in all."""
        return len(self._newer) + len(self._older)

    def __len__(self) -> int:
        """Entries that pass the filter, as far as judged."""
        return len(self._above) + len(self._below)

    def __bool__(self) -> bool:
        """A widget is there also when it is empty."""
        return True

    def entry_at(self, row: int) -> LogEntry:
        """The entry of a row, 0 the newest. IndexError for none."""
        if not 0 <= row < len(self):
            raise IndexError(row)
        above = len(self._above)
        return self._above[above - 1 - row] if row < above else self._below[row - above]

    # -------------------------------------------------------------------------------------------------- the cursor
    @property
    def cursor(self) -> int:
        """Row of the cursor, 0 the newest."""
        return self._cursor

    @property
    def entry(self) -> LogEntry | None:
        """The entry under the cursor."""
        return self.entry_at(self._cursor) if len(self) else None

    @property
    def _rows(self) -> int:
        """Rows on the screen."""
        return max(1, self.size.height - 1 - self._detail_height)

    @property
    def _detail_height(self) -> int:
        return DETAIL if self.size.height >= DETAIL_FROM else 0

    def action_move(self, by: int) -> None:
        self._move_to(self._cursor + by)

    def action_page(self, by: int) -> None:
        self._move_to(self._cursor + by * self._rows)

    def action_end_of(self, last: int) -> None:
        self._move_to(len(self) - 1 if last else 0)

    def action_choose(self) -> None:
        if self.entry is not None:
            self.post_message(self.Chosen(self, self.entry))

    def on_click(self, event: events.Click) -> None:
        """Go to the row that was clicked."""
        row = event.y - 1
        if 0 <= row < self._rows and round(self.scroll_y) + row < len(self):
            self._move_to(round(self.scroll_y) + row)

    def _move_to(self, row: int) -> None:
        row = max(0, min(row, len(self) - 1))
        first = round(self.scroll_y)
        if not first <= row < first + self._rows:
            self.scroll_to(y=row if row < first else row - self._rows + 1, animate=False, immediate=True)
        if row != self._cursor:
            self._cursor = row
            self.refresh()
            self.post_message(self.Highlighted(self, self.entry))

    def _hold_place(self, count: int) -> None:
        """Rows have come on top: cursor and view stay with their entries, unless they were at the newest."""
        if not count:
            return
        if self._cursor:
            self._cursor += count
        first = round(self.scroll_y)
        self._resize()
        if first or self._cursor:
            self.scroll_to(y=first + count, animate=False, immediate=True)
        self.refresh()

    # -------------------------------------------------------------------------------------------------- the lines
    def _resize(self) -> None:
        self.virtual_size = Size(self._room, len(self) + 1 + self._detail_height)
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        """Another height has other room for rows."""
        del event
        self._resize()
        self._move_to(self._cursor)

    def render_line(self, y: int) -> Strip:
        """A line of the screen; nothing of it depends on how long the log is."""
        width, detail = self._room, self._detail_height
        if y == 0:
            return self._strip(self._head(), width, "logtable--head")
        if y >= self.size.height - detail:
            lines = self._detail(width)
            number = y - self.size.height + detail
            return self._strip(lines[number] if number < len(lines) else "", width, "logtable--detail")
        row = round(self.scroll_y) + y - 1
        if row >= len(self):
            return self._strip(self._nothing() if row == 0 else "", width, "")
        at_cursor = row == self._cursor
        return self._strip(self._row(self.entry_at(row), width, at_cursor), width, "logtable--cursor" if at_cursor else "")

    @property
    def _room(self) -> int:
        """Columns that a line has: a scroll bar takes its own."""
        return self.scrollable_content_region.width

    def _strip(self, text: str, width: int, component: str) -> Strip:
        style: Style = self.get_component_rich_style(component) if component else self.rich_style
        return Strip([Segment(f"{text:<{width}}"[:width], style)], width)

    @property
    def _shows_clock(self) -> bool:
        return self._has_clock and self._room >= CLOCK_FROM

    def _head(self) -> str:
        clock = f"{'clock (UTC)':<{CLOCK}}  " if self._shows_clock else ""
        state = "newest first, searching" if self.is_searching else "newest first"
        return f"  {'number':>{NUMBER}}  {'uptime':>{UPTIME}}  {clock}{state}"

    def _row(self, entry: LogEntry, width: int, at_cursor: bool) -> str:
        clock = f"{_clock(entry):<{CLOCK}}  " if self._shows_clock else ""
        mark = ">" if at_cursor else " "
        head = f"{mark} {entry.seq:>{NUMBER},}  {uptime_text(entry.uptime_ms):>{UPTIME}}  {clock}"
        return head + _fitted(_words(entry), width - len(head))

    def _nothing(self) -> str:
        if self.is_searching:
            return "  searching"
        return "  no entry passes the filter" if self.total else "  no entries"

    def _detail(self, width: int) -> list[str]:
        """The entry under the cursor in full, by words."""
        entry = self.entry
        if entry is None:
            return []
        clock = f", clock {_clock(entry)} UTC" if entry.wall_s else ""
        return wrapped(f"{entry.seq:,}: {_words(entry)}, at {uptime_text(entry.uptime_ms)} of the pump's uptime{clock}", width, hanging=2)


def _number(entry: LogEntry) -> int:
    return entry.seq


def _clock(entry: LogEntry) -> str:
    """The pump's label of the wall clock, to the minute."""
    return wall_text(entry.wall_s).removesuffix(" UTC")[:-3] if entry.wall_s else ""


def _fitted(text: str, room: int) -> str:
    """The text, or its beginning up to a word with a sign that more follows: no number is cut from its unit, nor in itself."""
    if len(text) <= room:
        return text
    lines = wrapped(text, max(1, room - len(_CUT)), hanging=0)
    return lines[0] + _CUT if len(lines[0]) + len(_CUT) <= room else _CUT[-max(room, 0) :] if room > 0 else ""
