"""The simulator as a process: one thread serves one pump on its patient link and, apart from it, the bench port.

The loop: let due time pass, let link timers act, put the state on disk, send the pump's bytes, wait for the next of {bytes, timer, event
of the pump, save}. A long advance is cut into chunks so that the line and the bench stay alive meanwhile. Link time is the process's
monotonic clock, whatever drives pump time. Bytes take no time of
their own, but on the line of a fault plan. A cable that a fault pulls ends a TCP client's connection; a pty then stays silent.
"""

from __future__ import annotations

import json
import selectors
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from types import FrameType

from firmware_sim.bench import BenchCall
from firmware_sim.endpoints.bench_port import BenchClientState, BenchPort
from firmware_sim.endpoints.channel import Channel
from firmware_sim.endpoints.clock import Speed, UptimeClock, link_ms
from firmware_sim.endpoints.controls import Advance, Controls
from firmware_sim.endpoints.device import Device, EndpointError
from firmware_sim.endpoints.keeper import StateKeeper
from firmware_sim.endpoints.pty import PtyLink
from firmware_sim.endpoints.tcp import Listener, TcpLink, parse_address
from firmware_sim.endpoints.wire import Wire
from firmware_sim.state_file import StateFile
from itbpump.wire.line import Line

__all__ = ["Ready", "Server", "serve"]

# Pump time given in one go between two looks at the line: a day's events cost about a millisecond.
CHUNK_MS = 86_400_000
# Longest sleep: the clock is looked at again even if nothing happens.
LONGEST_SLEEP_NS = 60_000_000_000
# Shortest sleep before a timer: a device that keeps asking for the past must not take the whole processor.
SHORTEST_SLEEP_NS = 1_000_000

# A selector of this kind holds no state in the kernel, so making one each turn is cheap and never stale.
_Selector: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


@dataclass(frozen=True, slots=True)
class Ready:
    """What a user needs once the simulator listens: URLs of the patient link and the bench, speed, state file."""

    link: str
    bench: str | None
    speed: str
    state: str | None

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


class Server:
    """Serves until `stop()` or the bench's `quit`. Any thread or signal handler may call `stop`; the rest belongs to one thread."""

    def __init__(
        self,
        device: Device,
        link: PtyLink | TcpLink,
        bench: str | None = None,
        speed: str = "real",
        state: StateFile | None = None,
        announce: Callable[[Ready], None] | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        *,
        line: Line | None = None,
    ) -> None:
        self._device = device
        self._wire = Wire(device, line)
        self._link = link
        self._state = state
        self._announce = announce
        self._monotonic_ns = monotonic_ns
        self._keeper = StateKeeper(device, state)
        self._clock = UptimeClock(Speed.parse(speed), monotonic_ns(), device.drift_ppm)
        self._controls = Controls(device, self._clock, self._keeper, monotonic_ns, self._end)
        self._bench = BenchPort(Listener(parse_address(bench)), self._carry_out) if bench is not None else None
        self._advances: deque[tuple[Advance, BenchClientState, BenchCall]] = deque()
        self._ending = False
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)

    # ---------------------------------------------------------------------------------------------- life
    def run(self) -> None:
        """Open, announce, serve, save, close. Raises EndpointError or StateFileError; what was opened is closed either way."""
        try:
            self._link.open()
            if self._bench is not None:
                self._bench.listener.open()
            self._keeper.save(self._now_ms())
            if self._announce is not None:
                self._announce(self._ready())
            while not self._ending:
                self._turn()
            self._keeper.save(self._now_ms())
        finally:
            self._close()

    def stop(self) -> None:
        """End soon, after saving. Harmless when repeated or too late."""
        self._ending = True
        try:
            self._wake_write.send(b"\0")
        except OSError:  # full: it is awake already; closed: it has ended
            return

    def _end(self) -> None:
        self._ending = True

    def _ready(self) -> Ready:
        return Ready(
            link=self._link.url,
            bench=self._bench.url if self._bench is not None else None,
            speed=str(self._clock.speed),
            state=str(self._state.path) if self._state is not None else None,
        )

    def _close(self) -> None:
        if self._bench is not None:
            self._bench.close()
        self._link.close()
        self._wake_read.close()
        self._wake_write.close()

    def _now_ms(self) -> int:
        return link_ms(self._monotonic_ns())

    # ---------------------------------------------------------------------------------------------- one turn
    def _turn(self) -> None:
        self._let_time_pass()
        self._let_bench_advance()
        self._let_link_act()
        self._keeper.follow(self._now_ms())
        with _Selector() as selector:
            self._register(selector)
            ready = selector.select(self._sleep_ns() / 1_000_000_000)
        self._let_time_pass()
        for key, mask in ready:
            key.data(mask)

    def _let_time_pass(self) -> None:
        due_ms = min(self._clock.due_ms(self._monotonic_ns()), CHUNK_MS)
        if due_ms > 0:
            self._device.advance(due_ms)
            self._clock.take(due_ms)

    def _let_bench_advance(self) -> None:
        if not self._advances:
            return
        advance, client, call = self._advances[0]
        step_ms = min(advance.left_ms, CHUNK_MS)
        self._device.advance(step_ms)
        advance.left_ms -= step_ms
        if advance.left_ms == 0:
            self._advances.popleft()
            self._keeper.save(self._now_ms())  # time that was told as passed must not come back after a crash
            if self._bench is not None:
                self._bench.finish(client, call, advance.answer(self._device))
                self._bench.work(client)

    def _let_link_act(self) -> None:
        now_ms = self._now_ms()
        deadline_ms = self._device.link_deadline_ms()
        if deadline_ms is not None and deadline_ms <= now_ms:
            self._device.link_tick(now_ms)
        self._wire.carry(now_ms)
        data = self._wire.to_host(self._keeper.release(now_ms), now_ms)
        channel = self._link.channel
        if data and channel is not None and not channel.send(data):
            self._lose_client()
        if self._wire.unplugged and channel is not None and isinstance(self._link, TcpLink):
            self._lose_client()
            self._wire.plug_in()

    def _sleep_ns(self) -> int:
        now_ns = self._monotonic_ns()
        if self._advances or self._ending or self._clock.due_ms(now_ns) > CHUNK_MS:
            return 0
        sleeps = [LONGEST_SLEEP_NS]
        timers_ms = (self._wire.next_ms(), self._device.link_deadline_ms(), self._keeper.due_ms(time_moves=not self._clock.speed.manual))
        sleeps.extend(timer_ms * 1_000_000 - now_ns for timer_ms in timers_ms if timer_ms is not None)
        gains_ms = [CHUNK_MS]
        event_ms = self._device.next_event_ms()
        if event_ms is not None:
            gains_ms.append(event_ms - self._device.uptime_ms)
        wait_ns = self._clock.wait_ns(min(gains_ms), now_ns)
        if wait_ns is not None:
            sleeps.append(wait_ns)
        return max(SHORTEST_SLEEP_NS, min(sleeps))

    # ---------------------------------------------------------------------------------------------- who is heard
    def _register(self, selector: selectors.BaseSelector) -> None:
        """The patient's client comes before the listeners: its goodbye must be heard before the next client is turned away."""
        selector.register(self._wake_read, _READ, self._woken)
        channel = self._link.channel
        if channel is not None:
            _watch(selector, channel, channel.wants_read, partial(self._serve_client, channel))
        if isinstance(self._link, TcpLink):
            selector.register(self._link.listener, _READ, self._serve_newcomer)
        if self._bench is not None:
            for client in self._bench.clients:
                _watch(selector, client.channel, client.wants_read, partial(self._serve_bench, self._bench, client))
            selector.register(self._bench.listener, _READ, lambda _, bench=self._bench: bench.accept())

    def _woken(self, _: int) -> None:
        self._wake_read.recv(4096)

    def _serve_client(self, channel: Channel, mask: int) -> None:
        if channel is not self._link.channel:
            return  # lost earlier in this turn
        if mask & _WRITE and not channel.flush():
            self._lose_client()
        elif mask & _READ:
            self._hear(channel)

    def _hear(self, channel: Channel) -> bool:
        """Take what the client sent; False when there was nothing, or the client is gone."""
        data = channel.read()
        if data is None:
            self._lose_client()
        elif data:
            self._wire.to_pump(data, self._now_ms())
        return bool(data)

    def _serve_newcomer(self, _: int) -> None:
        if not isinstance(self._link, TcpLink):
            return
        # A client that left in the same instant as the next one came has still to be heard out.
        while self._link.channel is not None and self._link.channel.wants_read and self._hear(self._link.channel):
            pass
        self._link.accept()

    def _lose_client(self) -> None:
        if isinstance(self._link, PtyLink):
            raise EndpointError("the pseudo-terminal was taken away", "start the simulator again")
        self._link.hang_up()
        self._keeper.release(self._now_ms())  # answers to the one who left are not for the next one

    def _serve_bench(self, bench: BenchPort, client: BenchClientState, mask: int) -> None:
        if client not in bench.clients:
            return
        if mask & _WRITE:
            bench.flush(client)
        if mask & _READ and client in bench.clients:
            bench.hear(client)

    def _carry_out(self, client: BenchClientState, call: BenchCall) -> dict[str, object] | None:
        outcome = self._controls.carry_out(call)
        if isinstance(outcome, Advance):
            self._advances.append((outcome, client, call))
            return None
        return outcome


def _watch(selector: selectors.BaseSelector, channel: Channel, wants_read: bool, handler: Callable[[int], None]) -> None:
    mask = (_READ if wants_read else 0) | (_WRITE if channel.wants_write else 0)
    if mask:
        selector.register(channel, mask, handler)


def serve(
    device: Device,
    link: PtyLink | TcpLink,
    bench: str | None = None,
    speed: str = "real",
    state: StateFile | None = None,
    announce: Callable[[Ready], None] | None = None,
    *,
    line: Line | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT, SIGHUP or the bench's `quit`; then save and return.

    `bench` is an address as endpoints.tcp.parse_address reads it; `speed` is `manual`, `real` or a factor. `state` must be open; it is
    saved to, not closed. `announce` is called once when clients may connect. `line` is the patient's line at fault.
    Raises EndpointError, StateFileError, ValueError (speed).
    """
    server = Server(device, link, bench, speed, state, announce, line=line)
    with ending_on_signals(server.stop):
        server.run()


@contextmanager
def ending_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """`stop` is called at SIGTERM, SIGINT or SIGHUP, also where a shell started the program with them ignored.

    Only the main thread may set signal handlers; elsewhere its owner has to call `stop`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
