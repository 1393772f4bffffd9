"""Pump time: durations, waiting with an end, and real time that is waited for in small steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.bench import duration_text, parse_duration_ms
from itbpump.hil.clock import duration_ms
from itbpump.hil.errors import HilTimeout, MeasurementError
from itbpump.hil.recording import Journal
from itbpump.hil.station import Station
from itbpump.hil.targets import MEMORY, Target, target_named
from itbpump.link.errors import SessionLost
from itbpump.wire.messages import SESSION_IDLE_MS, GetStatus


@pytest.fixture
def station() -> Iterator[Station]:
    made = Station(MEMORY)
    made.begin(Journal(), "new")
    yield made
    made.close()


@given(st.integers(0, 10**12))
def test_duration_reads_as_the_bench_reads_it(ms: int) -> None:
    text = duration_text(ms)
    assert duration_ms(text) == parse_duration_ms(text) == ms
    assert duration_ms(ms) == ms


@pytest.mark.parametrize("text", ["", "5", "1.5h", "-1h", "30m1h", "1h1h", "1 h", "h", "1y", "٣m", -1, True, 1.5, None])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(MeasurementError):
        duration_ms(text)  # type: ignore[arg-type]


def test_until_gives_what_was_found_and_takes_the_time_it_took(station: Station) -> None:
    began_ms = station.clock.uptime_ms()
    found = station.clock.until(lambda: station.clock.uptime_ms() >= began_ms + 25_000 and "there", within="1m", step="10s")
    assert found == "there"
    assert station.clock.uptime_ms() == began_ms + 30_000


def test_until_ends_and_looks_once_more_at_the_very_end(station: Station) -> None:
    looked: list[int] = []
    began_ms = station.clock.uptime_ms()

    def never() -> bool:
        looked.append(station.clock.uptime_ms() - began_ms)
        return False

    with pytest.raises(HilTimeout, match="never did not come within 25000 ms"):
        station.clock.until(never, within="25s", step="10s")
    assert looked == [0, 10_000, 20_000, 25_000]


def test_step_that_never_moves_is_refused(station: Station) -> None:
    with pytest.raises(MeasurementError, match="wait for ever"):
        station.clock.until(lambda: False, step=0)


def test_clock_that_stands_still_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]

    def sleep(seconds: float) -> None:
        now_s[0] += seconds

    station = Station(target_named("sim://P-40?fill=38mL&speed=1", {}, ""), sleep=sleep, monotonic_s=lambda: now_s[0])
    try:
        station.begin(Journal(), "new")
        monkeypatch.setattr(station.rig, "uptime_ms", lambda: 5)
        with pytest.raises(HilTimeout, match="hardly moves"):
            station.clock.advance("1m")
        assert now_s[0] == pytest.approx(3 * 60 + 30, abs=1)
    finally:
        station.close()


def test_real_time_is_waited_for_and_not_moved() -> None:
    target = target_named("sim://P-40?fill=38mL&speed=1000000", {}, "")
    slept: list[float] = []
    station = Station(target, sleep=slept.append)  # the pump goes on while nobody sleeps: a million times as fast
    try:
        station.begin(Journal(), "new")
        assert not station.clock.virtual
        began_ms = station.clock.uptime_ms()
        station.clock.advance("1h")
        assert station.clock.uptime_ms() - began_ms >= 3_600_000
        assert all(0 < seconds <= 0.05 for seconds in slept)
    finally:
        station.close()


# ----------------------------------------------------------------------------------------------------------- time on the line
def _skipped(target: Target, how_long: str) -> tuple[int, int, list[float]]:
    """Link time and pump time that a wait on the line has taken, ms; and what was slept for it, s."""
    slept: list[float] = []
    now_s = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now_s[0] += seconds

    station = Station(target, sleep=sleep, monotonic_s=lambda: now_s[0])
    try:
        station.begin(Journal(), "new")
        line = station.pump.line()
        link_ms, uptime_ms = line.now_ms(), station.clock.uptime_ms()
        station.clock.wait_on_line(how_long)
        return line.now_ms() - link_ms, station.clock.uptime_ms() - uptime_ms, slept
    finally:
        station.close()


@pytest.mark.parametrize(("link", "speed", "times"), [("", "manual", 1), ("tcp", "manual", 1), ("pty", "600", 600)])
def test_time_on_a_simulated_line_is_moved_at_both_ends(link: str, speed: str, times: int) -> None:
    target = replace(MEMORY, kind="process", link=link, speed=speed) if link else MEMORY
    link_ms, uptime_ms, slept = _skipped(target, "1h")
    assert slept == [], "nobody waits on the wall's clock"
    assert 3_600_000 <= link_ms < 3_660_000
    assert 3_599_000 * times <= uptime_ms < 3_660_000 * times, "but for the drift of the pump's crystal"


def test_time_on_a_line_that_nobody_can_move_is_waited_for() -> None:
    _, _, slept = _skipped(target_named("sim://P-40?fill=38mL&speed=1", {}, ""), "1h")
    assert sum(slept) == 3_600


@pytest.mark.parametrize("link", ["", "tcp"])
def test_a_session_ends_when_it_was_idle_on_the_line(link: str) -> None:
    target = replace(MEMORY, kind="process", link=link, speed="manual") if link else MEMORY
    station = Station(target)
    try:
        station.begin(Journal(), "new")
        session = station.pump.session().session
        station.clock.wait_on_line(SESSION_IDLE_MS)
        with pytest.raises(SessionLost):
            session.send(GetStatus())
        assert station.pump.by("somebody else").status().revision == 0, "the pump has ended it too, else it were busy"
    finally:
        station.close()
