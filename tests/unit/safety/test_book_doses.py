"""The book of doses holds what reviews of boluses, primes and refills say; every rule is in it, with every severity it can give."""

from __future__ import annotations

import pytest

from itbpump.safety import Rule, Severity, bolus, prime, refill
from tests.unit.safety.book import check, severities
from tests.unit.safety.book_doses import BOOK, pages

INFO, SOFT, SECOND, HARD = "info", "soft", "second", "hard"
ALARMS = {INFO, SOFT}
GIVES: dict[str, dict[str, set[str]]] = {
    "bolus": {
        "alarms": ALARMS,
        "identity": {SECOND},
        "bolus-size": {SOFT, HARD},
        "bolus-delivery": {HARD},
        "achievable": {SOFT},
        "daily-total": {SOFT, HARD},
        "whole-day-at-once": {SECOND},
        "catch-up": {SECOND},
        "repeated-bolus": {INFO, SOFT},
        "bolus-soon": {SOFT, SECOND},
        "first-period": {INFO},
        "unknown-patient": {INFO},
        "pump-state": {HARD},
        "path": {SOFT, HARD},
        "reservoir": {HARD},
    },
    "prime": {
        "alarms": ALARMS,
        "identity": {SECOND},
        "bolus-delivery": {HARD},
        "daily-total": {SOFT, HARD},
        "reservoir": {HARD},
        "prime-volume": {SECOND, HARD},
        "tubing": {SECOND},
        "prime-full-path": {INFO, SECOND},
        "prime-repeat": {HARD},
        "prime-label": {HARD},
        "prime-state": {HARD},
    },
    "refill": {
        "alarms": ALARMS,
        "refill-discrepancy": {SOFT},
        "under-delivery": {SECOND},
        "reservoir": {HARD},
        "alarm-volume": {INFO},
        "not-running": {SOFT},
        "stability": {INFO},
    },
}
RULES: dict[str, dict[str, Rule[bolus.BolusContext]] | dict[str, Rule[refill.RefillContext]]] = {
    "bolus": bolus.RULES.rules,
    "prime": prime.RULES.rules,
    "refill": refill.RULES.rules,
}


@pytest.mark.sr("SR-02", "SR-03", "SR-13", "SR-38")
def test_the_book_holds_what_is_said_of_doses() -> None:
    check(BOOK, pages())


@pytest.mark.parametrize("chapter", GIVES)
def test_every_rule_is_in_the_book_with_every_severity_it_gives(chapter: str) -> None:
    made = {name: content for name, content in pages().items() if name.startswith(f"{chapter}: ")}
    assert severities(made) == GIVES[chapter]
    assert list(RULES[chapter]) == list(GIVES[chapter])


@pytest.mark.parametrize("chapter", GIVES)
def test_no_rule_is_declared_milder_than_it_is(chapter: str) -> None:
    for name, rule in RULES[chapter].items():
        assert rule.worst >= max(Severity[word.upper()] for word in GIVES[chapter][name]), name
