"""What a bundle says of a visit: exact amounts, who and when, what is open; no names; the same bytes twice."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from itbpump.forecast import Bounds
from itbpump.quantity import Mass, MassRate
from itbpump.report import BolusPulses, SessionRecord, fhir
from tests.unit.fhir.bundles import RECORDS, bare_record, made, nodes, of_type
from tests.unit.report.records import records
from tests.unit.report.visits import rich_record

SOURCE = Path(__file__).parents[3]


def only(found: list[dict[str, Any]]) -> dict[str, Any]:
    assert len(found) == 1, len(found)
    return found[0]


def reading(bundle: fhir.Json, words: str) -> list[Any]:
    """Values of the observations whose code begins so, in order; None where there is none."""
    found = [item for item in of_type(bundle, "Observation") if item["code"]["text"].startswith(words)]
    return [item["valueQuantity"]["value"] if "valueQuantity" in item else None for item in found]


# ------------------------------------------------------------------------------------------------ valid, always the same
@pytest.mark.parametrize("release", fhir.RELEASES)
@pytest.mark.parametrize("name", RECORDS)
def test_both_checks_find_nothing(name: str, release: str) -> None:
    bundle = made(name, release)
    assert fhir.check(bundle, release) == ()
    assert fhir.validated(bundle, release) is bundle


@pytest.mark.parametrize("release", fhir.RELEASES)
def test_the_text_reads_back_exactly_here_and_by_fhir_resources(release: str) -> None:
    bundle = made("troubled", release)
    written = fhir.text(bundle)
    assert fhir.read(written) == bundle
    theirs = import_module({"R5": "fhir.resources.bundle", "R4B": "fhir.resources.R4B.bundle"}[release]).Bundle
    back = json.loads(theirs.model_validate_json(written).model_dump_json(), parse_float=Decimal)
    assert _plain(back) == _plain(bundle)


def _plain(value: Any) -> Any:
    """Numbers alike, however they are written; their order of keys is not ours."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return Decimal(value).normalize() if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else value


def test_the_same_record_gives_the_same_bytes_in_another_process() -> None:
    code = (
        "from tests.unit.fhir.bundles import troubled_record; from itbpump.report import fhir; import sys; "
        "sys.stdout.write(fhir.text(fhir.bundle(troubled_record())))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=SOURCE,
        env={"PYTHONPATH": f"{SOURCE / 'src'}:{SOURCE}", "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert told.stdout == fhir.text(made("troubled"))


def test_a_bundle_is_made_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """And checked by own rules; only `validated` asks for fhir.resources, and says so."""
    monkeypatch.setitem(sys.modules, "fhir.resources.bundle", None)
    bundle = fhir.bundle(rich_record())
    assert fhir.check(bundle) == ()
    with pytest.raises(fhir.FhirExtraMissing) as told:
        fhir.validated(bundle)
    assert told.value.action == 'pip install "itbpump[fhir]"'


# ------------------------------------------------------------------------------------------------ readings, therapy, doses
def test_readings_are_those_of_the_record() -> None:
    record, bundle = rich_record(), made()
    assert record.end is not None
    for state, place in ((record.start, 0), (record.end, 1)):
        assert state.reservoir is not None
        assert reading(bundle, "volume in the reservoir")[place] == Decimal(state.reservoir.nL) / 1_000_000
    assert record.delivered.total is not None
    assert reading(bundle, "volume given since") == [Decimal(record.delivered.total.nL) / 1_000_000]
    assert reading(bundle, "charge of the battery") == [98, 98]
    refill = record.refills[0].refill
    assert refill is not None
    assert reading(bundle, "volume drawn out") == [Decimal(refill.aspirated_nL) / 1_000_000]
    assert reading(bundle, "volume filled") == [Decimal(refill.filled_nL) / 1_000_000]


def test_the_new_therapy_stops_the_old_one_and_says_who_ordered_it() -> None:
    old, new = of_type(made(), "MedicationRequest")
    assert (old["status"], new["status"]) == ("stopped", "active")
    assert new["priorPrescription"] == {"reference": f"urn:uuid:{old['id']}"}
    assert new["requester"]["identifier"]["value"] == "doctor-3"
    rates = [item["dosageInstruction"][0]["doseAndRate"][0]["rateRatio"]["numerator"] for item in (old, new)]
    assert [(rate["value"], rate["code"], rate["unit"]) for rate in rates] == [(180, "ug", "mcg"), (200, "ug", "mcg")]
    assert new["medication"]["concept"] == {"text": "baclofen 2,000 mcg per mL"}  # its RxNorm code is not verified


def test_what_was_given_and_what_is_given() -> None:
    record = rich_record()
    past, now, bolus = of_type(made(), "MedicationAdministration")
    assert record.delivered.total_mass is not None
    assert past["dosage"]["dose"]["value"] == Decimal(int(record.delivered.total_mass.rounded().ng)) / 1_000
    assert (past["status"], now["status"]) == ("completed", "in-progress")
    assert now["dosage"]["rateRatio"]["numerator"]["value"] == 200
    assert now["request"]["reference"] == f"urn:uuid:{of_type(made(), 'MedicationRequest')[1]['id']}"
    # it had just begun when its outcome was told: a dose of 0 would be read as none given
    assert (bolus["status"], bolus["dosage"]["dose"]["value"]) == ("in-progress", 25)
    assert bolus["dosage"]["text"].startswith("0 mcg of 25 mcg")


@pytest.mark.parametrize(
    ("state", "status", "dose", "partial"),
    [
        ("done", "completed", 11, None),
        ("interrupted", "stopped", 11, True),
        ("aborted", "stopped", 11, True),
        ("idle", "unknown", 11, None),
    ],
)
@pytest.mark.sr("SR-49")
def test_a_bolus_tells_what_was_given(state: str, status: str, dose: int, partial: bool | None) -> None:
    record = rich_record()
    refill, change = record.changes
    told = replace(change.told, bolus=BolusPulses(25, 11, 1, state, Mass(25_000), Mass(11_000)))
    found = fhir.bundle(replace(record, changes=(refill, replace(change, told=told))))
    bolus = of_type(found, "MedicationAdministration")[-1]
    assert (bolus["status"], bolus["dosage"]["dose"]["value"], bolus.get("isSubPotent")) == (status, dose, partial)
    assert bolus["dosage"]["text"] == "11 mcg of 25 mcg when the outcome was told: 11 of 25 pulses; 1 pulses in doubt"


def test_a_bolus_of_unknown_outcome_is_no_administration() -> None:
    """Even where pulses were told with it."""
    record = rich_record()
    refill, change = record.changes
    unknown = replace(change, told=replace(change.told, word="unknown", disagreed=None))
    assert len(of_type(fhir.bundle(replace(record, changes=(refill, unknown))), "MedicationAdministration")) == 2


def test_a_pump_that_runs_at_no_rate_gives_nothing_now() -> None:
    record = rich_record()
    assert record.end is not None
    found = fhir.bundle(replace(record, end=replace(record.end, dose_now=MassRate(0))))
    assert of_type(found, "MedicationAdministration")[1]["status"] == "on-hold"


def test_decimals_are_written_as_they_are() -> None:
    assert fhir.text({"x": [Decimal("0.12345678901234567890"), Decimal("1E-7"), 1_000, True]}) == (
        '{\n  "x": [\n    0.12345678901234567890,\n    0.0000001,\n    1000,\n    true\n  ]\n}\n'
    )


def test_a_stopped_pump_gives_nothing_and_has_a_flag() -> None:
    bundle = made("troubled")
    now = of_type(bundle, "MedicationAdministration")[1]
    assert (now["status"], now["dosage"]["rateRatio"]["numerator"]["value"]) == ("on-hold", 0)
    assert of_type(bundle, "MedicationRequest")[-1]["status"] == "on-hold"
    assert only(of_type(bundle, "Flag"))["code"]["text"] == "pump alarm, critical: the pump is stopped"


def test_what_nobody_knows_is_said_and_never_guessed() -> None:
    bundle = made("bare")
    assert reading(bundle, "volume in the reservoir") == [None]
    absent = [item["dataAbsentReason"]["coding"][0]["code"] for item in of_type(bundle, "Observation") if "dataAbsentReason" in item]
    assert absent == ["unknown"] * 5
    for kind in ("MedicationRequest", "MedicationAdministration", "Task"):
        assert of_type(bundle, kind) == []


@pytest.mark.sr("SR-42")
def test_open_outcomes_are_issues_of_high_severity() -> None:
    found = {item["code"]["text"]: item for item in of_type(made("troubled"), "DetectedIssue") if item["status"] == "preliminary"}
    unknown = [item for item in of_type(made("troubled"), "DetectedIssue") if item["code"]["text"].startswith("outcome")]
    assert [item["detail"] for item in unknown] == [
        "command 5, unknown; see the session report",
        "command 6, applied; see the session report",  # settled: seen, though its mass was never told
        "1 of an earlier visit; see the session report",
    ]
    assert {item["severity"] for item in found.values()} == {"high"}
    assert any(text.startswith("a command took effect, and the pump does not run") for text in found)
    for release in fhir.RELEASES:  # a bolus whose outcome is not known is no administration
        assert len(of_type(made("troubled", release), "MedicationAdministration")) == 3


@pytest.mark.sr("SR-03")
def test_an_overridden_limit_is_an_issue_with_rule_figures_and_people() -> None:
    record = rich_record()
    accepted = [item for change in record.changes for item in change.overrides]
    found = [item for item in of_type(made(), "DetectedIssue") if item["status"] == "mitigated"]
    assert [item["code"]["text"] for item in found] == [f"limit overridden: {item.rule}" for item in accepted]
    assert found[0]["detail"] == "value −2.658 mL, limit 1.28909 mL"
    people = [item["author"]["identifier"]["value"] for item in found[0]["mitigation"]]
    assert people == ["doctor-3", "nurse-7"]


# ------------------------------------------------------------------------------------------------ the task
@pytest.mark.sr("SR-36")
def test_the_task_ends_on_the_day_of_the_forecast() -> None:
    record = rich_record()
    assert record.dates is not None
    task = only(of_type(made(), "Task"))
    assert record.dates.refill_by is not None
    assert task["requestedPeriod"] == {"end": record.dates.refill_by.isoformat(timespec="seconds")}
    assert task["description"] == f"Refill by {record.dates.refill_text}"
    inputs = {item["type"]["text"]: item["valueDateTime"] for item in task["input"]}
    assert record.dates.empty.earliest is not None
    assert inputs["empty reservoir, earliest"] == record.dates.empty.earliest.isoformat(timespec="seconds")
    assert only(of_type(made(release=fhir.R4B), "Task"))["restriction"] == {"period": task["requestedPeriod"]}


@pytest.mark.parametrize(("refill_h", "empty_h", "priority"), [(1, 50, "routine"), (0, 50, "asap"), (-9, 1, "asap"), (-9, 0, "stat")])
def test_a_refill_that_is_due_is_urgent(refill_h: int, empty_h: int, priority: str) -> None:
    record = rich_record()
    assert record.dates is not None
    now = record.dates.as_of
    empty = now + timedelta(hours=empty_h)
    dates = replace(record.dates, refill_by=now + timedelta(hours=refill_h), empty=Bounds(empty, empty, empty))
    bundle = fhir.bundle(record, dates)
    assert only(of_type(bundle, "Task"))["priority"] == priority
    assert fhir.check(bundle) == ()


def test_no_date_is_no_task() -> None:
    record = rich_record()
    assert record.dates is not None
    assert of_type(fhir.bundle(record, replace(record.dates, refill_by=None)), "Task") == []


# ------------------------------------------------------------------------------------------------ people
@pytest.mark.parametrize("release", fhir.RELEASES)
def test_nothing_typed_by_a_person_is_written(release: str) -> None:
    written = fhir.text(made("troubled", release))
    for typed in ("Smith", "Jones", "Mary", "tablets", "agreed", "asked"):
        assert typed not in written
    assert "a person whose id is not opaque" in written
    assert '"nurse-7"' in written


@pytest.mark.parametrize(
    ("patient", "why"), [("", "names no patient"), ("Mary Jones", "not opaque"), ("P\u202e1", "not opaque"), ("x" * 33, "opaque")]
)
def test_a_patient_is_an_opaque_id_or_there_is_no_bundle(patient: str, why: str) -> None:
    record = rich_record()
    with pytest.raises(fhir.FhirError, match=why) as told:
        fhir.bundle(replace(record, identity=replace(record.identity, patient_id=patient)))
    assert told.value.action
    assert not patient or patient not in str(told.value)


@pytest.mark.parametrize("simulated", [True, False])
def test_a_simulated_pump_is_test_data_in_every_resource(simulated: bool) -> None:
    record = rich_record()
    bundle = fhir.bundle(replace(record, identity=replace(record.identity, simulated=simulated)))
    for resource in (bundle, *(entry["resource"] for entry in bundle["entry"])):
        tags = [tag["code"] for tag in resource.get("meta", {}).get("tag", [])]
        assert tags == (["HTEST"] if simulated else [])
    assert fhir.check(bundle) == ()


def test_the_source_is_the_session_report() -> None:
    from itbpump.report import record_digest

    provenance = only(of_type(made(), "Provenance"))
    assert provenance["entity"][0]["what"]["identifier"]["value"] == record_digest(rich_record())
    stated = {f"urn:uuid:{entry['resource']['id']}" for entry in made()["entry"]} - {f"urn:uuid:{provenance['id']}"}
    devices = {f"urn:uuid:{item['id']}" for kind in ("Device", "DeviceMetric") for item in of_type(made(), kind)}
    assert {target["reference"] for target in provenance["target"]} == stated - devices


def test_numbers_are_never_floats() -> None:
    for name in RECORDS:
        assert not [node for node in nodes(made(name)) if isinstance(node, float)]


def test_an_unknown_release_is_refused() -> None:
    for ask in (lambda: fhir.bundle(rich_record(), release="R4"), lambda: fhir.check(made(), "R4")):
        with pytest.raises(fhir.FhirError, match="no FHIR release 'R4'"):
            ask()


def test_ids_stay_the_same_over_visits() -> None:
    """The pump and its metrics; readings of another time are others."""
    record: SessionRecord = bare_record()
    later = replace(record, start=replace(record.start, at=record.start.at + timedelta(days=30)))
    first, second = fhir.bundle(record), fhir.bundle(later)
    for kind, same in (("Device", True), ("DeviceMetric", True), ("Observation", False), ("Provenance", False)):
        ids = [{item["id"] for item in of_type(bundle, kind)} for bundle in (first, second)]
        assert (ids[0] == ids[1]) is same
        assert same or not ids[0] & ids[1]


# ------------------------------------------------------------------------------------------------ any record
@settings(
    max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck), derandomize=True
)
@given(record=records, release=st.sampled_from(fhir.RELEASES))
def test_any_record_makes_a_valid_bundle_without_typed_texts(record: SessionRecord, release: str) -> None:
    """Every field drawn by itself, with hostile texts wherever somebody types. Command numbers are one pump's own, so each comes once."""
    typed = "Mr\u202e John <b>Smith</b>"
    changes = tuple(
        replace(
            change,
            cmd_id=number,
            title=typed,
            user=typed,
            overrides=tuple(replace(item, text=typed, user=typed) for item in change.overrides),
        )
        for number, change in enumerate(record.changes)
    )
    identity = replace(record.identity, patient_id="P-7")
    bundle = fhir.bundle(replace(record, identity=identity, staff=(typed,), changes=changes), release=release)
    assert fhir.check(bundle, release) == ()
    assert "Smith" not in fhir.text(bundle)
