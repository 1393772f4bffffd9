"""A figure as SVG without any help: axes, ticks, lines. Places are reckoned exactly and rounded to a tenth of a unit. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from html import escape

from itbpump.hil.measure import figure_text
from itbpump.hil.report.figures import shown
from itbpump.hil.report.plots import STROKES, Figure, Line

__all__ = ["nice_ticks", "svg_of"]

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 108, 40, 12, 48
_TICKS = 6
_HEADROOM = 20

Place = Callable[[Fraction], float]


def svg_of(figure: Figure) -> str:
    """The picture."""
    lines = (*figure.curves, *figure.limits)
    xs = [value for line in figure.curves for value in line.x]
    ys = [value for line in lines for value in line.y]
    x_ticks = sorted(set(xs)) if figure.log_x else nice_ticks(min(xs), max(xs))
    y_ticks = nice_ticks(min(ys), max(ys))
    across = _log_place(min(xs), max(xs)) if figure.log_x else _place(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    room = (max(ys) - min(ys)) / _HEADROOM  # so that no limit lies upon the frame
    up = _place(min(ys) - room, max(ys) + room, HEIGHT - BOTTOM, TOP)
    drawn = [_axes(figure, x_ticks, y_ticks, across, up)]
    drawn += [f'<polyline class="limit" fill="none" stroke-width="1" points="{_points(line, across, up)}"/>' for line in figure.limits]
    for (name, _, dashes), line in zip(STROKES, figure.curves, strict=False):
        dash = f' stroke-dasharray="{dashes}"' if dashes else ""
        drawn.append(f'<polyline class="{name}" fill="none" stroke-width="2"{dash} points="{_points(line, across, up)}"/>')
        if figure.marked:
            drawn += [
                f'<circle class="{name}" fill="none" cx="{across(x)}" cy="{up(y)}" r="2.5"/>' for x, y in zip(line.x, line.y, strict=True)
            ]
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(figure.words)}</title>{"".join(drawn)}</svg>'


def _axes(figure: Figure, x_ticks: Sequence[Fraction], y_ticks: Sequence[Fraction], across: Place, up: Place) -> str:
    floor = HEIGHT - BOTTOM
    parts = [f'<path class="grid" d="M{LEFT} {up(y)}H{WIDTH - RIGHT}"/>' for y in y_ticks]
    parts += [f'<text x="{LEFT - 8}" y="{up(y) + 4:.1f}" text-anchor="end">{_label(y)}</text>' for y in y_ticks]
    parts += [f'<path class="grid" d="M{across(x)} {TOP}V{floor}"/>' for x in x_ticks]
    parts += [f'<text x="{across(x)}" y="{floor + 18}" text-anchor="middle">{_label(x)}</text>' for x in x_ticks]
    parts.append(f'<rect class="grid" fill="none" x="{LEFT}" y="{TOP}" width="{WIDTH - RIGHT - LEFT}" height="{floor - TOP}"/>')
    middle = (TOP + floor) / 2
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(figure.x_unit)}</text>')
    parts.append(f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">{escape(figure.y_unit)}</text>')
    return "".join(parts)


def _label(value: Fraction) -> str:
    """Short where the figure is long: an axis is no place to read it off."""
    text = shown(figure_text(value))
    return text if len(text) <= 10 else f"{text[:2].rstrip(',.')}…"


def _points(line: Line, across: Place, up: Place) -> str:
    return " ".join(f"{across(x)},{up(y)}" for x, y in zip(line.x, line.y, strict=True))


def _place(least: Fraction, most: Fraction, begin: int, end: int) -> Place:
    span = most - least

    def place(value: Fraction) -> float:
        share = (value - least) / span if span else Fraction(1, 2)
        return round((begin + share * (end - begin)) * 10) / 10

    return place


def _log_place(least: Fraction, most: Fraction) -> Place:
    """`least` and `most` are positive and differ (Figure.log_x)."""

    def log(value: Fraction) -> float:
        return math.log(value.numerator) - math.log(value.denominator)

    span = log(most) - log(least)
    return lambda value: round(LEFT + 16 + (log(value) - log(least)) / span * (WIDTH - RIGHT - LEFT - 32), 1)


def nice_ticks(least: Fraction, most: Fraction) -> list[Fraction]:
    """Some six round values of 1, 2 or 5 times a power of ten, within the span; the one value itself where there is only one."""
    span = most - least
    if not span:
        return [least]
    raw = span / _TICKS
    power = Fraction(1)
    while power * 10 <= raw:
        power *= 10
    while power > raw:
        power /= 10
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= raw)
    first = math.ceil(least / step)
    return [step * number for number in range(first, math.floor(most / step) + 1)]
