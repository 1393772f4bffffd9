"""Findings, rules and the review they make: data for a person to judge.

Severities (design 4): info, soft (a reason), second (a reason and a second person), hard (nobody, ever).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum
from functools import cached_property
from typing import Any, Generic, TypeVar

__all__ = ["Achievable", "Finding", "Hit", "Rendering", "Review", "Row", "Rule", "RuleSet", "Severity", "canonical_digest"]


class Severity(IntEnum):
    """How hard a finding stands in the way; ordered."""

    INFO = 0
    SOFT = 1
    SECOND = 2
    HARD = 3

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Hit:
    """What a rule found: `value` against `limit`, as text with unit, the most limiting source, and what to do."""

    severity: Severity
    message: str
    value: str = ""
    limit: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A hit with the rule that made it and the safety requirements it serves. `needs`: the one reason that overrides it, empty for any."""

    rule: str
    sr: tuple[str, ...]
    severity: Severity
    message: str
    value: str
    limit: str
    source: str
    needs: str = ""

    def json(self) -> dict[str, object]:
        return {
            "rule": self.rule,
            "sr": list(self.sr),
            "severity": self.severity.word,
            "message": self.message,
            "value": self.value,
            "limit": self.limit,
            "source": self.source,
            "needs": self.needs,
        }


_Context = TypeVar("_Context")


@dataclass(frozen=True, slots=True)
class Rule(Generic[_Context]):
    """One check. `worst` is the severest it can give; `name` is what an override names, `needs` the reason it must give."""

    name: str
    sr: tuple[str, ...]
    worst: Severity
    check: Callable[[_Context], Iterable[Hit]]
    needs: str = ""


class RuleSet(Generic[_Context]):
    """The rules of one kind of review, in the order they were written."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule[_Context]] = {}

    def rule(
        self, name: str, *sr: str, worst: Severity, needs: str = ""
    ) -> Callable[[Callable[[_Context], Iterable[Hit]]], Callable[[_Context], Iterable[Hit]]]:
        """Register a check under its name. ValueError for a name already taken."""

        def register(check: Callable[[_Context], Iterable[Hit]]) -> Callable[[_Context], Iterable[Hit]]:
            if name in self.rules:
                raise ValueError(f"two rules are named {name!r}")
            self.rules[name] = Rule(name, sr, worst, check, needs)
            return check

        return register

    def include(self, other: RuleSet[_Context], *names: str) -> None:
        """Take over rules of another set, under their names. KeyError for one it does not have, ValueError for one already here."""
        for name in names:
            if name in self.rules:
                raise ValueError(f"two rules are named {name!r}")
            self.rules[name] = other.rules[name]

    def findings(self, context: _Context) -> tuple[Finding, ...]:
        """All findings, the severest first, else in the order of the rules."""
        found = [
            Finding(rule.name, rule.sr, hit.severity, hit.message, hit.value, hit.limit, hit.source, rule.needs)
            for rule in self.rules.values()
            for hit in rule.check(context)
        ]
        return tuple(sorted(found, key=lambda finding: -finding.severity))


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the old-against-new table; `old` is empty where nothing is known of the present."""

    label: str
    old: str
    new: str
    changed: bool

    def json(self) -> dict[str, object]:
        return {"label": self.label, "old": self.old, "new": self.new, "changed": self.changed}


@dataclass(frozen=True, slots=True)
class Achievable:
    """What was prescribed against what the pump's pulses and whole nL/day make of it."""

    what: str
    prescribed: str
    achievable: str
    difference_percent: str

    def json(self) -> dict[str, str]:
        return {
            "what": self.what,
            "prescribed": self.prescribed,
            "achievable": self.achievable,
            "difference_percent": self.difference_percent,
        }


@dataclass(frozen=True, slots=True)
class Rendering:
    """How a review is shown; asked only when somebody looks. Each part is a pure function of what was judged."""

    rows: Callable[[], Iterable[Row]]
    achievable: Callable[[], Iterable[Achievable]]
    current: Callable[[], Mapping[str, Any] | None]
    proposed: Callable[[], Mapping[str, Any]]
    hold: Callable[[], str] = str


@dataclass(frozen=True)
class Review:
    """The judgement of one prescription, bolus or refill. `digest` is what the clinician confirms: it covers order, present state,
    findings and library."""

    findings: tuple[Finding, ...]
    library: Mapping[str, Any]
    digest: str
    rendering: Rendering = field(repr=False, compare=False)
    dates: Mapping[str, Any] | None = None

    @cached_property
    def hold(self) -> str:
        """What another computer can be held to, later: prescription, pump model, library, and which findings ask to be accepted, without
        the readings, which move on with every pulse. Empty where nothing but a pump at hand is judged."""
        return self.rendering.hold()

    @cached_property
    def table(self) -> tuple[Row, ...]:
        """Old against new."""
        return tuple(self.rendering.rows())

    @cached_property
    def achievable(self) -> tuple[Achievable, ...]:
        """Every amount as prescribed and as the pump can give it."""
        return tuple(self.rendering.achievable())

    @cached_property
    def current(self) -> Mapping[str, Any] | None:
        """Figures of the present, for JSON; None where nothing is known of it."""
        return self.rendering.current()

    @cached_property
    def proposed(self) -> Mapping[str, Any]:
        """Figures of what was judged, for JSON."""
        return self.rendering.proposed()

    @property
    def severity(self) -> Severity:
        return max((finding.severity for finding in self.findings), default=Severity.INFO)

    @property
    def verdict(self) -> str:
        """`ok`, `soft`, `second` or `hard`."""
        return "ok" if self.severity is Severity.INFO else self.severity.word

    @property
    def exit_code(self) -> int:
        """0 fine, 3 an override is needed, 4 nobody can (design 5)."""
        return {Severity.INFO: 0, Severity.SOFT: 3, Severity.SECOND: 3, Severity.HARD: 4}[self.severity]

    def _largest_difference(self) -> str:
        """Of all amounts, in percent with its sign, as text."""
        return max((item.difference_percent for item in self.achievable), key=lambda text: abs(Decimal(text.replace(",", ""))), default="0")

    def json(self) -> dict[str, Any]:
        """The form of `review --json`; numbers as text. `dates` is there where a forecast was given."""
        form: dict[str, Any] = {
            "verdict": self.verdict,
            "findings": [finding.json() for finding in self.findings],
            "table": [row.json() for row in self.table],
            "current": self.current,
            "proposed": self.proposed,
            "achievable": {"amounts": [item.json() for item in self.achievable], "largest_difference_percent": self._largest_difference()},
            "library": dict(self.library),
            "digest": self.digest,
        }
        if self.hold:
            form["hold"] = self.hold
        return form if self.dates is None else {**form, "dates": dict(self.dates)}


def canonical_digest(content: Mapping[str, Any]) -> str:
    """SHA-256, as hex, over JSON with sorted keys, no spaces, ASCII only."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")).hexdigest()
