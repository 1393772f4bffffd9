"""A report as one HTML page: accessible, printable, self-contained. Nothing in it runs or loads anything, and its own policy says so.

Headings in order, tables with captions and scopes, the language named; changes and warnings by words, looks only beside them. Every text
goes through `_escaped`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from itbpump.report.document import Blanks, Block, Compared, Document, Facts, Items, Prose, Section, held_together, plain
from itbpump.report.page_style import POLICY, STACKED, STYLE, cell, framed

__all__ = ["html_of"]

LOOKS = """
body { max-width: 60rem; }
th[scope=row] { font-weight: 600; width: 28%; }
tr.changed th, tr.changed td { font-weight: 700; border-width: 2px; }
.notice { border-left: 4px solid #444; padding-left: 0.7em; }
.fill { display: flex; flex-wrap: wrap; align-items: end; gap: 0 0.5em; }
.blank { flex: 1 1 14em; border-bottom: 1px solid #111; height: 1.4em; }
.card { font-size: 0.85em; line-height: 1.25; } .card h2 { margin: 0.5em 0 0.2em; } .card p, .card ul { margin: 0.2em 0; }
@media print { body { max-width: none; font-size: 10pt; } .card { font-size: 8pt; page: card; } }
@page card { margin: 10mm; }
@media screen and (max-width: 40rem) { .stacked th[scope=row] { width: auto; } .stacked tr.changed { border-width: 3px; } }
"""


def html_of(document: Document) -> str:
    """The whole document, `\\n` between lines."""
    return "\n".join([*_head(document), *_body(document), "</html>", ""])


def _escaped(text: str) -> str:
    return escape(held_together(plain(text)), quote=True)


def _head(document: Document) -> Iterator[str]:
    yield "<!DOCTYPE html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{_escaped(document.title)}</title>"
    yield f"<style>{STYLE}{LOOKS}</style>"
    yield "</head>"


def _body(document: Document) -> Iterator[str]:
    yield f"<body{' class=' + chr(34) + 'card' + chr(34) if document.one_page else ''}>"
    yield "<main>"
    yield f"<h1>{_escaped(document.title)}</h1>"
    for notice in document.notice:
        yield f'<p class="notice">{_escaped(notice)}</p>'
    for number, section in enumerate(document.sections, 1):
        yield from _section(section, f"s{number}")
    yield "</main>"
    yield f"<footer><p>{_escaped(document.footer)}</p></footer>"
    yield "</body>"


def _section(section: Section, name: str) -> Iterator[str]:
    yield f'<section aria-labelledby="{name}">'
    yield f'<h{section.level} id="{name}">{_escaped(section.heading)}</h{section.level}>'
    for block in section.blocks:
        yield from _block(block)
    yield "</section>"


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Prose):
        yield f'<p class="loud">{_escaped(block.text)}</p>' if block.loud else f"<p>{_escaped(block.text)}</p>"
    elif isinstance(block, Items):
        kind = "ol" if block.ordered else "ul"
        yield f'<{kind} class="loud">' if block.loud else f"<{kind}>"
        yield from (f"<li>{_escaped(item)}</li>" for item in block.items)
        yield f"</{kind}>"
    elif isinstance(block, Blanks):
        yield from (f'<p class="fill">{_escaped(label)}: <span class="blank"></span></p>' for label in block.labels)
    else:
        caption = [f"<caption>{_escaped(block.caption)}</caption>"] if block.caption else []
        rows = _compared(block) if isinstance(block, Compared) else _facts(block)
        yield from framed([*caption, *rows], plain(block.caption) or "table", STACKED if isinstance(block, Compared) else "")


def _facts(block: Facts) -> Iterator[str]:
    yield "<tbody>"
    for label, text in block.rows:
        mark = ' class="lead"' if label in block.lead else ""
        yield f"<tr{mark}>{_cell(label, 'th', 'row')}{_cell(text)}</tr>"
    yield "</tbody>"


def _compared(block: Compared) -> Iterator[str]:
    old, new = block.heads
    heads = "".join(f'<th scope="col">{_escaped(head)}</th>' for head in ("what", old, new, "change"))
    yield f"<thead><tr>{heads}</tr></thead>"
    yield "<tbody>"
    for label, before, after, changed in block.rows:
        cells = "".join(_cell(text or "–", label=head) for text, head in ((before, old), (after, new)))
        word = "CHANGED" if changed else "same" if before else "–"
        mark = ' class="changed"' if changed else ""
        yield f"<tr{mark}>{_cell(label, 'th', 'row')}{cells}{_cell(word, label='change')}</tr>"
    yield "</tbody>"


def _cell(text: str, tag: str = "td", scope: str = "", *, label: str = "") -> str:
    return cell(_escaped(text), plain(text), tag, scope, label=plain(label))
