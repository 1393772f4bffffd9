"""Pump time is due by the clock, exactly, however often it is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.device import SimulatedPump
from firmware_sim.endpoints.clock import MANUAL, REAL, Speed, UptimeClock, link_ms
from firmware_sim.endpoints.inprocess import InProcessLine

speeds = st.builds(Speed, st.integers(1, 10**6), st.sampled_from([1, 10, 100, 1000]))
origins = st.integers(0, 10**15)
steps = st.lists(st.integers(0, 10**11), max_size=20)


@pytest.mark.parametrize(
    ("text", "speed"),
    [
        ("manual", MANUAL),
        ("real", REAL),
        ("1", REAL),
        ("60", Speed(60)),
        ("0.5", Speed(5, 10)),
        ("1000000", Speed(10**6)),
        ("1.001", Speed(1001, 1000)),
    ],
)
def test_speeds_are_read(text: str, speed: Speed) -> None:
    assert Speed.parse(text) == speed
    assert Speed.parse(str(speed)) == speed


@pytest.mark.parametrize("text", ["", "0", "0.0", "-1", "1.50", "1e3", "fast", "1000001", "0.0001", "01", " 1", "Real"])
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no speed"):
        Speed.parse(text)


@given(speeds, origins, steps)
def test_asking_often_gives_the_same_time_as_asking_once(speed: Speed, origin: int, waits: list[int]) -> None:
    often = UptimeClock(speed, origin)
    now, taken = origin, 0
    for wait in waits:
        now += wait
        due = often.due_ms(now)
        assert due >= 0
        often.take(due)
        taken += due
    assert taken == (now - origin) * speed.numerator // (speed.denominator * 10**6)


@given(speeds, origins, st.integers(0, 10**11), st.integers(0, 10**9))
def test_a_wait_is_exact(speed: Speed, origin: int, elapsed: int, gain_ms: int) -> None:
    clock = UptimeClock(speed, origin)
    now = origin + elapsed
    wait = clock.wait_ns(gain_ms, now)
    assert wait is not None
    assert clock.due_ms(now + wait) >= gain_ms
    assert wait == 0 or clock.due_ms(now + wait - 1) < gain_ms


@given(origins, st.integers(0, 10**15))
def test_manual_time_stands_still(origin: int, elapsed: int) -> None:
    clock = UptimeClock(MANUAL, origin)
    assert clock.due_ms(origin + elapsed) == 0
    assert clock.wait_ns(1, origin + elapsed) is None
    assert clock.wait_ns(0, origin + elapsed) == 0


@given(speeds, speeds | st.just(MANUAL), origins, st.integers(0, 10**11), st.integers(0, 10**11))
def test_a_change_of_speed_keeps_what_is_due(before: Speed, after: Speed, origin: int, first: int, second: int) -> None:
    clock = UptimeClock(before, origin)
    owed = clock.due_ms(origin + first)
    clock.change(after, origin + first)
    assert clock.due_ms(origin + first) == owed
    assert clock.due_ms(origin + first + second) == owed + second * after.numerator // (after.denominator * 10**6)


def test_the_links_time_is_not_scaled() -> None:
    assert link_ms(1_999_999) == 1


@given(st.integers(-100, 100), st.integers(0, 10 * 365 * 86_400))
def test_a_crystal_gains_or_loses_its_ppm_at_any_speed(drift_ppm: int, true_s: int) -> None:
    for factor in (1, 1_000):
        clock = UptimeClock(Speed(factor), 5, drift_ppm)
        gained_ms = clock.due_ms(5 + true_s * 1_000_000_000) - factor * true_s * 1_000
        assert abs(gained_ms * 1_000_000 - factor * true_s * 1_000 * drift_ppm) < 1_000_000


def test_a_served_pump_keeps_the_time_of_its_own_crystal() -> None:
    pumps = [SimulatedPump("P-40", seed=seed) for seed in range(4)]
    assert len({pump.drift_ppm for pump in pumps}) > 1
    now_ns = [0]
    for pump in pumps:
        now_ns[0] = 0
        line = InProcessLine(pump, speed=REAL, monotonic_ns=lambda: now_ns[0])
        now_ns[0] = 1_000_000 * 1_000_000_000
        line.read(0)
        assert abs(pump.uptime_ms - 1_000_000_000 - 1_000 * pump.drift_ppm) <= 1
        line.close()
