"""What every page has: whose pump this is, how old the reading is, what sounds, the body, and the keys (SR-20, SR-57)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from itbpump.tui.keys import bindings
from itbpump.tui.pages import page
from itbpump.tui.screens.keyline import KeyLine
from itbpump.tui.snapshot import Snapshot
from itbpump.tui.themes import STATES
from itbpump.tui.told import told
from itbpump.wording.layout import wrapped

if TYPE_CHECKING:
    from itbpump.tui.app import PumpApp

__all__ = ["Lines", "Page", "bindings", "fitted"]

Result = TypeVar("Result")


_LABEL = re.compile(r" *\S.*?  +(?=\S)| +(?=\S)")
"""A label with the blanks behind it, or the blanks before a line that goes on."""
_DRAWN = "chart"
"""Id of lines that are a drawing, which cannot be broken."""


def fitted(line: str, width: int) -> list[str]:
    """A line in a narrower window than it was made for: no amount is broken, and what goes on stands under the text, not its label."""
    label = _LABEL.match(line)
    return wrapped(line, width, hanging=min(label.end() if label is not None else 0, width // 2))


class Lines(Static):
    """Plain lines, never markup: what a pump or a person wrote is shown as it is. `tone` colours them by their state.

    A line too long for the place it has, as after the window was made narrower, is broken between amounts, never within one.
    """

    def __init__(self, text: str = "", *, id: str | None = None, classes: str = "") -> None:
        super().__init__(text, id=id, classes=classes, markup=False)
        self.lines: tuple[str, ...] = tuple(text.split("\n")) if text else ()
        self.display = bool(text)

    def tell(self, lines: list[str] | tuple[str, ...], state: str = "") -> None:
        """Show these lines; nothing takes no room."""
        self.lines = tuple(lines)
        self._fit()
        self.display = bool(lines)
        for name in STATES:
            self.set_class(name == state, name)

    def on_resize(self) -> None:
        """The place is known, or another."""
        self._fit()

    def _fit(self) -> None:
        width = self.content_size.width or max(map(len, self.lines), default=0)
        if self.id == _DRAWN and any(len(line) > width for line in self.lines):
            shown = "the chart needs a wider window"
        else:
            shown = "\n".join(part for line in self.lines for part in (fitted(line, width) if len(line) > width else [line]))
        if shown != self.content:
            self.update(shown)


class Page(Screen[Result]):
    """A page of the program. `page_name` names its help, `scopes` the keys it has beside those that work everywhere."""

    page_name: ClassVar[str]
    scopes: ClassVar[tuple[str, ...]] = ("page",)
    BINDINGS: ClassVar[list[BindingType]] = bindings("page")

    @property
    def pump_app(self) -> PumpApp:
        """The program this page belongs to."""
        return cast("PumpApp", self.app)

    def compose(self) -> ComposeResult:
        yield Lines(id="identity")
        yield Lines(id="link")
        yield Lines(id="alarms")
        yield Lines(id="open")
        with VerticalScroll(id="body"):
            yield from self.body()
        yield Lines(id="say")
        yield KeyLine(id="keys")

    def body(self) -> ComposeResult:
        """What this page is about; each has its own. (Textual's metaclass leaves no room for ABC's.)"""
        raise NotImplementedError

    is_sending = False
    """An order of this page is on its way to the pump."""
    is_ready = False
    """Its widgets stand; a page is on the stack a moment before."""

    def on_mount(self) -> None:
        """With what is known already."""
        self.is_ready = True
        snapshot = self.pump_app.snapshot
        self.show_snapshot(snapshot if snapshot is not None else Snapshot())

    def on_screen_resume(self) -> None:
        """What came while another page was on top."""
        snapshot = self.pump_app.snapshot
        if self.is_ready and snapshot is not None:
            self.show_snapshot(snapshot)

    def on_resize(self) -> None:
        """Another width: what is made for it is made anew at once, not with the next reading."""
        if self.is_ready:
            self.show_snapshot(self.pump_app.snapshot or Snapshot())

    @property
    def width(self) -> int:
        """Columns for text in the body: beside a blank at each edge and the scroll bar."""
        return max(20, self.app.size.width - 3)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """A newer reading is there."""
        from itbpump.tui import panels  # noqa: PLC0415 -- the first page knows no pump and shows none of them

        rx = self.pump_app.rx
        self.query_one("#identity", Lines).tell(
            wrapped(panels.identity_line(snapshot, rx.patient.id if rx is not None else ""), self.width + 1)
        )
        for name, tone in (
            ("#link", panels.link_lines(snapshot, self.width + 1)),
            ("#alarms", panels.alarm_lines(snapshot, self.width + 1, max(4, self.app.size.height // 6))),
            ("#open", panels.open_lines(snapshot, self.width + 1)),
        ):
            self.query_one(name, Lines).tell(tone.lines if tone is not None else (), tone.state if tone is not None else "")

    def check_age(self, now_ms: int) -> None:
        """Asked every second: an edit grows old."""

    def unsaved(self) -> bool:
        """Something typed here would be lost."""
        return False

    def help_title(self) -> str:
        """Of the help page."""
        return page(self.page_name).title

    def help_lines(self) -> list[str]:
        """Of the page, or of the field with the cursor."""
        return [page(self.page_name).text]

    def say(self, text: str, state: str = "notice") -> None:
        """A word to the person, in a line of its own until the next key: nothing ever lies over a dose."""
        self.query_one("#say", Lines).tell(wrapped(told(text), self.width + 1), state)

    def on_key(self, event: events.Key) -> None:
        """Whoever types has seen it; Textual calls this beside a page's own."""
        del event
        self.query_one("#say", Lines).tell([])

    def text_of_page(self) -> str:
        """Everything this page says, for copying and saving."""
        lines = [widget for widget in self.query(Lines).results() if widget.display]
        return "\n".join(line for widget in lines for line in widget.lines) + "\n"

    def action_back(self) -> None:
        """To the page before."""
        self.dismiss(None)

    def action_copy(self) -> None:
        """To the terminal's clipboard (OSC 52); some terminals have none, so saving is offered too."""
        self.app.copy_to_clipboard(self.text_of_page())
        self.say("copied, if this terminal has a clipboard; F7 saves it to a file")

    def action_save(self) -> None:
        """As a text file in the folder the program was started in."""
        path = self.pump_app.free_name(f"itbpump-{self.page_name}", "txt")
        try:
            path.write_text(self.text_of_page(), encoding="utf-8")
        except OSError as error:
            self.say(f"not saved: {error}", "warning")
        else:
            self.say(f"saved: {path}")
