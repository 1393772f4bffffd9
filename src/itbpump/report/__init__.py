"""What a visit leaves behind: the session report and the card for an emergency department, as HTML, text, PDF and JSON.

A face keeps a `Visit`, closes it into a `SessionRecord` and calls the forms; all are pure functions of the record, and all say the same.

    visit = Visit.opened(view, profile, log, patient_id="P-0042", staff=["nurse-7"])
    visit = visit.changed("Therapy", outcome, now, review=review, decision=decision, user="nurse-7")
    record = visit.closed(view_after, now, companion=version, library=library, dates=forecast)
    html(record); text(record); pdf(record); json(record); card_html(record); card_text(record); card_pdf(record)

The PDF forms need the extra `report` (reportlab). Not here: reading a pump, writing files, printing, sending.
"""

from __future__ import annotations

from itbpump.report.as_html import html_of
from itbpump.report.as_json import json
from itbpump.report.as_pdf import PAPERS, pdf_of
from itbpump.report.as_text import text_of
from itbpump.report.emergency import emergency_document
from itbpump.report.model import (
    Alarm,
    BolusPulses,
    Change,
    Identity,
    Note,
    PumpState,
    ReportError,
    SessionRecord,
    Settlement,
    Therapy,
    Told,
    Versions,
)
from itbpump.report.session import record_digest, session_document
from itbpump.report.since import Delivered, GivenBoluses, delivered_since
from itbpump.report.visit import Visit

__all__ = [
    "PAPERS",
    "Alarm",
    "BolusPulses",
    "Change",
    "Delivered",
    "GivenBoluses",
    "Identity",
    "Note",
    "PumpState",
    "ReportError",
    "SessionRecord",
    "Settlement",
    "Therapy",
    "Told",
    "Versions",
    "Visit",
    "card_html",
    "card_pdf",
    "card_text",
    "delivered_since",
    "html",
    "json",
    "pdf",
    "record_digest",
    "text",
]


def html(record: SessionRecord) -> str:
    """The session report as one self-contained page."""
    return html_of(session_document(record))


def text(record: SessionRecord) -> str:
    """The session report as text of 80 columns."""
    return text_of(session_document(record))


def pdf(record: SessionRecord, paper: str = "A4") -> bytes:
    """The session report as PDF on `A4` or `letter`; the same record gives the same bytes. Raises ReportError without reportlab."""
    return pdf_of(session_document(record), paper)


def card_html(record: SessionRecord) -> str:
    """The emergency card as one self-contained page."""
    return html_of(emergency_document(record))


def card_text(record: SessionRecord) -> str:
    """The emergency card as text of 80 columns."""
    return text_of(emergency_document(record))


def card_pdf(record: SessionRecord, paper: str = "A4") -> bytes:
    """The emergency card as PDF of one page. Raises ReportError without reportlab, or where it does not fit in letters one can read."""
    return pdf_of(emergency_document(record), paper)
