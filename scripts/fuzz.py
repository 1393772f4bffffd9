"""Coverage-guided fuzzing of everything that reads foreign bytes: `python scripts/fuzz.py SECONDS [--each] [HARNESS…]`.

SECONDS is the time of the whole run, shared out over the harnesses, two of which run at a time; with --each it is the time of every one.
Prints for each harness the executions, the coverage (atheris edges), the corpus and the memory at start and end. Exit 1 for a crash, a
hang (20 s for one input) or growth: the input is kept and the command that replays it is printed.

    --seed N     start the random mutations from N, so that a run can be had again (CI does; a search for the new should not)
    --minimise   afterwards make the committed corpus anew: the few inputs that reach most of what all found ones reach
    --plant NAME of `tests/fuzz/planted.py`: break the product first; then finding it is what exits 0

Finds are kept in build/fuzz/HARNESS and used again by the next run. Needs atheris; the tests replay the committed corpus without it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.fuzz.planted import PLANTED  # noqa: E402
from tests.fuzz.registry import CORPUS, HARNESSES, corpus_of, harness  # noqa: E402
from tests.fuzz.selection import picked, steps_of  # noqa: E402

_WORKERS = 2
_ONE_INPUT_S = 20
"""A hang. The dearest committed input takes some 0.1 s with the fuzzer's instrumentation; this leaves room for a busy machine."""
_RSS_LIMIT_MB = 1024
_GROWTH_MB = 64
"""Largest growth from the middle of a run to its end. A find costs kilobytes; what leaks in every run costs far more."""
_LARGEST_FILE_BYTES = 1000
_LARGEST_CORPUS = 40
_BUILD = ROOT / "build" / "fuzz"
_LINE = re.compile(r"#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)/\S+ .*?rss: (\d+)Mb")


@dataclass
class Run:
    """What one harness did. `samples` are (executions, memory in MB) in order."""

    name: str
    code: int = 0
    executions: int = 0
    coverage: int = 0
    features: int = 0
    corpus: int = 0
    samples: list[tuple[int, int]] = field(default_factory=list)
    crashes: list[Path] = field(default_factory=list)

    @property
    def growth_mb(self) -> int:
        """From the first sample in the second half of the executions to the last."""
        if not self.samples:
            return 0
        half = self.samples[-1][0] // 2
        return self.samples[-1][1] - next(mb for at, mb in self.samples if at >= half)

    def line(self) -> str:
        """One row of the table."""
        start, end = (self.samples[0][1], self.samples[-1][1]) if self.samples else (0, 0)
        return (
            f"{self.name:<13} {self.executions:>10,} {self.coverage:>7,} {self.features:>8,} {self.corpus:>6,}"
            f" {start:>6} {end:>6} {len(self.crashes):>8}"
        )


def _command(name: str, options: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "tests.fuzz.run", name, "--fuzz", *options]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), "PYTHONDONTWRITEBYTECODE": "1"}


def fuzz(name: str, seconds: int, plant: str = "", options: Sequence[str] = ()) -> Run:
    """Run one harness under atheris; what it finds goes to build/fuzz/NAME, a crash to build/fuzz/NAME/crashes."""
    found, crashes = _BUILD / name / "corpus", _BUILD / name / "crashes"
    if plant:
        found, crashes = _BUILD / name / f"planted-{plant}", _BUILD / name / "planted-crashes"
        shutil.rmtree(found, ignore_errors=True)
    for folder in (found, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    known = set(crashes.iterdir())
    settings = [
        str(found), str(CORPUS / name), f"-max_total_time={seconds}", f"-timeout={_ONE_INPUT_S}", f"-rss_limit_mb={_RSS_LIMIT_MB}",
        f"-artifact_prefix={crashes}/", "-print_final_stats=1", *options,
    ]  # fmt: skip
    asked = ["--plant", plant, *settings] if plant else settings
    run = Run(name)
    log = _BUILD / name / "log.txt"
    with log.open("w") as stream:
        process = subprocess.Popen(
            _command(name, asked),
            cwd=ROOT,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert process.stdout is not None
        for text in process.stdout:
            stream.write(text)
            _note(run, text)
        run.code = process.wait()
    run.crashes = sorted(set(crashes.iterdir()) - known)
    if run.code and not run.crashes:
        run.crashes = [log]  # it died without an input: the log says why
    return run


def _note(run: Run, text: str) -> None:
    if match := _LINE.search(text):
        executions, run.coverage, run.features, run.corpus, rss_mb = (int(group) for group in match.groups())
        run.executions = executions
        run.samples.append((executions, rss_mb))
    elif text.startswith("stat::number_of_executed_units:"):
        run.executions = int(text.rsplit(maxsplit=1)[-1])


# ------------------------------------------------------------------------------------------------ corpus
def minimise(name: str) -> int:
    """Make the committed corpus anew from it and from what runs have found; returns its size. Seeds and findings stay."""
    kept = [path for path in corpus_of(name) if path.name.startswith(("seed-", "found-"))]
    known = {path.read_bytes() for path in kept}
    others: list[Path] = []
    for path in [*corpus_of(name), *sorted((_BUILD / name / "corpus").glob("*"))]:
        data = path.read_bytes()
        if len(data) < _LARGEST_FILE_BYTES and data not in known:
            known.add(data)
            others.append(path)
    run = harness(name).run
    run(b"")  # what is loaded at the first use belongs to no input
    steps = [[steps_of(run, path.read_bytes(), name) for path in group] for group in (kept, others)]
    chosen = [others[place] for place in picked(steps[0], steps[1], _LARGEST_CORPUS - len(kept))]
    content = {hashlib.sha256(path.read_bytes()).hexdigest()[:16]: path.read_bytes() for path in chosen}
    for path in corpus_of(name):
        if path not in kept:
            path.unlink()
    for digest, data in content.items():
        (CORPUS / name / digest).write_bytes(data)
    return len(corpus_of(name))


# ------------------------------------------------------------------------------------------------ command line
def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="fuzz everything that reads foreign bytes")
    parser.add_argument("seconds", type=int, help="of the whole run; of every harness with --each")
    parser.add_argument("harness", nargs="*", choices=[*HARNESSES, []], help="default: all")
    parser.add_argument("--each", action="store_true", help="SECONDS for every harness")
    parser.add_argument("--seed", type=int, default=None, help="the same mutations again")
    parser.add_argument("--minimise", action="store_true", help="make the committed corpus anew afterwards")
    parser.add_argument("--plant", choices=sorted(PLANTED), default="", help="break the product on purpose; must be found")
    return parser.parse_intermixed_args()


def main() -> int:
    """0 without a finding; 1 with one; 2 when it cannot run."""
    arguments = _arguments()
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed, so nothing was fuzzed: run `make setup`, or replay the corpus: pytest tests/fuzz", file=sys.stderr)
        return 2
    if arguments.plant:
        return _planted(arguments.plant, arguments.seconds)
    names = arguments.harness or list(HARNESSES)
    options = [] if arguments.seed is None else [f"-seed={arguments.seed}"]
    share = arguments.seconds if arguments.each else max(1, arguments.seconds * min(_WORKERS, len(names)) // len(names))
    print(f"{len(names)} harnesses, {share} s each, {_WORKERS} at a time")
    print(f"{'harness':<13} {'executions':>10} {'edges':>7} {'features':>8} {'corpus':>6} {'MB':>6} {'to MB':>6} {'findings':>8}")
    bad: list[Run] = []
    total = 0
    with ThreadPoolExecutor(_WORKERS) as pool:
        for run in pool.map(lambda name: fuzz(name, share, options=options), names):
            total += run.executions
            print(run.line(), flush=True)
            if run.code or run.growth_mb > _GROWTH_MB or not run.coverage:
                bad.append(run)
    print(f"{total:,} executions, {len(bad)} harnesses with findings")
    for run in bad:
        _tell(run)
    if arguments.minimise and not bad:
        for name in names:
            print(f"{name}: {minimise(name)} inputs committed")
    return 1 if bad else 0


def _planted(name: str, seconds: int) -> int:
    planted = PLANTED[name]
    run = fuzz(planted.harness, seconds, name, ["-seed=1"])
    print(f"{name}: {planted.what}: {'found' if run.code else 'NOT FOUND'} after {run.executions:,} executions of {planted.harness}")
    return 0 if run.code else 1


def _tell(run: Run) -> None:
    log = _BUILD / run.name / "log.txt"
    if not run.coverage:
        print(f"{run.name}: reached nothing: the product was not instrumented, or the fuzzer did not start; log: {log}")
    if run.growth_mb > _GROWTH_MB:
        print(f"{run.name}: memory grew by {run.growth_mb} MB in the second half of the run (allowed: {_GROWTH_MB}); log: {log}")
    for path in run.crashes:
        print(f"{run.name}: {path}\n  replay: PYTHONPATH=src:. python -m tests.fuzz.run {run.name} {path}")
        if path != log and path.stat().st_size <= _LARGEST_FILE_BYTES:  # where the machine is gone by the time somebody reads this
            print(f"  input, base64: {base64.b64encode(path.read_bytes()).decode('ascii')}")


if __name__ == "__main__":
    sys.exit(main())
