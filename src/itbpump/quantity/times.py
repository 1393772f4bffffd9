"""Durations and times of day: exact, in whole minutes as typed, never a bare number. Not here: dates and zones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from itbpump.errors import QuantityError

MS_PER_MINUTE = 60_000
MS_PER_HOUR = 3_600_000
MS_PER_DAY = 86_400_000

_DURATION = re.compile(r"(?:([1-9][0-9]{0,3}) ?h)?(?: ?(0|[1-9][0-9]{0,4}) ?m(?:in)?)?")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_CLOCK = tuple(f"{hour:02d}:{minute:02d}" for hour in range(24) for minute in range(60))


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time in ms; read and written in hours and minutes, never as a bare number."""

    ms: int

    def __post_init__(self) -> None:
        if isinstance(self.ms, bool) or not isinstance(self.ms, int):
            raise TypeError("a duration is a whole number of ms")
        if self.ms < 0:
            raise ValueError("a duration is never negative")

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read `2h`, `90m`, `1h30m` (or `min`). QuantityError for a bare number, decimals, more than 59 minutes after hours, or nothing."""
        if not isinstance(text, str):
            raise QuantityError(text, "a duration is text with its units", 'write it in quotes, such as "1h30m"')
        match = _DURATION.fullmatch(text)
        if match is None or not text or text != text.strip():
            bare = re.fullmatch(r"[1-9][0-9]*", text) is not None
            hint = f'"{text}h" or "{text}m"' if bare else 'such as "2h", "90m" or "1h30m"'
            raise QuantityError(text, "this is not a duration", f"write hours and minutes, {hint}")
        hours, minutes = int(match[1] or 0), int(match[2] or 0)
        if hours and minutes > 59:
            raise QuantityError(text, "more than 59 minutes after the hours", f'write "{hours + minutes // 60}h{minutes % 60}m"')
        if not hours and not minutes:
            raise QuantityError(text, "a duration of nothing", "write at least 1m")
        return cls(hours * MS_PER_HOUR + minutes * MS_PER_MINUTE)

    @classmethod
    def of_minutes(cls, minutes: int) -> Self:
        return cls(minutes * MS_PER_MINUTE)

    @property
    def minutes(self) -> int:
        """Whole minutes; ValueError for a part of one."""
        minutes, rest = divmod(self.ms, MS_PER_MINUTE)
        if rest:
            raise ValueError(f"{self.ms} ms is not a whole number of minutes")
        return minutes

    def text(self) -> str:
        """For files: `1h30m`."""
        hours, minutes = divmod(self.minutes, 60)
        return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes or not hours else "")

    def screen(self) -> str:
        """For people: `1 h 30 min`; seconds only where there are any, rounded down."""
        hours, rest = divmod(self.ms, MS_PER_HOUR)
        minutes, rest = divmod(rest, MS_PER_MINUTE)
        parts = [f"{amount:,} {unit}" for amount, unit in ((hours, "h"), (minutes, "min"), (rest // 1_000, "s")) if amount]
        return " ".join(parts) or "0 min"

    def __str__(self) -> str:
        return self.screen()


@dataclass(frozen=True, slots=True, order=True)
class TimeOfDay:
    """Minutes after the pump's midnight, 0 to 1439."""

    minute: int

    def __post_init__(self) -> None:
        if not 0 <= self.minute < 1440:
            raise ValueError(f"a time of day is 0 to 1439 minutes, not {self.minute}")

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read `06:00`. QuantityError for anything but HH:MM from 00:00 to 23:59."""
        match = _TIME.fullmatch(text) if isinstance(text, str) and text.isascii() else None
        if match is None:
            raise QuantityError(text, "this is not a time of day", 'write hours and minutes from "00:00" to "23:59"')
        return cls(int(match[1]) * 60 + int(match[2]))

    def text(self) -> str:
        return _CLOCK[self.minute]

    def __str__(self) -> str:
        return self.text()
