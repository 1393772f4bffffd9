"""The report of this visit and the card for an emergency department, to read and to save."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType

from itbpump.errors import ItbPumpError
from itbpump.report import SessionRecord, card_text, text
from itbpump.tui.keys import bindings
from itbpump.tui.screens.page import Lines, Page
from itbpump.tui.snapshot import Snapshot
from itbpump.tui.told import told
from itbpump.wording.layout import wrapped
from itbpump.workflow.saving import save_report

__all__ = ["ReportPage"]


class ReportPage(Page[None]):
    """As of when the page was opened."""

    page_name = "report"
    scopes = ("page", "report")
    BINDINGS: ClassVar[list[BindingType]] = bindings("page", "report")

    def __init__(self) -> None:
        super().__init__()
        self._record: SessionRecord | None = None
        self._card = False

    def body(self) -> ComposeResult:
        yield Lines(id="said")
        yield Lines(id="report")

    def show_snapshot(self, snapshot: Snapshot) -> None:
        super().show_snapshot(snapshot)
        if self._record is None and self.pump_app.visit.begun:
            self._make()

    def on_mount(self) -> None:
        super().on_mount()
        if self._record is None:
            self.query_one("#said", Lines).tell(["the pump's log is still being read; the report follows"], "notice")

    def _make(self) -> None:
        try:
            self._record = self.pump_app.record()
        except ItbPumpError as error:
            self.query_one("#said", Lines).tell(wrapped(f"no report: {told(error)}", self.width), "warning")
            return
        self.query_one("#said", Lines).tell([])
        self._show()

    def _show(self) -> None:
        if self._record is not None:
            shown = card_text(self._record) if self._card else text(self._record)
            self.query_one("#report", Lines).tell(shown.splitlines())

    def action_toggle_card(self) -> None:
        """Between report and card."""
        self._card = not self._card
        self._show()

    def action_save(self) -> None:
        """The page's key saves the whole report here, in all its forms, not the lines on the screen."""
        self.action_save_report()

    @work(group="save", exclusive=True, thread=True)
    def action_save_report(self) -> None:
        """HTML and text always, PDF where it can be made."""
        if self._record is None:
            return
        folder: Path = self.pump_app.services.folder
        try:
            names, problem = save_report(self._record, folder)
        except (ItbPumpError, OSError) as error:
            self.app.call_from_thread(self.say, f"not saved: {error}", "warning")
            return
        saved = f"saved in {folder}: {', '.join(names)}" + (f"; {problem}" if problem else "")
        self.app.call_from_thread(self.query_one("#said", Lines).tell, wrapped(saved, self.width), "warning" if problem else "ok")
