"""Taper: never steeper than asked, never an abrupt stop, and the truth about where the pump's reach ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itbpump.drugs import Figure, load_library
from itbpump.plan import PlanInputError, PlanLimitError, StepRefused, taper
from itbpump.quantity import Duration, MassRate
from itbpump.therapy import Continuous, Stopped
from tests.unit.plan.presents import AS_OF, continuous, example, flex, highest, present, steps_of

PATIENT = {"dose": "5 mcg", "over": "10m", "lockout": "6h", "max_per_day": 3}


def rate(text: str) -> MassRate:
    return MassRate.parse(text)


def test_a_taper_goes_down_by_a_tenth_and_lands_on_its_end() -> None:
    """-10 to -20 % (minclinic, skyscape tc256): the least of it by default."""
    plan = taper(present(continuous("300 mcg/day")), rate("200 mcg/day"))
    assert [str(entry.daily_dose) for entry in plan.entries] == [
        "270 mcg per day",
        "243 mcg per day",
        "218.7 mcg per day",
        "200 mcg per day",
    ]
    assert plan.entries[0].at == AS_OF
    assert {entry.verdict for entry in plan.entries} == {"ok"}


@pytest.mark.sr("SR-08", "SR-33")
@given(
    dose=st.integers(1900, 9000),
    step=st.integers(10, 40),
    profile=st.sampled_from(["P-40", "V-40"]),
    concentration=st.sampled_from(["500 mcg/mL", "1000 mcg/mL", "2000 mcg/mL", "3000 mcg/mL"]),
    patient=st.booleans(),
)
@settings(max_examples=25)
def test_whatever_is_tapered_no_step_is_steep_and_no_stop_abrupt(
    dose: int, step: int, profile: str, concentration: str, patient: bool
) -> None:
    therapy = continuous(MassRate(dose * 100).text()) | ({"patient_bolus": PATIENT} if patient else {})
    rx = present(therapy, profile=profile, concentration=concentration)
    plan = taper(rx, step_percent=Fraction(step, 2))
    steps = steps_of(plan)
    for before, after in steps:
        if isinstance(after.therapy, Stopped):
            assert highest(before, plan) <= 12_000  # bottom of the spinal maintenance range, domain 3
            assert after is steps[-1][1]
        else:
            assert 0 < 1 - highest(after, plan) / highest(before, plan) <= Fraction(step, 200)
    if not isinstance(steps[-1][1].therapy, Stopped):
        assert any("would be abrupt" in note or "a refill comes first" in note for note in plan.notes)


@pytest.mark.sr("SR-33")
def test_from_below_maintenance_the_end_is_a_stop_that_needs_the_acknowledgement() -> None:
    plan = taper(present(continuous("20 mcg/day"), profile="V-40", concentration="500 mcg/mL"))
    last = plan.entries[-1]
    assert isinstance(last.rx.therapy, Stopped)
    assert [item.finding.rule for item in last.expected] == ["stop"]
    assert "acknowledged" in last.expected[0].why
    assert plan.entries[-2].daily_dose <= rate("12 mcg/day")
    assert plan.entries[-3].daily_dose > rate("12 mcg/day")


@pytest.mark.sr("SR-02", "SR-33")
def test_at_the_least_flow_the_plan_ends_and_says_what_that_means() -> None:
    """0.048 mL/day of 2000 mcg/mL are 96 mcg/day, of 500 mcg/mL 24 (domain 3)."""
    plan = taper(present(continuous("150 mcg/day")))
    assert plan.entries[-1].daily_dose == rate("96 mcg/day")
    told = " ".join(plan.notes)
    assert "ends at 96 mcg per day, above the 0 mcg per day asked for" in told
    assert "a stop from 96 mcg per day would be abrupt" in told
    assert "500 mcg per mL carries down to 24 mcg per day" in told
    lowest = taper(present(continuous("40 mcg/day"), concentration="500 mcg/mL"))
    assert lowest.entries[-1].daily_dose == rate("24 mcg/day")
    assert any("no concentration of the library carries less" in note for note in lowest.notes)


def test_a_therapy_that_is_at_the_floor_already_has_no_taper() -> None:
    with pytest.raises(StepRefused) as caught:
        taper(present(continuous("96 mcg/day")))
    assert caught.value.finding.rule == "flow-range"


def test_a_pattern_ends_where_its_lowest_rate_does() -> None:
    rx = present(flex({"at": "00:00", "rate": "8 mcg/h"}, {"at": "20:00", "rate": "5 mcg/h"}))
    plan = taper(rx)
    assert plan.entries
    assert any("below the pump's lowest flow" in note for note in plan.notes)
    for before, after in steps_of(plan):
        assert 1 - highest(after, plan) / highest(before, plan) <= Fraction(1, 10)


def test_the_patient_bolus_is_tapered_too() -> None:
    plan = taper(example("patient-bolus"))
    doses = [entry.rx.patient_bolus.dose.ng for entry in plan.entries if entry.rx.patient_bolus is not None]
    assert len(doses) == len(plan.entries)
    assert doses == sorted(doses, reverse=True)
    assert doses[-1] < 5_000


def test_one_rate_stays_one_rate() -> None:
    plan = taper(present(continuous("300 mcg/day")), rate("260 mcg/day"))
    assert all(isinstance(entry.rx.therapy, Continuous) for entry in plan.entries)


@pytest.mark.sr("SR-08")
@pytest.mark.parametrize(
    ("keywords", "message"),
    [({"step_percent": Fraction(21)}, "above 20 %"), ({"every": Duration.parse("12h")}, "closer than")],
)
def test_the_library_is_not_outrun(keywords: dict[str, object], message: str) -> None:
    with pytest.raises(PlanLimitError, match=message):
        taper(present(continuous("300 mcg/day")), **keywords)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("therapy", "to", "message"),
    [
        (continuous("200 mcg/day"), "200 mcg/day", "plan titrate"),
        ({"mode": "stopped"}, "0 mcg/day", "not below"),
        ({"mode": "minimum-rate"}, "0 mcg/day", "not below"),
    ],
)
def test_what_makes_no_taper(therapy: dict[str, str], to: str, message: str) -> None:
    with pytest.raises(PlanInputError, match=message):
        taper(present(therapy), rate(to))


def test_a_taper_cannot_begin_before_the_therapy_it_is_written_for() -> None:
    with pytest.raises(PlanInputError, match="is before"):
        taper(present(continuous("200 mcg/day")), at=AS_OF - timedelta(hours=1))
    with pytest.raises(PlanInputError, match="offset"):
        taper(present(continuous("200 mcg/day")), at=AS_OF.replace(tzinfo=None))
    with pytest.raises(PlanInputError, match="more than 0 %"):
        taper(present(continuous("200 mcg/day")), step_percent=Fraction(0))


def test_a_taper_of_more_steps_than_anybody_reads_is_refused() -> None:
    daily = replace(load_library("baclofen").taper, every=Figure(Duration.parse("12h"), "D", "for this test"))
    with pytest.raises(PlanInputError, match="more than 100 steps"):
        taper(
            present(continuous("400 mcg/day"), concentration="3000 mcg/mL"),
            step_percent=Fraction(1, 2),
            library=replace(load_library("baclofen"), taper=daily),
        )
