"""A check over registered pumps: the clinic's registry read, rules, state and store in SQLite, at 1,000, 10,000 and 100,000 pumps.

Each pump has a patient, two readings, two forecasts, three refills with what they taught, and one in five a visit; the rows are put
straight into the tables, since a hundred thousand audited steps would take longer than what is measured. The second check of a day finds
nothing new; the first one opens every alert. One pump in twenty is due, and nothing is sent: the check is what grows with the clinic. What
it wrote is asserted before anything is reported.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from itbpump.alerts.job import check
from itbpump.alerts.source import RegistrySource
from itbpump.alerts.store import AlertStore
from itbpump.registry.model import ContactRow
from itbpump.registry.store import Registry
from itbpump.registry.tables import appointments, assignments, calibrations, forecasts, interrogations, patients, pumps, refills
from tests.bench.figure import Figure
from tests.unit.alerts.alert_rig import NOW, days

SIZES = (1_000, 10_000, 100_000)
DUE_EVERY = 20
VISIT_EVERY = 5
LIMIT_S, LINEAR = 60, 1.6
LISTED = 10_000
CHUNK = 5_000
ONE_DAY = timedelta(days=1)
T = TypeVar("T")


def run() -> Iterator[Figure]:
    each_us = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder, Registry.create(Path(folder) / "registry.db", at=NOW) as registry:
            _fill(registry, size)
            source = RegistrySource(registry)
            read_s, read = _timed(lambda source=source: sum(1 for _ in source.watched(NOW)))  # type: ignore[misc]
            first_s, first = _timed(lambda source=source: check(source, NOW))  # type: ignore[misc]
            again_s, again = _timed(lambda source=source: check(source, NOW + timedelta(hours=1)))  # type: ignore[misc]
            assert (read, first.pumps, first.fired, first.told) == (size, size, size, size // DUE_EVERY)
            assert (again.pumps, again.fired, again.told) == (size, 0, 0)
            each_us.append(max(first_s, again_s) / size * 1e6)
            yield Figure(f"alerts: reading {size:,} pumps from the registry", read_s, LIMIT_S, "at most", "s", "part of each check")
            yield Figure(f"alerts: first check of {size:,} pumps", first_s, LIMIT_S, "at most", "s", "every alert is opened")
            yield Figure(f"alerts: next check of {size:,} pumps", again_s, LIMIT_S, "at most", "s", "nothing new")
            if size == LISTED:
                list_s, rows = _timed(AlertStore(registry.engine).listed)
                assert len(rows) == LISTED
                yield Figure(f"alerts: list of {LISTED:,}", list_s, 1, "at most", "s", "read with deliveries, not printed")
    note = "time per pump, largest clinic to smallest; 1 is linear"
    yield Figure("alerts: growth from 1,000 to 100,000 pumps", each_us[-1] / each_us[0], LINEAR, "at most", "×", note)


def _fill(registry: Registry, size: int) -> None:
    """Rows as `record_reading` leaves them, without the audit."""
    registry.set_contact(ContactRow("nurse", 1, "mail", "nurse@clinic.example", 24, True), at=NOW, by="bench")
    for start in range(0, size, CHUNK):
        numbers = range(start, min(size, start + CHUNK))
        with registry.engine.begin() as connection:
            connection.execute(sa.insert(pumps), [_pump(number) for number in numbers])
            connection.execute(sa.insert(patients), [{"id": f"P-{number}", "created_at": NOW, "zone": "UTC"} for number in numbers])
            whose = [{"pump_id": number + 1, "patient_id": f"P-{number}", "since": NOW} for number in numbers]
            connection.execute(sa.insert(assignments), whose)
            connection.execute(sa.insert(refills), [_refill(number, before) for number in numbers for before in (200, 110, 20)])
            connection.execute(sa.insert(calibrations), [_calibration(number, before) for number in numbers for before in (110, 20)])
            connection.execute(sa.insert(interrogations), [_reading(number, before) for number in numbers for before in (30, 20)])
            connection.execute(sa.insert(forecasts), [_dates(number, before) for number in numbers for before in (30, 20)])
            visits = [number for number in numbers if number % VISIT_EVERY == 0]
            booked = [{"pump_id": number + 1, "visit_on": days(1), "made_at": NOW, "by": "bench"} for number in visits]
            connection.execute(sa.insert(appointments), booked)


def _pump(number: int) -> dict[str, Any]:
    memory = f"{number:016x}"
    return {"id": number + 1, "serial": f"S-{number:06}", "memory_id": memory, "profile": "P-40", "simulated": False, "first_seen": NOW}


def _refill(number: int, before: int) -> dict[str, Any]:
    known = {"expected_nL": 10_000_000, "aspirated_nL": 9_800_000, "filled_nL": 38_000_000, "after_nL": 39_400_000}
    at = {"pump_id": number + 1, "at": NOW - before * ONE_DAY, "by": "bench", "source": "command"}
    return {**at, **known, "discrepancy_nL": -200_000, "suspicious": False, "decision": ""}


def _calibration(number: int, before: int) -> dict[str, Any]:
    learned = {"flow_error_ppm": 8_000, "spread_ppm": 20_000, "lower_ppm": -50_000, "upper_ppm": 70_000, "drift": "none"}
    return {"pump_id": number + 1, "at": NOW - before * ONE_DAY, "refills": 2, **learned, "outside": False, "alerts": False}


def _reading(number: int, before: int) -> dict[str, Any]:
    taken = {"pump_id": number + 1, "taken_at": NOW - before * ONE_DAY, "offset_min": 0, "by": "bench", "status_wire": b"", "link": "{}"}
    state = {"run_state": "running", "mode": "flex", "uptime_ms": (500 - before) * 86_400_000, "revision": 3, "digest": "ab" * 32}
    counts = {"reservoir_nL": 30_000_000, "mean_flow_nL_per_day": 250_000, "lifetime_pulses": 1, "battery_permille": 900}
    return {**taken, **state, **counts, "resets": 0, "alarms": "[]"}


def _dates(number: int, before: int) -> dict[str, Any]:
    refill_by = days(5 if number % DUE_EVERY == 0 else 40 + number % 100)
    after = {"alarm": 12, "low_earliest": 0, "low_nominal": 12, "low_latest": 30}
    after |= {"empty_earliest": 14, "empty_nominal": 26, "empty_latest": 45}
    later = {name: refill_by + more * ONE_DAY for name, more in after.items()}
    head = {"pump_id": number + 1, "computed_at": NOW - before * ONE_DAY, "offset_min": 0, "source": "pump", "cycle": 3}
    tail = {"limited_by": "low-reservoir", "moved_because": "", "library_sha256": "", "document": "{}"}
    return {**head, "refill_by": refill_by, **later, **tail}


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result
