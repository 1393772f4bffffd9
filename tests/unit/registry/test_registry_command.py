"""`itbpump registry …` as a person and as a program use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from itbpump.cli.registering import app
from tests.command_line import CliRunner, Result

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("ITBPUMP_REGISTRY", str(tmp_path / "registry.db"))
    monkeypatch.delenv("ITBPUMP_PASSPHRASE", raising=False)

    def call(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, list(arguments), prog_name="itbpump registry")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return call


def data(result: Result) -> dict[str, Any]:
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def filled(run: Run, tmp_path: Path) -> None:
    run("init")
    (tmp_path / "t.csv").write_text("serial,profile,patient,refill by\nK-100,P-40,P-0042,2027-02-01\nK-101,P-20,,\n")
    run("import", str(tmp_path / "t.csv"), "--by", "N-17")


def test_it_is_made_once_and_asked_for_when_it_is_not_there(run: Run) -> None:
    assert "registry init" in run("status", code=1).stderr
    assert "Made:" in run("init").stdout
    assert "there is a file already" in run("init", code=1).stderr
    assert data(run("status", "--json"))["audit"]["links"] == 1


def test_a_table_comes_in_and_is_listed(run: Run, tmp_path: Path) -> None:
    filled(run, tmp_path)
    listed = data(run("pumps", "--json"))["pumps"]
    assert [(pump["serial"], pump["patient_id"], pump["refill_by"]) for pump in listed] == [
        ("K-100", "P-0042", "2027-02-01"),
        ("K-101", "", None),
    ]
    shown = run("pumps").stdout
    assert "1 Feb 2027" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert data(run("patients", "--json"))["patients"] == [{"id": "P-0042", "zone": "UTC", "pumps": ["K-100"]}]
    assert "without a refill date  1: K-101" in run("status").stdout


def test_an_import_is_tried_before_it_is_done(run: Run, tmp_path: Path) -> None:
    run("init")
    table = tmp_path / "t.csv"
    table.write_text("No;Type\nK-100;P-40\n")
    words = ("--map", "No=serial", "--map", "Type=profile", "--by", "N-17")
    assert "Nothing was kept" in run("import", str(table), *words, "--dry-run").stdout
    assert data(run("pumps", "--json"))["pumps"] == []
    assert data(run("import", str(table), *words, "--json"))["rows"] == 1
    table.write_text("serial,profile,name\nK-1,P-40,x\n")
    refused = run("import", str(table), "--by", "N-17", code=2).stderr
    assert "looks like a name" in refused
    for odd in (("--map", "serial"), ("--separator", "blank"), ("--kind", "people"), ("--mapping", str(tmp_path / "none.toml"))):
        run("import", str(table), "--by", "N-17", *odd, code=2)


def test_what_was_seen_is_recorded_and_shown(run: Run, tmp_path: Path) -> None:
    filled(run, tmp_path)
    run("observe", "P-0042", "--scale", "modified-ashworth", "--site", "left knee-flexors", "--grade", "1+", "--by", "N-17")
    assert data(run("patients", "P-0042", "--json"))["observations"][0]["grade"] == "1+"
    assert "modified-ashworth left knee-flexors 1+" in run("patients", "P-0042").stdout
    run("observe", "P-0042", "--scale", "ashworth", "--site", "left knee-flexors", "--grade", "1+", "--by", "N-17", code=2)
    run("observe", "P-9", "--scale", "note", "--text", "x", "--by", "N-17", code=1)
    for when in ("yesterday", "2026-01-01T10:00:00", "2999-01-01T10:00:00+00:00"):
        run("observe", "P-0042", "--scale", "note", "--text", "x", "--by", "N-17", "--at", when, code=2)


def test_a_backup_is_sealed_and_comes_back_elsewhere(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(run, tmp_path)
    (tmp_path / "words").write_text("four words of a nurse\n")
    words = ("--passphrase-file", str(tmp_path / "words"))
    run("backup", str(tmp_path / "b"), code=2)
    monkeypatch.setenv("ITBPUMP_PASSPHRASE", "short")
    assert "under 12" in run("backup", str(tmp_path / "b"), code=2).stderr
    head = data(run("backup", str(tmp_path / "b"), *words, "--json"))["head"]
    elsewhere = ("--registry", str(tmp_path / "new.db"))
    run("init", *elsewhere)
    run("restore", str(tmp_path / "b"), "--by", "N-17", *elsewhere, code=1)
    assert "audit is sound" in run("restore", str(tmp_path / "b"), "--by", "N-17", *words, *elsewhere).stdout
    assert data(run("verify", "--head", head, "--json", *elsewhere))["breaches"] == []
    assert "NOT sealed" in run("backup", str(tmp_path / "plain"), "--plain").stdout
    run("restore", str(tmp_path / "none"), "--by", "N-17", *elsewhere, code=1)


def test_a_change_past_the_program_is_told_with_exit_code_1(run: Run, tmp_path: Path) -> None:
    import sqlite3

    filled(run, tmp_path)
    assert "Sound" in run("verify").stdout
    with sqlite3.connect(tmp_path / "registry.db") as connection:
        connection.execute("UPDATE pumps SET serial = 'K-999' WHERE serial = 'K-100'")
    connection.close()
    told = data(run("verify", "--json", code=1))
    assert told["breaches"] == [{"where": "pumps 1", "what": "it is not as it was recorded: it was changed past this program"}]
    backup = run("backup", str(tmp_path / "b"), "--plain", code=1)
    assert "cannot be restored, so keep the backups before it" in " ".join(backup.stderr.split())
    assert (tmp_path / "b").exists()
    run("init", "--registry", str(tmp_path / "new.db"))
    run("restore", str(tmp_path / "b"), "--by", "N-17", "--registry", str(tmp_path / "new.db"), code=1)


def test_tables_go_out_to_the_screen_or_a_new_file(run: Run, tmp_path: Path) -> None:
    filled(run, tmp_path)
    assert run("export", "pumps").stdout.splitlines()[1].startswith("1,K-100,")
    assert json.loads(run("export", "pumps", "--format", "json", "--json").stdout)[1]["serial"] == "K-101"
    out = tmp_path / "out.csv"
    assert data(run("export", "audit", "--out", str(out), "--json"))["table"] == "audit"
    assert out.stat().st_mode & 0o077 == 0
    for arguments in (("pumps", "--out", str(out)), ("people",), ("pumps", "--format", "xml"), ("pumps", "--json")):
        run("export", *arguments, code=2)


def test_migrating_what_is_new_says_so(run: Run) -> None:
    run("init")
    assert data(run("migrate", "--json"))["to"] == data(run("status", "--json"))["schema"]
    assert "present schema" in run("migrate").stdout
