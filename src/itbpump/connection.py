"""Drives the sans-IO link over a transport: writes what it has to say, feeds what comes, waits no longer than the deadline.

The only module where the companion waits. Time comes from the transport: the monotonic clock on a real port, the simulated link clock
in process. The pump's hints are kept while a request is under way and handed out by `hand_out` and `listen`, so that whatever the
caller's code does with one cannot cost the answer to a request. Not modelled: several requests at once.
"""

from __future__ import annotations

from collections.abc import Callable

from itbpump.link.errors import LinkError, NoReply, SessionLost
from itbpump.link.programmer import Failed, Notified, Opened, ProgrammerLink, ProgrammerLinkEvent, Replied
from itbpump.transport.base import Transport
from itbpump.wire.messages import COMMAND_DEADLINE_MS, HANDSHAKE_DEADLINE_MS, Event, Reply, Request

__all__ = ["Connection"]


class Connection:
    """One line and the link on it. `on_event` is called with each unsolicited hint, between requests.

    `unanswered` counts requests of this session, without one answered since, that got no answer: the pump drops what comes too many
    numbers after the last that it heard.
    """

    def __init__(self, transport: Transport, link: ProgrammerLink, on_event: Callable[[Event], None] | None = None) -> None:
        self.transport = transport
        self.link = link
        self.on_event = on_event
        self.unanswered = 0
        self._hints: list[Event] = []

    def open(self, deadline_ms: int | None = None) -> Opened:
        """Handshake, within HANDSHAKE_DEADLINE_MS and by `deadline_ms`. Raises HandshakeFailed (and its kinds), NoReply, TransportError."""
        now = self.transport.now_ms()
        until = _sooner(now + HANDSHAKE_DEADLINE_MS, deadline_ms)
        self.link.connect(now, until)
        outcome = self._wait(until)
        if isinstance(outcome, Opened):
            self.unanswered = 0
            return outcome
        raise LinkError(f"{outcome!r} instead of a session; report this with a capture")

    def request(self, message: Request, deadline_ms: int | None = None) -> Reply:
        """One request and its reply, within COMMAND_DEADLINE_MS and by `deadline_ms`.

        Raises NoReply, SessionLost, TransportError; after these its outcome is not known.
        """
        now = self.transport.now_ms()
        if self.link.state == "closed":
            raise SessionLost("no session is open; connect again")
        until = _sooner(now + COMMAND_DEADLINE_MS, deadline_ms)
        self.link.request(message, now, until)
        try:
            outcome = self._wait(until)
        except NoReply:
            self.unanswered += 1
            raise
        if isinstance(outcome, Replied):
            self.unanswered = 0
            return outcome.reply
        raise LinkError(f"{outcome!r} instead of a reply; report this with a capture")

    def expire(self) -> None:
        """Notice a session whose idle or life time is over."""
        events = self.link.tick(self.transport.now_ms())
        self._sort([event for event in events if not isinstance(event, Failed)])

    def listen(self, wait_ms: int) -> None:
        """Wait for what the pump says by itself, for at most `wait_ms`, and hand out the first that comes: who waits wants to look then."""
        until = self.transport.now_ms() + wait_ms
        self.hand_out()
        heard = False
        while not heard and (left := until - self.transport.now_ms()) > 0:
            events = self.link.feed(self.transport.read(left), self.transport.now_ms())
            heard = any(isinstance(event, Notified) for event in events)
            self._sort(events)
            self.hand_out()

    def hand_out(self) -> None:
        """Give the hints that have come to `on_event`, oldest first; each once, also when it raises, which goes to the caller."""
        while self._hints:
            hint = self._hints.pop(0)
            if self.on_event is not None:  # the caller may have taken it back meanwhile
                self.on_event(hint)

    def close(self) -> None:
        """Forget the session and close the port."""
        self.link.disconnect()
        self.transport.close()

    def _wait(self, until_ms: int) -> ProgrammerLinkEvent:
        """Run the link until it says what became of the thing under way; it always does by its deadline."""
        transport, link = self.transport, self.link
        while True:
            out = link.transmit()
            if out:
                transport.write(out)
            now = transport.now_ms()
            due = link.deadline_ms()
            wait = min(until_ms if due is None else due, until_ms) - now
            data = transport.read(wait) if wait > 0 else b""
            now = transport.now_ms()
            outcome = self._sort(link.feed(data, now)) if data else None
            if outcome is None:
                outcome = self._sort(link.tick(now))
            if outcome is not None:
                return outcome

    def _sort(self, events: list[ProgrammerLinkEvent]) -> ProgrammerLinkEvent | None:
        """Keep hints, raise failures, return the answer waited for."""
        outcome: ProgrammerLinkEvent | None = None
        for event in events:
            if isinstance(event, Notified):
                if self.on_event is not None:
                    self._hints.append(event.event)
            elif isinstance(event, Failed):
                raise event.error
            else:
                outcome = event
        return outcome


def _sooner(own_ms: int, asked_ms: int | None) -> int:
    return own_ms if asked_ms is None else min(own_ms, asked_ms)
