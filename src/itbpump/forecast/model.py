"""What a forecast says: dates with bounds, what limits them, on what they rest; and the errors of this room.

::

    ItbPumpError
    └── ForecastError              what was handed in contradicts itself
        └── ForecastDisagreement   the two computations do not agree: no date is given

Not here: how dates are computed, and judging them (`itbpump.safety`, alerts).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from itbpump.errors import ItbPumpError

__all__ = ["Bounds", "Forecast", "ForecastDisagreement", "ForecastError", "day_text", "fixed_offset", "instant"]

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LIMITS = {
    "low-reservoir": "low reservoir",
    "empty": "empty reservoir",
    "drug-stability": "drug stability",
    "battery": "battery",
    "service-life": "service life",
}


class ForecastError(ItbPumpError):
    """What a forecast was asked about contradicts itself or is not enough; the text says what to do."""

    def __init__(self, message: str, action: str) -> None:
        super().__init__(f"{message}; {action}", action=action)


class ForecastDisagreement(ForecastError):
    """The closed form and the stepper name times further apart than a minute (ms from now, None for never): a defect, so no date is
    given."""

    def __init__(self, what: str, closed_ms: int | None, stepped_ms: int | None) -> None:
        super().__init__(
            f"the two computations of the date disagree on {what}: {closed_ms} ms against {stepped_ms} ms from now; no date is given",
            action="book the refill by hand on the early side, and report this with the prescription",
        )
        self.what = what
        self.closed_ms = closed_ms
        self.stepped_ms = stepped_ms


def fixed_offset(at: datetime) -> datetime:
    """The same instant at its present offset from UTC for good, so that a zone's change of clocks moves nothing. ForecastError without
    an offset."""
    shift = at.utcoffset()
    if shift is None:
        raise ForecastError(f"the time {at.isoformat()} has no offset from UTC", action="pass an aware datetime")
    return at.astimezone(timezone(shift))


def instant(as_of: datetime, after_ms: int | None) -> datetime | None:
    """`after_ms` (negative: before) of `as_of`; None for never, and for what lies outside the years 1 to 9999."""
    if after_ms is None:
        return None
    try:
        return as_of + timedelta(milliseconds=after_ms)
    except OverflowError:
        return None


def day_text(at: date | None) -> str:
    """`19 Aug 2026`, rounded down to the day; `no date` for None."""
    return "no date" if at is None else f"{at.day} {MONTHS[at.month - 1]} {at.year}"


def _iso(at: datetime | None) -> str | None:
    """To the minute, rounded down."""
    return None if at is None else at.isoformat(timespec="minutes")


@dataclass(frozen=True, slots=True)
class Bounds:
    """When something really happens: earliest ≤ nominal ≤ latest; None for never, which is later than any date."""

    earliest: datetime | None
    nominal: datetime | None
    latest: datetime | None

    def json(self) -> dict[str, str | None]:
        return {"earliest": _iso(self.earliest), "nominal": _iso(self.nominal), "latest": _iso(self.latest)}

    def __str__(self) -> str:
        """`12 Mar 2027 to 18 Apr 2027`, earliest to latest."""
        if self.earliest is None:
            return "no date"
        return f"{day_text(self.earliest)} to {day_text(self.latest)}" if self.latest is not None else f"from {day_text(self.earliest)} on"


@dataclass(frozen=True, slots=True)
class Forecast:
    """Dates of one pump, all at the offset of `as_of`. What is already so has the date `as_of`.

    `alarm`: when the pump will sound by its own count. `low_reservoir`, `empty`: when the volume really is down to the alarm volume, to the
    residual. `stable_until`, `battery_until`, `service_until`: the other ends, None where they are not known. `refill_by`: 00:00 of the
    day of the earliest of all, named by `limited_by`. `assumptions`: what it rests on, amounts as text; `not_checked` in words.
    """

    as_of: datetime
    alarm: datetime | None
    low_reservoir: Bounds
    empty: Bounds
    stable_until: datetime | None
    battery_until: datetime | None
    service_until: datetime | None
    refill_by: datetime | None
    limited_by: str
    assumptions: Mapping[str, Any]
    not_checked: tuple[str, ...] = ()

    def json(self) -> dict[str, Any]:
        """For `--json` and reviews: date-times to the minute, rounded down, at the offset of `as_of`; null for no date."""
        return {
            "as_of": _iso(self.as_of),
            "alarm": _iso(self.alarm),
            "low_reservoir": self.low_reservoir.json(),
            "empty": self.empty.json(),
            "refill_by": _iso(self.refill_by),
            "limited_by": self.limited_by,
            "assumptions": {
                **self.assumptions,
                "stable_until": _iso(self.stable_until),
                "battery_until": _iso(self.battery_until),
                "service_until": _iso(self.service_until),
                "not_checked": list(self.not_checked),
            },
        }

    def rows(self) -> Iterator[tuple[str, str]]:
        """Label and text of each date, for a review's table; short enough to stand beside another."""
        yield "refill by", self.refill_text
        yield "alarm, by the count", day_text(self.alarm)
        yield "low reservoir", str(self.low_reservoir)
        yield "empty reservoir", str(self.empty)

    def ends(self) -> Iterator[tuple[str, str]]:
        """Label and text of the ends that are known beside the reservoir's."""
        for label, at in (
            ("drug stable until", self.stable_until),
            ("battery until", self.battery_until),
            ("service life until", self.service_until),
        ):
            if at is not None:
                yield label, day_text(at)

    @property
    def refill_text(self) -> str:
        """`19 Aug 2026 (low reservoir)`."""
        return f"{day_text(self.refill_by)} ({LIMITS[self.limited_by]})" if self.refill_by is not None else "no date"
