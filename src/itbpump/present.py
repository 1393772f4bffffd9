"""What a pump was just read to be: its state, its configuration, what is left of a bridge, and what its path still holds.

A bridge is the pump's own: only its end ends it. A stop, a safe state and the minimum rate make it wait, and every configuration of the
same label carries it on (`carried_bridge`). Pure. Not here: making configurations (`itbpump.configuration`), judging (`itbpump.safety`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from itbpump.errors import ConfigurationError
from itbpump.history import History
from itbpump.quantity import Concentration, number_text
from itbpump.schedule import Schedule, schedule_of_configuration
from itbpump.wire.messages import (
    AlarmNumber,
    CommandKind,
    Configuration,
    LogEntry,
    Mode,
    RunState,
    Status,
    encode_configuration,
)

if TYPE_CHECKING:
    from itbpump.profiles import PumpProfile

__all__ = [
    "THERAPEUTIC",
    "BridgePlan",
    "PresentPump",
    "carried_bridge",
    "configuration_digest",
    "path_text",
    "schedule_for",
    "wait_text",
]

NO_HISTORY: Final = History()
THERAPEUTIC: Final = frozenset({Mode.CONTINUOUS, Mode.FLEX, Mode.PERIODIC_BOLUS})


@dataclass(frozen=True, slots=True)
class PresentPump:
    """What was just read from a pump, with the host's time of reading. `configuration` is None while the pump has none.

    `bridge_left_pulses` is what the pump has left of a bridge, whether it runs now or not: a stop, a safe state and the minimum rate
    only make it wait. `path_left_pulses` until the path is clear of an earlier label; `path_concentration_ng_per_mL` is the highest it
    may hold. `alarms` are the numbers of the active ones (`AlarmNumber`). `history` is what its newest log entries tell. `previous`: the
    configuration before, read where the last change is recent or no therapy runs; `patient_id`: whose therapy was programmed here last,
    else whose pump it is.
    """

    host_now: datetime
    uptime_ms: int
    run_state: RunState
    mode: Mode
    revision: int
    configuration: Configuration | None
    reservoir_nL: int
    lifetime_pulses: int
    bolus_counter: int
    bridge_left_pulses: int
    path_concentration_ng_per_mL: int
    path_left_pulses: int
    bolus_left_pulses: int
    mass_24h_ng: int
    last_change_ms: int
    last_change_kind: CommandKind
    alarms: tuple[int, ...] = ()
    bolus_given_pulses: int = 0
    bolus_left_ms: int = 0
    history: History = NO_HISTORY
    previous: Configuration | None = None
    patient_id: str | None = None

    @classmethod
    def from_status(
        cls,
        status: Status,
        configuration: Configuration | None,
        host_now: datetime,
        recent_log: Sequence[LogEntry] = (),
        previous: Configuration | None = None,
        patient_id: str | None = None,
    ) -> PresentPump:
        """From the pump's replies, `recent_log` oldest first; `host_now` needs an offset from UTC. ConfigurationError if status and
        configuration do not belong together."""
        if host_now.utcoffset() is None:
            raise ConfigurationError("the host's time has no offset from UTC", "pass an aware datetime")
        if configuration is not None and configuration_digest(configuration) != status.digest:
            raise ConfigurationError("the configuration read is not the one in force", "read the pump again")
        return cls(
            host_now=host_now,
            uptime_ms=status.uptime_ms,
            run_state=status.run_state,
            mode=status.mode,
            revision=status.revision,
            configuration=configuration,
            reservoir_nL=status.reservoir_nL,
            lifetime_pulses=status.lifetime_pulses,
            bolus_counter=status.bolus_counter,
            bridge_left_pulses=status.bridge_left_pulses,
            path_concentration_ng_per_mL=status.path_concentration_ng_per_mL,
            path_left_pulses=status.path_left_pulses,
            bolus_left_pulses=status.bolus_requested - status.bolus_delivered if status.bolus_left_ms else 0,
            mass_24h_ng=status.mass_24h_ng,
            last_change_ms=status.last_change_ms,
            last_change_kind=status.last_change_kind,
            alarms=tuple(alarm.alarm for alarm in status.alarms),
            bolus_given_pulses=status.bolus_delivered if status.bolus_left_ms else 0,
            bolus_left_ms=status.bolus_left_ms,
            history=History.of_log(recent_log, status.uptime_ms, status.run_state, configuration, previous),
            previous=previous,
            patient_id=patient_id,
        )

    @property
    def is_treating(self) -> bool:
        """A therapy proper is running: not stopped, not safe, not at the minimum rate."""
        return self.configuration is not None and self.run_state is RunState.RUNNING and self.mode in THERAPEUTIC

    @property
    def filled_on(self) -> date | None:
        """Day of the last fill that the recent log shows, by the pump's uptime, which no setting of a clock moves. Never a later one; None
        where that uptime went back and nothing tells by how much."""
        filled_ms = self.history.filled_ms
        return None if filled_ms is None else (self.host_now - timedelta(milliseconds=self.uptime_ms - filled_ms)).date()

    @property
    def stalled(self) -> bool:
        """The motor does not turn: what is scheduled reaches nobody."""
        return AlarmNumber.MOTOR_STALL in self.alarms

    @property
    def bridging(self) -> bool:
        """A bridge is in force: it runs, or waits for the next start."""
        return self.bridge_left_pulses > 0

    @property
    def has_lost_its_configuration(self) -> bool:
        """It had one and has none now: what is in reservoir and path is known to nobody until it is measured."""
        return self.configuration is None and self.run_state is not RunState.UNCONFIGURED


@dataclass(frozen=True, slots=True)
class BridgePlan:
    """A flow until so many pulses have passed."""

    flow_nL_per_day: int
    pulses: int


def carried_bridge(present: PresentPump) -> BridgePlan:
    """What every configuration of the same label must carry on: the flow of the bridge in force and what is left of it, also of one that
    waits in a stopped pump. No flow and no pulses without one.

    The pump keeps its own absolute end, so that the time between reading and commit does not lengthen it.
    """
    if not present.bridging:
        return BridgePlan(0, 0)
    if present.configuration is None or not present.configuration.bridge_flow_nL_per_day:
        raise ConfigurationError("the pump tells of a bridge that its configuration does not have", "read the pump again", "bridge-pending")
    return BridgePlan(present.configuration.bridge_flow_nL_per_day, present.bridge_left_pulses)


def path_text(present: PresentPump) -> str:
    """What the path may still hold: `2,000 mcg per mL`; `another drug` where it is not clear and the concentration is the label's own."""
    held, old = present.path_concentration_ng_per_mL, present.configuration
    is_other = present.path_left_pulses > 0 and old is not None and held == old.concentration_ng_per_mL
    return "another drug" if is_other else f"{Concentration(held)}"


def wait_text(present: PresentPump, profile: PumpProfile) -> str:
    """What to wait for until bridge and path are through: pulses, and hours at the present flow; a pump that gives nothing never gets
    there."""
    pulses, old = max(present.bridge_left_pulses, present.path_left_pulses), present.configuration
    flow = Fraction(0)
    if old is not None and present.run_state is RunState.RUNNING:
        flow = Fraction(old.bridge_flow_nL_per_day) if present.bridging else schedule_for(old, profile).mean_flow
    elif present.run_state is RunState.SAFE and present.mode is Mode.MINIMUM_RATE:  # without delivery it tells the programmed mode
        flow = Fraction(profile.minimum_rate.whole_nL_per_day)
    amount = f"wait until {pulses:,} more {'pulse has' if pulses == 1 else 'pulses have'} passed"
    if flow == 0:
        return f"{amount}; the pump gives nothing now, so start its therapy first"
    tenths = -(-Fraction(pulses * profile.pulse_volume.nL * 240) // flow)
    return f"{amount}, about {number_text(Fraction(tenths, 10), thousands=True)} h at the present flow"


def schedule_for(configuration: Configuration, profile: PumpProfile) -> Schedule:
    """The schedule of a configuration on this pump."""
    return schedule_of_configuration(configuration, profile.pulse_volume.nL, profile.minimum_rate.whole_nL_per_day)


def configuration_digest(configuration: Configuration) -> bytes:
    """SHA-256 of the canonical bytes, as the pump computes it."""
    return hashlib.sha256(encode_configuration(configuration)).digest()
