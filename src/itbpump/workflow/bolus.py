"""A single bolus, given now over the running therapy and followed to its end by the pump's own counter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from itbpump.outcome import Outcome
from itbpump.pump import Pump
from itbpump.quantity import Duration, Mass
from itbpump.safety import review_bolus
from itbpump.wording.beside import heading_lines
from itbpump.workflow.confirming import amount_confirmation
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import Field, FieldError, Kind, Values, amount_field
from itbpump.workflow.libraries import library_for
from itbpump.workflow.model import Proposal
from itbpump.workflow.prescribing import Bounds
from itbpump.workflow.therapy import present_view
from itbpump.workflow.who import interaction_lines, no_bolus_now, person_kept, person_of, who_fields

__all__ = ["BolusTask"]


class BolusTask:
    """Gives one bolus."""

    id = "bolus"
    title = "Single bolus"
    summary = "one dose now, over a time; the therapy goes on underneath"
    group = "Dose now"

    def hindered(self, facts: Facts) -> str:
        return no_bolus_now(facts, "its drug is")

    def fields(self, facts: Facts, values: Values) -> tuple[Field, ...]:
        return (
            *who_fields(facts),
            amount_field(
                "dose", "Dose", Mass, "Of this one bolus. What the day has already given is counted with it.", group="Bolus",
                most=_bounds(facts).bolus, not_zero=True,
            ),
            Field("over", "Over", Kind.DURATION, "How long it takes: 10m, 1h30m. Faster acts sooner and harder.", group="Bolus", dose=True),
        )  # fmt: skip

    def propose(self, facts: Facts, values: Values) -> Proposal:
        fields = self.fields(facts, values)
        read = {field.id: field.read(values.get(field.id, field.initial)) for field in fields}
        dose, over = read["dose"], read["over"]
        if not isinstance(dose, Mass) or not isinstance(over, Duration):
            raise AssertionError("a bolus is a dose over a time")
        if over.ms == 0:
            raise FieldError("over", "a bolus in no time", "write how long it takes")
        present, configuration = facts.present, facts.present.configuration
        if configuration is None:
            raise FieldError("", self.hindered(facts))
        library = library_for(configuration.drug, facts.policy.clinic_library)
        person = person_of(facts, fields, values)
        patient = person.patient
        found = review_bolus(
            dose,
            over,
            present,
            facts.profile,
            library=library,
            indication=patient.indication,
            age_years=patient.age_years,
            patient_id=patient.id,
        )

        def send(pump: Pump, basis: Mapping[str, Any]) -> Outcome:
            return pump.bolus(dose, over, present, basis=basis)

        return Proposal(
            task=self.id,
            title=f"Bolus of {dose} over {over} for patient {patient.id}",
            serial=facts.info.serial,
            revision=present.revision,
            patient_id=patient.id,
            review=found,
            confirmation=amount_confirmation(dose, "to give it", f"Pump {facts.info.serial}, patient {patient.id}."),
            send=send,
            lines=(*heading_lines(facts.info, present), *interaction_lines(person, library)),
            old=present_view(facts),
            follows_bolus=True,
            observe=(library.texts.observe_after_bolus.text,),
            record=person_kept(person),
        )


def _bounds(facts: Facts) -> Bounds:
    configuration = facts.present.configuration
    return Bounds.of(library_for(configuration.drug, facts.policy.clinic_library)) if configuration is not None else Bounds()
