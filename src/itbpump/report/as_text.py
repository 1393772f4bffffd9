"""A report as plain text of 80 columns: no line is longer, whatever was typed; lines end with \\n, nothing but printable signs. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from itbpump.report.document import Blanks, Block, Compared, Document, Facts, Items, Prose, Section, plain
from itbpump.wording.layout import WIDTH, old_against_new, row, wrapped

__all__ = ["text_of"]

LABEL_LIMIT = 30
RULES = {2: "-", 3: "."}
DIGITS_OF_ITEMS = 2


def text_of(document: Document) -> str:
    """The whole document."""
    lines = [*_wrapped(document.title), "=" * min(WIDTH, len(plain(document.title)))]
    lines += [line for notice in document.notice for line in _wrapped(notice)]
    for section in document.sections:
        lines += _section(section, compact=document.one_page)
    lines += ["", *_wrapped(document.footer)]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _section(section: Section, *, compact: bool) -> Iterator[str]:
    heading = plain(section.heading)
    yield ""
    yield from _wrapped(heading)
    if not compact:
        yield RULES[section.level] * min(WIDTH, len(heading))
    for number, block in enumerate(section.blocks):
        if number and not compact:
            yield ""
        yield from _block(block, captioned=not compact)


def _block(block: Block, *, captioned: bool) -> Iterator[str]:
    if isinstance(block, Prose):
        yield from _wrapped(f"! {plain(block.text)}" if block.loud else block.text)
    elif isinstance(block, Items):
        for number, item in enumerate(block.items, 1):
            sign = f"{number:>{DIGITS_OF_ITEMS}}." if block.ordered else "*"
            yield from _broken(wrapped(f"{sign} {plain(item)}", hanging=len(sign) + 1))
    elif isinstance(block, Blanks):
        for label in block.labels:
            yield f"{plain(label)} ".ljust(WIDTH - 1, "_")
    else:
        if captioned and block.caption:
            yield from _wrapped(f"{block.caption}:")
        yield from _rows(block)


def _rows(block: Facts | Compared) -> Iterator[str]:
    if isinstance(block, Compared):
        known = any(old for _, old, _, _ in block.rows)
        rows = [(plain(label), plain(old) or ("–" if known else ""), plain(new) or "–", changed) for label, old, new, changed in block.rows]
        yield from _broken(old_against_new(rows, *block.heads))
        return
    rows_of = [(plain(label), plain(text)) for label, text in block.rows]
    width = min(LABEL_LIMIT, max((len(label) for label, _ in rows_of), default=0)) + 2
    for label, text in rows_of:
        if max((len(word) for word in text.split()), default=0) > WIDTH - width:  # a hash: whole below its label
            yield from _broken(wrapped(label))
            yield from _broken(wrapped(f"  {text}", hanging=2))
        elif len(label) + 2 > width:
            yield from _broken(wrapped(label))
            yield from _broken(row("", text, width))
        else:
            yield from _broken(row(label, text, width))


def _wrapped(text: str) -> list[str]:
    return _broken(wrapped(plain(text), hanging=0))


def _broken(lines: list[str]) -> list[str]:
    """What cannot be wrapped, such as a long word, is cut at the edge; nothing is left out."""
    return [line[at : at + WIDTH] for line in lines for at in range(0, max(1, len(line)), WIDTH)]
