"""Forms in lines: what is offered, taught, taken back; the week; and that no answer slips into another question."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.quantity import Concentration, Mass, MassRate
from itbpump.tui.plain.dialogue import Dialogue, Ended, Left, Streams
from itbpump.tui.plain.forms import Form
from itbpump.tui.plain.weeks import edited, week_lines
from itbpump.workflow.fields import Field, FieldError, Kind, Values, amount_field, choice_field, tick_field
from itbpump.workflow.week import Week, WeekError

MODE = choice_field("mode", "Mode", (("day", "a dose of a day"), ("bolus", "a bolus")), "How.", group="Therapy")
DAY = amount_field("dose", "Dose of a day", MassRate, "All of 24 h.", group="Therapy")
BOLUS = amount_field("dose", "Dose of each bolus", Mass, "Of one.", group="Therapy")
AGE = Field("age", "Age", Kind.WHOLE, "In years.", required=False, initial="46")
STRENGTH = amount_field("concentration", "Concentration", Concentration, "From the vial.")
TICK = tick_field("port", "Needle in the port", "By drawing out.")
WEEK = Field("week", "Week", Kind.WEEK, "Steps.", dose=True)


def form(typed: str, *fields: Field) -> tuple[Form, io.StringIO]:
    def asked(values: Values) -> tuple[Field, ...]:
        return fields or (MODE, DAY if values.get("mode") == "day" else BOLUS)

    out = io.StringIO()
    return Form(Dialogue(Streams(io.StringIO(typed), out), lambda: 0), asked), out


def test_later_questions_hang_on_earlier_answers() -> None:
    filled, out = form("1\n200\n")
    assert dict(filled.fill()) == {"mode": "day", "dose": "200"}
    assert "Dose of a day, mcg per day:" in out.getvalue()
    assert "Dose of a day: 200 mcg per day." in out.getvalue()


@pytest.mark.sr("SR-18")
def test_a_dose_of_a_day_is_never_offered_for_a_bolus() -> None:
    filled, out = form("1\n200\n<\n")
    filled.fields = lambda values: (MODE, DAY if values.get("mode") == "day" else BOLUS, AGE)
    with pytest.raises(Ended):
        filled.fill()
    assert "(= keeps 200 mcg per day)" in out.getvalue()
    filled, out = form("1\n200\n<\n<\n2\n=\n50\n-\n")
    filled.fields = lambda values: (MODE, DAY if values.get("mode") == "day" else BOLUS, AGE)
    assert dict(filled.fill()) == {"mode": "bolus", "dose": "50", "age": ""}
    assert "nothing is offered here" in out.getvalue()


def test_a_step_back_offers_what_was_said_and_the_first_one_leaves() -> None:
    filled, _ = form("1\n<\n=\n300\n")
    assert dict(filled.fill()) == {"mode": "day", "dose": "300"}
    with pytest.raises(Left):
        form("<\n")[0].fill()


def test_an_empty_line_never_stands_for_what_is_offered() -> None:
    filled, out = form("\n=\n", AGE)
    assert filled.fill()["age"] == "46"
    assert out.getvalue().count("NOT TAKEN: an empty line says nothing") == 1


def test_what_may_be_empty_is_left_empty_by_a_dash() -> None:
    assert form("-\n", AGE)[0].fill()["age"] == ""


@pytest.mark.sr("SR-16", "SR-18")
@pytest.mark.parametrize("typed", [".5", "5.", "1.0", "1,5", "05", "1e2", "5 mL", "5 mg", "ten", "", "-5", "="])
def test_a_malformed_number_teaches_and_asks_again(typed: str) -> None:
    filled, out = form(f"{typed}\n25\n", BOLUS)
    assert filled.fill()["dose"] == "25"
    assert out.getvalue().count("NOT TAKEN") == 1
    assert out.getvalue().count("Dose of each bolus, mcg:") == 2


def test_a_concentration_is_never_offered_not_even_ones_own() -> None:
    filled, out = form("2000\n<\n=\n500\n25\n", STRENGTH, BOLUS)
    assert dict(filled.fill()) == {"concentration": "500", "dose": "25"}
    assert "keeps 2" not in out.getvalue()


def test_a_point_of_a_checklist_is_done_by_yes_alone_and_each_time_anew() -> None:
    filled, out = form("y\n1\nyes\n<\n=\nyes\n25\n", TICK, BOLUS)
    assert filled.fill()["port"] == "yes"
    assert out.getvalue().count("NOT TAKEN") == 3


def test_a_choice_is_a_number_or_its_word_and_no_other_number() -> None:
    assert form("0\n3\n7\nbolus\n25\n")[0].fill()["mode"] == "bolus"


def test_an_error_opens_its_field_and_those_after_it() -> None:
    filled, out = form("1\n200\n1\n300\n")
    filled.fill()
    filled.correct(FieldError("mode", "not with this drug", "choose another"))
    assert dict(filled.fill()) == {"mode": "day", "dose": "300"}
    assert "NOT TAKEN: not with this drug. To do: choose another." in out.getvalue()


def test_an_error_of_the_whole_asks_which_answer_shall_change() -> None:
    filled, out = form("1\n200\n2\n=\n")
    filled.fill()
    filled.correct(FieldError("", "does not go together"))
    assert dict(filled.fill()) == {"mode": "day", "dose": "200"}
    assert "  2  Dose of a day: 200 mcg per day" in out.getvalue()


# ------------------------------------------------------------------------------------------------ the week
def test_a_week_is_written_copied_heard_and_done_only_when_whole() -> None:
    lines = "done\nmon-fri: 00:00 8 mcg/h; 06:00 40 mcg over 1h\nshow\ndone\nsat = mon\nsun: 00:00 6 mcg/h\ndone\n"
    filled, out = form(lines, WEEK)
    text = filled.fill()["week"]
    assert Week.parse(text).text() == "mon-sat: 00:00 8 mcg/h; 06:00 40 mcg over 1h\nsun: 00:00 6 mcg/h"
    assert "NOT DONE: no steps yet for Sat, Sun." in out.getvalue()
    assert "    at 06:00 a dose of 40 mcg over 1 h" in out.getvalue()
    assert "    at 00:00 a rate of 6 mcg per hour" in out.getvalue()


@pytest.mark.parametrize(
    "line",
    ["mon", "mon: 6am 5 mcg/h", "mon: 00:00 5.0 mcg/h", "abc: 00:00 5 mcg/h", "sat = mun", "= mon", "mon:", "mon mon: 00:00 5 mcg/h", "="],
)
def test_a_line_that_is_none_changes_nothing(line: str) -> None:
    week = Week.parse("mon: 00:00 5 mcg/h")
    with pytest.raises(WeekError):
        edited(week, line)
    filled, out = form(f"daily: 00:00 5 mcg/h\n{line}\ndone\n", WEEK)
    assert filled.fill()["week"] == "daily: 00:00 5 mcg/h"
    assert out.getvalue().count("NOT TAKEN") == 1


@given(st.text(max_size=60))
def test_any_line_gives_a_week_or_a_documented_error(line: str) -> None:
    week = Week.parse("daily: 00:00 5 mcg/h")
    try:
        found = edited(week, line)
    except WeekError:
        return
    assert all(found.days)
    assert week_lines(found.text())
