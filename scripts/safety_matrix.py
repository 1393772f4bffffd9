"""The safety matrix: hazard → requirement → control → test → result, from `docs/safety/requirements.toml` and the tests' `sr` marks.

    python scripts/safety_matrix.py [--workers N]    run every marked test, write docs/safety/matrix.md
    python scripts/safety_matrix.py --check          run nothing: do requirements, marks and the written matrix agree?

A test serves a requirement because its author says so by a mark; no program can see whether that is true. What is held here: no
requirement without a test unless the file says which later area brings it, no mark for a requirement that does not exist, no control
that is not there. The matrix names no date, duration or machine, so that two runs of the same code write the same file.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

__all__ = [
    "IDS",
    "REQUIREMENTS",
    "Area",
    "Document",
    "Hazard",
    "Requirement",
    "Served",
    "Source",
    "collected",
    "load",
    "main",
    "problems",
    "render",
]

ROOT: Final = Path(__file__).resolve().parents[1]
REQUIREMENTS: Final = "docs/safety/requirements.toml"
MATRIX: Final = "docs/safety/matrix.md"
IDS: Final = tuple(f"SR-{number:02d}" for number in range(1, 65))
DIFF_LINES: Final = 40
# From best to worst: of several, the worst is told.
ORDER: Final = ("passed", "long", "skipped", "not run", "failed")
RESULT: Final = re.compile(r"\*\*(?:passed|long|skipped|not run|failed)\*\*")


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where requirements and hazards come from; cited as `id` or `id: place`."""

    id: str
    text: str


class Area(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the product that is still to come, and brings requirements with it."""

    id: str
    text: str


class Hazard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A source of harm, how bad the harm can be, and what has led to it."""

    id: str
    name: str
    harm: str
    severity: Literal["catastrophic", "critical", "serious", "minor"]
    causes: tuple[str, ...]
    sources: tuple[str, ...]


class Requirement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One safety requirement. `due`: the area that completes it; then `standing` says what is there, `partial` what its tests leave out."""

    id: str
    text: str
    check: str
    hazards: tuple[str, ...]
    controls: tuple[str, ...]
    sources: tuple[str, ...]
    due: str = ""
    standing: str = ""
    partial: str = ""


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of `requirements.toml`."""

    schema: Literal["itbpump.safety/1"]
    severity: dict[str, str]
    source: tuple[Source, ...]
    area: tuple[Area, ...]
    hazard: tuple[Hazard, ...]
    requirement: tuple[Requirement, ...]


class Served(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the report of `tests/sr_report.py` says of one test function."""

    sr: tuple[str, ...]
    outcome: Literal["passed", "long", "skipped", "not run", "failed"]


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The report itself: test functions by node id without parameters."""

    schema: Literal["itbpump.sr-report/1"]
    tests: dict[str, Served]


class RunError(RuntimeError):
    """pytest ended without a result; the text holds what it said."""


def load(text: str) -> Document:
    """Read `requirements.toml`. Raises ValueError, which names the key, for what does not have its form."""
    return msgspec.convert(tomllib.loads(text), Document)


# --- what must hold ---------------------------------------------------------------------------------------------------------------


def problems(document: Document, tests: Mapping[str, Served], root: Path) -> list[str]:
    """Everything that is wrong with the chain, one line each; empty when it holds."""
    return [*_unknown_names(document), *_untied(document), *_missing_controls(document, root), *_wrong_tests(document, tests)]


def _unknown_names(document: Document) -> Iterator[str]:
    if tuple(item.id for item in document.requirement) != IDS:
        found = Counter(item.id for item in document.requirement)
        odd = [name for name in IDS if name not in found] + [name for name, times in found.items() if times > 1 or name not in IDS]
        yield f"the requirements are not SR-01 … SR-64, each once and in order{': ' + ', '.join(odd) if odd else ''}"
    for items in (document.hazard, document.source, document.area):
        for name, times in Counter(item.id for item in items).items():
            if times > 1:
                yield f"{name} is there {times} times"
    hazards, areas, sources = ({item.id for item in items} for items in (document.hazard, document.area, document.source))
    for requirement in document.requirement:
        yield from (f"{requirement.id} names {name}, which is no hazard" for name in requirement.hazards if name not in hazards)
        if requirement.due and requirement.due not in areas:
            yield f"{requirement.id} is due with {requirement.due!r}, which is no area"
    for owner, citations in _citations(document):
        yield from (f"{owner} cites {text!r}, and no source has that id" for text in citations if _source_id(text) not in sources)
    for hazard in document.hazard:
        if hazard.severity not in document.severity:
            yield f"{hazard.id}: severity {hazard.severity!r} is not explained"


def _citations(document: Document) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield from ((hazard.id, hazard.sources) for hazard in document.hazard)
    yield from ((requirement.id, requirement.sources) for requirement in document.requirement)


def _source_id(citation: str) -> str:
    return citation.partition(":")[0]


def _untied(document: Document) -> Iterator[str]:
    served = {name for requirement in document.requirement for name in requirement.hazards}
    cited = {_source_id(text) for _, citations in _citations(document) for text in citations}
    waited_for = {requirement.due for requirement in document.requirement}
    yield from (f"{hazard.id} has no requirement" for hazard in document.hazard if hazard.id not in served)
    yield from (f"{hazard.id} has no cause" for hazard in document.hazard if not hazard.causes)
    yield from (f"source {source.id} is cited nowhere" for source in document.source if source.id not in cited)
    yield from (f"nothing is due with {area.id}" for area in document.area if area.id not in waited_for)
    for requirement in document.requirement:
        for field in ("text", "check", "hazards", "sources"):
            if not getattr(requirement, field):
                yield f"{requirement.id} has no {field}"


def _missing_controls(document: Document, root: Path) -> Iterator[str]:
    for requirement in document.requirement:
        for control in requirement.controls:
            if not (root / control).exists():
                yield f"{requirement.id}: control {control} does not exist"
        if not requirement.controls and not requirement.due:
            yield f"{requirement.id} has no control"


def _wrong_tests(document: Document, tests: Mapping[str, Served]) -> Iterator[str]:
    known = {requirement.id for requirement in document.requirement}
    for name, served in tests.items():
        yield from (f"{name} names {sr}, which is no requirement" for sr in served.sr if sr not in known)
    for requirement in document.requirement:
        tested = any(requirement.id in served.sr for served in tests.values())
        if not requirement.due:
            if not tested:
                yield f"{requirement.id} has no test and is not due with any area"
            if requirement.standing or requirement.partial:
                yield f"{requirement.id} is not due, so nothing of it can be `standing` or `partial`"
            continue
        if not requirement.standing:
            yield f"{requirement.id} is due with {requirement.due}: `standing` must say what is already there"
        if tested and not requirement.partial:
            yield f"{requirement.id} has a test and is due with {requirement.due}: `partial` must say what is missing"
        if requirement.partial and not tested:
            yield f"{requirement.id} is called partial and has no test"
        if tested and not requirement.controls:
            yield f"{requirement.id} has a test and no control"


# --- the page ---------------------------------------------------------------------------------------------------------------------


def state(requirement: Requirement) -> str:
    """`held`, `in part`, or `due`: what the reader may rely on."""
    if not requirement.due:
        return "held"
    return "in part" if requirement.partial else "due"


def render(document: Document, tests: Mapping[str, Served]) -> str:
    """The page in Markdown."""
    by_requirement = {item.id: sorted(name for name, served in tests.items() if item.id in served.sr) for item in document.requirement}
    results = {name: _worst(tests[test].outcome for test in found) for name, found in by_requirement.items()}
    lines = [*_head(document, by_requirement), "", "## Hazards", ""]
    for hazard in document.hazard:
        lines += [*_hazard(hazard, document, by_requirement, results), ""]
    lines += ["## Requirements", ""]
    for requirement in document.requirement:
        lines += [*_requirement(requirement, document, by_requirement[requirement.id], tests, results[requirement.id]), ""]
    lines += ["## Sources", "", "| id | source |", "|---|---|", *(f"| {source.id} | {source.text} |" for source in document.source)]
    return "\n".join(lines) + "\n"


def _worst(outcomes: Iterator[str]) -> str:
    worst = max(outcomes, key=ORDER.index, default=None)
    return f"**{worst}**" if worst else "–"


def _head(document: Document, by_requirement: Mapping[str, Sequence[str]]) -> Iterator[str]:
    count = Counter(state(requirement) for requirement in document.requirement)
    functions = {name for found in by_requirement.values() for name in found}
    yield "# Safety matrix"
    yield ""
    yield "Written by `make safety-matrix` from [requirements.toml](requirements.toml) and the `sr` marks of the tests"
    yield f"({len(functions)} test functions); never edited by hand. What the words mean: [README.md](README.md)."
    yield ""
    held, in_part, due = (count[word] for word in ("held", "in part", "due"))
    yield f"{len(document.requirement)} requirements: {held} held, {in_part} in part, {due} due with a later area."
    if document.area:
        yield from ("", "| area to come | what it is | requirements |", "|---|---|---|")
    for area in document.area:
        waiting = ", ".join(_link(item.id) for item in document.requirement if item.due == area.id)
        yield f"| {area.id} | {area.text} | {waiting} |"


def _link(sr: str) -> str:
    return f"[{sr}](#{sr.lower()})"


def _hazard(hazard: Hazard, document: Document, by_requirement: Mapping[str, Sequence[str]], results: Mapping[str, str]) -> Iterator[str]:
    yield f"### {hazard.id} {hazard.name}"
    yield ""
    yield f"{hazard.harm} Severity: {hazard.severity} ({document.severity[hazard.severity]}). Sources: {', '.join(hazard.sources)}."
    yield ""
    yield from (f"- {cause}" for cause in hazard.causes)
    yield ""
    yield "| requirement | state | controls | test functions | result |"
    yield "|---|---|---|---|---|"
    for item in document.requirement:
        if hazard.id in item.hazards:
            controls = ", ".join(_code(control) for control in item.controls) or "–"
            yield f"| {_link(item.id)} | {state(item)} | {controls} | {len(by_requirement[item.id])} | {results[item.id]} |"


def _code(path: str) -> str:
    return f"[`{path.removeprefix('src/')}`](../../{path})"


def _requirement(item: Requirement, document: Document, found: Sequence[str], tests: Mapping[str, Served], result: str) -> Iterator[str]:
    names = {hazard.id: hazard.name for hazard in document.hazard}
    yield f"### {item.id}"
    yield ""
    yield item.text
    yield ""
    yield f"- Hazards: {', '.join(f'{name} {names[name]}' for name in item.hazards)}"
    yield f"- Sources: {', '.join(item.sources)}"
    yield f"- Controls: {', '.join(_code(control) for control in item.controls) or '–'}"
    yield f"- Check: {item.check}"
    yield f"- State: {state(item)}" + (f", complete with {item.due}. {item.standing}" if item.due else "")
    if item.partial:
        yield f"- Missing: {item.partial}"
    yield f"- Result of {len(found)} test function{'' if len(found) == 1 else 's'}: {result}"
    if found:
        yield ""
        yield from (f"  - **{tests[name].outcome}** `{name}`" for name in found)


def without_results(page: str) -> str:
    """The page with every outcome blanked: what can be compared without running a test."""
    return RESULT.sub("**–**", page)


# --- running ----------------------------------------------------------------------------------------------------------------------


def collected(root: Path) -> dict[str, Served]:
    """The marked test functions, found by pytest without running them. Raises RunError where the collection fails."""
    return _pytest(root, "--collect-only", "-qq")[1]


def _pytest(root: Path, *options: str, mark: str = "sr") -> tuple[bool, dict[str, Served]]:
    """Run pytest on what bears the mark, in a process of its own; whether all went well, and the report."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", mark, "--sr-report", str(report), *options]
        # A run inside a run (the repository's own tests) must not take itself for a worker of the outer one.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_CORE_", "COVERAGE_"))}
        quiet = subprocess.PIPE if "--collect-only" in options else None
        done = subprocess.run(command, cwd=root, env=environment, stdout=quiet, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode not in {0, 1} or not report.exists():
            said = (done.stdout or "see above").partition("= ERRORS =")
            raise RunError(f"pytest ended with {done.returncode} and no result: {said[2] or said[0]}")
        return done.returncode == 0, msgspec.json.decode(report.read_bytes(), type=Report).tests


def check(root: Path) -> list[str]:
    """What is wrong with requirements, marks, or the matrix as it is written."""
    document = load((root / REQUIREMENTS).read_text(encoding="utf-8"))
    tests = collected(root)
    page = root / MATRIX
    written = page.read_text(encoding="utf-8") if page.exists() else ""
    today = without_results(render(document, tests)).splitlines()
    stale = list(
        difflib.unified_diff(without_results(written).splitlines(), today, f"{MATRIX} (on disk)", f"{MATRIX} (today)", lineterm="")
    )
    found = problems(document, tests, root) + stale[:DIFF_LINES]
    if stale:
        found.append(f"{MATRIX} is out of date: run `make safety-matrix`")
    found += [f"{MATRIX} tells of a test that {word}" for word in ("failed", "not run") if f"**{word}**" in written]
    return found


def main(arguments: list[str] | None = None) -> int:
    """0 fine; 1 a test failed or something does not agree."""
    parser = argparse.ArgumentParser(description="Hazard, requirement, control, test, result: check the chain or write the page.")
    parser.add_argument("--check", action="store_true", help="run and write nothing; fail when something does not agree")
    parser.add_argument("--fast", action="store_true", help="leave the slow tests to `make test-all`; the page calls them long")
    parser.add_argument("--workers", default="2", help="processes that the tests run in (default 2)")
    options = parser.parse_args(arguments)
    try:
        return _check() if options.check else _write(options.workers, fast=options.fast)
    except (RunError, ValueError) as problem:
        print(problem, file=sys.stderr)
        return 1


def _check() -> int:
    found = check(ROOT)
    print("\n".join(found) if found else f"{MATRIX}: every requirement has its test or says when")
    return 1 if found else 0


def _write(workers: str, *, fast: bool) -> int:
    document = load((ROOT / REQUIREMENTS).read_text(encoding="utf-8"))
    well, tests = _pytest(ROOT, "-n", workers, mark="sr and not slow" if fast else "sr")
    if fast:  # what was left out is said, and never counts as passed
        left = {name: msgspec.structs.replace(served, outcome="long") for name, served in collected(ROOT).items() if name not in tests}
        tests = {**tests, **left}
    found = problems(document, tests, ROOT)
    if found:
        print("\n".join(found), file=sys.stderr)
        return 1
    (ROOT / MATRIX).write_text(render(document, tests), encoding="utf-8")
    print(f"wrote {MATRIX}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
