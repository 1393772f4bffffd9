"""What the command line asks of the HIL kit: pumps, seed, files. Raises pytest.UsageError for what makes no sense, before a test runs."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from itbpump.hil.errors import TargetsError
from itbpump.hil.targets import MEMORY, Target, load_targets, target_named

__all__ = ["FILE", "Settings", "add_options", "read_settings", "seed_of_test"]

FILE = "targets.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one run. `report` is the folder for record and report, or None."""

    targets: tuple[Target, ...]
    seed: int
    report: Path | None
    key_file: Path | None


def add_options(parser: pytest.Parser) -> None:
    """The options of the kit."""
    group = parser.getgroup("itbpump-hil", "tests against an intrathecal pump (itbpump.hil)")
    group.addoption(
        "--pump",
        action="append",
        default=[],
        metavar="NAME|URL",
        help="Rig of targets.toml, or a pump's address; repeatable. Default: memory.",
    )
    group.addoption(
        "--hil-targets",
        metavar="FILE",
        help="Rigs, as --hil-targets=FILE. Default: targets.toml beside the tests, else hil/.",
    )
    group.addoption("--hil-seed", type=int, default=0, metavar="N", help="Seed from which each test's own is drawn. Default: 0.")
    group.addoption("--hil-report", metavar="DIR", help="Write record.json and report.html there.")
    group.addoption("--hil-key", metavar="FILE", help="Pairing key for hardware, in place of this computer's own pairings.")


def read_settings(config: pytest.Config) -> Settings:
    """What was asked. Raises pytest.UsageError."""
    try:
        file = _file(config)
        rigs = {MEMORY.name: MEMORY} if file is None else load_targets(file)
        where = "targets.toml (none was found)" if file is None else str(file)
        asked = list(dict.fromkeys(config.getoption("--pump"))) or [MEMORY.name]
        targets = tuple(target_named(name, rigs, where) for name in asked)
    except TargetsError as error:
        raise pytest.UsageError(str(error)) from error
    _require_one_worker(config, targets)
    report, key = config.getoption("--hil-report"), config.getoption("--hil-key")
    if report is not None:
        importlib.import_module("itbpump.hil.report")  # a long run must not end with what could have been told at its begin
    return Settings(
        targets=targets,
        seed=config.getoption("--hil-seed"),
        report=None if report is None else config.invocation_params.dir / report,
        key_file=None if key is None else config.invocation_params.dir / key,
    )


def _file(config: pytest.Config) -> Path | None:
    given: str | None = config.getoption("--hil-targets")
    if given is not None:
        return config.invocation_params.dir / given
    return next((path for path in _places(config) if path.is_file()), None)


def _places(config: pytest.Config) -> Iterator[Path]:
    """Beside the tests that were asked for, then in the project."""
    for argument in config.args:
        path = config.invocation_params.dir / argument.partition("::")[0]
        yield (path if path.is_dir() else path.parent) / FILE
    yield config.rootpath / "hil" / FILE
    yield config.rootpath / FILE


def _require_one_worker(config: pytest.Config, targets: tuple[Target, ...]) -> None:
    workers = config.getoption("numprocesses", None) or 1  # of pytest-xdist, where it is there
    shared = [target.name for target in targets if not target.simulated]
    if workers > 1 and shared:
        raise pytest.UsageError(f"rig {shared[0]} is one pump, and {workers} workers would share it: run it without -n, or with -n 1")


def seed_of_test(run_seed: int, test: str) -> int:
    """A test's own seed, 0 to 2^32 - 1: the same on every rig, and whichever other tests run."""
    return int.from_bytes(hashlib.sha256(f"{run_seed}|{test}".encode()).digest()[:4], "big")
