"""The same tests say the same of a pump on every rig (in memory, on a pty in real time, over TCP), of a sound one and of a faulty one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALL = '["power-control", "link-faults", "plant-truth", "plant-pulses", "fault-injection", "bench-hands"]'
RIGS = """schema = "itbpump.targets/1"
[rigs.memory]
kind = "memory"
pump = "{pump}"
capabilities = {all}
[rigs.pty-fast]
kind = "process"
pump = "{pump}"
link = "pty"
speed = "600"
capabilities = {all}
[rigs.tcp]
kind = "process"
pump = "{pump}"
link = "tcp"
speed = "manual"
capabilities = {all}
"""
NAMES = ("memory", "pty-fast", "tcp")


def outcomes(folder: Path, pump: str) -> dict[str, dict[str, str]]:
    """By rig: the outcome of each test of `hil/test_rig.py`."""
    targets = folder / "targets.toml"
    targets.write_text(RIGS.format(pump=pump, all=ALL), encoding="utf-8")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "hil/test_rig.py", f"--hil-targets={targets}"]
    words += [f"--hil-report={folder}", *(word for name in NAMES for word in ("--pump", name))]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))} | {"PYTHONPATH": path}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in (0, 1), done.stdout[-3_000:] + done.stderr[-3_000:]
    found: dict[str, dict[str, str]] = {name: {} for name in NAMES}
    for test in json.loads((folder / "record.json").read_text("utf-8"))["tests"]:
        found[test["target"]][test["test"]] = test["outcome"]
    return found


@pytest.mark.slow  # waits on the wall's clock, as hardware does; `make hil` runs it
@pytest.mark.parametrize("firmware", ["", "&firmware=stops-at-commit"])
def test_every_rig_says_the_same(firmware: str, tmp_path: Path) -> None:
    found = outcomes(tmp_path, f"sim://P-40?fill=38mL&seed=1{firmware}")
    assert found["memory"] == found["pty-fast"] == found["tcp"]
    worst = set(found["memory"].values())
    assert ("fail" in worst) == bool(firmware)
    assert "error" not in worst
