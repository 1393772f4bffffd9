"""Pages that hear every key while they are open: edits that grow old when nobody is at work on them, dose fields where a key may bounce.

A field takes printable keys for itself and a function key goes to its action, so no page is told of all of them by Textual; the program
(`PumpApp.on_event`) tells those that have this method.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from textual import events

__all__ = ["HearsKeys"]


@runtime_checkable
class HearsKeys(Protocol):
    """A page with this method is told of every key."""

    def key_hit(self, event: events.Key, now_ms: int, *, on_top: bool) -> None:
        """A key was hit at `now_ms` (the host's monotonic time); `on_top`: on this page, not on one above it."""
        ...
