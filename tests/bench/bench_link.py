"""Request round trips over a pty: the real client and the real pump process against the barest thing that is framed and encrypted as well.

Floor: `00 COBS CRC-32 00` frames and AES-CCM records of the same size, sealed and opened at both ends, pyserial on one side and a
read/write loop in its own process on the other; no session, no messages, no pump. Ours: `Connection.request(Ping)` to a served
`SimulatedPump` in its own process. Both run on a pty of their own, blocks interleaved, median of paired ratios. A raw pyserial echo of
as many bytes, and asking for the whole status, are reported beside.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import time
import tty
import zlib
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from random import Random

import serial
from cobs import cobs  # type: ignore[import-untyped]  # ships no types
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from firmware_sim.device import SimulatedPump
from firmware_sim.endpoints.pty import PtyLink
from firmware_sim.endpoints.server import serve
from itbpump.hoststate import HostState
from itbpump.pump import Pump, connect
from itbpump.wire.messages import Ping, Pong, Role
from tests.bench.__main__ import lines
from tests.bench.figure import Figure

BLOCK, BLOCKS = 400, 15
KEY, IV, HEADER = bytes(16), bytes(8), b"\x01\x10\0\0\0\0\0\x05"
PROGRAMMER, PSK = b"BENCHPRG", bytes(range(32))
REQUEST_BYTES, REPLY_BYTES = 5, 17  # plaintext of Ping and Pong, so that both lines carry as many bytes


def _serve_pump(pipe: Pipe) -> None:
    pump = SimulatedPump("P-40", seed=1, fill_nL=38_000_000, entropy=os.urandom)
    pump.provision(PROGRAMMER, Role.CLINICIAN, PSK)
    serve(pump, PtyLink(), speed="real", announce=lambda ready: pipe.send(ready.link))


def _serve_bare(pipe: Pipe, *, sealed: bool) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    pipe.send(os.ttyname(slave))
    ccm, counter, buffer = AESCCM(KEY, 16), 0, b""
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            return
        if not sealed:
            os.write(master, data)
            continue
        buffer += data
        if buffer.endswith(b"\0") and len(buffer) > 1:
            open_frame(ccm, buffer, counter)
            os.write(master, frame(ccm, bytes(REPLY_BYTES), counter + (1 << 31)))
            counter += 1
            buffer = b""


def _nonce(counter: int) -> bytes:
    return IV + b"\0" + counter.to_bytes(4, "big")


def frame(ccm: AESCCM, plaintext: bytes, counter: int) -> bytes:
    """A sealed, framed record; the floor's whole sender."""
    body = HEADER + ccm.encrypt(_nonce(counter), plaintext, HEADER)
    stuffed: bytes = cobs.encode(body + zlib.crc32(body).to_bytes(4, "big"))
    return b"\0" + stuffed + b"\0"


def open_frame(ccm: AESCCM, data: bytes, counter: int) -> bytes:
    """The floor's whole receiver."""
    decoded = cobs.decode(data[1:-1])
    body = decoded[:-4]
    assert zlib.crc32(body) == int.from_bytes(decoded[-4:], "big")
    return ccm.decrypt(_nonce(counter), body[8:], HEADER)


def _read_frame(port: serial.Serial) -> bytes:
    data: bytes = port.read(1)
    while len(data) < 2 or data[-1]:
        data += port.read(max(1, port.in_waiting))
    return data


class Bare:
    """The floor's client."""

    def __init__(self, path: str) -> None:
        self.port, self.ccm, self.counter = serial.Serial(path, timeout=5), AESCCM(KEY, 16), 0

    def block(self) -> None:
        for _ in range(BLOCK):
            self.port.write(frame(self.ccm, bytes(REQUEST_BYTES), self.counter))
            answer = open_frame(self.ccm, _read_frame(self.port), self.counter + (1 << 31))
            assert answer == bytes(REPLY_BYTES)
            self.counter += 1


class Raw:
    """pyserial and an echo."""

    def __init__(self, path: str) -> None:
        self.port, self.data = serial.Serial(path, timeout=5), bytes(range(36))

    def block(self) -> None:
        for _ in range(BLOCK):
            self.port.write(self.data)
            assert self.port.read(len(self.data)) == self.data


def _pings(pump: Pump) -> Callable[[], None]:
    def block() -> None:
        for nonce in range(BLOCK):
            reply = pump.session.ask(Ping(nonce=nonce), Pong)
            assert reply.nonce == nonce

    return block


def _statuses(pump: Pump) -> Callable[[], None]:
    def block() -> None:
        for _ in range(BLOCK):
            assert pump.status().revision == 0

    return block


def _started(target: Callable[..., None], **arguments: bool) -> tuple[str, multiprocessing.Process]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=target, args=(theirs,), kwargs=arguments, daemon=True)
    process.start()
    return ours.recv(), process


def _rate(block: Callable[[], None]) -> float:
    start = time.perf_counter()
    block()
    return BLOCK / (time.perf_counter() - start)


def run() -> list[Figure]:
    """Interleaved blocks; medians of paired ratios."""
    (pump_path, pump_process), (bare_path, bare_process), (raw_path, raw_process) = (
        _started(_serve_pump),
        _started(_serve_bare, sealed=True),
        _started(_serve_bare, sealed=False),
    )
    try:
        state = HostState.in_memory(lambda count: PROGRAMMER[:count])
        state.pair(b"P4000001", Role.CLINICIAN, PSK)
        with connect(pump_path, state=state, entropy=Random(1).randbytes) as pump:
            blocks = [Bare(bare_path).block, _pings(pump), _statuses(pump), Raw(raw_path).block]
            for block in blocks:
                block()
            rates = [[_rate(block) for block in blocks] for _ in range(BLOCKS)]
    finally:
        for process in (pump_process, bare_process, raw_process):
            process.terminate()
            process.join()
    floor = statistics.median(row[0] for row in rates)
    return [
        Figure(
            "round trip: ours / bare frame + AES-CCM",
            statistics.median(row[1] / row[0] for row in rates),
            0.35,
            note=f"floor {floor:.0f}/s",
        ),
        Figure("round trip: status / bare", statistics.median(row[2] / row[0] for row in rates), 0, None, note="198-byte reply"),
        Figure("round trip: ours / raw pyserial echo", statistics.median(row[1] / row[3] for row in rates), 0, None),
    ]


if __name__ == "__main__":
    figures = run()
    print("\n".join(lines(figures)))
    sys.exit(0 if all(figure.ok for figure in figures) else 1)
