"""A command line to call in process, and simulated pumps that live in a state file between the calls."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine

from tests.command_line import CliRunner

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
FLEX = "flex-weekday-weekend.toml"
MONDAY = datetime(2026, 11, 23, 14, tzinfo=UTC)
"""When the commands begin: what a review asks for depends on the hour."""


@dataclass(frozen=True)
class Told:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All prose on one line: where a screen breaks it is no matter."""
        return " ".join(f"{self.out} {self.err}".split())

    @property
    def data(self) -> dict[str, Any]:
        """Stdout as JSON: it must be nothing else."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


class Cli:
    """Calls `itbpump` in process. Anything but a documented end (SystemExit) is raised."""

    def __init__(self) -> None:
        self._runner = CliRunner()

    def __call__(self, *arguments: str, answers: str = "") -> Told:
        from itbpump.cli.main import app

        result = self._runner.invoke(app, list(arguments), input=answers, prog_name="itbpump")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Told(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """The host's clock, that goes on from there."""
    with time_machine.travel(MONDAY) as traveller:
        yield traveller


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """The command line with a host state of its own, and no clinic's library."""
    monkeypatch.setenv("ITBPUMP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("ITBPUMP_CLINIC_LIBRARY", raising=False)
    return Cli()


@pytest.fixture
def flex() -> str:
    """The example that the demo programs."""
    return str(EXAMPLES / FLEX)


@pytest.fixture
def variant(tmp_path: Path, flex: str) -> Callable[..., str]:
    """The example with texts replaced, as a file of its own."""

    def write(*changes: tuple[str, str], name: str = "variant.toml") -> str:
        text = Path(flex).read_text("utf-8")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return str(path)

    return write


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A pump in a state file, not yet paired."""
    return f"sim://P-40?fill=38mL&seed=1&state={tmp_path / 'pump.state'}"


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `paired` and `running`, each a host state and its pump: made once by the program itself, for every test to begin from."""
    root = tmp_path_factory.mktemp("kept")
    cli, folder = Cli(), root / "made"
    with pytest.MonkeyPatch.context() as patch, time_machine.travel(MONDAY):
        patch.setenv("ITBPUMP_HOME", str(folder / "home"))
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        for name in ("ITBPUMP_CLINIC_LIBRARY", "ITBPUMP_REGISTRY"):
            patch.delenv(name, raising=False)
        place = f"sim://P-40?fill=38mL&seed=1&state={folder / 'pump.state'}"
        commands = {"paired": ["pair", place], "running": ["program", str(EXAMPLES / FLEX), "--pump", place, "--yes"]}
        for name, command in commands.items():
            told = cli(*command)
            assert told.code == 0, told.err
            shutil.copytree(folder, root / name)
    return root


@pytest.fixture
def paired(cli: Cli, url: str, kept: Path, tmp_path: Path) -> str:
    """The same, paired as clinician."""
    shutil.copytree(kept / "paired", tmp_path, dirs_exist_ok=True)
    return url


@pytest.fixture
def running(paired: str, kept: Path, tmp_path: Path) -> str:
    """The same, running the example."""
    shutil.copytree(kept / "running", tmp_path, dirs_exist_ok=True)
    return paired


@pytest.fixture
def advance() -> Callable[[str, int], None]:
    """Let pump time pass in a state file: nobody but a bench could otherwise."""

    def run(url: str, ms: int) -> None:
        from itbpump.transport.sim import SimTransport

        transport = SimTransport.open(url)
        transport.device.advance(ms)
        transport.close()

    return run


def accepting(missing: list[str]) -> list[str]:
    """Options that accept what a review says is missing."""
    words = {line.partition(":")[0]: "acknowledged" if "acknowledged" in line else "monitored" for line in missing}
    return [f"--override={rule}={word}: on the ward" for rule, word in words.items()] + ["--user", "dr-1", "--second", "rn-2"]


@pytest.fixture
def insist(cli: Cli) -> Callable[..., Told]:
    """Run a command, and again with every override it asks for."""

    def run(*arguments: str) -> Told:
        told = cli(*arguments, "--yes", "--json")
        return cli(*arguments, "--yes", "--json", *accepting(told.data["missing"])) if told.code == 3 else told

    return run
