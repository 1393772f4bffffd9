"""A person at the screen, by keys, before a simulated pump that lives on when its line is cut; and what that pump then says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from random import Random
from threading import Event
from typing import Any, TypeVar

import pytest
from textual import events
from textual.keys import _character_to_key
from textual.widgets import Checkbox, Input, OptionList, Select

from itbpump.hoststate import HostState, Intent
from itbpump.pump import Pump, connect
from itbpump.safety import REASONS
from itbpump.tui.screens.form import FormPage
from itbpump.tui.screens.outcome import OutcomePage
from itbpump.tui.screens.pump import PumpPage
from itbpump.tui.screens.review import ReviewPage
from itbpump.tui.screens.unknown import UnknownPage
from itbpump.tui.snapshot import LinkWord
from itbpump.wire.messages import Status
from tests.tui.support import ROOT, Bench, bench
from tests.unit.client.lines import Line, host, lost, straight

T = TypeVar("T")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
AS_OF_S = 1_795_359_600  # as_of of the examples: Sunday 22 Nov 2026, 10:00 at -05:00
PATIENT = {"patient_id": "P-0042", "indication": "spinal", "age_years": "46"}
BOLUS = {**PATIENT, "dose": "10", "over": "10m"}
THERAPY = {**PATIENT, "concentration": "2000", "mode": "continuous", "dose": "150"}
WEEKDAYS = "mon-fri: 00:00 6 mcg/h; 06:00 30 mcg over 1h\nsat sun: 00:00 6 mcg/h"


def example(name: str) -> str:
    profile = "P-20" if name == "continuous" else "P-40"
    return f"sim://{profile}?rx={ROOT / 'examples' / name}.toml&seed=1"


@dataclass
class World:
    """The pump and its line. Lines cut, deaf, or mended here are so for the session that the screen holds."""

    line: Line
    state: HostState
    host_s: int = AS_OF_S
    sent: list[str] = field(default_factory=list)

    def connect(self, _url: str) -> Pump:
        return connect(self.line.url, transport=self.line, state=self.state, entropy=Random(1).randbytes, host_clock=lambda: self.host_s)

    def cut(self) -> None:
        self.line.cut = True

    def mend(self) -> None:
        self.line.cut = False
        self.line.to_pump = self.line.to_host = straight

    def deaf(self) -> None:
        """What the pump says is lost from now on; what it is told arrives."""
        self.line.to_host = lost

    @property
    def device(self) -> Any:
        return self.line.device

    def advance(self, ms: int) -> None:
        """Pump time passes; the screen's reader must be at rest."""
        self.line.inner.with_device(lambda device: device.advance(ms))


@dataclass
class Desk:
    """The screen and the world behind it."""

    bench: Bench
    world: World

    # -------------------------------------------------------------------------------------------------- looking
    @property
    def app(self) -> Any:
        return self.bench.app

    @property
    def page(self) -> Any:
        return self.bench.app.screen

    @property
    def text(self) -> str:
        """All that the page says, on one line: where it breaks is no matter."""
        page = self.page
        whole = page.text_of_page() if hasattr(page, "text_of_page") else self.bench.text()
        return " ".join(whole.split())

    @property
    def seen(self) -> str:
        """What stands on the screen itself."""
        return " ".join(self.bench.text().replace("│", " ").split())

    async def asked(self, what: Callable[[Pump], T]) -> T:
        """Of the pump, by the reader's own thread."""
        found: T = await self.app.ask(what)
        return found

    async def status(self) -> Status:
        return await self.asked(lambda pump: pump.status())

    async def intents(self) -> tuple[Intent, ...]:
        return tuple(self.world.state.intents(self.world.connect("").key))

    def report(self) -> str:
        """The record of this visit, as text on one line."""
        from itbpump.report import text

        return " ".join(text(self.app.record()).split())

    async def until(self, true: Callable[[], bool], what: str = "") -> None:
        """Wait for something that another thread brings; a test fails when it does not come within some 10 s."""
        for _ in range(2_000):
            if true():
                await self.calm()
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"never came: {what}\n{self.bench.text()}")

    async def until_page(self, kind: type) -> None:
        await self.until(lambda: isinstance(self.page, kind), kind.__name__)

    async def until_link(self, *words: LinkWord) -> None:
        await self.until(lambda: self.app.snapshot.link.word in words, f"link {words}")

    # -------------------------------------------------------------------------------------------------- doing
    async def press(self, *keys: str, workers: bool = True) -> None:
        """Keys one after the other, each once the one before has been dealt with. A sign stands for the key that types it.

        `workers=False` does not wait for what was asked of the pump, as while its reader is held."""
        for key in keys:
            character = key if len(key) == 1 else " " if key == "space" else None
            event = events.Key(_character_to_key(key) if len(key) == 1 else key, character)
            event.set_sender(self.app)
            self.app.post_message(event)
            await self.calm(workers=workers)

    async def type(self, words: str) -> None:
        """Into whatever has the cursor, key by key."""
        await self.press(*words)

    async def type_apart(self, words: str, ms: int) -> None:
        """Into whatever has the cursor, keys `ms` apart; nothing else moves the clock, however long the machine takes."""
        clock = self.bench.clock
        usual, clock.step = clock.step, 0
        for letter in words:
            clock.now += ms
            await self.press(letter)
        clock.step = usual

    async def calm(self, *, workers: bool = True) -> None:
        """Until no page, widget or worker has anything left to do; what another thread brings later is waited for by `until`."""
        still = 0
        for _ in range(2_000):
            await asyncio.sleep(0.001)
            still = 0 if self._is_busy(workers=workers) else still + 1
            if still == 3:
                return

    def _is_busy(self, *, workers: bool) -> bool:
        screen = self.app.screen
        if screen._layout_required or screen._dirty_widgets or (workers and any(worker.is_running for worker in self.app.workers)):
            return True
        pumps = (self.app, *self.app.screen_stack, *screen.walk_children())
        return any(pump._next_callbacks or not pump._message_queue.empty() for pump in pumps if pump._running)

    async def home(self) -> None:
        """Back to the pump's page."""
        for _ in range(8):
            if isinstance(self.page, PumpPage):
                return
            await self.press("escape")
            if type(self.page).__name__ == "AskPage":
                await self.press("y")
        raise AssertionError(f"not back: {self.page}")

    async def open(self, task: str) -> None:
        """By the menu, by keys."""
        await self.home()
        await self.press("f2")
        listed = self.page.query_one("#tasks", OptionList)
        for _ in range(60):
            at = listed.highlighted
            if at is not None and listed.get_option_at_index(at).id == task:
                break
            await self.press("down")
        else:
            raise AssertionError(f"{task} is not in the menu")
        await self.press("enter")
        await self.until(lambda: type(self.page).__name__ in {"FormPage", "WalkPage", "NoticePage"}, task)
        await self.calm()

    async def answer(self, values: Mapping[str, str]) -> None:
        """Fill the fields that the form shows, as they appear."""
        for name, text in values.items():
            await self.until(lambda name=name: bool(self.page.query(f"#field-{name}")), f"field {name}")  # type: ignore[misc]
            widget = self.page.query_one(f"#field-{name}")
            if isinstance(widget, Checkbox):
                widget.value = text == "yes"
            elif isinstance(widget, Input | Select):
                widget.value = text
            await self.calm()

    async def tick_all(self) -> None:
        """Every point of a checklist in the form, with the space bar."""
        for box in list(self.page.query(Checkbox).results()):
            box.focus()
            await self.press("space")
        await self.calm()

    async def review(self) -> None:
        """To the review page; a form that refuses is told."""
        form: object = self.page
        assert isinstance(form, FormPage)
        await self.press("f5")
        await self.until(lambda: not isinstance(self.page, FormPage) or "! " in self.text, "an answer to F5")
        assert isinstance(self.page, ReviewPage), self.bench.text() + self.text

    async def give(self, *, typed: str | None = None, reasons: bool = True, staff: bool = True) -> None:
        """What the review page asks for."""
        page: ReviewPage = self.page
        assert isinstance(page, ReviewPage), page
        if reasons:
            for finding in {item.rule: item for item in reversed(page.open_findings)}.values():
                page.query_one(f"#reason-{finding.rule}", Select).value = finding.needs or next(iter(REASONS))
                page.query_one(f"#why-{finding.rule}", Input).value = "agreed with the physician"
        if staff and page.proposal.review is not None:
            page.query_one("#user", Input).value = "rn-7"
            page.query_one("#second", Input).value = "md-2"
        page.query_one("#typed", Input).value = page.proposal.confirmation.answers[0] if typed is None else typed
        await self.calm()

    async def send(self) -> None:
        """F9, and what came of it."""
        await self.press("f9")
        await self.until(lambda: isinstance(self.page, OutcomePage | UnknownPage), "an outcome")

    async def carry_out(self, task: str, values: Mapping[str, str]) -> None:
        """From the menu to the outcome."""
        await self.open(task)
        await self.answer(values)
        await self.tick_all()
        await self.review()
        await self.give()
        await self.send()


@asynccontextmanager
async def desk(
    rx: str = "flex-weekday-weekend",
    *,
    prepare: Callable[[Pump, World], object] | None = None,
    host_s: int = AS_OF_S,
    url: str = "",
    **more: Any,
) -> AsyncIterator[Desk]:
    """The screen before a pump that runs an example. `prepare` is done to it by another session before."""
    line = Line(url or example(rx))
    world = World(line, host(line), host_s)
    if prepare is not None:
        with world.connect("") as pump:
            prepare(pump, world)
    async with bench(line.url, opened=world.connect, **more) as found:
        yield Desk(found, world)


async def reviewed(at: Desk, name: str, values: Mapping[str, str]) -> None:
    """From the menu to the review page."""
    await at.open(name)
    await at.answer(values)
    await at.tick_all()
    await at.review()


def some(names: Iterable[str], *always: str) -> list[Any]:
    """Parameters of a test: those named always, the others where time is no matter (`slow`)."""
    return [name if name in always else pytest.param(name, marks=pytest.mark.slow) for name in names]


# ---------------------------------------------------------------------------------------------------- spying
GIVING = ("program", "refill", "rebase_clock", "restore", "bolus", "prime")
STOPS = {"stop", "stop_bolus", "minimum_rate"}
COMMANDS = (*GIVING, *sorted(STOPS), "set_clock", "alarm_test", "silence")


@contextmanager
def spied(monkeypatch: Any) -> Iterator[list[str]]:
    """The names of the commands that went to a pump."""
    sent: list[str] = []
    for name in COMMANDS:
        real = getattr(Pump, name)

        def spy(self: Pump, *args: Any, _name: str = name, _real: Any = real, **named: Any) -> Any:
            sent.append(_name)
            return _real(self, *args, **named)

        monkeypatch.setattr(Pump, name, spy)
    yield sent


class Holding:
    """Holds the reader's thread inside a job until it is let go, as a slow line does."""

    def __init__(self, desk: Desk) -> None:
        self.began, self.go = Event(), Event()
        self.future = desk.app.reader.submit(self._job)

    def _job(self, pump: Pump) -> None:
        self.began.set()
        assert self.go.wait(20), "nobody let it go"
