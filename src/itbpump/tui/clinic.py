"""What a run of the screen has to do with the clinic's registry, where one is set: contacts go in, what it has learned of a pump comes out.

Nothing is loaded, and no thread begun, before a pump is opened with a registry set. Neither the screen's thread nor the reader's ever waits
for a database. Not here: what is recorded and on which thread (`registering.Recorder`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from itbpump.forecast import Calibration
    from itbpump.pump import Pump
    from itbpump.registry import model as registry
    from itbpump.tui.reader import Reader
    from itbpump.tui.registering import Recorder
    from itbpump.tui.snapshot import Snapshot
    from itbpump.workflow.registering import Registering

__all__ = ["Clinic", "Learned"]


class Clinic:
    """One for a run. `tell` takes sentences for the person, from any thread."""

    def __init__(self, registering: Callable[[], Registering] | None, tell: Callable[[str], None]) -> None:
        self._registering, self._tell = registering, tell
        self._recorder: Recorder | None = None

    def opens(self) -> Learned | None:
        """A pump is about to be opened; what the registry will tell of it. None where no registry is set."""
        found = self._registering() if self._registering is not None else None
        if found is None or not found.is_set:
            return None
        if self._recorder is None:
            from itbpump.tui.registering import Recorder  # noqa: PLC0415 -- only where a registry is set

            self._recorder = Recorder(found, self._tell)
        return Learned(found, self._tell)

    def seen(self, snapshot: Snapshot, reader: Reader | None) -> None:
        """A reading; it goes in where it tells something new."""
        if self._recorder is not None and reader is not None:
            self._recorder.seen(snapshot, reader)

    def ordered(self) -> None:
        """An order has its outcome."""
        if self._recorder is not None:
            self._recorder.ordered()

    def left(self) -> None:
        """The session is over."""
        if self._recorder is not None:
            self._recorder.left()

    def end(self) -> tuple[str, ...]:
        """Write what waits; sentences for the person once the screen has closed. Harmless when repeated."""
        return self._recorder.end() if self._recorder is not None else ()


class Learned:
    """What the registry knows of the pump of one session: asked once, on its own thread; then `arrived` is called. Nothing waits for it."""

    def __init__(self, registering: Registering, tell: Callable[[str], None]) -> None:
        self._registering, self._tell = registering, tell
        self._asked = False
        self._found: registry.Learned | None = None
        self.arrived: Callable[[], None] = lambda: None

    def connecting(self, connect: Callable[[], Pump]) -> Callable[[], Pump]:
        """The same, and the registry is asked about the pump that it gives."""

        def connected() -> Pump:
            pump = connect()
            pump.patient_elsewhere = self._patient_id
            if not self._asked:
                self._asked = True
                threading.Thread(target=self._ask, args=(pump.info.serial,), name="itbpump registry", daemon=True).start()
            return pump

        return connected

    def calibration(self) -> Calibration | None:
        """As far as it is known by now."""
        return self._found.calibration if self._found is not None else None

    def _patient_id(self) -> str | None:
        return self._found.patient_id if self._found is not None else None

    def _ask(self, serial: str) -> None:
        self._found, problem = self._registering.learned(serial)
        if problem:
            self._tell(problem)
        if self._found is not None:
            self.arrived()
