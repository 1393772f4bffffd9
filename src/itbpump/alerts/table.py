"""The worklist as lines of 80 columns: words first; a colour only repeats the word of the stage. Pure.

Three lines an alert: what is urgent about which pump and when, what it is, and the reference by which it is acknowledged. With details what
is known of it and what to do stand between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime

from itbpump.alerts.model import Stage
from itbpump.alerts.worklist import Heartbeat, Row, one_line, state_text
from itbpump.wording.layout import wrapped

__all__ = ["COLOURS", "table_lines"]

COLOURS = {
    Stage.CRITICAL: "bright_red",
    Stage.OVERDUE: "red",
    Stage.DUE: "yellow",
    Stage.DUE_SOON: "green",
    Stage.SCHEDULED: "",
}
"""Of the word of the stage, on a terminal that has colours; an empty one stays as it is."""
_FORM = "{:<10} {:<12} {:<14} {}"
_INSET = " " * 11


def table_lines(
    rows: Sequence[Row],
    heartbeat: Heartbeat,
    *,
    now: datetime,
    colour: bool = False,
    show_patient: bool = True,
    details: bool = False,
) -> Iterator[str]:
    """The lines, rows in the order given. `colour`: with the codes of a terminal around the stage."""
    problem = heartbeat.problem(now)
    if problem:
        yield from wrapped(f"ATTENTION: {problem}. This list may be out of date.")
        yield ""
    if not rows:
        yield "No open alerts are chosen by this."
        return
    yield _FORM.format("stage", "day", "pump", "state").rstrip()
    for row in rows:
        yield from _row_lines(row, colour, show_patient, details)
    yield ""
    yield f"{_counted(rows)}."
    if not details:
        yield "What to do about each: itbpump alerts list --details"
    yield "To acknowledge: itbpump alerts ack REFERENCE"


def _row_lines(row: Row, colour: bool, show_patient: bool, details: bool) -> Iterable[str]:
    alert = row.alert
    word = alert.stage.word.upper() if alert.stage >= Stage.OVERDUE else alert.stage.word
    first, *further = wrapped(_FORM.format(word, _day(alert.due), one_line(alert.serial), state_text(row)), hanging=38)
    if colour and COLOURS[alert.stage]:
        first = _coloured(word, COLOURS[alert.stage]) + first[len(word) :]
    patient = f" Patient {one_line(alert.patient_id)}." if show_patient and alert.patient_id else ""
    told = f"{one_line(row.told)}{f', {_day(row.told_at.date())} {row.told_at:%H:%M}' if row.told_at is not None else ''}"
    second = f"{_INSET}{one_line(alert.title).rstrip('.')}.{patient} Told: {told}."
    told_of = [part for line in (alert.lines if details else ()) for part in wrapped(f"{_INSET}{one_line(line)}", hanging=11)]
    return [first, *further, *wrapped(second, hanging=11), *told_of, f"{_INSET}reference {one_line(alert.key)}"]


def _coloured(word: str, colour: str) -> str:
    import typer  # noqa: PLC0415

    return typer.style(word, fg=colour)


def _counted(rows: Sequence[Row]) -> str:
    counts = [(stage, sum(row.alert.stage is stage for row in rows)) for stage in sorted(Stage, reverse=True)]
    return ", ".join(f"{count:,} {stage.word}" for stage, count in counts if count)


def _day(day: date | None) -> str:
    from itbpump.forecast import day_text  # noqa: PLC0415

    return day_text(day) if day is not None else "no day"
