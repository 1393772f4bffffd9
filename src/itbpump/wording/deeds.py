"""What a message tells to do, for the face it is read on: the command line has commands, the clinician's screen keys and tasks.

Messages of the inner rooms name commands, as programs and logs quote them. A face that has none passes each message through `on_face`
before it lays it out. Data: `deeds.toml`. Not here: what the commands do.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Literal, TypeAlias

__all__ = ["Face", "commands", "on_face"]

Face: TypeAlias = Literal["screen", "plain"]
_ARGUMENTS = (
    r"(?: (?:--kind [a-z]+|--[a-z-]+(?: [A-Z]+| …)?|URL\b|RX\b|FILE\b|[^\s;,()]*[/:.][^\s;,()]*[^\s;,().]"
    r"|\(or =\S+\)|[^\s;,()]+=[^\s;,()]+))*"
)
"""Addresses, options and their values that follow a command in a message."""


@cache
def _deeds() -> dict[str, dict[str, str]]:
    data = tomllib.loads(resources.files("itbpump.wording").joinpath("deeds.toml").read_text("utf-8"))
    return {row["command"]: row for row in data["deed"]}


@cache
def _pattern() -> re.Pattern[str]:
    known = sorted(_deeds(), key=len, reverse=True)
    return re.compile(f"({'|'.join(re.escape(command) for command in known)})(?![a-z-]){_ARGUMENTS}")


def commands() -> tuple[str, ...]:
    """Every command that the table translates, as messages write it."""
    return tuple(_deeds())


def on_face(text: str, face: Face) -> str:
    """The text with what is to be done said in keys and tasks of that face; a text without a command as it is."""
    return _pattern().sub(lambda found: _deeds()[found[1]][face], text)
