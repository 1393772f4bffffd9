"""Drug stability, battery, service life and the earliest of all come from two computations that share nothing (SR-37)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.forecast import ForecastDisagreement, dates, forecast
from itbpump.forecast.ends import Known, days_of_civil, ends_ms, require_same
from itbpump.forecast.model import fixed_offset
from tests.unit.therapy.prescriptions import prescription

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=timezone(timedelta(hours=-5)))
EPOCH = date(1, 1, 1)
ONE_DAY = timedelta(days=1)
KNOWN = Known(NOW, date(2026, 9, 1), 180, 60, date(2024, 2, 29), 30 * 86_400_000, 2555)
CONTINUOUS = {"mode": "continuous", "dose": "200 mcg/day"}


@given(st.dates())
def test_days_are_counted_as_the_calendar_counts_them(day: date) -> None:
    assert days_of_civil(day.year, day.month, day.day) - days_of_civil(1, 1, 1) == (day - EPOCH).days


@pytest.mark.sr("SR-37")
@given(
    as_of=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1)),  # noqa: DTZ001 -- its offset comes with it
    offset_min=st.integers(-720, 840),
    stability=st.integers(1, 400),
    left=st.none() | st.integers(0, 200),
    age_days=st.none() | st.integers(0, 9_000),
    life=st.integers(1, 9_000),
    implanted=st.none() | st.dates(date(2010, 1, 1), date(2040, 1, 1)),
)
def test_both_computations_agree_on_every_end(
    as_of: datetime, offset_min: int, stability: int, left: int | None, age_days: int | None, life: int, implanted: date | None
) -> None:
    now = as_of.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    age = None if age_days is None else age_days * 86_400_000 + 12_345
    counted = ends_ms(Known(now, now.date(), stability, left, implanted, age, life))

    def ms(at: datetime | None) -> int | None:
        day = None if at is None else (at.date() - EPOCH).days + days_of_civil(1, 1, 1)
        return (
            None if at is None or day is None else day * 86_400_000 + (at - at.replace(hour=0, minute=0, second=0, microsecond=0)) // ONE_MS
        )

    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    assert counted["drug-stability"] == ms(midnight + stability * ONE_DAY)
    assert counted["battery"] == (None if left is None else ms(now + left * ONE_DAY))
    by_day = None if implanted is None else datetime(implanted.year, implanted.month, implanted.day, tzinfo=now.tzinfo) + life * ONE_DAY
    by_age = None if age is None else now + life * ONE_DAY - age * ONE_MS
    first = min((end for end in (by_day, by_age) if end is not None), default=None)
    found = counted["service-life"]
    assert (found is None) == (first is None)
    if found is not None:
        assert abs(found - (ms(first) or 0)) <= 1  # a part of a millisecond is left out


ONE_MS = timedelta(milliseconds=1)


def told() -> dict[str, datetime | None]:
    midnight = NOW.replace(hour=0, minute=0)
    service = datetime(2024, 2, 29, tzinfo=NOW.tzinfo) + 2555 * ONE_DAY
    stable = midnight.replace(month=9, day=1) + 180 * ONE_DAY
    return {"drug-stability": stable, "battery": NOW + 60 * ONE_DAY, "service-life": service}


RESERVOIR: dict[str, datetime | None] = {"low-reservoir": NOW + 70 * ONE_DAY, "empty": None}
REFILL_BY = (NOW + 60 * ONE_DAY).replace(hour=0, minute=0)


def test_what_agrees_is_let_through() -> None:
    require_same(KNOWN, told(), RESERVOIR, REFILL_BY, "battery")
    require_same(
        replace(KNOWN, filled_on=None, eri_left_days=None, implanted_on=None, uptime_ms=None), NONE, dict.fromkeys(RESERVOIR), None, "none"
    )


NONE: dict[str, datetime | None] = {"drug-stability": None, "battery": None, "service-life": None}


@pytest.mark.sr("SR-37")
@pytest.mark.parametrize(
    ("found", "reservoir", "refill_by", "limited_by"),
    [
        ({**told(), "battery": NOW + 61 * ONE_DAY}, RESERVOIR, REFILL_BY, "battery"),
        ({**told(), "battery": None}, RESERVOIR, REFILL_BY, "battery"),
        ({**told(), "service-life": NOW}, RESERVOIR, REFILL_BY, "battery"),
        ({**told(), "drug-stability": None}, RESERVOIR, REFILL_BY, "battery"),
        (told(), RESERVOIR, REFILL_BY + ONE_DAY, "battery"),
        (told(), RESERVOIR, None, "none"),
        (told(), RESERVOIR, REFILL_BY, "low-reservoir"),
        (told(), {**RESERVOIR, "low-reservoir": NOW + 30 * ONE_DAY}, REFILL_BY, "battery"),
    ],
)
def test_a_disagreement_gives_no_date(
    found: dict[str, datetime | None], reservoir: dict[str, datetime | None], refill_by: datetime | None, limited_by: str
) -> None:
    with pytest.raises(ForecastDisagreement, match="no date is given"):
        require_same(KNOWN, found, reservoir, refill_by, limited_by)


@pytest.mark.sr("SR-37")
@pytest.mark.parametrize("broken", ["_midnight", "_service_end", "_earliest"])
def test_a_forecast_whose_first_computation_is_wrong_is_not_given(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rx = prescription(CONTINUOUS, pump={"implanted_on": date(2024, 2, 29)})
    assert forecast(rx).refill_by is not None
    real = getattr(dates, broken)

    def late(*arguments: object) -> object:
        end = real(*arguments)
        return (end[0] + ONE_DAY, end[1]) if isinstance(end, tuple) else None if end is None else end + ONE_DAY

    monkeypatch.setattr(dates, broken, late)
    with pytest.raises(ForecastDisagreement):
        forecast(rx)


def test_a_date_beyond_the_calendar_is_none_on_both_sides() -> None:
    far = replace(KNOWN, service_life_days=4_000_000, implanted_on=None, stability_days=4_000_000)
    assert ends_ms(far)["service-life"] is None
    assert ends_ms(far)["drug-stability"] is None
    assert fixed_offset(NOW) == NOW.astimezone(UTC)
