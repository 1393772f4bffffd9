"""A priming bolus after an implant or a revision: it fills a new or empty path, and nothing else (SR-13).

The volume comes from the catheter as it is typed for this prime, held against what the pump stores; drug and concentration are the
pump's own. In a path that is full a prime gives all that the path holds at once. Not modelled: mixing at a high flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from itbpump.configuration import prime_volume
from itbpump.errors import PrescriptionError
from itbpump.outcome import Outcome
from itbpump.pump import Pump
from itbpump.quantity import Duration, Volume
from itbpump.safety import review_prime
from itbpump.therapy import Prescription, prescription_from
from itbpump.wording.beside import heading_lines
from itbpump.workflow.confirming import amount_confirmation
from itbpump.workflow.facts import Facts, Person
from itbpump.workflow.fields import Field, FieldError, Kind, Values, amount_field, choice_field
from itbpump.workflow.libraries import library_for
from itbpump.workflow.model import Proposal
from itbpump.workflow.prescribing import catheter_fields
from itbpump.workflow.therapy import present_view
from itbpump.workflow.who import bare_tables, interaction_lines, no_bolus_now, person_kept, person_of, who_fields

__all__ = ["PrimeTask"]

_CATHETER, _PATH = "catheter", "path"


class PrimeTask:
    """Fills a new path."""

    id = "prime"
    title = "Priming bolus"
    summary = "fills a path that is new or empty, after an implant or a revision"
    group = "Dose now"

    def hindered(self, facts: Facts) -> str:
        return no_bolus_now(facts, "its drug and path are")

    def fields(self, facts: Facts, values: Values) -> tuple[Field, ...]:
        scope = choice_field(
            "scope", "What is empty", ((_CATHETER, "the catheter alone: the pump's tubing is full"), (_PATH, "tubing and catheter")),
            "After a new catheter the tubing inside the pump still holds drug. Only a new pump, or one that was emptied, has both empty.",
            path="prime.scope", group="Prime",
        )  # fmt: skip
        return (
            *who_fields(facts),
            scope,
            *catheter_fields(facts, values, fresh=True),
            *_tubing_field(values),
            Field(
                "over", "Over", Kind.DURATION,
                "How long the prime takes, such as 10m. The faster it is, the more of the drug arrives early and mixed.",
                group="Prime", dose=True,
            ),
        )  # fmt: skip

    def propose(self, facts: Facts, values: Values) -> Proposal:
        if self.hindered(facts):
            raise FieldError("", self.hindered(facts))
        fields = self.fields(facts, values)
        read = {field.id: field.read(values.get(field.id, field.initial)) for field in fields}
        over = read["over"]
        if not isinstance(over, Duration):
            raise AssertionError("a prime takes a time")
        person = person_of(facts, fields, values)
        rx = _prescription(facts, person, fields, values)
        present, volume = facts.present, prime_volume(rx)
        if volume.nL == 0:
            raise FieldError("scope", "there is nothing to fill: the path is all tubing", "check the catheter's volumes")
        library = library_for(rx.drug.name, facts.policy.clinic_library)
        found = review_prime(rx, over, present, facts.profile, library=library)

        def send(pump: Pump, basis: Mapping[str, Any]) -> Outcome:
            return pump.prime(rx, over, present, basis=basis)

        whom = f"Pump {facts.info.serial}, patient {rx.patient.id}. Only for a path that is new or empty."
        return Proposal(
            task=self.id,
            title=f"Prime of {volume} over {over} for patient {rx.patient.id}",
            serial=facts.info.serial,
            revision=present.revision,
            patient_id=rx.patient.id,
            review=found,
            confirmation=amount_confirmation(volume, "to prime", whom),
            send=send,
            lines=(*heading_lines(facts.info, present), *interaction_lines(person, library)),
            old=present_view(facts),
            follows_bolus=True,
            observe=(library.texts.priming.text, library.texts.observe_after_bolus.text),
            record=person_kept(person),
        )


def _tubing_field(values: Values) -> tuple[Field, ...]:
    """To fill the catheter alone the tubing must be known, also where the path is given as one volume."""
    if values.get("scope", "") != _CATHETER or values.get("path_known", "") != "path":
        return ()
    why = "Inner tubing of the pump, from its labelling; it is left out of the prime. A wrong figure was a recall."
    return (amount_field("tubing_volume", "Pump tubing", Volume, why, path="catheter.tubing_volume", group="Catheter"),)


def _prescription(facts: Facts, person: Person, fields: tuple[Field, ...], values: Values) -> Prescription:
    """What a prime is judged and made by: patient, drug in the pump, catheter as typed. It orders no therapy, so it holds none."""
    texts = {field.path: field.canonical(values.get(field.id, field.initial)) for field in fields if field.path}
    tables = bare_tables(facts) | {
        "patient": person.patient,
        "catheter": {path.partition(".")[2]: text for path, text in texts.items() if path.startswith("catheter.") and text},
        "prime": {"scope": texts["prime.scope"]},
    }
    try:
        return prescription_from(tables)
    except PrescriptionError as error:
        where = "path_volume" if "path_volume" in values else "length_total"
        raise FieldError(where if any(field.id == where for field in fields) else "", _first(error)) from error


def _first(error: PrescriptionError) -> str:
    return str(getattr(error.problems[0], "text", error.problems[0]))
