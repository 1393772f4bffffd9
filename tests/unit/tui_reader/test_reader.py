"""The reader on its thread against a simulated pump: what it shows, in which order it works, what a bad line does to it, how it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from itbpump.hoststate import HostState
from itbpump.link.errors import NoReply, NotPaired, PumpRefused
from itbpump.pump import Pump, connect
from itbpump.quantity import Duration, Mass
from itbpump.transport.base import PortAbsentError, PortUnpluggedError
from itbpump.tui import reader as module
from itbpump.tui.jobs import MOST_WAITING
from itbpump.tui.reader import Reader, ReaderBusy, ReaderEnded
from itbpump.tui.readings import quick_status
from itbpump.tui.snapshot import OVERDUE_MS, LinkWord, Snapshot
from itbpump.wire.messages import Error, ErrorCode, Event, LogKind, Role, RunState
from itbpump.wording.beside import dates_of_pump
from tests.unit.client.lines import KEY, Line, flex, host, joined, lost, straight
from tests.unit.tui_reader.watching import NEVER, PATIENCE_S, RUNNING, Bench, Clock, Watch, at, is_read, seeded


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.reader.stop()


def _serial(pump: Pump) -> str:
    return pump.info.serial


def _has_ended(reader: Reader) -> bool:
    """It takes no jobs any more."""
    probe = reader.submit(_serial)
    return not probe.cancel() and isinstance(probe.exception(PATIENCE_S), ReaderEnded)


def held(reader: Reader) -> tuple[threading.Event, threading.Event]:
    """A job that keeps the thread until the second event; the first says that it has begun."""
    begun, go_on = threading.Event(), threading.Event()

    def job(_pump: Pump) -> None:
        begun.set()
        assert go_on.wait(PATIENCE_S)

    reader.submit(job)
    assert begun.wait(PATIENCE_S)
    return begun, go_on


# ------------------------------------------------------------------------------------------------ what it shows
def test_the_first_snapshots_hold_what_the_client_reads_itself(bench: Bench) -> None:
    bench.reader.start()
    snapshot = bench.watch.until(is_read)
    bench.reader.stop()
    with joined(bench.line, bench.state, seed=77) as pump:
        assert snapshot.view is not None
        assert snapshot.present is not None
        assert snapshot.view.info == pump.info
        assert snapshot.view.status.digest == pump.status().digest
        assert snapshot.present.configuration == pump.configuration()
        assert snapshot.dates == dates_of_pump(pump, snapshot.present, None)
        assert tuple(snapshot.log) == tuple(pump.log())[: len(snapshot.log)]
        assert snapshot.read_at == pump.host_now()
    assert [one.seq for one in bench.watch.seen] == list(range(1, len(bench.watch.seen) + 1))
    assert bench.watch.seen[0].view is not None, "the pump is shown before its log and dates are read"
    assert bench.watch.seen[0].link.text == "live"


def test_a_poll_that_finds_nothing_new_is_one_question(bench: Bench) -> None:
    bench.turns()
    before = (bench.line.written, bench.watch.last)
    bench.reader.poll_now()
    bench.turns()
    after = bench.watch.last
    assert bench.line.written == before[0] + 1
    assert after.seq == before[1].seq + 1
    assert after.present is before[1].present
    assert after.dates is before[1].dates


def test_a_change_is_read_with_what_it_changes(bench: Bench) -> None:
    bench.turns()
    first = bench.watch.last
    assert first.view is not None
    assert first.view.status.run_state is RunState.RUNNING
    bench.line.device.bench("battery", {"permille": 30})
    bench.line.inner.advance(60_000)
    bench.reader.poll_now()
    bench.turns()
    last = bench.watch.last
    assert last.view is not None
    assert last.present is not None
    assert last.view.status.alarms
    assert last.present.alarms == tuple(alarm.alarm for alarm in last.view.status.alarms)
    assert [entry.kind for entry in last.log[len(first.log) :]] == [LogKind.ALARM_RAISED]
    assert last.log_complete
    assert last.dates != first.dates, "the battery's end is a date"
    for one in bench.watch.seen:
        assert one.view is None or not one.log_complete or one.log[-1].seq == one.view.status.log_next_seq - 1


def test_what_the_pump_says_beside_its_answers_is_handed_out_with_the_next_poll() -> None:
    bench = Bench()
    heard: list[Event] = []
    pump = connect(
        bench.line.url, transport=bench.line, state=bench.state, entropy=seeded(3), host_clock=lambda: 1_795_359_600, on_event=heard.append
    )
    bench.line.device.bench("battery", {"permille": 30})
    bench.line.inner.advance(60_000)
    quick_status(pump)
    quick_status(pump)
    assert len(heard) == 1
    pump.close()


def test_dates_that_cannot_be_told_say_why() -> None:
    bench = Bench(url="sim://P-40?fill=38mL&seed=1")
    bench.turns()
    assert bench.watch.last.dates is None
    assert "no configuration" in bench.watch.last.dates_problem
    assert bench.watch.last.log_complete


def test_the_log_of_a_busy_pump_comes_newest_page_first_and_a_few_pages_for_each_poll(bench: Bench) -> None:
    for _ in range(1_500):
        bench.line.device.patient_request()
    bench.turns()
    first = bench.watch.last
    assert not first.log_complete
    assert first.view is not None
    assert first.log[-1].seq == first.view.status.log_next_seq - 1
    assert len(first.log) == 11 * 25
    for _ in range(6):
        bench.reader.poll_now()
        bench.turns()
    last = bench.watch.last
    assert last.log_complete
    assert len(first.log) == 11 * 25, "an older snapshot keeps its own log"
    assert last.log[0].kind is LogKind.GAP
    with joined(bench.line, bench.state, seed=9) as pump:
        kept = {entry.seq: entry for entry in pump.log() if entry.kind is not LogKind.GAP}
    assert all(entry == kept.get(entry.seq, entry) for entry in last.log)
    assert len(last.log) >= 1_000


def test_the_emergency_role_sees_the_status_and_asks_for_nothing_else() -> None:
    bench = Bench()
    state = HostState.in_memory()
    bench.line.device.provision(state.programmer_id, Role.EMERGENCY, KEY)
    state.pair(bench.line.device.serial.encode("ascii"), Role.EMERGENCY, KEY)
    bench.state = state
    bench.line.device.magnet(10_000, bench.line.now_ms())
    bench.turns()
    snapshot = bench.watch.last
    assert snapshot.link.word is LinkWord.LIVE
    assert snapshot.view is not None
    assert (snapshot.present, snapshot.dates, len(snapshot.log), snapshot.log_complete) == (None, None, 0, False)


# ------------------------------------------------------------------------------------------------ jobs
def test_jobs_run_in_order_on_the_readers_thread_and_an_urgent_one_first(bench: Bench) -> None:
    bench.reader.start()
    _, go_on = held(bench.reader)
    ran: list[tuple[str, str]] = []

    def named(name: str) -> Callable[[Pump], str]:
        def job(_pump: Pump) -> str:
            ran.append((name, threading.current_thread().name))
            return name

        return job

    futures = [bench.reader.submit(named("first")), bench.reader.submit(named("second")), bench.reader.submit(named("stop"), urgent=True)]
    go_on.set()
    assert [future.result(PATIENCE_S) for future in futures] == ["first", "second", "stop"]
    assert ran == [("stop", "itbpump reader"), ("first", "itbpump reader"), ("second", "itbpump reader")]


def test_what_a_job_raises_is_its_own_and_the_line_stays_live(bench: Bench) -> None:
    bench.reader.start()
    bench.watch.until(is_read)

    def broken(_pump: Pump) -> None:
        raise ZeroDivisionError("a page's own mistake")

    def refused(_pump: Pump) -> None:
        raise PumpRefused(Error(cmd_id=0, code=ErrorCode.LIMIT, detail=0))

    with pytest.raises(ZeroDivisionError):
        bench.reader.submit(broken).result(PATIENCE_S)
    with pytest.raises(PumpRefused):
        bench.reader.submit(refused).result(PATIENCE_S)
    assert bench.reader.submit(_serial).result(PATIENCE_S) == bench.line.device.serial
    assert all(snapshot.link.word is LinkWord.LIVE for snapshot in bench.watch.seen)


def test_what_a_job_did_stands_in_the_next_snapshot(bench: Bench) -> None:
    bench.reader.start()
    bench.watch.until(is_read)
    bench.reader.submit(lambda pump: pump.bolus(Mass.parse("25 mcg"), Duration.of_minutes(10))).result(PATIENCE_S)
    running = bench.watch.until(lambda s: s.view is not None and s.view.status.bolus_left_ms > 0 and s.log_complete)
    assert any(entry.kind is LogKind.BOLUS_START for entry in running.log)
    assert running.view is not None
    assert running.view.open == ()


def test_after_any_job_everything_is_read_again(bench: Bench) -> None:
    """What this computer knows of a pump may have changed without the pump's doing."""
    bench.reader.start()
    before = bench.watch.until(is_read)
    bench.reader.submit(_serial).result(PATIENCE_S)
    after = bench.watch.until(lambda snapshot: snapshot.dates is not before.dates)
    assert after.present is not before.present


@pytest.mark.sr("SR-42")
def test_a_command_whose_answer_is_lost_is_shown_as_open_and_blocks_until_asked(bench: Bench) -> None:
    bench.reader.start()
    present = bench.watch.until(is_read).present

    def cut_short(pump: Pump) -> object:
        heard: list[int] = []

        def to_pump(data: bytes) -> list[bytes]:
            heard.append(len(data))
            return [data] if len(heard) < 3 else []

        bench.line.to_pump = to_pump
        return pump.bolus(Mass.parse("25 mcg"), Duration.of_minutes(10), present)

    outcome = bench.reader.submit(cut_short).result(PATIENCE_S)
    bench.line.to_pump = straight
    bench.reader.poll_now()
    snapshot = bench.watch.until(lambda s: s.link.word is LinkWord.LIVE and s.view is not None and s.view.open != ())
    assert type(outcome).__name__ == "Unknown"
    assert snapshot.view is not None
    assert [intent.cmd_id for intent in snapshot.view.open] == [1]


def test_a_cancelled_job_is_never_begun(bench: Bench) -> None:
    bench.reader.start()
    _, go_on = held(bench.reader)
    ran: list[int] = []
    future = bench.reader.submit(lambda _pump: ran.append(1))
    assert future.cancel()
    go_on.set()
    bench.reader.submit(_serial).result(PATIENCE_S)
    assert ran == []


def test_too_many_jobs_are_refused_and_an_urgent_one_never(bench: Bench) -> None:
    bench.reader.start()
    _, go_on = held(bench.reader)
    waiting = [bench.reader.submit(_serial) for _ in range(MOST_WAITING)]
    with pytest.raises(ReaderBusy, match="nothing was sent"):
        bench.reader.submit(_serial).result(0)
    urgent = bench.reader.submit(_serial, urgent=True)
    go_on.set()
    assert {future.result(PATIENCE_S) for future in [*waiting, urgent]} == {bench.line.device.serial}


# ------------------------------------------------------------------------------------------------ a bad line
@pytest.mark.sr("SR-51")
def test_a_silent_line_is_stale_since_the_last_reading_then_lost_and_live_again_and_the_therapy_never_knew() -> None:
    bench = Bench()
    bench.turns()
    good = bench.watch.last
    before = bench.line.device.truth.commanded_pulses
    bench.line.to_pump = lost
    bench.reader.poll_now()
    bench.turns()
    stale = bench.watch.last
    assert stale.link.word is LinkWord.STALE
    assert stale.link.since == good.read_at
    assert stale.link.text == f"stale since {at(good):%H:%M:%S}"
    assert "no answer to GetStatus within 5 s" in stale.link.reason
    assert stale.view is good.view, "what was read last is still there"
    bench.clock.ms += NEVER.lost_ms
    bench.turns()
    gone = bench.watch.last
    assert (gone.link.word, gone.link.since) == (LinkWord.LOST, good.read_at)
    bench.line.to_pump = straight
    bench.line.inner.advance(3_600_000)
    bench.reader.poll_now()
    bench.turns()
    assert bench.watch.last.link.text == "live"
    assert bench.watch.last.log_complete
    assert bench.line.device.truth.commanded_pulses > before
    assert len(bench.pumps) == 2, "after such a silence the port is opened anew"


def test_a_pulled_cable_is_lost_at_once_and_found_again() -> None:
    bench = Bench()
    bench.turns()
    bench.line.cut = True
    bench.reader.poll_now()
    bench.turns()
    assert bench.word() is LinkWord.LOST
    assert bench.watch.last.link.retries
    assert "plug it in" in bench.watch.last.link.reason
    bench.line.cut = False
    bench.clock.ms += 1_000
    bench.turns()
    assert bench.word() is LinkWord.LIVE
    assert len(bench.pumps) == 2


def test_a_job_on_a_dead_line_fails_with_the_lines_error_and_the_state_says_so(bench: Bench) -> None:
    bench.reader.start()
    bench.watch.until(is_read)
    bench.line.to_pump = lost
    with pytest.raises(NoReply):
        bench.reader.submit(lambda pump: pump.status()).result(PATIENCE_S)
    bench.watch.until_word(LinkWord.STALE)
    bench.line.cut = True
    with pytest.raises(PortUnpluggedError):
        bench.reader.submit(lambda pump: pump.status()).result(PATIENCE_S)
    bench.watch.until_word(LinkWord.LOST)


@pytest.mark.sr("SR-42")
def test_a_stop_on_a_lost_line_tries_for_a_session_at_once_and_is_never_kept_for_later(bench: Bench) -> None:
    bench.reader.start()
    bench.watch.until(is_read)
    bench.line.cut = True
    bench.reader.poll_now()
    bench.watch.until_word(LinkWord.LOST)
    with pytest.raises(PortUnpluggedError):
        bench.reader.submit(lambda pump: pump.stop(), urgent=True).result(PATIENCE_S)
    bench.line.cut = False
    bench.reader.submit(lambda pump: pump.status(), urgent=True).result(PATIENCE_S)
    snapshot = bench.watch.until_word(LinkWord.LIVE)
    assert snapshot.view is not None
    assert snapshot.view.status.run_state is RunState.RUNNING, "the stop that failed was not sent behind anybody's back"
    bench.reader.submit(lambda pump: pump.stop(), urgent=True).result(PATIENCE_S)
    bench.watch.until(lambda s: s.view is not None and s.view.status.run_state is RunState.STOPPED)


@pytest.mark.sr("SR-20")
def test_another_pump_on_the_line_is_closed_again_and_said() -> None:
    bench = Bench()
    bench.turns()
    serial = bench.line.device.serial
    bench.line.cut = True
    bench.reader.poll_now()
    bench.turns()
    other = Line("sim://P-40?fill=38mL&seed=2")
    bench.line, bench.state = other, host(other)
    bench.reader.poll_now()
    bench.turns()
    snapshot = bench.watch.last
    assert snapshot.link.word is LinkWord.LOST
    assert not snapshot.link.retries
    assert f"instead of {serial}" in snapshot.link.reason
    assert other.device.link.session is None


def test_an_unpaired_pump_is_lost_without_retries_and_found_when_somebody_asks_after_pairing() -> None:
    bench = Bench()
    paired, bench.state = bench.state, HostState.in_memory()
    bench.turns()
    assert bench.word() is LinkWord.LOST
    assert not bench.watch.last.link.retries
    assert "pair first" in bench.watch.last.link.reason
    written = bench.line.written
    bench.clock.ms += 3_600_000
    bench.turns()
    assert bench.line.written == written, "the pump's budget for handshakes is left alone"
    bench.state = paired
    bench.reader.poll_now()
    bench.turns()
    assert bench.word() is LinkWord.LIVE


def test_a_pump_in_session_with_another_says_so_while_connecting() -> None:
    bench = Bench()
    other = joined(bench.line, host(bench.line, seed=5), seed=40)
    bench.turns()
    assert bench.watch.last.link.text == "connecting"
    assert "another programmer is in session" in bench.watch.last.link.reason
    other.close()
    bench.reader.poll_now()
    bench.turns()
    assert bench.word() is LinkWord.LIVE


def test_a_reading_that_is_awaited_for_long_is_not_called_live() -> None:
    bench = Bench()
    bench.turns()
    snapshot = bench.watch.last
    assert snapshot.read_ms == bench.clock.ms
    assert snapshot.aged(bench.clock.ms + OVERDUE_MS - 1) is snapshot
    aged = snapshot.aged(bench.clock.ms + OVERDUE_MS)
    assert (aged.link.word, aged.link.since, aged.view) == (LinkWord.STALE, snapshot.read_at, snapshot.view)
    assert aged.aged(bench.clock.ms + 2 * OVERDUE_MS) is aged


# ------------------------------------------------------------------------------------------------ the end
def test_stop_says_good_bye_ends_what_waits_and_may_be_repeated() -> None:
    bench = Bench()
    bench.reader.start()
    bench.watch.until(is_read)
    _, go_on = held(bench.reader)
    waiting, urgent = bench.reader.submit(_serial), bench.reader.submit(_serial, urgent=True)
    ender = threading.Thread(target=bench.reader.stop)
    ender.start()
    go_on.set()
    ender.join(PATIENCE_S)
    with pytest.raises(ReaderEnded, match="nothing was sent"):
        waiting.result(PATIENCE_S)
    assert urgent.result(PATIENCE_S) == bench.line.device.serial, "a stop that was asked for still leaves"
    assert bench.line.device.link.session is None, "the next programmer need not wait"
    bench.reader.stop()
    with pytest.raises(ReaderEnded):
        bench.reader.submit(_serial).result(0)
    with pytest.raises(RuntimeError, match="started before"):
        bench.reader.start()


def test_a_reader_that_was_never_started_ends_too() -> None:
    bench = Bench()
    with pytest.raises(ReaderEnded):
        bench.reader.submit(_serial).result(0)
    bench.reader.stop()
    assert bench.pumps == []


def test_nothing_is_published_any_more_once_it_is_to_end(bench: Bench) -> None:
    """A face that is closing takes no messages, and waits for this thread."""
    bench.reader.start()
    bench.watch.until(is_read)
    begun, ending = threading.Event(), threading.Event()

    def job(_pump: Pump) -> None:
        begun.set()
        assert ending.wait(PATIENCE_S)
        raise PortUnpluggedError("u", "the cable is out", "plug it in")

    future = bench.reader.submit(job)
    assert begun.wait(PATIENCE_S)
    count = len(bench.watch.seen)
    ender = threading.Thread(target=bench.reader.stop)
    ender.start()
    while not _has_ended(bench.reader):
        pass
    ending.set()
    ender.join(PATIENCE_S)
    assert isinstance(future.exception(0), PortUnpluggedError)
    assert len(bench.watch.seen) == count


def test_a_connection_that_hangs_holds_nobody_up_and_what_it_gets_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_GRACE_S", 0.02)
    bench = Bench()
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def slow() -> Pump:
        begun.set()
        assert go_on.wait(PATIENCE_S)
        pump = bench.connect()
        close = pump.close

        def closing() -> None:
            close()
            done.set()

        monkeypatch.setattr(pump, "close", closing)
        return pump

    reader = Reader(slow, bench.watch, timing=NEVER)
    reader.start()
    assert begun.wait(PATIENCE_S)
    reader.stop()
    go_on.set()
    assert done.wait(PATIENCE_S)
    assert bench.line.device.link.session is None
    assert bench.watch.seen == []


class _StuckLine(Line):
    """A line whose reads hang, once told to, until it is closed from outside."""

    def __init__(self) -> None:
        super().__init__(RUNNING)
        self.hangs = False
        self.hanging, self.closed = threading.Event(), threading.Event()

    def read(self, max_wait_ms: int) -> bytes:
        if self.hangs:
            self.hanging.set()
            assert self.closed.wait(PATIENCE_S)
            raise PortUnpluggedError(self.url, "closed from outside", "open it again")
        return super().read(max_wait_ms)

    def close(self) -> None:
        self.closed.set()


def test_a_reading_that_hangs_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_GRACE_S", 0.02)
    line, watch = _StuckLine(), Watch()
    state = host(line)
    reader = Reader(lambda: joined(line, state), watch, timing=NEVER)
    reader.start()
    watch.until(is_read)
    line.hangs = True
    reader.poll_now()
    assert line.hanging.wait(PATIENCE_S)
    reader.stop()
    assert line.closed.is_set()


def test_a_defect_ends_in_lost_with_its_trace_and_is_raised_by_stop_once() -> None:
    bench = Bench()

    def broken() -> Pump:
        raise ZeroDivisionError("a defect")

    reader = Reader(broken, bench.watch, timing=NEVER)
    reader.start()
    snapshot = bench.watch.until_word(LinkWord.LOST)
    assert "in broken" in snapshot.link.trace
    assert "defect in this program" in snapshot.link.reason
    assert not snapshot.link.retries
    with pytest.raises(ZeroDivisionError):
        reader.stop()
    reader.stop()
    with pytest.raises(ReaderEnded):
        reader.submit(_serial).result(0)


def test_a_face_that_cannot_be_told_is_a_defect_too_and_the_session_is_closed() -> None:
    bench = Bench()
    told, tries = threading.Event(), [0]

    def deaf(_snapshot: Snapshot) -> None:
        tries[0] += 1
        if tries[0] == 2:
            told.set()
        raise RuntimeError("no screen")

    reader = Reader(bench.connect, deaf, timing=NEVER, monotonic=Clock())
    reader.start()
    assert told.wait(PATIENCE_S), "the defect itself is told too"
    with pytest.raises(RuntimeError, match="no screen") as caught:
        reader.stop()
    assert "could not be told" in caught.value.__notes__[0]
    assert bench.line.device.link.session is None


def test_errors_of_connecting_reach_the_job_that_wanted_a_session() -> None:
    bench = Bench()
    bench.state = HostState.in_memory()
    bench.reader.start()
    bench.watch.until_word(LinkWord.LOST)
    with pytest.raises(NotPaired):
        bench.reader.submit(_serial).result(PATIENCE_S)
    bench.reader.stop()


def test_each_job_tries_for_a_session_once_and_the_pause_is_kept_otherwise() -> None:
    tried: list[int] = []

    def absent() -> Pump:
        tried.append(1)
        raise PortAbsentError("/dev/none", "there is no such port", "plug it in")

    watch = Watch()
    reader = Reader(absent, watch, timing=NEVER, monotonic=Clock())
    reader.start()
    watch.until_word(LinkWord.LOST)
    for _ in range(2):
        with pytest.raises(PortAbsentError):
            reader.submit(_serial).result(PATIENCE_S)
    reader.stop()
    assert len(tried) == 3


def test_the_prescription_programmed_by_a_job_is_what_the_snapshot_tells() -> None:
    bench = Bench(url="sim://P-40?fill=38mL&seed=1")
    bench.reader.start()
    bench.watch.until(lambda snapshot: snapshot.log_complete)
    bench.reader.submit(lambda pump: pump.program(flex())).result(PATIENCE_S)
    snapshot = bench.watch.until(is_read)
    assert snapshot.view is not None
    assert snapshot.view.status.run_state is RunState.RUNNING
    bench.reader.stop()
    views = [one.view for one in bench.watch.seen if one.view is not None]
    assert all((view.therapy is None) == (view.status.revision == 0) for view in views), "a status beside the therapy of another one"
