"""A bundle of one visit: plain dicts, made by own code, so that it works without the extra `fhir`. Pure and deterministic.

The bundle is a `collection`: a statement to read and file, not a transaction that a server would carry out. A simulated pump's resources
all carry the tag `HTEST`, test health data. Not here: R4B (`r4b`), checking (`check`), sending.
"""

from __future__ import annotations

from collections.abc import Iterator

from itbpump.forecast import Forecast
from itbpump.report.fhir.care import issues, provenance, refill_task
from itbpump.report.fhir.codes import coding_of
from itbpump.report.fhir.devices import (
    companion_device,
    delivered_observation,
    flags,
    metrics,
    observations,
    pump_devices,
    refill_observations,
)
from itbpump.report.fhir.medication import bolus_administrations, infusion_now, infusion_since_fill, is_programming, requests
from itbpump.report.fhir.model import Json
from itbpump.report.fhir.parts import identifier, instant, made_id, patient_reference, url_of
from itbpump.report.model import SessionRecord
from itbpump.report.session import record_digest

__all__ = ["r5_bundle"]


def r5_bundle(record: SessionRecord, dates: Forecast | None) -> Json:
    """See `itbpump.report.fhir.bundle`."""
    digest = record_digest(record)
    tag: Json = {"meta": {"tag": [coding_of("simulated")]}} if record.identity.simulated else {}
    entries = [_entry(resource, tag) for resource in _resources(record, dates)]
    return {
        "resourceType": "Bundle",
        "id": made_id("bundle", digest, instant(dates.as_of) if dates is not None else ""),
        **tag,
        "identifier": identifier("session-report-sha256", digest),
        "type": "collection",
        "timestamp": instant(record.closed_at),
        "entry": entries,
    }


def _entry(resource: Json, tag: Json) -> Json:
    kind, made_of, *rest = resource.items()
    return {"fullUrl": url_of(resource), "resource": {**dict([kind, made_of]), **tag, **dict(rest)}}


def _resources(record: SessionRecord, dates: Forecast | None) -> Iterator[Json]:
    patient = patient_reference(record.identity.patient_id)
    pump, part = pump_devices(record.identity)
    companion = companion_device(record.versions.companion)
    found = metrics(part)
    yield from (pump, part, companion, *found.values())
    stated = list(_stated(record, dates, pump, found, patient))
    yield from stated
    yield provenance(record, stated, companion, patient)


def _stated(record: SessionRecord, dates: Forecast | None, pump: Json, found: dict[str, Json], patient: Json) -> Iterator[Json]:
    """What this visit states: readings, orders, doses, issues, the task."""
    if record.end is not None and instant(record.end.at) != instant(record.start.at):
        yield from observations(record.start, found, patient)
    yield from observations(record.last, found, patient)
    yield delivered_observation(record, found, patient)
    for change in record.refills:
        if change.refill is not None and change.final.word == "applied":
            yield from refill_observations(change, change.refill, pump, patient)
    yield from flags(record.last, pump, patient)
    yield from _treatment(record, pump, patient)
    task = refill_task(dates, pump, patient) if dates is not None else None
    if task is not None:
        yield task


def _treatment(record: SessionRecord, pump: Json, patient: Json) -> Iterator[Json]:
    ordered = requests(record, pump, patient)
    in_force = ordered[-1] if ordered and record.last.therapy is not None else None
    yield from ordered
    now = infusion_now(record.last, in_force, pump, patient)
    given = [resource for resource in (infusion_since_fill(record, pump, patient), now) if resource is not None]
    yield from given
    made: dict[int, Json] = {}
    if in_force is not None:
        made |= {change.cmd_id: in_force for change in record.changes if is_programming(change)}
    for change, resource in bolus_administrations(record, pump, patient):
        made[change.cmd_id] = resource
        yield resource
    yield from issues(record, pump, patient, made)
