"""A small client of the bench port, for the command line, tests and rigs. One connection, one call at a time; not for several threads."""

from __future__ import annotations

import json
import socket
from types import TracebackType
from typing import Self

from firmware_sim.bench import LONGEST_LINE_BYTES, BenchError
from firmware_sim.endpoints.device import EndpointError
from firmware_sim.endpoints.tcp import Address, parse_address

__all__ = ["BenchClient"]

# An advance over years may keep the simulator busy for a while; longer than this and it hangs.
ANSWER_TIMEOUT_S = 600.0
CONNECT_TIMEOUT_S = 5.0
_LONGEST_ANSWER = 16 * 1024 * 1024


class BenchClient:
    """Connects to `HOST:PORT`, `tcp://HOST:PORT`, `unix:PATH` or a path. Raises BenchError (kind `connection` or `bad-argument`)."""

    def __init__(self, url: str, *, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self.url = url
        try:
            address = parse_address(url)
        except EndpointError as error:
            raise BenchError(str(error), kind="bad-argument", argument="url") from error
        self._socket = _connect(address, url)
        self._socket.settimeout(answer_timeout_s)
        self._stream = self._socket.makefile("rb")
        self._last_id = 0

    def call(self, command: str, **arguments: object) -> dict[str, object]:
        """Carry out `command` and return its result. A trailing underscore of a name is dropped, so that `for_="77d"` can be written.

        Raises BenchError with the simulator's kind and text, or kind `connection` if it cannot be reached or does not answer.
        """
        self._last_id += 1
        given = {name.removesuffix("_"): value for name, value in arguments.items()}
        line = json.dumps({"command": command, "arguments": given, "id": self._last_id}).encode("ascii") + b"\n"
        if len(line) > LONGEST_LINE_BYTES:
            raise BenchError(f"the request is longer than {LONGEST_LINE_BYTES} bytes", kind="bad-line")
        answer = self._exchange(line)
        result = answer.get("result")
        if answer.get("ok") is True and answer.get("id") == self._last_id and isinstance(result, dict):
            return result
        error = answer.get("error")
        if not isinstance(error, dict):
            raise BenchError(f"{self.url} answers what is no bench answer", kind="connection")
        raise BenchError(str(error.get("message")), kind=str(error.get("kind")), argument=str(error.get("argument", "")))

    def _exchange(self, line: bytes) -> dict[str, object]:
        try:
            self._socket.sendall(line)
            answer = self._stream.readline(_LONGEST_ANSWER)
        except OSError as error:
            raise BenchError(f"{self.url} does not answer ({error}): does the simulator still run?", kind="connection") from error
        if not answer.endswith(b"\n"):
            raise BenchError(f"{self.url} has closed the connection: the simulator has ended", kind="connection")
        try:
            content = json.loads(answer)
        except ValueError as error:
            raise BenchError(f"{self.url} answers what is not JSON: it is no bench port", kind="connection") from error
        return content if isinstance(content, dict) else {}

    def close(self) -> None:
        """Hang up. Harmless when repeated."""
        self._stream.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _connect(address: Address, url: str) -> socket.socket:
    try:
        if address.path is None:
            return socket.create_connection((address.host, address.port), timeout=CONNECT_TIMEOUT_S)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(CONNECT_TIMEOUT_S)
            connection.connect(str(address.path))
        except BaseException:
            connection.close()
            raise
        return connection
    except OSError as error:
        raise BenchError(
            f"cannot reach {url} ({error}): start the simulator with --bench, it prints the address", kind="connection"
        ) from error
