"""The process in which simulated pumps live that are tested over a pty or TCP: `python -m itbpump.hil.rack`, started by `processes`.

One line of JSON in asks for a pump, `{"pump": "sim://…", "link": "pty" | "tcp", "speed": "manual"}`; one line out tells where it is,
`{"link": …, "bench": …, "serial": …}`, or `{"error": …}`. The next request ends the pump before, so that a fresh one costs no new process.
`{"later_ms": 61000}` is answered with itself: the clock of the process, which the line's time-outs go by, has gone on by so much, as if
everybody had waited; the server sees it in its next turn, which any call of the bench brings about.
It ends with its input: however the parent dies, no pump outlives it. The pump itself is made as `sim://` makes it, with every parameter of
the address; what an address cannot have here is a state file.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from queue import SimpleQueue
from typing import Any, TextIO

from firmware_sim.device import SimulatedPump
from firmware_sim.endpoints import EndpointError, PtyLink, Ready, Server, TcpLink
from itbpump.errors import ItbPumpError
from itbpump.transport.sim import SimTransport

__all__ = ["main"]


class _Rack:
    """Requests come from a thread of their own; the pump served now is told to end when the next one comes."""

    def __init__(self, requests: TextIO, answers: TextIO) -> None:
        self._answers = answers
        self._waiting: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._serving: Server | None = None
        self._lock = threading.Lock()
        self._ahead_ns = 0
        threading.Thread(target=self._read, args=(requests,), daemon=True).start()

    def _read(self, requests: TextIO) -> None:
        for line in requests:
            request = json.loads(line)
            if "later_ms" in request:
                self._ahead_ns += int(request["later_ms"]) * 1_000_000
                self._tell(request)  # nothing else is being answered: whoever asks waits for each answer
            else:
                self._next(request)
        self._next(None)

    def _next(self, request: dict[str, Any] | None) -> None:
        with self._lock:
            self._waiting.put(request)
            if self._serving is not None:
                self._serving.stop()

    def _monotonic_ns(self) -> int:
        return time.monotonic_ns() + self._ahead_ns

    def run(self) -> None:
        """Serve one pump after the other until the input ends."""
        while (request := self._waiting.get()) is not None:
            try:
                self._serve(request)
            except (EndpointError, ItbPumpError, ValueError) as error:
                self._tell({"error": str(error)})

    def _serve(self, request: dict[str, Any]) -> None:
        pump = SimTransport.open(request["pump"]).device
        line = pump.faults.line if isinstance(pump, SimulatedPump) else None

        def announce(ready: Ready) -> None:
            self._tell({"link": ready.link, "bench": ready.bench, "serial": pump.serial})

        link = TcpLink("127.0.0.1:0") if request["link"] == "tcp" else PtyLink()
        server = Server(pump, link, "127.0.0.1:0", request["speed"], None, announce, self._monotonic_ns, line=line)
        with self._lock:
            if not self._waiting.empty():
                return
            self._serving = server
        try:
            server.run()
        finally:
            with self._lock:
                self._serving = None

    def _tell(self, answer: dict[str, Any]) -> None:
        self._answers.write(json.dumps(answer) + "\n")
        self._answers.flush()


def main() -> int:
    """Serve until the input ends."""
    _Rack(sys.stdin, sys.stdout).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
