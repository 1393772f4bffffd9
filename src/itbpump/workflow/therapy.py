"""A new or changed therapy: the whole prescription asked for, reviewed beside the running pump, sent as one configuration (design 4).

The running therapy goes on untouched until the commit. Another drug or concentration comes with a refill, so it is asked for there
(`refill`). Not here: step editing (`week`), plans over several visits (`plans`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from itbpump.configuration import wire_configuration
from itbpump.outcome import Outcome
from itbpump.pump import Pump, WrongPump
from itbpump.refill import Refill
from itbpump.safety import review
from itbpump.therapy import Prescription
from itbpump.therapy_view import TherapyView, view_configuration
from itbpump.wording.beside import heading_lines
from itbpump.workflow.beside_now import beside_what_runs, view_of_what_runs
from itbpump.workflow.confirming import dose_confirmation
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import Field, Values
from itbpump.workflow.libraries import library_for
from itbpump.workflow.model import Proposal
from itbpump.workflow.prescribing import (
    Bounds,
    catheter_fields,
    drug_fields,
    mode_fields,
    patient_bolus_fields,
    patient_fields,
    prescription_of,
    pump_fields,
)
from itbpump.workflow.starting import NOTHING, Start, start_of, therapy_start

__all__ = ["TherapyTask", "present_view", "propose_prescription", "therapy_fields"]


class TherapyTask:
    """Programs a whole therapy."""

    id = "therapy"
    title = "New or changed therapy"
    summary = "all modes, weekday patterns, patient bolus"
    group = "Therapy"

    def hindered(self, facts: Facts) -> str:
        if facts.present.has_lost_its_configuration:
            return "the pump has lost its therapy; measure the reservoir, fill it, and tell both as a refill with a new prescription"
        return ""

    def fields(self, facts: Facts, values: Values) -> tuple[Field, ...]:
        return therapy_fields(facts, values, with_volume=facts.present.configuration is None, start=therapy_start(facts))

    def propose(self, facts: Facts, values: Values) -> Proposal:
        fields = self.fields(facts, values)
        rx = prescription_of(facts, fields, values)
        return propose_prescription(facts, rx, self.id, f"Therapy for patient {rx.patient.id}")


def therapy_fields(
    facts: Facts, values: Values, *, with_volume: bool, fresh_catheter: bool = False, start: Start | None = None
) -> tuple[Field, ...]:
    """All of a prescription, in the order a clinician thinks: who, what is in the pump, which way, how it is given.

    `start`: the therapy that is offered, at the pump's drug alone; None offers that of a prescription that was opened, and else the mode.
    """
    drug = drug_fields(facts)
    known = [choice.value for choice in drug[0].choices]
    chosen = values.get("drug", drug[0].initial)
    library = library_for(chosen if chosen in known else known[0], facts.policy.clinic_library)  # the first until one is chosen
    offered, bounds = _offered(facts, chosen, start), Bounds.of(library)
    treats = values.get("mode", offered.get("therapy.mode", "")) not in {"stopped", "minimum-rate"}
    return (
        *patient_fields(facts, library),
        *drug,
        *pump_fields(facts, with_volume=with_volume),
        *catheter_fields(facts, values, fresh=fresh_catheter),
        *mode_fields(values, offered, bounds),
        *(patient_bolus_fields(values, offered, bounds) if treats else ()),
    )


def _offered(facts: Facts, drug: str, start: Start | None) -> Start:
    """No dose of one drug is offered for another."""
    old = facts.present.configuration
    if start is not None:
        return start if old is None or drug == old.drug else NOTHING
    if facts.rx is None:
        return NOTHING
    whole = start_of(facts.rx)
    if facts.opened:
        return whole
    return {path: whole[path] for path in ("therapy.mode", "therapy.pattern") if path in whole}


def propose_prescription(facts: Facts, rx: Prescription, task: str, title: str, refill: Refill | None = None) -> Proposal:
    """A prescription reviewed beside the pump, and how it would be sent. With `refill` the new volume goes with it.

    Raises WrongPump, FieldError for another patient's pump, and what `review` raises.
    """
    if rx.pump.profile != facts.info.profile:
        raise WrongPump(rx.pump.profile, facts.info.profile)
    library = library_for(rx.drug.name, facts.policy.clinic_library)
    judged = review(rx, facts.present, profile=facts.profile, library=library, refill=refill)
    found = beside_what_runs(judged, facts, rx, refill.volume_after if refill is not None else None)

    def send(pump: Pump, basis: Mapping[str, Any]) -> Outcome:
        if refill is not None:
            return pump.refill(refill.aspirated, refill.filled, rx, facts.present, basis=basis)[0]
        return pump.program(rx, facts.present, basis=basis)

    return Proposal(
        task=task,
        title=title,
        serial=facts.info.serial,
        revision=facts.present.revision,
        patient_id=rx.patient.id,
        review=found,
        confirmation=dose_confirmation(rx, found, facts.info.serial, rx.patient.id),
        send=send,
        lines=tuple(heading_lines(facts.info, facts.present, rx.pump.as_of)),
        rx=rx,
        old=view_of_what_runs(facts, present_view(facts)),
        new=view_configuration(wire_configuration(rx, facts.profile), facts.profile),
        refill=refill,
    )


def present_view(facts: Facts) -> TherapyView | None:
    """The therapy the pump holds; None where it has none."""
    configuration = facts.present.configuration
    return view_configuration(configuration, facts.profile) if configuration is not None else None
