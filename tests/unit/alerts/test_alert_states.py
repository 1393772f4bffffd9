"""The life of an alert over any history: stages rise, nothing is lost, quiet hours are kept, what is critical is always told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.alerts.errors import AlertsError, NotSnoozable
from itbpump.alerts.model import Alert, AlertKind, Contact, Stage
from itbpump.alerts.policy import load_policy
from itbpump.alerts.rules import Finding
from itbpump.alerts.state import AlertState, Event, Telling, acknowledge, decide, farewell, observe, settle, snooze
from tests.unit.alerts.alert_rig import BACKUP, DOCTOR, NOW, NURSE

POLICY = load_policy()
HOUR = timedelta(hours=1)
PEOPLE = (NURSE, DOCTOR, BACKUP)
DUE = date(2026, 9, 7)


def finding(stage: Stage = Stage.DUE, due: date | None = DUE, muted_by: str = "", next_on: date | None = None) -> Finding:
    alert = Alert("refill-1", AlertKind.REFILL, stage, "S-1", "m-1", "P-1", 3, due, f"Refill by {due}", ("a",), NOW)
    return Finding("refill-date", "", alert, next_on, muted_by)


def opened(stage: Stage = Stage.DUE, **changes: Any) -> AlertState:
    return observe(None, finding(stage, **changes), NOW)[0]


def told(state: AlertState, now: datetime, **changes: Any) -> tuple[AlertState, list[str]]:
    state, tellings, _ = decide(state, PEOPLE, POLICY, now, **changes)
    return state, [telling.contact.id for telling in tellings]


# ------------------------------------------------------------------------------------------------ one step at a time
def test_scheduled_is_kept_and_not_told() -> None:
    state, entries = observe(None, finding(Stage.SCHEDULED), NOW)
    assert [entry.event for entry in entries] == [Event.OPENED]
    assert told(state, NOW)[1] == []


@pytest.mark.sr("SR-40")
def test_the_next_contact_is_told_when_nobody_acknowledges() -> None:
    state, first = told(opened(), NOW)
    assert first == ["nurse"]
    assert told(state, NOW + 23 * HOUR)[1] == []
    state, second = told(state, NOW + 24 * HOUR)
    assert second == ["doctor"]
    state, third = told(state, NOW + 48 * HOUR)
    assert third == ["nurse", "backup"]  # the nurse again, after 48 quiet hours; the doctor has 24 left
    assert told(state, NOW + 72 * HOUR)[1] == ["doctor"]


def test_due_soon_is_for_the_first_contact_alone() -> None:
    state, first = told(opened(Stage.DUE_SOON), NOW)
    state, later = told(state, NOW + 168 * HOUR)
    assert (first, later) == (["nurse"], ["nurse"])
    assert told(state, NOW + 169 * HOUR, unreachable={"nurse"})[1] == ["doctor"]


def test_a_moved_date_is_told_once_and_neither_repeated_nor_escalated() -> None:
    moved = finding()
    state, _ = observe(None, replace(moved, alert=replace(moved.alert, kind=AlertKind.DATE_MOVED)), NOW)
    state, first = told(state, NOW)
    assert first == ["nurse"]
    assert told(state, NOW + 1000 * HOUR)[1] == []


def test_escalation_does_not_wait_for_ever_behind_repeats() -> None:
    slow = replace(NURSE, escalate_after_h=72)  # longer than the 24 quiet hours of overdue
    state, now = opened(Stage.OVERDUE), NOW
    reached: list[str] = []
    for _ in range(4):
        state, tellings, _ = decide(state, (slow, DOCTOR), POLICY, now)
        reached += [telling.contact.id for telling in tellings]
        now += 24 * HOUR
    assert reached == ["nurse", "nurse", "nurse", "nurse", "doctor"]


@pytest.mark.sr("SR-40")
def test_acknowledged_is_quiet_until_its_stage_rises() -> None:
    state, _ = told(opened(), NOW)
    state, entries = acknowledge(state, "rn-7", "booked for 20 Aug", NOW)
    assert (entries[0].author, entries[0].detail) == ("rn-7", "booked for 20 Aug")
    assert told(state, NOW + 200 * HOUR)[1] == []
    state, _ = observe(state, finding(Stage.OVERDUE), NOW + 201 * HOUR)
    assert told(state, NOW + 201 * HOUR)[1] == ["nurse"]


@pytest.mark.sr("SR-40")
def test_nothing_silences_what_is_critical() -> None:
    state, all_at_once = told(opened(Stage.CRITICAL), NOW)
    assert all_at_once == ["nurse", "doctor", "backup"]
    state, _ = acknowledge(state, "rn-7", "on the way", NOW)
    assert told(state, NOW + 3 * HOUR)[1] == []
    assert told(state, NOW + 4 * HOUR)[1] == ["nurse", "doctor", "backup"]
    with pytest.raises(NotSnoozable, match="critical"):
        snooze(state, NOW + HOUR, "rn-7", "later", NOW, POLICY)
    muted, _ = observe(state, finding(Stage.DUE, muted_by="other"), NOW)
    assert muted.alert.is_critical
    assert not muted.muted_by


def test_a_snooze_ends_at_its_time_and_with_its_stage() -> None:
    state, _ = told(opened(next_on=date(2026, 8, 20)), NOW)
    state, _ = snooze(state, NOW + 100 * HOUR, "rn-7", "patient abroad", NOW, POLICY)
    assert told(state, NOW + 99 * HOUR)[1] == []
    assert "nurse" in told(state, NOW + 100 * HOUR)[1]
    raised, _ = observe(state, finding(Stage.OVERDUE), NOW + HOUR)
    assert told(raised, NOW + HOUR)[1] == ["nurse"]


@pytest.mark.parametrize(
    ("next_on", "hours", "latest"),
    [
        (date(2026, 8, 6), 60, datetime(2026, 8, 5, 10, tzinfo=UTC)),  # the next stage, where its day begins first
        (None, 14 * 24 + 1, NOW + timedelta(days=14)),
        (None, 0, NOW + timedelta(days=14)),
    ],
)
def test_a_snooze_past_its_cap_is_refused_with_the_latest_end(next_on: date | None, hours: int, latest: datetime) -> None:
    with pytest.raises(NotSnoozable) as caught:
        snooze(opened(next_on=next_on), NOW + hours * HOUR, "rn-7", "later", NOW, POLICY)
    assert caught.value.latest == latest
    if latest > NOW:
        assert snooze(opened(next_on=next_on), latest, "rn-7", "later", NOW, POLICY)[0].snoozed


@pytest.mark.parametrize(("author", "reason"), [("", "why"), ("rn-7", "  "), ("rn-7", "a\nb"), ("rn-7", "x" * 501)])
def test_author_and_reason_are_needed(author: str, reason: str) -> None:
    with pytest.raises(AlertsError):
        acknowledge(opened(), author, reason, NOW)
    with pytest.raises(AlertsError):
        snooze(opened(), NOW + HOUR, author, reason, NOW, POLICY)


@pytest.mark.sr("SR-36", "SR-40")
def test_an_earlier_date_is_told_at_once_and_says_why() -> None:
    state, _ = told(opened(), NOW)
    state, _ = acknowledge(state, "rn-7", "booked for 4 Sep", NOW)
    state, entries = observe(state, finding(due=date(2026, 8, 30)), NOW + HOUR, "daily dose raised")
    assert [(entry.event, entry.detail) for entry in entries] == [(Event.SUPERSEDED, "2026-09-07 to 2026-08-30: daily dose raised")]
    assert state.generation == 1
    assert told(state, NOW + HOUR)[1] == ["nurse"]


def test_a_later_date_keeps_what_was_said_and_may_lead_back() -> None:
    state, _ = told(opened(Stage.OVERDUE), NOW)
    state, _ = acknowledge(state, "rn-7", "booked", NOW)
    state, entries = observe(state, finding(Stage.DUE_SOON, due=date(2026, 10, 1)), NOW + HOUR)
    assert (entries[0].event, state.alert.stage, state.generation) == (Event.MOVED, Stage.DUE_SOON, 1)
    assert told(state, NOW + 200 * HOUR)[1] == []


def test_refused_contacts_are_passed_over_at_once() -> None:
    state, first = told(opened(), NOW)
    state, second = told(state, NOW, unreachable={"nurse"})
    assert (first, second) == (["nurse"], ["doctor"])
    assert told(state, NOW, unreachable={"nurse", "doctor"})[1] == ["backup"]


def test_what_waits_to_be_delivered_is_not_repeated() -> None:
    state, _ = told(opened(Stage.CRITICAL), NOW)
    assert told(state, NOW + 5 * HOUR, waiting={"nurse"})[1] == ["doctor", "backup"]


def test_settled_is_told_to_whom_it_was_told() -> None:
    state, _ = told(opened(), NOW)
    state, entries = settle(state, NOW + HOUR, "refilled")
    assert (entries[0].event, entries[0].detail) == (Event.RESOLVED, "refilled")
    assert [(t.contact.id, t.cancels) for t in farewell(state, PEOPLE)] == [("nurse", True)]
    assert told(state, NOW + 300 * HOUR)[1] == []
    with pytest.raises(AlertsError, match="settled"):
        acknowledge(state, "rn-7", "late", NOW)


def test_found_again_opens_again_without_telling_twice_within_the_quiet_hours() -> None:
    state, _ = told(opened(), NOW)
    state, _ = settle(state, NOW + HOUR, "gone")
    state, entries = observe(state, finding(), NOW + 2 * HOUR)
    assert [entry.event for entry in entries] == [Event.REOPENED]
    assert told(state, NOW + 3 * HOUR)[1] == []
    assert told(state, NOW + 48 * HOUR)[1] == ["nurse", "doctor"]


# ------------------------------------------------------------------------------------------------ over any history
STEPS = st.one_of(
    st.tuples(st.just("hours"), st.integers(1, 60)),
    st.tuples(st.just("stage"), st.sampled_from(list(Stage))),
    st.tuples(st.just("ack"), st.none()),
    st.tuples(st.just("snooze"), st.integers(1, 300)),
    st.tuples(st.just("move"), st.integers(-20, 20)),
    st.tuples(st.just("mute"), st.booleans()),
    st.tuples(st.just("settle"), st.none()),
)


class History:
    """Runs steps, asks `decide` after each, and holds what must never happen."""

    def __init__(self) -> None:
        self.now = NOW
        self.seen = finding(Stage.SCHEDULED, next_on=date(2099, 1, 1))
        self.state, self.journal = observe(None, self.seen, NOW)
        self.told: list[tuple[datetime, Telling]] = []
        self.moved_earlier = 0

    def step(self, what: str, how: Any) -> None:
        before, alert = self.state, self.seen.alert
        if what == "hours":
            self.now += how * HOUR
        elif what == "stage":
            self.seen = replace(self.seen, alert=replace(alert, stage=how))
        elif what == "mute":
            self.seen = replace(self.seen, muted_by="other" if how else "")
        elif what == "move":
            assert alert.due is not None
            self.seen = replace(self.seen, alert=replace(alert, due=alert.due + timedelta(days=how)))
            self.moved_earlier += how < 0
        elif self.state.settled:
            pass
        elif what == "ack":
            self.keep(*acknowledge(self.state, "rn-7", "seen", self.now))
        elif what == "settle":
            self.keep(*settle(self.state, self.now, "gone"))
            return
        elif what == "snooze" and not self.state.alert.is_critical and how <= 300:
            self.keep(*snooze(self.state, self.now + how * HOUR, "rn-7", "later", self.now, POLICY))
        self.keep(*observe(self.state, self.seen, self.now))
        if self.state.generation == before.generation:
            assert self.state.alert.stage >= before.alert.stage, "a stage fell within its generation"
        self.decide()

    def keep(self, state: AlertState, entries: Any) -> None:
        if (state.alert.stage, state.generation, state.settled) != (self.state.alert.stage, self.state.generation, self.state.settled):
            assert entries, "a change without its journal"
        self.state, self.journal = state, (*self.journal, *entries)

    def decide(self) -> None:
        state, tellings, entries = decide(self.state, PEOPLE, POLICY, self.now)
        assert len(tellings) == len(entries)
        for telling in tellings:
            self.check_quiet(telling.contact)
        self.state, self.journal = state, (*self.journal, *entries)
        self.told += [(self.now, telling) for telling in tellings]
        self.check_told()

    def check_quiet(self, contact: Contact) -> None:
        """Nothing within the quiet hours of the stage, unless the stage is higher or the date has come nearer."""
        stage = self.state.alert.stage
        for at, earlier in self.told:
            if earlier.contact == contact and earlier.alert.stage >= stage and earlier.alert.due == self.state.alert.due:
                quiet = self.now - at < POLICY.quiet_h[stage] * HOUR
                assert not quiet or self.moved_earlier, f"{contact.id} told again after {self.now - at}"

    def check_told(self) -> None:
        state = self.state
        stage = state.alert.stage
        if stage is Stage.CRITICAL:
            assert not state.muted_by
            for contact in PEOPLE:
                assert self.now - state.told[contact.id].at < POLICY.quiet_h[stage] * HOUR
                assert state.told[contact.id].stage is stage
        elif stage is not Stage.SCHEDULED and not state.muted_by and state.snoozed is None and state.acknowledged is None:
            assert state.told["nurse"].stage >= stage


@pytest.mark.sr("SR-40")
@given(st.lists(STEPS, max_size=40))
def test_over_any_history(steps: list[tuple[str, Any]]) -> None:
    history = History()
    for what, how in steps:
        history.step(what, how)
    keys = [telling.key for _, telling in history.told]
    assert len(set(keys)) == len(keys), "an idempotency key twice"
    assert history.state.generation == sum(entry.event in {Event.MOVED, Event.SUPERSEDED, Event.REOPENED} for entry in history.journal)
