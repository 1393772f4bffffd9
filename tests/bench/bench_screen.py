"""The screen: how long until its first frame stands, how long a key takes under load, and what a year left open costs.

First paint: a process on a pty from its start to the first frame that holds its words, the real program (`itbpump tui`) against the barest
program of the same framework (a header line, text in a scrolled pane, a key line), paired and in turns; median of ratios. Load: the real
app, headless, on a simulated pump with a bolus running and a log of 10,000 entries, its status read ten times a second; keys are sent and
the time is taken until what they change stands in the composed screen, while a probe measures how late the event loop comes back. Year: a
pump's year in manual time with a reading a day, each drawn; memory traced before and after its last half.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import pty
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from textual import events

from itbpump.quantity import Duration, Mass
from itbpump.tui.logmirror import LogView
from itbpump.tui.logtable import LogTable
from itbpump.wire.messages import LogEntry, LogKind
from tests.bench.__main__ import lines
from tests.bench.figure import Figure
from tests.tui.shots.rig import HOUR_MS, Rig, shown
from tests.tui.support import Bench

ROOT = Path(__file__).resolve().parents[2]
PAIRS = 7
PATIENCE_S = 30.0
ROWS = 10_000
KEYS = 120
PAUSE_MS = 100.0
HALF_YEAR_READINGS = 183  # one a day

BARE = """
from textual.app import App
from textual.containers import VerticalScroll
from textual.widgets import Footer, Input, OptionList, Static
class Bare(App):
    def compose(self):
        yield Static("bare program")
        with VerticalScroll():
            yield OptionList("one", "two")
            yield Input(placeholder="address")
            yield Static("READY")
        yield Footer()
Bare().run()
"""


# ---------------------------------------------------------------------------------------------------- first paint
def first_frame_s(command: list[str], words: bytes, home: str) -> float:
    """From spawn until the words were written to the terminal, s. The process is ended then."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "ITBPUMP_HOME": home, "XDG_CONFIG_HOME": home, "TERM": "xterm-256color"}
    env |= {"LINES": "24", "COLUMNS": "80"}
    env |= {
        "PYTHONPYCACHEPREFIX": f"{home}/bytecode",
        "PYTHONDONTWRITEBYTECODE": "",
    }  # bytecode as after an installation, whatever this shell forbids
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True)
    os.close(slave)
    told = b""
    try:
        while words not in told:
            if time.perf_counter() - begun > PATIENCE_S:
                raise AssertionError(f"{words!r} never came: {told[-2_000:]!r}")
            select.select([master], [], [], 0.01)
            try:
                told += os.read(master, 65_536)
            except BlockingIOError:
                continue
            except OSError as error:  # EIO: nobody has the other end any more
                raise AssertionError(f"it ended before {words!r} came: {told[-2_000:]!r}") from error
        return time.perf_counter() - begun
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE_S)
        os.close(master)


def first_paint() -> tuple[float, float, float]:
    """Median of ratios, and the two medians in ms."""
    with tempfile.TemporaryDirectory() as home:
        bare, ours = [sys.executable, "-c", BARE], [sys.executable, "-m", "itbpump", "tui"]
        for _ in range(2):  # the first compiles, as an installation does; the end of it may come before its last modules are written
            first_frame_s(bare, b"READY", home)
            first_frame_s(ours, b"Not a medical device", home)
        pairs = [(first_frame_s(ours, b"Not a medical device", home), first_frame_s(bare, b"READY", home)) for _ in range(PAIRS)]
    return (
        statistics.median(one / other for one, other in pairs),
        statistics.median(one for one, _ in pairs) * 1_000,
        statistics.median(other for _, other in pairs) * 1_000,
    )


# ---------------------------------------------------------------------------------------------------- under load
class Probe:
    """How late the event loop comes back to somebody who wants it every 5 ms; ms."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.005)
            self.worst = max(self.worst, (time.perf_counter() - begun) * 1_000 - 5)


def _long_log(found: Bench) -> Any:
    """The newest snapshot with 10,000 entries before its own."""
    snapshot: Any = found.app.snapshot
    last = snapshot.log[-1]
    entries = [LogEntry(seq=number, uptime_ms=number, wall_s=0, kind=LogKind.BOLUS_DENIED, a=0, b=0) for number in range(ROWS)]
    shifted = LogEntry(seq=ROWS, uptime_ms=last.uptime_ms, wall_s=0, kind=last.kind, a=last.a, b=last.b)
    return replace(snapshot, log=LogView([], [*entries, shifted]), log_complete=True)


async def _painted(found: Bench, act: Callable[[], object], cursor: Callable[[], object]) -> float:
    """ms until what a key changes has been changed and drawn."""
    before, begun = cursor(), time.perf_counter()
    act()
    while cursor() == before or found.app.screen._layout_required or found.app.screen._dirty_widgets:
        if time.perf_counter() - begun > PATIENCE_S:
            raise AssertionError("a key changes nothing")
        await asyncio.sleep(0.001)
    return (time.perf_counter() - begun) * 1_000


async def _under_load() -> tuple[list[float], float]:
    rig = Rig()
    gc.collect()
    gc.freeze()  # as the program does before it begins: what was loaded stays, and is not looked through again while somebody types
    async with shown(rig, (80, 24)) as found:
        await found.app.ask(lambda pump: pump.bolus(Mass.parse("10 mcg"), Duration.parse("10m"), pump.present()))
        await found.press("f3")
        snapshot = _long_log(found)
        found.app._published(snapshot)
        await found.settle()
        table = found.page().query_one(LogTable)
        table.show(snapshot.log)
        await found.settle()
        assert len(table) >= ROWS
        driver: Any = found.app._driver
        taken: list[float] = []
        async with Probe() as probe:
            for number in range(KEYS):
                key = ("down", "pagedown", "up", "pagedown", "pageup")[number % 5]
                taken.append(await _painted(found, lambda key=key: driver.send_message(events.Key(key, None)), lambda: table.cursor))  # type: ignore[misc]
                rig.line.device.advance(500)
        return taken, probe.worst


# ---------------------------------------------------------------------------------------------------- a year
async def _year() -> tuple[float, float]:
    """kB that the last half year added, and the readings drawn a second."""
    rig = Rig()
    async with shown(rig, (80, 24)) as found:

        async def live(readings: int) -> None:
            for _ in range(readings):
                rig.line.device.advance(24 * HOUR_MS)
                rig.hours += 24
                await found.app.ask(lambda pump: pump.status())
                await found.settle()

        tracemalloc.start()  # from the beginning: what a full cache lets go must be counted as well as what it takes in
        await live(HALF_YEAR_READINGS)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        begun = time.perf_counter()
        await live(HALF_YEAR_READINGS)
        took = time.perf_counter() - begun
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    return (after - before) / 1_024, HALF_YEAR_READINGS / took


def _run(job: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(job())  # type: ignore[arg-type]


def run() -> Iterable[Figure]:
    """First paint, keys under load, the year."""
    ratio, ours, bare = first_paint()
    yield Figure("screen: first frame, against a bare Textual program", ratio, 1.5, "at most", note=f"{ours:.0f} ms against {bare:.0f} ms")
    taken, lag = _run(_under_load)
    half = statistics.median(taken)
    yield Figure(
        "screen: slowest key to screen, bolus running, 10,000 log rows", max(taken), PAUSE_MS, "at most", "ms", f"median {half:.1f} ms"
    )
    yield Figure("screen: longest pause of the event loop meanwhile", lag, PAUSE_MS, "at most", "ms")
    grown, speed = _run(_year)
    yield Figure("screen: memory that half a year left open adds", grown, 512, "at most", "kB", f"{speed:.0f} readings a second")


if __name__ == "__main__":
    print("\n".join(lines(run())))
