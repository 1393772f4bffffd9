"""The screen's contacts in the clinic's registry: from the readings it has anyway, on a thread of its own.

Nothing here asks the pump anything or holds up the reader's thread or the screen's: `seen` looks at each snapshot, and where the pump has
changed since the last contact, a job of the reader brings what was decided here (from this computer's own record) and a recorder's thread
writes. What could not be written when the screen ends is kept on this computer. Not here: what is recorded, and how it is told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, Protocol

from itbpump.errors import ItbPumpError
from itbpump.tui.snapshot import LinkWord
from itbpump.wire.messages import Configuration, Role

if TYPE_CHECKING:
    from concurrent.futures import Future

    from itbpump.pump import Pump
    from itbpump.registry.contact import Contact
    from itbpump.tui.snapshot import Snapshot
    from itbpump.workflow.registering import Registering

__all__ = ["Recorder"]

END_S: Final = 5.0
"""How long leaving waits for the registry; what is not in it by then is kept here."""


class TakesJobs(Protocol):
    """What is used of a `reader.Reader`."""

    def submit(self, job: Callable[[Pump], None]) -> Future[None]: ...


class Recorder:
    """One for a run of the screen. `tell` gets sentences for the person, on the recorder's thread or the reader's."""

    def __init__(self, registering: Registering, tell: Callable[[str], None]) -> None:
        self._registering, self._tell = registering, tell
        self._queue: SimpleQueue[Contact | None] = SimpleQueue()
        self._unwritten: list[Contact] = []
        self._lock = threading.Lock()
        self._last: tuple[object, ...] | None = None
        self._thread: threading.Thread | None = None

    # ------------------------------------------------------------------------------------------------ the screen's thread
    def seen(self, snapshot: Snapshot, reader: TakesJobs) -> bool:
        """Record this reading where it tells something new; whether it does. Costs a comparison else."""
        if not self._registering.is_set:
            return False
        key = _key(snapshot)
        if key is None or key == self._last:
            return False
        self._last = key
        reader.submit(lambda pump: self._take(pump, snapshot))
        return True

    def ordered(self) -> None:
        """An order has its outcome: the next whole reading is recorded, whether the pump changed by it or not."""
        self._last = None

    def left(self) -> None:
        """Another pump, or none: its first whole reading is a contact."""
        self._last = None

    def end(self, wait_s: float = END_S) -> tuple[str, ...]:
        """Write what waits, for so long; the rest is kept on this computer. Sentences for the person. Harmless when repeated."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(wait_s)
        with self._lock:
            rest, self._unwritten = self._unwritten, []
        return tuple(text for contact in rest for text in self._registering.keep(contact))

    # ------------------------------------------------------------------------------------------------ the reader's thread
    def _take(self, pump: Pump, snapshot: Snapshot) -> None:
        view, present = snapshot.view, snapshot.present
        if view is None:
            raise AssertionError("a reading without a status has no key")
        configuration: Configuration | None = present.configuration if present is not None else None
        try:
            contact = self._registering.of_reading(pump, view.status, configuration, snapshot.log, view.host_now)
        except ItbPumpError as error:
            self._tell(f"This contact is not recorded in the registry: {error}")
            return
        if contact is None:
            return
        with self._lock:
            self._unwritten.append(contact)
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="itbpump recorder", daemon=True)
            self._thread.start()
        self._queue.put(contact)

    # ------------------------------------------------------------------------------------------------ the recorder's thread
    def _write(self) -> None:
        while (contact := self._queue.get()) is not None:
            for text in self._registering.deliver(contact):
                self._tell(text)
            with self._lock:
                if contact in self._unwritten:
                    self._unwritten.remove(contact)


def _key(snapshot: Snapshot) -> tuple[object, ...] | None:
    """What a contact is told apart by; None for a reading that is not whole: stale, its log not read to the end, of two moments."""
    view, present = snapshot.view, snapshot.present
    if view is None or snapshot.link.word is not LinkWord.LIVE:
        return None
    now = view.status
    if view.info.role is not Role.EMERGENCY and (
        present is None
        or (present.revision, present.last_change_ms, present.run_state) != (now.revision, now.last_change_ms, now.run_state)
        or not (snapshot.log_complete or snapshot.log_dropped)
    ):
        return None
    alarms = tuple(alarm.alarm for alarm in now.alarms)
    return (view.info.memory_id, now.revision, now.digest, now.run_state, now.mode, now.last_change_ms, now.last_change_kind, alarms)
