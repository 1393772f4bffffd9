"""A simulated pump as a child process: started, waited for, ended. For `itbpump demo`; a rig of tests may use it too."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from itbpump.cli.guard import CommandError

__all__ = ["PumpProcess"]

_READY_S = 30.0
_END_S = 5.0


@dataclass
class PumpProcess:
    """One `itbpump sim`. `link` is the patient's line, `bench` the bench port, `device` the pty behind the link."""

    process: subprocess.Popen[str]
    link: str
    bench: str
    device: str

    @classmethod
    def start(cls, folder: Path, *, seed: int) -> Self:
        """A 40 mL pump with 38 mL in manual time, all its files in `folder`. Raises CommandError if it does not get ready."""
        arguments = ["--profile", "P-40", "--fill", "38 mL", "--speed", "manual", "--seed", str(seed)]
        places = ["--link", str(folder / "patient.port"), "--bench", str(folder / "bench.sock"), "--state", str(folder / "pump.state")]
        return cls.run([*arguments, *places])

    @classmethod
    def run(cls, arguments: Sequence[str]) -> Self:
        """`itbpump sim` with any arguments."""
        # The child finds the package where this process found it, installed or not.
        source = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(part for part in (source, os.environ.get("PYTHONPATH", "")) if part)
        process = subprocess.Popen(
            [sys.executable, "-m", "itbpump", "sim", "--json", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        try:
            ready = json.loads(_first_line(process))
        except (CommandError, ValueError):
            process.kill()
            _, told = process.communicate()
            raise CommandError(f"the simulated pump does not start: {told.strip() or 'it says nothing'}") from None
        link = str(ready["link"])
        return cls(process, link, str(ready["bench"] or ""), os.path.realpath(link))

    @property
    def pid(self) -> int:
        """Its process number."""
        return self.process.pid

    def close(self) -> None:
        """End it and wait until it has ended."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.communicate(timeout=_END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _first_line(process: subprocess.Popen[str]) -> str:
    """The line that says that it is ready. CommandError after a while without one."""
    stream: IO[str] | None = process.stdout
    if stream is None:
        raise CommandError("the simulated pump has no output")
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        if not selector.select(_READY_S):
            raise CommandError(f"no answer within {_READY_S:g} s")
    return stream.readline()
