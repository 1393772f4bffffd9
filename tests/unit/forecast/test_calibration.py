"""What refills tell of a pump's flow, and what the dates make of it: shrunk to the profile, never a later earliest date, drift seen."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.forecast import Calibration, Drift, ForecastError, RefillSpan, calibrate, forecast
from itbpump.forecast.figures import load_figures
from itbpump.profiles import load_profile
from itbpump.refill import READING_ERROR_NL
from tests.unit.therapy.prescriptions import continuous, prescription

P40 = load_profile("P-40")
FULL, RESIDUAL = 38_000_000, 1_400_000


def span(error_ppm: int, counted: int = 20_000_000, off_nL: int = 0) -> RefillSpan:
    """A pump that gives so much more than it counts; `off_nL` is read amiss."""
    given = counted + counted * error_ppm // 1_000_000
    return RefillSpan(FULL, counted, max(0, FULL - RESIDUAL - given + off_nL))


spans = st.builds(span, st.integers(-400_000, 400_000), st.integers(500_000, 24_000_000), st.integers(-500_000, 500_000))
histories = st.lists(spans, max_size=14)


def test_without_a_refill_the_bound_is_the_profiles() -> None:
    found = calibrate([], P40)
    assert (found.flow_error_ppm, found.lower_ppm, found.upper_ppm, found.refills) == (0, -145_000, 145_000, 0)
    assert found.drift is Drift.UNKNOWN
    assert not found.alerts
    assert found.text == "no refill to learn from"


def test_one_refill_by_hand() -> None:
    """20 mL counted, 22 given: 10 % more. Precisions: prior 1/(72500² − 15000²), span 1/(15000² + 12500²); mean 10 % × 0.9296."""
    found = calibrate([span(100_000)], P40)
    prior, seen = Fraction(1, 72_500**2 - 15_000**2), Fraction(1, 15_000**2 + 12_500**2)
    assert found.flow_error_ppm == round(100_000 * seen / (prior + seen)) == 92_956
    variance = 1 / (prior + seen) + 15_000**2
    assert (found.spread_ppm - 1) ** 2 < variance <= found.spread_ppm**2
    assert found.upper_ppm == found.flow_error_ppm + 2 * found.spread_ppm > 140_000
    assert found.text == f"flow 9.3 % above the count (spread {found.json()['spread_percent']} %, 1 refill)"


def test_the_reading_error_is_that_of_the_refill_check() -> None:
    assert load_figures().reading_sd_nL * load_figures().bound_sd == READING_ERROR_NL


@given(history=histories)
def test_the_estimate_is_shrunk_and_its_spread_never_wider_than_the_profiles(history: list[RefillSpan]) -> None:
    found = calibrate(history, P40)
    errors = [Fraction((one.filled_nL - RESIDUAL - one.aspirated_nL - one.counted_nL) * 1_000_000, one.counted_nL) for one in history]
    assert min([Fraction(0), *errors]) - 1 <= found.flow_error_ppm <= max([Fraction(0), *errors]) + 1
    assert 15_000 < found.spread_ppm <= 72_500
    assert found.lower_ppm < found.flow_error_ppm < found.upper_ppm
    assert found.refills <= min(len(history), 12)


@given(history=histories, one=spans)
def test_one_more_refill_never_widens_the_spread(history: list[RefillSpan], one: RefillSpan) -> None:
    assert calibrate([*history, one][-12:], P40).spread_ppm <= calibrate(history[-11:], P40).spread_ppm


def test_a_short_span_moves_the_estimate_little() -> None:
    """Half a millilitre misread is 50 % of 1 mL, and 2.5 % of 20 mL."""
    short, long = calibrate([span(0, 1_000_000, -500_000)], P40), calibrate([span(0, 20_000_000, -500_000)], P40)
    assert 0 < short.flow_error_ppm < 45_000
    assert 20_000 < long.flow_error_ppm < 25_000
    assert short.spread_ppm > long.spread_ppm


def test_a_pump_found_empty_gave_at_least_so_much() -> None:
    """The least is no measure of how little it gave; it is one of how much."""
    fill = RefillSpan(FULL, FULL - RESIDUAL, 0)
    assert calibrate([fill], P40).refills == 0
    assert calibrate([dataclasses.replace(fill, counted_nL=40_000_000)], P40).refills == 0
    dry_early = calibrate([dataclasses.replace(fill, counted_nL=30_000_000)], P40)
    assert dry_early.refills == 1
    assert dry_early.flow_error_ppm > 200_000
    assert dry_early.outside
    assert dry_early.alerts
    assert calibrate([RefillSpan(FULL, 0, 36_000_000)], P40).refills == 0


@pytest.mark.parametrize(("filled", "counted", "aspirated"), [(0, 1, 1), (-1, 1, 1), (FULL, -1, 1), (FULL, 1, -1)])
def test_a_refill_that_cannot_be_is_an_error(filled: int, counted: int, aspirated: int) -> None:
    with pytest.raises(ForecastError, match="leave this refill out"):
        RefillSpan(filled, counted, aspirated)


def test_a_profile_tighter_than_single_refills_is_an_error() -> None:
    with pytest.raises(ForecastError, match="accuracy_ppm"):
        calibrate([], dataclasses.replace(P40, accuracy_ppm=30_000))


# ------------------------------------------------------------------------------------------------ drift
@pytest.mark.parametrize(
    ("errors", "drift"),
    [
        ([0], Drift.UNKNOWN),
        ([0, 0], Drift.NONE),
        ([0, 90_000], Drift.MORE),
        ([0, -90_000], Drift.LESS),
        ([0, 0, 0, 0, 70_000, 75_000], Drift.MORE),
        ([0, 0, 0, 0, -70_000, -75_000], Drift.LESS),
        ([0, 0, 0, 0, 0, 40_000], Drift.NONE),
        ([30_000, 20_000, 35_000, 25_000, 30_000], Drift.NONE),
        ([100_000, 100_000, 100_000, 100_000], Drift.NONE),
    ],
)
def test_drift_is_the_newest_against_the_older(errors: list[int], drift: Drift) -> None:
    found = calibrate([span(error) for error in errors], P40)
    assert found.drift is drift
    assert found.alerts is (drift in {Drift.MORE, Drift.LESS})


def test_a_steady_pump_is_seldom_said_to_drift() -> None:
    """2,000 steady pumps of 8 refills, read with the errors assumed: fewer than 1 in 100 drifts. And 9 of 10 that gain 8 % are found."""
    random, said, found = Random(1), 0, 0
    for _ in range(2_000):
        mean = random.gauss(0, 50_000)
        errors = [mean + random.gauss(0, 15_000) for _ in range(8)]
        reads = [round(random.gauss(0, 250_000)) for _ in range(8)]
        said += calibrate([span(round(error), off_nL=off) for error, off in zip(errors, reads, strict=True)], P40).alerts
        errors[-2:] = [error + 80_000 for error in errors[-2:]]
        after = calibrate([span(round(error), off_nL=off) for error, off in zip(errors, reads, strict=True)], P40)
        found += after.drift is Drift.MORE
    assert said < 20
    assert found > 1_800


def test_the_estimate_finds_the_pump() -> None:
    """Over 500 pumps of 6 refills: the true error of the next span lies within the bounds in 19 of 20."""
    random, inside = Random(2), 0
    for _ in range(500):
        mean = random.gauss(0, 70_000)
        errors = [round(mean + random.gauss(0, 15_000)) for _ in range(7)]
        learned = calibrate([span(error, off_nL=round(random.gauss(0, 250_000))) for error in errors[:6]], P40)
        inside += learned.lower_ppm <= errors[6] <= learned.upper_ppm
    assert inside >= 465


def test_only_the_newest_refills_count() -> None:
    old, new = [span(-100_000)] * 30, [span(50_000)] * 12
    assert calibrate(old + new, P40) == calibrate(new, P40)


# ------------------------------------------------------------------------------------------------ what the dates make of it
@pytest.mark.sr("SR-36")
@given(history=histories, dose=st.integers(100, 900))
def test_what_is_learned_never_makes_earliest_later(history: list[RefillSpan], dose: int) -> None:
    rx = prescription(continuous(f"{dose} mcg/day"))
    plain, learned = forecast(rx), forecast(rx, calibration=calibrate(history, P40))
    for before, after in ((plain.low_reservoir, learned.low_reservoir), (plain.empty, learned.empty)):
        assert before.earliest is not None
        assert after.earliest is not None
        assert before.latest is not None
        assert after.earliest <= before.earliest
        assert after.nominal == before.nominal
        assert after.latest is None or after.latest >= before.latest
    assert learned.alarm == plain.alarm
    assert learned.refill_by is not None
    assert plain.refill_by is not None
    assert learned.refill_by <= plain.refill_by


@pytest.mark.sr("SR-36")
def test_a_pump_that_gives_too_much_is_refilled_earlier() -> None:
    rx = prescription(continuous("500 mcg/day"))
    plain, learned = forecast(rx), forecast(rx, calibration=calibrate([span(140_000)] * 3, P40))
    assert plain.low_reservoir.earliest is not None
    assert learned.low_reservoir.earliest is not None
    days = (plain.low_reservoir.earliest - learned.low_reservoir.earliest).days
    assert days == 2  # 17.4 % instead of 14.5 % of 31.5 mL at 0.25 mL a day
    shown = learned.assumptions["calibration"]
    assert shown["refills"] == "3"
    assert shown["flow_error_percent"] == "13.7"
    assert plain.low_reservoir.earliest.isoformat() < shown["low_reservoir_likely"] < plain.alarm.isoformat()  # type: ignore[union-attr]


def test_a_pump_that_gives_too_little_keeps_its_date() -> None:
    """The profile's bound stands: over-infusion may begin at once (domain 1.2)."""
    rx = prescription(continuous("500 mcg/day"))
    learned = forecast(rx, calibration=calibrate([span(-60_000)] * 8, P40))
    assert learned.low_reservoir.earliest == forecast(rx).low_reservoir.earliest
    assert learned.assumptions["calibration"]["flow_error_percent"] == "-5.9"
    assert forecast(rx).assumptions["calibration"] is None


def test_a_pump_that_may_give_nothing_has_no_latest_date() -> None:
    stalled = Calibration(-900_000, 60_000, -1_020_000, -780_000, 3, Drift.LESS, outside=True)
    found = forecast(prescription(continuous("500 mcg/day")), calibration=stalled)
    assert found.low_reservoir.latest is None
    assert found.low_reservoir.earliest == forecast(prescription(continuous("500 mcg/day"))).low_reservoir.earliest
    nothing = dataclasses.replace(stalled, flow_error_ppm=-1_000_000)
    assert forecast(prescription(), calibration=nothing).assumptions["calibration"]["empty_likely"] is None
    low = forecast(prescription(pump={"reservoir_volume": "6 mL"}), calibration=stalled).low_reservoir
    assert low.latest == low.earliest
