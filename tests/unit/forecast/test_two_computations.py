"""Closed form against stepper on any course that can be, and what happens when they differ (SR-37)."""

from __future__ import annotations

import ast
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.configuration import wire_configuration
from itbpump.forecast import ForecastDisagreement, forecast
from itbpump.forecast import stepper as stepper_module
from itbpump.forecast.closed_form import ClosedForm
from itbpump.forecast.course import Course, Drive, Side
from itbpump.forecast.stepper import Stepper
from itbpump.profiles import load_profile
from itbpump.therapy import Prescription
from tests.unit.therapy.prescriptions import WEEK, bolus, flex, periodic, prescription, prescriptions, rate

MINUTE_MS = 60_000


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """Any therapy at any place, with or without bolus, bridge, patient boluses and prime."""
    rx = draw(prescriptions())
    profile = load_profile(rx.pump.profile)
    place = st.integers(0, 604_799_999)  # only that of a period can be unknown, and a period has no more than two flows
    has_bolus, has_bridge = draw(st.booleans()), draw(st.booleans())
    return Course(
        configuration=wire_configuration(rx, profile),
        drive=draw(st.sampled_from(Drive)),
        pulse_nL=profile.pulse_volume.nL,
        minimum_nL_per_day=profile.minimum_rate.whole_nL_per_day,
        place_ms=draw(place if rx.therapy.mode == "flex" else st.none() | place),
        bolus_pulses=draw(st.integers(1, 400)) if has_bolus else 0,
        bolus_ms=draw(st.none() | st.integers(0, 86_400_000)) if has_bolus else None,
        bridge_nL_per_day=draw(st.integers(0, 2_000_000)) if has_bridge else 0,
        bridge_pulses=draw(st.integers(1, 1_000)) if has_bridge else 0,
        bridge_slack=draw(st.integers(0, 3)),
        patient_nL_per_day=draw(st.just(0) | st.integers(1, 500_000)),
        prime_nL=draw(st.just(0) | st.integers(1, 500_000)),
    )


@pytest.mark.sr("SR-37")
@given(course=courses(), side=st.sampled_from(Side), volume=st.fractions(-100, 45_000_000, max_denominator=1145))
def test_both_name_the_same_minute(course: Course, side: Side, volume: Fraction) -> None:
    closed, stepped = ClosedForm(course).time_of(side, volume), Stepper(course).time_of(side, volume)
    if closed is None or stepped is None:
        assert closed is stepped
    else:
        assert abs(closed - stepped) <= MINUTE_MS
        assert min(closed, stepped) >= 0


@pytest.mark.sr("SR-37")
@given(
    starts=st.lists(st.sets(st.integers(1, 287), max_size=47), min_size=7, max_size=7),
    place_ms=st.integers(0, 604_799_999),
    patient=st.sampled_from([0, 7_500]),
    volume=st.fractions(1, 45_000_000, max_denominator=1145),
)
def test_both_walk_the_longest_weeks(starts: list[set[int]], place_ms: int, patient: int, volume: Fraction) -> None:
    """Up to 7 × 48 steps, every third a bolus of a length of its own."""
    patterns = []
    for day, name in enumerate(WEEK):
        steps = [rate("00:00", f"{100 + 10 * day} mcg/day")]
        for number, slot in enumerate(sorted(starts[day])):
            at = f"{slot // 12:02d}:{slot % 12 * 5:02d}"
            steps.append(bolus(at, "2 mcg", f"{1 + number % 5}m") if number % 3 == 2 else rate(at, f"{97 + number % 11} mcg/day"))
        patterns.append({"days": [name], "steps": steps})
    what = course(prescription({"mode": "flex", "pattern": patterns}), place_ms=place_ms, patient_nL_per_day=patient)
    side = Side.EARLIEST if patient else Side.NOMINAL
    closed, stepped = ClosedForm(what).time_of(side, volume), Stepper(what).time_of(side, volume)
    assert closed is not None
    assert stepped is not None
    assert abs(closed - stepped) <= 1


@given(course=courses(), volume=st.integers(1, 45_000_000))
def test_the_sides_are_in_order(course: Course, volume: int) -> None:
    times = [ClosedForm(course).time_of(side, Fraction(volume)) for side in (Side.EARLIEST, Side.NOMINAL, Side.LATEST)]
    known = [time for time in times if time is not None]
    assert known == sorted(known)
    assert times == known + [None] * (3 - len(known))  # never is later than any time


@pytest.mark.sr("SR-37")
def test_a_disagreement_gives_no_date(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Stepper.time_of
    rx = prescription()

    def late(by_ms: int) -> Any:
        def time_of(self: Stepper, side: Side, volume: Fraction) -> int | None:
            found = honest(self, side, volume)
            return None if found is None else found + by_ms

        return time_of

    monkeypatch.setattr(Stepper, "time_of", late(60_000))
    forecast(rx)
    monkeypatch.setattr(Stepper, "time_of", late(60_001))
    with pytest.raises(ForecastDisagreement, match="low reservoir, earliest") as caught:
        forecast(rx)
    assert caught.value.stepped_ms is not None
    assert caught.value.closed_ms == caught.value.stepped_ms - 60_001
    assert caught.value.action
    monkeypatch.setattr(Stepper, "time_of", lambda *_: None)
    with pytest.raises(ForecastDisagreement, match="None ms from now"):
        forecast(rx)


@pytest.mark.sr("SR-37")
def test_the_stepper_shares_no_code_with_the_closed_form() -> None:
    source = Path(stepper_module.__file__).read_text("utf-8")
    named = {node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom) and node.module}
    assert {module for module in named if module.startswith("itbpump")} == {"itbpump.forecast.course", "itbpump.wire.messages"}


# ------------------------------------------------------------------------------------------------ by hand
def course(rx: Prescription, **changes: Any) -> Course:
    profile = load_profile(rx.pump.profile)
    plain: dict[str, Any] = {
        "configuration": wire_configuration(rx, profile),
        "drive": Drive.THERAPY,
        "pulse_nL": 500,
        "minimum_nL_per_day": 6_000,
        "place_ms": 0,
    }
    return Course(**{**plain, **changes})


HOURS = 3_600_000
FLAT = prescription({"mode": "continuous", "dose": "480 mcg/day"})  # 0.24 mL a day: 10,000 nL an hour
SUNDAY_BOLUS = flex(rate("00:00", "0 mcg/day"), bolus("23:00", "40 mcg", "2h"), days=(WEEK[6],))
HALF_DAYS = flex(rate("00:00", "480 mcg/day"), rate("12:00", "0 mcg/day"))
BY_HAND: dict[str, tuple[Course, Side, int, int | None]] = {
    "a bolus replaces the flow under it": (course(FLAT, bolus_pulses=40, bolus_ms=2 * HOURS), Side.NOMINAL, 30_000, 3 * HOURS),
    "within the bolus": (course(FLAT, bolus_pulses=40, bolus_ms=2 * HOURS), Side.NOMINAL, 5_000, HOURS // 2),
    "a bolus of unknown end is given at once": (course(FLAT, bolus_pulses=40), Side.EARLIEST, 30_000, HOURS),
    "or for the latest over a day": (course(FLAT, bolus_pulses=40), Side.LATEST, 30_000, 25 * HOURS),
    "a bridge comes first": (course(FLAT, bridge_nL_per_day=120_000, bridge_pulses=20), Side.NOMINAL, 20_000, 3 * HOURS),
    "the bolus counts towards its end": (
        course(FLAT, bolus_pulses=20, bolus_ms=HOURS, bridge_nL_per_day=120_000, bridge_pulses=40),
        Side.NOMINAL,
        30_000,
        4 * HOURS,
    ),
    "a bridge without flow never ends": (course(FLAT, bridge_pulses=20), Side.NOMINAL, 1, None),
    "for the earliest it is longer and sooner over": (
        course(FLAT, bridge_nL_per_day=120_000, bridge_pulses=22, bridge_slack=2),
        Side.EARLIEST,
        22_000,
        3 * HOURS,
    ),
    "for the latest shorter and later over": (
        course(FLAT, bridge_nL_per_day=120_000, bridge_pulses=18, bridge_slack=2),
        Side.LATEST,
        18_000,
        3 * HOURS,
    ),
    "the therapy goes on underneath": (
        course(prescription(flex(rate("00:00", "48 mcg/day"), rate("02:00", "480 mcg/day"))), bolus_pulses=2, bolus_ms=3 * HOURS),
        Side.NOMINAL,
        11_000,
        4 * HOURS,
    ),
    "the minimum rate": (course(FLAT, drive=Drive.MINIMUM_RATE), Side.NOMINAL, 6_000, 24 * HOURS),
    "nothing": (course(FLAT, drive=Drive.NOTHING), Side.LATEST, 1, None),
    "nothing but the bolus": (course(FLAT, drive=Drive.NOTHING, bolus_pulses=40, bolus_ms=HOURS), Side.NOMINAL, 20_000, HOURS),
    "and never more": (course(FLAT, drive=Drive.NOTHING, bolus_pulses=40, bolus_ms=HOURS), Side.NOMINAL, 20_001, None),
    "patient boluses at once and every day": (course(FLAT, patient_nL_per_day=24_000), Side.EARLIEST, 24_000 + 33_000, 3 * HOURS),
    "none of them nominal": (course(FLAT, patient_nL_per_day=24_000), Side.NOMINAL, 30_000, 3 * HOURS),
    "a prime at once": (course(FLAT, prime_nL=316_000), Side.EARLIEST, 316_000 + 10_000, HOURS),
    "a prime is not nominal": (course(FLAT, prime_nL=316_000), Side.NOMINAL, 10_000, HOURS),
    "a period of unknown place begins with its bolus": (
        course(prescription(periodic("20 mcg", "1h", "6h", "96 mcg/day")), place_ms=None),
        Side.EARLIEST,
        12_000,
        2 * HOURS,
    ),
    "or for the latest with its background": (
        course(prescription(periodic("20 mcg", "1h", "6h", "96 mcg/day")), place_ms=None),
        Side.LATEST,
        20_000,
        6 * HOURS,
    ),
    "a whole week that ends without flow": (course(prescription(HALF_DAYS)), Side.NOMINAL, 7 * 120_000, (6 * 24 + 12) * HOURS),
    "and its first flow again": (course(prescription(HALF_DAYS)), Side.NOMINAL, 7 * 120_000 + 10_000, (7 * 24 + 1) * HOURS),
    "a bolus from Sunday into Monday": (course(prescription(SUNDAY_BOLUS), place_ms=0), Side.NOMINAL, 16_250, 4 * HOURS),
}


@pytest.mark.sr("SR-37")
@pytest.mark.parametrize("case", BY_HAND, ids=list(BY_HAND))
def test_both_agree_with_the_hand(case: str) -> None:
    what, side, volume, expected = BY_HAND[case]
    assert ClosedForm(what).time_of(side, Fraction(volume)) == expected
    assert Stepper(what).time_of(side, Fraction(volume)) == expected
