"""`itbpump doctor` and `itbpump config`: every row of their tables does something, says what to do, and changes nothing."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from itbpump.alerts.doctor import ANSWERS
from itbpump.cli import doctoring
from itbpump.cli.configuring import app as config_app
from itbpump.cli.configuring import settings_schema, template
from itbpump.cli.doctoring import CHECKS, EXTRAS, NOTE, OK, WRONG, Machine, Row, examined, rows
from itbpump.cli.guard import GuardedCommand
from itbpump.hoststate import HostState, default_path
from itbpump.workflow.settings import KEYS, parse_settings
from tests.command_line import CliRunner
from tests.unit.alert_channels.samples import NOW

RUNNER = CliRunner()
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of whoever runs the tests is looked at."""
    monkeypatch.setenv("ITBPUMP_HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "xdg"))
    for name in ("ITBPUMP_CONFIG", "ITBPUMP_REGISTRY", "ITBPUMP_CHANNELS", *(setting.variable for setting in KEYS)):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def machine(**changes: Any) -> Machine:
    """A computer on which nothing is wrong."""
    fine = Machine(
        python=(3, 12),
        has=lambda _: True,
        environment={"TERM": "xterm-256color", "ITBPUMP_KEYRING": "off"},
        columns=120,
        lines=40,
        is_terminal=True,
        encoding="utf-8",
        ports=(("/dev/ttyUSB0", True),),
        now=NOW,
        newest_trace=NOW - timedelta(days=1),
        answers={row.id: lambda _: (OK, "fine") for row in rows() if row.asked},
    )
    return replace(fine, **changes)


def state_of(check: str, **changes: Any) -> tuple[str, str]:
    return next(found for row, found in examined(machine(**changes)) if row.id == check)


def bad_host_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    default_path().parent.mkdir(parents=True)
    default_path().write_bytes(b"no database at all, and long enough to be looked at" * 40)
    return {}


def bad_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "c.toml").write_text("[clinic]\nusr = 'x'\n")
    return {"environment": {"ITBPUMP_CONFIG": str(tmp_path / "c.toml")}}


HARMS: dict[str, tuple[str, dict[str, Any] | Callable[[pytest.MonkeyPatch, Path], dict[str, Any]], str]] = {
    "python": (WRONG, {"python": (3, 10)}, "3.10 is too old"),
    "extras": (NOTE, {"has": lambda module: module != "apprise"}, "not installed: notify"),
    "terminal": (NOTE, {"columns": 60}, "60 columns by 40 lines"),
    "colour": (NOTE, {"environment": {"NO_COLOR": "1"}}, "switched off by NO_COLOR"),
    "utf-8": (WRONG, {"encoding": "ascii"}, "ascii"),
    "serial": (WRONG, {"ports": (("/dev/ttyUSB0", False), ("/dev/ttyUSB1", True))}, "no right to /dev/ttyUSB0"),
    "settings": (WRONG, bad_settings, "line 2: clinic.usr"),
    "host-state": (WRONG, bad_host_state, "host state"),
    "keyring": (WRONG, {"environment": {"ITBPUMP_KEYRING": "perhaps"}}, "ITBPUMP_KEYRING=perhaps is no setting"),
    "clock": (WRONG, {"now": NOW - timedelta(days=2)}, "was written at 2026-07-31"),
    "registry": (WRONG, {"answers": {"registry": lambda _: (WRONG, "locked")}}, "locked"),
    "channels": (NOTE, {"answers": {}}, "not looked at from here"),
    "heartbeat": (WRONG, {"answers": {"heartbeat": lambda _: (WRONG, "has never run")}}, "has never run"),
}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_each_check_says_fine_on_a_computer_that_is_and_finds_what_is_not(
    row: Row, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert row.title
    assert row.advice(WRONG)
    assert row.advice(NOTE)
    assert not row.advice(OK)
    if row.id == "host-state":
        assert state_of(row.id)[0] == NOTE
        HostState.open().close()
    assert state_of(row.id)[0] == OK
    if row.id == "host-state":
        default_path().unlink()
        default_path().parent.rmdir()
    word, harm, says = HARMS[row.id]
    changes = harm if isinstance(harm, dict) else harm(monkeypatch, tmp_path)
    found = state_of(row.id, **changes)
    assert found[0] == word
    assert says in found[1]


def test_the_table_and_the_functions_name_the_same_checks_once() -> None:
    names = [row.id for row in rows()]
    assert len(set(names)) == len(names)
    assert set(CHECKS) == {row.id for row in rows() if not row.asked}
    assert set(ANSWERS) == {row.id for row in rows() if row.asked}
    with pytest.raises(AssertionError, match="not asked"):
        doctoring.answer("python", lambda _: (OK, ""))


def test_every_extra_of_the_product_is_looked_at() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(EXTRAS) == set(extras)


def test_a_clock_before_this_program_is_wrong() -> None:
    assert state_of("clock", now=datetime(2025, 12, 31, tzinfo=UTC), newest_trace=None)[0] == WRONG
    assert state_of("serial", ports=())[0] == NOTE
    assert state_of("terminal", is_terminal=False)[0] == OK


def test_an_undocumented_error_is_no_finding() -> None:
    def broken(_: Machine) -> tuple[str, str]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        examined(machine(answers={"registry": broken}))


@pytest.mark.parametrize("wrong", [False, True])
def test_the_command_prints_every_row_and_ends_with_one_if_something_is_wrong(
    monkeypatch: pytest.MonkeyPatch, home: Path, wrong: bool
) -> None:
    app = typer.Typer()
    app.command(cls=GuardedCommand)(doctoring.doctor)
    monkeypatch.setattr(doctoring, "this_machine", lambda: machine(python=(3, 10) if wrong else (3, 12)))
    told = RUNNER.invoke(app, [])
    assert told.exit_code == (1 if wrong else 0)
    assert all(row.title in told.stdout for row in rows())
    # A path that is longer than the line stands alone and runs over.
    assert all(len(line) <= 80 or str(home) in line for line in told.stdout.splitlines())
    form = json.loads(RUNNER.invoke(app, ["--json"]).stdout)
    assert form["wrong"] == int(wrong)
    assert [check["id"] for check in form["checks"]] == [row.id for row in rows()]
    assert all((check["action"] is None) == (check["state"] == OK) for check in form["checks"])


def test_the_computer_that_runs_this_can_be_looked_at(home: Path) -> None:
    found = examined(doctoring.this_machine())
    assert {word for _, (word, _) in found} <= {OK, NOTE, WRONG}
    assert not (home / "home").exists()


# ------------------------------------------------------------------------------------------------ config
def config(*arguments: str) -> Any:
    found = RUNNER.invoke(config_app, list(arguments))
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


def test_every_setting_is_in_the_template_and_in_the_schema_and_its_example_is_taken() -> None:
    assert parse_settings(template(), "config.toml") == {}
    filled = re.sub(r'^# (\w+ = ")', r"\1", template(), flags=re.MULTILINE)
    assert set(parse_settings(filled, "config.toml")) == {setting.name for setting in KEYS}
    properties = settings_schema()["properties"]
    for setting in KEYS:
        table, _, key = setting.key.partition(".")
        form = properties[table]["properties"][key]
        assert form["description"]
        assert form.get("enum", []) == list(setting.answers)
        assert setting.variable in template()


def test_begin_check_and_show(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "own" / "config.toml"
    monkeypatch.setenv("ITBPUMP_CONFIG", str(path))
    assert config("init").exit_code == 0
    again = config("init")
    assert again.exit_code == 1
    assert "stays as it is" in " ".join(again.stderr.split())
    assert config("validate").exit_code == 0
    path.write_text('[clinic]\nuser = "rn-7"\nsecond_person = "always"\n')
    monkeypatch.setenv("ITBPUMP_USER", "dr-1")
    monkeypatch.setenv("ITBPUMP_SECOND_PERSON", "by-rule")
    found = {row["key"]: (row["value"], row["from"]) for row in json.loads(config("show", "--json").stdout)["settings"]}
    assert found["clinic.user"] == ("dr-1", "ITBPUMP_USER")
    assert found["clinic.second_person"] == ("always", str(path))
    assert found["tui.theme"] == ("", "default")
    assert "dr-1" in config("show").stdout


@pytest.mark.parametrize("command", ["validate", "show"])
def test_a_mistake_is_told_with_its_line_and_ends_with_two(home: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    path = home / "config.toml"
    path.write_text("[clinic]\n\nusr = 'x'\n")
    monkeypatch.setenv("ITBPUMP_CONFIG", str(path))
    told = config(command)
    assert told.exit_code == 2
    assert "line 3: clinic.usr: there is no such setting; did you mean clinic.user?" in " ".join(told.stderr.split())
    assert json.loads(config(command, "--json").stdout)["exit_code"] == 2


def test_without_a_file_the_defaults_count_and_a_named_one_must_be_there(home: Path) -> None:
    assert json.loads(config("validate", "--json").stdout) == {
        "file": str(home / "xdg" / "itbpump" / "config.toml"),
        "exists": False,
        "valid": True,
    }
    assert config("validate", str(home / "none.toml")).exit_code == 2
    assert json.loads(config("schema").stdout)["additionalProperties"] is False
