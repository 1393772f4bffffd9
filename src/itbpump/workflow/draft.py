"""What stands in a form, with undo and redo, and how old it is (SR-11). Immutable: each change gives another draft.

Not here: what the fields mean (`fields`), warning on a screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

__all__ = ["ABANDONED_MS", "KEY_BOUNCE_MS", "WARNED_MS", "Draft", "bounced"]

ABANDONED_MS: Final = 600_000
"""An edit that nobody touches is discarded after 10 min (SR-11, UMN-56)."""
WARNED_MS: Final = 540_000
"""A warning stands on the screen for the last minute of it."""
KEY_BOUNCE_MS: Final = 100
"""Two equal key events within this in a dose field are taken for one key that bounced, and flagged (SR-19, FDA-TPLC-T6)."""
_MOST_UNDO: Final = 200


@dataclass(frozen=True, slots=True)
class Draft:
    """Values by field id. `touched_ms` is the host's monotonic time of the last change."""

    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    touched_ms: int = 0
    past: tuple[Mapping[str, str], ...] = ()
    future: tuple[Mapping[str, str], ...] = ()

    def put(self, name: str, text: str, now_ms: int) -> Draft:
        """With another text in a field; an empty one is taken out. Unchanged where it stands there already."""
        if self.values.get(name, "") == text:
            return self
        values = {**self.values, name: text}
        if not text:
            del values[name]
        return Draft(MappingProxyType(values), now_ms, (*self.past, self.values)[-_MOST_UNDO:])

    def undo(self, now_ms: int) -> Draft:
        """Before the last change; unchanged where there is none."""
        if not self.past:
            return self
        return Draft(self.past[-1], now_ms, self.past[:-1], (self.values, *self.future))

    def redo(self, now_ms: int) -> Draft:
        """The change that was undone last; unchanged where there is none."""
        if not self.future:
            return self
        return Draft(self.future[0], now_ms, (*self.past, self.values), self.future[1:])

    def touched(self, now_ms: int) -> Draft:
        """Somebody is at work on it."""
        return replace(self, touched_ms=now_ms)

    def left_ms(self, now_ms: int) -> int:
        """Until it is discarded; 0 when it is abandoned."""
        return max(0, self.touched_ms + ABANDONED_MS - now_ms)

    def is_warned(self, now_ms: int) -> bool:
        """It will be discarded within the minute."""
        return now_ms - self.touched_ms >= WARNED_MS


def bounced(key: str, at_ms: int, before: tuple[str, int] | None) -> bool:
    """The same key again sooner than a finger can: `before` is the last key with its time."""
    return before is not None and before[0] == key and at_ms - before[1] < KEY_BOUNCE_MS
