"""Refused handshakes leave a bounded share of the log, in whatever rhythm and names they come, over any resets (SR-61, SR-64)."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim import SimulatedPump
from firmware_sim.firmware.log import ENTRIES
from firmware_sim.firmware.refusals import BURST, DAY_MS, FIRST_WAIT_MS, Entry, RefusalLog, detail, most_entries
from itbpump.wire.messages import PROGRAMMERS, LogEntry, LogKind, RefuseReason, Role

HOUR, MINUTE = FIRST_WAIT_MS, 60_000
IDS = [b"CLINIC%02d" % number for number in range(PROGRAMMERS)]


def told(refusals: Iterable[tuple[int, int]], log: RefusalLog | None = None) -> list[Entry]:
    """The entries that (time, programmer) leave behind."""
    log = log or RefusalLog()
    heard = ((at_ms, programmer, log.heard(programmer, at_ms)) for at_ms, programmer in refusals)
    return [Entry(at_ms, programmer, since) for at_ms, programmer, since in heard if since is not None]


# ------------------------------------------------------------------------------------------------ rhythm
@pytest.mark.sr("SR-61", "SR-64")
def test_a_series_is_told_at_once_and_then_ever_more_seldom_with_its_count() -> None:
    entries = told((minute * MINUTE, 1) for minute in range(5 * 24 * 60))
    assert [entry.at_ms // HOUR for entry in entries] == [0, 1, 3, 7, 15, 31, 55, 79, 103]
    assert [entry.since for entry in entries] == [0, 59, 119, 239, 479, 959, 1439, 1439, 1439]


@pytest.mark.parametrize(("quiet_ms", "begins"), [(DAY_MS - 1, False), (DAY_MS, True)])
def test_a_quiet_day_ends_a_series(quiet_ms: int, begins: bool) -> None:
    last = 7 * HOUR + 1  # logged after 0, 1, 3 and 7 h; one more is only counted
    first = told([(0, 1), (HOUR, 1), (3 * HOUR, 1), (7 * HOUR, 1), (last, 1), (last + quiet_ms, 1), (last + quiet_ms + HOUR, 1)])
    after = [entry.at_ms for entry in first if entry.at_ms > last]
    assert after == ([last + quiet_ms, last + quiet_ms + HOUR] if begins else [last + quiet_ms])
    assert first[4].since == 1


def test_each_programmer_has_a_series_of_its_own() -> None:
    assert told([(0, 1), (1, 2), (2, 1), (3, 3)]) == [Entry(0, 1, 0), Entry(1, 2, 0), Entry(3, 3, 0)]


# ------------------------------------------------------------------------------------------------ bounds
@pytest.mark.sr("SR-61", "SR-64")
@pytest.mark.parametrize("pause", [10 * MINUTE, HOUR, 12 * HOUR, DAY_MS + 1], ids=["10 min", "1 h", "12 h", "a day"])
def test_a_years_flood_in_every_name_takes_a_bounded_share_of_the_log(pause: int) -> None:
    """Also with a day's pause, after which each series begins anew. Each refusal an hour was 8,760 entries a name, in a log of 1,024."""
    entries = told((at_ms, number) for at_ms in range(0, 365 * DAY_MS, pause) for number in range(PROGRAMMERS))
    assert len(entries) <= most_entries(365) == 381
    assert most_entries(365) / ENTRIES < 0.38
    assert {entry.programmer for entry in entries} == set(range(PROGRAMMERS)), "nobody's name hides another's"


RHYTHM = st.lists(st.tuples(st.integers(0, 3 * DAY_MS), st.integers(1, 3), st.booleans()), max_size=60)


@pytest.mark.sr("SR-61", "SR-64")
@given(RHYTHM)
def test_no_rhythm_and_no_reset_gets_more_into_the_log(steps: list[tuple[int, int, bool]]) -> None:
    log, entries, now = RefusalLog(), list[Entry](), 0
    for pause, programmer, reset in steps:
        now += pause
        log = RefusalLog(entries, now) if reset else log
        entries += told([(now, programmer)], log)
    for number, entry in enumerate(entries):
        assert len([one for one in entries[number:] if one.at_ms - entry.at_ms < DAY_MS]) <= BURST + 1
    assert len(entries) <= most_entries(now // DAY_MS + 1)


@given(RHYTHM, st.integers(0, 5 * DAY_MS))
def test_after_a_reset_it_goes_on_as_its_log_says(steps: list[tuple[int, int, bool]], later: int) -> None:
    """A programmer who is refused at once after a reset is not told again at once, unless a day has been quiet."""
    log, entries, now = RefusalLog(), list[Entry](), 0
    for pause, programmer, _ in steps:
        now += pause
        entries += told([(now, programmer)], log)
    again = RefusalLog(entries, now + later)
    for programmer in {entry.programmer for entry in entries}:
        last = max(entry.at_ms for entry in entries if entry.programmer == programmer)
        heard = again.heard(programmer, now + later)
        assert heard in (None, 0)
        assert heard is None or now + later - last >= HOUR


def test_entries_that_lie_ahead_do_not_silence_a_pump_whose_clock_went_back() -> None:
    log = RefusalLog([Entry(900 * DAY_MS + number, 1, 0) for number in range(200)], now_ms=DAY_MS)
    entries = told(((1 + day) * DAY_MS, 1) for day in range(40))
    assert entries
    assert told((((1 + day) * DAY_MS, 1) for day in range(40)), log)


# ------------------------------------------------------------------------------------------------ in the pump
def pump() -> SimulatedPump:
    made = SimulatedPump("P-40", seed=1)
    for programmer_id in IDS:
        made.provision(programmer_id, Role.CLINICIAN, bytes(32))
    return made


def logged(made: SimulatedPump) -> list[LogEntry]:
    return [entry for entry in made.firmware._machine.log.page(0, ENTRIES) if entry.kind is LogKind.HANDSHAKE_FAILED]


def refuse(made: SimulatedPump, programmer_id: bytes, hours: int, each_ms: int = HOUR // 4) -> None:
    for _ in range(hours * HOUR // each_ms):
        made.firmware.handshake_refused(programmer_id, RefuseReason.KEY, made.uptime_ms)
        made.advance(each_ms)


@pytest.mark.sr("SR-61")
def test_a_series_goes_on_over_a_power_cut_a_watchdog_and_a_restart_of_the_process() -> None:
    made = pump()
    refuse(made, IDS[0], 2)
    made.power_cut()
    made.power_on()
    refuse(made, IDS[0], 2)
    made.watchdog_reset()
    refuse(made, IDS[0], 2)
    made = SimulatedPump.load(made.save())
    refuse(made, IDS[0], 4)
    entries = logged(made)
    assert [entry.uptime_ms // HOUR for entry in entries] == [0, 1, 3, 7]
    assert [entry.b for entry in entries] == [detail(RefuseReason.KEY, since) for since in (0, 3, 4, 4)]
    # What was only counted until a reset is forgotten: 3 before the cut at 2 h, 3 before the watchdog's at 4 h, 8 before the last at 6 h.


@pytest.mark.sr("SR-61")
def test_strangers_leave_nothing_and_take_nobodys_place() -> None:
    made = pump()
    refuse(made, b"STRANGER", 2)
    made.faults.inject("memory.log-wrap", {"entries": 200})
    before = len(logged(made))
    refuse(made, IDS[0], 1)
    assert [entry.a for entry in logged(made)[before:]] == [int.from_bytes(IDS[0], "big")]


@pytest.mark.sr("SR-61")
def test_the_same_refusals_give_the_same_bytes() -> None:
    images = []
    for _ in range(2):
        made = pump()
        for programmer_id in IDS:
            refuse(made, programmer_id, 3)
        images.append(made.save()["memory"])
    assert images[0] == images[1]


@pytest.mark.slow
@pytest.mark.sr("SR-61", "SR-64")
def test_a_year_of_refusals_every_hour_in_all_eight_names_keeps_the_first_entry_of_all() -> None:
    made = pump()
    for _ in range(365 * 24):
        for programmer_id in IDS:
            made.firmware.handshake_refused(programmer_id, RefuseReason.KEY, made.uptime_ms)
        made.advance(HOUR)
    assert len(logged(made)) <= most_entries(365)
    assert made.firmware._machine.log.page(0, 1)[0].seq == 0


@given(st.integers(1, 255), st.integers(0, 1 << 40))
def test_reason_and_count_share_an_argument(reason: int, since: int) -> None:
    packed = detail(reason, since)
    assert packed < 1 << 64
    assert (packed & 0xFFFF_FFFF, packed >> 32) == (reason, min(since, 0xFFFF_FFFF))
