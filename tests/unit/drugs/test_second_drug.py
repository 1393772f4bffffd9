"""Morphine as data alone: nothing of the companion is hard-wired to the first drug."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from itbpump.drugs import library_names, load_library
from itbpump.quantity import Volume
from itbpump.safety import Severity, review
from itbpump.therapy import Prescription
from tests.unit.therapy.prescriptions import continuous, example, periodic, prescription

SOURCES = Path(__file__).resolve().parents[3] / "src" / "itbpump"
# The library itself, and the demo, which shows one drug.
MAY_NAME_A_DRUG = ("drugs/", "cli/demo.py")


def morphine(dose: str, **tables: Any) -> Prescription:
    """A continuous dose of 10 mg/mL for pain on a P-20."""
    patient = {"indication": "pain", "diagnosis": "cancer-pain", **tables.pop("patient", {})}
    pump = {"profile": "P-20", "reservoir_volume": "18 mL", "low_reservoir_alarm": "4 mL"}
    drug = {"name": "morphine", "concentration": "10 mg/mL", **tables.pop("drug", {})}
    return prescription(tables.pop("therapy", None) or continuous(dose), patient=patient, pump=pump, drug=drug, **tables)


def found(rx: Prescription, current: Prescription | None = None) -> dict[str, Severity]:
    worst: dict[str, Severity] = {}
    for finding in review(rx, current).findings:
        worst[finding.rule] = max(finding.severity, worst.get(finding.rule, Severity.INFO))
    return worst


def test_the_example_passes_review() -> None:
    judged = review(example("morphine"))
    assert judged.verdict == "ok"
    assert judged.library == load_library("morphine").json()
    assert {finding.message[:11] for finding in judged.findings} <= {"not checked"}


@pytest.mark.sr("SR-02", "SR-07")
@pytest.mark.parametrize(
    ("dose", "rule", "expected"),
    [
        ("15000 mcg/day", "daily-total", None),
        ("15001 mcg/day", "daily-total", Severity.SOFT),
        ("20000 mcg/day", "daily-total", Severity.SOFT),
        ("20001 mcg/day", "daily-total", Severity.HARD),
        ("480 mcg/day", "flow-range", None),
        ("479 mcg/day", "flow-range", Severity.HARD),
    ],
)
def test_limits_are_the_drugs_own(dose: str, rule: str, expected: Severity | None) -> None:
    assert found(morphine(dose)).get(rule) is expected


@pytest.mark.sr("SR-08")
@pytest.mark.parametrize(
    ("dose", "expected"),
    [("2400 mcg/day", None), ("2401 mcg/day", Severity.SOFT), ("2601 mcg/day", Severity.SECOND), ("4001 mcg/day", Severity.HARD)],
)
def test_an_increase_is_judged_by_the_drugs_own_steps(dose: str, expected: Severity | None) -> None:
    assert found(morphine(dose), morphine("2000 mcg/day")).get("increase") is expected


@pytest.mark.sr("SR-08")
@pytest.mark.parametrize(
    ("dose", "expected"), [("1000 mcg/day", None), ("1001 mcg/day", Severity.SOFT), ("10001 mcg/day", Severity.SECOND)]
)
def test_a_start_has_an_absolute_limit(dose: str, expected: Severity | None) -> None:
    start = found(morphine(dose), morphine("", therapy={"mode": "stopped"})).get("start")
    assert (start if start is not Severity.INFO else None) is expected


@pytest.mark.sr("SR-39")
def test_concentrations_are_the_drugs_own() -> None:
    assert found(morphine("2400 mcg/day", drug={"concentration": "25 mg/mL"})).get("concentration") is None
    for wrong in ("500 mcg/mL", "2000 mcg/mL", "1 mg/mL"):
        assert found(morphine("2400 mcg/day", drug={"concentration": wrong}))["concentration"] is Severity.HARD


@pytest.mark.sr("SR-02")
def test_boluses_age_and_stability_are_the_drugs_own() -> None:
    for dose, expected in (("200 mcg", None), ("205 mcg", Severity.SOFT), ("1005 mcg", Severity.HARD)):
        assert found(morphine("", therapy=periodic(dose, "1h", "24h", "1000 mcg/day"))).get("bolus-size") is expected
    assert found(morphine("2400 mcg/day", patient={"age_years": 17}))["age"] is Severity.SECOND
    assert found(morphine("600 mcg/day"))["stability"] is Severity.INFO  # 233 days to the alarm, 90 in the pump
    assert found(morphine("2400 mcg/day", medication=[{"name": "diazepam", "class": "benzodiazepine"}]))["interaction"] is Severity.SOFT


@pytest.mark.sr("SR-33")
def test_a_stop_is_told_in_the_drugs_own_words() -> None:
    messages = [finding.message for finding in review(morphine("", therapy={"mode": "stopped"})).findings if finding.rule == "stop"]
    assert messages
    assert all(load_library("morphine").texts.withdrawal.text in message for message in messages)


@pytest.mark.sr("SR-12", "SR-39")
def test_another_drug_is_never_just_relabelled() -> None:
    judged = review(morphine("2400 mcg/day"), prescription(pump={"profile": "P-20"}), refill=Volume(18_000_000))
    assert judged.severity is Severity.HARD


def strings_of_code(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every string of a module that is not a docstring, and every name."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id


def test_no_module_names_a_drug_or_its_indications() -> None:
    indications = {name for drug in library_names() for name in load_library(drug).indications}
    named = []
    for path in sorted(SOURCES.rglob("*.py")):
        name = path.relative_to(SOURCES).as_posix()
        if name.startswith(MAY_NAME_A_DRUG):
            continue
        named += [
            f"{name}:{line}: {text[:60]!r}"
            for line, text in strings_of_code(ast.parse(path.read_text("utf-8")))
            if text in indications or any(drug in text.lower() for drug in library_names())
        ]
    named += [
        f"{path.relative_to(SOURCES).as_posix()}: {drug}"
        for path in sorted((SOURCES / "cli").glob("*.toml"))
        for drug in library_names()
        if drug in path.read_text("utf-8").lower()
    ]
    assert named == []
