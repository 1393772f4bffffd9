"""What is prescribed and what is given: MedicationRequest, MedicationAdministration.

Amounts are what the pump really gives by the label of its reservoir. A priming bolus pushes out what the path holds, which is no dose, so
none is written; the session report tells of it. Not modelled: a bridge, patient boluses one by one, doses given by other ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from itbpump.quantity import Concentration, MassRate, number_text
from itbpump.report.fhir.codes import codes, concept
from itbpump.report.fhir.dosage import dosages
from itbpump.report.fhir.model import Json
from itbpump.report.fhir.parts import identifier, instant, made_id, per_day, person_reference, quantity, reference
from itbpump.report.model import BolusPulses, Change, PumpState, SessionRecord, Therapy

__all__ = ["bolus_administrations", "infusion_now", "infusion_since_fill", "is_programming", "medication", "requests"]

PPM_PER_PERCENT = 10_000
# How far a bolus had come when its outcome was told (wire: BolusState) as FHIR says it.
BOLUS_STATUS = {"running": "in-progress", "done": "completed", "interrupted": "stopped", "aborted": "stopped", "idle": "unknown"}


def medication(drug: str, concentration: Concentration | None) -> Json:
    """Drug and concentration in words, with a code where one is verified."""
    words = f"{drug} {concentration}" if concentration is not None else drug
    key = f"drug-{drug}"
    return concept(key, words) if key in codes() else {"text": words}


# ------------------------------------------------------------------------------------------------ requests
def is_programming(change: Change) -> bool:
    """It took effect, was reviewed, and was no bolus: a new configuration."""
    return change.final.word == "applied" and bool(change.review) and change.told.bolus is None


def requests(record: SessionRecord, pump: Json, patient: Json) -> list[Json]:
    """The therapy in force at the last reading; before it, stopped, the one at the first reading where it was another."""
    first, last = record.start, record.last
    changed = (first.digest, first.revision) != (last.digest, last.revision)
    found = []
    if changed and first.therapy is not None:
        found.append(_request(first, first.therapy, "stopped", pump, patient))
    if last.therapy is not None:
        runs = last.run_state == "running" and last.therapy.mode != "stopped"
        new = _request(last, last.therapy, "active" if runs else "on-hold", pump, patient)
        if found:
            new["priorPrescription"] = reference(found[0])
        if changed:
            new |= _ordered(record)
        found.append(new)
    return found


def _request(state: PumpState, therapy: Therapy, status: str, pump: Json, patient: Json) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": made_id("request", pump["id"], str(state.revision), state.digest),
        "identifier": [identifier("configuration-digest", state.digest), identifier("configuration-revision", str(state.revision))],
        "status": status,
        "intent": "order",
        "medication": {"concept": medication(state.drug, state.concentration)},
        "subject": patient,
        "dosageInstruction": dosages(therapy),
    }


def _ordered(record: SessionRecord) -> Json:
    """Who ordered the new therapy in this visit, and when; nothing where it was somebody else."""
    for change in reversed(record.changes):
        if is_programming(change):
            who = {"requester": person_reference(change.user)} if change.user else {}
            return {**who, "authoredOn": instant(change.at)}
    return {}


# ------------------------------------------------------------------------------------------------ administrations
def infusion_now(state: PumpState, request: Json | None, pump: Json, patient: Json) -> Json | None:
    """What the pump gives at a reading, from then on; None for a pump that knows neither drug nor dose."""
    if state.dose_now is None or not state.drug:
        return None
    gives = state.run_state in {"running", "safe"} and state.dose_now > MassRate(0)
    return {
        "resourceType": "MedicationAdministration",
        "id": made_id("infusion", pump["id"], instant(state.at)),
        "status": "in-progress" if gives else "on-hold",
        "category": [concept("infusion")],
        **_what(state, request, pump, patient),
        "occurencePeriod": {"start": instant(state.at)},  # spelled so in R5
        "dosage": {"route": concept("intrathecal"), "rateRatio": per_day(state.dose_now.rounded())},
    }


def infusion_since_fill(record: SessionRecord, pump: Json, patient: Json) -> Json | None:
    """All that was given from the last fill to the first reading, boluses included; None where the pump's log does not tell."""
    given, state = record.delivered, record.start
    if given.total is None or given.total_mass is None or given.since is None or given.since > state.at or not state.drug:
        return None
    return {
        "resourceType": "MedicationAdministration",
        "id": made_id("given", pump["id"], instant(given.since), instant(state.at)),
        "status": "completed",
        "category": [concept("infusion-past")],
        **_what(state, None, pump, patient),
        "occurencePeriod": {"start": instant(given.since), "end": instant(state.at)},
        "dosage": {
            "text": f"By the pump's own count; the true amount lies within {_percent(given.accuracy_ppm)} %",
            "route": concept("intrathecal"),
            "dose": quantity(given.total_mass.rounded()),
        },
    }


def bolus_administrations(record: SessionRecord, pump: Json, patient: Json) -> Iterator[tuple[Change, Json]]:
    """Each single bolus of the visit that took effect, with its change. The dose is what was given; of a bolus that still ran, what was
    ordered, as a dose of 0 would be read as none given. The text tells both."""
    for change in record.changes:
        given = change.told.bolus
        if change.told.word == "applied" and given is not None and given.delivered_mass is not None and given.requested_mass is not None:
            yield change, _bolus(change, given, _state_at(record, change.at), pump, patient)


def _bolus(change: Change, given: BolusPulses, state: PumpState, pump: Json, patient: Json) -> Json:
    if given.delivered_mass is None or given.requested_mass is None:
        raise AssertionError("a bolus is weighed by now")
    asked, got = given.requested_mass.rounded(), given.delivered_mass.rounded()
    status = BOLUS_STATUS.get(given.state, "unknown")
    part: Json = {"isSubPotent": True} if status == "stopped" and got < asked else {}
    doubt = f"; {given.doubt:,} pulses in doubt" if given.doubt else ""
    return {
        "resourceType": "MedicationAdministration",
        "id": made_id("bolus", pump["id"], str(change.cmd_id), instant(change.at)),
        "status": status,
        "category": [concept("single-bolus")],
        **_what(state, None, pump, patient),
        "occurenceDateTime": instant(change.at),
        **part,
        "dosage": {
            "text": f"{got} of {asked} when the outcome was told: {given.delivered:,} of {given.requested:,} pulses{doubt}",
            "route": concept("intrathecal"),
            "dose": quantity(asked if status == "in-progress" else got),
        },
    }


def _state_at(record: SessionRecord, at: datetime) -> PumpState:
    """The reading whose label holds at a change: the first, unless a refill before it brought another."""
    refilled = any(change.at <= at and change.final.word == "applied" for change in record.refills)
    return record.last if refilled else record.start


def _what(state: PumpState, request: Json | None, pump: Json, patient: Json) -> Json:
    ordered = {"request": reference(request)} if request is not None else {}
    return {
        "medication": {"concept": medication(state.drug, state.concentration)},
        "subject": patient,
        **ordered,
        "device": [{"reference": reference(pump)}],
    }


def _percent(ppm: int) -> str:
    whole, rest = divmod(ppm, PPM_PER_PERCENT)
    return number_text(whole) if not rest else f"{whole}.{rest:04d}".rstrip("0")
