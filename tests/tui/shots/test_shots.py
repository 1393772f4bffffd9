"""Every page at four sizes, as text. What a number on a screen says can change in no way but through a diff that somebody reads.

`pytest tests/tui/shots --snapshot-update` writes them anew. The rules that hold for every page are in `test_rules`.
"""

from __future__ import annotations

import contextlib
import difflib
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.css.query import NoMatches

from itbpump import quantity
from tests.tui.shots.walk import WALKS_THROUGH, Kept, Size, bolus
from tests.tui.support import SIZES

FILES = Path(__file__).parent / "__snapshots__" / "test_shots"
MARKS = {size: pytest.mark.slow for size in SIZES if size != (80, 24)}
"""The size that most terminals have is looked at each time, the others by `make screen`."""


@pytest.mark.parametrize("size", [pytest.param(size, id="x".join(map(str, size)), marks=MARKS.get(size, ())) for size in SIZES])
@pytest.mark.parametrize("walk", WALKS_THROUGH)
@pytest.mark.sr("SR-16", "SR-20", "SR-57")
async def test_pages_are_as_they_were_read_and_agreed(walk: str, size: Size, screen: SnapshotAssertion) -> None:
    kept = Kept()
    await WALKS_THROUGH[walk](size, kept)
    changed = [name for name, text in kept.items() if text != screen(name=name)]
    assert not changed, "\n".join(_difference(walk, size, name, kept[name]) for name in changed)


def _difference(walk: str, size: Size, name: str, text: str) -> str:
    """What a reader of CI's output needs: the lines that changed, by page."""
    file = FILES / f"test_pages_are_as_they_were_read_and_agreed[{walk}-{'x'.join(map(str, size))}][{name}].txt"
    agreed = file.read_text("utf-8") if file.exists() else ""
    return "\n".join(difflib.unified_diff(agreed.splitlines(), text.splitlines(), f"{name} agreed", f"{name} now", lineterm=""))


@pytest.mark.sr("SR-16")
async def test_a_number_that_is_broken_on_purpose_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A formatter that writes ten times the dose: nearly every page of a bolus must be told from the one that was agreed."""
    right: Any = quantity.Mass.__str__
    monkeypatch.setattr(quantity.Mass, "__str__", lambda mass: right(quantity.Mass(mass.ng * 10)))
    kept = Kept()
    with contextlib.suppress(AssertionError, NoMatches):  # the walk may not come to its end: what is typed is no longer the dose asked for
        await bolus((80, 24), kept)
    file = FILES / "test_pages_are_as_they_were_read_and_agreed[bolus-80x24][bolus-review].txt"
    assert "Type 10 mcg" in file.read_text("utf-8")
    assert "Type 100 mcg" in kept["bolus-review"]
    assert kept["bolus-review"] != file.read_text("utf-8")
