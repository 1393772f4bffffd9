"""What a pump's newest log entries tell of its last days: boluses, interruptions, since when the therapy has run, the last fill.

Pure. The log read is short, and every answer is for that stretch alone; what it does not reach is not known. Not here: `present`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from msgspec.structs import replace

from itbpump.quantity import MS_PER_DAY, MS_PER_MINUTE
from itbpump.wire.messages import BolusKind, CommandKind, Configuration, LogEntry, LogKind, RunState

__all__ = ["History", "by_present_clock", "elapsed_ms", "same_therapy"]

STOPPED_A_THERAPY: Final = 2  # itbp1.toml, log_arguments.stop
RECENT_MS: Final = 2 * MS_PER_DAY
CLOCK_WENT_BACK: Final = 2
"""The self-test that says so, and by how many ms (itbp1.toml, log_arguments.self_test_failed)."""
CELLS_LOST: Final = 7
STAMPS: Final = 1
"""The self-test of the stamps of time, and the detail that says that they are lost: then nothing tells by how much the clock went back."""


def elapsed_ms(log: Iterable[LogEntry], entry: LogEntry, now_ms: int) -> int | None:
    """Time from an entry of the log to the pump's uptime `now_ms`; at least the true one, also where the pump's clock went back in between.
    None where it did and nothing tells by how much.

    By how much it did the pump tells from its last minute stamp, so up to a minute less than it was; less than a minute back it does not
    notice. It can only go back over a start, so a minute is added for each. `log` holds all starts and self-tests since the entry.
    """
    newest_ms, back_ms = entry.uptime_ms, 0
    for step in _steps(later for later in log if later.seq > entry.seq):
        back_ms += step.told_ms + step.starts * MS_PER_MINUTE
        if step.is_unsure or step.uptime_ms + back_ms < newest_ms:
            return None
        newest_ms = step.uptime_ms + back_ms
    # The log may be some seconds newer than the status it is read with.
    return None if now_ms + back_ms < newest_ms - MS_PER_MINUTE else now_ms + back_ms - entry.uptime_ms


def by_present_clock(log: Iterable[LogEntry], now_ms: int) -> tuple[tuple[LogEntry, ...], int]:
    """The entries with their times by the clock that shows `now_ms`, below 0 where that went back, and the number from which on these are
    right, to a minute for each start. A clock that went back makes no entry older than it is; how old those before that number are is not
    known."""
    timed: list[LogEntry] = []
    newest_ms, back_ms, known_seq = None, 0, 0
    for step in _steps(log):
        back_ms += step.told_ms
        at_ms = step.uptime_ms + back_ms
        missing_ms = 0 if newest_ms is None else max(0, newest_ms - at_ms)
        if step.is_unsure or missing_ms > step.starts * MS_PER_MINUTE:
            known_seq = step.entries[0].seq
        back_ms += missing_ms
        newest_ms = at_ms + missing_ms
        timed += (replace(entry, uptime_ms=newest_ms) for entry in step.entries)
    if newest_ms is not None and now_ms + back_ms < newest_ms - MS_PER_MINUTE:
        back_ms, known_seq = newest_ms - now_ms, timed[-1].seq + 1
    return tuple(replace(entry, uptime_ms=entry.uptime_ms - back_ms) if back_ms else entry for entry in timed), known_seq


@dataclass(frozen=True, slots=True)
class _Step:
    """Entries of one time: a start logs all that it finds at once. `told_ms`: by how much the clock went back, as far as they tell."""

    uptime_ms: int
    entries: tuple[LogEntry, ...]
    told_ms: int
    starts: int
    is_unsure: bool


def _steps(log: Iterable[LogEntry]) -> Iterator[_Step]:
    begun = 0

    def step_of(entry: LogEntry) -> tuple[int, int]:
        nonlocal begun
        begun += entry.kind is LogKind.BOOT
        return entry.uptime_ms, begun

    for (uptime_ms, _), together in groupby(log, key=step_of):
        entries = tuple(together)
        failed = [entry for entry in entries if entry.kind is LogKind.SELF_TEST_FAILED]
        back = [entry.b for entry in failed if entry.a == CLOCK_WENT_BACK]
        starts = max(len(back), sum(entry.kind is LogKind.BOOT for entry in entries))
        yield _Step(uptime_ms, entries, sum(back), starts, bool(back) and any((one.a, one.b) == (CELLS_LOST, STAMPS) for one in failed))


@dataclass(frozen=True, slots=True)
class History:
    """Times are pump uptime, ms, by the present clock: below 0 for what was before that went back.

    `untreated_since_ms`: when a stop, a safe state or a stall ended delivery that has not begun again. `therapy_since_ms`: the latest time
    at which the therapy in force can have begun; `before_since_ms`, `before_until_ms`: from when on the one before it surely ran, and until
    when. `commits`: of configurations; `interruptions`: stops and safe states, none where it is not known how long ago one was.
    `is_whole_day`: the log reaches back 24 h, or to the pump's beginning. `interrupted`: a stop or a safe state in the last 24 h.
    `boluses`: end and pulses of those that ended in the last 24 h, `primes` apart. `missed_nL`: what stalls of the last two days kept from
    the patient. `primed_ms`: the last prime, `bridge_ended_ms` the end of the last bridge. `filled_ms`: the last fill, None also where it
    is not known how long ago that was; `filled_nL`: all that was in the reservoir then.
    """

    untreated_since_ms: int | None = None
    therapy_since_ms: int | None = None
    before_since_ms: int | None = None
    before_until_ms: int | None = None
    commits: tuple[int, ...] = ()
    interruptions: tuple[int, ...] = ()
    is_whole_day: bool = False
    interrupted: bool = False
    boluses: tuple[tuple[int, int], ...] = ()
    primes: tuple[tuple[int, int], ...] = ()
    missed_nL: int = 0
    primed_ms: int | None = None
    bridge_ended_ms: int | None = None
    filled_ms: int | None = None
    filled_nL: int | None = None

    @classmethod
    def of_log(
        cls,
        log: Sequence[LogEntry],
        now_ms: int,
        run_state: RunState,
        configuration: Configuration | None,
        previous: Configuration | None,
    ) -> History:
        """From the newest entries, oldest first."""
        since_fill_ms = next((elapsed_ms(log, entry, now_ms) for entry in reversed(log) if entry.kind is LogKind.REFILL), None)
        log, known_seq = by_present_clock(log, now_ms)
        primes = [entry.uptime_ms for entry in log if entry.kind is LogKind.BOLUS_START and entry.b == BolusKind.PRIME]
        fills = [entry for entry in log if entry.kind is LogKind.REFILL]
        ended = [entry for entry in log if entry.kind is LogKind.BOLUS_END and now_ms - entry.uptime_ms < MS_PER_DAY]
        commits = tuple(entry.uptime_ms for entry in log if _configures(entry))
        # An interruption of which nobody knows how long it has lasted must not be taken for a short one.
        is_known = all(entry.seq >= known_seq for entry in log if _interrupts(entry) or entry.kind is LogKind.STALL)
        interruptions = tuple(entry.uptime_ms for entry in log if _interrupts(entry)) if is_known else ()
        before = _before(log, commits, interruptions, configuration, previous)
        given = {False: [entry for entry in ended if not _is_prime(entry)], True: [entry for entry in ended if _is_prime(entry)]}
        missed = [entry.b for entry in log if entry.kind is LogKind.STALL_RECOVERED and now_ms - entry.uptime_ms < RECENT_MS]
        return cls(
            untreated_since_ms=_untreated_since(log, run_state) if is_known else None,
            therapy_since_ms=_therapy_since(log, configuration, previous) if configuration is not None else None,
            before_since_ms=before[0] if before is not None else None,
            before_until_ms=before[1] if before is not None else None,
            commits=commits,
            interruptions=interruptions,
            is_whole_day=bool(log) and (log[0].seq == 0 or now_ms - log[0].uptime_ms >= MS_PER_DAY),
            interrupted=any(_interrupts(entry) and now_ms - entry.uptime_ms < MS_PER_DAY for entry in log),
            boluses=tuple((entry.uptime_ms, entry.a) for entry in given[False] if entry.a),
            primes=tuple((entry.uptime_ms, entry.a) for entry in given[True] if entry.a),
            missed_nL=sum(missed),
            primed_ms=primes[-1] if primes else None,
            bridge_ended_ms=max((entry.uptime_ms for entry in log if entry.kind is LogKind.BRIDGE_END), default=None),
            filled_ms=None if since_fill_ms is None else now_ms - since_fill_ms,
            filled_nL=fills[-1].a if fills else None,
        )


def _before(
    log: Sequence[LogEntry],
    commits: Sequence[int],
    interruptions: Sequence[int],
    configuration: Configuration | None,
    previous: Configuration | None,
) -> tuple[int, int] | None:
    """From when to when the configuration before ran; None where it is the therapy in force, which has only gone on."""
    if not commits or configuration is None or previous is None:
        return None
    since = commits[-2] if len(commits) > 1 else log[0].uptime_ms
    until = min((at for at in (*interruptions, commits[-1]) if at >= since), default=commits[-1])
    return None if until == commits[-1] and same_therapy(previous, configuration) else (since, until)


def _untreated_since(log: Sequence[LogEntry], run_state: RunState) -> int | None:
    ended: int | None = None
    stalled: int | None = None
    for entry in log:
        if _interrupts(entry):
            ended = entry.uptime_ms
        elif entry.kind is LogKind.STALL and stalled is None:
            stalled = entry.uptime_ms
        elif entry.kind is LogKind.STALL_RECOVERED:
            stalled = None
    return stalled if run_state is RunState.RUNNING else ended


def _interrupts(entry: LogEntry) -> bool:
    return entry.kind is LogKind.SAFE_STATE or (entry.kind is LogKind.STOP and entry.b == STOPPED_A_THERAPY)


def _configures(entry: LogEntry) -> bool:
    return entry.kind is LogKind.COMMITTED and entry.b >> 32 == CommandKind.CONFIGURE


def _is_prime(ended: LogEntry) -> bool:
    return ended.b >> 16 == BolusKind.PRIME


def _therapy_since(log: Sequence[LogEntry], configuration: Configuration, previous: Configuration | None) -> int | None:
    """A commit of the same therapy, such as a refill, begins nothing, unless it ended an interruption."""
    if not log:
        return None
    commits: list[int] = []
    for entry in log:
        if _interrupts(entry):
            commits = []
        elif _configures(entry):
            commits.append(entry.uptime_ms)
    interrupted = any(_interrupts(entry) for entry in log)
    if not commits:  # it began before the stretch of log that was read
        return log[0].uptime_ms
    if previous is None or not same_therapy(previous, configuration):
        return commits[-1]
    if len(commits) > 1:
        return commits[-2]
    return commits[-1] if interrupted else log[0].uptime_ms


def same_therapy(one: Configuration, other: Configuration) -> bool:
    """The same drug at the same times; volumes, alarms, start and bridge aside."""

    def therapy(configuration: Configuration) -> Configuration:
        return replace(
            configuration,
            reservoir_set=False,
            reservoir_volume_nL=0,
            path_volume_nL=0,
            low_alarm_nL=0,
            empty_alarm_nL=0,
            start=False,
            bridge_flow_nL_per_day=0,
            bridge_pulses=0,
        )

    return therapy(one) == therapy(other)
