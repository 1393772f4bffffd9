"""Which outcome a test has: from what it raised, in which of its phases. Pure.

    failed in the test itself      fail: an assertion, a measurement outside, an answer of the pump that ends a request or a handshake
                                   timeout: a wait of this kit, or a request that nobody answered
                                   error: anything else, the rig's failures and the test's own mistakes among them
    failed before or after it      error; a rig that was broken already: aborted
    interrupted                    aborted

The first thing that went wrong counts. A test that was expected to fail and did counts as skipped.
"""

from __future__ import annotations

import re

import pytest

from itbpump.hil.errors import HilTimeout, RigBroken
from itbpump.hil.model import Outcome
from itbpump.link.errors import LinkError, LinkMisuse, NoReply

__all__ = ["LONGEST_CAUSE", "cause_text", "outcome_of"]

LONGEST_CAUSE = 1_500
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,16}\b")


def outcome_of(phase: str, error: BaseException) -> Outcome:
    """Of a test whose `phase` (setup, call, teardown) ended with `error`; skips are not asked about."""
    if isinstance(error, (KeyboardInterrupt, SystemExit, RigBroken)):
        return Outcome.ABORTED
    if phase != "call":
        return Outcome.ERROR
    if isinstance(error, (HilTimeout, NoReply)):
        return Outcome.TIMEOUT
    if isinstance(error, (AssertionError, pytest.fail.Exception)):
        return Outcome.FAIL
    if isinstance(error, LinkError) and not isinstance(error, LinkMisuse):
        return Outcome.FAIL  # the pump answered, and not as it should; what reaches the test uncaught was not expected
    return Outcome.ERROR


def cause_text(error: BaseException, paths: tuple[tuple[str, str], ...] = ()) -> str:
    """Why, in one paragraph, without what no two runs share: `paths` are folders and words that stand for them; addresses are left out."""
    name = type(error).__name__
    text = " ".join(str(error).split()) or "without a word"
    for note in getattr(error, "__notes__", ()):
        text += f" ({' '.join(str(note).split())})"
    for path, word in paths:
        text = text.replace(path, word)
    text = _ADDRESS.sub("0x…", text)
    told = text if isinstance(error, AssertionError) and name in ("OutsideLimits", "NotAsOrdered") else f"{name}: {text}"
    return told if len(told) <= LONGEST_CAUSE else told[: LONGEST_CAUSE - 1] + "…"
