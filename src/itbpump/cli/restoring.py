"""`itbpump restore`: the stopped therapy, or the one before the present one, reviewed like any other and sent again.

A pump says what it gives, not to whom: the patient's data come from the prescription (`--rx`), or from `--indication` and `--age`.
Not here: what the pump holds as a prescription (`itbpump.workflow.stored`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import USAGE, CommandError, Output
from itbpump.cli.libraries import ClinicLibrary, indication_of, library_for
from itbpump.cli.outcomes import outcome_json, require_applied
from itbpump.cli.patients import Age, Indication, PatientFile, read_patient
from itbpump.cli.programming import Json, confirm_dose, show_change
from itbpump.cli.pumps import opened
from itbpump.cli.reviewing import Overrides, Second, User, Yes, decided_json, pass_review

if TYPE_CHECKING:
    from itbpump.therapy import Prescription
    from itbpump.workflow.facts import Facts

__all__ = ["restore"]


def restore(
    url: Annotated[str, typer.Argument(metavar="URL", help="The pump.")],
    *,
    rx: PatientFile = None,
    indication: Indication = None,
    age: Age = None,
    override: Overrides = None,
    user: User = "",
    second: Second = "",
    clinic_library: ClinicLibrary = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Start the stopped therapy again, or take back the one before the present one: a normal review, then as `program`."""
    from itbpump.safety import basis_of
    from itbpump.workflow.facts import Policy, gather
    from itbpump.workflow.restore import former_therapy, restore_stored, review_former
    from itbpump.workflow.stored import stored_therapy

    out = Output(as_json)
    patient = read_patient(rx, indication, age)
    if patient is None and indication is None:
        raise CommandError("the limits hang on the patient: give --rx RX, or --indication and --age", USAGE)
    with opened(url, dosing=True) as line:
        facts = gather(line, policy=Policy(clinic_library=clinic_library), rx=patient)
        present = facts.present
        if present.configuration is not None:
            indication_of(library_for(present.configuration.drug, clinic_library), indication)
        stored = stored_therapy(facts)
        former = former_therapy(stored, facts, _told(patient, facts, indication, age))
        found = review_former(former, facts)
        show_change(out, stored.title, line, present, former, found)
        decision = pass_review(out, found, override, user, second)
        confirm_dose(out, line, former, found, yes=yes)
        basis = basis_of(found, decision, user, second, patient.patient.id if patient is not None else "")
        outcome = restore_stored(line, stored, former, facts, basis)
        data = decided_json(found, decision)
        require_applied(out, outcome, url, data)
        out.data({**data, **outcome_json(outcome)})


def _told(patient: Prescription | None, facts: Facts, indication: str | None, age: int | None) -> dict[str, Any]:
    """The tables of a prescription that speak of the patient. Raises WrongPump for a prescription of another model."""
    from itbpump.workflow.stored import patient_tables

    if patient is None:
        return {"patient": {"id": facts.present.patient_id or "not-told", "indication": indication, "age_years": age}}
    return patient_tables(patient, facts)
