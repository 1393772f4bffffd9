"""What the review says of a change, a start, the path, drug and patient, the pump and the moment, word for word; nothing is left out."""

from __future__ import annotations

import pytest

from itbpump.safety import rules_change, rules_drug, rules_path, rules_present, rules_pump, rules_start
from tests.unit.safety.book import Page, check, severities
from tests.unit.safety.book_change import BOOK, pages

INFO, SOFT, SECOND, HARD = "info", "soft", "second", "hard"
SAID = {
    "other-drug": {SECOND},
    "increase": {INFO, SOFT, SECOND, HARD},
    "first-period": {INFO, SECOND},
    "decrease": {SOFT},
    "stop": {SOFT},
    "bolus-at-once": {INFO, SOFT},
    "identity": {SOFT, SECOND, HARD},
    "start": {INFO, SOFT, SECOND},
    "restart": {INFO, SOFT, SECOND},
    "catch-up": {SECOND, HARD},
    "bridge": {INFO, SOFT, SECOND, HARD},
    "path": {SOFT, HARD},
    "lost-configuration": {SOFT, SECOND, HARD},
    "label": {HARD},
    "refill-discrepancy": {INFO, SOFT},
    "under-delivery": {SECOND},
    "concentration": {HARD},
    "indication": {INFO, SECOND},
    "daily-total": {SOFT, HARD},
    "bolus-size": {SOFT, HARD},
    "surge": {SOFT, HARD},
    "repeated-bolus": {INFO, SOFT},
    "age": {INFO, SECOND},
    "interaction": {INFO, SOFT},
    "condition": {INFO, SOFT},
    "stability": {INFO, SOFT},
    "flow-range": {HARD},
    "bolus-delivery": {HARD},
    "achievable": {SOFT},
    "reservoir": {SOFT, HARD},
    "alarm-volume": {SOFT, HARD},
    "path-volume": {HARD},
    "patient-bolus": {HARD},
    "alarms": {INFO, SOFT},
    "as-of": {INFO},
    "pump-day": {INFO},
    "dates": {INFO, SOFT, HARD},
}
RANKS = (INFO, SOFT, SECOND, HARD)


@pytest.fixture(scope="module")
def said() -> dict[str, Page]:
    """Made once a run; a cache would outlive it and answer for a mutant."""
    return pages()


@pytest.mark.sr(
    "SR-01", "SR-02", "SR-05", "SR-07", "SR-08", "SR-10", "SR-12", "SR-20", "SR-33", "SR-35", "SR-38", "SR-39", "SR-53", "SR-55"
)
def test_the_book_holds_what_the_review_says(said: dict[str, Page]) -> None:
    check(BOOK, said)


def test_every_rule_stands_in_the_book_with_every_severity_it_can_give(said: dict[str, Page]) -> None:
    rules = {
        name: rule
        for module in (rules_change, rules_start, rules_path, rules_drug, rules_pump, rules_present)
        for name, rule in module.RULES.rules.items()
    }
    assert severities(said) == SAID
    assert set(rules) == set(SAID)
    assert {name: rule.worst.word for name, rule in rules.items()} == {name: max(given, key=RANKS.index) for name, given in SAID.items()}


def test_every_rule_has_a_situation_in_which_it_says_nothing(said: dict[str, Page]) -> None:
    silent = {name.partition(":")[0] for name, content in said.items() if not content["findings"]}
    assert silent == set(SAID)
