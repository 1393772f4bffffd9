"""The book of the frame holds what is said of slips of entry, path and reservoir; every rule is in it, with every severity it can give."""

from __future__ import annotations

import pytest

from itbpump.safety import Severity, rules_catheter, rules_entry
from tests.unit.safety.book import check, severities
from tests.unit.safety.book_frame import BOOK, CHAPTERS, pages

INFO, SOFT, SECOND = "info", "soft", "second"
GIVES = {
    "field-swap": {SOFT, SECOND},
    "hours-minutes": {SOFT, SECOND},
    "ten-times": {SOFT, SECOND},
    "tubing": {SECOND},
    "catheter-trim": {INFO, SOFT, SECOND},
    "path-changed": {SOFT, SECOND},
    "volume-differs": {INFO},
}


@pytest.mark.sr("SR-18", "SR-16", "SR-10", "SR-13", "SR-34")
def test_the_book_holds_what_is_said_of_slips() -> None:
    check(BOOK, pages())


def test_every_rule_is_in_the_book_with_every_severity_it_gives() -> None:
    made = pages()
    assert severities(made) == GIVES
    assert [*rules_entry.RULES.rules, *rules_catheter.RULES.rules] == list(GIVES)
    assert len(made) == sum(len(cases) for cases, _ in CHAPTERS.values())


def test_no_rule_is_declared_milder_than_it_is() -> None:
    for name, rule in {**rules_entry.RULES.rules, **rules_catheter.RULES.rules}.items():
        assert rule.worst is max(Severity[word.upper()] for word in GIVES[name]), name
