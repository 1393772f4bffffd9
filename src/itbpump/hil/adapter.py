"""For firmware that does not speak itbp1: a class of yours between tests and pump, in targets.toml `adapter = "module:Class"`.

It answers in the companion's own values (`Info`, `Status`, `LogEntry`), so that a test that uses only `pump.info`, `.status`, `.program`,
`.bolus`, `.stop`, `.log` and `.to` runs on both. Tests that need the companion's session, or bytes of itbp1, are skipped with the reason. A
method raises NotAsOrdered where the pump refuses, RigError where it cannot be reached. `info_of`, `status_of` and `alarm_of` fill in what
a pump does not tell. How the pump is brought to sound an alarm, and out of it, only its adapter knows: `raise_alarm` and `end_alarm`;
where they are not written, tests that need them are skipped.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING

from itbpump.hil.errors import NotDeclared, TargetsError
from itbpump.profiles import load_profile
from itbpump.wire.messages import (
    AlarmNumber,
    AlarmPriority,
    AlarmState,
    BolusKind,
    BolusState,
    CommandKind,
    Info,
    LogEntry,
    Mode,
    Role,
    RunState,
    Status,
)

if TYPE_CHECKING:
    from itbpump.hil.clock import Clock
    from itbpump.hil.targets import Target
    from itbpump.quantity import Duration, Mass
    from itbpump.therapy import Prescription

__all__ = ["Adapter", "alarm_of", "info_of", "load_adapter", "status_of"]


class Adapter(ABC):
    """One pump behind its own protocol. Made with the rig's description when the first test needs it, closed at the end of the run."""

    def __init__(self, target: Target) -> None:
        self.target = target

    @abstractmethod
    def info(self) -> Info:
        """Who the pump is."""

    @abstractmethod
    def status(self) -> Status:
        """What it says of itself now."""

    @abstractmethod
    def program(self, rx: Prescription) -> None:
        """Have it run a prescription. Raises NotAsOrdered unless it does."""

    @abstractmethod
    def bolus(self, dose: Mass, over: Duration) -> None:
        """Start a single bolus. Raises NotAsOrdered unless it starts."""

    @abstractmethod
    def stop(self) -> None:
        """Stop all delivery. Raises NotAsOrdered unless it stops."""

    @abstractmethod
    def log(self) -> Iterable[LogEntry]:
        """Its log, oldest first; empty where it keeps none."""

    def raise_alarm(self, clock: Clock) -> None:
        """From a therapy that runs, have the pump sound an alarm, whichever it can be brought to without harm, for `pump.to("alarm")`.

        Return when it sounds; `clock` lets time pass until then. By default NotDeclared.
        """
        raise NotDeclared(self.target.name, self.target.adapter, "raise an alarm", "raise_alarm")

    def end_alarm(self, clock: Clock) -> None:
        """Have it end that alarm, for `pump.to("idle")` and `"infusing"` from there. By default NotDeclared."""
        raise NotDeclared(self.target.name, self.target.adapter, "end an alarm", "end_alarm")

    def lost_power(self) -> None:  # noqa: B027 -- not every protocol has a connection
        """The supply was cut: a connection that was open is over. By default nothing."""

    def close(self) -> None:  # noqa: B027 -- nor a line to give back
        """Give the line back. Harmless when repeated; by default nothing."""


def load_adapter(target: Target) -> Adapter:
    """The adapter that `target.adapter` names. Raises TargetsError when it cannot be imported or is none."""
    module, _, name = target.adapter.partition(":")
    where = f"rig {target.name}, adapter"
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise TargetsError(
            where, f"{target.adapter} cannot be imported ({error})", "install it, or put its folder into PYTHONPATH"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, Adapter)):
        raise TargetsError(where, f"{target.adapter} is no Adapter", "derive it from itbpump.hil.adapter.Adapter")
    return kind(target)


def info_of(profile: str, *, serial: str, firmware: str) -> Info:
    """An Info of a pump like `profile`, whose constants stand for those that it does not tell. Raises ProfileError."""
    figures = load_profile(profile)
    return Info(
        serial=serial,
        profile=profile,
        firmware=firmware,
        protocol_major_max=0,
        protocol_minor=0,
        simulated=False,
        memory_id=bytes(8),
        role=Role.CLINICIAN,
        last_cmd_id=0,
        constants_hash=bytes(32),
        **figures.constants,
    )


def alarm_of(number: AlarmNumber, *, since_ms: int = 0, priority: AlarmPriority = AlarmPriority.CRITICAL) -> AlarmState:
    """One alarm that sounds, for `status_of(…, alarms=(…,))`; `since_ms` is pump uptime."""
    return AlarmState(alarm=number, priority=priority, since_ms=since_ms, silenced_until_ms=0)


def status_of(*, uptime_ms: int, running: bool, flow_nL_per_day: int, reservoir_nL: int, **known: object) -> Status:
    """A Status with what every pump can tell; what else is `known` of its fields replaces a value that says nothing (0, none, idle)."""
    fields: dict[str, object] = dict.fromkeys(Status.__struct_fields__, 0)
    fields |= {
        "run_state": RunState.RUNNING if running else RunState.STOPPED,
        "mode": Mode.CONTINUOUS if running else Mode.STOPPED,
        "bridging": False,
        "digest": bytes(32),
        "drug": "",
        "bolus_kind": BolusKind.NONE,
        "bolus_state": BolusState.IDLE,
        "last_change_by": bytes(8),
        "last_change_kind": CommandKind.CONFIGURE,
        "alarms": (),
        "battery_permille": 1_000,
        "eri_left_days": 65_535,
    }
    fields |= {"uptime_ms": uptime_ms, "flow_nL_per_day": flow_nL_per_day, "reservoir_nL": reservoir_nL} | known
    return Status(**fields)  # type: ignore[arg-type]  # a table of its fields, each with its own type
