"""Runs of the HIL suites on pumps with another firmware, each in a process of its own; and the table of which test finds which defect.

`python -m tests.system.hil_defect_runs` prints that table as Markdown, with every related test that finds each (a minute or two).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from firmware_sim.defects import defects
from itbpump.hil.model import Outcome

ROOT = Path(__file__).parents[2]
Outcomes = dict[str, dict[str, str]]
"""By pump: outcome of each of its tests."""


def pump_of(firmware: str) -> str:
    """The address of a pump with this firmware; `minor=1` for an older one."""
    return "sim://P-40?fill=38mL&seed=1&" + (firmware if "=" in firmware else f"firmware={firmware}")


def run_suites(
    firmwares: Iterable[str], *suites: str, all_related: bool = False, only: Iterable[str] | None = None, timeout_s: int = 1_800
) -> Outcomes:
    """Outcomes by firmware, as asked for. Raises RuntimeError when pytest itself fails, whatever the tests do."""
    firmwares = list(firmwares)
    with tempfile.TemporaryDirectory() as folder:
        found, chosen = Path(folder, "found.json"), Path(folder, "only.json")
        words = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "tests.system.hil_finder",
            "--tb=line",
            "--no-header",
        ]
        words += ["--found-by", str(found), *(suites or ("hil",))]
        words += ["--all-related"] if all_related else []
        if only is not None:
            chosen.write_text(json.dumps(sorted(only)), encoding="utf-8")
            words += ["--only", str(chosen)]
        for firmware in firmwares:
            words += ["--pump", pump_of(firmware)]
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT), *filter(None, sys.path)])
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))} | {"PYTHONPATH": path}
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False)
        if done.returncode not in (0, 1) or not found.exists():
            raise RuntimeError(f"pytest ended with {done.returncode}:\n{done.stdout[-3_000:]}\n{done.stderr[-3_000:]}")
        outcomes: Outcomes = json.loads(found.read_text(encoding="utf-8"))
    return {firmware: outcomes.get(pump_of(firmware), {}) for firmware in firmwares}


def failing(outcomes: dict[str, str]) -> list[str]:
    """Tests that say of the pump that it errs: neither errors nor what came too late."""
    return [test for test, outcome in outcomes.items() if outcome == Outcome.FAIL]


def not_passed(outcomes: dict[str, str]) -> dict[str, str]:
    """Tests that did not pass, and were not skipped for what the rig lacks."""
    return {test: outcome for test, outcome in outcomes.items() if outcome not in (Outcome.PASS, Outcome.SKIPPED)}


def table(outcomes: Outcomes) -> str:
    """Markdown: each defect, what it does, and the tests that find it."""
    lines = ["| firmware | what it does | found by |", "|---|---|---|"]
    for name, defect in defects().items():
        found = sorted({test.removeprefix("hil/").partition("[")[0] for test in failing(outcomes.get(name, {}))})
        lines.append(f"| `{name}` | {defect.what} | {', '.join(f'`{test}`' for test in found) or 'nothing'} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table(run_suites(defects(), all_related=True)))
