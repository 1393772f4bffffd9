"""A report as PDF by reportlab, which is loaded when the first one is made (extra `report`).

The same document gives the same bytes: no date, no random id (`invariant`). The standard fonts need no file; they hold Western signs, so
another sign is shown by its number (`[U+05D0]`), and the minus is printed as a hyphen. Not here: tags for screen readers, which reportlab
does not write: the HTML form is the accessible one.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from itbpump.report.document import Blanks, Block, Compared, Document, Facts, Items, Prose, Section, held_together, plain
from itbpump.report.model import ReportError

__all__ = ["PAPERS", "pdf_of", "printable"]

PAPERS = {"A4": (595.2756, 841.8898), "letter": (612.0, 792.0)}  # points of 1/72 inch
MARGIN = 40.0
FRAME_PADDING = 6.0  # reportlab's own, inside the margins
BODY_SIZE = 9.5
SMALLEST_SIZE = 6.0  # the least that is read without a glass
SIZE_STEP = 0.25
FOOTER_SIZE = 7.5
LEADING = 1.2
MOST_PAGES = 9_999  # as wide as a page number gets
LABEL_SHARE = 0.28
_HYPHEN = str.maketrans({"−": "-"})


def printable(text: str) -> str:
    """`plain` text in the signs that the standard fonts have (Windows-1252); any other sign by its number."""
    return "".join(sign if _is_western(sign) else f"[U+{ord(sign):04X}]" for sign in plain(text).translate(_HYPHEN))


def _is_western(sign: str) -> bool:
    try:
        sign.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def pdf_of(document: Document, paper: str = "A4", *, compressed: bool = True) -> bytes:
    """The whole document. `paper`: a name in `PAPERS`. `compressed=False` leaves the text readable in the file, for checks.

    A document of one page is set smaller until it fits. Raises ReportError where reportlab is missing, for an unknown paper, and for a
    page that would fit only in letters too small to read.
    """
    if paper not in PAPERS:
        raise ReportError(f"no paper {paper!r}", action=f"use one of {', '.join(PAPERS)}")
    lab = _Lab()
    if not document.one_page:  # the pages are counted first, so that each can say of how many
        pages = _built(lab, document, paper, BODY_SIZE, compressed=compressed, total=0)[1]
        return _built(lab, document, paper, BODY_SIZE, compressed=compressed, total=pages)[0]
    size = BODY_SIZE
    while size >= SMALLEST_SIZE:
        content, pages = _built(lab, document, paper, size, compressed=compressed, total=1)
        if pages == 1:
            return content
        size -= SIZE_STEP
    raise ReportError(f"{document.title!r} does not fit one page in letters that can be read", action="print the HTML form")


class _Lab:
    """The parts of reportlab that are used here. Loaded by name: the extra ships no types, and only who prints a PDF pays for it."""

    def __init__(self) -> None:
        try:
            platypus, styles = import_module("reportlab.platypus"), import_module("reportlab.lib.styles")
        except ImportError as error:
            raise ReportError("a PDF needs reportlab, which is not installed", action='pip install "itbpump[report]"') from error
        self.paragraph: Any = platypus.Paragraph
        self.table: Any = platypus.Table
        self.spacer: Any = platypus.Spacer
        self.template: Any = platypus.SimpleDocTemplate
        self.style: Any = styles.ParagraphStyle


def _built(lab: _Lab, document: Document, paper: str, size: float, *, compressed: bool, total: int) -> tuple[bytes, int]:
    """Bytes, and how many pages they are. `total` is what each page says of the whole."""
    out = BytesIO()
    count = 0
    width = PAPERS[paper][0] - 2 * MARGIN
    small = min(size, FOOTER_SIZE)
    style = lab.style("foot", fontName="Helvetica", fontSize=small, leading=small * LEADING, splitLongWords=1)

    def footer(page: int) -> tuple[Any, float]:
        text = lab.paragraph(escape(printable(f"{document.footer} Page {page} of {total}.")), style)
        return text, float(text.wrap(width, PAPERS[paper][1])[1])

    def page_end(canvas: Any, template: Any) -> None:
        nonlocal count
        count = max(count, int(template.page))
        canvas.saveState()
        footer(int(template.page))[0].drawOn(canvas, MARGIN, MARGIN / 2)
        canvas.restoreState()

    template = lab.template(
        out,
        pagesize=PAPERS[paper],
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN * 0.75,
        bottomMargin=MARGIN / 2 + footer(MOST_PAGES)[1] + small,
        title=printable(document.title),
        author="itbpump",
        subject="Not a medical device",
        lang="en",
        invariant=1,
        pageCompression=1 if compressed else 0,
    )
    template.build(list(_Story(lab, size, template.width - 2 * FRAME_PADDING).of(document)), onFirstPage=page_end, onLaterPages=page_end)
    return out.getvalue(), count


class _Story:
    """A document as what reportlab lays out, in letters of one size."""

    def __init__(self, lab: _Lab, size: float, width: float) -> None:
        self._lab, self._size, self._width = lab, size, width
        self._styles = {
            "body": self._style("body", 1.0),
            "bold": self._style("bold", 1.0, "Helvetica-Bold"),
            "lead": self._style("lead", 1.3, "Helvetica-Bold"),
            "caption": self._style("caption", 1.0, "Helvetica-Oblique"),
            "title": self._style("title", 1.5, "Helvetica-Bold"),
            "h2": self._style("h2", 1.15, "Helvetica-Bold", before=0.6),
            "h3": self._style("h3", 1.0, "Helvetica-Bold", before=0.4),
        }

    def _style(self, name: str, scale: float, font: str = "Helvetica", before: float = 0.0) -> Any:
        size = self._size * scale
        return self._lab.style(
            name,
            fontName=font,
            fontSize=size,
            leading=size * LEADING,
            spaceBefore=size * before,
            spaceAfter=size * 0.2,
            splitLongWords=1,
            keepWithNext=1 if name in {"h2", "h3", "caption"} else 0,
        )

    def of(self, document: Document) -> Iterator[Any]:
        yield self._text(document.title, "title")
        for notice in document.notice:
            yield self._text(notice, "bold")
        for section in document.sections:
            yield from self._section(section)

    def _section(self, section: Section) -> Iterator[Any]:
        yield self._text(section.heading, f"h{section.level}")
        for block in section.blocks:
            yield from self._block(block)

    def _block(self, block: Block) -> Iterator[Any]:
        if isinstance(block, Prose):
            yield self._text(f"! {block.text}" if block.loud else block.text, "bold" if block.loud else "body")
        elif isinstance(block, Items):
            for number, item in enumerate(block.items, 1):
                yield self._item(f"{number}." if block.ordered else "•", item, "bold" if block.loud else "body")
        elif isinstance(block, Blanks):
            for label in block.labels:
                yield self._blank(label)
        else:
            if block.caption:
                yield self._text(block.caption, "caption")
            yield self._rows(block)
            yield self._lab.spacer(1, self._size * 0.4)

    def _text(self, text: str, style: str) -> Any:
        return self._lab.paragraph(escape(held_together(printable(text))), self._styles[style])

    def _item(self, sign: str, text: str, style: str) -> Any:
        """A sign, and the text beside it."""
        padding = [("LEFTPADDING", (0, 0), (-1, -1), 0), ("TOPPADDING", (0, 0), (-1, -1), 0), ("BOTTOMPADDING", (0, 0), (-1, -1), 0)]
        top = [("VALIGN", (0, 0), (-1, -1), "TOP"), *padding]
        first = self._size * 1.8
        cells = [[self._text(sign, style), self._text(text, style)]]
        return self._lab.table(cells, colWidths=[first, self._width - first], style=top, splitInRow=1)

    def _rows(self, block: Facts | Compared) -> Any:
        if isinstance(block, Facts):
            cells = [[self._text(label, "bold"), self._text(text, "lead" if label in block.lead else "body")] for label, text in block.rows]
            return self._table(cells, (LABEL_SHARE, 1 - LABEL_SHARE))
        heads = [self._text(head, "bold") for head in ("what", *block.heads, "change")]
        cells = [heads, *(self._compared(*row) for row in block.rows)]
        return self._table(cells, (LABEL_SHARE, 0.3, 0.3, 0.12), repeated=1)

    def _compared(self, label: str, old: str, new: str, changed: bool) -> list[Any]:
        style = "bold" if changed else "body"
        word = "CHANGED" if changed else "same" if old else "–"
        return [self._text(text, style) for text in (label, old or "–", new or "–", word)]

    def _table(self, cells: list[list[Any]], shares: tuple[float, ...], *, repeated: int = 0) -> Any:
        rule = max(0.3, self._size / 30)
        padding = self._size * 0.15
        commands = [
            ("GRID", (0, 0), (-1, -1), rule, "#666666"),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("TOPPADDING", (0, 0), (-1, -1), padding),
            ("BOTTOMPADDING", (0, 0), (-1, -1), padding),
            ("LEFTPADDING", (0, 0), (-1, -1), padding * 2),
            ("RIGHTPADDING", (0, 0), (-1, -1), padding * 2),
        ]
        widths = [self._width * share for share in shares]
        return self._lab.table(cells or [[""]], colWidths=widths if cells else None, style=commands, repeatRows=repeated, splitInRow=1)

    def _blank(self, label: str) -> Any:
        widths = [self._width * LABEL_SHARE, self._width * (1 - LABEL_SHARE)]
        line = [("LINEBELOW", (1, 0), (1, 0), 0.6, "#111111"), ("BOTTOMPADDING", (0, 0), (-1, -1), 1), ("LEFTPADDING", (0, 0), (-1, -1), 0)]
        return self._lab.table([[self._text(label, "bold"), ""]], colWidths=widths, style=line)
