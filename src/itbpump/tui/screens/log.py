"""The pump's event log, newest first, with a group and a text to filter by."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input

from itbpump.tui.keys import bindings
from itbpump.tui.logtable import LogTable
from itbpump.tui.screens.page import Lines, Page
from itbpump.tui.snapshot import Snapshot
from itbpump.wording.words import log_groups

__all__ = ["LogPage"]


class LogPage(Page[None]):
    """The log as read so far; it grows while it is open."""

    page_name = "log"
    scopes = ("page", "log")
    BINDINGS: ClassVar[list[BindingType]] = bindings("page", "log")

    def __init__(self) -> None:
        super().__init__()
        self._groups = ["all", *log_groups()]
        self._group = 0

    def body(self) -> ComposeResult:
        yield Lines(id="head", classes="title")
        yield Input(placeholder="only entries with this text", id="filter", compact=True)
        yield LogTable(id="log")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(LogTable).focus()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        super().show_snapshot(snapshot)
        self.query_one(LogTable).show(snapshot.log)
        dropped = f", {snapshot.log_dropped:,} older ones given up" if snapshot.log_dropped else ", older ones are still being read"
        whole = "" if snapshot.log_complete and not snapshot.log_dropped else dropped
        self.query_one("#head", Lines).tell([f"Log: {self._groups[self._group]}, {len(snapshot.log):,} entries read{whole}"])

    @on(Input.Changed, "#filter")
    def _filter(self, event: Input.Changed) -> None:
        self.query_one(LogTable).filter(group=self._chosen(), text=event.value)

    def _chosen(self) -> str:
        return "" if self._group == 0 else self._groups[self._group]

    def action_next_group(self) -> None:
        """All, then each group."""
        self._group = (self._group + 1) % len(self._groups)
        self.query_one(LogTable).filter(group=self._chosen(), text=self.query_one("#filter", Input).value)
        if self.pump_app.snapshot is not None:
            self.show_snapshot(self.pump_app.snapshot)
