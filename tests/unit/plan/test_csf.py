"""The simulated course: the closed form of a steady state, the simulator's own observer, and plans that the pump itself refuses."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from firmware_sim.device import SimulatedPump
from itbpump.plan import Rinse, convert, taper, titrate
from itbpump.plan.csf import CsfRefused, _Rig, simulate
from itbpump.quantity import Concentration, MassRate, Volume
from tests.unit.plan.presents import AS_OF, continuous, example, present


def steady_mcg(mcg_per_day: float, half_life_h: float) -> float:
    """Dose rate over elimination rate."""
    return mcg_per_day / 24 * half_life_h / math.log(2)


def test_a_constant_rate_settles_at_dose_over_elimination() -> None:
    plan = titrate(present(continuous("200 mcg/day")), MassRate.parse("300 mcg/day"))
    course = simulate(plan)
    first, last = course.points[0], course.points[-1]
    assert float(first.amount.ng) / 1000 == pytest.approx(steady_mcg(200, course.half_life_h), rel=0.03)
    assert float(last.amount.ng) / 1000 == pytest.approx(steady_mcg(300, course.half_life_h), rel=0.03)
    assert float(course.before.ng) / 1000 == pytest.approx(steady_mcg(200, course.half_life_h), rel=0.03)
    assert course.points[0].at == plan.entries[0].at - timedelta(days=1)
    assert last.at >= plan.entries[-1].at + timedelta(days=3)


def test_a_step_shows_only_after_it_was_made() -> None:
    plan = titrate(present(continuous("200 mcg/day")), MassRate.parse("220 mcg/day"))
    course = simulate(plan)
    until = [point.amount.ng for point in course.points if point.at <= plan.entries[0].at]
    after = [point.amount.ng for point in course.points if point.at > plan.entries[0].at + timedelta(hours=12)]
    assert max(until) < min(after)


def test_sampling_agrees_with_the_simulator_s_own_observer() -> None:
    """The plant looks back over every minute of its history; the course adds quarter hours as it goes."""
    plan = titrate(example("flex-weekday-weekend"), MassRate.parse("180 mcg/day"))
    half_life_ms = 5_436_000
    rig = _Rig(plan, SimulatedPump("P-40", seed=3), plan.entries[0].at, half_life_ms)
    rig.warm_up()
    for hours in (3, 21, 24):  # after the morning bolus, before the next, and through a whole day
        for _ in rig.run(rig.now + timedelta(hours=hours), 900_000):
            pass
        assert rig.csf_ng == pytest.approx(rig.pump.plant.csf_mass_ng(), rel=0.01)


@pytest.mark.sr("SR-12")
def test_with_its_bridge_a_change_of_concentration_keeps_the_amount() -> None:
    """But for what mixes in the path, which brings some of the stronger drug early; without a bridge a quarter would be given for days."""
    saved = convert(
        present(continuous("200 mcg/day"), concentration="500 mcg/mL"),
        Concentration.parse("2000 mcg/mL"),
        Volume.parse("38 mL"),
        rinse=Rinse(5_000_000, 2, 2_000_000),
    )
    course = simulate(saved)
    steady = steady_mcg(200, course.half_life_h)
    amounts = [float(point.amount.ng) / 1000 for point in course.points]
    assert min(amounts) > steady * 0.6
    assert max(amounts) < steady * 2.5
    assert amounts[-1] == pytest.approx(steady, rel=0.05)


@pytest.mark.sr("SR-12")
def test_the_residual_mix_is_in_the_course_and_a_rinse_takes_it_out() -> None:
    rx = present(continuous("200 mcg/day"))
    five_hundred, filled = Concentration.parse("500 mcg/mL"), Volume.parse("38 mL")
    plain = simulate(convert(rx, five_hundred, filled)).points[-1].amount.ng
    rinsed = simulate(convert(rx, five_hundred, filled, rinse=Rinse(5_000_000, 2, 500_000))).points[-1].amount.ng
    assert float(plain) / float(rinsed) == pytest.approx(1.1066 / 1.0052, rel=0.01)


def test_after_a_stop_nothing_is_left() -> None:
    plan = taper(present(continuous("14 mcg/day"), profile="V-40", concentration="500 mcg/mL"))
    assert float(simulate(plan).points[-1].amount.ng) < 5


def test_a_start_from_nothing_begins_at_nothing() -> None:
    rx = present({"mode": "stopped"}, screening={"dose": "50 mcg", "effect": "5h"}, concentration="500 mcg/mL")
    course = simulate(titrate(rx, MassRate.parse("120 mcg/day")))
    assert float(course.before.ng) < 5
    assert float(course.points[0].amount.ng) < 5
    assert float(course.points[-1].amount.ng) / 1000 == pytest.approx(steady_mcg(120, course.half_life_h), rel=0.03)


def test_boluses_stand_out() -> None:
    course = simulate(titrate(example("flex-weekday-weekend"), MassRate.parse("180 mcg/day")))
    assert float(course.peak.amount.ng) / 1000 > 2 * steady_mcg(180, course.half_life_h)
    assert course.before < course.peak.amount


@pytest.mark.sr("SR-02")
def test_the_simulated_pump_judges_each_step_on_its_own() -> None:
    plan = titrate(present(continuous("200 mcg/day")), MassRate.parse("220 mcg/day"))
    (entry,) = plan.entries
    therapy = entry.rx.therapy.model_copy(update={"dose": MassRate.parse("4000 mcg/day")})
    wild = replace(plan, entries=(replace(entry, rx=entry.rx.model_copy(update={"therapy": therapy})),))
    with pytest.raises(CsfRefused, match="refuses the step of 23 Nov 2026 10:00"):
        simulate(wild)


def test_the_same_plan_gives_the_same_course() -> None:
    plan = titrate(present(continuous("200 mcg/day")), MassRate.parse("220 mcg/day"))
    assert simulate(plan) == simulate(plan)


def test_the_model_says_what_it_is_not() -> None:
    course = simulate(titrate(present(continuous("200 mcg/day")), MassRate.parse("220 mcg/day"), at=AS_OF + timedelta(days=2)))
    assert "not a prediction for a patient" in course.model
    assert "one compartment, half-life 1.51 h (unverified" in course.model
    assert len(course.json()["points"]) <= 500  # type: ignore[arg-type]
