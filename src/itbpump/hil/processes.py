"""Starts the process of `rack` and asks it for pumps. Every wait has an end; what it says when it dies goes into the error."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from itbpump.hil.errors import RigError

__all__ = ["RackProcess", "Served"]

# Far above what a start takes on a busy machine; reached only when something hangs.
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Served:
    """Where a pump of the rack can be reached; `serial` is its id."""

    link: str
    bench: str
    serial: str


class RackProcess:
    """One process; `serve` gives its next pump. Raises RigError when it does not start, refuses the pump, or has died."""

    def __init__(self, rig: str) -> None:
        self._rig = rig
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "itbpump.hil.rack"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,  # a Ctrl-C at the tests ends them in order, and they end the pump
            )
        except OSError as error:
            raise RigError(rig, f"the pump's process cannot be started ({error})", "see what the machine lacks") from error

    def serve(self, pump: str, link: str, speed: str) -> Served:
        """A fresh pump in place of the one before."""
        told = self._ask({"pump": pump, "link": link, "speed": speed})
        if "error" in told:
            raise RigError(self._rig, f"the simulator refuses {pump!r}: {told['error']}", "correct the rig's description")
        return Served(told["link"], told["bench"], told["serial"])

    def later(self, ms: int) -> None:
        """Its clock goes on by so much at once. RigError as `serve`."""
        self._ask({"later_ms": ms})

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise RigError(self._rig, "the pump's process has no pipes", "report this")
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        except OSError as error:
            raise self._dead() from error
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(PATIENCE_S):
                raise RigError(self._rig, f"the pump's process does not answer within {PATIENCE_S:g} s", "see what holds the machine up")
        line = process.stdout.readline()
        if not line:
            raise self._dead()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _dead(self) -> RigError:
        self._process.kill()
        _, said = self._process.communicate(timeout=PATIENCE_S)
        text = said.decode(errors="replace").strip().splitlines()
        return RigError(self._rig, f"the pump's process has ended ({text[-1] if text else 'it said nothing'})", "see its error above")

    def close(self) -> None:
        """End the process. Harmless when repeated."""
        process = self._process
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(PATIENCE_S)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
