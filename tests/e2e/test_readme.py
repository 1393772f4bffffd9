"""The tour of README.md, command by command, as a reader would type it."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from itbpump.cli.process import PumpProcess
from tests.e2e.forked import Call, both_ways

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = {"program": "165.429\n", "bolus": "25 mcg\n", "refill": "yes\n", "stop": "STOP\n", "restore": "165.429\n"}
pytestmark = pytest.mark.e2e


def tour() -> list[list[str]]:
    """The commands of the tour, in order."""
    text = (ROOT / "README.md").read_text("utf-8").partition("## Five-minute tour")[2].partition("From Python:")[0]
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line.startswith("itbpump ")]


@both_ways
def test_every_command_of_the_tour_works_in_order(tmp_path: Path, call: Call) -> None:
    commands = tour()
    assert len(commands) > 15
    assert commands[0][1] == "sim"
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "ITBPUMP_HOME": str(tmp_path / ".itbpump")}
    env |= {name: str(tmp_path / name) for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    for name in ("ITBPUMP_REGISTRY", "ITBPUMP_CHANNELS", "ITBPUMP_ALERTS"):
        env.pop(name, None)
    places = [str(tmp_path / word) if word.endswith((".port", ".pump")) else word for word in commands[0][2:]]
    with PumpProcess.run(places):
        for command in commands[1:]:
            done = call(command[1:], tmp_path, env, ANSWERS.get(command[1], ""))
            assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
