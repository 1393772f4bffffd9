"""The plugin as its users run it: pytest as a process of its own, on tests written for the purpose; what it leaves behind is looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from itbpump.hil.model import Outcome, RunRecord, TestRecord
from itbpump.hil.recording import FRAMES_OF_PASSED

ROOT = Path(__file__).parents[3]
# Keeps what the hook is given, as any conftest may.
CONFTEST = """
import msgspec, pathlib

def pytest_hil_run(run, config):
    pathlib.Path("run.json").write_bytes(msgspec.json.encode(run))
"""
# One test of each outcome; they stand in the order in which they must be met.
MARK = "@pytest.mark"
SUITE = '''
import pytest

def test_pass(pump, measure):
    """A test that measures."""
    pump.program(pump.rx())
    measure("flow", pump.status().flow_nL_per_day, "nL/day", lo=100_000, hi=100_000)

@pytest.mark.sr("SR-24", "SR-25")
def test_outside(pump, measure, events):
    measure("first", 5, "nL", hi=4)
    events("between")
    measure("second", 5, "nL", hi=6)
    measure("third", 5, "nL", hi=3)

def test_assertion(pump, measure):
    measure("early", 5, "nL", hi=4)
    assert pump.status().revision == 7

def test_refused(pump):
    pump.bolus("1 mcg", "1m")

def test_timeout(clock):
    clock.until(lambda: False, within="1m", what="godot")

def test_error(plant):
    plant.needle(fill="900 mL")

def test_not_ordered(pump):
    pump.program(pump.rx("40000 mcg/day"))

@pytest.mark.needs("real-hardware")
def test_skipped(pump):
    assert False, "never reached"

@pytest.mark.parametrize("memory", ["memory", "x-y"])
def test_parameters(pump, memory):
    assert pump.target == "memory"

@pytest.fixture
def trouble_afterwards(pump):
    yield
    raise RuntimeError("afterwards")

def test_first_cause(pump, trouble_afterwards):
    assert pump.status().revision == 7

def test_only_afterwards(pump, trouble_afterwards):
    pump.status()

def test_without_a_pump():
    """Not a test of the kit, so in no record."""
'''
OUTCOMES = {
    "test_suite.py::test_pass": Outcome.PASS,
    "test_suite.py::test_outside": Outcome.FAIL,
    "test_suite.py::test_assertion": Outcome.FAIL,
    "test_suite.py::test_refused": Outcome.ERROR,  # the companion itself refuses a bolus without a therapy: nothing said of the pump
    "test_suite.py::test_timeout": Outcome.TIMEOUT,
    "test_suite.py::test_error": Outcome.ERROR,
    "test_suite.py::test_not_ordered": Outcome.FAIL,
    "test_suite.py::test_skipped": Outcome.SKIPPED,
    "test_suite.py::test_parameters[memory]": Outcome.PASS,
    "test_suite.py::test_parameters[x-y]": Outcome.PASS,
    "test_suite.py::test_first_cause": Outcome.FAIL,
    "test_suite.py::test_only_afterwards": Outcome.ERROR,
}


def _pytest(folder: Path, *arguments: str, suite: str = SUITE) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")
    (folder / "test_suite.py").write_text(suite, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-p", "itbpump.hil.plugin", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


def _run(folder: Path) -> RunRecord:
    return msgspec.json.decode((folder / "run.json").read_bytes(), type=RunRecord)


def _by_name(run: RunRecord) -> dict[str, TestRecord]:
    return {record.test: record for record in run.tests}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunRecord, str]:
    folder = tmp_path_factory.mktemp("hil")
    done = _pytest(folder, "--junitxml", "junit.xml", "--hil-seed", "11")
    assert done.returncode == 1, done.stdout + done.stderr
    return folder, _run(folder), done.stdout


def test_each_outcome_is_told_apart(ran: tuple[Path, RunRecord, str]) -> None:
    _, run, told = ran
    assert {name: record.outcome for name, record in _by_name(run).items()} == OUTCOMES
    assert "HIL on memory, seed 11: 3 pass, 4 fail, 3 error, 1 timeout, 1 skipped" in told


def test_failure_names_every_measurement_outside(ran: tuple[Path, RunRecord, str]) -> None:
    records = _by_name(ran[1])
    record = records["test_suite.py::test_outside"]
    assert [(one.name, one.within) for one in record.measurements] == [("first", False), ("second", True), ("third", False)]
    assert "first = 5 nL" in record.cause
    assert "third = 5 nL" in record.cause
    assert "second" not in record.cause
    assert record.requirements == ("SR-24", "SR-25")
    assert "between" in [event.text for event in record.events]
    early = records["test_suite.py::test_assertion"]
    assert "assert 0 == 7" in early.cause
    assert "early = 5 nL" in early.cause


def test_record_holds_log_and_frames(ran: tuple[Path, RunRecord, str]) -> None:
    record = _by_name(ran[1])["test_suite.py::test_pass"]
    assert any("configure" in line for line in record.pump_log)
    assert {frame.to_pump for frame in record.frames} == {True, False}
    assert str(ran[0]) not in msgspec.json.encode(record).decode()
    run = ran[1]
    assert run.versions["firmware of memory"]
    assert run.targets == {"memory": "sim://P-40?fill=38mL"}


def test_junit_has_measurements_target_seed_and_requirements(ran: tuple[Path, RunRecord, str]) -> None:
    folder, run, _ = ran
    cases = {case.get("name"): case for case in ET.parse(folder / "junit.xml").iter("testcase")}
    properties = [(one.get("name"), one.get("value")) for one in cases["test_outside[memory]"].iter("property")]
    assert ("target", "memory") in properties
    assert ("requirement", "SR-24") in properties
    assert ("requirement", "SR-25") in properties
    assert ("outcome", "fail") in properties
    assert ("measurement first", "5 nL, limits - to 4, outside") in properties
    assert ("seed", str(_by_name(run)["test_suite.py::test_outside"].seed)) in properties


def test_equal_seeds_give_equal_records_also_from_two_workers(ran: tuple[Path, RunRecord, str], tmp_path: Path) -> None:
    done = _pytest(tmp_path, "-p", "xdist", "-n", "2", "--hil-seed", "11")
    assert done.returncode == 1, done.stdout + done.stderr
    assert msgspec.json.encode(replace(_run(tmp_path), timing=None)) == msgspec.json.encode(replace(ran[1], timing=None))


def test_frames_of_what_passed_are_few_and_of_what_failed_all(tmp_path: Path) -> None:
    polls = "    for _ in range(40):\n        pump.status()\n"
    bodies = {"passes": polls, "fails": polls + "    assert False\n", "outside": polls + "    measure('x', 1, 'nL', hi=0)\n"}
    suite = "\n".join(f"def test_{name}(pump, measure):\n{body}" for name, body in bodies.items())
    done = _pytest(tmp_path, suite=suite)
    assert done.returncode == 1, done.stdout + done.stderr
    records = _by_name(_run(tmp_path))
    kept = {name: len(records[f"test_suite.py::test_{name}"].frames) for name in bodies}
    assert kept["passes"] == FRAMES_OF_PASSED
    assert kept["fails"] == kept["outside"] > 80, "two for each poll, and the handshake"
    told = records["test_suite.py::test_passes"].events[-1].text
    assert told.startswith(f"{kept['fails'] - FRAMES_OF_PASSED} frames before the last")


def test_another_seed_gives_other_bytes_and_the_same_outcomes(ran: tuple[Path, RunRecord, str], tmp_path: Path) -> None:
    _pytest(tmp_path, "--hil-seed", "12")
    run = _run(tmp_path)
    assert {name: record.outcome for name, record in _by_name(run).items()} == OUTCOMES
    assert [record.frames for record in run.tests] != [record.frames for record in ran[1].tests]


def test_interrupted_run_leaves_its_records(tmp_path: Path) -> None:
    suite = "def test_one(pump):\n    pump.status()\n\ndef test_two(pump):\n    pump.status()\n    raise KeyboardInterrupt\n"
    done = _pytest(tmp_path, suite=suite)
    assert done.returncode == 2, done.stdout + done.stderr
    records = _by_name(_run(tmp_path))
    assert [record.outcome for record in records.values()] == [Outcome.PASS, Outcome.ABORTED]
    assert "interrupted" in records["test_suite.py::test_two"].cause


BREAKING = """
import pytest

def test_before(pump):
    assert pump.status().revision == 0

def test_breaks(pump, clock):
    pump.status()
    pump._station.rig._rack._process.kill()
    clock.advance("1m")

def test_after(pump):
    assert False, "never reached"

def test_after_that(pump):
    assert False, "never reached"
"""


def test_rig_that_broke_stays_broken_with_its_first_cause(tmp_path: Path) -> None:
    targets = 'schema = "itbpump.targets/1"\n[rigs.line]\nkind = "process"\nlink = "pty"\n'
    (tmp_path / "targets.toml").write_text(targets, encoding="utf-8")
    _pytest(tmp_path, "--pump", "line", suite=BREAKING)
    records = list(_run(tmp_path).tests)
    assert [record.outcome for record in records] == [Outcome.PASS, Outcome.ERROR, Outcome.ABORTED, Outcome.ABORTED]
    assert "its bench is gone" in records[1].cause
    assert all("its bench is gone" in record.cause for record in records[2:])


def test_the_same_failure_is_found_on_every_kind_of_line(tmp_path: Path) -> None:
    suite = (
        "def test_volume(pump, clock, plant, measure):\n"
        "    pump.program(pump.rx('1000 mcg/day'))\n"
        "    plant.fault('mechanical.stall')\n"
        "    clock.advance('2h')\n"
        "    measure('given', plant.delivered_nL(), 'nL', lo=35_000)\n"
    )
    kinds = {"pty": ("pty", "manual"), "fast": ("pty", "36000"), "tcp": ("tcp", "manual")}  # two hours at 36,000 times are 0.2 s
    tables = [f'[rigs.{name}]\nkind = "process"\nlink = "{link}"\nspeed = "{speed}"\n' for name, (link, speed) in kinds.items()]
    (tmp_path / "targets.toml").write_text('schema = "itbpump.targets/1"\n' + "".join(tables), encoding="utf-8")
    rigs = ["memory", *kinds]
    _pytest(tmp_path, *[word for rig in rigs for word in ("--pump", rig)], suite=suite)
    records = _run(tmp_path).tests
    assert [(record.target, record.outcome) for record in records] == [(rig, Outcome.FAIL) for rig in rigs]
    assert {record.test for record in records} == {"test_suite.py::test_volume"}
    assert len({record.seed for record in records}) == 1
    assert all(record.cause.startswith("1 outside the limits: given = ") for record in records)


@pytest.mark.parametrize(
    ("arguments", "suite", "told"),
    [
        (("--pump", "memroy"), SUITE, "did you mean memory?"),
        (("--hil-targets", "absent.toml", "--pump", "memory"), SUITE, "cannot be read"),
        ((), f"import pytest\n{MARK}.needs('virtual-tim')\ndef test_x(pump): pass\n", "virtual-tim"),
        ((), f"import pytest\n{MARK}.reset('all')\ndef test_x(pump): pass\n", "give one of none, session, power, new"),
    ],
)
def test_what_makes_no_sense_is_refused_before_a_test_runs(tmp_path: Path, arguments: tuple[str, ...], suite: str, told: str) -> None:
    done = _pytest(tmp_path, *arguments, suite=suite)
    assert done.returncode == 4, done.stdout + done.stderr
    assert told in done.stdout + done.stderr
    assert not (tmp_path / "run.json").exists()


def test_workers_never_share_one_pump_of_metal(tmp_path: Path) -> None:
    done = _pytest(tmp_path, "-p", "xdist", "-n", "2", "--pump", "/dev/no-such-port")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "2 workers would share it" in done.stdout + done.stderr


def test_runs_without_the_kit_are_left_alone(tmp_path: Path) -> None:
    done = _pytest(tmp_path, suite="def test_x():\n    pass\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "HIL" not in done.stdout
    assert not (tmp_path / "run.json").exists()


def test_example_of_the_project_passes(tmp_path: Path) -> None:
    example = ROOT / "examples" / "hil"
    (tmp_path / "targets.toml").write_bytes((example / "targets.toml").read_bytes())
    done = _pytest(tmp_path, "--pump", "simulator", suite=(example / "test_bolus.py").read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "HIL on simulator, seed 0: 3 pass" in done.stdout
