"""The tables: a code is written only where two sources have it, and the lists are FHIR's own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from itbpump.report import fhir
from itbpump.report.fhir.check import check
from itbpump.report.fhir.codes import UCUM, Concept, codes, coding_of, concept, rules, units
from tests.unit.fhir.bundles import RECORDS, made, nodes

PREFIX = {"R5": "fhir.resources", "R4B": "fhir.resources.R4B"}
MODULES = {"timing": "timing", "repeat": "timing"}


@pytest.mark.parametrize("key", codes())
def test_a_code_is_written_only_where_it_is_verified(key: str) -> None:
    """Verified: two sources or more. Unverified: words alone, and a bundle that holds the code is refused."""
    row = codes()[key]
    assert row.text
    if row.coded:
        assert len(row.sources) >= 2
        assert row.system
        assert row.display
        assert concept(key)["coding"] == [{"system": row.system, "code": row.code, "display": row.display}]
        return
    assert row.status in {"", "unverified"}
    assert (row.status == "unverified") == bool(row.code)
    assert concept(key) == {"text": row.text}
    with pytest.raises(ValueError, match="not verified"):
        coding_of(key)
    if row.code:
        assert row.sources
        bundle = made()
        bundle["entry"][0]["resource"]["type"] = [{"coding": [_coding(row)], "text": row.text}]
        assert [problem.rule for problem in check(bundle)] == ["coding"]


def _coding(row: Concept) -> dict[str, str]:
    return {"system": row.system, "code": row.code, "display": row.display}


def test_every_concept_is_used_and_has_no_twin() -> None:
    """A row that no bundle of the examples writes, and no code of this room names, is a leftover."""
    written = {
        node["text"] for name in RECORDS for node in nodes(made(name)) if isinstance(node, dict) and isinstance(node.get("text"), str)
    }
    by_other_name = {"unknown", "simulated", "mean-of-day", "date-battery", "drug-baclofen"}
    unused = {key for key, row in codes().items() if not any(text.startswith(row.text) for text in written)} - by_other_name
    assert unused == set()
    texts = [row.text for row in codes().values()]
    assert len(texts) == len(set(texts))


@pytest.mark.sr("SR-17")
def test_people_read_mcg_where_machines_read_ug() -> None:
    bundle = made()
    mass = [node for node in nodes(bundle) if isinstance(node, dict) and node.get("system") == UCUM and "ug" in str(node["code"])]
    assert {(node["code"], node.get("unit", node.get("display"))) for node in mass} == {
        ("ug", "mcg"),
        ("ug/d", "mcg per day"),
        ("ug/mL", "mcg per mL"),
    }
    assert {row.ucum for row in units().values()} == {"ug", "mL", "ug/mL", "ug/d", "mL/d", "%", "d"}


# ------------------------------------------------------------------------------------------------ against fhir.resources
def _model(release: str, kind: str) -> Any:
    return getattr(import_module(f"{PREFIX[release]}.{kind.lower()}"), kind)


def _lists() -> Iterator[tuple[str, str]]:
    for release in fhir.RELEASES:
        for path in rules(release)["codes"]:
            yield release, path


@pytest.mark.parametrize(("release", "path"), list(_lists()))
def test_code_lists_are_those_of_fhir(release: str, path: str) -> None:
    """fhir.resources knows the lists, but does not hold values to them; a `+` of its marks a list that it cuts short."""
    kind, *parts = path.split(".")
    model = _model(release, kind)
    for part in parts[:-1]:
        module = {"dosageInstruction": "dosage", "timing": "timing"}.get(part, model.__module__.rpartition(".")[2])
        name = {"dosageInstruction": "Dosage", "timing": "Timing"}.get(part, f"{model.__name__}{part.title()}")
        model = getattr(import_module(f"{PREFIX[release]}.{module}"), name)
    theirs = set(model.model_fields[parts[-1]].json_schema_extra["enum_values"])
    ours = set(rules(release)["codes"][path])
    assert theirs - {"+"} <= ours
    assert "+" in theirs or theirs == ours


@pytest.mark.parametrize("release", fhir.RELEASES)
def test_elements_are_those_of_fhir(release: str) -> None:
    for kind, table in rules(release).items():
        if kind == "codes":
            continue
        known = {info.alias or name for name, info in _model(release, kind).model_fields.items()}
        assert set(table["elements"]) <= known, kind
        assert set(table["required"]) <= set(table["elements"]), kind


@pytest.mark.parametrize("release", fhir.RELEASES)
def test_every_fixed_list_and_element_is_written_somewhere(release: str) -> None:
    """Nothing in the table that no bundle ever holds, save what only another record brings."""
    written = {
        (entry["resource"]["resourceType"], name)
        for record in RECORDS
        for entry in made(record, release)["entry"]
        for name in entry["resource"]
    }
    listed = {(kind, name) for kind, table in rules(release).items() if kind != "codes" for name in table["elements"]}
    assert listed - written == set()
