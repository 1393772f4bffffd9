"""A message as the screen says it: keys and tasks where the command line has commands (`wording.deeds`). Pure."""

from __future__ import annotations

from itbpump.wording.deeds import on_face

__all__ = ["told"]


def told(message: object) -> str:
    """An error, or a text, for a person at the screen."""
    return on_face(str(message), "screen")
