"""Figures of a report: as people read them, how far they are from their limits, and where they stand on a bar. Exact; pure.

Not here: taking them (`itbpump.hil.measure`).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from itbpump.hil.measure import figure_text
from itbpump.hil.model import Measurement

__all__ = ["Bar", "bar_of", "limits_text", "room_of", "rounded_text", "shown", "width_of"]


def shown(text: str) -> str:
    """Decimal text with commas at thousands, for people: `-12500.5` is `-12,500.5`."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, point, rest = digits.partition(".")
    return f"{sign}{int(whole):,}{point}{rest}"


def rounded_text(value: Fraction, digits: int = 3) -> str:
    """To that many decimals, without trailing zeros, with commas at thousands."""
    return shown(figure_text(Fraction(round(value * 10**digits), 10**digits)))


def limits_text(one: Measurement) -> str:
    """The limits in words."""
    lo, hi = one.limits.lo, one.limits.hi
    if lo is not None and hi is not None:
        return f"{shown(lo)} {one.unit}".rstrip() if lo == hi else f"{shown(lo)} to {shown(hi)} {one.unit}".rstrip()
    if lo is not None:
        return f"at least {shown(lo)} {one.unit}".rstrip()
    return f"at most {shown(hi)} {one.unit}".rstrip() if hi is not None else "no limit"


def room_of(one: Measurement) -> Fraction | None:
    """How far the value is from the nearest limit, in its unit; negative outside, None without limits."""
    value = Fraction(one.value)
    sides = [value - Fraction(one.limits.lo)] if one.limits.lo is not None else []
    sides += [Fraction(one.limits.hi) - value] if one.limits.hi is not None else []
    return min(sides, default=None)


def width_of(one: Measurement) -> Fraction | None:
    """How far the limits are apart; None unless there are two that differ."""
    if one.limits.lo is None or one.limits.hi is None or one.limits.lo == one.limits.hi:
        return None
    return Fraction(one.limits.hi) - Fraction(one.limits.lo)


@dataclass(frozen=True, slots=True)
class Bar:
    """Places on a bar in thousandths of its length. `off`: the value lies beyond the end of the bar, which it is drawn at."""

    lo: int | None
    hi: int | None
    value: int
    off: bool


def bar_of(one: Measurement) -> Bar | None:
    """The limits stand at a quarter and three quarters; a single one in the middle, with its own size (or the value's distance) to either
    side. None without limits."""
    lo = None if one.limits.lo is None else Fraction(one.limits.lo)
    hi = None if one.limits.hi is None else Fraction(one.limits.hi)
    value = Fraction(one.value)
    if lo is not None and hi is not None and lo != hi:
        begin, length = lo - (hi - lo) / 2, (hi - lo) * 2
    else:
        limit = lo if lo is not None else hi
        if limit is None:
            return None
        half = max(abs(limit), abs(value - limit) * 5 / 4) or Fraction(1)
        begin, length = limit - half, half * 2

    def place(figure: Fraction | None) -> int | None:
        return None if figure is None else round((figure - begin) / length * 1_000)

    exact = round((value - begin) / length * 1_000)
    return Bar(place(lo), place(hi), min(max(exact, 0), 1_000), not 0 <= exact <= 1_000)
