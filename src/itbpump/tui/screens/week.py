"""The editor of a flexible week: days across, steps down, copy and paste of days, and a chart that follows each edit."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from itbpump.errors import InputError, ItbPumpError
from itbpump.therapy_view import DAY_NAMES
from itbpump.tui.charts import rate_chart
from itbpump.tui.keys import bindings
from itbpump.tui.screens.notice import AskPage, TextPage
from itbpump.tui.screens.page import Lines, Page
from itbpump.wording.layout import screen_amount, wrapped
from itbpump.workflow.draft import Draft, bounced
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import Values
from itbpump.workflow.preview import preview
from itbpump.workflow.week import DraftStep, Week

__all__ = ["WeekPage"]

STEP = "step"
CHART_ROWS = 8


class StepPage(TextPage):
    """Asks for one step. It holds a dose, so a key that bounced is flagged here too, and Enter refused once (SR-19)."""

    def __init__(self, question: str, value: str = "") -> None:
        super().__init__(question, "06:00 40 mcg over 1h", value)
        self._last_key: tuple[str, int] | None = None
        self._flagged = False

    def on_mount(self) -> None:
        """Below the field, in the same frame."""
        self.query_one(".panel").mount(Lines(id="bounce", classes="warning"))

    def key_hit(self, event: events.Key, now_ms: int, *, on_top: bool) -> None:
        if not on_top or not event.is_printable:
            self._last_key = None
            return
        if bounced(event.key, now_ms, self._last_key):
            self._flagged = True
            key = event.character or event.key
            self.query_one("#bounce", Lines).tell([f"! CHECK: the key {key!r} came twice within a tenth of a second"], "warning")
        self._last_key = (event.key, now_ms)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The line is given; one that was flagged must be looked at first."""
        if self._flagged:
            event.stop()
            event.prevent_default()
            self._flagged = False
            self.query_one("#bounce", Lines).tell(["! a key may have bounced: look at the step, then Enter again"], "warning")


class WeekPage(Page[str | None]):
    """Gives back the week as text, or None when it is left."""

    page_name = "week"
    scopes = ("page", "week")
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("page", "week"),
        Binding("left", "day(-1)", "Day before", show=False),
        Binding("right", "day(1)", "Next day", show=False),
    ]

    def __init__(self, text: str, facts: Facts, values: Values) -> None:
        super().__init__()
        self.draft = Draft().put(STEP, text, 0)
        self._first = text
        self.facts = facts
        self.values_ = values
        self.day = 0
        self.copied: int | None = None

    @property
    def week(self) -> Week:
        """As it stands now."""
        return Week.parse(self.draft.values.get(STEP, ""))

    def body(self) -> ComposeResult:
        yield Lines(id="days", classes="title")
        yield OptionList(id="steps", markup=False)
        yield Lines(id="chart", classes="panel")
        yield Lines(id="sum")

    def on_mount(self) -> None:
        super().on_mount()
        self._show()
        self.query_one("#steps", OptionList).focus()

    def _show(self) -> None:
        week, steps = self.week, self.query_one("#steps", OptionList)
        names = [f"[{name}]" if day == self.day else f" {name} " for day, name in enumerate(DAY_NAMES)]
        copied = f"   copied: {DAY_NAMES[self.copied]}" if self.copied is not None else ""
        self.query_one("#days", Lines).tell(["".join(names) + copied])
        at = steps.highlighted
        steps.clear_options()
        steps.add_options([Option(_step_text(step)) for step in week.days[self.day]])
        if week.days[self.day]:
            steps.highlighted = min(at or 0, len(week.days[self.day]) - 1)
        self._show_chart(week)

    def _show_chart(self, week: Week) -> None:
        """By the pump's own arithmetic; what is not yet a day says what it lacks."""
        chart, total = self.query_one("#chart", Lines), self.query_one("#sum", Lines)
        lacking = [name for name, steps in zip(DAY_NAMES, week.days, strict=True) if not steps]
        try:
            day = preview(self.facts, self.values_, Week((week.days[self.day],) * 7))
            whole = preview(self.facts, self.values_, week) if not lacking else None
        except ItbPumpError as error:
            chart.tell([])
            total.tell(wrapped(f"! {error}", self.width), "warning")
            return
        chart.tell(rate_chart(day, self.day, None, self.width, CHART_ROWS))
        told = f"{DAY_NAMES[self.day]}: {day.day_doses[self.day]}; "
        told += f"no steps yet: {', '.join(lacking)}" if whole is None else f"mean day {whole.mean_day}, highest {whole.highest_day}"
        total.tell(wrapped(told, self.width))

    def _change(self, week: Week) -> None:
        self.draft = self.draft.put(STEP, week.text(), self.pump_app.services.monotonic_ms())
        self._show()

    # -------------------------------------------------------------------------------------------------- keys
    def action_day(self, by: int) -> None:
        """Another day of the week."""
        self.day = (self.day + by) % 7
        self._show()

    def action_add_step(self) -> None:
        """Asks for a step."""
        self.app.push_screen(StepPage(f"{DAY_NAMES[self.day]}: a rate from a time on, or a dose over a time"), self._put)

    def action_change_step(self) -> None:
        """Asks for the chosen step anew."""
        step = self._chosen()
        if step is not None:
            self.app.push_screen(StepPage(f"{DAY_NAMES[self.day]}: change the step", str(step)), lambda text: self._put(text, step))

    def _put(self, text: str | None, instead: DraftStep | None = None) -> None:
        if not text:
            return
        try:
            step = DraftStep.parse(text)
            week = self.week if instead is None else self.week.without((self.day,), instead.at)
            self._change(week.put((self.day,), step))
        except InputError as error:
            self.say(f"{error}; {error.action}" if error.action else str(error), "warning")

    def action_delete_step(self) -> None:
        """Takes the chosen step out."""
        step = self._chosen()
        if step is not None:
            self._change(self.week.without((self.day,), step.at))

    def action_copy_day(self) -> None:
        """Remembers this day."""
        self.copied = self.day
        self._show()

    def action_paste_day(self) -> None:
        """The remembered steps on this day."""
        self._paste((self.day,))

    def action_paste_workdays(self) -> None:
        """And on Monday to Friday."""
        self._paste((0, 1, 2, 3, 4))

    def _paste(self, days: tuple[int, ...]) -> None:
        if self.copied is None:
            self.say("copy a day first, with c", "warning")
        else:
            self._change(self.week.paste(self.copied, days))

    def action_undo(self) -> None:
        """Takes back the last change; what the form had stays."""
        if len(self.draft.past) > 1:
            self.draft = self.draft.undo(self.pump_app.services.monotonic_ms())
            self._show()

    def action_done(self) -> None:
        """Into the form."""
        self.dismiss(self.draft.values.get(STEP, ""))

    def action_back(self) -> None:
        if self.unsaved():
            self.app.push_screen(AskPage("Discard the changes of this week?"), self._leave)
        else:
            self.dismiss(None)

    def _leave(self, leave: bool | None) -> None:
        if leave:
            self.dismiss(None)

    def unsaved(self) -> bool:
        return self.draft.values.get(STEP, "") != self._first

    def _chosen(self) -> DraftStep | None:
        at, steps = self.query_one("#steps", OptionList).highlighted, self.week.days[self.day]
        return steps[at] if at is not None and at < len(steps) else None


def _step_text(step: DraftStep) -> str:
    return f"{step.at}   {screen_amount(step.amount)}" + (f" over {screen_amount(step.over)}" if step.over else "")
