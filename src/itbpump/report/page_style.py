"""What the pages of reports and lists have in common: looks, and tables that never break within a word or an amount.

A table that is wider than its window scrolls in a frame of its own; on a phone the rows of one with several columns stand as blocks, each
cell behind the head of its column (`STACKED`), so that no outcome lies out of sight. Only what has no place to break (a hash, an address)
is broken anywhere. Nothing here is loaded or run. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

__all__ = ["POLICY", "STACKED", "STYLE", "cell", "framed"]

STACKED = "stacked"
"""Class of a table whose cells have the head of their column with them."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light; }
body { font-family: system-ui, sans-serif; line-height: 1.4; color: #111; background: #fff; margin: 1rem auto; padding: 0 1rem; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; border-bottom: 2px solid #444; } h3 { font-size: 1.05em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: 0.5em 0; }
caption { text-align: left; font-style: italic; }
th, td { border: 1px solid #666; padding: 0.2em 0.5em; text-align: left; vertical-align: top; }
.long { overflow-wrap: anywhere; min-width: 8em; }
tr.lead td { font-size: 1.3em; font-weight: 700; line-height: 1.2; }
.loud { border: 3px solid #111; padding: 0.5em; font-weight: 600; }
footer { border-top: 1px solid #444; margin-top: 1em; font-size: 0.9em; }
h1, h2, h3, p, li, caption { overflow-wrap: break-word; }
ul.loud, ol.loud { padding-left: 2em; }
@page { size: auto; margin: 14mm; }
@media (max-width: 30rem) { th, td { padding: 0.2em 0.25em; font-size: 0.95em; } }
@media screen and (max-width: 40rem) {
  .stacked, .stacked tbody, .stacked caption, .stacked tr, .stacked th, .stacked td { display: block; width: auto; min-width: 0; }
  .stacked thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .stacked tr { margin: 0.6em 0; border: 1px solid #666; }
  .stacked th, .stacked td { border: 0; }
  .stacked td::before { content: attr(data-label) ": "; font-style: italic; font-weight: 400; }
}
@media print {
  body { max-width: none; margin: 0; padding: 0; }
  .wide { overflow: visible; }
  h2, h3, caption { break-after: avoid; }
  tr, li, .loud { break-inside: avoid; }
}
"""
_LONGEST_WORD = 24


def cell(html: str, text: str, tag: str = "td", scope: str = "", kind: str = "", label: str = "") -> str:
    """A cell with content that is HTML already; `text` is what stands in it, which decides whether it may break anywhere. `label`: the head
    of its column, which a stacked table says beside it."""
    kinds = " ".join(filter(None, (kind, "long" if any(len(word) > _LONGEST_WORD for word in text.split()) else "")))
    marks = {"scope": scope, "class": kinds, "data-label": escape(label, quote=True)}
    return f"<{tag}{''.join(f' {name}={chr(34)}{value}{chr(34)}' for name, value in marks.items() if value)}>{html}</{tag}>"


def framed(rows: Iterable[str], label: str, kind: str = "") -> Iterator[str]:
    """A table in its frame, which can be scrolled from the keyboard; `label` names it for who does not see it."""
    yield f'<div class="wide" role="region" tabindex="0" aria-label="{escape(label, quote=True)}">'
    yield f'<table class="{kind}">' if kind else "<table>"
    yield from rows
    yield "</table>"
    yield "</div>"
