"""Places in the week: the pump's and this computer's, and how far they are apart. A label for people; no dose hangs on it here."""

from __future__ import annotations

from datetime import datetime

__all__ = ["WEEK_MS", "day_gap_s", "gap_text", "host_week_ms", "offset_text", "week_text"]

WEEK_MS = 604_800_000


def week_text(week_ms: int) -> str:
    """Place in a week: `Sun 10:03`."""
    from itbpump.quantity import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE
    from itbpump.therapy_view import DAY_NAMES

    day, within = divmod(week_ms, MS_PER_DAY)
    return f"{DAY_NAMES[day]} {within // MS_PER_HOUR:02d}:{within % MS_PER_HOUR // MS_PER_MINUTE:02d}"


def host_week_ms(now: datetime) -> int:
    """Time since Monday 00:00 at this computer's offset, ms."""
    return (((now.weekday() * 24 + now.hour) * 60 + now.minute) * 60 + now.second) * 1_000 + now.microsecond // 1_000


def day_gap_s(pump_week_ms: int, now: datetime) -> int:
    """The pump's place in its week less this computer's, −3.5 to +3.5 days, in whole seconds towards zero."""
    gap_ms = (pump_week_ms - host_week_ms(now) + WEEK_MS // 2) % WEEK_MS - WEEK_MS // 2
    return gap_ms // 1_000 if gap_ms >= 0 else -(-gap_ms // 1_000)


def gap_text(gap_s: int) -> str:
    """How the pump's day stands to this computer's: `5 h behind this computer`."""
    from itbpump.quantity import Duration

    if abs(gap_s) < 60:
        return "the same minute as this computer"
    return f"{Duration(abs(gap_s) // 60 * 60_000)} {'behind' if gap_s < 0 else 'ahead of'} this computer"


def offset_text(now: datetime) -> str:
    """`UTC−05:00`."""
    text = now.strftime("%z")
    return f"UTC{'−' if text[0] == '-' else '+'}{text[1:3]}:{text[3:5]}"
