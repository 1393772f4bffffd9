"""Prescriptions: what can be prescribed, as a file and as an object (design 5).

Importing this package imports pydantic; everything else in itbpump imports it late. Not here: limits (`itbpump.safety`), delivery
(`itbpump.schedule`).
"""

from __future__ import annotations

from itbpump.therapy.files import (
    Problem,
    Readable,
    dump_prescription,
    json_schema,
    load_prescription,
    prescription_from,
    prescription_json,
)
from itbpump.therapy.models import (
    SCHEMA,
    WEEKDAYS,
    Bridge,
    Catheter,
    Continuous,
    Drug,
    Flex,
    Medication,
    MinimumRate,
    Patient,
    PatientBolus,
    Pattern,
    PeriodicBolus,
    Prescription,
    Prime,
    Pump,
    Screening,
    Session,
    Step,
    Stopped,
    Therapy,
)

__all__ = [
    "SCHEMA",
    "WEEKDAYS",
    "Bridge",
    "Catheter",
    "Continuous",
    "Drug",
    "Flex",
    "Medication",
    "MinimumRate",
    "Patient",
    "PatientBolus",
    "Pattern",
    "PeriodicBolus",
    "Prescription",
    "Prime",
    "Problem",
    "Pump",
    "Readable",
    "Screening",
    "Session",
    "Step",
    "Stopped",
    "Therapy",
    "dump_prescription",
    "json_schema",
    "load_prescription",
    "prescription_from",
    "prescription_json",
]
