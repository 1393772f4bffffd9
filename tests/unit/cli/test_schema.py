"""The exported form of a prescription: the same as in docs, true to what is read, and false for what is refused."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from itbpump.errors import PrescriptionError
from itbpump.therapy import load_prescription, prescription_json
from tests.unit.cli.conftest import EXAMPLES

STORED = EXAMPLES.parent / "docs" / "prescription.schema.json"
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "null": (type(None),), "boolean": (bool,),
}  # fmt: skip


class Form:
    """The part of JSON schema that the file uses; an unknown keyword is an error, so that nothing is taken for checked."""

    # fmt: off
    KNOWN = frozenset({
        "type", "pattern", "enum", "const", "anyOf", "oneOf", "$ref", "properties", "required", "additionalProperties", "items",
        "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "discriminator", "format", "title", "description",
        "default", "examples", "$defs", "$id", "$schema",
    })
    # fmt: on

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema

    def holds(self, value: Any, form: dict[str, Any] | None = None) -> bool:
        form = self.schema if form is None else form
        assert set(form) <= self.KNOWN, set(form) - self.KNOWN
        if "$ref" in form:
            return self.holds(value, self.schema["$defs"][form["$ref"].rpartition("/")[2]])
        checks = (
            "type" not in form or (isinstance(value, TYPES[form["type"]]) and not (form["type"] == "integer" and isinstance(value, bool))),
            "const" not in form or value == form["const"],
            "enum" not in form or value in form["enum"],
            "anyOf" not in form or any(self.holds(value, part) for part in form["anyOf"]),
            "oneOf" not in form or sum(self.holds(value, part) for part in form["oneOf"]) == 1,
        )
        return all(checks) and self._inside(value, form)

    def _inside(self, value: Any, form: dict[str, Any]) -> bool:
        if isinstance(value, str):
            fits = re.search(form.get("pattern", ""), value) is not None
            return fits and form.get("minLength", 0) <= len(value) <= form.get("maxLength", len(value))
        if isinstance(value, list):
            fits = form.get("minItems", 0) <= len(value) <= form.get("maxItems", len(value))
            return fits and all(self.holds(item, form.get("items", {})) for item in value)
        if isinstance(value, dict):
            known = form.get("properties", {})
            extra = set(value) - set(known)
            if (extra and form.get("additionalProperties") is False) or set(form.get("required", ())) - set(value):
                return False
            return all(self.holds(item, known[key]) for key, item in value.items() if key in known)
        if isinstance(value, int):
            return bool(form.get("minimum", value) <= value <= form.get("maximum", value))
        return True


@pytest.fixture
def form(cli: Any) -> Form:
    return Form(cli("schema").data)


def as_json(text: str) -> Any:
    """A TOML file as JSON would hold it."""
    return json.loads(json.dumps(tomllib.loads(text), default=lambda value: value.isoformat()))


def test_the_stored_file_is_this_versions(cli: Any, tmp_path: Path) -> None:
    assert cli("schema").out == STORED.read_text("utf-8")
    assert cli("schema", "--check", str(STORED)).code == 0
    other = tmp_path / "other.json"
    other.write_text("{}", "utf-8")
    told = cli("schema", "--check", str(other))
    assert told.code == 1
    assert f"itbpump schema > {other}" in told.said
    assert cli("schema", "--check", str(tmp_path / "absent.json")).code == 2


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_examples_have_this_form(form: Form, path: Path) -> None:
    assert form.holds(as_json(path.read_text("utf-8")))
    assert form.holds(prescription_json(load_prescription(path)))


CHANGES: list[tuple[str, str]] = [
    ("6 mcg/h", "6.0 mcg/h"),
    ("6 mcg/h", ".6 mcg/h"),
    ("6 mcg/h", "6 ug/h"),
    ("6 mcg/h", "6 mL/h"),
    ('"P-40"', '"P 40"'),
    ('at = "06:00"', 'at = "6:00"'),
    ('over = "1h"', 'over = "60"'),
    ("age_years = 46", 'age_years = "46"'),
    ("age_years = 46", "age_years = 131"),
    ("age_years = 46", "age = 46"),
    ('mode = "flex"', 'mode = "other"'),
    ('"itbpump.prescription/1"', '"itbpump.prescription/2"'),
    ('indication = "spinal"', ""),
]


@pytest.mark.sr("SR-16")
@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_what_the_form_refuses_is_refused_by_the_reader_too(form: Form, flex: str, old: str, new: str) -> None:
    text = Path(flex).read_text("utf-8")
    assert old in text
    changed = text.replace(old, new)
    assert not form.holds(as_json(changed))
    with pytest.raises(PrescriptionError):
        load_prescription(changed)


def test_the_form_admits_no_key_that_the_reader_does_not(form: Form, variant: Callable[..., str]) -> None:
    tables = form.schema["$defs"].values()
    assert all(table.get("additionalProperties") is False for table in tables if table.get("type") == "object")
    assert form.schema["additionalProperties"] is False
