"""What a day was to be expected: the range by hand from the present, the start limit or the library, and both sides of each edge."""

from __future__ import annotations

from dataclasses import replace as changed
from fractions import Fraction
from typing import Any

import pytest

from itbpump.configuration import wire_configuration
from itbpump.drugs import DrugLibrary, load_library
from itbpump.present import PresentPump
from itbpump.profiles import load_profile
from itbpump.profiles.slips import load_slips
from itbpump.quantity import MassRate
from itbpump.safety.context import Context
from itbpump.safety.expected import Expected, expected_day, screening_limit, start_limit
from itbpump.safety.review import _context
from itbpump.therapy import Prescription
from itbpump.wire.messages import RunState
from tests.unit.safety.test_review import STOPPED, pump
from tests.unit.therapy.prescriptions import continuous, flex, prescription, rate

P40 = load_profile("P-40")
SLIPS = load_slips()  # far 3 times, near 2 times, changed 4 times
SCREENED: dict[str, Any] = {"screening": {"dose": "60 mcg", "effect": "5h"}}
PAIN: dict[str, Any] = {"drug": {"name": "morphine", "concentration": "10000 mcg/mL"}, "patient": {"indication": "pain"}}
BAND = Expected(Fraction(100), Fraction(900), (Fraction(50), Fraction(600)), (Fraction(150), Fraction(700)), 4, "the range")


def context(rx: Prescription, current: Prescription | PresentPump | None = None, library: DrugLibrary | None = None) -> Context:
    return _context(rx, current, P40, library if library is not None else load_library(rx.drug.name), None, None)


def expected(rx: Prescription, current: Prescription | PresentPump | None = None) -> Expected:
    return expected_day(context(rx, current), SLIPS)


def ranges(found: Expected) -> dict[str, tuple[Fraction, Fraction]]:
    return {"near": (found.low, found.high), "explains high": found.explains_high, "explains low": found.explains_low}


def span(low: Fraction | int, high: int) -> tuple[Fraction, Fraction]:
    return Fraction(low), Fraction(high)


# ------------------------------------------------------------------------------------------------ far and explained
@pytest.mark.parametrize(("day", "is_far"), [(0, False), (1, True), (99, True), (100, False), (900, False), (901, True)])
def test_a_day_is_far_outside_the_range(day: int, is_far: bool) -> None:
    assert BAND.is_far(day) is is_far


@pytest.mark.parametrize(
    ("day", "other", "is_explained"),
    [
        (500, 100, False),  # not far
        (2_400, 600, True),  # four times, and the top of what explains
        (2_400, 601, False),
        (2_404, 601, False),
        (2_399, 600, False),  # less than four times
        (2_400, 50, True),
        (2_400, 49, False),
        (2_400, 0, False),
        (20, 150, True),
        (20, 149, False),
        (20, 700, True),
        (20, 701, False),
        (38, 150, False),  # less than four times
        (99, 396, True),
        (99, 395, False),
    ],
)
def test_another_reading_explains_a_day_that_is_far(day: int, other: int, is_explained: bool) -> None:
    assert BAND.is_explained(day, other) is is_explained


def test_a_reading_of_nothing_explains_nothing() -> None:
    from_nothing = changed(BAND, explains_high=(Fraction(0), Fraction(600)))
    assert not from_nothing.is_explained(2_400, 0)
    assert from_nothing.is_explained(2_400, 1)


# ------------------------------------------------------------------------------------------------ what rests on the patient
def test_beside_the_present_a_third_to_three_times_is_near() -> None:
    weekend = prescription(flex(rate("00:00", "12.5 mcg/h"), days=("sat", "sun")))  # 300 mcg, 100 mcg on the other days
    found = expected(prescription(), weekend)
    assert ranges(found)["near"] == span(Fraction(100_000, 3), 900_000)
    assert ranges(found)["explains high"] == span(Fraction(100_000, 3), 600_000)
    assert ranges(found)["explains low"] == span(50_000, 600_000)
    assert (found.change_times, found.text) == (4, "the present 100 mcg per day to 300 mcg per day")
    assert expected(prescription(), prescription(continuous("150 mcg/day"))).text == "the present 150 mcg per day"


def test_days_without_a_dose_and_therapies_that_give_none_say_nothing() -> None:
    weekdays = {"days": ["mon", "tue", "wed", "thu", "fri"], "steps": [{"at": "00:00", "rate": "0 mcg/day"}]}
    weekend = {"days": ["sat", "sun"], "steps": [{"at": "00:00", "rate": "150 mcg/day"}]}
    assert expected(prescription(), prescription({"mode": "flex", "pattern": [weekdays, weekend]})).text == "the present 150 mcg per day"
    assert expected(prescription(), prescription(continuous("0 mcg/day"))).text == "the start limit of 200 mcg per day"
    stopped = pump(wire_configuration(prescription(), P40), run_state=RunState.STOPPED)
    for untreated in (pump(None), prescription(STOPPED), stopped):
        assert expected(prescription(), untreated).text == "the start limit of 200 mcg per day"
    pain = prescription(continuous("500 mcg/day"), **PAIN)
    assert expected(pain, prescription()).text == "the start limit of 1,000 mcg per day"  # of another drug


def test_at_a_start_the_limit_and_the_screening_dose_make_the_range() -> None:
    found = expected(prescription(**SCREENED), prescription(STOPPED))  # twice 60 mcg
    assert ranges(found)["near"] == span(20_000, 360_000)
    assert ranges(found)["explains high"] == span(20_000, 240_000)
    assert ranges(found)["explains low"] == span(30_000, 240_000)
    assert found.text == "the start limit of 120 mcg per day"
    # a long effect makes the limit the dose itself
    once = expected(prescription(screening={"dose": "60 mcg", "effect": "9h"}), prescription(STOPPED))
    assert ranges(once)["near"] == span(20_000, 180_000)
    assert once.text == "the start limit of 60 mcg per day"
    present = expected(prescription(**SCREENED), prescription())
    assert present.text == "the present 200 mcg per day"


def test_a_drug_with_an_absolute_start_limit_needs_no_screening() -> None:
    found = expected(prescription(continuous("500 mcg/day"), **PAIN), prescription(STOPPED))
    assert ranges(found)["near"] == span(Fraction(1_000_000, 3), 3_000_000)
    assert found.text == "the start limit of 1,000 mcg per day"
    # the screening dose, where it is less, opens the range downwards
    screened = expected(
        prescription(continuous("500 mcg/day"), screening={"dose": "300 mcg", "effect": "5h"}, **PAIN), prescription(STOPPED)
    )
    assert ranges(screened)["near"] == span(100_000, 3_000_000)
    larger = expected(
        prescription(continuous("500 mcg/day"), screening={"dose": "1500 mcg", "effect": "5h"}, **PAIN), prescription(STOPPED)
    )
    assert larger.low == Fraction(1_000_000, 3)


# ------------------------------------------------------------------------------------------------ the limits of a start
def test_a_start_limit_holds_for_a_pump_known_not_to_treat() -> None:
    rx = prescription(**SCREENED)
    limit = MassRate(120_000)
    assert start_limit(context(rx)) is None
    assert start_limit(context(rx, prescription())) is None
    assert start_limit(context(rx, prescription(STOPPED))) == limit
    assert start_limit(context(rx, pump(None))) == limit
    assert start_limit(context(prescription(), pump(None))) == MassRate(200_000)  # twice the largest screening dose
    assert start_limit(context(prescription(screening={"dose": "0 mcg", "effect": "5h"}), pump(None))) is None
    pain = prescription(continuous("500 mcg/day"), **PAIN)
    assert start_limit(context(pain, pump(None))) == MassRate(1_000_000)
    assert start_limit(context(pain, prescription())) == MassRate(1_000_000)  # another drug is treating
    without = changed(load_library("morphine"), start_absolute_soft=None)
    assert start_limit(context(pain, pump(None), without)) is None


@pytest.mark.parametrize(("effect", "mcg", "factor"), [("8h", 120, 2), ("8h1m", 60, 1), ("5h", 120, 2)])
def test_an_effect_of_more_than_8_hours_halves_the_start(effect: str, mcg: int, factor: int) -> None:
    found = screening_limit(context(prescription(screening={"dose": "60 mcg", "effect": effect})))
    assert found is not None
    assert (found[0], found[1].value) == (MassRate(mcg * 1_000), factor)


def test_without_a_screening_the_largest_dose_of_the_library_limits() -> None:
    found = screening_limit(context(prescription()))
    assert found is not None
    assert (found[0], found[1].value) == (MassRate(200_000), 2)


def test_a_drug_without_screening_factors_has_no_screening_limit() -> None:
    assert screening_limit(context(prescription(continuous("500 mcg/day"), **SCREENED, **PAIN))) is None
    baclofen = load_library("baclofen")
    parts: tuple[dict[str, Any], ...] = ({"start_factor": None}, {"start_long_effect": None}, {"start_long_factor": None})
    for missing in parts:
        partial = changed(baclofen, **missing)
        assert screening_limit(context(prescription(**SCREENED), None, partial)) is None


# ------------------------------------------------------------------------------------------------ the usual range
def test_alone_the_library_makes_the_range() -> None:
    found = expected(prescription())  # spinal: usual 300 to 800, from 12 on nothing is asked
    assert ranges(found)["near"] == span(100_000, 800_000)
    assert ranges(found)["explains high"] == span(12_000, 800_000)
    assert ranges(found)["explains low"] == span(100_000, 800_000)
    assert (found.change_times, found.text) == (4, "the usual 300 mcg per day to 800 mcg per day")


def test_a_child_has_the_widest_of_its_limits() -> None:
    found = expected(prescription(patient={"indication": "cerebral", "age_years": 8}))  # 90 to 703, from 22; a child 24 to 274, from 24
    assert ranges(found)["near"] == span(8_000, 703_000)
    assert ranges(found)["explains high"] == span(22_000, 703_000)
    assert ranges(found)["explains low"] == span(8_000, 703_000)
    assert found.text == "the usual 24 mcg per day to 703 mcg per day"
    of_age = expected(prescription(patient={"indication": "cerebral", "age_years": 12}))
    assert of_age.text == "the usual 90 mcg per day to 703 mcg per day"


def test_a_smaller_screening_dose_opens_the_usual_range_downwards() -> None:
    found = expected(prescription(**SCREENED))
    assert ranges(found)["near"] == span(20_000, 800_000)
    assert ranges(found)["explains low"] == span(20_000, 800_000)
    assert ranges(found)["explains high"] == span(12_000, 800_000)
    assert expected(prescription(screening={"dose": "0 mcg", "effect": "5h"})).low == 100_000
    assert expected(prescription(continuous("500 mcg/day"), screening={"dose": "9000 mcg", "effect": "5h"}, **PAIN)).low == Fraction(
        1_000_000, 3
    )
