"""The worklist on screen, as a page and for programs: the worst first, words before colour, and a dead check on top of it all."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.alerts.model import AlertKind, Stage
from itbpump.alerts.table import COLOURS, table_lines
from itbpump.alerts.worklist import Heartbeat, Row, Selection, json_of, one_line, page_of, selected, state_text
from itbpump.report.document import plain
from tests.unit.alert_channels.samples import DAY, NOW, alert
from tests.unit.cli.ismp import faults

ALIVE = Heartbeat(NOW - timedelta(hours=1))
STATES = ("open", "acknowledged", "snoozed", "muted", "resolved", "superseded")
rows = st.builds(
    Row,
    st.builds(
        alert,
        key=st.text(min_size=1, max_size=30),
        stage=st.sampled_from(Stage),
        kind=st.sampled_from(AlertKind),
        serial=st.text(min_size=1, max_size=20),
        due=st.none() | st.dates(min_value=date(2020, 1, 1), max_value=date(2090, 1, 1)),
        title=st.text(max_size=80),
    ),
    st.sampled_from(STATES),
    by=st.text(max_size=10),
    reason=st.text(max_size=100),
    until=st.none() | st.just(NOW),
)


def plain_lines(*shown: Row, heartbeat: Heartbeat = ALIVE, **options: bool) -> list[str]:
    return list(table_lines(shown, heartbeat, now=NOW, **options))


# ------------------------------------------------------------------------------------------------ which rows, in which order
@given(st.lists(rows, max_size=8), st.sampled_from(Stage), st.sets(st.sampled_from(AlertKind)), st.sets(st.sampled_from(STATES)))
def test_a_selection_takes_all_that_fit_and_nothing_else_worst_first(
    every: list[Row], least: Stage, kinds: set[AlertKind], states: set[str]
) -> None:
    found = selected(every, Selection(least, frozenset(kinds), states=frozenset(states)))
    assert [row.alert.stage for row in found] == sorted((row.alert.stage for row in found), reverse=True)
    for row in every:
        fits = row.alert.stage >= least and (not kinds or row.alert.kind in kinds)
        fits = fits and (row.state in states if states else row.state not in {"resolved", "superseded"})
        assert (row in found) == fits


def test_a_row_without_a_day_comes_first_and_is_never_left_out_by_a_day() -> None:
    late, none, soon = Row(alert(due=date(2026, 9, 9))), Row(alert(due=None)), Row(alert())
    assert selected([late, soon, none], Selection()) == [none, soon, late]
    assert selected([late, soon, none], Selection(due_until=DAY)) == [none, soon]


def test_pump_and_patient_are_asked_by_their_whole_name() -> None:
    row = Row(alert())
    assert selected([row], Selection(serial="P40-000123", patient="P-0042")) == [row]
    assert selected([row], Selection(serial="P40")) == []
    assert selected([row], Selection(patient="P-004")) == []


# ------------------------------------------------------------------------------------------------ the table
def test_the_table_says_in_words_what_the_colour_repeats() -> None:
    shown = [Row(alert(stage=stage, key=f"k{stage}")) for stage in sorted(Stage, reverse=True)]
    plain = plain_lines(*shown)
    coloured = plain_lines(*shown, colour=True)
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in coloured] == plain
    assert plain != coloured
    assert set(COLOURS) == set(Stage)
    heads = [line for line in plain if "P40-000123" in line]
    assert [line.split("  ")[0] for line in heads] == ["CRITICAL", "OVERDUE", "due", "due soon", "scheduled"]
    counted = "1 critical, 1 overdue, 1 due, 1 due soon, 1 scheduled."
    assert plain[-3:] == [counted, "What to do about each: itbpump alerts list --details", "To acknowledge: itbpump alerts ack REFERENCE"]
    assert plain_lines(*shown, details=True)[-2:] == [counted, "To acknowledge: itbpump alerts ack REFERENCE"]


def test_a_row_tells_pump_day_state_patient_delivery_and_reference() -> None:
    row = Row(alert(), "acknowledged", "rn-7", "booked", None, "delivered", NOW)
    assert plain_lines(row)[1:4] == [
        "due soon   19 Aug 2026  P40-000123     acknowledged by rn-7: booked",
        "           Refill by 19 Aug 2026. Patient P-0042. Told: delivered, 1 Aug 2026",
        "           10:30.",
    ]
    assert plain_lines(row)[4] == "           reference refill/P40-000123/ab12/3"
    assert "P-0042" not in "\n".join(plain_lines(row, show_patient=False))
    assert alert().lines
    assert plain_lines(row, details=True)[4:-3] == [f"           {line}" for line in alert().lines] + plain_lines(row)[4:5]
    snoozed = Row(alert(), "snoozed", "rn-7", "travels", NOW)
    assert state_text(snoozed) == "snoozed until 1 Aug 2026 10:30 by rn-7: travels"


@given(st.lists(rows, max_size=4))
def test_the_table_fits_the_screen_and_no_text_moves_what_stands_beside_it(every: list[Row]) -> None:
    for line in [*plain_lines(*every), *plain_lines(*every, details=True)]:
        assert line.isprintable()
        # A reference is copied as it stands, and a word that is longer than the line runs over.
        assert len(line) <= 80 or line.startswith("           reference ") or max(map(len, line.split())) > 40


@given(st.text(max_size=60) | st.text("a \u00a0\u202e\u200b\t\ud800", max_size=12))
def test_the_quick_way_to_one_plain_line_is_the_slow_one(text: str) -> None:
    assert one_line(text) == plain(text)


def test_nothing_to_show_and_ten_thousand_rows() -> None:
    assert plain_lines() == ["No open alerts are chosen by this."]
    many = [Row(alert(key=f"refill-{number:016x}", serial=f"P40-{number:06d}")) for number in range(10_000)]
    lines = plain_lines(*selected(many, Selection()))
    assert sum("reference" in line for line in lines) == 10_000
    assert lines[-3] == "10,000 due soon."


# ------------------------------------------------------------------------------------------------ the check itself
@pytest.mark.sr("SR-40")
@pytest.mark.parametrize(
    ("heartbeat", "says"),
    [
        (Heartbeat(None), "has never run"),
        (Heartbeat(NOW - timedelta(hours=26, seconds=1)), "has not run for 26 h, since 31 Jul 2026 08:29"),
        (Heartbeat(NOW + timedelta(minutes=1)), "in the future"),
    ],
)
def test_a_dead_check_is_told_on_top_of_every_form(heartbeat: Heartbeat, says: str) -> None:
    problem = heartbeat.problem(NOW)
    assert says in problem
    assert "itbpump alerts check" in problem
    table = " ".join(plain_lines(heartbeat=heartbeat))
    assert table.startswith("ATTENTION: ")
    assert says in table
    page = page_of([], heartbeat, now=NOW)
    assert f"ATTENTION: {problem}" in outline(page).text.replace("\u00a0", " ")
    assert json_of([], heartbeat, now=NOW)["check"]["problem"] == problem


def test_a_living_check_is_not_spoken_of() -> None:
    edge = Heartbeat(NOW - timedelta(hours=26))
    assert edge.problem(NOW) == ""
    assert "ATTENTION" not in page_of([], edge, now=NOW)
    assert json_of([], edge, now=NOW)["check"]["problem"] is None


# ------------------------------------------------------------------------------------------------ the page
class Outline(HTMLParser):
    """Tags in order, and whether each closes."""

    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text += data


def outline(page: str) -> Outline:
    found = Outline()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


@given(st.lists(rows, max_size=6))
def test_the_page_is_whole_accessible_and_loads_nothing(every: list[Row]) -> None:
    page = page_of(selected(every, Selection()), ALIVE, now=NOW)
    found = outline(page)
    names = [tag for tag, _ in found.tags]
    assert not {"script", "img", "link", "iframe", "form", "object"} & set(names)
    assert not any(name in {"src", "href", "style"} or name.startswith("on") for _, attributes in found.tags for name in attributes)
    assert dict(found.tags)["html"]["lang"] == "en"
    assert names.count("h1") == names.count("main") == 1
    assert names.count("table") == names.count("caption") == names.count("h2")
    assert all(attributes.get("scope") in {"col", "row"} for tag, attributes in found.tags if tag == "th")
    assert "default-src 'none'" in next(attributes["content"] or "" for tag, attributes in found.tags if "http-equiv" in attributes)


def test_each_cell_says_what_it_is_where_columns_have_no_room() -> None:
    """On a phone a row stands as a block; the number of a pump stays on one line everywhere, also behind a hyphen."""
    for show in (False, True):
        found = outline(page_of([Row(alert())], ALIVE, now=NOW, show_patient=show))
        labels = [attributes.get("data-label") for tag, attributes in found.tags if tag == "td"]
        assert labels == [*(["patient"] if show else []), "day", "what", "state", "told", "reference"]
        heads = [attributes for tag, attributes in found.tags if tag == "th" and attributes.get("scope") == "row"]
        assert heads == [{"scope": "row", "class": "name"}]
        assert next(attributes["class"] for tag, attributes in found.tags if tag == "table") == "stacked due-soon"


def test_the_page_says_the_stage_in_words_and_no_patient_unless_asked() -> None:
    page = page_of([Row(alert(stage=Stage.OVERDUE)), Row(alert(key="b"))], ALIVE, now=NOW)
    text = outline(page).text.replace("\u00a0", " ")
    assert "Overdue: 1" in text
    assert "Due soon: 1" in text
    assert "Open: 1 overdue, 1 due soon." in text
    assert "Refill by 19 Aug 2026" in text
    assert "P-0042" not in page
    assert "P-0042" in page_of([Row(alert())], ALIVE, now=NOW, show_patient=True)
    assert "No open alerts." in page_of([], ALIVE, now=NOW)
    assert list(faults(text)) == []


@given(st.lists(rows, max_size=4))
def test_the_form_for_programs_is_json_and_says_what_the_table_says(every: list[Row]) -> None:
    form = json.loads(json.dumps(json_of(every, ALIVE, now=NOW)))
    assert [entry["key"] for entry in form["alerts"]] == [row.alert.key for row in every]
    assert {entry["stage"] for entry in form["alerts"]} <= {stage.word for stage in Stage}
    assert all(entry["due"] is None or date.fromisoformat(entry["due"]) for entry in form["alerts"])
