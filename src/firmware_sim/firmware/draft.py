"""A change being prepared: the next durable state with the log entries and results that belong to it.

Nothing here has an effect; `Machine.store` makes the change. The methods are the few steps every change is made of: ending a bolus,
stopping, raising and clearing alarms. Not modelled: changes that take time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from msgspec.structs import replace as replace_struct

from firmware_sim.firmware.alarm_table import Alarm, SafeAction, row
from firmware_sim.firmware.alarms import tone_name
from firmware_sim.firmware.durable import NO_OWNER, BolusRecord, Drive, Durable, ProgrammerRecord
from firmware_sim.firmware.results import ResultsRing
from firmware_sim.profiles import FirmwareProfile
from itbpump.wire.messages import AlarmEvent, BolusKind, BolusState, CommandKind, CommandResult, LogEvent, LogKind, RunState

__all__ = ["SAFE_MINIMUM_RATE", "SAFE_STOPPED", "Draft"]

SAFE_MINIMUM_RATE = 1
SAFE_STOPPED = 2
_ALERT_STOPS_KEPT = 8
_HINTED = {LogKind.BOLUS_END, LogKind.BRIDGE_END, LogKind.BOLUS_DENIED, LogKind.BOLUS_START}


@dataclass
class Draft:
    """The change. `now_ms` is its uptime, `reservoir_nL` the counted volume before it."""

    profile: FirmwareProfile
    state: Durable
    now_ms: int
    reservoir_nL: int
    entries: list[tuple[LogKind, int, int]] = field(default_factory=list)
    tones: list[str] = field(default_factory=list)
    _new_results: list[tuple[int, CommandResult]] = field(default_factory=list)
    _ended: list[BolusRecord] = field(default_factory=list)
    _confirmed: list[tuple[int, int]] = field(default_factory=list)

    def set(self, **changes: Any) -> None:
        """Change fields of the durable state."""
        self.state = replace(self.state, **changes)

    def log(self, kind: LogKind, a: int = 0, b: int = 0) -> None:
        """Add a log entry."""
        self.entries.append((kind, a, b))

    # ------------------------------------------------------------------------------------------------ delivery
    def end_bolus(self, state: BolusState, doubt: int = 0) -> None:
        """End the running bolus, if any, with what it has given. One that gave all, without doubt, is done whatever ended it."""
        bolus = self.state.bolus
        if not bolus.running:
            return
        delivered = min(self.state.lifetime - bolus.start_lifetime, bolus.requested)
        if delivered == bolus.requested and not doubt:
            state = BolusState.DONE
        ended = replace(bolus, state=state, delivered=delivered, doubt=doubt)
        self.set(bolus=ended, bolus_counter=self.state.bolus_counter + delivered)
        self.log(LogKind.BOLUS_END, delivered, ended.kind << 16 | state << 8 | doubt)
        if ended.owner != NO_OWNER:
            self._ended.append(ended)

    def end_lost_bolus(self, ended: BolusRecord) -> None:
        """Note the end of a bolus whose start the journal has lost; its pulses are in the counters already."""
        self.set(bolus=ended)
        self.log(LogKind.BOLUS_END, ended.delivered, ended.kind << 16 | ended.state << 8 | ended.doubt)
        self._ended.append(ended)

    def start_bolus(self, kind: BolusKind, pulses: int, duration_ms: int, owner: int = NO_OWNER, cmd_id: int = 0) -> None:
        """Start a bolus; the caller has judged it and ended another."""
        state = self.state
        self.set(
            bolus=BolusRecord(
                kind=kind,
                state=BolusState.RUNNING,
                requested=pulses,
                start_ms=self.now_ms,
                duration_ms=duration_ms,
                start_lifetime=state.lifetime,
                owner=owner,
                cmd_id=cmd_id,
            )
        )
        if kind is BolusKind.PRIME:
            self.set(primed_ms=self.now_ms)
        self.log(LogKind.BOLUS_START, pulses, kind)

    def drive(self, run_state: RunState, drive: Drive) -> None:
        """Change what flows between boluses; keeps account of how long nothing has."""
        before = self.state
        stopped_since_ms = before.stopped_since_ms
        if drive is not Drive.NONE or run_state is RunState.UNCONFIGURED:
            stopped_since_ms = None
            self.clear(Alarm.STOPPED_LONG)
        elif stopped_since_ms is None:
            stopped_since_ms = self.now_ms
        self.set(run_state=run_state, drive=drive, stopped_since_ms=stopped_since_ms)

    def changed(self, programmer: bytes, kind: CommandKind) -> None:
        """Note who changed what, for every programmer to see."""
        self.set(changed_by=programmer, changed_ms=self.now_ms, changed_kind=kind)

    # ------------------------------------------------------------------------------------------------ alarms
    def is_active(self, alarm: Alarm) -> bool:
        """Whether the alarm is up in this draft."""
        return any(number == alarm for number, _ in self.state.alarms)

    def raise_alarm(self, alarm: Alarm, value: int = 0) -> None:
        """Raise an alarm and go to its safe state; nothing if it is up already. `value` goes into the log."""
        if self.is_active(alarm):
            return
        entry = row(alarm)
        self.set(alarms=(*self.state.alarms, (int(alarm), self.now_ms)))
        self.log(LogKind.ALARM_RAISED, alarm, value)
        self.tones.append(tone_name(entry.priority))
        self._safe_state(alarm, entry.action)

    def clear(self, alarm: Alarm) -> None:
        """Clear an alarm; nothing if it is not up."""
        if self.is_active(alarm):
            self.set(alarms=tuple(item for item in self.state.alarms if item[0] != alarm))
            self.log(LogKind.ALARM_CLEARED, alarm)

    def _safe_state(self, alarm: Alarm, action: SafeAction) -> None:
        """Go down to the safe state, never up: a pump that gives nothing is not started by an alarm."""
        if action is SafeAction.CONTINUE or (self.state.drive is Drive.NONE and not self.state.bolus.running):
            return
        stop = action is SafeAction.STOP or (action is SafeAction.PROFILE and self.profile.critical_memory_safe_state == "stopped")
        self.end_bolus(BolusState.INTERRUPTED)
        if self.state.drive is not Drive.NONE:
            self.drive(RunState.SAFE, Drive.NONE if stop else Drive.MINIMUM)
            # What was reviewed before the fault must be reviewed again: a commit based on it is stale.
            self.set(revision=self.state.revision + 1)
        self.log(LogKind.SAFE_STATE, alarm, SAFE_STOPPED if self.state.drive is Drive.NONE else SAFE_MINIMUM_RATE)
        self._count_alert_stop(alarm)

    def _count_alert_stop(self, alarm: Alarm) -> None:
        """The same alarm, stop and start again and again: no start for a while (SR-58)."""
        profile = self.profile
        recent = [(number, at_ms) for number, at_ms in self.state.alert_stops if self.now_ms - at_ms < profile.restart_window_ms]
        self.set(alert_stops=(*recent, (int(alarm), self.now_ms))[-_ALERT_STOPS_KEPT:])
        if sum(number == alarm for number, _ in self.state.alert_stops) >= profile.restart_limit:
            self.set(locked_until_ms=self.now_ms + profile.restart_lock_ms)
            self.raise_alarm(Alarm.RESTART_LOCKED, alarm)

    # ------------------------------------------------------------------------------------------------ results
    def add_result(self, number: int, result: CommandResult) -> None:
        """Store the result of a command of the programmer with this pairing number; its id is taken."""
        self._new_results.append((number, result))

    def confirm_result(self, number: int, cmd_id: int) -> None:
        """Replace a stored result by its confirmed form."""
        self._confirmed.append((number, cmd_id))

    def result_records(self, ring: ResultsRing) -> tuple[tuple[bytes, ...], tuple[ProgrammerRecord, ...]]:
        """Records for the ring, and the programmers' counters after them."""
        programmers = list(self.state.programmers)
        records: list[bytes | None] = []
        for ended in self._ended:
            change = partial(_with_bolus, bolus=ended)
            records.append(ring.changed_record(ended.owner, programmers[ended.owner], ended.cmd_id, change))
        for number, cmd_id in self._confirmed:
            records.append(ring.changed_record(number, programmers[number], cmd_id, partial(replace_struct, confirmed=True)))
        for number, result in self._new_results:
            record, programmers[number] = ring.new_record(number, programmers[number], result)
            records.append(record)
        return tuple(record for record in records if record is not None), tuple(programmers)

    def hints(self, seq: int, kind: LogKind, a: int) -> list[AlarmEvent | LogEvent]:
        """What a programmer in session is told of a log entry."""
        if kind in (LogKind.ALARM_RAISED, LogKind.ALARM_CLEARED):
            return [AlarmEvent(log_seq=seq, alarm=a, priority=row(a).priority, active=kind is LogKind.ALARM_RAISED)]
        return [LogEvent(log_seq=seq, kind=kind)] if kind in _HINTED else []


def _with_bolus(result: CommandResult, bolus: BolusRecord) -> CommandResult:
    return replace_struct(result, delivered_pulses=bolus.delivered, doubt_pulses=bolus.doubt, bolus_state=bolus.state)
