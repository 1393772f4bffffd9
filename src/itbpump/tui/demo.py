"""The pump of `itbpump tui --demo`: simulated in this program, running the packaged example, with the hands of a trainer.

Its time runs with the computer's, faster, or not at all, and may be changed while it runs; the calendar of the demonstration goes with it,
so that dates are right in demo time. The link's time is never scaled, so that waits and back-off are as in life. Its cable can be pulled
and put back: the pump lives on meanwhile, and its time with it. Everything may be called from any thread but `connect`, which the reader
calls. Nothing of it outlives the program. Not here: which key does what.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

from itbpump.configuration import week_offset_ms
from itbpump.errors import ItbPumpError
from itbpump.forecast import day_text
from itbpump.hoststate import HostState
from itbpump.packaged import example
from itbpump.pump import Pump, connect
from itbpump.therapy import load_prescription
from itbpump.transport.base import PortAbsentError, PortClosedError, PortUnpluggedError, require_wait
from itbpump.wire.messages import Event
from itbpump.wording.days import WEEK_MS

if TYPE_CHECKING:
    from firmware_sim.endpoints.device import Device
    from itbpump.transport.sim import SimTransport

__all__ = ["SPEEDS", "TROUBLES", "DemoCable", "DemoError", "DemoPump", "Trouble"]

T = TypeVar("T")
URL: Final = "demo"
SLICE_MS: Final = 50
"""How soon a reading notices that the cable was pulled."""
SPEEDS: Final = (
    ("manual", "stands still"),
    ("real", "runs as it is"),
    ("60", "runs 60 times as fast"),
    ("600", "runs 600 times as fast"),
    ("3600", "runs 3,600 times as fast"),
    ("86400", "runs 86,400 times as fast"),
)
"""As `speed=` of a sim:// address takes it, and in words."""
REAL_TIME: Final = 1


class DemoError(ItbPumpError):
    """The demonstration cannot do that now; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something a trainer lets happen: `id`, what is done to the pump, and what to say of it."""

    id: str
    act: Callable[[DemoPump], None]
    text: str


class DemoCable:
    """A Transport to the pump through a cable that can be pulled; `inner` is the line behind it, which stays."""

    simulated = True

    def __init__(self, inner: SimTransport, url: str) -> None:
        self.inner = inner
        self.url = url
        self._state = "in"
        self._lock = threading.Lock()

    def pull(self) -> None:
        """Take it out: this cable never works again."""
        with self._lock:
            self._state = "out" if self._state == "in" else self._state

    def now_ms(self) -> int:
        """The link's clock, which no speed scales."""
        return self.inner.now_ms()

    def read(self, max_wait_ms: int) -> bytes:
        """See Transport."""
        require_wait(max_wait_ms)
        end_ms = self.now_ms() + max_wait_ms
        while True:
            self._require()
            data = self.inner.read(max(0, min(SLICE_MS, end_ms - self.now_ms())))
            self._require()
            if data or self.now_ms() >= end_ms:
                return data

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        """See Transport."""
        self._require()
        self.inner.write(data, deadline_ms)

    def close(self) -> None:
        """See Transport. The pump lives on."""
        with self._lock:
            self._state = "closed"

    def _require(self) -> None:
        if self._state == "out":
            raise PortUnpluggedError(self.url, "the demo's cable has been pulled", "put it back")
        if self._state == "closed":
            raise PortClosedError(self.url, "it has been closed", "open it again")


class DemoPump:
    """One simulated pump for a whole demonstration. `rx`: what it runs from the start, by default the packaged example; `now`: its week is
    let run up to the local time of that moment. `on_event` gets the pump's hints; set it to `Reader.hint`.

    Raises DemoError, SimulatorError, PrescriptionError.
    """

    def __init__(self, *, rx: Path | None = None, seed: int = 1, now: datetime | None = None) -> None:
        from itbpump.transport.demo_key import pair_with_demo_key  # noqa: PLC0415 -- a companion of real pumps never loads the simulator
        from itbpump.transport.sim import SimTransport  # noqa: PLC0415 -- as above

        path = example() if rx is None else rx
        self.on_event: Callable[[Event], None] | None = None
        self._inner = SimTransport.open(f"sim://?rx={quote(str(path))}&seed={seed}&speed={SPEEDS[REAL_TIME][0]}")
        self._state = HostState.in_memory()
        pair_with_demo_key(self._inner, self._state)
        if now is not None:
            self._inner.advance(_until(path, now))
        self._cable: DemoCable | None = None
        self._lock = threading.Lock()
        self._plugged = True
        self._pace = REAL_TIME
        self._next = 0
        self._last = ""
        self._begun_s = (datetime.now().astimezone() if now is None else now).timestamp()
        self._begun_ms = self._uptime_ms()
        self._is_in_step = True

    # -------------------------------------------------------------------------------------------------- for the reader
    def connect(self) -> Pump:
        """A session over a new cable. PortAbsentError while it is unplugged, then what `itbpump.connect` raises."""
        with self._lock:
            if not self._plugged:
                raise PortAbsentError(URL, "the demo's cable is out", "put it back")
            self._inner.discard()
            self._cable = DemoCable(self._inner, URL)
            cable = self._cable
        return connect(URL, transport=cable, state=self._state, on_event=self._heard, host_clock=self.host_clock)

    def _heard(self, event: Event) -> None:
        if self.on_event is not None:
            self.on_event(event)

    def close(self) -> None:
        """End the demonstration, after its reader has ended; harmless when repeated."""
        self._inner.close()
        self._state.close()

    # -------------------------------------------------------------------------------------------------- time
    @property
    def text(self) -> str:
        """What a trainer has to know, in a line; the demo's date once it is no longer that of the computer."""
        date = "" if self._is_in_step else f"; demo time {self._demo_time()}"
        return f"DEMO: a simulated pump; its time {SPEEDS[self._pace][1]}{date}" + (f"; last made: {self._last}" if self._last else "")

    def host_clock(self) -> float:
        """Seconds since 1970 as everything in the demonstration takes them: the moment it began, and the pump's time since."""
        return self._begun_s + (self._uptime_ms() - self._begun_ms) / 1_000

    def _demo_time(self) -> str:
        at = datetime.fromtimestamp(self.host_clock()).astimezone()
        return f"{day_text(at)} {at:%H:%M}"

    def _uptime_ms(self) -> int:
        return self._inner.with_device(lambda device: device.uptime_ms)

    @property
    def speed(self) -> str:
        """How fast its time runs, one of SPEEDS."""
        return SPEEDS[self._pace][0]

    def change_speed(self, by: int) -> None:
        """So many steps faster (or slower, negative) in SPEEDS, as far as they go."""
        self._pace = max(0, min(len(SPEEDS) - 1, self._pace + by))
        self._is_in_step = self._is_in_step and self._pace == REAL_TIME
        self._inner.change_speed(SPEEDS[self._pace][0])

    def advance(self, ms: int) -> None:
        """Let so much of its time pass at once, ms. ValueError if negative."""
        self._inner.advance(ms)
        self._is_in_step = False

    # -------------------------------------------------------------------------------------------------- trouble
    def next_trouble(self) -> str:
        """Let the next of TROUBLES happen, in a circle; what to say of it: that it was made, and did not come by itself. Raises DemoError
        where the pump cannot."""
        trouble = TROUBLES[self._next]
        trouble.act(self)
        self._next = (self._next + 1) % len(TROUBLES)
        self._last = trouble.text
        return f"TRAINING: {trouble.text}"

    def unplug(self) -> None:
        """Pull the cable."""
        with self._lock:
            self._plugged = False
            if self._cable is not None:
                self._cable.pull()

    def replug(self) -> None:
        """Put the cable back."""
        with self._lock:
            self._plugged = True

    def cut_power(self) -> None:
        """Take the pump's supply away."""
        self._hands(lambda device: device.power_cut())

    def restore_power(self) -> None:
        """Give it back: a reset."""
        self._hands(lambda device: device.power_on())

    def hold_motor(self) -> None:
        """Hold the rotor; the pump notices by itself."""
        self._hands(lambda device: device.bench("stall", {"state": "on"}))

    def free_motor(self) -> None:
        """Let the rotor turn."""
        self._hands(lambda device: device.bench("stall", {"state": "off"}))

    def press_button(self) -> bool:
        """The patient asks for a bolus; whether one starts."""
        return self._hands(lambda device: device.patient_request())

    def raise_alarm(self) -> None:
        """Turn a bit of the log's memory over and reset: the pump repairs it and sounds its low tone until the next programming."""
        self._hands(lambda device: device.bench("faults", {"inject": "memory.flip"}))

    def _hands(self, act: Callable[[Device], T]) -> T:
        from firmware_sim.bench import BenchError  # noqa: PLC0415 -- as in __init__
        from firmware_sim.firmware.memory import MemoryFault  # noqa: PLC0415 -- as in __init__

        try:
            return self._inner.with_device(act)
        except (BenchError, MemoryFault) as error:
            raise DemoError(f"the demo's pump cannot do that now: {error}") from error


def _until(path: Path, now: datetime) -> int:
    """How long the pump of a prescription, which begins at its `as_of`, has to run until its week is at the local time of `now`, ms."""
    as_of = load_prescription(path).pump.as_of
    return (week_offset_ms(now, now, 0) - week_offset_ms(as_of, as_of, 0)) % WEEK_MS


TROUBLES: Final = (
    Trouble("line-cut", DemoPump.unplug, "the cable was pulled now: the line is lost, the pump goes on"),
    Trouble("line-back", DemoPump.replug, "the cable was put back now: the session is made anew by itself"),
    Trouble("power-cut", DemoPump.cut_power, "the power was cut now: the pump gives nothing and does not answer"),
    Trouble("power-back", DemoPump.restore_power, "the power was given back now: the pump has reset, and its therapy goes on"),
    Trouble("alarm", DemoPump.raise_alarm, "a bit of the pump's memory was turned over now: an alarm, until it is programmed again"),
    Trouble("motor-stands", DemoPump.hold_motor, "a stall was made now: the motor stands; the pump notices within half an hour"),
    Trouble("motor-turns", DemoPump.free_motor, "the stall was ended now: the motor turns, the alarm ends, the missed dose is told"),
)
"""What a trainer lets happen, in turn; each that takes something away is followed by the one that gives it back."""
