"""A browser without a screen, for tests of pages: how wide they come out, and how many sheets they print on.

Pages are put into frames of one harness page, whose script measures them from outside: their own policy forbids any script inside, and
stays as it is. Not here: pictures, which differ by the fonts of a machine.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import Final

import msgspec
import pytest

__all__ = ["Measured", "browser", "measured", "printed_pages"]

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PATIENCE_S = 60
_MEASURE = """
const told = {};
for (const frame of document.querySelectorAll("iframe")) {
  const inside = frame.contentDocument, root = inside.documentElement;
  const rows = (node) => { const all = inside.createRange(); all.selectNodeContents(node);
    return new Set([...all.getClientRects()].map((place) => Math.round(place.top))).size; };
  const size = (node) => parseFloat(frame.contentWindow.getComputedStyle(node).fontSize);
  const each = (what) => [...inside.querySelectorAll(what)];
  told[frame.id] = {
    width: root.scrollWidth, window: root.clientWidth, loud: each("tr.lead td").map(size), usual: each("tr:not(.lead) td").map(size),
    scrolled: each(".wide").filter((one) => one.scrollWidth > one.clientWidth).length,
    row_heads: each("tbody th[scope=row]").map((one) => [one.textContent, rows(one)]),
    bars: each("svg.bar").filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect().width),
  };
}
const found = document.createElement("pre");
found.id = "told"; found.textContent = JSON.stringify(told); document.body.append(found);
"""


@dataclass(frozen=True)
class Measured:
    """A page at one width: how wide it came out in its window, how many tables scroll, sizes of letters, lines of each row's head, bars."""

    width: int
    window: int
    scrolled: int
    loud: tuple[float, ...]
    usual: tuple[float, ...]
    row_heads: tuple[tuple[str, int], ...]
    bars: tuple[float, ...]


def browser() -> str:
    """The program; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("no Chromium on this machine: install chromium to see the pages as they are drawn")
    return found


def measured(program: str, pages: Mapping[str, str], width_px: int) -> dict[str, Measured]:
    """Each page in a window of that width, all in one start of the browser."""
    frames = "".join(
        f'<iframe id="{escape(name)}" style="width: {width_px}px; height: 800px; border: 0" srcdoc="{escape(page)}"></iframe>'
        for name, page in pages.items()
    )
    harness = f"<!DOCTYPE html><meta charset=utf-8><body>{frames}<script>addEventListener('load', () => {{{_MEASURE}}})</script></body>"
    dumped = _run(program, harness, "--dump-dom", f"--window-size={width_px + 100},1000").decode("utf-8")
    told = re.search(r'<pre id="told">(.*?)</pre>', dumped, re.DOTALL)
    assert told is not None, "the browser did not measure the pages"
    return msgspec.json.decode(unescape(told[1]), type=dict[str, Measured])


def printed_pages(program: str, page: str) -> int:
    """How many sheets a page prints on, of the size that it asks for."""
    with tempfile.TemporaryDirectory() as folder:
        sheet = Path(folder) / "printed.pdf"
        _run(program, page, f"--print-to-pdf={sheet}", "--no-pdf-header-footer")
        return len(re.findall(rb"/Type /Page\b(?!s)", sheet.read_bytes()))


def _run(program: str, page: str, *options: str) -> bytes:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "page.html"
        file.write_text(page, "utf-8")
        command = [program, *_FLAGS, f"--user-data-dir={folder}/user", *options, file.as_uri()]
        return subprocess.run(command, check=True, capture_output=True, timeout=_PATIENCE_S).stdout
