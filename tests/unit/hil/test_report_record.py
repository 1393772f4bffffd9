"""record.json: the same bytes for the same run, read back to the same run, and nothing else taken for one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from itbpump.hil.model import Outcome, RunRecord, Timing
from itbpump.hil.report import RecordError, read_record, record_bytes, timing_bytes, write
from tests.unit.hil.runs import measured, one_test, run_of, runs, trumpet

FULL = run_of(
    one_test(measurements=(measured(),), series=trumpet(), requirements=("SR-26",)),
    one_test(target="tcp", outcome=Outcome.FAIL, cause="1 outside the limits", measurements=(measured(value="13001"),)),
    timing=Timing("2026-11-22T10:00:00+00:00", {"hil/test_delivery.py::test_bolus [memory]": "0.125"}),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(run=runs)
def test_what_is_written_is_read_back_the_same(tmp_path: Path, run: RunRecord) -> None:
    (tmp_path / "record.json").write_bytes(record_bytes(run))
    (tmp_path / "timing.json").unlink(missing_ok=True)
    if run.timing is not None:
        (tmp_path / "timing.json").write_bytes(timing_bytes(run.timing))
    assert read_record(tmp_path) == run
    assert read_record(tmp_path / "record.json") == run


def test_the_record_does_not_know_when_it_was_made_and_in_which_order_words_were_given() -> None:
    later = replace(FULL, timing=Timing("2027-01-01T00:00:00+00:00", {}), versions=dict(reversed(FULL.versions.items())))
    assert record_bytes(later) == record_bytes(FULL)
    content = json.loads(record_bytes(FULL))
    assert list(content) == sorted(content)
    assert b"0.125" not in record_bytes(FULL)
    assert b"2026-11-22" not in record_bytes(FULL)


def test_any_change_of_a_run_changes_its_record() -> None:
    changed = [
        replace(FULL, seed=4),
        replace(FULL, versions={}),
        replace(FULL, tests=FULL.tests[::-1]),
        replace(FULL, tests=FULL.tests[:1]),
        replace(FULL, tests=(replace(FULL.tests[0], measurements=(measured(value="12501"),)), FULL.tests[1])),
    ]
    assert len({record_bytes(run) for run in (FULL, *changed)}) == len(changed) + 1


def test_a_text_with_half_a_character_does_not_cost_the_record(tmp_path: Path) -> None:
    write(run_of(one_test(outcome=Outcome.ERROR, cause="no such file: caf\udce9", pump_log=("\udcff",))), tmp_path)
    assert read_record(tmp_path).tests[0].cause == "no such file: caf\\udce9"
    assert "[U+DCE9]" in (tmp_path / "report.html").read_text("utf-8")


def test_three_files_are_written_and_an_earlier_run_leaves_none(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    page = write(FULL, folder)
    assert page == folder / "report.html"
    assert sorted(path.name for path in folder.iterdir()) == ["record.json", "report.html", "timing.json"]
    write(replace(FULL, timing=None), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["record.json", "report.html"]
    assert read_record(folder).timing is None


def broken(change: Any) -> bytes:
    content = json.loads(record_bytes(FULL))
    change(content)
    return json.dumps(content).encode()


def rename(table: dict[str, Any], old: str, new: str) -> None:
    table[new] = table.pop(old)


REFUSED = {
    "no json": (b"{", "no JSON"),
    "cut off": (record_bytes(FULL)[:-40], "no JSON"),
    "no text": (b"\xff\xfe", "no JSON"),
    "deep": (b"[" * 100_000, "no JSON"),
    "a list": (b"[]", "names no schema"),
    "no schema": (broken(lambda c: c.pop("schema")), "names no schema"),
    "another schema": (broken(lambda c: c.update(schema="junit")), "a record begins with"),
    "a later schema": (broken(lambda c: c.update(schema="itbpump.hil.record/2")), "with the version of itbpump that wrote it"),
    "a typo above": (broken(lambda c: rename(c, "targets", "target")), "did you mean targets?"),
    "a typo in a test": (broken(lambda c: rename(c["tests"][0], "outcome", "outcom")), "did you mean outcome?"),
    "a typo in a measurement": (broken(lambda c: rename(c["tests"][0]["measurements"][0], "unit", "units")), "did you mean unit?"),
    "a typo in limits": (broken(lambda c: rename(c["tests"][0]["measurements"][0]["limits"], "lo", "low")), "did you mean lo?"),
    "something missing": (broken(lambda c: c.pop("seed")), "seed is missing"),
    "another outcome": (broken(lambda c: c["tests"][0].update(outcome="passed")), "tests[0].outcome"),
    "a number for a text": (broken(lambda c: c["tests"][0]["measurements"][0].update(value=12.5)), "value"),
    "no number": (broken(lambda c: c["tests"][0]["measurements"][0].update(value="1e9")), "no decimal number"),
    "a number without end": (broken(lambda c: c["tests"][0]["measurements"][0].update(value="9" * 5_000)), "no decimal number"),
    "not within": (broken(lambda c: c["tests"][1]["measurements"][0].update(within=True)), "is not what `within` says"),
    "a short curve": (broken(lambda c: c["tests"][0]["series"][0]["y"].pop()), "not as many"),
    "a test twice": (broken(lambda c: c["tests"].append(c["tests"][0])), "stands twice"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_record_is_refused_with_the_place_and_what_to_do(tmp_path: Path, case: str) -> None:
    content, words = REFUSED[case]
    file = tmp_path / "record.json"
    file.write_bytes(content)
    with pytest.raises(RecordError) as told:
        read_record(file)
    assert words in str(told.value)
    assert str(file) in told.value.where
    assert told.value.action


def test_a_folder_without_a_record_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"name a record\.json"):
        read_record(tmp_path)


@pytest.mark.parametrize(
    "content", [b"{}", b'{"schema": "itbpump.hil.timing/1", "begun": "x"}', b'{"schema": "itbpump.hil.timing/1", "beg": ""}']
)
def test_a_timing_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    write(FULL, tmp_path)
    (tmp_path / "timing.json").write_bytes(content)
    with pytest.raises(RecordError):
        read_record(tmp_path)
