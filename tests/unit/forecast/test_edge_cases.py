"""Each edge case of domain 4 "Edge cases for tests" by its name: what must not move a refill date, and what must."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from itbpump.forecast import Forecast, ForecastError, forecast, last_fill
from itbpump.outcome import Applied
from itbpump.profiles import load_profile
from itbpump.quantity import Duration, Mass, Volume
from itbpump.refill import Refill, RefillError
from itbpump.safety import Severity, review
from itbpump.therapy import Prescription
from tests.unit.client.lines import Line, host, joined
from tests.unit.therapy.prescriptions import WEEK, continuous, flex, prescription, rate

P40 = load_profile("P-40")
NEW_YORK = ZoneInfo("America/New_York")
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NIGHTLY = flex(rate("00:00", "480 mcg/day"), rate("06:00", "240 mcg/day"))  # 0.06 mL by 06:00, 0.09 mL in the rest of the day


def rx(therapy: dict[str, Any], volume: str = "38 mL", **tables: Any) -> Prescription:
    return prescription(therapy, pump={"reservoir_volume": volume, **tables.pop("pump", {})}, **tables)


def hours(found: Forecast) -> float:
    assert found.alarm is not None
    return (found.alarm - found.as_of) / timedelta(hours=1)


class Pump:
    """A programmed, simulated pump and its host."""

    def __init__(self, prescribed: Prescription) -> None:
        self.line = Line(f"sim://P-40?fill={str(prescribed.pump.reservoir_volume).replace(' ', '')}&seed=1")
        self.pump = joined(self.line, host(self.line))
        assert isinstance(self.pump.program(prescribed), Applied)

    def dates(self, **changes: Any) -> Forecast:
        present = replace(self.pump.present(), **changes)
        fill = last_fill(self.pump.log(), present)
        assert fill is not None
        status = self.pump.status()
        return forecast(present, profile=P40, filled=fill.volume, filled_on=fill.on, bolus_left_ms=status.bolus_left_ms)


# ------------------------------------------------------------------------------------------------ times
@pytest.mark.sr("SR-52")
@pytest.mark.parametrize(
    ("as_of", "name"),
    [(datetime(2026, 3, 7, 22, tzinfo=NEW_YORK), "spring"), (datetime(2026, 10, 31, 22, tzinfo=NEW_YORK), "autumn")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_change_of_clocks_moves_no_date(as_of: datetime, name: str) -> None:
    """The pump's day stays at the offset of `as_of`: the flow and every elapsed hour are as on any other night."""
    across = forecast(rx(NIGHTLY, "6.59 mL", pump={"as_of": as_of}))
    usual = forecast(rx(NIGHTLY, "6.59 mL", pump={"as_of": as_of.replace(month=6, tzinfo=timezone(timedelta(hours=-4)), day=10)}))
    # 2 h at 0.005 mL an hour before midnight, 6 h at 0.01 mL, then 0.02 mL at 0.005 mL an hour: 12 h.
    assert hours(across) == hours(usual) == 12
    offset = as_of.utcoffset()
    assert offset == timedelta(hours=-5 if name == "spring" else -4)
    assert across.alarm is not None
    assert across.alarm.utcoffset() == offset == across.as_of.utcoffset()
    assert across.alarm.astimezone(NEW_YORK).utcoffset() != offset  # the clocks on the wall have changed by then


@pytest.mark.sr("SR-52")
def test_travel_moves_no_date() -> None:
    """The same pump read at home and abroad: the same instants, each at the offset of the reader."""
    pump = Pump(rx(NIGHTLY))
    here = pump.pump.present().host_now
    home, away = pump.dates(), pump.dates(host_now=here.astimezone(timezone(timedelta(hours=9))))
    assert home.alarm == away.alarm
    assert (home.low_reservoir, home.empty) == (away.low_reservoir, away.empty)
    assert away.alarm is not None
    assert away.alarm.utcoffset() == timedelta(hours=9)
    for found in (home, away):
        assert found.refill_by is not None
        assert found.low_reservoir.earliest is not None
        assert found.refill_by <= found.low_reservoir.earliest  # rounded down to the day of the place where it is read


def test_a_leap_day_between_fill_and_date_is_counted() -> None:
    leap = forecast(rx(continuous("500 mcg/day"), pump={"as_of": datetime(2028, 2, 1, tzinfo=UTC)}))
    plain = forecast(rx(continuous("500 mcg/day"), pump={"as_of": datetime(2027, 2, 1, tzinfo=UTC)}))
    assert hours(leap) == hours(plain) == 126 * 24
    assert leap.alarm is not None
    assert plain.alarm is not None
    assert (leap.alarm.month, leap.alarm.day) == (6, 6)
    assert (plain.alarm.month, plain.alarm.day) == (6, 7)
    assert leap.stable_until is not None
    assert leap.stable_until.date() == date(2028, 7, 30)  # 180 days, one of them 29 Feb


def test_a_pattern_that_starts_mid_day_counts_the_rest_of_its_first_day() -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=timezone(timedelta(hours=-5)))  # a Monday
    therapy = flex(rate("00:00", "480 mcg/day"), rate("18:00", "240 mcg/day"), days=WEEK[:1])
    # 6 h at 0.01 mL, 6 h at 0.005 mL, then Tuesday's 100 mcg/day: 0.05 mL a day.
    assert hours(forecast(rx(therapy, "6.59 mL", pump={"as_of": noon}))) == 12
    assert hours(forecast(rx(therapy, "6.64 mL", pump={"as_of": noon}))) == 12 + 24


# ------------------------------------------------------------------------------------------------ volumes
@pytest.mark.sr("SR-39")
def test_an_overfill_gets_no_later_date() -> None:
    """More than the reservoir holds can neither be refilled nor programmed, so that no date is ever made of it."""
    pump = Pump(rx(continuous("200 mcg/day")))
    present = pump.pump.present()
    with pytest.raises(RefillError, match="more than the reservoir"):
        Refill.plan(Volume.parse("1 mL"), Volume.parse("39 mL"), present, P40, pump.pump.log())
    findings = review(rx(continuous("200 mcg/day"), "41 mL")).findings
    assert any(finding.severity is Severity.HARD and "overfilling damages the pump" in finding.message for finding in findings)


@pytest.mark.sr("SR-36")
def test_an_underfill_is_earlier() -> None:
    full, less = forecast(rx(continuous("200 mcg/day"))), forecast(rx(continuous("200 mcg/day"), "20 mL"))
    for name in ("low_reservoir", "empty"):
        assert getattr(less, name).latest < getattr(full, name).earliest


@pytest.mark.sr("SR-34")
def test_a_wrong_volume_entered_is_put_right_by_measuring() -> None:
    """38 mL were entered where 20 mL went in: the count is 18 mL too high, and no tolerance covers that. The next refill shows it."""
    pump = Pump(rx(continuous("500 mcg/day"), "20 mL"))
    entered = replace(pump.pump.present(), reservoir_nL=38_000_000)
    wrong = forecast(entered, profile=P40, filled=Volume.parse("38 mL"))
    measured = forecast(entered, profile=P40, refill=Volume.parse("20 mL"))
    assert measured.low_reservoir.latest is not None
    assert wrong.low_reservoir.earliest is not None
    assert measured.low_reservoir.latest < wrong.low_reservoir.earliest
    plan = Refill.plan(Volume.parse("18.6 mL"), Volume.parse("36 mL"), entered, P40, pump.pump.log())
    assert plan.discrepancy.difference_nL == -18_000_000
    assert plan.discrepancy.suspicious
    with pytest.raises(ForecastError, match="more than the 20 mL of its last fill"):
        forecast(entered, profile=P40, filled=Volume.parse("20 mL"))


@pytest.mark.sr("SR-36")
def test_of_two_refills_in_a_day_the_last_counts() -> None:
    """The first was stopped half-way: 10 mL, and an hour later the rest. Also where nothing was counted in between."""
    pump = Pump(rx(continuous("500 mcg/day"), "20 mL"))
    present = pump.pump.present()
    pump.line.device.plant.aspirate("all")
    pump.line.device.plant.fill(8_600_000, 2_000_000)
    first, _ = pump.pump.refill(Volume.parse("18.6 mL"), Volume.parse("8.6 mL"), None, present)
    assert isinstance(first, Applied)
    half = pump.dates()
    pump.line.device.advance(HOUR_MS)
    pump.line.device.plant.aspirate("all")
    pump.line.device.plant.fill(36_600_000, 2_000_000)
    second, _ = pump.pump.refill(Volume.parse("8.6 mL"), Volume.parse("36.6 mL"), None, pump.pump.present())
    assert isinstance(second, Applied)
    found = pump.dates()
    assert found.assumptions["counted_from"] == found.assumptions["reservoir_volume"] == {"value": "38", "unit": "mL"}
    assert found.assumptions["filled_on"] == half.assumptions["filled_on"]
    assert round(hours(found)) == 126 * 24
    assert half.low_reservoir.latest is not None
    assert found.low_reservoir.earliest is not None
    assert found.low_reservoir.earliest > half.low_reservoir.latest


# ------------------------------------------------------------------------------------------------ changes
@pytest.mark.sr("SR-36")
def test_a_dose_changed_mid_cycle_counts_what_has_flowed() -> None:
    """40 days at 0.1 mL, then 0.25 mL a day: from 34 mL on, and what was counted so far keeps its uncertainty."""
    pump = Pump(rx(continuous("200 mcg/day")))
    pump.line.device.advance(40 * DAY_MS)
    before = pump.dates()
    assert isinstance(pump.pump.program(rx(continuous("500 mcg/day")), pump.pump.present()), Applied)
    after = pump.dates()
    assert after.assumptions["counted_from"] == {"value": "38", "unit": "mL"}
    assert round(hours(before)) == 275 * 24
    assert round(hours(after)) == 110 * 24
    measured = forecast(rx(continuous("500 mcg/day"), "34 mL")).low_reservoir
    assert after.low_reservoir.earliest is not None
    assert measured.earliest is not None
    assert after.low_reservoir.earliest - after.as_of < measured.earliest - forecast(rx(continuous("500 mcg/day"), "34 mL")).as_of


@pytest.mark.sr("SR-36")
def test_stop_and_restart_move_the_date_by_the_time_stopped() -> None:
    pump = Pump(rx(continuous("500 mcg/day"), "20 mL"))
    before = pump.dates()
    assert isinstance(pump.pump.stop(), Applied)
    assert pump.dates().alarm is None
    pump.line.device.advance(10 * HOUR_MS)
    assert isinstance(pump.pump.program(rx(continuous("500 mcg/day"), "20 mL"), pump.pump.present()), Applied)
    assert abs(hours(pump.dates()) - hours(before)) < 0.1  # as many hours to go as before; the host's time stands still in this rig


@pytest.mark.sr("SR-36")
def test_a_bolus_that_runs_brings_the_date_forward() -> None:
    pump = Pump(rx(continuous("100 mcg/day")))
    plain = pump.dates()
    assert isinstance(pump.pump.bolus(Mass.parse("50 mcg"), Duration.parse("2h")), Applied)
    # 25 µL in 2 h instead of 4.17 µL: 20.8 µL are 10 h of the therapy.
    assert hours(plain) - hours(pump.dates()) == pytest.approx(10, abs=0.1)
