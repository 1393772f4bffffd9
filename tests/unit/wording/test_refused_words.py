"""A refused handshake in the log's words: why, and how many were only counted since the entry before."""

from __future__ import annotations

import pytest

from itbpump.wire.messages import LogEntry, LogKind, RefuseReason
from itbpump.wording.words import log_words

ID = int.from_bytes(b"STRANGER")


@pytest.mark.sr("SR-17")
@pytest.mark.parametrize(
    ("reason", "since", "told"),
    [
        (RefuseReason.UNPAIRED, 0, "unpaired"),
        (RefuseReason.UNPAIRED, 1_250, "unpaired (refused since its last entry: 1,250)"),
        (0, 3, "another session was open (refused since its last entry: 3)"),
    ],
)
def test_why_and_how_many(reason: int, since: int, told: str) -> None:
    words = log_words(LogEntry(seq=1, uptime_ms=0, wall_s=0, kind=LogKind.HANDSHAKE_FAILED, a=ID, b=since << 32 | reason))
    assert words.endswith(told)
    assert "unknown" not in words
