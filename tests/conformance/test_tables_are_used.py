"""Every row of the protocol's tables is raised, written or read by some code: a row that nothing uses is a promise nobody keeps."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

import pytest

from itbpump.wire.messages import CommandKind, ErrorCode, LimitCode, LogKind, RefuseReason, constants

SOURCES = Path(__file__).parents[2] / "src"
TEXTS = {path: path.read_text("utf-8") for path in SOURCES.rglob("*.py") if "messages" not in path.parts}
PUMP = "\n".join(text for path, text in TEXTS.items() if "firmware_sim" in path.parts or "link" in path.parts)
ALL = "\n".join(TEXTS.values())


@pytest.mark.parametrize("table", [ErrorCode, LimitCode, LogKind, RefuseReason, CommandKind])
def test_each_row_is_used_by_the_pump(table: type[IntEnum]) -> None:
    unused = [row.name for row in table if f"{table.__name__}.{row.name}" not in PUMP]
    assert unused == []


def test_each_timing_and_limit_is_read_by_some_code() -> None:
    names = [name for name in vars(constants) if name.isupper()]
    unused = [name for name in names if name not in ALL]
    assert unused == []
