"""The resend time-out follows the line and stays within the protocol's bounds (safety 4.2, point 8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.link.pacing import Pacing
from itbpump.wire.messages import REPLY_TIMEOUT_INITIAL_MS, REPLY_TIMEOUT_MAX_MS, REPLY_TIMEOUT_MIN_MS
from tests.unit.link.pair import Pair

EVENTS = st.lists(st.one_of(st.integers(0, 10_000), st.sampled_from(["missed", "late"])), max_size=50)


@given(EVENTS)
def test_the_timeout_is_always_within_its_bounds(events: list[int | str]) -> None:
    pacing = Pacing()
    assert pacing.timeout_ms == REPLY_TIMEOUT_INITIAL_MS
    for event in events:
        if isinstance(event, int):
            pacing.measured(event)
        elif event == "missed":
            before = pacing.timeout_ms
            pacing.missed()
            assert pacing.timeout_ms == min(REPLY_TIMEOUT_MAX_MS, 2 * before)
        else:
            pacing.answered_late()
        assert REPLY_TIMEOUT_MIN_MS <= pacing.timeout_ms <= REPLY_TIMEOUT_MAX_MS


@pytest.mark.parametrize("round_trip_ms", [5, 200, 900])
def test_on_a_steady_line_it_settles_just_above_the_round_trip(round_trip_ms: int) -> None:
    pacing = Pacing()
    for _ in range(60):
        pacing.measured(round_trip_ms)
    assert (
        max(REPLY_TIMEOUT_MIN_MS, round_trip_ms) <= pacing.timeout_ms <= max(REPLY_TIMEOUT_MIN_MS, round_trip_ms + round_trip_ms // 4 + 8)
    )


def test_a_jittery_line_gets_more_room_than_a_steady_one() -> None:
    steady, jittery = Pacing(), Pacing()
    for number in range(60):
        steady.measured(300)
        jittery.measured(100 if number % 2 else 500)
    assert jittery.timeout_ms > steady.timeout_ms


def test_a_closed_link_has_nothing_to_do() -> None:
    link = Pair().programmer
    assert link.tick(10**9) == []
    assert link.deadline_ms() is None
