"""Active alarms: what sounds, for how long, and what the programmer silenced.

An alarm tone repeats from the moment the alarm was raised: critical two-tone, 3 s every 10 min; non-critical single-tone, 1 s every
hour (domain 1.3). Tones are derived from the alarm, not logged. A silence lasts 10 min of uptime and at most until its session ends;
it is not kept over a reset (SR-56). Not modelled: loudness.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_sim.firmware.alarm_table import row
from itbpump.wire.messages import AlarmPriority, AlarmState

__all__ = ["SILENCE_MS", "AlarmPanel", "Tone", "tone_name"]

SILENCE_MS = 600_000
_PERIOD_MS = {AlarmPriority.CRITICAL: 600_000, AlarmPriority.NON_CRITICAL: 3_600_000}
_LENGTH_MS = {AlarmPriority.CRITICAL: 3_000, AlarmPriority.NON_CRITICAL: 1_000}
_NAME = {AlarmPriority.CRITICAL: "two-tone", AlarmPriority.NON_CRITICAL: "single-tone"}


def tone_name(priority: AlarmPriority) -> str:
    """Name of the tone pattern of a priority, as `port.Actuators.tone` takes it."""
    return _NAME[priority]


@dataclass(frozen=True, slots=True)
class Tone:
    """One tone at an uptime in ms."""

    at_ms: int
    length_ms: int
    name: str
    alarm: int


class AlarmPanel:
    """The active alarms with their silences. `active` maps alarm number to the uptime it was raised at."""

    def __init__(self) -> None:
        self.active: dict[int, int] = {}
        self._silences: dict[int, tuple[int, int]] = {}

    def load(self, alarms: tuple[tuple[int, int], ...]) -> None:
        """Take over the durable alarms; silences of alarms that are gone are dropped."""
        self.active = dict(alarms)
        self._silences = {alarm: silence for alarm, silence in self._silences.items() if alarm in self.active}

    @staticmethod
    def silence_end(at_ms: int) -> int:
        """When a silence that begins at `at_ms` ends by itself."""
        return at_ms + SILENCE_MS

    def silence(self, alarm: int, at_ms: int) -> None:
        """Silence an active alarm for 10 min from `at_ms`. Raises KeyError if it is not active."""
        if alarm not in self.active:
            raise KeyError(alarm)
        self._silences[alarm] = (at_ms, self.silence_end(at_ms))

    def end_silences(self, at_ms: int) -> None:
        """The session ended: everything sounds again from `at_ms` on."""
        self._silences = {alarm: (start_ms, min(end_ms, at_ms)) for alarm, (start_ms, end_ms) in self._silences.items()}

    def silenced_until(self, alarm: int, at_ms: int) -> int:
        """End of the alarm's silence; 0 when it sounds at `at_ms`."""
        start_ms, end_ms = self._silences.get(alarm, (0, 0))
        return end_ms if start_ms <= at_ms < end_ms else 0

    def states(self, at_ms: int) -> tuple[AlarmState, ...]:
        """All active alarms, critical first, then the newest first (SR-55)."""
        states = [
            AlarmState(alarm=alarm, priority=row(alarm).priority, since_ms=since_ms, silenced_until_ms=self.silenced_until(alarm, at_ms))
            for alarm, since_ms in self.active.items()
        ]
        return tuple(sorted(states, key=lambda state: (-state.priority, -state.since_ms, state.alarm)))

    def tones(self, from_ms: int, to_ms: int) -> tuple[Tone, ...]:
        """Tones of the active alarms that begin in (from_ms, to_ms], in order of time. Alarms raised later or cleared by now have none.

        Costs by the tones in the span.
        """
        tones: list[Tone] = []
        for alarm, since_ms in self.active.items():
            priority = row(alarm).priority
            period_ms = _PERIOD_MS[priority]
            first_ms = since_ms + max(0, (from_ms - since_ms) // period_ms + 1) * period_ms
            times = (at_ms for at_ms in range(first_ms, to_ms + 1, period_ms) if not self.silenced_until(alarm, at_ms))
            tones.extend(Tone(at_ms, _LENGTH_MS[priority], _NAME[priority], alarm) for at_ms in times)
        return tuple(sorted(tones, key=lambda tone: (tone.at_ms, tone.alarm)))
