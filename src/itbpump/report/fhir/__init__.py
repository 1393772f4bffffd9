"""A visit as a FHIR bundle: pump, readings, therapy, doses, next refill, overridden limits, who and from what (docs/fhir.md).

    found = bundle(record)                  # R5, plain dicts; works without the extra `fhir`
    problems = check(found)                 # code lists, invariants, references, persons; own code
    text(validated(found))                  # both checks, then JSON; needs the extra `fhir`
    older = bundle(record, release="R4B")

Deterministic: the same record gives the same bytes. People are opaque ids; nothing typed by a person is written. Not here: a server, a
transaction, HL7 v2, reading a bundle back into a record.
"""

from __future__ import annotations

from itbpump.forecast import Forecast
from itbpump.report.fhir.build import r5_bundle
from itbpump.report.fhir.check import check
from itbpump.report.fhir.jsontext import read, text
from itbpump.report.fhir.model import R4B, R5, RELEASES, FhirError, FhirExtraMissing, FhirInvalid, Json, Problem
from itbpump.report.fhir.oracle import structure_problems, validated
from itbpump.report.fhir.r4b import as_r4b
from itbpump.report.model import SessionRecord

__all__ = [
    "R4B",
    "R5",
    "RELEASES",
    "FhirError",
    "FhirExtraMissing",
    "FhirInvalid",
    "Json",
    "Problem",
    "bundle",
    "check",
    "read",
    "structure_problems",
    "text",
    "validated",
]


def bundle(record: SessionRecord, dates: Forecast | None = None, *, release: str = R5) -> Json:
    """A record as a FHIR bundle of the type collection. `dates`: a newer forecast than the record's own, for the refill task.

    Raises FhirError where the record names no patient, an id that is not opaque, or for a release that is not known.
    """
    if release not in RELEASES:
        raise FhirError(f"no FHIR release {release!r}", action=f"use one of {', '.join(RELEASES)}")
    made = r5_bundle(record, dates if dates is not None else record.dates)
    return made if release == R5 else as_r4b(made)
