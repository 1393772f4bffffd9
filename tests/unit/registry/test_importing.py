"""Import: every field and every refusal; all of a file or nothing of it; no name gets in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itbpump.registry.exporting import EXPORTABLE, as_csv, as_json
from itbpump.registry.importing import READERS, ImportRefused, Plan, Problem, fields_of, kinds, read_mapping, read_table
from itbpump.registry.scales import ObservationError, checked, load_scales, load_sites
from itbpump.registry.store import Registry
from itbpump.registry.taking_in import Taken, take_in
from tests.unit.registry.clinic import BY, NOW, fill_entry, info, view

PUMPS = """serial,profile,patient,zone,implanted on,filled on,filled,refill by,alarm,appointment
K-100,P-40,P-0042,Europe/Berlin,2022-02-28,2026-10-01,38 mL,2027-02-01,2027-02-20,2027-01-28
K-101,P-20,P-0043,,,,,,,
"""


def table(tmp_path: Path, text: str, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def brought(
    registry: Registry, path: Path, kind: str = "pumps", plan: Plan | None = None, *, dry_run: bool = False, skip_known: bool = False
) -> Taken:
    return take_in(registry, path, kind, plan if plan is not None else Plan(), at=NOW, by=BY, dry_run=dry_run, skip_known=skip_known)


def refused(registry: Registry, path: Path, kind: str = "pumps", plan: Plan | None = None) -> list[tuple[int, str]]:
    """(line, column) of every problem; and nothing was kept."""
    before = registry.head()
    with pytest.raises(ImportRefused) as told:
        brought(registry, path, kind, plan)
    assert registry.head() == before
    assert all(problem.action for problem in told.value.problems)
    return [(problem.line, problem.column) for problem in told.value.problems]


def test_a_clinics_table_comes_in_with_all_it_says(registry: Registry, tmp_path: Path) -> None:
    done = brought(registry, table(tmp_path, PUMPS))
    assert (done.rows, done.known) == (2, ())
    assert "separator: comma" in done.read_as
    first, second = registry.watched()
    assert (first.serial, first.memory_id, first.profile, first.patient_id, first.zone) == ("K-100", "", "P-40", "P-0042", "Europe/Berlin")
    assert first.dates is not None
    assert (first.dates.refill_by, first.dates.alarm, first.dates.limited_by) == (date(2027, 2, 1), date(2027, 2, 20), "none")
    assert (first.cycle, first.visit_on) == (1, date(2027, 1, 28))
    assert (second.dates, second.cycle, second.run_state, second.last_seen) == (None, 0, "unknown", None)
    assert registry.verify() == ()


def test_a_dry_run_does_everything_and_keeps_nothing(registry: Registry, tmp_path: Path) -> None:
    before = registry.head()
    assert brought(registry, table(tmp_path, PUMPS), dry_run=True).rows == 2
    assert registry.head() == before
    assert refused(registry, table(tmp_path, PUMPS.replace("P-20", "P-99"))) == [(3, "profile")]


def test_an_imported_pump_becomes_the_one_that_is_read(registry: Registry, tmp_path: Path) -> None:
    brought(registry, table(tmp_path, PUMPS))
    # The log shows the fill of the papers: one cycle, not two.
    read = view(NOW, info("K-100"), uptime_ms=100 * 86_400_000)
    fill = fill_entry(3, (100 - 53) * 86_400_000, 38_000_000, 0)
    registry.record_reading(read, log=[fill], by=BY)
    first, _ = registry.watched()
    assert (first.memory_id, first.cycle, first.patient_id) == (b"MEMORY-1".hex(), 1, "P-0042")
    assert first.dates is not None


def test_a_pump_that_was_imported_as_another_model_is_what_it_says_itself(registry: Registry, tmp_path: Path) -> None:
    brought(registry, table(tmp_path, PUMPS.replace("K-100,P-40", "K-100,P-20")))
    registry.record_reading(view(NOW, info("K-100"), uptime_ms=1), by=BY)
    found = {pump.serial: pump for pump in registry.watched()}["K-100"]
    assert (found.profile, found.patient_id) == ("P-40", "P-0042")
    assert registry.verify() == ()


def test_a_serial_is_the_same_however_its_letters_are_spelled(registry: Registry, tmp_path: Path) -> None:
    brought(registry, table(tmp_path, PUMPS.replace("K-100", "k-100")))
    assert [line for line, _ in refused(registry, table(tmp_path, PUMPS, "again.csv"))] == [2, 3]
    registry.record_reading(view(NOW, info("K-100"), uptime_ms=1), by=BY)
    registry.assign("k-100", "P-0007", at=NOW, by=BY)
    assert {pump.serial: pump.patient_id for pump in registry.watched()}["K-100"] == "P-0007"
    assert registry.verify() == ()


def test_the_day_of_implant_outlives_a_memory_formatted_anew(registry: Registry, tmp_path: Path) -> None:
    brought(registry, table(tmp_path, PUMPS))
    implanted_on = registry.learned("K-100").implanted_on
    assert implanted_on is not None
    for memory in (b"MEMORY-1", b"MEMORY-2"):
        registry.record_reading(view(NOW, info("K-100", memory=memory), uptime_ms=1), by=BY)
    assert registry.learned("K-100").implanted_on == implanted_on


def test_every_error_is_told_with_its_line_and_column_at_once(registry: Registry, tmp_path: Path) -> None:
    text = (
        "serial,profile,patient,zone,filled on,filled\n"
        "K-100,P-40,Mary,,,\n"
        "K-101,P-41,P-0043,Mars/Base,2026-13-01,38\n"
        ",P-40,,,,\n"
        "K-103,P-40,,,,,,\n"
        'K-104,P-40,,,2026-10-01,"1,5 mL"\n'
        "K-103,P-40,,,,\n"
        "K-104,P-40,,,,\n"
    )
    assert refused(registry, table(tmp_path, text)) == [
        (2, "patient"),
        (3, "profile"),
        (3, "zone"),
        (3, "filled on"),
        (3, "filled"),
        (4, "serial"),
        (5, ""),
        (6, "filled"),
        (8, ""),
    ]


@pytest.mark.sr("SR-36")
@pytest.mark.parametrize(
    ("kind", "head", "line", "other", "told"),
    [
        ("pumps", "serial,profile,refill by", "K-1,P-40,2027-01-11", "K-1,P-40,2027-03-11", "serial K-1 is on line 2 already"),
        (
            "refills",
            "serial,on,filled",
            "K-1,2026-10-01,38 mL",
            "K-1,2026-10-01,20 mL",
            "serial K-1 and on 2026-10-01 is on line 2 already",
        ),
    ],
)
def test_of_two_lines_about_the_same_neither_wins(
    registry: Registry, tmp_path: Path, kind: str, head: str, line: str, other: str, told: str
) -> None:
    for skip in (False, True):
        with pytest.raises(ImportRefused) as caught:
            brought(registry, table(tmp_path, f"{head}\n{line}\n{other}\n"), kind, skip_known=skip)
        assert [(problem.line, problem.problem, problem.action) for problem in caught.value.problems] == [
            (3, told, "leave one of the two lines out")
        ]


def test_what_contradicts_itself_or_the_registry_is_told_by_line(registry: Registry, tmp_path: Path) -> None:
    assert refused(registry, table(tmp_path, "serial,profile\nK-1,P-40\nK-2,P-40\nK-1,P-40\n")) == [(4, "")]
    assert refused(registry, table(tmp_path, "serial,profile,filled\nK-1,P-40,38 mL\n")) == [(2, "")]
    assert refused(registry, table(tmp_path, "serial,profile,zone\nK-1,P-40,Europe/Berlin\n")) == [(2, "")]
    brought(registry, table(tmp_path, PUMPS))
    assert refused(registry, table(tmp_path, PUMPS)) == [(2, ""), (3, "")]
    assert brought(registry, table(tmp_path, PUMPS + "K-102,P-40,,,,,,,,\n"), skip_known=True) == Taken(1, (2, 3), brought_as(tmp_path))


def brought_as(tmp_path: Path) -> tuple[str, ...]:
    return read_table(table(tmp_path, PUMPS), "pumps", Plan()).taken


@pytest.mark.parametrize(
    "title",
    [
        "Name",
        "patient name",
        "PatientName",
        "Surname",
        "First-Name",
        "Nachname",
        "NOM",
        "DOB",
        "date of birth",
        "E-Mail email",
        "Phone no.",
        "last name",
    ],
)
def test_a_column_that_looks_like_a_name_is_refused_even_when_mapped_or_ignored(
    file_registry: Registry, tmp_path: Path, title: str
) -> None:
    path = table(tmp_path, f"serial,profile,{title}\nK-100,P-40,x\n")
    for plan in (Plan(), Plan(columns={title: "patient"}), Plan(ignore=(title,))):
        assert refused(file_registry, path, plan=plan)[0] == (1, title)


def test_heads_that_nobody_explains_are_not_guessed(file_registry: Registry, tmp_path: Path) -> None:
    path = table(tmp_path, "Pumpe,Modell,Bemerkung\nK-100,P-40,x\n")
    plan = Plan(columns={"Pumpe": "serial", "Modell": "profile"}, separator=",")
    assert refused(file_registry, path, plan=plan) == [(1, "Bemerkung")]
    assert refused(file_registry, path)[0] == (0, ""), "without a mapping not even the separator is known"
    assert refused(file_registry, path, plan=Plan(columns={**plan.columns, "Bemerkung": "colour"}, separator=",")) == [(1, "Bemerkung")]
    assert refused(file_registry, path, plan=Plan(columns={**plan.columns, "gone": "zone"}, ignore=("Bemerkung",))) == [(0, "gone")]
    assert brought(file_registry, path, plan=Plan(columns=plan.columns, ignore=("Bemerkung",))).read_as[-1] == "left out: Bemerkung"


@pytest.mark.parametrize(("sign", "name"), [(",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "bar")])
def test_the_separator_that_gives_the_columns_is_taken_and_told(file_registry: Registry, tmp_path: Path, sign: str, name: str) -> None:
    done = brought(file_registry, table(tmp_path, f"serial{sign}profile\r\nK-100{sign}P-40\r\n"))
    assert f"separator: {name}" in done.read_as


def test_units_dates_and_encodings_are_as_told(file_registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("Serial;Profile;Gefüllt;filled on\nK-100;P-40;38;01.10.2026\n".encode("cp1252"))
    plan = Plan({"Gefüllt": "filled"}, {"filled": "mL"}, encoding="cp1252", date_form="%d.%m.%Y")
    assert brought(file_registry, path, plan=plan).rows == 1
    assert file_registry.refill_history("K-100")[0].after_nL == 38_000_000
    assert refused(file_registry, path, plan=Plan({"Gefüllt": "filled"})) == [(1, "")]


def test_a_mapping_file_says_the_same(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        'schema = "itbpump.import/1"\nseparator = ";"\ndate_form = "%d.%m.%Y"\nignore = ["Remark"]\n'
        '[columns]\nNo = "serial"\n[units]\nfilled = "mL"\n',
        "m.toml",
    )
    assert read_mapping(path) == Plan({"No": "serial"}, {"filled": "mL"}, ("Remark",), ";", "utf-8-sig", "%d.%m.%Y")
    for text in ("", 'schema = "other"', 'schema = "itbpump.import/1"\ncolour = 1', "schema = "):
        with pytest.raises(ImportRefused):
            read_mapping(table(tmp_path, text, "bad.toml"))


@pytest.mark.sr("SR-38")
def test_refills_of_papers_teach_the_pumps_flow_in_the_order_of_their_days(registry: Registry, tmp_path: Path) -> None:
    brought(registry, table(tmp_path, "serial,profile\nK-100,P-40\n"))
    text = "serial,on,expected,aspirated,filled,decision\n" + "".join(
        f"K-100,2026-0{month}-01,8 mL,5 mL,38 mL,{'checked' if month == 5 else ''}\n" for month in (7, 5, 3, 1)
    )
    assert brought(registry, table(tmp_path, text), "refills").rows == 4
    rows = registry.refill_history("K-100")
    assert [row.at.month for row in rows] == [1, 3, 5, 7]
    assert [row.counted_nL for row in rows] == [None, 30_000_000, 30_000_000, 30_000_000]
    assert [row.is_open for row in rows] == [True, True, False, True]
    assert registry.pump_history("K-100").calibrations[-1]["refills"] == 3
    assert refused(registry, table(tmp_path, "serial,on,filled\nK-100,2026-03-01,38 mL\nK-999,2026-03-01,38 mL\n"), "refills") == [
        (2, ""),
        (3, ""),
    ]


def test_observations_come_in_by_the_lists_alone(registry: Registry, tmp_path: Path) -> None:
    brought(registry, table(tmp_path, PUMPS))
    head = "patient,on,scale,site,grade,text\n"
    good = "P-0042,2026-10-01,modified-ashworth,left elbow-flexors,1+,\nP-0042,2026-10-01,side-effect,,other,rash on the arm\n"
    assert brought(registry, table(tmp_path, head + good), "observations").rows == 2
    assert [row.grade for row in registry.observations("P-0042")] == ["1+", "other"]
    bad = "P-0042,2026-10-01,ashworth,left elbow-flexors,1+,\nP-9,2026-10-01,note,,,x\n"
    assert refused(registry, table(tmp_path, head + bad), "observations") == [(2, ""), (3, "")]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_file_is_a_table_or_a_documented_refusal(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(b"serial,profile\n" + content)
    rows: tuple[tuple[int, Mapping[str, Any]], ...] = ()
    problems: tuple[Problem, ...] = ()
    try:
        rows = read_table(path, "pumps", Plan()).rows
    except ImportRefused as refusal:
        problems = refusal.problems
    assert not (rows and problems)
    assert rows or problems or not csv_cells(content), "what holds something is read or refused"
    assert all(row["serial"] and row["profile"] for _, row in rows)


def csv_cells(content: bytes) -> bytes:
    return content.strip(b' ,"\r\n\t\x0b\x0c\x1c\x1d\x1e\x1f')


def test_every_field_of_the_table_has_a_reader() -> None:
    assert {form["type"] for kind in kinds() for form in fields_of(kind).values()} == set(READERS)
    with pytest.raises(ImportRefused):
        fields_of("refused")


# ------------------------------------------------------------------------------------------------ scales
def test_every_scale_takes_its_grades_and_no_other() -> None:
    for scale in load_scales().values():
        assert scale.mark in {"R", "R2", "M", "D"}
        assert scale.source
        place = load_sites()[0] if scale.has_site else ""
        for grade in scale.grades or ("",):
            assert checked(scale.id, grade, place, "seen") is scale
        for wrong in ("5", "0.5", "", "mild") if scale.grades else ("1",):
            if wrong not in scale.grades:
                with pytest.raises(ObservationError):
                    checked(scale.id, wrong, place, "seen")
        with pytest.raises(ObservationError):
            checked(scale.id, scale.grades[0] if scale.grades else "", "" if scale.has_site else "left elbow-flexors", "seen")
    for scale_id, grade in (("note", ""), ("side-effect", "other")):
        with pytest.raises(ObservationError):
            checked(scale_id, grade, "", " ")
    with pytest.raises(ObservationError):
        checked("ashworth-like", "1", "", "")


# ------------------------------------------------------------------------------------------------ export
def test_exports_hold_every_row_and_no_formula(registry: Registry, tmp_path: Path) -> None:
    brought(registry, table(tmp_path, PUMPS))
    registry.record_observation("P-0042", "note", text="=HYPERLINK(1)", at=NOW, by=BY)
    with registry.reading() as connection:
        for name in EXPORTABLE:
            assert as_csv(connection, name).startswith(("serial,", "id,", "seq,"))
            assert as_json(connection, name).startswith("[")
        assert "'=HYPERLINK(1)" in as_csv(connection, "observations")
        assert '"=HYPERLINK(1)"' in as_json(connection, "observations")
        assert as_csv(connection, "refills").splitlines()[1].startswith("K-100,")
