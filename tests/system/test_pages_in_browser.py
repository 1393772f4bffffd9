"""Every page that itbpump writes, drawn by a browser: nothing runs out of a phone, and the emergency card is one sheet of paper.

Optional: without Chromium these are skipped with the reason.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from itbpump import report
from itbpump.alerts.channels.message import message_of
from itbpump.alerts.model import Stage
from itbpump.alerts.worklist import Heartbeat, Row, Selection, page_of, selected
from itbpump.drugs import library_names, load_library
from itbpump.hil.model import Outcome
from itbpump.hil.report import page as hil_page
from tests.system.chromium import Measured, browser, measured, printed_pages
from tests.unit.alert_channels.samples import DAY, NOW, alert, notification
from tests.unit.hil.runs import measured as figure
from tests.unit.hil.runs import one_test, run_of, trumpet
from tests.unit.report.visits import rich_record

pytestmark = pytest.mark.slow
PHONE, DESK = 390, 1_280
LONG_WORD = "0123456789abcdef" * 12
RICH = rich_record()
LONG = replace(
    RICH,
    identity=replace(RICH.identity, patient_id=f"P-{LONG_WORD}"),
    staff=tuple(f"nurse-{number}-{LONG_WORD[:40]}" for number in range(9)),
    contact="Clinic for spasticity and intrathecal therapy, house 7, level 3, telephone 0000 000000, by night 0000 000001",
)
POOR = replace(RICH, changes=(), notes=(), dates=None, dates_note="no library", end=None, end_note="the line was lost", care=None)


def worklist(count: int) -> str:
    """That many alerts of every stage, some without a day, some acted on."""
    rows = [
        Row(
            alert(key=f"refill/P40-{number:06d}/ab12/3", serial=f"P40-{number:06d}", stage=list(Stage)[number % len(Stage)], due=due),
            ("open", "acknowledged", "snoozed")[number % 3],
            "rn-7",
            "booked with the family",
            NOW,
            ("delivered", "NOT DELIVERED: refused by every way tried", "not told yet")[number % 3],
        )
        for number in range(count)
        for due in [None if number % 9 == 0 else DAY + timedelta(days=number)]
    ]
    return page_of(selected(rows, Selection()), Heartbeat(None), now=NOW, show_patient=True)


def mail() -> str:
    long = notification(lines=("Pump P40-000123: refill by 19 Aug 2026.", LONG_WORD))
    part = next(part for part in message_of(long, "pumps@clinic.example").walk() if part.get_content_type() == "text/html")
    return str(part.get_content())


def hil(*, long: bool) -> str:
    name = f"hil/test_of_a_long_name.py::test_{'long_name_' * 12}[{LONG_WORD}]" if long else "hil/test_delivery.py::test_volume"
    failed = one_test(
        name,
        "sim://P-40?firmware=over-delivers&fill=38mL&seed=7",
        Outcome.FAIL,
        cause=f"AssertionError: {LONG_WORD * 2 if long else 'too much'}",
        measurements=(figure("volume of two hours", "1018482.123456", "nL", "737970", "990030"),),
        series=trumpet(),
        requirements=("SR-24",),
    )
    return hil_page.page_of(run_of(failed, one_test(measurements=(figure(),))), {"SR-24": "What was delivered equals the program."})


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    row = Row(alert(key="k" * 60, serial="S" * 40, title="T" * 150), "acknowledged", f"{'u' * 50}@clinic.example", "r" * 200)
    return {
        "session": report.html(RICH),
        "session-long": report.html(LONG),
        "session-poor": report.html(POOR),
        "card": report.card_html(RICH),
        "card-long": report.card_html(LONG),
        "card-poor": report.card_html(POOR),
        "worklist": worklist(300),
        "worklist-long": page_of([row], Heartbeat(NOW), now=NOW, show_patient=True),
        "worklist-none": page_of([], Heartbeat(NOW), now=NOW),
        "mail": mail(),
        "hil": hil(long=False),
        "hil-long": hil(long=True),
        "hil-none": hil_page.page_of(run_of(), {}),
    }


@pytest.fixture(scope="module")
def on_a_phone(pages: dict[str, str]) -> dict[str, Measured]:
    return measured(browser(), pages, PHONE)


@pytest.fixture(scope="module")
def on_a_desk(pages: dict[str, str]) -> dict[str, Measured]:
    return measured(browser(), pages, DESK)


def test_nothing_lies_beyond_the_edge_of_a_phone(on_a_phone: dict[str, Measured], pages: dict[str, str]) -> None:
    assert set(on_a_phone) == set(pages)
    too_wide = {name: page.width for name, page in on_a_phone.items() if page.width > page.window}
    assert too_wide == {}
    # A column that must be scrolled to is one that somebody does not see: an outcome, a warning that nobody was told.
    assert {name: page.scrolled for name, page in on_a_phone.items() if page.scrolled} == {}


def test_nothing_lies_beyond_the_edge_of_a_desk(on_a_desk: dict[str, Measured]) -> None:
    assert {name: page.width for name, page in on_a_desk.items() if page.width > page.window} == {}


def test_the_number_of_a_pump_is_never_broken(on_a_desk: dict[str, Measured], on_a_phone: dict[str, Measured]) -> None:
    for page in (on_a_desk["worklist"], on_a_phone["worklist"]):
        assert len(page.row_heads) == 300
        assert [serial for serial, lines in page.row_heads if lines != 1] == []


@pytest.mark.parametrize("name", ["card", "session"])
def test_dose_and_refill_day_are_larger_than_the_rest(on_a_desk: dict[str, Measured], name: str) -> None:
    page = on_a_desk[name]
    assert len(page.loud) == 3
    assert min(page.loud) > 1.2 * max(page.usual)


def test_bars_are_long_enough_to_tell_places_apart(on_a_desk: dict[str, Measured], on_a_phone: dict[str, Measured]) -> None:
    for page in (on_a_desk["hil"], on_a_phone["hil"]):
        assert page.bars
        assert min(page.bars) >= 120


@pytest.mark.parametrize("paper", ["A4", "letter"])
@pytest.mark.parametrize("what", ["card", "card-long", "card-poor", *library_names()])
def test_the_emergency_card_is_one_sheet(pages: dict[str, str], what: str, paper: str) -> None:
    page = pages[what] if what in pages else report.card_html(replace(RICH, care=load_library(what).texts))
    sized = page.replace("</head>", f"<style>@page {{ size: {paper}; }} @page card {{ size: {paper}; }}</style></head>")
    assert printed_pages(browser(), sized) == 1


def test_a_session_report_is_more_than_one_sheet(pages: dict[str, str]) -> None:
    """Sheets are really counted."""
    assert printed_pages(browser(), pages["session"]) > 2
