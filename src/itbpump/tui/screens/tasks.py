"""Everything that can be done with this pump, by heading; what cannot be done now says why."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from itbpump.tui.screens.page import Lines, Page
from itbpump.workflow.model import Task, Walk
from itbpump.workflow.table import TASKS, WALKS

__all__ = ["TasksPage"]

ENTRIES: tuple[Task | Walk, ...] = (*TASKS, *WALKS)


class TasksPage(Page[None]):
    """A list; Enter opens the form of a task, which sends nothing."""

    page_name = "tasks"

    def body(self) -> ComposeResult:
        options: list[Option | None] = []
        group = ""
        for entry in ENTRIES:
            if entry.group != group:
                options += [None] if group else []
                options.append(Option(entry.group.upper(), disabled=True))
                group = entry.group
            options.append(Option(f"  {entry.title:<32} {entry.summary}", id=entry.id))
        yield OptionList(*options, id="tasks", markup=False)
        yield Lines(id="why")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#tasks", OptionList).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open it."""
        chosen = next(entry for entry in ENTRIES if entry.id == event.option_id)
        self.pump_app.begin_task(chosen)
