"""What may happen between staging and commit: the commit is judged anew, and a commit that cannot be stored has no effect."""

from __future__ import annotations

import hashlib

import pytest
from msgspec.structs import replace

from firmware_sim.firmware.alarm_table import Alarm
from itbpump.wire.messages import (
    RESULTS_PER_PROGRAMMER,
    BolusState,
    CommandKind,
    CommandResult,
    Commit,
    ConfirmResult,
    ErrorCode,
    LimitCode,
    MinimumRate,
    Mode,
    Outcome,
    QueryCommand,
    Request,
    RunState,
    SetClock,
    Staged,
    StopTherapy,
    encode_configuration,
)
from tests.unit.firmware.rig import BASE, DAY, HOUR, KEEP, MINUTE, PROFILE, A, B, P, Rig, error_of, result_of

NG_PER_PULSE = P * 2


def running(**changes: object) -> Rig:
    rig = Rig()
    rig.configure(replace(BASE, **changes))
    rig.advance(HOUR)
    return rig


def staged(rig: Rig, payload: bytes, kind: CommandKind) -> Commit:
    """Stage it; returns the commit that belongs to it."""
    cmd_id, revision = rig.next_id(), rig.status().revision
    reply = rig.stage(payload, kind, cmd_id, revision)
    assert isinstance(reply, Staged), reply
    assert reply.complete
    return Commit(cmd_id=cmd_id, digest=hashlib.sha256(payload).digest(), base_revision=revision)


def refused_for_good(rig: Rig, commit: Commit, link_ms: int) -> CommandResult:
    """Send the commit, see it refused, and refused alike when it is sent again."""
    first = result_of(rig.ask(commit, link_ms=link_ms))
    assert first.outcome is Outcome.REFUSED
    assert result_of(rig.ask(commit, link_ms=link_ms)) == first
    return first


# ------------------------------------------------------------------------------------------------ judged anew
@pytest.mark.sr("SR-02", "SR-07")
def test_a_patient_bolus_since_the_staging_counts_against_the_new_therapy() -> None:
    rig = running(patient_pulses=40)
    for _ in range(5):
        result_of(rig.bolus(90, 600))
        rig.advance(10 * MINUTE)
    at = rig.now
    commit = staged(rig, encode_configuration(replace(KEEP, patient_pulses=40, flow_nL_per_day=800_000)), CommandKind.CONFIGURE)
    assert rig.firmware.patient_request(at)
    rig.advance(10 * MINUTE)
    refused = refused_for_good(rig, commit, link_ms=at)
    assert (refused.error, refused.error_detail) == (ErrorCode.LIMIT, LimitCode.MASS_24H)
    assert (rig.status().flow_nL_per_day, rig.status().revision) == (BASE.flow_nL_per_day, 1)


@pytest.mark.sr("SR-02", "SR-07")
def test_a_patient_bolus_since_the_staging_counts_against_a_bolus() -> None:
    rig = running(flow_nL_per_day=800_000, patient_pulses=40)
    rig.advance(DAY)
    for _ in range(4):
        result_of(rig.bolus(99, 600))
        rig.advance(10 * MINUTE)
    at, counter = rig.now, rig.status().bolus_counter
    commit = staged(rig, rig.order(60, 600), CommandKind.BOLUS)
    assert rig.firmware.patient_request(at)
    rig.advance(10 * MINUTE)
    refused = refused_for_good(rig, commit, link_ms=at)
    assert (refused.error, refused.error_detail) == (ErrorCode.LIMIT, LimitCode.MASS_24H)
    rig.advance(HOUR)
    assert rig.status().bolus_counter == counter + 40
    assert rig.status().mass_24h_ng <= PROFILE.drugs["baclofen"].mass_24h_max_ng + NG_PER_PULSE


@pytest.mark.sr("SR-45")
@pytest.mark.parametrize("change", [StopTherapy(cmd_id=1), MinimumRate(cmd_id=1)], ids=["stop", "minimum rate"])
def test_a_bolus_on_a_state_another_has_changed_is_refused(change: Request) -> None:
    rig = running()
    commit = staged(rig, rig.order(25), CommandKind.BOLUS)
    result_of(rig.ask(change, B))
    refused = refused_for_good(rig, commit, link_ms=rig.now)
    assert (refused.error, refused.error_detail) == (ErrorCode.STALE_REVISION, 2)
    rig.advance(HOUR)
    assert (rig.status().bolus_counter, rig.status().bolus_state) == (0, BolusState.IDLE)


@pytest.mark.sr("SR-62", "SR-05")
@pytest.mark.parametrize("payload", [encode_configuration(BASE)[:-1], encode_configuration(BASE) + b"\0"], ids=["cut short", "one more"])
def test_a_payload_that_is_no_message_is_refused_whole(payload: bytes) -> None:
    rig = Rig()
    assert error_of(rig.stage(payload, CommandKind.CONFIGURE, 1, 0)) == ErrorCode.BAD_MESSAGE
    assert error_of(rig.ask(Commit(cmd_id=1, digest=hashlib.sha256(payload).digest(), base_revision=0))) == ErrorCode.NOT_STAGED
    assert (rig.info().last_cmd_id, rig.status().run_state) == (0, RunState.UNCONFIGURED)


@pytest.mark.sr("SR-06", "SR-23")
def test_an_unconfigured_pump_keeps_no_bolus() -> None:
    rig = Rig()
    reply = rig.stage(rig.order(25), CommandKind.BOLUS, 1, 0)
    assert error_of(reply) == ErrorCode.LIMIT
    assert reply.detail == LimitCode.DRUG  # type: ignore[union-attr]
    assert rig.firmware.link_deadline() is None


# ------------------------------------------------------------------------------------------------ what cannot be stored
def worn_out(rig: Rig) -> None:
    """Neither slot of the journal takes a record any more."""
    for region in ("journal_a", "journal_b"):
        rig.memory.stick(region, 30, rig.memory.read(region, 30, 1)[0] ^ 0xFF)


@pytest.mark.sr("SR-47", "SR-32")
def test_a_commit_that_cannot_be_stored_takes_no_id_and_has_no_effect() -> None:
    rig = running()
    commit = staged(rig, encode_configuration(replace(KEEP, flow_nL_per_day=150_000)), CommandKind.CONFIGURE)
    worn_out(rig)
    for _ in range(2):
        # The staged data are still there: it is the memory that fails, not the order.
        assert error_of(rig.ask(commit)) == ErrorCode.MEMORY_FAULT
    assert result_of(rig.ask(QueryCommand(cmd_id=commit.cmd_id))).outcome is Outcome.UNKNOWN_COMMAND
    status = rig.status()
    # The safe state moved the revision: what was reviewed before the fault is stale.
    assert (status.revision, status.run_state, status.flow_nL_per_day) == (2, RunState.SAFE, PROFILE.minimum_rate_nL_per_day)
    assert {state.alarm for state in status.alarms} == {Alarm.MEMORY_LOST}


@pytest.mark.sr("SR-32")
def test_a_confirmation_that_cannot_be_stored_is_not_claimed() -> None:
    rig = running()
    worn_out(rig)
    assert error_of(rig.ask(ConfirmResult(cmd_id=1))) == ErrorCode.MEMORY_FAULT
    assert not result_of(rig.ask(QueryCommand(cmd_id=1))).confirmed
    assert rig.status(B).others_unconfirmed == 1
    assert {state.alarm for state in rig.status().alarms} == {Alarm.MEMORY_LOST}


# ------------------------------------------------------------------------------------------------ what the ring keeps
def many(rig: Rig, count: int, who: bytes = A) -> None:
    for turn in range(count):
        result_of(rig.ask(SetClock(cmd_id=rig.next_id(who), wall_s=1_800_000_000 + turn), who))


@pytest.mark.sr("SR-44", "SR-48", "SR-49")
@pytest.mark.parametrize("others", [b"", B])
def test_a_dose_nobody_has_confirmed_is_told_after_any_number_of_stops(others: bytes) -> None:
    rig = running()
    ordered = result_of(rig.bolus(25, 600))
    rig.advance(MINUTE)
    for turn in range(3 * RESULTS_PER_PROGRAMMER):
        who = others if others and turn % 2 else A
        assert result_of(rig.ask(StopTherapy(cmd_id=rig.next_id(who)), who)).outcome is Outcome.APPLIED
    for _ in range(2):
        told = result_of(rig.ask(QueryCommand(cmd_id=ordered.cmd_id)))
        assert (told.outcome, told.bolus_state, told.delivered_pulses) == (Outcome.APPLIED, BolusState.ABORTED, 3)
        assert error_of(rig.ask(QueryCommand(cmd_id=ordered.cmd_id + 1))) == ErrorCode.TOO_OLD, "the first stop may have been"
        rig = rig.reset()
    rig.ask(ConfirmResult(cmd_id=ordered.cmd_id))
    rig.ask(ConfirmResult(cmd_id=1))
    many(rig, 2)
    assert error_of(rig.ask(QueryCommand(cmd_id=ordered.cmd_id))) == ErrorCode.TOO_OLD, "known: it goes like any other"


@pytest.mark.sr("SR-44", "SR-49")
def test_a_bolus_that_runs_keeps_the_place_of_its_result() -> None:
    rig = running()
    ordered = result_of(rig.bolus(25, 600))
    rig.ask(ConfirmResult(cmd_id=ordered.cmd_id))
    many(rig, 3 * RESULTS_PER_PROGRAMMER)
    rig.advance(10 * MINUTE)
    told = result_of(rig.ask(QueryCommand(cmd_id=ordered.cmd_id)))
    assert (told.bolus_state, told.delivered_pulses) == (BolusState.DONE, 25)


@pytest.mark.sr("SR-44")
def test_of_doses_that_nobody_confirmed_the_oldest_goes_first() -> None:
    rig = running()
    for turn in range(RESULTS_PER_PROGRAMMER):
        assert rig.configure(replace(KEEP, flow_nL_per_day=100_000 + turn)).outcome is Outcome.APPLIED
    assert error_of(rig.ask(QueryCommand(cmd_id=1))) == ErrorCode.TOO_OLD
    kept = rig.firmware._machine.results.results(0, rig.firmware._machine.state.programmers[0])
    assert [result.cmd_id for result in kept] == list(range(RESULTS_PER_PROGRAMMER + 1, 1, -1))


# ------------------------------------------------------------------------------------------------ less
@pytest.mark.sr("SR-22", "SR-33")
def test_a_configuration_may_stop_the_pump_and_the_stop_is_alarmed_after_its_time() -> None:
    rig = running()
    nothing = replace(
        KEEP,
        mode=Mode.STOPPED,
        flow_nL_per_day=0,
        patient_pulses=0,
        patient_duration_min=0,
        patient_lockout_min=0,
        patient_max_per_day=0,
    )
    assert rig.configure(nothing).outcome is Outcome.APPLIED
    made = rig.hardware.made
    rig.advance(PROFILE.stopped_alarm_ms - 1)
    assert (rig.status().run_state, rig.status().alarms, rig.hardware.made) == (RunState.STOPPED, (), made)
    rig.advance(1)
    assert [state.alarm for state in rig.status().alarms] == [Alarm.STOPPED_LONG]
    assert rig.configure(replace(nothing, start=True)).outcome is Outcome.APPLIED
    assert rig.status().run_state is RunState.STOPPED, "there is nothing to start"


@pytest.mark.sr("SR-45", "SR-64")
def test_the_minimum_rate_asked_for_again_changes_nothing() -> None:
    rig = running()
    seen = []
    for _ in range(2):
        result = result_of(rig.ask(MinimumRate(cmd_id=rig.next_id())))
        assert (result.outcome, result.revision) == (Outcome.APPLIED, 2)
        seen.append((rig.status().run_state, rig.status().flow_nL_per_day, rig.status().revision))
    assert seen[0] == seen[1]
    assert seen[0][1:] == (PROFILE.minimum_rate_nL_per_day, 2)
