"""Which test serves which safety requirement, and how it went: pytest's side of the traceability matrix.

`--sr-report FILE` writes JSON, one entry for each collected test function that bears the `sr` marker:
`{"schema": "itbpump.sr-report/1", "tests": {"tests/unit/x/test_y.py::test_z": {"sr": ["SR-01"], "outcome": "passed"}}}`.
Parametrised cases are folded into their function, so that the file names what was written and not what was generated. An outcome is
`failed` if any case failed (set-up and tear-down count), else `skipped` if any case was skipped, else `passed`; `not run` after
`--collect-only`. Under xdist the controller gathers the workers' reports: the marks travel as a user property of each test.

Not here: what the requirements are, and whether the marks fit them (`scripts/safety_matrix.py`). Durations, dates and machines are left
out on purpose: two runs of the same code write the same file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

__all__ = ["Outcomes", "SrReport", "function_of", "pytest_addoption", "pytest_configure", "requirements_of"]

SCHEMA: Final = "itbpump.sr-report/1"
PROPERTY: Final = "sr"
# The worst of the cases is told.
ORDER: Final = ("not run", "passed", "skipped", "failed")


def function_of(nodeid: str) -> str:
    """The node id without its parameters. Parameters may hold anything, also `::`; paths and names hold no bracket."""
    return nodeid.partition("[")[0]


def requirements_of(item: pytest.Item) -> list[str]:
    """Ids named by all `sr` markers that hold for an item: its own, its class's, its module's, those of its parameters."""
    return sorted({str(name) for mark in item.iter_markers("sr") for name in mark.args})


class Outcomes:
    """Test functions with the requirements they name and the worst outcome of their cases."""

    def __init__(self) -> None:
        self._requirements: dict[str, set[str]] = {}
        self._outcome: dict[str, str] = {}

    def add(self, nodeid: str, requirements: list[str], outcome: str) -> None:
        function = function_of(nodeid)
        self._requirements.setdefault(function, set()).update(requirements)
        self._outcome[function] = max(self._outcome.get(function, "not run"), outcome, key=ORDER.index)

    def json(self) -> str:
        tests = {name: {"sr": sorted(self._requirements[name]), "outcome": self._outcome[name]} for name in sorted(self._requirements)}
        return json.dumps({"schema": SCHEMA, "tests": tests}, indent=1) + "\n"


class SrReport:
    """The plugin of one run. On an xdist worker it only passes the marks on; `path` is then None."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.outcomes = Outcomes()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            named = requirements_of(item)
            if named:
                item.user_properties.append((PROPERTY, named))
                self.outcomes.add(item.nodeid, named, "not run")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for key, value in report.user_properties:
            if key == PROPERTY:
                assert isinstance(value, list)
                self.outcomes.add(report.nodeid, [str(name) for name in value], report.outcome)

    def pytest_sessionfinish(self) -> None:
        if self.path is not None:
            self.path.write_text(self.outcomes.json(), encoding="utf-8")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("safety requirements")
    group.addoption("--sr-report", metavar="FILE", type=Path, help="write which test serves which safety requirement, and its outcome")


def pytest_configure(config: pytest.Config) -> None:
    path: Path | None = config.getoption("--sr-report")
    if path is None:
        return
    worker = hasattr(config, "workerinput")
    config.pluginmanager.register(SrReport(None if worker else path.absolute()), "sr-report")
