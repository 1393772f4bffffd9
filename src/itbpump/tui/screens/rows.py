"""One field of a form: label, input, unit, and under them what was read or what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Checkbox, Input, Label, Select

from itbpump.tui.screens.page import Lines
from itbpump.tui.told import told
from itbpump.wording.layout import spelled_out
from itbpump.workflow.fields import Field, FieldError, Kind

__all__ = ["FieldRow"]

BLANK: Final = Select.NULL


class Tick(Checkbox):
    """A point of a checklist that says in words whether it is ticked: a mark in another colour is read as done."""

    BUTTON_LEFT = ""
    BUTTON_INNER = ""
    BUTTON_RIGHT = ""

    def __init__(self, ticked: bool, id: str) -> None:
        super().__init__(_ticked_text(ticked), ticked, id=id, compact=True)

    def watch_value(self) -> None:
        """Say it anew."""
        self.label = _ticked_text(self.value)
        super().watch_value()


def _ticked_text(ticked: bool) -> str:
    return "(x) done" if ticked else "( ) not done: Space ticks it"


class FieldRow(Vertical):
    """A field with its widgets. Sends `Changed` when its text changes."""

    @dataclass
    class Changed(Message):
        """Another text stands in the field."""

        field: Field
        text: str

    def __init__(self, field: Field, text: str) -> None:
        super().__init__(classes="row dose" if field.dose else "row")
        self.field = field
        self.flagged = ""
        self._text = text

    def compose(self) -> ComposeResult:
        field = self.field
        with Horizontal(classes="entry"):
            yield Label(field.label, classes="label", markup=False)
            if field.kind is Kind.CHOICE:
                options = [(choice.label, choice.value) for choice in field.choices]
                known = {choice.value for choice in field.choices}
                yield Select(
                    options, value=self._text if self._text in known else BLANK, prompt="choose", id=f"field-{field.id}", compact=True
                )
            elif field.kind is Kind.TICK:
                yield Tick(self._text == "yes", f"field-{field.id}")
            else:
                yield Input(
                    self._text,
                    placeholder=f"such as {field.example}" if field.example else field.hint,
                    id=f"field-{field.id}",
                    compact=True,
                    disabled=field.kind is Kind.WEEK,
                )
            yield Label(field.unit.replace("/", " per ") if field.unit else "", classes="unit", markup=False)
        yield Lines(id=f"said-{field.id}", classes="said")

    def on_mount(self) -> None:
        """With what is offered already read."""
        self._say(self._text)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.flagged = self.flagged if event.value else ""
        self._take(event.value)

    @on(Select.Changed)
    def _chosen(self, event: Select.Changed) -> None:
        event.stop()
        self._take("" if event.value is BLANK else str(event.value))

    @on(Checkbox.Changed)
    def _ticked(self, event: Checkbox.Changed) -> None:
        event.stop()
        self._take("yes" if event.value else "")

    def _take(self, text: str) -> None:
        if text != self._text:
            self._text = text
            self._say(text)
            self.post_message(self.Changed(self.field, text))

    def put(self, text: str) -> None:
        """Show another text, as after an undo."""
        self._text = text
        widget = self.query_one(f"#field-{self.field.id}")
        if isinstance(widget, Input):
            widget.value = text
        elif isinstance(widget, Checkbox):
            widget.value = text == "yes"
        elif isinstance(widget, Select):
            widget.value = text if text in {choice.value for choice in self.field.choices} else BLANK
        self._say(text)

    def take_focus(self) -> None:
        """The cursor goes here."""
        self.screen.set_focus(self.query_one(f"#field-{self.field.id}"))

    def flag(self, key: str) -> None:
        """A key that came twice within a tenth of a second."""
        self.flagged = key
        self._say(self._text)

    def clear_flag(self) -> None:
        """Somebody has been asked to look."""
        self.flagged = ""

    def tell(self, problem: str) -> None:
        """What is wrong, told by the task."""
        self._said([f"! {told(problem)}"], "warning")

    def _say(self, text: str) -> None:
        if self.flagged:
            self._said([f"! CHECK: the key {self.flagged!r} came twice within a tenth of a second"], "warning")
            return
        if self.field.kind is Kind.WEEK:
            self._said([spelled_out(line) for line in text.splitlines()] or ["no steps yet: F3 edits the week"])
            return
        try:
            echo = self.field.echo(text) if text else ""
            caution = self.field.caution(text) if text else ""
        except FieldError as error:
            self._said([f"! {error}"], "warning")
            return
        if caution:
            self._said([f"! CHECK: {caution}"], "warning")
            return
        self._said([f"= {echo}"] if echo and self.field.unit else [])

    def _said(self, lines: list[str], state: str = "") -> None:
        said = self.query(f"#said-{self.field.id}").first(Lines)
        said.tell(lines, state)
