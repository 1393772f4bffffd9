"""The report of a visit and the emergency card as files: HTML and text always, PDF where the extra is there. Never over another file."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from itbpump.report import ReportError, SessionRecord, card_html, card_pdf, card_text, fhir, html, pdf, text

__all__ = ["save_report"]


def save_report(record: SessionRecord, folder: Path) -> tuple[tuple[str, ...], str]:
    """Names of what was written into `folder`, and why there is no PDF, if there is none. Raises OSError, ReportError."""
    content: dict[str, bytes] = {
        "report.html": html(record).encode(),
        "report.txt": text(record).encode(),
        "card.html": card_html(record).encode(),
        "card.txt": card_text(record).encode(),
    }
    problem = ""
    if record.identity.patient_id:
        content["fhir.json"] = fhir.text(fhir.bundle(record)).encode()
    try:
        content |= {"report.pdf": pdf(record), "card.pdf": card_pdf(record)}
    except ReportError as error:
        problem = f"no PDF: {error}"
    stem = _free_stem(folder, record, tuple(content))
    names = tuple(f"{stem}-{name}" for name in content)
    for name, data in zip(names, content.values(), strict=True):
        with (folder / name).open("xb") as file:
            file.write(data)
    return names, problem


def _free_stem(folder: Path, record: SessionRecord, endings: tuple[str, ...]) -> str:
    stem = f"{record.identity.serial}-{record.closed_at:%Y%m%d-%H%M}"
    for number in count():
        candidate = f"{stem}-{number}" if number else stem
        if not any((folder / f"{candidate}-{ending}").exists() for ending in endings):
            return candidate
    raise AssertionError("count() ended")
