"""`itbpump sim --faults`: a simulator of its own that fails by plan, tells what fired, and ends with 1 if a declared fault never did."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_sim.bench_client import BenchClient

PATIENCE_S = 30
HEAD = 'schema = "itbpump.faults/1"\n'
STALL = '[[fault]]\nid = "mechanical.stall"\nwhen = { on = "time", nth = "2h" }\nfor = "1h"\n'
LATE = '[[fault]]\nid = "mechanical.kink"\nwhen = { on = "time", nth = "9d" }\n'
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def simulator(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "itbpump", "sim", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lived(plan: Path, *, days: int) -> tuple[int, str, dict[str, object]]:
    """Run a therapy for so many days in manual time: exit code, what was said, what the bench told of faults before the end."""
    rx = str(EXAMPLES / "continuous.toml")
    process = simulator(
        "--rx", rx, "--seed", "1", "--speed", "manual", "--tcp", "127.0.0.1:0", "--bench", "127.0.0.1:0", "--faults", str(plan), "--json"
    )
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        with BenchClient(ready["bench"]) as bench:
            bench.call("advance", **{"for": f"{days}d"})
            told = bench.call("faults")
            bench.call("quit")
        _, said = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait(PATIENCE_S)
    return process.returncode, said, told


@pytest.mark.e2e
def test_all_planned_faults_fired(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(HEAD + STALL, "utf-8")
    code, said, told = lived(plan, days=3)
    assert code == 0
    assert told["fired"] == [{"fault": 1, "id": "mechanical.stall", "at_ms": 7_200_000, "on": "time"}]
    assert "fault 1  mechanical.stall  at 2 h" in said
    assert "The planned fault has happened, 1 time in all" in said


@pytest.mark.e2e
def test_a_fault_that_never_fired_ends_it_with_1(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(HEAD + STALL + LATE, "utf-8")
    code, said, _ = lived(plan, days=3)
    assert code == 1
    assert "never fired: fault 2: mechanical.kink" in said


@pytest.mark.e2e
def test_a_plan_that_cannot_be_is_a_usage_error(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(HEAD + STALL.replace("stall", "stal"), "utf-8")
    process = simulator("--faults", str(plan), "--tcp", "127.0.0.1:0")
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "did you mean 'mechanical.stall'" in " ".join(said.split())
