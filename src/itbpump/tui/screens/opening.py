"""What a task begins with on the screen: its form, its checklist, or why it is not possible now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from itbpump.tui.screens.form import FormPage
from itbpump.tui.screens.notice import NoticePage
from itbpump.tui.screens.walk import WalkPage
from itbpump.workflow.model import Task

if TYPE_CHECKING:
    from textual.screen import Screen

    from itbpump.workflow.facts import Facts
    from itbpump.workflow.model import Walk

__all__ = ["page_of"]


def page_of(chosen: Task | Walk, facts: Facts) -> Screen[None]:
    """The page to push for a task at the pump as it is now."""
    if not isinstance(chosen, Task):
        return WalkPage(chosen, facts)
    hindrance = chosen.hindered(facts)
    return NoticePage(f"{chosen.title}: not now", [hindrance]) if hindrance else FormPage(chosen, facts)
