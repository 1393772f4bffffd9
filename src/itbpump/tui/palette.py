"""The command palette: every task, checklist and page by name. It opens them; like everything else it sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

if TYPE_CHECKING:
    from itbpump.tui.app import PumpApp
    from itbpump.workflow.model import Task, Walk

__all__ = ["PumpCommands"]


class PumpCommands(Provider):
    """What can be found with ctrl+p."""

    def _entries(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        app = cast("PumpApp", self.app)
        if app.reader is not None:
            from itbpump.workflow.table import TASKS, WALKS  # noqa: PLC0415 -- every room of a pump, which the first page needs not

            entries: tuple[Task | Walk, ...] = (*TASKS, *WALKS)
            for entry in entries:
                yield entry.title, entry.summary, partial(app.begin_task, entry)
            yield "Stop the therapy", "opens the page that stops; sends nothing yet", app.action_stop
        yield "Next look", "dark, light, high contrast", app.action_next_theme
        yield "Keys", "all keys of this page", app.action_keys
        yield "Quit", "end the session and the program", app.action_leave

    async def search(self, query: str) -> Hits:
        """By fuzzy match."""
        matcher = self.matcher(query)
        for title, summary, run in self._entries():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, help=summary)

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        for title, summary, run in self._entries():
            yield DiscoveryHit(title, run, help=summary)
