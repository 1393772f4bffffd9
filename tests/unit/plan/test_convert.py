"""A change of concentration: the figures of domain 0.9 and 2.2, what the mix makes of the dose, what is refused."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest

from itbpump.plan import Conversion, Plan, PlanInputError, PlanLimitError, Rinse, StepRefused, convert
from itbpump.quantity import Concentration, Mass, MassRate, Volume
from tests.unit.plan.presents import AS_OF, continuous, example, present

ML = 1_000_000


def change(old: str, new: str, filled: str, dose: str = "200 mcg/day", **more: object) -> Plan:
    told = {key: more.pop(key) for key in ("profile", "volume", "indication", "alarm") if key in more}
    rx = present(continuous(dose), concentration=old, **told)
    return convert(rx, Concentration.parse(new), Volume.parse(filled), **more)  # type: ignore[arg-type]


def figures(plan: Plan) -> Conversion:
    assert plan.conversion is not None
    return plan.conversion


@pytest.mark.sr("SR-12")
@pytest.mark.parametrize(
    ("old", "new", "mass", "hours", "unbridged", "unbridged_hours"),
    [
        ("500 mcg/mL", "2000 mcg/mL", "158 mcg", "18.96", "50 mcg/day", "75.84"),
        ("2000 mcg/mL", "500 mcg/mL", "632 mcg", "75.84", "800 mcg/day", "18.96"),
    ],
)
def test_golden_bridges_and_what_comes_without_one(old: str, new: str, mass: str, hours: str, unbridged: str, unbridged_hours: str) -> None:
    """Domain 0.9 and 7: 0.316 mL, 200 mcg/day; 50 mcg/day for 3.2 days, 800 mcg/day for 19 h."""
    found = figures(change(old, new, "38 mL"))
    assert found.bridge_mass == Mass.parse(mass)
    assert found.bridge_volume == Volume.parse("0.316 mL")
    assert found.bridge_dose == MassRate.parse("200 mcg/day")
    assert found.bridge_hours == Fraction(hours)
    assert found.unbridged_dose == MassRate.parse(unbridged)
    assert found.unbridged_hours == Fraction(unbridged_hours)


@pytest.mark.sr("SR-12")
def test_golden_mixes_in_a_20_mL_pump() -> None:
    """605 mcg/mL (+21 %) and 1895 (-5 %): domain 2.2."""
    down = figures(change("2000 mcg/mL", "500 mcg/mL", "18.6 mL", profile="P-20", volume="19 mL", alarm="4 mL"))
    up = figures(change("500 mcg/mL", "2000 mcg/mL", "18.6 mL", profile="P-20", volume="19 mL", alarm="4 mL"))
    assert (down.mix, down.mix_share) == (Fraction(605_000), Fraction(21, 100))
    assert (up.mix, up.mix_share) == (Fraction(1_895_000), Fraction(-525, 10_000))
    assert down.advised_rinses == 1


@pytest.mark.sr("SR-12")
def test_a_rinse_is_in_the_figures_and_takes_the_warning_away() -> None:
    plain = change("2000 mcg/mL", "500 mcg/mL", "38 mL")
    rinsed = change("2000 mcg/mL", "500 mcg/mL", "38 mL", rinse=Rinse(5 * ML, 1, 500_000))
    assert any("rinse once with 5 mL of 500 mcg per mL" in note for note in plain.notes)
    assert not any("residual mix" in note for note in rinsed.notes)
    assert figures(rinsed).unrinsed == figures(plain).mix > figures(rinsed).mix > 500_000


@pytest.mark.sr("SR-08", "SR-12")
def test_a_mix_above_an_increase_is_refused_until_it_is_rinsed() -> None:
    """+21 % is above the 15 % of cerebral origin."""
    told = {"profile": "P-20", "volume": "19 mL", "alarm": "4 mL", "indication": "cerebral"}
    with pytest.raises(PlanLimitError, match="rinse once") as caught:
        change("2000 mcg/mL", "500 mcg/mL", "18.6 mL", **told)
    assert (caught.value.value, caught.value.limit) == ("21 %", "15 %")
    assert change("2000 mcg/mL", "500 mcg/mL", "18.6 mL", rinse=Rinse(5 * ML, 1, 500_000), **told).entries


def test_the_prescription_of_the_refill() -> None:
    at = AS_OF + timedelta(days=10)
    plan = change("500 mcg/mL", "2000 mcg/mL", "38 mL", at=at)
    (entry,) = plan.entries
    assert entry.rx.drug.concentration == Concentration.parse("2000 mcg/mL")
    assert entry.rx.pump.reservoir_volume == Volume.parse("39.4 mL")
    assert entry.rx.bridge is not None
    assert entry.rx.bridge.plan == "auto"
    assert (entry.at, entry.rx.pump.as_of, entry.rx.drug.filled_on) == (at, at, None)
    assert entry.daily_dose == MassRate.parse("200 mcg/day")
    assert entry.verdict == "ok"


def test_the_bridge_ends_and_is_looked_at_again() -> None:
    plan = change("500 mcg/mL", "2000 mcg/mL", "38 mL")
    ends, again = plan.milestones
    assert ends.at == AS_OF + timedelta(hours=18, minutes=58)  # 18.96 h, up to the minute
    assert again.at - ends.at == timedelta(hours=48)


@pytest.mark.sr("SR-38")
def test_what_was_drawn_out_is_compared() -> None:
    """38 mL, 0.4 mL/day for 10 days: 34 mL are left, 32.6 of them within reach of the needle."""
    at = AS_OF + timedelta(days=10)
    plan = change("500 mcg/mL", "2000 mcg/mL", "38 mL", at=at, aspirated=Volume.parse("32.5 mL"))
    assert any("expected 32.6 mL by the count: within both limits" in note for note in plan.notes)
    with pytest.raises(StepRefused) as caught:
        change("500 mcg/mL", "2000 mcg/mL", "38 mL", at=at, aspirated=Volume.parse("36 mL"))
    assert caught.value.finding.rule in {"under-delivery", "refill-discrepancy"}


@pytest.mark.sr("SR-34")
def test_what_is_expected_follows_the_week() -> None:
    """From Sunday 10:00 to Wednesday 15:00: 84 mcg on Sunday, 174 on Monday and on Tuesday, 124 on Wednesday; at 2000 mcg/mL 0.278 mL."""
    at = AS_OF + timedelta(days=3, hours=5)
    left = Volume.parse("36.322 mL")  # 38 - 0.278 - 1.4
    plan = convert(example("flex-weekday-weekend"), Concentration.parse("1000 mcg/mL"), Volume.parse("38 mL"), at=at, aspirated=left)
    assert any("expected 36.322 mL by the count" in note for note in plan.notes)


@pytest.mark.sr("SR-02")
def test_a_dose_the_new_concentration_cannot_carry_is_refused() -> None:
    with pytest.raises(StepRefused) as caught:
        change("500 mcg/mL", "3000 mcg/mL", "38 mL", dose="100 mcg/day")
    assert caught.value.finding.rule == "flow-range"


@pytest.mark.sr("SR-39")
def test_what_does_not_fit_the_reservoir_is_refused() -> None:
    with pytest.raises(PlanLimitError, match="more than the reservoir of 40 mL"):
        change("500 mcg/mL", "2000 mcg/mL", "38.7 mL")


@pytest.mark.sr("SR-02", "SR-39")
def test_a_concentration_for_screening_is_refused() -> None:
    with pytest.raises(StepRefused) as caught:
        change("500 mcg/mL", "50 mcg/mL", "38 mL")
    assert caught.value.finding.rule == "concentration"


def test_what_makes_no_change_of_concentration() -> None:
    with pytest.raises(PlanInputError, match="already"):
        change("500 mcg/mL", "500 mcg/mL", "38 mL")
    with pytest.raises(PlanInputError, match="no therapy to bridge"):
        convert(present({"mode": "stopped"}), Concentration.parse("500 mcg/mL"), Volume.parse("38 mL"))


def test_boluses_and_patient_boluses_are_spoken_of() -> None:
    flex = convert(example("flex-weekday-weekend"), Concentration.parse("500 mcg/mL"), Volume.parse("38 mL"))
    assert any("first boluses after the bridge" in note for note in flex.notes)
    patient = convert(example("patient-bolus"), Concentration.parse("1000 mcg/mL"), Volume.parse("38 mL"))
    assert any("patient's bolus pushes" in note for note in patient.notes)
    assert not any("boluses" in note for note in change("500 mcg/mL", "2000 mcg/mL", "38 mL").notes)
