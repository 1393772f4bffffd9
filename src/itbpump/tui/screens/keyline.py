"""The line of keys at the foot of every page: the stop first and always whole, then the page's own; nothing is cut at the edge.

It takes a second line where one is too short. Keys are shown as they are bound, with a clinic's keymap. A key may also be clicked.
Not here: what the keys do (the pages), and the list of all of them (`help`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from itbpump.tui.keys import table
from itbpump.tui.pages import key_name

if TYPE_CHECKING:
    from itbpump.tui.app import PumpApp

__all__ = ["KeyLine"]

GAP = 2
MOST_LINES = 3
LAST = ("help", "quit", "keys")
"""Ids of keys that stand at the end: they are the same everywhere."""


class _Shown(NamedTuple):
    """A key as it stands in the line."""

    key: str
    label: str

    @property
    def text(self) -> str:
        """Name and label."""
        return f"{key_name(self.key)} {self.label}"


class KeyLine(Static):
    """Follows the bindings that are active, which change with the field that has the cursor."""

    def on_mount(self) -> None:
        """Begin to follow."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        self.draw()

    def _changed(self, _screen: Screen[object]) -> None:
        self.draw()

    def on_resize(self) -> None:
        """As many lines as it now takes."""
        self.draw()

    def draw(self) -> None:
        """Lay the keys out anew."""
        lines: list[list[_Shown]] = [[]]
        room = self.app.size.width - 2
        for shown in self._keys():
            length = sum(len(other.text) + GAP for other in lines[-1]) + len(shown.text)
            if length > room and lines[-1]:
                lines.append([])
            lines[-1].append(shown)
        self.update(Content("\n").join([_line(keys) for keys in lines[:MOST_LINES]]))

    def _keys(self) -> list[_Shown]:
        """The stop, the page's keys, those that are the same everywhere."""
        app = cast("PumpApp", self.app)
        known = {key.id: key for key in table()}
        keymap = app.services.keymap
        active = [active.binding for active in self.screen.active_bindings.values()]
        own = {
            binding.action: _Shown(binding.key, binding.description)
            for binding in reversed(active)
            if binding.show and binding.id not in (*LAST, "stop") and not binding.system
        }
        on_page = {binding.id for binding in active}
        always = [known[name] for name in LAST if name in on_page]
        stop = known["stop"]
        return [
            _Shown(_first(keymap.get("stop", stop.keys)), stop.label),
            *reversed(own.values()),
            *(_Shown(_first(keymap.get(key.id, key.keys)), key.label or "Keys") for key in always),
        ]


def _first(keys: str) -> str:
    return keys.split(",", maxsplit=1)[0]


def _line(keys: list[_Shown]) -> Content:
    parts = [
        Content.from_markup(f"[@click=app.simulate_key('{shown.key}')][b]$key[/b] $label[/]", key=key_name(shown.key), label=shown.label)
        for shown in keys
    ]
    return Content(" " * GAP).join(parts)
