"""A simulator killed at any instant leaves a sound file that knows everything its pump has told."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_sim.state_file import StateFile
from tests.contract.echo import EchoDevice

SAVER = """
import sys
from pathlib import Path
from firmware_sim.state_file import StateFile
file = StateFile(Path(sys.argv[1]))
for number in range(1, 1_000_000):
    file.save({"number": number, "memory": bytes(20_000)})
    print(number, flush=True)
"""

SERVER = """
import sys
from pathlib import Path
from firmware_sim.endpoints import TcpLink, serve
from firmware_sim.state_file import StateFile
from tests.contract.echo import EchoDevice
file = StateFile(Path(sys.argv[1]))
device = EchoDevice.load(file.load()) if file.exists() else EchoDevice()
serve(device, TcpLink("127.0.0.1:0"), speed="real", state=file, announce=lambda ready: print(ready.link, flush=True))
file.close()
"""


@contextlib.contextmanager
def child(program: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


def told_before_kill(path: Path, answers: int) -> int:
    with child(SAVER, path) as process:
        assert process.stdout is not None
        last = 0
        for _ in range(answers):
            last = int(process.stdout.readline())
        process.kill()
        rest = process.stdout.read().split("\n")[:-1]
        return int(rest[-1]) if rest else last


def _kill_and_look(path: Path, answers: int) -> None:
    told = told_before_kill(path, answers)
    with StateFile(path) as file:
        assert file.load()["number"] in (told, told + 1)


@pytest.mark.sr("SR-47")
@pytest.mark.parametrize("answers", [1, 7])
def test_a_kill_between_and_during_saves_loses_nothing_told(tmp_path: Path, answers: int) -> None:
    _kill_and_look(tmp_path / "pump.state", answers)


@pytest.mark.slow
@pytest.mark.sr("SR-47")
@pytest.mark.parametrize("answers", range(1, 60, 2))
def test_many_kills(tmp_path: Path, answers: int) -> None:
    _kill_and_look(tmp_path / "pump.state", answers)


def talk_and_kill(path: Path, messages: list[bytes]) -> None:
    with child(SERVER, path) as process:
        assert process.stdout is not None
        host, port = process.stdout.readline().strip().removeprefix("socket://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as line:
            for message in messages:
                line.sendall(message)
                answer = b""
                while len(answer) < len(message):
                    answer += line.recv(100)
                assert answer == message
            process.kill()


@pytest.mark.sr("SR-41")
@pytest.mark.sr("SR-47")
def test_what_the_pump_has_answered_is_in_the_file_though_it_was_killed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "pump.state"
    talk_and_kill(path, [b"one", b"two"])
    talk_and_kill(path, [b"three"])
    with StateFile(path) as file:
        assert EchoDevice.load(file.load()).heard == b"onetwothree"


def test_sigterm_ends_cleanly_and_keeps_the_pumps_time(tmp_path: Path) -> None:
    path = tmp_path / "pump.state"
    with child(SERVER, path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    with StateFile(path) as file:
        assert file.load()["heard"] == b""
