"""The dates of a pump as read, against what really happens to the simulated pump at the ends of its tolerance (SR-36)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as alter

from firmware_sim.device import SimulatedPump
from itbpump.errors import ConfigurationError
from itbpump.forecast import Forecast, ForecastError, forecast, last_fill
from itbpump.outcome import Applied
from itbpump.present import PresentPump
from itbpump.profiles import load_profile
from itbpump.pump import Pump
from itbpump.quantity import Duration, Mass, Volume
from itbpump.therapy import Prescription
from itbpump.wire.messages import AlarmNumber, LogEntry, LogKind, Mode, RunState
from tests.unit.client.lines import Line, host, joined
from tests.unit.therapy.prescriptions import bolus, continuous, flex, periodic, prescription, rate

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
P40 = load_profile("P-40")
PATIENT = {"dose": "10 mcg", "over": "10m", "lockout": "2h", "max_per_day": 4}
WEEKLY = flex(
    rate("00:00", "8 mcg/h"), bolus("06:00", "30 mcg", "1h"), rate("09:00", "12 mcg/h"), bolus("23:30", "20 mcg", "2h"), days=("mon", "sun")
)
THERAPIES: dict[str, dict[str, Any]] = {
    "continuous": continuous("400 mcg/day"),
    "flex": WEEKLY,
    "periodic": periodic("40 mcg", "30m", "8h", "192 mcg/day"),
    "patient": continuous("300 mcg/day", patient_bolus=PATIENT),
}


def rx(therapy: dict[str, Any], volume: str = "8 mL", **tables: Any) -> Prescription:
    return prescription(therapy, pump={"reservoir_volume": volume}, **tables)


class Rig:
    """A programmed pump whose motor and crystal are what the test says."""

    def __init__(self, prescribed: Prescription, *, accuracy_ppm: int = 0, clock_ppm: int = 0, hours: int = 0) -> None:
        filled = prescribed.pump.reservoir_volume
        self.line = Line(f"sim://P-40?fill={str(filled).replace(' ', '')}&seed=1")
        self.pump: Pump = joined(self.line, host(self.line))
        self.device: SimulatedPump = self.line.device
        self.device.plant.motor.accuracy_ppm = accuracy_ppm
        self.device.plant.oscillator.change(self.device.uptime_ms, clock_ppm)
        self.device.advance(hours * HOUR_MS + 12_345)
        assert isinstance(self.pump.program(prescribed), Applied)

    def dates(self, *, knows_fill: bool = True, knows_bolus: bool = True) -> tuple[Forecast, int]:
        """The forecast now, and the true time it counts from."""
        status, present = self.pump.status(), self.pump.present()
        fill = last_fill(self.pump.log(), present) if knows_fill else None
        found = forecast(
            present,
            profile=self.pump.profile,
            filled=fill.volume if fill is not None else None,
            filled_on=fill.on if fill is not None else None,
            bolus_left_ms=status.bolus_left_ms if knows_bolus else None,
        )
        return found, self.device.plant.oscillator.true_ms(self.device.uptime_ms)

    def advance_to(self, found: Forecast, since_true_ms: int, at: datetime, *, presses: bool = False) -> None:
        """To a date, in true time; with a patient who presses every half hour."""
        true_ms = since_true_ms + round((at - found.as_of) / timedelta(milliseconds=1))
        goal = self.device.plant.oscillator.uptime_ms(true_ms)
        while presses and self.device.uptime_ms + HOUR_MS // 2 < goal:
            self.device.patient_request()
            self.device.advance(HOUR_MS // 2)
        self.device.advance_to(max(goal, self.device.uptime_ms))

    @property
    def true_nL(self) -> int:
        return self.device.truth.reservoir_nL


@pytest.mark.sr("SR-36")
@pytest.mark.parametrize("clock_ppm", [-20, 20])
@pytest.mark.parametrize("therapy", THERAPIES)
def test_the_earliest_date_is_never_later_than_the_true_low_point(therapy: str, clock_ppm: int) -> None:
    """A pump that gives all of its +14.5 %, a fast or slow clock, a patient who takes every bolus; and a rotor whose pulses scatter."""
    rig = Rig(rx(THERAPIES[therapy]), accuracy_ppm=145_000, clock_ppm=clock_ppm, hours=5)
    found, since = rig.dates()
    assert found.low_reservoir.earliest is not None
    rig.advance_to(found, since, found.low_reservoir.earliest, presses=therapy == "patient")
    assert rig.true_nL > 6_500_000
    granted = rig.pump.status().patient_granted
    assert granted > 0 if therapy == "patient" else granted == 0


@pytest.mark.sr("SR-36")
@pytest.mark.parametrize("clock_ppm", [-20, 20])
@pytest.mark.parametrize("therapy", ["continuous", "flex", "periodic"])
def test_the_latest_date_is_never_earlier(therapy: str, clock_ppm: int) -> None:
    rig = Rig(rx(THERAPIES[therapy]), accuracy_ppm=-145_000, clock_ppm=clock_ppm)
    found, since = rig.dates()
    assert found.low_reservoir.latest is not None
    rig.advance_to(found, since, found.low_reservoir.latest)
    assert rig.true_nL <= 6_500_000


@pytest.mark.sr("SR-36")
@settings(max_examples=20)
@given(
    accuracy_ppm=st.integers(-145_000, 145_000),
    clock_ppm=st.integers(-20, 20),
    dose=st.integers(100, 900),
    hours=st.integers(0, 200),
    aged=st.integers(0, 60),
    knows_fill=st.booleans(),
    to_empty=st.booleans(),
)
def test_no_drift_within_tolerance_brings_a_date_forward(
    accuracy_ppm: int, clock_ppm: int, dose: int, hours: int, aged: int, knows_fill: bool, to_empty: bool
) -> None:
    """Read at any time of the week and of the fill, with the fill known or not: the truth lies between earliest and latest."""
    steps = (rate("00:00", f"{dose} mcg/day"), bolus("07:00", "25 mcg", "45m"))
    rig = Rig(rx(flex(*steps)), accuracy_ppm=accuracy_ppm, clock_ppm=clock_ppm, hours=hours)
    rig.device.advance(aged * HOUR_MS)
    found, since = rig.dates(knows_fill=knows_fill)
    bounds, to_nL = (found.empty, 1_400_000) if to_empty else (found.low_reservoir, 6_500_000)
    assert bounds.earliest is not None
    assert bounds.latest is not None
    if bounds.earliest > found.as_of:
        rig.advance_to(found, since, bounds.earliest)
        assert rig.true_nL > to_nL
    rig.advance_to(found, since, bounds.latest)
    assert rig.true_nL <= to_nL


@pytest.mark.sr("SR-35", "SR-36")
@pytest.mark.parametrize("therapy", ["continuous", "flex"])
def test_the_alarm_sounds_on_its_date(therapy: str) -> None:
    """The count of a pump is its schedule: it sounds within the time of a pulse, whatever really flows."""
    rig = Rig(rx(THERAPIES[therapy]), accuracy_ppm=-100_000, hours=31)
    rig.device.advance(7 * HOUR_MS)
    found, since = rig.dates()
    assert found.alarm is not None
    pulse_time = timedelta(minutes=10)
    rig.advance_to(found, since, found.alarm - pulse_time)
    assert AlarmNumber.LOW_RESERVOIR not in rig.pump.present().alarms
    rig.advance_to(found, since, found.alarm + pulse_time)
    assert AlarmNumber.LOW_RESERVOIR in rig.pump.present().alarms


@pytest.mark.sr("SR-36")
def test_a_date_read_later_is_the_same_date() -> None:
    """Nothing has happened but time: alarm and bounds stay, to the minutes that the slack allows."""
    rig = Rig(rx(WEEKLY))
    first, since = rig.dates()
    rig.device.advance(3 * DAY_MS)
    second, later = rig.dates()
    for before, after in (
        (first.alarm, second.alarm),
        (first.low_reservoir.earliest, second.low_reservoir.earliest),
        (first.empty.latest, second.empty.latest),
    ):
        assert before is not None
        assert after is not None
        drift = (after - second.as_of) - (before - first.as_of) + timedelta(milliseconds=later - since)
        assert abs(drift) < timedelta(minutes=10)


@pytest.mark.sr("SR-36")
@pytest.mark.parametrize("knows_bolus", [True, False])
def test_a_bolus_that_runs_is_in_all_dates(knows_bolus: bool) -> None:
    rig = Rig(rx(continuous("100 mcg/day")), accuracy_ppm=145_000)
    plain, _ = rig.dates()
    assert isinstance(rig.pump.bolus(Mass.parse("50 mcg"), Duration.parse("5h")), Applied)
    rig.device.advance(HOUR_MS)
    found, since = rig.dates(knows_bolus=knows_bolus)
    # 5 of 25 µL are given and 20 to come, 12 h of the therapy's flow; four hours of the bolus go by without the therapy, if that is known.
    assert plain.alarm is not None
    assert found.alarm is not None
    sooner = plain.alarm - found.alarm  # the host's time stands still in this rig
    assert sooner == timedelta(hours=8 if knows_bolus else 12)
    assert found.low_reservoir.earliest is not None
    rig.advance_to(found, since, found.low_reservoir.earliest)
    assert rig.true_nL > 6_500_000


@pytest.mark.sr("SR-36")
@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_bridge_comes_before_the_therapy(direction: str) -> None:
    """After a change of concentration the old flow goes on until the path is through, and the pump is true to the forecast."""
    old, new = ("500 mcg/mL", "2000 mcg/mL") if direction == "up" else ("2000 mcg/mL", "500 mcg/mL")
    rig = Rig(rx(continuous("200 mcg/day"), drug={"concentration": old}), accuracy_ppm=145_000)
    rig.device.advance(DAY_MS)
    to_come = rx(continuous("200 mcg/day"), drug={"concentration": new}, bridge={"plan": "auto"})
    present = rig.pump.present()
    planned = forecast(to_come, beside=present, refill=Volume.parse("8 mL"))
    assert planned.assumptions["bridge_left"] == {"value": "0.316", "unit": "mL"}
    rig.device.plant.aspirate("all")
    rig.device.plant.fill(8_000_000 - rig.true_nL, 2_000_000)
    outcome, _ = rig.pump.refill(Volume.parse("0 mL"), Volume.parse("6.6 mL"), to_come, present)
    assert isinstance(outcome, Applied)
    found, since = rig.dates()
    for name in ("earliest", "nominal", "latest"):
        before, after = getattr(planned.low_reservoir, name), getattr(found.low_reservoir, name)
        assert abs((before - planned.as_of) - (after - found.as_of)) <= timedelta(minutes=1)
    without = forecast(replace_bridge(present_of(rig)), profile=P40, filled=Volume.parse("8 mL"))
    assert without.alarm is not None
    assert found.alarm is not None
    assert (found.alarm < without.alarm) is (direction == "up")  # the old flow is four times the new one, or a quarter
    assert found.low_reservoir.earliest is not None
    rig.advance_to(found, since, found.low_reservoir.earliest)
    assert rig.true_nL > 6_500_000


def present_of(rig: Rig) -> PresentPump:
    return rig.pump.present()


def replace_bridge(present: PresentPump) -> PresentPump:
    return replace(present, bridge_left_pulses=0)


# ------------------------------------------------------------------------------------------------ facts of a pump
def test_a_stopped_pump_has_no_dates_but_its_ends() -> None:
    rig = Rig(rx(continuous("200 mcg/day"), "38 mL"))
    assert isinstance(rig.pump.stop(), Applied)
    found, _ = rig.dates()
    assert found.alarm is None
    assert found.limited_by == "drug-stability"
    assert found.assumptions["delivering"] == "nothing"
    unknown, _ = rig.dates(knows_fill=False)
    assert unknown.limited_by == "service-life"
    assert any(text.startswith("drug stability") for text in unknown.not_checked)


@pytest.mark.parametrize(
    ("run_state", "mode", "delivering"),
    [
        (RunState.RUNNING, Mode.CONTINUOUS, "therapy"),
        (RunState.RUNNING, Mode.MINIMUM_RATE, "minimum rate"),
        (RunState.SAFE, Mode.MINIMUM_RATE, "minimum rate"),
        (RunState.SAFE, Mode.CONTINUOUS, "nothing"),
        (RunState.STOPPED, Mode.CONTINUOUS, "nothing"),
    ],
)
def test_what_flows_is_what_the_pump_tells(run_state: RunState, mode: Mode, delivering: str) -> None:
    """A bridge and patient boluses wait wherever it is not the therapy."""
    present = Rig(rx(continuous("200 mcg/day", patient_bolus=PATIENT))).pump.present()
    assert present.configuration is not None
    bridged = alter(present.configuration, bridge_flow_nL_per_day=50_000, bridge_pulses=200)
    present = replace(present, configuration=bridged, run_state=run_state, mode=mode, bridge_left_pulses=100)
    dates = forecast(present, profile=P40)
    found = dates.assumptions
    assert found["delivering"] == delivering
    assert (dates.alarm is None) is (delivering == "nothing")
    treats = delivering == "therapy"
    assert (found["bridge_left"]["value"] != "0") is treats
    assert (found["patient_boluses_per_day"]["value"] != "0") is treats


def test_a_bridge_that_the_configuration_does_not_have_gives_no_date() -> None:
    present = replace(Rig(rx(continuous("200 mcg/day"))).pump.present(), bridge_left_pulses=100)
    with pytest.raises(ConfigurationError, match="read the pump again"):
        forecast(present, profile=P40)


def test_service_life_is_counted_by_the_age_of_the_pump() -> None:
    present = replace(Rig(rx(continuous("200 mcg/day"), "38 mL")).pump.present(), uptime_ms=2_550 * DAY_MS)
    found = forecast(present, profile=P40, filled_on=present.host_now.date())
    assert found.service_until == found.as_of + timedelta(days=6)
    assert found.limited_by == "service-life"
    sooner = forecast(present, profile=P40, implanted_on=found.as_of.date() - timedelta(days=2_553))
    assert sooner.service_until is not None
    assert sooner.service_until.date() == found.as_of.date() + timedelta(days=3)
    assert forecast(present, profile=P40, implanted_on=found.as_of.date()).service_until == found.service_until


def test_the_last_fill_is_found_in_the_log_by_uptime() -> None:
    present = replace(Rig(rx(continuous("200 mcg/day"))).pump.present(), uptime_ms=100 * DAY_MS)

    def entry(seq: int, day: int, kind: LogKind, volume: int = 0) -> LogEntry:
        return LogEntry(seq, day * DAY_MS, 0, kind, volume, 0)

    log = [entry(1, 1, LogKind.REFILL, 38_000_000), entry(2, 40, LogKind.REFILL, 20_000_000), entry(3, 50, LogKind.STOP)]
    found = last_fill(log, present)
    assert found is not None
    assert found.volume == Volume.parse("20 mL")
    assert found.on == (present.host_now - timedelta(days=60)).date()
    assert last_fill(log[2:], present) is None


def test_a_fill_that_is_not_known_is_taken_to_have_been_a_full_reservoir() -> None:
    """8 mL by the count: if 32 mL were counted since, they may have been 36.64 mL, so that the reservoir may be low already."""
    rig = Rig(rx(continuous("200 mcg/day")))
    known, _ = rig.dates()
    unknown, _ = rig.dates(knows_fill=False)
    assert unknown.alarm == known.alarm
    assert known.low_reservoir.earliest is not None
    assert known.low_reservoir.earliest > known.as_of
    assert unknown.low_reservoir.earliest == unknown.as_of
    assert unknown.low_reservoir.latest is not None
    assert known.low_reservoir.latest is not None
    assert unknown.low_reservoir.latest > known.low_reservoir.latest


def test_a_refill_now_counts_from_its_volume_and_day() -> None:
    present = Rig(rx(continuous("200 mcg/day"))).pump.present()
    found = forecast(present, profile=P40, refill=Volume.parse("30 mL"))
    assert found.assumptions["counted_from"] == found.assumptions["reservoir_volume"] == {"value": "30", "unit": "mL"}
    assert found.assumptions["filled_on"] == present.host_now.date().isoformat()
    assert found.alarm == found.as_of + timedelta(days=235)


@pytest.mark.parametrize(
    ("what", "arguments", "message"),
    [
        ("unconfigured", {"profile": P40}, "no configuration"),
        ("running", {}, "does not name its profile"),
        ("beside", {"profile": P40}, "not forecast beside another"),
        ("naive", {"profile": P40}, "no offset from UTC"),
    ],
)
def test_what_cannot_be_forecast_is_an_error(what: str, arguments: dict[str, Any], message: str) -> None:
    present = Rig(rx(continuous("200 mcg/day"))).pump.present()
    if what == "unconfigured":
        present = replace(present, configuration=None, run_state=RunState.UNCONFIGURED)
    elif what == "naive":
        present = replace(present, host_now=present.host_now.replace(tzinfo=None))
    with pytest.raises(ForecastError, match=message):
        forecast(present, **arguments, beside=present if what == "beside" else None)


# ------------------------------------------------------------------------------------------------ a prescription for that pump
def test_a_change_counts_from_the_pump_not_from_the_file() -> None:
    """Volume and week of the pump, therapy of the file; the file's own volume and time are those of its writing."""
    rig = Rig(rx(WEEKLY), hours=31)
    rig.device.advance(2 * DAY_MS)
    more = prescription(flex(rate("00:00", "9 mcg/h"), bolus("06:00", "35 mcg", "1h")), pump={"reservoir_volume": "39 mL"})
    present = rig.pump.present()
    fill = last_fill(rig.pump.log(), present)
    assert fill is not None
    found = forecast(more, beside=present, filled=fill.volume, filled_on=fill.on)
    assert found.as_of == present.host_now
    assert found.as_of.utcoffset() == more.pump.as_of.utcoffset()
    assert found.assumptions["reservoir_volume"] == Volume(present.reservoir_nL).json()
    assert isinstance(rig.pump.program(more, present), Applied)
    proved, _ = rig.dates()
    assert (proved.low_reservoir, proved.empty, proved.alarm) == (found.low_reservoir, found.empty, found.alarm)


def test_a_first_therapy_takes_the_volume_and_the_day_of_its_file() -> None:
    line = Line("sim://P-40?fill=8mL&seed=1")
    pump = joined(line, host(line))
    first = rx(WEEKLY)
    present = pump.present()
    found = forecast(first, beside=present)
    assert isinstance(pump.program(first, present), Applied)
    proved = forecast(pump.present(), profile=P40, filled=Volume.parse("8 mL"))
    assert (proved.low_reservoir, proved.empty) == (found.low_reservoir, found.empty)
    assert found.assumptions["filled_on"] == found.as_of.date().isoformat()


@pytest.mark.sr("SR-36")
def test_a_bolus_that_runs_goes_on_beneath_a_change() -> None:
    rig = Rig(rx(continuous("100 mcg/day")))
    present = rig.pump.present()
    more = rx(continuous("120 mcg/day"))
    plain = forecast(more, beside=present).alarm
    running = forecast(more, beside=replace(present, bolus_left_pulses=24), bolus_left_ms=0).alarm
    assert plain is not None
    assert running is not None
    assert plain - running == timedelta(hours=4, minutes=48)  # 12 µL at 60 µL a day


def test_a_stop_leaves_a_bridge_waiting() -> None:
    """A prescription that stops: nothing flows, whatever is left of a bridge."""
    present = Rig(rx(continuous("200 mcg/day"))).pump.present()
    assert present.configuration is not None
    bridged = alter(present.configuration, bridge_flow_nL_per_day=50_000, bridge_pulses=200)
    present = replace(present, configuration=bridged, bridge_left_pulses=100)
    found = forecast(rx({"mode": "stopped"}), beside=present)
    assert found.alarm is None
    assert found.assumptions["bridge_left"]["value"] == "0"
    assert forecast(rx(continuous("210 mcg/day")), beside=present).assumptions["bridge_left"]["value"] == "0.05"


@pytest.mark.sr("SR-36")
def test_the_drug_is_as_old_as_its_fill() -> None:
    """The log's day, else the file's, else today for a new fill; without a new fill an unknown age is said, not guessed."""
    rig = Rig(rx(continuous("200 mcg/day"), "38 mL"))
    present = rig.pump.present()
    today = present.host_now.astimezone(prescription().pump.as_of.tzinfo).date()
    dated, undated = rx(continuous("210 mcg/day"), drug={"filled_on": "2026-11-01"}), rx(continuous("210 mcg/day"))
    refill = Volume.parse("30 mL")

    def filled_on(change: Prescription, **arguments: Any) -> str | None:
        found = forecast(change, beside=present, **arguments)
        assert found.service_until is not None  # the pump tells its age
        day: str | None = found.assumptions["filled_on"]
        assert any(text.startswith("drug stability") for text in found.not_checked) is (day is None)
        return day

    assert filled_on(undated) is None
    assert filled_on(dated) == "2026-11-01"
    assert filled_on(undated, filled_on=date(2026, 10, 5)) == filled_on(dated, filled_on=date(2026, 10, 5)) == "2026-10-05"
    assert (
        filled_on(dated, refill=refill)
        == filled_on(undated, refill=refill)
        == filled_on(undated, refill=refill, filled_on=date(2026, 10, 5))
        == today.isoformat()
    )


def test_a_change_that_the_pump_would_not_take_still_has_dates_and_says_so() -> None:
    rig = Rig(rx(continuous("200 mcg/day")))
    other = rx(continuous("200 mcg/day"), drug={"concentration": "500 mcg/mL"})
    found = forecast(other, beside=rig.pump.present())
    assert found.alarm is not None
    assert any(text.startswith("bridge: the prescription is for another drug or concentration") for text in found.not_checked)


def test_a_periodic_therapy_keeps_its_place_only_unchanged() -> None:
    """The pump does not tell where it is: the earliest date has a bolus now, the latest a whole background first."""
    rig = Rig(rx(THERAPIES["periodic"]))
    rig.device.advance(3 * HOUR_MS)
    present = rig.pump.present()
    kept = forecast(rx(THERAPIES["periodic"]), beside=present)
    anew = forecast(rx(periodic("40 mcg", "30m", "6h", "192 mcg/day")), beside=present)
    assert kept.low_reservoir.latest is not None
    assert anew.low_reservoir.latest is not None
    assert forecast(present, profile=P40).low_reservoir == kept.low_reservoir
    assert anew.low_reservoir.latest < kept.low_reservoir.latest
