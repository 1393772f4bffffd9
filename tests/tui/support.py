"""Driving the clinician's screen in a test: a simulated pump behind the real reader thread, a clock turned by hand, screens as text."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen

from itbpump.hoststate import HostState
from itbpump.pump import Pump, connect
from itbpump.tui.app import PumpApp, Services
from itbpump.wire.messages import Event
from itbpump.workflow.facts import Policy

ROOT = Path(__file__).parents[2]
HOST_NOW_S = 1_795_435_200  # 23 Nov 2026, 12:00 UTC, a Monday
FLEX = f"sim://P-40?rx={ROOT / 'examples' / 'flex-weekday-weekend.toml'}&seed=1"
SIZES = ((60, 18), (80, 24), (100, 30), (132, 43))


class HandClock:
    """Monotonic milliseconds; each look takes 200 ms, so that no key bounces unless a test wants it to."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.step = 200

    def __call__(self) -> int:
        self.now += self.step
        return self.now


@dataclass
class Bench:
    """What a test has in hand: the app, its pilot, the pump behind it."""

    app: PumpApp
    pilot: Pilot[int]
    clock: HandClock
    pumps: list[Pump] = field(default_factory=list)

    @property
    def pump(self) -> Pump:
        """The newest session's; only to be looked at while the reader rests."""
        return self.pumps[-1]

    async def settle(self) -> None:
        """Until nothing is under way: jobs done, pages drawn."""
        for _ in range(3):
            await self.pilot.pause()
            await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    async def drawn(self) -> None:
        """Until what waits for the screen to be drawn (a scroll to the cursor, to a message) has had its turn; no timer shows it."""
        drawn = asyncio.Event()
        self.app.screen.call_after_refresh(drawn.set)
        with contextlib.suppress(TimeoutError):  # a page that has just gone is not drawn again
            await asyncio.wait_for(drawn.wait(), 1)

    async def until(self, true: Callable[[], bool], what: str = "") -> None:
        """Wait for something that another thread brings; a test fails when it does not come within some 10 s."""
        for _ in range(2_000):
            if true():
                await self.settle()
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"never came: {what}\n{text(self.app)}")

    async def press(self, *keys: str) -> None:
        """Keys as a person hits them, one after the other."""
        await self.pilot.press(*keys)
        await self.settle()

    async def type(self, words: str) -> None:
        """Text into the field with the cursor."""
        await self.pilot.press(*(_KEY_NAMES.get(letter, letter) for letter in words))
        await self.settle()

    async def fill(self, field_id: str, words: str) -> None:
        """Text into a field of a form, in place of what stands there."""
        widget: Any = self.app.screen.query_one(f"#field-{field_id}")
        widget.focus()
        await self.pilot.pause()
        if hasattr(widget, "clear") and type(widget).__name__ == "Input":
            widget.value = ""
            await self.pilot.pause()
            await self.type(words)
        else:
            widget.value = words
            await self.settle()

    def page(self) -> Screen[Any]:
        """On top."""
        return self.app.screen

    def text(self) -> str:
        """What stands on the screen."""
        return text(self.app)


_KEY_NAMES = {" ": "space", ".": "full_stop", "/": "slash", "-": "minus", ":": "colon", ",": "comma", ";": "semicolon"}


def text(app: PumpApp) -> str:
    """The screen as lines of text, blanks at the ends cut off."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips) + "\n"


@asynccontextmanager
async def bench(
    url: str = FLEX,
    *,
    size: tuple[int, int] = (80, 24),
    policy: Policy | None = None,
    opened: Callable[[str], Pump] | None = None,
    folder: Path | None = None,
    start: bool = True,
    **more: Any,
) -> Any:
    """The app with a pump at `url`, read once."""
    clock, pumps = HandClock(), list[Pump]()

    def open_line(asked: str, _on_event: Callable[[Event], None]) -> Callable[[], Pump]:
        def connected() -> Pump:
            pump = opened(asked) if opened is not None else connect(asked, host_clock=lambda: HOST_NOW_S)
            pumps.append(pump)
            return pump

        return connected

    services = Services(
        open_line=open_line,
        monotonic_ms=clock,
        recent=list,
        ports=list,
        policy=policy if policy is not None else Policy(),
        folder=folder if folder is not None else Path("/nonexistent"),
        poll_ms=100,
        **more,
    )
    app = PumpApp(services, url if start else "")
    async with app.run_test(size=size) as pilot:
        found = Bench(app, pilot, clock, pumps)
        await found.settle()
        if start:
            await found.until(
                lambda: app.snapshot is not None and app.snapshot.view is not None and app.snapshot.log_complete, "a first reading"
            )
        yield found


def states(folder: Path) -> Iterator[HostState]:
    """A host state on disk, for what must survive the program."""
    state = HostState.open(folder / "host.db")
    yield state
    state.close()
