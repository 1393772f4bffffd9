"""What is kept is what was said; who was overtaken does it anew; fired is not delivered; the job's own silence is told."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from itbpump.alerts.channel import Delivery, DeliveryState
from itbpump.alerts.errors import AlertsError, ChannelDefects, NotSnoozable, UnknownAlert
from itbpump.alerts.job import Run, check, run, send
from itbpump.alerts.model import Contact, Stage
from itbpump.alerts.outbox import Grouping, Outbox, retry_after
from itbpump.alerts.policy import load_policy, policy_of
from itbpump.alerts.state import Event
from itbpump.alerts.store import AlertStore, Overtaken, Writes
from itbpump.registry.engine import reading, writing
from tests.unit.alerts.alert_rig import DOCTOR, NOW, NURSE, Clinic, Memory, dates, days, pump

POLICY = load_policy()
HOUR = timedelta(hours=1)
FAILED, REFUSED = Delivery(DeliveryState.FAILED, detail="no line"), Delivery(DeliveryState.REFUSED, detail="no such address")


@pytest.fixture
def store(engine: Engine) -> AlertStore:
    return AlertStore(engine)


def key_of(store: AlertStore) -> str:
    return store.listed()[0].state.alert.key


# ------------------------------------------------------------------------------------------------ kept
def test_a_year_of_one_refill_is_journalled(engine: Engine, store: AlertStore) -> None:
    channel, clinic = Memory(), Clinic(engine, [pump(dates=dates(days(16)))])
    for day in range(40):
        run(clinic, {"mail": channel}, NOW + timedelta(days=day))
    clinic.pumps = [pump(cycle=4, dates=dates(days(160)), last_seen=NOW + 39 * 24 * HOUR)]
    run(clinic, {"mail": channel}, NOW + timedelta(days=40))
    old = next(each.state for each in store.listed(settled=True) if each.state.alert.cycle == 3 and each.state.alert.kind.value == "refill")
    events = [entry.event for entry in store.journal(old.alert.key)]
    assert events[0] is Event.OPENED
    assert events[-1] is Event.RESOLVED
    assert events.count(Event.RAISED) == 4
    assert store.journal(old.alert.key)[-1].detail == "refilled"
    assert channel.subjects("nurse")[0] == "Due soon: Refill by 19 Aug 2026"
    assert channel.subjects()[-1].startswith("Settled: Refill by 19 Aug 2026")
    assert len(set(channel.keys())) == len(channel.keys())


@pytest.mark.sr("SR-40")
def test_a_second_run_at_the_same_time_tells_nothing_twice(engine: Engine) -> None:
    channel, clinic = Memory(), Clinic(engine, [pump(dates=dates(days(3)), alarms=("motor-stall",))])
    first = run(clinic, {"mail": channel}, NOW)
    second = run(clinic, {"mail": channel}, NOW)
    assert (first.delivered, second.delivered, second.fired, second.told) == (2, 0, 0, 0)


def test_what_a_person_says_is_kept_over_a_restart(engine: Engine, store: AlertStore) -> None:
    check(Clinic(engine, [pump(dates=dates(days(7)))]), NOW)
    key = key_of(store)
    store.acknowledge(key, "rn-7", "booked", NOW)
    store.snooze(key, NOW + 5 * HOUR, "rn-7", "abroad", NOW, POLICY)
    state = AlertStore(engine).listed()[0].state
    assert state.acknowledged is not None
    assert (state.acknowledged.author, state.acknowledged.stage) == ("rn-7", Stage.DUE)
    assert state.snoozed is not None
    assert state.snoozed.until == NOW + 5 * HOUR
    assert [(entry.event, entry.author) for entry in store.journal(key)][-2:] == [(Event.ACKNOWLEDGED, "rn-7"), (Event.SNOOZED, "rn-7")]


def test_unknown_and_impossible_is_refused(engine: Engine, store: AlertStore) -> None:
    with pytest.raises(UnknownAlert, match="alerts list"):
        store.acknowledge("refill-nope", "rn-7", "booked", NOW)
    check(Clinic(engine, [pump(dates=dates(days(7)))]), NOW)
    with pytest.raises(NotSnoozable):
        store.snooze(key_of(store), NOW + 1000 * HOUR, "rn-7", "abroad", NOW, POLICY)
    with pytest.raises(AlertsError):
        store.acknowledge(key_of(store), "", "booked", NOW)
    assert store.listed()[0].state.acknowledged is None


def test_an_acknowledgement_during_a_check_is_not_lost(engine: Engine, store: AlertStore) -> None:
    """The check reads the alert, then somebody acknowledges on another workstation, then the check writes."""
    watched = pump(dates=dates(days(7)))
    check(Clinic(engine, [watched]), NOW)
    key = key_of(store)
    threads = []
    for number in range(4):
        reason = f"reason {number}"
        threads += [
            threading.Thread(target=lambda why=reason: store.acknowledge(key, "rn-7", why, NOW)),
            threading.Thread(target=lambda at=number: check(Clinic(engine, [watched]), NOW + (50 + at) * HOUR)),
        ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    acks = [entry.detail for entry in store.journal(key) if entry.event is Event.ACKNOWLEDGED]
    assert sorted(acks) == [f"reason {number}" for number in range(4)]
    assert store.listed()[0].state.acknowledged is not None


def test_a_write_over_a_newer_version_is_refused_whole(engine: Engine, store: AlertStore) -> None:
    check(Clinic(engine, [pump(dates=dates(days(7)))]), NOW)
    key = key_of(store)
    with reading(engine) as connection:
        stale, version = store.load(connection, (), (key,))[key]
    store.acknowledge(key, "rn-7", "booked", NOW)
    with pytest.raises(Overtaken), writing(engine) as connection:
        store.write(connection, Writes({key: (stale, version)}))
    assert store.listed()[0].state.acknowledged is not None


def test_two_jobs_cannot_claim_the_same_message(engine: Engine, store: AlertStore) -> None:
    check(Clinic(engine, [pump(dates=dates(days(7)))]), NOW)
    one, other = (Outbox(store, {}, (NURSE,), lambda: NOW) for _ in range(2))
    (key,) = one.due()
    assert other.due() == [key]
    assert one.claim(key) is not None
    assert other.claim(key) is None
    late = Outbox(store, {}, (NURSE,), lambda: NOW + 11 * timedelta(minutes=1))
    claimed = late.claim(key)
    assert claimed is not None
    assert claimed["attempts"] == 1


# ------------------------------------------------------------------------------------------------ fired and delivered
def test_fired_is_not_delivered(engine: Engine, store: AlertStore) -> None:
    channel = Memory(answers=[FAILED])
    clinic = Clinic(engine, [pump(dates=dates(days(7)))])
    run(clinic, {"mail": channel}, NOW)
    (listed,) = store.listed()
    assert (listed.delivered_at, listed.pending) == (None, 1)
    assert store.oldest_undelivered() == NOW
    run(clinic, {"mail": channel}, NOW + HOUR)
    (listed,) = store.listed()
    assert (listed.delivered_at, listed.pending) == (NOW + HOUR, 0)
    assert store.oldest_undelivered() is None


def test_retries_back_off_and_never_end(engine: Engine) -> None:
    assert [retry_after(attempts) / timedelta(minutes=1) for attempts in (1, 2, 3, 6, 7, 8, 999)] == [1, 2, 4, 32, 60, 60, 60]
    channel = Memory(answers=[FAILED] * 6)
    clinic = Clinic(engine, [pump(dates=dates(days(7)))], (NURSE,))
    tried = []
    run(clinic, {"mail": channel}, NOW)
    for minute in range(1, 70):
        result = send(clinic, {"mail": channel}, NOW + timedelta(minutes=minute))
        if result.failed or result.delivered:
            tried.append(minute)
    assert tried == [1, 3, 7, 15, 31, 63]
    assert channel.keys()[0].startswith("refill-")


@pytest.mark.sr("SR-40")
def test_a_refused_address_tells_the_next_contact_in_the_same_run(engine: Engine, store: AlertStore) -> None:
    channel = Memory(answers=[REFUSED])
    result = run(Clinic(engine, [pump(dates=dates(days(7)))]), {"mail": channel}, NOW)
    assert (result.refused, result.delivered) == (1, 1)
    assert [notification.contact for notification in channel.taken] == [DOCTOR]
    assert store.listed()[0].refused == 1


@pytest.mark.sr("SR-40")
def test_a_word_that_all_refused_is_sent_when_an_address_was_mended(engine: Engine, store: AlertStore) -> None:
    """Of every kind, also of one that is told once."""
    pumps = [pump(1, dates=dates(days(7))), pump(2, previous_refill_by=days(200), moved_because="more")]
    channel, clinic = Memory(answers=[REFUSED] * 4), Clinic(engine, pumps)
    first = run(clinic, {"mail": channel}, NOW)
    assert (first.delivered, first.refused) == (0, 4)
    assert run(clinic, {"mail": channel}, NOW + HOUR / 2).told == 0
    assert run(clinic, {"mail": channel}, NOW + HOUR).delivered >= 2
    assert {alert.kind.value for notification in channel.taken for alert in notification.alerts} >= {"refill", "date-moved"}
    assert run(clinic, {"mail": channel}, NOW + 2 * HOUR).told == 0


@pytest.mark.sr("SR-40")
def test_a_run_with_a_clock_ahead_silences_nothing(engine: Engine, store: AlertStore) -> None:
    channel, clinic = Memory(), Clinic(engine, [pump(dates=dates(days(30)))])
    run(clinic, {"mail": channel}, NOW + timedelta(days=365))
    assert any("Critical" in subject for subject in channel.subjects())
    channel.taken.clear()
    for day in range(60):
        run(clinic, {"mail": channel}, NOW + timedelta(days=day))
    told = [subject.split(":")[0] for subject in channel.subjects("nurse")]
    assert [word for word in dict.fromkeys(told) if word != "Settled"] == ["Due soon", "Due", "Overdue", "Critical"]
    assert len(set(channel.keys())) == len(channel.keys())
    assert store.job_overdue(NOW + timedelta(days=62)) is not None


def test_nobody_reachable_is_a_problem_that_is_told(engine: Engine) -> None:
    clinic = Clinic(engine, [pump(dates=dates(days(7)))])
    assert "no contact could be told" in run(clinic, {"other": Memory()}, NOW).problems[-1]
    empty = Clinic(engine, [pump(2, dates=dates(days(7)))], ())
    assert any("no contact is set" in problem for problem in run(empty, {}, NOW + HOUR).problems)


@pytest.mark.sr("SR-40")
def test_word_waits_for_the_first_channel_that_is_set_up(engine: Engine) -> None:
    clinic, channel = Clinic(engine, [pump(dates=dates(days(7)))]), Memory()
    for result in (run(clinic, {}, NOW), send(clinic, {}, NOW)):
        assert (result.refused, result.delivered) == (0, 0)
        assert [problem.split(";")[0] for problem in result.problems] == ["no channel is set up, so nobody is told and all of it waits"]
    assert send(clinic, {"mail": channel}, NOW + HOUR).delivered == 1
    assert [notification.contact for notification in channel.taken] == [NURSE]


@pytest.mark.sr("SR-40")
def test_a_contact_whose_channel_is_not_set_up_is_told_before_there_is_anything_to_say(engine: Engine) -> None:
    clinic = Clinic(engine, [], (NURSE, replace(DOCTOR, channel="post")))
    for result in (run(clinic, {"mail": Memory()}, NOW), send(clinic, {"mail": Memory()}, NOW)):
        assert [problem.split(";")[0] for problem in result.problems] == ["doctor cannot be told: no channel 'post' is set up"]
    assert run(clinic, {"mail": Memory(), "post": Memory()}, NOW).problems == []


def test_a_channel_that_raises_stops_nobody_elses_word(engine: Engine) -> None:
    channel = Memory(answers=[RuntimeError("secret address")])
    clinic = Clinic(engine, [pump(1, dates=dates(days(7))), pump(2, dates=dates(days(7)))])
    with pytest.raises(ChannelDefects, match="mail raised RuntimeError") as caught:
        run(clinic, {"mail": channel}, NOW)
    assert "secret" not in str(caught.value)
    assert len(channel.taken) == 1
    run(clinic, {"mail": channel}, NOW + HOUR)
    assert len(channel.taken) == 2


def test_a_word_of_what_is_settled_meanwhile_is_withdrawn(engine: Engine) -> None:
    clinic = Clinic(engine, [pump(calibration_drifts=True)])
    channel = Memory(answers=[FAILED, FAILED])
    run(clinic, {"mail": channel}, NOW)
    clinic.pumps = [pump()]
    result = run(clinic, {"mail": channel}, NOW + HOUR)
    assert (result.settled, result.withdrawn, result.failed) == (1, 1, 1)
    assert send(clinic, {"mail": channel}, NOW + 5 * HOUR).delivered == 1
    assert channel.subjects() == ["Settled: Pump flow drifts"]


def test_a_pump_the_registry_forgot_is_told_and_settled(engine: Engine, store: AlertStore) -> None:
    channel, clinic = Memory(), Clinic(engine, [pump(1, dates=dates(days(7))), pump(2)])
    run(clinic, {"mail": channel}, NOW)
    clinic.pumps = [pump(2)]
    result = run(clinic, {"mail": channel}, NOW + HOUR)
    assert "not in the registry any more" in result.problems[0]
    assert channel.subjects()[-1].startswith("Settled")
    assert [each.state.alert.serial for each in store.listed()] == ["S-00002"]


def test_an_imported_pump_that_is_read_for_the_first_time_is_not_gone(engine: Engine, store: AlertStore) -> None:
    channel, clinic = Memory(), Clinic(engine, [pump(1, memory_id="", dates=dates(days(7)))])
    run(clinic, {"mail": channel}, NOW)
    clinic.pumps = [pump(1, dates=dates(days(7)))]
    result = run(clinic, {"mail": channel}, NOW + HOUR)
    assert result.problems == []
    assert not [subject for subject in channel.subjects() if subject.startswith("Settled")]
    assert {each.state.alert.memory_id for each in store.listed()} == {pump(1).memory_id}


# ------------------------------------------------------------------------------------------------ messages
@pytest.mark.parametrize(("grouping", "count"), [(Grouping.ALERT, 4), (Grouping.PATIENT, 2), (Grouping.CLINIC, 1)])
def test_alerts_are_grouped(engine: Engine, grouping: Grouping, count: int) -> None:
    pumps = [pump(number, dates=dates(days(7)), discrepancy_open=True) for number in (1, 2)]
    channel = Memory()
    run(Clinic(engine, pumps), {"mail": channel}, NOW, grouping=grouping)
    assert len(channel.taken) == count
    assert sum(len(notification.alerts) for notification in channel.taken) == 4


def test_who_may_not_see_patients_sees_none(engine: Engine) -> None:
    channel = Memory("chat")
    stranger = Contact("room", 0, "chat", "room")
    run(Clinic(engine, [pump(dates=dates(days(-30)), alarms=("empty-reservoir",))], (stranger,)), {"chat": channel}, NOW)
    text = "\n".join((*channel.taken[0].lines, channel.taken[0].subject, channel.taken[0].uid))
    assert "P-00001" not in text
    assert "S-00001" not in text
    assert "Critical: " in text


def test_who_may_not_see_patients_any_more_does_not_see_those_of_a_message_that_waits(engine: Engine) -> None:
    channel = Memory(answers=[Delivery(DeliveryState.FAILED)])
    clinic = Clinic(engine, [pump(dates=dates(days(-30)), alarms=("empty-reservoir",))], (NURSE,))
    run(clinic, {"mail": channel}, NOW, grouping=Grouping.CLINIC)
    assert channel.taken == []
    clinic.people = (replace(NURSE, shows_patient=False),)
    send(clinic, {"mail": channel}, NOW + HOUR)
    text = "\n".join((*channel.taken[0].lines, channel.taken[0].subject))
    assert "P-00001" not in text
    assert "S-00001" not in text
    assert "Critical: " in text


def test_the_calendar_entry_keeps_its_id_and_counts_its_changes(engine: Engine) -> None:
    channel, clinic = Memory(), Clinic(engine, [pump(dates=dates(days(7)))])
    run(clinic, {"mail": channel}, NOW)
    clinic.pumps = [pump(dates=dates(days(4)), previous_refill_by=days(7), moved_because="dose raised")]
    run(clinic, {"mail": channel}, NOW + HOUR)
    refills = [notification for notification in channel.taken if notification.uid]
    assert len({notification.uid for notification in refills}) == 1
    assert [notification.sequence for notification in refills] == [0, 1]


# ------------------------------------------------------------------------------------------------ the job's pulse
def test_a_job_that_stopped_is_noticed(engine: Engine, store: AlertStore) -> None:
    overdue = store.job_overdue(NOW)
    assert overdue is not None
    assert "never" in overdue.text
    run(Clinic(engine, [pump()]), {}, NOW)
    assert store.job_overdue(NOW + 25 * HOUR) is None
    late = store.job_overdue(NOW + 26 * HOUR)
    assert late is not None
    assert "26 h" in late.text


def test_a_run_that_did_not_end_is_no_run(engine: Engine, store: AlertStore) -> None:
    store.begin_run(NOW)
    assert store.job_overdue(NOW + HOUR) is not None


def test_two_computers_with_two_policies_are_told_of_it(engine: Engine) -> None:
    clinic, (one, other) = Clinic(engine, [pump()]), (policy_of(text, "alerts.toml") for text in ("", "[leads]\nrefill_booking = 9\n"))
    assert one.digest() == policy_of("# nothing\n", "alerts.toml").digest() != other.digest()
    said = [
        bool(run(clinic, {"mail": Memory()}, NOW + hour * HOUR, policy=policy).problems)
        for hour, policy in enumerate((one, one, other, other, one, other))
    ]
    assert said == [False, False, False, False, True, True]  # the first change may be meant
    assert run(clinic, {"mail": Memory()}, NOW + 40 * HOUR, policy=one).problems == []


def test_a_run_says_what_it_came_to(engine: Engine) -> None:
    result = run(Clinic(engine, [pump(dates=dates(days(7))), pump(2)]), {"mail": Memory()}, NOW)
    assert result == Run(pumps=2, fired=2, told=1, delivered=1)
