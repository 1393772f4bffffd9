"""One staged command, fed by hand: every way it can go (SR-41, SR-42, SR-46)."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from itbpump.link.errors import NoReply, PumpRefused
from itbpump.link.transaction import CommandFailed, OtherCommand, ReadBackDiffers, Transaction, UnexpectedReply, Verdict, verdict
from itbpump.wire.messages import (
    FRAGMENT_BYTES,
    STAGED_BYTES,
    BolusState,
    Closed,
    CommandKind,
    CommandResult,
    Commit,
    Error,
    ErrorCode,
    GetReadBack,
    LimitCode,
    Outcome,
    ReadBack,
    Result,
    Stage,
    Staged,
)

PAYLOAD = bytes(range(256)) * 8
DIGEST = hashlib.sha256(PAYLOAD).digest()
LOST = NoReply("Stage", 10_000, 7)


def transaction(differences: tuple[str, ...] = ()) -> Transaction:
    return Transaction(5, CommandKind.CONFIGURE, PAYLOAD, 3, lambda _read: differences)


def read_back(**changes: object) -> ReadBack:
    fields: dict[str, object] = dict.fromkeys(ReadBack.__struct_fields__, 0)
    return ReadBack(**(fields | {"cmd_id": 5, "kind": CommandKind.CONFIGURE, "digest": DIGEST, "base_revision": 3} | changes))  # type: ignore[arg-type]


def result(outcome: Outcome = Outcome.APPLIED, cmd_id: int = 5, error: int = 0, detail: int = 0) -> CommandResult:
    return CommandResult(
        programmer=bytes(8),
        cmd_id=cmd_id,
        kind=CommandKind.CONFIGURE,
        outcome=outcome,
        error=error,
        error_detail=detail,
        digest=DIGEST,
        revision=4,
        uptime_ms=1,
        requested_pulses=0,
        delivered_pulses=0,
        doubt_pulses=0,
        bolus_state=BolusState.IDLE,
        confirmed=False,
    )


def staged(command: Transaction) -> Transaction:
    """Up to the read-back."""
    while isinstance(request := command.next_request(), Stage):
        received = request.offset + len(request.fragment)
        command.replied(Staged(cmd_id=5, received=received, complete=received == len(PAYLOAD)))
    return command


def committing(command: Transaction) -> Transaction:
    staged(command).replied(read_back())
    assert isinstance(command.next_request(), Commit)
    return command


def after(steps: int) -> Transaction:
    """A command that waits for the answer to its stage (0), read-back (1) or commit (2)."""
    command = transaction()
    if steps:
        staged(command)
    if steps == 2:
        committing(command)
    return command


def test_fragments_follow_what_the_pump_has_taken() -> None:
    command = transaction()
    first = command.next_request()
    assert isinstance(first, Stage)
    assert (first.offset, first.fragment, first.total_length, first.base_revision) == (0, PAYLOAD[:FRAGMENT_BYTES], len(PAYLOAD), 3)
    command.replied(Staged(cmd_id=5, received=100, complete=False))
    again = command.next_request()
    assert isinstance(again, Stage)
    assert again.offset == 100
    staged(command)
    assert command.next_request() == GetReadBack(5)
    command.replied(read_back())
    assert command.next_request() == Commit(5, DIGEST, 3)
    command.replied(Result(result()))
    assert command.state == "applied"
    assert command.finished
    assert command.next_request() is None


@pytest.mark.parametrize("size", [0, STAGED_BYTES + 1])
def test_a_payload_no_pump_takes_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="allowed are 1 to"):
        Transaction(1, CommandKind.CONFIGURE, bytes(size), 0, lambda _read: ())


@pytest.mark.parametrize(
    "reply", [Closed(), Staged(cmd_id=6, received=0, complete=False), Staged(cmd_id=5, received=60_000, complete=False)]
)
def test_a_wrong_answer_to_a_stage_ends_without_effect(reply: Staged | Closed) -> None:
    command = transaction()
    command.replied(reply)
    assert command.state == "not_applied"
    assert isinstance(command.error, UnexpectedReply)


def test_a_pump_that_never_gets_further_is_given_up() -> None:
    command = transaction()
    for _ in range(1_000):
        if command.finished:
            break
        command.replied(Staged(cmd_id=5, received=0, complete=False))
    assert command.state == "not_applied"


@pytest.mark.sr("SR-09")
@pytest.mark.parametrize(
    "change",
    [{"cmd_id": 6}, {"kind": CommandKind.BOLUS}, {"digest": bytes(32)}, {"base_revision": 2}],
    ids=lambda change: next(iter(change)),
)
def test_any_difference_in_the_read_back_is_never_committed(change: dict[str, object]) -> None:
    command = staged(transaction())
    command.replied(read_back(**change))
    assert command.state == "not_applied"
    assert isinstance(command.error, ReadBackDiffers)
    assert next(iter(change)) in str(command.error)


@pytest.mark.sr("SR-09")
def test_a_difference_in_meaning_is_never_committed() -> None:
    command = staged(transaction(("monday_ng: meant 1, pump says 2",)))
    command.replied(read_back())
    assert isinstance(command.error, ReadBackDiffers)
    assert command.error.differences == ("monday_ng: meant 1, pump says 2",)


@pytest.mark.sr("SR-09")
def test_something_else_than_a_read_back_is_never_committed() -> None:
    command = staged(transaction())
    command.replied(Closed())
    assert (command.state, type(command.error)) == ("not_applied", UnexpectedReply)


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_an_error_at_any_step_means_no_effect(steps: int) -> None:
    command = after(steps)
    command.replied(Error(ErrorCode.LIMIT, LimitCode.MASS_24H, 5))
    assert command.state == "not_applied"
    assert isinstance(command.error, PumpRefused)
    assert command.error.limit is LimitCode.MASS_24H
    assert "24 h" in str(command.error)


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize(("steps", "state"), [(0, "not_applied"), (1, "not_applied"), (2, "unknown")])
def test_a_lost_answer_is_unknown_only_after_the_commit_left(steps: int, state: str) -> None:
    command = after(steps)
    command.lost(LOST)
    assert (command.state, command.error) == (state, LOST)


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize(
    ("outcome", "state"), [(Outcome.APPLIED, "applied"), (Outcome.REFUSED, "not_applied"), (Outcome.UNKNOWN_COMMAND, "not_applied")]
)
def test_an_unknown_outcome_is_settled_by_asking(outcome: Outcome, state: str) -> None:
    command = committing(transaction())
    command.lost(LOST)
    command.queried(result(outcome))
    assert command.state == state


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize("reply", [Closed(), Result(result(cmd_id=6)), Result(result(Outcome.UNKNOWN_COMMAND))])
def test_an_authentic_but_wrong_answer_to_a_commit_leaves_it_unknown(reply: Result | Closed) -> None:
    command = committing(transaction())
    command.replied(reply)
    assert command.state == "unknown"


OTHERS = [{"cmd_id": 6}, {"kind": CommandKind.ALARM_TEST}, {"digest": bytes(32)}]


@pytest.mark.sr("SR-42", "SR-44")
@pytest.mark.parametrize("change", OTHERS, ids=lambda change: next(iter(change)))
@pytest.mark.parametrize("outcome", [Outcome.APPLIED, Outcome.REFUSED])
@pytest.mark.parametrize("asked", [False, True])
def test_the_result_of_another_command_proves_nothing(change: dict[str, object], outcome: Outcome, asked: bool) -> None:
    """A copy of the host's state used elsewhere takes the same ids for other commands."""
    command = committing(transaction())
    if asked:
        command.lost(LOST)
        command.queried(replace(result(outcome), **change))
    else:
        command.replied(Result(replace(result(outcome), **change)))
    assert command.state == "unknown"
    assert isinstance(command.error, OtherCommand)
    assert "another command took this id: " in str(command.error)
    assert "copy" in str(command.error)


@pytest.mark.sr("SR-42")
@given(st.sampled_from(Outcome), st.booleans(), st.booleans(), st.booleans())
def test_a_verdict_other_than_another_command_needs_everything_equal(outcome: Outcome, same_id: bool, same_kind: bool, same: bool) -> None:
    kind = CommandKind.CONFIGURE if same_kind else CommandKind.BOLUS
    found = verdict(result(outcome), 5 if same_id else 6, kind, DIGEST if same else bytes(32))
    if outcome is Outcome.UNKNOWN_COMMAND:
        assert found is (Verdict.NEVER_SEEN if same_id else Verdict.OTHER)
    elif same_id and same_kind and same:
        assert found is (Verdict.APPLIED if outcome is Outcome.APPLIED else Verdict.REFUSED)
    else:
        assert found is Verdict.OTHER


@pytest.mark.sr("SR-42")
def test_a_refusal_by_a_failing_memory_does_not_say_that_nothing_changed() -> None:
    fault = PumpRefused(Error(code=ErrorCode.MEMORY_FAULT, detail=0, cmd_id=5))
    assert fault.memory_fault
    assert "safe state" in str(fault)
    other = PumpRefused(Error(code=ErrorCode.CONFLICT, detail=0, cmd_id=5))
    assert not other.memory_fault
    assert "safe state" not in str(other)


def test_a_stored_refusal_says_why() -> None:
    command = committing(transaction())
    command.replied(Result(result(Outcome.REFUSED, error=ErrorCode.STALE_REVISION, detail=0)))
    assert isinstance(command.error, CommandFailed)
    assert command.error.refusal.code is ErrorCode.STALE_REVISION
    assert "read the pump again" in str(command.error)


REPLIES = st.one_of(
    st.builds(Staged, cmd_id=st.just(5), received=st.integers(0, 3_000), complete=st.booleans()),
    st.just(read_back()),
    st.builds(Result, st.builds(result, st.sampled_from(Outcome))),
    st.just(Error(ErrorCode.CONFLICT, 0, 5)),
    st.just(LOST),
)


@pytest.mark.sr("SR-41")
@given(st.lists(REPLIES, max_size=40))
def test_any_replies_in_any_order_never_commit_twice_nor_before_a_read_back(replies: list[object]) -> None:
    command, asked = transaction(), []
    for reply in replies:
        request = command.next_request()
        if request is None:
            break
        asked.append(type(request))
        if isinstance(reply, NoReply):
            command.lost(reply)
        else:
            command.replied(reply)  # type: ignore[arg-type]
    assert asked.count(Commit) <= 1
    assert Commit not in asked or GetReadBack in asked


def test_what_comes_after_the_end_changes_nothing() -> None:
    command = committing(transaction())
    command.replied(Result(result()))
    command.replied(Closed())
    assert command.state == "applied"
