"""`clock`: labels never move a dose; moving the day shows what the changed day gives, exactly."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.cli.clock import plan_rebase
from itbpump.schedule import BolusStep, RateStep, Schedule

DAY_MS, WEEK_MS, MINUTE_MS = 86_400_000, 604_800_000, 60_000
PULSE_NL = 500

rates = st.builds(RateStep, st.just(0), st.integers(0, 500_000))
boluses = st.lists(st.integers(1, 1_300), max_size=3, unique=True).map(
    lambda starts: [BolusStep(at, 20, 30) for at in sorted(starts) if at % 40 == 0]
)
days = st.lists(st.tuples(rates, boluses).map(lambda day: [day[0], *day[1]]), min_size=7, max_size=7)
places = st.integers(0, WEEK_MS - 1)


def brute(schedule: Schedule, start: int, end: int, from_ms: int, to_ms: int) -> int:
    """Volume between two times around the jump at 0: before it the week is at from_ms, after it at to_ms."""
    total = 0
    if start < 0:
        total += schedule.volume_units_between(WEEK_MS + from_ms + start, WEEK_MS + from_ms + min(end, 0))
    if end > 0:
        total += schedule.volume_units_between(WEEK_MS + to_ms + max(start, 0), WEEK_MS + to_ms + end)
    return total


@pytest.mark.sr("SR-07", "SR-52")
@given(days, places, places, st.integers(0, DAY_MS))
def test_no_24_hours_across_the_change_give_more_than_told(plan: Any, from_ms: int, to_ms: int, back: int) -> None:
    schedule = Schedule.weekly(plan, PULSE_NL)
    found = plan_rebase(schedule, from_ms, to_ms)
    # a bolus is rounded down from its own start, once for each piece: one unit for each of the two pieces
    assert brute(schedule, -back, DAY_MS - back, from_ms, to_ms) <= found.highest_units + 2
    since, until = from_ms % DAY_MS, DAY_MS - to_ms % DAY_MS
    assert found.length_ms == since + until
    assert found.changed_units == brute(schedule, -since, until, from_ms, to_ms)


@pytest.mark.sr("SR-52")
@given(days, places)
def test_no_change_changes_no_dose(plan: Any, place: int) -> None:
    schedule = Schedule.weekly(plan, PULSE_NL)
    found = plan_rebase(schedule, place, place)
    assert found.length_ms == DAY_MS
    assert abs(found.changed_units - found.usual_units) <= 1
    assert found.highest_units <= schedule.max_window_units()[0] + 1


@pytest.mark.sr("SR-52")
def test_an_hour_forward_shortens_the_day_by_its_hour() -> None:
    schedule = Schedule.weekly([[RateStep(0, 240_000)]] * 7, PULSE_NL)
    found = plan_rebase(schedule, 2 * 3_600_000, 3 * 3_600_000)
    assert found.length_ms == 23 * 3_600_000
    assert found.changed_units == 230_000 * DAY_MS
    assert found.usual_units == 240_000 * DAY_MS


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This computer stands at the prescription's offset from UTC, where the pump's day is its own."""
    monkeypatch.setenv("TZ", "XYZ5")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.sr("SR-53")
@pytest.mark.usefixtures("here")
def test_clock_shows_label_day_and_gap(cli: Any, running: str) -> None:
    told = cli("clock", running)
    assert told.code == 0
    assert "not set" in told.said
    assert "the same minute" in told.said
    data = cli("clock", running, "--set", "--json").data
    assert abs(data["clock"]["gap_s"]) <= 1
    assert cli("status", running, "--json").data["therapy"]["revision"] == 1


@pytest.mark.sr("SR-52", "SR-53")
@pytest.mark.usefixtures("here")
def test_the_label_moves_no_dose_and_the_day_moves_only_on_purpose(cli: Any, running: str, advance: Any) -> None:
    advance(running, 5 * 3_600_000)
    before = cli("clock", running, "--json").data
    assert before["day_gap_s"] in range(5 * 3_600 - 120, 5 * 3_600 + 1)
    cli("clock", running, "--set")
    assert cli("clock", running, "--json").data["clock"]["pump_day"] == before["clock"]["pump_day"]
    told = cli("clock", running, "--rebase", answers="no\n")
    assert told.code == 1
    assert "the changed day lasts" in told.said
    told = cli("clock", running, "--rebase", "--json", answers="yes\n")
    assert told.code == 0, told.err
    assert abs(told.data["day_gap_s"]) <= 60
    assert told.data["rebase"]["changed_day"]["dose"]["unit"] == "mcg"
    assert cli("status", running, "--json").data["therapy"]["revision"] == 2


def test_one_change_at_a_time_and_a_therapy_first(cli: Any, paired: str) -> None:
    assert cli("clock", paired, "--set", "--rebase").code == 2
    assert cli("clock", paired, "--rebase", "--yes").code == 1
    assert "no therapy" in cli("clock", paired).out


@pytest.mark.parametrize("therapy", ['mode = "continuous"\ndose = "150 mcg/day"\n'])
def test_a_therapy_without_a_day_has_no_changed_day(cli: Any, paired: str, flex: str, tmp_path: Any, therapy: str) -> None:
    path = tmp_path / "rx.toml"
    path.write_text(Path(flex).read_text("utf-8").partition("[therapy]")[0] + "[therapy]\n" + therapy, "utf-8")
    assert cli("program", str(path), "--pump", paired, "--yes").code == 0
    told = cli("clock", paired, "--rebase", "--yes", "--json")
    assert (told.code, told.data["rebase"]["changed_day"]) == (0, None)
