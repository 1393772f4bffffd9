"""The second check: fhir.resources, which knows the structure of every FHIR resource (extra `fhir`, loaded when it is first asked).

Not here: codes and invariants, of which it checks next to nothing (`check`).
"""

from __future__ import annotations

from importlib import import_module

from itbpump.report.fhir.check import check
from itbpump.report.fhir.jsontext import text
from itbpump.report.fhir.model import R5, FhirExtraMissing, FhirInvalid, Json, Problem

__all__ = ["structure_problems", "validated"]

_MODULES = {"R5": "fhir.resources.bundle", "R4B": "fhir.resources.R4B.bundle"}


def structure_problems(bundle: Json, release: str = R5) -> tuple[Problem, ...]:
    """What fhir.resources finds. FhirExtraMissing where it is not installed."""
    try:
        model = import_module(_MODULES[release]).Bundle
    except ImportError as error:
        raise FhirExtraMissing(
            "a FHIR bundle is checked for its structure by fhir.resources, which is not installed", action='pip install "itbpump[fhir]"'
        ) from error
    try:
        model.model_validate_json(text(bundle))
    except ValueError as error:
        listed = getattr(error, "errors", None)  # pydantic's; other errors have their text alone
        if listed is None:
            return (Problem("bundle", "structure", str(error)),)
        return tuple(Problem(".".join(str(part) for part in item["loc"]), "structure", str(item["msg"])) for item in listed())
    return ()


def validated(bundle: Json, release: str = R5) -> Json:
    """The same bundle, after both checks. Raises FhirInvalid with every problem; FhirExtraMissing without the extra `fhir`."""
    problems = check(bundle, release) or structure_problems(bundle, release)
    if problems:
        raise FhirInvalid(problems)
    return bundle
