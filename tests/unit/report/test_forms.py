"""Every form of a report says the same, by the same rules, and nothing typed by anybody can change what a form is (SR-17, SR-57)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from itbpump import report
from itbpump.drugs import library_names, load_library
from itbpump.drugs.model import Passage, Texts
from itbpump.forecast import day_text
from itbpump.quantity import Amount, Volume
from itbpump.report import SessionRecord
from itbpump.report.as_html import html_of
from itbpump.report.as_pdf import PAPERS, pdf_of, printable
from itbpump.report.as_text import text_of
from itbpump.report.document import Block, Compared, Document, Facts, Prose, Section, plain
from itbpump.report.emergency import emergency_document
from itbpump.report.session import session_document
from tests.unit.cli.ismp import faults
from tests.unit.report.forms import html_parts, pdf_pages, pdf_text, squeezed
from tests.unit.report.records import records
from tests.unit.report.visits import rich_record

GOLDEN = Path(__file__).parent / "golden"
# Not shrunk: a record has hundreds of drawn fields, and the assertion names the one that is wrong.
SOME = settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))


def all_forms(document: Document) -> dict[str, str]:
    """The text a reader sees in each form."""
    return {
        "html": html_parts(html_of(document))[0],
        "text": text_of(document),
        "pdf": pdf_text(pdf_of(document, compressed=False)),
    }


def said(value: Any) -> Iterator[str]:
    """Every text and figure of a record, as people read it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Amount):
        yield str(value.rounded())
    elif isinstance(value, datetime):
        yield day_text(value)
    elif isinstance(value, tuple):
        for item in value:
            yield from said(item)
    elif is_dataclass(value):
        for item in fields(value):
            yield from said(getattr(value, item.name))


# ------------------------------------------------------------------------------------------------ the same in all
@SOME
@given(records)
def test_all_forms_say_the_same(record: SessionRecord) -> None:
    """Every row, sentence and item of the document stands in each form, wherever its lines are broken."""
    document = session_document(record)
    wanted = [text for section in document.sections for block in section.blocks for text in _sentences(block)]
    wanted += [document.title, document.footer, *document.notice, *(section.heading for section in document.sections)]
    for name, form in all_forms(document).items():
        held = squeezed(form)
        if name == "pdf":  # what stands below a page comes between the halves of a cell that goes over to the next
            foot = re.escape(squeezed(printable(document.footer))) + r"Page\d+of\d+\."
            assert re.search(foot, held), "pdf lacks its footer"
            held = re.sub(foot, "", held) + squeezed(printable(document.footer))
        for text in wanted:
            assert squeezed(printable(text) if name == "pdf" else plain(text)) in held, f"{name} lacks {text!r}"


def _sentences(block: Block) -> Iterator[str]:
    """What of a block is not cut by columns: in a table of three, cells of several lines lie side by side."""
    if isinstance(block, Compared):
        yield from (amount for row in block.rows for amount in row[1:3] if len(amount) < 20)
    else:
        yield from said(replace(block, caption="", lead=()) if isinstance(block, Facts) else block)


@SOME
@given(records)
def test_no_figure_of_a_record_is_left_out(record: SessionRecord) -> None:
    """Straight from the record, not by way of the document: dates, volumes, masses, counts, ids, hashes, words of outcomes."""
    form = squeezed(html_parts(report.html(record))[0])
    parts: list[Any] = [record.identity.serial, record.identity.patient_id, record.identity.memory_id, *record.staff, record.opened_at]
    parts += [record.versions.companion, record.versions.constants, record.start.rows, record.last.rows, record.start.digest]
    parts += [record.delivered.since, record.delivered.total, record.delivered.pattern, record.delivered.missed]
    parts += [part for boluses in (record.delivered.single, record.delivered.patient) if boluses for part in (boluses.volume, boluses.mass)]
    if record.dates is not None:
        parts += [record.dates.refill_by, record.dates.alarm, record.dates.low_reservoir.earliest, record.dates.empty.latest]
    for change in record.changes:
        parts += [
            change.title,
            change.user,
            change.second,
            str(change.cmd_id),
            change.told.text,
            change.told.note,
            change.review,
            change.at,
        ]
        parts += [(row.label, row.old, row.new) for row in change.table]
        parts += [(finding.rule, finding.message, finding.source) for finding in change.findings]
        named = {finding.rule for finding in change.findings}
        parts += [(item.text, item.user, item.second) for item in change.overrides if item.rule in named]
        if change.refill is not None:
            refill = change.refill
            parts += [refill.aspirated, refill.filled, refill.volume_after, Volume(abs(refill.discrepancy.difference_nL or 0))]
        if change.settled is not None:
            parts += [change.settled.told.text, change.settled.at]
    for text in said(tuple(parts)):
        assert squeezed(plain(text)) in form, f"lacks {text!r}"


@SOME
@given(records)
def test_the_card_says_drug_dose_and_date_in_every_form(record: SessionRecord) -> None:
    state = record.last
    wanted: list[Any] = [state.drug, state.concentration, record.identity.patient_id, record.identity.serial, state.at, state.delivering]
    if state.therapy is not None:
        wanted += [state.therapy.mean_day, state.therapy.patient_bolus]
    if record.dates is not None:
        wanted += [record.dates.refill_by, record.dates.alarm]
    wanted += [(alarm.text, alarm.action) for alarm in state.alarms]
    if record.care is not None:
        wanted += [
            record.care.overdose.text,
            record.care.overdose.source,
            record.care.withdrawal_care.text,
            record.care.withdrawal_care.source,
        ]
    for name, form in all_forms(emergency_document(record)).items():
        held = squeezed(form)
        for text in said(tuple(wanted)):
            assert squeezed(printable(text) if name == "pdf" else plain(text)) in held, f"{name} lacks {text!r}"
        assert "NOT a medical device" in " ".join(form.split())
        assert "NO medical advice" in " ".join(form.split())
        for blank in ("Pump lies at", "Clinic and telephone", "Out of hours"):
            assert blank in form


def test_a_broken_number_is_seen() -> None:
    """The checks above compare with the record: a form with one figure changed does not pass them."""
    record = rich_record()
    assert record.delivered.total is not None
    other = replace(record, delivered=replace(record.delivered, total=Volume(record.delivered.total.nL + 1_000)))
    shown = str(record.delivered.total)
    for name, form in all_forms(session_document(other)).items():
        assert f"{shown}, 10,884 mcg" not in form.replace("\n", " "), name


# ------------------------------------------------------------------------------------------------ printed by the rules
@pytest.mark.sr("SR-17")
@pytest.mark.parametrize("made", [session_document, emergency_document])
def test_every_form_keeps_the_ismp_rules(made: Any) -> None:
    for name, form in all_forms(made(rich_record())).items():
        assert list(faults(form)) == [], name


@pytest.mark.sr("SR-17")
@pytest.mark.parametrize("drug", library_names())
def test_cards_of_every_drug_keep_the_rules_and_one_page(drug: str) -> None:
    record = replace(rich_record(), care=load_library(drug).texts)
    for name, form in all_forms(emergency_document(record)).items():
        assert list(faults(form)) == [], name
    for paper in PAPERS:
        assert pdf_pages(report.card_pdf(record, paper)) == 1
    assert len(report.card_text(record).splitlines()) <= 72


@SOME
@given(records)
def test_no_line_of_text_is_longer_than_80_columns(record: SessionRecord) -> None:
    for form in (report.text(record), report.card_text(record)):
        assert [line for line in form.splitlines() if len(line) > 80] == []
        assert all(sign.isprintable() or sign == "\n" for sign in form)


@pytest.mark.sr("SR-57")
def test_a_change_and_a_warning_are_told_by_words() -> None:
    record = replace(rich_record(), end=None, end_note="the line was lost")
    for name, form in all_forms(session_document(record)).items():
        assert form.count("CHANGED") >= 6, name
        assert "NOT READ AT THE END: the line was lost" in " ".join(form.split()), name


@pytest.mark.sr("SR-17")
def test_an_amount_never_breaks_and_a_table_too_wide_has_a_frame_to_scroll() -> None:
    """Seen in a browser 390 px wide: `1,250 mcg` on two lines, in a cell where words might break anywhere."""
    page = report.html(rich_record())
    cells = re.findall(r"<t[dh]([^>]*)>(.*?)</t[dh]>", page)
    assert len(cells) > 100
    for marks, text in cells:
        assert ("long" in marks) == any(len(word) > 24 for word in unescape(text).split()), text
    assert any("long" in marks for marks, _ in cells), "a hash has no other place to break"
    assert "anywhere" not in re.sub(r"\.long {[^}]*}", "", page)
    _, tags = html_parts(page)
    frames = [attributes for tag, attributes in tags if tag == "div"]
    assert len(frames) == page.count("<table") > 5
    assert all(frame["tabindex"] == "0" and frame["role"] == "region" and frame["aria-label"] for frame in frames)


@pytest.mark.sr("SR-57")
def test_a_changed_amount_has_the_head_of_its_column_with_it() -> None:
    """On a phone a row stands as a block: nobody may take the old dose for the new one."""
    _, tags = html_parts(report.html(rich_record()))
    labels = [attributes.get("data-label") for tag, attributes in tags if tag == "td"]
    told = [label for label in labels if label]
    assert len(told) >= 3 * 10
    assert told == ["before", "after", "change"] * (len(told) // 3)
    stacked = [attributes for tag, attributes in tags if tag == "table" and attributes.get("class") == "stacked"]
    assert len(stacked) == sum(bool(change.table) for change in rich_record().changes)


def test_dose_drug_and_refill_day_lead() -> None:
    page = report.card_html(rich_record())
    lead = re.findall(r'<tr class="lead"><th scope="row">(.*?)</th><td>(.*?)</td>', page)
    assert [label for label, _ in lead] == ["Drug in the reservoir", "Daily dose", "Refill by"]
    assert lead[1][1].replace("\u00a0", " ") == "200 mcg per day (every day)"
    lead = re.findall(r'<tr class="lead"><th scope="row">(.*?)</th>', report.html(rich_record()))
    assert lead == ["Refill by", "Delivers now", "Programmed"]


def test_what_is_not_settled_is_set_apart() -> None:
    page = report.html(replace(rich_record(), end=None, end_note="the line was lost"))
    assert re.search(r'ATTENTION</h2>\s*<ul class="loud">\s*<li>NOT READ AT THE END', page)


def test_the_pdf_has_the_captions_and_every_word_of_a_comparison() -> None:
    """A caption says as of when, and whose figures: the PDF once left it out, and left the place of `same` empty."""
    document = session_document(rich_record())
    words = squeezed(pdf_text(pdf_of(document, compressed=False)))
    tables = [block for section in document.sections for block in section.blocks if isinstance(block, Facts | Compared)]
    assert len(tables) > 5
    for table in tables:
        assert squeezed(printable(table.caption)) in words
    same = sum(not changed and bool(old) for table in tables if isinstance(table, Compared) for _, old, _, changed in table.rows)
    assert same > 5
    assert pdf_text(pdf_of(document, compressed=False)).split("\n").count("same") == same


# ------------------------------------------------------------------------------------------------ what was typed
@SOME
@given(records)
def test_what_was_typed_makes_no_markup(record: SessionRecord) -> None:
    """The tags of a hostile record are those of the same record with plain words in its place."""
    for page in (report.html(record), report.card_html(record)):
        _, tags = html_parts(page)
        assert {tag for tag, _ in tags} <= TAGS
        assert all(set(attributes) <= ATTRIBUTES for _, attributes in tags)


TAGS = set(
    re.findall(r"\w+", "html head meta title style body main section h1 h2 h3 p div table caption thead tbody tr th td ul li span footer")
)
ATTRIBUTES = {
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "aria-labelledby",
    "id",
    "scope",
    "role",
    "tabindex",
    "aria-label",
    "data-label",
}


def test_a_hostile_patient_id_is_shown_as_it_is() -> None:
    record = rich_record()
    hostile = '<script>alert("x")</script>\u202e'
    record = replace(record, identity=replace(record.identity, patient_id=hostile))
    for page in (report.html(record), report.card_html(record)):
        assert "<script" not in page
        assert '<script>alert("x")</script>[U+202E]' in html_parts(page)[0]
    assert "[U+202E]" in report.text(record)


def test_a_page_is_accessible_and_alone() -> None:
    page = report.html(rich_record())
    _, tags = html_parts(page)
    names = [tag for tag, _ in tags]
    assert ("html", {"lang": "en"}) in tags
    assert [names.count(one) for one in ("h1", "main", "title")] == [1, 1, 1]
    headings = [int(tag[1]) for tag in names if tag in {"h1", "h2", "h3"}]
    assert all(after - before <= 1 for before, after in pairwise(headings))
    assert all(attributes.get("scope") in {"row", "col"} for tag, attributes in tags if tag == "th")
    assert names.count("caption") == names.count("table")
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes["aria-labelledby"] for _, attributes in tags if "aria-labelledby" in attributes} == set(ids)
    assert not any(word in page for word in ("http://", "https://", "url(", "@import", "<script", "src=", "href="))
    assert "default-src &#x27;none&#x27;" in page
    assert "@media print" in page


# ------------------------------------------------------------------------------------------------ PDF
def test_the_same_record_gives_the_same_bytes() -> None:
    record = rich_record()
    assert report.pdf(record) == report.pdf(record)
    assert report.card_pdf(record) == report.card_pdf(record)
    assert report.pdf(record).startswith(b"%PDF-")


def test_every_page_says_which_pump_and_of_how_many() -> None:
    content = pdf_of(session_document(rich_record()), compressed=False)
    pages = pdf_pages(content)
    assert pages > 1
    words = " ".join(pdf_text(content).split())
    for page in range(1, pages + 1):
        assert f"Page {page} of {pages}." in words
    assert words.count("Patient P-0103, pump P4000001 SIMULATED") == pages


def _longer(care: Texts, times: int) -> Texts:
    longer = {item.name: replace(getattr(care, item.name), text=" ".join([getattr(care, item.name).text] * times)) for item in fields(care)}
    assert all(isinstance(passage, Passage) for passage in longer.values())
    return Texts(**longer)


def test_a_card_with_long_texts_is_one_page_in_smaller_letters() -> None:
    record = rich_record()
    assert record.care is not None
    record = replace(record, care=_longer(record.care, 4))
    assert pdf_pages(pdf_of(replace(emergency_document(record), one_page=False))) > 1
    for paper in PAPERS:
        assert pdf_pages(report.card_pdf(record, paper)) == 1


def test_a_card_that_nobody_could_read_is_refused() -> None:
    record = rich_record()
    assert record.care is not None
    with pytest.raises(report.ReportError, match="does not fit one page"):
        report.card_pdf(replace(record, care=_longer(record.care, 30)))


def test_without_reportlab_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reportlab.platypus", None)
    with pytest.raises(report.ReportError, match="reportlab") as raised:
        report.pdf(rich_record())
    assert raised.value.action == 'pip install "itbpump[report]"'
    assert report.text(rich_record())


def test_an_unknown_paper_is_refused() -> None:
    with pytest.raises(report.ReportError, match="no paper"):
        report.pdf(rich_record(), "A3")


def test_signs_that_the_fonts_lack_are_shown_by_number() -> None:
    document = Document("t", (), (Section("h", (Prose("א and − and é"),)),), "f")
    assert "[U+05D0] and - and é" in pdf_text(pdf_of(document, compressed=False))


# ------------------------------------------------------------------------------------------------ golden
@pytest.mark.parametrize(("name", "form"), [("session", report.text), ("card", report.card_text)])
def test_the_text_of_a_rich_visit_is_as_it_was(name: str, form: Any) -> None:
    """The hashes of this tree's libraries and of the report itself change with them, and are left out."""
    path = GOLDEN / f"{name}.txt"
    assert _without_hashes(form(rich_record())) == path.read_text("utf-8"), f"compare and renew {path.name}"


def _without_hashes(text: str) -> str:
    return re.sub(r"report\s+[0-9a-f]{12}", "report …", re.sub(r"\b[0-9a-f]{64}\b", "…", text))
