"""What the reader does next: decisions alone, by hand and by whatever may happen to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.errors import ItbPumpError, ProfileError
from itbpump.hoststate import HostStateError
from itbpump.link.errors import Downgraded, HandshakeFailed, KeyMismatch, NoReply, NotPaired, PumpBusy, SessionLost
from itbpump.transport.base import BadUrlError, PortAbsentError, PortBusyError, PortUnpluggedError, WriteTimeoutError
from itbpump.tui.readerlogic import AnotherPump, ReaderLogic, Rest, Seen, Step, Timing, Trouble, trouble_of, wait_of
from itbpump.tui.snapshot import LinkWord
from itbpump.wire.messages import AlarmNumber, AlarmPriority, AlarmState, CommandKind, Mode, RunState, Status
from tests.unit.client.lines import Line, host, joined
from tests.unit.tui_reader.watching import RUNNING

QUIET = Seen(key=("a",), uptime_ms=0, log_next_seq=6, is_lively=False)
LIVELY = replace(QUIET, is_lively=True)
TIMING = Timing()
READS = {Step.STATUS, Step.VIEW, Step.PRESENT, Step.DATES, Step.NEWER, Step.OLDER}


class Driver:
    """Does what the logic says, at once and well unless a failure is planned; keeps what was done and when."""

    def __init__(self, timing: Timing = TIMING, *, reads_more: bool = True, older_pages: int = 0) -> None:
        self.logic = ReaderLogic(timing)
        self.now_ms = 5_000
        self.seen = QUIET
        self.reads_more = reads_more
        self.older_pages = older_pages
        self.done: list[tuple[int, Step]] = []

    def turn(self, trouble: Trouble | None = None) -> Step | Rest:
        todo = self.logic.next(self.now_ms)
        if isinstance(todo, Rest):
            return todo
        self.done.append((self.now_ms, todo))
        if todo is Step.DROP:
            self.logic.dropped()
        elif trouble is not None:
            self.logic.failed(self.now_ms, trouble)
        else:
            self._succeed(todo)
        return todo

    def _succeed(self, step: Step) -> None:
        logic = self.logic
        if step is Step.CONNECT:
            logic.connected(self.now_ms, reads_more=self.reads_more)
        elif step is Step.STATUS:
            logic.status_read(self.now_ms, self.seen)
        elif step is Step.VIEW:
            logic.view_read()
        elif step is Step.PRESENT:
            logic.present_read(self.now_ms)
        elif step is Step.DATES:
            logic.dates_read()
        else:
            self.older_pages -= step is Step.OLDER
            left = self.older_pages > 0
            logic.log_read(newer_left=False, older_left=left, fill_known=not left, older=step is Step.OLDER)

    def settle(self, trouble: Trouble | None = None) -> Rest:
        for _ in range(200):
            todo = self.turn(trouble)
            if isinstance(todo, Rest):
                return todo
        raise AssertionError("no rest")

    def word(self) -> LinkWord:
        return self.logic.word

    def retries(self) -> bool:
        return self.logic.retries

    def steps(self) -> list[Step]:
        return [step for _, step in self.done]


def test_the_first_reading_shows_the_pump_before_its_log_and_dates() -> None:
    driver = Driver(older_pages=3)
    assert driver.word() is LinkWord.CONNECTING
    rest = driver.settle()
    assert driver.steps() == [
        Step.CONNECT, Step.STATUS, Step.VIEW, Step.NEWER, Step.PRESENT, Step.OLDER, Step.OLDER, Step.OLDER, Step.DATES,
    ]  # fmt: skip
    assert rest == Rest(5_000 + TIMING.poll_ms)
    assert driver.word() is LinkWord.LIVE


def test_a_pump_in_which_nothing_changes_is_asked_for_its_status_alone() -> None:
    driver = Driver()
    driver.settle()
    driver.done.clear()
    for _ in range(5):
        driver.now_ms += TIMING.poll_ms
        driver.settle()
    assert driver.steps() == [Step.STATUS] * 5


def test_a_bolus_or_an_alarm_is_read_more_often() -> None:
    driver = Driver()
    driver.seen = LIVELY
    assert driver.settle() == Rest(5_000 + TIMING.fast_ms)
    slow = Driver(Timing(poll_ms=100))
    slow.seen = LIVELY
    assert slow.settle() == Rest(5_100), "never slower than asked for"


def test_any_change_of_the_key_reads_view_present_and_dates_again_and_only_a_longer_log_the_log() -> None:
    driver = Driver()
    driver.settle()
    for seen, more in ((replace(QUIET, key=("b",)), []), (replace(QUIET, key=("c",), log_next_seq=7), [Step.NEWER])):
        driver.done.clear()
        driver.seen = seen
        driver.now_ms += TIMING.poll_ms
        driver.settle()
        assert driver.steps() == [Step.STATUS, Step.VIEW, *more, Step.PRESENT, Step.DATES]


def test_present_and_dates_grow_old_by_pump_time_but_not_with_every_poll_of_a_fast_one() -> None:
    driver = Driver()
    driver.settle()
    driver.done.clear()
    for _ in range(20):
        driver.now_ms += TIMING.poll_ms
        driver.seen = replace(driver.seen, uptime_ms=driver.seen.uptime_ms + TIMING.refresh_uptime_ms)
        driver.settle()
    presents = [at_ms for at_ms, step in driver.done if step is Step.PRESENT]
    assert presents == [15_000, 25_000, 35_000, 45_000]
    assert driver.steps().count(Step.VIEW) == 0


def test_older_pages_are_rationed_and_a_poll_that_is_due_goes_first() -> None:
    driver = Driver(Timing(pages=4), older_pages=10)
    driver.settle()
    assert driver.steps().count(Step.OLDER) == 4
    assert driver.steps().count(Step.DATES) == 0, "dates wait until the last fill is known"
    driver.now_ms += TIMING.poll_ms
    assert driver.turn() is Step.STATUS
    driver.settle()
    driver.now_ms += TIMING.poll_ms
    driver.settle()
    assert driver.steps().count(Step.OLDER) == 10
    assert driver.steps()[-1] is Step.DATES


def test_a_failed_reading_is_stale_then_lost_and_the_next_good_one_live() -> None:
    driver = Driver()
    driver.settle()
    driver.now_ms += TIMING.poll_ms
    assert driver.turn(Trouble.SILENT) is Step.STATUS
    assert driver.word() is LinkWord.STALE
    begun_ms = driver.now_ms
    while driver.word() is LinkWord.STALE:
        rest = driver.settle(Trouble.SILENT)
        assert rest.until_ms is not None
        driver.now_ms = max(driver.now_ms, rest.until_ms)
    assert [at_ms for at_ms, step in driver.done if step is Step.DROP] == [begun_ms + TIMING.lost_ms]
    assert driver.word() is LinkWord.LOST
    assert not driver.logic.is_open, "a line silent for so long is opened anew"
    driver.logic.asked(driver.now_ms)
    driver.done.clear()
    driver.settle()
    assert driver.steps()[:3] == [Step.CONNECT, Step.STATUS, Step.VIEW]
    assert driver.word() is LinkWord.LIVE


def test_a_session_that_could_not_be_had_again_is_not_given_up() -> None:
    """The emergency role reads the status only, and a new session of it needs the magnet (design 4)."""
    driver = Driver(reads_more=False)
    driver.settle()
    assert driver.steps() == [Step.CONNECT, Step.STATUS, Step.VIEW]
    driver.now_ms += TIMING.poll_ms
    driver.turn(Trouble.SILENT)
    driver.now_ms += TIMING.lost_ms
    assert driver.turn() is Step.DROP
    assert driver.word() is LinkWord.LOST
    assert driver.turn() is Step.STATUS
    assert driver.word() is LinkWord.LIVE


def test_a_port_that_is_gone_is_lost_at_once_and_tried_with_growing_pauses() -> None:
    driver = Driver()
    driver.settle()
    driver.now_ms += TIMING.poll_ms
    driver.turn(Trouble.GONE)
    assert driver.word() is LinkWord.LOST
    pauses = []
    for _ in range(8):
        rest = driver.settle(Trouble.GONE)
        assert rest.until_ms is not None
        pauses.append(rest.until_ms - driver.now_ms)
        driver.now_ms = rest.until_ms
        assert driver.turn(Trouble.GONE) is Step.CONNECT
    assert pauses == [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]


def test_what_no_retry_helps_waits_until_somebody_asks() -> None:
    driver = Driver()
    driver.turn(Trouble.FINAL)
    assert driver.word() is LinkWord.LOST
    assert not driver.retries()
    driver.now_ms += 10**9
    assert driver.turn() == Rest(None)
    driver.logic.asked(driver.now_ms)
    assert driver.retries()
    driver.settle()
    assert driver.word() is LinkWord.LIVE


def test_a_pump_that_asks_for_time_gets_it() -> None:
    driver = Driver()
    assert driver.turn() is Step.CONNECT
    driver.logic.failed(driver.now_ms, Trouble.SILENT, wait_of(PumpBusy(12)))
    assert driver.turn() == Rest(driver.now_ms + 12_000)
    driver.logic.failed(driver.now_ms, Trouble.SILENT, wait_of(PumpBusy(900)))
    driver.now_ms += TIMING.lost_ms
    assert driver.turn() is Step.DROP
    assert driver.turn() is Step.CONNECT, "whoever keeps it busy may end sooner than at the latest"


def test_after_a_job_everything_is_read_again_although_the_status_is_the_same() -> None:
    driver = Driver()
    driver.settle()
    driver.done.clear()
    driver.logic.touched()
    driver.logic.asked(driver.now_ms)
    driver.settle()
    assert driver.steps() == [Step.STATUS, Step.VIEW, Step.PRESENT, Step.DATES]


@pytest.fixture(scope="module")
def status() -> Status:
    line = Line(RUNNING)
    with joined(line, host(line)) as pump:
        return pump.status()


ALARM = AlarmState(alarm=AlarmNumber.LOW_RESERVOIR, priority=AlarmPriority.NON_CRITICAL, since_ms=5, silenced_until_ms=0)
CHANGES: list[dict[str, object]] = [
    {"revision": 9},
    {"digest": bytes(32)},
    {"run_state": RunState.STOPPED},
    {"mode": Mode.MINIMUM_RATE},
    {"log_next_seq": 99},
    {"last_change_ms": 99},
    {"last_change_kind": CommandKind.STOP},
    {"others_unconfirmed": 3},
    {"alarms": (ALARM,)},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_what_a_status_may_change_that_has_to_be_read_again(status: Status, change: dict[str, Any]) -> None:
    assert Seen.of(msgspec.structs.replace(status, **change)).key != Seen.of(status).key


def test_time_and_pulses_alone_change_nothing_that_has_to_be_read_again(status: Status) -> None:
    later = msgspec.structs.replace(status, uptime_ms=status.uptime_ms + 1, lifetime_pulses=9_999, reservoir_nL=5, battery_permille=1)
    assert Seen.of(later).key == Seen.of(status).key
    assert Seen.of(later).uptime_ms == status.uptime_ms + 1


def test_a_running_bolus_and_an_alarm_make_a_pump_lively(status: Status) -> None:
    assert not Seen.of(status).is_lively
    assert Seen.of(msgspec.structs.replace(status, bolus_left_ms=1)).is_lively
    assert Seen.of(msgspec.structs.replace(status, alarms=(ALARM,))).is_lively


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ok", "ok", "ok", Trouble.SILENT, Trouble.GONE, Trouble.FINAL, "ask", "job", "change", "lively"]),
        st.integers(0, 40_000),
    ),
    max_size=60,
)


def _live_only_after_good_readings(driver: Driver, outcomes: Sequence[tuple[Step, bool]]) -> None:
    good = [ok for step, ok in outcomes if step in READS or step is Step.CONNECT]
    if driver.word() is LinkWord.LIVE:
        assert good, "live without any reading"
        assert good[-1], "live although the last reading failed"


@given(EVENTS, st.booleans(), st.integers(0, 25))
def test_whatever_happens_it_never_spins_never_reads_without_a_session_and_tells_the_truth(
    events: list[tuple[str | Trouble, int]], reads_more: bool, older_pages: int
) -> None:
    driver = Driver(reads_more=reads_more, older_pages=older_pages)
    outcomes: list[tuple[Step, bool]] = []
    failing_since: int | None = None
    for what, pause_ms in events:
        driver.now_ms += pause_ms
        trouble = what if isinstance(what, Trouble) else None
        if what == "ask":
            driver.logic.asked(driver.now_ms)
        elif what == "job":
            driver.logic.touched()
        elif what == "change":
            driver.seen = replace(driver.seen, key=(pause_ms,), log_next_seq=driver.seen.log_next_seq + pause_ms % 3)
        elif what == "lively":
            driver.seen = replace(driver.seen, is_lively=not driver.seen.is_lively)
        for _ in range(120):
            was_open = driver.logic.is_open
            todo = driver.turn(trouble)
            if isinstance(todo, Rest):
                assert todo.until_ms is None or todo.until_ms > driver.now_ms, "a rest that is over already would spin"
                assert todo.until_ms is not None or not driver.retries()
                break
            assert was_open or todo in (Step.CONNECT, Step.DROP), "read without a session"
            assert reads_more or todo not in (Step.PRESENT, Step.DATES, Step.NEWER, Step.OLDER)
            if todo is not Step.DROP:
                outcomes.append((todo, trouble is None))
            if todo is Step.STATUS and trouble is None:
                failing_since = None
            elif trouble is not None and failing_since is None:
                failing_since = driver.now_ms
            _live_only_after_good_readings(driver, outcomes)
        else:
            raise AssertionError("no rest within 120 steps")
        if failing_since is not None and trouble is not None and driver.now_ms - failing_since > TIMING.lost_ms:
            assert driver.word() is LinkWord.LOST


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_attempts_at_a_dead_line_are_never_closer_than_the_pause_that_was_told(asked: list[bool]) -> None:
    driver = Driver()
    driver.turn(Trouble.GONE)
    last_ms, by_hand = driver.now_ms, 0
    for ask in asked:
        if ask:
            driver.logic.asked(driver.now_ms)
            by_hand += 1
        rest = driver.settle(Trouble.GONE)
        assert rest.until_ms is not None
        assert rest.until_ms - driver.now_ms >= TIMING.backoff_ms
        driver.now_ms = rest.until_ms
    attempts = [at_ms for at_ms, step in driver.done if step is Step.CONNECT and at_ms > last_ms]
    assert len(attempts) <= len(asked) + by_hand


ERRORS: list[tuple[ItbPumpError, bool, Trouble]] = [
    (NoReply("GetStatus", 5_000, 4), False, Trouble.SILENT),
    (NoReply("hello", 15_000, 9), True, Trouble.SILENT),
    (SessionLost("over"), False, Trouble.SILENT),
    (PumpBusy(30), True, Trouble.SILENT),
    (HandshakeFailed("too many handshakes"), True, Trouble.SILENT),
    (WriteTimeoutError("u", "stuck", "look"), False, Trouble.SILENT),
    (WriteTimeoutError("u", "stuck", "look"), True, Trouble.GONE),
    (PortUnpluggedError("u", "out", "plug it in"), False, Trouble.GONE),
    (PortAbsentError("u", "out", "plug it in"), True, Trouble.GONE),
    (PortBusyError("u", "taken", "wait"), True, Trouble.GONE),
    (BadUrlError("u", "no address", "write it well"), True, Trouble.FINAL),
    (NotPaired(None), True, Trouble.FINAL),
    (KeyMismatch(b"P4000001"), False, Trouble.FINAL),
    (Downgraded(1, 2), True, Trouble.FINAL),
    (AnotherPump("A", "B"), True, Trouble.FINAL),
    (HostStateError("state.db", "damaged"), True, Trouble.FINAL),
    (HostStateError("state.db", "locked"), False, Trouble.SILENT),
    (ProfileError("unknown"), True, Trouble.FINAL),
]


@pytest.mark.parametrize(("error", "connecting", "trouble"), ERRORS)
def test_what_an_error_means(error: ItbPumpError, connecting: bool, trouble: Trouble) -> None:
    assert trouble_of(error, connecting=connecting) is trouble


@pytest.mark.parametrize("name", [one.name for one in fields(Timing)])
def test_times_are_positive(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Timing(**{name: 0})
