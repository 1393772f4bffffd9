"""W(n) is an exact sum of true pulses, inside the tolerance, the same for the same seed."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.plant import PlantError
from firmware_sim.plant.draws import Draws
from firmware_sim.plant.motor import PPM, Motor
from firmware_sim.profiles import PROFILE_NAMES, PlantProfile, load_profile

SEEDS = st.integers(-(2**63), 2**63)
PROFILES = st.sampled_from([load_profile(name).plant for name in PROFILE_NAMES])
P40 = load_profile("P-40").plant
# Knots so near that a few hundred pulses cross several.
WINDING = dataclasses.replace(P40, drift_knot_nL=7_300, pulses_per_turn=7)


def drift_area(motor: Motor, upto_nL: int) -> Fraction:
    """∫ drift over nominal volume, trapezium by trapezium."""
    area, start, spacing = Fraction(0), 0, motor._knot_nL
    for left, right in zip(motor._knots, motor._knots[1:], strict=False):
        width = min(spacing, upto_nL - start)
        if width <= 0:
            break
        area += width * (left + left + Fraction((right - left) * width, spacing)) / 2
        start += spacing
    return area


def brute_force(motor: Motor, profile: PlantProfile, pulses: int) -> int:
    """Pulse by pulse with fractions."""
    motor.volume_nL(pulses)  # makes the knots known
    sums, p = motor._scatter_sums, profile.pulse_volume_nL
    turn = [after - before for before, after in zip(sums, [*sums[1:], 0], strict=True)]
    total = Fraction(0)
    for n in range(pulses):
        drift = drift_area(motor, (n + 1) * p) - drift_area(motor, n * p)
        total += p * (1 + Fraction(motor.accuracy_ppm + turn[n % len(turn)], PPM)) + drift / PPM
    return int(total)


@given(SEEDS, st.integers(0, 90))
def test_closed_form_is_the_sum_of_the_pulses(seed: int, pulses: int) -> None:
    motor = Motor(WINDING, seed)
    assert motor.volume_nL(pulses) == brute_force(motor, WINDING, pulses)


@given(PROFILES, SEEDS, st.integers(0, 10**9), st.integers(1, 100))
@pytest.mark.sr("SR-28")
def test_no_pulse_runs_backwards(profile: PlantProfile, seed: int, first: int, count: int) -> None:
    motor = Motor(profile, seed)
    volumes = [motor.volume_nL(n) for n in range(first, first + count + 1)]
    assert volumes == sorted(volumes)
    assert motor.volume_nL(0) == 0


@given(PROFILES, SEEDS, st.integers(0, 10**8), st.integers(1, 10**8))
@pytest.mark.sr("SR-24")
def test_true_volume_over_whole_turns_stays_inside_the_tolerance(profile: PlantProfile, seed: int, first: int, turns: int) -> None:
    motor = Motor(profile, seed)
    pulses = turns * profile.pulses_per_turn
    true_nL, nominal_nL = motor.volume_nL(first + pulses) - motor.volume_nL(first), pulses * profile.pulse_volume_nL
    assert abs(true_nL - nominal_nL) * PPM <= profile.accuracy_bound_ppm * nominal_nL + PPM  # one nL of rounding


@given(SEEDS, st.integers(0, 10**7))
def test_scatter_repeats_with_the_turn_and_sums_to_zero(seed: int, pulses: int) -> None:
    still = dataclasses.replace(P40, drift_bound_ppm=0, drift_step_ppm=0)
    motor, smooth = Motor(still, seed), Motor(dataclasses.replace(still, scatter_bound_ppm=0), seed)
    turn = still.pulses_per_turn
    assert motor.volume_nL(pulses * turn) == smooth.volume_nL(pulses * turn)
    scatter = [motor.volume_nL(n) - smooth.volume_nL(n) for n in range(turn)]
    later = [motor.volume_nL(pulses * turn + n) - smooth.volume_nL(pulses * turn + n) for n in range(turn)]
    assert all(abs(a - b) <= 1 for a, b in zip(scatter, later, strict=True))
    assert any(scatter)


@given(SEEDS, st.integers(0, 10**8))
def test_finer_pulses_move_the_same_volume(seed: int, turns: int) -> None:
    """A whole number of turns of either pulse volume: scatter cancels, drift depends on volume alone."""
    coarse, fine = Motor(P40, seed), Motor(load_profile("P-40", pulse_volume_nL=50).plant, seed)
    pulses = turns * P40.pulses_per_turn
    assert fine.volume_nL(10 * pulses) == coarse.volume_nL(pulses)


def test_same_seed_is_the_same_pump_whatever_was_asked_before() -> None:
    one, other = Motor(P40, 5), Motor(P40, 5)
    one.volume_nL(10**9)
    asked = [other.volume_nL(n) for n in (10**6, 0, 10**9, 77)]
    assert asked == [one.volume_nL(n) for n in (10**6, 0, 10**9, 77)]
    assert Motor(P40, 6).volume_nL(10**6) != one.volume_nL(10**6)


def test_pumps_differ_as_the_profile_says() -> None:
    accuracies = [Motor(P40, seed).accuracy_ppm for seed in range(300)]
    mean = sum(accuracies) / len(accuracies)
    spread = (sum((value - mean) ** 2 for value in accuracies) / len(accuracies)) ** 0.5
    assert abs(mean - P40.accuracy_mean_ppm) < 4 * P40.accuracy_sd_ppm / 300**0.5
    assert 0.8 * P40.accuracy_sd_ppm < spread < 1.2 * P40.accuracy_sd_ppm


def test_tight_bound_is_kept_by_drawing_again_not_by_piling_up_at_it() -> None:
    tight = dataclasses.replace(P40, accuracy_bound_ppm=40_000)
    accuracies = [Motor(tight, seed).accuracy_ppm for seed in range(200)]
    assert max(map(abs, accuracies)) <= 20_000
    assert sum(abs(value) == 20_000 for value in accuracies) <= 1


def test_drift_reported_is_the_slope_of_the_volume() -> None:
    motor = Motor(dataclasses.replace(P40, scatter_bound_ppm=0), 9)
    for pulses in (0, 150_000, 333_333, 10**6):
        slope_nL = motor.volume_nL(pulses + 1000) - motor.volume_nL(pulses)
        assert slope_nL == pytest.approx(500_000 * (1 + (motor.accuracy_ppm + motor.drift_ppm(pulses)) / PPM), abs=60)


@pytest.mark.sr("SR-28")
def test_stalled_motor_counts_commands_but_moves_nothing() -> None:
    motor = Motor(P40, 1)
    motor.command(10)
    motor.stalled = True
    motor.command(5)
    assert (motor.commanded, motor.made) == (15, 10)
    motor.stalled = False
    motor.command(1)
    assert (motor.commanded, motor.made) == (16, 11)


@pytest.mark.sr("SR-28")
def test_pulses_cannot_be_taken_back() -> None:
    motor = Motor(P40, 1)
    with pytest.raises(PlantError, match="take pulses back"):
        motor.command(-1)
    assert motor.commanded == 0


def test_draws_are_fixed_for_all_time() -> None:
    """Pinned: another Python or another machine must make the same pump out of the same seed."""
    draws = Draws(1, "accuracy")
    assert [draws.below(1000) for _ in range(4)] == [255, 494, 662, 534]
    assert Draws(1, "accuracy").below(2**64) != Draws(1, "drift").below(2**64)


def test_draws_stay_below_their_limit_also_where_words_must_be_refused() -> None:
    """2^63 + 1 does not divide 2^64: nearly every second word is drawn again."""
    draws, limit = Draws(1, "bias"), 2**63 + 1
    values = [draws.below(limit) for _ in range(200)]
    assert max(values) < limit
    assert draws._next > 300
    assert 0.3 < sum(value < limit // 2 for value in values) / 200 < 0.7
