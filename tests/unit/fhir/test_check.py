"""The own check refuses what fhir.resources lets through; every rule is broken once, and nothing it is given makes it fall over."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itbpump.report import fhir
from itbpump.report.fhir.check import RULES, check
from itbpump.report.fhir.codes import rules
from itbpump.report.fhir.model import Json
from itbpump.report.fhir.parts import person_reference
from tests.unit.fhir.bundles import made, of_type

Break = Callable[[Json], Any]


def first(bundle: Json, kind: str) -> Json:
    return of_type(bundle, kind)[0]


def put(kind: str, path: str, value: Any) -> Break:
    """Set what stands at a path of the first resource of a type; None takes it out."""

    def run(bundle: Json) -> None:
        node: Any = first(bundle, kind) if kind else bundle
        *way, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
        for part in way:
            node = node[part]
        if value is None:
            del node[last]
        else:
            node[last] = value

    return run


def twice(bundle: Json) -> None:
    bundle["entry"].append(bundle["entry"][0])


def emptied(bundle: Json) -> None:
    first(bundle, "Task")["input"] = []


# Rule, what breaks it, and the words of the problem.
BREAKS: tuple[tuple[str, Break, str], ...] = (
    ("bundle", put("", "type", "transaction"), "no Bundle of the type collection"),
    ("bundle", put("", "timestamp", None), "no timestamp"),
    ("bundle", put("", "total", 7), "has no place in a collection"),
    ("bundle", put("", "entry.0.request", {"method": "POST", "url": "Device"}), "fullUrl and resource, nothing else"),
    ("bdl-7", twice, "stands twice"),
    ("bdl-7", put("", "entry.0.fullUrl", "urn:uuid:00000000-0000-0000-0000-000000000000"), "is not urn:uuid:"),
    ("elements", put("Task", "reasonCode", {"text": "x"}), "not an element that Task has here"),
    ("elements", put("MedicationRequest", "status", None), "MedicationRequest lacks status"),
    ("elements", put("Flag", "resourceType", "Immunization"), "Immunization is no resource of this export"),
    ("ele-1", emptied, "never empty"),
    ("ele-1", put("Task", "description", ""), "never empty"),
    ("code", put("MedicationAdministration", "status", "banana"), "'banana' is none of"),
    ("code", put("DeviceMetric", "category", "Setting"), "'Setting' is none of"),
    ("code", put("Task", "priority", ["stat", "later"]), "'later' is none of"),
    ("coding", put("Device", "type.0.coding", [{"system": "http://snomed.info/sct", "code": "1"}]), "not in the table of verified codes"),
    ("coding", put("MedicationRequest", "dosageInstruction.0.route.coding.0.display", "Intradermal route"), "is 'Intrathecal route', not"),
    ("coding", put("MedicationRequest", "dosageInstruction.0.route.text", None), "a concept always has words"),
    ("ucum", put("Observation", "valueQuantity.code", "bananas"), "'bananas' is no UCUM code"),
    ("ucum", put("Observation", "valueQuantity.system", None), "the UCUM system and code"),
    ("ucum", put("Observation", "valueQuantity.unit", "µg per day"), "is written 'mcg per day', not"),
    ("number", put("Observation", "valueQuantity.value", 0.1), "a binary float is not exact"),
    ("number", put("Observation", "valueQuantity.value", Decimal(-1)), "-1 is no amount"),
    ("number", put("Observation", "valueQuantity.value", Decimal("NaN")), "NaN is no amount"),
    ("number", put("Observation", "valueQuantity.value", "180"), "is a number"),
    ("number", put("MedicationRequest", "dosageInstruction.0.doseAndRate.0.rateRatio.denominator.value", 0), "per 0 days"),
    ("mad-1", put("MedicationAdministration", "dosage.dose", None), "neither dose nor rate"),
    ("dosage", put("MedicationRequest", "dosageInstruction.0.doseAndRate", None), "both dose and rate"),
    ("dosage", put("MedicationRequest", "dosageInstruction.0.text", None), "lacks words"),
    ("dosage", put("MedicationRequest", "dosageInstruction.0.doseAndRate.0.rateRatio", None), "one dose or one rate"),
    ("choice", put("Observation", "dataAbsentReason", {"text": "not known"}), "exactly one of valueQuantity"),
    ("choice", put("MedicationAdministration", "occurencePeriod", None), "exactly one of occurenceDateTime"),
    ("rat-1", put("MedicationRequest", "dosageInstruction.0.doseAndRate.0.rateRatio.numerator", None), "a numerator and a denominator"),
    ("tim-1", put("MedicationRequest", "dosageInstruction.0.timing", {"repeat": {"duration": 60}}), "go together"),
    ("tim-1", put("MedicationRequest", "dosageInstruction.0.timing", {"repeat": {"timeOfDay": ["24:00:00"]}}), "is no time of day"),
    ("per-1", put("MedicationAdministration", "occurencePeriod.end", "2020-01-01T00:00:00Z"), "the end is before the start"),
    ("time", put("Task", "authoredOn", "2027-02-30T10:00:00-05:00"), "is no time with an offset"),
    ("time", put("Task", "authoredOn", "2027-01-20T10:00:00"), "is no time with an offset"),
    ("tsk-1", put("Task", "restriction", {"period": {"end": "2027-01-20T10:00:00Z"}}), "a restriction belongs"),
    ("tsk-1", put("Task", "requestedPeriod", {"start": "2027-01-20T10:00:00Z"}), "by when"),
    ("reference", put("Task", "focus.reference", "urn:uuid:gone"), "is not in the bundle"),
    ("reference", put("Task", "for", {"type": "Patient"}), "a target, an identifier or words"),
    ("identifier", put("Device", "identifier.0.system", "http://hospital.example/mrn"), "a system of this project"),
    ("identifier", put("Device", "id", "pump_1"), "is no FHIR id"),
    ("person", put("Task", "for.identifier.value", "Mary Jones"), "this id is not opaque"),
    ("person", put("Task", "for.display", "Mary Jones"), "could be a name"),
    ("person", put("Device", "name", {"value": "Mary's pump"}), "nothing personal"),
    ("person", put("Flag", "resourceType", "Patient"), "never described"),
    ("narrative", put("Device", "text", {"status": "generated", "div": "<div>Mary</div>"}), "div has no place"),
    ("narrative", put("DetectedIssue", "note", {"text": "Mary"}), "note has no place"),
    ("text", put("Task", "description", "Refill by \u202e7202"), "cannot be seen"),
)


@pytest.mark.parametrize(("rule", "break_it", "words"), BREAKS, ids=[f"{rule}-{words[:18]}" for rule, _, words in BREAKS])
def test_each_rule_finds_what_breaks_it(rule: str, break_it: Break, words: str) -> None:
    bundle = made("troubled")
    break_it(bundle)
    found = [problem for problem in check(bundle) if problem.rule == rule]
    assert any(words in problem.text for problem in found), check(bundle)
    assert all(problem.path for problem in found)
    with pytest.raises(fhir.FhirInvalid) as told:
        fhir.validated(bundle)
    assert set(found) <= set(told.value.problems)
    assert told.value.action


def test_every_rule_is_broken_above() -> None:
    assert {rule for rule, _, _ in BREAKS} == set(RULES)


@pytest.mark.parametrize(
    ("rule", "break_it"),
    [
        ("code", put("MedicationAdministration", "status", "banana")),
        ("ucum", put("Observation", "valueQuantity.code", "bananas")),
        ("mad-1", put("MedicationAdministration", "dosage.dose", None)),
    ],
)
@pytest.mark.parametrize("release", fhir.RELEASES)
def test_fhir_resources_alone_lets_it_through(release: str, rule: str, break_it: Break) -> None:
    """Why there is an own check: the structure is right, the meaning is not."""
    bundle = made("rich", release)
    break_it(bundle)
    assert fhir.structure_problems(bundle, release) == ()
    assert [problem.rule for problem in check(bundle, release)] == [rule]


@pytest.mark.parametrize("release", fhir.RELEASES)
def test_what_only_the_structure_check_knows(release: str) -> None:
    """An element deep inside that FHIR does not have: own rules hold the top level, fhir.resources the rest."""
    bundle = made("rich", release)
    first(bundle, "Task")["requestedPeriod" if release == fhir.R5 else "restriction"]["until"] = "soon"
    assert check(bundle, release) == ()
    with pytest.raises(fhir.FhirInvalid, match="until"):
        fhir.validated(bundle, release)


def test_a_release_is_not_the_other() -> None:
    for release, other in ((fhir.R5, fhir.R4B), (fhir.R4B, fhir.R5)):
        assert check(made("rich", release), other)
        assert fhir.structure_problems(made("rich", release), other)


@pytest.mark.parametrize("release", fhir.RELEASES)
def test_every_required_element_is_missed(release: str) -> None:
    for kind, table in rules(release).items():
        for name in table.get("required", ()):
            bundle = made("troubled", release)
            del first(bundle, kind)[name]
            assert any(problem.text == f"{kind} lacks {name}" for problem in check(bundle, release)), (kind, name)


@pytest.mark.parametrize("release", fhir.RELEASES)
def test_every_fixed_list_refuses_a_code_of_its_own(release: str) -> None:
    """Each path of the table is looked at; the ones in a timing need a therapy with steps."""
    bundle = made("troubled", release)
    first(bundle, "MedicationRequest")["dosageInstruction"][0]["timing"] = {
        "repeat": {"duration": 60, "durationUnit": "min", "dayOfWeek": ["mon"], "timeOfDay": ["06:00:00"]}
    }
    assert check(bundle, release) == ()
    for path in rules(release)["codes"]:
        kind, *parts = path.split(".")
        broken = deepcopy(bundle)
        node: Any = first(broken, kind)
        for part in parts[:-1]:
            node = node[part][0] if isinstance(node[part], list) else node[part]
        node[parts[-1]] = ["banana"] if isinstance(node[parts[-1]], list) else "banana"
        assert [problem.rule for problem in check(broken, release)] == ["code"], path


def test_a_name_for_an_id_is_left_out_and_said() -> None:
    assert person_reference("Dr Mary Jones") == {
        "type": "Practitioner",
        "display": "a person whose id is not opaque; see the session report",
    }
    bundle = made("troubled")
    for issue in of_type(bundle, "DetectedIssue"):
        for step in issue.get("mitigation", ()):
            if "author" in step:
                step["author"] = {"type": "Practitioner", "display": "Dr Mary Jones"}
    assert {problem.rule for problem in check(bundle)} == {"person"}


# ------------------------------------------------------------------------------------------------ anything
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.decimals(allow_nan=True) | st.text(max_size=8)
anything = st.recursive(
    scalars, lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=6), part, max_size=3), max_leaves=6
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with a key of it."""
    found: list[tuple[Any, Any]] = []
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        found += [(value, key), *places(value[key])]
    return found


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data(), release=st.sampled_from(fhir.RELEASES))
def test_whatever_is_in_a_bundle_the_check_answers(data: st.DataObject, release: str) -> None:
    bundle = made("troubled", release)
    for _ in range(data.draw(st.integers(1, 3))):
        options = places(bundle)
        node, key = options[data.draw(st.integers(0, len(options) - 1))]
        node[key] = data.draw(anything)
    for problem in check(bundle, release):
        assert problem.rule in RULES
        assert str(problem)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(["resourceType", "type", "entry", "timestamp", "id", "x"]), anything, max_size=4))
def test_no_bundle_at_all_is_told(found: Json) -> None:
    assert check(found)


@pytest.mark.parametrize("source", ["", "[]", "{", '"x"'])
def test_a_file_that_is_no_bundle_is_refused(source: str) -> None:
    with pytest.raises(fhir.FhirError) as told:
        fhir.read(source)
    assert told.value.action


@pytest.mark.parametrize("value", [{"x": None}, {"x": 0.5}, {"x": {}}, {"x": []}, {"x": Decimal("Infinity")}])
def test_what_json_cannot_hold_is_never_written(value: Json) -> None:
    with pytest.raises(TypeError, match="no place"):
        fhir.text(value)
