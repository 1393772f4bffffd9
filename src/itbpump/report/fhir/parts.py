"""Small parts of FHIR resources: ids, references, amounts, times. Deterministic: the same record gives the same bundle, byte for byte.

Numbers are int or Decimal, exact; UCUM code `ug` goes with the unit `mcg` that people read. Patients and staff are references by an opaque
identifier, never resources, never names. Systems under `urn:itbpump:` are this project's own and not registered; a site maps them.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from uuid import NAMESPACE_URL, UUID, uuid5

from itbpump.quantity import Amount, Mass, MassRate
from itbpump.report.fhir.codes import UCUM, units
from itbpump.report.fhir.model import OPAQUE_ID, FhirError, Json

__all__ = [
    "NOT_OPAQUE",
    "identifier",
    "instant",
    "made_id",
    "number",
    "patient_reference",
    "per_day",
    "person_reference",
    "quantity",
    "ratio_of",
    "reference",
    "unit_quantity",
    "url_of",
]

NAMESPACE: UUID = uuid5(NAMESPACE_URL, "urn:itbpump:fhir")
SYSTEM = "urn:itbpump:"
NOT_OPAQUE = "a person whose id is not opaque; see the session report"


def made_id(*parts: str) -> str:
    """A UUID from what identifies the thing; the same parts give the same id."""
    return str(uuid5(NAMESPACE, json.dumps(parts)))


def url_of(resource: Json) -> str:
    """The fullUrl of a resource."""
    return f"urn:uuid:{resource['id']}"


def reference(resource: Json) -> Json:
    """A reference to a resource of the same bundle."""
    return {"reference": url_of(resource)}


def identifier(kind: str, value: str) -> Json:
    """An identifier under this project's own system, `urn:itbpump:KIND`."""
    return {"system": f"{SYSTEM}{kind}", "value": value}


def patient_reference(patient_id: str) -> Json:
    """The patient by opaque id. FhirError where nobody knows whose pump it is, or where the id could be a name."""
    if not patient_id:
        raise FhirError("the record names no patient, and FHIR needs one", action="give the patient's opaque id")
    if OPAQUE_ID.fullmatch(patient_id) is None:
        raise FhirError(
            "the patient's id is not opaque: it has signs that ids here do not have",
            action="use an id of 1 to 32 letters, digits, points, underlines and hyphens, never a name",
        )
    return {"type": "Patient", "identifier": identifier("patient-id", patient_id)}


def person_reference(staff_id: str) -> Json:
    """A clinician by opaque id; what could be a name is left out, and that is said."""
    if OPAQUE_ID.fullmatch(staff_id) is None:
        return {"type": "Practitioner", "display": NOT_OPAQUE}
    return {"type": "Practitioner", "identifier": identifier("staff-id", staff_id)}


def instant(at: datetime) -> str:
    """Date and time with its offset, to the second, rounded down."""
    return at.isoformat(timespec="seconds")


def number(text: str) -> int | Decimal:
    """The decimal text of an amount as a FHIR number: int where it is whole."""
    value = Decimal(text)
    return int(value) if value == value.to_integral_value() else value


def unit_quantity(value: int | Decimal, unit: str) -> Json:
    """A Quantity in a unit of the table (`mcg/day`)."""
    row = units()[unit]
    return {"value": value, "unit": row.unit, "system": UCUM, "code": row.ucum}


def quantity(amount: Amount) -> Json:
    """An amount as a Quantity in its default unit. ValueError for one whose decimals do not end."""
    form = amount.json()
    return unit_quantity(number(form["value"]), form["unit"])


def ratio_of(numerator: Amount) -> Json:
    """An amount per day as a Ratio."""
    return {"numerator": quantity(numerator), "denominator": unit_quantity(1, "day")}


def per_day(rate: MassRate) -> Json:
    """A dose rate as the Ratio mcg per 1 day."""
    return ratio_of(Mass(rate.ng_per_day))
