"""Parts of the slip rules by themselves: medians of the other steps, shares, and thresholds other than the shipped ones."""

from __future__ import annotations

from dataclasses import replace as changed
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from itbpump.configuration import wire_configuration
from itbpump.drugs import load_library
from itbpump.present import PresentPump
from itbpump.profiles import load_profile
from itbpump.profiles.slips import EntrySlips, load_slips
from itbpump.quantity import Duration, Length, Mass, MassRate, TimeOfDay, Volume, VolumePerLength
from itbpump.safety import review
from itbpump.safety.context import Context
from itbpump.safety.entry_times import duration_hits
from itbpump.safety.review import _context
from itbpump.safety.rules_catheter import _implanted, _inside, _used_since, volume_differs
from itbpump.safety.rules_entry import _is_tenfold, _odd_among, _times
from itbpump.therapy import Prescription
from tests.unit.safety.book_frame_entry import asking
from tests.unit.safety.test_review import pump
from tests.unit.therapy.prescriptions import bolus, continuous, flex, periodic, prescription, rate

P40 = load_profile("P-40")
SLIPS = load_slips()
MONDAY, EVERY_DAY = 0b1, 0b1111111


def context(rx: Prescription, current: Prescription | PresentPump | None = None) -> Context:
    return _context(rx, current, P40, load_library("baclofen"), None, None)


def odd(*mcg_per_h: str, days: int = EVERY_DAY) -> list[tuple[str, str, str, bool, bool]]:
    """Where, typed, the others' median, high, swapped: of rates at 00:00, 01:00 …"""
    steps = [(TimeOfDay(60 * hour), MassRate.parse(f"{amount} mcg/h")) for hour, amount in enumerate(mcg_per_h)]
    return [(step.where, step.typed.text(), step.others.text(), step.is_high, step.is_swapped) for step in _odd_among(days, steps, SLIPS)]


# ------------------------------------------------------------------------------------------------ a step among the others
def test_one_step_has_no_others() -> None:
    assert odd("8") == []
    assert odd() == []


def test_a_high_step_stands_beside_the_upper_median_of_the_others() -> None:
    assert odd("5", "1", "3", "30") == [("every day 03:00", "30 mcg/h", "3 mcg/h", True, False)]  # of 1, 3, 5
    assert odd("5", "40", "1", "3", "4", days=MONDAY) == [("Mon 01:00", "40 mcg/h", "4 mcg/h", True, False)]  # of 1, 3, 4, 5
    assert odd("5", "1", "3", "24") == [("every day 03:00", "24 mcg/h", "3 mcg/h", True, False)]
    assert odd("5", "1", "3", "23.9") == []
    assert odd("5", "31.9", "1", "3", "4") == []
    assert odd("5", "1", "3", "40") == [("every day 03:00", "40 mcg/h", "3 mcg/h", True, True)]  # 1.67 as a day's rate


def test_a_low_step_stands_beside_the_lower_median_of_the_others() -> None:
    assert odd("50", "30", "40", "2") == [("every day 03:00", "2 mcg/h", "40 mcg/h", False, False)]  # of 30, 40, 50
    assert odd("50", "2", "30", "40", "45") == [("every day 01:00", "2 mcg/h", "40 mcg/h", False, False)]  # of 30, 40, 45, 50
    assert odd("50", "5", "30", "40", "45") == [("every day 01:00", "5 mcg/h", "40 mcg/h", False, False)]
    assert odd("50", "5.1", "30", "40", "45") == []


def test_of_two_steps_each_is_odd_beside_the_other() -> None:
    assert odd("1", "8") == [
        ("every day 01:00", "8 mcg/h", "1 mcg/h", True, False),
        ("every day 00:00", "1 mcg/h", "8 mcg/h", False, False),
    ]
    assert odd("1", "7.9") == []


def test_steps_of_nothing_are_others_but_no_slip() -> None:
    assert odd("0", "8", "8") == []
    assert odd("0", "0", "0", "8") == []  # beside nothing everything is many times
    assert odd("0", "1", "1", "8") == [("every day 03:00", "8 mcg/h", "1 mcg/h", True, False)]
    assert odd("0", "0") == []


def test_few_steps_are_a_slip_and_every_second_one_is_a_pattern() -> None:
    assert [where for where, *_ in odd("1", "8", "1", "8", "1", "1")] == ["every day 01:00", "every day 03:00"]
    assert odd("1", "8", "1", "8", "1") == []
    assert [where for where, *_ in odd("8", "1", "8", "1", "8", "8")] == ["every day 01:00", "every day 03:00"]
    assert odd("8", "1", "8", "1", "8") == []


def test_boluses_are_compared_with_boluses() -> None:
    steps = [(TimeOfDay(60), Mass(5_000)), (TimeOfDay(120), Mass(50_000)), (TimeOfDay(180), Mass(5_000))]
    (found,) = _odd_among(EVERY_DAY, steps, SLIPS)
    assert (found.where, found.times_text, found.is_swapped) == ("every day 02:00", "10 times", False)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (Fraction(10), "10 times"),
        (Fraction(1), "1 times"),
        (Fraction(99, 100), "99 % of"),
        (Fraction(106, 1000), "10.6 % of"),
        (Fraction(105, 1000), "a tenth of"),
        (Fraction(95, 1000), "a tenth of"),
        (Fraction(9_495, 100_000), "9.5 % of"),
    ],
)
def test_a_ratio_in_words(ratio: Fraction, text: str) -> None:
    assert _times(ratio) == text


@pytest.mark.parametrize(("larger", "smaller", "is_tenfold"), [(8, 1, True), (7, 1, False), (12, 1, True), (13, 1, False), (0, 0, False)])
def test_ten_times_is_8_to_12_and_a_half_times_of_something(larger: int, smaller: int, is_tenfold: bool) -> None:
    assert _is_tenfold(larger, smaller, SLIPS) is is_tenfold


# ------------------------------------------------------------------------------------------------ thresholds
ASKED = {"dose": "5 mcg", "over": "2h", "lockout": "168h", "max_per_day": 3}
ASKED_SHORT = {**ASKED, "lockout": "6h"}


def times(rx: Prescription, slips: EntrySlips, current: Prescription | None = None) -> list[tuple[str, str]]:
    """Value and limit of what is told of hours and minutes."""
    return [(hit.value, hit.limit) for hit in duration_hits(context(rx, current), slips)]


def with_duration(name: str, amount: str) -> EntrySlips:
    figures: dict[str, Any] = {name: Duration.parse(amount)}
    return changed(SLIPS, **figures)


def test_the_shortest_interval_is_a_figure_of_the_file() -> None:
    half = with_duration("time_every_short", "30m")
    assert times(prescription(periodic("5 mcg", "5m", "30m")), half) == [("30m", "30h")]
    assert times(prescription(periodic("5 mcg", "5m", "31m")), half) == []
    two_hours = with_duration("time_every_short", "2h")  # what is more than 60 min was not typed in minutes
    assert times(prescription(periodic("5 mcg", "5m", "60m")), two_hours) == [("1h", "60h")]
    assert times(prescription(periodic("5 mcg", "5m", "61m")), two_hours) == []


def test_the_longest_bolus_is_a_figure_of_the_file() -> None:
    slow = prescription(periodic("5 mcg", "2h", "12h", "100 mcg/day"))
    assert times(slow, SLIPS) == [("2h", "2m")]
    assert times(slow, with_duration("time_over_long", "3h")) == []
    hour = prescription(periodic("2 mcg", "1h", "12h", "100 mcg/day"))
    assert times(hour, with_duration("time_over_long", "30m")) == [("1h", "1m")]


def test_a_reading_shorter_than_the_pump_can_give_is_none() -> None:
    slow = context(prescription(periodic("5 mcg", "2h", "12h", "100 mcg/day")))
    for least, told in (("2m", 1), ("3m", 0)):
        slower = changed(slow, profile=changed(P40, bolus_min_duration=Duration.parse(least)))
        assert len(list(duration_hits(slower, SLIPS))) == told


def test_a_lockout_is_read_by_what_the_pump_allows() -> None:
    for least, told in (("1h", ["60h"]), ("1h1m", [])):
        asked = context(prescription(asking(lockout="60h")))
        allowed = changed(asked, profile=changed(P40, patient_lockout_min=Duration.parse(least)))
        assert [hit.value for hit in duration_hits(allowed, SLIPS)] == told


def test_every_slip_of_a_therapy_is_told_once_in_its_order() -> None:
    therapy = {**flex(rate("00:00", "8 mcg/h"), bolus("06:00", "10 mcg", "3h"), bolus("18:00", "80 mcg", "8m")), "patient_bolus": ASKED}
    assert times(prescription(therapy), SLIPS) == [("3h", "3m"), ("8m", "8h"), ("2h", "2m"), ("168h", "2h48m")]
    assert times(prescription(periodic("5 mcg", "5m", "30m")), SLIPS) == [("30m", "30h")]


def test_the_patients_bolus_is_read_beside_the_present_one() -> None:
    now = prescription(continuous("200 mcg/day", patient_bolus={**ASKED_SHORT, "over": "1m"}))
    typed = prescription(continuous("200 mcg/day", patient_bolus={**ASKED_SHORT, "over": "1h"}))
    assert times(typed, SLIPS, now) == [("1h", "1m")]


# ------------------------------------------------------------------------------------------------ path and reservoir
def test_what_a_length_of_catheter_holds_is_rounded_to_the_nearest_nL() -> None:
    # 0.1 cm of 0.00196 mL/cm are 196 nL; of 0.001955 mL/cm 195.5, and of 0.001956 mL/cm 195.6
    bores = {"0.00196 mL/cm": 196, "0.001954 mL/cm": 195, "0.001956 mL/cm": 196}
    assert {bore: _inside(Length.parse("0.1 cm"), VolumePerLength.parse(bore)).nL for bore in bores} == bores


def test_nothing_is_used_where_no_pump_was_read() -> None:
    assert _used_since(context(prescription())) == 0
    assert _used_since(context(prescription(), prescription())) == 0
    rx = prescription()
    for days, nL in ((-3, 0), (0, 0), (3, 300_000)):
        assert _used_since(context(rx, pump(wire_configuration(rx, P40), host_now=rx.pump.as_of + timedelta(days=days)))) == nL


def test_the_tolerance_of_the_reservoir_is_whole_nL_rounded_down() -> None:
    """5 % of 39,999,999 nL are 1,999,999.95; beside them 83 s of 1,000 nL a day, 0.96 nL: 2,000,000 nL less are told."""
    rx = prescription(continuous("2 mcg/day"))
    for counted, told in ((36_000_000, 1), (36_000_001, 0)):
        present = pump(wire_configuration(rx, P40), host_now=rx.pump.as_of + timedelta(seconds=83), reservoir_nL=counted)
        c = changed(context(rx, present), profile=changed(P40, capacity=Volume(39_999_999)))
        assert len(list(volume_differs(c))) == told


def test_a_catheter_without_lengths_has_no_implanted_length() -> None:
    with pytest.raises(AssertionError, match=r"^lengths are given together or not at all$"):
        _implanted(context(prescription()))


@pytest.mark.sr("SR-10", "SR-18")
def test_a_frequent_small_bolus_hides_no_large_one_that_comes_every_hour() -> None:
    """60 mcg once a day entered every hour of the day's half, beside thirteen of 1 mcg."""
    small = [bolus(f"{hour:02d}:30", "1 mcg", "5m") for hour in range(13)]
    large = [bolus(f"{hour:02d}:00", "60 mcg", "20m") for hour in range(11, 23)]
    steps = sorted([*small, *large], key=lambda step: step["at"])
    meant = prescription(flex(rate("00:00", "4 mcg/h"), bolus("11:00", "60 mcg", "20m")))
    told = [finding.message for finding in review(prescription(flex(rate("00:00", "4 mcg/h"), *steps)), meant).findings]
    assert any("60 mcg twelve times" in text and "once a day" in text for text in told)
