"""Where the examples lie that come with the program: beside the package, or in the checkout."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

from itbpump.errors import DataError

__all__ = ["EXAMPLE", "example"]

EXAMPLE: Final = "flex-weekday-weekend.toml"


def example(name: str = EXAMPLE) -> Path:
    """A prescription that comes with the program. Raises DataError if it is gone."""
    packaged = Path(str(resources.files("itbpump"))) / "examples" / name
    checkout = Path(__file__).resolve().parents[2] / "examples" / name
    for path in (packaged, checkout):
        if path.is_file():
            return path
    raise DataError(f"the example {name} is missing; install the package again, or run from the checkout")
