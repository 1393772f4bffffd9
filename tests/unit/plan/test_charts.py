"""Charts and screens of a plan: right heights, numbers on the axes, 80 plain columns, the words of ISMP."""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction
from functools import cache
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.plan import DISCLAIMER, Plan, convert, taper, titrate
from itbpump.plan.chart import TICKS, Series, plan_series, svg_chart, text_chart
from itbpump.plan.csf import CsfCourse, simulate
from itbpump.plan.views import plan_json, plan_lines
from itbpump.quantity import Concentration, MassRate, Volume
from tests.unit.plan.presents import AS_OF, continuous, example, present

END = AS_OF + timedelta(days=8)


def series(*values: tuple[int, int | Fraction]) -> Series:
    """(day, value) pairs over eight days."""
    return Series("Dose", "mcg per day", tuple((AS_OF + timedelta(days=day), Fraction(value)) for day, value in values), AS_OF, END)


@cache
def plans() -> dict[str, Plan]:
    return {
        "titrate": titrate(example("continuous"), MassRate.parse("300 mcg/day")),
        "taper": taper(example("periodic-bolus")),
        "convert": convert(example("flex-weekday-weekend"), Concentration.parse("500 mcg/mL"), Volume.parse("38 mL")),
        "stop": taper(present(continuous("13 mcg/day"), profile="V-40", concentration="500 mcg/mL")),
    }


@cache
def course_of(kind: str) -> CsfCourse:
    """What the simulator makes of one: a second or so each."""
    return simulate(plans()[kind])


def test_a_staircase_has_its_heights_and_its_numbers() -> None:
    lines = text_chart(series((0, 200), (4, 400)), width=46, rows=8)
    assert lines[0] == "Dose, mcg per day"
    bars = lines[1:9]
    assert [line.split("+")[0].strip() for line in bars if "+" in line] == ["400", "300", "200", "100"]
    assert all(line[5:25].strip() == "" for line in bars[:4])  # nothing above 200 in the first half
    assert all(line[5:25] == "#" * 20 for line in bars[4:])
    assert all(line[26:46] == "#" * 20 for line in bars)
    assert lines[9] == "  0 +" + "-" * 41
    assert "22 Nov" in lines[10]
    assert lines[10].endswith("30 Nov^")


def test_what_moves_within_a_column_is_shown_as_a_range() -> None:
    points = tuple((AS_OF + timedelta(hours=hour), Fraction(100 if hour % 2 else 20)) for hour in range(192))
    lines = text_chart(Series("CSF", "mcg", points, AS_OF, END), rows=10)
    assert ":" in lines[1]
    assert "#" not in lines[1]
    assert "#" in lines[10]


@given(st.lists(st.integers(0, 3_000_000), min_size=1, max_size=30), st.integers(50, 100), st.integers(4, 12))
def test_any_course_fits_and_never_reaches_over_its_axis(values: list[int], width: int, rows: int) -> None:
    one = series(*((number % 8, Fraction(value, 1000)) for number, value in enumerate(sorted(values))))
    lines = text_chart(one, width, rows)
    assert len(lines) == rows + 3
    assert max(map(len, lines)) <= width
    assert one.tick * TICKS >= max(value for _, value in one.points)
    assert set("".join(lines[1 : rows + 1])) <= set("0123456789.,+|:# ")


def test_a_course_of_nothing_has_an_axis_too() -> None:
    lines = text_chart(series((0, 0)))
    assert not any("#" in line for line in lines)


@pytest.mark.parametrize("kind", ["titrate", "taper", "convert", "stop"])
def test_an_svg_is_one_self_contained_file(kind: str) -> None:
    plan, course = plans()[kind], course_of(kind)
    text = svg_chart(plan, course)
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 2
    assert not re.search(r"href|url\(|<script|<image", text)
    words = " ".join(node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text"))
    assert "mcg per day" in words
    assert "not a prediction for a patient" in words
    assert DISCLAIMER in words
    height = float(root.attrib["viewBox"].split()[3])
    for line in root.findall("{http://www.w3.org/2000/svg}polyline"):
        corners = [tuple(map(float, corner.split(","))) for corner in line.attrib["points"].split()]
        assert all(70 <= x <= 840 and 0 <= y <= height for x, y in corners)
        assert [x for x, _ in corners] == sorted(x for x, _ in corners)


@pytest.mark.sr("SR-17")
@pytest.mark.parametrize("kind", ["titrate", "taper", "convert", "stop"])
def test_screens_keep_to_the_words_of_ismp(kind: str) -> None:
    lines = plan_lines(plans()[kind], course_of(kind))
    assert lines.count(DISCLAIMER) == 1
    text = "\n".join(line for line in lines if "source:" not in line)
    assert not re.search(r"\bug\b|µg|mcg/|mL/|\d(mcg|mL|h)\b", text)
    assert not re.search(r"\d\.\d*0(?![\d])(?! ?%)", re.sub(r"\d+:\d\d", "", text))
    assert not re.search(r"(?<![\d.,])\.\d", text)
    assert not re.search(r"\b\d{4,}(?= mcg)", text)
    tables = [
        line for line in lines if not line.startswith(("  ", "Simulated", "Highest", "Reservoir", "Bridge", "Refill", "Without", "A plan"))
    ]
    assert all(len(line) <= 80 for line in tables)


def test_both_charts_have_the_same_span() -> None:
    plan = plans()["taper"]
    doses, amounts = plan_series(plan, course_of("taper"))
    assert (doses.begin, doses.end) == (amounts.begin, amounts.end)
    assert doses.points[0] == (doses.begin, Fraction(plan.present_dose.ng_per_day) / 1000)
    assert doses.points[0][1] > doses.points[-1][1]


def test_json_has_numbers_as_text_and_every_step() -> None:
    plan = plans()["convert"]
    form = plan_json(plan, course_of("convert"))
    assert form["kind"] == "convert"
    assert form["conversion"]["bridge"] == {
        "dose": {"value": "165.428", "unit": "mcg/day"},
        "mass": {"value": "632", "unit": "mcg"},
        "volume": {"value": "0.316", "unit": "mL"},
        "hours": "91.69",
    }
    assert form["conversion"]["mix"]["without_rinse"]["difference_percent"] == "10.66"
    assert [step["verdict"] for step in form["steps"]] == ["ok"]
    assert form["steps"][0]["digest"] == plan.entries[0].review.digest
    assert form["reaches_goal"] is True
    assert not any(isinstance(value, float) for value in leaves(form))


def leaves(form: object) -> list[object]:
    if isinstance(form, dict):
        return [leaf for value in form.values() for leaf in leaves(value)]
    if isinstance(form, list):
        return [leaf for value in form for leaf in leaves(value)]
    return [form]
