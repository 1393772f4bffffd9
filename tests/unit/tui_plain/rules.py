"""What every transcript of the dialogue keeps to."""

from __future__ import annotations

from tests.unit.cli.ismp import faults
from tests.unit.tui_plain.talk import Told

__all__ = ["kept"]


def kept(told: Told) -> Told:
    """ISMP, 80 columns, ASCII, no control characters, no box or colour; what the person typed is the person's."""
    shown = "\n".join(line for line in told.text.splitlines() if not line.startswith("> "))
    assert list(faults(shown)) == []
    assert [line for line in told.text.splitlines() if len(line) > 80] == []
    assert told.text.isascii()
    assert told.text.replace("\n", "").isprintable()
    return told
