"""The life of one alert, pure: opened, raised stage by stage, told, acknowledged, snoozed, escalated, moved, settled; each step journalled.

* A stage only rises within one `generation`. A new date (`moved`) or the same cause found again (`reopened`) begins the next generation.
* Acknowledged, or snoozed: neither repeated nor escalated until its stage rises. Critical: told again whatever was said.
* Told: to the first contact; from `due` on to the next when that one's hours pass without acknowledgement; at once where it cannot be
  reached; what is critical, to all at once. A kind told `once` is neither repeated nor escalated.
* Never twice to one contact at one stage within the quiet hours of that stage, a new earlier date excepted.

Not here: what is found (rules), rows of a database (store), the messages made of a telling (outbox).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from itbpump.alerts.calendar_days import EARLIEST_ZONE
from itbpump.alerts.errors import AlertsError, NotSnoozable
from itbpump.alerts.model import Alert, Contact, Stage
from itbpump.alerts.policy import Policy
from itbpump.alerts.rules import Finding

__all__ = [
    "AlertState",
    "Event",
    "Said",
    "Telling",
    "Told",
    "Transition",
    "acknowledge",
    "decide",
    "farewell",
    "observe",
    "settle",
    "snooze",
]

ONE_HOUR = timedelta(hours=1)
LONGEST_REASON = 500


class Event(StrEnum):
    """What happened to an alert; a row of its journal each."""

    OPENED = "opened"
    RAISED = "raised"
    MOVED = "moved"
    REOPENED = "reopened"
    MUTED = "muted"
    UNMUTED = "unmuted"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    TOLD = "told"
    ESCALATED = "escalated"
    REPEATED = "repeated"
    SUPERSEDED = "superseded"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the journal. `author` is empty for what the program did by itself; `detail` says why, in words."""

    key: str
    at: datetime
    event: Event
    stage: Stage
    generation: int
    author: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What a person said to an alert: acknowledged at a stage, or snoozed `until`."""

    author: str
    reason: str
    at: datetime
    stage: Stage
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """The newest word to one contact: at which stage, since when at it, the round and when that was decided (not: delivered)."""

    stage: Stage
    first: datetime
    round: int
    at: datetime


@dataclass(frozen=True, slots=True)
class AlertState:
    """An alert and all that was done about it. `told` by contact id. `settled`: nothing to do any more; it stays, for the journal."""

    alert: Alert
    subject: str = ""
    next_on: date | None = None
    generation: int = 0
    settled: bool = False
    muted_by: str = ""
    acknowledged: Said | None = None
    snoozed: Said | None = None
    told: Mapping[str, Told] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Telling:
    """One alert to be told to one contact. `cancels`: it is settled, and who was told hears so."""

    alert: Alert
    contact: Contact
    round: int
    generation: int
    cancels: bool = False

    @property
    def key(self) -> str:
        """The same for ever for one alert, generation, stage, round and contact."""
        stage = "settled" if self.cancels else self.alert.stage.name.lower()
        return f"{self.alert.key}/{self.generation}/{stage}/{self.round}/{self.contact.id}"


# ------------------------------------------------------------------------------------------------ found, or found no longer
def observe(old: AlertState | None, finding: Finding, now: datetime, because: str = "") -> tuple[AlertState, tuple[Transition, ...]]:
    """The alert after a rule found it. `because`: a change of therapy moved its date; the old one is then superseded, for that reason."""
    new = finding.alert
    if old is not None and _told_ahead(old, now):
        # A run with a clock ahead told what is not yet: it is forgotten, and told again when its time has come, under other keys.
        old = replace(old, alert=replace(old.alert, stage=new.stage), generation=old.generation + 1, told={}, snoozed=None)
    if old is None:
        state = AlertState(new, finding.subject, finding.next_on, muted_by=_muter(new.stage, finding))
        return state, (_entry(state, now, Event.OPENED, detail=new.title), *_muting("", state, now))
    if old.settled:
        state = AlertState(new, finding.subject, finding.next_on, old.generation + 1, muted_by=_muter(new.stage, finding), told=old.told)
        return state, (_entry(state, now, Event.REOPENED, detail=new.title), *_muting("", state, now))
    if new.due != old.alert.due:
        return _moved(old, finding, now, because)
    stage = max(old.alert.stage, new.stage)
    alert = replace(new, stage=stage, since=old.alert.since)
    raised = stage > old.alert.stage
    state = replace(old, alert=alert, next_on=finding.next_on, muted_by=_muter(stage, finding), snoozed=None if raised else old.snoozed)
    entries = (_entry(state, now, Event.RAISED, detail=new.title),) if raised else ()
    return state, (*entries, *_muting(old.muted_by, state, now))


def _told_ahead(state: AlertState, now: datetime) -> bool:
    """Whether a word was decided at a time that is still to come; an hour is no wrong clock."""
    return any(told.at > now + ONE_HOUR for told in state.told.values())


def _moved(old: AlertState, finding: Finding, now: datetime, because: str) -> tuple[AlertState, tuple[Transition, ...]]:
    """An earlier date, or the first one, is told at once and to be acknowledged anew; a later one keeps what was said to it."""
    new, before = finding.alert, old.alert.due
    earlier = new.due is not None and (before is None or new.due < before)
    state = replace(
        old,
        alert=new,
        next_on=finding.next_on,
        generation=old.generation + 1,
        muted_by=_muter(new.stage, finding),
        acknowledged=None if earlier else old.acknowledged,
        snoozed=None if earlier or new.stage > old.alert.stage else old.snoozed,
        told={} if earlier else old.told,
    )
    detail = f"{_day(before)} to {_day(new.due)}" + (f": {because}" if because else "")
    event = Event.SUPERSEDED if because else Event.MOVED
    return state, (_entry(state, now, event, detail=detail), *_muting(old.muted_by, state, now))


def settle(state: AlertState, now: datetime, reason: str) -> tuple[AlertState, tuple[Transition, ...]]:
    """The cause is gone. AlertsError if it was settled before."""
    _open(state)
    settled = replace(state, settled=True, muted_by="", snoozed=None)
    return settled, (_entry(settled, now, Event.RESOLVED, detail=reason),)


def _muter(stage: Stage, finding: Finding) -> str:
    """Nothing mutes what is critical, whoever says so."""
    return "" if stage is Stage.CRITICAL else finding.muted_by


def _muting(before: str, state: AlertState, now: datetime) -> tuple[Transition, ...]:
    if before == state.muted_by:
        return ()
    return (_entry(state, now, Event.MUTED if state.muted_by else Event.UNMUTED, detail=state.muted_by or before),)


# ------------------------------------------------------------------------------------------------ what a person says
def acknowledge(state: AlertState, author: str, reason: str, now: datetime) -> tuple[AlertState, tuple[Transition, ...]]:
    """Ends repeats and escalation at the present stage and below; of what is critical it is recorded, and word goes on.

    Raises AlertsError without author or reason, or for what is settled.
    """
    _open(state)
    said = Said(_text("author", author), _text("reason", reason), now, state.alert.stage)
    return replace(state, acknowledged=said), (_entry(state, now, Event.ACKNOWLEDGED, author=said.author, detail=said.reason),)


def snooze(
    state: AlertState, until: datetime, author: str, reason: str, now: datetime, policy: Policy
) -> tuple[AlertState, tuple[Transition, ...]]:
    """Quiet until then, and never past the beginning of the next stage. Refused, not shortened: NotSnoozable carries the latest end.

    Raises AlertsError without author or reason, or for what is settled.
    """
    _open(state)
    key = state.alert.key
    if state.alert.is_critical:
        raise NotSnoozable(key, "nothing silences what is critical", "settle its cause")
    latest = now + timedelta(days=policy.leads.snooze_most)
    if state.next_on is not None:
        latest = min(latest, datetime(state.next_on.year, state.next_on.month, state.next_on.day, tzinfo=EARLIEST_ZONE))
    if latest <= now:
        raise NotSnoozable(key, "its next stage begins within a day", "acknowledge it with a reason instead")
    if not now < until <= latest:
        text = latest.astimezone(until.tzinfo).strftime("%d %b %Y %H:%M %z").lstrip("0")
        raise NotSnoozable(key, f"it may sleep until {text} at most, and until a time to come", "give an earlier end", latest)
    said = Said(_text("author", author), _text("reason", reason), now, state.alert.stage, until)
    detail = f"until {until.isoformat(timespec='minutes')}: {said.reason}"
    return replace(state, snoozed=said), (_entry(state, now, Event.SNOOZED, author=said.author, detail=detail),)


def is_quiet(state: AlertState, now: datetime) -> bool:
    """Acknowledged at this stage, or snoozed; never while critical."""
    if state.alert.is_critical:
        return False
    said = state.acknowledged
    return (said is not None and said.stage >= state.alert.stage) or (
        state.snoozed is not None and state.snoozed.until is not None and now < state.snoozed.until
    )


# ------------------------------------------------------------------------------------------------ whom to tell
def decide(
    state: AlertState,
    contacts: Sequence[Contact],
    policy: Policy,
    now: datetime,
    *,
    unreachable: Collection[str] = (),
    waiting: Collection[str] = (),
    is_lost: bool = False,
) -> tuple[AlertState, tuple[Telling, ...], tuple[Transition, ...]]:
    """Who is told now. `contacts` in order of escalation; `unreachable`: ids whose channel refused this alert; `waiting`: ids whose
    last word about it is not delivered yet, and to whom a repeat would only add one. `is_lost`: no word of this stage has arrived at
    anybody; where all contacts refused it, it is tried again after an hour, whatever its kind: an address may have been mended.
    """
    stage = state.alert.stage
    if state.settled or state.muted_by or stage is Stage.SCHEDULED or is_quiet(state, now):
        return state, (), ()
    quiet, repeats = policy.quiet_h[stage] * ONE_HOUR, state.alert.is_critical or state.alert.kind not in policy.once
    told, tellings, entries = dict(state.told), [], []
    again = is_lost and bool(contacts) and all(contact.id in unreachable for contact in contacts)
    for number, contact in enumerate(_reached(state, contacts, policy, now, unreachable)):
        last = told.get(contact.id)
        if last is None or last.stage < stage:
            told[contact.id] = Told(stage, now, 0, now)
            event = Event.ESCALATED if number and stage is not Stage.CRITICAL else Event.TOLD
        elif contact.id not in waiting and (now - last.at >= ONE_HOUR if again else now - last.at >= quiet and repeats):
            told[contact.id] = Told(stage, last.first if last.stage is stage else now, last.round + 1, now)
            event = Event.REPEATED
        else:
            continue
        tellings.append(Telling(state.alert, contact, told[contact.id].round, state.generation))
        entries.append(_entry(state, now, event, detail=f"{contact.id}, round {told[contact.id].round}"))
    if not tellings:
        return state, (), ()
    return replace(state, told=told), tuple(tellings), tuple(entries)


def _reached(
    state: AlertState, contacts: Sequence[Contact], policy: Policy, now: datetime, unreachable: Collection[str]
) -> Sequence[Contact]:
    """All for what is critical; else the first, and each further one whose turn it is or who was told while nobody had acknowledged."""
    if state.alert.is_critical:
        return contacts
    escalates = state.alert.stage >= policy.escalate_from and state.alert.kind not in policy.once
    count = 0
    for count, contact in enumerate(contacts, start=1):  # noqa: B007  # how many were passed is what is asked
        last = state.told.get(contact.id)
        late = last is not None and last.stage is state.alert.stage and now - last.first >= contact.escalate_after_h * ONE_HOUR
        late = late and escalates
        if not late and contact.id not in unreachable:
            break
    reached = contacts[:count]
    if state.acknowledged is None:
        reached = [contact for contact in contacts if contact in reached or contact.id in state.told]
    return reached


def farewell(state: AlertState, contacts: Sequence[Contact]) -> tuple[Telling, ...]:
    """For a settled alert: who was told hears that it is settled, so that nobody acts on an old word and calendars drop the entry."""
    return tuple(Telling(state.alert, contact, 0, state.generation, cancels=True) for contact in contacts if contact.id in state.told)


# ------------------------------------------------------------------------------------------------ small things
def _open(state: AlertState) -> None:
    if state.settled:
        raise AlertsError(f"{state.alert.key} is settled; nothing is to be done about it", action="look at `itbpump alerts list`")


def _text(what: str, text: str) -> str:
    kept = text.strip()
    if not kept or len(kept) > LONGEST_REASON or not kept.isprintable():
        raise AlertsError(
            f"{text!r} is no {what}; write it in one line of at most {LONGEST_REASON} signs", action=f"give the {what} in plain words"
        )
    return kept


def _day(day: date | None) -> str:
    return "no date" if day is None else day.isoformat()


def _entry(state: AlertState, now: datetime, event: Event, *, author: str = "", detail: str = "") -> Transition:
    return Transition(state.alert.key, now, event, state.alert.stage, state.generation, author, detail)
