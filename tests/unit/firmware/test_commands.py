"""Commands take effect once or not at all; staging; refusals; who may do what."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from firmware_sim.firmware.results import Verdict
from itbpump.wire.messages import (
    CMD_ID_LEAP,
    RESULTS_PER_PROGRAMMER,
    ROLES,
    STAGED_LIFE_MS,
    BolusKind,
    BolusState,
    Close,
    Closed,
    CommandKind,
    Commit,
    ConfigurationPage,
    ConfigurationSlot,
    ConfirmResult,
    ErrorCode,
    GetConfiguration,
    GetInfo,
    GetReadBack,
    GetResults,
    LimitCode,
    LogKind,
    MinimumRate,
    Mode,
    Outcome,
    Ping,
    Pong,
    QueryCommand,
    ReadBack,
    Request,
    ResultScope,
    ResultsPage,
    Role,
    RunState,
    SetClock,
    Stage,
    Staged,
    StopBolus,
    StopTherapy,
    encode_configuration,
)
from tests.unit.firmware.rig import BASE, CARD, DAY, HOUR, KEEP, MINUTE, WATCHER, A, B, P, Rig, error_of, result_of

PAYLOAD = encode_configuration(BASE)
DIGEST = hashlib.sha256(PAYLOAD).digest()


def running() -> Rig:
    rig = Rig()
    rig.configure()
    rig.advance(HOUR)
    return rig


def kinds(rig: Rig) -> list[LogKind]:
    return [entry.kind for entry in rig.firmware._machine.log.page(0, 1000)]


# ------------------------------------------------------------------------------------------------ exactly once
@pytest.mark.sr("SR-41")
def test_a_repeated_commit_gives_the_stored_result_and_no_second_effect() -> None:
    rig = running()
    payload = rig.order(25)
    first = result_of(rig.commit(payload, CommandKind.BOLUS))
    rig.advance(2 * HOUR)
    revision, writes = rig.status().revision, rig.memory.write_index
    again = result_of(rig.ask(Commit(cmd_id=first.cmd_id, digest=hashlib.sha256(payload).digest(), base_revision=revision)))
    assert (again.outcome, again.bolus_state, again.delivered_pulses) == (Outcome.APPLIED, BolusState.DONE, 25)
    rig.advance(2 * HOUR)
    assert (rig.status().bolus_counter, rig.memory.write_index) == (25, writes)


@pytest.mark.sr("SR-44")
def test_the_same_id_for_something_else_is_a_conflict_without_effect() -> None:
    rig = running()
    status = rig.status()
    assert error_of(rig.ask(Commit(cmd_id=1, digest=bytes(32), base_revision=1))) == ErrorCode.CONFLICT
    assert error_of(rig.ask(StopTherapy(cmd_id=1))) == ErrorCode.CONFLICT
    result_of(rig.ask(SetClock(cmd_id=2, wall_s=1_800_000_000)))
    assert error_of(rig.ask(SetClock(cmd_id=2, wall_s=1_800_000_001))) == ErrorCode.CONFLICT
    assert error_of(rig.ask(MinimumRate(cmd_id=2))) == ErrorCode.CONFLICT
    assert error_of(rig.stage(PAYLOAD, CommandKind.CONFIGURE, 2, 1)) == ErrorCode.CONFLICT
    assert (rig.status().run_state, rig.status().revision) == (status.run_state, status.revision)


@pytest.mark.sr("SR-44")
def test_ids_beyond_the_ring_are_too_old_and_skipped_ones_never_taken() -> None:
    rig = running()
    rig.ask(ConfirmResult(cmd_id=1))
    for cmd_id in range(10, 10 + RESULTS_PER_PROGRAMMER + 2):
        result_of(rig.ask(SetClock(cmd_id=cmd_id, wall_s=1_800_000_000 + cmd_id)))
    assert error_of(rig.ask(Commit(cmd_id=1, digest=DIGEST, base_revision=0))) == ErrorCode.TOO_OLD
    assert error_of(rig.ask(QueryCommand(cmd_id=11))) == ErrorCode.TOO_OLD
    assert error_of(rig.stage(PAYLOAD, CommandKind.CONFIGURE, 11, 1)) == ErrorCode.TOO_OLD
    assert result_of(rig.ask(QueryCommand(cmd_id=12))).outcome is Outcome.APPLIED
    assert result_of(rig.ask(QueryCommand(cmd_id=99))).outcome is Outcome.UNKNOWN_COMMAND
    fresh = Rig()
    result_of(fresh.ask(SetClock(cmd_id=5, wall_s=1_800_000_000)))
    assert result_of(fresh.ask(QueryCommand(cmd_id=3))).outcome is Outcome.UNKNOWN_COMMAND
    assert error_of(fresh.ask(SetClock(cmd_id=3, wall_s=1_800_000_000))) == ErrorCode.TOO_OLD, "never taken, and never will be"


@pytest.mark.sr("SR-44", "SR-64")
def test_an_id_too_far_ahead_takes_none_of_those_before_it() -> None:
    rig = running()
    last = rig.info().last_cmd_id
    for request in (StopTherapy(cmd_id=last + CMD_ID_LEAP + 1), StopTherapy(cmd_id=2**64 - 1)):
        assert error_of(rig.ask(request)) == ErrorCode.OUT_OF_RANGE
    assert (rig.info().last_cmd_id, rig.status().run_state) == (last, RunState.RUNNING)
    assert result_of(rig.ask(StopTherapy(cmd_id=last + CMD_ID_LEAP))).outcome is Outcome.APPLIED
    assert rig.status().run_state is RunState.STOPPED


@pytest.mark.sr("SR-45")
def test_a_stale_revision_is_refused_for_good() -> None:
    rig = running()
    payload = encode_configuration(replace(KEEP, flow_nL_per_day=150_000))
    base = rig.status().revision
    rig.stage(payload, CommandKind.CONFIGURE, 2, base)
    rig.configure(replace(KEEP, flow_nL_per_day=120_000), who=B)
    rig.stage(payload, CommandKind.CONFIGURE, 2, base)
    commit = Commit(cmd_id=2, digest=hashlib.sha256(payload).digest(), base_revision=base)
    refused = result_of(rig.ask(commit))
    assert (refused.outcome, refused.error) == (Outcome.REFUSED, ErrorCode.STALE_REVISION)
    assert result_of(rig.ask(commit)) == refused
    assert rig.status().flow_nL_per_day == 120_000


@pytest.mark.sr("SR-45")
@pytest.mark.parametrize("change", [StopTherapy(cmd_id=1), MinimumRate(cmd_id=1)])
def test_a_stop_by_another_makes_a_staged_configuration_stale(change: Request) -> None:
    rig = running()
    payload = encode_configuration(replace(KEEP, start=True))
    rig.stage(payload, CommandKind.CONFIGURE, 2, 1)
    result_of(rig.ask(change, B))
    refused = result_of(rig.ask(Commit(cmd_id=2, digest=hashlib.sha256(payload).digest(), base_revision=1)))
    assert refused.error == ErrorCode.STALE_REVISION
    assert rig.status().last_change_by == B


@pytest.mark.sr("SR-41", "SR-44")
def test_a_refused_command_stays_refused_when_its_reason_has_gone() -> None:
    rig = running()
    result_of(rig.bolus(25, 600))
    counter = rig.status().bolus_counter
    payload = rig.order(25)
    refused = result_of(rig.commit(payload, CommandKind.BOLUS))
    assert (refused.outcome, refused.error) == (Outcome.REFUSED, ErrorCode.BOLUS_BUSY)
    rig.advance(HOUR)
    again = result_of(rig.ask(Commit(cmd_id=refused.cmd_id, digest=hashlib.sha256(payload).digest(), base_revision=1)))
    assert again == refused
    rig.advance(HOUR)
    assert rig.status().bolus_counter == counter + 25


@pytest.mark.sr("SR-44")
@given(st.lists(st.tuples(st.sampled_from([A, B]), st.integers(1, 40)), max_size=60))
def test_the_ring_remembers_the_last_sixteen_of_each_programmer(sent: list[tuple[bytes, int]]) -> None:
    rig = Rig()
    taken: dict[bytes, list[int]] = {A: [], B: []}
    for who, cmd_id in sent:
        reply = rig.ask(SetClock(cmd_id=cmd_id, wall_s=1_800_000_000 + cmd_id), who)
        if cmd_id > max(taken[who], default=0):
            assert result_of(reply).outcome is Outcome.APPLIED
            taken[who].append(cmd_id)
    rig = rig.reset()
    for who, ids in taken.items():
        kept = ids[-RESULTS_PER_PROGRAMMER:]
        page = rig.ask(GetResults(scope=ResultScope.OWN, skip=0), who)
        assert isinstance(page, ResultsPage)
        assert page.total == len(kept)
        assert [result.cmd_id for result in page.results] == kept[::-1][:8]
        assert rig.info(who).last_cmd_id == max(ids, default=0)
        number = rig.memory.pairing_number(who)
        assert number is not None
        record = rig.firmware._machine.state.programmers[number]
        for cmd_id in range(1, 41):
            verdict = rig.firmware._machine.results.find(number, record, cmd_id).verdict
            if cmd_id in kept:
                assert verdict is Verdict.KNOWN
            elif cmd_id > max(ids, default=0):
                assert verdict is Verdict.NEW
            else:
                assert verdict in (Verdict.NEVER, Verdict.TOO_OLD)
                assert verdict is Verdict.TOO_OLD or cmd_id not in ids


@pytest.mark.sr("SR-44")
def test_a_journal_lost_leaves_the_command_ids_to_the_ring() -> None:
    rig = Rig()
    for cmd_id in range(1, 20):
        rig.ask(SetClock(cmd_id=cmd_id * 3, wall_s=1_800_000_000))
    rebuilt = rig.firmware._machine.results.rebuilt()
    assert rebuilt[0].last_cmd_id == 57
    assert rebuilt[1].last_cmd_id == 0
    kept = rig.firmware._machine.results.results(0, rebuilt[0])
    assert [result.cmd_id for result in kept] == [cmd_id * 3 for cmd_id in range(19, 3, -1)]


# ------------------------------------------------------------------------------------------------ staging
def fragment(offset: int, end: int, cmd_id: int = 1, **changes: object) -> Stage:
    stage = Stage(
        cmd_id=cmd_id, kind=CommandKind.CONFIGURE, base_revision=0, total_length=len(PAYLOAD), offset=offset, fragment=PAYLOAD[offset:end]
    )
    return replace(stage, **changes)


def test_fragments_may_come_twice_and_join() -> None:
    rig = Rig()
    for offset in range(0, len(PAYLOAD), 7):
        for _ in range(2):
            staged = rig.ask(fragment(offset, offset + 7))
            assert isinstance(staged, Staged)
            assert staged.received == min(offset + 7, len(PAYLOAD))
            assert staged.complete == (staged.received == len(PAYLOAD))
    assert kinds(rig).count(LogKind.STAGED) == 1
    assert result_of(rig.ask(Commit(cmd_id=1, digest=DIGEST, base_revision=0))).outcome is Outcome.APPLIED


@pytest.mark.parametrize(
    "second",
    [
        fragment(20, 30),
        fragment(5, 15, cmd_id=2),
        fragment(10, 20, base_revision=1),
        fragment(10, 20, total_length=len(PAYLOAD) + 1),
        fragment(10, 10),
        fragment(5, 15, fragment=b"other data"),
        fragment(10, 20, fragment=bytes(900)),
    ],
)
def test_a_fragment_that_does_not_follow_is_refused_and_the_rest_stays(second: Stage) -> None:
    rig = Rig()
    rig.ask(fragment(0, 10))
    assert error_of(rig.ask(second)) == ErrorCode.BAD_FRAGMENT
    staged = rig.ask(fragment(10, 900))
    assert isinstance(staged, Staged)
    assert staged.complete


@pytest.mark.sr("SR-46")
def test_another_command_starts_anew() -> None:
    rig = Rig()
    rig.ask(fragment(0, 900, cmd_id=1))
    rig.ask(fragment(0, 900, cmd_id=2))
    assert error_of(rig.ask(Commit(cmd_id=1, digest=DIGEST, base_revision=0))) == ErrorCode.NOT_STAGED
    assert result_of(rig.ask(Commit(cmd_id=2, digest=DIGEST, base_revision=0))).outcome is Outcome.APPLIED


@pytest.mark.sr("SR-46")
def test_staged_data_die_after_their_time_on_the_link_clock() -> None:
    rig = Rig()
    for wait, alive in ((STAGED_LIFE_MS - 1, True), (STAGED_LIFE_MS, False)):
        rig = Rig()
        rig.ask(fragment(0, 50), link_ms=1_000)
        rig.ask(fragment(50, 900), link_ms=2_000)
        rig.ask(fragment(50, 900), link_ms=30_000)  # a repeat does not prolong
        assert rig.firmware.link_deadline() == 2_000 + STAGED_LIFE_MS
        rig.advance(DAY)  # uptime is another clock
        reply = rig.ask(Commit(cmd_id=1, digest=DIGEST, base_revision=0), link_ms=2_000 + wait)
        assert (result_of(reply).outcome is Outcome.APPLIED) if alive else (error_of(reply) == ErrorCode.NOT_STAGED)
    rig.firmware.link_tick(2_000 + STAGED_LIFE_MS)
    assert rig.firmware.link_deadline() is None


@pytest.mark.sr("SR-46")
def test_staged_data_die_with_the_session_and_at_a_reset() -> None:
    rig = Rig()
    rig.ask(fragment(0, 900))
    rig.firmware.session_closed(A, rig.now)
    assert error_of(rig.ask(Commit(cmd_id=1, digest=DIGEST, base_revision=0))) == ErrorCode.NOT_STAGED
    rig.ask(fragment(0, 900))
    rig = rig.reset()
    assert error_of(rig.ask(Commit(cmd_id=1, digest=DIGEST, base_revision=0))) == ErrorCode.NOT_STAGED
    assert rig.status().run_state is RunState.UNCONFIGURED


@pytest.mark.sr("SR-44")
def test_another_digest_is_refused_and_may_be_committed_right_afterwards() -> None:
    rig = Rig()
    rig.ask(fragment(0, 900))
    assert error_of(rig.ask(Commit(cmd_id=1, digest=bytes(32), base_revision=0))) == ErrorCode.DIGEST_MISMATCH
    assert error_of(rig.ask(Commit(cmd_id=1, digest=DIGEST, base_revision=1))) == ErrorCode.DIGEST_MISMATCH
    assert result_of(rig.ask(Commit(cmd_id=1, digest=DIGEST, base_revision=0))).outcome is Outcome.APPLIED


@pytest.mark.sr("SR-02", "SR-05")
def test_what_breaks_a_limit_or_has_no_meaning_is_refused_when_complete() -> None:
    rig = Rig()
    over = encode_configuration(replace(BASE, flow_nL_per_day=30_000_000))
    reply = rig.stage(over, CommandKind.CONFIGURE, 1, 0)
    assert error_of(reply) == ErrorCode.LIMIT
    assert reply.detail == LimitCode.FLOW_MAX  # type: ignore[union-attr]
    assert error_of(rig.stage(b"\xff" * 40, CommandKind.CONFIGURE, 1, 0)) in (ErrorCode.OUT_OF_RANGE, ErrorCode.BAD_MESSAGE)
    assert error_of(rig.ask(fragment(0, 10, kind=CommandKind.STOP))) == ErrorCode.OUT_OF_RANGE
    assert error_of(rig.ask(fragment(0, 10, total_length=8_193))) == ErrorCode.LIMIT
    assert rig.info().last_cmd_id == 0, "none of it took the id"


def test_the_pump_reads_back_what_it_understood() -> None:
    rig = Rig()
    assert error_of(rig.ask(GetReadBack(cmd_id=1))) == ErrorCode.NOT_STAGED
    rig.ask(fragment(0, 900))
    read = rig.ask(GetReadBack(cmd_id=1))
    assert isinstance(read, ReadBack)
    assert (read.digest, read.monday_ng, read.base_revision, read.current_revision) == (DIGEST, 200_000, 0, 0)
    page = rig.ask(GetConfiguration(slot=ConfigurationSlot.STAGED, offset=10))
    assert isinstance(page, ConfigurationPage)
    assert (page.total_length, page.page) == (len(PAYLOAD), PAYLOAD[10:])
    rig.ask(Commit(cmd_id=1, digest=DIGEST, base_revision=0))
    rig.stage(rig.order(30), CommandKind.BOLUS, 2, 1)
    read = rig.ask(GetReadBack(cmd_id=2))
    assert isinstance(read, ReadBack)
    assert (read.bolus_pulses, read.bolus_ng, read.bolus_duration_s) == (30, 30_000, 600)


# ------------------------------------------------------------------------------------------------ therapy commands
@pytest.mark.sr("SR-23")
def test_a_stopped_pump_starts_only_when_a_commit_says_so() -> None:
    rig = Rig()
    rig.configure(replace(BASE, start=False))
    assert rig.status().run_state is RunState.STOPPED
    rig.configure(KEEP)
    rig.advance(DAY)
    assert (rig.status().run_state, rig.hardware.commanded) == (RunState.STOPPED, 0)
    rig.configure(replace(KEEP, start=True))
    assert (rig.status().run_state, rig.status().flow_nL_per_day) == (RunState.RUNNING, 100_000)


@pytest.mark.sr("SR-21", "SR-24")
def test_a_running_pump_changes_therapy_without_a_pause_and_carries_its_residual() -> None:
    rig = running()
    rig.advance(3 * HOUR + 7)
    result = rig.configure(replace(KEEP, flow_nL_per_day=130_000))
    assert (result.outcome, rig.status().run_state, rig.status().flow_nL_per_day) == (Outcome.APPLIED, RunState.RUNNING, 130_000)
    rig.advance(5 * HOUR)
    scheduled_nL = (100_000 * (4 * HOUR + 7) + 130_000 * 5 * HOUR) / DAY
    assert abs(rig.hardware.made * P - scheduled_nL) <= P / 2


def test_old_and_new_configuration_can_be_read() -> None:
    rig = running()
    rig.configure(replace(KEEP, flow_nL_per_day=130_000))
    pages = [rig.ask(GetConfiguration(slot=slot, offset=0)) for slot in (ConfigurationSlot.ACTIVE, ConfigurationSlot.PREVIOUS)]
    found = [(page.revision, page.page) for page in pages if isinstance(page, ConfigurationPage)]
    assert found == [(2, encode_configuration(replace(KEEP, flow_nL_per_day=130_000))), (1, PAYLOAD)]
    assert rig.status().digest == hashlib.sha256(found[0][1]).digest()
    assert error_of(rig.ask(GetConfiguration(slot=ConfigurationSlot.ACTIVE, offset=4_000))) == ErrorCode.OUT_OF_RANGE


@pytest.mark.sr("SR-27")
def test_a_configuration_waits_for_the_end_of_a_bolus() -> None:
    rig = running()
    rig.bolus()
    assert rig.configure(KEEP).error == ErrorCode.BOLUS_BUSY
    result_of(rig.ask(StopBolus(cmd_id=rig.next_id())))
    assert rig.configure(KEEP).outcome is Outcome.APPLIED


@pytest.mark.sr("SR-49")
def test_a_stop_ends_the_bolus_and_tells_what_it_gave() -> None:
    rig = running()
    bolus = result_of(rig.bolus(25, 600))
    rig.advance(5 * MINUTE)
    stop = StopTherapy(cmd_id=rig.next_id())
    assert result_of(rig.ask(stop)).outcome is Outcome.APPLIED
    result = result_of(rig.ask(QueryCommand(cmd_id=bolus.cmd_id)))
    status = rig.status()
    assert (result.bolus_state, result.delivered_pulses, result.doubt_pulses) == (BolusState.ABORTED, status.bolus_counter, 0)
    assert 12 <= result.delivered_pulses <= 13
    assert (status.run_state, status.flow_nL_per_day, status.last_change_kind) == (RunState.STOPPED, 0, CommandKind.STOP)


@pytest.mark.sr("SR-22")
@given(st.integers(0, 400))
def test_a_stopped_pump_gives_nothing(days: int) -> None:
    for rig in (Rig(), running()):
        rig.ask(StopTherapy(cmd_id=rig.next_id()))
        made = rig.hardware.commanded
        rig.advance(days * DAY)
        assert rig.hardware.commanded == made
        assert rig.status().flow_nL_per_day == 0


def test_the_minimum_rate_is_a_safe_state_until_a_therapy_is_started() -> None:
    rig = running()
    result_of(rig.ask(MinimumRate(cmd_id=rig.next_id())))
    minimum = rig.firmware._machine.profile.minimum_rate_nL_per_day
    assert (rig.status().mode, rig.status().flow_nL_per_day) == (Mode.MINIMUM_RATE, minimum)
    rig = rig.reset()
    assert rig.status().flow_nL_per_day == minimum
    assert result_of(rig.bolus()).error == ErrorCode.WRONG_STATE
    assert not rig.firmware.patient_request(rig.now)
    rig.configure(KEEP)
    assert (rig.status().run_state, rig.status().flow_nL_per_day) == (RunState.SAFE, minimum)
    rig.configure(replace(KEEP, start=True))
    assert (rig.status().run_state, rig.status().flow_nL_per_day) == (RunState.RUNNING, 100_000)


@pytest.mark.sr("SR-23")
def test_the_minimum_rate_never_starts_a_stopped_pump() -> None:
    rig = running()
    rig.ask(StopTherapy(cmd_id=rig.next_id()))
    assert result_of(rig.ask(MinimumRate(cmd_id=rig.next_id()))).error == ErrorCode.WRONG_STATE
    assert rig.status().flow_nL_per_day == 0


@pytest.mark.sr("SR-52")
def test_the_clock_is_a_label_and_never_changes_the_dose() -> None:
    plain, labelled = running(), running()
    for wall_s in (1_800_000_000, 1_700_000_000, 1_900_000_000):
        result_of(labelled.ask(SetClock(cmd_id=labelled.next_id(), wall_s=wall_s)))
        assert labelled.status().wall_s == wall_s
        labelled.advance(DAY)
        plain.advance(DAY)
        assert labelled.status().wall_s == wall_s + 86_400
        assert labelled.hardware.commanded == plain.hardware.commanded
    assert labelled.reset(HOUR).status().wall_s == 1_900_000_000 + 86_400 + 3_600


# ------------------------------------------------------------------------------------------------ boluses
@pytest.mark.sr("SR-26")
def test_a_bolus_gives_exactly_its_pulses_in_its_time_and_the_therapy_goes_on() -> None:
    rig = running()
    before = rig.status().lifetime_pulses
    result_of(rig.bolus(40, 1_200))
    rig.advance(20 * MINUTE)
    status = rig.status()
    assert (status.bolus_state, status.lifetime_pulses - before, status.bolus_counter) == (BolusState.DONE, 40, 40)
    assert status.flow_nL_per_day == 100_000
    assert kinds(rig)[-3:] == [LogKind.BOLUS_START, LogKind.COMMITTED, LogKind.BOLUS_END]


@pytest.mark.sr("SR-41")
def test_the_counter_must_be_where_the_programmer_saw_it() -> None:
    rig = running()
    late = rig.order(25)
    result_of(rig.bolus(10))
    rig.advance(HOUR)
    assert result_of(rig.commit(late, CommandKind.BOLUS)).error == ErrorCode.COUNTER_MOVED
    assert rig.status().bolus_counter == 10


@pytest.mark.sr("SR-27")
def test_priority_of_boluses() -> None:
    rig = running()
    assert rig.firmware.patient_request(rig.now)
    single = result_of(rig.bolus(25))
    assert single.outcome is Outcome.APPLIED
    assert not rig.firmware.patient_request(rig.now), "denied during another bolus"
    prime = result_of(rig.bolus(600, 3_600, BolusKind.PRIME))
    assert prime.outcome is Outcome.APPLIED
    ended = result_of(rig.ask(QueryCommand(cmd_id=single.cmd_id)))
    assert (ended.bolus_state, ended.delivered_pulses) == (BolusState.INTERRUPTED, 0)
    assert result_of(rig.bolus(25)).error == ErrorCode.BOLUS_BUSY
    rig.advance(2 * HOUR)
    assert rig.status().bolus_counter == 600
    assert rig.status().patient_denied == 1


@pytest.mark.sr("SR-23")
def test_a_bolus_needs_running_therapy_but_a_prime_does_not() -> None:
    rig = Rig()
    rig.configure(replace(BASE, start=False))
    assert result_of(rig.bolus(25)).error == ErrorCode.WRONG_STATE
    assert result_of(rig.bolus(600, 3_600, BolusKind.PRIME)).outcome is Outcome.APPLIED
    rig.advance(2 * HOUR)
    assert (rig.hardware.made, rig.status().run_state) == (600, RunState.STOPPED)


def test_a_stop_bolus_without_a_bolus_is_refused() -> None:
    assert result_of(running().ask(StopBolus(cmd_id=2))).error == ErrorCode.WRONG_STATE


@pytest.mark.sr("SR-14", "SR-15")
def test_patient_boluses_keep_lockout_and_allotment_on_uptime() -> None:
    rig = running()
    start = rig.now
    granted = []
    while rig.now < start + 25 * HOUR:
        if rig.firmware.patient_request(rig.now):
            granted.append(rig.now - start)
        rig.ask(SetClock(cmd_id=rig.next_id(), wall_s=1_700_000_000 + len(granted) * 90_000))
        rig.advance(30 * MINUTE)
    assert granted == [0, 6 * HOUR, 12 * HOUR, 24 * HOUR]
    status = rig.status()
    assert (status.patient_granted, status.patient_denied) == (4, 50 - 4)
    assert status.bolus_counter == 40
    rig = rig.reset()
    assert not rig.firmware.patient_request(rig.now)
    assert rig.status().lockout_left_ms == start + 30 * HOUR - rig.now


@pytest.mark.sr("SR-07")
@given(st.lists(st.tuples(st.integers(0, 6 * HOUR), st.sampled_from(["bolus", "patient", "reset"])), max_size=25))
def test_no_more_than_the_limit_in_any_24_hours(steps: list[tuple[int, str]]) -> None:
    rig = Rig()
    rig.configure(replace(BASE, flow_nL_per_day=600_000, patient_lockout_min=60, patient_pulses=40))
    given_at: list[tuple[int, int]] = []
    for wait_ms, what in steps:
        for _ in range(4):
            rig.advance(wait_ms // 4)
            given_at.append((rig.now, rig.hardware.made))
        if what == "bolus":
            rig.bolus(99, 600)
        elif what == "patient":
            rig.firmware.patient_request(rig.now)
        else:
            rig = rig.reset()
    for index, (at_ms, pulses) in enumerate(given_at):
        for later_ms, later in given_at[index:]:
            if later_ms - at_ms <= DAY:
                # Pulses are within half a pulse of the schedule at both ends of the window.
                assert (later - pulses - 1) * P * 2_000_000 // 1_000_000 <= 2_003_000


# ------------------------------------------------------------------------------------------------ who may, and who knows
@pytest.mark.sr("SR-62")
@pytest.mark.parametrize("who", [A, WATCHER, CARD, b"STRANGER"])
def test_each_role_may_do_what_the_protocol_lists_and_no_more(who: bytes) -> None:
    rig = running()
    role = {A: Role.CLINICIAN, WATCHER: Role.OBSERVER, CARD: Role.EMERGENCY}.get(who)
    requests: list[Request] = [
        GetInfo(),
        GetConfiguration(slot=ConfigurationSlot.ACTIVE, offset=0),
        fragment(0, 10, cmd_id=9),
        Commit(cmd_id=9, digest=DIGEST, base_revision=1),
        StopBolus(cmd_id=9),
        SetClock(cmd_id=10, wall_s=1_800_000_000),
        ConfirmResult(cmd_id=9),
        Ping(nonce=1),
        Close(),
        StopTherapy(cmd_id=11),
    ]
    for request in requests:
        if role is None:
            from firmware_sim.firmware.core import SessionInfo

            reply = rig.firmware.handle(request, SessionInfo(who, Role.CLINICIAN), rig.now, rig.now)
            assert error_of(reply) == ErrorCode.ROLE_DENIED
            continue
        reply = rig.ask(request, who)
        assert (getattr(reply, "code", None) == ErrorCode.ROLE_DENIED) == (role not in ROLES[type(request)])
    assert (rig.status().run_state is RunState.STOPPED) == (role in (Role.CLINICIAN, Role.EMERGENCY))


def test_ping_and_close_answer_plainly() -> None:
    rig = running()
    assert rig.ask(Ping(nonce=77)) == Pong(nonce=77, uptime_ms=rig.now)
    assert rig.ask(Close()) == Closed()


def test_others_see_results_until_they_are_confirmed() -> None:
    rig = running()
    done = result_of(rig.bolus(25))
    rig.advance(HOUR)
    assert (rig.status(B).others_unconfirmed, rig.status(A).others_unconfirmed) == (2, 0)
    page = rig.ask(GetResults(scope=ResultScope.OTHERS_UNCONFIRMED, skip=0), B)
    assert isinstance(page, ResultsPage)
    assert [(result.programmer, result.cmd_id) for result in page.results] == [(A, 2), (A, 1)]
    assert page.results[0].delivered_pulses == 25
    for _ in range(2):
        assert rig.ask(ConfirmResult(cmd_id=done.cmd_id)) == Closed()
    assert rig.ask(ConfirmResult(cmd_id=1_000)) == Closed()
    rig = rig.reset()
    assert rig.status(B).others_unconfirmed == 1
    assert result_of(rig.ask(QueryCommand(cmd_id=done.cmd_id))).confirmed


def test_a_running_bolus_shows_its_progress_to_all() -> None:
    rig = running()
    bolus = result_of(rig.bolus(25, 600))
    rig.advance(4 * MINUTE)
    given_so_far = rig.status(B).bolus_delivered
    assert 0 < given_so_far < 25
    assert result_of(rig.ask(QueryCommand(cmd_id=bolus.cmd_id))).delivered_pulses == given_so_far
    assert (rig.status(B).bolus_left_ms, rig.status(B).bolus_kind) == (6 * MINUTE, BolusKind.SINGLE)


def test_a_memory_that_does_not_take_a_command_says_so_and_the_pump_goes_to_its_safe_state() -> None:
    rig = running()
    for region in ("journal_a", "journal_b"):
        byte = rig.memory.read(region, 30, 1)[0]
        rig.memory.stick(region, 30, byte ^ 0xFF)
    assert error_of(rig.ask(SetClock(cmd_id=2, wall_s=1_800_000_000))) == ErrorCode.MEMORY_FAULT
    status = rig.status()
    assert (status.wall_s, status.run_state, len(status.alarms)) == (0, RunState.SAFE, 1)
    assert status.flow_nL_per_day == rig.firmware._machine.profile.minimum_rate_nL_per_day
