"""The program against simulated pumps that run as processes of their own: on a real pty and on TCP, killed, cut, contended for."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from itbpump.cli.main import app
from itbpump.cli.process import PumpProcess
from tests.command_line import CliRunner

ROOT = Path(__file__).resolve().parents[2]
FLEX = str(ROOT / "examples" / "flex-weekday-weekend.toml")
pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Told:
    """What the program printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All prose on one line."""
        return " ".join(f"{self.out} {self.err}".split())

    @property
    def data(self) -> dict[str, Any]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


class Program:
    """`itbpump` as a process, with a host state of its own."""

    def __init__(self, home: Path) -> None:
        self.env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "ITBPUMP_HOME": str(home), "XDG_CONFIG_HOME": str(home)}

    def __call__(self, *arguments: str, answers: str = "") -> Told:
        command = [sys.executable, "-m", "itbpump", *arguments]
        done = subprocess.run(command, env=self.env, input=answers, capture_output=True, text=True, timeout=60, check=False)
        assert "Traceback" not in done.stderr
        return Told(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def itbpump(tmp_path: Path) -> Program:
    return Program(tmp_path / "home")


@pytest.fixture
def pump(tmp_path: Path) -> Iterator[PumpProcess]:
    """A fresh pump on a pty, in manual time."""
    with PumpProcess.start(tmp_path, seed=2) as process:
        yield process


@pytest.fixture
def paired(itbpump: Program, pump: PumpProcess) -> PumpProcess:
    told = itbpump("pair", pump.link, "--bench", pump.bench)
    assert told.code == 0, told.err
    return pump


def test_the_way_of_a_dose_over_a_pty(itbpump: Program, paired: PumpProcess) -> None:
    url, bench = paired.link, paired.bench
    assert os.path.realpath(url).startswith("/dev/")
    assert itbpump("program", FLEX, "--pump", url, answers="165.429\n").code == 0
    assert itbpump("bench", bench, "advance", "30h").code == 0
    told = itbpump("bolus", url, "--dose", "25 mcg", "--over", "10m", "--yes", "--no-wait")
    assert told.code == 0, told.err
    assert "single bolus RUNNING: 0 mcg of 25 mcg" in itbpump("status", url).said
    assert "another bolus is under way" in itbpump("bolus", url, "--dose", "5 mcg", "--over", "10m", "--yes").said
    itbpump("bench", bench, "advance", "4m")
    told = itbpump("stop", url, "--bolus", "--json")
    assert (told.code, told.data["bolus"]) == (0, {"state": "aborted", "requested_pulses": 25, "delivered_pulses": 10})
    itbpump("bench", bench, "advance", "77d")
    truth = itbpump("bench", bench, "truth", "--json").data
    needle = itbpump("bench", bench, "refill", "fill_nL=38mL", "--json").data
    assert needle["aspirated_nL"] == truth["reservoir_nL"] - 1_400_000
    drawn = f"{needle['aspirated_nL'] // 100_000 / 10:g} mL"
    told = itbpump("refill", url, "--aspirated", drawn, "--filled", "38 mL", "--yes", "--json")
    assert told.code == 0, told.err
    assert itbpump("status", url, "--json").data["reservoir"]["volume"] == {"value": "39.4", "unit": "mL"}
    assert "single bolus aborted after 10 pulses" in itbpump("log", url).said


def test_a_bolus_followed_over_tcp_in_scaled_time(itbpump: Program) -> None:
    arguments = ["--tcp", "127.0.0.1:0", "--bench", "127.0.0.1:0", "--speed", "1200", "--rx", FLEX, "--seed", "3"]
    with PumpProcess.run(arguments) as pump:
        assert pump.link.startswith("socket://127.0.0.1:")
        assert itbpump("pair", pump.link, "--bench", pump.bench).code == 0
        assert itbpump("status", pump.link, "--json").data["running"] is True
        told = itbpump("bolus", pump.link, "--dose", "10 mcg", "--over", "10m", "--yes", "--json")
        assert (told.code, told.data["bolus"]["delivered_pulses"]) == (0, 10)


def test_progress_is_a_line_on_a_terminal(itbpump: Program) -> None:
    with PumpProcess.run(["--bench", "127.0.0.1:0", "--speed", "1200", "--rx", FLEX, "--seed", "3"]) as pump:
        assert itbpump("pair", pump.link, "--bench", pump.bench).code == 0
        master, slave = pty.openpty()
        command = [sys.executable, "-m", "itbpump", "bolus", pump.link, "--dose", "10 mcg", "--over", "10m", "--yes"]
        done = subprocess.run(
            command, env=itbpump.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave, timeout=60, check=False
        )
        os.close(slave)
        seen = os.read(master, 65_536).decode()
        os.close(master)
    assert done.returncode == 0
    assert "\r0 mcg of 10 mcg, 0 of 10 pulses, running" in seen or "of 10 pulses, running" in seen
    assert "10 of 10 pulses, done" in seen


@pytest.mark.sr("SR-47")
def test_the_state_file_outlives_a_kill(itbpump: Program, paired: PumpProcess, tmp_path: Path) -> None:
    assert itbpump("program", FLEX, "--pump", paired.link, "--yes").code == 0
    before = itbpump("status", paired.link, "--json").data
    paired.process.kill()
    paired.close()
    assert itbpump("status", paired.link).code == 1
    with PumpProcess.start(tmp_path, seed=2) as again:
        after = itbpump("status", again.link, "--json").data
    assert after["running"] is True
    assert after["therapy"] == before["therapy"]
    assert after["pump"]["memory_id"] == before["pump"]["memory_id"]


@pytest.mark.sr("SR-47")
def test_a_cut_state_file_is_refused_and_left_alone(itbpump: Program, paired: PumpProcess, tmp_path: Path) -> None:
    paired.close()
    path = tmp_path / "pump.state"
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(half)
    told = itbpump("sim", "--state", str(path))
    assert told.code == 2
    assert "cut short" in told.said
    assert path.read_bytes() == half


def test_a_second_simulator_on_the_same_state(itbpump: Program, pump: PumpProcess, tmp_path: Path) -> None:
    told = itbpump("sim", "--state", str(tmp_path / "pump.state"))
    assert told.code == 2
    assert "another simulator is using it" in told.said


def test_a_second_programmer_is_told_busy_with_a_time(itbpump: Program, paired: PumpProcess, tmp_path: Path) -> None:
    from itbpump.hoststate import HostState
    from itbpump.pump import connect

    other = Program(tmp_path / "other")
    assert other("pair", paired.link, "--bench", paired.bench).code == 0
    state = HostState.open(tmp_path / "home" / "state.db")
    first = connect(paired.link, state=state)
    first.session.transport.close()  # it goes away without a good-bye: the pump keeps its session
    told = other("status", paired.link)
    assert told.code == 1
    assert "another programmer is in session" in told.said
    assert "try again in" in told.said
    assert itbpump("status", paired.link).code == 0  # the one in session comes back at any time
    state.close()
    assert other("status", paired.link).code == 0


@pytest.mark.sr("SR-62")
def test_a_wrong_key(itbpump: Program, paired: PumpProcess) -> None:
    programmer = itbpump("pair", paired.link, "--bench", paired.bench, "--json").data["programmer"]
    assert itbpump("bench", paired.bench, "pair", programmer, "clinician", "00" * 32).code == 0
    told = itbpump("status", paired.link)
    assert told.code == 1
    assert "another key" in told.said
    assert f"itbpump pair {paired.link}" in told.said


def test_line_and_provisioning_port_of_two_pumps(itbpump: Program, pump: PumpProcess, tmp_path: Path) -> None:
    with PumpProcess.run(["--bench", "127.0.0.1:0", "--speed", "manual", "--seed", "9"]) as other:
        told = itbpump("pair", pump.link, "--bench", other.bench)
    assert told.code == 1
    assert "provisioning port of one pump" in told.said
    assert itbpump("status", pump.link).code == 1


@pytest.mark.sr("SR-64")
def test_the_emergency_role_needs_the_magnet_and_may_only_read_and_stop(itbpump: Program, paired: PumpProcess, tmp_path: Path) -> None:
    assert itbpump("program", FLEX, "--pump", paired.link, "--yes").code == 0
    card = Program(tmp_path / "card")
    assert card("pair", paired.link, "--bench", paired.bench, "--role", "emergency").code == 0
    assert itbpump("status", paired.link, "--json").data["alarms"] == []  # pairing opened no emergency session
    # an hour has three emergency sessions: one for each of the commands below
    assert itbpump("bench", paired.bench, "magnet", "11s").code == 0
    status = card("status", paired.link, "--json")
    assert status.code == 0, status.err
    assert [alarm["id"] for alarm in status.data["alarms"]] == ["emergency-session"]
    assert card("program", FLEX, "--pump", paired.link, "--yes").code == 1
    assert card("stop", paired.link, "--yes").code == 0
    assert itbpump("status", paired.link, "--json").data["run_state"] == "stopped"


# ------------------------------------------------------------------------------------------------ a line that breaks at the worst moment
class CuttingProxy:
    """A TCP line that passes everything, until the pump has answered so often; then it hangs up for good without passing that answer."""

    def __init__(self, upstream: tuple[str, int], answers: int) -> None:
        self._upstream, self._answers = upstream, answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        self._listener.close()
        with client, socket.create_connection(self._upstream) as pump:
            threading.Thread(target=self._pass, args=(client, pump), daemon=True).start()
            frames = 0
            while data := pump.recv(65_536):
                frames += data.count(b"\0") // 2  # a zero before and after each frame, none within
                if frames >= self._answers:
                    break
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _pass(client: socket.socket, pump: socket.socket) -> None:
        try:
            while data := client.recv(65_536):
                pump.sendall(data)
        except OSError:
            return

    def join(self) -> None:
        self._thread.join(timeout=30)


# Answers of the pump to `bolus`: hello, confirm, info, status, configuration, log, others' results, staged, read-back, result.
COMMIT_ANSWER = 10


@pytest.mark.sr("SR-42", "SR-43")
@pytest.mark.parametrize(("answers", "code"), [(COMMIT_ANSWER - 1, 1), (COMMIT_ANSWER, 5)], ids=["before-commit", "at-commit"])
def test_a_line_cut_around_the_commit(itbpump: Program, answers: int, code: int) -> None:
    with PumpProcess.run(["--tcp", "127.0.0.1:0", "--bench", "127.0.0.1:0", "--speed", "manual", "--rx", FLEX, "--seed", "4"]) as pump:
        assert itbpump("pair", pump.link, "--bench", pump.bench).code == 0
        host, port = pump.link.removeprefix("socket://").split(":")
        proxy = CuttingProxy((host, int(port)), answers)
        told = itbpump("bolus", proxy.url, "--dose", "10 mcg", "--over", "10m", "--yes", "--json")
        proxy.join()
        assert told.code == code, told.err
        assert told.data["outcome"] == ("unknown" if code == 5 else "not applied")
        blocked = itbpump("bolus", pump.link, "--dose", "5 mcg", "--over", "10m", "--yes", "--no-wait")
        assert blocked.code == (5 if code == 5 else 0)
        settled = itbpump("reconcile", pump.link, "--json")
        assert settled.code == 0
        assert [answer["outcome"] for answer in settled.data["answers"]] == (["applied"] if code == 5 else [])
        assert itbpump("status", pump.link, "--json").data["bolus"]["requested_pulses"] == (10 if code == 5 else 5)


# ------------------------------------------------------------------------------------------------ usage of sim and bench
def wrong_rx(tmp_path: Path) -> list[str]:
    (tmp_path / "wrong.toml").write_text("schema = 1\n")
    return ["--rx", str(tmp_path / "wrong.toml")]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (lambda _: ["--link", "a", "--tcp", "127.0.0.1:0"], 2),
        (lambda _: ["--speed", "fast"], 2),
        (lambda _: ["--profile", "P-99"], 2),
        (lambda _: ["--fill", "99 mL"], 2),
        (lambda _: ["--fill", "38"], 2),
        (lambda _: ["--profile", "P-20", "--rx", FLEX], 2),
        (wrong_rx, 2),
        (lambda _: ["--tcp", "nowhere"], 2),
        (lambda _: ["--tcp", "7001"], 2),
        (lambda path: ["--state", str(path / "no-folder" / "x.state")], 2),
        (lambda path: ["--link", str(path)], 1),
    ],
)  # fmt: skip
def test_a_simulator_that_cannot_start_says_why(tmp_path: Path, arguments: Callable[[Path], list[str]], code: int) -> None:
    told = CliRunner().invoke(app, ["sim", *arguments(tmp_path)])
    assert told.exit_code == code, told.stderr
    assert "error: " in told.stderr


def test_options_of_a_new_pump_do_not_change_a_stored_one(itbpump: Program, pump: PumpProcess, tmp_path: Path) -> None:
    pump.close()
    told = itbpump("sim", "--state", str(tmp_path / "pump.state"), "--profile", "V-40")
    assert told.code == 2
    assert "holds a P-40" in told.said


@pytest.fixture(scope="module")
def workbench() -> Iterator[str]:
    """The bench of a pump that several tests work at."""
    with PumpProcess.run(["--fill", "38 mL", "--bench", "127.0.0.1:0", "--speed", "manual", "--seed", "5"]) as process:
        yield process.bench


def at(workbench: str, *arguments: str) -> Told:
    """`itbpump bench` in this process: it needs nothing else."""
    told = CliRunner().invoke(app, ["bench", workbench, *arguments])
    return Told(told.exit_code, told.stdout, told.stderr)


def test_the_bench_by_place_and_by_name(workbench: str) -> None:
    before = at(workbench, "time", "--json").data["uptime_ms"]
    assert at(workbench, "advance", "for=1h", "--json").data == {"advanced_ms": 3_600_000, "uptime_ms": before + 3_600_000}
    assert at(workbench, "advance", "1h", "--json").data == {"advanced_ms": 3_600_000, "uptime_ms": before + 7_200_000}
    assert "uptime" in at(workbench, "time").out
    assert "38 mL" in at(workbench, "truth").said
    assert "advance for" in at(workbench, "help").said
    assert at(workbench, "battery", "250", "--json").data == {"battery_permille": 250}
    assert "25 %" in at(workbench, "battery").said
    assert at(workbench, "pulses", "0", "1h", "--json").data == {"pulses": []}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["dance"], 2),
        (["advance"], 2),
        (["advance", "77"], 2),
        (["advance", "77m"], 0),
        (["magnet", "11000"], 0),
        (["refill", "fill_nL=1mL", "concentration_ng_per_mL=2000mcg/mL"], 2),
        (["advance", "1y"], 2),
        (["advance", "1d", "2d"], 2),
        (["truth", "now"], 2),
        (["truth", "x=1"], 2),
        (["refill", "fill_nL=38mL", "fill_nL=1mL"], 2),
        (["refill", "fill_nL=90mL"], 1),
    ],
)  # fmt: skip
def test_mistakes_at_the_bench(workbench: str, arguments: list[str], code: int) -> None:
    assert at(workbench, *arguments).code == code


def test_no_bench_there(tmp_path: Path) -> None:
    assert at(str(tmp_path / "none.sock"), "truth").code == 1
    assert at("not an address://", "truth").code == 2


def test_the_simulator_ends_in_order(itbpump: Program, pump: PumpProcess) -> None:
    assert itbpump("bench", pump.bench, "quit").code == 0
    _, told = pump.process.communicate(timeout=30)
    assert pump.process.returncode == 0
    assert "has ended" in told
    assert not Path(pump.link).is_symlink()
