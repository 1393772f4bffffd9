"""The program `itbpump`: the one place that knows more than one face. Everything else of a command is in its face.

Each face loads what it uses when it runs, so that `--version` and completion stay fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from itbpump.cli.guard import USAGE, CommandError, GuardedCommand
from itbpump.cli.main import app

__all__ = ["app", "run", "tui"]


def tui(
    url: Annotated[str, typer.Argument(metavar="[URL]", help="The pump; without it, the first page asks.", show_default=False)] = "",
    *,
    demo: Annotated[bool, typer.Option("--demo", help="An embedded simulated pump for training; its time can be sped up.")] = False,
    plain: Annotated[
        bool,
        typer.Option(
            "--plain", envvar="ITBPUMP_PLAIN", help="The same tasks as a dialogue in lines, for screen readers and plain terminals."
        ),
    ] = False,
    theme: Annotated[str, typer.Option("--theme", metavar="NAME", help="itb-dark, itb-light or itb-contrast.")] = "",
    keymap: Annotated[Path | None, typer.Option("--keymap", metavar="FILE", help='Other keys, lines such as stop = "f11".')] = None,
) -> None:
    """Open the clinician's screen: read, review, program and refill a pump."""
    from itbpump.tui.command import run_screen  # noqa: PLC0415 -- Textual costs 0.2 s, which only this command pays

    if url and demo:
        raise CommandError("give URL or --demo, not both", USAGE)
    raise typer.Exit(run_screen(url, demo=demo, plain=plain, theme=theme, keymap=keymap))


app.command("tui", cls=GuardedCommand, short_help="Open the clinician's screen.")(tui)


def run() -> None:
    """Entry point of the script."""
    app(prog_name="itbpump")
