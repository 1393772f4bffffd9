"""The ends beside the reservoir's, and the earliest of all, computed a second time (SR-37), in counted days and by nothing of `datetime`'s.

`dates` adds spans of time to moments; here a date is a count of days of the proleptic Gregorian calendar, by the well-known closed form
over eras of 400 years that begin on 1 March (Hinnant, "chrono-compatible low-level date algorithms", days_from_civil), and a time of day is
whole milliseconds. `require_same` holds both against each other. Pure. Not here: low and empty (`closed_form`, `stepper`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from itbpump.forecast.model import ForecastDisagreement

__all__ = ["Known", "days_of_civil", "ends_ms", "require_same"]

DAY: Final = 86_400_000
MINUTE: Final = 60_000
ERA_DAYS: Final = 146_097
FIRST_DAY: Final = 306
"""1 Jan of year 1, counted from 1 March of year 0."""
LAST_DAY: Final = 3_652_364
"""31 Dec 9999. Beyond it is no date, as in `model.instant`."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the ends are computed of; None for what is not known. Days are counts, `uptime_ms` the pump's age, ms."""

    as_of: datetime
    filled_on: date | None
    stability_days: int
    eri_left_days: int | None
    implanted_on: date | None
    uptime_ms: int | None
    service_life_days: int


def days_of_civil(year: int, month: int, day: int) -> int:
    """Days since 1 March of year 0. `year` from 1 on."""
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * ERA_DAYS + of_era * 365 + of_era // 4 - of_era // 100 + of_year


def _ms_of(at: datetime) -> int:
    """On the clock that the moment itself has."""
    seconds = (at.hour * 60 + at.minute) * 60 + at.second
    return days_of_civil(at.year, at.month, at.day) * DAY + seconds * 1_000 + at.microsecond // 1_000


def _within(local_ms: int | None) -> int | None:
    return local_ms if local_ms is not None and FIRST_DAY * DAY <= local_ms < (LAST_DAY + 1) * DAY else None


def ends_ms(known: Known) -> dict[str, int | None]:
    """Drug stability, battery and service life, ms on the clock of `as_of` since 1 March of year 0; None where there is no such date."""
    now = _ms_of(known.as_of)

    def midnight(day: date | None, days: int) -> int | None:
        return None if day is None else (days_of_civil(day.year, day.month, day.day) + days) * DAY

    by_age = None if known.uptime_ms is None else _within(now + known.service_life_days * DAY - known.uptime_ms)
    by_day = _within(midnight(known.implanted_on, known.service_life_days))
    service = [end for end in (by_age, by_day) if end is not None]
    return {
        "drug-stability": _within(midnight(known.filled_on, known.stability_days)),
        "battery": None if known.eri_left_days is None else _within(now + known.eri_left_days * DAY),
        "service-life": min(service, default=None),
    }


def require_same(
    known: Known,
    found: Mapping[str, datetime | None],
    reservoir: Mapping[str, datetime | None],
    refill_by: datetime | None,
    limited_by: str,
) -> None:
    """Raises ForecastDisagreement where `found` (the same names), the day `refill_by` or what limits it is not what comes out here too.

    `reservoir`: the earliest of low and empty, which were compared before.
    """
    counted = ends_ms(known)
    now = _ms_of(known.as_of)

    def disagree(what: str, told: datetime | None, mine: int | None) -> ForecastDisagreement:
        return ForecastDisagreement(what, None if told is None else _ms_of(told) - now, None if mine is None else mine - now)

    for name, told in found.items():
        mine = counted[name]
        if (told is None) is not (mine is None) or (told is not None and mine is not None and abs(_ms_of(told) - mine) >= MINUTE):
            raise disagree(name, told, mine)
    ends = {**{name: None if at is None else _ms_of(at) for name, at in reservoir.items()}, **counted}
    first = min((end for end in ends.values() if end is not None), default=None)
    day = None if first is None else first // DAY * DAY
    if day != (None if refill_by is None else _ms_of(refill_by)):
        raise disagree("refill by", refill_by, day)
    if (first is None) is not (limited_by == "none") or (first is not None and (ends[limited_by] or 0) - first >= MINUTE):
        raise disagree(f"what limits the refill ({limited_by})", refill_by, day)
