"""Alerts in the registry's database: read, written whole and once, listed with what was delivered of them. SQLite and PostgreSQL alike.

Whoever changes an alert reads it, changes it and writes it in ONE transaction that also writes the journal and the messages, and a write
over a version that has moved on meanwhile fails (`Overtaken`) and is done anew: an acknowledgement given while the job runs is not lost.
The engine, its pragmas and migrations are the registry's, which makes these tables too; `create_tables` is for tests without one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, and_, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from itbpump.alerts import tables
from itbpump.alerts.errors import AlertsError, UnknownAlert
from itbpump.alerts.model import Stage
from itbpump.alerts.policy import Policy
from itbpump.alerts.snapshot import row_of, state_of
from itbpump.alerts.state import AlertState, Event, Transition, acknowledge, snooze
from itbpump.alerts.tables import MessageState
from itbpump.registry.base import metadata
from itbpump.registry.engine import reading, writing

__all__ = ["AlertStore", "Listed", "Overdue", "Overtaken", "Writes", "create_tables"]

ATTEMPTS = 8
OVERDUE_AFTER = timedelta(hours=26)
"""A daily job is late after a day and two hours of grace (healthchecks.io's period and grace; ecosystem 4)."""
CHUNK = 400
"""Values in one IN list: under the 999 parameters of the oldest SQLite."""
T = TypeVar("T")


class Overtaken(AlertsError):
    """Somebody else changed the alert between reading and writing; the work is done anew."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An alert with what became of its words. `delivered_at` is None where nothing of it ever arrived: fired is not delivered."""

    state: AlertState
    delivered_at: datetime | None
    pending: int
    refused: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """The job has not finished for too long. `last` is when it did, None for never."""

    last: datetime | None
    hours: int

    @property
    def text(self) -> str:
        """For `doctor` and the screens."""
        if self.last is None:
            return "the refill check has never finished; set it up with `itbpump alerts install`"
        return f"the refill check has not finished for {self.hours} h; see whether its timer runs"


@dataclass(slots=True)
class Writes:
    """What one transaction writes: states by key with the version they were read at (None: new), journal, messages with their items."""

    states: dict[str, tuple[AlertState, int | None]] = field(default_factory=dict)
    journal: list[Transition] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.states or self.journal or self.messages)


def create_tables(engine: Engine) -> None:
    """The tables of this room, where they are missing."""
    metadata.create_all(engine, tables=tables.TABLES)


class AlertStore:
    """All that is kept of alerts, over the registry's engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    # -------------------------------------------------------------------------------------------- one transaction
    def transact(self, work: Callable[[Connection], T]) -> T:
        """`work` in one transaction, done anew when somebody else was faster; after eight times the last Overtaken or IntegrityError."""
        for _ in range(ATTEMPTS - 1):
            try:
                with writing(self.engine) as connection:
                    return work(connection)
            except (Overtaken, IntegrityError):
                continue
        with writing(self.engine) as connection:
            return work(connection)

    def load(self, connection: Connection, memory_ids: Iterable[str], keys: Iterable[str]) -> dict[str, tuple[AlertState, int]]:
        """The open alerts of these pumps and those of these keys, with their versions."""
        found: dict[str, tuple[AlertState, int]] = {}
        open_of = (and_(tables.alerts.c.settled.is_(False), tables.alerts.c.memory_id.in_(part)) for part in _chunks(memory_ids))
        by_key = (tables.alerts.c.key.in_(part) for part in _chunks(keys))
        for clause in (*open_of, *by_key):
            for row in connection.execute(select(tables.alerts).where(clause)).mappings():
                found[row["key"]] = state_of(row), row["version"]
        return found

    def write(self, connection: Connection, writes: Writes) -> None:
        """Everything, in the order its keys need. Raises Overtaken; IntegrityError where somebody else opened or told the same."""
        new = [{**row_of(state), "version": 0} for state, version in writes.states.values() if version is None]
        if new:
            connection.execute(insert(tables.alerts), new)
        for key, (state, version) in writes.states.items():
            if version is not None:
                changed = update(tables.alerts).where(tables.alerts.c.key == key, tables.alerts.c.version == version)
                if connection.execute(changed.values(**row_of(state), version=version + 1)).rowcount != 1:
                    raise Overtaken(f"{key} was changed by somebody else meanwhile; do it again")
        if writes.journal:
            connection.execute(insert(tables.transitions), [_journal_row(entry) for entry in writes.journal])
        if writes.messages:
            connection.execute(insert(tables.messages), writes.messages)
            connection.execute(insert(tables.items), writes.items)

    def contacts_of(self, connection: Connection, keys: Iterable[str], state: MessageState) -> dict[str, set[str]]:
        """By alert, the contacts that have a message of its present generation and stage in this state."""
        c, items, alerts = tables.messages.c, tables.items.c, tables.alerts.c
        found: dict[str, set[str]] = {}
        for part in _chunks(keys):
            query = (
                select(items.alert_key, items.contact_id)
                .join(tables.messages, c.key == items.message_key)
                .join(tables.alerts, alerts.key == items.alert_key)
                .where(items.alert_key.in_(part), c.state == state.value, c.cancels.is_(False))
                .where(items.generation == alerts.generation, items.stage == alerts.stage)
            )
            for key, contact in connection.execute(query):
                found.setdefault(key, set()).add(contact)
        return found

    def withdraw(self, connection: Connection, keys: Iterable[str], now: datetime) -> int:
        """Messages that wait and whose alerts are all settled; one that may just be on its way is left. Returns how many."""
        count = 0
        open_items = select(tables.items.c.message_key).join(tables.alerts, tables.alerts.c.key == tables.items.c.alert_key)
        still_open = open_items.where(tables.alerts.c.settled.is_(False))
        for part in _chunks(keys):
            about = select(tables.items.c.message_key).where(tables.items.c.alert_key.in_(part))
            c = tables.messages.c
            done = connection.execute(
                update(tables.messages)
                .where(c.state == MessageState.PENDING.value, c.cancels.is_(False), c.leased_until.is_(None))
                .where(c.key.in_(about), c.key.not_in(still_open))
                .values(state=MessageState.WITHDRAWN.value, settled_at=now)
            )
            count += done.rowcount
        return count

    def open_pumps(self, connection: Connection) -> set[tuple[str, str]]:
        """Serial and memory id of every pump with an open alert."""
        c = tables.alerts.c
        return {
            (serial, memory) for serial, memory in connection.execute(select(c.serial, c.memory_id).where(c.settled.is_(False)).distinct())
        }

    # -------------------------------------------------------------------------------------------- people
    def acknowledge(self, key: str, author: str, reason: str, now: datetime) -> AlertState:
        """See `state.acknowledge`. Raises UnknownAlert, AlertsError."""
        return self._say(key, lambda state: acknowledge(state, author, reason, now))

    def snooze(self, key: str, until: datetime, author: str, reason: str, now: datetime, policy: Policy) -> AlertState:
        """See `state.snooze`. Raises UnknownAlert, NotSnoozable, AlertsError."""
        return self._say(key, lambda state: snooze(state, until, author, reason, now, policy))

    def _say(self, key: str, change: Callable[[AlertState], tuple[AlertState, tuple[Transition, ...]]]) -> AlertState:
        def work(connection: Connection) -> AlertState:
            found = self.load(connection, (), (key,)).get(key)
            if found is None:
                raise UnknownAlert(key)
            state, entries = change(found[0])
            self.write(connection, Writes({key: (state, found[1])}, list(entries)))
            return state

        return self.transact(work)

    # -------------------------------------------------------------------------------------------- lists
    def listed(self, *, settled: bool = False, least: Stage = Stage.SCHEDULED) -> list[Listed]:
        """Alerts that are open (or, `settled`, all), the most urgent first, then by date."""
        c, items, messages = tables.alerts.c, tables.items.c, tables.messages.c
        words: dict[str, dict[str, Any]] = {}
        with reading(self.engine) as connection:
            query = select(tables.alerts).where(c.stage >= int(least)).order_by(c.stage.desc(), c.due, c.key)
            rows = connection.execute(query if settled else query.where(c.settled.is_(False))).mappings().all()
            totals = (
                select(items.alert_key, messages.state, func.count().label("count"), func.max(messages.settled_at).label("latest"))
                .join(tables.messages, messages.key == items.message_key)
                .where(messages.cancels.is_(False))
                .group_by(items.alert_key, messages.state)
            )
            for key, state, count, latest in connection.execute(totals):
                words.setdefault(key, {})[state] = (count, latest)
        return [_listed(state_of(row), words.get(row["key"], {})) for row in rows]

    def journal(self, key: str) -> list[Transition]:
        """All that happened to one alert, oldest first. Empty for an unknown key."""
        c = tables.transitions.c
        with reading(self.engine) as connection:
            rows = connection.execute(select(tables.transitions).where(c.alert_key == key).order_by(c.id)).mappings()
            return [
                Transition(key, row["at"], Event(row["event"]), Stage(row["stage"]), row["generation"], row["author"], row["detail"])
                for row in rows
            ]

    # -------------------------------------------------------------------------------------------- the job's pulse
    def begin_run(self, now: datetime) -> int:
        """A heartbeat without an end; its number."""
        with writing(self.engine) as connection:
            made = connection.execute(insert(tables.heartbeats).values(started_at=now, finished_at=None, counts={}))
            return int(made.inserted_primary_key[0])  # type: ignore[index]  # an insert of one row has its key

    def finish_run(self, number: int, now: datetime, counts: Mapping[str, int], policy: str) -> None:
        """Only a run that came to its end counts as one. `policy`: digest of what it went by."""
        with writing(self.engine) as connection:
            finished = update(tables.heartbeats).where(tables.heartbeats.c.id == number)
            connection.execute(finished.values(finished_at=now, counts={**counts, "policy": policy}))

    def is_contested(self, policy: str, now: datetime) -> bool:
        """Within a day a run went by this policy, the last one by another: two computers each have their own."""
        c = tables.heartbeats.c
        lately = select(c.counts).where(c.finished_at.is_not(None), c.finished_at > now - OVERDUE_AFTER).order_by(c.id.desc())
        with reading(self.engine) as connection:
            digests = [counts.get("policy", policy) for counts in connection.execute(lately).scalars()]
        return bool(digests) and digests[0] != policy and policy in digests

    def job_overdue(self, now: datetime, after: timedelta = OVERDUE_AFTER) -> Overdue | None:
        """None while the job runs as it should."""
        with reading(self.engine) as connection:
            # The newest by its number: a run with a clock ahead must not hide for a year that no other came to its end.
            ended = select(tables.heartbeats.c.finished_at).where(tables.heartbeats.c.finished_at.is_not(None))
            last: datetime | None = connection.execute(ended.order_by(tables.heartbeats.c.id.desc()).limit(1)).scalar_one_or_none()
        if last is not None and now - last < after:
            return None
        return Overdue(last, 0 if last is None else int((now - last) / timedelta(hours=1)))

    def oldest_undelivered(self) -> datetime | None:
        """When the oldest message that still waits was made; None where none waits."""
        c = tables.messages.c
        with reading(self.engine) as connection:
            made: datetime | None = connection.execute(
                select(func.min(c.made_at)).where(c.state == MessageState.PENDING.value)
            ).scalar_one()
        return made


def _listed(state: AlertState, words: Mapping[str, tuple[int, datetime | None]]) -> Listed:
    nothing: tuple[int, datetime | None] = (0, None)
    return Listed(
        state,
        delivered_at=words.get(MessageState.DELIVERED.value, nothing)[1],
        pending=words.get(MessageState.PENDING.value, nothing)[0],
        refused=words.get(MessageState.REFUSED.value, nothing)[0],
    )


def _journal_row(entry: Transition) -> dict[str, Any]:
    return {
        "alert_key": entry.key,
        "at": entry.at,
        "event": entry.event.value,
        "stage": int(entry.stage),
        "generation": entry.generation,
        "author": entry.author,
        "detail": entry.detail,
    }


def _chunks(values: Iterable[str]) -> Iterator[Sequence[str]]:
    several = list(dict.fromkeys(values))
    for start in range(0, len(several), CHUNK):
        yield several[start : start + CHUNK]
