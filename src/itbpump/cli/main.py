"""The program `itbpump`: its commands and `--version`. Each command loads what it uses when it runs, so that this module stays light.

Not here: what the commands do (the modules beside this one), exit codes (`guard.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from itbpump.cli import (
    capturing,
    clock,
    demo,
    doses,
    forecasting,
    pairing,
    planning,
    programming,
    records,
    refilling,
    restoring,
    schema,
    simulation,
    status,
)
from itbpump.cli.guard import GuardedCommand
from itbpump.cli.registered import recording
from itbpump.version import installed_version
from itbpump.wording import DISCLAIMER

__all__ = ["app", "run"]

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
        typer.echo(f"itbpump {installed_version()}")
        typer.echo(DISCLAIMER)
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version and what this is not.")
    ] = False,
    capture: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Record the line to a pump: FILE.pcapng, or FILE.jsonl in plain. May be repeated."),
    ] = None,
    keylog: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write session keys there; with them a recording can be read.")
    ] = None,
) -> None:
    """Options before the command."""
    capturing.record_asked(ctx, capture or [], keylog)


# Name, function, and a line short enough for the list on a narrow terminal.
COMMANDS: tuple[tuple[str, Callable[..., Any], str], ...] = (
    ("demo", demo.demo, "Show the whole way of a dose, simulated."),
    ("sim", simulation.sim, "Run a simulated pump."),
    ("bench", simulation.bench, "Work at a simulated pump's bench."),
    ("pair", pairing.pair, "Pair this computer with a pump."),
    ("status", status.status, "Show what the pump says of itself."),
    ("review", programming.review, "Judge a prescription; sends nothing."),
    ("program", programming.program, "Review, confirm, program, prove."),
    ("restore", restoring.restore, "Start the stopped or former therapy."),
    ("bolus", doses.bolus, "Give a single bolus."),
    ("prime", doses.prime, "Fill the path of a new catheter."),
    ("stop", doses.stop, "Stop the therapy, or a running bolus."),
    ("refill", refilling.refill, "Tell the pump of a refill."),
    ("forecast", forecasting.forecast, "Tell by when to refill."),
    ("log", records.log, "Show the pump's log in words."),
    ("reconcile", records.reconcile, "Settle commands of unknown outcome."),
    ("clock", clock.clock, "Show, set or move the pump's clock."),
    ("alarm-test", records.alarm_test, "Sound an alarm tone once."),
    ("capture", capturing.capture, "Record between programmer and pump."),
    ("replay", capturing.replay, "Print a recording of the line."),
    ("schema", schema.schema, "Print the form of a prescription file."),
)
REACHING_A_PUMP = frozenset(
    "status review program restore bolus prime stop refill forecast log reconcile clock alarm-test".split()  # noqa: SIM905 -- as it is typed
)
for _name, _function, _short in COMMANDS:
    app.command(_name, cls=GuardedCommand, short_help=_short)(recording(_function) if _name in REACHING_A_PUMP else _function)
app.add_typer(planning.app, name="plan", short_help="Plan a titration, a taper, a conversion.")


def run() -> None:
    """Entry point of the script."""
    app(prog_name="itbpump")
