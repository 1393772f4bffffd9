"""Rules of the repository that no linter knows: the lock, the tracked files, the shape of modules, the names of safety requirements.

Reads files only. "Tracked" means what git would carry: files that are added plus new ones that no ignore rule hides.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "build.in")
GENERATED = Path("src/itbpump/wire/messages")
MODULE_LINES_MAX = 400
TEST_LINES_MAX = 600  # a table of cases may be long
SR_ID = re.compile(r"SR-(0[1-9]|[1-5][0-9]|6[0-4])")
# Homes of people, roots of workplaces, and hosts that packages are fetched from. Written so that this file does not match itself.
MACHINE = re.compile(
    r"(?<![\w.])/(?:home|root|Users|work)/\w|[A-Z]:\\Users\\|\bpypi\.[o]rg|python[h]osted|registry\.npm[j]s|deb\.[d]ebian\.org|extra[-]index-url"
)


@pytest.fixture(scope="module")
def tracked(requires_program: Callable[[str], str]) -> list[Path]:
    listing = subprocess.run(
        [requires_program("git"), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [Path(name) for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]
    assert Path("pyproject.toml") in paths, "git lists another tree than the one under test"
    return paths


@cache
def pyproject() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def table(*keys: str) -> object:
    """The value at a dotted place of pyproject.toml."""
    node: object = pyproject()
    for key in keys:
        assert isinstance(node, dict), f"pyproject.toml has no table above {'.'.join(keys)}"
        node = node[key]
    return node


def strings(*keys: str) -> list[str]:
    found = table(*keys)
    assert isinstance(found, list)
    assert all(isinstance(item, str) for item in found), keys
    return found


def lock_entries() -> list[tuple[Requirement, int]]:
    """Each pinned requirement of the lock with the number of its hashes."""
    text = (ROOT / "requirements.lock").read_text("utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(Requirement(line.split(" --hash=")[0]), line.count("--hash=sha256:")) for line in lines]


def python_files(paths: list[Path], *roots: str) -> list[Path]:
    return [path for path in paths if path.suffix == ".py" and path.parts[0] in roots]


def parse(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text("utf-8"), str(path))


# --- the lock ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOCKS)
def test_lock_files_name_no_address(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    found = re.findall(r"https?:|://|(?m:^\s*--(?!hash))|(?m:^-)| @ ", text)
    assert not found, f"{name} names a place to fetch from: {found}"


@pytest.mark.sr("SR-63")
def test_every_locked_package_is_pinned_and_hashed() -> None:
    entries = lock_entries()
    assert entries
    for requirement, hashes in entries:
        assert [pin.operator for pin in requirement.specifier] == ["=="], f"{requirement.name} is not pinned to one version"
        assert hashes, f"{requirement.name} has no hash"


def wanted() -> Iterator[Requirement]:
    """Everything that the project asks for: to run, to develop, to bench, to build."""
    for spec in strings("project", "dependencies") + strings("dependency-groups", "dev") + strings("dependency-groups", "bench"):
        yield Requirement(spec)
    for spec in strings("build-system", "requires"):
        yield Requirement(spec)
    for line in (ROOT / "build.in").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            yield Requirement(line)


def test_lock_satisfies_pyproject() -> None:
    pins: dict[str, list[Version]] = {}
    for requirement, _ in lock_entries():
        pins.setdefault(canonicalize_name(requirement.name), []).append(Version(next(iter(requirement.specifier)).version))
    for want in wanted():
        versions = pins.get(canonicalize_name(want.name), [])
        assert versions, f"{want.name} is not in requirements.lock: run `make lock`"
        wrong = [str(version) for version in versions if version not in want.specifier]
        assert not wrong, f"requirements.lock has {want.name} {wrong}, pyproject.toml wants {want.specifier}: run `make lock`"


# --- tracked files ----------------------------------------------------------------------------------------------------------------


def test_every_toml_parses(tracked: list[Path]) -> None:
    files = [path for path in tracked if path.suffix == ".toml"]
    assert Path("protocols/itbp1.toml") in files
    for path in files:
        tomllib.loads((ROOT / path).read_text("utf-8"))


def test_tracked_text_names_no_machine_and_no_package_host(tracked: list[Path]) -> None:
    found = []
    for path in tracked:
        try:
            text = (ROOT / path).read_text("utf-8")
        except UnicodeDecodeError:
            continue  # binary
        found += [f"{path}:{number}: {line.strip()[:100]}" for number, line in enumerate(text.splitlines(), 1) if MACHINE.search(line)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("line", "caught"),
    [
        ("see /ho" + "me/ada/pump", True),
        ("https://py" + "pi.org/simple", True),
        ("docs/work/flow", False),
        ("the pump's home/away mode", False),
        ("../shared/design.md", False),
    ],
)
def test_machine_pattern_catches_what_it_should(line: str, caught: bool) -> None:
    assert bool(MACHINE.search(line)) is caught


def test_modules_stay_short(tracked: list[Path]) -> None:
    long = []
    for path in python_files(tracked, "src", "protocols", "scripts", "hil", "tests"):
        lines = len((ROOT / path).read_text("utf-8").splitlines())
        limit = TEST_LINES_MAX if path.parts[0] in ("tests", "hil") else MODULE_LINES_MAX
        if GENERATED not in path.parents and lines > limit:
            long.append(f"{path}: {lines} lines, over {limit}")
    assert not long, "split by what changes together: " + "; ".join(long)


def test_every_module_says_what_it_is_for(tracked: list[Path]) -> None:
    silent = [str(path) for path in python_files(tracked, "src", "protocols", "scripts", "tests") if not ast.get_docstring(parse(path))]
    assert not silent


def test_every_package_folder_is_a_package(tracked: list[Path]) -> None:
    """A folder without `__init__.py` would import in the work tree and vanish from the import contracts."""
    files = python_files(tracked, "src")
    folders = {path.parent for path in files if len(path.parts) > 2}
    assert not sorted(str(folder) for folder in folders if folder / "__init__.py" not in files)


# --- names that must agree --------------------------------------------------------------------------------------------------------


def test_changelog_opens_with_the_version_of_pyproject() -> None:
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert versions, "CHANGELOG.md has no section of the form `## [1.2.3]`"
    assert versions[0] == table("project", "version")


def test_make_targets_of_the_readme_exist() -> None:
    named = set(re.findall(r"(?m)^make ([a-z-]+)", (ROOT / "README.md").read_text("utf-8")))
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8")))
    assert {"demo", "test"} <= named <= targets


def test_files_of_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"\]\(([^)#:]+)\)", text)) | set(re.findall(r"\bexamples/[\w.-]+", text))
    assert named
    assert not [name for name in sorted(named) if not (ROOT / name).exists()]


def sr_arguments(tree: ast.Module) -> Iterator[tuple[int, list[ast.expr]]]:
    """Line and arguments of each use of the `sr` marker; a bare `pytest.mark.sr` has no arguments."""
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "sr" and isinstance(node.value, ast.Attribute) and node.value.attr == "mark":
            call = called.get(id(node))
            yield node.lineno, call.args if call else []


def malformed_sr(tree: ast.Module) -> list[str]:
    wrong = []
    for line, arguments in sr_arguments(tree):
        ids = [node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ast.unparse(node) for node in arguments]
        if not ids or not all(SR_ID.fullmatch(name) for name in ids) or len(set(ids)) != len(ids):
            wrong.append(f"{line}: sr({', '.join(ids)})")
    return wrong


def test_sr_markers_name_safety_requirements_that_exist(tracked: list[Path]) -> None:
    files = python_files(tracked, "tests", "hil")
    assert not [f"{path}:{wrong}" for path in files for wrong in malformed_sr(parse(path))]


@pytest.mark.parametrize(
    ("arguments", "accepted"),
    [
        ('("SR-01")', True),
        ('("SR-41", "SR-64")', True),
        ('("SR-00")', False),
        ('("SR-65")', False),
        ('("SR-1")', False),
        ('("SR-41", "SR-41")', False),
        ("(NAME)", False),
        ("()", False),
        ("", False),
    ],
)
def test_sr_check_refuses_what_is_no_requirement(arguments: str, accepted: bool) -> None:
    source = f"@pytest.mark.sr{arguments}\ndef test_x(): ...\n"
    assert (malformed_sr(ast.parse(source)) == []) is accepted
