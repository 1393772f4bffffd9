"""A tiny pulse train for tests of the plant: evenly spread pulses, nothing of the firmware."""

from __future__ import annotations

from dataclasses import dataclass

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS


@dataclass(frozen=True)
class Even:
    """`pulses` spread evenly over (start_ms, start_ms + span_ms], none afterwards."""

    start_ms: int
    pulses: int
    span_ms: int

    def count_at(self, uptime_ms: int) -> int:
        return self.pulses * max(0, min(uptime_ms - self.start_ms, self.span_ms)) // self.span_ms

    def time_of_pulse(self, number: int) -> int | None:
        return self.start_ms + -(-number * self.span_ms // self.pulses) if number <= self.pulses else None
