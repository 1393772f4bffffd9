"""A report as headings, rows and sentences, before any form: what one form says, all say, because all are made of this.

`plain` is the gate for every text that leaves here. Not here: what is said (`session`, `emergency`), how it looks (`as_html`, `as_text`,
`as_pdf`).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

__all__ = ["Blanks", "Block", "Compared", "Document", "Facts", "Items", "Prose", "Section", "held_together", "plain"]

_NUMBER_AND_UNIT = re.compile(r"(?<=\d) (?=(?:mcg|mg|mL|ng|h|min|d|s|days|pulses|%)(?![A-Za-z]))")


@dataclass(frozen=True, slots=True)
class Facts:
    """Label and text, one row each. `lead`: labels of the rows that a reader looks for first; forms that can show them larger."""

    rows: tuple[tuple[str, str], ...]
    caption: str = ""
    lead: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """Label, old, new, and whether it changed; a changed row carries the word beside its place."""

    rows: tuple[tuple[str, str, str, bool], ...]
    caption: str = ""
    heads: tuple[str, str] = ("before", "after")


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph. `loud`: set apart; the words say why, the looks only help."""

    text: str
    loud: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list. `loud` as in `Prose`."""

    items: tuple[str, ...]
    ordered: bool = False
    loud: bool = False


@dataclass(frozen=True, slots=True)
class Blanks:
    """Lines to fill in by hand."""

    labels: tuple[str, ...]


Block = Facts | Compared | Prose | Items | Blanks


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it; `level` 2 or 3."""

    heading: str
    blocks: tuple[Block, ...]
    level: int = 2


@dataclass(frozen=True, slots=True)
class Document:
    """A report. `notice` stands under the title, `footer` at the end of it, and on every printed page. `one_page`: must not need a
    second one."""

    title: str
    notice: tuple[str, ...]
    sections: tuple[Section, ...]
    footer: str
    one_page: bool = False


def plain(text: str) -> str:
    """One line of text that shows all that is in it: white space is a space, other controls, marks of direction and halves of characters
    are shown by their number (`[U+202E]`), so that a text typed by somebody can neither hide nor move what stands beside it."""
    spaced = " ".join(text.split())
    return "".join(f"[U+{ord(sign):04X}]" if unicodedata.category(sign).startswith("C") else sign for sign in spaced)


def held_together(text: str) -> str:
    """The same text with each number held at its unit by a space that is no place for a new line."""
    return _NUMBER_AND_UNIT.sub("\u00a0", text)
