"""The fleet's days against the scalar forecast: the same day for every pump, whatever it is (design 4 "Dates", SR-36, SR-37)."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as alter

from itbpump.fleet import NEVER, Fleet, FleetError, bounds, day_of, gather, kernel, refill_by
from itbpump.forecast import Bounds, Calibration, RefillSpan, calibrate, dates, forecast
from itbpump.forecast.facts import Facts, facts_of_prescription
from itbpump.profiles import load_profile
from itbpump.therapy import Prescription
from tests.unit.therapy.prescriptions import WEEK, bolus, continuous, flex, periodic, prescription, rate

P40 = load_profile("P-40")
SPANS = st.lists(
    st.builds(RefillSpan, st.just(38_000_000), st.integers(1_000_000, 36_000_000), st.integers(0, 30_000_000)), min_size=1, max_size=6
)


@st.composite
def hourly(draw: st.DrawFn) -> Prescription:
    """Any therapy on the hour, any place and offset, some with patient boluses and a prime; flows from none to fast."""
    top = draw(st.sampled_from([3, 60, 2_000, 20_000]))
    doses = st.integers(0, top).map(lambda dose: rate("00:00", f"{dose} mcg/day")["rate"])
    kind = draw(st.sampled_from(["flex", "flex", "continuous", "minimum-rate", "stopped"]))
    therapy: dict[str, Any] = {"mode": kind}
    if kind == "continuous":
        therapy = continuous(draw(doses))
    elif kind == "flex":
        group = draw(st.lists(st.integers(0, 2), min_size=7, max_size=7))
        therapy["pattern"] = [
            {
                "days": [WEEK[day] for day in range(7) if group[day] == number],
                "steps": [rate(f"{hour:02d}:00", draw(doses)) for hour in sorted({0} | draw(st.sets(st.integers(1, 23), max_size=5)))],
            }
            for number in sorted(set(group))
        ]
    if kind in {"flex", "continuous"} and draw(st.booleans()):
        therapy["patient_bolus"] = {"dose": "5 mcg", "over": "10m", "lockout": "6h", "max_per_day": draw(st.integers(1, 4))}
    zone = timezone(timedelta(minutes=draw(st.integers(-14 * 60, 14 * 60))))
    as_of = datetime(2026, 1, 1, tzinfo=zone) + timedelta(milliseconds=draw(st.integers(0, 400 * 86_400_000)))
    volume = f"{draw(st.integers(1, 40))} mL"
    prime = {"scope": "path"} if draw(st.booleans()) and kind != "stopped" else None
    return prescription(therapy, pump={"as_of": as_of, "reservoir_volume": volume, "low_reservoir_alarm": "2 mL"}, prime=prime)


def facts_of(rx: Prescription) -> Facts:
    return facts_of_prescription(rx, load_profile(rx.pump.profile))


def assert_same(days: Any, number: int, expected: Bounds) -> None:
    for side in ("earliest", "nominal", "latest"):
        at = getattr(expected, side)
        assert day_of(getattr(days, side)[number]) == (None if at is None else at.date()), side


@pytest.mark.sr("SR-36", "SR-37")
@settings(max_examples=60)
@given(prescriptions=st.lists(hourly(), min_size=1, max_size=8), spans=SPANS, learns=st.booleans())
def test_every_day_is_the_scalars(prescriptions: list[Prescription], spans: list[RefillSpan], learns: bool) -> None:
    learned: Calibration | None = calibrate(spans, P40) if learns else None
    gathered = gather([facts_of(rx) for rx in prescriptions], P40, calibrations=[learned] * len(prescriptions))
    if learned is not None and (learned.upper_ppm > 1_000_000 or learned.lower_ppm < -900_000):
        assert gathered.members == ()  # what a broken pump shows is the scalar's
        return
    assert gathered.others == ()
    low, empty = bounds(gathered.fleet, 2_000_000), bounds(gathered.fleet, P40.residual.nL)
    for number, rx in enumerate(prescriptions):
        found = forecast(rx, calibration=learned)
        assert_same(low, number, found.low_reservoir)
        assert_same(empty, number, found.empty)


@pytest.mark.sr("SR-36")
@settings(max_examples=40)
@given(
    flows=st.lists(st.integers(1, 24), min_size=24, max_size=24),
    near_ms=st.integers(-400_000, 400_000),
    clock_gap_ms=st.integers(-3_600_000, 3_600_000) | st.just(0),
    weeks=st.integers(0, 500),
)
def test_a_date_near_midnight_falls_on_the_right_side(flows: list[int], near_ms: int, clock_gap_ms: int, weeks: int) -> None:
    """Volumes that run out within minutes of a midnight, near and years ahead; a pump whose day is off that of the place."""
    steps = [rate(f"{hour:02d}:00", f"{dose * 10} mcg/day") for hour, dose in enumerate(flows)]
    rx = prescription(flex(*steps), pump={"low_reservoir_alarm": "0 mL", "as_of": datetime(2026, 11, 22, 10, 7, tzinfo=UTC)})
    plain = facts_of(rx)
    place = (plain.course.place_ms or 0) + clock_gap_ms
    facts = dataclasses.replace(plain, course=dataclasses.replace(plain.course, place_ms=place % (7 * 86_400_000)))
    day_units = sum(dose * 10 * 500 * 3_600_000 for dose in flows)
    to_midnight = 14 * 3_600_000 - 7 * 60_000
    wanted = _flowed(flows, to_midnight + near_ms) + weeks * 7 * day_units
    volume = min(40_000_000, max(1, wanted // 86_400_000))
    facts = dataclasses.replace(facts, volume_nL=volume, filled_nL=volume, low_nL=0)
    days = bounds(gather([facts], P40).fleet, 0)
    assert_same(days, 0, _scalar(facts, 0))


@pytest.mark.sr("SR-36")
@pytest.mark.parametrize(("side", "off_ms"), [("earliest", 60_000), ("latest", -60_000)])
def test_the_run_of_the_clock_moves_a_date_over_midnight(side: str, off_ms: int) -> None:
    """A minute after a midnight 70 days ahead by the pump's clock: a clock that runs 20 millionths fast is there two minutes sooner, a day
    earlier. And the other way for the latest."""
    midnight = datetime(2026, 11, 22, tzinfo=UTC)
    given = Fraction((70 * 86_400_000 + off_ms) * 250_000, 86_400_000)
    more, slack = (Fraction(1145, 1000), 1_000) if side == "earliest" else (Fraction(855, 1000), -1_000)
    volume = round((given + slack) * more + slack)
    facts = facts_of(prescription(continuous("500 mcg/day"), pump={"as_of": midnight}))
    facts = dataclasses.replace(facts, volume_nL=volume, filled_nL=volume, low_nL=0)
    found = _scalar(facts, 0)
    assert getattr(found, side).date() == (midnight + timedelta(days=69 if side == "earliest" else 70)).date()
    assert_same(bounds(gather([facts], P40).fleet, 0), 0, found)


def _flowed(flows: list[int], ms: int) -> int:
    """Units from 10:07 on, hour by hour."""
    at, total, end = 10 * 3_600_000 + 7 * 60_000, 0, 10 * 3_600_000 + 7 * 60_000 + max(0, ms)
    while at < end:
        until = min(end, (at // 3_600_000 + 1) * 3_600_000)
        total += flows[at // 3_600_000 % 24] * 10 * 500 * (until - at)
        at = until
    return total


def _scalar(facts: Facts, to_nL: int) -> Bounds:
    return dates._Clock(facts, P40, None).bounds("level", to_nL)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet of 50 in blocks of 7, and whole."""
    random = np.random.default_rng(1)
    fleet = _fleet(50, flow=random.integers(0, 400_000, (2, 24, 50), dtype=np.int32), pattern_of_day=(0, 0, 0, 0, 0, 1, 1))
    whole = bounds(fleet, 6_500_000)
    monkeypatch.setattr(kernel, "BLOCK", 7)
    parts = bounds(fleet, np.full(50, 6_500_000))
    for side in ("earliest", "nominal", "latest"):
        assert np.array_equal(getattr(whole, side), getattr(parts, side))
    assert bool(np.all(whole.earliest <= whole.nominal))
    assert bool(np.all(whole.nominal <= whole.latest))


def test_the_largest_numbers_stay_inside_64_bits() -> None:
    """The widest volume at the least and at the most flow, the widest tolerance: against Python's own integers, by the scalar."""
    for flow in (1, 67_000_000):
        course = dataclasses.replace(facts_of(prescription()).course)
        configuration = course.configuration
        wide = dataclasses.replace(P40, accuracy_ppm=900_000)
        course = dataclasses.replace(course, configuration=alter(configuration, flow_nL_per_day=flow), patient_nL_per_day=60_000_000)
        facts = dataclasses.replace(facts_of(prescription()), course=course, volume_nL=99_999_999, filled_nL=99_999_999, low_nL=0)
        assert_same(bounds(gather([facts], wide).fleet, 0), 0, dates._Clock(facts, wide, None).bounds("level", 0))


def test_what_only_the_scalar_can_do_is_handed_back() -> None:
    """A bolus or a bridge under way, a place that is not known, steps off the hour, boluses in a pattern."""
    plain = facts_of(prescription())
    bridged = dataclasses.replace(plain, course=dataclasses.replace(plain.course, bridge_pulses=10, bridge_nL_per_day=1_000))
    running = dataclasses.replace(plain, course=dataclasses.replace(plain.course, bolus_pulses=10))
    every_six = facts_of(prescription(periodic("20 mcg", "1h", "6h", "96 mcg/day")))
    unknown = dataclasses.replace(every_six, course=dataclasses.replace(every_six.course, place_ms=None))
    half_past = facts_of(prescription(flex(rate("00:00", "100 mcg/day"), rate("06:30", "200 mcg/day"))))
    odd_bolus = facts_of(prescription(flex(rate("00:00", "100 mcg/day"), bolus("06:00", "7 mcg", "11h"))))
    gathered = gather([bridged, plain, running, unknown, half_past, every_six, odd_bolus], P40)
    assert (gathered.members, gathered.others) == ((1, 5), (0, 2, 3, 4, 6))
    finer = gather([half_past], P40, steps=48)
    assert finer.members == (0,)
    found = forecast(prescription(flex(rate("00:00", "100 mcg/day"), rate("06:30", "200 mcg/day"))))
    assert_same(bounds(finer.fleet, 6_500_000), 0, found.low_reservoir)
    assert_same(bounds(gathered.fleet, 6_500_000), 1, forecast(prescription(periodic("20 mcg", "1h", "6h", "96 mcg/day"))).low_reservoir)


def test_refill_by_is_the_earliest_of_all_ends() -> None:
    fleet = gather([facts_of(prescription()), facts_of(prescription({"mode": "stopped"}))], P40).fleet
    low, empty = bounds(fleet, 6_500_000), bounds(fleet, P40.residual.nL)
    stable = np.array([20_800, 20_800], np.int32)
    found = refill_by(low.earliest, empty.earliest, stable)
    assert found.tolist() == [min(low.earliest[0], 20_800), 20_800]
    assert low.earliest[1] == NEVER
    assert day_of(NEVER) is None


# ------------------------------------------------------------------------------------------------ what is refused
def _fleet(count: int, **changes: Any) -> Fleet:
    sunday = 20_779  # 22 Nov 2026
    plain: dict[str, Any] = {
        "flow": np.full((1, 24, count), 250_000, np.int32),
        "pattern_of_day": (0,) * 7,
        "place_ms": np.full(count, 6 * 86_400_000, np.int64),
        "local_ms": np.full(count, sunday * 86_400_000, np.int64),
        "volume_nL": np.full(count, 38_000_000, np.int64),
        "filled_nL": np.full(count, 38_000_000, np.int64),
        "more_ppm": 145_000,
        "less_ppm": 145_000,
        "slack_nL": 1_000,
        "clock_ppm": 20,
    }
    return Fleet(**{**plain, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flow": np.zeros((1, 24, 2), np.int64)}, "int32"),
        ({"flow": np.zeros((1, 7, 2), np.int32)}, "whole minutes"),
        ({"flow": np.full((1, 24, 2), -1, np.int32)}, "not from 0"),
        ({"flow": np.full((1, 24, 2), 2**26, np.int32)}, "not from 0"),
        ({"pattern_of_day": (0,) * 6}, "seven days"),
        ({"pattern_of_day": (1,) * 7}, "seven days"),
        ({"place_ms": np.full(2, 604_800_000)}, "place_ms"),
        ({"place_ms": np.zeros(3, np.int64)}, "of 2 pumps"),
        ({"volume_nL": np.full(2, -1)}, "volume_nL"),
        ({"filled_nL": np.full(2, 37_000_000)}, "measure what is in it"),
        ({"less_ppm": 900_001}, "less_ppm"),
        ({"more_ppm": np.full(2, 1_000_001)}, "more_ppm"),
        ({"prime_nL": np.full(2, -1)}, "prime_nL"),
        ({"clock_ppm": 10_001}, "clock_ppm"),
        ({"slack_nL": -1}, "slack_nL"),
    ],
)
def test_what_the_arithmetic_does_not_hold_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FleetError, match=message):
        _fleet(2, **changes)


@pytest.mark.parametrize("level", [-1, 10**8, np.zeros(3, np.int64), np.zeros(2, np.int32)])
def test_a_level_that_no_reservoir_has_is_refused(level: Any) -> None:
    with pytest.raises(FleetError, match="level"):
        bounds(_fleet(2), level)


def test_an_empty_fleet_has_no_days() -> None:
    assert bounds(_fleet(0), 0).earliest.size == 0
