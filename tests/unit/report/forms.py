"""What a reader finds in each form of a report: the words of an HTML page and of a PDF."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_SHOWN = re.compile(rb"\(((?:\\.|[^\\()])*)\)\s*Tj", re.DOTALL)
_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data.replace("\u00a0", " "))

    def close(self) -> None:
        super().close()
        assert self._open == []


def html_parts(page: str) -> tuple[str, list[tuple[str, dict[str, str | None]]]]:
    """Text of a page, one element a line, and its tags; fails for a page whose tags do not close."""
    reader = _Words()
    reader.feed(page)
    reader.close()
    return "\n".join(reader.words), reader.tags


def pdf_text(content: bytes) -> str:
    """Text of a PDF whose pages are not compressed, one piece that was drawn a line."""

    def sign(found: re.Match[bytes]) -> bytes:
        code = found[1]
        return bytes([int(code, 8)]) if len(code) == 3 else {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(code, code)

    return "\n".join(_ESCAPED.sub(sign, found).decode("cp1252").replace("\u00a0", " ") for found in _SHOWN.findall(content))


def pdf_pages(content: bytes) -> int:
    """How many pages it has."""
    return len(re.findall(rb"/Type /Page\b(?!s)", content))


def squeezed(text: str) -> str:
    """Without white space, so that it does not matter where a line was broken."""
    return "".join(text.split())
