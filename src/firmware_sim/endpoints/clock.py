"""How pump time follows the process's clock: by hand, one to one, or scaled. Integers only.

uptime gained = elapsed nanoseconds × numerator × (1 + drift) / (denominator × 10⁶), rounded down, always from the same origin, so
nothing is lost to rounding however often it is asked. The link's time is the process's monotonic clock in ms and is never scaled. Pure:
the monotonic reading is an argument.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["MANUAL", "REAL", "Speed", "UptimeClock", "link_ms"]

_SPEED = re.compile(r"(0|[1-9][0-9]{0,6})(?:\.([0-9]{0,2}[1-9]))?")
_NS_PER_MS = 1_000_000
_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Speed:
    """Pump seconds per real second as `numerator / denominator`; 0 is manual: only the bench moves time."""

    numerator: int
    denominator: int = 1

    @classmethod
    def parse(cls, text: str) -> Speed:
        """`manual`, `real`, or a factor above 0 and up to 1,000,000 with at most three decimals. Raises ValueError otherwise."""
        if text in _NAMED:
            return _NAMED[text]
        match = _SPEED.fullmatch(text)
        if match is not None:
            decimals = match[2] or ""
            scale: int = 10 ** len(decimals)
            numerator = int(match[1] + decimals)
            if 0 < numerator <= 1_000_000 * scale:
                return cls(numerator, scale)
        raise ValueError(f"{text!r} is no speed: give real, manual, or a factor above 0 and up to 1000000 such as 60 or 0.5")

    @property
    def manual(self) -> bool:
        """Whether time stands still by itself."""
        return self.numerator == 0

    def __str__(self) -> str:
        for name, speed in _NAMED.items():
            if speed == self:
                return name
        whole, rest = divmod(self.numerator, self.denominator)
        return f"{whole}.{rest:0{len(str(self.denominator)) - 1}d}" if rest else str(whole)


MANUAL = Speed(0)
REAL = Speed(1)
_NAMED = {"manual": MANUAL, "real": REAL}


def link_ms(monotonic_ns: int) -> int:
    """The link's time."""
    return monotonic_ns // _NS_PER_MS


class UptimeClock:
    """Tells how much uptime the pump is due. It counts increments, so a bench may move the pump besides.

    `drift_ppm`: the pump's crystal gains so many ms in 10⁶ of true ones, at any speed.
    """

    def __init__(self, speed: Speed, monotonic_ns: int, drift_ppm: int = 0) -> None:
        self.speed = speed
        self._drift = _PPM + drift_ppm
        self._origin_ns = monotonic_ns
        self._given_ms = 0

    def _elapsed_ms(self, monotonic_ns: int) -> int:
        return (monotonic_ns - self._origin_ns) * self.speed.numerator * self._drift // (self.speed.denominator * _NS_PER_MS * _PPM)

    def due_ms(self, monotonic_ns: int) -> int:
        """Uptime that has passed and has not been taken; 0 or more. Does not change the clock."""
        return self._elapsed_ms(monotonic_ns) - self._given_ms

    def take(self, ms: int) -> None:
        """Note that the pump has been advanced by `ms` of what was due."""
        self._given_ms += ms

    def wait_ns(self, uptime_gain_ms: int, monotonic_ns: int) -> int | None:
        """Real nanoseconds until `due_ms` reaches `uptime_gain_ms`, 0 if it has; None if it never will (manual)."""
        if self.speed.manual:
            return 0 if self.due_ms(monotonic_ns) >= uptime_gain_ms else None
        gain_ms = self._given_ms + uptime_gain_ms
        reached_ns = self._origin_ns - (-gain_ms * self.speed.denominator * _NS_PER_MS * _PPM // (self.speed.numerator * self._drift))
        return max(0, reached_ns - monotonic_ns)

    def change(self, speed: Speed, monotonic_ns: int) -> None:
        """Go on at another speed from now; what was due stays due."""
        owed_ms = self.due_ms(monotonic_ns)
        self.speed, self._origin_ns, self._given_ms = speed, monotonic_ns, -owed_ms
