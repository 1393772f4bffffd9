"""A task's form: one row a field, the unit beside it, what is wrong under it as one types. It sends nothing; F5 leads to the review page.

Enter goes to the next field. A key that bounced is flagged (SR-19), an edit nobody touches for 10 minutes is discarded with a warning
before (SR-11), every change can be taken back. Not here: what is asked and what it means (`workflow`).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input

from itbpump.errors import InputError, ItbPumpError
from itbpump.therapy import Prescription, load_prescription
from itbpump.tui.keys import bindings
from itbpump.tui.screens.notice import AskPage, NoticePage, TextPage
from itbpump.tui.screens.page import Lines, Page
from itbpump.tui.screens.review import ReviewPage
from itbpump.tui.screens.rows import FieldRow
from itbpump.tui.screens.stop import StopPage
from itbpump.tui.screens.week import WeekPage
from itbpump.tui.told import told
from itbpump.workflow.draft import Draft, bounced
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import Field, FieldError, Kind
from itbpump.workflow.model import Task

__all__ = ["FormPage"]

SECOND_MS = 1_000
EMPTIED = "\0"
"""Stands in the draft for a field that was emptied on purpose, where something had been offered."""


class FormPage(Page[None]):
    """The fields of one task."""

    page_name = "form"
    scopes = ("page", "form")
    BINDINGS: ClassVar[list[BindingType]] = bindings("page", "form")

    def __init__(self, task: Task, facts: Facts) -> None:
        super().__init__()
        self.task_ = task
        self.facts = facts
        self.draft = Draft()
        self._last_key: tuple[str, int] | None = None
        self._shown: tuple[Field, ...] = ()
        self._asked: dict[str, tuple[str, str]] = {}
        self._rebuilding = False
        self._is_warned = False
        self._from_file = False

    # -------------------------------------------------------------------------------------------------- what is shown
    def body(self) -> ComposeResult:
        yield Lines(self.task_.title, id="title", classes="title")
        yield Lines(id="age")
        yield Vertical(id="fields")
        yield Lines(id="whole")

    def on_mount(self) -> None:
        super().on_mount()
        self.draft = self.draft.touched(self._now_ms())
        self.call_later(self._show_fields)

    async def _show_fields(self) -> None:
        """Mount the rows that the answers so far call for; the cursor stays where it was."""
        fields = self._fields()
        if fields == self._shown:
            return
        focused = self.focused
        name = focused.id.removeprefix("field-") if focused is not None and focused.id else ""
        self._shown = fields
        self._rebuilding = True
        box = self.query_one("#fields", Vertical)
        with self.app.batch_update():
            await box.remove_children()
            group = ""
            widgets: list[Lines | FieldRow] = []
            for field in fields:
                if field.group != group:
                    group = field.group
                    widgets.append(Lines(group, classes="group"))
                widgets.append(FieldRow(field, self._text(field)))
            await box.mount_all(widgets)
            rows = {row.field.id: row for row in self.query(FieldRow).results()}
            target = rows.get(name) or next(iter(rows.values()), None)
            if target is not None:
                target.take_focus()  # before the rows are drawn: what is typed into a field that can be seen must not be lost
        self._rebuilding = False

    def _fields(self) -> tuple[Field, ...]:
        """What is asked now. A text never goes on into a question of another label or unit: a day's dose is none of each bolus (SR-18)."""
        fields = self.task_.fields(self.facts, self._answers())
        for field in fields:
            meant = (field.label, field.unit)
            if self._asked.setdefault(field.id, meant) != meant:
                self._asked[field.id] = meant
                self.draft = self.draft.put(field.id, "", self._now_ms())
        return fields

    def _answers(self) -> dict[str, str]:
        """For the fields that hang on others: typed, or offered."""
        known = {field.id: field.initial for field in self._shown if field.initial}
        typed = {name: "" if text == EMPTIED else text for name, text in self.draft.values.items()}
        return {**known, **typed}

    def _text(self, field: Field) -> str:
        text = self.draft.values.get(field.id)
        return field.initial if text is None else "" if text == EMPTIED else text

    # -------------------------------------------------------------------------------------------------- typing
    @on(FieldRow.Changed)
    async def _changed(self, event: FieldRow.Changed) -> None:
        """Keep what is typed, show what is wrong with it, ask what follows from it."""
        if self._rebuilding:
            return
        field = event.field
        text = event.text if event.text or not field.initial else EMPTIED
        if text == field.initial and field.id not in self.draft.values:
            return
        self.draft = self.draft.put(field.id, text, self._now_ms())
        self.query_one("#whole", Lines).tell([])
        await self._show_fields()

    def key_hit(self, event: events.Key, now_ms: int, *, on_top: bool) -> None:
        """Every key keeps an edit alive that is not yet given up; in a dose field one that comes twice too soon is flagged."""
        if self.draft.left_ms(now_ms) > 0:
            self.draft = self.draft.touched(now_ms)
            self._end_warning()
        row = self._focused_row() if on_top else None
        if row is None or not row.field.dose or not event.is_printable:
            self._last_key = None
            return
        if bounced(event.key, now_ms, self._last_key):
            row.flag(event.character or event.key)
        self._last_key = (event.key, now_ms)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        """Enter goes on to the next field and never sends anything."""
        event.stop()
        self.focus_next()

    def _focused_row(self) -> FieldRow | None:
        focused = self.focused
        return next((node for node in focused.ancestors_with_self if isinstance(node, FieldRow)), None) if focused is not None else None

    def _now_ms(self) -> int:
        return self.pump_app.services.monotonic_ms()

    # -------------------------------------------------------------------------------------------------- keys
    async def action_undo(self) -> None:
        """Take back the last change."""
        await self._go_to(self.draft.undo(self._now_ms()))

    async def action_redo(self) -> None:
        """Make it again."""
        await self._go_to(self.draft.redo(self._now_ms()))

    async def _go_to(self, draft: Draft) -> None:
        self.draft = draft
        await self._show_fields()
        self._rebuilding = True
        for row in self.query(FieldRow).results():
            row.put(self._text(row.field))
        await asyncio.sleep(0)
        self._rebuilding = False

    def action_edit_week(self) -> None:
        """Open the editor of the week, where the form has one."""
        field = next((field for field in self._shown if field.kind is Kind.WEEK), None)
        if field is None:
            self.say("this form has no week", "warning")
            return
        self.app.push_screen(WeekPage(self._text(field), self.facts, self._answers()), lambda text: self._take_week(field, text))

    def _take_week(self, field: Field, text: str | None) -> None:
        if text is not None:
            self.draft = self.draft.put(field.id, text, self._now_ms())
            row = next(row for row in self.query(FieldRow).results() if row.field.id == field.id)
            row.put(text)

    def action_open_file(self) -> None:
        """A prescription file fills the form; every field is still there to be read."""
        self.app.push_screen(TextPage("Prescription file (TOML):", "therapy.toml"), self._opened)

    def _opened(self, name: str | None) -> None:
        if name:
            self._fill_from(name)

    @work(group="open-file", exclusive=True)
    async def _fill_from(self, name: str) -> None:
        try:
            rx = await asyncio.to_thread(_read_file, name)
        except InputError as error:
            self._notice("This file is no prescription", str(error).splitlines())
            return
        try:
            self.facts = replace(await self.pump_app.facts(), rx=rx, opened=True)
        except ItbPumpError as error:
            self._notice("The pump could not be read", [str(error)])
            return
        self.pump_app.rx = rx
        self._from_file = True
        now_ms = self._now_ms()
        self.draft = Draft(touched_ms=now_ms, past=(*self.draft.past, self.draft.values))
        self._shown = ()
        await self._show_fields()
        self.say(
            f"read: {name}; the week and its doses are filled in: check each; "
            "type the concentration, which no file fills in. Undo brings back what stood here"
        )

    @work(group="propose", exclusive=True)
    async def action_review(self) -> None:
        """Make the order and judge it beside the pump as it is now."""
        flagged = next((row for row in self.query(FieldRow).results() if row.flagged), None)
        if flagged is not None:
            flagged.take_focus()
            flagged.clear_flag()
            self.say("a key may have bounced in this field: look at it, then F5 again", "warning")
            return
        values = self._answers()
        try:
            self.facts = await self.pump_app.facts()
            proposal = await asyncio.to_thread(self.task_.propose, self.facts, values)
        except FieldError as error:
            self._tell(error)
            return
        except ItbPumpError as error:
            self._notice("This cannot be ordered", [str(error), error.action])
            return
        if self.app.screen is self:
            self.app.push_screen(ReviewPage(proposal), self._reviewed)
        else:  # nothing is laid over what was opened meanwhile, least of all over the stop page
            self.pump_app.say("the order is judged: go back to the form and press F5 again")

    def _notice(self, title: str, lines: list[str]) -> None:
        """Over this form; where another page was opened meanwhile, a word on that."""
        if self.app.screen is self:
            self.app.push_screen(NoticePage(title, lines))
        else:
            self.pump_app.say(f"{title}: {lines[0]}", "warning")

    def _tell(self, error: FieldError) -> None:
        row = next((row for row in self.query(FieldRow).results() if row.field.id == error.field), None)
        if row is None:
            self.query_one("#whole", Lines).tell([f"! {told(error)}"], "warning")
        else:
            row.tell(str(error))
            row.take_focus()

    def _reviewed(self, sent: bool | None) -> None:
        """Back from the review page: done, or to change something."""
        if sent:
            self.dismiss(None)
        else:
            self.draft = self.draft.touched(self._now_ms())

    # -------------------------------------------------------------------------------------------------- leaving
    def unsaved(self) -> bool:
        return bool(self.draft.values)

    def action_back(self) -> None:
        """Ask where something typed would be lost."""
        if self.unsaved():
            self.app.push_screen(AskPage("Discard what is typed here?"), self._leave)
        else:
            self.dismiss(None)

    def _leave(self, leave: bool | None) -> None:
        if leave:
            self.dismiss(None)

    def check_age(self, now_ms: int) -> None:
        """Warn for the last minute, on whatever page is open above too, then discard; the running therapy was never touched.

        An order on its way, its outcome, and the stop page are left standing; the edit ends when they are left.
        """
        stack = self.app.screen_stack
        above = stack[stack.index(self) + 1 :]
        if any(isinstance(screen, StopPage) or (isinstance(screen, ReviewPage) and screen.is_sending) for screen in above):
            return
        left_ms = self.draft.left_ms(now_ms)
        if left_ms == 0:
            self._discard()
        elif self.draft.is_warned(now_ms):
            self._is_warned = True
            text = f"!! this edit is discarded in {left_ms // SECOND_MS} s; press any key to keep it"
            self.query_one("#age", Lines).tell([text], "warning")
            if above:
                self.pump_app.say(text, "warning")

    def _end_warning(self) -> None:
        if self._is_warned:
            self._is_warned = False
            self.query_one("#age", Lines).tell([])
            if self.app.screen is not self:
                self.pump_app.say("the edit is kept")

    def on_unmount(self) -> None:
        """A prescription that was opened and left again is nobody's: the identity line must not go on naming its patient (SR-20)."""
        if self._from_file:
            self.pump_app.rx = None

    def _discard(self) -> None:
        """With everything that stands above it."""
        while self.app.screen is not self:
            self.app.pop_screen()
        self.dismiss(None)
        self.app.push_screen(
            NoticePage(
                "Discarded", [f"{self.task_.title}: nobody touched the edit for 10 minutes. Nothing was sent; the pump goes on as it was."]
            )
        )

    def help_lines(self) -> list[str]:
        row = self._focused_row()
        if row is None:
            return super().help_lines()
        field = row.field
        return [
            f"{field.label}{f', in {field.unit}' if field.unit else ''}",
            field.help,
            *([f"How: {field.hint}"] if field.hint else []),
            *super().help_lines(),
        ]


def _read_file(name: str) -> Prescription:
    return load_prescription(Path(name).expanduser())
