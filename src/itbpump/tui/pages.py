"""What F1 and ? say of each page, from `help.toml` and `keys.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from itbpump.tui.keys import keys_of

__all__ = ["Page", "key_lines", "key_name", "page", "page_names"]


@dataclass(frozen=True, slots=True)
class Page:
    """Title and help of a page."""

    title: str
    text: str


@cache
def _pages() -> dict[str, Page]:
    data = tomllib.loads(resources.files("itbpump.tui").joinpath("help.toml").read_text("utf-8"))
    return {name: Page(row["title"], " ".join(row["text"].split("\n")).strip()) for name, row in data.items()}


def page(name: str) -> Page:
    """Of one page. KeyError for a page that has none, which a test looks for."""
    return _pages()[name]


def page_names() -> tuple[str, ...]:
    """Every page that has a help text."""
    return tuple(_pages())


_NAMES = {
    "ctrl+z": "^Z",
    "ctrl+y": "^Y",
    "question_mark": "?",
    "escape": "Esc",
    "plus": "+",
    "minus": "-",
    "insert": "Ins",
    "delete": "Del",
    "enter": "Enter",
    "space": "Space",
}


def key_name(key: str) -> str:
    """A key as it is written on the keyboard: `F8`, `Esc`, `?`."""
    name = key.strip()
    return _NAMES.get(name, name.upper() if name.startswith("f") and name[1:].isdecimal() else name)


def key_lines(scopes: Iterable[str], keymap: dict[str, str]) -> list[str]:
    """Key and what it does, one line each."""
    lines = []
    for key in keys_of(scopes):
        names = [key_name(name) for name in keymap.get(key.id, key.keys).split(",")]
        lines.append(f"{' or '.join(names):<14} {key.text}")
    return lines
