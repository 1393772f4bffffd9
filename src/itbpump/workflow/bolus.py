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
from itbpump.workflow.prescribing import patient_fields
from itbpump.workflow.therapy import present_view

__all__ = ["BolusTask"]


class BolusTask:
    """Gives one bolus."""

    id = "bolus"
    title = "Single bolus"
    summary = "one dose now, over a time; the therapy goes on underneath"
    group = "Dose now"

    def hindered(self, facts: Facts) -> str:
        if facts.present.configuration is None:
            return "the pump has no therapy, so its drug is not known; program a therapy first"
        if facts.present.bolus_left_pulses:
            return "a bolus is running; wait for its end, or stop it"
        return ""

    def fields(self, facts: Facts, values: Values) -> tuple[Field, ...]:
        configuration = facts.present.configuration
        who: tuple[Field, ...] = ()
        if facts.rx is None and configuration is not None:
            asked = patient_fields(facts, library_for(configuration.drug, facts.policy.clinic_library))
            who = tuple(field for field in asked if field.id in {"patient_id", "indication", "age_years"})
        return (
            *who,
            amount_field("dose", "Dose", Mass, "Of this one bolus. What the day has already given is counted with it.", group="Bolus"),
            Field("over", "Over", Kind.DURATION, "How long it takes: 10m, 1h30m. Faster acts sooner and harder.", group="Bolus", dose=True),
        )

    def propose(self, facts: Facts, values: Values) -> Proposal:
        read = {field.id: field.read(values.get(field.id, field.initial)) for field in self.fields(facts, values)}
        dose, over = read["dose"], read["over"]
        if not isinstance(dose, Mass) or not isinstance(over, Duration):
            raise AssertionError("a bolus is a dose over a time")
        if dose.ng == 0:
            raise FieldError("dose", "a bolus of no drug", "write how much to give")
        if over.ms == 0:
            raise FieldError("over", "a bolus in no time", "write how long it takes")
        present, configuration = facts.present, facts.present.configuration
        if configuration is None:
            raise FieldError("", self.hindered(facts))
        library = library_for(configuration.drug, facts.policy.clinic_library)
        patient = facts.rx.patient if facts.rx is not None else None
        indication = patient.indication if patient is not None else str(read["indication"])
        age = patient.age_years if patient is not None else read["age_years"]
        if age is not None and not isinstance(age, int):
            raise AssertionError("an age is a whole number of years")
        found = review_bolus(dose, over, present, facts.profile, library=library, indication=indication, age_years=age)

        def send(pump: Pump, basis: Mapping[str, Any]) -> Outcome:
            return pump.bolus(dose, over, present, basis=basis)

        patient_id = facts.patient_id or str(read.get("patient_id", ""))
        return Proposal(
            task=self.id,
            title=f"Bolus of {dose} over {over} for patient {patient_id}",
            serial=facts.info.serial,
            revision=present.revision,
            patient_id=patient_id,
            review=found,
            confirmation=amount_confirmation(dose, "to give it", f"Pump {facts.info.serial}, patient {patient_id}."),
            send=send,
            lines=tuple(heading_lines(facts.info, present)),
            old=present_view(facts),
            follows_bolus=True,
            observe=(library.texts.observe_after_bolus.text,),
        )
