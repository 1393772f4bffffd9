"""The trainer's keys: what is made to happen is told from what a pump does by itself, and dates go with the demo's time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from itbpump.report import text
from itbpump.tui.app import PumpApp, Services
from itbpump.tui.demo import TROUBLES, DemoError, DemoPump
from itbpump.tui.reader import monotonic_ms
from tests.tui.support import Bench, HandClock

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Stage:
    """The demonstration's screen."""

    def __init__(self) -> None:
        self.demo = DemoPump(now=NOW)
        services = Services(
            open_line=_nowhere, monotonic_ms=monotonic_ms, recent=list, ports=list, folder=Path("/nonexistent"), poll_ms=100
        )
        self.app: Any = PumpApp(services, "", self.demo)


def _nowhere(url: str, _on_event: object) -> Any:
    raise AssertionError(f"a demonstration opens no line: {url}")


async def test_what_the_trainer_makes_is_announced_and_stands_in_the_report() -> None:
    stage = Stage()
    async with stage.app.run_test(size=(100, 40)) as pilot:
        at = Bench(stage.app, pilot, HandClock())
        await at.until(lambda: stage.app.snapshot is not None and stage.app.snapshot.log_complete, "a first reading")
        await at.press("f9")
        await at.until(lambda: "TRAINING: the cable was pulled now" in at.text(), "the word of the trainer")
        assert TROUBLES[0].text in stage.demo.text
        assert "TRAINING: the cable was pulled now" in " ".join(text(stage.app.record()).split())


async def test_a_trouble_that_cannot_be_made_is_said_and_the_page_stays(monkeypatch: Any) -> None:
    def refused(_self: DemoPump) -> str:
        raise DemoError("the demo's pump cannot do that now")

    stage = Stage()
    async with stage.app.run_test(size=(100, 40)) as pilot:
        at = Bench(stage.app, pilot, HandClock())
        await at.until(lambda: stage.app.snapshot is not None and stage.app.snapshot.log_complete, "a first reading")
        monkeypatch.setattr(DemoPump, "next_trouble", refused)
        await at.press("f9")
        await at.until(lambda: "TRAINING: the demo's pump cannot do that now" in at.text(), "the refusal")


@pytest.mark.slow  # `make screen`, which CI runs as well
async def test_dates_stay_right_while_a_month_of_demo_time_passes() -> None:
    stage = Stage()
    async with stage.app.run_test(size=(100, 40)) as pilot:
        at = Bench(stage.app, pilot, HandClock())
        await at.until(lambda: stage.app.snapshot is not None and stage.app.snapshot.dates is not None, "dates")
        first = stage.app.snapshot
        begun = first.dates.alarm
        stage.demo.advance(30 * 86_400_000)
        await at.press("f5")
        await at.until(
            lambda: stage.app.snapshot.read_at - first.read_at >= timedelta(days=30) and stage.app.snapshot.dates != first.dates, "later"
        )
        assert abs(stage.app.snapshot.dates.alarm - begun) < timedelta(days=3)
        assert "demo time 23 Dec 2026" in at.text()
