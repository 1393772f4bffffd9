"""The session report: what was found, what was changed and by whom, what was given since, by when to come again, by which versions.

The order is that of a person who reads it later: who and when, what is not settled, the therapy now, then the details. Pure.
"""

from __future__ import annotations

import hashlib
import json as stdlib_json
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

from itbpump.forecast import day_text
from itbpump.report.as_json import json
from itbpump.report.changes import change_section
from itbpump.report.document import Block, Document, Facts, Items, Prose, Section
from itbpump.report.model import PumpState, SessionRecord, Therapy
from itbpump.report.since import Delivered, GivenBoluses
from itbpump.report.words import instant_text, library_text, milli
from itbpump.therapy_view import StepView, count_in_words, days_in_words

__all__ = ["identity_rows", "record_digest", "session_document", "step_rows", "texts"]

NOT_KNOWN = "not known"


@cache
def texts() -> dict[str, Any]:
    """The fixed sentences."""
    return tomllib.loads(resources.files("itbpump.report").joinpath("texts.toml").read_text("utf-8"))


def record_digest(record: SessionRecord) -> str:
    """SHA-256 (hex) over the record as JSON with sorted keys: the same in every form of one report."""
    content = stdlib_json.dumps(json(record), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(content.encode("ascii")).hexdigest()


def session_document(record: SessionRecord) -> Document:
    """The whole report, before any form."""
    who = record.identity
    simulated = " SIMULATED" if who.simulated else ""
    return Document(
        title=f"Session report, pump {who.serial}{simulated}",
        notice=(*_simulated(record), texts()["session"]["notice"]),
        sections=tuple(_sections(record)),
        footer=f"Patient {who.patient_id or NOT_KNOWN}, pump {who.serial}{simulated}, {instant_text(record.closed_at)}, "
        f"report {record_digest(record)[:12]}. Not a medical device.",
    )


def _simulated(record: SessionRecord) -> tuple[str, ...]:
    return ("SIMULATED PUMP: no patient was treated.",) if record.identity.simulated else ()


def identity_rows(record: SessionRecord) -> list[tuple[str, str]]:
    """Which patient, which pump."""
    who = record.identity
    return [
        ("Patient", who.patient_id or f"{NOT_KNOWN}: the pump knows no patient"),
        ("Pump", f"{who.serial}, {who.profile}, firmware {who.firmware}{', SIMULATED' if who.simulated else ''}"),
    ]


def _sections(record: SessionRecord) -> Iterator[Section]:
    visit = [
        *identity_rows(record),
        ("Memory of the pump", who_memory(record)),
        ("Staff", ", ".join(record.staff) or "nobody named"),
        ("First reading", instant_text(record.opened_at)),
        ("Report made", instant_text(record.closed_at)),
    ]
    yield Section("Visit", (Facts(tuple(visit), "Who, which pump, and when"),))
    attention = tuple(_attention(record))
    if attention:
        yield Section("ATTENTION", (Items(attention, loud=True),))
    yield Section("Dates", _date_blocks(record))
    yield Section("The pump at the end of the visit", tuple(_end_blocks(record)))
    changes = [change_section(number, change) for number, change in enumerate(record.changes, 1)]
    none = Prose("Nothing was ordered from the pump in this visit.")
    count = Prose(f"Commands in this visit: {len(changes)}.")
    yield Section("Changes", (count if changes else none,))
    yield from changes
    yield Section("Given since the visit before", tuple(_delivered_blocks(record.delivered)))
    if record.notes:
        rows = tuple((instant_text(note.at), note.text) for note in record.notes)
        yield Section("Notes of the visit", (Facts(rows, "Time and what was seen or done"),))
    yield Section("The pump at the start of the visit", (Facts(record.start.rows, f"As read on {instant_text(record.start.at)}"),))
    yield Section("Versions and hashes", (Facts(tuple(_version_rows(record)), "By what the figures were made"),))


def who_memory(record: SessionRecord) -> str:
    return f"{record.identity.memory_id} (random, made when it was formatted)"


def _attention(record: SessionRecord) -> Iterator[str]:
    """What is not settled when the visit ends, the gravest first."""
    for text in record.open_outcomes:
        yield f"OUTCOME UNKNOWN: {text}. Nobody knows whether the pump obeyed; neither guess is the safe one."
    for text in record.unproven:
        yield f"NOT PROVEN: {text}. The pump took it but does not run what was meant."
    if record.end is None:
        yield f"NOT READ AT THE END: {record.end_note}. What follows is the reading of {instant_text(record.start.at)}."
    for note in record.notes:
        if note.attention:
            yield note.text
    for alarm in record.last.alarms:
        yield f"ALARM, {alarm.priority}: {alarm.text}; to do: {alarm.action}"
    if record.last.run_state != "running":
        yield f"NO THERAPY RUNS: the pump is {record.last.run_state}. Watch for withdrawal."


# ------------------------------------------------------------------------------------------------ dates
def _date_blocks(record: SessionRecord) -> tuple[Block, ...]:
    dates = record.dates
    if dates is None:
        return (Prose(f"No dates: {record.dates_note or 'none were made'}. Book the refill by hand, on the early side.", loud=True),)
    rows = [
        ("Refill by", dates.refill_text),
        ("Alarm, by the pump's count", day_text(dates.alarm)),
        *_bounds("Low reservoir", dates.low_reservoir.earliest, dates.low_reservoir.nominal, dates.low_reservoir.latest),
        *_bounds("Empty reservoir", dates.empty.earliest, dates.empty.nominal, dates.empty.latest),
        ("Drug stable until", day_text(dates.stable_until) if dates.stable_until is not None else NOT_KNOWN),
        ("Battery until", day_text(dates.battery_until) if dates.battery_until is not None else "no end announced"),
        ("Service life until", day_text(dates.service_until) if dates.service_until is not None else NOT_KNOWN),
    ]
    blocks: list[Block] = [Facts(tuple(rows), f"Days, rounded down, as of {instant_text(dates.as_of)}", lead=("Refill by",))]
    if dates.not_checked:
        blocks.append(Items(tuple(f"Not checked: {text}" for text in dates.not_checked)))
    return tuple(blocks)


def _bounds(label: str, *ends: Any) -> Iterator[tuple[str, str]]:
    for side, at in zip(("earliest", "nominal", "latest"), ends, strict=True):
        yield f"{label}, {side}", day_text(at)


# ------------------------------------------------------------------------------------------------ the pump at the end
def _end_blocks(record: SessionRecord) -> Iterator[Block]:
    state = record.last
    if record.end is None:
        yield Prose(f"Not read at the end: {record.end_note}. This is the reading at the start.", loud=True)
    else:
        yield Facts(state.rows, f"As read on {instant_text(state.at)}", lead=("Delivers now", "Programmed"))
    if state.therapy is None:
        yield Prose("The pump has no therapy.")
    else:
        yield Facts(_therapy_rows(state, state.therapy), "The therapy as the pump gives it, each day of the week named")


def _therapy_rows(state: PumpState, therapy: Therapy) -> tuple[tuple[str, str], ...]:
    return (("revision", f"{state.revision:,}"), *therapy.rows, *step_rows(therapy.days))


def step_rows(days: tuple[tuple[StepView, ...], ...]) -> Iterator[tuple[str, str]]:
    """The steps, days that are alike together; none for a therapy that goes by a period."""
    groups: dict[tuple[StepView, ...], list[int]] = {}
    for day, steps in enumerate(days):
        groups.setdefault(steps, []).append(day)
    for steps, weekdays in groups.items():
        for step in steps:
            yield f"{days_in_words(tuple(weekdays))} {step.at}", str(step)


# ------------------------------------------------------------------------------------------------ given
def _delivered_blocks(given: Delivered) -> Iterator[Block]:
    if given.since is None:
        yield Items(tuple(f"Not known: {text}" for text in given.not_known))
        return
    filled = f" of {given.filled}" if given.filled is not None else ""
    what = f"the fill{filled}" if given.reference == "fill" else "the last programming; the log shows no fill"
    rows = [
        ("Counted from", f"{instant_text(given.since)}: {what}"),
        ("In all", _amount(given.total, given.total_mass)),
    ]
    bounds = given.true_bounds
    if bounds is not None and given.total is not None and given.total.nL:
        rows.append(("In all, by the pump's accuracy", f"{milli(bounds[0])} to {milli(bounds[1])}"))
    rows += [
        ("By the pattern", _amount(given.pattern, given.pattern_mass)),
        ("Single boluses", _boluses(given.single)),
        ("Priming boluses", _boluses(given.prime)),
        ("Patient boluses", _boluses(given.patient)),
        ("Patient's requests", f"{_count(given.granted)} granted, {_count(given.denied)} denied"),
        ("Interruptions of the therapy", _count(given.interruptions)),
        ("Not given, as the motor stood", str(given.missed)),
        ("Pulses in doubt after resets", f"{given.doubt_pulses:,}"),
    ]
    yield Facts(tuple(rows), "By the pump's log and counters")
    if given.not_known:
        yield Items(tuple(f"Not known: {text}" for text in given.not_known))
    yield Prose(texts()["session"]["label_is_not_measured"])


def _amount(volume: Any, mass: Any) -> str:
    if volume is None:
        return NOT_KNOWN
    return str(volume) if mass is None else f"{volume}, {mass.rounded()}"


def _boluses(given: GivenBoluses | None) -> str:
    if given is None:
        return NOT_KNOWN
    if not given.count and not given.volume.nL:
        return "none"
    doubt = f", {given.doubt_pulses:,} pulses of it in doubt" if given.doubt_pulses else ""
    return f"{count_in_words(given.count)}, {_amount(given.volume, given.mass)}{doubt}"


def _count(number: int | None) -> str:
    return NOT_KNOWN if number is None else f"{number:,}"


# ------------------------------------------------------------------------------------------------ versions
def _version_rows(record: SessionRecord) -> Iterator[tuple[str, str]]:
    made = record.versions
    yield "Companion", f"itbpump {made.companion}"
    yield "Protocol", f"itbp {made.protocol}"
    yield "Pump profile", made.profile
    yield "Its constants, SHA-256", made.constants
    yield from library_text("Drug library", made.library)
    yield "Configuration at the start", _digest(record.start)
    yield "Configuration at the end", _digest(record.end) if record.end is not None else NOT_KNOWN
    for number, change in enumerate(record.changes, 1):
        if change.review:
            yield f"Review of change {number}", change.review
    yield "Pump's log, entries before", f"{record.start.next_entry:,} written when the visit began"
    if record.end is not None:
        yield "Pump's log, entries after", f"{record.end.next_entry:,} written when it ended"
    yield "Hash of the pump's log", made.log_chain or "not told by this protocol"
    yield "This report, SHA-256", record_digest(record)


def _digest(state: PumpState) -> str:
    return f"revision {state.revision:,}, {state.digest}" if state.digest else "none"
