"""The pump as it is: the page one comes back to."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from itbpump.errors import ItbPumpError
from itbpump.tui import panels
from itbpump.tui.keys import bindings
from itbpump.tui.screens.log import LogPage
from itbpump.tui.screens.notice import AskPage
from itbpump.tui.screens.page import Lines, Page
from itbpump.tui.screens.report import ReportPage
from itbpump.tui.screens.tasks import TasksPage
from itbpump.tui.screens.unknown import UnknownPage
from itbpump.tui.snapshot import Snapshot
from itbpump.wording.layout import wrapped

__all__ = ["PumpPage"]

SIDE_BY_SIDE = 76
WIDE = 117
CHART_ROWS, MORE_ROWS, CHART_GROWS_FROM = 7, 16, 30
BELOW_FROM = 25
"""Rows that the rest of the page takes in most states; log entries stand below it only where there are more."""


class PumpPage(Page[None]):
    """Reservoir, therapy, chart, dates, battery, clock; read again all the time."""

    page_name = "pump"
    scopes = ("pump", "demo")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("pump", "demo"), ("escape", "leave_pump", "")]

    def body(self) -> ComposeResult:
        yield Lines(id="demo", classes="panel notice")
        with Horizontal(id="top"):
            with Vertical(id="left"):
                yield Lines(id="state", classes="panel")
                yield Lines(id="chart", classes="panel")
            with Vertical(id="right"):
                yield Lines(id="reservoir", classes="panel")
                yield Lines(id="dates", classes="panel")
                yield Lines(id="changes", classes="panel")
                yield Lines(id="beside", classes="panel")
        yield Lines(id="fortnight", classes="panel")
        yield Lines(id="below", classes="panel")

    def show_snapshot(self, snapshot: Snapshot) -> None:
        super().show_snapshot(snapshot)
        whole = self.width
        height, wide = self.app.size.height, whole >= WIDE
        beside = whole >= SIDE_BY_SIDE
        half = (whole - 2) // 2 if beside else whole
        self.query_one("#top").set_class(not beside, "stacked")
        demo = self.pump_app.demo
        for where, lines in (
            ("#reservoir", panels.reservoir_lines(snapshot, half)),
            ("#dates", panels.date_lines(snapshot, half)),
            ("#state", panels.state_lines(snapshot, half)),
            ("#chart", panels.chart_lines(snapshot, half, self._chart_rows())),
            ("#fortnight", panels.fortnight_lines(snapshot, whole)),
            ("#changes", panels.change_lines(snapshot, half) if wide else []),
            ("#beside", panels.recent_lines(snapshot, half, self._chart_rows() - 4) if wide else []),
            ("#below", panels.recent_lines(snapshot, whole, height - BELOW_FROM) if not wide else []),
            ("#demo", wrapped(demo.text, whole) if demo is not None else []),
        ):
            self.query_one(where, Lines).tell(lines)

    def _chart_rows(self) -> int:
        """Higher in a window that is higher, as far as a curve gains by it."""
        return CHART_ROWS + max(0, min(MORE_ROWS, self.app.size.height - CHART_GROWS_FROM))

    # -------------------------------------------------------------------------------------------------- actions
    def action_tasks(self) -> None:
        self.app.push_screen(TasksPage())

    def action_log(self) -> None:
        self.app.push_screen(LogPage())

    def action_report(self) -> None:
        self.app.push_screen(ReportPage())

    def action_open_outcomes(self) -> None:
        self.app.push_screen(UnknownPage())

    def action_read_again(self) -> None:
        """Now, not at the next poll; what comes of it the line above says, on whatever page is open then."""
        reader = self.pump_app.reader
        if reader is not None:
            reader.poll_now()
            self.say("asked the pump: LINK says how old the reading is")

    def action_leave_pump(self) -> None:
        """End the session and choose another line."""
        self.app.push_screen(AskPage("End the session with this pump?"), self._leave)

    def _leave(self, leave: bool | None) -> None:
        if leave:
            self.pump_app.close_pump()
            self.dismiss(None)

    # -------------------------------------------------------------------------------------------------- demo
    def action_faster(self) -> None:
        self._change_speed(1)

    def action_slower(self) -> None:
        self._change_speed(-1)

    def _change_speed(self, by: int) -> None:
        demo = self.pump_app.demo
        if demo is not None:
            demo.change_speed(by)
            self.say(demo.text)

    def action_trouble(self) -> None:
        """The next trouble of the trainer's list; the report of the visit tells it from what a pump did by itself."""
        demo = self.pump_app.demo
        if demo is None:
            return
        try:
            made = demo.next_trouble()
        except ItbPumpError as error:
            self.say(f"TRAINING: {error}", "warning")
            return
        self.say(made, "warning")
        self.pump_app.visit.noted(made, self.pump_app.now())
