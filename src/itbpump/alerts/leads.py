"""On which day each stage of a refill begins.

The default (domain 4) books a refill max(7 d, (V−A)/Q − (V−r)/(Q·(1+t)) + margin) before the day A at which the pump's count reaches its
alarm volume: (V−A)/Q is that day, (V−r)/(Q·(1+t)) the day a pump that gives t too much is dry, so the lead is never less than a week and
never ends behind the earliest empty day. A flat week is too little for a slow 40 mL pump. Both days come from the forecast; here they are
only subtracted. The lead is also kept from `refill_by`, whichever day is earlier. Then closed days: each day moves to the last open one
before it, never to a later one.

    due soon   `refill_soon_more` days before due
    due        refill_least before `refill_by`, or the lead above before the alarm by the count, if that is earlier
    overdue    the last open day on or before `refill_by`: who waits past it has no day left
    critical   the earliest day the reservoir may be empty

Not here: what is due (rules), and appointments.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from itbpump.alerts.calendar_days import ClosedDays
from itbpump.alerts.model import RefillDates, Stage
from itbpump.alerts.policy import Leads

__all__ = ["StageDays", "days_before", "lead_days", "refill_stage_days"]


@dataclass(frozen=True, slots=True)
class StageDays:
    """The first day of each stage, in order; `critical` is None where the date has none."""

    soon: date
    due: date
    overdue: date
    critical: date | None = None

    def stage(self, today: date) -> Stage:
        """The stage that day."""
        if self.critical is not None and today >= self.critical:
            return Stage.CRITICAL
        if today >= self.overdue:
            return Stage.OVERDUE
        if today >= self.due:
            return Stage.DUE
        return Stage.DUE_SOON if today >= self.soon else Stage.SCHEDULED

    def next_after(self, today: date) -> date | None:
        """The first day of the stage after the present one; None from the last on."""
        return next((day for day in (self.soon, self.due, self.overdue, self.critical) if day is not None and day > today), None)


def lead_days(dates: RefillDates, leads: Leads) -> int:
    """Days before the alarm by the count at which a refill is due: domain 4's formula. `refill_least` where there is no such day."""
    if dates.alarm is None or dates.empty_earliest is None:
        return leads.refill_least
    return max(leads.refill_least, (dates.alarm - dates.empty_earliest).days + leads.refill_booking)


def refill_stage_days(dates: RefillDates, leads: Leads, closed: ClosedDays) -> StageDays | None:
    """None without a `refill_by`."""
    if dates.refill_by is None:
        return None
    due = days_before(dates.refill_by, leads.refill_least)
    if dates.alarm is not None:
        due = min(due, days_before(dates.alarm, lead_days(dates, leads)))
    critical = dates.empty_earliest
    overdue = dates.refill_by if critical is None else min(dates.refill_by, critical)
    due = min(due, overdue)
    soon = days_before(due, leads.refill_soon_more)
    opened = closed.open_on_or_before
    return StageDays(opened(soon), opened(due), opened(overdue), None if critical is None else opened(critical))


def days_before(day: date, days: int) -> date:
    """`day` less so many days; the first day there is, where that would lie before it."""
    return date.fromordinal(max(1, day.toordinal() - days))
