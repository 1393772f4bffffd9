"""Samples of a flow, from pulses and from a balance; boluses; the figures of the method."""

from __future__ import annotations

import tomllib
from fractions import Fraction
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.hil.accuracy import AccuracyError, Samples, WindowSet, bolus_statistics, load_method
from itbpump.hil.accuracy.method import read_method

METHOD_TEXT = resources.files("itbpump.hil.accuracy").joinpath("method.toml").read_text("utf-8")
pulse_lists = st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 600)), max_size=40).map(sorted)


@given(pulse_lists, st.integers(0, 500), st.integers(1, 70), st.integers(1, 30))
def test_pulses_fall_into_the_sample_that_ends_with_them(pulses: list[tuple[int, int]], start_ms: int, step_ms: int, count: int) -> None:
    samples = Samples.from_pulses(pulses, start_ms, step_ms, count)
    assert len(samples.cumulative_nL) == count + 1
    assert samples.period_ms == count * step_ms
    for place, total in enumerate(samples.cumulative_nL):
        assert total == sum(volume for at_ms, volume in pulses if start_ms < at_ms <= start_ms + place * step_ms)


@given(pulse_lists, st.integers(1, 20), st.integers(1, 6), st.integers(1, 5))
def test_coarser_samples_are_those_of_the_coarser_interval(pulses: list[tuple[int, int]], step_ms: int, times: int, count: int) -> None:
    fine = Samples.from_pulses(pulses, 0, step_ms, count * times + times - 1)
    assert fine.coarser(step_ms * times) == Samples.from_pulses(pulses, 0, step_ms * times, count)


@given(pulse_lists, st.integers(1, 20), st.integers(0, 10), st.integers(1, 10))
def test_a_part_is_what_was_sampled_there(pulses: list[tuple[int, int]], step_ms: int, first: int, count: int) -> None:
    whole = Samples.from_pulses(pulses, 0, step_ms, 20)
    part = whole.between(first * step_ms, (first + count) * step_ms)
    assert part == Samples.from_pulses(pulses, first * step_ms, step_ms, count)


@given(pulse_lists, st.integers(1, 50))
def test_a_balance_that_reads_each_sample_tells_what_the_pulses_tell(pulses: list[tuple[int, int]], step_ms: int) -> None:
    by_pulses = Samples.from_pulses(pulses, 0, step_ms, 20)
    readings = [(place * step_ms, 7_000 + total) for place, total in enumerate(by_pulses.cumulative_nL)]
    assert Samples.from_readings(readings, 0, step_ms, 20, patience_ms=0) == by_pulses


def test_the_last_reading_counts_and_may_not_be_too_old() -> None:
    readings = [(0, 10), (90, 12), (95, 20), (210, 30)]
    samples = Samples.from_readings(readings, 0, 100, 2, patience_ms=105)
    assert list(samples.cumulative_nL) == [0, 10, 10]
    with pytest.raises(AccuracyError, match="no reading in the 104 ms before 200 ms"):
        Samples.from_readings(readings, 0, 100, 2, patience_ms=104)
    with pytest.raises(AccuracyError, match="no reading"):
        Samples.from_readings(readings, -1, 100, 2, patience_ms=1_000)
    with pytest.raises(AccuracyError, match="go back"):
        Samples.from_readings([(0, 1), (50, 2), (40, 3)], 0, 100, 1, patience_ms=1_000)


def test_a_balance_may_fall() -> None:
    assert list(Samples.of(0, 1, [5, 3, 8]).cumulative_nL) == [0, -2, 3]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Samples.of(0, 0, [1, 2]),
        lambda: Samples.of(0, 1, [1]),
        lambda: Samples.of(0, 1, [0, 2**62 + 1]),
        lambda: Samples.of(0, 1, [-(2**62) - 1, 0]),
        lambda: Samples.from_pulses([], 0, 1, 0),
        lambda: Samples.from_pulses([(1, 1)], 0, 0, 5),
        lambda: Samples.from_pulses([(5, 1), (4, 1)], 0, 1, 9),
        lambda: Samples.of(0, 10, [0, 1, 2]).between(5, 20),
        lambda: Samples.of(0, 10, [0, 1, 2]).between(0, 30),
        lambda: Samples.of(0, 10, [0, 1, 2]).between(10, 10),
        lambda: Samples.of(0, 10, [0, 1, 2]).coarser(15),
        lambda: Samples.of(0, 10, [0, 1, 2]).coarser(0),
        lambda: Samples.of(0, 10, [0, 1, 2]).coarser(30),
        lambda: WindowSet(30, ()),
        lambda: WindowSet(30, (45,)),
        lambda: WindowSet(30, (60, 60)),
        lambda: WindowSet(0, (60,)),
        lambda: bolus_statistics([], 5),
        lambda: bolus_statistics([5], 0),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_a_way_out(make: object) -> None:
    assert callable(make)
    with pytest.raises(AccuracyError) as caught:
        make()
    assert caught.value.problem
    assert caught.value.action


@pytest.mark.sr("SR-26")
@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=40), st.integers(1, 10**7))
def test_boluses_are_told_by_mean_least_and_greatest(given_nL: list[int], set_nL: int) -> None:
    told = bolus_statistics(given_nL, set_nL)
    assert told.count == len(given_nL)
    assert told.mean_nL * told.count == sum(given_nL)
    assert told.min_nL <= told.mean_nL <= told.max_nL
    assert {told.min_nL, told.max_nL} <= set(given_nL)
    for volume_nL, percent in ((told.mean_nL, told.mean_percent), (told.min_nL, told.min_percent), (told.max_nL, told.max_percent)):
        assert set_nL * (1 + percent / 100) == volume_nL
    again = bolus_statistics([3 * one for one in given_nL], 3 * set_nL)
    assert again.mean_percent == told.mean_percent
    assert again.min_percent == told.min_percent
    assert again.max_percent == told.max_percent


def test_bolus_errors_are_of_the_setting() -> None:
    told = bolus_statistics([95, 100, 117], 100)
    assert [told.mean_percent, told.min_percent, told.max_percent] == [Fraction(4), Fraction(-5), Fraction(17)]


# --------------------------------------------------------------------------------------------------------------- the method
@pytest.mark.sr("SR-25")
def test_the_windows_are_those_of_the_requirement() -> None:
    method = load_method()
    assert method.short == WindowSet(30_000, tuple(60_000 * minutes for minutes in (2, 5, 11, 19, 31)))
    assert method.long == WindowSet(900_000, tuple(60_000 * minutes for minutes in (15, 60, 150, 330, 570, 930)))
    assert method.startup_span_ms == 120 * 60_000
    assert (method.share_window_ms, method.share_within_percent, method.bolus_succession) == (3_600_000, 15, 25)


FIGURES = [(table, key) for table, rows in tomllib.loads(METHOD_TEXT).items() if isinstance(rows, dict) for key in rows]


@pytest.mark.parametrize("part", ["value", "mark", "source"])
@pytest.mark.parametrize(("table", "key"), FIGURES)
def test_a_figure_without_value_mark_or_source_is_refused(table: str, key: str, part: str) -> None:
    head, body = METHOD_TEXT.split(f"[{table}]")
    line = next(line for line in body.splitlines() if line.startswith(f"{key} "))
    broken = body.replace(line, line.replace(f"{part} =", "other ="), 1)
    assert broken != body
    with pytest.raises(AccuracyError, match=rf"\[{table}\] {key}"):
        read_method(f"{head}[{table}]{broken}")


def test_another_schema_is_refused() -> None:
    with pytest.raises(AccuracyError, match="no flow method"):
        read_method('schema = "itbpump.flow-method/2"')
