"""The rotor that does not follow: stalls, missed pulses, what they cost, and over-delivery as an alarm (SR-29, SR-30).

A rotor is judged at every pulse that ends a stretch; the first pulse of each stretch ends one (`probe_ms`), and where the hardware tells
ahead (`monitor`) the first one missed, and the first one made again, end one too. A stall of the profile's time is alarmed; a shorter one
is logged with what it missed, once an hour at most, so that a rotor that slips does not push out the log. What short stalls miss within
24 h is added up: a tenth of a day's pulses (the profile's figure) is under-delivery. Not modelled: a slip that the encoder does not see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.draft import Draft
from firmware_sim.firmware.durable import BolusRecord, Drive
from firmware_sim.firmware.machine import Machine
from firmware_sim.firmware.monitor import Monitor
from itbpump.wire.messages import LogKind

__all__ = ["Due", "StallWatch"]

_HOUR_MS = 3_600_000
_DAY_MS = 86_400_000
_LEAST_SHORTFALL = 3
"""Fewer missed pulses in a day are no under-delivery, whatever part of the day's dose they are: one may be in doubt, one at either edge."""

Effect = Callable[[Machine, Draft], None]


@dataclass(frozen=True, slots=True)
class Due:
    """An event: its uptime and what it does to a draft made at that uptime."""

    at_ms: int
    effect: Effect


class StallWatch:
    """Compares commanded pulses with the encoder after each stretch of delivery. A reset ends its state, and `boot` makes it good."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._missed_from = 0
        self._missed_ms: int | None = None
        self._encoder = 0
        self._reported = False
        self._unlogged = 0
        self._logged_ms: int | None = None
        self._short = _Shortfall()

    def start(self, machine: Machine) -> None:
        """Begin with the present counts."""
        self._missed_ms = None
        self._reported = Alarm.MOTOR_STALL in machine.panel.active
        self._encoder = machine.hardware.encoder_pulses()
        self._monitor.start(max(0, -self._missing(machine)))
        self._monitor.follow(machine.delivery.phase, machine.now_ms)

    @property
    def stands(self) -> bool:
        """Whether the rotor has missed its last pulse."""
        return self._missed_ms is not None

    def probe_ms(self, machine: Machine) -> int | None:
        """Uptime of the next pulse, at which the rotor shows whether it turns."""
        return machine.delivery.next_pulse_after(machine.now_ms)

    # ------------------------------------------------------------------------------------------------ what is due
    def due(self, machine: Machine) -> Due | None:
        """When a stall must be alarmed, or what was missed be logged, with what is done then; None if neither."""
        found: list[Due] = []
        if self._missed_ms is not None and not self._reported:
            found.append(Due(self._missed_ms + machine.profile.stall_detect_ms, self._raise_stall))
        if self._unlogged and self._logged_ms is not None:
            found.append(Due(self._logged_ms + _HOUR_MS, self._log_missed))
        return min(found, key=lambda due: due.at_ms, default=None)

    def _raise_stall(self, machine: Machine, draft: Draft) -> None:
        """The rotor has stood still for too long."""
        self._reported = True
        draft.log(LogKind.STALL, self._missed_from, self._missing(machine))
        draft.raise_alarm(Alarm.MOTOR_STALL, self._missing(machine))

    def _log_missed(self, machine: Machine, draft: Draft) -> None:
        missed, self._unlogged = self._unlogged, 0
        self._logged_ms = machine.now_ms
        draft.set(encoder_offset=draft.state.encoder_offset + missed)
        draft.log(LogKind.STALL_RECOVERED, missed, missed * machine.profile.pulse_volume_nL)

    # ------------------------------------------------------------------------------------------------ after a stretch
    def check(self, machine: Machine) -> Effect | None:
        """Look at the encoder after a stretch; returns what has to be done about it."""
        self._monitor.look(machine.now_ms)
        encoder = machine.hardware.encoder_pulses()
        moved = encoder != self._encoder
        self._encoder = encoder
        if self._monitor.trips and (Alarm.OVER_DELIVERY not in machine.panel.active or _gives(machine)):
            return self._over_delivery
        missing = self._missing(machine)
        if moved and self._reported and Alarm.MOTOR_STALL in machine.panel.active:
            return self._end_stall
        if missing > 0 and moved:
            return self._miss(machine, missing)
        if moved or missing <= 0:
            self._missed_ms = None
        elif self._missed_ms is None:
            self._missed_from = machine.pulses - missing + 1
            self._missed_ms = machine.delivery.time_of_lifetime(self._missed_from) or machine.now_ms
        return None

    def _missing(self, machine: Machine) -> int:
        return machine.pulses - machine.state.encoder_offset - self._unlogged - machine.hardware.encoder_pulses()

    def _miss(self, machine: Machine, missing: int) -> Effect | None:
        """The rotor turns again after a stall too short for its alarm."""
        since_ms = self._missed_ms if self._missed_ms is not None else machine.now_ms
        self._missed_ms = None
        self._unlogged += missing
        if self._short.miss(machine, since_ms, missing) and Alarm.UNDER_DELIVERY not in machine.panel.active:
            return self._under_delivery
        if self._logged_ms is None or machine.now_ms - self._logged_ms >= _HOUR_MS:
            return self._log_missed
        return None

    def _end_stall(self, machine: Machine, draft: Draft) -> None:
        # What the alarm has told is no under-delivery of its own.
        self._unlogged += max(0, self._missing(machine))
        self._missed_ms = None
        self._reported = False
        self._log_missed(machine, draft)
        draft.clear(Alarm.MOTOR_STALL)

    def _under_delivery(self, machine: Machine, draft: Draft) -> None:
        draft.raise_alarm(Alarm.UNDER_DELIVERY, self._short.missed)
        self._log_missed(machine, draft)
        self._short = _Shortfall()

    def _over_delivery(self, machine: Machine, draft: Draft) -> None:
        surplus = self._monitor.surplus
        self._monitor.forgive()
        draft.set(encoder_offset=draft.state.encoder_offset + self._missing(machine))
        # Up already: a stopped pump may be primed all the same, and what comes too much then takes the drive away again.
        draft.clear(Alarm.OVER_DELIVERY)
        draft.raise_alarm(Alarm.OVER_DELIVERY, surplus)


def _gives(machine: Machine) -> bool:
    """Whether anything is to flow."""
    return machine.state.bolus.running or machine.state.drive is not Drive.NONE


class _Shortfall:
    """What short stalls have missed since the first of them, for a day; then it begins anew."""

    def __init__(self) -> None:
        self.missed = 0
        self._since_ms: int | None = None

    def miss(self, machine: Machine, since_ms: int, pulses: int) -> bool:
        """Count `pulses` missed from `since_ms` on; whether a day's bearable share is used up."""
        if self._since_ms is None or machine.now_ms - self._since_ms >= _DAY_MS:
            self._since_ms, self.missed = since_ms, 0
        self.missed += pulses
        limit = max(_LEAST_SHORTFALL, -(-_pulses_of_day(machine) * machine.profile.under_delivery_permille // 1000))
        return self.missed >= limit


def _pulses_of_day(machine: Machine) -> int:
    """Pulses of the day from now on: of the therapy, and of the bolus over it while that runs, which says nothing of the rest of a day."""
    under = replace(machine.state, bolus=BolusRecord())
    units = machine.source_of(under, machine.pulses).volume_units(machine.now_ms, machine.now_ms + _DAY_MS)
    bolus = machine.state.bolus
    return units // machine.delivery.phase.pulse_units + (bolus.requested if bolus.running else 0)
