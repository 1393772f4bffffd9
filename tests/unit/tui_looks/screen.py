"""What a Textual screen really shows: its text, and the colours of each piece of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

from rich.color import Color
from rich.segment import Segment
from textual.app import App

from itbpump.tui.themes import contrast


def strips(app: App[Any]) -> list[list[Segment]]:
    """The lines of the screen on top, as drawn."""
    return [list(strip) for strip in app.screen._compositor.render_strips()]


def lines(app: App[Any]) -> list[str]:
    """Their text."""
    return ["".join(segment.text for segment in strip) for strip in strips(app)]


def faint(app: App[Any], least: float) -> Iterator[tuple[str, str, str]]:
    """(text, colour, background) of each piece of text with less contrast than `least`. Lines and blocks are drawings, no text."""
    for strip in strips(app):
        for text, style, _ in strip:
            if not any(is_read(sign) for sign in text) or style is None or style.color is None or style.bgcolor is None:
                continue
            ink, ground = (style.bgcolor, style.color) if style.reverse else (style.color, style.bgcolor)
            if contrast(_hex(ink), _hex(ground)) < least:
                yield text, _hex(ink), _hex(ground)


def is_read(sign: str) -> bool:
    """A sign that carries meaning as text, not one of lines and blocks."""
    return unicodedata.category(sign)[0] in "LN" or sign in "!?*+-#,.:;=<>()[]/%&@'\"_"


def _hex(colour: Color) -> str:
    triplet = colour.get_truecolor()
    return f"#{triplet.red:02X}{triplet.green:02X}{triplet.blue:02X}"
