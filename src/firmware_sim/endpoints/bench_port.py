"""The bench port: line JSON for a few local clients, on its own address, never on the patient's link.

Each client's requests are answered in their order; while one of its requests takes long (`advance 77d`), its later lines wait and the
other clients are served. A line that is too long is answered with an error and the client is closed, since its end cannot be trusted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from firmware_sim.bench import LONGEST_LINE_BYTES, BenchCall, BenchError, answer_line, error_line, parse_call, request_id
from firmware_sim.endpoints.channel import Channel
from firmware_sim.endpoints.tcp import Listener

__all__ = ["MAX_CLIENTS", "BenchClientState", "BenchPort"]

MAX_CLIENTS = 8
# An exact list of pulses over a day is the longest answer anyone needs at once (some 10^5 numbers).
LONGEST_ANSWER_BYTES = 2 * 1024 * 1024
# Room for one such answer beside the high-water mark at which a client is no longer heard.
OUT_BYTES = 2 * LONGEST_ANSWER_BYTES
# Lines read ahead while a long command runs; more, and the client is not read until it has been answered.
MAX_LINES_WAITING = 64


class BenchClientState:
    """One connection: bytes in, lines, and whether an answer is owed."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.lines: deque[bytes] = deque()
        self.answer_owed = False
        self.closing = False
        self._partial = bytearray()

    @property
    def wants_read(self) -> bool:
        """Whether more of this client's bytes may be taken now."""
        return not self.closing and self.channel.wants_read and len(self.lines) < MAX_LINES_WAITING

    def take(self, data: bytes) -> None:
        """Split into lines. Raises BenchError if a line has grown too long; the client is then closing."""
        self._partial += data
        *lines, rest = bytes(self._partial).split(b"\n")
        self.lines.extend(line for line in lines if line.strip())
        self._partial = bytearray(rest)
        if len(rest) > LONGEST_LINE_BYTES:
            self._partial.clear()
            self.closing = True
            raise BenchError(f"a line is longer than {LONGEST_LINE_BYTES} bytes; the connection is closed", kind="bad-line")


class BenchPort:
    """Clients of one listener. `carry_out(client, call)` returns the result, or None if it will answer later through `finish`."""

    def __init__(self, listener: Listener, carry_out: Callable[[BenchClientState, BenchCall], dict[str, object] | None]) -> None:
        self.listener = listener
        self.clients: list[BenchClientState] = []
        self._carry_out = carry_out

    @property
    def url(self) -> str:
        """Where the port is, as BenchClient takes it."""
        return self.listener.address.url("tcp")

    def accept(self) -> None:
        """Take a client; beyond MAX_CLIENTS it is told so and closed."""
        channel = self.listener.accept(cap_bytes=OUT_BYTES)
        if channel is None:
            return
        if len(self.clients) >= MAX_CLIENTS:
            channel.send(error_line(BenchError(f"{MAX_CLIENTS} clients are connected already; close one", kind="busy"), None))
            channel.close()
            return
        self.clients.append(BenchClientState(channel))

    def hear(self, client: BenchClientState) -> None:
        """Read what a client sent and carry out its lines."""
        data = client.channel.read()
        if data is None:
            self.drop(client)
            return
        try:
            client.take(data)
        except BenchError as error:
            self.work(client)
            self._answer(client, error_line(error, None))
            self.flush(client)
            return
        self.work(client)

    def work(self, client: BenchClientState) -> None:
        """Carry out waiting lines, one at a time, until one owes its answer or the client has answers enough to read."""
        while client.lines and not client.answer_owed and client.channel.wants_read and client in self.clients:
            line = client.lines.popleft()
            try:
                call = parse_call(line)
            except BenchError as error:
                self._answer(client, error_line(error, request_id(line)))
                continue
            self._carry_out_one(client, call)

    def _carry_out_one(self, client: BenchClientState, call: BenchCall) -> None:
        client.answer_owed = True
        try:
            result = self._carry_out(client, call)
        except BenchError as error:
            self.finish(client, call, error)
            return
        if result is not None:
            self.finish(client, call, result)

    def finish(self, client: BenchClientState, call: BenchCall, outcome: dict[str, object] | BenchError) -> None:
        """Give the answer that is owed."""
        client.answer_owed = False
        if isinstance(outcome, BenchError):
            self._answer(client, error_line(outcome, call.id))
            return
        try:
            line = answer_line(outcome, call.id)
            if len(line) > LONGEST_ANSWER_BYTES:
                raise BenchError(f"the answer has {len(line)} bytes, more than {LONGEST_ANSWER_BYTES}: ask for a shorter span")
        except BenchError as error:
            line = error_line(error, call.id)
        self._answer(client, line)

    def _answer(self, client: BenchClientState, line: bytes) -> None:
        if client in self.clients and not client.channel.send(line):
            self.drop(client)

    def flush(self, client: BenchClientState) -> None:
        """Write what waits; close a client that is closing once it has heard why."""
        if not client.channel.flush() or (client.closing and not client.channel.wants_write):
            self.drop(client)
        self.work(client)

    def drop(self, client: BenchClientState) -> None:
        """Forget a client; a long command it began still runs to its end."""
        if client in self.clients:
            self.clients.remove(client)
            client.lines.clear()
            client.channel.close()

    def close(self) -> None:
        """Forget everybody and stop listening."""
        for client in list(self.clients):
            client.channel.flush()
            self.drop(client)
        self.listener.close()
