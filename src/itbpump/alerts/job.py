"""The check: watch every pump, decide, record, send, mark, and leave a heartbeat. Run by a timer; may be killed at any step.

Each batch of pumps is one transaction: what the rules found, what became of the alerts, their journal and the messages to send. What is
recorded is sent afterwards, and marked. A run that is killed leaves what it had recorded; the next one goes on from there. `Step` names
every place between which a kill makes a difference; the crash tests kill at each.

Not here: timers (`alerts install`), watching of pumps (the registry), channels.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Protocol

from sqlalchemy import Connection, Engine

from itbpump.alerts.channel import Channel, DeliveryState
from itbpump.alerts.errors import ChannelDefects
from itbpump.alerts.model import Contact, WatchedPump
from itbpump.alerts.outbox import Grouping, Outbox, compose
from itbpump.alerts.policy import Policy, load_policy
from itbpump.alerts.rules import Finding, judge
from itbpump.alerts.state import AlertState, Telling, decide, farewell, observe, settle
from itbpump.alerts.store import AlertStore, Writes
from itbpump.alerts.tables import MessageState
from itbpump.registry.engine import reading

__all__ = ["Run", "Source", "Step", "check", "run", "send", "unreachable"]

BATCH = 400
UNWATCHED = "the registry does not watch this pump any more"
TWO_POLICIES = (
    "the run before this one went by other leads or closed days, and one before it by these: two computers check this registry, "
    "and days go back and forth; give both the same alerts.toml"
)
WAS_READ = "the pump was read for the first time; its alerts bear its memory's name now"


class Source(Protocol):
    """What the job needs of a registry."""

    @property
    def engine(self) -> Engine: ...

    def watched(self, now: datetime) -> Iterable[WatchedPump]:
        """Every pump with a patient."""
        ...

    def contacts(self) -> Sequence[Contact]:
        """In order of escalation."""
        ...


class Step(StrEnum):
    """Where a run may be killed so that it matters."""

    BEGUN = "heartbeat begun"
    DECIDED = "decided, nothing recorded"
    WRITTEN = "written, not committed"
    RECORDED = "recorded, nothing sent"
    CLAIMED = "claimed, not sent"
    SENT = "sent, not marked"
    MARKED = "marked"
    FINISHED = "heartbeat finished"


@dataclass(slots=True)
class Run:
    """What a run came to. `fired`: alerts opened, raised or moved; `told`: words decided; `delivered`, `failed`, `refused`: attempts.
    `problems`: what a person must see to, in words.
    """

    pumps: int = 0
    fired: int = 0
    told: int = 0
    settled: int = 0
    delivered: int = 0
    failed: int = 0
    refused: int = 0
    withdrawn: int = 0
    problems: list[str] = field(default_factory=list)
    defects: list[tuple[str, str]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """For the heartbeat."""
        names = ("pumps", "fired", "told", "settled", "delivered", "failed", "refused", "withdrawn")
        return {**{name: getattr(self, name) for name in names}, "problems": len(self.problems)}


@dataclass(frozen=True, slots=True)
class _Job:
    """What stays the same through a run."""

    store: AlertStore
    contacts: Sequence[Contact]
    policy: Policy
    now: datetime
    grouping: Grouping
    probe: Callable[[Step], None]
    result: Run


def run(
    source: Source,
    channels: Mapping[str, Channel],
    now: datetime,
    *,
    policy: Policy | None = None,
    grouping: Grouping = Grouping.PATIENT,
    clock: Callable[[], datetime] | None = None,
    probe: Callable[[Step], None] = lambda _: None,
) -> Run:
    """Check all pumps and send what is to be sent. `channels` by name; `clock` for leases and retries, `now` standing still without it.

    Raises ChannelDefects at the end, with everything else done, where a channel raised; what the registry raises goes through, and the
    heartbeat then has no end.
    """
    job = _Job(AlertStore(source.engine), tuple(source.contacts()), policy or load_policy(), now, grouping, probe, Run())
    pulse = clock or (lambda: now)
    mine = job.policy.digest()
    if job.store.is_contested(mine, now):
        job.result.problems.append(TWO_POLICIES)
    number = job.store.begin_run(now)
    probe(Step.BEGUN)
    _check(job, source.watched(now))
    _send(job, channels, pulse)
    if not job.contacts and job.result.fired:
        job.result.problems.append("no contact is set, so nobody is told; add one to the registry")
    job.store.finish_run(number, pulse(), job.result.counts(), mine)
    probe(Step.FINISHED)
    if job.result.defects:
        raise ChannelDefects(tuple(job.result.defects))
    return job.result


def check(source: Source, now: datetime, *, policy: Policy | None = None, grouping: Grouping = Grouping.PATIENT) -> Run:
    """Decide and record, without sending; `send` or the next `run` sends. No heartbeat: it is not the job."""
    job = _Job(AlertStore(source.engine), tuple(source.contacts()), policy or load_policy(), now, grouping, lambda _: None, Run())
    _check(job, source.watched(now))
    return job.result


def send(source: Source, channels: Mapping[str, Channel], now: datetime, *, clock: Callable[[], datetime] | None = None) -> Run:
    """Send what is recorded and due, without looking at the pumps. Raises ChannelDefects at the end."""
    job = _Job(AlertStore(source.engine), tuple(source.contacts()), load_policy(), now, Grouping.PATIENT, lambda _: None, Run())
    _send(job, channels, clock or (lambda: now))
    if job.result.defects:
        raise ChannelDefects(tuple(job.result.defects))
    return job.result


# ------------------------------------------------------------------------------------------------ decide and record
def _check(job: _Job, pumps: Iterable[WatchedPump]) -> None:
    seen: set[tuple[str, str]] = set()
    whole = job.grouping is Grouping.CLINIC  # one message of all: then all is one transaction
    for batch in _batches(pumps, None if whole else BATCH):
        seen.update((pump.serial, pump.memory_id) for pump in batch)
        found = [(pump, judge(pump, job.now, job.policy)) for pump in batch]
        job.probe(Step.DECIDED)
        _record(job, found)
        job.result.pumps += len(batch)
    with reading(job.store.engine) as connection:
        left = job.store.open_pumps(connection) - seen
    was_read = {serial for serial, memory_id in seen if memory_id}
    imported = {(serial, memory_id) for serial, memory_id in left if not memory_id and serial in was_read}
    for some, reason in ((imported, WAS_READ), (left - imported, UNWATCHED)):
        gone = sorted(some)
        for start in range(0, len(gone), BATCH):
            _forget(job, gone[start : start + BATCH], reason)


def _record(job: _Job, found: Sequence[tuple[WatchedPump, tuple[Finding, ...]]]) -> None:
    """What one batch came to, in one transaction."""

    def work(connection: Connection) -> tuple[int, int, int, int]:
        keys = [finding.alert.key for _, findings in found for finding in findings]
        kept = job.store.load(connection, [pump.memory_id for pump, _ in found], keys)
        states, writes = _observed(job, found, kept)
        fired = len(writes.journal)
        gone = _settled(job, found, kept, writes)
        tellings = _decided(job, connection, states, {key: version for key, (_, version) in kept.items()}, writes)
        told = len(tellings)
        tellings += [telling for state in gone for telling in farewell(state, job.contacts)]
        return _commit(job, connection, writes, tellings, [state.alert.key for state in gone], fired, told)

    _count(job, job.store.transact(work))
    job.probe(Step.RECORDED)


def _commit(
    job: _Job, connection: Connection, writes: Writes, tellings: Sequence[Telling], gone: Sequence[str], fired: int, told: int
) -> tuple[int, int, int, int]:
    writes.messages, writes.items = compose(tellings, job.now, job.grouping)
    job.store.write(connection, writes)
    withdrawn = job.store.withdraw(connection, gone, job.now) if gone else 0
    job.probe(Step.WRITTEN)
    return fired, told, len(gone), withdrawn


def _count(job: _Job, counts: tuple[int, int, int, int]) -> None:
    """After the commit: a transaction that was done anew counts once."""
    fired, told, settled, withdrawn = counts
    job.result.fired += fired
    job.result.told += told
    job.result.settled += settled
    job.result.withdrawn += withdrawn


def _observed(
    job: _Job, found: Sequence[tuple[WatchedPump, tuple[Finding, ...]]], kept: Mapping[str, tuple[AlertState, int]]
) -> tuple[list[AlertState], Writes]:
    """States after the rules, and what of them is new."""
    states, writes = [], Writes()
    for pump, findings in found:
        moved = {finding.alert.supersedes for finding in findings if finding.alert.supersedes}
        for finding in findings:
            key = finding.alert.key
            old, version = kept.get(key, (None, None))
            state, entries = observe(old, finding, job.now, pump.moved_because if key in moved else "")
            states.append(state)
            writes.journal.extend(entries)
            if state != old:
                writes.states[key] = (state, version)
    return states, writes


def _settled(
    job: _Job,
    found: Sequence[tuple[WatchedPump, tuple[Finding, ...]]],
    kept: Mapping[str, tuple[AlertState, int]],
    writes: Writes,
) -> list[AlertState]:
    """Open alerts of these pumps that no rule finds any more."""
    by_pump = {(pump.serial, pump.memory_id): pump for pump, _ in found}
    standing = {finding.alert.key for _, findings in found for finding in findings}
    gone = []
    for key, (old, version) in kept.items():
        pump = by_pump.get((old.alert.serial, old.alert.memory_id))
        if old.settled or key in standing or pump is None:
            continue
        reason = "refilled" if pump.cycle > old.alert.cycle else "its cause is gone"
        gone.append(_settle(job, old, version, reason, writes))
    return gone


def _settle(job: _Job, old: AlertState, version: int, reason: str, writes: Writes) -> AlertState:
    state, entries = settle(old, job.now, reason)
    writes.states[old.alert.key] = (state, version)
    writes.journal.extend(entries)
    return state


def _decided(job: _Job, connection: Connection, states: Sequence[AlertState], versions: Mapping[str, int], writes: Writes) -> list[Telling]:
    """Who is told of these; their new states go to `writes`. `versions`: as they were read; none for a new alert."""
    told = [state.alert.key for state in states if state.told]
    waiting = job.store.contacts_of(connection, told, MessageState.PENDING)
    unreachable = job.store.contacts_of(connection, told, MessageState.REFUSED)
    reached = job.store.contacts_of(connection, told, MessageState.DELIVERED)
    tellings: list[Telling] = []
    for state in states:
        key = state.alert.key
        after, more, entries = decide(
            state,
            job.contacts,
            job.policy,
            job.now,
            unreachable=unreachable.get(key, ()),
            waiting=waiting.get(key, ()),
            is_lost=not reached.get(key),
        )
        if more:
            writes.states[key] = (after, versions.get(key))
            writes.journal.extend(entries)
            tellings.extend(more)
    return tellings


def _forget(job: _Job, gone: Sequence[tuple[str, str]], reason: str) -> None:
    """Pumps with open alerts that the registry does not name any more: settled, and who was told hears so. Nobody hears so of one that was
    read for the first time: what is open is told of by its new name."""
    pumps = set(gone)

    def work(connection: Connection) -> tuple[int, int, int, int]:
        kept = job.store.load(connection, [memory_id for _, memory_id in gone], ())
        writes = Writes()
        settled = [
            _settle(job, old, version, reason, writes)
            for old, version in kept.values()
            if (old.alert.serial, old.alert.memory_id) in pumps and not old.settled
        ]
        tellings = [telling for state in settled for telling in farewell(state, job.contacts)] if reason == UNWATCHED else []
        return _commit(job, connection, writes, tellings, [state.alert.key for state in settled], 0, 0)

    _count(job, job.store.transact(work))
    if reason == UNWATCHED:
        job.result.problems.append(f"{len(gone)} pump(s) with open alerts are not in the registry any more; see that this was meant")
    job.probe(Step.RECORDED)


def _batches(pumps: Iterable[WatchedPump], size: int | None) -> Iterator[list[WatchedPump]]:
    several = iter(pumps)
    while batch := list(islice(several, size)):
        yield batch


# ------------------------------------------------------------------------------------------------ send and mark
def _send(job: _Job, channels: Mapping[str, Channel], clock: Callable[[], datetime]) -> None:
    """All that is due; where a contact cannot be reached, the next one is told in the same run, at most once through the list.

    Without any channel nothing is tried: it would be refused for good, and be lost to the channel that is set up later.
    """
    job.result.problems += unreachable(job.contacts, channels)
    if not channels:
        return
    outbox = Outbox(job.store, channels, job.contacts, clock)
    for _ in range(len(job.contacts) + 1):
        refused: list[str] = []
        for key in outbox.due():
            row = outbox.claim(key)
            if row is None:
                continue
            job.probe(Step.CLAIMED)
            sent = outbox.attempt(row)
            job.probe(Step.SENT)
            outbox.mark(row, sent)
            job.probe(Step.MARKED)
            match sent.delivery.state:
                case DeliveryState.DELIVERED:
                    job.result.delivered += 1
                case DeliveryState.FAILED:
                    job.result.failed += 1
                case DeliveryState.REFUSED:
                    job.result.refused += 1
                    refused.extend(sent.alert_keys)
            if sent.defect:
                job.result.defects.append((sent.channel, sent.defect))
        if not refused or not _pass_on(job, refused):
            break


def unreachable(contacts: Sequence[Contact], channels: Collection[str]) -> list[str]:
    """Who cannot be told, whatever happens, because no channel of that name is set up; and what to do. Before anything is to be told."""
    if not channels:
        return ["no channel is set up, so nobody is told and all of it waits; write channels.toml (docs/alert-channels.md)"]
    return [
        f"{contact.id} cannot be told: no channel {contact.channel!r} is set up; there are {', '.join(sorted(channels))}: "
        f"itbpump registry contacts add {contact.id}, or write {contact.channel!r} into channels.toml"
        for contact in contacts
        if contact.channel not in channels
    ]


def _pass_on(job: _Job, keys: Sequence[str]) -> int:
    """Decide anew about alerts that a contact could not be told of. Returns how many words that makes."""
    nobody: set[str] = set()

    def work(connection: Connection) -> tuple[int, int, int, int]:
        kept = job.store.load(connection, (), keys)
        writes = Writes()
        versions = {key: version for key, (_, version) in kept.items()}
        tellings = _decided(job, connection, [state for state, _ in kept.values()], versions, writes)
        unreachable = job.store.contacts_of(connection, keys, MessageState.REFUSED)
        nobody.update(key for key, contacts in unreachable.items() if {contact.id for contact in job.contacts} <= contacts)
        return _commit(job, connection, writes, tellings, (), 0, len(tellings))

    counts = job.store.transact(work)
    _count(job, counts)
    job.probe(Step.RECORDED)
    job.result.problems.extend(f"no contact could be told of {key}; see `itbpump alerts list`" for key in sorted(nobody))
    return counts[1]
