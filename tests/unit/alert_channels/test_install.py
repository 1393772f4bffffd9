"""What makes the check run by itself: each text is read back by what will read it, or by its form."""

from __future__ import annotations

import plistlib
import shlex
import subprocess
from collections.abc import Callable
from configparser import RawConfigParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from itbpump.alerts.install import MAKERS, TASK_NAMESPACE, Scheduler, pieces, schedulers

PROGRAM = ["/opt/itb pump/bin/itb$pump%1"]
COMMAND = [*PROGRAM, "alerts", "check", "--send"]


@pytest.mark.parametrize("scheduler", schedulers().values(), ids=lambda scheduler: scheduler.name)
def test_each_scheduler_has_its_files_its_words_and_what_to_do_then(scheduler: Scheduler) -> None:
    made = pieces(scheduler, PROGRAM)
    assert scheduler.secret
    assert [piece.path for piece in made] == list(scheduler.files)
    assert scheduler.words
    assert scheduler.source
    assert scheduler.then
    assert all(piece.text.endswith("\n") for piece in made)
    assert "PASSWORD" not in "".join(piece.text for piece in made)
    assert scheduler.name in MAKERS
    with pytest.raises(ValueError, match="no scheduler takes"):
        pieces(scheduler, ["/bin/itb\npump"])


def unit(text: str) -> RawConfigParser:
    found = RawConfigParser(strict=True)
    found.optionxform = str  # type: ignore[assignment,method-assign]  # names of systemd keep their case
    found.read_string(text)
    return found


def test_systemd_runs_the_check_every_hour_and_catches_up() -> None:
    service, timer = (unit(piece.text) for piece in pieces(schedulers()["systemd"], PROGRAM))
    assert service["Service"]["Type"] == "oneshot"
    start = service["Service"]["ExecStart"]
    assert [part.replace("%%", "%").replace("$$", "$") for part in shlex.split(start)] == COMMAND
    assert dict(timer["Timer"]) == {"OnCalendar": "*-*-* *:07:00", "Persistent": "true", "RandomizedDelaySec": "2min"}
    assert timer["Install"]["WantedBy"] == "timers.target"


def test_systemd_itself_finds_nothing_wrong(tmp_path: Path, requires_program: Callable[[str], str]) -> None:
    tool = requires_program("systemd-analyze")
    program = tmp_path / "itb pump"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    paths = []
    for piece in pieces(schedulers()["systemd"], [str(program)]):
        path = tmp_path / Path(piece.path).name
        path.write_text(piece.text)
        paths.append(str(path))
    found = subprocess.run([tool, "--user", "verify", "--man=no", *paths], capture_output=True, text=True, timeout=60, check=False)
    assert not [line for line in found.stderr.splitlines() if "itbpump-alerts" in line], found.stderr
    shown = subprocess.run([tool, "calendar", "*-*-* *:07:00"], capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 0


def test_launchd_runs_the_same_command_every_hour() -> None:
    (piece,) = pieces(schedulers()["launchd"], PROGRAM)
    form = plistlib.loads(piece.text.encode())
    assert form["ProgramArguments"] == COMMAND
    assert form["StartCalendarInterval"] == {"Minute": 7}
    assert piece.path.endswith(f"/{form['Label']}.plist")


def test_windows_runs_the_same_command_every_hour_and_catches_up() -> None:
    (piece,) = pieces(schedulers()["windows"], ["C:\\Program Files\\itb pump\\itbpump.exe"])
    task = ET.fromstring(piece.text)
    space = {"t": TASK_NAMESPACE}
    assert task.tag == f"{{{TASK_NAMESPACE}}}Task"
    assert [child.tag.split("}")[1] for child in task] == ["RegistrationInfo", "Triggers", "Settings", "Actions"]
    assert task.findtext("t:Actions/t:Exec/t:Command", None, space) == "C:\\Program Files\\itb pump\\itbpump.exe"
    assert task.findtext("t:Actions/t:Exec/t:Arguments", None, space) == "alerts check --send"
    assert task.findtext("t:Triggers/t:CalendarTrigger/t:Repetition/t:Interval", None, space) == "PT1H"
    assert task.findtext("t:Settings/t:StartWhenAvailable", None, space) == "true"
    python = pieces(schedulers()["windows"], ["C:\\py.exe", "-m", "itb pump"])[0].text
    assert ET.fromstring(python).findtext("t:Actions/t:Exec/t:Arguments", None, space) == '-m "itb pump" alerts check --send'
