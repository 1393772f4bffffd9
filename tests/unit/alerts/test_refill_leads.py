"""When each stage begins: domain 4's formula in figures, closed days to the early side only, the patient's own day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.alerts.calendar_days import ClosedDays, today_in
from itbpump.alerts.leads import days_before, lead_days, refill_stage_days
from itbpump.alerts.model import RefillDates, Stage
from itbpump.alerts.policy import load_policy
from tests.unit.alerts.alert_rig import dates

LEADS = load_policy().leads
OPEN = ClosedDays()
WEEKEND = ClosedDays(weekdays=frozenset({5, 6}))
YEARS = (datetime(2020, 1, 1), datetime(2040, 1, 1))  # noqa: DTZ001  # Hypothesis adds the zone
FILLED = date(2026, 1, 5)


def slow_pump(filled_mL: int, alarm_mL: int, residual_mL: Fraction, flow_mL_per_day: Fraction = Fraction(1, 4)) -> RefillDates:
    """Days of a full pump, by hand: no forecast in it."""
    fast = flow_mL_per_day * Fraction(1145, 1000)

    def after(volume_mL: Fraction | int, flow: Fraction) -> date:
        return FILLED + timedelta(days=int(volume_mL / flow))

    low = after(filled_mL - alarm_mL, fast)
    return RefillDates(
        computed_at=datetime(2026, 1, 5, tzinfo=UTC),
        alarm=after(filled_mL - alarm_mL, flow_mL_per_day),
        low_earliest=low,
        low_nominal=after(filled_mL - alarm_mL, flow_mL_per_day),
        low_latest=None,
        empty_earliest=after(filled_mL - residual_mL, fast),
        empty_nominal=None,
        empty_latest=None,
        refill_by=low,
        limited_by="low-reservoir",
    )


@pytest.mark.sr("SR-40")
def test_a_slow_40_mL_pump_needs_more_than_a_week() -> None:
    """40 mL, alarm at 2 mL, 0.25 mL/day: sounds on day 152, may be dry on day 134 (1.4 mL unusable): 18 days and a week before."""
    days = slow_pump(40, 2, Fraction(14, 10))
    assert days.alarm is not None
    assert (days.alarm - FILLED).days == 152
    assert lead_days(days, LEADS) == 18 + 7
    begins = refill_stage_days(days, LEADS, OPEN)
    assert begins is not None
    assert (begins.due - FILLED).days == 125  # a week before day 132, when it may be low; a flat week before the alarm would be day 145
    assert (begins.soon - FILLED).days == 118
    assert (begins.overdue - FILLED).days == 132
    assert begins.critical is not None
    assert (begins.critical - FILLED).days == 134


@pytest.mark.sr("SR-40")
def test_a_20_mL_pump_with_a_low_alarm_volume() -> None:
    """20 mL: sounds on day 72, may be dry on day 64: the formula gives 15 days, and `refill_by` is day 62."""
    days = slow_pump(20, 2, Fraction(14, 10))
    assert lead_days(days, LEADS) == 8 + 7
    begins = refill_stage_days(days, LEADS, OPEN)
    assert begins is not None
    assert [(day - FILLED).days for day in (begins.due, begins.overdue)] == [55, 62]


def test_a_fast_pump_keeps_the_least_lead() -> None:
    assert lead_days(slow_pump(20, 4, Fraction(14, 10), Fraction(2)), LEADS) == 7


def test_without_such_days_the_least_lead_stands() -> None:
    assert lead_days(dates(date(2026, 5, 4), alarm=None, empty_earliest=None), LEADS) == LEADS.refill_least
    assert refill_stage_days(dates(None), LEADS, OPEN) is None


@given(st.dates(date(2025, 1, 1), date(2035, 1, 1)), st.integers(-40, 200), st.integers(-40, 200), st.booleans())
def test_stages_are_in_order_and_closed_days_only_move_them_earlier(refill_by: date, alarm: int, empty: int, own: bool) -> None:
    days = dates(refill_by, alarm=refill_by + timedelta(days=alarm), empty_earliest=refill_by + timedelta(days=empty))
    closed = ClosedDays(WEEKEND.weekdays, frozenset({refill_by, refill_by - timedelta(days=7)}) if own else frozenset(), "DE", "BY")
    plain, moved = refill_stage_days(days, LEADS, OPEN), refill_stage_days(days, LEADS, closed)
    assert plain is not None
    assert moved is not None
    for each in (plain, moved):
        assert each.critical is not None
        assert each.soon <= each.due <= each.overdue <= each.critical
    assert moved.overdue <= refill_by
    for before, after in zip((plain.soon, plain.due, plain.overdue), (moved.soon, moved.due, moved.overdue), strict=True):
        assert after <= before
        assert not closed.is_closed(after)
    stages = [moved.stage(refill_by + timedelta(days=day)) for day in range(-60, 60)]
    assert stages == sorted(stages)


def test_holidays_of_a_country_and_its_part_and_the_clinics_own_list() -> None:
    bavaria = ClosedDays(WEEKEND.weekdays, frozenset({date(2026, 12, 24)}), "DE", "BY")
    assert bavaria.open_on_or_before(date(2026, 12, 27)) == date(2026, 12, 23)  # Sunday, Saturday, Christmas Day, the clinic's own
    assert bavaria.is_closed(date(2026, 1, 6))
    assert not ClosedDays(country="DE", subdivision="BE").is_closed(date(2026, 1, 6))  # Epiphany is no holiday in Berlin
    assert bavaria.open_on_or_before(date(2026, 1, 7)) == date(2026, 1, 7)


def test_a_clinic_that_never_opens_moves_nothing() -> None:
    shut = ClosedDays(own=frozenset(date(2026, 1, 1) + timedelta(days=day) for day in range(365)))
    assert shut.open_on_or_before(date(2026, 6, 1)) == date(2026, 6, 1)


def test_a_leap_day_is_a_day() -> None:
    assert WEEKEND.open_on_or_before(date(2028, 2, 29)) == date(2028, 2, 29)
    assert days_before(date(2028, 3, 7), 7) == date(2028, 2, 29)
    assert days_before(date(1, 1, 3), 30) == date(1, 1, 1)


@pytest.mark.sr("SR-40")
@pytest.mark.parametrize(
    ("zone", "at", "day"),
    [
        ("Pacific/Auckland", datetime(2026, 8, 3, 12, 30, tzinfo=UTC), date(2026, 8, 4)),
        ("Pacific/Honolulu", datetime(2026, 8, 3, 8, tzinfo=UTC), date(2026, 8, 2)),
        ("America/New_York", datetime(2026, 3, 8, 4, 59, tzinfo=UTC), date(2026, 3, 7)),  # the night the clocks go forward
        ("America/New_York", datetime(2026, 3, 9, 4, 1, tzinfo=UTC), date(2026, 3, 9)),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, 0, tzinfo=UTC), date(2026, 10, 25)),  # the day of 25 h
        ("Europe/Berlin", datetime(2026, 10, 25, 22, 59, tzinfo=UTC), date(2026, 10, 25)),
        ("Europe/Berlin", datetime(2026, 10, 25, 23, 0, tzinfo=UTC), date(2026, 10, 26)),
        ("Mars/Base", datetime(2026, 8, 3, 10, 0, tzinfo=UTC), date(2026, 8, 4)),  # unknown: where the day begins first
        ("../etc", datetime(2026, 8, 3, 10, 0, tzinfo=UTC), date(2026, 8, 4)),
        ("", datetime(2026, 8, 3, 9, 59, tzinfo=UTC), date(2026, 8, 3)),
    ],
)
def test_the_patients_zone_decides_which_day_it_is(zone: str, at: datetime, day: date) -> None:
    assert today_in(zone, at) == day


@given(st.datetimes(*YEARS, timezones=st.just(UTC)))
def test_an_unknown_zone_is_never_late(at: datetime) -> None:
    assert all(
        today_in("no/zone", at) >= at.astimezone(zone).date()
        for zone in (UTC, ZoneInfo("Pacific/Kiritimati"), timezone(-timedelta(hours=12)))
    )


def test_a_time_without_its_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="no offset"):
        today_in("UTC", datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_stage_after_the_present_one() -> None:
    begins = refill_stage_days(dates(date(2026, 8, 31)), LEADS, OPEN)
    assert begins is not None
    assert begins.stage(date(2026, 8, 31)) is Stage.OVERDUE
    assert begins.next_after(date(2026, 8, 31)) == begins.critical
    assert begins.next_after(date(2027, 8, 31)) is None
