"""Titration: no step above what was asked, none too early, none that its review stops, and the target at the end."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itbpump.plan import PlanInputError, PlanLimitError, RunsDryError, StepRefused, titrate
from itbpump.quantity import Duration, MassRate, Volume
from itbpump.safety import Severity
from itbpump.therapy import Continuous, Flex, PeriodicBolus
from tests.unit.plan.presents import AS_OF, continuous, example, flex, highest, present, steps_of

DAY = timedelta(days=1)


def rate(text: str) -> MassRate:
    return MassRate.parse(text)


def test_a_therapy_goes_up_by_the_low_end_of_the_label_once_a_day() -> None:
    """10 to 30 % per 24 h in spinal adults (minclinic, skyscape tc256): the least of it, and no step in the first 24 h."""
    plan = titrate(present(continuous("200 mcg/day")), rate("300 mcg/day"))
    assert [str(entry.daily_dose) for entry in plan.entries] == [
        "220 mcg per day",
        "242 mcg per day",
        "266.2 mcg per day",
        "292.8 mcg per day",
        "300 mcg per day",
    ]
    assert [entry.at for entry in plan.entries] == [AS_OF + DAY * number for number in range(1, 6)]
    assert {entry.verdict for entry in plan.entries} == {"ok"}


@pytest.mark.sr("SR-08")
def test_cerebral_origin_and_children_go_slower() -> None:
    cerebral = titrate(present(continuous("200 mcg/day"), indication="cerebral"), rate("300 mcg/day"))
    child = titrate(present(continuous("200 mcg/day"), age=9), rate("300 mcg/day"))
    assert cerebral.entries[0].daily_dose == child.entries[0].daily_dose == rate("210 mcg/day")


@pytest.mark.sr("SR-08")
@given(
    dose=st.integers(30, 700),
    more=st.integers(1, 2500),
    step=st.integers(20, 60),
    indication=st.sampled_from(["spinal", "cerebral"]),
    concentration=st.sampled_from(["500 mcg/mL", "1000 mcg/mL", "3000 mcg/mL"]),
)
@settings(max_examples=25)
def test_whatever_is_asked_every_step_holds(dose: int, more: int, step: int, indication: str, concentration: str) -> None:
    """Whole mcg per day and tenths of it; half percents of a step within the label ranges."""
    top, first = 15 if indication == "cerebral" else 30, MassRate(dose * 1000)
    target, share = MassRate(first.ng_per_day + more * 100), min(Fraction(step, 2), Fraction(top))
    rx = present(continuous(first.text()), indication=indication, concentration=concentration, profile="V-40")
    plan = titrate(rx, target, step_percent=share)
    last = plan.entries[-1].rx.therapy
    assert isinstance(last, Continuous)
    assert last.dose == target
    for before, after in steps_of(plan):
        assert 0 < highest(after, plan) / highest(before, plan) - 1 <= share / 100
    times = [entry.at for entry in plan.entries]
    assert times[0] == AS_OF + DAY
    assert all(later - earlier == DAY for earlier, later in pairwise(times))


@pytest.mark.sr("SR-08")
def test_the_first_step_waits_a_day_after_the_start_of_the_therapy() -> None:
    young = present(continuous("200 mcg/day"), since=AS_OF - timedelta(hours=10))
    old = present(continuous("200 mcg/day"), since=AS_OF - timedelta(days=30))
    assert titrate(young, rate("220 mcg/day")).entries[0].at == AS_OF + timedelta(hours=14)
    assert titrate(old, rate("220 mcg/day")).entries[0].at == AS_OF
    with pytest.raises(PlanLimitError, match="earliest") as caught:
        titrate(young, rate("220 mcg/day"), at=AS_OF + timedelta(hours=13))
    assert "24 h" in caught.value.source
    assert titrate(young, rate("220 mcg/day"), at=AS_OF + timedelta(days=3)).entries[0].at == AS_OF + timedelta(days=3)


@pytest.mark.sr("SR-08")
def test_from_nothing_it_begins_with_the_screening_dose() -> None:
    """Twice the screening dose, once if its effect lasted over 8 h (skyscape tc256, minclinic)."""
    short = present({"mode": "stopped"}, screening={"dose": "75 mcg", "effect": "6h"}, concentration="1000 mcg/mL")
    lasting = present({"mode": "stopped"}, screening={"dose": "75 mcg", "effect": "9h"}, concentration="1000 mcg/mL")
    plan = titrate(short, rate("200 mcg/day"))
    assert [entry.daily_dose for entry in plan.entries[:2]] == [rate("150 mcg/day"), rate("165 mcg/day")]
    assert plan.entries[0].at == AS_OF
    assert plan.entries[1].at == AS_OF + DAY
    assert plan.entries[0].change is None
    assert titrate(lasting, rate("200 mcg/day")).entries[0].daily_dose == rate("75 mcg/day")
    assert titrate(short, rate("120 mcg/day")).entries[0].daily_dose == rate("120 mcg/day")
    assert titrate(short, rate("200 mcg/day"), start=rate("100 mcg/day")).entries[0].daily_dose == rate("100 mcg/day")


@pytest.mark.sr("SR-08")
def test_a_start_above_the_screening_rule_is_refused() -> None:
    stopped = present({"mode": "stopped"}, screening={"dose": "75 mcg", "effect": "6h"})
    with pytest.raises(StepRefused) as caught:
        titrate(stopped, rate("300 mcg/day"), start=rate("250 mcg/day"))
    assert caught.value.finding.rule == "start"
    assert caught.value.review.severity is Severity.SECOND


def test_a_restart_by_the_screening_dose_is_a_start_and_any_other_needs_a_second_person() -> None:
    stopped = present({"mode": "stopped"}, screening={"dose": "75 mcg", "effect": "6h"}, since=AS_OF - timedelta(days=4))
    assert titrate(stopped, rate("200 mcg/day")).entries[0].verdict == "ok"
    unscreened = present({"mode": "stopped"}, since=AS_OF - timedelta(days=4))
    with pytest.raises(StepRefused) as caught:
        titrate(unscreened, rate("200 mcg/day"), start=rate("100 mcg/day"))
    assert caught.value.finding.rule == "restart"


def test_a_pattern_is_scaled_as_a_whole_and_ends_at_or_below_the_target() -> None:
    rx = present(
        flex({"at": "00:00", "rate": "6 mcg/h"}, {"at": "06:00", "dose": "30 mcg", "over": "1h"}, {"at": "20:00", "rate": "5 mcg/h"})
    )
    target = rate("200 mcg/day")
    plan = titrate(rx, target)
    last = plan.entries[-1].rx.therapy
    assert isinstance(rx.therapy, Flex)
    assert isinstance(last, Flex)
    pairs = zip(rx.therapy.pattern[0].steps, last.pattern[0].steps, strict=True)
    shares = [Fraction((new.rate or new.dose).value, (old.rate or old.dose).value) for old, new in pairs]  # type: ignore[union-attr]
    assert max(shares) - min(shares) < Fraction(3, 100)
    assert Fraction(195_000) < plan.entries[-1].daily_dose.ng_per_day <= target.ng_per_day
    assert any("reaches" in note for note in plan.notes)
    for before, after in steps_of(plan):
        assert highest(after, plan) / highest(before, plan) - 1 <= Fraction(1, 10)


def test_a_periodic_therapy_keeps_its_period_and_its_patient_bolus() -> None:
    patient = {"dose": "4 mcg", "over": "10m", "lockout": "8h", "max_per_day": 2}
    therapy = {"mode": "periodic-bolus", "dose": "20 mcg", "over": "30m", "every": "24h", "background": "100 mcg/day"}
    rx = present(therapy | {"patient_bolus": patient})
    last = titrate(rx, rate("150 mcg/day")).entries[-1].rx.therapy
    assert isinstance(last, PeriodicBolus)
    assert isinstance(rx.therapy, PeriodicBolus)
    assert (last.every, last.over, last.patient_bolus) == (rx.therapy.every, rx.therapy.over, rx.therapy.patient_bolus)
    assert last.dose > rx.therapy.dose


@pytest.mark.sr("SR-34")
def test_the_reservoir_of_each_step_is_what_the_steps_before_left() -> None:
    plan = titrate(present(continuous("200 mcg/day")), rate("300 mcg/day"))
    volumes = [entry.rx.pump.reservoir_volume for entry in plan.entries]
    used = [0.1, 0.11, 0.121, 0.1331, 0.1464]
    left = 38_000_000
    for volume, millilitres in zip(volumes, used, strict=True):
        left -= round(millilitres * 1_000_000)
        assert volume == Volume(left)


@pytest.mark.sr("SR-34")
def test_a_part_of_a_nanolitre_counts_as_used() -> None:
    """33,333 nL a day, 7 h: 9,722.125 nL."""
    rx = present(continuous("100 mcg/day"), concentration="3000 mcg/mL", profile="V-40", since=AS_OF - timedelta(days=9))
    entry = titrate(rx, rate("110 mcg/day"), at=AS_OF + timedelta(hours=7)).entries[0]
    assert entry.rx.pump.reservoir_volume == Volume(38_000_000 - 9_723)


@pytest.mark.sr("SR-36")
def test_a_plan_ends_at_the_refill_and_says_so() -> None:
    plan = titrate(present(continuous("200 mcg/day"), volume="6.8 mL"), rate("300 mcg/day"))
    assert not plan.reaches_goal
    assert [entry.daily_dose for entry in plan.entries] == [rate("220 mcg/day"), rate("242 mcg/day")]
    assert "a refill comes first" in plan.notes[-1]
    assert titrate(present(continuous("200 mcg/day")), rate("300 mcg/day")).reaches_goal


def test_a_plan_whose_first_step_comes_after_the_refill_is_none() -> None:
    with pytest.raises(StepRefused, match="refill"):
        titrate(present(continuous("200 mcg/day"), volume="6.55 mL"), rate("300 mcg/day"))
    with pytest.raises(RunsDryError, match="do not last"):
        titrate(present(continuous("200 mcg/day")), rate("300 mcg/day"), at=AS_OF + timedelta(days=400))


@pytest.mark.sr("SR-07")
def test_a_target_above_a_soft_limit_needs_a_reason_beforehand() -> None:
    rx, target = present(continuous("950 mcg/day"), concentration="2000 mcg/mL"), rate("1100 mcg/day")
    with pytest.raises(StepRefused, match="--override daily-total=REASON") as caught:
        titrate(rx, target)
    assert caught.value.finding.rule == "daily-total"
    plan = titrate(rx, target, reasons={"daily-total": "specialist: tolerated before"})
    assert {item.finding.rule for item in plan.entries[-1].expected} == {"daily-total"}
    assert plan.entries[-1].verdict == "soft"


@pytest.mark.sr("SR-07")
def test_no_reason_lets_a_hard_limit_pass() -> None:
    with pytest.raises(StepRefused) as caught:
        titrate(
            present(continuous("1900 mcg/day")),
            rate("2100 mcg/day"),
            reasons={"daily-total": "specialist: all of it"},
        )
    assert caught.value.finding.severity is Severity.HARD


def test_what_is_on_record_of_the_patient_stays_with_every_step() -> None:
    rx = present(continuous("200 mcg/day"), medication=[{"name": "morphine", "class": "opioid"}])
    plan = titrate(rx, rate("240 mcg/day"))
    assert all([item.finding.rule for item in entry.expected] == ["interaction"] for entry in plan.entries)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"step_percent": Fraction(31)}, "above the 30 %"),
        ({"every": Duration.parse("23h")}, "closer than 24 h"),
    ],
)
def test_the_label_is_not_outrun(keywords: dict[str, object], message: str) -> None:
    with pytest.raises(PlanLimitError, match=message) as caught:
        titrate(present(continuous("200 mcg/day")), rate("300 mcg/day"), **keywords)  # type: ignore[arg-type]
    assert caught.value.source


@pytest.mark.parametrize(
    ("therapy", "target", "start", "message"),
    [
        (continuous("200 mcg/day"), "200 mcg/day", None, "plan taper"),
        (continuous("200 mcg/day"), "150 mcg/day", None, "plan taper"),
        (continuous("200 mcg/day"), "200.001 mcg/day", None, "as far as this pump can tell"),
        (continuous("200 mcg/day"), "300 mcg/day", "100 mcg/day", "a therapy is running"),
        ({"mode": "stopped"}, "300 mcg/day", None, "screening"),
        ({"mode": "stopped"}, "300 mcg/day", "400 mcg/day", "above the target"),
    ],
)
def test_what_makes_no_titration(therapy: dict[str, str], target: str, start: str | None, message: str) -> None:
    with pytest.raises(PlanInputError, match=message):
        titrate(present(therapy), rate(target), start=None if start is None else rate(start))


@pytest.mark.parametrize("step", [0, -5])
def test_a_step_of_nothing_is_none(step: int) -> None:
    with pytest.raises(PlanInputError, match="more than 0 %"):
        titrate(present(continuous("200 mcg/day")), rate("300 mcg/day"), step_percent=Fraction(step))


def test_a_plan_without_end_is_refused() -> None:
    with pytest.raises(PlanInputError, match="steps away"):
        titrate(present(continuous("100 mcg/day")), rate("300 mcg/day"), step_percent=Fraction(1))


def test_every_example_can_be_planned_or_says_why_not() -> None:
    assert titrate(example("continuous"), rate("260 mcg/day")).entries
    assert titrate(example("patient-bolus"), rate("220 mcg/day")).entries
    with pytest.raises(StepRefused, match="bolus-size"):
        titrate(example("flex-weekday-weekend"), rate("300 mcg/day"))
