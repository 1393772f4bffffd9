"""Commands in pieces: fragments, read-back, commit, ids, and how long what is staged lives. By hand, as SPEC.md, section 7, has it.

Not here: what a commit does to a therapy (`test_transitions`), ids that come again (`test_exactly_once`).
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hil.commands import commit_of
from hil.speaking import Speaker, small_bolus, told
from itbpump.hil.fixtures import Clock, PumpUnderTest
from itbpump.wire import messages
from itbpump.wire.messages import CommandKind, Error, ErrorCode, Reply, Stage, Staged, encode_request

DAY = "200 mcg/day"
LATER_WALL_S = 1_795_400_000


@pytest.fixture
def speaker(pump: PumpUnderTest) -> Speaker:
    """A session by hand with a pump that runs a therapy."""
    pump.program(pump.rx(DAY))
    return Speaker.to(pump).open()


@pytest.mark.sr("SR-44")
def test_an_id_far_ahead_is_refused_and_takes_none(speaker: Speaker) -> None:
    """A wrong id near 2^64 would leave its programmer none for ever, not even for a stop."""
    far = speaker.cmd_id + messages.CMD_ID_LEAP + 1
    reply = speaker.ask_bytes(encode_request(messages.SetClock(far, LATER_WALL_S)))
    assert isinstance(reply, Error), f"an id {messages.CMD_ID_LEAP + 1} above the last is answered with {told(reply)}"
    assert (reply.code, reply.detail) == (ErrorCode.OUT_OF_RANGE, 1)
    speaker.applied(messages.SetClock(speaker.next_id(), LATER_WALL_S))


def test_fragments_may_repeat_and_overlap_but_leave_no_hole(speaker: Speaker) -> None:
    payload, cmd_id, revision = small_bolus(speaker), speaker.next_id(), speaker.status().revision

    def stage(offset: int, part: bytes, total: int = len(payload)) -> Reply:
        return speaker.ask_bytes(encode_request(Stage(cmd_id, CommandKind.BOLUS, revision, total, offset, part)))

    def refused(reply: Reply) -> bool:
        return isinstance(reply, Error) and reply.code == ErrorCode.BAD_FRAGMENT

    assert isinstance(stage(0, payload[:10]), Staged)
    assert refused(stage(11, payload[11:])), "a hole"
    assert refused(stage(5, b"\xff" * 5)), "other bytes for what was taken"
    assert refused(stage(10, payload[10:] + b"\0")), "beyond the end"
    assert refused(stage(10, payload[10:], len(payload) + 1)), "another length"
    early = speaker.ask(messages.GetReadBack(cmd_id), Error)
    assert early.code == ErrorCode.NOT_STAGED, "not complete"
    last = stage(5, payload[5:])
    assert isinstance(last, Staged)
    assert (last.complete, last.received) == (True, len(payload))
    speaker.applied(commit_of(cmd_id, revision, payload))


@pytest.mark.sr("SR-45")
def test_a_commit_must_fit_what_was_staged_and_what_is_in_force(speaker: Speaker) -> None:
    commit = speaker.stage(CommandKind.BOLUS, small_bolus(speaker))
    for wrong in (replace(commit, digest=bytes(32)), replace(commit, base_revision=commit.base_revision + 1)):
        assert speaker.ask(wrong, Error).code == ErrorCode.DIGEST_MISMATCH
    assert speaker.ask(replace(commit, cmd_id=commit.cmd_id + 1), Error).code == ErrorCode.NOT_STAGED
    speaker.applied(commit)
    for base in (0, speaker.status().revision + 1):
        stale = speaker.stage(CommandKind.BOLUS, small_bolus(speaker), base=base)
        refused = speaker.refused(stale, ErrorCode.STALE_REVISION)
        assert refused.result.error_detail == speaker.status().revision


@pytest.mark.sr("SR-46")
def test_what_is_staged_dies_after_a_minute(speaker: Speaker, clock: Clock) -> None:
    commit = speaker.stage(CommandKind.BOLUS, small_bolus(speaker))
    clock.wait_on_line(messages.STAGED_LIFE_MS - 5_000)
    # It lives still, and reading it back keeps it no longer.
    assert isinstance(speaker.ask_bytes_of(messages.GetReadBack(commit.cmd_id)), messages.ReadBack)
    clock.wait_on_line(6_000)
    assert speaker.ask(commit, Error).code == ErrorCode.NOT_STAGED
    assert speaker.status().bolus_left_ms == 0


@pytest.mark.sr("SR-46")
def test_what_is_staged_dies_with_its_session(speaker: Speaker, pump: PumpUnderTest) -> None:
    commit = speaker.stage(CommandKind.BOLUS, small_bolus(speaker))
    speaker.ask(messages.Close(), messages.Closed)
    again = Speaker.to(pump).open()
    assert again.ask(commit, Error).code == ErrorCode.NOT_STAGED
    third = again.stage(CommandKind.BOLUS, small_bolus(again))
    again.open()  # a new session of the same programmer replaces the old one
    assert again.ask(third, Error).code == ErrorCode.NOT_STAGED
