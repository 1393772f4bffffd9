"""The stopped therapy started again, or the one before the present one taken back: reviewed like any other, then sent as it is stored.

After a long stop this is a start, and the review says so (SR-08). Not here: what the pump holds as a prescription (`stored`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from itbpump.changes import restored_configuration
from itbpump.errors import ConfigurationError, PrescriptionError
from itbpump.outcome import Outcome
from itbpump.pump import Pump
from itbpump.safety import Review, review
from itbpump.therapy import Prescription
from itbpump.therapy_view import view_configuration
from itbpump.wording.beside import heading_lines
from itbpump.workflow.beside_now import beside_what_runs, view_of_what_runs
from itbpump.workflow.confirming import dose_confirmation
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import Field, Values
from itbpump.workflow.libraries import library_for
from itbpump.workflow.model import Proposal
from itbpump.workflow.prescribing import field_error
from itbpump.workflow.stored import NothingToRestore, Stored, as_prescription, patient_tables, require_same, stored_therapy
from itbpump.workflow.therapy import present_view
from itbpump.workflow.who import person_of, who_fields

__all__ = ["RestoreTask", "former_therapy", "restore_stored", "review_former"]


class RestoreTask:
    """Gives back what the pump still holds."""

    id = "restore"
    title = "Restore the former therapy"
    summary = "start the stopped therapy again, or take back the one before"
    group = "Therapy"

    def hindered(self, facts: Facts) -> str:
        try:
            stored = stored_therapy(facts)
            if not stored.was_stopped:
                restored_configuration(stored.configuration, facts.present)
        except NothingToRestore as error:
            return f"{error.problem}; {error.advice}"
        except ConfigurationError as error:
            return str(error)
        return ""

    def fields(self, facts: Facts, values: Values) -> tuple[Field, ...]:
        """Whom it is for, where that is not known here; limits hang on it."""
        return who_fields(facts)

    def propose(self, facts: Facts, values: Values) -> Proposal:
        stored = stored_therapy(facts)
        if not stored.was_stopped:
            restored_configuration(stored.configuration, facts.present)
        fields = self.fields(facts, values)
        if facts.rx is not None:
            patient = patient_tables(facts.rx, facts)
        else:
            person = person_of(facts, fields, values)
            patient = {"patient": person.patient, "medication": person.medication}
        try:
            former = former_therapy(stored, facts, patient)
        except PrescriptionError as error:
            raise field_error(error, fields) from error
        found = review_former(former, facts)

        def send(pump: Pump, basis: Mapping[str, Any]) -> Outcome:
            return restore_stored(pump, stored, former, facts, basis)

        return Proposal(
            task=self.id,
            title=f"{stored.title}, for patient {former.patient.id}",
            serial=facts.info.serial,
            revision=facts.present.revision,
            patient_id=former.patient.id,
            review=found,
            confirmation=dose_confirmation(former, found, facts.info.serial, former.patient.id),
            send=send,
            lines=tuple(heading_lines(facts.info, facts.present, former.pump.as_of)),
            rx=former,
            old=view_of_what_runs(facts, present_view(facts)),
            new=view_configuration(stored.configuration, facts.profile),
        )


def former_therapy(stored: Stored, facts: Facts, patient: Mapping[str, Any]) -> Prescription:
    """What is stored as a prescription for this patient (tables as `as_prescription` takes them). Raises NothingToRestore where none
    makes exactly the same, PrescriptionError as `as_prescription`."""
    former = as_prescription(stored.configuration, facts, patient)
    require_same(former, stored.configuration, facts)
    return former


def review_former(former: Prescription, facts: Facts) -> Review:
    """Judged beside the present, by the clinic's limits, and told beside what flows now. Raises as `library_for` and `review`."""
    library = library_for(former.drug.name, facts.policy.clinic_library)
    return beside_what_runs(review(former, facts.present, profile=facts.profile, library=library), facts, former)


def restore_stored(pump: Pump, stored: Stored, former: Prescription, facts: Facts, basis: Mapping[str, Any]) -> Outcome:
    """Send what was reviewed: the stopped therapy by its prescription, the earlier one as the pump holds it. Raises as `Pump.program`.

    The commit names the revision that was read: a pump that was changed since refuses it.
    """
    if stored.was_stopped:
        return pump.program(former, facts.present, basis=basis)
    return pump.restore(facts.present, basis=basis)
