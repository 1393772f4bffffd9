"""Drawings of the day: exact size, right heights and places, the numbers of ISMP, and the same rates as the table of steps."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from itbpump.therapy_view import TherapyView
from itbpump.tui.charts import MIN_HEIGHT, MIN_WIDTH, compare_chart, rate_chart
from itbpump.tui.daygrid import changed_days, day_pieces
from itbpump.wire.messages import Mode
from tests.unit.cli.ismp import faults
from tests.unit.therapy.prescriptions import bolus, flex, prescription, rate
from tests.unit.tui_looks.views import flex_view, more_view, periodic_view, rate_by_the_table, stopped_view, view, views

PARTS = " ▁▂▃▄▅▆▇█"
widths = st.integers(MIN_WIDTH, 150)
heights = st.integers(MIN_HEIGHT, 30)
days = st.integers(0, 6)
minutes = st.integers(0, 1_439)


def keeps_to_ismp(lines: list[str]) -> bool:
    text = "\n".join(lines)
    return not list(faults(text)) and not re.search(r"\.\d*0\b|/day|/h\b|(?<![\d.])\d{4}", text)


def grid(lines: list[str]) -> list[str]:
    """Cells of a chart, the uppermost row first, behind its margin."""
    margin = next(at for at, sign in enumerate(lines[-2]) if sign in "└+") + 1
    return [line[margin:] for line in lines[2:-2]]


def floor(lines: list[str]) -> str:
    """The axis below them."""
    return lines[-2][-len(grid(lines)[0]) :]


def inside_one_piece(therapy: TherapyView, weekday: int, column: int, columns: int) -> bool:
    """Every minute that the chart puts into the column is of one piece."""
    first, last = -(-column * 1_440 // columns), ((column + 1) * 1_440 - 1) // columns
    return any(
        piece.start_min * columns <= column * 1_440
        and piece.start_min <= first
        and last < piece.end_min
        and (column + 1) * 1_440 <= piece.end_min * columns
        for piece in day_pieces(therapy, weekday)
    )


# ------------------------------------------------------------------------------------------------ one drawing, to be read
@pytest.mark.sr("SR-17")
def test_a_day_as_it_is_drawn() -> None:
    assert rate_chart(flex_view(), 0, 603, 58, 9) == [
        "Mon, mcg per hour  ▲ now 10:03  ▼ bolus                   ",
        "                ▼                                         ",
        "40│             ▒▒▒▒      ┊                               ",
        "  │             ▒▒▒▒      ┊                               ",
        "  │             ▒▒▒▒      ┊                               ",
        "  │             ▒▒▒▒      ┊                               ",
        "  │▆▆▆▆▆▆▆▆▆▆▆▆▆▒▒▒▒▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▅▅▅▅▅▅▅▅▅",
        " 0└┴────────┴────────┴────▲───┴────────┴────────┴─────────",
        "   00:00    04:00    08:00    12:00    16:00    20:00     ",
    ]


def test_a_day_of_plain_characters() -> None:
    assert rate_chart(flex_view(), 5, 0, 40, 6, ascii=True, per="day") == [
        "Sat, mcg per day  ^ now 00:00           ",
        "                                        ",
        "144|####################################",
        "   |####################################",
        "  0+^--------+--------+--------+--------",
        "    00:00    06:00    12:00    18:00    ",
    ]


def test_a_periodic_therapy_is_drawn_from_a_bolus_on_and_knows_no_now() -> None:
    lines = rate_chart(periodic_view(), 3, 603, 58, 7)
    assert lines[0].rstrip() == "from a bolus on, mcg per hour  ▼ bolus"
    assert [at for at, sign in enumerate(lines[1]) if sign == "▼"] == [3, 16, 30, 44]
    assert "▲" not in "".join(lines)
    assert "0 h" in lines[-1]
    assert ":" not in lines[-1]


def test_no_rate_is_said_in_words() -> None:
    assert "nothing is given" in "".join(rate_chart(stopped_view(), 0, None, 40, 7))
    assert "nothing is given" in "".join(compare_chart(stopped_view(), stopped_view(), 0, 60, 7))
    assert "nothing is given" not in "".join(rate_chart(flex_view(), 0, None, 40, 7))


@pytest.mark.parametrize(("name", "weekday"), [("mon", 0), ("sun", 6)])
def test_a_bolus_that_goes_on_over_midnight_is_drawn_and_begins_once(name: str, weekday: int) -> None:
    therapy = view(prescription(flex(rate("00:00", "6 mcg/h"), bolus("23:30", "40 mcg", "1h"), days=(name,))))
    evening, morning = (rate_chart(therapy, day, None, 80, 8) for day in (weekday, (weekday + 1) % 7))
    assert (evening[1].count("▼"), morning[1].count("▼")) == (1, 0)
    assert grid(morning)[0][0] == "▒"


def test_a_small_rate_beside_a_large_bolus_is_not_hidden() -> None:
    therapy = view(prescription(flex(rate("00:00", "0.25 mcg/h"), bolus("06:00", "100 mcg", "1h"))))
    assert grid(rate_chart(therapy, 0, None, 60, 6))[-1][0] == "▁"
    assert grid(rate_chart(therapy, 0, None, 60, 6, ascii=True))[-1][0] == "#"


@pytest.mark.parametrize(("width", "height", "now"), [(29, 9, None), (60, 4, None), (60, 9, 1_440), (60, 9, -1)])
def test_what_cannot_be_read_is_refused(width: int, height: int, now: int | None) -> None:
    with pytest.raises(ValueError, match=r"at least|0 to 1439"):
        rate_chart(flex_view(), 0, now, width, height)


# ------------------------------------------------------------------------------------------------ any therapy
@pytest.mark.sr("SR-17")
@given(views, days, st.none() | minutes, widths, heights, st.booleans(), st.sampled_from([None, "hour", "day"]))
def test_any_day_fits_keeps_to_ismp_and_reaches_the_top(
    therapy: TherapyView, weekday: int, now: int | None, width: int, height: int, plain: bool, per: str | None
) -> None:
    lines = rate_chart(therapy, weekday, now, width, height, ascii=plain, per=per)  # type: ignore[arg-type]  # as sampled
    assert len(lines) == height
    assert {len(line) for line in lines} == {width}
    assert keeps_to_ismp(lines)
    assert not plain or "".join(lines).isascii()
    pieces = day_pieces(therapy, weekday)
    largest = max(pieces, key=lambda piece: piece.ng_per_day)
    if largest.ng_per_day:
        columns = len(grid(lines)[0])
        assert grid(lines)[0][largest.start_min * columns // 1_440] in "█▒#B"


@given(views, days, minutes, widths, heights, st.booleans())
def test_now_is_marked_in_its_column(therapy: TherapyView, weekday: int, now: int, width: int, height: int, plain: bool) -> None:
    lines = rate_chart(therapy, weekday, now, width, height, ascii=plain)
    marks = [at for at, sign in enumerate(floor(lines)) if sign in "▲^"]
    columns = len(floor(lines))
    assert marks == ([] if therapy.mode is Mode.PERIODIC_BOLUS else [now * columns // 1_440])
    for row in grid(lines):
        assert [at for at, sign in enumerate(row) if sign in "┊:"] in ([], marks)


@given(views, days, st.lists(minutes, min_size=1, max_size=20))
def test_the_pieces_of_a_day_are_those_of_the_table(therapy: TherapyView, weekday: int, sample: list[int]) -> None:
    pieces = day_pieces(therapy, weekday)
    assert [piece.start_min for piece in pieces] == [0, *(piece.end_min for piece in pieces[:-1])]
    assert pieces[-1].end_min == 1_440
    for minute in sample:
        drawn = next(piece.ng_per_day for piece in pieces if piece.start_min <= minute < piece.end_min)
        assert drawn == rate_by_the_table(therapy, weekday, minute)


@given(views, days, widths, heights, st.booleans(), st.lists(minutes, min_size=1, max_size=10))
def test_chart_and_table_agree(therapy: TherapyView, weekday: int, width: int, height: int, plain: bool, sample: list[int]) -> None:
    cells = grid(rate_chart(therapy, weekday, None, width, height, ascii=plain))
    columns, rows = len(cells[0]), len(cells)
    top = max(piece.ng_per_day for piece in day_pieces(therapy, weekday))
    for minute in sample:
        column = minute * columns // 1_440
        if top == 0 or not inside_one_piece(therapy, weekday, column, columns):
            continue
        stack = "".join(row[column] for row in cells)
        expected = rate_by_the_table(therapy, weekday, minute) * rows / top
        if plain or "▒" in stack:
            assert sum(sign in "#B▒" for sign in stack) == (max(1, round(expected)) if expected else 0)
        else:
            assert sum(PARTS.index(sign) for sign in stack) == (max(1, round(expected * 8)) if expected else 0)


@given(views, days, widths)
def test_every_bolus_has_its_sign_where_it_begins(therapy: TherapyView, weekday: int, width: int) -> None:
    lines = rate_chart(therapy, weekday, None, width, 7)
    columns, margin = len(floor(lines)), width - len(floor(lines))
    if therapy.mode is Mode.PERIODIC_BOLUS:
        assert therapy.periodic is not None
        assert therapy.periodic.every is not None
        begins = list(range(0, 1_440, therapy.periodic.every.minutes))
    else:
        begins = [step.at.minute for step in therapy.days[weekday] if step.dose is not None]
    assert {at for at, sign in enumerate(lines[1]) if sign == "▼"} == {margin + minute * columns // 1_440 for minute in begins}


# ------------------------------------------------------------------------------------------------ old beside new
@pytest.mark.sr("SR-09")
def test_old_and_new_as_they_are_drawn() -> None:
    assert compare_chart(flex_view(), more_view(), 0, 70, 7) == [
        "Mon: old 174 mcg, new 184.4 mcg                                       ",
        "mcg per hour:  █ both  + new only (more)  - old only (less)  * differs",
        "50│                ++++                                               ",
        "  │                ████                                               ",
        "  │███████████████████████████████████████████████████████████████████",
        " 0└┴───────┴───────****─────┴───────┴───────┴────────┴────************",
        "   00:00   03:00   06:00    09:00   12:00   15:00    18:00   21:00    ",
    ]


def test_a_lower_dose_has_the_sign_of_less_and_other_signs_than_a_higher_one() -> None:
    fewer = compare_chart(more_view(), flex_view(), 0, 90, 9, ascii=True)
    assert "- old only (less)" in fewer[1]
    assert "-" in "".join(grid(fewer))
    assert "+" not in "".join(grid(fewer))


def test_without_an_old_therapy_the_new_one_is_drawn() -> None:
    assert compare_chart(None, flex_view(), 0, 60, 8) == rate_chart(flex_view(), 0, None, 60, 8)


def test_a_periodic_therapy_beside_another_says_where_it_begins() -> None:
    lines = compare_chart(flex_view(), periodic_view(), 0, 80, 8)
    assert lines[0].rstrip().endswith("; new from a bolus on")
    assert "00:00" not in lines[-1]


def test_a_comparison_whose_doses_would_be_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 46 columns at least"):
        compare_chart(flex_view(), more_view(), 0, 45, 8)
    assert len(compare_chart(flex_view(), more_view(), 0, 46, 8)) == 8


@pytest.mark.sr("SR-09")
@given(views, views, days, st.integers(80, 150), heights, st.booleans())
def test_any_comparison_fits_and_marks_exactly_what_differs(
    old: TherapyView, new: TherapyView, weekday: int, width: int, height: int, plain: bool
) -> None:
    lines = compare_chart(old, new, weekday, width, height, ascii=plain)
    assert len(lines) == height
    assert {len(line) for line in lines} == {width}
    assert keeps_to_ismp(lines)
    assert not plain or "".join(lines).isascii()
    columns = len(floor(lines))
    differ = {minute for minute in range(1_440) if rate_by_the_table(old, weekday, minute) != rate_by_the_table(new, weekday, minute)}
    expected = {column for minute in differ for column in range(minute * columns // 1_440, ((minute + 1) * columns - 1) // 1_440 + 1)}
    assert {at for at, sign in enumerate(floor(lines)) if sign == "*"} == expected
    assert (weekday in changed_days(old, new)) == bool(differ)
    if not differ:
        assert not set("".join(grid(lines))) & {"+", "-"}


@given(views, views, days)
def test_more_and_less_stand_where_new_gives_more_and_less(old: TherapyView, new: TherapyView, weekday: int) -> None:
    lines = compare_chart(old, new, weekday, 120, 16)
    cells = grid(lines)
    assume("nothing is given" not in lines[2])
    columns = len(cells[0])
    for column in range(columns):
        stack = "".join(row[column] for row in cells)
        if all(inside_one_piece(therapy, weekday, column, columns) for therapy in (old, new)):
            minute = -(-column * 1_440 // columns)
            change = rate_by_the_table(new, weekday, minute) - rate_by_the_table(old, weekday, minute)
            assert "+" not in stack or change > 0
            assert "-" not in stack or change < 0
        assert re.fullmatch(r" *(\+*|-*)█*", stack)


def test_the_changed_days_are_told() -> None:
    assert changed_days(flex_view(), flex_view()) == ()
    weekend = view(prescription(flex(rate("00:00", "6 mcg/h"), rate("12:00", "7 mcg/h"))))
    same = view(prescription(flex(rate("00:00", "6 mcg/h"), rate("12:00", "7 mcg/h"), days=("sat", "sun"))))
    assert changed_days(weekend, same) == (0, 1, 2, 3, 4)
    split = view(prescription(flex(rate("00:00", "6 mcg/h"), rate("09:00", "6 mcg/h"), rate("12:00", "7 mcg/h"))))
    assert changed_days(weekend, split) == ()


def test_rates_are_exact() -> None:
    assert day_pieces(flex_view(), 0)[1].ng_per_day == Fraction(960_000)
