"""The program as a whole: version, help, lazy loading, completion, and the one table of exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.bench import BenchError
from firmware_sim.endpoints.device import EndpointError
from firmware_sim.state_file import StateFileError
from itbpump.cli.guard import CommandError, exit_code
from itbpump.errors import ConfigurationError, LibraryError, PrescriptionError, QuantityError
from itbpump.hoststate import HostStateError
from itbpump.link.errors import NoReply, NotPaired, PumpBusy, PumpRefused
from itbpump.link.transaction import CommandFailed
from itbpump.outcome import DosingBlocked
from itbpump.refill import RefillError
from itbpump.safety import OverrideError
from itbpump.transport.base import BadUrlError, PortAbsentError, SimulatorError
from itbpump.wire.messages import BolusState, CommandKind, CommandResult, Error, ErrorCode, LimitCode, Outcome

SOURCE = Path(__file__).resolve().parents[3] / "src"
HEAVY = ("textual", "sqlalchemy", "pydantic", "serial", "cryptography", "firmware_sim", "msgspec")
COMMANDS = [
    "demo",
    "sim",
    "bench",
    "pair",
    "status",
    "review",
    "program",
    "restore",
    "bolus",
    "prime",
    "stop",
    "refill",
    "forecast",
    "log",
    "reconcile",
    "clock",
    "alarm-test",
    "capture",
    "replay",
    "schema",
    "plan titrate",
    "plan taper",
    "plan convert",
]


def python(code: str, **extra: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(SOURCE), **extra}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60, check=False)


def test_version_says_what_this_is_not_and_loads_nothing_heavy() -> None:
    done = python(
        "import sys; sys.argv = ['itbpump', '--version']\n"
        "from itbpump.cli.main import run\n"
        "try: run()\n"
        f"finally: print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[1] == "not a medical device: a research and engineering tool"
    assert done.stdout.startswith("itbpump ")
    assert done.stderr.strip() == "[]"


def test_a_real_pumps_command_never_loads_the_simulator(tmp_path: Path) -> None:
    done = python(
        "import sys; sys.argv = ['itbpump', 'status', '/dev/no-such-port']\n"
        "from itbpump.cli.main import run\n"
        "try: run()\n"
        "finally: print('firmware_sim' in sys.modules)",
        ITBPUMP_HOME=str(tmp_path),
    )
    assert done.stdout.strip() == "False"


def test_every_command_has_help_and_json(cli: Any) -> None:
    told = cli("--help")
    assert told.code == 0
    for command in COMMANDS:
        words = command.split()
        assert f"  {words[0]} " in told.out
        help_of = cli(*words, "--help")
        assert help_of.code == 0
        assert "--json" in help_of.out


def test_shell_completion_offers_commands_and_options() -> None:
    code = "import sys; sys.argv = ['itbpump']\nfrom itbpump.cli.main import run\nrun()"
    done = python(code, _ITBPUMP_COMPLETE="complete_bash", COMP_WORDS="itbpump re", COMP_CWORD="1")
    assert done.stdout.split() == ["review", "restore", "refill", "reconcile", "replay"]
    values = {
        "itbpump sim --profile ": {"P-20", "P-40", "V-20", "V-40"},
        "itbpump bolus /dev/pump --indication ": {"spinal", "cerebral", "pain"},
        "itbpump log /dev/pump --kind ": {"therapy", "alarm", "session", "pump", "stop", "alarm-raised"},
        "itbpump pair /dev/pump --role ": {"clinician", "observer", "emergency"},
    }
    for typed, offered in values.items():
        done = python(code, _ITBPUMP_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(len(typed.split())))
        assert offered <= set(done.stdout.split()), done.stdout
    done = python(code, _ITBPUMP_COMPLETE="complete_bash", COMP_WORDS="itbpump status --j", COMP_CWORD="2")
    assert "--json" in done.stdout
    done = python(code, _ITBPUMP_COMPLETE="source_bash")
    assert "_ITBPUMP_COMPLETE=complete_bash" in done.stdout


def refused(code: ErrorCode, detail: int = 0) -> PumpRefused:
    return PumpRefused(Error(code=code, detail=detail, cmd_id=1))


def failed(code: ErrorCode, detail: int) -> CommandFailed:
    return CommandFailed(
        CommandResult(
            programmer=bytes(8), cmd_id=1, kind=CommandKind.BOLUS, outcome=Outcome.REFUSED, error=code, error_detail=detail,
            digest=bytes(32),
            revision=1, uptime_ms=0, requested_pulses=0, delivered_pulses=0, doubt_pulses=0, bolus_state=BolusState.IDLE, confirmed=False,
        )
    )  # fmt: skip


def wrapped(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


CODES: list[tuple[BaseException, int | None]] = [
    (CommandError("text"), 1),
    (CommandError("text", 4), 4),
    (QuantityError(".5", "text"), 2),
    (PrescriptionError(("problem",)), 2),
    (OverrideError("text"), 2),
    (ConfigurationError("program it first"), 1),
    (ConfigurationError("other drug", rule="label"), 4),
    (LibraryError("looser than the library"), 2),
    (RefillError("too much"), 4),
    (DosingBlocked([]), 5),
    (HostStateError("state.db", "damaged"), 1),
    (NotPaired(None), 1),
    (PumpBusy(60), 1),
    (NoReply("GetInfo", 10_000, 4), 1),
    (refused(ErrorCode.LIMIT, LimitCode.FLOW_MAX), 4),
    (refused(ErrorCode.WRONG_STATE), 1),
    (failed(ErrorCode.LIMIT, LimitCode.BOLUS_MASS), 4),
    (failed(ErrorCode.STALE_REVISION, 3), 1),
    (BadUrlError("x:y", "no address", "write one"), 2),
    (PortAbsentError("/dev/x", "absent", "plug it in"), 1),
    (SimulatorError("sim://", "text", "action"), 1),
    (wrapped(SimulatorError("sim://", "cut", "restore"), StateFileError(None, "cut", "restore")), 2),
    (StateFileError(None, "cut short", "restore"), 2),
    (EndpointError("taken", "free it"), 1),
    (wrapped(EndpointError("no such model", "name another"), ValueError("P-99")), 2),
    (BenchError("unknown", kind="bad-command"), 2),
    (BenchError("not there", kind="connection"), 1),
    (ZeroDivisionError(), None),
    (KeyError("defect"), None),
]


@pytest.mark.parametrize(
    ("error", "code"), CODES, ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value)
)
def test_exit_codes(error: BaseException, code: int | None) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize("command", ["no-such-command", "--no-such-option"])
def test_usage_errors_end_with_2(cli: Any, command: str) -> None:
    assert cli(command).code == 2


def test_advice_names_the_address_that_was_given(cli: Any, url: str) -> None:
    told = cli("status", url)
    assert told.code == 1
    assert f"itbpump pair {url}" in told.said


def test_an_error_is_data_too(cli: Any, url: str) -> None:
    told = cli("status", url, "--json")
    assert (told.code, told.data["exit_code"], told.data["error"]["kind"]) == (1, 1, "NotPaired")
