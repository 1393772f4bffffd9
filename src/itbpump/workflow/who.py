"""For whom an order is that carries no prescription (a bolus, a prime, a restored therapy): asked where nobody knows, and kept with it.

Limits hang on indication and age; other drugs add to the sedation. Pure. Not here: who orders (`consent`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from itbpump.drugs import DrugLibrary
from itbpump.errors import PrescriptionError
from itbpump.quantity import Concentration, Volume
from itbpump.therapy import SCHEMA, prescription_from
from itbpump.wording.layout import row
from itbpump.workflow.facts import PERSON_KEY, Facts, Person
from itbpump.workflow.fields import Field, Values
from itbpump.workflow.libraries import library_for
from itbpump.workflow.prescribing import field_error, patient_fields, put_medication

__all__ = ["bare_tables", "interaction_lines", "no_bolus_now", "person_kept", "person_of", "who_fields"]


def no_bolus_now(facts: Facts, unknown: str) -> str:
    """Why no bolus or prime can be given now, empty when one can; `unknown`: what is not known of a pump without a therapy."""
    if facts.present.configuration is None:
        return f"the pump has no therapy, so {unknown} not known; program a therapy first"
    if facts.present.bolus_left_pulses:
        return "a bolus is running; wait for its end, or stop it"
    return ""


def who_fields(facts: Facts) -> tuple[Field, ...]:
    """Id, indication, age and other drugs; nothing where they are on record, or the pump's drug is not known."""
    configuration = facts.present.configuration
    if facts.person is not None or configuration is None:
        return ()
    return patient_fields(facts, library_for(configuration.drug, facts.policy.clinic_library))


def person_of(facts: Facts, fields: Sequence[Field], values: Values) -> Person:
    """Whom it is for: on record, or by what was answered. Raises FieldError naming the field."""
    if facts.person is not None:
        return facts.person
    texts = {field.path: field.canonical(values.get(field.id, field.initial)) for field in fields if field.path.startswith("patient.")}
    tables = bare_tables(facts) | {"patient": _patient(texts)}
    put_medication(tables, fields, values)
    try:
        rx = prescription_from(tables)
    except PrescriptionError as error:
        raise field_error(error, fields) from error
    return Person(rx.patient, tuple(rx.medication))


def person_kept(person: Person) -> dict[str, Any]:
    """For the record of the order, so that nobody is asked twice."""
    return {PERSON_KEY: person.json()}


def interaction_lines(person: Person, library: DrugLibrary) -> tuple[str, ...]:
    """The other drugs that the library says add to this one; a bolus adds to them as a therapy does."""
    known = [(one, library.interactions.get(one.drug_class)) for one in person.medication]
    pairs = [(f"{one.name} ({one.drug_class})", f"{found.text}; source: {found.origin}") for one, found in known if found is not None]
    return tuple(line for name, text in pairs for line in row("Other drugs", f"{name}: {text}"))


def bare_tables(facts: Facts) -> dict[str, Any]:
    """A prescription of no therapy for the pump as it is, to be filled with who it is for. AssertionError for one without a therapy."""
    configuration, present = facts.present.configuration, facts.present
    if configuration is None:
        raise AssertionError("a pump without a therapy tells no drug and no path")
    return {
        "schema": SCHEMA,
        "pump": {"profile": facts.info.profile, "as_of": present.host_now, "reservoir_volume": Volume(present.reservoir_nL)},
        "drug": {"name": configuration.drug, "concentration": Concentration(configuration.concentration_ng_per_mL)},
        "catheter": {"path_volume": Volume(configuration.path_volume_nL)},
        "therapy": {"mode": "stopped"},
    }


def _patient(texts: dict[str, str]) -> dict[str, Any]:
    age = texts.get("patient.age_years", "")
    return {"id": texts["patient.id"], "indication": texts["patient.indication"], **({"age_years": int(age)} if age else {})}
