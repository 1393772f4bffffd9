"""What the import contracts cannot see: calls in the core that read a clock, a file or chance without importing a forbidden module.

The list of pure modules is the one of the import contract, so that the two cannot drift apart.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# `datetime` and `importlib.resources` may be imported for their types; these calls of theirs may not be made.
IMPURE_NAMES = {"open", "input", "print", "breakpoint", "exec", "eval", "__import__"}
IMPURE_ATTRIBUTES = {"now", "utcnow", "today", "read_text", "read_bytes", "write_text", "write_bytes", "getenv", "urandom"}

# An object handed in does the reading there, or the package's own constants are read; the file's docstring says so.
HANDED_IN = {
    "src/itbpump/therapy/files.py": "source.read_bytes",
    "src/itbpump/forecast/figures.py": "resources.files('itbpump.forecast').joinpath('figures.toml').read_text",
}


def pure_modules() -> list[str]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    (modules,) = [contract["source_modules"] for contract in contracts if contract["id"] == "pure-core"]
    assert isinstance(modules, list)
    return [str(module) for module in modules]


def files_of(module: str) -> list[Path]:
    base = ROOT / "src" / Path(*module.split("."))
    return sorted(base.rglob("*.py")) if base.is_dir() else [base.with_suffix(".py")]


def impure_calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id=name) if name in IMPURE_NAMES:
                yield node.lineno, name
            case ast.Attribute(attr=name) if name in IMPURE_ATTRIBUTES:
                yield node.lineno, ast.unparse(node.func)


def found_in(files: list[Path]) -> set[tuple[str, str]]:
    """File and call (with its line) of everything impure, but for what `HANDED_IN` allows."""
    found = set()
    for path in files:
        name = path.relative_to(ROOT).as_posix()
        for line, call in impure_calls(ast.parse(path.read_text("utf-8"))):
            if HANDED_IN.get(name) != call:
                found.add((name, f"line {line}: {call}()"))
    return found


@pytest.mark.parametrize("module", pure_modules())
def test_core_makes_no_impure_call(module: str) -> None:
    files = files_of(module)
    assert files
    assert not found_in(files)


@pytest.mark.parametrize(("name", "call"), HANDED_IN.items())
def test_no_exemption_outlives_its_reason(name: str, call: str) -> None:
    assert call in [found for _, found in impure_calls(ast.parse((ROOT / name).read_text("utf-8")))]


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("open('x')", 1),
        ("datetime.datetime.now(tz)", 1),
        ("date.today()", 1),
        ("files('a').joinpath('b').read_text()", 1),
        ("now = link_now_ms + 5", 0),
        ("stream.feed(data)", 0),
    ],
)
def test_impure_calls_are_found(source: str, count: int) -> None:
    assert len(list(impure_calls(ast.parse(source)))) == count
