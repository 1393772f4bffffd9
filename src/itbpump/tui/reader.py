"""The one thread that owns a `Pump`: it reads it again and again, runs the pages' jobs between two readings, and publishes snapshots.

A `Pump` takes one caller at a time, and a line may be silent for seconds; so nothing else in the face touches it. What is read when, is
up to `readerlogic`; here are the thread and the steps. A job is never kept for later: where no session stands one is tried for at once, and
the job's future says what came of it. Not here: how the face gets from this thread to its own, and any decision about a therapy.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from itbpump.errors import ItbPumpError
from itbpump.link.errors import HandshakeFailed, LinkError, NoReply, PumpRefused, SessionLost
from itbpump.transport import innermost
from itbpump.transport.base import TransportError
from itbpump.tui.jobs import Inbox, Job, ReaderBusy, ReaderEnded
from itbpump.tui.logmirror import LogMirror
from itbpump.tui.readerlogic import AnotherPump, ReaderLogic, Rest, Seen, Step, Timing, Trouble, trouble_of, wait_of
from itbpump.tui.readings import dates_of, newer_page, older_page, quick_status
from itbpump.tui.snapshot import LinkState, LinkWord, Snapshot
from itbpump.wire.messages import Event, Role
from itbpump.wording.pumpview import read_view

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.forecast import Calibration
    from itbpump.hoststate import PumpKey
    from itbpump.pump import Pump

__all__ = ["Reader", "ReaderBusy", "ReaderEnded", "monotonic_ms"]

T = TypeVar("T")
LISTEN_MS: Final = 100
"""How often a resting reader looks whether the pump has spoken by itself, or the cable has gone."""
READ_GRACE_S: Final = 2.0
JOB_GRACE_S: Final = 90.0
"""A command takes 60 s at most and asks for its outcome for 25 s more (TRANSACTION_DEADLINE_MS, ASK_WAIT_MS)."""


def monotonic_ms() -> int:
    """The process's monotonic clock, ms."""
    return time.monotonic_ns() // 1_000_000


class Reader:
    """Reads one pump. `connect` makes a session (on this thread); `publish` gets each snapshot, on this thread too.

    `drug_library(drug)` gives the library for the dates, None the one shipped; `calibration()`, which must not wait, what is known
    of the pump's true flow. `monotonic` in ms. A reader stays with the pump that it
    began with: another one on the line is closed again, and said. Pass `hint` as `on_event` of `itbpump.connect`, so that what the pump
    says by itself is read at once.
    """

    def __init__(
        self,
        connect: Callable[[], Pump],
        publish: Callable[[Snapshot], None],
        *,
        poll_ms: int = 2_000,
        drug_library: Callable[[str], DrugLibrary] | None = None,
        calibration: Callable[[], Calibration | None] | None = None,
        monotonic: Callable[[], int] = monotonic_ms,
        timing: Timing | None = None,
    ) -> None:
        self._connect, self._publish_to = connect, publish
        self._drug_library, self._calibration, self._monotonic = drug_library, calibration, monotonic
        self._logic = ReaderLogic(Timing(poll_ms=poll_ms) if timing is None else timing)
        self._inbox = Inbox()
        self._mirror = LogMirror()
        self._snapshot = Snapshot()
        self._pump: Pump | None = None
        self._key: PumpKey | None = None
        self._reason = ""
        self._in_job = False
        self._crash: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._steps: dict[Step, Callable[[], None]] = {
            Step.CONNECT: self._open,
            Step.STATUS: self._read_status,
            Step.VIEW: self._read_view,
            Step.PRESENT: self._read_present,
            Step.DATES: self._read_dates,
            Step.NEWER: self._read_newer,
            Step.OLDER: self._read_older,
            Step.DROP: self._drop,
        }

    # -------------------------------------------------------------------------------------------------- from any thread
    def start(self) -> None:
        """Begin. A reader is started once."""
        if self._thread is not None:
            raise RuntimeError("this reader was started before; make a new one")
        self._thread = threading.Thread(target=self._run, name="itbpump reader", daemon=True)
        self._inbox.open()
        self._thread.start()

    def stop(self) -> None:
        """End the session and the thread; harmless when repeated. Jobs that wait end with ReaderEnded, urgent ones are still carried out.

        A reading under way is cut short after READ_GRACE_S by closing the port, a job only after JOB_GRACE_S: its outcome is unknown then.
        An attempt to connect that hangs ends by itself, and closes what it gets. Raises, once, what ended the thread if that was a defect.
        """
        self._inbox.end()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(READ_GRACE_S)
            if thread.is_alive() and self._in_job:
                thread.join(JOB_GRACE_S)
            pump = self._pump
            if thread.is_alive() and pump is not None:
                pump.session.transport.close()
                thread.join(READ_GRACE_S)
        crash, self._crash = self._crash, None
        if crash is not None:
            raise crash

    def submit(self, job: Callable[[Pump], T], *, urgent: bool = False) -> Future[T]:
        """Have `job` run on this thread, in order; an urgent one before all that wait. What it raises goes to the future.

        The future ends with ReaderEnded after `stop`, with ReaderBusy where too many wait, and with the error of connecting where no
        session comes about. A future that is cancelled before its job begins never begins it.
        """
        entry = Job(job)
        future: Future[T] = entry.future
        self._inbox.put(entry, urgent=urgent)
        return future

    def poll_now(self) -> None:
        """Read the pump at once, also while it waits before trying a lost line again."""
        self._inbox.ask()

    def present_again(self) -> None:
        """Something that the present pump and its dates hang on has become known. From any thread."""
        self.submit(lambda _pump: self._logic.present_again())

    def hint(self, _event: Event) -> None:
        """The pump has said something by itself: a hint only, so it is read."""
        self.poll_now()

    # -------------------------------------------------------------------------------------------------- the thread
    def _run(self) -> None:
        try:
            while (rest := self.turn()) is None or not self._inbox.ending:
                if rest is not None:
                    self._rest(rest.until_ms)
        except BaseException as error:  # noqa: BLE001 -- kept, shown, and raised again by `stop`
            self._crashed(error)
        finally:
            self._finish()

    def turn(self) -> Rest | None:
        """Do one thing: the next job, or the next step of reading. Where there is nothing to do: until when. For the reader's own thread,
        or for a caller without one, who then owns the pump."""
        job = self._inbox.take()
        if job is not None:
            self._carry_out(job)
            return None
        if self._inbox.ending:
            return Rest(None)
        if self._inbox.take_asked():
            self._logic.asked(self._monotonic())
        todo = self._logic.next(self._monotonic())
        if isinstance(todo, Rest):
            return todo
        self._guarded(self._steps[todo])
        return None

    def _rest(self, until_ms: int | None) -> None:
        """Until then, or until somebody wants something; meanwhile hear what the pump says by itself.

        On a line whose time is moved by hand nothing comes while nobody waits, and listening would move it.
        """
        left_ms = None if until_ms is None else max(0, until_ms - self._monotonic())
        listens = self._pump is not None and not getattr(innermost(self._pump.session.transport), "manual", False)
        if listens:
            left_ms = LISTEN_MS if left_ms is None else min(left_ms, LISTEN_MS)
        if not self._inbox.rest(left_ms) and listens:
            self._guarded(self._listen)

    def _listen(self) -> None:
        self._line().session.listen(1)

    def _guarded(self, act: Callable[[], None]) -> None:
        """One step; a documented failure changes the state of the line."""
        connecting = self._pump is None
        try:
            act()
        except ItbPumpError as error:
            self._fail(error, trouble_of(error, connecting=connecting))

    def _carry_out(self, job: Job) -> None:
        if not job.future.set_running_or_notify_cancel():
            return
        self._in_job = True
        self._logic.touched()
        try:
            if self._pump is None:
                self._open()
            result = job.run(self._line())
        except BaseException as error:  # noqa: BLE001 -- it is the job's own, and whoever asked for the job gets it
            job.future.set_exception(error)
            if self._is_of_the_line(error):
                return
        else:
            job.future.set_result(result)
        finally:
            self._in_job = False
        self._logic.asked(self._monotonic())

    def _is_of_the_line(self, error: BaseException) -> bool:
        """Where a job's error tells of the line, the line's state changes by it."""
        connecting = self._pump is None
        tells = isinstance(error, TransportError | NoReply | SessionLost | HandshakeFailed)
        if isinstance(error, ItbPumpError) and (connecting or tells):
            self._fail(error, trouble_of(error, connecting=connecting))
            return True
        return False

    def _crashed(self, error: BaseException) -> None:
        self._crash = error
        trace = "".join(traceback.format_exception(error))
        reason = f"a defect in this program ended the session ({error!r}); report it, and read the pump with another program"
        lost = LinkState(LinkWord.LOST, self._snapshot.read_at, reason, retries=False, trace=trace)
        try:
            self._publish(link=lost)
        except BaseException as second:  # noqa: BLE001 -- told with the first, which may be the same defect
            error.add_note(f"the face could not be told either: {second!r}")

    def _finish(self) -> None:
        try:
            self._close_pump()
        except BaseException as error:  # noqa: BLE001 -- kept, and raised again by `stop`
            self._crash = self._crash or error
        finally:
            self._inbox.close()

    # -------------------------------------------------------------------------------------------------- the line
    def _line(self) -> Pump:
        if self._pump is None:
            raise AssertionError("no step but the one that connects runs without a pump")
        return self._pump

    def _open(self) -> None:
        pump = self._connect()
        if self._key is not None and pump.key != self._key:
            pump.close()
            raise AnotherPump(self._key.serial, pump.key.serial)
        self._pump, self._key = pump, pump.key
        self._logic.connected(self._monotonic(), reads_more=pump.info.role is not Role.EMERGENCY)

    def _close_pump(self) -> None:
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.close()

    def _fail(self, error: ItbPumpError, trouble: Trouble) -> None:
        self._reason = str(error)
        self._logic.failed(self._monotonic(), trouble, wait_of(error))
        if trouble is not Trouble.SILENT:
            self._abandon()
        self._publish()

    def _drop(self) -> None:
        if self._logic.dropped():
            self._abandon()
        self._publish()

    def _abandon(self) -> None:
        """Close what does not work any more; that it cannot even be closed well is no news."""
        with suppress(TransportError, LinkError):
            self._close_pump()

    # -------------------------------------------------------------------------------------------------- readings
    def _read_status(self) -> None:
        pump = self._line()
        status = quick_status(pump)
        now_ms, at = self._monotonic(), pump.host_now()
        if self._mirror.end is not None and status.log_next_seq < self._mirror.end:
            self._mirror = LogMirror()  # a simulated pump made anew: its log begins anew
        self._logic.status_read(now_ms, Seen.of(status))
        view = self._snapshot.view
        if view is not None and not self._logic.view_due:
            self._publish(view=replace(view, status=status, host_now=at), read_at=at, read_ms=now_ms)

    def _read_view(self) -> None:
        pump = self._line()
        view = read_view(pump, pump.unsettled())
        self._logic.view_read()
        self._publish(view=view, read_at=view.host_now, read_ms=self._monotonic())

    def _read_present(self) -> None:
        present, problem = None, ""
        try:
            present = self._line().present()
        except (LinkError, TransportError) as error:
            if not isinstance(error, PumpRefused):
                raise
            problem = str(error)
        except ItbPumpError as error:
            problem = str(error)
        self._logic.present_read(self._monotonic())
        self._publish(present=present, present_problem=problem)

    def _read_dates(self) -> None:
        dates, problem = None, self._snapshot.present_problem
        present, view = self._snapshot.present, self._snapshot.view
        try:
            if present is not None and view is not None:
                known = self._calibration() if self._calibration is not None else None
                dates = dates_of(present, view.status, self._line().profile, self._mirror.last_refill, self._drug_library, known)
        except ItbPumpError as error:
            problem = str(error)
        self._logic.dates_read()
        self._publish(dates=dates, dates_problem=problem)

    def _read_newer(self) -> None:
        view, end = self._snapshot.view, self._mirror.end
        newer_page(self._line(), self._mirror, view.status.log_next_seq if view is not None else 0)
        self._log_read(older=False, stuck=self._mirror.end == end)  # a pump that promises entries and gives none is not asked for ever

    def _read_older(self) -> None:
        older_page(self._line(), self._mirror)
        self._log_read(older=True)

    def _log_read(self, *, older: bool, stuck: bool = False) -> None:
        mirror, view = self._mirror, self._snapshot.view
        newer_left = not stuck and view is not None and mirror.end is not None and mirror.end < view.status.log_next_seq
        fill_known = mirror.last_refill is not None or not mirror.wants_older
        self._logic.log_read(newer_left=newer_left, older_left=mirror.wants_older, fill_known=fill_known, older=older)
        if not newer_left and (not older or not self._logic.pages_left):
            self._publish()

    # -------------------------------------------------------------------------------------------------- out
    def _publish(self, **news: Any) -> None:
        """The snapshot with what is new in it (fields by name), the state of the line and the log. Nothing once the reader is to end."""
        logic, mirror = self._logic, self._mirror
        before = self._snapshot
        since: datetime | None = news.get("read_at", before.read_at)
        reason = "" if logic.word is LinkWord.LIVE else self._reason
        view = news.get("view", before.view)
        complete = mirror.whole and view is not None and mirror.end == view.status.log_next_seq
        standing: dict[str, Any] = {
            "seq": before.seq + 1,
            "link": LinkState(logic.word, None if logic.word is LinkWord.LIVE else since, reason, logic.retries),
            "log": mirror.view(),
            "log_complete": complete,
            "log_dropped": mirror.dropped,
        }
        self._snapshot = replace(before, **(standing | news))
        if not self._inbox.ending:
            self._publish_to(self._snapshot)
