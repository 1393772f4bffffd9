"""Recordings of real lines: a session on a pty runs again, tshark reads what we read, a tap disturbs nobody."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from itbpump.cli.main import app
from itbpump.hoststate import HostState
from itbpump.outcome import Applied
from itbpump.pump import Pump, connect
from itbpump.quantity import Duration, Mass
from itbpump.transport import open_transport
from itbpump.transport.replay import ReplayTransport
from itbpump.wire.capture import Watch, parse_key_log
from itbpump.wire.messages import FIELDS, BolusState, RunState
from itbpump.wire.pcapng import Packet, Way, decode
from tests.command_line import CliRunner
from tests.e2e.process import HOST_CLOCK_S, START, PumpProcess, flex, join, pair
from tests.unit.cli.ismp import faults

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "protocols" / "itbp1.lua"
pytestmark = pytest.mark.e2e


class Visit:
    """A session at a pump on a pty, recorded: a therapy of a week, a day, a bolus, what can be read."""

    def __init__(self, folder: Path) -> None:
        self.recording, self.jsonl, self.keylog = folder / "visit.pcapng", folder / "visit.jsonl", folder / "keys.log"
        self.programmer = HostState.open(folder / "host.db")
        with PumpProcess.start() as process:
            pair(process, self.programmer)
            self.key = self.programmer.pairing(process.serial.encode("ascii"))
            line = open_transport(process.link)
            pump = connect(
                process.link,
                state=self.programmer,
                transport=line,
                host_clock=lambda: HOST_CLOCK_S,
                capture=[self.recording, self.jsonl],
                keylog=self.keylog,
            )
            self.told = visit(pump, lambda: process.do("advance", for_=START))

    @property
    def packets(self) -> tuple[Packet, ...]:
        return decode(self.recording.read_bytes()).sections[0].packets

    def state(self) -> HostState:
        """A host as it was before the visit."""
        assert self.key is not None
        state = HostState.in_memory(lambda _count: self.programmer.programmer_id)
        state.pair(self.key.pump_id, self.key.role, self.key.key)
        return state


def visit(pump: Pump, wait: Callable[[], object]) -> list[object]:
    with pump:
        programmed = pump.program(flex(steps_a_day=24))
        wait()
        bolus = pump.bolus(Mass.parse("25 mcg"), Duration.parse("10m"))
        found: list[object] = [
            pump.info,
            programmed,
            bolus,
            pump.status(),
            pump.configuration(),
            tuple(pump.log()),
            pump.own_results(),
            pump.stop(),
        ]
    assert isinstance(programmed, Applied)
    assert isinstance(bolus, Applied)
    return found


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    return Visit(tmp_path_factory.mktemp("visit"))


def test_a_session_on_a_pty_runs_again_without_the_pump(recorded: Visit) -> None:
    replay = ReplayTransport.open(f"replay:{recorded.recording}")
    assert visit(connect(replay.url, transport=replay, state=recorded.state()), lambda: None) == recorded.told
    assert replay.unsent == 0


def test_json_lines_tell_the_same_as_the_recording(recorded: Visit) -> None:
    lines = [json.loads(line) for line in recorded.jsonl.read_text("utf-8").splitlines()]
    assert lines[0]["recording"].startswith("/dev/")
    assert b"".join(bytes.fromhex(line["data"]) for line in lines[1:]) == b"".join(packet.data for packet in recorded.packets)
    assert {line["message"] for line in lines[1:] if line["data"]} >= {"hello", "Stage", "ReadBack", "Commit", "Result", "LogPage"}


# ------------------------------------------------------------------------------------------------ Wireshark
def tshark(program: str, path: Path, fields: list[str], keylog: Path | None = None) -> list[list[str]]:
    command = [program, "-n", "-X", f"lua_script:{SCRIPT}", "-r", str(path), "-T", "fields", "-E", "aggregator=|"]
    command += ["-o", f"itbp1.keylog:{keylog}"] if keylog is not None else []
    for field in fields:
        command += ["-e", field]
    env = {name: value for name, value in os.environ.items() if name != "ITBPUMP_KEYLOG"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=env)
    assert "Lua" not in done.stderr, done.stderr
    return [line.split("\t") for line in done.stdout.split("\n")[:-1]]


def fields_of(message: msgspec.Struct) -> Iterator[str]:
    """A message as the dissector shows it, worked out from our own decoding."""
    for field in FIELDS[type(message).__name__]:
        value = getattr(message, field.name)
        base = field.type.partition(":")[0]
        if base == "struct":
            yield from fields_of(value)
        elif base == "list":
            for part in value:
                yield from fields_of(part)
        elif base in ("bytes", "blob"):
            yield f"{field.name} = {value.hex()}"
        else:
            text = value.name.lower() if base == "enum" else str(value).lower() if base == "bool" else str(value)
            yield f"{field.name} = {text}" + (f" {field.unit}" if field.unit else "")


def test_wireshark_opens_a_whole_session_with_its_key_log(recorded: Visit, requires_program: Callable[[str], str]) -> None:
    fields = ["itbp1.direction", "itbp1.type", "itbp1.counter", "itbp1.message", "itbp1.re", "itbp1.field", "itbp1.damage"]
    rows = tshark(requires_program("tshark"), recorded.recording, fields, recorded.keylog)
    watch = Watch(logged=parse_key_log(recorded.keylog.read_text("utf-8")))
    opened = 0
    for packet, row in zip(recorded.packets, rows, strict=True):
        expected = ["0" if packet.way is Way.TO_PUMP else "1", "", "", "", "", "", ""]
        for seen in watch.see(packet.way, packet.data):
            assert seen.header is not None
            expected[1:3] = [f"0x{seen.header.rtype:02x}", str(seen.header.counter)]
            if seen.header.sealed:
                assert isinstance(seen.content, msgspec.Struct), seen
                opened += 1
                expected[3:6] = [seen.name, "" if seen.re is None else str(seen.re), "|".join(fields_of(seen.content)).lower()]
        assert [*row[:5], row[5].lower(), row[6]] == expected
    assert opened > 50


@pytest.mark.sr("SR-62")
def test_wireshark_sees_headers_alone_without_or_with_other_keys(
    recorded: Visit, tmp_path: Path, requires_program: Callable[[str], str]
) -> None:
    text = recorded.keylog.read_text("utf-8")
    (entry,) = parse_key_log(text)
    wrong, torn = tmp_path / "wrong.log", tmp_path / "torn.log"
    wrong.write_text(text.replace(entry.k_p2d.hex(), "00" * 16).replace(entry.k_d2p.hex(), "00" * 16))
    torn.write_text(text.replace("k_p2d=", "k_p2d=0").replace("iv_d=", "iv_d="[:3]) + "itbp1-session np=00\n")
    sealed = sum(bool(packet.data) for packet in recorded.packets) - 4
    for keylog in (None, wrong, torn, tmp_path / "absent.log"):
        rows = tshark(requires_program("tshark"), recorded.recording, ["itbp1.sealed", "itbp1.counter", "itbp1.message"], keylog)
        assert sum(bool(row[0]) for row in rows) == sealed
        assert all(row[1] for row in rows if row[0])
        assert not any(row[2] for row in rows)


# ------------------------------------------------------------------------------------------------ the program
def program(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "itbpump", *arguments]
    return subprocess.run(command, env=environment(home), capture_output=True, text=True, timeout=60, check=False)


def environment(home: Path) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if name not in ("ITBPUMP_CAPTURE", "ITBPUMP_KEYLOG")}
    return {**env, "PYTHONPATH": str(ROOT / "src"), "ITBPUMP_HOME": str(home), "XDG_CONFIG_HOME": str(home)}


@contextmanager
def tap(home: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """`itbpump capture` as a process, ready."""
    command = [sys.executable, "-m", "itbpump", "capture", *arguments, "--json"]
    process = subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate(timeout=30)[1]
        yield process, json.loads(line)
    finally:
        process.kill()
        process.communicate(timeout=30)


@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_tap_hands_everything_on_and_records_it(tmp_path: Path, ends: signal.Signals) -> None:
    recording = tmp_path / "tap.pcapng"
    state = HostState.in_memory()
    with PumpProcess.start() as process:
        pair(process, state)
        with tap(tmp_path, process.link, str(recording), "--link", str(tmp_path / "tap.port"), "--jsonl") as (running, told):
            assert told["link"] == str(tmp_path / "tap.port")
            with join(told["link"], state) as pump:
                assert isinstance(pump.program(flex()), Applied)
                process.do("advance", for_=START)
                assert isinstance(pump.bolus(Mass.parse("25 mcg"), Duration.parse("10m")), Applied)
                status = pump.status()
                assert (status.run_state, status.bolus_state) == (RunState.RUNNING, BolusState.RUNNING)
            running.send_signal(ends)
            _, said = running.communicate(timeout=30)
            assert running.returncode == 0, said
            assert "frames went by" in said
    ((section,), torn) = decode(recording.read_bytes())
    assert torn == 0
    names = [seen.name for packet in section.packets for seen in Watch().see(packet.way, packet.data)]
    assert names[:4] == ["hello", "hello_reply", "confirm_programmer", "confirm_pump"]
    assert names.count("sealed") == len(names) - 4 > 20
    assert not (tmp_path / "tap.port").is_symlink()
    assert len((tmp_path / "tap.jsonl").read_text("utf-8").splitlines()) == len(section.packets) + 1


def test_a_tap_ends_by_itself(tmp_path: Path) -> None:
    with PumpProcess.start() as process:
        done = program(tmp_path, "capture", process.link, str(tmp_path / "tap.pcapng"), "--for", "1s")
    assert done.returncode == 0, done.stderr
    assert "0 frames went by" in done.stderr
    assert decode((tmp_path / "tap.pcapng").read_bytes()).sections[0].packets == ()


def test_commands_are_recorded_and_shown(tmp_path: Path) -> None:
    recording, keylog = tmp_path / "visit.pcapng", tmp_path / "keys.log"
    pump = f"sim://P-40?fill=38mL&seed=1&state={tmp_path / 'pump.state'}"
    asked = ["--capture", str(recording), "--keylog", str(keylog)]
    assert program(tmp_path, "pair", pump).returncode == 0
    status = program(tmp_path, *asked, "status", pump)
    assert status.returncode == 0
    assert "Session keys are written to" in status.stderr
    assert program(tmp_path, *asked, "log", pump, "--json").returncode == 0
    shown = program(tmp_path, "replay", str(recording))
    assert shown.returncode == 0, shown.stderr
    assert "Recording 2 of" in shown.stdout
    assert "GetLog #" in shown.stdout
    assert all(len(line) <= 80 for line in shown.stdout.splitlines() if " " in line.strip() and "sim://" not in line)
    assert [*faults(shown.stdout)] == []
    elsewhere = tmp_path / "elsewhere"
    assert "GetLog" not in program(elsewhere, "replay", str(recording)).stdout
    opened = program(elsewhere, "replay", str(recording), "--keylog", str(keylog), "--section", "2", "--json")
    (second,) = json.loads(opened.stdout)["recordings"]
    assert (second["number"], "GetLog" in [frame.get("message") for frame in second["frames"]]) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--capture", "visit.txt", "status", "sim://P-40"), "ends neither in .pcapng nor in .jsonl"),
        (("capture", "sim://P-40", "x.pcapng"), "add &speed=real"),
        (("capture", "/dev/null", "x.txt"), "FILE.pcapng"),
        (("capture", "/dev/null", "x.pcapng", "--for", "soon"), "no time"),
        (("replay", "absent.pcapng"), "No such file"),
        (("replay", str(SCRIPT)), "no pcapng file"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, list(arguments), prog_name="itbpump")
    assert (done.exit_code, type(done.exception)) == (2, SystemExit)
    assert words in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []
