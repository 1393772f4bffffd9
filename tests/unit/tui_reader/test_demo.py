"""The demo's pump: its time, its cable and its troubles, seen through the reader as a trainer sees them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itbpump.transport.base import PortAbsentError, PortClosedError, PortUnpluggedError
from itbpump.tui import demo as module
from itbpump.tui.demo import SPEEDS, TROUBLES, DemoError, DemoPump
from itbpump.tui.reader import Reader
from itbpump.tui.readerlogic import Timing
from itbpump.tui.snapshot import LinkWord, Snapshot
from itbpump.wire.messages import AlarmNumber, RunState
from itbpump.wording.beside import dates_of_pump
from tests.unit.tui_reader.watching import NEVER, PATIENCE_S, Watch, is_read

HOUR_MS = 3_600_000


class Stage:
    """A demonstration with its reader; the reader polls only when it is told to, or the pump speaks."""

    def __init__(self, timing: Timing = NEVER) -> None:
        self.demo = DemoPump()
        self.watch = Watch()
        self.reader = Reader(self.demo.connect, self.watch, timing=timing)
        self.demo.on_event = self.reader.hint
        self.reader.start()
        self.watch.until(is_read)

    def read(self) -> Snapshot:
        before = self.watch.last.seq
        self.reader.poll_now()
        return self.watch.until(lambda snapshot: snapshot.seq > before)

    def end(self) -> None:
        self.reader.stop()
        self.demo.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.end()


def _alarms(snapshot: Snapshot) -> set[int]:
    assert snapshot.view is not None
    return {alarm.alarm for alarm in snapshot.view.status.alarms}


def _uptime(stage: Stage) -> int:
    return stage.reader.submit(lambda pump: pump.status().uptime_ms).result(PATIENCE_S)


def test_it_runs_the_packaged_example_and_says_that_it_is_simulated(stage: Stage) -> None:
    snapshot = stage.watch.last
    assert snapshot.view is not None
    assert snapshot.view.simulated
    assert snapshot.view.url == "demo"
    assert snapshot.view.status.run_state is RunState.RUNNING
    assert "a simulated pump" in stage.demo.text


def test_its_time_stands_runs_or_races_while_the_links_never_does(stage: Stage) -> None:
    for _ in SPEEDS:
        stage.demo.change_speed(-1)
    assert stage.demo.speed == "manual"
    first = _uptime(stage)
    assert _uptime(stage) == first, "stopped time stands"
    stage.demo.change_speed(len(SPEEDS))
    assert stage.demo.speed == "86400"
    begun = stage.reader.submit(lambda pump: (pump.status().uptime_ms, pump.session.now_ms())).result(PATIENCE_S)
    ended = begun
    while ended[0] - begun[0] < 86_400_000:
        ended = stage.reader.submit(lambda pump: (pump.status().uptime_ms, pump.session.now_ms())).result(PATIENCE_S)
    assert ended[1] - begun[1] < 60_000, "a link that was scaled would run out of every deadline"
    stage.demo.change_speed(-1)
    assert "3,600 times" in stage.demo.text


def test_time_may_be_sent_ahead(stage: Stage) -> None:
    before = _uptime(stage)
    stage.demo.advance(77 * 24 * HOUR_MS)
    assert _uptime(stage) >= before + 77 * 24 * HOUR_MS
    with pytest.raises(ValueError, match="backwards"):
        stage.demo.advance(-1)


def test_the_calendar_goes_with_the_pumps_time_so_that_dates_stay_right() -> None:
    """A month of demo time is a month of the calendar: a refill-by date stays where it was, and the pump's day agrees with it."""
    demo = DemoPump(now=datetime(2026, 11, 23, 12, 0, tzinfo=UTC))
    with demo.connect() as pump:
        before, dated = pump.host_now(), dates_of_pump(pump, pump.present(), None).low_reservoir.nominal
        assert "demo time" not in demo.text
        demo.advance(30 * 24 * HOUR_MS)
        after, present = pump.host_now(), pump.present()
        assert timedelta(days=30) <= after - before < timedelta(days=30, minutes=5)
        again = dates_of_pump(pump, present, None).low_reservoir.nominal
        assert dated is not None
        assert again is not None
        assert abs(again - dated) < timedelta(days=3)
    assert "demo time 23 Dec 2026" in demo.text
    demo.close()


def test_a_pulled_cable_is_noticed_without_a_poll_and_the_pump_lives_on(stage: Stage) -> None:
    stage.demo.advance(1_000)
    before = _uptime(stage)
    stage.demo.unplug()
    snapshot = stage.watch.until_word(LinkWord.LOST)
    assert "put it back" in snapshot.link.reason
    with pytest.raises(PortAbsentError):
        stage.demo.connect()
    stage.demo.advance(HOUR_MS)
    stage.demo.replug()
    stage.reader.poll_now()
    snapshot = stage.watch.until(is_read)
    assert snapshot.view is not None
    assert snapshot.view.status.uptime_ms >= before + HOUR_MS


def test_a_pump_without_power_does_not_answer_and_goes_on_with_its_therapy_afterwards(stage: Stage) -> None:
    stage.demo.cut_power()
    stage.demo.restore_power()
    stage.reader.poll_now()
    snapshot = stage.watch.until(lambda s: s.view is not None and s.view.status.resets > 0)
    assert snapshot.view is not None
    assert snapshot.view.status.run_state is RunState.RUNNING


def test_hands_on_a_pump_without_power_are_refused_in_words(stage: Stage) -> None:
    stage.demo.cut_power()
    with pytest.raises(DemoError, match="cannot do that now"):
        stage.demo.press_button()
    stage.demo.restore_power()
    assert not stage.demo.press_button(), "the example allows no patient bolus: denied, and counted"


def test_what_the_pump_says_by_itself_is_read_at_once(stage: Stage) -> None:
    stage.demo.hold_motor()
    stage.demo.advance(HOUR_MS)  # nobody polls: the hint does it
    snapshot = stage.watch.until(lambda s: AlarmNumber.MOTOR_STALL in _alarms(s))
    assert snapshot.link.word is LinkWord.LIVE
    stage.demo.free_motor()
    stage.demo.advance(HOUR_MS)
    stage.watch.until(lambda s: AlarmNumber.MOTOR_STALL not in _alarms(s))


def test_the_troubles_come_in_a_circle_and_leave_a_pump_that_runs(stage: Stage) -> None:
    told = []
    for trouble in TROUBLES:
        told.append(stage.demo.next_trouble())
        assert stage.demo.text.endswith(trouble.text)
        if trouble.id.startswith("motor"):
            stage.demo.advance(HOUR_MS)
    assert told == [f"TRAINING: {trouble.text}" for trouble in TROUBLES]
    assert all(" now: " in text for text in told), "what a trainer does is no news from the pump"
    stage.reader.poll_now()
    snapshot = stage.watch.until(lambda s: s.link.word is LinkWord.LIVE and AlarmNumber.MEMORY_REPAIRED in _alarms(s))
    assert snapshot.view is not None
    assert snapshot.view.status.run_state is RunState.RUNNING
    assert stage.demo.next_trouble() == f"TRAINING: {TROUBLES[0].text}"
    stage.demo.replug()


def test_trouble_ids_are_of_their_own_and_every_cut_is_followed_by_its_end() -> None:
    ids = [trouble.id for trouble in TROUBLES]
    assert len(set(ids)) == len(ids)
    for cut, end in (("line-cut", "line-back"), ("power-cut", "power-back"), ("motor-stands", "motor-turns")):
        assert ids.index(end) == ids.index(cut) + 1
    assert all(trouble.text and not trouble.text.endswith(".") for trouble in TROUBLES)


def test_a_second_session_takes_the_same_pump_with_what_this_computer_knows_of_it(stage: Stage) -> None:
    stage.reader.submit(lambda pump: pump.stop()).result(PATIENCE_S)
    stage.reader.stop()
    watch = Watch()
    reader = Reader(stage.demo.connect, watch, timing=NEVER)
    reader.start()
    snapshot = watch.until(is_read)
    assert snapshot.view is not None
    assert snapshot.view.status.run_state is RunState.STOPPED
    assert len(reader.submit(lambda pump: pump.decisions()).result(PATIENCE_S)) == 1
    reader.stop()


def test_hands_and_reader_may_work_at_the_same_time(stage: Stage) -> None:
    def trainer() -> None:
        for step in range(200):
            stage.demo.change_speed(1 if step % 7 < 4 else -1)
            stage.demo.advance(10_000)

    thread = threading.Thread(target=trainer)
    thread.start()
    uptimes = [_uptime(stage) for _ in range(200)]
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert uptimes == sorted(uptimes)
    assert stage.read().link.word is LinkWord.LIVE


def test_a_cable_that_is_out_or_closed_carries_nothing(stage: Stage) -> None:
    cable = stage.reader.submit(lambda pump: pump.session.transport).result(PATIENCE_S)
    stage.reader.stop()
    with pytest.raises(PortClosedError):
        cable.read(10)
    assert isinstance(cable, module.DemoCable)
    cable.pull()
    with pytest.raises(PortClosedError):
        cable.write(b"x")
    fresh = module.DemoCable(cable.inner, "demo")
    assert fresh.read(0) == b""
    with pytest.raises(ValueError, match="max_wait_ms"):
        fresh.read(-1)
    fresh.pull()
    with pytest.raises(PortUnpluggedError):
        fresh.read(1_000)


def test_a_reading_under_way_notices_that_the_cable_is_pulled() -> None:
    demo = DemoPump()
    pump = demo.connect()
    failed: list[Exception] = []

    def reading() -> None:
        try:
            pump.session.listen(10 * 60_000)
        except PortUnpluggedError as error:
            failed.append(error)

    thread = threading.Thread(target=reading)
    thread.start()
    demo.unplug()
    thread.join(PATIENCE_S)
    assert len(failed) == 1
    demo.close()


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))]))  # noqa: DTZ001


@settings(max_examples=10)
@given(MOMENTS)
def test_its_week_can_begin_at_the_clock_on_the_wall(now: datetime) -> None:
    demo = DemoPump(now=now)
    with demo.connect() as pump:
        status = pump.status()
    demo.close()
    week_ms = (status.uptime_ms + status.week_offset_ms) % 604_800_000
    wanted = now.weekday() * 86_400_000 + int((now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()) * 1_000
    assert -1_000 <= (week_ms - wanted + 302_400_000) % 604_800_000 - 302_400_000 <= 60_000


def test_ending_twice_does_no_harm() -> None:
    demo = DemoPump()
    demo.close()
    demo.close()
