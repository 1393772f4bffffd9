"""Help and keys: a page of text over the one it is about."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from itbpump.tui.keys import bindings
from itbpump.tui.screens.keyline import KeyLine
from itbpump.tui.screens.notice import sheet_width
from itbpump.tui.screens.page import Lines
from itbpump.wording.layout import wrapped

__all__ = ["HelpPage"]


class HelpPage(ModalScreen[None]):
    """Shows a title and lines until Escape."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("page")

    def __init__(self, title: str, lines: list[str]) -> None:
        super().__init__()
        self._title = title
        self._lines = lines

    def compose(self) -> ComposeResult:
        width = sheet_width(self.app)
        with VerticalScroll(classes="panel"):
            yield Lines(self._title, classes="title")
            yield Lines("\n".join(part for line in self._lines for part in wrapped(line, width, hanging=15 if len(self._lines) > 1 else 0)))
        yield KeyLine(id="keys")

    def action_back(self) -> None:
        self.dismiss(None)
