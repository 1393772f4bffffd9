"""The clinic's worklist: open alerts, worst first, as rows for a screen (`table`), as one HTML page, as JSON.

A row says beside the alert what people did with it and whether anybody was really told: an alert that fired and a word that was delivered
are two things. The page is self-contained, holds no script and loads nothing; it names a patient by the opaque id only if asked to. That
the check itself has stopped stands on top of it, because an empty worklist looks the same as a dead one. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from html import escape
from typing import Any

from itbpump.alerts.model import Alert, AlertKind, Stage
from itbpump.report.document import held_together, plain
from itbpump.report.page_style import POLICY, STACKED, STYLE, cell, framed
from itbpump.wording import DISCLAIMER

__all__ = ["Heartbeat", "Row", "Selection", "json_of", "one_line", "page_of", "selected", "state_text"]

LOOKS = """
body { max-width: 80rem; }
.day, .name:not(.long) { white-space: nowrap; } .said { min-width: 11em; }
.critical th[scope=row], .overdue th[scope=row] { border-left: 8px solid #8b0000; }
.due th[scope=row] { border-left: 8px solid #8a5a00; } .due-soon th[scope=row] { border-left: 8px solid #1b5e20; }
@page { size: landscape; margin: 12mm; }
@media print { body { max-width: none; font-size: 9pt; line-height: 1.25; } .said { min-width: 24em; } th, td { padding: 0.1em 0.4em; } }
"""
SETTLED = frozenset({"resolved", "superseded"})


@dataclass(frozen=True, slots=True)
class Row:
    """One alert and what became of it. `state`: open, acknowledged, snoozed, muted, resolved or superseded; `by`, `reason`, `until` belong
    to the last two acts of a person. `told`: in words, such as `delivered`, `not delivered`, `not told yet`.
    """

    alert: Alert
    state: str = "open"
    by: str = ""
    reason: str = ""
    until: datetime | None = None
    told: str = "not told yet"
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """When the job (the check that also sends) last ran; `longest`: the silence after which it counts as stopped, 26 h (a day and two
    hours)."""

    last_run: datetime | None
    longest: timedelta = timedelta(hours=26)

    def problem(self, now: datetime) -> str:
        """Why this list cannot be trusted, in words; empty if it can."""
        run = "itbpump alerts check --send"
        advice = f"run {run}, and see that it runs by itself: itbpump alerts install --print"
        if self.last_run is None:
            return f"The alert job, which checks and tells people, has never run: {advice}"
        if self.last_run > now:
            return f"The alert job last ran in the future, {_at(self.last_run)}: set this computer's clock, then run {run}"
        if now - self.last_run > self.longest:
            hours = int((now - self.last_run) / timedelta(hours=1))
            return f"The alert job has not run for {hours:,} h, since {_at(self.last_run)}: {advice}"
        return ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows: all conditions must hold. `serial` and `patient` must be the whole text, `states` empty means all that is not settled."""

    least: Stage = Stage.SCHEDULED
    kinds: frozenset[AlertKind] = field(default=frozenset())
    serial: str = ""
    patient: str = ""
    states: frozenset[str] = field(default=frozenset())
    due_until: date | None = None

    def takes(self, row: Row) -> bool:
        """Whether the row is one of them. A row without a due day is not left out by `due_until`: no date is no reason to wait."""
        alert = row.alert
        return (
            alert.stage >= self.least
            and (not self.kinds or alert.kind in self.kinds)
            and (not self.serial or alert.serial == self.serial)
            and (not self.patient or alert.patient_id == self.patient)
            and (row.state in self.states if self.states else row.state not in SETTLED)
            and (self.due_until is None or alert.due is None or alert.due <= self.due_until)
        )


def selected(rows: Iterable[Row], selection: Selection) -> list[Row]:
    """The rows that are meant, worst first, then by day (none before any), pump and key."""
    return sorted(filter(selection.takes, rows), key=_order)


def _order(row: Row) -> tuple[int, date, str, str]:
    return -row.alert.stage, row.alert.due or date.min, row.alert.serial, row.alert.key


def one_line(text: str) -> str:
    """As `plain`, which looks at every sign; most texts show at once that there is nothing to do."""
    return text if text.isprintable() and "  " not in text and text == text.strip() else plain(text)


def state_text(row: Row) -> str:
    """`acknowledged by rn-7: booked`, `snoozed until 19 Aug 2026 08:00 by rn-7: travels`."""
    until = f" until {_at(row.until)}" if row.until is not None and row.state == "snoozed" else ""
    who = f" by {one_line(row.by)}" if row.by else ""
    why = f": {one_line(row.reason)}" if row.reason else ""
    return f"{row.state}{until}{who}{why}"


def json_of(rows: Iterable[Row], heartbeat: Heartbeat, *, now: datetime) -> dict[str, Any]:
    """The same for programs, at `now`."""
    return {
        "as_of": now.isoformat(timespec="seconds"),
        "check": {
            "last_run": None if heartbeat.last_run is None else heartbeat.last_run.isoformat(timespec="seconds"),
            "problem": heartbeat.problem(now) or None,
        },
        "alerts": [_row_json(row) for row in rows],
    }


def _row_json(row: Row) -> Mapping[str, Any]:
    alert = row.alert
    return {
        "key": alert.key,
        "kind": alert.kind.value,
        "stage": alert.stage.word,
        "serial": alert.serial,
        "patient": alert.patient_id,
        "cycle": alert.cycle,
        "due": None if alert.due is None else alert.due.isoformat(),
        "title": alert.title,
        "lines": list(alert.lines),
        "since": alert.since.isoformat(timespec="seconds"),
        "supersedes": alert.supersedes or None,
        "state": row.state,
        "by": row.by or None,
        "reason": row.reason or None,
        "until": None if row.until is None else row.until.isoformat(timespec="seconds"),
        "told": row.told,
        "told_at": None if row.told_at is None else row.told_at.isoformat(timespec="seconds"),
    }


# ------------------------------------------------------------------------------------------------ the page
def page_of(rows: Iterable[Row], heartbeat: Heartbeat, *, now: datetime, show_patient: bool = False) -> str:
    """The whole page; rows in the order given, one table per stage."""
    by_stage: dict[Stage, list[Row]] = {}
    for row in rows:
        by_stage.setdefault(row.alert.stage, []).append(row)
    return "\n".join([*_head(), *_body(by_stage, heartbeat, now, show_patient), "</html>", ""])


def _head() -> Iterator[str]:
    yield "<!DOCTYPE html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield "<title>Pump worklist</title>"
    yield f"<style>{STYLE}{LOOKS}</style>"
    yield "</head>"


def _body(by_stage: Mapping[Stage, list[Row]], heartbeat: Heartbeat, now: datetime, show_patient: bool) -> Iterator[str]:
    yield "<body>"
    yield "<main>"
    yield "<h1>Pump worklist</h1>"
    problem = heartbeat.problem(now)
    if problem:
        yield f'<p class="loud" role="alert">ATTENTION: {_text(problem)}. This list may be out of date.</p>'
    yield f"<p>As of {_at(now)}. {_text(_counted(by_stage))}</p>"
    for stage in sorted(by_stage, reverse=True):
        name = stage.word.replace(" ", "-")
        yield f'<section aria-labelledby="{name}">'
        yield f'<h2 id="{name}">{stage.word.capitalize()}: {len(by_stage[stage]):,}</h2>'
        yield from _table(by_stage[stage], stage, show_patient)
        yield "</section>"
    yield "</main>"
    yield f"<footer><p>itbpump, {escape(DISCLAIMER)}.</p></footer>"
    yield "</body>"


def _counted(by_stage: Mapping[Stage, list[Row]]) -> str:
    if not by_stage:
        return "No open alerts."
    return f"Open: {', '.join(f'{len(by_stage[stage]):,} {stage.word}' for stage in sorted(by_stage, reverse=True))}."


def _table(rows: Iterable[Row], stage: Stage, show_patient: bool) -> Iterator[str]:
    caption = f"Alerts at stage {stage.word}, earliest day first"
    return framed(_lines(rows, caption, show_patient), caption, f"{STACKED} {stage.word.replace(' ', '-')}")


def _lines(rows: Iterable[Row], caption: str, show_patient: bool) -> Iterator[str]:
    heads = ["pump", *(["patient"] if show_patient else []), "day", "what", "state", "told", "reference"]
    yield f"<caption>{caption}</caption>"
    titles = "".join(f'<th scope="col">{head}</th>' for head in heads)
    yield f"<thead><tr>{titles}</tr></thead>"
    yield "<tbody>"
    for row in rows:
        alert = row.alert
        said = (alert.title, *alert.lines)
        cells = [
            _cell(alert.serial, "th", "row", kind="name"),
            *([_cell(alert.patient_id, kind="name", label="patient")] if show_patient else []),
            cell(_day(alert.due), "", kind="day", label="day"),
            cell("<br>".join(map(_text, said)), " ".join(said), kind="said", label="what"),
            _cell(state_text(row), label="state"),
            _cell(row.told + (f", {_at(row.told_at)}" if row.told_at is not None else ""), label="told"),
            _cell(alert.key, label="reference"),
        ]
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody>"


def _cell(text: str, tag: str = "td", scope: str = "", *, kind: str = "", label: str = "") -> str:
    return cell(_text(text), text, tag, scope, kind, label)


def _text(text: str) -> str:
    return escape(held_together(one_line(text)), quote=True)


def _day(day: date | None) -> str:
    from itbpump.forecast import day_text  # noqa: PLC0415  (`--version` stays fast)

    return day_text(day) if day is not None else "none"


def _at(moment: datetime) -> str:
    return f"{_day(moment.date())} {moment:%H:%M}"
