"""Trouble with the files that pump and programmer live from: damaged, emptied, shared (issue 2). Refused, explained, never replaced."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from itbpump.hoststate import HostState, HostStateError, PumpKey
from itbpump.transport import SimulatorError, open_transport
from itbpump.wire.messages import RunState
from tests.e2e.process import PATIENCE_S, PumpProcess, Served, join, require_explained, served_or_refused

pytestmark = pytest.mark.e2e


# ------------------------------------------------------------------------------------------------ the pump's state file
@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, HostState, bytes]:
    """A state file of a pump with a therapy, its programmer, and the id of its memory."""
    path, state = tmp_path_factory.mktemp("sound") / "pump.state", HostState.in_memory()
    with PumpProcess.start(state=path) as process:
        served = Served(process, state)
        with served.join() as pump:
            memory_id = pump.info.memory_id
        assert process.end() == 0
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_bytes(), state, memory_id


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "empty": lambda _data: b"",
    "byte": lambda data: data[: len(data) // 3] + bytes([data[len(data) // 3] ^ 1]) + data[len(data) // 3 + 1 :],
    "longer": lambda data: data + b"\n",
    "header": lambda data: b"X" + data[1:],
}


@pytest.mark.sr("SR-47")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_file_is_refused_and_left_as_it_is(damage: str, sound: tuple[bytes, HostState, bytes], tmp_path: Path) -> None:
    whole, state, memory_id = sound
    path, broken = tmp_path / "pump.state", DAMAGES[damage](whole)
    path.write_bytes(broken)
    code, said = served_or_refused(path)
    assert code == 1
    require_explained(ValueError(said), "StateFileError", str(path))
    with pytest.raises(SimulatorError) as refused:
        open_transport(f"sim://P-40?state={path}")
    require_explained(refused.value, str(path))
    assert path.read_bytes() == broken
    assert {file.name for file in tmp_path.iterdir()} == {"pump.state", "pump.state.lock"}
    if damage == "half":
        path.write_bytes(whole)  # the copy is put back
        with PumpProcess.start(state=path) as process, join(process.link, state) as pump:
            assert pump.info.memory_id == memory_id
            assert pump.status().run_state is RunState.RUNNING


def test_two_simulators_cannot_live_in_one_state_file(tmp_path: Path) -> None:
    path = tmp_path / "pump.state"
    with PumpProcess.start(state=path) as process:
        served = Served(process, HostState.in_memory())
        code, said = served_or_refused(path)
        assert code == 1
        require_explained(ValueError(said), str(path), "another simulator is using it", "stop that one first")
        with pytest.raises(SimulatorError, match="another simulator"):
            open_transport(f"sim://P-40?state={path}")
        served.require_undisturbed()


# ------------------------------------------------------------------------------------------------ the host's state file
KEY = PumpKey("P4000001", b"\x01" * 8)
PAGE = 4096


@pytest.fixture
def host_file(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "state.db"
    state = HostState.open(path)
    state.pair(b"P4000001", 1, bytes(32))
    for _ in range(3):
        state.begin(KEY, 0, 2, bytes(32), bytes(3_000), "a bolus of 25 mcg")
    state.close()
    return path


@pytest.mark.sr("SR-43")
def test_a_damaged_host_state_is_refused_and_left_as_it_is(host_file: Path) -> None:
    whole = host_file.read_bytes()
    pages = [whole[:start] + b"\xff" * PAGE + whole[start + PAGE :] for start in range(0, len(whole), PAGE)]
    for broken in (whole[: len(whole) // 2], whole[:-PAGE], b"no database", Random(3).randbytes(len(whole)), *pages):
        host_file.write_bytes(broken)
        with pytest.raises(HostStateError) as refused:
            HostState.open(host_file)
        require_explained(refused.value, str(host_file), "not replaced", "restore it from a backup")
        assert host_file.read_bytes() == broken
    host_file.write_bytes(whole)
    state = HostState.open(host_file)
    assert [intent.what for intent in state.unsettled(KEY)] == ["a bolus of 25 mcg"] * 3
    state.close()


@pytest.mark.sr("SR-43")
def test_an_emptied_host_state_is_damage_and_not_a_beginning(host_file: Path) -> None:
    HostState.open(host_file).close()
    host_file.write_bytes(b"")
    with pytest.raises(HostStateError) as refused:
        HostState.open(host_file)
    require_explained(refused.value, str(host_file), "it is empty", "restore it from a backup")
    assert host_file.read_bytes() == b""


@pytest.mark.sr("SR-63")
def test_only_its_owner_may_read_the_host_state(host_file: Path) -> None:
    assert host_file.stat().st_mode & 0o777 == 0o600
    assert host_file.parent.stat().st_mode & 0o077 == 0
    host_file.chmod(0o644)  # as a careless copy leaves it
    HostState.open(host_file).close()
    assert host_file.stat().st_mode & 0o777 == 0o600


BEGINNER = """
import sys
from pathlib import Path
from itbpump.hoststate import HostState, PumpKey
state = HostState.open(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    print(state.begin(PumpKey("P4000001", b"\\x01" * 8), 0, 2, bytes(32), b"", "a bolus"), flush=True)
"""


@pytest.mark.sr("SR-43", "SR-44")
def test_two_programs_with_one_host_state_never_use_the_same_command_id(host_file: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", BEGINNER, str(host_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(2)
    ]
    try:
        for program in programs:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
        for program in programs:  # both are at the start line
            assert program.stdin is not None
            program.stdin.write("\n")
            program.stdin.flush()
        taken = [[int(line) for line in program.communicate(timeout=PATIENCE_S)[0].split()] for program in programs]
    finally:
        for program in programs:
            program.kill()
            program.communicate(timeout=PATIENCE_S)
    assert sorted(taken[0] + taken[1]) == list(range(4, 84))
    assert all(ids == sorted(ids) for ids in taken)
    state = HostState.open(host_file)
    assert [intent.cmd_id for intent in state.unsettled(KEY)] == list(range(1, 84))
    state.close()
