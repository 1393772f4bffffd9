"""What a pump's newest log entries tell of its last days: boluses, interruptions, since when the therapy has run, the last fill.

Pure. The log read is short, and every answer is for that stretch alone; what it does not reach is not known. Not here: `present`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from itbpump.quantity import MS_PER_DAY, MS_PER_MINUTE
from itbpump.wire.messages import BolusKind, CommandKind, Configuration, LogEntry, LogKind, RunState

__all__ = ["History", "elapsed_ms", "same_therapy"]

STOPPED_A_THERAPY: Final = 2  # itbp1.toml, log_arguments.stop
RECENT_MS: Final = 2 * MS_PER_DAY
CLOCK_WENT_BACK: Final = 2
"""The self-test that says so, and by how many ms (itbp1.toml, log_arguments.self_test_failed)."""


def elapsed_ms(log: Iterable[LogEntry], entry: LogEntry, now_ms: int) -> int:
    """Time from an entry of the log to the pump's uptime `now_ms`; at least the true one, also where the pump's clock went back in between.

    By how much it did the pump tells from its last minute stamp, so up to a minute less than it was: that minute is added. Less than a
    minute back it does not notice, and nobody can. `log` holds everything since the entry.
    """
    back = [later.b + MS_PER_MINUTE for later in log if later.seq > entry.seq and _went_back(later)]
    return now_ms - entry.uptime_ms + sum(back)


def _went_back(entry: LogEntry) -> bool:
    return entry.kind is LogKind.SELF_TEST_FAILED and entry.a == CLOCK_WENT_BACK


@dataclass(frozen=True, slots=True)
class History:
    """Times are pump uptime, ms.

    `untreated_since_ms`: when a stop, a safe state or a stall ended delivery that has not begun again. `therapy_since_ms`: the latest time
    at which the therapy in force can have begun; `before_since_ms`, `before_until_ms`: from when on the one before it surely ran, and until
    when. `commits`: of configurations; `interruptions`: stops and safe states. `is_whole_day`: the log reaches back 24 h, or to the pump's
    beginning. `interrupted`: a stop or a safe state in the last 24 h. `boluses`: end and pulses of those that
    ended in the last 24 h, `primes` apart. `missed_nL`: what stalls of the last two days kept from the patient. `primed_ms`: the last
    prime, `bridge_ended_ms` the end of the last bridge. `filled_ms`, `filled_nL`: the last fill, by the present clock (below 0 where that
    went back), and all that was in the reservoir then.
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
        primes = [entry.uptime_ms for entry in log if entry.kind is LogKind.BOLUS_START and entry.b == BolusKind.PRIME]
        fills = [entry for entry in log if entry.kind is LogKind.REFILL]
        ended = [entry for entry in log if entry.kind is LogKind.BOLUS_END and now_ms - entry.uptime_ms < MS_PER_DAY]
        commits = tuple(entry.uptime_ms for entry in log if _configures(entry))
        interruptions = tuple(entry.uptime_ms for entry in log if _interrupts(entry))
        before = _before(log, commits, interruptions, configuration, previous)
        given = {False: [entry for entry in ended if not _is_prime(entry)], True: [entry for entry in ended if _is_prime(entry)]}
        missed = [entry.b for entry in log if entry.kind is LogKind.STALL_RECOVERED and now_ms - entry.uptime_ms < RECENT_MS]
        return cls(
            untreated_since_ms=_untreated_since(log, run_state),
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
            filled_ms=now_ms - elapsed_ms(log, fills[-1], now_ms) if fills else None,
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
