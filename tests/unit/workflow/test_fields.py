"""Fields of a form: the unit is the field's, a slip is taught, nothing is converted."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.quantity import Concentration, Duration, Mass, MassRate, TimeOfDay, Volume
from itbpump.workflow.fields import Field, FieldError, Kind, amount_field, choice_field, tick_field

DOSE = amount_field("dose", "Dose", Mass, "Of one bolus.", example="25")
RATE = amount_field("rate", "Rate", MassRate, "A day.")
OVER = Field("over", "Over", Kind.DURATION, "How long.")
MODE = choice_field("mode", "Mode", (("flex", "flex: steps"), ("stopped", "stopped: nothing")), "How.")


@pytest.mark.sr("SR-18")
def test_the_unit_belongs_to_the_field() -> None:
    assert DOSE.read("25") == Mass(25_000)
    assert DOSE.read(" 25 mcg ") == Mass(25_000)
    for text in ("25 mg", "0.025 mg"):
        with pytest.raises(FieldError, match="this field is in mcg"):
            DOSE.read(text)
    with pytest.raises(FieldError, match="a dose is needed"):
        DOSE.read("25 mL")
    with pytest.raises(FieldError, match="this field is in mcg per day"):
        RATE.read("8 mcg/h")


@pytest.mark.sr("SR-16")
@pytest.mark.parametrize("text", [".5", "5.", "1.0", "05", "1,5", "1e2", "1.2.3", "٣", "+5", "-5"])
def test_malformed_numbers_are_taught(text: str) -> None:
    with pytest.raises(FieldError) as caught:
        DOSE.read(text)
    assert caught.value.field == "dose"
    assert caught.value.problem
    assert caught.value.action, "an error that does not say what to do"


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (OVER, "1h30m", Duration(5_400_000)),
        (Field("at", "At", Kind.TIME, ""), "06:00", TimeOfDay(360)),
        (Field("age", "Age", Kind.WHOLE, ""), "46", 46),
        (Field("id", "Id", Kind.ID, ""), "P-0042", "P-0042"),
        (MODE, "flex", "flex"),
        (MODE, "flex: steps", "flex"),
        (tick_field("done", "done", ""), "yes", "yes"),
        (amount_field("c", "C", Concentration, ""), "2000", Concentration(2_000_000)),
        (amount_field("v", "V", Volume, ""), "0.316", Volume(316_000)),
    ],
)
def test_each_kind_reads_what_it_should(field: Field, text: str, value: object) -> None:
    assert field.read(text) == value


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (OVER, "90"),
        (OVER, "1.5h"),
        (Field("at", "At", Kind.TIME, ""), "6:00"),
        (Field("age", "Age", Kind.WHOLE, ""), "046"),
        (Field("age", "Age", Kind.WHOLE, ""), "4.5"),
        (Field("id", "Id", Kind.ID, ""), "two words"),
        (Field("on", "On", Kind.DATE, ""), "12.03.2027"),
        (MODE, "fast"),
        (tick_field("done", "done", ""), "no"),
        (DOSE, ""),
    ],
)
def test_each_kind_refuses_what_it_should(field: Field, text: str) -> None:
    with pytest.raises(FieldError) as caught:
        field.read(text)
    assert caught.value.field == field.id
    assert str(caught.value).count(";") >= 1, "says what to do"


def test_a_field_that_may_be_empty_reads_as_nothing() -> None:
    field = Field("age", "Age", Kind.WHOLE, "", required=False)
    assert field.read("  ") is None
    assert field.canonical("") == ""
    assert field.echo("") == ""


@given(st.integers(1, 9_999_999), st.sampled_from([Mass, Volume, Concentration, MassRate]))
def test_what_is_canonical_reads_back(number: int, kind: type) -> None:
    field = amount_field("x", "X", kind, "")
    text = field.canonical(str(number))
    assert field.read(text) == field.read(str(number))
    assert text.endswith(f" {field.unit}")


@given(st.text(max_size=20))
def test_reading_is_total(text: str) -> None:
    for field in (DOSE, OVER, MODE, Field("age", "Age", Kind.WHOLE, ""), Field("id", "Id", Kind.ID, ""), Field("d", "D", Kind.DATE, "")):
        with contextlib.suppress(FieldError):
            field.read(text)


@pytest.mark.sr("SR-17")
def test_the_echo_is_what_a_screen_says() -> None:
    assert RATE.echo("1250") == "1,250 mcg per day"
    assert DOSE.echo("0.5") == "0.5 mcg"
    assert MODE.echo("flex") == "flex: steps"
