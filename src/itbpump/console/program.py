"""All commands of `itbpump`, as typer takes them.

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
from itbpump.hil.command import hil_app

__all__ = ["app", "start", "tui"]


def tui(
    ctx: typer.Context,
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
    registry: Annotated[
        str | None, typer.Option("--registry", envvar="ITBPUMP_REGISTRY", metavar="URL", help="Record in this registry.")
    ] = None,
) -> None:
    """Open the clinician's screen: read, review, program and refill a pump."""
    if isinstance(ctx.obj, BaseException):  # the screen was opened without this program and could not stay open: the guard tells why
        raise ctx.obj
    from itbpump.tui.command import run_screen  # noqa: PLC0415 -- Textual costs 0.2 s, which only this command pays

    if url and demo:
        raise CommandError("give URL or --demo, not both", USAGE)
    raise typer.Exit(run_screen(url, demo=demo, plain=plain, theme=theme, keymap=keymap, registry=registry))


app.command("tui", cls=GuardedCommand, short_help="Open the clinician's screen.")(tui)
app.add_typer(registering.app, name="registry", short_help="The clinic's store: pumps, refills, audit.")
app.add_typer(alerts_app(GuardedCommand), name="alerts", short_help="Refill alerts: find, tell, publish.")
app.add_typer(hil_app(GuardedCommand), name="hil", short_help="HIL runs: compare, report, rigs.")
app.add_typer(configuring.app, name="config", short_help="Show and check settings.")
app.command("doctor", cls=GuardedCommand, short_help="Look at this computer.")(doctoring.doctor)
app.command("export-fhir", cls=GuardedCommand, short_help="Write a pump as a FHIR bundle.")(exporting.export_fhir)


def start(failed: BaseException | None = None) -> None:
    """Run the command line. `failed`: what the screen ended with, where it was opened without this program; its command raises it."""
    for check, answer in ANSWERS.items():
        doctoring.answer(check, answer)
    app(prog_name="itbpump", obj=failed)
