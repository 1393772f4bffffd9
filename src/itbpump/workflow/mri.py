"""After an MRI: two interrogations, the configuration by its hash, alarms, log, clock; and what a person looks at (domain 1.2).

A field stops a rotor; it frees itself, sometimes hours later, and its recovery may be logged only when the pump is read a second time. The
points stand in `checklists.toml`. A reading orders nothing from the pump. Not here: what to do before a scan, the scanner's conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from itbpump.hoststate import Intent
from itbpump.pump import Pump
from itbpump.quantity import MS_PER_DAY, Duration, Flow
from itbpump.wire.messages import CommandKind, LogEntry, LogKind, Mode, RunState, Status
from itbpump.wording.days import WEEK_MS, day_gap_s, gap_text, week_text
from itbpump.wording.status import state_text
from itbpump.wording.words import alarm_words, log_words
from itbpump.workflow.checklists import Point, after_mri
from itbpump.workflow.facts import Facts
from itbpump.workflow.model import WalkStep

__all__ = ["AfterMriWalk", "known_digest"]

PASS, ATTENTION = "PASS", "ATTENTION"
LOOK_BACK_MS: Final = 7 * MS_PER_DAY  # a scan is read after within days [D]
CLOCK_GAP_S: Final = 60  # SR-53
TELLING: Final = frozenset(
    {
        LogKind.GAP,
        LogKind.BOOT,
        LogKind.ALARM_RAISED,
        LogKind.PULSE_DOUBT,
        LogKind.SAFE_STATE,
        LogKind.SELF_TEST_FAILED,
        LogKind.STALL,
        LogKind.STALL_RECOVERED,
        LogKind.WATCHDOG_RESET,
    }
)


@dataclass(slots=True)
class _Readings:
    """What the interrogations of one walk found."""

    first: Status | None = None
    log: list[LogEntry] = field(default_factory=list)

    def left_ms(self, uptime_ms: int, wait_ms: int) -> int | None:
        """Until a second interrogation tells something; by the pump's own clock, which no sleep of this computer stops."""
        return None if self.first is None else max(0, self.first.uptime_ms + wait_ms - uptime_ms)


class AfterMriWalk:
    """The checklist after an MRI."""

    id = "after-mri"
    title = "After an MRI"
    summary = "two interrogations, configuration, stalls, alarms, clock"
    group = "Checks"

    def steps(self, facts: Facts) -> tuple[WalkStep, ...]:
        """The points for this pump; readings of one call belong together."""
        table, readings = after_mri(), _Readings(log=list(facts.log))
        return tuple(
            WalkStep(
                point.id,
                point.text,
                point.told,
                _reader(point, readings, table.wait_ms),
                (lambda uptime_ms: readings.left_ms(uptime_ms, table.wait_ms)) if point.kind == "wait" else None,
            )
            for point in table.points
            if facts.info.profile.startswith(point.only)
        )


def known_digest(decisions: Sequence[Intent]) -> str:
    """Hash of the configuration that was committed from this computer last, in hexadecimal; empty where none was."""
    committed = [one for one in decisions if one.kind == CommandKind.CONFIGURE and one.state == "applied"]
    return committed[-1].digest.hex() if committed else ""


def _reader(point: Point, readings: _Readings, wait_ms: int) -> Callable[[Pump, Facts], tuple[str, ...]] | None:
    if point.kind != "read":
        return None
    read = _READERS[point.id]
    return lambda pump, facts: tuple(read(pump, facts, readings, wait_ms))


# ------------------------------------------------------------------------------------------------ the readings
def _first(pump: Pump, facts: Facts, readings: _Readings, _wait_ms: int) -> Iterator[str]:
    now = pump.status()
    readings.first = now
    yield from _state(now, facts)
    yield from _alarms(now)


def _state(now: Status, facts: Facts) -> Iterator[str]:
    """What it runs against what is stored."""
    stored = facts.present.configuration
    flow = f"{Flow(now.flow_nL_per_day)} commanded" if now.flow_nL_per_day else "nothing flows"
    if stored is None:
        yield f"{ATTENTION}: {state_text(now)}, {flow}: there is no therapy in the pump"
    elif now.run_state is RunState.RUNNING and now.mode is stored.mode:
        yield f"{PASS}: running as programmed, {flow}"
    elif now.run_state is RunState.STOPPED and stored.mode is Mode.STOPPED:
        yield f"{PASS}: stopped, as programmed; {flow}"
    else:
        programmed = stored.mode.name.lower().replace("_", " ")
        yield f"{ATTENTION}: {state_text(now)}, {flow}, and {programmed} is programmed: watch for withdrawal, restore the therapy"


def _alarms(now: Status) -> Iterator[str]:
    if not now.alarms:
        yield f"{PASS}: no alarm is active"
    for alarm in now.alarms:
        words = alarm_words(alarm.alarm)
        yield f"{ATTENTION}: {alarm.priority.name.lower().replace('_', '-')} alarm: {words.text}; {words.action}"


def _configuration(pump: Pump, facts: Facts, _readings: _Readings, _wait_ms: int) -> Iterator[str]:
    now, before = pump.status(), known_digest(pump.decisions())
    digest = now.digest.hex()
    if now.digest == bytes(len(now.digest)):
        yield f"{ATTENTION}: the pump holds no configuration"
    elif not before:
        yield (
            f"{ATTENTION}: not checked here, as nothing was programmed from this computer: compare revision {now.revision}, "
            f"hash {digest[:16]}, with the report from before the scan"
        )
    elif digest == before:
        yield f"{PASS}: the configuration is the one that was programmed from here: revision {now.revision}, hash {digest[:16]}"
    else:
        yield (
            f"{ATTENTION}: hash {digest[:16]} (revision {now.revision}) is not that of the last one programmed from here, {before[:16]}: "
            "find out who changed it, review it, program it again"
        )
    if now.digest != facts.status.digest:
        yield f"{ATTENTION}: it has changed since this checklist was opened"


def _log(pump: Pump, _facts: Facts, readings: _Readings, _wait_ms: int) -> Iterator[str]:
    now = pump.status()
    _read_on(pump, readings)
    recent = [entry for entry in readings.log if entry.kind in TELLING and now.uptime_ms - entry.uptime_ms <= LOOK_BACK_MS and entry.seq]
    if not recent:
        yield f"{PASS}: nothing in the last 7 days; an empty list is no proof"
    for entry in recent:
        yield f"{ATTENTION}: {_ago(now.uptime_ms - entry.uptime_ms)}: {log_words(entry)}"


def _second(pump: Pump, facts: Facts, readings: _Readings, wait_ms: int) -> Iterator[str]:
    first = readings.first
    if first is None:
        yield f"{ATTENTION}: there was no first interrogation in this checklist; make that one, wait, then this"
        return
    now, seen = pump.status(), len(readings.log)
    passed = now.uptime_ms - first.uptime_ms
    if passed < wait_ms:
        yield f"{ATTENTION}: {Duration(passed)} of the pump's time since the first: wait for {Duration(wait_ms)} in all, then read again"
    else:
        yield f"{PASS}: {Duration(passed)} of the pump's time since the first"
    yield from _gone_on(first, now, passed, facts)
    yield from _state(now, facts)
    yield from _alarms(now)
    if now.digest != first.digest:
        yield f"{ATTENTION}: the configuration changed between the two"
    if now.resets != first.resets:
        yield f"{ATTENTION}: the pump was reset between the two"
    _read_on(pump, readings)
    new = [entry for entry in readings.log[seen:] if entry.kind in TELLING and entry.seq >= first.log_next_seq]
    for entry in new:
        yield f"{ATTENTION}: logged since the first: {log_words(entry)}"
    if not new:
        yield f"{PASS}: nothing was logged since the first; after a stall read once more within 24 h"


def _gone_on(first: Status, now: Status, passed_ms: int, facts: Facts) -> Iterator[str]:
    """The counter between the two; a pump that counts but stands is told by its stall alarm."""
    pulses = now.lifetime_pulses - first.lifetime_pulses
    due = first.flow_nL_per_day * passed_ms // MS_PER_DAY // facts.info.pulse_volume_nL
    if pulses > 0:
        yield f"{PASS}: {pulses:,} pulses were commanded between the two"
    elif due > 1:
        yield f"{ATTENTION}: no pulse between the two, and about {due:,} were due: the pump does not deliver"
    else:
        yield f"{PASS if not first.flow_nL_per_day else ATTENTION}: no pulse between the two, and none was due yet"


def _clock(pump: Pump, facts: Facts, _readings: _Readings, _wait_ms: int) -> Iterator[str]:
    now, here = pump.status(), pump.host_now()
    if facts.present.configuration is not None:
        week = (now.uptime_ms + now.week_offset_ms) % WEEK_MS
        gap = day_gap_s(week, here)
        yield f"{PASS if abs(gap) < CLOCK_GAP_S else ATTENTION}: the pump's day is {week_text(week)}, {gap_text(gap)}"
    if not now.wall_s:
        yield f"{ATTENTION}: the pump's clock label is not set, so its log has no dates"
        return
    apart = now.wall_s - int(here.timestamp())
    words = f"{abs(apart):,} s {'behind' if apart < 0 else 'ahead of'} this computer" if apart else "the same as this computer"
    yield f"{PASS if abs(apart) <= CLOCK_GAP_S else ATTENTION}: the pump's clock label is {words}"


_READERS: Final = {"first": _first, "configuration": _configuration, "log": _log, "second": _second, "clock": _clock}


def _read_on(pump: Pump, readings: _Readings) -> None:
    """The log up to now; only what is new is fetched."""
    readings.log += list(pump.log(readings.log[-1].seq + 1 if readings.log else 0))


def _ago(ms: int) -> str:
    minutes = ms // 60_000
    days, rest = divmod(minutes, 1_440)
    hours, minutes = divmod(rest, 60)
    parts = [f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if count]
    return f"{' '.join(parts[:2]) or 'less than a minute'} ago"
