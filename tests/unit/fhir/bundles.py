"""Records to make bundles of: the rich visit of the report tests, and ones that stop, fail, override, and know little."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

from itbpump.quantity import Mass, MassRate
from itbpump.report import Alarm, BolusPulses, SessionRecord, Settlement, Told, fhir
from itbpump.report.fhir import Json
from itbpump.safety import Override
from tests.unit.report.visits import rich_record

AT = datetime(2027, 1, 22, 9, 0, tzinfo=timezone(timedelta(hours=-5)))


@cache
def troubled_record() -> SessionRecord:
    """Everything that goes wrong in one visit: an alarm, a stop, a bolus cut short, an outcome nobody knows, names typed for ids."""
    record = rich_record()
    refill, bolus = record.changes
    unknown = Told("unknown", "OUTCOME UNKNOWN")
    cut = BolusPulses(25, 11, 1, "interrupted", Mass(25_000), Mass(11_000))
    end = record.last
    typed = Override("increase", "+45 %", "30 %", "other", "agreed with Mr John Smith", "Dr Mary Jones", "nurse-7")
    quoted = Override("interaction", "Mary's tablets", "", "specialist", "asked", "doctor-3", "")
    return replace(
        record,
        staff=("Dr Mary Jones", "nurse-7", "doctor-3"),
        changes=(
            replace(refill, overrides=(typed, quoted), user="Dr Mary Jones"),
            replace(bolus, told=replace(bolus.told, bolus=cut, disagreed=("bolus",))),
            replace(bolus, at=bolus.at + timedelta(minutes=9), cmd_id=bolus.cmd_id + 1, told=unknown, overrides=()),
            replace(
                bolus,
                at=bolus.at + timedelta(minutes=12),
                cmd_id=bolus.cmd_id + 2,
                told=unknown,
                overrides=(),
                settled=Settlement(bolus.at + timedelta(minutes=14), Told("applied", "APPLIED", bolus=BolusPulses(25, 25, 0, "done"))),
            ),
        ),
        end=replace(
            end,
            run_state="stopped",
            dose_now=MassRate(0),
            alarms=(Alarm("stopped", "critical", "the pump is stopped", "start it", "1 h ago", silenced=False),),
            unknown=("Therapy for Mr John Smith (command 99)",),
        ),
    )


def bare_record() -> SessionRecord:
    """A pump that lost its configuration: no drug, no therapy, no dates, one reading."""
    record = rich_record()
    start = replace(
        record.start,
        drug="",
        digest="",
        run_state="unconfigured",
        concentration=None,
        therapy=None,
        dose_now=None,
        reservoir=None,
        low_alarm=None,
    )
    given = replace(record.delivered, total=None, total_mass=None, since=None)
    return replace(record, start=start, end=None, end_note="line lost", changes=(), dates=None, delivered=given)


RECORDS: dict[str, Callable[[], SessionRecord]] = {"rich": rich_record, "troubled": troubled_record, "bare": bare_record}


def made(name: str = "rich", release: str = fhir.R5) -> Json:
    """A fresh bundle, to be broken."""
    return deepcopy(_made(name, release))


@cache
def _made(name: str, release: str) -> Json:
    return fhir.bundle(RECORDS[name](), release=release)


def of_type(bundle: Json, kind: str) -> list[Json]:
    """The resources of a type, in order."""
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def nodes(value: Any) -> Iterator[Any]:
    """Every part of a JSON value."""
    yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(item)
