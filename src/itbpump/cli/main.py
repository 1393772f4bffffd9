"""The program `itbpump`: its commands and `--version`. Each command loads what it uses when it runs, so that this module stays light.

Not here: what the commands do (the modules beside this one), exit codes (`guard.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import Annotated, Any

import typer

from itbpump.cli import clock, demo, doses, pairing, programming, records, refilling, simulation, status
from itbpump.cli.guard import GuardedCommand

__all__ = ["DISCLAIMER", "app", "run"]

DISCLAIMER = "not a medical device: a research and engineering tool"

app = typer.Typer(
    name="itbpump",
    help=f"Reads and programs an intrathecal pump over a serial line, and simulates one. {DISCLAIMER[0].upper()}{DISCLAIMER[1:]}.",
    epilog="Exit codes: 0 fine, 1 failed, 2 usage or unreadable input, 3 an override is needed, 4 a hard limit, 5 outcome unknown.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"itbpump {_installed_version()}")
        typer.echo(DISCLAIMER)
        raise typer.Exit


def _installed_version() -> str:
    try:
        return metadata.version("itbpump")
    except metadata.PackageNotFoundError:
        return "(not installed: run from its source)"


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version and what this is not.")
    ] = False,
) -> None:
    """Options before the command."""


COMMANDS: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("demo", demo.demo),
    ("sim", simulation.sim),
    ("bench", simulation.bench),
    ("pair", pairing.pair),
    ("status", status.status),
    ("review", programming.review),
    ("program", programming.program),
    ("restore", programming.restore),
    ("bolus", doses.bolus),
    ("prime", doses.prime),
    ("stop", doses.stop),
    ("refill", refilling.refill),
    ("log", records.log),
    ("reconcile", records.reconcile),
    ("clock", clock.clock),
    ("alarm-test", records.alarm_test),
)
for _name, _function in COMMANDS:
    app.command(_name, cls=GuardedCommand)(_function)


def run() -> None:
    """Entry point of the script."""
    app(prog_name="itbpump")
