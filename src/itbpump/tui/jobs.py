"""What waits for the reader's thread: jobs of the pages, the urgent ones first, and the calls that end its rest.

Bounded; every future ends in one way or another. Not here: what the thread does between jobs (`reader`).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from itbpump.errors import ItbPumpError

if TYPE_CHECKING:
    from itbpump.pump import Pump

__all__ = ["MOST_WAITING", "Inbox", "Job", "ReaderBusy", "ReaderEnded"]

MOST_WAITING: Final = 64


class ReaderEnded(ItbPumpError):
    """The reader has ended or was never started: the job was not begun, and nothing was sent."""

    def __init__(self) -> None:
        super().__init__("there is no session with a pump any more; nothing was sent", action="connect to the pump again")


class ReaderBusy(ItbPumpError):
    """So many jobs wait already that no more are taken; nothing was sent."""

    def __init__(self) -> None:
        super().__init__(f"{MOST_WAITING} requests wait for the pump already; nothing was sent", action="wait until they are answered")


@dataclass(slots=True)
class Job:
    """What a page wants of the pump; what it gives goes to `future`. Types are those of `Reader.submit`."""

    run: Callable[[Pump], Any]
    future: Future[Any] = field(default_factory=Future)


class Inbox:
    """Any thread puts in; one takes out and rests on it. Closed until `open`, and again after `end`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._urgent: deque[Job] = deque()
        self._asked = False
        self._takes = False
        self.ending = False
        """The thread is to end: nothing more is taken in, and of what waits only the urgent is handed out."""

    def open(self) -> None:
        """From now on jobs are taken in."""
        self._takes = True

    def put(self, job: Job, *, urgent: bool) -> None:
        """Take a job in, or end its future with ReaderEnded or ReaderBusy."""
        with self._changed:
            if not self._takes or self.ending:
                job.future.set_exception(ReaderEnded())
            elif urgent:
                self._urgent.append(job)
            elif len(self._jobs) >= MOST_WAITING:
                job.future.set_exception(ReaderBusy())
            else:
                self._jobs.append(job)
            self._changed.notify_all()

    def ask(self) -> None:
        """A reading is wanted now."""
        with self._changed:
            self._asked = True
            self._changed.notify_all()

    def end(self) -> None:
        """The thread is to end."""
        with self._changed:
            self.ending = True
            self._changed.notify_all()

    def take(self) -> Job | None:
        """The next job; None where nothing waits that may still be begun."""
        with self._changed:
            if self._urgent:
                return self._urgent.popleft()
            return self._jobs.popleft() if self._jobs and not self.ending else None

    def take_asked(self) -> bool:
        """Whether a reading was asked for since the last call."""
        with self._changed:
            asked, self._asked = self._asked, False
            return asked

    def rest(self, wait_ms: int | None) -> bool:
        """Wait until something is wanted, for `wait_ms` at most (None: for ever); whether something is."""
        with self._changed:
            if not self._wanted():
                self._changed.wait(None if wait_ms is None else wait_ms / 1_000)
            return self._wanted()

    def _wanted(self) -> bool:
        return bool(self.ending or self._asked or self._urgent or self._jobs)

    def close(self) -> None:
        """The thread has ended: every job that was not begun ends with ReaderEnded."""
        with self._changed:
            self._takes = False
            left = [*self._urgent, *self._jobs]
            self._urgent.clear()
            self._jobs.clear()
        for job in left:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(ReaderEnded())
