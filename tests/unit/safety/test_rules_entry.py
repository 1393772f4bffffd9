"""Slips of entry: what fits another field better is asked about, what is ordinary is not."""

from __future__ import annotations

from dataclasses import replace as changed
from datetime import timedelta
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from itbpump.configuration import PresentPump, wire_configuration
from itbpump.profiles import load_profile
from itbpump.quantity import Volume, number_text
from itbpump.safety import Severity, review, rules_catheter, rules_entry
from itbpump.therapy import Prescription
from tests.unit.safety.test_review import STOPPED, pump
from tests.unit.therapy.prescriptions import EXAMPLES, bolus, continuous, example, flex, periodic, prescription, prescriptions, rate

SECOND, SOFT, INFO = Severity.SECOND, Severity.SOFT, Severity.INFO
ENTRY = {name for rules in (rules_entry.RULES, rules_catheter.RULES) for name in rules.rules}
P40 = load_profile("P-40")
LENGTHS: dict[str, Any] = {
    "path_volume": None,
    "length_total": "114 cm",
    "length_removed": "34 cm",
    "volume_per_length": "0.0022 mL/cm",
    "tubing_volume": "0.14 mL",
}


def entry_findings(rx: Prescription, current: Prescription | PresentPump | None = None, **more: Any) -> list[tuple[str, Severity, str]]:
    """Rule, severity and message of what the entry rules found, but for what they could not check."""
    return [
        (finding.rule, finding.severity, finding.message)
        for finding in review(rx, current, **more).findings
        if finding.rule in ENTRY and finding.severity is not INFO
    ]


def asking(**bolus: Any) -> dict[str, Any]:
    """200 mcg/day and a bolus the patient may ask for."""
    usual = {"dose": "5 mcg", "over": "10m", "lockout": "6h", "max_per_day": 3}
    return continuous("200 mcg/day", patient_bolus={**usual, **bolus})


def catheter(**more: Any) -> dict[str, Any]:
    return {**LENGTHS, **more}


# ------------------------------------------------------------------------------------------------ the golden table
MORNING = flex(rate("00:00", "4 mcg/h"), bolus("07:00", "60 mcg", "1h"))  # domain 0.6, ISMP: what was meant
SCREENED: dict[str, Any] = {"screening": {"dose": "50 mcg", "effect": "5h"}}

# what was typed, beside what, rule and severity, what the message must show
CASES: dict[str, tuple[Prescription, Prescription | None, str, Severity, tuple[str, ...]]] = {
    "60 mcg a day as every hour": (
        prescription(flex(rate("00:00", "60 mcg/h"))),
        prescription(MORNING),
        "field-swap",
        SOFT,
        ("60 mcg per hour, 1,440 mcg per day in all", "read as 60 mcg per day, 60 mcg per day in all", "the present 152 mcg per day"),
    ),
    "the same with nothing to compare": (
        prescription(flex(rate("00:00", "60 mcg/h"))),
        None,
        "field-swap",
        SOFT,
        ("1,440 mcg per day in all", "the usual 300 mcg per day"),
    ),
    "per hour for per day": (
        prescription(continuous("200 mcg/h")),
        prescription(),
        "field-swap",
        SOFT,
        ("4,800 mcg per day in all", "200 mcg per day, 200 mcg per day in all"),
    ),
    "per day for per hour": (
        prescription(continuous("8 mcg/day")),
        prescription(),
        "field-swap",
        SOFT,
        ("8 mcg per day in all", "8 mcg per hour, 192 mcg per day in all"),
    ),
    "per day for per hour, alone": (
        prescription(continuous("20 mcg/day")),
        None,
        "field-swap",
        SOFT,
        ("20 mcg per hour, 480 mcg per day in all",),
    ),
    "per day for per hour at a start": (
        prescription(continuous("4 mcg/day"), **SCREENED),
        prescription(STOPPED),
        "field-swap",
        SOFT,
        ("the start limit of 100 mcg per day",),
    ),
    "background per hour beside boluses": (
        prescription(periodic("40 mcg", "30m", "24h", "160 mcg/h")),
        prescription(periodic("40 mcg", "30m", "24h", "160 mcg/day")),
        "field-swap",
        SOFT,
        ("the background: 160 mcg per hour, 3,800 mcg per day in all", "160 mcg per day, 196.667 mcg per day in all"),
    ),
    "weekend per hour": (
        prescription(flex(rate("00:00", "200 mcg/h"), days=("sat", "sun"))),
        prescription(),
        "field-swap",
        SOFT,
        ("(Sat, Sun)", "4,800 mcg"),
    ),
    "one step per hour for per day": (
        prescription(flex(rate("00:00", "8 mcg/h"), rate("06:00", "200 mcg/h"), rate("20:00", "8 mcg/h"))),
        None,
        "field-swap",
        SOFT,
        (
            "06:00: 200 mcg per hour is 25 times the other steps",
            "2,880 mcg per day in all",
            "200 mcg per day would be near the others' 8 mcg per hour",
        ),
    ),
    "one step per day for per hour": (
        prescription(flex(rate("00:00", "200 mcg/day"), rate("06:00", "8 mcg/day"), rate("20:00", "200 mcg/day"))),
        None,
        "field-swap",
        SOFT,
        ("06:00: 8 mcg per day is 4 % of the other steps", "8 mcg per hour would be near"),
    ),
    "the day's total as each dose": (
        prescription(periodic("80 mcg", "30m", "6h", "0 mcg/day")),
        prescription(continuous("80 mcg/day")),
        "field-swap",
        SOFT,
        ("80 mcg at once is about the present dose of a whole day, 80 mcg per day", "it makes 320 mcg per day in all"),
    ),
    "a patient bolus of a whole day": (
        prescription(continuous("48 mcg/day", patient_bolus={"dose": "48 mcg", "over": "10m", "lockout": "6h", "max_per_day": 2})),
        None,
        "field-swap",
        SOFT,
        ("48 mcg each time is as much as the whole day without it, 48 mcg per day",),
    ),
    "41.7 for 4.17": (
        prescription(continuous("41.7 mcg/h")),
        prescription(continuous("4.17 mcg/h")),
        "ten-times",
        SECOND,
        ("1,000.8 mcg per day, 10 times the present 100.08 mcg per day", "is 100.08 mcg per day meant?"),
    ),
    "a tenth": (
        prescription(continuous("20 mcg/day")),
        prescription(),
        "ten-times",
        SECOND,
        ("20 mcg per day, a tenth of the present 200 mcg per day", "is 200 mcg per day meant?"),
    ),
    "ten times the start": (
        prescription(continuous("1000 mcg/day"), **SCREENED),
        prescription(STOPPED),
        "ten-times",
        SECOND,
        ("1,000 mcg per day, 10 times the start limit of 100 mcg per day",),
    ),
    "ten times the patient bolus": (
        prescription(asking(dose="50 mcg")),
        prescription(asking()),
        "ten-times",
        SECOND,
        ("50 mcg each time is 10 times the present 5 mcg",),
    ),
    "a tenth of the periodic bolus": (
        prescription(periodic("4 mcg", "30m", "12h")),
        prescription(periodic("40 mcg", "30m", "12h")),
        "ten-times",
        SECOND,
        ("4 mcg each time is a tenth of the present 40 mcg", "is 40 mcg meant?"),
    ),
    "one step ten times the others": (
        prescription(flex(rate("00:00", "8 mcg/h"), rate("06:00", "80 mcg/h"), rate("07:00", "8 mcg/h"))),
        None,
        "ten-times",
        SOFT,
        ("06:00: 80 mcg per hour is 10 times the others, 8 mcg per hour",),
    ),
    "one bolus ten times the others": (
        prescription(
            flex(rate("00:00", "8 mcg/h"), bolus("06:00", "5 mcg", "5m"), bolus("12:00", "50 mcg", "5m"), bolus("18:00", "5 mcg", "5m"))
        ),
        None,
        "ten-times",
        SOFT,
        ("12:00: 50 mcg is 10 times the others, 5 mcg",),
    ),
    "3.8 mL for 38": (
        prescription(pump={"reservoir_volume": "3.8 mL", "low_reservoir_alarm": "2 mL"}),
        None,
        "ten-times",
        SECOND,
        ("3.8 mL in a reservoir of 40 mL: is 38 mL meant?",),
    ),
    "380 mL for 38": (prescription(pump={"reservoir_volume": "380 mL"}), None, "ten-times", SECOND, ("is 38 mL meant?",)),
    # domain 0.5, FDA Class I 2004
    "an interval in minutes": (
        prescription(periodic("40 mcg", "5m", "12m", "0 mcg/day")),
        prescription(periodic("40 mcg", "5m", "12h", "0 mcg/day")),
        "hours-minutes",
        SECOND,
        ("40 mcg every 12 min: 120 boluses", "4,800 mcg per day in all", "every 12 h: two boluses in 24 h, 80 mcg per day in all"),
    ),
    "the same bolus every hour": (
        prescription(flex(rate("00:00", "4 mcg/h"), *(bolus(f"{hour:02d}:30", "60 mcg", "30m") for hour in range(24)))),
        None,
        "field-swap",
        SECOND,
        (
            "every day: 60 mcg twenty-four times, 1,488 mcg per day in all",
            "once a day, 154 mcg per day in all",
            "entered as an hourly one?",
        ),
    ),
    "an interval of 60 minutes": (
        prescription(periodic("60 mcg", "5m", "60m", "0 mcg/day")),
        None,
        "hours-minutes",
        SECOND,
        ("every 1 h: twenty-four boluses", "1,440 mcg per day in all", "every 60 h: a bolus in 60 h"),
    ),
    "an interval in hours for minutes": (
        prescription(periodic("5 mcg", "5m", "30h", "0 mcg/day")),
        prescription(continuous("240 mcg/day")),
        "hours-minutes",
        SECOND,
        ("every 30 h: a bolus in 30 h", "4 mcg per day in all", "every 30 min: forty-eight boluses in 24 h, 240 mcg per day in all"),
    ),
    "a patient bolus over hours": (
        prescription(asking(over="10h", lockout="12h")),
        None,
        "hours-minutes",
        SECOND,
        ("5 mcg over 10 h: 0.5 mcg per hour is less than the 200 mcg per day it replaces", "is 10 min meant?"),
    ),
    "a fast patient bolus over hours": (
        prescription(asking(dose="50 mcg", over="5h")),
        None,
        "hours-minutes",
        SECOND,
        ("50 mcg over 5 h: 10 mcg per hour answers no",),
    ),
    "minutes sixty times shorter than the present": (
        prescription(asking(over="1m")),
        prescription(asking(over="1h")),
        "hours-minutes",
        SECOND,
        ("the present one takes 1 h", "is 1 h meant?"),
    ),
    "a bolus step sixty times shorter": (
        prescription(flex(rate("00:00", "8 mcg/h"), bolus("06:00", "40 mcg", "2m"))),
        prescription(flex(rate("00:00", "8 mcg/h"), bolus("06:00", "40 mcg", "2h"))),
        "hours-minutes",
        SECOND,
        ("the present one takes 2 h",),
    ),
    "a block of hours in minutes": (
        prescription(flex(rate("00:00", "8 mcg/h"), bolus("22:00", "80 mcg", "8m"))),
        None,
        "hours-minutes",
        SECOND,
        ("22:00: 80 mcg over 8 min: 600 mcg per hour", "over 8 h it would be near the 8 mcg per hour it replaces"),
    ),
    "a bolus step slower than what it replaces": (
        prescription(flex(rate("00:00", "8 mcg/h"), bolus("06:00", "40 mcg", "10h"))),
        None,
        "hours-minutes",
        SOFT,
        ("4 mcg per hour is less than the 8 mcg per hour it replaces; is 10 min meant?",),
    ),
    "a lockout in minutes": (
        prescription(asking(over="5m", lockout="6m")),
        None,
        "hours-minutes",
        SECOND,
        ("a lockout of 6 min lets three boluses, 15 mcg, through within 12 min", "one of 6 h three boluses, 15 mcg, through within 12 h"),
    ),
    "a lockout in hours for minutes": (
        prescription(asking(lockout="90h")),
        None,
        "hours-minutes",
        SECOND,
        ("a lockout of 90 h lets one bolus", "one of 1 h 30 min three"),
    ),
    "a lockout sixty times the present": (
        prescription(asking(lockout="120h", max_per_day=1)),
        prescription(asking(lockout="2h")),
        "hours-minutes",
        SECOND,
        ("one of 2 h one",),
    ),
    "tubing of the wrong pump, typed with a path": (
        prescription(catheter={"tubing_volume": "0.199 mL"}),
        None,
        "tubing",
        SECOND,
        ("118 mcg", "too little in a prime of the catheter"),
    ),
    "too little tubing": (
        prescription(catheter=catheter(tubing_volume="0.1 mL")),
        None,
        "tubing",
        SECOND,
        ("0.04 mL or 80 mcg", "too little in a prime of the path"),
    ),
    "nothing cut off": (
        prescription(catheter=catheter(length_removed="0 cm")),
        None,
        "catheter-trim",
        SOFT,
        ("length_removed is 0 cm", "each 10 cm", "0.022 mL less, 44 mcg at 2,000 mcg per mL too much"),
    ),
    "a bore ten times too narrow": (
        prescription(catheter=catheter(volume_per_length="0.00022 mL/cm")),
        None,
        "catheter-trim",
        SECOND,
        ("0.0176 mL instead of 0.176 mL", "316.8 mcg"),
    ),
    "trimmed, but not entered": (
        prescription(catheter=catheter(length_removed="0 cm")),
        prescription(),
        "path-changed",
        SECOND,
        ("0.316 mL in the present therapy, 0.3908 mL in this one", "0.0748 mL or 149.6 mcg at 2,000 mcg per mL more"),
    ),
    "another path within the margin": (
        prescription(catheter={"path_volume": "0.3 mL"}),
        prescription(),
        "path-changed",
        SOFT,
        ("0.016 mL or 32 mcg", "less in a prime"),
    ),
}


@pytest.mark.sr("SR-18", "SR-16", "SR-10", "SR-13", "SR-14")
@pytest.mark.parametrize("name", CASES)
def test_a_slip_is_asked_about_with_its_figures(name: str) -> None:
    rx, current, rule, severity, shown = CASES[name]
    found = [(level, message) for which, level, message in entry_findings(rx, current) if which == rule]
    assert found
    assert found[0][0] is severity
    for text in shown:
        assert text in found[0][1]


@pytest.mark.sr("SR-13", "SR-12")
@pytest.mark.parametrize(("concentration", "mcg"), [("500", "29.5"), ("1000", "59"), ("2000", "118"), ("3000", "177")])
def test_the_recalled_tubing_volume_is_told_in_drug(concentration: str, mcg: str) -> None:
    """Golden, domain 0.7: 0.199 for 0.140 mL."""
    rx = prescription(catheter=catheter(tubing_volume="0.199 mL"), drug={"concentration": f"{concentration} mcg/mL"})
    ((rule, severity, message),) = entry_findings(rx)
    assert (rule, severity) == ("tubing", SECOND)
    assert f"0.059 mL or {mcg} mcg at " in message


# ------------------------------------------------------------------------------------------------ at the edges
@pytest.mark.sr("SR-18")
@pytest.mark.parametrize(
    ("typed", "present", "rules"),
    [
        ("1440 mcg/day", "180 mcg/day", {"ten-times"}),  # 8 times
        ("1439 mcg/day", "180 mcg/day", set()),
        ("2250 mcg/day", "180 mcg/day", {"ten-times"}),  # 12.5 times
        ("2251 mcg/day", "180 mcg/day", set()),
        ("60 mcg/h", "200 mcg/day", set()),  # 7.2 times; 60 a day would be less than a third
        ("60 mcg/h", "179 mcg/day", {"field-swap", "ten-times"}),
        ("60 mcg/h", "30 mcg/day", {"field-swap"}),  # 48 times; 60 a day would be twice
        ("60 mcg/h", "29 mcg/day", set()),
        ("10 mcg/day", "480 mcg/day", {"field-swap"}),  # a 48th; 240 would be half
        ("10 mcg/day", "481 mcg/day", set()),
        ("10 mcg/day", "125 mcg/day", {"field-swap", "ten-times"}),
        ("15 mcg/day", "179 mcg/day", {"ten-times"}),  # 360 would be more than twice
        ("1200 mcg/day", "1100 mcg/day", set()),
        ("50 mcg/h", "1100 mcg/day", set()),  # high, but hardly more than before
        ("66 mcg/day", "200 mcg/day", set()),
        ("0 mcg/h", "200 mcg/day", set()),
    ],
)
def test_a_slip_lies_far_from_the_present_and_its_reading_near_it(typed: str, present: str, rules: set[str]) -> None:
    found = entry_findings(prescription(continuous(typed)), prescription(continuous(present)))
    assert {rule for rule, _, _ in found} == rules


@pytest.mark.sr("SR-18")
@pytest.mark.parametrize(
    ("typed", "tables", "is_found"),
    [
        ("25 mcg/day", {}, True),
        ("25 mcg/day", {"screening": {"dose": "25 mcg", "effect": "5h"}}, False),  # the screening dose explains it
        ("25 mcg/day", {"patient": {"indication": "cerebral", "age_years": 8}}, False),  # usual for a child
        ("33.3 mcg/h", {}, False),
        ("33.4 mcg/h", {}, True),  # above the usual 800 a day
        ("1200 mcg/day", {}, False),  # no other reading of it
    ],
)
def test_alone_the_usual_range_decides(typed: str, tables: dict[str, Any], is_found: bool) -> None:
    found = entry_findings(prescription(continuous(typed), **tables))
    assert {rule for rule, _, _ in found} == ({"field-swap"} if is_found else set())


@pytest.mark.sr("SR-10")
@pytest.mark.parametrize(
    ("therapy", "present"),
    [
        (periodic("2 mcg", "5m", "30m", "100 mcg/day"), periodic("1 mcg", "5m", "30m", "100 mcg/day")),  # the interval is in force
        (periodic("40 mcg", "30m", "48h"), periodic("40 mcg", "30m", "24h")),
        (periodic("40 mcg", "2h", "12h", "48 mcg/day"), None),
        (flex(rate("00:00", "8 mcg/h"), bolus("06:00", "40 mcg", "3h")), None),
        (flex(rate("00:00", "8 mcg/h"), bolus("06:00", "40 mcg", "90m")), flex(rate("00:00", "8 mcg/h"), bolus("06:00", "40 mcg", "2m"))),
        (flex(rate("00:00", "8 mcg/h"), bolus("06:00", "50 mcg", "5h")), None),  # no patient waits for it
        (flex(rate("00:00", "2 mcg/h"), bolus("06:00", "80 mcg", "30m")), None),  # 30 h is no bolus
        (flex(rate("00:00", "0 mcg/day"), bolus("06:00", "40 mcg", "3h")), None),
        (asking(lockout="24h"), asking(lockout="12h")),
        (asking(lockout="72h", max_per_day=1), None),
        (asking(dose="20 mcg", over="2h"), None),
        (periodic("40 mcg", "30m", "24h", "0 mcg/day"), continuous("40 mcg/day")),  # the whole day's dose, on purpose
        (flex(rate("00:00", "4 mcg/h"), rate("06:00", "31 mcg/h")), None),  # a fast step, less than 8 times
        (flex(rate("00:00", "0.5 mcg/h"), rate("06:00", "8 mcg/h"), rate("12:00", "0.5 mcg/h"), rate("18:00", "8 mcg/h")), None),
        (STOPPED, continuous("200 mcg/day")),
        ({"mode": "minimum-rate"}, continuous("200 mcg/day")),
    ],
)
def test_what_only_looks_like_a_slip_is_not_asked_about(therapy: dict[str, Any], present: dict[str, Any] | None) -> None:
    profile = {"pump": {"profile": "V-40"}}
    current = prescription(present, **profile) if present is not None else None
    assert not entry_findings(prescription(therapy, **profile), current)


# ------------------------------------------------------------------------------------------------ reservoir and path
@pytest.mark.sr("SR-34", "SR-38")
def test_another_volume_than_the_pumps_count_is_told_and_which_one_counts() -> None:
    """Told, not asked: the prescription's volume goes to a pump only with its first configuration or a refill."""
    rx = prescription()
    present = pump(wire_configuration(rx, P40), host_now=rx.pump.as_of, reservoir_nL=35_999_999)

    def told(read: PresentPump, **more: Any) -> list[str]:
        return [finding.message for finding in review(rx, read, **more).findings if finding.rule == "volume-differs"]

    assert "says 38 mL in the reservoir, the pump counts 35.999999 mL, 2.000001 mL apart; the pump's count stays" in told(present)[0]
    for counted in (36_000_000, 40_000_000):
        assert not told(changed(present, reservoir_nL=counted))
    # what the therapy has used since the prescription's date is no difference
    later = changed(present, host_now=rx.pump.as_of + timedelta(days=30), reservoir_nL=33_000_000)
    assert not told(later)
    assert told(changed(later, reservoir_nL=32_999_999))
    assert not told(present, refill=Volume(38_000_000))


@pytest.mark.sr("SR-13")
def test_what_was_cut_off_is_reported_as_not_checked_unless_the_path_is_the_present_one() -> None:
    def infos(current: Prescription | None) -> list[str]:
        findings = review(prescription(), current).findings
        return [finding.message for finding in findings if finding.rule == "catheter-trim"]

    assert infos(None) == ["not checked: the length cut off the catheter, as only path_volume 0.316 mL is given"]
    assert infos(prescription()) == []


def test_only_the_first_volume_a_pump_gets_is_judged_as_a_filling() -> None:
    rx = prescription(pump={"reservoir_volume": "3.8 mL", "low_reservoir_alarm": "2 mL"})
    fresh = pump(None, host_now=rx.pump.as_of)
    assert {rule for rule, _, _ in entry_findings(rx, fresh)} == {"ten-times"}
    running = pump(wire_configuration(rx, P40), host_now=rx.pump.as_of, reservoir_nL=3_800_000)
    assert not entry_findings(rx, running)
    assert {rule for rule, _, _ in entry_findings(rx, running, refill=Volume(3_800_000))} == {"ten-times"}


# ------------------------------------------------------------------------------------------------ no false alarm
NAMES = sorted(path.stem for path in Path(EXAMPLES).glob("*.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_no_example_is_asked_about_alone(name: str) -> None:
    assert not entry_findings(example(name))


def test_no_example_is_asked_about_beside_another_of_the_same_patient_and_pump() -> None:
    pairs = [
        (one, other)
        for one, other in product(map(example, NAMES), repeat=2)
        if (one.patient.id, one.pump.profile, one.drug.name) == (other.patient.id, other.pump.profile, other.drug.name)
    ]
    assert len(pairs) > len(NAMES)
    for later, earlier in pairs:
        assert not entry_findings(later, earlier)


@st.composite
def ordinary(draw: st.DrawFn) -> tuple[Prescription, Prescription]:
    """A usual therapy of a spinal adult, and the same patient's next one: up or down by a step of the label."""
    mcg_per_day = draw(st.integers(300, 600))  # with boluses and nights within the usual 800
    next_day = mcg_per_day * draw(st.integers(80, 130)) // 100
    mode = draw(st.sampled_from(["continuous", "flex", "periodic-bolus", "patient"]))
    per_hour = draw(st.booleans())

    def dose_rate(day: int, percent: int = 100) -> str:
        amount = Fraction(day * percent, 100)
        if per_hour:
            return f"{number_text(Fraction(round(amount * 10 / 24), 10))} mcg/h"
        return f"{number_text(Fraction(round(amount * 10), 10))} mcg/day"

    size, night, every = draw(st.integers(10, 50)), draw(st.integers(60, 140)), draw(st.sampled_from(["6h", "8h", "12h", "24h"]))
    minutes = draw(st.sampled_from(["5m", "10m", "30m", "1h"]))

    def therapy(day: int) -> dict[str, Any]:
        if mode == "flex":
            return flex(
                rate("00:00", dose_rate(day, night)), bolus("06:30", f"{size} mcg", minutes), rate("08:00", dose_rate(day)),
                days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
            )  # fmt: skip
        if mode == "periodic-bolus":
            return periodic(f"{size} mcg", minutes, every, dose_rate(day, 60))
        if mode == "patient":
            asked = {"dose": f"{min(size, 30)} mcg", "over": minutes, "lockout": every, "max_per_day": 2}
            return continuous(dose_rate(day), patient_bolus=asked)
        return continuous(dose_rate(day))

    paths = draw(st.sampled_from([{"path_volume": "0.316 mL"}, LENGTHS]))
    return prescription(therapy(mcg_per_day), catheter=paths), prescription(therapy(next_day), catheter=paths)


@pytest.mark.sr("SR-18")
@given(ordinary())
def test_an_ordinary_prescription_is_not_asked_about(pair: tuple[Prescription, Prescription]) -> None:
    present, later = pair
    assert not entry_findings(present)
    assert not entry_findings(later, present)


# ------------------------------------------------------------------------------------------------ what always holds
@pytest.mark.sr("SR-18")
@given(prescriptions(), st.none() | prescriptions())
def test_the_entry_rules_judge_whatever_can_be_written(rx: Prescription, current: Prescription | None) -> None:
    """No crash, never worse than they say, and every finding names a value, a source and what to do."""
    if current is not None:
        assume(current.pump.profile == rx.pump.profile)
    worst = {rule.name: rule.worst for rules in (rules_entry.RULES, rules_catheter.RULES) for rule in rules.rules.values()}
    for finding in review(rx, current).findings:
        if finding.rule in ENTRY and finding.severity is not INFO:
            assert finding.severity <= worst[finding.rule] < Severity.HARD
            assert finding.value
            assert finding.source
            assert "check" in finding.message or finding.message.endswith("?")


@pytest.mark.sr("SR-18")
@given(st.integers(300, 800), st.sampled_from(["P-20", "V-40"]))
def test_every_usual_dose_typed_in_the_wrong_unit_is_asked_about(mcg_per_day: int, profile: str) -> None:
    """Per hour for per day, and the hourly number as if it were the day's; beside the present and, per hour, also alone."""
    pump_of: dict[str, Any] = {"pump": {"profile": profile, "reservoir_volume": "18 mL"}}
    meant = prescription(continuous(f"{mcg_per_day} mcg/day"), **pump_of)
    hourly = prescription(continuous(f"{mcg_per_day} mcg/h"), **pump_of)
    assert "field-swap" in {rule for rule, _, _ in entry_findings(hourly, meant)}
    assert "field-swap" in {rule for rule, _, _ in entry_findings(hourly)}
    number = number_text(Fraction(round(Fraction(mcg_per_day * 10, 24)), 10))
    daily = prescription(continuous(f"{number} mcg/day"), **pump_of)
    assert "field-swap" in {rule for rule, _, _ in entry_findings(daily, meant)}
