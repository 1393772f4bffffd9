"""Mutation testing of the rooms that decide a dose: `python scripts/mutate.py AREA…`, as `make mutate` does.

Each area is mutated by mutmut and judged by its own unit tests, in a copy outside the tree. A mutant that no test notices must stand in
docs/safety/mutants.md with the reason why it changes nothing; else the run ends with 1, as it does for an entry that has become stale.

mutmut leaves decorated functions alone, which here would be every safety rule and every property; so the copy is rewritten first:
`@d def f` becomes `def f` and `f = d(f)`. Not mutated: tables at the top of a module, decorators and their arguments, type annotations,
f-strings.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import libcst as cst

ROOT = Path(__file__).resolve().parents[1]
EXPLAINED = ROOT / "docs" / "safety" / "mutants.md"
COPIED = ("src/itbpump", "src/firmware_sim", "tests", "examples", "docs", "protocols")
# Repeatable, and no shrinking: that an example fails is enough, and the smallest one takes most of the time.
PROFILE = """
from hypothesis import Phase as _Phase
_FAST = [_Phase.explicit, _Phase.generate]
settings.register_profile("mutate", max_examples=25, deadline=None, derandomize=True, database=None, phases=_FAST)
settings.load_profile("mutate")
"""
KEPT_DECORATORS = {"classmethod", "staticmethod", "overload"}  # mutmut handles these itself; an overload has no body
CACHES = {"cache", "lru_cache"}  # dropped: filled before the mutants are forked, they would answer for them
NOTICED = {"killed", "timeout"}  # a mutant that never ends is noticed by whoever waits


@dataclass(frozen=True)
class Area:
    """What is mutated, and the tests that must notice."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]


SAFETY_TESTS = ("tests/unit/safety", "tests/golden")


def _safety(*modules: str) -> tuple[str, ...]:
    return tuple(f"src/itbpump/safety/{module}.py" for module in modules)


AREAS = {
    "quantity": Area(("src/itbpump/quantity/*",), ("tests/unit/quantity",)),
    "schedule": Area(("src/itbpump/schedule.py",), ("tests/unit/schedule",)),
    "safety-doses": Area(_safety("bolus", "bolus_checks", "prime", "refill", "rebase", "overrides", "model", "table"), SAFETY_TESTS),
    "safety-change": Area(_safety("rules_change", "rules_start", "rules_path", "rules_drug", "rules_pump", "rules_present"), SAFETY_TESTS),
    "safety-frame": Area(
        _safety("across", "course", "current", "lately", "context", "review", "expected", "entry_times", "rules_entry", "rules_catheter"),
        SAFETY_TESTS,
    ),
}


@dataclass(frozen=True, order=True)
class Mutant:
    """A change of one function: the line as it was, and as the mutant has it."""

    function: str
    was: str
    becomes: str

    def row(self) -> str:
        return f"| `{self.function}` | `{_cell(self.was)}` | `{_cell(self.becomes)}` |"


# ------------------------------------------------------------------------------------------------ the copy
class Undecorated(cst.CSTTransformer):
    """Applies decorators by assignment after the function, where mutmut does not look at them."""

    def leave_FunctionDef(  # libcst's name
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef | cst.FlattenSentinel[cst.BaseStatement]:
        decorators = [item.decorator for item in updated_node.decorators if _name(item.decorator) not in CACHES]
        plain = updated_node.with_changes(decorators=())
        if any(_name(item) in KEPT_DECORATORS for item in decorators):
            return updated_node
        if not decorators:
            return plain
        wrapped: cst.BaseExpression = cst.Name(updated_node.name.value)
        for decorator in reversed(decorators):
            wrapped = cst.Call(func=decorator, args=[cst.Arg(wrapped)])
        assignment = cst.Assign(targets=[cst.AssignTarget(cst.Name(updated_node.name.value))], value=wrapped)
        return cst.FlattenSentinel([plain, cst.SimpleStatementLine([assignment])])


def _name(decorator: cst.BaseExpression) -> str:
    function = decorator.func if isinstance(decorator, cst.Call) else decorator
    return function.value if isinstance(function, cst.Name) else ""


def make_copy(area: Area, target: Path) -> None:
    """The tree as mutmut needs it: sources without decorators, and a pyproject that names what is mutated and tested."""
    for name in COPIED:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for pattern in area.sources:
        for file in target.glob(pattern):
            if file.suffix == ".py":
                file.write_text(cst.parse_module(file.read_text("utf-8")).visit(Undecorated()).code, "utf-8")
    with (target / "tests" / "conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write(PROFILE)
    settings = {
        "source_paths": ["src"],
        "only_mutate": list(area.sources),
        "also_copy": ["examples", "docs", "protocols"],
        "pytest_add_cli_args": ["-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": list(area.tests),
    }
    table = "\n".join(f"{key} = {value!r}" for key, value in settings.items())
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    (target / "pyproject.toml").write_text(f"{pyproject}\n[tool.mutmut]\n{table}\n", "utf-8")


# ------------------------------------------------------------------------------------------------ running and reading
def mutmut(copy: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "mutmut", *arguments]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"mutmut {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-4_000:]}\n{done.stderr[-4_000:]}")
    return done.stdout


def read_mutants(copy: Path, names: list[str]) -> set[Mutant]:
    """What each mutant changes: the lines of its function that differ from the original's, which stands beside it."""
    by_module: dict[str, list[str]] = {}
    for name in names:
        module, _, function = name.rpartition(".")
        by_module.setdefault(module, []).append(function)
    found = set()
    for module, functions in by_module.items():
        path = copy / "mutants" / "src" / module.replace(".", "/")
        tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text("utf-8"))
        nodes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        for node in nodes.values():
            node.name, node.decorator_list = "_", []
        for function in functions:
            stem = re.sub(r"__mutmut_\d+$", "", function)
            was, becomes = (ast.unparse(nodes[name]).splitlines() for name in (f"{stem}__mutmut_orig", function))
            difference = list(difflib.ndiff(was, becomes))
            removed, added = (" ".join(line[2:].strip() for line in difference if line.startswith(mark)) for mark in "-+")
            plain = stem.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
            found.add(Mutant(f"{module.removeprefix('itbpump.')}.{plain}", removed, added))
    return found


def verdicts(copy: Path) -> dict[str, str]:
    """Name of each mutant and what became of it."""
    found = (line.strip().rpartition(": ") for line in mutmut(copy, "results", "--all", "true").splitlines() if "__mutmut_" in line)
    return {name: verdict for name, _, verdict in found}


def _cell(code: str) -> str:
    return code.replace("|", "\\|")


def explained(text: str) -> set[Mutant]:
    """The mutants of the table in mutants.md: function, was, becomes, why."""
    found = set()
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 4 and cells[0].startswith("`") and cells[3]:
            found.add(Mutant(*(cell[1:-1].replace("\\|", "|") for cell in cells[:3])))
    return found


def run(name: str, area: Area) -> bool:
    """Mutate an area, print its figures and what is open; True when nothing is."""
    with tempfile.TemporaryDirectory(prefix="itbpump-mutate-") as folder:
        copy = Path(folder)
        make_copy(area, copy)
        mutmut(copy, "run", "--max-children", os.environ.get("MUTATE_WORKERS", "1"))
        outcome = verdicts(copy)
        alive = read_mutants(copy, [mutant for mutant, verdict in outcome.items() if verdict not in NOTICED])
    modules = tuple(source.removeprefix("src/itbpump/").removesuffix(".py").removesuffix("/*").replace("/", ".") for source in area.sources)
    known = {mutant for mutant in explained(EXPLAINED.read_text("utf-8")) if mutant.function.startswith(modules)}
    counts = {verdict: list(outcome.values()).count(verdict) for verdict in sorted(set(outcome.values()))}
    print(f"{name}: {len(outcome)} mutants: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}")
    print(f"{name}: {len(alive & known)} of the living explained, {len(alive - known)} open, {len(known - alive)} explained but not alive")
    for title, mutants in (("open", alive - known), ("stale in mutants.md", known - alive)):
        for mutant in sorted(mutants):
            print(f"{title}: {mutant.row()}")
    return bool(outcome) and alive == known


def main() -> int:
    parser = argparse.ArgumentParser(description="Mutation testing of the rooms that decide a dose.")
    parser.add_argument("areas", nargs="*", choices=[*AREAS, []], metavar="AREA", help=f"of {', '.join(AREAS)}; all by default")
    areas = parser.parse_args().areas or list(AREAS)
    clean = [run(name, AREAS[name]) for name in areas]
    return 0 if all(clean) else 1


if __name__ == "__main__":
    sys.exit(main())
