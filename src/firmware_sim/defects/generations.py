"""Firmwares of older minor versions of the protocol: the present one without what a later version added (`generations.toml`).

A request that it does not know is answered with `unknown_message`, as the protocol has it; what it says of itself is its own version.
Not modelled: other slips that an older firmware had.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from msgspec.structs import replace as replace_struct

from firmware_sim.defects.building import DraftingMachine, OtherFirmware
from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.core import Firmware, SessionInfo
from firmware_sim.firmware.draft import Draft
from itbpump.wire.messages import MESSAGE_IDS, Error, ErrorCode, Info, LogKind, Reply, Request

__all__ = ["Generation", "firmware_of", "generations"]

_SCHEMA = "firmware_sim.generations/1"


@dataclass(frozen=True, slots=True)
class Generation:
    """One older firmware, and what it lacks."""

    minor: int
    firmware: str
    what: str
    requests: frozenset[str]
    """Names of request messages it does not know."""
    alarms: frozenset[Alarm]
    log: frozenset[LogKind]
    leap: bool
    """A command id may be any distance above the last."""
    source: str
    mark: str


@cache
def generations() -> dict[int, Generation]:
    """By minor version. Raises ValueError where the table names what is no request, alarm or kind of log entry."""
    table = tomllib.loads(files(__package__).joinpath("generations.toml").read_text(encoding="utf-8"))
    if table.pop("schema") != _SCHEMA:
        raise ValueError(f"generations.toml: not {_SCHEMA}")
    requests = {message.__name__ for message in MESSAGE_IDS}
    found = {}
    for row in table["generation"]:
        unknown = set(row["requests"]) - requests
        if unknown:
            raise ValueError(f"generations.toml, minor {row['minor']}: no message is called {min(unknown)}")
        lacks = {
            "requests": frozenset(row["requests"]),
            "alarms": frozenset(Alarm[name.upper()] for name in row["alarms"]),
            "log": frozenset(LogKind[name.upper()] for name in row["log"]),
        }
        found[row["minor"]] = Generation(**row | lacks)
    return found


@cache
def firmware_of(minor: int) -> type[Firmware]:
    """The firmware of this minor version. Raises KeyError for one that is not in the table."""
    generation = generations()[minor]

    class OlderDraft(Draft):
        def raise_alarm(self, alarm: Alarm, value: int = 0) -> None:
            if alarm not in generation.alarms:
                super().raise_alarm(alarm, value)

        def log(self, kind: LogKind, a: int = 0, b: int = 0) -> None:
            if kind not in generation.log:
                super().log(kind, a, b)

        def _count_alert_stop(self, alarm: Alarm) -> None:
            if Alarm.RESTART_LOCKED not in generation.alarms:
                super()._count_alert_stop(alarm)

    class OlderMachine(DraftingMachine):
        draft_type = OlderDraft

    class OlderFirmware(OtherFirmware):
        machine_type = OlderMachine

        def handle(self, request: Request, session: SessionInfo, uptime_ms: int, link_now_ms: int) -> Reply:
            if type(request).__name__ in generation.requests:
                return Error(code=ErrorCode.UNKNOWN_MESSAGE, detail=MESSAGE_IDS[type(request)], cmd_id=0)
            reply = super().handle(request, session, uptime_ms, link_now_ms)
            if isinstance(reply, Info):
                return replace_struct(reply, firmware=generation.firmware, protocol_minor=generation.minor)
            return reply

        def _leaps(self, request: Request, number: int) -> bool:
            return not generation.leap and super()._leaps(request, number)

    return OlderFirmware
