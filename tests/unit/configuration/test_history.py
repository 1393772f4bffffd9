"""What the newest log entries tell: interruptions, the therapy's age, boluses, primes, fills."""

from __future__ import annotations

from itertools import count

import pytest
from msgspec.structs import replace

from itbpump.configuration import wire_configuration
from itbpump.history import History, same_therapy
from itbpump.profiles import load_profile
from itbpump.quantity import MS_PER_DAY, MS_PER_HOUR
from itbpump.wire.messages import BolusKind, BolusState, CommandKind, Configuration, LogEntry, LogKind, RunState
from tests.unit.therapy.prescriptions import continuous, prescription

P40 = load_profile("P-40")
NOW = 40 * MS_PER_DAY
SAME = wire_configuration(prescription(continuous("200 mcg/day")), P40)
OTHER = wire_configuration(prescription(continuous("190 mcg/day")), P40)
THERAPY, MINIMUM = 2, 1  # of a stop: what was delivered before


def log(*entries: tuple[float, LogKind, int, int]) -> list[LogEntry]:
    """Entries from (hours ago, kind, a, b)."""
    seq = count(100)
    return [LogEntry(seq=next(seq), uptime_ms=NOW - int(ago * MS_PER_HOUR), wall_s=0, kind=kind, a=a, b=b) for ago, kind, a, b in entries]


def commit(ago: float, kind: CommandKind = CommandKind.CONFIGURE) -> tuple[float, LogKind, int, int]:
    return ago, LogKind.COMMITTED, 7, kind << 32 | 3


def stop(ago: float, before: int = THERAPY) -> tuple[float, LogKind, int, int]:
    return ago, LogKind.STOP, 3, before


def told(*entries: tuple[float, LogKind, int, int], state: RunState = RunState.RUNNING, previous: Configuration | None = OTHER) -> History:
    return History.of_log(log(*entries), NOW, state, SAME, previous)


def hours_ago(at_ms: int | None) -> float | None:
    return None if at_ms is None else (NOW - at_ms) / MS_PER_HOUR


@pytest.mark.sr("SR-33")
def test_when_delivery_ended() -> None:
    stopped = RunState.STOPPED
    assert hours_ago(told(commit(90), stop(5), state=stopped).untreated_since_ms) == 5
    assert hours_ago(told(stop(9), stop(5, MINIMUM), state=stopped).untreated_since_ms) == 9
    assert hours_ago(told((3, LogKind.SAFE_STATE, 7, 2), state=RunState.SAFE).untreated_since_ms) == 3
    assert told(commit(90), state=stopped).untreated_since_ms is None
    assert told(stop(5), commit(4)).untreated_since_ms is None
    stall, again, recovered = (8, LogKind.STALL, 5, 1), (7, LogKind.STALL, 9, 2), (6, LogKind.STALL_RECOVERED, 40, 20_000)
    assert hours_ago(told(stall, again).untreated_since_ms) == 8
    assert told(stall, recovered).untreated_since_ms is None
    assert hours_ago(told(stall, recovered, (2, LogKind.STALL, 9, 1)).untreated_since_ms) == 2


@pytest.mark.sr("SR-08")
def test_since_when_the_therapy_can_have_run() -> None:
    assert hours_ago(told(commit(90), commit(2)).therapy_since_ms) == 2
    assert hours_ago(told(commit(90), commit(2, CommandKind.BOLUS)).therapy_since_ms) == 90
    # a refill commits the same therapy again: it goes on
    assert hours_ago(told(commit(90), commit(2), previous=SAME).therapy_since_ms) == 90
    assert hours_ago(told((99, LogKind.BOOT, 1, 0), commit(2), previous=SAME).therapy_since_ms) == 99
    # a restart commits the same therapy again: it begins
    assert hours_ago(told(commit(90), stop(80), commit(2), previous=SAME).therapy_since_ms) == 2
    assert hours_ago(told(commit(90), stop(80), commit(9), commit(2), previous=SAME).therapy_since_ms) == 9
    # nothing of it in what was read: it began before
    assert hours_ago(told((30, LogKind.SESSION_OPEN, 1, 1)).therapy_since_ms) == 30
    assert told().therapy_since_ms is None
    assert History.of_log(log(commit(2)), NOW, RunState.UNCONFIGURED, None, None).therapy_since_ms is None


@pytest.mark.sr("SR-07", "SR-49")
def test_boluses_of_the_last_day_with_their_end_and_what_was_given() -> None:
    def ended(ago: float, pulses: int) -> tuple[float, LogKind, int, int]:
        return ago, LogKind.BOLUS_END, pulses, BolusKind.SINGLE << 16 | BolusState.DONE << 8

    history = told(ended(24, 10), ended(23.9, 20), ended(1, 0), ended(0.5, 30))
    assert [(hours_ago(at), pulses) for at, pulses in history.boluses] == [(23.9, 20), (0.5, 30)]


@pytest.mark.sr("SR-30", "SR-13", "SR-34")
def test_missed_volume_prime_and_fill() -> None:
    missed = told((48, LogKind.STALL_RECOVERED, 1, 5), (47, LogKind.STALL_RECOVERED, 1, 20_000), (1, LogKind.STALL_RECOVERED, 1, 500))
    assert missed.missed_nL == 20_500
    prime, single = (9, LogKind.BOLUS_START, 632, BolusKind.PRIME), (1, LogKind.BOLUS_START, 12, BolusKind.SINGLE)
    assert hours_ago(told(prime, single).primed_ms) == 9
    assert told(single).primed_ms is None
    filled = told((80, LogKind.REFILL, 30, 0), (70, LogKind.REFILL, 38_000_000, 2_000_000))
    assert (hours_ago(filled.filled_ms), filled.filled_nL) == (70, 38_000_000)
    assert (told().filled_ms, told().filled_nL) == (None, None)


@pytest.mark.parametrize(
    ("field", "value", "is_same"),
    [
        ("reservoir_set", True, True),
        ("reservoir_volume_nL", 5, True),
        ("path_volume_nL", 5, True),
        ("low_alarm_nL", 5, True),
        ("empty_alarm_nL", 5, True),
        ("start", False, True),
        ("bridge_flow_nL_per_day", 5, True),
        ("bridge_pulses", 5, True),
        ("flow_nL_per_day", 5, False),
        ("concentration_ng_per_mL", 5, False),
        ("week_offset_ms", 5, False),
        ("patient_pulses", 5, False),
    ],
)
def test_the_same_therapy(field: str, value: object, is_same: bool) -> None:
    assert same_therapy(SAME, replace(SAME, **{field: value})) is is_same
