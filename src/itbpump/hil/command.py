# ruff: noqa: PLC0415 -- each command loads only what it uses: `--version` stays fast
"""`itbpump hil`: hold two runs against each other, make the page of a record anew, list rigs.

A face: it decides nothing. `hil_app(command_class)` is hooked in by `itbpump.console`, which brings the class that turns documented
errors into a text and an exit code; 0 fine, 1 something is worse, 2 unreadable input. Not here: running tests (`pytest --pump`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from itbpump.errors import InputError
from itbpump.wording.layout import laid_out

__all__ = ["COMMANDS", "UsageError", "hil_app"]

WORSE = 1
FILES = (Path("targets.toml"), Path("hil/targets.toml"))
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]


class UsageError(InputError):
    """What was typed cannot be meant."""


def compare(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="record.json of the earlier run, or its folder.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="Of the later run.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Hold two runs against each other. Ends with 1 if a test that passed no longer does or is gone, or a new one does not pass."""
    from itbpump.hil.report.compare import compare as compared
    from itbpump.hil.report.compare import json_of, lines_of
    from itbpump.hil.report.reading import read_record

    found = compared(read_record(before), read_record(after))
    if as_json:
        _data(json_of(found))
    else:
        _say(*lines_of(found))
    if found.worse:
        raise typer.Exit(WORSE)


def report(
    record: Annotated[Path, typer.Argument(metavar="RECORD.json", help="The record of a run, or its folder.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where report.html goes.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Make the page of a run anew from its record."""
    from itbpump.hil.report.reading import read_record
    from itbpump.hil.report.writing import write_page

    run = read_record(record)
    try:
        page = write_page(run, out)
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror or error}); name a folder of yours") from error
    if as_json:
        _data({"page": str(page), "tests": len(run.tests)})
    else:
        _say(f"Written: {page}, {len(run.tests):,} tests.")


def targets(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="targets.toml; by default that of this folder or of hil/.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List the rigs that `pytest --pump NAME` knows, and what each can do. Opens none."""
    from itbpump.hil.errors import TargetsError
    from itbpump.hil.targets import MEMORY, load_targets

    chosen = file or next((known for known in FILES if known.is_file()), None)
    try:
        rigs = {MEMORY.name: MEMORY} if chosen is None else load_targets(chosen)
    except TargetsError as error:
        raise UsageError(str(error)) from error
    if as_json:
        listed = [
            {
                "name": rig.name,
                "kind": rig.kind,
                "address": rig.address,
                "link": rig.link,
                "speed": rig.speed,
                "about": rig.about,
                "capabilities": sorted(rig.capabilities),
            }
            for rig in rigs.values()
        ]
        _data({"file": None if chosen is None else str(chosen), "rigs": listed})
        return
    for rig in rigs.values():
        link = ", ".join(part for part in (rig.kind, rig.link, rig.speed) if part)
        _say(
            f"{rig.name}: {rig.address} ({link})",
            *([f"  {rig.about}"] if rig.about else []),
            f"  can {', '.join(sorted(rig.capabilities))}",
        )


COMMANDS: tuple[tuple[str, Callable[..., Any], str], ...] = (
    ("compare", compare, "Hold two runs against each other."),
    ("report", report, "Make the page of a run anew."),
    ("targets", targets, "List rigs and what they can do."),
)


def hil_app(command_class: type[Any]) -> typer.Typer:
    """The group of commands, each of that class."""
    app = typer.Typer(help="HIL runs: compare, report, rigs.", no_args_is_help=True, rich_markup_mode=None)
    for name, function, short in COMMANDS:
        app.command(name, cls=command_class, short_help=short)(function)
    return app


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(laid_out(line))


def _data(content: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
