"""The first page: what this is not, and which line to open; pairing and the emergency session."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from itbpump.errors import ItbPumpError
from itbpump.tui.keys import bindings
from itbpump.tui.screens.page import Lines, Page
from itbpump.tui.snapshot import Snapshot
from itbpump.tui.told import told
from itbpump.wording import DISCLAIMER
from itbpump.wording.layout import wrapped

__all__ = ["ConnectPage"]

SIMULATED = "sim://P-40?fill=38mL&seed=1&speed=real"


class ConnectPage(Page[None]):
    """A list of lines and a field for an address."""

    page_name = "connect"
    scopes = ("connect",)
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("connect"),
        Binding("f4", "pair", "Pair", priority=True),
        Binding("f5", "look_again", "Look again", priority=True),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._urls: dict[str, str] = {}

    def body(self) -> ComposeResult:
        yield Lines("itbpump", classes="title")
        yield Lines("\n".join(wrapped(f"{DISCLAIMER[0].upper()}{DISCLAIMER[1:]}.", self.width)), classes="warning", id="disclaimer")
        yield OptionList(id="lines", markup=False)
        yield Input(placeholder="or an address, such as /dev/ttyUSB0 (F1 names more)", id="url", compact=True)
        yield Lines(id="said")

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Nothing of a pump is shown here, as none is chosen."""

    def on_mount(self) -> None:
        super().on_mount()
        for name in ("#identity", "#link", "#alarms", "#open"):
            self.query_one(name).display = False
        self.action_look_again()
        self.query_one("#lines", OptionList).focus()

    def action_look_again(self) -> None:
        """Ports come and go with their cables."""
        services, listed = self.pump_app.services, self.query_one("#lines", OptionList)
        groups: list[tuple[str, list[tuple[str, str]]]] = []
        try:
            groups.append(("Used before", [(url, f"{url}   pump {serial}, {profile}") for url, serial, profile in services.recent()]))
        except ItbPumpError as error:
            self.query_one("#said", Lines).tell(wrapped(f"the pumps used before could not be read: {told(error)}", self.width), "warning")
        groups.append(("Serial ports found", [(port.device, f"{port.device}   {port.description}") for port in services.ports()]))
        groups.append(("Simulated", [(SIMULATED, "a fresh simulated pump, gone at the end: P-40, 38 mL")]))
        listed.clear_options()
        self._urls.clear()
        for title, lines in groups:
            listed.add_option(Option(title.upper() if lines else f"{title.upper()}: none", disabled=True))
            for url, text in lines:
                name = f"line-{len(self._urls)}"
                self._urls[name] = url
                listed.add_option(Option(f"  {text}", id=name))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open it."""
        if event.option_id is not None:
            self.pump_app.open_pump(self._urls[event.option_id])

    @on(Input.Submitted, "#url")
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self.pump_app.open_pump(event.value.strip())

    def action_pair(self) -> None:
        """A pump that does not know this computer yet."""
        self.pump_app.later.wait()
        from itbpump.tui.screens.pair import PairPage  # noqa: PLC0415 -- `later` has loaded it

        listed = self.query_one("#lines", OptionList)
        chosen = listed.get_option_at_index(listed.highlighted).id if listed.highlighted is not None else None
        typed = self.query_one("#url", Input).value.strip()
        self.app.push_screen(PairPage(typed or self._urls.get(chosen or "", "")))

    def action_back(self) -> None:
        """The first page has none before it; F10 ends the program."""
        self.say("F10 ends the program")
