"""Both ends of the link wired together over a line that a test may disturb. No real time: `now` is a number."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from itbpump.link.programmer import Failed, Notified, ProgrammerLink, Replied
from itbpump.link.programmer import Opened as SessionOpen
from itbpump.link.pump_side import Ended, Opened, Pairing, PumpLink, PumpLinkEvent, Requested
from itbpump.wire.messages import Close, Closed, Ping, Pong, Reply, Request, Role

KEY = bytes(range(32))
PUMP_ID = b"PUMPID01"


class Table:
    """A pairing table in memory."""

    def __init__(self, *pairings: Pairing) -> None:
        self.pairings = {pairing.programmer_id: pairing for pairing in pairings}

    def pairing(self, programmer_id: bytes) -> Pairing | None:
        return self.pairings.get(programmer_id)


def seeded(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


class Pair:
    """A programmer and a pump whose firmware answers Ping and Close; `to_pump` and `to_programmer` may rewrite what passes."""

    def __init__(self, *, key: bytes = KEY, role: Role = Role.CLINICIAN, programmer: bytes = b"PROGID01", seed: int = 1) -> None:
        self.now = 0
        self.table = Table(Pairing(programmer, role, KEY))
        self.pump = PumpLink(PUMP_ID, self.table, seeded(seed), boot_epoch=7)
        self.programmer = self.new_programmer(programmer, key, seed + 1)
        self.to_pump: Callable[[bytes], Iterable[bytes]] = lambda data: [data]
        self.to_programmer: Callable[[bytes], Iterable[bytes]] = lambda data: [data]
        self.pump_events: list[PumpLinkEvent] = []
        self.executed: list[Request] = []
        self.events: list[object] = []

    def new_programmer(self, programmer_id: bytes, key: bytes | None = KEY, seed: int = 5) -> ProgrammerLink:
        return ProgrammerLink(programmer_id, lambda _pump: key, seeded(seed))

    def answer(self, request: Request) -> Reply:
        self.executed.append(request)
        if isinstance(request, Ping):
            return Pong(nonce=request.nonce, uptime_ms=self.now)
        return Closed()

    def exchange(self, programmer: ProgrammerLink | None = None) -> None:
        """Carry bytes both ways until nobody has any."""
        programmer = programmer or self.programmer
        while out := programmer.transmit():
            for data in self.to_pump(out):
                self.pump_hears(data)
            for data in self.to_programmer(self.pump.transmit()):
                self.events += programmer.feed(data, self.now)

    def pump_hears(self, data: bytes) -> None:
        for body in self.pump.split(data):
            for event in self.pump.take(body, self.now):
                self.pump_events.append(event)
                if isinstance(event, Requested):
                    self.pump.reply(self.answer(event.request))
                    if isinstance(event.request, Close):
                        self.pump_events += self.pump.close()

    def pass_time(self, until: int, programmer: ProgrammerLink | None = None) -> None:
        """Jump from deadline to deadline."""
        programmer = programmer or self.programmer
        while True:
            due = min((t for t in (programmer.deadline_ms(), self.pump.deadline_ms()) if t is not None), default=until + 1)
            if due > until:
                break
            self.now = max(self.now, due)
            self.events += programmer.tick(self.now)
            self.pump_events += self.pump.tick(self.now)
            self.exchange(programmer)
            if due == programmer.deadline_ms() == self.now:
                break
        self.now = until

    def open(self, programmer: ProgrammerLink | None = None) -> None:
        programmer = programmer or self.programmer
        programmer.connect(self.now)
        self.exchange(programmer)

    def ping(self, nonce: int = 1) -> None:
        self.programmer.request(Ping(nonce=nonce), self.now, self.now + 10_000)
        self.exchange()

    def of(self, kind: type[object]) -> list[object]:
        return [event for event in (*self.events, *self.pump_events) if isinstance(event, kind)]


__all__ = ["KEY", "PUMP_ID", "Ended", "Failed", "Notified", "Opened", "Pair", "Replied", "SessionOpen", "Table", "seeded"]


def recorded(into: list[bytes], *, lose: bool = False) -> Callable[[bytes], Iterable[bytes]]:
    """A line that keeps what passes, and passes it on or not."""

    def passing(data: bytes) -> list[bytes]:
        into.append(data)
        return [] if lose else [data]

    return passing
