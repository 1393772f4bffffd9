"""The pump, the program that read it, and what was read: Device, DeviceMetric, Observation, Flag.

What the pump does not know any more is an Observation without a value that says so. Not here: its log, its therapy (medication).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from itbpump.quantity import Amount, Volume
from itbpump.refill import Refill
from itbpump.report.fhir.codes import UCUM, codes, concept, units
from itbpump.report.fhir.model import Json
from itbpump.report.fhir.parts import identifier, instant, made_id, number, quantity, reference, unit_quantity
from itbpump.report.model import Change, Identity, PumpState, SessionRecord

__all__ = [
    "METRICS",
    "Metric",
    "companion_device",
    "delivered_observation",
    "flags",
    "metrics",
    "observations",
    "pump_devices",
    "refill_observations",
]

PERMILLE_PER_PERCENT = 10


@dataclass(frozen=True, slots=True)
class Metric:
    """One thing a pump tells. `key` is its concept, `unit` one of the table of units, `category` FHIR's, `value` None where not known."""

    key: str
    unit: str
    category: str
    value: Callable[[PumpState], Json | None]


def _amount(amount: Amount | None) -> Json | None:
    return None if amount is None else quantity(amount.rounded())


def _per_day(state: PumpState) -> Json | None:
    return None if state.dose_now is None else _amount(state.dose_now)


def _percent(state: PumpState) -> Json:
    whole, tenth = divmod(state.battery_permille, PERMILLE_PER_PERCENT)
    return unit_quantity(number(f"{whole}.{tenth}"), "%")


METRICS: tuple[Metric, ...] = (
    Metric("dose-rate", "mcg/day", "calculation", _per_day),
    Metric("reservoir", "mL", "calculation", lambda state: _amount(state.reservoir)),
    Metric("low-alarm", "mL", "setting", lambda state: _amount(state.low_alarm)),
    Metric("concentration", "mcg/mL", "setting", lambda state: _amount(state.concentration)),
    Metric("given-24h", "mcg", "calculation", lambda state: _amount(state.given_24h)),
    Metric("battery", "%", "measurement", _percent),
)
DELIVERED = Metric("delivered-total", "mL", "calculation", lambda state: None)


# ------------------------------------------------------------------------------------------------ devices
def pump_devices(who: Identity) -> tuple[Json, Json]:
    """The pump, and in it the part that delivers, which has a code (containment of the HL7 Point-of-Care Device guide: MDS, VMD)."""
    pump: Json = {
        "resourceType": "Device",
        "id": made_id("pump", who.serial, who.memory_id),
        "identifier": [identifier("pump-serial", who.serial), identifier("pump-memory-id", who.memory_id)],
        "status": "active",
        "type": [concept("pump")],
        "serialNumber": who.serial,
        "modelNumber": who.profile,
        "version": [{"value": who.firmware}],
    }
    part: Json = {
        "resourceType": "Device",
        "id": made_id("pump-vmd", who.serial, who.memory_id),
        "identifier": [identifier("pump-vmd", f"{who.serial}.1")],
        "status": "active",
        "type": [concept("pump-vmd")],
        "parent": reference(pump),
    }
    return pump, part


def companion_device(version: str) -> Json:
    """The program, in the version that made the record."""
    return {
        "resourceType": "Device",
        "id": made_id("companion", version),
        "identifier": [identifier("companion-version", version)],
        "status": "active",
        "type": [concept("companion")],
        "version": [{"value": version}],
    }


# ------------------------------------------------------------------------------------------------ metrics and readings
def metrics(part: Json) -> dict[str, Json]:
    """A DeviceMetric for each, by its key."""
    return {metric.key: _metric(metric, part) for metric in (*METRICS, DELIVERED)}


def _metric(metric: Metric, part: Json) -> Json:
    row = units()[metric.unit]
    return {
        "resourceType": "DeviceMetric",
        "id": made_id("metric", part["id"], metric.key),
        "type": concept(metric.key),
        "unit": {"coding": [{"system": UCUM, "code": row.ucum, "display": row.unit}], "text": row.unit},
        "device": reference(part),
        "category": metric.category,
    }


def observations(state: PumpState, found: dict[str, Json], patient: Json) -> Iterator[Json]:
    """One reading, as one Observation for each metric."""
    for metric in METRICS:
        yield _observation(metric.key, found[metric.key], metric.value(state), state.at, patient)


def delivered_observation(record: SessionRecord, found: dict[str, Json], patient: Json) -> Json:
    """What was given since the last fill, as of the first reading."""
    return _observation(DELIVERED.key, found[DELIVERED.key], _amount(record.delivered.total), record.start.at, patient)


def refill_observations(change: Change, refill: Refill, pump: Json, patient: Json) -> Iterator[Json]:
    """Expected, aspirated, filled; read by a person, so that they belong to the pump and to no metric of it."""
    expected = None if refill.expected_nL is None else Volume(refill.expected_nL)
    for key, volume in (("expected", expected), ("aspirated", refill.aspirated), ("filled", refill.filled)):
        yield _observation(key, pump, _amount(volume), change.at, patient)


def _observation(key: str, device: Json, value: Json | None, at: datetime, patient: Json) -> Json:
    told: Json = {"dataAbsentReason": concept("unknown")} if value is None else {"valueQuantity": value}
    return {
        "resourceType": "Observation",
        "id": made_id("observation", device["id"], key, instant(at)),
        "status": "final",
        "code": concept(key),
        "subject": patient,
        "effectiveDateTime": instant(at),
        "device": reference(device),
        **told,
    }


# ------------------------------------------------------------------------------------------------ alarms
def flags(state: PumpState, pump: Json, patient: Json) -> Iterator[Json]:
    """Alarms that stand at a reading. `period` begins with the reading: the pump's clock, which knows since when, is no calendar."""
    for alarm in state.alarms:
        yield {
            "resourceType": "Flag",
            "id": made_id("flag", pump["id"], alarm.id, instant(state.at)),
            "status": "active",
            "code": concept("pump-alarm", f"{codes()['pump-alarm'].text}, {alarm.priority}: {alarm.text}"),
            "subject": patient,
            "period": {"start": instant(state.at)},
            "author": reference(pump),
        }
