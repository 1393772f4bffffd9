"""Numbers of the pump as words for people: alarms and log entries, from the tables in `texts.toml`.

A number that the tables do not know is shown as itself and called unknown: a newer pump must not silence an older companion.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from functools import cache
from importlib import resources
from typing import Any

from itbpump.quantity import Volume
from itbpump.wire.messages import (
    AlarmPriority,
    BolusKind,
    BolusState,
    CommandKind,
    LogEntry,
    RefuseReason,
    Role,
    RunState,
)

__all__ = ["AlarmWords", "alarm_words", "command_words", "enum_words", "log_groups", "log_words", "wall_text"]

_LOW = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class AlarmWords:
    """`id` is stable and for programs; `text` says what is the matter, `action` what to do."""

    id: str
    text: str
    action: str


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(resources.files("itbpump.wording").joinpath("texts.toml").read_text("utf-8"))


def alarm_words(number: int) -> AlarmWords:
    """Words for an alarm number of the pump."""
    found = _texts()["alarm"].get(str(number))
    if found is None:
        return AlarmWords(f"alarm-{number}", f"alarm {number}, unknown to this version", "update the companion")
    return AlarmWords(found["id"], found["text"], found["action"])


def enum_words(kind: type[IntEnum], number: int) -> str:
    """`minimum rate` for a member, `7 (unknown)` for a number that is none."""
    return kind(number).name.lower().replace("_", " ") if number in kind._value2member_map_ else f"{number} (unknown)"


def log_groups() -> dict[str, tuple[str, ...]]:
    """Kinds of log entries that belong together, by the name of the group."""
    return {name: tuple(kinds) for name, kinds in _texts()["log_group"].items()}


def command_words(kind: int) -> str:
    """A command as people call it."""
    return str(_texts()["command"].get(str(int(kind)), f"command of kind {int(kind)} (unknown)"))


def wall_text(wall_s: int) -> str:
    """A wall-clock label of the pump, which counts in UTC; `not set` for 0."""
    return datetime.fromtimestamp(wall_s, UTC).strftime("%d %b %Y %H:%M:%S UTC") if wall_s else "not set"


def _error(packed: int) -> str:
    from itbpump.link.errors import describe_error

    return describe_error(packed >> 32, packed & _LOW).removeprefix("the pump refused: ")


def _refusal(packed: int) -> str:
    reason, since = packed & _LOW, packed >> 32
    words = enum_words(RefuseReason, reason) if reason else "another session was open"
    return f"{words} (refused since its last entry: {since:,})" if since else words


def _of_table(name: str) -> Callable[[int], str]:
    return lambda number: str(_texts()[name].get(str(number), f"{number} (unknown)"))


_SHOWN: dict[str, Callable[[int], str]] = {
    "alarm": lambda number: alarm_words(number).text,
    "bolus": lambda number: enum_words(BolusKind, number),
    "check": _of_table("check"),
    "command": lambda packed: enum_words(CommandKind, packed >> 32),
    "count": lambda number: f"{number:,}",
    "denial": _of_table("denial"),
    "ended_bolus": lambda packed: enum_words(BolusKind, packed >> 16),
    "ended_doubt": lambda packed: f"{packed & 0xFF:,}",
    "ended_state": lambda packed: enum_words(BolusState, packed >> 8 & 0xFF),
    "error": _error,
    "id": lambda number: f"{number:016x}",
    "low_count": lambda packed: f"{packed & _LOW:,}",
    "priority": lambda number: enum_words(AlarmPriority, number).replace("non critical", "non-critical"),
    "refusal": _refusal,
    "role": lambda number: enum_words(Role, number),
    "run_state": lambda number: enum_words(RunState, number),
    "safe_action": _of_table("safe_action"),
    "volume": lambda nL: str(Volume(nL)),
    "wall": wall_text,
}


class _Argument(int):
    """An argument of a log entry that a template shows by name."""

    def __format__(self, spec: str) -> str:
        return _SHOWN[spec](int(self))


def log_words(entry: LogEntry) -> str:
    """A log entry in words."""
    template = _texts()["log"].get(entry.kind.name.lower())
    if template is None:
        return f"{enum_words(type(entry.kind), entry.kind)}: {entry.a}, {entry.b}"
    return str(template.format(a=_Argument(entry.a), b=_Argument(entry.b)))
