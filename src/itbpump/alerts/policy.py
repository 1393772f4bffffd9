"""Figures and words of the alerts: `rules.toml`, and a clinic's own file over it.

`load_policy()` gives the shipped one; `policy_of(text, place)` one changed by a clinic's TOML, which may set [leads], [quiet_h] and
[closed] (plain values, no sources) and nothing else. What is out of order is refused, never adjusted. Not here: contacts (the registry),
channels.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from itbpump.alerts.calendar_days import WEEKDAYS, ClosedDays
from itbpump.alerts.errors import AlertPolicyError
from itbpump.alerts.model import AlertKind, Stage

__all__ = ["Leads", "Mute", "Policy", "RuleRow", "load_policy", "policy_of", "stage_of"]

SCHEMA = "itbpump.alert-rules/1"
LONGEST = 365
LONGEST_OF: Mapping[str, int] = {"leads.minimum_critical_h": 8_760}
"""A clinic whose patients live at the minimum rate (weaned, catheter kept open) may have that told at the most as overdue, for a year."""
CLINIC_TABLES = ("leads", "quiet_h", "closed")


@dataclass(frozen=True, slots=True)
class Leads:
    """Days before a date (hours where the name says `_h`) at which a stage begins; see `rules.toml` for each."""

    refill_least: int
    refill_booking: int
    refill_soon_more: int
    stability_soon: int
    stability_due: int
    battery_soon: int
    battery_due: int
    silent_due: int
    silent_overdue: int
    stopped_overdue_h: int
    stopped_critical_h: int
    minimum_overdue_h: int
    minimum_critical_h: int
    snooze_most: int


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule: its words, the requirements it serves, its source."""

    id: str
    kind: AlertKind
    sr: tuple[str, ...]
    title: str
    lines: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Mute:
    """An alert of kind `by` (one of `subjects`, any if empty) at `least` or above keeps those of kind `mutes` quiet, for the same pump."""

    by: AlertKind
    subjects: frozenset[str]
    least: Stage
    mutes: frozenset[AlertKind]
    muted_subjects: frozenset[str]
    why: str


@dataclass(frozen=True, slots=True)
class Policy:
    """All that the rules and the stage machine go by. `quiet_h`: hours between two words at a stage; `scheduled` is not told at all."""

    leads: Leads
    quiet_h: Mapping[Stage, int]
    closed: ClosedDays
    rules: Mapping[str, RuleRow]
    alarms: Mapping[str, Stage]
    mutes: tuple[Mute, ...]
    escalate_from: Stage
    once: frozenset[AlertKind]

    def digest(self) -> str:
        """Of what a clinic sets: the same for two files that say the same."""
        closed = self.closed
        days = [sorted(closed.weekdays), sorted(day.isoformat() for day in closed.own), closed.country, closed.subdivision]
        form = [asdict(self.leads), {str(int(stage)): hours for stage, hours in self.quiet_h.items()}, days]
        return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()


@cache
def load_policy() -> Policy:
    """What is shipped. Raises AlertPolicyError for a damaged installation."""
    place = "rules.toml"
    data = tomllib.loads(resources.files("itbpump.alerts").joinpath(place).read_text("utf-8"))
    if data["schema"] != SCHEMA:
        raise AlertPolicyError(place, "schema", f"{data['schema']!r} is not {SCHEMA!r}", "install this version again")
    leads = Leads(**{key: _days(place, f"leads.{key}", row["value"]) for key, row in data["leads"].items()})
    quiet = {stage_of(key): _days(place, f"quiet_h.{key}", row["value"]) for key, row in data["quiet_h"].items()}
    rules = {row["id"]: _rule(row) for row in data["rule"]}
    mutes = tuple(_mute(row) for row in data["mute"])
    alarms = {key: stage_of(word) for key, word in data["alarms"].items()}
    closed = _closed(place, data["closed"], ClosedDays())
    telling = data["telling"]
    once = frozenset(map(AlertKind, telling["once"]["value"]))
    return _ordered(place, Policy(leads, quiet, closed, rules, alarms, mutes, stage_of(telling["escalate_from"]["value"]), once))


def policy_of(text: str, place: str) -> Policy:
    """The shipped policy with a clinic's changes. Raises AlertPolicyError naming place and key, and the nearest key there is."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AlertPolicyError(place, "(file)", f"no TOML: {error}", "write lines such as refill_booking = 10 under [leads]") from error
    policy = load_policy()
    _only(place, "", data, CLINIC_TABLES)
    given: Mapping[str, Any] = data.get("leads", {})
    _only(place, "leads.", given, Leads.__dataclass_fields__)
    leads = replace(policy.leads, **{key: _days(place, f"leads.{key}", value) for key, value in given.items()})
    hours: Mapping[str, Any] = data.get("quiet_h", {})
    _only(place, "quiet_h.", hours, [stage.name.lower() for stage in policy.quiet_h])
    quiet = {**policy.quiet_h, **{stage_of(key): _days(place, f"quiet_h.{key}", value) for key, value in hours.items()}}
    closed = _closed(place, data.get("closed", {}), policy.closed)
    return _ordered(place, replace(policy, leads=leads, quiet_h=quiet, closed=closed))


def stage_of(word: str) -> Stage:
    """`due_soon` or `due soon`. KeyError for a word that is no stage."""
    return Stage[word.upper().replace(" ", "_")]


def _rule(row: Mapping[str, Any]) -> RuleRow:
    return RuleRow(row["id"], AlertKind(row["kind"]), tuple(row["sr"]), row["title"], tuple(row["lines"]), row["source"])


def _mute(row: Mapping[str, Any]) -> Mute:
    kinds, muted = frozenset(map(AlertKind, row["mutes"])), frozenset(row.get("muted_subjects", []))
    return Mute(AlertKind(row["by"]), frozenset(row["subjects"]), stage_of(row["from"]), kinds, muted, row["why"])


def _days(place: str, key: str, value: object) -> int:
    longest = LONGEST_OF.get(key, LONGEST)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= longest:
        raise AlertPolicyError(place, key, f"{value!r} is no number from 1 to {longest}", "write a whole number, without quotes")
    return value


def _only(place: str, prefix: str, data: object, known: Any) -> None:
    if not isinstance(data, dict):
        raise AlertPolicyError(place, prefix.rstrip("."), "this is no table", f"write [{prefix.rstrip('.')}] and keys below it")
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(key, list(known), n=1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"keys are {', '.join(known)}"
            raise AlertPolicyError(place, prefix + key, "there is no such key for a clinic", hint)


def _closed(place: str, data: Any, base: ClosedDays) -> ClosedDays:
    _only(place, "closed.", data, ("weekdays", "country", "subdivision", "days"))
    weekdays, days = data.get("weekdays"), data.get("days")
    if weekdays is not None and (not isinstance(weekdays, list) or set(weekdays) - set(WEEKDAYS) or len(set(weekdays)) == len(WEEKDAYS)):
        raise AlertPolicyError(
            place, "closed.weekdays", f"{weekdays!r} are no closed weekdays", 'write some of them, such as ["sat", "sun"]'
        )
    if days is not None and (not isinstance(days, list) or any(type(day) is not date for day in days)):
        raise AlertPolicyError(place, "closed.days", "these are no days", "write [2026-12-24, 2026-12-31], without quotes")
    for key in ("country", "subdivision"):
        if not isinstance(data.get(key, ""), str):
            raise AlertPolicyError(place, f"closed.{key}", "this is no text", 'write a code such as "DE"')
    closed = ClosedDays(
        weekdays=base.weekdays if weekdays is None else frozenset(WEEKDAYS.index(day) for day in weekdays),
        own=base.own if days is None else frozenset(days),
        country=data.get("country", base.country),
        subdivision=data.get("subdivision", base.subdivision),
    )
    problem = closed.problem()
    if problem:
        raise AlertPolicyError(place, "closed.country", problem, "use the codes of the library holidays, or an own list in closed.days")
    return closed


def _ordered(place: str, policy: Policy) -> Policy:
    leads, quiet = policy.leads, policy.quiet_h
    pairs = (
        ("leads.stability_soon", leads.stability_soon, "leads.stability_due", leads.stability_due),
        ("leads.battery_soon", leads.battery_soon, "leads.battery_due", leads.battery_due),
        ("leads.silent_overdue", leads.silent_overdue, "leads.silent_due", leads.silent_due),
        ("leads.stopped_critical_h", leads.stopped_critical_h, "leads.stopped_overdue_h", leads.stopped_overdue_h),
        ("leads.minimum_critical_h", leads.minimum_critical_h, "leads.minimum_overdue_h", leads.minimum_overdue_h),
        ("quiet_h.due_soon", quiet[Stage.DUE_SOON], "quiet_h.due", quiet[Stage.DUE]),
        ("quiet_h.due", quiet[Stage.DUE], "quiet_h.overdue", quiet[Stage.OVERDUE]),
        ("quiet_h.overdue", quiet[Stage.OVERDUE], "quiet_h.critical", quiet[Stage.CRITICAL]),
    )
    for longer, more, shorter, less in pairs:
        if more < less:
            raise AlertPolicyError(place, longer, f"{more} is less than {shorter}, which is {less}", "put them in order")
    return policy
