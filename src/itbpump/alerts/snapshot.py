"""Alerts and what was said to them as rows and JSON, and back. Exact: what is read equals what was written, times in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from itbpump.alerts.model import Alert, AlertKind, Stage
from itbpump.alerts.state import AlertState, Said, Told

__all__ = ["alert_of", "json_of", "row_of", "state_of"]


def json_of(alert: Alert) -> dict[str, Any]:
    """An alert as JSON, for a message that must be the same when it is sent again."""
    return {
        "key": alert.key,
        "kind": alert.kind.value,
        "stage": int(alert.stage),
        "serial": alert.serial,
        "memory_id": alert.memory_id,
        "patient_id": alert.patient_id,
        "cycle": alert.cycle,
        "due": None if alert.due is None else alert.due.isoformat(),
        "title": alert.title,
        "lines": list(alert.lines),
        "since": alert.since.isoformat(),
        "supersedes": alert.supersedes,
    }


def alert_of(data: Mapping[Any, Any]) -> Alert:
    """Of JSON, or of a row of `alerts`, which has its dates as dates."""
    due, since = data["due"], data["since"]
    return Alert(
        key=data["key"],
        kind=AlertKind(data["kind"]),
        stage=Stage(data["stage"]),
        serial=data["serial"],
        memory_id=data["memory_id"],
        patient_id=data["patient_id"],
        cycle=data["cycle"],
        due=date.fromisoformat(due) if isinstance(due, str) else due,
        title=data["title"],
        lines=tuple(data["lines"]),
        since=datetime.fromisoformat(since) if isinstance(since, str) else since,
        supersedes=data["supersedes"],
    )


def row_of(state: AlertState) -> dict[str, Any]:
    """The columns of `alerts`, without `version`."""
    return {
        **json_of(state.alert),
        "due": state.alert.due,
        "since": state.alert.since,
        "subject": state.subject,
        "next_on": state.next_on,
        "generation": state.generation,
        "settled": state.settled,
        "muted_by": state.muted_by,
        "acknowledged": _said_json(state.acknowledged),
        "snoozed": _said_json(state.snoozed),
        "told": {
            contact: [int(told.stage), told.first.isoformat(), told.round, told.at.isoformat()] for contact, told in state.told.items()
        },
    }


def state_of(row: Mapping[Any, Any]) -> AlertState:
    """Of a row of `alerts`."""
    return AlertState(
        alert=alert_of(row),
        subject=row["subject"],
        next_on=row["next_on"],
        generation=row["generation"],
        settled=row["settled"],
        muted_by=row["muted_by"],
        acknowledged=_said(row["acknowledged"]),
        snoozed=_said(row["snoozed"]),
        told={
            contact: Told(Stage(stage), datetime.fromisoformat(first), number, datetime.fromisoformat(at))
            for contact, (stage, first, number, at) in row["told"].items()
        },
    )


def _said_json(said: Said | None) -> dict[str, Any] | None:
    if said is None:
        return None
    until = None if said.until is None else said.until.isoformat()
    return {"author": said.author, "reason": said.reason, "at": said.at.isoformat(), "stage": int(said.stage), "until": until}


def _said(data: Mapping[str, Any] | None) -> Said | None:
    if data is None:
        return None
    until = None if data["until"] is None else datetime.fromisoformat(data["until"])
    return Said(data["author"], data["reason"], datetime.fromisoformat(data["at"]), Stage(data["stage"]), until)
