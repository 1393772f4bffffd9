"""The main job: `itbpump demo`, with a pump as its own process on a real pty. It passes, cleans up, and can fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from itbpump import packaged
from itbpump.cli import demo
from itbpump.cli.main import app
from itbpump.errors import DataError
from itbpump.wording.layout import WIDTH
from tests.command_line import CliRunner
from tests.unit.cli.ismp import faults

SOURCE = Path(__file__).resolve().parents[2] / "src"
pytestmark = pytest.mark.e2e


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": str(tmp_path), "ITBPUMP_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "itbpump", "demo", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_the_demo_passes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().splitlines()[-1] == "DEMO PASSED: 9 of 9 checks hold."
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
    for said in ("/dev/", "25 mcg of 25 mcg, 25 of 25 pulses, done", "SIMULATED", "not a medical device", "11 weeks"):
        assert said in done.stdout


@pytest.mark.sr("SR-17")
def test_what_it_shows_keeps_the_ismp_rules_and_80_columns(tmp_path: Path) -> None:
    text = run(tmp_path).stdout
    assert list(faults(text)) == []
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []


def test_its_figures_are_data(tmp_path: Path) -> None:
    data: dict[str, Any] = json.loads(run(tmp_path, "--json").stdout)
    assert data["passed"] is True
    assert all(check["holds"] for check in data["checks"])
    assert data["figures"]["bolus_pulses"] == {"asked": 25, "given": 25}
    pulses = data["figures"]["pulses"]
    assert pulses["pump"] == pulses["encoder"]
    # eleven weeks and a day and a half of about 165 mcg a day, at 1 mcg a pulse
    assert 12_800 < pulses["companion"] < 13_200
    assert data["figures"]["refill"]["believed"] != data["figures"]["refill"]["true"]


def test_a_count_that_is_off_fails_the_demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ITBPUMP_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(demo, "_expected_pulses", lambda *_: 7)
    result = CliRunner().invoke(app, ["demo"])
    assert result.exit_code == 1
    assert "DEMO FAILED: 8 of 9 checks hold; not so: pump and companion agree on the pulses, within one" in " ".join(result.stderr.split())


def test_the_example_is_found_or_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert packaged.example().name == packaged.EXAMPLE
    with pytest.raises(DataError, match=r"no-such\.toml is missing"):
        packaged.example("no-such.toml")
