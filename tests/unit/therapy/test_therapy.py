"""Prescription files: what loads, what cannot be a therapy, and errors that name file, line, key and what was meant."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from itbpump.errors import InputError, PrescriptionError
from itbpump.therapy import Prescription, Problem, dump_prescription, json_schema, load_prescription, prescription_json
from itbpump.therapy.lines import lines_of_keys
from tests.unit.therapy.prescriptions import EXAMPLES, bolus, continuous, example, flex, periodic, prescription, prescriptions, rate

FLEX = (EXAMPLES / "flex-weekday-weekend.toml").read_text("utf-8")


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(PrescriptionError) as caught:
        load_prescription(text, "rx.toml")
    return tuple(problem for problem in caught.value.problems if isinstance(problem, Problem))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_an_example_loads_and_survives_writing(path: Path) -> None:
    rx = load_prescription(path)
    assert load_prescription(dump_prescription(rx)) == rx


@pytest.mark.sr("SR-01")
@given(prescriptions())
def test_a_prescription_survives_toml_and_json_without_loss(rx: Prescription) -> None:
    text = dump_prescription(rx)
    again = load_prescription(text)
    assert again == rx
    assert dump_prescription(again) == text
    assert Prescription.model_validate(json.loads(json.dumps(prescription_json(rx)))) == rx


@pytest.mark.sr("SR-01")
def test_amounts_keep_the_unit_they_were_typed_in() -> None:
    rx = prescription(flex(rate("00:00", "6.5 mcg/h")), drug={"concentration": "2 mg/mL"})
    assert '"6.5 mcg/h"' in dump_prescription(rx)
    assert '"2 mg/mL"' in dump_prescription(rx)


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "says"),
    [
        ('rate = "5 mcg/h"', 'rat = "5 mcg/h"', "rat = ", "therapy.pattern[1].steps[3].rat", "did you mean 'rate'"),
        ("[screening]", "[screning]", "[screning]", "screning", "did you mean 'screening'"),
        ("age_years", "age_year", "age_year", "patient.age_year", "did you mean 'age_years'"),
        ('mode = "flex"', 'mode = "flexi"', "[therapy]", "therapy", "did you mean 'flex'"),
        ('mode = "flex"', 'mode = "flex"\ndose = "3 mcg/day"', 'dose = "3', "therapy.dose", "belongs to mode continuous or periodic-bolus"),
        ('mode = "flex"', "", "[therapy]", "therapy", "mode is missing"),
        ('"spinal"', '"Spinal origin"', "indication", "patient.indication", "pattern"),
        ('"38 mL"', "38", "reservoir_volume", "pump.reservoir_volume", "text with its unit"),
        ('"38 mL"', '"38.0 mL"', "reservoir_volume", "pump.reservoir_volume", "write 38"),
        ('dose = "40 mcg"', 'dose = "40 mcg/h"', "40 mcg/h", "therapy.pattern[1].steps[2].dose", "a dose is needed"),
        ('id = "P-0042"', "", "[patient]", "patient.id", "missing"),
        ("10:00:00-05:00", "10:00:00", "as_of", "pump.as_of", "offset from UTC is missing"),
        ("= 46", '= "46"', "age_years", "patient.age_years", "integer"),
        ("itbpump.prescription/1", "itbpump.prescription/9", "schema", "schema", "use 'itbpump.prescription/1'"),
        ("[drug]", "[drug", "[drug", "", "not TOML"),
    ],
)
def test_an_error_names_line_and_key_and_what_was_meant(old: str, new: str, line: str, key: str, says: str) -> None:
    text = FLEX.replace(old, new, 1)
    found = problems(text)
    matching = [problem for problem in found if problem.key == key]
    assert matching, found
    assert matching[0].file == "rx.toml"
    assert matching[0].line == text[: text.index(line)].count("\n") + 1
    assert says in str(matching[0])


def test_all_problems_are_named_at_once() -> None:
    assert len(problems(FLEX.replace('"38 mL"', '"38,0 mL"').replace("= 46", "= -1"))) == 2


@pytest.mark.sr("SR-18", "SR-27")
@pytest.mark.parametrize(
    ("therapy", "says"),
    [
        (flex(rate("06:00", "1 mcg/h")), "first step is a rate"),
        (flex(bolus("00:00", "5 mcg", "1h")), "first step is a rate"),
        (flex(rate("00:00", "1 mcg/h"), rate("06:00", "1 mcg/h"), rate("06:00", "2 mcg/h")), "two steps at 06:00"),
        (flex(rate("00:00", "1 mcg/h"), rate("06:00", "1 mcg/h"), rate("05:00", "2 mcg/h")), "order of time"),
        (flex(rate("00:00", "1 mcg/h"), bolus("06:00", "5 mcg", "2h"), bolus("07:59", "5 mcg", "1h")), "mon 06:00 is still running"),
        (flex(rate("00:00", "1 mcg/h"), bolus("01:00", "5 mcg", "1h"), bolus("23:00", "5 mcg", "3h")), "mon 23:00 is still running"),
        (flex(rate("00:00", "1 mcg/h"), bolus("01:00", "5 mcg", "24h1m"), days=("sun",)), "longer than a day"),
        ({"mode": "flex", "pattern": [{"days": ["mon"], "steps": [rate("00:00", "1 mcg/h")]}]}, "tue stands in no pattern"),
        (
            {"mode": "flex", "pattern": [{"days": ["mon", "mon", "tue", "wed", "thu", "fri", "sat"], "steps": [rate("00:00", "1 mcg/h")]}]},
            "mon stands in more than one",
        ),
        ({"mode": "flex", "pattern": []}, "at least 1"),
        (flex({"at": "00:00"}), "needs a rate, or a dose"),
        (flex({"at": "00:00", "rate": "1 mcg/h", "dose": "1 mcg"}), "not both"),
        (flex(rate("00:00", "1 mcg/h"), {"at": "06:00", "dose": "1 mcg"}), "needs a rate, or a dose with over"),
        (periodic("5 mcg", "2h", "1h"), "longer than its interval"),
        (periodic("5 mcg", "25h", "48h"), "longer than a day"),
        (periodic("5 mcg", "1h", "169h"), "longer than 7 days"),
        (
            continuous("100 mcg/day", patient_bolus={"dose": "5 mcg", "over": "2h", "lockout": "1h", "max_per_day": 3}),
            "longer than its lockout",
        ),
        (continuous("100 mcg/day", patient_bolus={"dose": "5 mcg", "over": "2h", "lockout": "169h", "max_per_day": 3}), "more than 7 days"),
        (continuous("100 mcg/day", patient_bolus={"dose": "5 mcg", "over": "2h", "lockout": "6h", "max_per_day": 0}), "max_per_day"),
        ({"mode": "stopped", "patient_bolus": {"dose": "5 mcg", "over": "10m", "lockout": "1h", "max_per_day": 3}}, "patient_bolus"),
        (continuous("100 mcg"), "a dose rate is needed"),
    ],
)
def test_what_cannot_be_a_therapy_does_not_load(therapy: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(says)):
        prescription(therapy)


@pytest.mark.parametrize(
    ("catheter", "says"),
    [
        ({"path_volume": None}, "give path_volume"),
        ({"length_total": "114 cm"}, "together"),
        (
            {"length_total": "34 cm", "length_removed": "114 cm", "volume_per_length": "0.0022 mL/cm", "tubing_volume": "0.14 mL"},
            "more length is removed",
        ),
        (
            {"length_total": "114 cm", "length_removed": "0 cm", "volume_per_length": "0.0022 mL/cm", "tubing_volume": "0.14 mL"},
            "the lengths make 0.3908 mL",
        ),
        (
            {"length_total": "114 cm", "length_removed": "34 cm", "volume_per_length": "0.0022 mL/cm", "tubing_volume": "0.199 mL"},
            "the lengths make 0.375 mL",
        ),
        ({"tubing_volume": "0.4 mL"}, "more than the whole path"),
    ],
)
def test_a_path_that_contradicts_itself_does_not_load(catheter: dict[str, object], says: str) -> None:
    """The recall of the tubing volume (0.199 for 0.140 mL) and the catheter trimmed but not entered, domain 0.7 and 2.2."""
    with pytest.raises(ValidationError, match=re.escape(says)):
        prescription(catheter=catheter)


def test_a_path_from_lengths_is_their_sum() -> None:
    lengths = {"length_total": "114 cm", "length_removed": "34 cm", "volume_per_length": "0.0022 mL/cm", "tubing_volume": "0.14 mL"}
    assert prescription(catheter={"path_volume": "0.317 mL", **lengths}).catheter.path.text() == "0.316 mL"


@pytest.mark.parametrize(
    "tables",
    [
        {"bridge": {"plan": "refused"}},
        {"session": {"author": "a", "second": "a"}},
        {"prime": {"scope": "catheter"}},
        {"drug": {"concentration": "0 mcg/mL"}},
        {"patient": {"id": "Jane Doe"}},
        {"therapy_": {"mode": "stopped"}},
    ],
)
def test_other_contradictions_do_not_load(tables: dict[str, dict[str, object]]) -> None:
    with pytest.raises(ValidationError):
        prescription(**tables)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PrescriptionError, match="cannot be read"):
        load_prescription(tmp_path / "missing.toml")
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(InputError, match="UTF-8"):
        load_prescription(tmp_path / "latin")
    with pytest.raises(PrescriptionError, match="larger than"):
        load_prescription("#" * 300_000)
    with pytest.raises(PrescriptionError, match="pass a Path"):
        load_prescription("rx.toml")


@given(st.text(max_size=60))
def test_any_text_is_a_prescription_or_the_documented_error(text: str) -> None:
    with pytest.raises(PrescriptionError):
        load_prescription(FLEX[: len(text) * 7] + text + "\n?")


@given(st.integers(0, len(FLEX) - 1), st.sampled_from(list("[]{}=,.\"'#\n 0aé")))
def test_a_slip_of_one_key_is_a_prescription_or_the_documented_error(at: int, char: str) -> None:
    try:
        load_prescription(FLEX[:at] + char + FLEX[at + 1 :], "rx.toml")
    except PrescriptionError as error:
        assert error.problems  # noqa: PT017


def test_lines_are_found_inside_arrays_and_inline_tables() -> None:
    text = (
        "a = 1\n[t]\nb = [[1,\n2], [3]]\n'q.r' = { s = 1.5, u = [{ v = 2 },\n{ v = 3 }] } # c\n"
        '[[x.y]]\nz = 1979-05-27T07:32:00-08:00\n[[x.y]]\nz = """\n=\n"""\nw.k = 1\n'
    )
    lines = lines_of_keys(text)
    assert lines["a",] == 1
    assert lines["t", "b", 0, 1] == 4
    assert lines["t", "b", 1] == 4
    assert lines["t", "q.r", "u", 1, "v"] == 6
    assert lines["x", "y", 0, "z"] == 8
    assert lines["x", "y", 1, "w", "k"] == 13


def test_the_json_schema_names_every_table() -> None:
    schema = json_schema()
    assert set(schema["properties"]) >= {"schema", "patient", "pump", "drug", "catheter", "therapy", "medication", "bridge", "session"}
    assert "class" in json.dumps(schema)


def test_the_core_does_not_import_pydantic() -> None:
    code = "import itbpump.configuration, itbpump.safety, sys; sys.exit('pydantic' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], check=False, env=environment).returncode == 0


def test_an_example_with_a_patient_bolus_gives_it() -> None:
    assert example("patient-bolus").patient_bolus is not None
    assert example("stopped").patient_bolus is None
