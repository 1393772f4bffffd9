"""When to resend: an adaptive time-out in integers of milliseconds.

The estimate follows the measured round trips with the usual smoothing (7/8 old, 1/8 new; variation 3/4 and 1/4, after RFC 6298) and
doubles for each miss. Not modelled: several requests under way at once (the link is stop-and-wait).
"""

from __future__ import annotations

from itbpump.wire.messages import REPLY_TIMEOUT_INITIAL_MS, REPLY_TIMEOUT_MAX_MS, REPLY_TIMEOUT_MIN_MS

__all__ = ["Pacing"]


class Pacing:
    """Round-trip estimate of one line."""

    __slots__ = ("_doublings", "_smooth_x8", "_variation_x4")

    def __init__(self) -> None:
        self._smooth_x8: int | None = None
        self._variation_x4 = 0
        self._doublings = 0

    @property
    def timeout_ms(self) -> int:
        """Time to wait before the next resend, within the protocol's bounds."""
        base = REPLY_TIMEOUT_INITIAL_MS if self._smooth_x8 is None else (self._smooth_x8 >> 3) + max(1, self._variation_x4)
        return min(REPLY_TIMEOUT_MAX_MS, max(REPLY_TIMEOUT_MIN_MS, base) << self._doublings)

    def measured(self, round_trip_ms: int) -> None:
        """A reply came to a request that was sent only once (a reply to a resend says nothing about the time; Karn's rule)."""
        if self._smooth_x8 is None:
            self._smooth_x8 = round_trip_ms << 3
            self._variation_x4 = round_trip_ms << 1
        else:
            error = round_trip_ms - (self._smooth_x8 >> 3)
            self._smooth_x8 += error
            self._variation_x4 += abs(error) - (self._variation_x4 >> 2)
        self._doublings = 0

    def missed(self) -> None:
        """A time-out passed without a reply."""
        if self.timeout_ms < REPLY_TIMEOUT_MAX_MS:
            self._doublings += 1

    def answered_late(self) -> None:
        """A reply came after a resend: keep the estimate, forget the doubling."""
        self._doublings = 0
