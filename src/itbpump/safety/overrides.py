"""Overrides: who accepts which finding, and why (SR-03). Hard findings have none.

A reason is one of a closed list, then `: ` and the matter in words, so that reasons can be counted and read; any other text counts as
`other`. A finding may name the one reason that fits it (a stop: `acknowledged`). A rule may have several findings in one review, as one
for each step of a day: one reason accepts all of them, which is said where it is asked for; each is logged with its own value and limit,
and with how many the reason stands for. Not here: asking a person, storing the record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from itbpump.errors import InputError
from itbpump.safety.model import Finding, Review, Severity

__all__ = ["REASONS", "Decision", "Override", "OverrideError", "basis_of", "decide"]

REASONS: dict[str, str] = {
    "specialist": "a specialist decided so, with the patient's record at hand",
    "tolerated": "the patient had this dose before and tolerated it",
    "monitored": "the patient is watched in hospital",
    "comfort": "the aim is comfort; the risk is accepted and recorded",
    "equipment": "needed for a check or repair of pump or catheter",
    "acknowledged": "the warning was read; the patient and carers are informed",
    "other": "another reason, in free text",
}


class OverrideError(InputError):
    """An override that cannot be: a rule without a finding, an empty reason, the same person twice."""


@dataclass(frozen=True, slots=True)
class Override:
    """One accepted finding, as logged: rule, value, limit, reason, who. `covers`: how many findings of the rule its reason stands for."""

    rule: str
    value: str
    limit: str
    reason: str
    text: str
    user: str
    second: str
    covers: int = 1

    def json(self) -> dict[str, str]:
        """As it is kept with the command; `covers` is there for more than one finding."""
        form = {
            "rule": self.rule,
            "value": self.value,
            "limit": self.limit,
            "reason": self.reason,
            "text": self.text,
            "user": self.user,
            "second": self.second,
        }
        return {**form, "covers": str(self.covers)} if self.covers > 1 else form


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a review lets the change through, what is still missing (in words), and what was overridden."""

    allowed: bool
    exit_code: int
    missing: tuple[str, ...]
    overrides: tuple[Override, ...]


def decide(review: Review, reasons: Mapping[str, str], user: str = "", second: str = "") -> Decision:
    """Hold the reasons given (`rule` → `reason: text`, or text alone) against the findings of a review.

    `exit_code` is 0 allowed, 3 something is missing, 4 a hard finding. A soft finding needs a reason, a `second` one also `user` and
    `second`. The reason of a rule accepts all findings it has in this review that are not hard.
    Raises OverrideError for a reason without text, another reason than the finding needs, a rule that has no finding to override, and a
    second person who is the first.
    """
    if second.strip() and second.strip().casefold() == user.strip().casefold():
        raise OverrideError("the second person is the first", action="a second check is done by somebody else")
    open_findings = [finding for finding in review.findings if finding.severity is not Severity.INFO]
    for rule in reasons:
        if rule not in {finding.rule for finding in open_findings}:
            raise OverrideError(f"nothing to override for {rule!r}", action="name a rule that has a finding in this review")
    missing: list[str] = []
    accepted: list[Override] = []
    times = Counter(finding.rule for finding in open_findings if finding.severity is not Severity.HARD)
    for finding in open_findings:
        lacks = _lacks(finding, reasons, user, second, times[finding.rule])
        if lacks:
            missing.append(lacks)
        else:
            word, text = _reason(reasons[finding.rule])
            accepted.append(Override(finding.rule, finding.value, finding.limit, word, text, user, second, times[finding.rule]))
    blocked = any(finding.severity is Severity.HARD for finding in open_findings)
    return Decision(not missing, 4 if blocked else 3 if missing else 0, tuple(dict.fromkeys(missing)), tuple(accepted))


def basis_of(review: Review, decision: Decision, user: str = "", second: str = "", patient_id: str = "") -> dict[str, Any]:
    """What a decision rested on, as it is kept with the command: the review's digest, the library, each override with value, limit, reason
    and who (SR-03); the patient where one is named."""
    form: dict[str, Any] = {
        "review": review.digest,
        "verdict": review.verdict,
        "library": dict(review.library),
        "overrides": [item.json() for item in decision.overrides],
        "user": user,
        "second": second,
    }
    return {**form, "patient": patient_id} if patient_id else form


def _lacks(finding: Finding, reasons: Mapping[str, str], user: str, second: str, times: int) -> str:
    if finding.severity is Severity.HARD:
        return f"{finding.rule}: a hard limit, which nobody can override"
    if finding.rule not in reasons:
        which = f"the reason {finding.needs!r}" if finding.needs else "a reason"
        covers = f", one for all {times} findings of this rule" if times > 1 else ""
        return f"{finding.rule}: needs {which}{covers}{' and a second person' if finding.severity is Severity.SECOND else ''}"
    word, _ = _reason(reasons[finding.rule])
    if finding.needs and word != finding.needs:
        action = f"write --override {finding.rule}={finding.needs}: and what was said to whom"
        raise OverrideError(f"{finding.rule} is accepted only by the reason {finding.needs!r}, {REASONS[finding.needs]}", action=action)
    if finding.severity is Severity.SECOND and not (user.strip() and second.strip()):
        return f"{finding.rule}: needs the ids of the person who decides and of a second person"
    return ""


def _reason(given: str) -> tuple[str, str]:
    word, _, text = (part.strip() for part in given.partition(":"))
    if word not in REASONS:
        word, text = "other", given.strip()
    if not text:
        raise OverrideError(
            "a reason in words is missing", action=f"give one of {', '.join(REASONS)}, then a colon and the matter in a few words"
        )
    return word, text
