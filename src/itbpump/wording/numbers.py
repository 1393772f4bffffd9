"""Numbers in words, for a total that is read aloud: a slip of ten is heard where it is not seen (ISMP: figures and words). English only."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from itbpump.quantity import MassRate

__all__ = ["amount_in_words", "in_words"]

_SMALL: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS: Final = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_GROUPS: Final = ((1_000_000_000, "billion"), (1_000_000, "million"), (1_000, "thousand"))
_TOO_LARGE: Final = 1_000_000_000_000


def in_words(value: Fraction | int) -> str:
    """`one thousand two hundred fifty`, `six point five`; digits after the point are said one by one.

    `value` is from 0 to under a million million, with decimals that end. Raises ValueError for any other, TypeError for a float.
    """
    from itbpump.quantity import exact, number_text

    whole, _, decimals = number_text(exact(value)).partition(".")
    if int(whole) >= _TOO_LARGE:
        raise ValueError(f"{value} is too large to be said")
    spoken = _whole(int(whole))
    return f"{spoken} point {' '.join(_SMALL[int(digit)] for digit in decimals)}" if decimals else spoken


def amount_in_words(amount: MassRate) -> str:
    """A daily dose: `two hundred fifty micrograms per day`. Raises ValueError for one whose decimals do not end: round it first."""
    micrograms = Fraction(amount.ng_per_day, 1_000)
    return f"{in_words(micrograms)} {'microgram' if micrograms == 1 else 'micrograms'} per day"


def _whole(number: int) -> str:
    for size, name in _GROUPS:
        if number >= size:
            more, rest = divmod(number, size)
            return f"{_whole(more)} {name}" + (f" {_whole(rest)}" if rest else "")
    hundreds, rest = divmod(number, 100)
    parts = [f"{_SMALL[hundreds]} hundred"] if hundreds else []
    if rest or not hundreds:
        parts.append(_below_hundred(rest))
    return " ".join(parts)


def _below_hundred(number: int) -> str:
    if number < len(_SMALL):
        return _SMALL[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens] + (f"-{_SMALL[ones]}" if ones else "")
