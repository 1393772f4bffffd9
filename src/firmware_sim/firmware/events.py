"""What the pump does by itself: when each event is due, in closed form, and what it changes.

Nothing is polled. A threshold on the pulse counter becomes the uptime of a pulse; the battery's is found by bisection, since charge
only falls while the radio is quiet. Events due at the same time go in the order of `_KINDS`. The stall detector compares the rotor's
encoder with what was commanded after each stretch of delivery (`StallWatch`). Not modelled: the microcontroller's own timers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.draft import Draft
from firmware_sim.firmware.machine import Machine
from itbpump.wire.messages import BolusState, LogKind

__all__ = ["Due", "StallWatch", "eos_ms", "next_due"]

_OVER_DELIVERY_PULSES = 2


@dataclass(frozen=True, slots=True)
class Due:
    """An event: its uptime and what it does to a draft made at that uptime."""

    at_ms: int
    effect: Callable[[Machine, Draft], None]


def next_due(machine: Machine, watch: StallWatch) -> Due | None:
    """The next event, never before the present; None if nothing is ever due."""
    best: Due | None = None
    for when, effect in _KINDS:
        at_ms = when(machine)
        if at_ms is not None and (best is None or at_ms < best.at_ms):
            best = Due(max(at_ms, machine.now_ms), effect)
    stall_ms = watch.alarm_ms(machine)
    if stall_ms is not None and (best is None or stall_ms < best.at_ms):
        best = Due(max(stall_ms, machine.now_ms), watch.raise_alarm)
    replacement_ms = _replacement_ms(machine, None if best is None else best.at_ms)
    if replacement_ms is not None and (best is None or replacement_ms < best.at_ms):
        best = Due(max(replacement_ms, machine.now_ms), _replacement)
    return best


# ------------------------------------------------------------------------------------------------ delivery
def _bolus_end_ms(machine: Machine) -> int | None:
    bolus = machine.state.bolus
    return bolus.start_ms + bolus.duration_ms if bolus.running else None


def _bolus_end(machine: Machine, draft: Draft) -> None:
    draft.end_bolus(BolusState.DONE)


def _bridge_end_ms(machine: Machine) -> int | None:
    return machine.delivery.time_of_lifetime(machine.state.bridge_end) if machine.state.bridge_end else None


def _bridge_end(machine: Machine, draft: Draft) -> None:
    draft.set(bridge_end=0)
    draft.log(LogKind.BRIDGE_END, draft.state.lifetime, draft.state.revision)


def _path_clear_ms(machine: Machine) -> int | None:
    return machine.delivery.time_of_lifetime(machine.state.path_clear) if machine.state.path_concentration_ng_per_mL else None


def _path_clear(machine: Machine, draft: Draft) -> None:
    draft.set(path_concentration_ng_per_mL=0, path_clear=0)


# ------------------------------------------------------------------------------------------------ reservoir
def _time_of_volume(machine: Machine, volume_nL: int) -> int | None:
    """When the counted volume falls to `volume_nL` or below."""
    state = machine.state
    pulses = -(-(state.entered_nL - volume_nL) // machine.profile.pulse_volume_nL)
    return machine.delivery.time_of_lifetime(state.entered_lifetime + pulses)


def _low_ms(machine: Machine) -> int | None:
    if machine.configuration is None or Alarm.LOW_RESERVOIR in machine.panel.active:
        return None
    return _time_of_volume(machine, machine.configuration.low_alarm_nL)


def _low(machine: Machine, draft: Draft) -> None:
    draft.raise_alarm(Alarm.LOW_RESERVOIR, draft.reservoir_nL)


def _empty_ms(machine: Machine) -> int | None:
    if machine.configuration is None or Alarm.EMPTY_RESERVOIR in machine.panel.active:
        return None
    return _time_of_volume(machine, machine.configuration.empty_alarm_nL)


def _empty(machine: Machine, draft: Draft) -> None:
    draft.raise_alarm(Alarm.EMPTY_RESERVOIR, draft.reservoir_nL)


def _used_up_ms(machine: Machine) -> int | None:
    """The last whole pulse that the counted volume holds: the stop completes it and begins no other."""
    state = machine.state
    if machine.configuration is None or Alarm.RESERVOIR_USED_UP in machine.panel.active:
        return None
    return machine.delivery.time_of_lifetime(state.entered_lifetime + state.entered_nL // machine.profile.pulse_volume_nL)


def _used_up(machine: Machine, draft: Draft) -> None:
    draft.raise_alarm(Alarm.RESERVOIR_USED_UP, draft.reservoir_nL)


# ------------------------------------------------------------------------------------------------ time and battery
def _stopped_long_ms(machine: Machine) -> int | None:
    since_ms = machine.state.stopped_since_ms
    if since_ms is None or Alarm.STOPPED_LONG in machine.panel.active:
        return None
    return since_ms + machine.profile.stopped_alarm_ms


def _stopped_long(machine: Machine, draft: Draft) -> None:
    draft.raise_alarm(Alarm.STOPPED_LONG, draft.state.stopped_since_ms or 0)


def _replacement_ms(machine: Machine, horizon_ms: int | None) -> int | None:
    """First uptime at which the battery is at its threshold or the age is reached; None if not up to `horizon_ms`."""
    if machine.state.eri_since_ms is not None:
        return None
    profile = machine.profile
    age_ms = max(profile.service_life_ms - profile.eri_to_eos_ms, machine.now_ms)
    end_ms = age_ms if horizon_ms is None else min(age_ms, horizon_ms)
    train = machine.delivery.phase

    def low(at_ms: int) -> bool:
        return machine.hardware.battery_permille_ahead(train, at_ms) <= profile.eri_battery_permille

    if not low(end_ms):
        return age_ms if end_ms == age_ms else None
    first_ms, last_ms = machine.now_ms, end_ms
    while first_ms < last_ms:
        middle_ms = (first_ms + last_ms) // 2
        if low(middle_ms):
            last_ms = middle_ms
        else:
            first_ms = middle_ms + 1
    return last_ms


def _replacement(machine: Machine, draft: Draft) -> None:
    draft.set(eri_since_ms=draft.now_ms)
    draft.raise_alarm(Alarm.REPLACEMENT, machine.hardware.battery_permille())


def eos_ms(machine: Machine) -> int | None:
    """Uptime of end of service: the profile's time after the replacement indicator, never after the service life."""
    since_ms = machine.state.eri_since_ms
    return None if since_ms is None else min(since_ms + machine.profile.eri_to_eos_ms, machine.profile.service_life_ms)


def _end_of_service_ms(machine: Machine) -> int | None:
    return None if Alarm.END_OF_SERVICE in machine.panel.active else eos_ms(machine)


def _end_of_service(machine: Machine, draft: Draft) -> None:
    draft.raise_alarm(Alarm.END_OF_SERVICE, machine.hardware.battery_permille())


_KINDS: tuple[tuple[Callable[[Machine], int | None], Callable[[Machine, Draft], None]], ...] = (
    (_bolus_end_ms, _bolus_end),
    (_bridge_end_ms, _bridge_end),
    (_path_clear_ms, _path_clear),
    (_low_ms, _low),
    (_empty_ms, _empty),
    (_used_up_ms, _used_up),
    (_stopped_long_ms, _stopped_long),
    (_end_of_service_ms, _end_of_service),
)


# ------------------------------------------------------------------------------------------------ the motor
class StallWatch:
    """Compares commanded pulses with the encoder, apart from the code that commands them (SR-29, SR-30, SR-60).

    A rotor is judged at every pulse that ends a stretch; the first pulse of each stretch ends one (`probe_ms`). A rotor that begins to
    stick within a stretch is seen at its end.
    """

    def __init__(self) -> None:
        self._missed_from = 0
        self._missed_ms: int | None = None
        self._encoder = 0
        self._reported = False

    def start(self, machine: Machine) -> None:
        """Begin with the present counts."""
        self._missed_ms = None
        self._reported = Alarm.MOTOR_STALL in machine.panel.active
        self._encoder = machine.hardware.encoder_pulses()

    def probe_ms(self, machine: Machine) -> int | None:
        """Uptime of the next pulse, at which the rotor shows whether it turns."""
        return machine.delivery.next_pulse_after(machine.now_ms)

    def alarm_ms(self, machine: Machine) -> int | None:
        """When the stall detected must be alarmed; None while the rotor turns."""
        if self._missed_ms is None or self._reported:
            return None
        return self._missed_ms + machine.profile.stall_detect_ms

    def raise_alarm(self, machine: Machine, draft: Draft) -> None:
        """The rotor has stood still for too long."""
        self._reported = True
        draft.log(LogKind.STALL, self._missed_from, self._missing(machine))
        draft.raise_alarm(Alarm.MOTOR_STALL, self._missing(machine))

    def check(self, machine: Machine) -> Callable[[Machine, Draft], None] | None:
        """Look at the encoder after a stretch; returns what has to be done about it."""
        encoder = machine.hardware.encoder_pulses()
        missing = self._missing(machine)
        moved = encoder != self._encoder
        self._encoder = encoder
        if missing < -_OVER_DELIVERY_PULSES and Alarm.OVER_DELIVERY not in machine.panel.active:
            return _over_delivery
        if missing > 0 and moved:
            return self._recovered
        if missing > 0 and self._missed_ms is None:
            self._missed_from = machine.pulses - missing + 1
            self._missed_ms = machine.delivery.time_of_lifetime(self._missed_from) or machine.now_ms
        if moved and self._reported and Alarm.MOTOR_STALL in machine.panel.active:
            return self._recovered
        return None

    def _missing(self, machine: Machine) -> int:
        return machine.pulses - machine.state.encoder_offset - machine.hardware.encoder_pulses()

    def _recovered(self, machine: Machine, draft: Draft) -> None:
        missing = self._missing(machine)
        draft.set(encoder_offset=draft.state.encoder_offset + missing)
        draft.log(LogKind.STALL_RECOVERED, missing, missing * machine.profile.pulse_volume_nL)
        draft.clear(Alarm.MOTOR_STALL)
        self._missed_ms = None
        self._reported = False


def _over_delivery(machine: Machine, draft: Draft) -> None:
    surplus = machine.hardware.encoder_pulses() + machine.state.encoder_offset - machine.pulses
    draft.set(encoder_offset=draft.state.encoder_offset - surplus)
    draft.raise_alarm(Alarm.OVER_DELIVERY, surplus)
