"""The bench command line as docs/faults.md writes it."""

from __future__ import annotations

from firmware_sim.bench import COMMANDS
from itbpump.cli.simulation import _arguments


def test_a_faults_own_arguments_stand_behind_its_name() -> None:
    assert _arguments(COMMANDS["faults"], ["mechanical.slip", "percent=20, for=3h"]) == {
        "inject": "mechanical.slip",
        "with": "percent=20, for=3h",
    }
