"""What stands beside a review: which pump it is for, how that pump is now, and its dates."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from itbpump.wording.days import WEEK_MS, day_gap_s, gap_text, offset_text, week_text
from itbpump.wording.layout import row

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.forecast import Calibration, Forecast
    from itbpump.present import PresentPump
    from itbpump.pump import Pump
    from itbpump.wire.messages import Info

__all__ = ["dates_of_pump", "heading_lines", "pump_heading"]


def pump_heading(line: Pump, present: PresentPump, begins: datetime | None = None) -> list[str]:
    """See `heading_lines`."""
    return heading_lines(line.info, present, begins)


def heading_lines(info: Info, present: PresentPump, begins: datetime | None = None) -> list[str]:
    """Which pump, what it sounds, and its day beside this computer's. `begins`: the time whose offset a pump without a day will take."""
    return [
        *row("Pump", f"{info.serial}, {info.profile}{', SIMULATED' if info.simulated else ''}"),
        *_alarms(present),
        *row("Pump's day", _day(present, begins)),
    ]


def _alarms(present: PresentPump) -> list[str]:
    from itbpump.wording.words import alarm_words

    if not present.alarms:
        return row("Alarms", "none")
    return [line for number in present.alarms for line in row("ALARM", f"{alarm_words(number).text}; {alarm_words(number).action}")]


def _day(present: PresentPump, begins: datetime | None) -> str:
    now = present.host_now
    if present.configuration is None:
        here = f"this computer is at {offset_text(now)}"
        return "none yet" if begins is None else f"none yet; it will be the day at {offset_text(begins)}; {here}"
    week = (present.uptime_ms + present.configuration.week_offset_ms) % WEEK_MS
    return f"{week_text(week)}, {gap_text(day_gap_s(week, now))} at {offset_text(now)}"


# ------------------------------------------------------------------------------------------------ dates
def dates_of_pump(
    line: Pump,
    present: PresentPump,
    library: DrugLibrary | None,
    *,
    implanted_on: date | None = None,
    calibration: Calibration | None = None,
) -> Forecast:
    """The dates of a pump as it runs: its count, its last fill by its log, its battery, what its refills taught. Raises ForecastError."""
    from itbpump.forecast import forecast_of_reading

    return forecast_of_reading(
        present, line.status(), line.log(), line.profile, library, implanted_on=implanted_on, calibration=calibration
    )
