"""The dates of a prescription: golden figures of domain 0.3 and 7, edge cases of domain 4, what limits them, and their form."""

from __future__ import annotations

import dataclasses
import importlib
from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.errors import DataError, LibraryError
from itbpump.forecast import Bounds, Forecast, ForecastError, day_text, forecast
from itbpump.forecast.figures import FIGURE_NAMES, Figures, load_figures, read_figures
from itbpump.profiles import load_profile
from itbpump.quantity import Volume
from itbpump.therapy import Prescription
from tests.unit.therapy.prescriptions import WEEK, bolus, continuous, example, flex, periodic, prescription, prescriptions, rate

AS_OF = datetime(2026, 11, 22, 10, tzinfo=timezone(timedelta(hours=-5)))  # a Sunday
NEVER = datetime.max.replace(tzinfo=UTC)
QUARTER_ML = continuous("500 mcg/day")  # 0.25 mL a day at 2000 mcg/mL


def rx(therapy: dict[str, Any], volume: str = "38 mL", alarm: str = "6.5 mL", profile: str = "P-40", **tables: Any) -> Prescription:
    pump = {"profile": profile, "reservoir_volume": volume, "low_reservoir_alarm": alarm, **tables.pop("pump", {})}
    return prescription(therapy, pump=pump, **tables)


def days_to(at: datetime | None, since: datetime = AS_OF) -> Fraction:
    assert at is not None
    return Fraction(round((at - since) / timedelta(milliseconds=1)), 86_400_000)


def close(value: Fraction, to: Fraction | int, within: Fraction) -> bool:
    return abs(value - to) <= within


def ordered(bounds: Bounds) -> bool:
    earliest, nominal, latest = (at or NEVER for at in (bounds.earliest, bounds.nominal, bounds.latest))
    return earliest <= nominal <= latest


# ------------------------------------------------------------------------------------------------ golden
@pytest.mark.sr("SR-36")
@pytest.mark.parametrize(
    ("profile", "volume", "alarm_day", "dry_residual", "dry_day"),
    [
        ("P-20", "20 mL", 72, "0 mL", "69.9"),
        ("P-20", "20 mL", 72, "1.4 mL", "65"),
        ("P-40", "40 mL", 152, "0 mL", "139.7"),
        ("P-40", "40 mL", 152, "1.4 mL", "134.8"),
    ],
)
def test_a_pump_within_its_tolerance_is_dry_before_its_alarm(
    profile: str, volume: str, alarm_day: int, dry_residual: str, dry_day: str
) -> None:
    """Domain 0.3 and 7 [D]: 2 mL alarm, 0.25 mL a day, +14.5 %."""
    dry = dataclasses.replace(load_profile(profile), residual=Volume.parse(dry_residual))
    found = forecast(rx(QUARTER_ML, volume, "2 mL", profile), profile=dry)
    assert days_to(found.alarm) == alarm_day
    assert days_to(found.low_reservoir.nominal) == alarm_day
    assert round(days_to(found.empty.earliest), 1) == Fraction(dry_day)
    assert found.empty.earliest is not None
    assert found.alarm is not None
    assert found.empty.earliest < found.alarm


@pytest.mark.sr("SR-35", "SR-36")
def test_each_bound_follows_its_formula() -> None:
    """(V − A) / (Q (1 ± t)), widened by two pulses at both ends and 20 millionths of the clock, to the ms."""
    found = forecast(rx(QUARTER_ML))
    day_nL, slack_nL, t = 250_000, 1_000, Fraction(145, 1000)
    for bounds, to_nL in ((found.low_reservoir, 6_500_000), (found.empty, 1_400_000)):
        left = 38_000_000 - to_nL
        early = ((left - slack_nL) / (1 + t) - slack_nL) / day_nL / (1 + Fraction(20, 1_000_000))
        late = ((left + slack_nL) / (1 - t) + slack_nL) / day_nL / (1 - Fraction(20, 1_000_000))
        ms = Fraction(2, 86_400_000)
        assert abs(days_to(bounds.earliest) - early) <= ms
        assert abs(days_to(bounds.nominal) - Fraction(left, day_nL)) <= ms
        assert abs(days_to(bounds.latest) - late) <= ms
        assert ordered(bounds)
    assert found.low_reservoir.earliest is not None
    assert found.empty.earliest is not None
    assert found.low_reservoir.earliest < found.empty.earliest


def test_each_figure_of_the_forecast_has_a_source() -> None:
    figures = load_figures()
    assert (figures.slack_pulses, figures.clock_ppm) == (2, 20)
    assert all(found.mark in {"R", "R2", "M", "D"} and found.source for found in figures.sources.values())
    assert set(figures.sources) == set(FIGURE_NAMES)
    assert {name for name in Figures.__slots__ if name != "sources"} == set(FIGURE_NAMES)


FIGURES = """schema = "itbpump.forecast-figures/1"
[figures]
slack_pulses = { count = 2, mark = "D", source = "here" }
clock_ppm = { count = 20, mark = "M", source = "there" }
""" + "".join(f'{name} = {{ count = 1, mark = "R", source = "elsewhere" }}\n' for name in FIGURE_NAMES[2:])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("figures/1", "figures/2"),
        ("clock_ppm", "clock"),
        ("count = 20", "count = -1"),
        ("count = 20", "count = 0.5"),
        ("count = 20", "count = true"),
        ('mark = "D"', 'mark = "X"'),
        ('source = "here"', 'source = ""'),
        ('mark = "D", ', ""),
        ("[figures]", "[figures"),
    ],
)
def test_damaged_figures_give_no_dates(old: str, new: str) -> None:
    assert read_figures(FIGURES).clock_ppm == 20
    with pytest.raises(DataError):
        read_figures(FIGURES.replace(old, new))


# ------------------------------------------------------------------------------------------------ the week's pattern
def test_the_date_follows_the_weekday_pattern_not_a_mean() -> None:
    """240 mcg on weekdays (0.12 mL), nothing but 100 mcg (0.05 mL) on Saturday and Sunday; begun on a Sunday at 10:00 local."""
    weekdays = flex(rate("00:00", "240 mcg/day"), days=WEEK[:5])
    found = forecast(rx(weekdays, volume="7 mL", alarm="6.5 mL"))
    # 14 h of Sunday give 0.0291666 mL, Monday to Thursday end 0.48 mL later: 0.5 mL is passed within Thursday, not on the mean's day.
    given = [Fraction(50 * 14, 24)] + [Fraction(120)] * 3
    hours = 14 + 3 * 24 + (500 - sum(given)) / Fraction(120, 24)
    assert close(days_to(found.alarm) * 24, hours, Fraction(1, 60))
    mean_days = Fraction(500) / Fraction(120 * 5 + 50 * 2, 7)
    assert abs(days_to(found.alarm) - mean_days) > Fraction(11, 24)


def test_a_start_in_the_middle_of_the_day_counts_from_there() -> None:
    """A bolus at 06:00 has passed at 10:00; the next is tomorrow's."""
    therapy = flex(rate("00:00", "96 mcg/day"), bolus("06:00", "40 mcg", "1h"))
    before = prescription(therapy, pump={"reservoir_volume": "6.54 mL", "as_of": AS_OF.replace(hour=5)})
    after = prescription(therapy, pump={"reservoir_volume": "6.54 mL", "as_of": AS_OF})
    assert days_to(forecast(before).alarm, AS_OF.replace(hour=5)) < Fraction(1, 2)
    # 0.04 mL: at 10:00 0.048 mL a day until 06:00, which are exactly 20 h.
    assert days_to(forecast(after).alarm) == Fraction(20, 24)


@given(shift=st.integers(-14 * 60, 14 * 60))
def test_the_offset_of_as_of_is_the_pump_day(shift: int) -> None:
    """The same wall time at another offset: the same pattern from there, and dates at that offset; no zone, no change of clocks."""
    here = timezone(timedelta(minutes=shift))
    therapy = example("flex-weekday-weekend").therapy.model_dump(mode="json", by_alias=True, exclude_none=True)
    there = forecast(prescription(therapy, pump={"as_of": AS_OF.replace(tzinfo=here)}))
    usual = forecast(prescription(therapy, pump={"as_of": AS_OF}))
    assert there.alarm is not None
    assert usual.alarm is not None
    assert there.alarm.replace(tzinfo=None) == usual.alarm.replace(tzinfo=None)
    assert {at.utcoffset() for at in (there.alarm, there.as_of, there.refill_by) if at is not None} == {timedelta(minutes=shift)}


def test_a_leap_day_is_a_day() -> None:
    found = forecast(rx(QUARTER_ML, "7 mL", pump={"as_of": datetime(2028, 2, 28, 12, tzinfo=UTC)}))
    assert found.alarm == datetime(2028, 3, 1, 12, tzinfo=UTC)  # two days of 0.25 mL, one of them 29 February


def test_a_date_beyond_the_drug_is_told_and_not_capped() -> None:
    found = forecast(rx(continuous("100 mcg/day")))
    assert days_to(found.alarm) == 630
    assert found.limited_by == "drug-stability"
    assert found.stable_until == datetime(2027, 5, 21, tzinfo=AS_OF.tzinfo) == found.refill_by  # 180 days after 22 Nov 2026
    assert found.low_reservoir.earliest is not None
    assert found.stable_until is not None
    assert found.low_reservoir.earliest > found.stable_until


def test_a_periodic_therapy_begins_with_its_bolus_or_where_it_is_since() -> None:
    therapy = periodic("20 mcg", "1h", "6h", "96 mcg/day")  # 0.01 mL in the first hour, then 0.002 mL an hour
    fresh = forecast(rx(therapy, "6.51 mL"))
    assert days_to(fresh.alarm) * 24 == 1
    running = forecast(rx({**therapy, "since": AS_OF - timedelta(hours=13)}, "6.51 mL"))
    to_come = forecast(rx({**therapy, "since": AS_OF + timedelta(hours=1)}, "6.51 mL"))
    assert to_come.alarm == fresh.alarm
    assert days_to(running.alarm) * 24 == 5  # one hour after a bolus of 12 h ago ended: five hours of background come first


# ------------------------------------------------------------------------------------------------ no flow, already there
@pytest.mark.parametrize("mode", ["stopped", "continuous"])
def test_zero_flow_gives_no_date(mode: str) -> None:
    therapy = {"mode": "stopped"} if mode == "stopped" else continuous("0 mcg/day")
    found = forecast(rx(therapy))
    assert found.alarm is None
    assert found.low_reservoir == found.empty == Bounds(None, None, None)
    assert found.json()["low_reservoir"] == {"earliest": None, "nominal": None, "latest": None}
    assert found.limited_by == "drug-stability"  # the drug ages in a stopped pump too
    assert str(found.low_reservoir) == "no date"


def test_the_minimum_rate_has_dates_of_its_own() -> None:
    assert days_to(forecast(rx({"mode": "minimum-rate"})).alarm) == 31_500 // 6


@pytest.mark.sr("SR-35")
@pytest.mark.parametrize("volume", ["6.5 mL", "6.4 mL", "0 mL"])
@pytest.mark.parametrize("therapy", [QUARTER_ML, {"mode": "stopped"}], ids=["running", "stopped"])
def test_what_is_so_already_has_the_date_of_today(volume: str, therapy: dict[str, Any]) -> None:
    found = forecast(rx(therapy, volume))
    assert found.alarm == AS_OF
    assert found.low_reservoir.earliest == found.low_reservoir.nominal == AS_OF
    assert found.limited_by == "low-reservoir"
    assert found.refill_by == AS_OF.replace(hour=0)


def test_dates_beyond_the_calendar_are_no_dates() -> None:
    """1 nL a day would take 109,000 years."""
    found = forecast(rx(continuous("0.002 mcg/day"), profile="V-40"))
    assert found.alarm is None
    assert found.low_reservoir.earliest is None


# ------------------------------------------------------------------------------------------------ patient boluses, prime
def test_the_earliest_date_has_every_patient_bolus_and_the_nominal_none() -> None:
    boluses = {"dose": "5 mcg", "over": "10m", "lockout": "6h", "max_per_day": 3}
    plain, extra = forecast(rx(QUARTER_ML)), forecast(rx({**QUARTER_ML, "patient_bolus": boluses}))
    for before, after in ((plain.low_reservoir, extra.low_reservoir), (plain.empty, extra.empty)):
        assert after.nominal == before.nominal
        assert after.latest == before.latest
        assert after.earliest is not None
        assert before.earliest is not None
        assert after.earliest < before.earliest
    # 0.0075 mL at once, then 0.2575 instead of 0.25 mL a day.
    left = (Fraction(31_499_000) / Fraction(1145, 1000) - 1_000 - 7_500) / 257_500
    assert close(days_to(extra.low_reservoir.earliest), left / Fraction(1_000_020, 1_000_000), Fraction(1, 1_000_000))


def test_a_prime_still_to_come_counts_for_the_earliest_date_alone() -> None:
    plain, primed = forecast(rx(QUARTER_ML)), forecast(rx(QUARTER_ML, prime={"scope": "path"}))
    assert (primed.low_reservoir.nominal, primed.low_reservoir.latest) == (plain.low_reservoir.nominal, plain.low_reservoir.latest)
    gain = days_to(plain.low_reservoir.earliest) - days_to(primed.low_reservoir.earliest)
    assert close(gain, Fraction(316, 250), Fraction(1, 1000))


# ------------------------------------------------------------------------------------------------ what limits
@pytest.mark.sr("SR-36")
@pytest.mark.parametrize(
    ("changes", "arguments", "limited_by", "refill_by"),
    [
        ({}, {}, "low-reservoir", None),
        ({"pump": {"low_reservoir_alarm": "1 mL"}}, {}, "empty", None),
        ({"drug": {"filled_on": "2026-06-15"}}, {}, "drug-stability", date(2026, 12, 12)),
        ({}, {"filled_on": date(2026, 6, 15)}, "drug-stability", date(2026, 12, 12)),
        ({}, {"eri_left_days": 12}, "battery", date(2026, 12, 4)),
        ({}, {"eri_left_days": 0}, "battery", date(2026, 11, 22)),
        ({"pump": {"implanted_on": "2019-12-25"}}, {}, "service-life", date(2026, 12, 24)),
        ({}, {"implanted_on": date(2019, 12, 25)}, "service-life", date(2026, 12, 24)),
    ],
)
def test_refill_by_is_the_first_of_all_ends(
    changes: dict[str, Any], arguments: dict[str, Any], limited_by: str, refill_by: date | None
) -> None:
    found = forecast(rx(QUARTER_ML, **changes), **arguments)
    assert found.limited_by == limited_by
    assert found.refill_by is not None
    assert found.refill_by == found.refill_by.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=AS_OF.tzinfo)
    if refill_by is not None:
        assert found.refill_by.date() == refill_by
    bound = {"low-reservoir": found.low_reservoir, "empty": found.empty}.get(limited_by)
    if bound is not None:
        assert bound.earliest is not None
        assert found.refill_by == bound.earliest.replace(hour=0, minute=0, second=0, microsecond=0)


def test_where_nothing_limits_there_is_no_date() -> None:
    """A stopped pump whose drug keeps beyond the calendar."""
    found = forecast(rx({"mode": "stopped"}), filled_on=date(9999, 12, 1))
    assert (found.limited_by, found.refill_by, found.json()["refill_by"], found.refill_text) == ("none", None, None, "no date")


def test_what_is_not_known_is_said() -> None:
    assert [text.partition(":")[0] for text in forecast(rx(QUARTER_ML)).not_checked] == ["battery", "service life"]
    known = forecast(rx(QUARTER_ML, pump={"implanted_on": "2020-01-01"}))
    assert [text.partition(":")[0] for text in known.not_checked] == ["battery"]


def test_a_drug_without_a_library_has_no_dates() -> None:
    with pytest.raises(LibraryError):
        forecast(rx(QUARTER_ML, drug={"name": "water"}))


def test_more_in_the_reservoir_than_was_filled_is_an_error() -> None:
    with pytest.raises(ForecastError, match=r"38 mL in the reservoir is more than the 37 mL of its last fill"):
        forecast(rx(QUARTER_ML), filled=Volume.parse("37 mL"))


def test_a_counted_volume_is_less_certain_than_a_measured_one() -> None:
    """20 mL of 38 mL by the count: what was given since may have been 14.5 % more, so the earliest date stays where it was at the fill."""
    at_fill = forecast(rx(QUARTER_ML))
    later = AS_OF + timedelta(days=72)
    counted = forecast(rx(QUARTER_ML, "20 mL", pump={"as_of": later}), filled=Volume.parse("38 mL"))
    assert counted.alarm == at_fill.alarm
    measured = forecast(rx(QUARTER_ML, "20 mL", pump={"as_of": later}))
    for before, after, sure in (
        (at_fill.low_reservoir.earliest, counted.low_reservoir.earliest, measured.low_reservoir.earliest),
        (measured.low_reservoir.latest, counted.low_reservoir.latest, at_fill.low_reservoir.latest),
    ):
        assert before is not None
        assert after is not None
        assert sure is not None
        assert before <= sure
    assert close(days_to(at_fill.low_reservoir.earliest), days_to(counted.low_reservoir.earliest), Fraction(1, 100))
    assert close(days_to(at_fill.low_reservoir.latest), days_to(counted.low_reservoir.latest), Fraction(1, 100))


def test_a_refill_of_a_prescription_counts_from_its_volume_and_its_as_of() -> None:
    told = rx(QUARTER_ML, "20 mL", drug={"filled_on": "2026-06-15"})
    found = forecast(told, refill=Volume.parse("38 mL"), filled=Volume.parse("21 mL"), filled_on=date(2026, 6, 15))
    assert found == forecast(rx(QUARTER_ML, "38 mL"))


# ------------------------------------------------------------------------------------------------ properties
@pytest.mark.sr("SR-35", "SR-37")
@given(anything=prescriptions())
def test_any_prescription_has_ordered_dates_computed_twice(anything: Prescription) -> None:
    """Bounds in order, low not after empty, refill_by the early side of all; no disagreement of the two computations."""
    found = forecast(anything)
    assert ordered(found.low_reservoir)
    assert ordered(found.empty)
    alarm = anything.pump.low_reservoir_alarm
    profile = load_profile(anything.pump.profile)
    if alarm is None or alarm >= profile.residual:
        assert (found.low_reservoir.earliest or NEVER) <= (found.empty.earliest or NEVER)
    ends = (found.low_reservoir.earliest, found.empty.earliest, found.stable_until, found.service_until)
    known = [end for end in ends if end is not None]
    assert found.refill_by is not None
    assert found.refill_by <= min(known) < found.refill_by + timedelta(days=1)


@pytest.mark.sr("SR-34", "SR-36")
@given(
    volume=st.integers(7_000, 39_000),
    more=st.integers(1, 1_000),
    dose=st.integers(100, 1_500),
    dose_more=st.integers(1, 500),
)
def test_more_volume_is_never_earlier_and_more_flow_never_later(volume: int, more: int, dose: int, dose_more: int) -> None:
    def found(thousandths: int, mcg: int) -> Forecast:
        return forecast(prescription(continuous(f"{mcg} mcg/day"), pump={"reservoir_volume": Volume(thousandths * 1_000)}))

    here, fuller, faster = found(volume, dose), found(volume + more, dose), found(volume, dose + dose_more)
    for name in ("low_reservoir", "empty"):
        for side in ("earliest", "nominal", "latest"):
            at, later, sooner = (getattr(getattr(one, name), side) for one in (here, fuller, faster))
            assert sooner <= at <= later


# ------------------------------------------------------------------------------------------------ form
def test_json_has_the_form_of_the_design() -> None:
    form = forecast(rx(QUARTER_ML, pump={"as_of": AS_OF.replace(second=59)})).json()
    assert set(form) == {"as_of", "alarm", "low_reservoir", "empty", "refill_by", "limited_by", "assumptions"}
    assert form["as_of"] == "2026-11-22T10:00-05:00"
    assert form["alarm"] == "2027-03-28T10:00-05:00"  # 126 days, the seconds rounded down
    assert set(form["low_reservoir"]) == set(form["empty"]) == {"earliest", "nominal", "latest"}
    for at in (*form["low_reservoir"].values(), *form["empty"].values(), form["refill_by"]):
        assert datetime.fromisoformat(at).utcoffset() == timedelta(hours=-5)
    assert form["refill_by"].endswith("T00:00-05:00")
    assert form["assumptions"]["reservoir_volume"] == {"value": "38", "unit": "mL"}
    assert form["assumptions"]["flow_tolerance_percent"] == "14.5"


def test_screens_show_the_day() -> None:
    found = forecast(rx(QUARTER_ML))
    rows = dict(found.rows())
    assert rows["alarm, by the count"] == "28 Mar 2027"
    assert rows["refill by"] == "12 Mar 2027 (low reservoir)"
    assert rows["low reservoir"] == "12 Mar 2027 to 18 Apr 2027"
    assert str(Bounds(AS_OF, None, None)) == "from 22 Nov 2026 on"
    assert dict(found.ends()) == {"drug stable until": "21 May 2027"}
    everything = forecast(rx(QUARTER_ML), eri_left_days=12, implanted_on=date(2020, 1, 1))
    assert list(dict(everything.ends())) == ["drug stable until", "battery until", "service life until"]
    assert day_text(datetime(2026, 8, 9, 23, 59, tzinfo=UTC)) == "9 Aug 2026"
    assert day_text(None) == "no date"


def test_the_room_can_be_called_by_its_name() -> None:
    room: Any = importlib.import_module("itbpump.forecast")
    assert room(rx(QUARTER_ML)) == forecast(rx(QUARTER_ML))
