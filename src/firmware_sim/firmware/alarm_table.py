"""The alarm table: every alarm of the pump, its tone, its safe state and why, when it is raised and when it ends.

The rows follow domain 1.3 and the requirements named. Marks: R read in the source, D derived or decided here. The safe state is chosen
for each fault: stopping is itself a hazard (SR-32). A test raises every row, and sees it quiet in a neighbouring case.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from itbpump.wire.messages import AlarmNumber as Alarm
from itbpump.wire.messages import AlarmPriority

__all__ = ["ALARMS", "Alarm", "AlarmRow", "SafeAction", "row"]


class SafeAction(Enum):
    """What the pump does to its delivery when the alarm is raised."""

    CONTINUE = "continue"
    MINIMUM_RATE = "minimum rate"
    STOP = "stop"
    PROFILE = "as the profile's critical_memory_safe_state says"


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """One alarm. `raised` and `cleared` say in words what the code does; `reason` is for the safe state."""

    alarm: Alarm
    id: str
    priority: AlarmPriority
    action: SafeAction
    reason: str
    raised: str
    cleared: str
    source: str
    mark: str


_LOW, _HIGH = AlarmPriority.NON_CRITICAL, AlarmPriority.CRITICAL

ALARMS: Final[tuple[AlarmRow, ...]] = (
    AlarmRow(
        Alarm.LOW_RESERVOIR,
        "low-reservoir",
        _LOW,
        SafeAction.CONTINUE,
        "drug is left, and the alarm is there to have it refilled in time",
        "the counted volume is at or below the low alarm volume",
        "a commit after which the counted volume is above it",
        "gillettechildrens.org discharge information, domain 1.3",
        "R",
    ),
    AlarmRow(
        Alarm.REPLACEMENT,
        "replacement-indicator",
        _LOW,
        SafeAction.CONTINUE,
        "the battery carries the therapy for the time the profile gives until end of service",
        "the battery is at or below the profile's threshold, or that time is left of the service life",
        "never",
        "gillettechildrens.org; medtronic.com getting-a-replacement, domain 1.1 and 1.3",
        "R",
    ),
    AlarmRow(
        Alarm.MEMORY_REPAIRED,
        "memory-repaired",
        _LOW,
        SafeAction.CONTINUE,
        "the therapy in force verified; a counter, a log entry or a result was damaged",
        "at boot the pulse counters, a cell, a result, a pairing or a link of the log fails its check",
        "a configuration is committed",
        "gillettechildrens.org (non-critical memory error), domain 1.3",
        "R",
    ),
    AlarmRow(
        Alarm.EMPTY_RESERVOIR,
        "empty-reservoir",
        _HIGH,
        SafeAction.CONTINUE,
        "the volume is counted, not measured: drug may be left, and stopping early is a certain withdrawal",
        "the counted volume is at or below the empty alarm volume",
        "a commit after which the counted volume is above it",
        "gillettechildrens.org, domain 1.3; decided here",
        "R",
    ),
    AlarmRow(
        Alarm.RESERVOIR_USED_UP,
        "reservoir-used-up",
        _HIGH,
        SafeAction.STOP,
        "by the count nothing is left, residual included; running dry is a risk factor for later over-infusion (HSA 2016, domain 1.2). The "
        "stop falls on a whole pulse (SR-31)",
        "another pulse would make the counted volume negative",
        "a refill is committed",
        "domain 1.2; decided here",
        "D",
    ),
    AlarmRow(
        Alarm.END_OF_SERVICE,
        "end-of-service",
        _HIGH,
        SafeAction.STOP,
        "the pump shuts down by itself; a failing battery gives no dose that can be trusted",
        "the profile's time after the replacement indicator, and never later than the service life",
        "never",
        "medtronic.com getting-a-replacement, domain 1.1",
        "R",
    ),
    AlarmRow(
        Alarm.MOTOR_STALL,
        "motor-stall",
        _HIGH,
        SafeAction.CONTINUE,
        "a rotor held by a magnetic field frees itself; therapy goes on as soon as it can (SR-30)",
        "the rotor has missed a pulse and made none since for the profile's detection time",
        "the rotor makes a pulse",
        "gillettechildrens.org; MRI guidelines, domain 1.2",
        "R",
    ),
    AlarmRow(
        Alarm.STOPPED_LONG,
        "stopped-long",
        _HIGH,
        SafeAction.CONTINUE,
        "nothing flows; a pump never starts by itself",
        "nothing but boluses has flowed for the profile's time since the pump was stopped",
        "delivery starts",
        "gillettechildrens.org, domain 1.3; SR-33",
        "R",
    ),
    AlarmRow(
        Alarm.MEMORY_LOST,
        "memory-lost",
        _HIGH,
        SafeAction.PROFILE,
        "no therapy verifies; a low flow tempers withdrawal where the profile has one",
        "at boot the newest journal record is lost or contradicts the limits or the clock; later, a write does not read back",
        "a configuration is committed",
        "gillettechildrens.org (critical memory error), domain 1.3; VA AL09-24, domain 1.2",
        "R",
    ),
    AlarmRow(
        Alarm.LOW_BATTERY_RESET,
        "low-battery-reset",
        _HIGH,
        SafeAction.MINIMUM_RATE,
        "the motor's load may have caused the reset and would again",
        "a reset with the battery at or below the replacement threshold while therapy ran",
        "a configuration is committed",
        "VA AL09-24, domain 1.2 and 1.3",
        "R",
    ),
    AlarmRow(
        Alarm.EMERGENCY_SESSION,
        "emergency-session",
        _HIGH,
        SafeAction.CONTINUE,
        "what the session may do to the therapy it does by its own commands",
        "a session of role emergency is opened",
        "a configuration is committed",
        "design 4; SR-64",
        "D",
    ),
    AlarmRow(
        Alarm.OVER_DELIVERY,
        "over-delivery",
        _HIGH,
        SafeAction.STOP,
        "the motor turns without being told to; the monitor takes its drive away at once (SR-29, SR-31)",
        "the rotor has made over 2 pulses more than were commanded, in all or since it last fell behind; also found at a start",
        "a configuration is committed",
        "SR-29",
        "D",
    ),
    AlarmRow(
        Alarm.UNDER_DELIVERY,
        "under-delivery",
        _HIGH,
        SafeAction.CONTINUE,
        "what still gets through is the only dose there is, and less of it is a certain withdrawal (SR-30)",
        "without standing still for the stall's time, the rotor has missed the profile's share of a day's pulses, at least 3, within 24 h",
        "a configuration is committed",
        "SR-30",
        "D",
    ),
    AlarmRow(
        Alarm.RESET_LOOP,
        "reset-loop",
        _HIGH,
        SafeAction.PROFILE,
        "a therapy whose program hangs again and again is given by chance; a single reset goes on with it",
        "the watchdog has reset the pump the profile's number of times within its window",
        "a configuration is committed",
        "SR-32, SR-60; stack of resets: safety 6",
        "D",
    ),
    AlarmRow(
        Alarm.RESTART_LOCKED,
        "restart-locked",
        _HIGH,
        SafeAction.CONTINUE,
        "the alarm that came back has already chosen what flows; a fourth start would only repeat it. The lock ends by itself, because a "
        "pump that nobody can start is a certain withdrawal",
        "the same alarm has taken delivery away for the third time within 10 min (the profile's figures)",
        "the profile's time after it",
        "OPCA-R6.5.0(18), SR-58",
        "R",
    ),
    AlarmRow(
        Alarm.RANDOM_SOURCE,
        "random-source",
        _LOW,
        SafeAction.CONTINUE,
        "no therapy depends on chance, and the keys of a session also hold the programmer's nonce and the number of the start",
        "at a start the sample of the random source repeats itself",
        "a start at which it does not",
        "SR-59; safety 5.3 (stuck RNG)",
        "D",
    ),
)

_ROWS: Final = {entry.alarm: entry for entry in ALARMS}


def row(alarm: int) -> AlarmRow:
    """The row of an alarm number. Raises ValueError for a number that is none."""
    return _ROWS[Alarm(alarm)]
