"""Battery charge and crystal: closed forms against counting, exact both ways."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.plant import Plant
from firmware_sim.plant.oscillator import Oscillator
from firmware_sim.profiles import load_profile
from tests.unit.plant.trains import DAY_MS, HOUR_MS, YEAR_MS, Even

P40, V40 = load_profile("P-40").plant, load_profile("V-40").plant


@given(st.integers(0, 5 * YEAR_MS), st.integers(0, 10**6), st.integers(0, 500), st.integers(0, 50_000))
def test_charge_is_full_less_what_was_used(until_ms: int, pulses: int, handshakes: int, records: int) -> None:
    plant = Plant(P40, 1)
    plant.drive(Even(0, pulses, 5 * YEAR_MS), until_ms)
    plant.radio(handshakes, records)
    used = (
        P40.battery_idle_per_day_e12 * until_ms / DAY_MS
        + P40.battery_per_nL_e12 * 500 * plant.truth().commanded_pulses
        + P40.battery_per_handshake_e12 * handshakes
        + P40.battery_per_record_e12 * records
    )
    assert plant.battery_permille() == pytest.approx(max(0, 1000 - used / 1e9), abs=1)
    assert plant.truth().battery_permille == plant.battery_permille()


@given(st.integers(0, YEAR_MS), st.integers(0, YEAR_MS), st.integers(0, 10**6))
def test_look_ahead_tells_what_will_be_and_changes_nothing(now_ms: int, more_ms: int, pulses: int) -> None:
    plant, train = Plant(P40, 1), Even(0, pulses, 2 * YEAR_MS)
    plant.drive(train, now_ms)
    before = plant.snapshot()
    ahead = plant.battery_permille_ahead(train, now_ms + more_ms)
    assert plant.snapshot() == before
    plant.drive(train, now_ms + more_ms)
    assert plant.battery_permille() == ahead


def test_look_ahead_into_a_train_that_starts_later() -> None:
    plant = Plant(P40, 1)
    plant.set_battery(500)
    train = Even(HOUR_MS, 10**6, HOUR_MS)
    ahead = plant.battery_permille_ahead(train, 2 * HOUR_MS)
    plant.rest(HOUR_MS)
    plant.drive(train, 2 * HOUR_MS)
    assert plant.battery_permille() == ahead < 400


@pytest.mark.parametrize(("profile", "years"), [(P40, 7.5), (V40, 11.0)])
def test_battery_lasts_as_the_profile_says_at_a_usual_flow(profile: object, years: float) -> None:
    assert profile in (P40, V40)
    usual = P40 if profile is P40 else V40
    plant, span_ms = Plant(usual, 1), 20 * YEAR_MS
    train = Even(0, 250_000 * 365 * 20 // usual.pulse_volume_nL, span_ms)
    left = [plant.battery_permille_ahead(train, int(years * factor * 365.25 * DAY_MS)) for factor in (0.5, 0.99, 1.01)]
    assert left[0] == pytest.approx(500, abs=2)
    assert left[1] > 0
    assert left[2] == 0


def test_finer_pulses_cost_no_battery() -> None:
    fine = Plant(load_profile("P-40", pulse_volume_nL=50).plant, 1)
    usual = Plant(P40, 1)
    fine.drive(Even(0, 10**7, YEAR_MS), YEAR_MS)
    usual.drive(Even(0, 10**6, YEAR_MS), YEAR_MS)
    assert fine.battery_permille() == usual.battery_permille()


@given(st.integers(0, 1000), st.integers(0, 12 * YEAR_MS))
def test_bench_can_set_the_charge_at_any_time(permille: int, at_ms: int) -> None:
    plant = Plant(P40, 1)
    plant.drive(Even(0, 10**6, 12 * YEAR_MS), at_ms)
    plant.set_battery(permille)
    assert plant.battery_permille() == permille
    assert Plant.restore(P40, plant.snapshot()).battery_permille() == permille


@given(st.integers(-(2**40), 2**40), st.integers(0, 20 * YEAR_MS))
def test_clock_runs_true_within_its_bound_and_both_ways_agree(seed: int, true_ms: int) -> None:
    clock = Oscillator(P40, seed)
    uptime_ms = clock.uptime_ms(true_ms)
    assert abs(uptime_ms - true_ms) <= true_ms * P40.oscillator_bound_ppm // 1_000_000 + 1
    assert clock.true_ms(uptime_ms) <= true_ms
    assert clock.uptime_ms(clock.true_ms(uptime_ms)) == uptime_ms
    assert true_ms == 0 or clock.uptime_ms(true_ms - 1) <= uptime_ms


def test_clock_without_error_is_true() -> None:
    clock = Oscillator(dataclasses.replace(P40, oscillator_bound_ppm=0), 1)
    assert (clock.uptime_ms(123_456_789), clock.true_ms(123_456_789)) == (123_456_789, 123_456_789)


def test_clock_errors_differ_between_pumps() -> None:
    errors = {Oscillator(P40, seed).ppm for seed in range(100)}
    assert min(errors) < -10
    assert max(errors) > 10


@given(st.integers(0, 400 * DAY_MS), st.integers(0, 400 * DAY_MS), st.integers(1, 5), st.integers(0, 10**6))
def test_the_ms_at_which_it_goes_flat_is_the_first(now_ms: int, more_ms: int, permille: int, pulses: int) -> None:
    plant, train = Plant(P40, 1), Even(0, pulses, 3 * YEAR_MS)
    plant.drive(train, now_ms)
    plant.set_battery(permille)
    until_ms = now_ms + more_ms
    flat_ms = plant.flat_by(train, until_ms)
    if flat_ms is None:
        assert plant.battery_permille_ahead(train, until_ms) > 0
    else:
        assert now_ms < flat_ms <= until_ms
        assert plant.battery_permille_ahead(train, flat_ms) == 0 < plant.battery_permille_ahead(train, flat_ms - 1)
    assert plant.battery_permille() == permille, "a look ahead"


def test_an_empty_battery_is_flat_now() -> None:
    plant = Plant(P40, 1)
    plant.set_battery(0)
    assert plant.flat_by(Even(0, 10, HOUR_MS), 10 * HOUR_MS) == 0
