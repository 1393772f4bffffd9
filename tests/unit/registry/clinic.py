"""Pumps for the registry: one read over the simulated line, and made-up readings where only the figures matter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec

from itbpump.forecast import Bounds, Forecast
from itbpump.wire.messages import (
    AlarmPriority,
    AlarmState,
    BolusKind,
    BolusState,
    CommandKind,
    Info,
    LogEntry,
    LogKind,
    Mode,
    Role,
    RunState,
    Status,
)

NOW = datetime(2026, 11, 23, 8, tzinfo=timezone(timedelta(hours=-5)))
DAY_MS = 86_400_000
BY = "N-17"


def info(serial: str = "SIM-0001", memory: bytes = b"MEMORY-1", **changes: Any) -> Info:
    made = Info(
        serial=serial,
        profile="P-40",
        firmware="1.0",
        protocol_major_max=1,
        protocol_minor=0,
        simulated=True,
        memory_id=memory,
        role=Role.CLINICIAN,
        last_cmd_id=0,
        pulse_volume_nL=500,
        capacity_nL=40_000_000,
        residual_nL=1_400_000,
        minimum_rate_nL_per_day=6_000,
        flow_min_nL_per_day=48_000,
        flow_max_nL_per_day=24_000_000,
        accuracy_ppm=145_000,
        constants_hash=bytes(32),
    )
    return msgspec.structs.replace(made, **changes)


def status(**changes: Any) -> Status:
    made = Status(
        uptime_ms=100 * DAY_MS,
        wall_s=int(NOW.timestamp()),
        run_state=RunState.RUNNING,
        mode=Mode.CONTINUOUS,
        bridging=False,
        flow_nL_per_day=250_000,
        revision=3,
        digest=bytes([1]) * 32,
        drug="baclofen",
        concentration_ng_per_mL=500_000,
        week_offset_ms=0,
        reservoir_nL=30_000_000,
        low_alarm_nL=6_500_000,
        path_concentration_ng_per_mL=500_000,
        path_left_pulses=0,
        lifetime_pulses=10_000,
        bolus_counter=0,
        bridge_left_pulses=0,
        bolus_kind=BolusKind.SINGLE,
        bolus_state=BolusState.DONE,
        bolus_requested=0,
        bolus_delivered=0,
        bolus_left_ms=0,
        mass_24h_ng=0,
        patient_granted_24h=0,
        patient_granted=0,
        patient_denied=0,
        lockout_left_ms=0,
        last_change_by=bytes(8),
        last_change_ms=0,
        last_change_kind=CommandKind.CONFIGURE,
        others_unconfirmed=0,
        battery_permille=900,
        eri_left_days=65_535,
        resets=0,
        doubt_pulses=0,
        log_next_seq=10,
        alarms=(),
    )
    return msgspec.structs.replace(made, **changes)


def alarm(number: int) -> AlarmState:
    return AlarmState(alarm=number, priority=AlarmPriority.CRITICAL, since_ms=0, silenced_until_ms=0)


@dataclass(frozen=True)
class View:
    """As a face hands it in."""

    info: Info
    status: Status
    host_now: datetime


def view(at: datetime = NOW, who: Info | None = None, **changes: Any) -> View:
    return View(who if who is not None else info(), status(**changes), at)


def fill_entry(seq: int, uptime_ms: int, after_nL: int, before_nL: int) -> LogEntry:
    return LogEntry(seq=seq, uptime_ms=uptime_ms, wall_s=0, kind=LogKind.REFILL, a=after_nL, b=before_nL)


def dates(at: datetime = NOW, refill_in_days: int | None = 60, limited_by: str = "low-reservoir") -> Forecast:
    def day(days: int) -> datetime:
        return at + timedelta(days=days)

    refill_by = None if refill_in_days is None else day(refill_in_days)
    none = Bounds(None, None, None)
    bounds = none if refill_in_days is None else Bounds(day(refill_in_days), day(refill_in_days + 9), day(refill_in_days + 20))
    return Forecast(
        as_of=at,
        alarm=None if refill_in_days is None else day(refill_in_days + 9),
        low_reservoir=bounds,
        empty=none if refill_in_days is None else Bounds(day(refill_in_days + 15), day(refill_in_days + 25), day(refill_in_days + 35)),
        stable_until=day(180),
        battery_until=None,
        service_until=day(2000),
        refill_by=refill_by,
        limited_by="none" if refill_in_days is None else limited_by,
        assumptions={"source": "pump"},
    )
