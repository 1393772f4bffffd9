"""Days on which a clinic refills nobody, and which day it is where the patient is.

A date that falls on a closed day moves to the last open day before it, never to a later one. Public holidays come from the library
`holidays`, loaded when a country is set. Not modelled: half days, a clinic's capacity per day, holidays decreed after the library's release
(use the own list).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["EARLIEST_ZONE", "WEEKDAYS", "ClosedDays", "is_zone", "today_in"]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST_CLOSURE = 60
"""Days; a list that closes more in a row closes the clinic for good, and a pump cannot wait for that."""
EARLIEST_ZONE = timezone(timedelta(hours=14))
"""Where each day begins first (UTC+14, Kiribati): what an unknown zone counts as, so that nothing is told later than it should be."""
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ClosedDays:
    """`weekdays`: 0 is Monday. `own`: the clinic's list. `country`, `subdivision`: as `holidays` names them, empty for none."""

    weekdays: frozenset[int] = frozenset()
    own: frozenset[date] = frozenset()
    country: str = ""
    subdivision: str = ""
    _known: dict[date, date] = field(default_factory=dict, repr=False, compare=False)

    def problem(self) -> str:
        """Why the holidays of this place cannot be had, in words; empty if they can."""
        if not self.country:
            return "a subdivision needs its country" if self.subdivision else ""
        from holidays import list_supported_countries  # noqa: PLC0415  (70 ms, only where holidays are set)

        parts = list_supported_countries(include_aliases=True).get(self.country)
        if parts is None:
            return f"no holidays are known for the country {self.country!r}"
        if self.subdivision and self.subdivision not in parts:
            return f"no holidays are known for {self.subdivision!r} of {self.country}"
        return ""

    def is_closed(self, day: date) -> bool:
        """Weekday, own list or public holiday."""
        return (
            day.weekday() in self.weekdays or day in self.own or (bool(self.country) and _is_holiday(self.country, self.subdivision, day))
        )

    def open_on_or_before(self, day: date) -> date:
        """The last open day not after `day`; `day` itself where the clinic is closed for over 60 days in a row before it."""
        found = self._known.get(day)
        if found is None:
            candidates = (day - ONE_DAY * back for back in range(LONGEST_CLOSURE + 1))
            found = next((candidate for candidate in candidates if not self.is_closed(candidate)), day)
            self._known[day] = found
        return found


def _is_holiday(country: str, subdivision: str, day: date) -> bool:
    return day in _holidays_of(country, subdivision, day.year)


@cache
def _holidays_of(country: str, subdivision: str, year: int) -> frozenset[date]:
    from holidays import country_holidays  # noqa: PLC0415  (70 ms, only where holidays are set)

    return frozenset(country_holidays(country, subdiv=subdivision or None, years=year))


@cache
def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown, malformed, or a folder of the zone data
        return None


def is_zone(name: str) -> bool:
    """Whether this is an IANA time zone of this machine."""
    return _zone(name) is not None


def today_in(zone: str, now: datetime) -> date:
    """The day at `now` where the patient is; of an unknown zone, the day where it begins first. ValueError for `now` without its offset."""
    if now.utcoffset() is None:
        raise ValueError(f"the time {now.isoformat()} has no offset from UTC")
    return now.astimezone(_zone(zone) or EARLIEST_ZONE).date()
