"""A pump's provisioning port, as far as pairing uses it: one JSON object a line, a request and its answer, over TCP or a Unix socket.

Written for the companion, which does not know the simulator; the simulator's own client is `firmware_sim.bench_client`. Not here: what is
said over it (`pairing`), and all else that a workbench can do to a simulated pump (`itbpump bench`).
"""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Final, Self

from itbpump.errors import InputError, ItbPumpError

__all__ = ["BadPortAddress", "PortRefused", "ProvisioningPort"]

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 60.0
"""Taking a key and holding a magnet are done at once; a busy simulator may take its time."""
_LONGEST_ANSWER: Final = 65_536
_TCP = re.compile(r"(?:tcp://|socket://)?(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>0|[1-9][0-9]{0,4})")


class PortRefused(ItbPumpError):
    """The port cannot be reached, does not answer, or refuses; `kind` is its own word for that, `connection` where it did not answer."""

    def __init__(self, problem: str, kind: str, action: str = "") -> None:
        self.kind = kind
        super().__init__(problem, action=action)


class BadPortAddress(InputError):
    """This text names no port; `text` is what was given."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"{text!r} is no address", action="write HOST:PORT such as 127.0.0.1:7000, or the path of a Unix socket")


class ProvisioningPort:
    """One connection, one request at a time. To be closed, or used in a `with`."""

    def __init__(self, address: str) -> None:
        """`HOST:PORT`, `tcp://HOST:PORT`, `unix:PATH` or a path; a bare name is a file in this folder. BadPortAddress, PortRefused."""
        self.address = address
        self._socket = _connected(address)
        self._socket.settimeout(ANSWER_TIMEOUT_S)
        self._answers = self._socket.makefile("rb")

    def call(self, command: str, **arguments: str) -> None:
        """Have `command` carried out. Raises PortRefused."""
        line = json.dumps({"command": command, "arguments": arguments, "id": 1}).encode("ascii") + b"\n"
        try:
            self._socket.sendall(line)
            told = self._answers.readline(_LONGEST_ANSWER)
        except OSError as error:
            raise PortRefused(f"{self.address} does not answer ({error}): does the simulator still run?", "connection") from error
        if not told.endswith(b"\n"):
            raise PortRefused(f"{self.address} has closed the connection: the simulator has ended", "connection")
        try:
            answer = json.loads(told)
        except ValueError as error:
            raise PortRefused(f"{self.address} answers what is not JSON: it is no bench port", "connection") from error
        if not isinstance(answer, dict) or answer.get("ok") is not True:
            error_told = answer.get("error") if isinstance(answer, dict) else None
            if not isinstance(error_told, dict):
                raise PortRefused(f"{self.address} answers what is no bench answer", "connection")
            raise PortRefused(str(error_told.get("message")), str(error_told.get("kind")))

    def close(self) -> None:
        """Hang up. Harmless when repeated."""
        self._answers.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _connected(address: str) -> socket.socket:
    plain = address.removeprefix("unix:")
    match = _TCP.fullmatch(address)
    if match is None and (not plain or "://" in plain or (":" in plain and "/" not in plain)):
        raise BadPortAddress(address)
    if match is not None and int(match["port"]) > 65_535:
        raise BadPortAddress(address)
    try:
        if match is not None:
            return socket.create_connection((match["v6"] or match["host"], int(match["port"])), timeout=CONNECT_TIMEOUT_S)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(CONNECT_TIMEOUT_S)
            connection.connect(str(Path(plain).expanduser().absolute()))
        except BaseException:
            connection.close()
            raise
        return connection
    except OSError as error:
        raise PortRefused(
            f"cannot reach {address} ({error}): start the simulator with --bench, it prints the address", "connection"
        ) from error
