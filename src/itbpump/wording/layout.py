"""Lines for a screen of 80 columns, wherever they are printed: a table must not break where a terminal happens to end.

A number stays with its unit, and a command with its address, so that neither is read or copied by half. What cannot be broken (an address
longer than the line) stands alone and runs over. Not here: what is said.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from itertools import zip_longest

__all__ = ["WIDTH", "columns", "laid_out", "old_against_new", "row", "rows", "screen_amount", "spelled_out", "wrapped"]

WIDTH = 80
LABEL_WIDTH = 16
LABEL_LIMIT = 26
ALONE_LIMIT = 38
_GAP = "  "
_CHANGED = "CHANGED"
_GLUE = "\x00"

_AMOUNT = re.compile(r"\d[\d.,]* (?:mcg|mg|mL|ng|h|min|d|s|days|pulses|%)(?: per (?:day|hour|mL|cm))?(?![A-Za-z])")
_HEAD = re.compile(r"^error: \S")
_COMMAND = re.compile(r"itbpump [a-z][a-z-]*(?: (?:--[a-z-]+|URL\b|RX\b|[^\s;,()]*[/:.][^\s;,()]*[^\s;,().]))*")
_RATE = re.compile(r"\b(mcg|mg|mL|ng)/(day|hr|h|mL|cm)\b")
_ZEROS = re.compile(r"(\d\.\d*?)0+(?= (?:mcg|mg|mL|ng)\b)")
_PER = {"h": "hour", "hr": "hour"}


def wrapped(text: str, width: int = WIDTH, hanging: int | None = None) -> list[str]:
    """A line as lines of at most `width`; the ones that follow are set in by `hanging`, by default a little deeper than the first."""
    if len(text) <= width:
        return [text]
    indent = len(text) - len(text.lstrip(" "))
    further = " " * (hanging if hanging is not None else indent + 2 if indent else 0)
    found = textwrap.wrap(
        _glued(text.strip(" "), width - max(indent, len(further))),
        width,
        initial_indent=" " * indent,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_GLUE, " ") for line in found]


def laid_out(text: str) -> str:
    """A text of several lines, each of them wrapped."""
    return "\n".join(part for line in text.split("\n") for part in wrapped(line.rstrip()))


def _glued(text: str, room: int) -> str:
    """The text with what belongs together held by a sign that is no space: an amount where it fits, else its number and unit."""

    def amount(found: re.Match[str]) -> str:
        whole = found[0]
        return whole.replace(" ", _GLUE) if len(whole) <= room else whole.replace(" ", _GLUE, 1)

    text = _AMOUNT.sub(amount, text)
    for held in (_COMMAND, _HEAD):
        text = held.sub(lambda found: found[0].replace(" ", _GLUE), text)
    return text


def row(label: str, text: str, label_width: int = LABEL_WIDTH, width: int = WIDTH) -> list[str]:
    """A label and its text; further lines stand under the text."""
    return wrapped(f"{label:<{label_width}}{text}", width, hanging=label_width)


def rows(pairs: Sequence[tuple[str, str]], indent: str = "", width: int = WIDTH) -> list[str]:
    """Labels in one column, texts in another."""
    label_width = max((len(label) for label, _ in pairs), default=0) + len(indent) + len(_GAP)
    return [line for label, text in pairs for line in row(indent + label, text, label_width, width)]


def columns(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    """One row of a table; a cell that is wider than its column goes on below."""
    stacks = [wrapped(cell, width, hanging=0) or [""] for cell, width in zip(cells, widths, strict=True)]
    return [
        _GAP.join(f"{part:<{width}}" for part, width in zip(line, widths, strict=True)).rstrip()
        for line in zip_longest(*stacks, fillvalue="")
    ]


def old_against_new(table: Sequence[tuple[str, str, str, bool]], old: str = "now", new: str = "new", width: int = WIDTH) -> list[str]:
    """Label, old and new; a changed row is marked by a sign and a word. Without any `old` its column is left out."""
    known = any(before for _, before, _, _ in table)
    word = _CHANGED if any(changed for *_, changed in table) else ""
    shown = [("", old, new, False), *table]
    cells = [[label, *([before] if known else []), after, *([word * changed] if word else [])] for label, before, after, changed in shown]
    widths = _widths(cells, len(word), width)
    lines = []
    for (*_, changed), entry in zip(shown, cells, strict=True):
        first, *further = columns(entry, widths)
        lines += [f"{'*' if changed else ' '} {first}".rstrip(), *(f"  {line}" for line in further)]
    return lines


def _widths(cells: Sequence[Sequence[str]], word: int, width: int) -> list[int]:
    """Widths of label and amounts that fit the screen: as wide as they need, else the amounts share what is left."""
    longest = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    label, *amounts = longest[:-1] if word else longest
    label = min(label, (LABEL_LIMIT if len(amounts) > 1 else ALONE_LIMIT) * min(width, WIDTH) // WIDTH)
    room = width - len("* ") - label - len(_GAP) * (len(longest) - 1) - word
    if sum(amounts) > room:
        half = room // len(amounts)
        first = min(amounts[0], max(half, room - sum(amounts[1:])))
        amounts = [first, *(room - first for _ in amounts[1:])]
    return [label, *amounts, *([word] if word else [])]


# ------------------------------------------------------------------------------------------------ words for people
def screen_amount(text: str) -> str:
    """An amount or duration of a file as screens show it: `1250 mcg/day` is `1,250 mcg per day`; any other text as it is."""
    from itbpump.errors import QuantityError
    from itbpump.quantity import Duration, parse_amount

    for read in (parse_amount, Duration.parse):
        try:
            return str(read(text))
        except QuantityError:
            continue  # not an amount of this kind: the next, or plain words
    return spelled_out(text)


def spelled_out(text: str) -> str:
    """`0.140 mL/h` as `0.14 mL per hour`, in a text that quotes a source."""
    plain = _ZEROS.sub(lambda found: found[1].removesuffix("."), text)
    return _RATE.sub(lambda found: f"{found[1]} per {_PER.get(found[2], found[2])}", plain)
