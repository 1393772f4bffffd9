"""Drawings of characters for the screen: rate over a day, old beside new, reservoir, the next 14 days.

Pure functions; exact width and height. Doses and rates are exact (`Fraction`) up to the text that is printed; only places on the screen are
rounded to cells. Every drawing has a form of plain ASCII (`ascii=True`). What is asked for narrower than it can be read is refused with
ValueError, never cut.

Not here: what was given (only what is programmed), single and patient boluses, bridges. A periodic therapy has no time of day of its own:
its chart begins with a bolus and has no mark for now.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise, zip_longest
from typing import Literal, NamedTuple

from itbpump.quantity import MassRate, TimeOfDay, Volume, number_text
from itbpump.therapy_view import DAY_NAMES, TherapyView
from itbpump.tui.daygrid import (
    ASCII,
    BOXES,
    EIGHTHS,
    MIN_HEIGHT,
    MIN_WIDTH,
    MINUTES,
    NG_PER_MCG,
    Axis,
    Per,
    Piece,
    Signs,
    changed_days,
    day_pieces,
)
from itbpump.wire.messages import Mode
from itbpump.wording.layout import wrapped

__all__ = ["MIN_HEIGHT", "MIN_WIDTH", "changed_days", "compare_chart", "fortnight", "gauge", "rate_chart"]

_NEW_ONLY, _OLD_ONLY, _DIFFERS = "+", "-", "*"
_ASCII_FLOOR = "."
"""Floor of the ASCII comparison, where `-` is a sign of its own."""


def _per(view: TherapyView) -> Per:
    """As the mode is programmed: steps and boluses by the hour, one flow by the day."""
    return "hour" if view.mode in (Mode.FLEX, Mode.PERIODIC_BOLUS) else "day"


def _fit(parts: Sequence[str], width: int) -> str:
    """As many of the parts, the first ones first, as fit whole; filled up to the width."""
    line = ""
    for part in parts:
        longer = f"{line}  {part}" if line else part
        if len(longer) > width:
            break
        line = longer
    return f"{line:<{width}}"


# ------------------------------------------------------------------------------------------------ the day
class _Column(NamedTuple):
    """The highest rate and the highest bolus within one column of a chart."""

    rate: Fraction
    bolus: Fraction


def _columns(pieces: Sequence[Piece], axis: Axis) -> list[_Column]:
    """Each column holds the minutes that `axis.column` puts there; one narrower than a minute holds the minute it lies in."""
    found = [_Column(Fraction(0), Fraction(0))] * axis.columns
    for piece in pieces:
        for column in axis.span(piece.start_min, piece.end_min):
            rate, bolus = found[column]
            found[column] = _Column(rate, max(bolus, piece.ng_per_day)) if piece.is_bolus else _Column(max(rate, piece.ng_per_day), bolus)
    return found


def rate_chart(
    view: TherapyView,
    weekday: int,
    now_minute: int | None,
    width: int,
    height: int,
    *,
    per: Per | None = None,
    ascii: bool = False,
) -> list[str]:
    """The programmed rate of a weekday (0 Monday) over 24 h, marked at `now_minute` (0 to 1439) and at each bolus.

    `height` lines of `width` characters. The axis is in mcg per hour or per day, by default as the mode is programmed. Of a periodic
    therapy weekday and now are left out: it is drawn from the start of a bolus on. ValueError for a chart too small to be read.
    """
    if now_minute is not None and not 0 <= now_minute < MINUTES:
        raise ValueError(f"a minute of the day is 0 to 1439, not {now_minute}")
    signs = ASCII if ascii else BOXES
    pieces, of_day = day_pieces(view, weekday), view.mode is not Mode.PERIODIC_BOLUS
    axis = Axis.of(max(piece.ng_per_day for piece in pieces), per or _per(view), width, height - 4)
    now = axis.column(now_minute) if now_minute is not None and of_day else None
    columns = _columns(pieces, axis)
    starts = {axis.column(piece.start_min) for piece in pieces if piece.starts}
    head = [f"{DAY_NAMES[weekday]}, mcg per {axis.per}" if of_day else f"from a bolus on, mcg per {axis.per}"]
    head += [f"{signs.now} now {TimeOfDay(now_minute).text()}"] if now is not None and now_minute is not None else []
    head += [f"{signs.start} bolus"] if starts else []
    lines = [_fit(head, width), " " * axis.margin + "".join(signs.start if column in starts else " " for column in range(axis.columns))]
    for row in range(axis.rows - 1, -1, -1):
        cells = (_cell(columns[column], row, axis, signs) for column in range(axis.columns))
        lines.append(axis.line("".join(_over(cell, column == now, signs) for column, cell in enumerate(cells)), row, signs))
    _say_nothing(lines, axis)
    return [*lines, axis.floor(signs, {now: signs.now} if now is not None else {}), axis.times(of_day=of_day)]


def _cell(column: _Column, row: int, axis: Axis, signs: Signs) -> str:
    """One cell, `row` counted from the floor: the rate, over it what a bolus adds."""
    if signs.part:
        above = axis.level(column.rate) - row * EIGHTHS
        if above >= EIGHTHS:
            return signs.full
    else:
        above = 0
        if axis.cells(column.rate) > row:
            return signs.full
    if axis.cells(column.bolus) > row:
        return signs.bolus
    return signs.part[above - 1] if above > 0 else " "


def _over(cell: str, is_now: bool, signs: Signs) -> str:
    return signs.now_line if is_now and cell == " " else cell


def compare_chart(
    old: TherapyView | None,
    new: TherapyView,
    weekday: int,
    width: int,
    height: int,
    *,
    per: Per | None = None,
    ascii: bool = False,
) -> list[str]:
    """Old and new rate of a weekday (0 Monday) on one scale: a sign for what both give, one for more, one for less; `*` on the axis where
    they differ at all, also by less than a cell shows.

    `height` lines of `width` characters; `rate_chart` of the new one where there is no old. A periodic therapy is drawn from the start of a
    bolus on. ValueError for a chart too small to be read.
    """
    if old is None:
        return rate_chart(new, weekday, None, width, height, per=per, ascii=ascii)
    signs = (ASCII if ascii else BOXES)._replace(**({"floor": _ASCII_FLOOR} if ascii else {}))
    before, after = day_pieces(old, weekday), day_pieces(new, weekday)
    top = max(piece.ng_per_day for piece in (*before, *after))
    axis = Axis.of(top, per or _per(new), width, height - 4)
    both = list(zip(_highest(before, axis), _highest(after, axis), strict=True))
    differ = [column for start, end in _differences(before, after) for column in axis.span(start, end)]
    lines = _compare_head(old, new, weekday, axis.per, signs, width)
    for row in range(axis.rows - 1, -1, -1):
        lines.append(axis.line("".join(_both(one > row, other > row, signs) for one, other in both), row, signs))
    _say_nothing(lines, axis)
    of_day = Mode.PERIODIC_BOLUS not in (old.mode, new.mode)
    return [*lines, axis.floor(signs, dict.fromkeys(differ, _DIFFERS)), axis.times(of_day=of_day)]


def _highest(pieces: Sequence[Piece], axis: Axis) -> list[int]:
    """Height of each column in cells."""
    return [axis.cells(max(column)) for column in _columns(pieces, axis)]


def _differences(before: Sequence[Piece], after: Sequence[Piece]) -> Iterator[tuple[int, int]]:
    """(start, end) in minutes of each span in which the rates are not the same."""
    edges = sorted({piece.start_min for piece in (*before, *after)} | {MINUTES})
    for start, end in pairwise(edges):
        if _rate_at(before, start) != _rate_at(after, start):
            yield start, end


def _rate_at(pieces: Sequence[Piece], minute: int) -> Fraction:
    return pieces[bisect_right(pieces, minute, key=lambda piece: piece.start_min) - 1].ng_per_day


def _both(old: bool, new: bool, signs: Signs) -> str:
    if old and new:
        return signs.full
    return _NEW_ONLY if new else _OLD_ONLY if old else " "


def _compare_head(old: TherapyView, new: TherapyView, weekday: int, per: Per, signs: Signs, width: int) -> list[str]:
    """The day's dose, old and new, and what the signs mean. ValueError where they do not fit: a dose is never cut."""
    head = f"{DAY_NAMES[weekday]}: old {_mcg(old.day_doses[weekday])}, new {_mcg(new.day_doses[weekday])}"
    periodic = [what for what, view in (("old", old), ("new", new)) if view.mode is Mode.PERIODIC_BOLUS]
    if periodic:
        head = f"{head}; {' and '.join(periodic)} from a bolus on" if len(head) + 30 <= width else f"{head}; from a bolus"
    short = f"mcg per {per}:  {signs.full} both  {_NEW_ONLY} new  {_OLD_ONLY} old  {_DIFFERS} differs"
    long = f"mcg per {per}:  {signs.full} both  {_NEW_ONLY} new only (more)  {_OLD_ONLY} old only (less)  {_DIFFERS} differs"
    legend = long if len(long) <= width else short
    if max(len(head), len(legend)) > width:
        raise ValueError(f"a comparison needs {max(len(head), len(short))} columns at least, not {width}")
    return [f"{head:<{width}}", f"{legend:<{width}}"]


def _say_nothing(lines: list[str], axis: Axis) -> None:
    """In the uppermost row of a chart without any rate."""
    if not axis.top:
        lines[2] = f"{lines[2][: axis.margin]}{'nothing is given':<{axis.columns}}"


def _mcg(rate: MassRate) -> str:
    """Dose of a day."""
    return f"{_dose(rate)} mcg"


def _dose(rate: MassRate) -> str:
    return number_text(Fraction(rate.ng_per_day) / NG_PER_MCG, thousands=True)


# ------------------------------------------------------------------------------------------------ the reservoir
GAUGE_WIDTH = 24
_LOW, _EMPTY = "L", "E"


def gauge(volume_nL: int, capacity_nL: int, low_nL: int, empty_nL: int, width: int, *, ascii: bool = False) -> list[str]:
    """A bar of the reservoir with `L` at the low and `E` at the empty alarm, and the same in words; two lines or more of `width`.

    All volumes in nL. The bar rounds down. More than the capacity is told by a word. ValueError for a negative
    volume, a capacity of 0, or less than 24 columns.
    """
    if width < GAUGE_WIDTH:
        raise ValueError(f"a gauge needs {GAUGE_WIDTH} columns at least, not {width}")
    if min(volume_nL, low_nL, empty_nL) < 0 or capacity_nL <= 0:
        raise ValueError("a reservoir has a capacity, and no volume below 0")
    signs = ASCII if ascii else BOXES
    cells = width - 2
    filled = min(cells, volume_nL * cells // capacity_nL)
    bar = [signs.full] * filled + [" " if ascii else "░"] * (cells - filled)
    for sign, mark_nL in ((_EMPTY, empty_nL), (_LOW, low_nL)):
        if 0 < mark_nL < capacity_nL:
            bar[mark_nL * cells // capacity_nL] = sign
    words = f"{Volume(volume_nL)} of {Volume(capacity_nL)}: {_reservoir_words(volume_nL, capacity_nL, low_nL, empty_nL)}"
    return [f"[{''.join(bar)}]", *(f"{line:<{width}}" for line in wrapped(words, width, hanging=0))]


def _reservoir_words(volume_nL: int, capacity_nL: int, low_nL: int, empty_nL: int) -> str:
    if volume_nL > capacity_nL:
        return "MORE THAN THE CAPACITY"
    if volume_nL <= empty_nL:
        return f"EMPTY, at or below {_EMPTY} at {Volume(empty_nL)}"
    if volume_nL <= low_nL:
        return f"LOW, at or below {_LOW} at {Volume(low_nL)}"
    return f"above {_LOW}, the low alarm at {Volume(low_nL)}"


# ------------------------------------------------------------------------------------------------ fourteen days
DAYS = 14


def fortnight(
    view: TherapyView,
    first_day: date,
    width: int,
    *,
    marks: Mapping[date, str] | None = None,
    per_row: Literal[14, 7, 1] | None = None,
) -> list[str]:
    """The programmed dose of each of 14 days: 14 columns, two bands of seven, or a list, by default the widest that fits `width`.

    `first_day` is the date of the pump's present day, of the weekday that the pump takes it for. `marks`: words for days that matter,
    such as REFILL. Lines of exactly `width`, plain ASCII in every form. A therapy that does not follow the week has its mean day on each.
    ValueError where `per_row` does not fit.
    """
    days = [_day(view, first_day + timedelta(days=number), marks or {}) for number in range(DAYS)]
    forms = {14: _bands(days, 14, width), 7: _bands(days, 7, width), 1: _list(days, width)}
    found = next((lines for count, lines in forms.items() if lines and per_row in (None, count)), None)
    if found is None:
        raise ValueError(f"{width} columns do not hold the days{'' if per_row is None else f', {per_row} in a row'}")
    what = "mean day" if view.mode is Mode.PERIODIC_BOLUS else "programmed dose of each day"
    return [_fit([f"{what}, mcg"], width), *found]


class _Day(NamedTuple):
    weekday: str
    date: str
    dose: str
    words: tuple[str, ...]


def _day(view: TherapyView, day: date, marks: Mapping[date, str]) -> _Day:
    words = tuple(marks[day].split()) if day in marks else ()
    return _Day(DAY_NAMES[day.weekday()], f"{day.day} {day:%b}", _dose(view.day_doses[day.weekday()]), words)


def _bands(days: Sequence[_Day], per_row: int, width: int) -> list[str]:
    """Days side by side; nothing where they do not fit. Weekday and date share a line where they can."""
    room = width // per_row - 1
    if room < max(len(text) for day in days for text in (day.date, day.dose, *day.words)):
        return []
    together = all(len(f"{day.weekday} {day.date}") <= room for day in days)
    lines = []
    for at in range(0, len(days), per_row):
        stacks = [
            ((f"{day.weekday} {day.date}",) if together else (day.weekday, day.date)) + (day.dose, *day.words)
            for day in days[at : at + per_row]
        ]
        rows = zip_longest(*stacks, fillvalue="")
        lines += [f"{''.join(f'{text:<{room + 1}}' for text in row):<{width}}" for row in rows]
    return lines


def _list(days: Sequence[_Day], width: int) -> list[str]:
    """A day on each line; nothing where they do not fit."""
    dates = max(len(day.date) for day in days)
    doses = max(len(day.dose) for day in days)
    lines = [f"{day.weekday} {day.date:>{dates}}  {day.dose:>{doses}} mcg  {' '.join(day.words)}".rstrip() for day in days]
    return [f"{line:<{width}}" for line in lines] if max(map(len, lines)) <= width else []
