"""`status --json`: a reading of a pump for programs; amounts are text with their unit, null where the pump does not know."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from itbpump.wording.days import week_text
from itbpump.wording.pumpview import ERI_NOT_RAISED

if TYPE_CHECKING:
    from itbpump.wire.messages import AlarmState, CommandResult
    from itbpump.wording.pumpview import PumpView

__all__ = ["iso", "result_json", "status_json"]


def iso(moment: datetime) -> str:
    """ISO date-time with its offset, to the second."""
    return moment.isoformat(timespec="seconds")


def status_json(view: PumpView) -> dict[str, Any]:
    """The form of `status --json`."""
    from fractions import Fraction

    from itbpump.quantity import Flow, Mass, Volume, number_text
    from itbpump.therapy_view import DeliveryView

    info, now = view.info, view.status
    configured = bool(now.drug)  # a pump that lost its configuration has a revision, and knows neither drug nor volume
    delivery = DeliveryView.from_status(now, info.pulse_volume_nL)
    clock, week = view.clock, view.week_ms
    return {
        "pump": {
            "serial": info.serial,
            "profile": info.profile,
            "firmware": info.firmware,
            "protocol": f"{info.protocol_major_max}.{info.protocol_minor}",
            "memory_id": info.memory_id.hex(),
            "simulated": info.simulated,
            "constants_hash": info.constants_hash.hex(),
        },
        "therapy": {
            **(view.therapy.json() if view.therapy is not None else {}),
            "mode": now.mode.name.lower().replace("_", "-"),
            "revision": now.revision,
            "digest": now.digest.hex() if configured else None,
        },
        "running": now.run_state.name == "RUNNING",
        "run_state": now.run_state.name.lower(),
        "delivering": delivery.json() if configured else {**Flow(now.flow_nL_per_day).json(), "dose": None},
        "bridging": now.bridging,
        "reservoir": {
            "volume": Volume(now.reservoir_nL).json() if configured else None,
            "capacity": Volume(info.capacity_nL).json(),
            "low_alarm": Volume(now.low_alarm_nL).json() if configured else None,
            "estimated_at": iso(view.host_now),
        },
        "bolus": _bolus_json(view),
        "patient_boluses": {"given_24h": now.patient_granted_24h, "given": now.patient_granted, "denied": now.patient_denied},
        "given_last_24h": Mass(now.mass_24h_ng).json(),
        "alarms": [_alarm_json(view, alarm) for alarm in now.alarms],
        "battery": {
            "value": number_text(Fraction(now.battery_permille, 10)),
            "unit": "%",
            "days_to_end_of_service": None if now.eri_left_days == ERI_NOT_RAISED else now.eri_left_days,
        },
        "clock": {
            "pump": iso(clock) if clock is not None else None,
            "host": iso(view.host_now),
            "gap_s": view.gap_s,
            "pump_day": week_text(week) if week is not None else None,
            "uptime_ms": now.uptime_ms,
        },
        "last_change": {"kind": now.last_change_kind.name.lower(), "by": view.changed_by, "at": iso(view.at(now.last_change_ms))}
        if now.last_change_kind.name != "NONE"
        else None,
        "last_dose_change": _dose_change_json(view),
        "open_outcomes": [{"command": intent.cmd_id, "what": intent.what} for intent in view.open],
        "others_unconfirmed": [result_json(result) for result in view.others],
        "doubt_pulses": now.doubt_pulses,
        "resets": now.resets,
        "link": {"url": view.url, "role": info.role.name.lower()},
    }


def _dose_change_json(view: PumpView) -> dict[str, Any] | None:
    """The last command that changed what is given, which a later one may hide; None where none is known."""
    from itbpump.wire.messages import CommandKind
    from itbpump.wording.pumpview import dose_kinds

    now, entry = view.status, view.last_dose_change
    if now.last_change_kind in dose_kinds():
        return {"kind": now.last_change_kind.name.lower(), "at": iso(view.at(now.last_change_ms))}
    return None if entry is None else {"kind": CommandKind(entry.b >> 32).name.lower(), "at": iso(view.at(entry.uptime_ms))}


def _bolus_json(view: PumpView) -> dict[str, Any]:
    from itbpump.quantity import Concentration, mass_of_pulses

    now, pulse_nL = view.status, view.info.pulse_volume_nL
    concentration = Concentration(now.concentration_ng_per_mL)
    return {
        "kind": now.bolus_kind.name.lower(),
        "state": now.bolus_state.name.lower(),
        "requested_pulses": now.bolus_requested,
        "delivered_pulses": now.bolus_delivered,
        "requested": mass_of_pulses(now.bolus_requested, concentration, pulse_nL).json(),
        "delivered": mass_of_pulses(now.bolus_delivered, concentration, pulse_nL).json(),
        "left_s": -(-now.bolus_left_ms // 1_000),
    }


def _alarm_json(view: PumpView, alarm: AlarmState) -> dict[str, Any]:
    from itbpump.wording.words import alarm_words

    words = alarm_words(alarm.alarm)
    return {
        "id": words.id,
        "number": alarm.alarm,
        "priority": alarm.priority.name.lower().replace("_", "-"),
        "since": iso(view.at(alarm.since_ms)),
        "text": words.text,
        "action": words.action,
        "silenced": alarm.silenced_until_ms > view.status.uptime_ms,
    }


def result_json(result: CommandResult) -> dict[str, Any]:
    """A stored result for programs."""
    return {
        "programmer": result.programmer.hex(),
        "command": result.cmd_id,
        "kind": result.kind.name.lower(),
        "outcome": result.outcome.name.lower(),
        "revision": result.revision,
        "requested_pulses": result.requested_pulses,
        "delivered_pulses": result.delivered_pulses,
        "doubt_pulses": result.doubt_pulses,
        "bolus_state": result.bolus_state.name.lower(),
    }
