"""The record for programs: amounts as text with their unit, date-times as ISO with their offset, null for what nobody knows. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from itbpump.quantity import Volume, number_text
from itbpump.refill import Refill
from itbpump.report.changes import measured_nL
from itbpump.report.model import BolusPulses, Change, PumpState, SessionRecord, Therapy, Told
from itbpump.report.since import Delivered, GivenBoluses
from itbpump.therapy_view import DAY_NAMES

__all__ = ["SCHEMA", "json"]

SCHEMA = "itbpump.session-report/1"


def json(record: SessionRecord) -> dict[str, Any]:
    """All of a record; `schema` names the form."""
    who, made = record.identity, record.versions
    return {
        "schema": SCHEMA,
        "patient": who.patient_id or None,
        "pump": {
            "serial": who.serial,
            "profile": who.profile,
            "firmware": who.firmware,
            "memory_id": who.memory_id,
            "simulated": who.simulated,
        },
        "staff": list(record.staff),
        "opened_at": _iso(record.opened_at),
        "closed_at": _iso(record.closed_at),
        "start": _state(record.start),
        "end": _state(record.end) if record.end is not None else None,
        "end_note": record.end_note or None,
        "open_outcomes": list(record.open_outcomes),
        "unproven": list(record.unproven),
        "changes": [_change(change) for change in record.changes],
        "notes": [{"at": _iso(note.at), "text": note.text, "attention": note.attention} for note in record.notes],
        "delivered": _delivered(record.delivered),
        "dates": record.dates.json() if record.dates is not None else None,
        "dates_note": record.dates_note or None,
        "versions": {
            "companion": made.companion,
            "protocol": made.protocol,
            "profile": made.profile,
            "constants_hash": made.constants,
            "library": dict(made.library) or None,
            "log_chain": made.log_chain or None,
        },
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")


def _amount(amount: Any) -> dict[str, str] | None:
    """Any amount of `quantity`; what is computed back is rounded to its base unit first, as no decimal may be without an end."""
    return None if amount is None else amount.rounded().json()


def _state(state: PumpState) -> dict[str, Any]:
    return {
        "at": _iso(state.at),
        "run_state": state.run_state,
        "mode": state.mode.replace(" ", "-"),
        "revision": state.revision,
        "digest": state.digest or None,
        "drug": state.drug or None,
        "concentration": _amount(state.concentration),
        "therapy": _therapy(state.therapy) if state.therapy is not None else None,
        "dose_now": _amount(state.dose_now),
        "reservoir": _amount(state.reservoir),
        "capacity": _amount(state.capacity),
        "low_alarm": _amount(state.low_alarm),
        "given_24h": _amount(state.given_24h),
        "battery_permille": state.battery_permille,
        "alarms": [
            {"id": alarm.id, "priority": alarm.priority, "text": alarm.text, "action": alarm.action, "silenced": alarm.silenced}
            for alarm in state.alarms
        ],
        "unknown_outcomes": list(state.unknown),
        "words": [[label, text] for label, text in state.rows],
        "next_log_entry": state.next_entry,
    }


def _therapy(therapy: Therapy) -> dict[str, Any]:
    return {
        "mode": therapy.mode,
        "daily_dose": {
            "mean": _amount(therapy.mean_day),
            "lowest_day": _amount(therapy.lowest_day),
            "highest_day": _amount(therapy.highest_day),
        },
        "highest_24h": _amount(therapy.highest_24h),
        "days": {name.lower(): [step.json() for step in day] for name, day in zip(DAY_NAMES, therapy.days, strict=True)},
        "words": [[label, text] for label, text in therapy.rows],
        "patient_bolus": therapy.patient_bolus or None,
    }


def _change(change: Change) -> dict[str, Any]:
    settled = change.settled
    return {
        "at": _iso(change.at),
        "title": change.title,
        "command": str(change.cmd_id),
        "user": change.user or None,
        "second": change.second or None,
        "outcome": _told(change.told),
        "settled": None
        if settled is None
        else {"at": _iso(settled.at), "outcome": _told(settled.told), "by": settled.by or None, "reason": settled.reason or None},
        "verdict": change.verdict or None,
        "review": change.review or None,
        "library": dict(change.library) or None,
        "table": [row.json() for row in change.table],
        "achievable": [item.json() for item in change.achievable],
        "findings": [finding.json() for finding in change.findings],
        "overrides": [item.json() for item in change.overrides],
        "refill": refill_json(change.refill) if change.refill is not None else None,
    }


def _told(told: Told) -> dict[str, Any]:
    return {
        "word": told.word.replace(" ", "-"),
        "text": told.text,
        "proved": told.proved,
        "agreed": None if told.agreed is None else list(told.agreed),
        "disagreed": None if told.disagreed is None else list(told.disagreed),
        "bolus": _bolus(told.bolus) if told.bolus is not None else None,
        "note": told.note or None,
    }


def _bolus(given: BolusPulses) -> dict[str, Any]:
    return {
        "requested_pulses": given.requested,
        "delivered_pulses": given.delivered,
        "doubt_pulses": given.doubt,
        "state": given.state,
        "requested": _amount(given.requested_mass),
        "delivered": _amount(given.delivered_mass),
    }


def refill_json(refill: Refill) -> dict[str, Any]:
    """Volumes of a refill; the difference carries a sign."""
    found, measured = refill.discrepancy, measured_nL(refill)
    return {
        "expected": _volume(refill.expected_nL),
        "aspirated": _volume(refill.aspirated_nL),
        "difference": _signed(found.difference_nL),
        "above_clinic_limit": found.above_clinic_limit,
        "outside_accuracy": found.outside_accuracy,
        "tolerance": _volume(found.tolerance_nL),
        "meaning": found.meaning,
        "counted_since_last_fill": _volume(refill.counted_nL),
        "measured_since_last_fill": _volume(measured),
        "filled": _volume(refill.filled_nL),
        "volume_after": _volume(refill.volume_after_nL),
    }


def _volume(nL: int | None) -> dict[str, str] | None:
    return None if nL is None else Volume(nL).json()


def _signed(nL: int | None) -> dict[str, str] | None:
    if nL is None:
        return None
    magnitude = Volume(abs(nL)).json()
    return {**magnitude, "value": number_text(0) if not nL else ("-" if nL < 0 else "") + magnitude["value"]}


def _delivered(given: Delivered) -> dict[str, Any]:
    bounds = given.true_bounds
    return {
        "reference": given.reference,
        "since": _iso(given.since),
        "filled": _amount(given.filled),
        "total": _amount(given.total),
        "total_by_accuracy": None if bounds is None else [bound.json() for bound in bounds],
        "pattern": _amount(given.pattern),
        "total_mass": _amount(given.total_mass),
        "pattern_mass": _amount(given.pattern_mass),
        "single": _given(given.single),
        "prime": _given(given.prime),
        "patient": _given(given.patient),
        "granted": given.granted,
        "denied": given.denied,
        "interruptions": given.interruptions,
        "missed": _amount(given.missed),
        "doubt_pulses": given.doubt_pulses,
        "not_known": list(given.not_known),
    }


def _given(boluses: GivenBoluses | None) -> dict[str, Any] | None:
    if boluses is None:
        return None
    return {
        "count": boluses.count,
        "volume": _amount(boluses.volume),
        "mass": _amount(boluses.mass),
        "doubt_pulses": boluses.doubt_pulses,
    }
