"""A day as a grid of cells: the pieces of constant rate, the scale of the axis, the signs it is drawn with.

Rates are exact up to the text that is printed; only places on the screen are rounded to cells. Not here: what is drawn on it (`charts`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

from itbpump.quantity import MS_PER_DAY, MS_PER_MINUTE, Flow, TimeOfDay, number_text, rate_of_flow
from itbpump.therapy_view import TherapyView

__all__ = [
    "ASCII",
    "BOXES",
    "EIGHTHS",
    "MINUTES",
    "MIN_HEIGHT",
    "MIN_WIDTH",
    "NG_PER_MCG",
    "Axis",
    "Per",
    "Piece",
    "Signs",
    "changed_days",
    "day_pieces",
]

MIN_WIDTH = 30
MIN_HEIGHT = 5
MINUTES = 1_440
EIGHTHS = 8
NG_PER_MCG = 1_000

Per = Literal["hour", "day"]
HOURS = {"hour": 24, "day": 1}
_TICK_ROOM = 7
"""Columns from one time of day to the next: five for the text, two free."""


class Signs(NamedTuple):
    """What a chart is drawn with. `part` is an eighth, two eighths … of a cell; without any, a cell is drawn or not."""

    full: str
    part: str
    bolus: str
    start: str
    now: str
    now_line: str
    side: str
    corner: str
    floor: str
    tick: str


BOXES = Signs("█", "▁▂▃▄▅▆▇", "▒", "▼", "▲", "┊", "│", "└", "─", "┴")
ASCII = Signs("#", "", "B", "v", "^", ":", "|", "+", "-", "+")


# ------------------------------------------------------------------------------------------------ data
class Piece(NamedTuple):
    """A part of a day with one rate; minutes 0 to 1440. `starts` tells a bolus that begins with it from one that goes on."""

    start_min: int
    end_min: int
    ng_per_day: Fraction
    is_bolus: bool
    starts: bool


def day_pieces(view: TherapyView, weekday: int) -> tuple[Piece, ...]:
    """What a weekday (0 Monday) is programmed to give, by the schedule; of a periodic therapy the 24 h from the start of a bolus on."""
    schedule = view.schedule
    from_ms = weekday * MS_PER_DAY if schedule.follows_week else 0
    starts = [segment.start_ms for segment in schedule.segments]
    pieces = []
    for at, end, flow in schedule.segments_between(from_ms, from_ms + MS_PER_DAY):
        within = at % schedule.cycle_ms
        segment = schedule.segments[bisect_right(starts, within) - 1]
        begins = segment.is_bolus and within == segment.start_ms and segment.elapsed_ms == 0
        rate = Fraction(rate_of_flow(Flow(flow), view.concentration).ng_per_day)
        pieces.append(Piece((at - from_ms) // MS_PER_MINUTE, (end - from_ms) // MS_PER_MINUTE, rate, segment.is_bolus, begins))
    return tuple(pieces)


def changed_days(old: TherapyView, new: TherapyView) -> tuple[int, ...]:
    """Weekdays (0 Monday) on which the two do not give the same at each minute."""
    return tuple(day for day in range(7) if _rates(day_pieces(old, day)) != _rates(day_pieces(new, day)))


def _rates(pieces: Sequence[Piece]) -> list[tuple[int, Fraction]]:
    """(minute, rate from there on) wherever the rate changes."""
    found: list[tuple[int, Fraction]] = []
    for piece in pieces:
        if not found or found[-1][1] != piece.ng_per_day:
            found.append((piece.start_min, piece.ng_per_day))
    return found


# ------------------------------------------------------------------------------------------------ the scale
class Axis(NamedTuple):
    """Where things stand: `columns` of cells for the day behind a margin for the figures, `rows` of cells for `top`."""

    columns: int
    rows: int
    margin: int
    top: Fraction
    per: Per

    @classmethod
    def of(cls, top: Fraction, per: Per, width: int, rows: int) -> Axis:
        if width < MIN_WIDTH or rows < 1:
            raise ValueError(f"a chart needs {MIN_WIDTH} columns and {MIN_HEIGHT} lines at least")
        margin = max(len(figure(top, per)), len(figure(top / 2, per))) + 1
        if width - margin < 2 * _TICK_ROOM:
            raise ValueError(f"{width} columns do not hold the figure {figure(top, per)} and a day")
        return cls(width - margin, rows, margin, top, per)

    def column(self, minute: int) -> int:
        """Column of the day that holds a minute."""
        return minute * self.columns // MINUTES

    def span(self, start_min: int, end_min: int) -> range:
        """Columns that hold any of the minutes from start to end."""
        return range(self.column(start_min), (end_min * self.columns - 1) // MINUTES + 1)

    def level(self, ng_per_day: Fraction) -> int:
        """Height in eighths of a cell: the largest rate reaches the top, and none that is above 0 is hidden."""
        return max(1, round(ng_per_day * self.rows * EIGHTHS / self.top)) if ng_per_day else 0

    def cells(self, ng_per_day: Fraction) -> int:
        """Height in whole cells, likewise."""
        return max(1, round(ng_per_day * self.rows / self.top)) if ng_per_day else 0

    def label(self, row: int) -> str:
        """Figure beside a row, counted from the floor: the largest rate at the top, its half where a row ends there."""
        if row == self.rows - 1:
            return figure(self.top, self.per)
        return figure(self.top / 2, self.per) if self.rows >= 4 and (row + 1) * 2 == self.rows else ""

    def line(self, text: str, row: int, signs: Signs) -> str:
        return f"{self.label(row):>{self.margin - 1}}{signs.side}{text}"

    def hours(self) -> Iterator[tuple[int, int]]:
        """(hour, column) of the times of day under the axis, so that they stand apart."""
        step = next(hours for hours in (1, 2, 3, 4, 6, 12) if hours * self.columns // 24 >= _TICK_ROOM)
        for hour in range(0, 24, step):
            yield hour, self.column(hour * 60)

    def floor(self, signs: Signs, marks: Mapping[int, str]) -> str:
        """The axis, with ticks, and marks that win over them."""
        ticks = {column: signs.tick for _, column in self.hours()}
        cells = "".join(({**ticks, **marks}).get(column, signs.floor) for column in range(self.columns))
        return f"{'0':>{self.margin - 1}}{signs.corner}{cells}"

    def times(self, *, of_day: bool) -> str:
        """Times under the axis: of the day, or since the start of a bolus."""
        cells = [" "] * self.columns
        for hour, column in self.hours():
            text = TimeOfDay(hour * 60).text() if of_day else f"{hour} h"
            cells[column : column + len(text)] = text
        return " " * self.margin + "".join(cells)


def figure(ng_per_day: Fraction, per: Per) -> str:
    """A rate in mcg for the axis: to two decimals, small ones to three digits that count."""
    value = ng_per_day / (NG_PER_MCG * HOURS[per])
    places = 2
    while value and places < 6 and round(value * 10**places) < 100:
        places += 1
    return number_text(Fraction(round(value * 10**places), 10**places), thousands=True)
