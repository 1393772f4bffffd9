"""What is to be done and what is to be watched: Task (the next refill), DetectedIssue (limits overridden, outcomes not known), Provenance.

Nothing typed by a person is written: of an override its rule, figures and kind of reason, never its free text. Not here: alerts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from itbpump.forecast import Forecast
from itbpump.report.fhir.codes import codes, concept
from itbpump.report.fhir.model import Json
from itbpump.report.fhir.parts import identifier, instant, made_id, person_reference, reference
from itbpump.report.model import Change, SessionRecord
from itbpump.report.session import record_digest
from itbpump.safety import Finding, Override, Severity
from itbpump.safety.overrides import REASONS
from itbpump.wording.layout import screen_amount

__all__ = ["issues", "provenance", "refill_task"]

SEVERITY = {Severity.INFO: "low", Severity.SOFT: "moderate", Severity.SECOND: "high", Severity.HARD: "high"}
# An amount, a percentage, a count: what a rule reckoned. Anything else might quote what somebody typed.
_FIGURE = re.compile(r"[+−-]?[0-9][0-9.,]{0,12} ?(?:%|[a-zA-Z]{1,4}(?: (?:per )?[a-zA-Z0-9 ]{1,12})?)?")
_RULE = re.compile(r"[a-z0-9-]{1,40}")


# ------------------------------------------------------------------------------------------------ the next refill
def refill_task(dates: Forecast, pump: Json, patient: Json) -> Json | None:
    """By when to refill, with all dates it rests on as inputs; None without a date."""
    if dates.refill_by is None:
        return None
    return {
        "resourceType": "Task",
        "id": made_id("refill", pump["id"], instant(dates.as_of)),
        "identifier": [identifier("refill-task", f"{pump['serialNumber']}.{instant(dates.as_of)}")],
        "status": "requested",
        "intent": "order",
        "priority": _priority(dates),
        "code": concept("refill"),
        "description": f"Refill by {dates.refill_text}",
        "focus": reference(pump),
        "for": patient,
        "authoredOn": instant(dates.as_of),
        # no start: a refill that is due already has its end before the day it was reckoned
        "requestedPeriod": {"end": instant(dates.refill_by)},
        "input": [{"type": concept(key), "valueDateTime": instant(at)} for key, at in _dates(dates) if at is not None],
    }


def _priority(dates: Forecast) -> str:
    """`stat` where the reservoir may be empty by now, `asap` where the refill is due."""
    if dates.empty.earliest is not None and dates.empty.earliest <= dates.as_of:
        return "stat"
    return "asap" if dates.refill_by is not None and dates.refill_by <= dates.as_of else "routine"


def _dates(dates: Forecast) -> Iterator[tuple[str, datetime | None]]:
    low, empty = dates.low_reservoir, dates.empty
    yield from (
        ("date-alarm", dates.alarm),
        ("date-low-earliest", low.earliest),
        ("date-low-nominal", low.nominal),
        ("date-low-latest", low.latest),
        ("date-empty-earliest", empty.earliest),
        ("date-empty-nominal", empty.nominal),
        ("date-empty-latest", empty.latest),
        ("date-stable", dates.stable_until),
        ("date-battery", dates.battery_until),
        ("date-service", dates.service_until),
    )


# ------------------------------------------------------------------------------------------------ issues
def issues(record: SessionRecord, pump: Json, patient: Json, ordered: dict[int, Json]) -> Iterator[Json]:
    """For each change: overridden limits, an outcome that nobody knows or that came later, and a pump that does not run as meant.

    `ordered`: the resource each command made, by its number.
    """
    for change in record.changes:
        for place, item in enumerate(change.overrides):
            yield _overridden(change, place, item, pump, patient, ordered.get(change.cmd_id))
        if change.final.word == "unknown":
            yield _open("outcome-unknown", change, pump, patient)
        elif change.settled is not None:  # a bolus among them is no administration, as its mass was never told: it must be seen here
            yield _open("outcome-settled", change, pump, patient)
        if change.final.word == "applied" and change.final.disagreed:
            yield _open("not-as-meant", change, pump, patient)
    own = sum(change.final.word == "unknown" for change in record.changes)
    others = len(record.open_outcomes) - own
    if others > 0:
        at = instant(record.last.at)
        detail = f"{others:,} of an earlier visit; see the session report"
        made_of = made_id("open", pump["id"], at)
        yield _issue("outcome-unknown", made_of, status="preliminary", severity="high", at=at, detail=detail, pump=pump, patient=patient)


def _overridden(change: Change, place: int, item: Override, pump: Json, patient: Json, made: Json | None) -> Json:
    at = instant(change.at)
    made_of = made_id("override", pump["id"], str(change.cmd_id), str(place))
    rule = item.rule if _RULE.fullmatch(item.rule) else "not named"
    severity = SEVERITY[_severity(change.findings, item)]
    detail = _figures(item)
    found = _issue("overridden", made_of, status="mitigated", severity=severity, at=at, detail=detail, pump=pump, patient=patient)
    found["code"] = concept("overridden", f"{codes()['overridden'].text}: {rule}")
    if made is not None:
        found["implicated"] = [reference(made)]
    reason = REASONS.get(item.reason, "see the session report")
    accepted: Json = {"action": concept("accepted", f"{codes()['accepted'].text}: {reason}"), "date": at}
    found["mitigation"] = [accepted | ({"author": person_reference(item.user)} if item.user else {})]
    if item.second:
        found["mitigation"].append({"action": concept("second-check"), "date": at, "author": person_reference(item.second)})
    return found


def _severity(findings: Sequence[Finding], item: Override) -> Severity:
    return max((finding.severity for finding in findings if finding.rule == item.rule), default=Severity.SOFT)


def _figures(item: Override) -> str:
    told = [(label, screen_amount(text)) for label, text in (("value", item.value), ("limit", item.limit)) if text]
    shown = [f"{label} {text}" for label, text in told if _FIGURE.fullmatch(text)]
    return ", ".join(shown) or "see the session report"


def _open(key: str, change: Change, pump: Json, patient: Json) -> Json:
    at = instant(change.at)
    detail = f"command {change.cmd_id}, {change.final.word}; see the session report"
    made_of = made_id(key, pump["id"], str(change.cmd_id))
    status = "final" if change.settled is not None and key != "outcome-unknown" else "preliminary"
    return _issue(key, made_of, status=status, severity="high", at=at, detail=detail, pump=pump, patient=patient)


def _issue(key: str, made_of: str, *, status: str, severity: str, at: str, detail: str, pump: Json, patient: Json) -> Json:
    return {
        "resourceType": "DetectedIssue",
        "id": made_of,
        "status": status,
        "code": concept(key),
        "severity": severity,
        "subject": patient,
        "identifiedDateTime": at,
        "author": reference(pump),
        "detail": detail,
    }


# ------------------------------------------------------------------------------------------------ provenance
def provenance(record: SessionRecord, targets: Sequence[Json], companion: Json, patient: Json) -> Json:
    """Who, with which program, when, and from which record: its SHA-256 is the one that every form of the session report shows."""
    digest = record_digest(record)
    agents: list[Json] = [{"type": concept("assembler"), "who": reference(companion)}]
    second = {change.second for change in record.changes if change.second}
    users = {change.user for change in record.changes if change.user}
    for name in record.staff:
        role = "verifier" if name in second and name not in users else "author"
        agents.append({"type": concept(role), "who": person_reference(name)})
    began, ended = record.opened_at, record.closed_at  # the host's clock may have been set back in between
    visited: Json = {"occurredPeriod": {"start": instant(began), "end": instant(ended)}} if began <= ended else {}
    return {
        "resourceType": "Provenance",
        "id": made_id("provenance", digest),
        "target": [reference(resource) for resource in targets],
        **visited,
        "recorded": instant(record.closed_at),
        "patient": patient,
        "agent": agents,
        "entity": [{"role": "source", "what": {"identifier": identifier("session-report-sha256", digest)}}],
    }
