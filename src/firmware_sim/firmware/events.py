"""What the pump does by itself: when each event is due, in closed form, and what it changes.

Nothing is polled. A threshold on the pulse counter becomes the uptime of a pulse; the battery's is found by bisection, since charge
only falls while the radio is quiet. Events due at the same time go in the order of `_KINDS`; what the rotor makes due comes from
`stall.StallWatch`. Not modelled: the microcontroller's own timers.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.draft import Draft
from firmware_sim.firmware.machine import Machine
from firmware_sim.firmware.stall import Due, StallWatch
from itbpump.wire.messages import BolusState, LogKind

__all__ = ["eos_ms", "next_due"]


def next_due(machine: Machine, watch: StallWatch) -> Due | None:
    """The next event, never before the present; None if nothing is ever due."""
    best: Due | None = None
    for when, effect in _KINDS:
        at_ms = when(machine)
        if at_ms is not None and (best is None or at_ms < best.at_ms):
            best = Due(max(at_ms, machine.now_ms), effect)
    rotor = watch.due(machine)
    if rotor is not None and (best is None or rotor.at_ms < best.at_ms):
        best = Due(max(rotor.at_ms, machine.now_ms), rotor.effect)
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


def _unlock_ms(machine: Machine) -> int | None:
    return machine.state.locked_until_ms


def _unlock(machine: Machine, draft: Draft) -> None:
    draft.set(locked_until_ms=None, alert_stops=())
    draft.clear(Alarm.RESTART_LOCKED)


_KINDS: tuple[tuple[Callable[[Machine], int | None], Callable[[Machine, Draft], None]], ...] = (
    (_bolus_end_ms, _bolus_end),
    (_bridge_end_ms, _bridge_end),
    (_path_clear_ms, _path_clear),
    (_low_ms, _low),
    (_empty_ms, _empty),
    (_used_up_ms, _used_up),
    (_stopped_long_ms, _stopped_long),
    (_end_of_service_ms, _end_of_service),
    (_unlock_ms, _unlock),
)
