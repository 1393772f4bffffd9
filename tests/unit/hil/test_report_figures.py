"""Figures as they are shown, bars, and curves drawn with and without matplotlib."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from random import Random
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.hil.model import Limits, Measurement, Series
from itbpump.hil.report import plotted, svg
from itbpump.hil.report.figures import bar_of, limits_text, room_of, rounded_text, shown, width_of
from itbpump.hil.report.markup import bar_svg
from itbpump.hil.report.plots import LARGEST, figures_of, thinned
from tests.unit.hil.runs import figures, measured, trumpet

numbers = st.fractions(max_denominator=1_000)


@pytest.mark.parametrize(
    ("text", "words"), [("0", "0"), ("-1234.5", "-1,234.5"), ("1000000", "1,000,000"), ("0.25", "0.25"), ("999", "999"), ("-0.5", "-0.5")]
)
def test_numbers_have_commas_at_thousands_and_nothing_else_changes(text: str, words: str) -> None:
    assert shown(text) == words


def test_limits_in_words() -> None:
    assert limits_text(measured()) == "12,000 to 13,000 nL"
    assert limits_text(measured(lo=None)) == "at most 13,000 nL"
    assert limits_text(measured(hi=None)) == "at least 12,000 nL"
    assert limits_text(measured(lo=None, hi=None)) == "no limit"
    assert limits_text(measured("entries", "3", "", "3", "3")) == "3"
    assert rounded_text(Fraction(2, 3)) == "0.667"


@given(value=figures, lo=st.none() | figures, hi=st.none() | figures)
def test_room_is_negative_just_where_a_value_is_outside_and_the_bar_agrees(value: str, lo: str | None, hi: str | None) -> None:
    if lo is not None and hi is not None and Fraction(lo) > Fraction(hi):
        lo, hi = hi, lo
    one = measured("x", value, "nL", lo, hi)
    room, bar = room_of(one), bar_of(one)
    assert (room is None) == (bar is None) == (lo is None and hi is None)
    if room is not None and bar is not None:
        assert (room >= 0) == one.within
        assert 0 <= bar.value <= 1_000
        if one.within:
            assert not bar.off
            assert bar.lo is None or bar.lo <= bar.value
            assert bar.hi is None or bar.value <= bar.hi
        else:
            assert (bar.lo is not None and bar.value <= bar.lo) or (bar.hi is not None and bar.value >= bar.hi)
    ET.fromstring(bar_svg(one) or "<none/>")


def test_a_bar_shows_limits_at_a_quarter_and_three_quarters() -> None:
    bar = bar_of(measured())
    assert bar is not None
    assert (bar.lo, bar.hi, bar.value, bar.off) == (250, 750, 500, False)
    far = bar_of(measured(value="99000"))
    assert far is not None
    assert (far.value, far.off) == (1_000, True)
    assert width_of(measured()) == 1_000
    assert width_of(measured(lo="12000", hi="12000")) is None
    assert bar_svg(Measurement("x", "1", "", Limits(None, None), True)) == ""


def test_curves_with_the_same_axes_are_drawn_together() -> None:
    first, second = figures_of(trumpet())
    assert first.names == ("largest error", "smallest error")
    assert first.log_x
    assert len(first.limits) == 1
    assert not second.log_x
    assert second.marked is False
    assert [len(figure.names) for figure in figures_of([trumpet()[0]] * 6)] == [4, 2]
    assert figures_of([Series("empty", "min", "%", (), ())]) == []


@given(count=st.integers(1, 400), most=st.integers(8, 60), seed=st.integers(0, 2**32 - 1))
def test_a_thinned_curve_keeps_its_extremes_and_its_ends(count: int, most: int, seed: int) -> None:
    random = Random(seed)
    values = [Fraction(random.randrange(-1_000, 1_000), 7) for _ in range(count)]
    x = [Fraction(place) for place in range(len(values))]
    line = thinned(x, values, most)
    assert len(line.x) <= max(most, len(values) if len(values) <= most else most + 4)
    assert (min(line.y), max(line.y)) == (min(values), max(values))
    assert (line.x[0], line.x[-1]) == (x[0], x[-1])
    assert list(line.x) == sorted(line.x)
    assert all(values[int(place)] == value for place, value in zip(line.x, line.y, strict=True))


@given(least=numbers, most=numbers)
def test_ticks_are_round_few_and_within(least: Fraction, most: Fraction) -> None:
    least, most = sorted((least, most))
    ticks = svg.nice_ticks(least, most)
    if least == most:
        assert ticks == [least]
        return
    assert 2 <= len(ticks) <= 8
    assert all(least <= tick <= most for tick in ticks)
    gaps = {after - before for before, after in pairwise(ticks)}
    assert len(gaps) == 1
    assert re.fullmatch(r"[125]0*", str(gaps.pop() * 10**12))


@given(series=st.lists(st.tuples(figures, figures), min_size=1, max_size=6))
def test_both_draw_any_curve_as_a_picture_of_their_own(series: list[tuple[str, str]]) -> None:
    xs, ys = zip(*series, strict=True)
    for figure in figures_of([Series("a", "min", "mL/h", xs, ys, lo=ys)]):
        ET.fromstring(svg.svg_of(figure))


def test_our_own_picture_keeps_limits_off_its_frame_and_labels_apart() -> None:
    (figure,) = figures_of([Series("flow", "min", "nL per day", ("0", "60", "120"), ("0", "2800000", "0"), hi=("2800000",) * 3)])
    picture = ET.fromstring(svg.svg_of(figure))
    limit = next(one for one in picture.iter("polyline") if one.get("class") == "limit")
    heights = {float(pair.split(",")[1]) for pair in limit.attrib["points"].split()}
    assert min(heights) > svg.TOP + 5
    longest = max(len(one.text or "") for one in picture.iter("text") if one.get("text-anchor") == "end")
    assert longest == len("2,500,000")
    assert svg.LEFT - 8 - longest * 8 > 24, "the unit, written upwards at 16, has no room"


@pytest.mark.parametrize("number", range(2))
def test_matplotlib_draws_in_the_colours_of_the_page_and_points_nowhere(number: int) -> None:
    picture = plotted.svg_of(figures_of(trumpet())[number], "f1")
    ET.fromstring(picture)
    assert picture == plotted.svg_of(figures_of(trumpet())[number], "f1")
    assert not re.search(r"#[0-9a-f]{6}\b", picture)
    assert "var(--curve)" in picture
    assert "http" not in picture
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', picture)) <= set(re.findall(r'\bid="([^"]+)"', picture))
    assert all(name.startswith("f1-") for name in re.findall(r'\bid="([^"]+)"', picture))


def test_a_name_with_dollar_signs_is_no_formula() -> None:
    (figure,) = figures_of([Series("cost $x^{", "$_{", "漢字 $", ("1", "2"), ("3", "4"))])
    assert "$_{" in plotted.svg_of(figure, "p")


def test_figures_too_large_for_binary_floats_are_drawn_by_our_own() -> None:
    (figure,) = figures_of([Series("far", "ms", "nL", ("1", str(LARGEST)), ("0", "9" * 399))])
    assert "<polyline" in figure.svg("p")
    (near,) = figures_of([Series("near", "ms", "nL", ("1", "2"), ("0", "9"))])
    assert "<polyline" not in near.svg("p")
