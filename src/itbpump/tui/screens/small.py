"""The notice below 60 × 18: nothing about a dose is shown where it could be clipped."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

__all__ = ["SmallPage"]


class SmallPage(Screen[None]):
    """Asks for a larger window."""

    def compose(self) -> ComposeResult:
        yield Static("Window too small.\nitbpump needs 60 columns and 18 rows.\nMake it larger; the pump goes on.", markup=False)
