"""The companion's judgement: rules, review, overrides. Nothing is sent that has not passed here; the pump then checks again on its own.

`review(rx, current)`, `review_bolus(…)`, `review_prime(…)` and `review_refill(…)` give a `Review`; `decide(review, reasons, user, second)`
says whether it may go ahead.
"""

from __future__ import annotations

from itbpump.safety.bolus import review_bolus
from itbpump.safety.model import Achievable, Finding, Review, Row, Rule, Severity
from itbpump.safety.overrides import REASONS, Decision, Override, OverrideError, basis_of, decide
from itbpump.safety.prime import review_prime
from itbpump.safety.rebase import review_rebase
from itbpump.safety.refill import review_refill
from itbpump.safety.review import all_rules, review

__all__ = [
    "REASONS",
    "Achievable",
    "Decision",
    "Finding",
    "Override",
    "OverrideError",
    "Review",
    "Row",
    "Rule",
    "Severity",
    "all_rules",
    "basis_of",
    "decide",
    "review",
    "review_bolus",
    "review_prime",
    "review_rebase",
    "review_refill",
]
