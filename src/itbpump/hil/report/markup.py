"""Small pieces of a page: text that is safe to show, tables, bars. Pure.

Every text of a run goes through `shown_text`: it may come from firmware under test, and must neither run nor hide what stands beside it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from html import escape

from itbpump.hil.model import Measurement, Outcome
from itbpump.hil.report.figures import bar_of, limits_text, shown

__all__ = ["bar_svg", "outcome_word", "raw_block", "shown_text", "table", "visible"]


def visible(text: str, *, lines: bool = False) -> str:
    """All that is in a text: controls, marks of direction, halves of characters by number, such as `[U+202E]`. `lines`: newlines stay."""
    return "".join(
        sign if (lines and sign == "\n") or not unicodedata.category(sign).startswith("C") else _by_number(sign) for sign in text
    )


def shown_text(text: str, *, lines: bool = False) -> str:
    """The visible text for HTML."""
    return escape(visible(text, lines=lines), quote=True)


def _by_number(sign: str) -> str:
    return " " if sign in "\n\r\t" else f"[U+{ord(sign):04X}]"


def outcome_word(outcome: Outcome) -> str:
    """The outcome as a word; the colour only repeats it."""
    return f'<span class="{outcome.value}">{outcome.value}</span>'


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], classes: Sequence[str] = ()) -> str:
    """A table of HTML cells, the first of each row its head. `classes`: by column. Empty without rows.

    Each cell has the head of its column with it: on a phone a row stands as a block, so that no outcome lies out of sight.
    """
    body = []
    for row in rows:
        cells = [f'<th scope="row">{row[0]}</th>']
        for place, cell in enumerate(row[1:], 1):
            name = classes[place] if place < len(classes) else ""
            kind = f' class="{name}"' if name else ""
            cells.append(f'<td{kind} data-label="{shown_text(heads[place])}">{cell}</td>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    if not body:
        return ""
    head = "".join(f'<th scope="col">{shown_text(one)}</th>' for one in heads)
    title = f"<caption>{shown_text(caption)}</caption>" if caption else ""
    return f'<div class="wide"><table>{title}<thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def raw_block(title: str, lines: Sequence[str], note: str = "") -> str:
    """Lines that can be folded away; empty without lines."""
    if not lines:
        return ""
    told = f'<p class="quiet">{shown_text(note)}</p>' if note else ""
    text = shown_text("\n".join(line.replace("\n", " ") for line in lines), lines=True)
    return f"<details><summary>{shown_text(title)}</summary>{told}<pre>{text}</pre></details>"


def bar_svg(one: Measurement) -> str:
    """Where the value stands between its limits; empty without limits."""
    bar = bar_of(one)
    if bar is None:
        return ""
    left, right = bar.lo if bar.lo is not None else 0, bar.hi if bar.hi is not None else 1_000
    edges = "".join(f'<path class="edge" d="M{place} 10V90" stroke-width="12"/>' for place in (bar.lo, bar.hi) if place is not None)
    name = "mark" if one.within else "mark out"
    if bar.off:
        shape = "0,50 60,10 60,90" if bar.value == 0 else "1000,50 940,10 940,90"
    else:
        shape = f"{bar.value},0 {bar.value + 28},50 {bar.value},100 {bar.value - 28},50"
    words = f"{shown(one.value)} {one.unit}, {limits_text(one)}: {'within' if one.within else 'outside'}"
    return (
        f'<svg class="bar" viewBox="-30 0 1060 100" preserveAspectRatio="none" role="img"><title>{shown_text(words)}</title>'
        f'<rect class="band" x="{left}" y="25" width="{max(right - left, 8)}" height="50"/>{edges}'
        f'<polygon class="{name}" points="{shape}"/></svg>'
    )
