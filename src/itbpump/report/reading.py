"""From what a face has in hand (a reading, a review, an outcome) to the plain parts of a session record.

Words come from `itbpump.wording`, so that a report says what the screen said. Not here: reading a pump.
"""

from __future__ import annotations

from itbpump.outcome import Applied, NotApplied, Outcome, Proof
from itbpump.profiles import PumpProfile
from itbpump.quantity import Concentration, Mass, Volume, mass_of_pulses
from itbpump.report.model import Alarm, BolusPulses, Identity, PumpState, Therapy, Told, Versions
from itbpump.therapy_view import DeliveryView, TherapyView
from itbpump.wire.messages import Info
from itbpump.wording import status as said
from itbpump.wording.pumpview import PumpView
from itbpump.wording.words import alarm_words

__all__ = ["identity_of", "state_of", "told_of", "versions_of"]


def identity_of(info: Info, patient_id: str) -> Identity:
    """Which pump, and whose."""
    return Identity(patient_id, info.serial, info.profile, info.firmware, info.memory_id.hex(), info.simulated)


def state_of(view: PumpView) -> PumpState:
    """One reading, with the words that every screen has for it."""
    now, pulse_nL = view.status, view.info.pulse_volume_nL
    is_configured = bool(now.drug)  # a pump that lost its configuration has a revision, and knows neither drug nor volume
    return PumpState(
        at=view.host_now,
        run_state=now.run_state.name.lower(),
        mode=now.mode.name.lower().replace("_", " "),
        revision=now.revision,
        digest=now.digest.hex() if is_configured else "",
        drug=now.drug,
        concentration=Concentration(now.concentration_ng_per_mL) if is_configured else None,
        therapy=_therapy(view.therapy) if view.therapy is not None else None,
        delivering=said.delivering_text(view) if is_configured else "not known: the pump has no therapy",
        dose_now=DeliveryView.from_status(now, pulse_nL).dose if is_configured else None,
        reservoir=Volume(now.reservoir_nL) if is_configured else None,
        capacity=Volume(view.info.capacity_nL),
        low_alarm=Volume(now.low_alarm_nL) if is_configured else None,
        given_24h=Mass(now.mass_24h_ng).rounded(),
        battery_permille=now.battery_permille,
        alarms=_alarms(view),
        unknown=tuple(f"{intent.what} (command {intent.cmd_id})" for intent in view.open),
        rows=tuple(_rows(view)),
        next_entry=now.log_next_seq,
    )


def _therapy(view: TherapyView) -> Therapy:
    return Therapy(
        mode=view.mode_text,
        mean_day=view.mean_day,
        lowest_day=view.lowest_day,
        highest_day=view.highest_day,
        highest_24h=view.highest_24h_exact.rounded(),
        rows=tuple(view.rows()),
        days=view.days,
        patient_bolus=str(view.patient) if view.patient is not None else "",
    )


def _alarms(view: PumpView) -> tuple[Alarm, ...]:
    return tuple(
        Alarm(
            id=alarm_words(alarm.alarm).id,
            priority=alarm.priority.name.lower().replace("_", "-"),
            text=alarm_words(alarm.alarm).text,
            action=alarm_words(alarm.alarm).action,
            since=view.ago(alarm.since_ms),
            silenced=alarm.silenced_until_ms > view.status.uptime_ms,
        )
        for alarm in view.status.alarms
    )


def _rows(view: PumpView) -> list[tuple[str, str]]:
    """Label and text of the whole reading, alarms first."""
    now = view.status
    rows = [*said.alarm_rows(view), ("State", said.state_text(now))]
    if view.therapy is not None:
        rows += [("Delivers now", said.delivering_text(view)), ("Programmed", said.programmed_text(view.therapy))]
    rows += [
        ("Bolus", said.bolus_text(view)),
        ("Reservoir", said.reservoir_text(view)),
        *said.dose_rows(view),
        ("Battery", said.battery_text(view)),
        ("Clock", said.clock_text(view)),
    ]
    rows += [("Outcome unknown", f"{intent.what} (command {intent.cmd_id})") for intent in view.open]
    rows += [("Unconfirmed", f"another programmer has not yet confirmed: {said.result_text(result)}") for result in view.others]
    if now.doubt_pulses:
        rows.append(("In doubt", f"{now.doubt_pulses:,} pulses since formatting may or may not have been given (resets: {now.resets:,})"))
    return _merged(rows)


def _merged(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A row without a label goes on with the one before: a table for a screen reader has no empty heading."""
    merged: list[tuple[str, str]] = []
    for label, text in rows:
        if label or not merged:
            merged.append((label, text))
        else:
            merged[-1] = (merged[-1][0], f"{merged[-1][1]}; {text}")
    return merged


# ------------------------------------------------------------------------------------------------ outcomes
def told_of(outcome: Outcome, concentration: Concentration | None = None, pulse_volume: Volume | None = None) -> Told:
    """An outcome in words with its proof. `concentration` and `pulse_volume` weigh a single bolus; leave them out for a prime, whose
    pulses push out what the path holds."""
    if isinstance(outcome, NotApplied):
        changed = "" if outcome.nothing_changed else "; the pump may have stopped or gone to its minimum rate"
        return Told("not applied", f"NOT APPLIED: {outcome.reason}{changed}", note=outcome.note)
    if not isinstance(outcome, Applied):
        known = f"it was sent, and no proof of its outcome came back ({outcome.cause})"
        return Told("unknown", f"OUTCOME UNKNOWN: {known}; neither guess is the safe one", note=outcome.note)
    agreed, disagreed = _checks(outcome.proof)
    return Told("applied", _applied_text(outcome), agreed, disagreed, _bolus(outcome, concentration, pulse_volume), outcome.note)


def _applied_text(outcome: Applied) -> str:
    text = f"APPLIED, revision {outcome.result.revision:,}"
    if outcome.proof is None:
        return f"{text}; no proof was read"
    return f"{text}, proved" if outcome.proof.holds else f"{text}, but the pump does NOT run what was meant"


def _checks(proof: Proof | None) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    if proof is None:
        return None, None
    wrong = tuple(name for name, _, _ in proof.failures)
    return tuple(name for name, _, _ in proof.checks if name not in wrong), wrong


def _bolus(outcome: Applied, concentration: Concentration | None, pulse_volume: Volume | None) -> BolusPulses | None:
    given = outcome.bolus
    if not given.requested:
        return None
    asked_mass = given_mass = None
    if concentration is not None and pulse_volume is not None:
        asked_mass, given_mass = (mass_of_pulses(pulses, concentration, pulse_volume.nL) for pulses in (given.requested, given.delivered))
    return BolusPulses(given.requested, given.delivered, given.doubt, given.state.name.lower(), asked_mass, given_mass)


def versions_of(companion: str, info: Info, profile: PumpProfile, library: dict[str, object] | None) -> Versions:
    """By what the figures of this visit were made; `library` is `DrugLibrary.json()`."""
    return Versions(
        companion=companion,
        protocol=f"{info.protocol_major_max}.{info.protocol_minor}",
        profile=profile.name,
        constants=info.constants_hash.hex(),
        library=library if library is not None else {},
    )
