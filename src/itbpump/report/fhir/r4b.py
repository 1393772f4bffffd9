"""An R5 bundle as R4B: the same resources with the older names of some elements. What R4B has no place for is dropped, and listed here.

Dropped: `Provenance.patient`, `MedicationAdministration.isSubPotent` (the dosage's text tells it). Source: FHIR R4B (4.3.0), the pages of
the resources.
"""

from __future__ import annotations

from collections.abc import Callable

from itbpump.report.fhir.model import Json

__all__ = ["as_r4b"]


def as_r4b(bundle: Json) -> Json:
    """A new bundle; the one given stays as it is."""
    entries = [{**entry, "resource": _older(entry["resource"])} for entry in bundle["entry"]]
    return {**bundle, "entry": entries}


def _older(resource: Json) -> Json:
    change = _CHANGES.get(resource["resourceType"])
    if change is None:
        return resource
    return dict(pair for name, value in resource.items() for pair in change(name, value))


_Pairs = list[tuple[str, object]]


def _device(name: str, value: object) -> _Pairs:
    return [(name, value[0])] if name == "type" and isinstance(value, list) else [(name, value)]


def _metric(name: str, value: object) -> _Pairs:
    return [("source" if name == "device" else name, value)]


def _request(name: str, value: object) -> _Pairs:
    if name == "medication" and isinstance(value, dict):
        return [("medicationCodeableConcept", value["concept"])]
    if name == "dosageInstruction" and isinstance(value, list):
        return [(name, [{_DOSAGE.get(part, part): item for part, item in dosage.items()} for dosage in value])]
    return [(name, value)]


def _administration(name: str, value: object) -> _Pairs:
    if name == "isSubPotent":
        return []
    if name == "device" and isinstance(value, list):
        return [(name, [item["reference"] for item in value])]
    if name == "category" and isinstance(value, list):
        return [(name, value[0])]
    if name in _OCCURENCE:
        return [(_OCCURENCE[name], value)]
    return _request(name, value)


def _task(name: str, value: object) -> _Pairs:
    return [("restriction", {"period": value})] if name == "requestedPeriod" else [(name, value)]


def _issue(name: str, value: object) -> _Pairs:
    if name == "subject":
        return [("patient", value)]
    return [(name, "final")] if name == "status" and value == "mitigated" else [(name, value)]


def _provenance(name: str, value: object) -> _Pairs:
    return [] if name == "patient" else [(name, value)]


_DOSAGE = {"asNeeded": "asNeededBoolean"}
_OCCURENCE = {"occurenceDateTime": "effectiveDateTime", "occurencePeriod": "effectivePeriod"}
_CHANGES: dict[str, Callable[[str, object], _Pairs]] = {
    "Device": _device,
    "DeviceMetric": _metric,
    "MedicationRequest": _request,
    "MedicationAdministration": _administration,
    "Task": _task,
    "DetectedIssue": _issue,
    "Provenance": _provenance,
}
