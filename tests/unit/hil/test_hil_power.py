"""Power drivers: which words are run, and what a failure says. The programs are small scripts of the test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from itbpump.hil.errors import PowerError, TargetsError
from itbpump.hil.power import Power, driver_of

NOTE = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write(repr(sys.argv[2:]) + '\\n')"


def _fake(tmp_path: Path, code: str = "exit 0") -> Path:
    program = tmp_path / "uhubctl"
    words = tmp_path / "words"
    program.write_text(f'#!/bin/sh\nfor word in "$@"; do printf "%s|" "$word"; done >> "{words}"\necho >> "{words}"\n{code}\n')
    program.chmod(0o755)
    return program


def test_uhubctl_gets_the_port_and_nothing_else(tmp_path: Path) -> None:
    table = {"driver": "uhubctl", "location": "1-1.4", "port": 2, "repeat": 3, "program": str(_fake(tmp_path)), "settle_s": 4}
    driver, settle_s = driver_of("bench", table)
    driver.cut()
    driver.on()
    assert settle_s == 4
    assert (tmp_path / "words").read_text().splitlines() == [
        "--location|1-1.4|--ports|2|--repeat|3|--action|off|",
        "--location|1-1.4|--ports|2|--action|on|",
    ]


def test_words_of_a_command_go_through_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "words"
    nasty = "$(rm -rf x); `id` & 'q'"
    driver, _ = driver_of("bench", {"driver": "command", "cut": [sys.executable, "-c", NOTE, str(out), nasty], "on": ["true"]})
    driver.cut()
    assert out.read_text() == repr([nasty]) + "\n"


def test_failure_says_what_was_run_and_what_it_said(tmp_path: Path) -> None:
    table = {"driver": "uhubctl", "location": "1-1", "port": 1, "program": str(_fake(tmp_path, "echo 'No compatible devices' >&2; exit 1"))}
    driver, _ = driver_of("bench", table)
    with pytest.raises(PowerError, match=r"--action off ended with 1: No compatible devices"):
        driver.cut()


def test_program_that_is_absent_is_told(tmp_path: Path) -> None:
    driver, _ = driver_of("bench", {"driver": "command", "cut": [str(tmp_path / "absent")], "on": ["true"]})
    with pytest.raises(PowerError, match="could not be run"):
        driver.cut()


@pytest.mark.parametrize(
    "table",
    [
        {"driver": "command", "cut": "supply off", "on": ["x"]},
        {"driver": "command", "cut": ["x"]},
        {"driver": "command", "cut": ["x", 2], "on": ["x"]},
        {"driver": "uhubctl", "location": "1-1; reboot", "port": 1},
        {"driver": "uhubctl", "location": "1-1"},
        {"driver": "uhubctl", "location": "1-1", "port": "2"},
        {"driver": "uhubctl", "location": "1-1", "port": 2, "settle_s": -1},
        {"driver": "uhubctl", "location": "1-1", "port": 2, "program": ""},
    ],
)
def test_table_that_makes_no_sense_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(TargetsError):
        driver_of("bench", table)


def test_supply_is_as_it_was_switched() -> None:
    calls: list[str] = []

    class Driver:
        def cut(self) -> None:
            calls.append("cut")

        def on(self) -> None:
            calls.append("on")

    power = Power(Driver(), lambda on: calls.append(f"told {on}"))
    power.cycle()
    assert power.is_on
    assert calls == ["cut", "told False", "on", "told True"]


def test_supply_that_could_not_be_cut_is_not_called_off() -> None:
    class Driver:
        def cut(self) -> None:
            raise PowerError("bench", "the relay sticks", "replace it")

        def on(self) -> None:
            """Nothing."""

    power = Power(Driver(), lambda _: pytest.fail("nothing was switched"))
    with pytest.raises(PowerError):
        power.cut()
    assert power.is_on
