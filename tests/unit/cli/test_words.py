"""Words for numbers: no alarm, log entry, denial or check of the pump is without them."""

from __future__ import annotations

import string

import pytest

from firmware_sim.firmware.alarm_table import ALARMS
from firmware_sim.firmware.boot import Check
from firmware_sim.firmware.ledger import Denial
from itbpump.wire.messages import AlarmNumber, LogEntry, LogKind
from itbpump.wording.words import _SHOWN, _texts, alarm_words, log_words, wall_text


def entry(kind: LogKind, a: int = 1, b: int = 1) -> LogEntry:
    return LogEntry(seq=7, uptime_ms=0, wall_s=0, kind=kind, a=a, b=b)


def test_every_alarm_of_the_pump_has_words_and_there_are_no_others() -> None:
    assert {str(int(row.alarm)) for row in ALARMS} == {str(int(number)) for number in AlarmNumber} == set(_texts()["alarm"])
    for row in ALARMS:
        words = alarm_words(row.alarm)
        assert words.id == row.id
        assert words.text
        assert words.action


def test_every_kind_of_log_entry_has_words_and_there_are_no_others() -> None:
    assert {kind.name.lower() for kind in LogKind} == set(_texts()["log"])
    packed = {LogKind.REFUSED: 12 << 32, LogKind.STAGED: 1 << 32 | 105, LogKind.COMMITTED: 2 << 32 | 3, LogKind.BOLUS_END: 1 << 16 | 2 << 8}
    for kind in LogKind:
        told = log_words(entry(kind, b=packed.get(kind, 1)))
        assert "unknown" not in told, told


def test_every_way_of_showing_is_used() -> None:
    used = {spec for template in _texts()["log"].values() for _, _, spec, _ in string.Formatter().parse(template) if spec}
    assert used == set(_SHOWN)


def test_denials_and_checks_are_those_of_the_pump() -> None:
    assert set(_texts()["denial"]) == {str(int(member)) for member in Denial}
    assert set(_texts()["check"]) == {str(int(member)) for member in Check}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (entry(LogKind.REFILL, 39_400_000, 31_509_000), "refill entered: 39.4 mL in the reservoir; counted before: 31.509 mL"),
        (entry(LogKind.BOLUS_END, 12, 1 << 16 | 3 << 8 | 1), "single bolus interrupted after 12 pulses; in doubt: 1"),
        (entry(LogKind.COMMITTED, 4, 1 << 32 | 2), "command 4 carried out: configure; revision 2"),
        (entry(LogKind.REFUSED, 5, 14 << 32), "command 5 refused: another bolus is running; wait for its end or stop it"),
        (entry(LogKind.BOLUS_DENIED, 3, 4), "patient's request denied: the lockout was not over (denied so far: 3)"),
        (entry(LogKind.SAFE_STATE, 12, 2), "safe state: stopped, because the motor made more pulses than commanded; delivery has stopped"),
        (entry(LogKind.ALARM_RAISED, 200, 0), "alarm: alarm 200, unknown to this version"),
        (entry(LogKind.SESSION_OPEN, 0xAB, 9), "session opened by 00000000000000ab as 9 (unknown)"),
    ],
    ids=lambda value: value.kind.name if isinstance(value, LogEntry) else "",
)  # fmt: skip
def test_what_entries_say(given: LogEntry, text: str) -> None:
    assert log_words(given) == text


def test_wall_clock_label() -> None:
    assert wall_text(0) == "not set"
    assert wall_text(1_795_341_600) == "22 Nov 2026 10:00:00 UTC"
