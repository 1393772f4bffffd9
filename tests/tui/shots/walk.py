"""Walks through the pages at one size and keeps each as text; the snapshots, the script for `docs/tui.md` and the theme test use them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from textual.widgets import Select

from itbpump.tui.demo import DemoPump
from itbpump.workflow.table import TASKS, WALKS
from tests.tui.shots.rig import PATIENT, STATES, Rig, begin, deafen, doctored, put, shown, whole
from tests.tui.support import Bench

Size = tuple[int, int]
Look = Callable[[Bench, str], Awaitable[None]]
"""Called with each page and its name."""


class Kept(dict[str, str]):
    """Pages by name."""

    async def __call__(self, found: Bench, name: str) -> None:
        self[name] = whole(found.app)


async def states(size: Size, look: Look) -> None:
    """The pump's page, in every state that a pump may be in; Home first, as it is scrolled at small sizes."""
    async with shown(Rig(), size) as found:
        await look(found, "pump-running")
        await found.press("end")
        await look(found, "pump-running-end")
        await found.press("home")
        found.app.demo = DemoPump(now=datetime(2026, 11, 23, 12, 0, tzinfo=UTC))
        await doctored(found, lambda snapshot: snapshot)
        await look(found, "pump-demo")
        found.app.demo.close()
        found.app.demo = None
        for name, change in STATES.items():
            await doctored(found, change)
            await look(found, f"pump-{name}")
    async with shown(Rig(programmed=False), size) as found:
        await look(found, "pump-unconfigured")


async def pages(size: Size, look: Look) -> None:
    """The pages that order nothing, and the stop."""
    async with shown(Rig(), size, start=False) as found:
        await look(found, "connect")
        await found.press("f4")
        await look(found, "pair")
    async with shown(Rig(), size, folder=Path("/nonexistent")) as found:
        for key, name in (("f2", "tasks"), ("f3", "log"), ("f7", "report"), ("f1", "help"), ("question_mark", "keys"), ("f8", "stop")):
            await found.press(key)
            await look(found, name)
            await found.press("escape")
        await found.press("f7", "f2")
        await look(found, "card")
        await found.press("escape", "escape")
        await look(found, "question")
        await found.press("n")
        walk = WALKS[0]
        found.app.begin_task(walk)
        await found.settle()
        await found.press("space", "space")
        await look(found, "walk")
        await found.press("escape")
        await found.settle()
        if type(found.page()).__name__ == "AskPage":
            await found.press("y")
        await found.press("f8", "f4")
        await found.until(lambda: "STOPPED" in found.text(), "the stop")
        await look(found, "stop-applied")
        await found.press("escape")
        await found.until(lambda: "PUMP STOPPED" in found.text(), "the stopped pump")
        await look(found, "pump-stopped")
        width, height = size
        await found.pilot.resize_terminal(min(width, 50), 17)
        await found.settle()
        await look(found, "small")
        await found.pilot.resize_terminal(width, height)


async def _patient(found: Bench) -> None:
    """Asked where the prescription of the running therapy is not known here."""
    if not found.page().query("#field-patient_id"):
        return
    await put(found, "#field-patient_id", PATIENT)
    await put(found, "#field-indication", "spinal")
    await put(found, "#field-age_years", "46")


async def _agree(found: Bench, typed: str) -> None:
    """Everything the review page asks for."""
    page: Any = found.page()
    for rule in dict.fromkeys(finding.rule for finding in page.open_findings):
        page.query_one(f"#reason-{rule}", Select).value = next(
            (finding.needs for finding in page.open_findings if finding.rule == rule and finding.needs), "monitored"
        )
        await put(found, f"#why-{rule}", "on the ward")
    for name, words in (("user", "n-17"), ("second", "n-23"), ("typed", typed)):
        await put(found, f"#{name}", words)


async def _bolus(found: Bench) -> None:
    await begin(found, "bolus")
    await _patient(found)
    await put(found, "#field-dose", "10")
    await put(found, "#field-over", "10m")
    await found.press("f5")
    await found.until(lambda: type(found.page()).__name__ == "ReviewPage", "the review")


async def bolus(size: Size, look: Look) -> None:
    """A bolus from the form to its end, and one of which nothing is known."""
    rig = Rig()
    async with shown(rig, size) as found:
        await begin(found, "bolus")
        await _patient(found)
        await put(found, "#field-dose", ".5")
        await look(found, "bolus-error")
        await found.press("escape")
        await found.press("y")
        await _bolus(found)
        await look(found, "bolus-review")
        await _agree(found, "10 mcg")
        await look(found, "bolus-ready")
        await found.press("f9")
        await found.until(lambda: type(found.page()).__name__ == "OutcomePage", "the outcome")
        await found.until(lambda: "RUNNING: " in found.text(), "the bolus runs")
        await look(found, "bolus-applied")
        await found.press("escape")
        await found.until(lambda: type(found.page()).__name__ == "PumpPage", "the pump's page")
        await look(found, "pump-bolus")
    rig = Rig()
    async with shown(rig, size) as found:
        await _bolus(found)
        await _agree(found, "10 mcg")
        await found.app.ask(lambda pump: pump.stop())
        await found.press("f9")
        await found.until(lambda: type(found.page()).__name__ == "OutcomePage", "the outcome")
        await look(found, "bolus-not-applied")
    rig = Rig()
    async with shown(rig, size) as found:
        await _bolus(found)
        await _agree(found, "10 mcg")
        deafen(rig, found.page())
        await found.press("f9")
        await found.until(lambda: type(found.page()).__name__ == "UnknownPage", "the unknown outcome")
        await found.until(lambda: "F5" in found.text(), "what is known")
        await doctored(found, lambda snapshot: snapshot)
        await look(found, "unknown")


async def therapy(size: Size, look: Look) -> None:
    """A flexible week with its editor, and its review; a periodic therapy; a refill; each with an error in a field."""
    async with shown(Rig(), size) as found:
        await begin(found, "therapy")
        await look(found, "therapy-form")
        await _patient(found)
        await put(found, "#field-concentration", "2000")
        await put(found, "#field-mode", "flex")
        await found.press("f3")
        for step in ("00:00 8 mcg/h", "06:00 40 mcg over 1h", "20:00 6 mcg/h"):
            await found.press("a")
            await put(found, "#text", step)
            await found.press("enter")
        await found.press("c", "w", "left", "v", "left", "v")
        await look(found, "week")
        await found.press("a")
        await put(found, "#text", "25:00 8")
        await look(found, "week-step")
        await found.press("enter")
        await look(found, "week-error")
        await found.press("f5")
        found.page().query_one("#body").scroll_end(animate=False)
        await found.settle()
        await look(found, "flex-form")
        await found.press("f5")
        await found.until(lambda: type(found.page()).__name__ == "ReviewPage", "the review")
        for number in range(1, 9):
            await look(found, f"flex-review-{number}")
            if found.page().query_one("#body").max_scroll_y <= found.page().query_one("#body").scroll_y:
                break
            await found.press("pagedown")
        await found.press("escape")
        await put(found, "#field-mode", "continuous")
        await found.settle()
        await put(found, "#field-dose", "20000")
        await found.settle()
        await found.press("f5")
        await found.until(lambda: type(found.page()).__name__ == "ReviewPage", "the review")
        await look(found, "hard-review")
        await found.press("escape")
        await found.settle()
        await put(found, "#field-mode", "periodic-bolus")
        await found.settle()
        await put(found, "#field-concentration", "500.0")
        await look(found, "periodic-error")
        await found.press("escape")
        await found.press("y")
        await begin(found, "refill")
        await put(found, "#field-aspirated", "12,5")
        await look(found, "refill-error")


async def forms(size: Size, look: Look) -> None:
    """The form of every task there is, and the review of those that ask nothing."""
    async with shown(Rig(), size) as found:
        for task in TASKS[1:]:  # the first, a therapy, has a walk of its own
            found.app.begin_task(task)
            await found.until(lambda: type(found.page()).__name__ in ("FormPage", "NoticePage"), task.id)
            if task.id in ASK_NOTHING:
                await found.press("f5")
                await found.until(lambda: type(found.page()).__name__ == "ReviewPage", f"the review of {task.id}")
                await look(found, f"review-{task.id}")
                await found.press("escape")
            else:
                await look(found, f"form-{task.id}")
            await found.press("escape")
            await found.until(lambda: type(found.page()).__name__ == "PumpPage", "the pump's page")


ASK_NOTHING = ("rebase", "clock-label")
WALKS_THROUGH: dict[str, Callable[[Size, Look], Awaitable[None]]] = {
    "states": states,
    "pages": pages,
    "bolus": bolus,
    "therapy": therapy,
    "forms": forms,
}
__all__ = ["WALKS_THROUGH", "Kept", "Look", "Size", "bolus", "forms", "pages", "states", "therapy"]
