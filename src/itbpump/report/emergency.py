"""The card for an emergency department: one page with who, which drug, how much, signs and first steps, alarms, whom to call.

Texts on overdose and withdrawal are the drug library's, with their sources; the rest stands in `texts.toml` with its own. What this tool
does not know (where the pump lies, whom to call) is a line to fill in by hand. It is no medical advice, and says so. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from itbpump.drugs.model import Passage, Texts
from itbpump.forecast import day_text
from itbpump.quantity import Duration
from itbpump.report.document import Blanks, Block, Document, Facts, Items, Prose, Section
from itbpump.report.model import SessionRecord
from itbpump.report.session import NOT_KNOWN, identity_rows, record_digest, texts
from itbpump.report.words import instant_text
from itbpump.wire.messages import EMERGENCY_WINDOW_MS, MAGNET_HOLD_MS
from itbpump.wording.layout import spelled_out

__all__ = ["emergency_document"]


def emergency_document(record: SessionRecord) -> Document:
    """The card, before any form."""
    who = record.identity
    simulated = ("SIMULATED PUMP: no patient carries it.",) if who.simulated else ()
    return Document(
        title=f"Emergency card: implanted drug pump{' (SIMULATED)' if who.simulated else ''}",
        notice=(*simulated, texts()["card"]["notice"]),
        sections=tuple(_sections(record)),
        footer=f"Patient {who.patient_id or NOT_KNOWN}, pump {who.serial}, {instant_text(record.closed_at)}, "
        f"report {record_digest(record)[:12]}. Valid until the next visit.",
        one_page=True,
    )


def _sections(record: SessionRecord) -> Iterator[Section]:
    yield Section("Pump and dose", tuple(_pump_blocks(record)))
    if record.care is None:
        yield Section("Too much or too little drug", (Prose(texts()["card"]["care_unknown"], loud=True),))
    else:
        yield from _care(record.care)
    points = [_point(point) for point in texts()["card"]["point"].values()]
    yield Section("The pump", (Items(tuple(points)),))
    clinic: tuple[Block, ...] = (Facts((("Clinic", record.contact),), "As the clinic set it"),) if record.contact else ()
    asked = ("Pump lies at", *(() if clinic else ("Clinic and telephone",)), "Out of hours")
    yield Section("Whom to call", (*clinic, Blanks(asked)))


def _pump_blocks(record: SessionRecord) -> Iterator[Block]:
    state, dates = record.last, record.dates
    drug = f"{state.drug}, {state.concentration}" if state.concentration is not None else f"{NOT_KNOWN}: the pump holds no therapy"
    dates_text = dates.refill_text if dates is not None else f"{NOT_KNOWN}: {record.dates_note or 'no dates were made'}"
    volume = f"{state.reservoir}, alarm at {state.low_alarm}" if state.reservoir is not None else NOT_KNOWN
    alarms = "; ".join(f"{alarm.priority}: {alarm.text} (to do: {alarm.action})" for alarm in state.alarms)
    rows = [
        *identity_rows(record),
        ("Drug in the reservoir", drug),
        ("Daily dose", _dose_text(record)),
        ("Now", f"{state.run_state}; {state.delivering}"),
        ("Patient may add", _patient_text(record)),
        ("Left by the count", volume),
        ("Refill by", dates_text),
        ("Alarm, by the count", day_text(dates.alarm) if dates is not None else NOT_KNOWN),
        ("Alarms at the reading", alarms or "none"),
        ("Read on", instant_text(state.at)),
    ]
    yield Facts(tuple(rows), "As the pump says", lead=("Drug in the reservoir", "Daily dose", "Refill by"))
    doubts = [f"OUTCOME UNKNOWN: {text}; the dose may be another." for text in record.open_outcomes]
    doubts += [f"NOT PROVEN: {text}; the dose may be another." for text in record.unproven]
    if record.end is None:
        doubts.append(f"NOT READ AT THE END OF THE VISIT: {record.end_note}.")
    if doubts:
        yield Prose(" ".join(doubts), loud=True)
    yield Prose(texts()["card"]["doses"])


def _dose_text(record: SessionRecord) -> str:
    therapy = record.last.therapy
    if therapy is None:
        return f"{NOT_KNOWN}: no therapy could be read"
    days = "every day" if therapy.lowest_day == therapy.highest_day else f"mean; days from {therapy.lowest_day} to {therapy.highest_day}"
    stands = "" if record.last.run_state == "running" else f" PROGRAMMED, BUT THE PUMP IS {record.last.run_state.upper()}"
    return f"{therapy.mean_day} ({days}){stands}"


def _patient_text(record: SessionRecord) -> str:
    therapy = record.last.therapy
    return NOT_KNOWN if therapy is None else therapy.patient_bolus or "nothing"


def _care(care: Texts) -> Iterator[Section]:
    yield Section("Signs of too much drug, and first steps", (Prose(_passage(care.overdose)),))
    withdrawal = care.withdrawal.text
    warning = Passage(f"{withdrawal[:1].upper()}{withdrawal[1:]}.", care.withdrawal.mark, care.withdrawal.source)
    yield Section(
        "Signs of too little drug (withdrawal), and first steps", (Prose(_passage(warning)), Prose(_passage(care.withdrawal_care)))
    )


def _passage(passage: Passage) -> str:
    """A text with its origin; one that nobody has checked says so in capitals."""
    return f"{passage.text} [Source: {spelled_out(passage.origin).replace('unverified', 'UNVERIFIED')}]"


def _point(point: dict[str, Any]) -> str:
    text = point["text"].format(window=Duration(EMERGENCY_WINDOW_MS), hold=Duration(MAGNET_HOLD_MS))
    return _passage(Passage(text, point["mark"], point["source"]))
