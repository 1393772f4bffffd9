"""typer's `CliRunner`, building the commands of an app once: typer builds all of them anew at each call, a third of such a test's time."""

from __future__ import annotations

from functools import cache
from typing import Any

import typer
import typer.testing
from typer.main import get_command
from typer.testing import CliRunner, Result

__all__ = ["CliRunner", "Result"]


@cache
def _once(app: typer.Typer, _commands: int, _groups: int) -> Any:
    return get_command(app)


def _built(app: typer.Typer) -> Any:
    """Anew where the app has got more commands since: `itbpump.console.program` adds some to those of `itbpump.cli.main`."""
    return _once(app, len(app.registered_commands), len(app.registered_groups))


typer.testing._get_command = _built  # type: ignore[attr-defined, assignment]
