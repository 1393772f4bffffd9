"""typer's `CliRunner`, building the commands of an app once: typer builds all of them anew at each call, a third of such a test's time."""

from __future__ import annotations

from functools import cache

import typer.testing
from typer.main import get_command
from typer.testing import CliRunner, Result

__all__ = ["CliRunner", "Result"]

typer.testing._get_command = cache(get_command)  # type: ignore[attr-defined]
