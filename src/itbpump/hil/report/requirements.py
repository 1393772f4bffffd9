"""The safety requirements in words, for the matrix of a report: from the file that comes with the package, or the one of the source tree.

Without either the matrix has numbers alone; a report is not worth less for it. Not here: the matrix of hazards (scripts/safety_matrix.py).
"""

from __future__ import annotations

import tomllib
from pathlib import Path

__all__ = ["requirement_texts"]

_PLACES = (Path(__file__).with_name("requirements.toml"), Path(__file__).resolve().parents[4] / "docs/safety/requirements.toml")


def requirement_texts(places: tuple[Path, ...] = _PLACES) -> dict[str, str]:
    """Number to text, such as SR-24; empty where no file is found."""
    for file in places:
        if file.is_file():
            return {row["id"]: row["text"] for row in tomllib.loads(file.read_text("utf-8"))["requirement"]}
    return {}
