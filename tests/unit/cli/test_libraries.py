"""The clinic's own library: found, applied, named on the screen; one that cannot be used ends the command before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from itbpump.drugs import load_library
from itbpump.wording.review import library_lines

STRICT = """schema = "itbpump.clinic-library/1"
drug = "baclofen"
clinic = "ward-7"
version = "3"

[bolus]
soft = { amount = "30 mcg", mark = "C", source = "policy of the clinic" }
"""
LOOSE = STRICT.replace("30 mcg", "60 mcg")
DOSE = ("--dose", "40 mcg", "--over", "10m", "--yes")


def folder(path: Path, content: str | bytes, name: str = "baclofen.toml") -> str:
    """A folder with one file."""
    path.mkdir(parents=True, exist_ok=True)
    (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.mark.sr("SR-04")
def test_a_clinics_tighter_limit_holds_and_is_named(cli: Any, flex: str, tmp_path: Path) -> None:
    """The example gives 40 mcg at once: fine by the library, above the clinic's 30."""
    own = folder(tmp_path / "own", STRICT)
    assert cli("review", flex).code == 0
    told = cli("review", flex, "--clinic-library", own)
    assert told.code == 3
    assert "40 mcg at once is above 30 mcg" in told.said
    assert "policy of the clinic" in told.said
    lines = told.out.splitlines()
    clinic = next(line for line in lines if line.startswith("Clinic:"))
    assert clinic.startswith("Clinic:  ward-7, version 3, ")
    assert lines[lines.index(clinic) + 1].startswith("Digest:")
    data = cli("review", flex, "--clinic-library", own, "--json").data["library"]
    assert data["clinic"]["id"] == "ward-7"
    assert data["sha256"] != load_library("baclofen").sha256
    assert clinic.endswith(data["clinic"]["sha256"][:12])


def test_without_one_the_screen_says_so(cli: Any, flex: str, tmp_path: Path) -> None:
    assert "without a clinic's file" in cli("review", flex).said
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "without a clinic's file" in cli("review", flex, "--clinic-library", str(empty)).said


def test_where_it_is_looked_for(cli: Any, flex: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path / "config" / "itbpump" / "drugs", STRICT)
    assert "ward-7" in cli("review", flex).out
    monkeypatch.setenv("ITBPUMP_CLINIC_LIBRARY", folder(tmp_path / "env", STRICT.replace("ward-7", "ward-8")))
    assert "ward-8" in cli("review", flex).out
    named = folder(tmp_path / "named", STRICT.replace("ward-7", "ward-9"))
    assert "ward-9" in cli("review", flex, "--clinic-library", named).out


@pytest.mark.sr("SR-06")
@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (LOOSE, "baclofen.toml", "60 mcg against the library's 50 mcg"),
        ("not toml", "baclofen.toml", "damaged"),
        (b"\xff\xfe", "baclofen.toml", "damaged"),
        (STRICT.replace('"baclofen"', '"morphine"'), "baclofen.toml", "for morphine"),
        (STRICT, "baclofne.toml", "for no drug known here"),
    ],
    ids=["looser", "no-toml", "no-text", "another-drug", "misnamed"],
)
def test_a_file_that_cannot_be_used_ends_the_command_and_sends_nothing(
    cli: Any, paired: str, flex: str, tmp_path: Path, content: str | bytes, name: str, words: str
) -> None:
    own = folder(tmp_path / "own", content, name)
    for command in (("review", flex), ("program", flex, "--pump", paired, "--yes")):
        told = cli(*command, "--clinic-library", own)
        assert told.code == 2
        assert words in told.said
        assert "nothing was sent" in told.said
    assert cli("status", paired, "--json").data["therapy"]["revision"] == 0


@pytest.mark.sr("SR-06")
def test_a_folder_that_is_not_there(cli: Any, flex: str, tmp_path: Path) -> None:
    told = cli("review", flex, "--clinic-library", str(tmp_path / "absent"))
    assert told.code == 2
    assert "no such folder" in told.said


@pytest.mark.sr("SR-02", "SR-04")
def test_every_dose_is_judged_by_it(cli: Any, running: str, flex: str, variant: Any, tmp_path: Path) -> None:
    own = ("--clinic-library", folder(tmp_path / "own", STRICT))
    before = cli("status", running, "--json").data["therapy"]["revision"]
    assert cli("bolus", running, *DOSE, *own).code == 3
    assert cli("program", flex, "--pump", running, "--yes", *own).code == 3
    assert cli("refill", running, "--aspirated", "36.6 mL", "--filled", "38 mL", "--rx", flex, "--yes", *own).code == 3
    primed = variant(("[therapy]", '[prime]\nscope = "path"\n\n[therapy]'))
    data = cli("prime", running, "--rx", primed, "--over", "30m", "--yes", "--json", *own).data
    assert data["review"]["library"]["clinic"]["id"] == "ward-7"
    assert cli("stop", running, "--yes").code == 0
    assert cli("restore", running, "--rx", flex, "--yes", *own).code == 3
    assert cli("status", running, "--json").data["therapy"]["revision"] == before + 1  # the stop
    assert "no such folder" in cli("clock", running, "--rebase", "--yes", "--clinic-library", str(tmp_path / "absent")).said


@pytest.mark.sr("SR-06")
def test_a_drug_without_a_library_is_a_usage_error_that_names_those_there_are(cli: Any, variant: Any) -> None:
    told = cli("review", variant(('name = "baclofen"', 'name = "ziconotide"')))
    assert told.code == 2
    assert "baclofen, morphine" in told.said


def test_unverified_figures_are_marked_on_the_screen(cli: Any, variant: Any) -> None:
    """2,003 mcg per day is the hard limit, read nowhere at first hand."""
    assert load_library("baclofen").daily["spinal"].hard_high.mark == "M"
    told = cli("review", variant(('rate = "6 mcg/h"', 'rate = "90 mcg/h"')))
    assert told.code == 4
    assert "source: UNVERIFIED; top of the spinal maintenance range" in told.said


def test_the_lines_name_what_the_review_carries() -> None:
    library = load_library("baclofen", STRICT.encode())
    assert [line.partition(":")[0] for line in library_lines(library.json())] == ["Library", "Clinic"]
