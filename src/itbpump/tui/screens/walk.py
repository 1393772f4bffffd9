"""A checklist with readings of the pump; nothing is ordered here. A point that waits counts its minutes (`workflow.waiting`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from itbpump.errors import ItbPumpError
from itbpump.pump import Pump
from itbpump.tui.keys import bindings
from itbpump.tui.screens.notice import AskPage, TextPage
from itbpump.tui.screens.page import Lines, Page
from itbpump.tui.snapshot import LinkWord, Snapshot
from itbpump.wording.layout import wrapped
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import FieldError
from itbpump.workflow.model import Walk, WalkStep
from itbpump.workflow.waiting import early_lines, is_over, wait_text

__all__ = ["WalkPage"]


class WalkPage(Page[None]):
    """Points in order; Space ticks one or takes its reading."""

    page_name = "walk"
    scopes = ("page", "walk")
    BINDINGS: ClassVar[list[BindingType]] = bindings("page", "walk")

    def __init__(self, walk: Walk, facts: Facts) -> None:
        super().__init__()
        self.walk = walk
        self.facts = facts
        self.steps: tuple[WalkStep, ...] = walk.steps(facts)
        self.done: dict[str, tuple[str, ...]] = {}
        self._is_reading = False
        self._is_noted = False

    def body(self) -> ComposeResult:
        yield Lines(self.walk.title, classes="title")
        yield OptionList(id="steps", markup=False)
        yield Lines(id="help")
        yield Lines(id="readings", classes="panel")

    def on_mount(self) -> None:
        super().on_mount()
        self._show()
        self.query_one("#steps", OptionList).focus()

    def _show(self) -> None:
        steps = self.query_one("#steps", OptionList)
        at = steps.highlighted or 0
        steps.clear_options()
        for at_step in range(len(self.steps)):
            steps.add_option(Option(self._line(at_step)))
        steps.highlighted = at
        readings = [line for step in self.steps for line in self.done.get(step.id, ())]
        left = len(self.steps) - len(self.done)
        ended = [f"{left} to do" if left else "ALL DONE"]
        self.query_one("#readings", Lines).tell([part for line in [*readings, *ended] for part in wrapped(line, self.width)])

    def _line(self, at: int) -> str:
        step = self.steps[at]
        if step.id in self.done:
            return f"done   {at + 1:>2}. {step.text}"
        uptime_ms = self._uptime_ms()
        begun = step.left_ms is not None and uptime_ms is not None and step.left_ms(uptime_ms) is not None
        left = self._left(step) if begun else ""
        return f"to do  {at + 1:>2}. {f'{left.upper()}: ' if left else ''}{step.text}"

    def _left(self, step: WalkStep) -> str:
        """What is left of a wait, as of the last reading."""
        snapshot = self.pump_app.snapshot
        return wait_text(step, self._uptime_ms(), live=snapshot is not None and snapshot.link.word is LinkWord.LIVE)

    def _uptime_ms(self) -> int | None:
        snapshot = self.pump_app.snapshot
        return snapshot.view.status.uptime_ms if snapshot is not None and snapshot.view is not None else None

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """The minutes of a wait go down; nothing is drawn anew where they did not."""
        super().show_snapshot(snapshot)
        listed = self.query_one("#steps", OptionList)
        for at, step in enumerate(self.steps[: listed.option_count]):
            if step.left_ms is not None and str(listed.get_option_at_index(at).prompt) != self._line(at):
                listed.replace_option_prompt_at_index(at, self._line(at))

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Help of the point under the cursor."""
        help_text = self.steps[event.option_index].help
        self.query_one("#help", Lines).tell(wrapped(help_text, self.width) if help_text else [])

    def action_do_step(self) -> None:
        """Tick it, or take its reading; one at a time."""
        at = self.query_one("#steps", OptionList).highlighted
        if at is None or self._is_reading:
            return
        step = self.steps[at]
        if step.read is None and is_over(step, self._uptime_ms()):
            self._did(at, ())
        elif step.read is None:
            self.app.push_screen(
                TextPage(f"{self._left(step).capitalize()}. Why is it ticked now? Escape goes on waiting."), self._tick_early
            )
        else:
            self._is_reading = True
            self._read(at, step.read)

    @work(group="walk")
    async def _read(self, at: int, read: Callable[[Pump, Facts], tuple[str, ...]]) -> None:
        facts = self.facts
        try:
            lines = await self.pump_app.ask(lambda pump: read(pump, facts))
        except ItbPumpError as error:
            self.say(f"not read: {error}", "warning")
        else:
            self._did(at, lines)
        finally:
            self._is_reading = False

    def _tick_early(self, reason: str | None) -> None:
        """Before its wait was over: with the reason, also in the report of the visit."""
        at = self.query_one("#steps", OptionList).highlighted
        if reason is None or at is None:
            return
        step = self.steps[at]
        try:
            lines = early_lines(step, self._uptime_ms(), reason)
        except FieldError as error:
            self.say(str(error), "warning")
            return
        self.pump_app.visit.noted(f"{self.walk.title}: {step.text}: {lines[0]}", self.pump_app.now())
        self._did(at, lines)

    def _did(self, at: int, lines: tuple[str, ...]) -> None:
        self.done[self.steps[at].id] = lines
        self._show()
        self.query_one("#steps", OptionList).highlighted = min(at + 1, len(self.steps) - 1)
        if len(self.done) == len(self.steps) and not self._is_noted:
            self._is_noted = True
            self.pump_app.visit.noted(f"{self.walk.title}: every point of the checklist is done", self.pump_app.now())

    def action_back(self) -> None:
        """Ask where ticks would be lost."""
        if self.unsaved():
            self.app.push_screen(AskPage("Leave this checklist before its end?"), self._leave)
        else:
            self.dismiss(None)

    def _leave(self, leave: bool | None) -> None:
        if leave:
            self.dismiss(None)

    def unsaved(self) -> bool:
        return bool(self.done) and len(self.done) < len(self.steps)
