"""`itbpump` as one command after another: each a process of its own, forked from one where the program is loaded, or started anew.

For pages of many commands, each of which would spend most of its time on loading. What a start loads and in which order the fork does not
try: test_cli.py starts every command anew, and so does the slow half of the tests marked `both_ways`. POSIX alone.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from io import FileIO, TextIOWrapper
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

__all__ = ["Call", "both_ways"]

Call = Callable[[Sequence[str], Path, Mapping[str, str], str], "subprocess.CompletedProcess[str]"]
"""Words after `itbpump`, working folder, environment, input."""
LOADED = ["itbpump.cli.main", "itbpump.registry.store", "itbpump.alerts.desk", "itbpump.plan.csf", "itbpump.transport.sim"]
PATIENCE_S = 60.0


def started(words: Sequence[str], cwd: Path, env: Mapping[str, str], answers: str) -> subprocess.CompletedProcess[str]:
    """A process started anew."""
    command = [sys.executable, "-m", "itbpump", *words]
    return subprocess.run(command, cwd=cwd, env=env, input=answers, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def forked(words: Sequence[str], cwd: Path, env: Mapping[str, str], answers: str) -> subprocess.CompletedProcess[str]:
    """A process forked from one that has loaded the program and done nothing with it."""
    context = get_context("forkserver")
    context.set_forkserver_preload([*LOADED, __name__])
    with TemporaryDirectory() as name:
        streams = [Path(name) / stream for stream in ("in", "out", "err")]
        for stream in streams:
            stream.write_text(answers if stream.name == "in" else "", "utf-8")
        process = context.Process(target=_be_itbpump, args=(list(words), cwd, dict(env), streams))
        process.start()
        process.join(PATIENCE_S)
        if process.exitcode is None:
            process.kill()
            process.join()
        code = process.exitcode
        process.close()
        assert code is not None
        return subprocess.CompletedProcess(["itbpump", *words], code, streams[1].read_text("utf-8"), streams[2].read_text("utf-8"))


def _be_itbpump(words: list[str], cwd: Path, env: dict[str, str], streams: list[Path]) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, stream in enumerate(streams):
        os.dup2(os.open(stream, os.O_RDONLY if number == 0 else os.O_WRONLY), number)
    sys.stdin = TextIOWrapper(FileIO(0, closefd=False), "utf-8")  # multiprocessing has put an empty one there
    sys.argv = ["itbpump", *words]
    runpy.run_module("itbpump", run_name="__main__", alter_sys=True)


both_ways = pytest.mark.parametrize("call", [forked, pytest.param(started, marks=pytest.mark.slow)])
"""Every command forked; and, slow, every command started anew."""
