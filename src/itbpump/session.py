"""A session with one pump: who it is, and everything that can be read without changing it.

Opens the link over a transport, reads the pump's identity first, and refuses a downgraded session. After a request without an answer
the next one goes over a new session. Not here: commands (`commands.py`) and what people import (`pump.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from itbpump.connection import Connection
from itbpump.hoststate import HostState, HostStateError, PumpKey
from itbpump.link.errors import Downgraded, LinkError, PumpRefused, SessionLost
from itbpump.link.programmer import ProgrammerLink
from itbpump.link.transaction import UnexpectedReply
from itbpump.transport.base import Transport, TransportError
from itbpump.wire.messages import (
    COMMAND_DEADLINE_MS,
    HANDSHAKE_DEADLINE_MS,
    MAX_COUNTER_GAP,
    Close,
    CommandResult,
    Configuration,
    ConfigurationPage,
    ConfigurationSlot,
    Error,
    Event,
    GetConfiguration,
    GetInfo,
    GetLog,
    GetResults,
    GetStatus,
    Info,
    LogEntry,
    LogPage,
    QueryCommand,
    Reply,
    Request,
    Result,
    ResultScope,
    ResultsPage,
    Role,
    Status,
    decode_configuration,
)

__all__ = ["ASK_WAIT_MS", "PumpSession"]

_LOG_PAGE_ENTRIES = 25
_CLOSE_WAIT_MS = 1_000
# What is asked, over a new session if need be, is answered or given up within this: one handshake and one answer.
ASK_WAIT_MS = HANDSHAKE_DEADLINE_MS + COMMAND_DEADLINE_MS
R = TypeVar("R")


class PumpSession:
    """An open session. Raises TransportError, HandshakeFailed (and its kinds) or NoReply when none comes about.

    `on_event` gets the pump's hints between requests that read, and in `listen`: never inside a command. What it raises goes to the
    caller of the reading.
    """

    def __init__(
        self,
        transport: Transport,
        state: HostState,
        entropy: Callable[[int], bytes],
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        known: dict[bytes, bytes] = {}

        def key_of(pump_id: bytes) -> bytes | None:
            try:
                stored = state.pairing(pump_id)
            except HostStateError:
                if pump_id in known:  # a disk that fails must not keep anybody from a stop over a new session
                    return known[pump_id]
                raise
            if stored is None:
                return None
            known[pump_id] = stored.key
            return stored.key

        self.transport = transport
        self._link = ProgrammerLink(state.programmer_id, key_of, entropy)
        self._connection = Connection(transport, self._link, on_event)
        self._quiet = False
        self.info = self._open()
        self.key = PumpKey(self.info.serial, self.info.memory_id)

    def _open(self, deadline_ms: int | None = None) -> Info:
        opened = self._connection.open(deadline_ms)
        info = self._connection.request(GetInfo(), deadline_ms)
        if not isinstance(info, Info):
            raise UnexpectedReply("GetInfo", info)
        possible = min(self._link.versions[1], info.protocol_major_max)
        if possible > opened.version:
            self._link.disconnect()
            raise Downgraded(opened.version, possible)
        return info

    @property
    def is_open(self) -> bool:
        """Requests can be sent, and the last one was answered."""
        # An emergency session is kept through lost answers while the pump still hears it: a new one would need the magnet again.
        patience = MAX_COUNTER_GAP // 2 if self.info.role is Role.EMERGENCY else 0
        return self._link.state == "open" and self._connection.unanswered <= patience

    @property
    def link(self) -> ProgrammerLink:
        """The link, for its counters (resends, drops)."""
        return self._link

    def now_ms(self) -> int:
        """Link time."""
        return self.transport.now_ms()

    def reconnect(self, deadline_ms: int | None = None) -> None:
        """Make a new session on the same line. SessionLost when another pump, or a re-formatted one, answers."""
        info = self._open(deadline_ms)
        if PumpKey(info.serial, info.memory_id) != self.key:
            self._link.disconnect()
            raise SessionLost(f"pump {info.serial} answers now instead of {self.key.serial}, or its memory was formatted; connect anew")
        self.info = info

    def close(self) -> None:
        """Say good-bye, so that another programmer need not wait, and close the port."""
        try:
            if self._link.state == "open":
                self._connection.request(Close(), self.now_ms() + _CLOSE_WAIT_MS)
        except (LinkError, TransportError):
            # The line is dead: the pump ends the idle session by itself, and nothing is owed to the caller any more.
            pass
        finally:
            self._connection.close()

    def listen(self, wait_ms: int) -> None:
        """Wait for hints for at most `wait_ms`, and hand out the first that come."""
        self._connection.listen(wait_ms)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Hand out no hints meanwhile, so that nothing a hint sets off can come between a command and its outcome."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    # -------------------------------------------------------------------------------------------------- requests
    def send(self, message: Request, deadline_ms: int | None = None) -> Reply:
        """One request and its reply, whatever it is. Raises NoReply, SessionLost, TransportError: then the outcome is not known."""
        return self._connection.request(message, deadline_ms)

    def ensure_open(self, deadline_ms: int | None = None) -> None:
        """Make a new session if the old one is over (idle, 24 h, or lost). Raises as `reconnect`."""
        self._connection.expire()
        if not self.is_open:
            self.reconnect(deadline_ms)

    def ask(self, message: Request, kind: type[R]) -> R:
        """One request whose reply is of `kind`, over a new session if need be. Raises PumpRefused for an error reply, else as `send`.

        For requests that change nothing: one is asked once more when the pump turns out to have lost the session. On a dead line NoReply
        comes after COMMAND_DEADLINE_MS where the session stood, else after HANDSHAKE_DEADLINE_MS; on a bad one after both at the latest.
        """
        if not self._quiet:
            self._connection.hand_out()
        until_ms = self.now_ms() + ASK_WAIT_MS
        self.ensure_open(until_ms)
        try:
            reply = self._connection.request(message, until_ms)
        except SessionLost:
            self.reconnect(until_ms)
            reply = self._connection.request(message, until_ms)
        if isinstance(reply, Error):
            raise PumpRefused(reply)
        if not isinstance(reply, kind):
            raise UnexpectedReply(type(message).__name__, reply)
        return reply

    def status(self) -> Status:
        """What the pump says of itself now."""
        return self.ask(GetStatus(), Status)

    def result_of(self, cmd_id: int) -> CommandResult:
        """What the pump knows of one of this programmer's commands. PumpRefused (too_old) when it no longer keeps it."""
        return self.ask(QueryCommand(cmd_id=cmd_id), Result).result

    def configuration(self, slot: ConfigurationSlot) -> Configuration | None:
        """A stored configuration, read in pages; None when there is none. LinkError when it changed while it was read."""
        whole = b""
        revision: int | None = None
        while True:
            page = self.ask(GetConfiguration(slot=slot, offset=len(whole)), ConfigurationPage)
            if page.total_length == 0:
                return None
            if revision not in (None, page.revision) or page.offset != len(whole) or not page.page:
                raise LinkError("the configuration changed while it was read; read it again")
            revision = page.revision
            whole += page.page
            if len(whole) >= page.total_length:
                return decode_configuration(whole)

    def log(self, from_seq: int) -> Iterator[LogEntry]:
        """Log entries from `from_seq` on, oldest first; a gap entry says how many were overwritten before."""
        while True:
            page = self.ask(GetLog(from_seq=from_seq, max_entries=_LOG_PAGE_ENTRIES), LogPage)
            yield from page.entries
            if not page.entries or page.entries[-1].seq + 1 >= page.next_seq:
                return
            from_seq = page.entries[-1].seq + 1

    def results(self, scope: ResultScope) -> tuple[CommandResult, ...]:
        """Stored results, newest first."""
        found: tuple[CommandResult, ...] = ()
        while True:
            page = self.ask(GetResults(scope=scope, skip=len(found)), ResultsPage)
            found += page.results
            if not page.results or len(found) >= page.total:
                return found
