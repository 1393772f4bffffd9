"""A pump that has run for 30 h at a patient's, behind the screen, the same at each run: fixed ids, fixed time, a clock that stands.

Doctored snapshots show what a pump cannot be brought to in a moment (the safe state, several alarms, an old reading). Not here: pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec
from textual import events
from textual._context import visible_screen_stack

from itbpump.hoststate import HostState, Intent
from itbpump.outcome import Applied
from itbpump.pump import Pump, connect
from itbpump.tui.snapshot import LinkState, LinkWord, Snapshot
from itbpump.wire.messages import AlarmNumber, AlarmPriority, AlarmState, RunState
from itbpump.workflow.facts import with_prescription
from itbpump.workflow.table import TASKS
from tests.tui.support import Bench, bench
from tests.unit.client.lines import Line, flex, host

LAYOUT_S = 0.02
HOUR_MS = 3_600_000
BEGUN_S = 1_795_435_200  # 23 Nov 2026, 12:00 UTC, a Monday
PATIENT = "P-0042"


class Rig:
    """One pump, one computer. `url` is what the screen is told; `hours` how long the therapy has been running."""

    def __init__(self, *, programmed: bool = True, hours: int = 30) -> None:
        self.line = Line()
        self.state: HostState = host(self.line)
        self.hours = 0
        self._opened = 0
        if programmed:
            pump = self.open("")
            assert isinstance(pump.program(flex(), basis=with_prescription({"patient": PATIENT}, flex())), Applied)
            self.line.device.advance(hours * HOUR_MS)
            self.hours = hours

    def now_s(self) -> float:
        """The computer's time, s since 1970; it stands while a page is looked at."""
        return BEGUN_S + self.hours * 3_600

    def open(self, _url: str) -> Pump:
        """A new session over the same line."""
        self._opened += 1
        return connect("", transport=self.line, state=self.state, entropy=Random(10 + self._opened).randbytes, host_clock=self.now_s)


class Quick(Bench):
    """Waits for what is under way and no longer: Textual's own pilot waits for the whole process to rest, a fifth of a second a key."""

    async def settle(self) -> None:
        """No worker at work, nothing for the loop to do, and the screen the same for two layouts (Textual makes 60 a second)."""
        seen = ""
        for _ in range(100):
            await self._rest()
            await self.drawn()
            await asyncio.sleep(LAYOUT_S)
            await self._rest()
            await self.app.animator.wait_until_complete()
            now = whole(self.app)
            if now == seen:
                return
            seen = now
        raise AssertionError(f"the screen does not come to rest:\n{seen}")

    async def _rest(self) -> None:
        await self.app.workers.wait_for_complete()
        loop: Any = asyncio.get_running_loop()
        for _ in range(200):
            await asyncio.sleep(0)
            if len(loop._ready) <= 1:
                return

    async def press(self, *keys: str) -> None:
        """Each when the one before is done."""
        for key in keys:
            driver = self.app._driver
            assert driver is not None
            letter = " " if key == "space" else "?" if key == "question_mark" else key if len(key) == 1 else None
            driver.send_message(events.Key(key, letter))
            await self.settle()


@asynccontextmanager
async def shown(rig: Rig, size: tuple[int, int], **more: Any) -> AsyncIterator[Bench]:
    """The screen on this pump, all read: log, dates."""
    async with bench("sim", size=size, opened=rig.open, **more) as begun:
        begun.app.animation_level = "none"
        found = Quick(begun.app, begun.pilot, begun.clock, begun.pumps)
        if found.app.url:
            await found.until(lambda: _has_dates(found.app.snapshot), "dates")
        yield found


def _has_dates(snapshot: Snapshot | None) -> bool:
    return snapshot is not None and bool(snapshot.dates or snapshot.dates_problem)


def strips(app: Any) -> list[Any]:
    """What is drawn, line by line, a page under a sheet with it."""
    token = visible_screen_stack.set(app._background_screens)
    try:
        return list(app.screen._compositor.render_strips())
    finally:
        visible_screen_stack.reset(token)


def whole(app: Any) -> str:
    """The screen as text."""
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips(app)) + "\n"


async def begin(found: Bench, task: str) -> None:
    """Open the form of a task."""
    found.app.begin_task(next(entry for entry in TASKS if entry.id == task))
    await found.until(lambda: len(found.page().query("FieldRow")) > 1, f"the form {task}")


async def put(found: Bench, selector: str, words: str) -> None:
    """Text into a field, all at once: typing is for the tests of the flows."""
    widget: Any = found.page().query_one(selector)
    widget.focus()
    widget.value = words
    await found.settle()


def deafen(rig: Rig, page: Any) -> None:
    """What this review page sends reaches the pump, but from the answer to the commit on nothing comes back."""
    send = page.proposal.send

    def unheard(pump: Pump, basis: Any) -> Any:
        heard = [0]

        def two(data: bytes) -> list[bytes]:
            heard[0] += 1
            return [data] if heard[0] <= 2 else []

        rig.line.to_host = two
        return send(pump, basis)

    page.proposal = replace(page.proposal, send=unheard)


# ---------------------------------------------------------------------------------------------------- doctored readings
Change = Callable[[Snapshot], Snapshot]


async def doctored(found: Bench, change: Change) -> None:
    """Show a reading that was changed; the reader rests from now on."""
    app = found.app
    if app.reader is not None:
        app.reader.stop()
    found_snapshot = app.snapshot
    assert found_snapshot is not None
    app._published(change(found_snapshot))
    await found.settle()
    app.snapshot = found_snapshot


def _status(snapshot: Snapshot, **changes: Any) -> Snapshot:
    assert snapshot.view is not None
    return replace(snapshot, view=replace(snapshot.view, status=msgspec.structs.replace(snapshot.view.status, **changes)))


def _alarms(snapshot: Snapshot, *alarms: tuple[AlarmNumber, AlarmPriority]) -> tuple[AlarmState, ...]:
    assert snapshot.view is not None
    now = snapshot.view.status.uptime_ms
    return tuple(AlarmState(number, priority, now - (at + 1) * HOUR_MS, 0) for at, (number, priority) in enumerate(alarms))


def safe(snapshot: Snapshot) -> Snapshot:
    """The motor stands; the pump is in its safe state."""
    alarms = _alarms(snapshot, (AlarmNumber.MOTOR_STALL, AlarmPriority.CRITICAL))
    return _status(snapshot, run_state=RunState.SAFE, alarms=alarms)


def one_alarm(snapshot: Snapshot) -> Snapshot:
    """The reservoir is low."""
    return _status(snapshot, alarms=_alarms(snapshot, (AlarmNumber.LOW_RESERVOIR, AlarmPriority.NON_CRITICAL)), reservoir_nL=6_100_000)


def many_alarms(snapshot: Snapshot) -> Snapshot:
    """Four at once, two of them critical."""
    alarms = _alarms(
        snapshot,
        (AlarmNumber.LOW_RESERVOIR, AlarmPriority.NON_CRITICAL),
        (AlarmNumber.EMPTY_RESERVOIR, AlarmPriority.CRITICAL),
        (AlarmNumber.REPLACEMENT, AlarmPriority.NON_CRITICAL),
        (AlarmNumber.UNDER_DELIVERY, AlarmPriority.CRITICAL),
    )
    return _status(snapshot, alarms=alarms, reservoir_nL=900_000, eri_left_days=61)


def _link(snapshot: Snapshot, word: LinkWord, reason: str) -> Snapshot:
    since: datetime | None = snapshot.read_at
    assert since is not None
    return replace(snapshot, link=LinkState(word, since - timedelta(seconds=17), reason))


def stale(snapshot: Snapshot) -> Snapshot:
    """The last reading failed."""
    return _link(snapshot, LinkWord.STALE, "no answer yet to the last question; what stands here may have changed")


def lost(snapshot: Snapshot) -> Snapshot:
    """The cable is out."""
    return _link(snapshot, LinkWord.LOST, "the cable is out; plug it in: it is tried again by itself")


def unknown(snapshot: Snapshot) -> Snapshot:
    """A bolus of which nobody knows whether it is given."""
    assert snapshot.view is not None
    intent = Intent(7, 2, b"", b"", "a bolus of 10 mcg over 10 min", "unknown", "")
    return replace(snapshot, view=replace(snapshot.view, open=(intent,)))


def clock_off(snapshot: Snapshot) -> Snapshot:
    """The label of the pump's clock is 40 min behind."""
    assert snapshot.view is not None
    return _status(snapshot, wall_s=int(snapshot.view.host_now.timestamp()) - 2_400)


STATES: dict[str, Change] = {
    "safe": safe,
    "one-alarm": one_alarm,
    "many-alarms": many_alarms,
    "stale": stale,
    "lost": lost,
    "unknown": unknown,
    "clock-off": clock_off,
}
