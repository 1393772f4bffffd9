"""`log --decisions`: what was decided here, with reasons and persons, as a person reads it."""

from __future__ import annotations

import json

import pytest

from itbpump.hoststate import Intent
from itbpump.wording.decisions import decision_lines, decisions_json

RECORD = {
    "review": "93987c2a4f3027c8" * 4,
    "verdict": "soft",
    "library": {"name": "baclofen", "version": "2", "sha256": "f824f9698000" + "0" * 52},
    "overrides": [
        {
            "rule": "bolus-size", "value": "60 mcg", "limit": "50 mcg", "reason": "monitored", "text": "on ward 3 until tomorrow",
            "user": "u-1", "second": "",
        }
    ],
    "user": "u-1",
    "second": "",
    "patient": "P-0042",
}  # fmt: skip


def intent(cmd_id: int, what: str, state: str, basis: object = None) -> Intent:
    return Intent(cmd_id, 2, bytes(32), b"", what, state, "", json.dumps(basis) if basis is not None else "")


@pytest.mark.sr("SR-03", "SR-17")
def test_a_decision_is_read_with_its_reasons() -> None:
    intents = (intent(1, "stop the therapy", "applied"), intent(2, "a bolus of 60 mcg", "not_applied", RECORD))
    assert decision_lines(intents) == [
        "     2  a bolus of 60 mcg: not applied",
        "        review 93987c2a4f3027c8, soft; library baclofen 2, f824f9698000; user",
        "          u-1, patient P-0042",
        "        override bolus-size: 60 mcg against 50 mcg; monitored: on ward 3 until",
        "          tomorrow",
        "     1  stop the therapy: applied",
        "        nothing was judged",
    ]
    oldest, newest = decisions_json(intents)
    assert (oldest["command"], oldest["decision"]) == ("1", None)
    assert newest["decision"]["overrides"][0]["text"] == "on ward 3 until tomorrow"
    assert decision_lines(()) == ["nothing was decided here for this pump"]
