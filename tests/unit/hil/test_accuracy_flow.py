"""Errors of a flow: by definition, by oracle, by what must not matter; three ways to the same trumpet."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from itbpump.hil.accuracy import (
    AccuracyError,
    Samples,
    WindowSet,
    analyse,
    cycle_time_ms,
    error_percent,
    load_method,
    mean_error_of_pulses,
    mean_error_over_cycles,
    mean_error_percent,
    pulsatile_trumpet,
    share_within,
    startup_curve,
    trumpet,
    windows_needed,
)
from itbpump.hil.accuracy.windows import best_way, by_numpy, by_python
from tests.unit.hil.naive_trumpet import naive_trumpet

MIN_MS = 60_000
HOUR_MS = 60 * MIN_MS
DAY_MS = 24 * HOUR_MS
METHOD = load_method()
SETS = {"short": METHOD.short, "long": METHOD.long}
WAYS = [by_python(), by_numpy()]
# 20 cycle times, ms: the four of safety 1.5, what P and V pumps do at 0.05 to 24 mL/day, and some that no window is a multiple of.
CYCLES_MS = [
    1_800, 7_200, 18_000, 45_000, 60_000, 100_000, 115_200, 172_800, 180_000, 288_000,
    345_600, 432_000, 600_000, 720_000, 864_000, 870_000, 900_000, 1_728_000, 3_456_000, 7_000_000,
]  # fmt: skip

volumes = st.lists(st.integers(-5_000, 50_000), min_size=4, max_size=60)
flows = st.integers(1, 30_000_000)


def train(cycle_ms: int, until_ms: int, volume_nL: int = 500, first_ms: int = 0) -> list[tuple[int, int]]:
    return [(at_ms, volume_nL) for at_ms in range(first_ms, until_ms + 1, cycle_ms)]


def sampled(volumes_nL: list[int], step_ms: int = 30_000) -> Samples:
    return Samples.of(0, step_ms, accumulate([0, *volumes_nL]))


# ---------------------------------------------------------------------------------------------------------------- the oracle
@pytest.mark.sr("SR-25")
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("cycle_ms", CYCLES_MS)
def test_trumpet_of_equal_pulses_is_the_analytic_one(cycle_ms: int, name: str) -> None:
    windows: WindowSet = SETS[name]
    count = windows_needed(windows.step_ms, cycle_ms) + windows.windows_ms[-1] // windows.step_ms
    volume_nL = 500
    samples = Samples.from_pulses(train(cycle_ms, count * windows.step_ms, volume_nL, first_ms=17), 0, windows.step_ms, count)
    flow = Fraction(volume_nL * DAY_MS, cycle_ms)
    for way in WAYS:
        for point in trumpet(samples, flow, windows.windows_ms, way):
            assert (point.min_percent, point.max_percent) == pulsatile_trumpet(point.window_ms, cycle_ms), (way.name, point)


@pytest.mark.sr("SR-25")
@given(st.integers(1_000, 8_000_000), st.integers(0, 8_000_000), st.integers(1, 80))
def test_trumpet_where_samples_are_fine_against_the_cycle(cycle_ms: int, first_ms: int, window_samples: int) -> None:
    """Any cycle time, as soon as both numbers of pulses last for longer than a sample."""
    step_ms = max(1, cycle_ms // 64)
    window_ms = window_samples * step_ms
    rest_ms = window_ms % cycle_ms
    count = window_samples + cycle_ms // step_ms + 1
    samples = Samples.from_pulses(train(cycle_ms, count * step_ms, 500, first_ms % cycle_ms), 0, step_ms, count)
    (point,) = trumpet(samples, Fraction(500 * DAY_MS, cycle_ms), [window_ms])
    least, most = pulsatile_trumpet(window_ms, cycle_ms)
    assert least <= point.min_percent <= point.max_percent <= most
    if step_ms <= rest_ms <= cycle_ms - step_ms:
        assert (point.min_percent, point.max_percent) == (least, most)


def test_oracle_at_the_figures_of_the_reference() -> None:
    assert pulsatile_trumpet(2 * MIN_MS, 288_000) == (Fraction(-100), Fraction(140))
    least, most = pulsatile_trumpet(31 * MIN_MS, 288_000)
    assert (round(least, 1), round(most, 1)) == (Fraction("-7.1"), Fraction("8.4"))
    assert pulsatile_trumpet(10 * MIN_MS, 2 * MIN_MS) == (Fraction(0), Fraction(0))
    for window_ms, cycle_ms in ((0, 1), (1, 0), (-1, 1)):
        with pytest.raises(AccuracyError):
            pulsatile_trumpet(window_ms, cycle_ms)
    with pytest.raises(AccuracyError):
        windows_needed(0, 1)
    assert cycle_time_ms(500, 100_000) == 432_000
    assert cycle_time_ms(500, 110_000) == Fraction(4_320_000, 11)
    with pytest.raises(AccuracyError):
        cycle_time_ms(500, 0)


def test_number_of_windows_in_an_hour_is_that_of_the_method() -> None:
    """m = (Tx − P) / S + 1 for Tx = 60 min: 117, 111, 99, 83, 59."""
    hour = sampled([500] * 120)
    assert [point.windows for point in trumpet(hour, 1_440_000, METHOD.short.windows_ms)] == [117, 111, 99, 83, 59]


# -------------------------------------------------------------------------------------------------------- what must not matter
@pytest.mark.sr("SR-25")
@given(volumes, flows, st.lists(st.integers(1, 4), min_size=1, max_size=4))
@example([0] * 4, 1, [1])
def test_naive_python_and_numpy_agree(volumes_nL: list[int], flow: int, lengths: list[int]) -> None:
    samples = sampled(volumes_nL)
    windows_ms = [length * samples.step_ms for length in lengths]
    expected = naive_trumpet(volumes_nL, samples.step_ms, flow, windows_ms)
    for way in WAYS:
        assert list(trumpet(samples, flow, windows_ms, way)) == expected
    shares = [share_within(samples, flow, windows_ms[0], 15, way) for way in WAYS]
    assert shares[0] == shares[1]
    errors = [error_percent(sum(volumes_nL[j : j + lengths[0]]), windows_ms[0], flow) for j in range(len(volumes_nL) - lengths[0] + 1)]
    assert shares[0].windows == len(errors)
    assert shares[0].within == sum(abs(error) <= 15 for error in errors)


@given(st.integers(0, 10**9), st.integers(1, 10**5), st.integers(70, 200))
def test_constant_flow_has_no_error(start_ms: int, per_sample_nL: int, count: int) -> None:
    samples = Samples.of(start_ms, 30_000, range(0, per_sample_nL * (count + 1), per_sample_nL))
    flow = per_sample_nL * 2_880
    assert mean_error_percent(samples, flow) == 0
    assert all(point.min_percent == 0 == point.max_percent for point in trumpet(samples, flow, METHOD.short.windows_ms))
    share = share_within(samples, flow, 30 * MIN_MS, 0)
    assert share.percent == 100
    assert {value for _, value in startup_curve(samples, 35 * MIN_MS)} == {flow}


@given(volumes, flows, st.integers(1, 1_000), st.integers(0, 10**12), st.integers(-(10**9), 10**9))
def test_scale_time_and_what_was_given_before_do_not_matter(
    volumes_nL: list[int], flow: int, scale: int, start_ms: int, before_nL: int
) -> None:
    plain = sampled(volumes_nL)
    other = Samples.of(start_ms, plain.step_ms, (before_nL + scale * total for total in plain.cumulative_nL))
    windows_ms = [plain.step_ms, 3 * plain.step_ms]
    assert trumpet(other, scale * flow, windows_ms) == trumpet(plain, flow, windows_ms)
    assert mean_error_percent(other, scale * flow) == mean_error_percent(plain, flow)
    assert share_within(other, scale * flow, windows_ms[1], 15) == share_within(plain, flow, windows_ms[1], 15)


@given(volumes, flows)
def test_longer_windows_are_bounded_by_the_samples_and_hold_the_mean(volumes_nL: list[int], flow: int) -> None:
    samples = sampled(volumes_nL)
    one, two, whole = trumpet(samples, flow, [samples.step_ms, 2 * samples.step_ms, samples.period_ms])
    assert one.min_percent <= two.min_percent <= two.max_percent <= one.max_percent
    assert whole.min_percent == whole.max_percent == mean_error_percent(samples, flow)


# ------------------------------------------------------------------------------------------------------------ whole cycles
@pytest.mark.sr("SR-25")
@given(st.sampled_from(CYCLES_MS), st.integers(0, 10**6), st.integers(1, 50))
def test_mean_over_whole_cycles_has_no_artefact(cycle_ms: int, first_ms: int, extra_samples: int) -> None:
    step_ms = 30_000
    count = windows_needed(step_ms, cycle_ms) + extra_samples
    pulses = train(cycle_ms, count * step_ms, 510, first_ms % cycle_ms)
    samples = Samples.from_pulses(pulses, 0, step_ms, count)
    flow = Fraction(500 * DAY_MS, cycle_ms)
    assert mean_error_over_cycles(samples, flow, cycle_ms) == 2
    assert abs(mean_error_percent(samples, flow) - 2) <= Fraction(102 * cycle_ms, samples.period_ms), "the artefact is below one pulse"


def test_mean_over_cycles_wants_a_cycle_that_ends_with_a_sample() -> None:
    samples = sampled([500] * 10)
    assert mean_error_over_cycles(samples, 1_440_000, 7 * 30_000) == 0
    for cycle_ms in (0, 301_000):
        with pytest.raises(AccuracyError):
            mean_error_over_cycles(samples, 1_440_000, cycle_ms)


@given(st.lists(st.integers(400, 600), min_size=1, max_size=24), st.integers(1, 5), st.integers(0, 23), st.integers(1, 10**6))
def test_mean_of_pulses_over_turns_of_a_rotor(turn: list[int], turns: int, more: int, cycle_ms: int) -> None:
    """Whatever a turn scatters, and wherever it is cut: whole turns have the turn's own error."""
    more %= len(turn)
    listed = [turn[place % len(turn)] for place in range(turns * len(turn) + more + 1)]
    pulses = [(place * cycle_ms, volume_nL) for place, volume_nL in enumerate(listed)]
    flow = Fraction(500 * DAY_MS, cycle_ms)
    assert mean_error_of_pulses(pulses, flow, len(turn)) == 100 * (Fraction(sum(turn), 500 * len(turn)) - 1)
    with pytest.raises(AccuracyError):
        mean_error_of_pulses(pulses[: len(turn)], flow, len(turn))
    with pytest.raises(AccuracyError):
        mean_error_of_pulses(pulses, flow, 0)


# ----------------------------------------------------------------------------------------------- share, start-up, everything
def test_share_is_inclusive_at_both_ends() -> None:
    samples = Samples.of(0, HOUR_MS, accumulate([0, 84, 85, 100, 115, 116]))
    share = share_within(samples, 2_400, HOUR_MS, 15)
    assert (share.windows, share.within, share.percent) == (5, 3, Fraction(60))
    for within_percent, flow in ((-1, 2_400), (101, 2_400), (15, 0)):
        with pytest.raises(AccuracyError):
            share_within(samples, flow, HOUR_MS, within_percent)


def test_startup_curve_shows_when_the_flow_begins() -> None:
    samples = Samples.from_pulses(train(288_000, 2 * HOUR_MS, 500, first_ms=HOUR_MS), 0, 30_000, 240)
    plain = startup_curve(samples, METHOD.startup_span_ms)
    assert [at_ms for at_ms, _ in plain] == list(range(30_000, 7_200_001, 30_000))
    assert next(at_ms for at_ms, flow in plain if flow) == HOUR_MS
    averaged = startup_curve(samples, METHOD.startup_span_ms, average_ms=1_440_000)
    assert averaged[0] == (1_440_000, Fraction(0))
    assert averaged[-1] == (7_200_000, Fraction(150_000)), "five whole cycles show the flow as it is"
    assert sum((flow * 30_000 for _, flow in plain), Fraction()) / DAY_MS == samples.volume_nL


def test_analysis_brings_everything_together() -> None:
    cycle_ms = 432_000
    samples = Samples.from_pulses(train(cycle_ms, DAY_MS, 505, first_ms=1_000), 0, 30_000, 2_880)
    report = analyse(samples, 100_000, cycle_ms)
    assert report.mean_over_cycles_percent == 1
    assert report.mean_error_percent == mean_error_percent(samples, 100_000)
    assert [point.window_ms for point in report.short] == list(METHOD.short.windows_ms)
    assert [point.window_ms for point in report.long] == list(METHOD.long.windows_ms)
    assert [point.windows for point in report.long] == [96, 93, 87, 75, 59, 35]
    assert report.share.windows == 2_880 - 119
    assert analyse(samples, 100_000).mean_over_cycles_percent is None
    widths = [point.max_percent - point.min_percent for point in report.short]
    assert all(wide >= narrow for wide, narrow in pairwise(widths)), "that is why it is called a trumpet"


@pytest.mark.parametrize("window_ms", [0, 29_999, 45_000, 3_630_000, -30_000])
def test_a_window_that_does_not_fit_is_refused(window_ms: int) -> None:
    hour = sampled([500] * 120)
    with pytest.raises(AccuracyError, match="does not fit"):
        trumpet(hour, 1_440_000, [window_ms])
    with pytest.raises(AccuracyError, match="does not fit"):
        startup_curve(hour, window_ms)


def test_nothing_to_compare_with_is_refused() -> None:
    with pytest.raises(AccuracyError, match="above zero"):
        error_percent(5, 0, 5)
    with pytest.raises(AccuracyError, match="above zero"):
        mean_error_percent(sampled([1, 2]), 0)


def test_numpy_is_taken_where_it_is_and_missed_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert best_way().name == "numpy"

    def missing() -> None:
        raise ModuleNotFoundError("numpy")

    monkeypatch.setattr("itbpump.hil.accuracy.windows.by_numpy", missing)
    assert best_way.__wrapped__().name == "python"
