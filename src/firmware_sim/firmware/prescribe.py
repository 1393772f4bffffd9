"""What configurations, boluses and stops do to the pump, once the command is known to be new.

* A configuration is refused while a bolus runs: end it first. It starts a stopped pump only if it says so; a running pump goes from
  the old therapy to the new one at the same instant, its residual carried on. Any commit takes a running pump off the minimum rate.
  A bridge in force keeps its end through every commit, also in a pump that is stopped (`limits` refuses what does not carry it on).
* A single bolus needs running therapy and is refused while a single or priming bolus runs; a patient bolus is interrupted by it. A
  priming bolus may also be given by a stopped pump, which is stopped again afterwards (therapy starts by its own commit), and
  interrupts a single bolus. Priority: prime > single > patient > pattern.
* A stop is always carried out and ends a bolus. Stop, minimum rate and configuration move the revision, so that a programmer who has
  read the state before cannot commit on top of it.

Each effect raises `Refused` for a final refusal and changes only its draft. Not modelled: a refill seen by a sensor.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.course import keeps_bridge, present_concentration, same_label
from firmware_sim.firmware.cycle import periodic_anchor_ms
from firmware_sim.firmware.draft import Draft
from firmware_sim.firmware.durable import Drive
from firmware_sim.firmware.ledger import Denial
from firmware_sim.firmware.limits import check_bolus, check_configuration, check_patient_request
from firmware_sim.firmware.machine import Machine
from itbpump.wire.messages import (
    BolusKind,
    BolusState,
    Configuration,
    ErrorCode,
    LogKind,
    Mode,
    RunState,
    decode_bolus_order,
    decode_configuration,
)

__all__ = ["Refused", "bolus", "configure", "minimum_rate", "patient_request", "stop", "stop_bolus"]

Effect = Callable[[Machine, Draft], None]
_MINUTE_MS = 60_000
_CLEARED_BY_COMMIT = (
    Alarm.MEMORY_REPAIRED,
    Alarm.MEMORY_LOST,
    Alarm.LOW_BATTERY_RESET,
    Alarm.EMERGENCY_SESSION,
    Alarm.OVER_DELIVERY,
    Alarm.UNDER_DELIVERY,
    Alarm.RESET_LOOP,
)


class Refused(Exception):
    """The command is refused for good. `code` and `detail` go into its result."""

    def __init__(self, code: ErrorCode, detail: int = 0) -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"command refused: {code.name} {detail}")


# ------------------------------------------------------------------------------------------------ configuration
def configure(payload: bytes, base_revision: int) -> Effect:
    """Commit of a staged configuration."""

    def effect(machine: Machine, draft: Draft) -> None:
        configuration = decode_configuration(payload)
        state = machine.state
        if base_revision != state.revision:
            raise Refused(ErrorCode.STALE_REVISION, state.revision)
        present = machine.present()
        limit = check_configuration(configuration, machine.profile, present)
        if limit is not None:
            raise Refused(ErrorCode.LIMIT, limit)
        if state.bolus.running:
            raise Refused(ErrorCode.BOLUS_BUSY)
        if configuration.start and configuration.mode is not Mode.STOPPED and not _may_start(machine, configuration):
            raise Refused(ErrorCode.WRONG_STATE)
        anchor_ms = periodic_anchor_ms(configuration, present.active, state.anchor_ms, machine.now_ms)
        kept = keeps_bridge(configuration, present)
        _relabel(machine, draft, configuration)
        draft.set(
            revision=state.revision + 1,
            active_revision=state.revision + 1,
            active=payload,
            previous=state.active,
            previous_revision=state.active_revision,
            anchor_ms=anchor_ms,
            bridge_end=state.bridge_end if kept else _bridge_end(draft, configuration),
        )
        if configuration.reservoir_set:
            draft.log(LogKind.REFILL, configuration.reservoir_volume_nL, draft.reservoir_nL)
            draft.set(entered_nL=configuration.reservoir_volume_nL, entered_lifetime=draft.state.lifetime)
            draft.reservoir_nL = configuration.reservoir_volume_nL
        _run(draft, configuration)
        _clear(draft, configuration)

    return effect


def _bridge_end(draft: Draft, configuration: Configuration) -> int:
    return draft.state.lifetime + configuration.bridge_pulses if configuration.bridge_pulses else 0


def _may_start(machine: Machine, configuration: Configuration) -> bool:
    alarms = machine.panel.active
    if machine.state.locked_until_ms is not None:
        return False
    return Alarm.END_OF_SERVICE not in alarms and (configuration.reservoir_set or Alarm.RESERVOIR_USED_UP not in alarms)


def _relabel(machine: Machine, draft: Draft, new: Configuration) -> None:
    """After a change of drug or concentration the path holds the old one until its volume has been delivered."""
    old, present = machine.configuration, machine.present()
    if old is None or same_label(old, new):
        return
    held = present_concentration(old, present)
    pulses = -(-new.path_volume_nL // machine.profile.pulse_volume_nL)
    draft.set(path_concentration_ng_per_mL=held, path_clear=draft.state.lifetime + pulses)


def _run(draft: Draft, configuration: Configuration) -> None:
    before = draft.state.run_state
    if configuration.mode is Mode.STOPPED:
        draft.drive(RunState.STOPPED, Drive.NONE)
    elif configuration.start or before is RunState.RUNNING:
        draft.drive(RunState.RUNNING, Drive.THERAPY)
    elif before is RunState.UNCONFIGURED:
        draft.drive(RunState.STOPPED, Drive.NONE)


def _clear(draft: Draft, configuration: Configuration) -> None:
    if draft.reservoir_nL > configuration.low_alarm_nL:
        draft.clear(Alarm.LOW_RESERVOIR)
    if draft.reservoir_nL > configuration.empty_alarm_nL:
        draft.clear(Alarm.EMPTY_RESERVOIR)
    if configuration.reservoir_set:
        draft.clear(Alarm.RESERVOIR_USED_UP)
    if draft.state.run_state is not RunState.SAFE:
        for alarm in _CLEARED_BY_COMMIT:
            draft.clear(alarm)


# ------------------------------------------------------------------------------------------------ boluses
def bolus(payload: bytes, base_revision: int) -> Effect:
    """Commit of a staged single or priming bolus."""

    def effect(machine: Machine, draft: Draft) -> None:
        order = decode_bolus_order(payload)
        state = machine.state
        if base_revision != state.revision:
            raise Refused(ErrorCode.STALE_REVISION, state.revision)
        limit = check_bolus(order, machine.profile, machine.present())
        if limit is not None:
            raise Refused(ErrorCode.LIMIT, limit)
        prime = order.kind is BolusKind.PRIME
        allowed = (RunState.RUNNING, RunState.STOPPED) if prime else (RunState.RUNNING,)
        locked = state.locked_until_ms is not None
        if locked or state.run_state not in allowed or (not prime and state.drive is not Drive.THERAPY):
            raise Refused(ErrorCode.WRONG_STATE)
        if state.bolus.running and (state.bolus.kind is BolusKind.PRIME or (state.bolus.kind is BolusKind.SINGLE and not prime)):
            raise Refused(ErrorCode.BOLUS_BUSY)
        if order.from_counter != machine.bolus_counter():
            raise Refused(ErrorCode.COUNTER_MOVED)
        draft.end_bolus(BolusState.INTERRUPTED)
        draft.start_bolus(order.kind, order.to_counter - order.from_counter, order.duration_s * 1000)

    return effect


def patient_request(machine: Machine, draft: Draft) -> bool:
    """The patient asks for a bolus. Returns whether it was granted; either way it is counted and logged (SR-14)."""
    denial = check_patient_request(machine.profile, machine.present())
    if denial is None and machine.state.drive is Drive.THERAPY and machine.state.bridge_end > draft.state.lifetime:
        # A bridge is sized in pulses and its mass by the old concentration: nothing comes in between (domain 2.2).
        denial = Denial.NOT_RUNNING
    configuration = machine.configuration
    if denial is not None or configuration is None:
        record = machine.patient().deny()
        draft.set(denied=record.denied)
        draft.log(LogKind.BOLUS_DENIED, record.denied, denial or Denial.NONE_ALLOWED)
        return False
    record = machine.patient().grant(machine.now_ms)
    draft.set(granted=record.granted, grants_ms=record.starts_ms)
    draft.start_bolus(BolusKind.PATIENT, configuration.patient_pulses, configuration.patient_duration_min * _MINUTE_MS)
    return True


# ------------------------------------------------------------------------------------------------ less
def stop(machine: Machine, draft: Draft) -> None:
    """Stop all delivery. Carried out in every state; a stopped pump is only told again."""
    state = machine.state
    draft.end_bolus(BolusState.ABORTED)
    draft.log(LogKind.STOP, state.run_state, state.drive)
    if state.run_state is not RunState.UNCONFIGURED:
        draft.drive(RunState.STOPPED, Drive.NONE)
    if state.drive is not Drive.NONE:
        draft.set(revision=state.revision + 1)


def stop_bolus(machine: Machine, draft: Draft) -> None:
    """End the running bolus; what flows under it goes on."""
    if not machine.state.bolus.running:
        raise Refused(ErrorCode.WRONG_STATE)
    draft.end_bolus(BolusState.ABORTED)


def minimum_rate(machine: Machine, draft: Draft) -> None:
    """Go down to the minimum rate, a safe state, until a configuration is started. Never starts a pump that gives nothing."""
    state = machine.state
    if state.drive is Drive.NONE:
        raise Refused(ErrorCode.WRONG_STATE)
    draft.end_bolus(BolusState.ABORTED)
    if state.drive is Drive.THERAPY:
        draft.drive(RunState.SAFE, Drive.MINIMUM)
        draft.set(revision=state.revision + 1)
