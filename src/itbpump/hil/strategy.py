"""Brings a pump into a state a test starts from: off, idle, infusing, alarm; by orders that any pump takes, hardware too.

The state it is in is read, not remembered. What fails on the way breaks the pump's place on the rig: it stays broken with its first cause,
so that a fault met once is told once, and every later test says that the rig was not fit. A fresh pump is a fresh place.
Not here: states of the link, and alarms other than one that every pump can be brought to (low reservoir); behind an adapter, the one
that the adapter can bring about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from itbpump.hil.errors import MeasurementError, NotAsOrdered, NotDeclared, RigBroken
from itbpump.hil.model import Capability
from itbpump.profiles import load_profile
from itbpump.quantity import Duration, Mass, Volume
from itbpump.wire.messages import RunState

if TYPE_CHECKING:
    from itbpump.hil.station import Station

__all__ = ["STATES", "Strategy"]

STATES = ("off", "idle", "infusing", "alarm")
# The alarm is brought about by a bolus of so many pulses from a reservoir said to hold so many more than the alarm volume.
_PULSES_ABOVE, _PULSES_GIVEN = 2, 8


class Strategy:
    """Of one pump on one rig. `broken` is the first cause, or None."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self.broken: str | None = None

    def require_whole(self) -> None:
        """Raises RigBroken with the first cause."""
        if self.broken is not None:
            raise RigBroken(self._station.rig.name, self.broken)

    def state(self) -> str:
        """The state it is in: read from the pump, or off where the supply was cut here."""
        if not self._station.power_is_on():
            return "off"
        status = self._station.pump.status()
        if status.alarms:
            return "alarm"
        return "infusing" if status.run_state is RunState.RUNNING else "idle"

    def to(self, wanted: str) -> None:
        """See PumpUnderTest.to. Raises RigBroken; what fails now is raised as it is, and breaks it for later.

        What an adapter does not know how to do skips the test, and breaks nothing.
        """
        if wanted not in STATES:
            raise MeasurementError(f"{wanted!r} is no state to bring a pump into; there are {', '.join(STATES)}")
        self.require_whole()
        try:
            self._bring(wanted)
        except NotDeclared as lacking:
            self._station.skip(str(lacking))
        except Exception as error:
            self.broken = f"on the way to {wanted!r}: {error}"
            self._station.note("rig broken " + self.broken, by="rig")
            raise

    def _bring(self, wanted: str) -> None:
        station = self._station
        if wanted == "off":
            station.require(Capability.POWER_CONTROL, "switch the supply")
            if station.power_is_on():
                station.power.cut()
            return
        if not station.power_is_on():
            station.power.on()
        now = self.state()
        if now != wanted:
            {"idle": self._idle, "infusing": self._infusing, "alarm": self._alarm}[wanted](now)
        found = self.state()
        if found != wanted:
            raise NotAsOrdered(f"the state {wanted!r}", station.pump.status(), f"it is in {found!r}")

    def _idle(self, now: str) -> None:
        if now == "alarm":
            self._end_alarm()
        self._station.pump.stop()

    def _infusing(self, now: str) -> None:
        if now == "alarm":
            self._end_alarm()
        pump = self._station.pump
        pump.program(pump.rx())

    def _end_alarm(self) -> None:
        """Told of enough in the reservoir, a pump ends the alarm that this strategy brings about."""
        station = self._station
        if station.adapter is not None:
            station.adapter.end_alarm(station.clock)
            return
        if station.pump.status().bolus_left_ms:
            station.pump.stop_bolus()
        residual = load_profile(station.pump.info.profile).residual
        filled = Volume(max(0, station.believed_fill(station.pump.info.capacity_nL).nL - residual.nL))
        station.pump.refill(filled=filled, aspirated=Volume(0))

    def _alarm(self, now: str) -> None:
        """A low reservoir: said to hold a little more than the alarm volume, and then given from; or what the adapter knows."""
        station, pump = self._station, self._station.pump
        if now == "idle":
            self._infusing(now)
        if station.adapter is not None:
            station.adapter.raise_alarm(station.clock)
            return
        profile = load_profile(pump.info.profile)
        pulse_nL = profile.pulse_volume.nL
        above = Volume(pump.status().low_alarm_nL + _PULSES_ABOVE * pulse_nL - profile.residual.nL)
        pump.refill(filled=above, aspirated=Volume(0))
        over = max(profile.bolus_min_duration, Duration.of_minutes(1))
        pump.bolus(Mass(station.target.concentration.ng_per_mL * pulse_nL * _PULSES_GIVEN // 1_000_000), over)
        station.clock.until(lambda: bool(pump.status().alarms), within=2 * over.ms, step=max(1_000, over.ms // 20), what="the alarm")
