"""Tells from the command line alone whether plainly the screen is asked for: `itbpump tui` with URL or `--demo`, `--theme`, `--keymap`,
`--registry`.

Typer has the last word on every command line (`program.tui`). What is read here, it reads the same way, which a test holds over a table of
command lines; at anything else (help, a slip, options before the command, an environment that means more) this says None and typer reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Asked", "screen_asked"]

FOR_TYPER = ("_ITBPUMP_COMPLETE", "ITBPUMP_PLAIN", "ITBPUMP_CAPTURE", "ITBPUMP_KEYLOG")
"""Variables that make something else of `itbpump tui`: completion, the dialogue in lines, a recording."""
REGISTRY = "ITBPUMP_REGISTRY"
"""Stands for `--registry` where that is not given."""
EXPANDED = frozenset("*?[]~$%")
"""Signs that a command line of Windows leaves to the program, where typer expands them."""


class Asked(NamedTuple):
    """What `tui` takes; `url` and `theme` are empty, the others None, where nothing was given."""

    url: str = ""
    demo: bool = False
    theme: str = ""
    keymap: Path | None = None
    registry: str | None = None


def screen_asked(arguments: Sequence[str], environment: Mapping[str, str], platform: str) -> Asked | None:
    """What the screen is asked for; None where typer must read the command line. `arguments` are without the program's name."""
    if not arguments or arguments[0] != "tui" or any(environment.get(name) for name in FOR_TYPER):
        return None
    if platform == "win32" and any(EXPANDED & set(text) for text in arguments):
        return None
    given: dict[str, str] = {}
    waiting = iter(arguments[1:])
    for text in waiting:
        name, joined, value = text.partition("=")
        if text == "--demo":
            value = "asked"
        elif name in {"--theme", "--keymap", "--registry"}:
            value = value if joined else next(waiting, "")
        elif not text.startswith("-"):
            name, value = "url", text
        else:
            return None
        if name in given or not value or value.startswith("-"):
            return None
        given[name] = value
    if "url" in given and "--demo" in given:
        return None
    keymap = given.get("--keymap")
    return Asked(
        url=given.get("url", ""),
        demo="--demo" in given,
        theme=given.get("--theme", ""),
        keymap=Path(keymap) if keymap is not None else None,
        registry=given.get("--registry") or environment.get(REGISTRY) or None,
    )
