"""What rules look at: amounts as the pump takes them, a kept period, what the forecast is asked, figures and digest of a review."""

from __future__ import annotations

import importlib
from dataclasses import replace as changed
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from itbpump.configuration import wire_configuration
from itbpump.drugs import load_library
from itbpump.forecast import Forecast, ForecastError
from itbpump.history import History
from itbpump.present import PresentPump
from itbpump.profiles import load_profile
from itbpump.quantity import MS_PER_HOUR, Duration, Flow, Mass, MassRate, Volume
from itbpump.refill import Discrepancy, Refill
from itbpump.safety import Severity, review
from itbpump.safety.context import Bolus, Context, Rate, highest_across, keeps_period, percent_text
from itbpump.safety.current import Current
from itbpump.safety.model import canonical_digest
from itbpump.safety.review import _context
from itbpump.therapy import Prescription
from itbpump.therapy_view import view_configuration
from itbpump.wire.messages import RunState
from tests.unit.safety.test_review import NOW, pump
from tests.unit.therapy.prescriptions import bolus, continuous, flex, periodic, prescription, rate

P40 = load_profile("P-40")
BACLOFEN = load_library("baclofen")
ROOM = importlib.import_module("itbpump.safety.review")
MORPHINE: dict[str, Any] = {"drug": {"name": "morphine", "concentration": "10000 mcg/mL"}, "patient": {"indication": "pain"}}
ASKED = {"dose": "5 mcg", "over": "10m", "lockout": "6h", "max_per_day": 3}
REFILL = Refill(1_400_000, 1_500_000, 37_000_000, 38_400_000, Discrepancy(100_000, None), None)


def context(
    rx: Prescription,
    current: Prescription | PresentPump | None = None,
    refill: Refill | Volume | None = None,
    now: datetime | None = None,
) -> Context:
    return _context(rx, current, P40, BACLOFEN, refill, now)


def running(rx: Prescription, **state: Any) -> PresentPump:
    return pump(wire_configuration(rx, P40), **state)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Fraction(1, 8), "12.5"),
        (Fraction(-1, 8), "-12.5"),
        (Fraction(0), "0"),
        (Fraction(1, 1000), "0.1"),
        (Fraction(-1, 1000), "-0.1"),
        (Fraction(-4, 10_000), "0"),  # no minus sign for nothing
        (Fraction(10), "1,000"),
        (Fraction(2, 3), "66.7"),
    ],
)
def test_a_share_is_shown_in_percent_with_one_decimal(share: Fraction, text: str) -> None:
    assert percent_text(share) == text


# ------------------------------------------------------------------------------------------------ amounts
def test_rates_stand_where_they_were_written_with_the_flow_of_the_pump() -> None:
    assert context(prescription()).rates() == (Rate("the dose", MassRate.parse("200 mcg/day"), Flow(100_000)),)
    period = context(prescription(periodic("40 mcg", "30m", "6h", "100 mcg/day")))
    assert period.rates() == (Rate("the background", MassRate.parse("100 mcg/day"), Flow(50_000)),)
    weekend = context(prescription(flex(rate("00:00", "4 mcg/h"), bolus("06:00", "40 mcg", "30m"), days=("sat", "sun"))))
    assert weekend.rates() == (
        Rate("Sat, Sun 00:00", MassRate.parse("4 mcg/h"), Flow(48_000)),
        Rate("Mon to Fri 00:00", MassRate.parse("100 mcg/day"), Flow(50_000)),
    )
    assert context(prescription({"mode": "stopped"})).rates() == ()


def test_boluses_stand_where_they_were_written_with_their_pulses() -> None:
    assert context(prescription()).boluses() == ()
    period = context(prescription(periodic("40 mcg", "30m", "6h")))
    periodic_bolus = Bolus("the periodic bolus", Mass(40_000), Duration.parse("30m"), 40)
    assert period.boluses() == (periodic_bolus,)
    assert list(period.all_boluses()) == [periodic_bolus]
    assert period.patient_bolus() is None
    mondays = context(
        prescription({**flex(rate("00:00", "4 mcg/h"), bolus("06:00", "40 mcg", "30m"), days=("mon",)), "patient_bolus": ASKED})
    )
    step = Bolus("Mon 06:00", Mass(40_000), Duration.parse("30m"), 40)
    asked = Bolus("the patient bolus", Mass(5_000), Duration.parse("10m"), 5)
    assert mondays.boluses() == (step,)
    assert mondays.patient_bolus() == asked
    assert list(mondays.all_boluses()) == [step, asked]


def test_only_a_therapy_treats() -> None:
    assert [context(prescription(mode)).is_therapy for mode in (None, {"mode": "stopped"}, {"mode": "minimum-rate"})] == [
        True,
        False,
        False,
    ]


# ------------------------------------------------------------------------------------------------ a kept period
EVERY_6H = prescription(periodic("10 mcg", "30m", "6h", "120 mcg/day"))


@pytest.mark.sr("SR-07")
def test_a_period_is_kept_where_the_interval_stays() -> None:
    other = prescription(periodic("8 mcg", "1h", "6h", "100 mcg/day"))
    assert keeps_period(context(other, running(EVERY_6H)))
    assert not keeps_period(context(other))
    assert not keeps_period(context(other, pump(None)))
    assert not keeps_period(context(prescription(periodic("10 mcg", "30m", "12h")), running(EVERY_6H)))
    assert not keeps_period(context(prescription(), running(EVERY_6H)))
    assert not keeps_period(context(other, running(prescription())))
    assert not keeps_period(context(prescription(), running(prescription())))
    pain = prescription(periodic("10 mcg", "30m", "6h", "100 mcg/day"), **MORPHINE)
    assert not keeps_period(_context(pain, running(EVERY_6H), P40, load_library("morphine"), None, None))


@pytest.mark.sr("SR-07")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (EVERY_6H, prescription(periodic("8 mcg", "1h", "6h", "100 mcg/day"))),
        (prescription(periodic("8 mcg", "30m", "6h", "120 mcg/day")), prescription(periodic("10 mcg", "1h", "6h", "100 mcg/day"))),
        (prescription(periodic("10 mcg", "1h", "6h", "100 mcg/day")), prescription(periodic("8 mcg", "30m", "6h", "120 mcg/day"))),
    ],
)
def test_a_kept_period_counts_by_the_larger_of_both_in_every_field(one: Prescription, other: Prescription) -> None:
    """10 mcg over 30 min every 6 h and 120 mcg/day (60,000 nL): four boluses, and 22 h of 5 mcg between them."""
    for old, new in ((one, other), (other, one)):
        assert highest_across(context(new, running(old))) == (MassRate(150_000), MassRate(150_000))


@pytest.mark.sr("SR-07")
def test_a_kept_period_counts_by_the_stronger_drug() -> None:
    weak = prescription(periodic("10 mcg", "30m", "6h", "0 mcg/day"), drug={"concentration": "500 mcg/mL"})  # 40 pulses
    strong = prescription(periodic("10 mcg", "30m", "6h", "0 mcg/day"))
    for old, new in ((weak, strong), (strong, weak)):
        assert highest_across(context(new, running(old)))[0] == MassRate(160_000)


@pytest.mark.sr("SR-07")
def test_any_other_change_counts_what_was_given_and_what_comes() -> None:
    new = prescription(continuous("100 mcg/day"))
    assert highest_across(context(new)) == (MassRate(100_000), MassRate(100_000))
    assert highest_across(context(new, running(prescription()))) == (MassRate(200_000), MassRate(100_000))
    assert highest_across(context(new, pump(None, mass_24h_ng=50_000)))[0] > MassRate(149_999)
    pain = prescription(continuous("100 mcg/day"), **MORPHINE)
    other_drug = _context(pain, running(prescription()), P40, load_library("morphine"), None, None)
    assert highest_across(other_drug) == (MassRate(0), MassRate(100_000))  # what the path still holds is no dose of this drug


# ------------------------------------------------------------------------------------------------ what is judged
def test_a_file_is_judged_as_written_and_a_pump_as_read() -> None:
    rx = prescription()
    alone = context(rx)
    assert (alone.current, alone.now, alone.refill, alone.is_refill, alone.sets_volume) == (None, None, None, False, True)
    assert alone.volume == Volume(38_000_000)
    assert alone.configuration == wire_configuration(rx, P40)
    assert alone.view == view_configuration(alone.configuration, P40)
    present = running(rx)
    read = context(rx, present)
    assert read.current is not None
    assert read.current.present is present
    assert (read.volume, read.sets_volume, read.now) == (Volume(30_000_000), False, NOW)
    fresh = pump(None, host_now=NOW - timedelta(days=2))
    first = context(rx, fresh)
    assert (first.volume, first.sets_volume, first.now) == (Volume(38_000_000), True, NOW - timedelta(days=2))
    other = context(rx, prescription(continuous("300 mcg/day")))
    assert other.current is not None
    assert (other.current.source, other.sets_volume, other.volume, other.now) == ("file", True, Volume(38_000_000), None)


def test_a_refill_says_what_is_in_the_reservoir() -> None:
    rx = prescription()
    for current in (None, running(rx), pump(None)):
        whole = context(rx, current, REFILL)
        assert (whole.refill, whole.is_refill, whole.sets_volume, whole.volume) == (REFILL, True, True, Volume(38_400_000))
        volume = context(rx, current, Volume(20_000_000))
        assert (volume.refill, volume.is_refill, volume.sets_volume, volume.volume) == (None, True, True, Volume(20_000_000))


def test_the_time_of_the_decision_is_said_or_that_of_the_reading() -> None:
    later = NOW + timedelta(days=3)
    rx = prescription(flex(rate("00:00", "4 mcg/h")))
    assert context(rx, running(rx), now=later).now == later
    assert context(rx, now=later).now == later
    started = {when: context(rx, now=when).course._phases[0].start_ms for when in (None, NOW)}
    assert started == {None: (6 * 24 + 10) * MS_PER_HOUR, NOW: 10 * MS_PER_HOUR}  # Sunday 10:00 as written, Monday 10:00 now


def test_a_file_beside_another_is_read_with_its_own_pump() -> None:
    file = prescription(pump={"profile": "V-40"})
    current = context(prescription(), file).current
    assert current is not None
    assert current.view is not None
    assert current.view.profile == load_profile("V-40")
    assert current.rx is file


def test_the_forecast_is_asked_with_everything_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    told = context(prescription()).forecast

    def spy(rx: Prescription, **known: Any) -> Forecast | ForecastError:
        asked.append({"rx": rx, **known})
        if len(asked) > 2:
            raise ForecastError("no dates", action="none")
        return told

    monkeypatch.setattr(ROOM, "forecast", spy)
    rx = prescription()
    always = {"rx": rx, "profile": P40, "library": BACLOFEN, "wired": wire_configuration(rx, P40)}
    assert context(rx).forecast is told
    nothing = {"beside": None, "refill": None, "filled": None, "filled_on": None, "bolus_left_ms": None}
    assert asked[-1] == {**always, **nothing}
    filled = History(filled_ms=running(rx).uptime_ms - 30 * 24 * MS_PER_HOUR, filled_nL=36_000_000)
    present = running(rx, history=filled, bolus_left_ms=60_000)
    context(rx, present, REFILL)
    assert asked[-1] == {
        **always,
        "beside": present,
        "refill": Volume(38_400_000),
        "filled": Volume(36_000_000),
        "filled_on": date(2026, 10, 24),
        "bolus_left_ms": 60_000,
    }
    assert isinstance(context(rx, running(rx)).forecast, ForecastError)
    assert asked[-1] == {**always, **nothing, "beside": running(rx)}


# ------------------------------------------------------------------------------------------------ the review
def test_a_review_takes_profile_and_library_of_the_prescription_or_those_handed_in() -> None:
    rx = prescription(pump={"profile": "V-40"})
    assert review(rx) == review(rx, profile=load_profile("V-40"), library=BACLOFEN)
    assert "identity" not in {finding.rule for finding in review(prescription()).findings}
    assert review(prescription(), profile=load_profile("V-40")) != review(prescription())
    stricter = changed(BACLOFEN, version="3")
    assert review(prescription(), library=stricter).library["version"] == "3"


def test_findings_come_with_the_severest_first_and_the_dates_beside_them() -> None:
    judged = review(prescription(continuous("3000 mcg/day")), prescription())
    severities = [finding.severity for finding in judged.findings]
    assert severities == sorted(severities, reverse=True)
    assert {Severity.HARD, Severity.INFO} <= set(severities)
    made = context(prescription()).forecast
    assert isinstance(made, Forecast)
    assert review(prescription()).dates == made.json()
    more_than_filled = running(prescription(), history=History(filled_ms=0, filled_nL=10_000_000))  # and 30 mL counted
    assert review(prescription(), more_than_filled).dates is None


def test_the_figures_of_the_proposal() -> None:
    # 31.5 mL to the alarm: 315 days at 0.1 mL, 293.02 with three boluses of 2,500 nL
    rx = prescription(continuous("200 mcg/day", patient_bolus=ASKED))
    proposed = review(rx, prescription(continuous("160 mcg/day", patient_bolus=ASKED))).proposed
    own = {
        "change_percent": "22.9",  # 215 beside 175
        "reservoir_volume": {"value": "38", "unit": "mL"},
        "bolus_steps": "no",
        "days_to_low_alarm": "315",
        "days_to_low_alarm_with_patient_boluses": "293",
    }
    assert proposed == {**view_configuration(wire_configuration(rx, P40), P40).json(), **own}
    still = review(prescription({"mode": "stopped"})).proposed
    assert (still["days_to_low_alarm"], still["days_to_low_alarm_with_patient_boluses"], still["change_percent"]) == (None, None, None)
    two = review(prescription(flex(rate("00:00", "4 mcg/h"), bolus("06:00", "40 mcg", "30m"), bolus("18:00", "40 mcg", "30m"))))
    assert two.proposed["bolus_steps"] == "two"


def test_the_figures_of_the_present_are_there_where_it_is_known() -> None:
    assert review(prescription()).current is None
    present = running(prescription())
    assert review(prescription(), present).current == Current.from_pump(present, P40).json()


@pytest.mark.sr("SR-20", "SR-09")
@pytest.mark.parametrize("refill", [None, REFILL, Volume(20_000_000)])
@pytest.mark.parametrize("current", [None, running(prescription()), prescription(continuous("160 mcg/day"))])
def test_the_digest_covers_order_refill_present_findings_and_library(
    current: Prescription | PresentPump | None, refill: Refill | Volume | None
) -> None:
    rx = prescription()
    judged = review(rx, current, refill=refill)
    known = context(rx, current, refill).current
    volume = {None: None, REFILL: {"value": "38.4", "unit": "mL"}, Volume(20_000_000): {"value": "20", "unit": "mL"}}[refill]
    assert judged.digest == canonical_digest(
        {
            "rx": rx.canonical_json,
            "pump": P40.constants_hash.hex(),
            "refill": volume,
            "aspirated": {"value": "1.5", "unit": "mL"} if refill is REFILL else None,
            "current": known.identity() if known is not None else None,
            "findings": [finding.json() for finding in judged.findings],
            "library": BACLOFEN.json(),
        }
    )


def test_a_stopped_pump_has_not_lost_its_volume() -> None:
    stopped = running(prescription(), run_state=RunState.STOPPED, reservoir_nL=12_000_000)
    assert context(prescription(), stopped).volume == Volume(12_000_000)
