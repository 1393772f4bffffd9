"""Refills as rows: those told from here, those a pump's log shows, those of papers; and what they tell of the pump's flow.

One fill is one row, however it came to be known: a fill in the pump's log that fits a row without a place in the log is that row, and one
told from here that the log has shown before is the row of the log. A fill nobody drew out for (another programmer, the first one) is kept
too, because each begins a new cycle of dates and alerts. Calibration is learned from rows that hold what was drawn out and what the pump
counted, by `forecast.calibrate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from itbpump.registry.errors import Contradiction, UnknownSubject
from itbpump.registry.model import Reading
from itbpump.registry.subjects import keep_visits
from itbpump.registry.tables import calibrations, refills

if TYPE_CHECKING:
    from itbpump.registry.unit import Unit
    from itbpump.wire.messages import LogEntry

__all__ = ["Fill", "cycle_of", "fills_of_log", "insert_fill", "settle_discrepancy", "told_fill"]

NEAR: Final = timedelta(days=2)
"""How far a record and the pump's log may be apart and still be one fill: papers hold the day alone, at another offset [D]."""


@dataclass(frozen=True, slots=True)
class Fill:
    """A refill to be kept; None for what is not known. Volumes in nL; `after_nL` is all that is in the reservoir then."""

    at: datetime
    source: str
    expected_nL: int | None = None
    aspirated_nL: int | None = None
    filled_nL: int | None = None
    after_nL: int | None = None
    counted_nL: int | None = None
    discrepancy_nL: int | None = None
    tolerance_nL: int | None = None
    suspicious: bool = False
    decision: str = ""
    uptime_ms: int | None = None
    log_seq: int | None = None
    lot: str | None = None


def cycle_of(connection: Connection, pump_id: int) -> int:
    """How many fills are known of the pump."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(refills).where(refills.c.pump_id == pump_id)).scalar_one())


def insert_fill(unit: Unit, pump_id: int, profile: str, fill: Fill) -> int:
    """The row's id; with what was drawn out, the pump's calibration is learned anew. Contradiction for a volume below 0."""
    for name in ("aspirated_nL", "filled_nL", "after_nL", "expected_nL", "counted_nL"):
        amount = getattr(fill, name)
        if amount is not None and amount < 0:
            raise Contradiction(f"{name.removesuffix('_nL')} of a refill is below zero", "correct the volume")
    values = {name: getattr(fill, name) for name in Fill.__slots__}
    key = int(unit.insert(refills, {"pump_id": pump_id, "by": unit.by, **values}))
    keep_visits(unit, pump_id, fill.at)
    if fill.aspirated_nL is not None:
        _calibrate(unit, pump_id, profile)
    return key


def told_fill(unit: Unit, pump_id: int, profile: str, fill: Fill) -> int:
    """A fill that was told from here; where the pump's log showed it before its record came in, it is that row. Its id."""
    seen = sa.and_(refills.c.pump_id == pump_id, refills.c.source == "log", refills.c.after_nL == fill.after_nL)
    rows = unit.connection.execute(sa.select(refills).where(seen).order_by(refills.c.at.desc())).mappings()
    row = next((one for one in rows if abs(one["at"] - fill.at) <= NEAR), None)
    if row is None:
        return insert_fill(unit, pump_id, profile, fill)
    told = {name: getattr(fill, name) for name in Fill.__slots__ if name not in ("at", "uptime_ms", "log_seq")}
    unit.update(refills, row["id"], {**told, "by": unit.by}, "told")
    if fill.aspirated_nL is not None:
        _calibrate(unit, pump_id, profile)
    return int(row["id"])


def settle_discrepancy(unit: Unit, refill_id: int, decision: str) -> None:
    """What somebody found out about a suspicious difference. Raises UnknownSubject, Contradiction without words or where none is open."""
    row = unit.connection.execute(sa.select(refills).where(refills.c.id == refill_id)).mappings().first()
    if row is None:
        raise UnknownSubject("refill", str(refill_id))
    if not decision.strip():
        raise Contradiction("a difference is not settled without words", "say what was found and what is done")
    if not row["suspicious"] or row["decision"]:
        raise Contradiction(f"refill {refill_id} has no open difference", "nothing is to be settled")
    unit.update(refills, refill_id, {"decision": decision.strip()}, "settled")


# ------------------------------------------------------------------------------------------------ the pump's log
def fills_of_log(unit: Unit, pump_id: int, reading: Reading, log: Sequence[LogEntry]) -> None:
    """Fills of the log that no row tells of yet. `log`: oldest first, as much of it as was read."""
    from itbpump.history import elapsed_ms  # noqa: PLC0415
    from itbpump.wire.messages import LogKind  # noqa: PLC0415

    rows = list(unit.connection.execute(sa.select(refills).where(refills.c.pump_id == pump_id).order_by(refills.c.at)).mappings())
    last_seq = max((row["log_seq"] for row in rows if row["log_seq"] is not None), default=-1)
    unplaced = [row for row in rows if row["log_seq"] is None]
    before: LogEntry | None = None
    for entry in log:
        if entry.kind is not LogKind.REFILL:
            continue
        if entry.seq > last_seq:
            ago_ms = elapsed_ms(log, entry, reading.status.uptime_ms)
            at = None if ago_ms is None else reading.host_now - timedelta(milliseconds=ago_ms)
            same = next((row for row in unplaced if _is_same(row, entry, at)), None)
            if same is not None:
                unplaced.remove(same)
                unit.update(refills, same["id"], {"log_seq": entry.seq, "uptime_ms": entry.uptime_ms}, "found in the log")
            else:
                counted = before.a - entry.b if before is not None and before.a >= entry.b else None
                at = at or _earliest(rows, reading)
                fill = Fill(at, "log", after_nL=entry.a, counted_nL=counted, uptime_ms=entry.uptime_ms, log_seq=entry.seq)
                insert_fill(unit, pump_id, reading.info.profile, fill)
        before = entry


def _earliest(rows: Sequence[Any], reading: Reading) -> datetime:
    """No fill that follows the known ones can have been before: a drug whose day nobody knows is told too old, never too fresh."""
    from itbpump.profiles import load_profile  # noqa: PLC0415

    placed: list[datetime] = [row["at"] for row in rows if row["log_seq"] is not None]
    return max([*placed, reading.host_now - timedelta(days=load_profile(reading.info.profile).service_life_days)])


def _is_same(row: Any, entry: LogEntry, at: datetime | None) -> bool:
    """By its volume alone where nobody knows when it was."""
    return row["after_nL"] == entry.a if at is None else row["after_nL"] in (None, entry.a) and abs(row["at"] - at) <= NEAR


# ------------------------------------------------------------------------------------------------ calibration
def _calibrate(unit: Unit, pump_id: int, profile: str) -> None:
    from itbpump.forecast import RefillSpan, calibrate  # noqa: PLC0415
    from itbpump.profiles import load_profile  # noqa: PLC0415

    rows = list(
        unit.connection.execute(sa.select(refills).where(refills.c.pump_id == pump_id).order_by(refills.c.at, refills.c.id)).mappings()
    )
    spans = [
        RefillSpan(old["after_nL"], new["counted_nL"], new["aspirated_nL"])
        for old, new in pairwise(rows)
        if old["after_nL"] and new["counted_nL"] is not None and new["aspirated_nL"] is not None
    ]
    if not spans:
        return
    found = calibrate(spans, load_profile(profile))
    unit.insert(
        calibrations,
        {
            "pump_id": pump_id,
            "at": unit.at,
            "refills": found.refills,
            "flow_error_ppm": found.flow_error_ppm,
            "spread_ppm": found.spread_ppm,
            "lower_ppm": found.lower_ppm,
            "upper_ppm": found.upper_ppm,
            "drift": found.drift.value,
            "outside": found.outside,
            "alerts": found.alerts,
        },
        "learned",
    )
