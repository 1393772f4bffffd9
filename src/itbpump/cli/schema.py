"""`itbpump schema`: the form of a prescription file as JSON schema, for editors and other programs.

A schema tells names, types and texts; that a therapy covers each weekday once, or that a bolus fits its interval, only reading it tells.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from itbpump.cli.guard import FAILED, USAGE, CommandError

__all__ = ["schema", "schema_text"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"  # what pydantic writes


def schema_text() -> str:
    """The schema as it is printed, and as it stands in docs/prescription.schema.json."""
    from itbpump.therapy import json_schema

    return json.dumps({"$schema": DIALECT, **json_schema()}, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def schema(
    check: Annotated[Path | None, typer.Option("--check", metavar="FILE", help="Print nothing; fail if this file is not the same.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout, as it is without.")] = False,
) -> None:
    """Print the JSON schema of a prescription file."""
    text = schema_text()
    if check is None:
        typer.echo(text, nl=False)
        return
    try:
        found = check.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{check}: cannot be read ({error})", USAGE) from error
    if found != text:
        raise CommandError(f"{check} is not this version's schema; write it anew: itbpump schema > {check}", FAILED)
