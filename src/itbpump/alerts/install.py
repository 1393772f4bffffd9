"""What makes the alert check run by itself: a systemd timer, a launchd agent, a Windows task, as texts to look at and put in place.

Nothing is installed from here: whose computer it is decides when what runs on it. The check runs every hour, because escalation and
repeated sending go by hours; each run that finds nothing new is cheap. A job begins without the settings of the shell, so what is named
there goes into the text, but for a password: `Scheduler.secret` says where that goes. Not modelled: cron (it does not catch up a missed
run), containers. Pure.
"""

from __future__ import annotations

import plistlib
import subprocess
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree as ET

__all__ = ["MAKERS", "Piece", "Scheduler", "pieces", "schedulers"]

NAME = "itbpump refill alerts"
TASK_NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
_MINUTE = 7
"""Past the hour: not the minute at which everything else of a machine starts."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One file."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Scheduler:
    """One row of `schedulers.toml`."""

    name: str
    words: str
    source: str
    files: tuple[str, ...]
    then: tuple[str, ...]
    secret: str


@cache
def schedulers() -> dict[str, Scheduler]:
    """Every scheduler there is a text for, by name."""
    data = tomllib.loads(files("itbpump.alerts").joinpath("schedulers.toml").read_text("utf-8"))
    return {
        name: Scheduler(name, row["words"], row["source"], tuple(row["files"]), tuple(row["then"]), row["secret"])
        for name, row in data.items()
    }


def pieces(scheduler: Scheduler, program: Sequence[str], options: Sequence[str] = ()) -> tuple[Piece, ...]:
    """The files for a scheduler. `program`: how itbpump is started, with an absolute path; `options`: of the check. ValueError for one
    with a line break."""
    command = [*program, "alerts", "check", "--send", *options]
    if not all(part.isprintable() for part in command):
        raise ValueError("the path of the program, or of a file that it shall read, holds a sign that no scheduler takes")
    return tuple(Piece(path, text) for path, text in zip(scheduler.files, MAKERS[scheduler.name](command), strict=True))


def _systemd(command: Sequence[str]) -> tuple[str, str]:
    service = f"""[Unit]
Description={NAME}
Documentation=man:systemd.service(5)

[Service]
Type=oneshot
ExecStart={" ".join(_for_systemd(part) for part in command)}
# Lines such as ITBPUMP_REGISTRY=…; mode 0600, as it may hold a password.
EnvironmentFile=-%h/.config/itbpump/alerts.env
TimeoutStartSec=30min
"""
    timer = f"""[Unit]
Description={NAME}, every hour

[Timer]
OnCalendar=*-*-* *:{_MINUTE:02d}:00
Persistent=true
RandomizedDelaySec=2min

[Install]
WantedBy=timers.target
"""
    return service, timer


def _for_systemd(part: str) -> str:
    """Quoted where it must be; `%` and `$` would be read as something else."""
    escaped = part.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != part or " " in part or "'" in part or ";" in part or not part else part


def _launchd(command: Sequence[str]) -> tuple[str]:
    form = {
        "Label": "org.itbpump.alerts",
        "ProgramArguments": list(command),
        "StartCalendarInterval": {"Minute": _MINUTE},
        "RunAtLoad": True,
        "ProcessType": "Background",
    }
    return (plistlib.dumps(form).decode(),)


def _windows(command: Sequence[str]) -> tuple[str]:
    ET.register_namespace("", TASK_NAMESPACE)
    task = ET.Element(_tag("Task"), version="1.2")
    _add(task, {"RegistrationInfo": {"Description": NAME}, "Triggers": {"CalendarTrigger": _HOURLY}})
    # The elements of a task stand in the order of its schema.
    _add(task, {"Settings": _SETTINGS})
    actions = ET.SubElement(task, _tag("Actions"))
    _add(actions, {"Exec": {"Command": command[0], "Arguments": subprocess.list2cmdline(command[1:])}})
    ET.indent(task)
    return ('<?xml version="1.0"?>\n' + ET.tostring(task, encoding="unicode") + "\n",)


_HOURLY: Mapping[str, Any] = MappingProxyType(
    {
        "Repetition": {"Interval": "PT1H", "Duration": "P1D"},
        "StartBoundary": f"2026-01-01T00:{_MINUTE:02d}:00",
        "ScheduleByDay": {"DaysInterval": "1"},
    }
)
_SETTINGS: Mapping[str, Any] = MappingProxyType(
    {
        "MultipleInstancesPolicy": "IgnoreNew",
        "DisallowStartIfOnBatteries": "false",
        "StopIfGoingOnBatteries": "false",
        "StartWhenAvailable": "true",
        "ExecutionTimeLimit": "PT30M",
    }
)


def _add(parent: ET.Element, content: Mapping[str, Any]) -> None:
    for name, value in content.items():
        child = ET.SubElement(parent, _tag(name))
        if isinstance(value, str):
            child.text = value
        else:
            _add(child, value)


def _tag(name: str) -> str:
    return f"{{{TASK_NAMESPACE}}}{name}"


MAKERS: Mapping[str, Callable[[Sequence[str]], tuple[str, ...]]] = MappingProxyType(
    {"systemd": _systemd, "launchd": _launchd, "windows": _windows}
)
