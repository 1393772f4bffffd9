"""`itbpump doctor`: is this computer fit for the work? One row a check: what was looked at, how it is, what to do about it.

Three words: `ok`, `note` (something is not there that not everybody needs), `WRONG` (something does not work); the last ends with 1. A
check looks at `Machine`, which is all that is known of the computer, so that each can be tried without such a computer. Checks of rooms
that a face may not import are answered through `answer`, by the program. Changes nothing. Not here: pumps (`itbpump status`).
"""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from itbpump.cli.guard import FAILED, Output
from itbpump.errors import ItbPumpError
from itbpump.wording.layout import wrapped

__all__ = ["CHECKS", "EXTRAS", "NOTE", "OK", "WRONG", "Found", "Machine", "Row", "answer", "doctor", "examined", "rows", "this_machine"]

OK, NOTE, WRONG = "ok", "note", "WRONG"
Found = tuple[str, str]
"""How it is: one of the three words, and what was found."""
Answer = Callable[["Machine"], Found | tuple[str, str, str]]
"""Third: what to do about it, where the row's own words do not fit what was found."""
EXTRAS: Mapping[str, str] = {
    "fhir": "fhir.resources",
    "fleet": "numpy",
    "hil": "pytest",
    "keyring": "keyring",
    "notify": "apprise",
    "postgres": "psycopg",
    "report": "reportlab",
}
"""Extra of the product → the module it brings."""
_OLDEST_CLOCK = datetime(2026, 1, 1, tzinfo=UTC)
"""No copy of this program is older: a clock before it is wrong."""
_COLUMNS, _LINES = 80, 24
_OLDEST_PYTHON = (3, 11)
_INSET = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One row of `doctor.toml`."""

    id: str
    title: str
    action: str
    note: str
    asked: bool = False

    def advice(self, word: str) -> str:
        """What to do about a finding; empty where all is well."""
        return {OK: "", NOTE: self.note, WRONG: self.action}[word]


@dataclass(frozen=True, slots=True)
class Machine:
    """What is known of the computer. `ports`: device and whether this account may read and write it. `newest_trace`: when the newest file
    of ours was written, which no clock should lie before.
    """

    python: tuple[int, int]
    has: Callable[[str], bool]
    environment: Mapping[str, str]
    columns: int
    lines: int
    is_terminal: bool
    encoding: str
    ports: tuple[tuple[str, bool], ...]
    now: datetime
    newest_trace: datetime | None
    answers: Mapping[str, Answer] = field(default_factory=dict)


@cache
def rows() -> tuple[Row, ...]:
    """Every check there is."""
    data = tomllib.loads(files("itbpump.cli").joinpath("doctor.toml").read_text("utf-8"))
    return tuple(
        Row(row["id"], row["title"], row["action"], row.get("note", row["action"]), row.get("asked", False)) for row in data["check"]
    )


_ANSWERS: dict[str, Answer] = {}


def answer(check: str, function: Answer) -> None:
    """Let another room answer a check. AssertionError for one that is not asked."""
    if check not in {row.id for row in rows() if row.asked}:
        raise AssertionError(f"{check} is not asked of another room")
    _ANSWERS[check] = function


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False) -> None:
    """Look at this computer: Python, terminal, ports, keys, registry, alerts. Changes nothing; ends with 1 if something is wrong."""
    out = Output(as_json)
    results = examined(this_machine())
    wrong = sum(word == WRONG for _, (word, _) in results)
    checks = [
        {"id": row.id, "title": row.title, "state": word, "found": text, "action": row.advice(word) or None}
        for row, (word, text) in results
    ]
    out.data({"wrong": wrong, "checks": checks})
    if not as_json:
        for row, (word, text) in results:
            out.say(*wrapped(f"{word:<6}{row.title}: {text}", hanging=_INSET))
            if word != OK:
                out.say(*wrapped(" " * _INSET + row.advice(word), hanging=_INSET))
        out.say("", f"{wrong} of {len(results)} checks found something wrong." if wrong else "Nothing is wrong.")
    if wrong:
        raise typer.Exit(FAILED)


def examined(machine: Machine) -> list[tuple[Row, Found]]:
    """Every check, in the order of the table; a row's advice is that of what was found. An error on purpose is what a check found, and
    says what to do; any other is a defect and is raised."""
    return [_examined(row, machine) for row in rows()]


def _examined(row: Row, machine: Machine) -> tuple[Row, Found]:
    check = machine.answers.get(row.id, _not_asked) if row.asked else CHECKS[row.id]
    try:
        word, text, *advice = check(machine)
    except OSError as error:
        return row, (WRONG, str(error))
    except ItbPumpError as error:
        word, text, advice = WRONG, str(error).removesuffix(f"; {error.action}"), [error.action] if error.action else []
    return (replace(row, action=advice[0], note=advice[0]) if advice else row), (word, text)


def this_machine() -> Machine:
    """The computer this runs on, now."""
    size = shutil.get_terminal_size((0, 0))
    return Machine(
        python=sys.version_info[:2],
        has=_is_installed,
        environment=os.environ,
        columns=size.columns,
        lines=size.lines,
        is_terminal=sys.stdout.isatty(),
        encoding=getattr(sys.stdout, "encoding", "") or "",
        ports=_ports(),
        now=datetime.now().astimezone(),
        newest_trace=_newest_trace(),
        answers=_ANSWERS,
    )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a dotted name, when already the first part is missing
        return False


def _ports() -> tuple[tuple[str, bool], ...]:
    from serial.tools.list_ports import comports

    names = sorted(port.device for port in comports())
    return tuple((name, sys.platform == "win32" or os.access(name, os.R_OK | os.W_OK)) for name in names)


def _newest_trace() -> datetime | None:
    """When host state or program were last written."""
    from itbpump import hoststate

    times = [path.stat().st_mtime for path in (hoststate.default_path(), Path(__file__)) if path.exists()]
    return datetime.fromtimestamp(max(times), UTC) if times else None


# ------------------------------------------------------------------------------------------------ the checks
def _python(machine: Machine) -> Found:
    version = ".".join(map(str, machine.python))
    return (OK, version) if machine.python >= _OLDEST_PYTHON else (WRONG, f"{version} is too old")


def _extras(machine: Machine) -> Found:
    there = [name for name, module in EXTRAS.items() if machine.has(module)]
    missing = [name for name in EXTRAS if name not in there]
    if not missing:
        return OK, f"all installed: {', '.join(there)}"
    return NOTE, f"installed: {', '.join(there) or 'none'}; not installed: {', '.join(missing)}"


def _terminal(machine: Machine) -> Found:
    if not machine.is_terminal:
        return OK, "not looked at: this does not go to a terminal"
    text = f"{machine.columns} columns by {machine.lines} lines"
    return (OK if machine.columns >= _COLUMNS and machine.lines >= _LINES else NOTE), text


def _colour(machine: Machine) -> Found:
    if machine.environment.get("NO_COLOR"):
        return NOTE, "switched off by NO_COLOR"
    term = machine.environment.get("TERM", "")
    if machine.is_terminal and term in {"", "dumb"} and not machine.environment.get("WT_SESSION"):
        return NOTE, f"this terminal ({term or 'TERM is not set'}) has none"
    return OK, machine.environment.get("COLORTERM") or term or "by the system"


def _utf8(machine: Machine) -> Found:
    name = machine.encoding.lower().replace("-", "").replace("_", "")
    return (
        (OK, machine.encoding) if name in {"utf8", "utf8sig"} else (WRONG, f"{machine.encoding or 'unknown'}: signs such as − would break")
    )


def _serial(machine: Machine) -> Found:
    shut = [name for name, may in machine.ports if not may]
    if not machine.ports:
        return NOTE, "none found: no cable, or no driver; a simulated pump needs none"
    if shut:
        return WRONG, f"no right to {', '.join(shut)}"
    return OK, ", ".join(name for name, _ in machine.ports)


def _settings(machine: Machine) -> Found:
    from itbpump.workflow.settings import CONFIG, default_path, load_settings

    load_settings(environment=machine.environment)
    path = machine.environment.get(CONFIG) or str(default_path())
    return OK, f"{path}{'' if Path(path).exists() else ' is not there; the defaults count'}"


def _host_state(machine: Machine) -> Found:
    from itbpump import hoststate
    from itbpump.keyvault import KeyringChoice

    path = hoststate.default_path()
    if not path.exists():
        return NOTE, f"{path} is not there yet; it is made with the first pairing"
    # By its path: the keyring is a check of its own.
    state = hoststate.HostState.open(path, keyring=KeyringChoice.OFF)
    try:
        recent = len(state.recent())
    finally:
        state.close()
    may_write = os.access(path, os.W_OK)
    return (OK if may_write else WRONG), f"{path}, {recent} recent pumps{'' if may_write else ', but it cannot be written'}"


def _keyring(machine: Machine) -> Found:
    from itbpump.keyvault import KeyringChoice, chosen, system_vault

    choice = chosen(machine.environment)
    if choice is KeyringChoice.OFF:
        return OK, "off by ITBPUMP_KEYRING; keys lie in the host state"
    if system_vault(choice) is None:
        return NOTE, "this system has none that keeps a secret; keys lie in the host state"
    return OK, "the system's own"


def _clock(machine: Machine) -> Found:
    floor = max(_OLDEST_CLOCK, machine.newest_trace or _OLDEST_CLOCK)
    shown = f"{machine.now:%Y-%m-%d %H:%M %z}"
    if machine.now < floor:
        return WRONG, f"it says {shown}, but something of this program was written at {floor:%Y-%m-%d %H:%M %z}"
    return OK, shown


def _not_asked(machine: Machine) -> Found:
    return NOTE, "not looked at from here"


CHECKS: Mapping[str, Answer] = {
    "python": _python,
    "extras": _extras,
    "terminal": _terminal,
    "colour": _colour,
    "utf-8": _utf8,
    "serial": _serial,
    "settings": _settings,
    "host-state": _host_state,
    "keyring": _keyring,
    "clock": _clock,
}
"""One function for each row that is not asked of another room."""
