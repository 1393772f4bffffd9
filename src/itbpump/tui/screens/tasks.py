"""Everything that can be done with this pump, by heading; what cannot be done now says why."""

from __future__ import annotations

from textual import work
from textual.app import ComposeResult
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from itbpump.errors import ItbPumpError
from itbpump.tui.screens.page import Lines, Page
from itbpump.wording.layout import wrapped
from itbpump.workflow.model import Task, Walk
from itbpump.workflow.table import TASKS, WALKS

__all__ = ["TasksPage"]

TITLE, MARK = 30, 9
ENTRIES: tuple[Task | Walk, ...] = (*TASKS, *WALKS)


class TasksPage(Page[None]):
    """A list; Enter opens the form of a task, which sends nothing."""

    page_name = "tasks"

    def __init__(self) -> None:
        super().__init__()
        self._hindered: dict[str, str] = {}

    def body(self) -> ComposeResult:
        yield OptionList(*self._options(), id="tasks", markup=False)
        yield Lines(id="why")

    def _options(self) -> list[Option]:
        """Headings, and under each its tasks; one line each, as the line under the list says the rest."""
        options: list[Option] = []
        group = ""
        for entry in ENTRIES:
            if entry.group != group:
                group = entry.group
                options.append(Option(group.upper(), disabled=True))
            options.append(Option(self._line(entry), id=entry.id))
        return options

    def _line(self, entry: Task | Walk) -> str:
        mark = "not now" if entry.id in self._hindered else ""
        line = f"  {entry.title:<{TITLE}}{mark:<{MARK}}"
        has_room = self.width - 2 >= len(line) + max(len(other.summary) for other in ENTRIES)
        return f"{line}{entry.summary}" if has_room else line.rstrip()

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#tasks", OptionList).focus()
        self._ask_what_can_be_done()

    @work(group="hindered", exclusive=True)
    async def _ask_what_can_be_done(self) -> None:
        """Marks what cannot be done now; where the pump cannot be read, opening a task says so."""
        try:
            facts = await self.pump_app.facts()
        except ItbPumpError as error:
            self.say(f"the pump could not be read: {error}", "warning")
            return
        found = {entry.id: entry.hindered(facts) for entry in ENTRIES if isinstance(entry, Task)}
        self._hindered = {name: why for name, why in found.items() if why}
        listed = self.query_one("#tasks", OptionList)
        for entry in ENTRIES:
            if entry.id in self._hindered:
                listed.replace_option_prompt(entry.id, self._line(entry))
        self._tell(listed.highlighted_option)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """What it is for, and why not now."""
        self._tell(event.option)

    def _tell(self, option: Option | None) -> None:
        entry = next((entry for entry in ENTRIES if option is not None and entry.id == option.id), None)
        if entry is None:
            return
        why = self._hindered.get(entry.id, "")
        told = f"{entry.title}: not now: {why}" if why else f"{entry.title}: {entry.summary}"
        self.query_one("#why", Lines).tell(wrapped(told, self.width), "warning" if why else "")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open it."""
        chosen = next(entry for entry in ENTRIES if entry.id == event.option_id)
        self.pump_app.begin_task(chosen)
