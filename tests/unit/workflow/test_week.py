"""Weeks while they are edited: text and back, copy and paste of days, and the same patterns as a prescription file gives."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.therapy import load_prescription, prescription_json
from itbpump.workflow.week import DraftStep, Week, WeekError

EXAMPLES = Path(__file__).parents[3] / "examples"
STEPS = st.builds(
    lambda hour, minute, dose, over: DraftStep(f"{hour:02d}:{minute:02d}", f"{dose} mcg" if over else f"{dose} mcg/h", over),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(1, 99),
    st.sampled_from(["", "30m", "1h"]),
)


def _week(days: list[list[DraftStep]]) -> Week:
    week = Week()
    for day, steps in enumerate(days):
        for step in steps:
            week = week.put((day,), step)
    return week


WEEKS = st.lists(st.lists(STEPS, max_size=4), min_size=7, max_size=7).map(_week)


@given(WEEKS)
def test_text_reads_back_to_the_same_week(week: Week) -> None:
    assert Week.parse(week.text()) == week


@given(WEEKS, st.integers(0, 6), st.sets(st.integers(0, 6)))
def test_pasting_copies_one_day_and_touches_no_other(week: Week, source: int, targets: set[int]) -> None:
    pasted = week.paste(source, tuple(targets))
    for day in range(7):
        assert pasted.days[day] == (week.days[source] if day in targets else week.days[day])


@given(WEEKS, st.integers(0, 6), STEPS)
def test_a_step_takes_the_place_of_the_one_at_its_time(week: Week, day: int, step: DraftStep) -> None:
    changed = week.put((day,), step)
    assert step in changed.days[day]
    assert sum(other.at == step.at for other in changed.days[day]) == 1
    assert [other.at for other in changed.days[day]] == sorted(other.at for other in changed.days[day])
    assert step.at not in {other.at for other in changed.without((day,), step.at).days[day]}


def test_the_example_is_the_same_as_week_and_as_file() -> None:
    rx = load_prescription(EXAMPLES / "flex-weekday-weekend.toml")
    week = Week.of(rx)
    tables = prescription_json(rx)["therapy"]["pattern"]
    assert [{"days": table["days"], "steps": table["steps"]} for table in tables] == week.tables()
    assert Week.parse(week.text()).tables() == week.tables()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("mon 00:00 8 mcg/h", "names no days"),
        ("mon: 00:00 8 mcg/h\nmon: 00:00 9 mcg/h", "more than one line"),
        ("someday: 00:00 8 mcg/h", "is no day"),
        ("fri-mon: 00:00 8 mcg/h", "runs backwards"),
        ("mon: 8 mcg/h", "HH:MM|time of day|no step"),
        ("mon: 06:00 .5 mcg over 1h", "digit is missing"),
        ("mon: 06:00 40 mcg over 60", "unit|duration"),
        ("mon: 06:00 40 mL over 1h", "a dose is needed"),
    ],
)
def test_what_is_no_week_is_taught(text: str, problem: str) -> None:
    with pytest.raises(WeekError, match=problem) as caught:
        Week.parse(text)
    assert caught.value.action


@given(st.text(max_size=60))
def test_reading_a_week_is_total(text: str) -> None:
    with contextlib.suppress(WeekError):
        Week.parse(text)
