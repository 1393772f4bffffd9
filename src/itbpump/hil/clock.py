"""The `clock` fixture: pump time, moved by the bench where time is virtual, awaited where it is not.

`advance` in real time waits until the pump's uptime has gone that far, at the rig's speed; the same test passes on each. Not modelled: the
drift of the pump's crystal against the wall's clock, which a wait in pump time does not see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from itbpump.hil.errors import HilTimeout, MeasurementError

if TYPE_CHECKING:
    from itbpump.hil.station import Station

__all__ = ["Clock", "duration_ms"]

T = TypeVar("T")
_UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "min": 60_000, "s": 1_000, "ms": 1}
# How long to sleep at most between two looks at the pump, s: a simulator is asked by its bench, a pump by its radio.
_LOOK_S = 0.05
_LOOK_DEVICE_S = 10.0
# A pump whose clock stands still is not waited for longer than so many times the wait, and so long besides, s.
_PATIENCE, _PATIENCE_S = 3, 30.0


def duration_ms(text: str | int) -> int:
    """Milliseconds of `77d`, `1h30m`, `500ms`, long units first; a whole number is ms already. MeasurementError for anything else."""
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    total, rest, before = 0, text if isinstance(text, str) else "", _UNITS_MS["w"] + 1
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        unit = next((name for name in ("min", "ms", "w", "d", "h", "m", "s") if rest[digits:].startswith(name)), "")
        if not digits or not unit or _UNITS_MS[unit] >= before or not rest.isascii():
            total, rest = 0, ""
            break
        before = _UNITS_MS[unit]
        total += int(rest[:digits]) * before
        rest = rest[digits + len(unit) :]
    if not total and text not in ("0s", "0ms", "0m"):
        raise MeasurementError(f"{text!r} is no duration; write it like 77d, 1h30m or 500ms")
    return total


class Clock:
    """Pump time of one rig."""

    def __init__(self, station: Station, sleep: Callable[[float], None], monotonic_s: Callable[[], float]) -> None:
        self._station = station
        self._sleep = sleep
        self._monotonic_s = monotonic_s

    @property
    def virtual(self) -> bool:
        """Time is moved by the bench: a week takes a moment, and nothing passes while a test thinks."""
        return self._station.rig.speed is None and self._station.rig.bench is not None

    def uptime_ms(self) -> int:
        """The pump's monotonic clock, by the bench where there is one, else by the pump's status."""
        by_bench = self._station.rig.uptime_ms()
        return self._station.pump.status().uptime_ms if by_bench is None else by_bench

    def advance(self, how_long: str | int) -> None:
        """Let pump time pass: text such as "30m", or whole ms. In real time this takes it, divided by the rig's speed."""
        ms = duration_ms(how_long)
        bench = self._station.rig.bench
        if self.virtual and bench is not None:
            bench.call("advance", for_=ms)
            self._station.note_bench(f"advance {ms} ms")
        else:
            self._station.note_bench(f"wait {ms} ms")
            self._wait(ms)

    def wait_on_line(self, how_long: str | int) -> None:
        """Let time pass on the line too, by which time-outs, back-offs, idle sessions and what is staged go; it is never scaled.

        At once where the kit can move it; on hardware it is waited for. What the pump says meanwhile can be read afterwards.
        """
        ms = duration_ms(how_long)
        self._station.note_bench(f"wait {ms} ms on the line")
        if not self._station.rig.skip_line_time(ms):
            self._sleep_for(ms)

    def until(self, predicate: Callable[[], T], within: str | int = "5m", step: str | int = "10s", what: str = "") -> T:
        """Let time pass in steps until `predicate()` is true, and give back what it said. HilTimeout after `within` of pump time.

        The predicate is asked before the first step, and at least once after the last.
        """
        left_ms, step_ms = duration_ms(within), duration_ms(step)
        if step_ms <= 0:
            raise MeasurementError(f"step = {step!r} would wait for ever; give at least 1ms")
        while not (found := predicate()):
            if left_ms <= 0:
                raise HilTimeout(what or getattr(predicate, "__name__", "what was awaited"), duration_ms(within))
            self.advance(min(step_ms, left_ms))
            left_ms -= min(step_ms, left_ms)
        return found

    def _sleep_for(self, ms: int) -> None:
        end_s = self._monotonic_s() + ms / 1_000
        while (left_s := end_s - self._monotonic_s()) > 0:
            self._sleep(left_s)

    def _wait(self, ms: int) -> None:
        """Until the pump's uptime has gained `ms`; of a pump without power, or that cannot be asked, as long as that takes on the wall."""
        speed = self._station.rig.speed or 1
        if self._station.rig.bench is None and not self._station.power_is_on():
            self._sleep_for(ms)
            return
        give_up_s = self._monotonic_s() + _PATIENCE * float(ms / speed) / 1_000 + _PATIENCE_S
        look_s = _LOOK_DEVICE_S if self._station.rig.bench is None else _LOOK_S
        end_ms = self.uptime_ms() + ms
        while (left_ms := end_ms - self.uptime_ms()) > 0:
            if self._monotonic_s() > give_up_s:
                raise HilTimeout(f"the rest of a wait, {left_ms} ms on a clock that hardly moves,", ms)
            self._sleep(min(look_s, max(0.001, float(left_ms / speed) / 1_000)))
