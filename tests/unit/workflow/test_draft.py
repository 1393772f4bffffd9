"""Drafts: undo takes back exactly one change, age is counted from the last touch, a bounced key is told from a fast finger."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.workflow.draft import ABANDONED_MS, KEY_BOUNCE_MS, WARNED_MS, Draft, bounced

CHANGES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "1", "2"])), max_size=30)


@given(CHANGES)
def test_undo_goes_back_one_change_at_a_time_and_redo_forward(changes: list[tuple[str, str]]) -> None:
    states = [Draft()]
    for name, text in changes:
        following = states[-1].put(name, text, 0)
        if following is not states[-1]:
            states.append(following)
    draft = states[-1]
    for earlier in reversed(states[:-1]):
        draft = draft.undo(0)
        assert dict(draft.values) == dict(earlier.values)
    assert draft.undo(0) is draft, "nothing is left to take back"
    for later in states[1:]:
        draft = draft.redo(0)
        assert dict(draft.values) == dict(later.values)
    assert draft.redo(0) is draft


def test_a_new_change_ends_what_could_be_made_again() -> None:
    draft = Draft().put("a", "1", 0).put("a", "2", 0).undo(0).put("b", "3", 0)
    assert draft.redo(0) is draft
    assert dict(draft.values) == {"a": "1", "b": "3"}


@pytest.mark.sr("SR-11")
def test_an_edit_is_warned_after_nine_minutes_and_abandoned_after_ten() -> None:
    draft = Draft().put("a", "1", 1_000)
    assert not draft.is_warned(1_000 + WARNED_MS - 1)
    assert draft.is_warned(1_000 + WARNED_MS)
    assert draft.left_ms(1_000 + ABANDONED_MS - 1) == 1
    assert draft.left_ms(1_000 + ABANDONED_MS) == 0
    assert draft.touched(5_000).left_ms(1_000 + ABANDONED_MS) == 4_000


@pytest.mark.sr("SR-19")
def test_the_same_key_within_a_tenth_of_a_second_has_bounced() -> None:
    assert bounced("0", KEY_BOUNCE_MS - 1, ("0", 0))
    assert not bounced("0", KEY_BOUNCE_MS, ("0", 0))
    assert not bounced("1", 1, ("0", 0))
    assert not bounced("0", 1, None)
