"""The day that docs/registry.md shows, command by command, as a reader would type it."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from tests.e2e.forked import Call, both_ways

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.e2e


def day() -> list[list[str]]:
    text = (ROOT / "docs" / "registry.md").read_text("utf-8").partition("## A day with it")[2]
    found = re.search(r"```sh\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return [shlex.split(line) for line in found[1].splitlines() if line.startswith("itbpump ")]


@pytest.mark.sr("SR-36")
@both_ways
def test_every_command_of_the_day_works_in_order(tmp_path: Path, call: Call) -> None:
    commands = day()
    assert len(commands) > 10
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "ITBPUMP_HOME": str(tmp_path / "home")}
    env |= {name: str(tmp_path / name) for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    env |= {"ITBPUMP_REGISTRY": str(tmp_path / "registry.db")}
    for command in commands:
        done = call(command[1:], tmp_path, env, "")
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
        assert "NOT RECORDED" not in done.stderr
    assert "BEGIN:VEVENT" in (tmp_path / "refills.ics").read_text("utf-8")
