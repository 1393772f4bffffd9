"""The chain from hazard to test holds, every rule of it goes red when broken, and the report of a run tells the truth.

The chain itself is read from `docs/safety/requirements.toml` and from what pytest collects; the rules are tried on a small document
whose errors are made on purpose.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from scripts.safety_matrix import (
    IDS,
    REQUIREMENTS,
    Area,
    Document,
    Hazard,
    Requirement,
    Served,
    Source,
    collected,
    load,
    problems,
    render,
    without_results,
)
from tests.sr_report import Outcomes, function_of

ROOT = Path(__file__).resolve().parents[2]
DUE = "SR-02"


def requirement(sr: str, **fields: Any) -> Requirement:
    base = Requirement(sr, "It holds.", "seen", ("H-01",), ("src/itbpump/quantity",), ("UMN: 1",))
    return replace(base, **fields)


def document(**fields: Any) -> Document:
    """Sixty-four requirements that hold; SR-02 waits for an area and is tested in part."""
    due = {DUE: {"due": "later", "standing": "Half of it.", "partial": "the other half"}}
    good = Document(
        "itbpump.safety/1",
        {"critical": "bad"},
        (Source("UMN", "somewhere"),),
        (Area("later", "what comes later"),),
        (Hazard("H-01", "Overdose", "Sleep.", "critical", ("a slip",), ("UMN: 2",)),),
        tuple(requirement(sr, **due.get(sr, {})) for sr in IDS),
    )
    return replace(good, **fields)


def with_one(sr: str, **fields: Any) -> Document:
    good = document()
    return replace(good, requirement=tuple(replace(item, **fields) if item.id == sr else item for item in good.requirement))


def serving(*names: str) -> dict[str, Served]:
    return {f"tests/x.py::test_{name}": Served((name,), "passed") for name in names}


ALL = serving(*IDS)


# --- the chain of this repository -------------------------------------------------------------------------------------------------


@pytest.mark.slow  # `make check` asks the same of every change; here it costs a collection of all tests
def test_every_requirement_has_its_test_or_says_when() -> None:
    chain = load((ROOT / REQUIREMENTS).read_text("utf-8"))
    found = problems(chain, collected(ROOT), ROOT)
    assert not found, "\n".join(found)


# --- the rules --------------------------------------------------------------------------------------------------------------------


def test_a_chain_that_holds_has_no_problem() -> None:
    assert problems(document(), ALL, ROOT) == []


@pytest.mark.parametrize(
    ("broken", "tests", "told"),
    [
        (document(), serving(*IDS[:-1]), "SR-64 has no test and is not due"),
        (document(), ALL | serving("SR-65"), "names SR-65, which is no requirement"),
        (with_one(DUE, partial=""), ALL, "SR-02 has a test and is due with later: `partial` must say what is missing"),
        (document(), serving(*(name for name in IDS if name != DUE)), "SR-02 is called partial and has no test"),
        (with_one(DUE, standing=""), ALL, "SR-02 is due with later: `standing` must say"),
        (with_one(DUE, controls=()), ALL, "SR-02 has a test and no control"),
        (with_one("SR-03", partial="a half"), ALL, "SR-03 is not due, so nothing"),
        (with_one("SR-03", due="never", standing="x", partial="y"), ALL, "'never', which is no area"),
        (with_one("SR-03", controls=("src/itbpump/gone.py",)), ALL, "SR-03: control src/itbpump/gone.py does not exist"),
        (with_one("SR-03", controls=()), ALL, "SR-03 has no control"),
        (with_one("SR-03", hazards=()), ALL, "SR-03 has no hazards"),
        (with_one("SR-03", text=""), ALL, "SR-03 has no text"),
        (with_one("SR-03", hazards=("H-99",)), ALL, "SR-03 names H-99, which is no hazard"),
        (with_one("SR-03", sources=("UNKNOWN: 3",)), ALL, "SR-03 cites 'UNKNOWN: 3'"),
        (with_one("SR-03", id="SR-04"), ALL, "each once and in order: SR-03, SR-04"),
        (document(requirement=document().requirement[:-1]), ALL, "each once and in order: SR-64"),
        (document(hazard=()), ALL, "SR-01 names H-01, which is no hazard"),
        (document(hazard=(*document().hazard, Hazard("H-02", "Other", "x", "critical", ("y",), ("UMN",)))), ALL, "H-02 has no requirement"),
        (document(hazard=document().hazard * 2), ALL, "H-01 is there 2 times"),
        (document(hazard=(replace(document().hazard[0], causes=()),)), ALL, "H-01 has no cause"),
        (document(severity={}), ALL, "severity 'critical' is not explained"),
        (document(source=(*document().source, Source("IDLE", "x"))), ALL, "source IDLE is cited nowhere"),
        (document(area=(*document().area, Area("idle", "x"))), ALL, "nothing is due with idle"),
    ],
)
def test_each_rule_goes_red(broken: Document, tests: dict[str, Served], told: str) -> None:
    found = problems(broken, tests, ROOT)
    assert any(told in line for line in found), found


@pytest.mark.parametrize(
    "change",
    [lambda text: text.replace("check = ", "chek = ", 1), lambda text: text.replace('"catastrophic"\n', '"awful"\n', 1), lambda _: ""],
)
def test_a_file_of_another_form_is_refused(change: Callable[[str], str]) -> None:
    text = (ROOT / REQUIREMENTS).read_text("utf-8")
    with pytest.raises(msgspec.ValidationError):
        load(change(text))


# --- the page ---------------------------------------------------------------------------------------------------------------------


def test_the_page_leads_from_hazard_to_result() -> None:
    page = render(document(), ALL | {"tests/x.py::test_b": Served(("SR-01", "SR-03"), "failed")})
    assert "64 requirements: 63 held, 1 in part, 0 due" in page
    assert "| [SR-01](#sr-01) | held | [`itbpump/quantity`](../../src/itbpump/quantity) | 2 | **failed** |" in page
    assert "- State: in part, complete with later. Half of it.\n- Missing: the other half" in page
    assert "  - **passed** `tests/x.py::test_SR-01`\n  - **failed** `tests/x.py::test_b`\n" in page


def test_only_results_differ_between_a_run_and_a_collection() -> None:
    run = render(document(), ALL)
    unrun = render(document(), {name: replace(served, outcome="not run") for name, served in ALL.items()})
    assert run != unrun
    assert without_results(run) == without_results(unrun)
    more = render(document(), ALL | {"tests/x.py::test_b": Served(("SR-01",), "passed")})
    assert without_results(more) != without_results(run)


# --- the report of a run ----------------------------------------------------------------------------------------------------------

SAMPLE = """
import pytest

pytestmark = pytest.mark.sr("SR-01")


@pytest.mark.sr("SR-02")
@pytest.mark.parametrize("case", ["a", "b::[c]", pytest.param("d", marks=pytest.mark.sr("SR-03"))])
def test_folded(case):
    assert case != "{wrong}"


class TestSome:
    @pytest.mark.skipif(True, reason="not here")
    def test_skipped(self):
        pass


@pytest.fixture
def broken():
    yield
    raise OSError


def test_fails_in_its_tear_down(broken):
    pass
"""


@pytest.mark.parametrize("options", [(), ("-n", "2")])
@pytest.mark.parametrize(("wrong", "folded"), [("none", "passed"), ("b::[c]", "failed")])
def test_a_run_is_reported_truly_also_by_several_workers(tmp_path: Path, options: tuple[str, ...], wrong: str, folded: str) -> None:
    report = sample_run(tmp_path, wrong, *options)
    assert report == {
        "test_s.py::test_folded": {"sr": ["SR-01", "SR-02", "SR-03"], "outcome": folded},
        "test_s.py::TestSome::test_skipped": {"sr": ["SR-01"], "outcome": "skipped"},
        "test_s.py::test_fails_in_its_tear_down": {"sr": ["SR-01"], "outcome": "failed"},
    }


def test_a_collection_runs_nothing(tmp_path: Path) -> None:
    report = sample_run(tmp_path, "none", "--collect-only")
    assert {entry["outcome"] for entry in report.values()} == {"not run"}
    assert len(report) == 3


def sample_run(folder: Path, wrong: str, *options: str) -> dict[str, Any]:
    (folder / "test_s.py").write_text(SAMPLE.format(wrong=wrong), "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = sr\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tests.sr_report", "-p", "no:cacheprovider", "--sr-report", "r.json", *options]
    # Only what this needs: loading every plugin that is installed takes longer than the run.
    alone = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}
    subprocess.run(command, cwd=folder, env=alone, capture_output=True, check=False)
    written = json.loads((folder / "r.json").read_text("utf-8"))
    assert written["schema"] == "itbpump.sr-report/1"
    assert isinstance(written["tests"], dict)
    return written["tests"]


def test_the_worst_case_is_told_in_any_order() -> None:
    for order in (["passed", "failed", "skipped"], ["failed", "skipped", "passed"], ["skipped", "passed", "failed"]):
        outcomes = Outcomes()
        for outcome in order:
            outcomes.add("t.py::test_x[1]", ["SR-01"], outcome)
        assert json.loads(outcomes.json())["tests"] == {"t.py::test_x": {"sr": ["SR-01"], "outcome": "failed"}}


@pytest.mark.parametrize(("nodeid", "function"), [("a.py::test_x[b::c[d]]", "a.py::test_x"), ("a.py::T::test_x", "a.py::T::test_x")])
def test_parameters_are_folded(nodeid: str, function: str) -> None:
    assert function_of(nodeid) == function
