"""Reads `limits.toml`, the tolerances of the suites: exact fractions by table and key. Not here: what a limit is compared with."""

from __future__ import annotations

import tomllib
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["FILE", "limit", "pump_limit"]

FILE = Path(__file__).with_name("limits.toml")


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text("utf-8"))


def limit(table: str, key: str) -> Fraction:
    """A tolerance, in the unit its key ends with. Raises KeyError for one that is not in the file."""
    return Fraction(_tables()[table][key]["value"])


def pump_limit(profile: str, key: str) -> Fraction:
    """A tolerance of a kind of pump: `pump_limit("P-40", "accuracy_percent")`. Raises KeyError for a pump that is not in the file."""
    return Fraction(_tables()["pump"][profile.partition("-")[0]][key]["value"])
