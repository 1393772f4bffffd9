"""`clock`: labels never move a dose; moving the day shows what the changed day gives (exactly: tests/unit/workflow_stored)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


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
    assert told.data["rebase"]["highest_24h"] == told.data["review"]["proposed"]["highest_24h"]
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
