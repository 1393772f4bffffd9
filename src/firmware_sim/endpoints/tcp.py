"""Listeners: the patient link and the bench over TCP, the bench over a Unix socket.

The patient link serves one client at a time, as a cable has one end: a second client is accepted and closed at once without a byte, and
its transport says that the port is in use. Nothing here authenticates; the address decides who can reach it, so name 127.0.0.1.
"""

from __future__ import annotations

import errno
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.endpoints.channel import Channel
from firmware_sim.endpoints.device import EndpointError

__all__ = ["Address", "Listener", "TcpLink", "parse_address"]

# High-water mark and one full read: a peer that gets one byte for each it sends never loses any.
OUT_BYTES = 131_072
_TCP = re.compile(r"(?:tcp://|socket://)?(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>0|[1-9][0-9]{0,4})")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen or connect: `path` for a Unix socket, else `host` and `port`."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    def url(self, scheme: str) -> str:
        """As text that parse_address reads back."""
        if self.path is not None:
            return f"unix:{self.path}"
        return f"{scheme}://[{self.host}]:{self.port}" if ":" in self.host else f"{scheme}://{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """`HOST:PORT`, `[::1]:PORT`, `tcp://HOST:PORT`, `unix:PATH`, or a path with a `/` in it. Raises EndpointError."""
    if text.startswith("unix:"):
        text = text.removeprefix("unix:")
        if text:
            return Address(path=Path(text).expanduser().absolute())
    elif (match := _TCP.fullmatch(text)) is not None:
        if int(match["port"]) <= 65_535:
            return Address(host=match["v6"] or match["host"], port=int(match["port"]))
    elif "/" in text and "://" not in text:
        return Address(path=Path(text).expanduser().absolute())
    raise EndpointError(f"{text!r} is no address", "write HOST:PORT such as 127.0.0.1:0, or the path of a Unix socket such as ./bench.sock")


class Listener:
    """A listening socket that gives out channels. Raises EndpointError if the address is taken or impossible."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Listen. A port 0 becomes the port that was given."""
        if self.address.path is not None:
            self._socket = _listen_unix(self.address.path)
            return
        family = socket.AF_INET6 if ":" in self.address.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.address.host, self.address.port))
            listener.listen()
            listener.setblocking(False)
        except OSError as error:
            listener.close()
            raise EndpointError(
                f"cannot listen on {self.address.url('tcp')} ({error})", "name another port, or 0 for any free one"
            ) from error
        self.address = Address(host=self.address.host, port=listener.getsockname()[1])
        self._socket = listener

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno() if self._socket is not None else -1

    def accept(self, *, cap_bytes: int) -> Channel | None:
        """The next client; None if it has gone already."""
        if self._socket is None:
            return None
        try:
            connection, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return None
        if self.address.path is None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A client whose machine died never says goodbye; without this it would hold the pump's only line for hours.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_KEEPIDLE"):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        return Channel(connection.detach(), cap_bytes=cap_bytes)

    def close(self) -> None:
        """Stop listening; remove a Unix socket's file. Harmless when repeated."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            if self.address.path is not None:
                self.address.path.unlink(missing_ok=True)


def _listen_unix(path: Path) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise EndpointError("this system has no Unix sockets", "use HOST:PORT such as 127.0.0.1:0")
    _remove_dead_socket(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)  # the file must never be open to others, not even between bind and chmod
    try:
        listener.bind(str(path))
        listener.listen()
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise EndpointError(
            f"cannot listen on {path} ({error})", "name a free path of under 100 characters in a folder you may write to"
        ) from error
    finally:
        os.umask(mask)
    return listener


def _remove_dead_socket(path: Path) -> None:
    """A killed simulator leaves its socket file; nobody answers there."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                path.unlink(missing_ok=True)
            return
    raise EndpointError(f"{path} is in use by another simulator", "stop that one or name another path")


class TcpLink:
    """The patient link on a TCP port. `address` is `HOST:PORT`; port 0 is any free one, told in `url` after `open`."""

    def __init__(self, address: str) -> None:
        parsed = parse_address(address)
        if parsed.path is not None:
            raise EndpointError(f"{address!r} is a path", "the patient link needs HOST:PORT, such as 127.0.0.1:0")
        self.listener = Listener(parsed)
        self.url = parsed.url("socket")
        self.channel: Channel | None = None
        self.turned_away = 0

    def open(self) -> None:
        """Listen."""
        self.listener.open()
        self.url = self.listener.address.url("socket")

    def accept(self) -> Channel | None:
        """Take a client, or turn it away if there is one."""
        incoming = self.listener.accept(cap_bytes=OUT_BYTES)
        if incoming is None:
            return None
        if self.channel is not None:
            self.turned_away += 1
            incoming.close()
            return None
        self.channel = incoming
        return incoming

    def hang_up(self) -> None:
        """Forget the client; the next one is welcome."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    def close(self) -> None:
        """Hang up and stop listening. Harmless when repeated."""
        self.hang_up()
        self.listener.close()
