"""The program `itbpump`: the one place that knows more than one face. Everything else of a command is in its face.

Each face loads what it uses when it runs, so that `--version` and completion stay fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from itbpump.alerts.command import alerts_app
from itbpump.alerts.doctor import ANSWERS
from itbpump.cli import configuring, doctoring, exporting, registering
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
app.add_typer(registering.app, name="registry", short_help="The clinic's store: pumps, refills, audit.")
app.add_typer(alerts_app(GuardedCommand), name="alerts", short_help="Refill alerts: find, tell, publish.")
app.add_typer(configuring.app, name="config", short_help="Show and check settings.")
app.command("doctor", cls=GuardedCommand, short_help="Look at this computer.")(doctoring.doctor)
app.command("export-fhir", cls=GuardedCommand, short_help="Write a pump as a FHIR bundle.")(exporting.export_fhir)


def run() -> None:
    """Entry point of the script."""
    for check, answer in ANSWERS.items():
        doctoring.answer(check, answer)
    app(prog_name="itbpump")
