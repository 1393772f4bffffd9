"""Everything that can be done with this pump, by heading; what cannot be done now says why."""

from __future__ import annotations

from textual import work
from textual.app import ComposeResult
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from itbpump.errors import ItbPumpError
from itbpump.tui.screens.page import Lines, Page
from itbpump.tui.snapshot import LinkWord, Snapshot
from itbpump.tui.told import told
from itbpump.wording.layout import wrapped
from itbpump.workflow.model import Task, Walk
from itbpump.workflow.table import TASKS, WALKS

__all__ = ["TasksPage"]

TITLE, MARK = 30, 9
LOST = "the line to the pump is lost; it is tried again by itself"
OPEN = "an earlier outcome is not known; the pump's page asks for it with F6"
ENTRIES: tuple[Task | Walk, ...] = (*TASKS, *WALKS)


class TasksPage(Page[None]):
    """A list; Enter opens the form of a task, which sends nothing."""

    page_name = "tasks"

    def __init__(self) -> None:
        super().__init__()
        self._hindered: dict[str, str] = {}
        self._seen: object = None

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

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Ask again what can be done when something changed that it hangs on: the line, a bolus, the therapy, an alarm."""
        super().show_snapshot(snapshot)
        seen = _hangs_on(snapshot)
        if seen == self._seen or self.pump_app.snapshot is None:
            return
        self._seen = seen
        if snapshot.link.word is LinkWord.LOST:
            self._mark({entry.id: LOST for entry in ENTRIES})
        elif snapshot.view is not None and snapshot.view.open:
            self._mark({entry.id: OPEN for entry in TASKS})
        else:
            self._ask_what_can_be_done()

    @work(group="hindered", exclusive=True)
    async def _ask_what_can_be_done(self) -> None:
        """Marks what cannot be done now; where the pump cannot be read, opening a task says so."""
        try:
            facts = await self.pump_app.facts()
        except ItbPumpError as error:
            self.say(f"the pump could not be read: {error}", "warning")
            return
        self._mark({entry.id: entry.hindered(facts) for entry in ENTRIES if isinstance(entry, Task)})

    def _mark(self, found: dict[str, str]) -> None:
        """What cannot be done now, with why; what can be is marked no longer."""
        before, self._hindered = self._hindered, {name: why for name, why in found.items() if why}
        listed = self.query_one("#tasks", OptionList)
        for entry in ENTRIES:
            if entry.id in self._hindered or entry.id in before:
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
        words = f"{entry.title}: not now: {told(why)}" if why else f"{entry.title}: {entry.summary}"
        self.query_one("#why", Lines).tell(wrapped(words, self.width), "warning" if why else "")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open it."""
        chosen = next(entry for entry in ENTRIES if entry.id == event.option_id)
        self.pump_app.begin_task(chosen)


def _hangs_on(snapshot: Snapshot) -> object:
    """What decides whether a task can be done; the rest of a reading changes every second."""
    if snapshot.view is None:
        return snapshot.link.word is LinkWord.LOST
    now = snapshot.view.status
    alarms = tuple(alarm.alarm for alarm in now.alarms)
    lost = snapshot.link.word is LinkWord.LOST
    return lost, now.revision, now.run_state, now.mode, now.bolus_state, now.bridging, alarms, bool(snapshot.view.open)
