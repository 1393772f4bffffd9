"""Charts of a plan: the daily dose and the simulated amount in the CSF over time, as plain text and as one SVG file.

Exact figures in, characters out; both kinds share scale and ticks. Not here: where they are printed.
"""

from __future__ import annotations

import textwrap
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from itbpump.plan.model import DISCLAIMER, Plan, date_text
from itbpump.quantity import number_text

if TYPE_CHECKING:
    from itbpump.plan.csf import CsfCourse

__all__ = ["Series", "plan_series", "svg_chart", "text_chart"]

TICKS = 4
NICE = (Fraction(1), Fraction(2), Fraction(5, 2), Fraction(5), Fraction(10))
DATES = 4


@dataclass(frozen=True, slots=True)
class Series:
    """Values over a span of time, each holding until the next; `unit` stands at the axis."""

    title: str
    unit: str
    points: tuple[tuple[datetime, Fraction], ...]
    begin: datetime
    end: datetime

    def extremes(self, from_: datetime, until: datetime) -> tuple[Fraction, Fraction]:
        """Lowest and highest in [from_, until)."""
        times = [at for at, _ in self.points]
        first = max(0, bisect_right(times, from_) - 1)
        values = [value for at, value in self.points[first:] if at < until or at == times[first]]
        return min(values), max(values)

    @property
    def tick(self) -> Fraction:
        """Distance of the ticks: the smallest round number of which `TICKS` reach above the highest value."""
        highest = max(value for _, value in self.points)
        power = Fraction(1, 1000)
        while NICE[-1] * power * TICKS < highest:
            power *= 10
        return next(nice * power for nice in NICE if nice * power * TICKS >= highest)


def plan_series(plan: Plan, csf: CsfCourse) -> tuple[Series, Series]:
    """Daily dose and amount in the CSF over the same span."""
    begin, end = csf.points[0].at, csf.points[-1].at
    present, *steps = ((at, Fraction(dose.ng_per_day) / 1000) for at, dose in plan.doses())
    doses = ((begin, present[1]), *steps)
    amounts = tuple((point.at, Fraction(point.amount.ng) / 1000) for point in csf.points)
    return (
        Series("Daily dose, mean", "mcg per day", doses, begin, end),
        Series("Amount in the cerebrospinal fluid, simulated", "mcg", amounts, begin, end),
    )


# ------------------------------------------------------------------------------------------------ text
def text_chart(series: Series, width: int = 80, rows: int = 8) -> list[str]:
    """Lines of at most `width` plain characters: `#` up to the lowest value of a column, `:` from there to its highest."""
    labels = [number_text(series.tick * number, thousands=True) for number in range(TICKS + 1)]
    margin = max(map(len, labels)) + 2
    columns = width - margin
    span = (series.end - series.begin) / columns
    levels = [series.extremes(series.begin + span * column, series.begin + span * (column + 1)) for column in range(columns)]
    step = series.tick * TICKS / rows
    lines = [f"{series.title}, {series.unit}"]
    for row in range(rows, 0, -1):
        number, rest = divmod(row * TICKS, rows)
        label = labels[number] if rest == 0 else ""
        middle = step * row - step / 2
        bar = "".join("#" if low > middle else ":" if high > middle else " " for low, high in levels)
        lines.append(f"{label:>{margin - 2}} {'+' if label else '|'}{bar}".rstrip())
    lines.append(f"{labels[0]:>{margin - 2}} +{'-' * columns}")
    lines.append(" " * margin + _dates(series, columns))
    return lines


def _dates(series: Series, columns: int) -> str:
    """Dates under the axis, each beginning where its day and hour lie; the last ends with the axis."""
    line = [" "] * columns
    for number in range(DATES):
        column = columns * number // DATES
        text = f"^{_day(series.begin + (series.end - series.begin) * number / DATES)}"
        line[column : column + len(text)] = text
    last = f"{_day(series.end)}^"
    line[columns - len(last) :] = last
    return "".join(line)


def _day(at: datetime) -> str:
    return f"{at.day} {at:%b}"


# ------------------------------------------------------------------------------------------------ SVG
WIDTH, PANEL, LEFT, TOP, BETWEEN, LINE = 860, 200, 70, 60, 70, 18
SVG_COLUMNS = 110  # characters of small print that fit the width in any usual font


def svg_chart(plan: Plan, csf: CsfCourse) -> str:
    """One self-contained SVG with both panels, the model in words, and what it is not."""
    panels = [_panel(series, TOP + number * (PANEL + BETWEEN)) for number, series in enumerate(plan_series(plan, csf))]
    below = [line for text in (csf.model, DISCLAIMER) for line in textwrap.wrap(text, SVG_COLUMNS)]
    bottom = TOP + 2 * (PANEL + BETWEEN)
    height = bottom + LINE * len(below)
    patient = f"Plan ({plan.kind}) for patient {plan.present.patient.id}, {plan.present.drug.name}, from {date_text(plan.start)}"
    lines = [f'<text x="{LEFT}" y="24" font-size="15">{escape(patient)}</text>']
    for number, text in enumerate(below):
        lines.append(f'<text x="{LEFT}" y="{bottom + LINE * number}" font-size="11">{escape(text)}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" role="img">'
    title = f"<title>{escape(patient)}</title>"
    return "\n".join([head, title, f'<rect width="{WIDTH}" height="{height}" fill="white"/>', *lines, *panels, "</svg>", ""])


def _panel(series: Series, top: int) -> str:
    right, bottom, full = WIDTH - 20, top + PANEL, series.tick * TICKS

    def x(at: datetime) -> str:
        return _pixel(LEFT + Fraction((at - series.begin) // timedelta(seconds=1), _seconds(series)) * (right - LEFT))

    def y(value: Fraction) -> str:
        return _pixel(bottom - value / full * PANEL)

    parts = [f'<text x="{LEFT}" y="{top - 8}" font-weight="bold">{escape(series.title)}, {escape(series.unit)}</text>']
    for number in range(TICKS + 1):
        value = series.tick * number
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y(value)}" y2="{y(value)}" stroke="#bbb"/>')
        label = number_text(value, thousands=True)
        parts.append(f'<text x="{LEFT - 8}" y="{y(value)}" text-anchor="end" dominant-baseline="middle">{label}</text>')
    for number in range(DATES + 1):
        at = series.begin + (series.end - series.begin) * number / DATES
        anchor = "end" if number == DATES else "start"
        parts.append(f'<text x="{x(at)}" y="{bottom + 18}" text-anchor="{anchor}">{date_text(at)}</text>')
    parts.append(f'<polyline fill="none" stroke="black" stroke-width="1.5" points="{_polyline(series, x, y)}"/>')
    return "\n".join(parts)


def _polyline(series: Series, x: Callable[[datetime], str], y: Callable[[Fraction], str]) -> str:
    """Corners of the staircase."""
    corners, before = [], series.points[0][1]
    for at, value in series.points:
        if value != before:
            corners.append(f"{x(at)},{y(before)}")
        corners.append(f"{x(at)},{y(value)}")
        before = value
    return " ".join([*corners, f"{x(series.end)},{y(before)}"])


def _seconds(series: Series) -> int:
    return (series.end - series.begin) // timedelta(seconds=1)


def _pixel(value: Fraction) -> str:
    """To a tenth of a pixel."""
    return number_text(Fraction(round(value * 10), 10))
