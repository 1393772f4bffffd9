"""The screens in docs/tui.md are the ones that stand, and every workflow has one."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from itbpump.tui.keys import keys_of
from itbpump.tui.pages import key_name
from itbpump.workflow.table import TASKS, WALKS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "tui.md").read_text("utf-8")


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tui_shots", ROOT / "scripts" / "tui_shots.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_its_screens_are_the_agreed_ones() -> None:
    script = _script()
    assert len(script.MARK.findall(PAGE)) == PAGE.count("<!-- shot:")
    assert PAGE.count("<!-- shot:") >= 20
    assert script.main(["--check"]) == 0


def test_an_old_screen_is_seen() -> None:
    script = _script()
    old = PAGE.replace("10 mcg over 10 min", "100 mcg over 10 min", 1)
    assert old != PAGE
    assert script.MARK.sub(script.block, old) == PAGE


@pytest.mark.parametrize("entry", [*TASKS, *WALKS], ids=lambda entry: entry.id)
def test_every_workflow_is_named(entry: object) -> None:
    assert str(getattr(entry, "title")) in PAGE  # noqa: B009 -- a task or a checklist


def test_every_key_of_the_program_is_named() -> None:
    for key in keys_of(("app", "pump")):
        assert f"`{key_name(key.keys.split(',')[0])}`" in PAGE, key.id
