"""What messages tell to do, on faces that have no command line: no command is left in any of them, and every task named is one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from itbpump.outcome import DosingBlocked
from itbpump.wording.deeds import Face, commands, on_face
from itbpump.wording.outcomes import BY_HAND, unknown_text
from itbpump.workflow.table import TASKS

SOURCE = Path(__file__).parents[3] / "src" / "itbpump"
FACES: tuple[Face, ...] = ("screen", "plain")
OTHERS = {"cli", "hil", "registry", "alerts", "transport", "examples"}
"""Rooms whose messages only the command line shows: addresses and files of a workbench."""
COMMAND = re.compile(r"itbpump (?:alarm-test|bolus|clock|log|pair|plan|prime|program|reconcile|refill|restore|review|status|stop|titrate)")


def messages() -> list[str]:
    """Every text of the inner rooms that names a command, docstrings left out; parts of an f-string joined."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        if path.relative_to(SOURCE).parts[0] in OTHERS:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        doc = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "sim://P-40" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in doc:
                text = node.value
            else:
                continue
            if COMMAND.search(text) and not text.startswith("`"):
                found.append(text)
    return found


@pytest.mark.parametrize("face", FACES)
def test_no_message_leaves_a_command_on_a_face(face: Face) -> None:
    texts = messages()
    assert len(texts) > 20
    for text in texts:
        said = on_face(text, face)
        assert "itbpump " not in said, text
        assert " --" not in said, text
        assert "URL" not in said, text


def test_every_task_that_is_named_is_in_the_table() -> None:
    titles = {task.title for task in TASKS}
    for command in commands():
        for face in FACES:
            for title in re.findall(r'"([A-Z][^"]+)"', on_face(command, face)):
                assert title in titles, title


@pytest.mark.parametrize("face", FACES)
def test_every_row_of_the_table_is_used_by_itself(face: Face) -> None:
    for command in commands():
        assert on_face(command, face) != command
        assert on_face(f"First. {command} URL --rx RX; then", face).endswith("; then")


def test_a_blocked_order_says_which_key_asks() -> None:
    text = str(DosingBlocked([]))
    assert "itbpump reconcile URL" in text
    assert on_face(text, "screen").endswith("press F6 on the pump's page")
    assert on_face(text, "plain").endswith("choose OUTCOME UNKNOWN on the pump's page")


def test_a_text_without_a_command_stays_as_it_is() -> None:
    for text in ("", "itbpump, plain dialogue", "the pump is an itbpump pump", "saved: itbpump-log.txt"):
        assert on_face(text, "screen") == text


def test_the_words_of_an_unknown_outcome_name_no_command() -> None:
    for face in FACES:
        for text in (unknown_text("a bolus", 7, "the line was lost", "sim://P-40?seed=1"), BY_HAND):
            assert "itbpump" not in on_face(text, face)
