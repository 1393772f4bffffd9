"""A simulated pump as a process of its own, for tests that kill, freeze or restart it; and lines that a test may disturb.

The process is served_pump.py, which knows nothing of the companion. Pairing goes through the bench. Every wait here has an end. The
installed command line has tests of its own (test_cli.py); nothing of it is used here.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from msgspec.structs import replace

from firmware_sim.bench_client import BenchClient
from itbpump.hoststate import HostState
from itbpump.outcome import Applied
from itbpump.pump import Pump, connect
from itbpump.therapy import Prescription, load_prescription
from itbpump.transport import Transport, open_transport
from itbpump.wire.messages import Role, RunState, Status
from tests.e2e.served_pump import FILL_NL

__all__ = [
    "FILL_NL",
    "PATIENCE_S",
    "PULSES_AN_HOUR",
    "PumpProcess",
    "Served",
    "Wrapped",
    "flex",
    "join",
    "pair",
    "require_explained",
    "served_or_refused",
]

EXAMPLES = Path(__file__).parents[2] / "examples"
SERVED = Path(__file__).with_name("served_pump.py")
HOST_CLOCK_S = 1_795_359_600
PULSES_AN_HOUR = 6  # by day: 6 mcg/h of 2000 mcg/mL in pulses of 500 nL
START = "30h"  # of pump time after the first commit: Monday 16:00, when the rate of the day holds
# Far above what a start or an end takes on a busy machine; reached only when something hangs.
PATIENCE_S = 30.0


def flex(rate: str = "6 mcg/h", *, steps_a_day: int | None = None) -> Prescription:
    """The weekday and weekend therapy of the examples, with another rate by day if told; or so many steps on each of seven days."""
    text = (EXAMPLES / "flex-weekday-weekend.toml").read_text(encoding="utf-8").replace("6 mcg/h", rate)
    if steps_a_day is None:
        return load_prescription(text)
    minutes = range(0, 1440, 1440 // steps_a_day)
    steps = ", ".join(
        f'{{ at = "{minute // 60:02d}:{minute % 60:02d}", rate = "{(rate, "8 mcg/h")[minute // 60 % 2]}" }}' for minute in minutes
    )
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    patterns = "".join(f'[[therapy.pattern]]\ndays = ["{day}"]\nsteps = [{steps}]\n' for day in days)
    return load_prescription(text[: text.index("[[therapy.pattern]]")] + patterns)


@dataclass
class PumpProcess:
    """A running pump. `link` and `bench_url` are its addresses; `serial` is its id."""

    process: subprocess.Popen[str]
    link: str
    bench_url: str
    serial: str

    @classmethod
    def start(cls, *, state: Path | None = None, tcp: bool = False, seed: int = 1) -> PumpProcess:
        """A pump of 40 mL with 38 mL in manual time, or that of the state file; listening when this returns."""
        process = _spawn(state, tcp=tcp, seed=seed)
        assert process.stdout is not None
        try:
            line = _line(process.stdout)
        except BaseException:
            process.kill()
            process.communicate(timeout=PATIENCE_S)
            raise
        if not line:
            _, errors = process.communicate(timeout=PATIENCE_S)
            raise AssertionError(f"the pump process does not start: {errors}")
        told = json.loads(line)
        return cls(process, told["link"], told["bench"], told["serial"])

    def bench(self) -> BenchClient:
        """A connection to the bench; close it."""
        return BenchClient(self.bench_url, answer_timeout_s=PATIENCE_S)

    def do(self, command: str, **arguments: object) -> dict[str, object]:
        """One bench command."""
        with self.bench() as bench:
            return bench.call(command, **arguments)

    def kill(self) -> None:
        """`kill -9`; the process is gone when this returns. Harmless when repeated."""
        self.process.kill()
        self._reap()

    def freeze(self) -> None:
        """The process stops where it is and its ports stay open: a line on which nobody answers."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """The process goes on."""
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> int:
        """Ask it to end and return its exit code."""
        self.process.terminate()
        return self._reap()

    def _reap(self) -> int:
        code = self.process.wait(PATIENCE_S)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()


def served_or_refused(state: Path) -> tuple[int, str]:
    """Start a pump on a state file that it is to refuse; its exit code and what it says."""
    process = _spawn(state)
    try:
        told, errors = process.communicate(timeout=PATIENCE_S)  # closes its input: should it serve after all, it ends
    except BaseException:
        process.kill()
        process.communicate(timeout=PATIENCE_S)
        raise
    return process.returncode, told + errors


def _spawn(state: Path | None = None, *, tcp: bool = False, seed: int = 1) -> subprocess.Popen[str]:
    arguments = ["--seed", str(seed), *(["--tcp"] if tcp else []), *(["--state", str(state)] if state is not None else [])]
    return subprocess.Popen(
        [sys.executable, str(SERVED), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def _line(stream: IO[str]) -> str:
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        assert selector.select(PATIENCE_S), "the pump process does not get ready"
    return stream.readline()


# ------------------------------------------------------------------------------------------------ the programmer's side
def pair(pump: PumpProcess, state: HostState, role: Role = Role.CLINICIAN) -> None:
    """A key of its own on both sides, over the bench."""
    key = os.urandom(32)
    pump.do("pair", programmer=state.programmer_id.hex(), role=role.name.lower(), key=key.hex())
    state.pair(pump.serial.encode("ascii"), role, key)


def join(url: str, state: HostState, transport: Transport | None = None) -> Pump:
    """A session at a fixed host time, so that the pump's week does not depend on the day of the test."""
    return connect(url, state=state, transport=transport, host_clock=lambda: HOST_CLOCK_S)


class Wrapped:
    """A Transport that hands everything to another; a test overrides what it disturbs."""

    def __init__(self, inner: Transport | str) -> None:
        self.inner = open_transport(inner) if isinstance(inner, str) else inner
        self.url = self.inner.url
        self.simulated = self.inner.simulated

    def now_ms(self) -> int:
        return self.inner.now_ms()

    def read(self, max_wait_ms: int) -> bytes:
        return self.inner.read(max_wait_ms)

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        self.inner.write(data, deadline_ms)

    def close(self) -> None:
        self.inner.close()


# ------------------------------------------------------------------------------------------------ a therapy under watch


class Served:
    """A pump process that runs a therapy, and the programmer who started it."""

    def __init__(self, process: PumpProcess, state: HostState) -> None:
        self.process, self.state = process, state
        pair(process, state)
        with self.join() as pump:
            assert isinstance(pump.program(flex()), Applied)
            process.do("advance", for_=START)
            self.before = pump.status()

    def join(self, transport: Wrapped | None = None) -> Pump:
        return join(self.process.link, self.state, transport)

    def require_undisturbed(self, pump: Pump | None = None) -> None:
        """Nothing has changed but what reading it costs; and in an hour the hour's dose is given."""
        if pump is None:
            with self.join() as own:
                self.require_undisturbed(own)
            return
        assert steady(pump.status()) == steady(self.before)
        self.process.do("advance", for_="1h")
        after = pump.status()
        assert after.run_state is RunState.RUNNING
        assert after.lifetime_pulses == self.before.lifetime_pulses + PULSES_AN_HOUR
        assert after.lifetime_pulses == self.process.do("truth")["commanded_pulses"]
        self.before = after


def steady(status: Status) -> Status:
    """Without what sessions move: the log's end and the charge that radio and pulses took."""
    return replace(status, log_next_seq=0, battery_permille=0)


def require_explained(error: BaseException, *words: str) -> None:
    """The text names what was wrong, and says after a semicolon what to do."""
    text = str(error)
    for word in words:
        assert word in text, text
    assert "; " in text, text
    assert len(text.rsplit("; ", 1)[1]) > 10, text
