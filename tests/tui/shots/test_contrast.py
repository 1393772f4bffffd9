"""Every letter on the pages against what it stands on, in each theme and without colours: the composed screen, not the theme's table."""

from __future__ import annotations

import pytest
from rich.segment import Segment
from textual.color import Color

from itbpump.tui.themes import contrast, looks
from tests.tui.shots.rig import strips
from tests.tui.shots.walk import WALKS_THROUGH
from tests.tui.support import Bench

LEAST = 4.5


def _hex(color: Color) -> str:
    return "#{:02X}{:02X}{:02X}".format(*color.rgb)


def faint(segment: Segment) -> str:
    """What is too faint about a segment; empty where it can be read, or holds nothing to read."""
    text, style = segment.text, segment.style
    if not any(letter.isalnum() for letter in text) or style is None:
        return ""
    if style.color is None or style.bgcolor is None:
        return f"{text!r} leaves its colours to the terminal"
    fore, back = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
    if style.dim:
        fore = fore.blend(back, 0.5)
    if style.reverse:
        fore, back = back, fore
    found = contrast(_hex(fore), _hex(back))
    return f"{text!r} has {found:.2f}" if found < LEAST else ""


class Contrasts:
    """Looks at each page in all themes."""

    def __init__(self, themes: list[str]) -> None:
        self.themes = themes
        self.found: list[str] = []
        self.letters = 0

    async def __call__(self, found: Bench, name: str) -> None:
        for theme in self.themes:
            found.app.theme = theme
            await found.settle()
            segments = [segment for strip in strips(found.app) for segment in strip]
            self.letters += sum(len(segment.text.strip()) for segment in segments)
            self.found += [f"{name} in {theme}: {problem}" for segment in segments if (problem := faint(segment))]


@pytest.mark.parametrize("walk", [pytest.param(walk, marks=() if walk == "states" else pytest.mark.slow) for walk in WALKS_THROUGH])
@pytest.mark.sr("SR-57")
async def test_text_can_be_read_in_every_theme(walk: str) -> None:
    looked = Contrasts(list(looks()))
    await WALKS_THROUGH[walk]((80, 24), looked)
    assert looked.letters > 10_000
    assert not looked.found, "\n".join(looked.found[:20])


@pytest.mark.slow  # `make screen`
@pytest.mark.sr("SR-57")
async def test_text_can_be_read_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    looked = Contrasts(list(looks()))
    await WALKS_THROUGH["states"]((80, 24), looked)
    assert looked.letters > 10_000
    assert not looked.found, "\n".join(looked.found[:20])
