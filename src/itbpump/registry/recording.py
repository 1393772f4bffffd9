"""A reading of a pump as rows: what it said (wire bytes and figures), the fills its log shows, and the dates computed from it.

The dates carry what moved them: a change of therapy within a fill cycle keeps the date before it, so that an alert can say why it moved. A
change that another programmer made shows by the configuration's digest. Each function works inside a `Unit`. Not here: computing dates.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from itbpump.registry.errors import Contradiction
from itbpump.registry.fills import cycle_of, fills_of_log
from itbpump.registry.logmark import form_of, mark_in, mark_of
from itbpump.registry.model import Learned, Reading
from itbpump.registry.queries import learned
from itbpump.registry.subjects import assign, ensure_pump, holder, is_retired
from itbpump.registry.tables import NEWEST_READING, forecasts, interrogations

if TYPE_CHECKING:
    from itbpump.forecast import Forecast
    from itbpump.present import PresentPump
    from itbpump.registry.unit import Unit
    from itbpump.wire.messages import LogEntry, Status

__all__ = ["NO_ERI", "imported_dates", "record_dates", "record_reading"]

NO_ERI = 65_535  # itbp1.toml, Status.eri_left_days: the indicator is not raised
CHANGED_ELSEWHERE = "the therapy on the pump was changed"


def record_reading(
    unit: Unit,
    reading: Reading,
    present: PresentPump | None,
    log: Sequence[LogEntry],
    dates: Forecast | Callable[[Learned], Forecast | None] | None,
    because: str,
    library_sha256: str,
    *,
    log_since: int | None,
) -> int:
    """The pump's row id. `dates`: or what makes them of what is learned by then, these fills included. `log_since`: the number from which
    on `log` leaves no entry out, None where that is not known. Raises Contradiction for a reading that does not belong together."""
    if present is not None and present.revision != reading.status.revision:
        raise Contradiction("the reading and the present state are of different moments", "read the pump again")
    pump_id = ensure_pump(unit, reading.info)
    if present is not None and present.patient_id is not None and _is_free(unit, pump_id):
        assign(unit, pump_id, present.patient_id, unit.at)
    if _is_kept(unit, pump_id, reading):
        return pump_id
    before = _reading_before(unit, pump_id, reading)
    mark = mark_of(log, log_since, mark_in(before["link"]) if before is not None else None)
    known = {} if mark is None else {"log": form_of(mark)}
    unit.insert(interrogations, _reading_values(pump_id, reading, present, before, unit.by, known))
    fills_of_log(unit, pump_id, reading, log)
    if callable(dates):
        dates = dates(learned(unit.connection, pump_id))
    if dates is not None:
        changed = before is not None and before["digest"] != reading.status.digest.hex()
        record_dates(unit, pump_id, dates, because or CHANGED_ELSEWHERE * changed, library_sha256)
    return pump_id


def _is_free(unit: Unit, pump_id: int) -> bool:
    """A pump in use that nobody has; whoever had a retired one before is no sign of whose it is now, so a person assigns it."""
    return holder(unit.connection, pump_id) is None and not is_retired(unit.connection, pump_id)


def _is_kept(unit: Unit, pump_id: int, reading: Reading) -> bool:
    """A reading is kept once, also when it is handed in again after a program was killed in between."""
    from itbpump.wire.messages import encode_reply  # noqa: PLC0415

    same = sa.and_(interrogations.c.pump_id == pump_id, interrogations.c.taken_at == reading.host_now)
    wires = unit.connection.execute(sa.select(interrogations.c.status_wire).where(same)).scalars()
    return encode_reply(0, reading.status) in wires


def _reading_before(unit: Unit, pump_id: int, reading: Reading) -> Any:
    """By the pump's own clock; a reading that comes in late follows those before it."""
    now, c = reading.status, interrogations.c
    earlier = sa.or_(c.resets < now.resets, sa.and_(c.resets == now.resets, c.uptime_ms <= now.uptime_ms))
    query = sa.select(interrogations).where(c.pump_id == pump_id, earlier).order_by(*(column.desc() for column in NEWEST_READING))
    return unit.connection.execute(query.limit(1)).mappings().first()


def _dates_before(unit: Unit, pump_id: int, at: datetime) -> Any:
    c = forecasts.c
    query = sa.select(forecasts).where(c.pump_id == pump_id, c.computed_at <= at).order_by(c.computed_at.desc(), c.id.desc())
    return unit.connection.execute(query.limit(1)).mappings().first()


def _reading_values(
    pump_id: int, reading: Reading, present: PresentPump | None, before: Any, by: str, known: dict[str, Any]
) -> dict[str, Any]:
    from itbpump.wire.messages import encode_configuration, encode_reply  # noqa: PLC0415  (with the pump's own rooms, not before)

    info, now = reading.info, reading.status
    configuration = present.configuration if present is not None else None
    link = {
        "firmware": info.firmware,
        "protocol": f"{info.protocol_major_max}.{info.protocol_minor}",
        "role": info.role.name.lower(),
        "constants_sha256": info.constants_hash.hex(),
        "wall_s": now.wall_s,
        "log_next_seq": now.log_next_seq,
        **known,
    }
    return {
        "pump_id": pump_id,
        "taken_at": reading.host_now,
        "offset_min": _offset_min(reading.host_now),
        "by": by,
        "status_wire": encode_reply(0, now),
        "configuration_wire": encode_configuration(configuration) if configuration is not None else None,
        "link": json.dumps(link, sort_keys=True),
        "run_state": now.run_state.name.lower(),
        "mode": now.mode.name.lower(),
        "stopped_since": _stopped_since(reading, present, before),
        "uptime_ms": now.uptime_ms,
        "revision": now.revision,
        "digest": now.digest.hex(),
        "reservoir_nL": now.reservoir_nL,
        "mean_flow_nL_per_day": _mean_flow(reading, present),
        "lifetime_pulses": now.lifetime_pulses,
        "battery_permille": now.battery_permille,
        "eri_left_days": None if now.eri_left_days == NO_ERI else now.eri_left_days,
        "resets": now.resets,
        "alarms": json.dumps([alarm.alarm for alarm in now.alarms]),
    }


def _offset_min(at: datetime) -> int:
    shift = at.utcoffset()
    if shift is None:
        raise Contradiction(f"the time {at.isoformat()} has no offset from UTC", "pass an aware datetime")
    return shift // timedelta(minutes=1)


def _mean_flow(reading: Reading, present: PresentPump | None) -> int:
    """Of the whole repeating pattern, rounded up to the early side; of a pump that gives no therapy what it gives now."""
    if present is None or present.configuration is None or not present.is_treating:
        return reading.status.flow_nL_per_day
    from itbpump.present import schedule_for  # noqa: PLC0415
    from itbpump.profiles import load_profile  # noqa: PLC0415

    return -int(-schedule_for(present.configuration, load_profile(reading.info.profile)).mean_flow // 1)


def _stopped_since(reading: Reading, present: PresentPump | None, before: Any) -> datetime | None:
    """Since when a pump gives no therapy, whatever it calls that state (stopped, safe, unconfigured, or running at the minimum rate): by
    its log; else as the reading before it, since the log tells of no treatment between them; else by the last change, if that was it; else
    the first reading that found it so. A pump that went from a stop to the minimum rate has given none since the stop.
    """
    from itbpump.wire.messages import CommandKind, Mode, RunState  # noqa: PLC0415

    now = reading.status
    runs = now.run_state is RunState.RUNNING
    if runs and now.mode is not Mode.MINIMUM_RATE:
        return None
    known: datetime | None = before["stopped_since"] if before is not None else None
    since_ms = present.history.untreated_since_ms if present is not None and not runs else None
    if since_ms is None and known is not None:
        return known
    if since_ms is None and runs:
        since_ms = _minimum_since_ms(now, present)
    elif since_ms is None and now.run_state is RunState.STOPPED and now.last_change_kind is CommandKind.STOP:
        since_ms = now.last_change_ms
    return reading.host_now if since_ms is None else reading.host_now - timedelta(milliseconds=now.uptime_ms - since_ms)


def _minimum_since_ms(now: Status, present: PresentPump | None) -> int | None:
    """By the newest commit of a configuration, as a pump comes to this mode by nothing else; a refill in between hides the first one."""
    from itbpump.wire.messages import CommandKind  # noqa: PLC0415

    if present is not None and present.history.commits:
        return present.history.commits[-1]
    return now.last_change_ms if now.last_change_kind is CommandKind.CONFIGURE else None


# ------------------------------------------------------------------------------------------------ dates
def record_dates(unit: Unit, pump_id: int, dates: Forecast, because: str, library_sha256: str) -> None:
    """A forecast, at the offset of its `as_of`. `because`: what changed the therapy since the last one; empty for nothing."""
    low, empty = dates.low_reservoir, dates.empty
    _insert_dates(
        unit,
        pump_id,
        dates.as_of,
        str(dates.assumptions.get("source", "pump"))[:16],
        {
            "alarm": _day(dates.alarm),
            "low_earliest": _day(low.earliest),
            "low_nominal": _day(low.nominal),
            "low_latest": _day(low.latest),
            "empty_earliest": _day(empty.earliest),
            "empty_nominal": _day(empty.nominal),
            "empty_latest": _day(empty.latest),
            "stable_until": _day(dates.stable_until),
            "battery_until": _day(dates.battery_until),
            "service_until": _day(dates.service_until),
            "refill_by": _day(dates.refill_by),
            "limited_by": dates.limited_by,
            "library_sha256": library_sha256,
            "document": json.dumps(dates.json(), sort_keys=True),
        },
        because,
    )


def imported_dates(unit: Unit, pump_id: int, told_at: datetime, refill_by: date | None, alarm: date | None) -> None:
    """Dates that the clinic's papers tell; without `refill_by` the alarm's date stands for it. What limits them is not known."""
    days = {"alarm": alarm, "refill_by": refill_by if refill_by is not None else alarm, "limited_by": "none"}
    _insert_dates(unit, pump_id, told_at, "import", {**days, "library_sha256": "", "document": "{}"}, "")


def _insert_dates(unit: Unit, pump_id: int, at: datetime, source: str, values: dict[str, Any], because: str) -> None:
    cycle = cycle_of(unit.connection, pump_id)
    before = _dates_before(unit, pump_id, at)
    moved_from, why = _moved(before, cycle, values["refill_by"], because)
    head = {"pump_id": pump_id, "computed_at": at, "offset_min": _offset_min(at), "source": source, "cycle": cycle}
    unit.insert(forecasts, {**head, **values, "previous_refill_by": moved_from, "moved_because": why})


def _moved(before: Any, cycle: int, refill_by: date | None, because: str) -> tuple[date | None, str]:
    """The date before the change that moved it, and why; kept through the cycle until another change."""
    if before is None or before["cycle"] != cycle:
        return None, ""
    if because and before["refill_by"] != refill_by:
        return before["refill_by"], because
    return before["previous_refill_by"], before["moved_because"]


def _day(at: datetime | None) -> date | None:
    """Rounded down to the day, at the offset it has."""
    return None if at is None else at.date()
