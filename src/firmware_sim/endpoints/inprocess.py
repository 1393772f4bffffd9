"""A line to a pump in the same process: what the sim:// transport and the pyserial handler are made of.

Manual time: nobody waits. The link clock starts at the pump's uptime and the two move together, only while a read waits for bytes and in
`advance`; a read of an hour takes as long as what happens in that hour. Real and scaled time: reads wait on the process's clock.
Bytes arrive at once and whole; those beyond INBOX_BYTES that nobody reads are lost and counted. Bytes go through the line of a fault plan
if there is one; else they take no time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from firmware_sim.endpoints.clock import MANUAL, Speed, UptimeClock, link_ms
from firmware_sim.endpoints.device import Device, EndpointError
from firmware_sim.endpoints.keeper import StateKeeper
from firmware_sim.endpoints.wire import Wire
from firmware_sim.state_file import StateFile
from itbpump.wire.line import Line

__all__ = ["InProcessLine", "LineGoneError"]

INBOX_BYTES = 65_536
T = TypeVar("T")


class LineGoneError(Exception):
    """The line has been unplugged or closed."""


class InProcessLine:
    """One open line to `device`. It owns `file` and closes it. Any thread may call any method; one at a time gets through."""

    def __init__(
        self,
        device: Device,
        *,
        speed: Speed = MANUAL,
        file: StateFile | None = None,
        line: Line | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.device = device
        self.lost_bytes = 0
        self._manual = speed.manual
        self._file = file
        self._monotonic_ns = monotonic_ns
        self._clock = UptimeClock(speed, monotonic_ns(), device.drift_ppm)
        self._keeper = StateKeeper(device, file)
        self._wire = Wire(device, line)
        self._manual_ms = device.uptime_ms
        self._inbox = bytearray()
        self._changed = threading.Condition()
        self._gone = ""
        self._cancelled = False
        self._keeper.save(self._real_ms())

    # ---------------------------------------------------------------------------------------------- time
    def now_ms(self) -> int:
        """The link's clock."""
        return self._manual_ms if self._manual else self._real_ms()

    def _real_ms(self) -> int:
        return link_ms(self._monotonic_ns())

    @property
    def manual(self) -> bool:
        """Time passes only while a read waits and in `advance`, at once for the caller."""
        return self._manual

    @property
    def speed(self) -> Speed:
        """How fast the pump's time runs now."""
        return self._clock.speed

    def change_speed(self, speed: Speed) -> None:
        """Let pump time go on at another speed from now; `MANUAL` lets it stand while the link's goes on. Wakes a read that waits.

        Raises ValueError on a line that was opened in manual time, where the link's clock is the pump's; LineGoneError.
        """
        if self._manual:
            raise ValueError("time on this line is moved by hand; open it with speed=real or a factor to change it while it runs")
        with self._changed:
            self._require_line()
            self._clock.change(speed, self._monotonic_ns())
            self._changed.notify_all()

    def with_device(self, act: Callable[[Device], T]) -> T:
        """Let hands do something to the device between two steps of the line, at its present time; what it then says is on the line.

        Raises what `act` raises, and LineGoneError.
        """
        with self._changed:
            self._require_line()
            self._catch_up()
            try:
                return act(self.device)
            finally:
                self._keeper.settle(self._real_ms())
                self._changed.notify_all()

    def advance(self, ms: int) -> None:
        """Let `ms` of pump time pass; in manual time the link's clock goes with it. Raises LineGoneError, ValueError if negative."""
        if ms < 0:
            raise ValueError(f"time does not run backwards ({ms} ms)")
        with self._changed:
            self._require_line()
            if self._manual:
                end_ms = self._manual_ms + ms
                while self._manual_ms < end_ms:
                    self._pass(min([end_ms, *self._timers()]) - self._manual_ms)
            else:
                self.device.advance(ms)
            self._gather()
            self._keeper.save(self.now_ms())  # the caller knows that this time has passed
            self._changed.notify_all()

    def _timers(self) -> list[int]:
        """Link times ahead at which a link timer fires or the line brings bytes. One in the past has been served and is not waited for."""
        times = (self.device.link_deadline_ms(), self._wire.next_ms())
        return [at_ms for at_ms in times if at_ms is not None and at_ms > self.now_ms()]

    def _pass(self, ms: int) -> None:
        self.device.advance(ms)
        self._manual_ms += ms
        self._tick()

    def _tick(self) -> None:
        deadline_ms = self.device.link_deadline_ms()
        if deadline_ms is not None and deadline_ms <= self.now_ms():
            self.device.link_tick(self.now_ms())
        self._wire.carry(self.now_ms())

    def _catch_up(self) -> None:
        """Real and scaled time: give the pump what has passed."""
        due_ms = self._clock.due_ms(self._monotonic_ns())
        if due_ms > 0:
            self.device.advance(due_ms)
            self._clock.take(due_ms)
        self._tick()
        self._keeper.follow(self._real_ms())

    # ---------------------------------------------------------------------------------------------- bytes
    def write(self, data: bytes) -> None:
        """Hand `data` to the pump. Raises LineGoneError; StateFileError if what the pump decided cannot be kept."""
        with self._changed:
            self._require_line()
            self._catch_up()
            self._wire.to_pump(data, self.now_ms())
            self._gather()
            self._changed.notify_all()

    def read(self, max_wait_ms: int | None, limit: int = INBOX_BYTES) -> bytes:
        """The bytes that have come, up to `limit`; waits for the first one up to `max_wait_ms` (None: for ever); b"" if none came.

        Raises LineGoneError if the line goes, EndpointError for an endless wait in manual time in which nothing can ever come.
        """
        with self._changed:
            self._cancelled = False
            deadline_ms = None if max_wait_ms is None else self.now_ms() + max_wait_ms
            while True:
                self._require_line()
                self._catch_up()
                self._gather()
                if self._inbox or self._cancelled or (deadline_ms is not None and self.now_ms() >= deadline_ms):
                    data = bytes(self._inbox[:limit])
                    del self._inbox[:limit]
                    return data
                self._wait(deadline_ms)

    def _wait(self, deadline_ms: int | None) -> None:
        """Until the next thing that may bring bytes, or the deadline."""
        waits_ms = [at_ms - self.now_ms() for at_ms in self._timers()]
        if deadline_ms is not None:
            waits_ms.append(deadline_ms - self.now_ms())
        event_ms = self.device.next_event_ms()
        gain_ms = event_ms - self.device.uptime_ms if event_ms is not None else 0
        if self._manual:
            if gain_ms > 0:
                waits_ms.append(gain_ms)
            if not waits_ms:
                raise EndpointError(
                    "nothing will ever come by itself, and time is manual", "read with a timeout, or open it with speed=real"
                )
            self._pass(min(waits_ms))
            return
        wait_ns = self._clock.wait_ns(gain_ms, self._monotonic_ns()) if gain_ms > 0 else None
        if wait_ns is not None:
            waits_ms.append(wait_ns // 1_000_000 + 1)
        self._changed.wait(min(waits_ms) / 1000 if waits_ms else None)

    def waiting(self) -> int:
        """Bytes that a read would give at once. Raises LineGoneError."""
        with self._changed:
            self._require_line()
            self._catch_up()
            self._gather()
            return len(self._inbox)

    def discard(self) -> None:
        """Throw away the bytes that have come. Raises LineGoneError."""
        with self._changed:
            self._require_line()
            self._gather()
            self._inbox.clear()

    def _gather(self) -> None:
        data = self._wire.to_host(self._keeper.release(self._real_ms()), self.now_ms())
        room = INBOX_BYTES - len(self._inbox)
        self.lost_bytes += max(0, len(data) - room)
        self._inbox += data[:room]
        if self._wire.unplugged:
            self._gone = self._gone or "the line has been unplugged"

    # ---------------------------------------------------------------------------------------------- end
    def cancel(self) -> None:
        """Let a waiting read return at once with what there is."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def unplug(self) -> None:
        """Pull the cable: reads and writes fail from now on; the pump lives on."""
        with self._changed:
            self._gone = self._gone or "the line has been unplugged"
            self._changed.notify_all()

    def close(self) -> None:
        """Save, give up the state file, and wake whoever waits. Harmless when repeated. Raises StateFileError if saving fails."""
        with self._changed:
            self._gone = "the line has been closed"
            self._changed.notify_all()
            file, self._file = self._file, None
            if file is not None:
                try:
                    self._keeper.save(self._real_ms())
                finally:
                    file.close()

    def _require_line(self) -> None:
        if self._gone:
            raise LineGoneError(self._gone)
