"""Short questions and notices over a page. Enter answers neither: a key that is hit without thinking changes nothing."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input

from itbpump.tui.screens.keyline import KeyLine
from itbpump.tui.screens.page import Lines
from itbpump.tui.told import told
from itbpump.wording.layout import wrapped

__all__ = ["AskPage", "NoticePage", "TextPage", "sheet_width"]


def sheet_width(app: App[Any]) -> int:
    """Columns for text in a sheet that lies over the foot of a page, from edge to edge, so that no line of the page is covered in part."""
    return max(20, app.size.width - 7)


class NoticePage(ModalScreen[None]):
    """Says something that must be seen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]

    def __init__(self, title: str, lines: list[str]) -> None:
        super().__init__()
        self._title, self._lines = told(title), [told(line) for line in lines]

    def compose(self) -> ComposeResult:
        width = sheet_width(self.app)
        with VerticalScroll(classes="panel"):
            yield Lines(self._title, classes="title")
            yield Lines("\n".join(part for line in self._lines for part in wrapped(line, width)))
        yield KeyLine(id="keys")

    def action_close(self) -> None:
        self.dismiss(None)


class AskPage(ModalScreen[bool]):
    """A question answered by y or n."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "yes", "Yes"), Binding("n,escape", "no", "No")]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        width = sheet_width(self.app)
        with VerticalScroll(classes="panel"):
            yield Lines("\n".join(wrapped(self._question, width)), classes="title")
            yield Lines("y: yes    n: no")
        yield KeyLine(id="keys")

    def action_yes(self) -> None:
        self.dismiss(True)

    def action_no(self) -> None:
        self.dismiss(False)


class TextPage(ModalScreen[str | None]):
    """Asks for one line of text; None when it is left."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back")]

    def __init__(self, question: str, example: str = "", value: str = "") -> None:
        super().__init__()
        self._question, self._example, self._value = question, example, value

    def compose(self) -> ComposeResult:
        width = sheet_width(self.app)
        with VerticalScroll(classes="panel"):
            yield Lines("\n".join(wrapped(self._question, width)), classes="title")
            yield Input(self._value, placeholder=f"such as {self._example}" if self._example else "", id="text", compact=True)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        """One begins to type at once."""
        self.query_one("#text", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The line is given."""
        event.stop()
        self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss(None)
