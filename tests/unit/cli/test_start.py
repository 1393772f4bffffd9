"""The short way from the command line to the screen: it reads what typer would read, ends as typer would end, and loads little."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from itbpump import console
from itbpump.console.direct import FOR_TYPER, REGISTRY, Asked, screen_asked
from itbpump.console.program import app
from itbpump.errors import InputError
from itbpump.transport.base import PortAbsentError
from itbpump.tui import command, later
from itbpump.tui.later import Later

SOURCE = Path(__file__).resolve().parents[3] / "src"
HEAVY = (
    "typer",
    "pydantic",
    "msgspec",
    "cryptography",
    "firmware_sim",
    "itbpump.pump",
    "itbpump.therapy",
    "itbpump.report",
    "itbpump.safety",
)
URL = "sim://P-40?rx=a=b.toml&seed=1"

READ = [
    (["tui"], Asked()),
    (["tui", URL], Asked(url=URL)),
    (["tui", "/dev/ttyUSB0"], Asked(url="/dev/ttyUSB0")),
    (["tui", "--demo"], Asked(demo=True)),
    (["tui", "--theme", "itb-light"], Asked(theme="itb-light")),
    (["tui", "--theme=itb-light"], Asked(theme="itb-light")),
    (["tui", "--keymap", "my keys.toml"], Asked(keymap=Path("my keys.toml"))),
    (["tui", "--keymap=a=b.toml", "COM3"], Asked(url="COM3", keymap=Path("a=b.toml"))),
    (["tui", "--theme", "x", "COM3", "--keymap", "k.toml"], Asked(url="COM3", theme="x", keymap=Path("k.toml"))),
    (["tui", "--keymap", "k.toml", "--demo", "--theme", "x"], Asked(demo=True, theme="x", keymap=Path("k.toml"))),
    (["tui", "--theme", "tui", "tui"], Asked(url="tui", theme="tui")),
    (["tui", "--registry", "sqlite:///a.db", "--demo"], Asked(demo=True, registry="sqlite:///a.db")),
]
"""What is read here; typer reads the same."""

LEFT = [
    [],
    ["--version"],
    ["status", URL],
    ["tuis"],
    ["tui", "--help"],
    ["tui", "-h"],
    ["--capture", "a.pcapng", "tui"],
    ["tui", "--plain"],
    ["tui", "--demo", "--plain"],
    ["tui", "--dem"],
    ["tui", "--demo=yes"],
    ["tui", "--demo", "--demo"],
    ["tui", "--theme"],
    ["tui", "--theme="],
    ["tui", "--theme=", "x"],
    ["tui", "--theme", ""],
    ["tui", "--theme", "--demo"],
    ["tui", "--theme", "-x"],
    ["tui", "--theme", "a", "--theme", "b"],
    ["tui", "--keymap"],
    ["tui", "--keymap=--demo"],
    ["tui", "--url", "COM3"],
    ["tui", "--registry"],
    ["tui", "--", "COM3"],
    ["tui", "-"],
    ["tui", ""],
    ["tui", "COM3", "COM4"],
    ["tui", "COM3", "--demo"],
    ["tui", "--demo", "COM3"],
]
"""What is left to typer: help, slips, and what hardly anybody types."""


def by_typer(arguments: list[str], environment: Mapping[str, str] = MappingProxyType({})) -> Asked | None:
    """How typer reads it; None where it opens no screen, or the dialogue in lines."""
    taken: list[Asked] = []

    def opened(url: str, *, plain: bool, **named: Any) -> int:
        if not plain:
            taken.append(Asked(url, **named))
        return 0

    with pytest.MonkeyPatch.context() as patch:
        for name in (*FOR_TYPER, REGISTRY):
            patch.delenv(name, raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(command, "run_screen", opened)
        with pytest.raises(SystemExit):
            app(arguments, prog_name="itbpump")
    return taken[0] if taken else None


@pytest.mark.parametrize(("arguments", "asked"), READ, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_what_is_read_here_typer_reads_the_same(arguments: list[str], asked: Asked) -> None:
    assert screen_asked(arguments, {}, "linux") == asked
    assert by_typer(arguments) == asked


@pytest.mark.parametrize("arguments", LEFT, ids=" ".join)
def test_anything_else_is_left_to_typer(arguments: list[str]) -> None:
    assert screen_asked(arguments, {}, "linux") is None


PIECES = st.sampled_from(
    [
        "--demo",
        "--theme",
        "--theme=",
        "--theme=x",
        "--keymap",
        "--keymap=k",
        "--plain",
        "--",
        "-",
        "-h",
        "-x",
        "x",
        "",
        "COM3",
        URL,
        "--demo=1",
        "--registry",
        "--registry=r",
    ]
)


ENVIRONMENTS = st.dictionaries(st.sampled_from([*FOR_TYPER, REGISTRY, "ITBPUMP_THEME"]), st.sampled_from(["", "0", "1", "x"]), max_size=2)


@given(st.lists(PIECES, max_size=6), ENVIRONMENTS.filter(lambda one: not one.get("_ITBPUMP_COMPLETE")))
def test_no_command_line_is_read_otherwise_than_by_typer(pieces: list[str], environment: dict[str, str]) -> None:
    arguments = ["tui", *pieces]
    asked = screen_asked(arguments, environment, "linux")
    assert asked is None or asked == by_typer(arguments, environment)


def test_every_option_of_the_screen_is_known_here() -> None:
    found: Any = get_command(app)
    taken = found.commands["tui"].params
    assert {one.name for one in taken} - {"help"} == {*Asked._fields, "plain"}
    assert {one.envvar for one in taken if one.envvar} == {"ITBPUMP_PLAIN", REGISTRY}


@pytest.mark.parametrize("variable", ["ITBPUMP_PLAIN", "ITBPUMP_CAPTURE", "ITBPUMP_KEYLOG", "_ITBPUMP_COMPLETE"])
def test_an_environment_that_means_more_is_left_to_typer(variable: str) -> None:
    assert screen_asked(["tui"], {variable: "1"}, "linux") is None
    assert screen_asked(["tui"], {variable: ""}, "linux") == Asked()


def test_what_a_command_line_of_windows_leaves_to_expand_is_left_to_typer() -> None:
    assert screen_asked(["tui", "COM3"], {}, "win32") == Asked(url="COM3")
    for text in ("~/keys.toml", "k*.toml", "%HOME%/k", "$HOME/k"):
        assert screen_asked(["tui", "--keymap", text], {}, "win32") is None


# ---------------------------------------------------------------------------------------------------- how it ends
def ending(capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch, result: Any, arguments: list[str]) -> tuple[Any, str]:
    """Exit code and what was told, of a screen that gives `result` or raises it. Once: not opened again for the sake of the error."""
    opened: list[str] = []

    def screen(url: str, **_given: Any) -> Any:
        opened.append(url)
        if isinstance(result, BaseException):
            raise result
        return result

    patch.setattr(command, "run_screen", screen)
    patch.setattr(sys, "argv", ["itbpump", *arguments])
    with pytest.raises(SystemExit) as end:
        console.run()
    assert len(opened) == 1
    return end.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    "result",
    [0, 3, InputError("the keymap is odd", action="mend it"), PortAbsentError("COM9", "is not there", "plug it in"), KeyboardInterrupt()],
    ids=repr,
)
def test_it_ends_as_it_does_by_typer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, result: Any) -> None:
    here = ending(capsys, monkeypatch, result, ["tui", URL])
    by_its_command = ending(capsys, monkeypatch, result, ["tui", "--", URL])
    assert here == by_its_command
    assert (here[0] == result) if isinstance(result, int) else here[0] in {1, 2, 130}


def test_a_defect_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(url: str, **_given: Any) -> int:
        raise ZeroDivisionError(url)

    monkeypatch.setattr(command, "run_screen", broken)
    monkeypatch.setattr(sys, "argv", ["itbpump", "tui", "COM3"])
    with pytest.raises(ZeroDivisionError, match="COM3"):
        console.run()


# ---------------------------------------------------------------------------------------------------- what is loaded, and when
FRAME = f"""
import asyncio, sys
from itbpump.tui.later import Later
Later.begin = lambda later: None
from itbpump import console
from itbpump.tui import command
from itbpump.tui.app import PumpApp
def run(app):
    async def first_page():
        async with app.run_test() as pilot:
            await pilot.pause()
            assert "Not a medical device" in app.screen.text_of_page()
    asyncio.run(first_page())
PumpApp.run = run
sys.argv = ["itbpump", "tui"]
try: console.run()
finally: print([name for name in {HEAVY!r} if name in sys.modules])
"""


def python(code: str, home: Path) -> str:
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "ITBPUMP_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    for name in ("ITBPUMP_PLAIN", "ITBPUMP_CAPTURE", "ITBPUMP_KEYLOG", "ITBPUMP_CONFIG"):
        env.pop(name, None)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_first_page_stands_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "itbpump").mkdir()
    (tmp_path / "itbpump" / "config.toml").write_text('[tui]\ntheme = "itb-light"\n')
    assert python(FRAME, tmp_path) == "[]"


def test_all_pages_are_loaded_before_a_pump_is_opened(tmp_path: Path) -> None:
    code = (
        "import pkgutil, sys; import itbpump.tui.app; from itbpump.tui import later, screens\n"
        "later.Later(lambda: None).wait()\n"
        "names = [one.name for one in pkgutil.iter_modules(screens.__path__, screens.__name__ + '.')]\n"
        "print(len(names) > 10, [name for name in names if name not in sys.modules])"
    )
    assert python(code, tmp_path) == "True []"


def test_rooms_are_loaded_once_and_whoever_waits_finds_them_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    go, loaded = threading.Event(), []

    def load(name: str) -> None:
        assert go.wait(10)
        loaded.append(name)

    monkeypatch.setattr(later, "import_module", load)
    told: list[int] = []
    one = Later(lambda: told.append(len(loaded)))
    one.begin()
    one.begin()
    assert loaded == []
    go.set()
    one.wait()
    one.wait()
    assert loaded == list(later.ROOMS)
    assert told == [len(later.ROOMS)]


def test_whoever_waits_first_loads_them_here(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    monkeypatch.setattr(later, "import_module", lambda _name: threads.append(threading.current_thread().name))
    one = Later(lambda: None)
    one.wait()
    one.begin()
    assert threads == [threading.current_thread().name] * len(later.ROOMS)


def test_what_loading_raises_is_raised_to_whoever_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(later, "import_module", broken)
    one = Later(lambda: pytest.fail("nothing is loaded"))
    one.begin()
    for _ in range(2):
        with pytest.raises(ImportError, match="reader"):
            one.wait()
