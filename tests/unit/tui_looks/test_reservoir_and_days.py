"""The reservoir's bar and the next 14 days: exact width, marks where they belong, the same figures as elsewhere, nothing cut."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.quantity import Volume, number_text
from itbpump.therapy_view import DAY_NAMES, TherapyView
from itbpump.tui.charts import GAUGE_WIDTH, fortnight, gauge
from tests.unit.cli.ismp import faults
from tests.unit.tui_looks.views import flex_view, periodic_view, views

SUNDAY = date(2026, 11, 22)
ML = 1_000_000


# ------------------------------------------------------------------------------------------------ the reservoir
def test_a_reservoir_as_it_is_drawn() -> None:
    assert gauge(23_456_789, 40 * ML, 6_500_000, 1_500_000, 40) == [
        "[█E████L███████████████░░░░░░░░░░░░░░░░]",
        "23.456789 mL of 40 mL: above L, the low ",
        "alarm at 6.5 mL                         ",
    ]


@pytest.mark.sr("SR-57")
@pytest.mark.parametrize(
    ("volume_nL", "word"),
    [
        (40 * ML + 1, "MORE THAN THE CAPACITY"),
        (6_500_001, "above L, the low alarm at 6.5 mL"),
        (6_500_000, "LOW, at or below L at 6.5 mL"),
        (1_500_001, "LOW, at or below L at 6.5 mL"),
        (1_500_000, "EMPTY, at or below E at 1.5 mL"),
        (0, "EMPTY, at or below E at 1.5 mL"),
    ],
)
def test_the_state_of_the_reservoir_is_a_word(volume_nL: int, word: str) -> None:
    assert gauge(volume_nL, 40 * ML, 6_500_000, 1_500_000, 80)[1].rstrip().endswith(f"of 40 mL: {word}")


@given(
    st.integers(0, 50 * ML),
    st.sampled_from([20 * ML, 40 * ML]),
    st.integers(0, 10 * ML),
    st.integers(0, 5 * ML),
    st.integers(GAUGE_WIDTH, 140),
    st.booleans(),
)
def test_any_reservoir_fits_and_never_shows_more_than_there_is(
    volume: int, capacity: int, low: int, empty: int, width: int, plain: bool
) -> None:
    lines = gauge(volume, capacity, low, empty, width, ascii=plain)
    assert {len(line) for line in lines} == {width}
    assert len(lines) >= 2
    assert not list(faults("\n".join(lines)))
    assert not plain or "".join(lines).isascii()
    words = " ".join(line.strip() for line in lines[1:])
    assert words.startswith(f"{Volume(volume)} of {Volume(capacity)}: ")
    bar, cells = lines[0][1:-1], width - 2
    full = "#" if plain else "█"
    assert bar.rfind(full) < min(cells, volume * cells // capacity)
    assert bar.find(" " if plain else "░") in (-1, *range(volume * cells // capacity, cells))
    if low:
        assert bar[low * cells // capacity] == "L"
    if empty and empty * cells // capacity != low * cells // capacity:
        assert bar[empty * cells // capacity] == "E"


@pytest.mark.parametrize("wrong", [(-1, 40, 6, 1, 40), (1, 0, 6, 1, 40), (1, 40, -6, 1, 40), (1, 40, 6, 1, 23)])
def test_a_reservoir_that_is_none_is_refused(wrong: tuple[int, int, int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"capacity|columns"):
        gauge(*wrong)


# ------------------------------------------------------------------------------------------------ fourteen days
@pytest.mark.sr("SR-17")
def test_two_weeks_as_they_are_drawn() -> None:
    lines = fortnight(flex_view(), SUNDAY, 58, marks={date(2026, 11, 30): "REFILL ALARM", date(2027, 1, 1): "LATER"})
    assert [line.rstrip() for line in lines] == [
        "programmed dose of each day, mcg",
        "Sun     Mon     Tue     Wed     Thu     Fri     Sat",
        "22 Nov  23 Nov  24 Nov  25 Nov  26 Nov  27 Nov  28 Nov",
        "144     174     174     174     174     174     144",
        "Sun     Mon     Tue     Wed     Thu     Fri     Sat",
        "29 Nov  30 Nov  1 Dec   2 Dec   3 Dec   4 Dec   5 Dec",
        "144     174     174     174     174     174     144",
        "        REFILL",
        "        ALARM",
    ]


def test_the_widest_form_that_fits_is_taken() -> None:
    heights = {width: len(fortnight(flex_view(), SUNDAY, width)) for width in (132, 100, 80, 58, 40)}
    assert heights == {132: 4, 100: 4, 80: 5, 58: 7, 40: 15}
    assert len(fortnight(flex_view(), SUNDAY, 132, per_row=1)) == 15
    for width, per_row in ((80, 14), (40, 7), (18, None)):
        with pytest.raises(ValueError, match="do not hold the days"):
            fortnight(flex_view(), SUNDAY, width, per_row=per_row)  # type: ignore[arg-type]  # as listed


def test_a_list_says_date_dose_and_word_on_one_line() -> None:
    lines = fortnight(flex_view(), SUNDAY, 40, marks={date(2026, 12, 1): "REFILL"})
    assert lines[10].rstrip() == "Tue  1 Dec  174 mcg  REFILL"


def test_a_therapy_without_weekdays_has_its_mean_day() -> None:
    lines = fortnight(periodic_view(), SUNDAY, 80)
    assert lines[0].rstrip() == "mean day, mcg"
    assert set(lines[2].split()) == {number_text(Fraction(periodic_view().mean_day.ng_per_day) / 1_000)}


@pytest.mark.sr("SR-17")
@given(views, st.dates(date(2026, 1, 1), date(2040, 1, 1)), st.integers(36, 180), st.sets(st.integers(0, 20), max_size=3))
def test_any_two_weeks_fit_and_have_the_doses_of_their_weekdays(therapy: TherapyView, first: date, width: int, marked: set[int]) -> None:
    lines = fortnight(therapy, first, width, marks={first + timedelta(days=shift): "REFILL" for shift in marked})
    text = "\n".join(lines)
    assert {len(line) for line in lines} == {width}
    assert text.isascii()
    assert not list(faults(text))
    assert text.count("REFILL") == sum(shift < 14 for shift in marked)
    doses = [number_text(Fraction(dose.ng_per_day) / 1_000, thousands=True) for dose in therapy.day_doses]
    shown = [first + timedelta(days=shift) for shift in range(14)]
    names = [word for line in lines for word in line.split() if word in DAY_NAMES]
    assert names == [DAY_NAMES[day.weekday()] for day in shown]
    words = text.replace("mcg", " ").split()
    for day in shown:
        assert words.count(doses[day.weekday()]) >= sum(doses[other.weekday()] == doses[day.weekday()] for other in shown)
