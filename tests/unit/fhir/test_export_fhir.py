"""`export_fhir` at a simulated pump: what is written, where, and what is refused. Reading changes nothing in the pump."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from itbpump.cli import exporting
from itbpump.cli.guard import GuardedCommand
from itbpump.report import fhir
from tests.command_line import CliRunner
from tests.unit.cli.conftest import Told

URL = "sim://P-40?fill=38mL&seed=1"
RUNNING = f"{URL}&rx={Path(__file__).parents[3] / 'examples' / 'flex-weekday-weekend.toml'}"
Export = Callable[..., Told]


@pytest.fixture
def export(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Export:
    """The command by itself, with the guard of all commands and a host state of its own."""
    monkeypatch.setenv("ITBPUMP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("ITBPUMP_CLINIC_LIBRARY", raising=False)
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("export-fhir", cls=GuardedCommand)(exporting.export_fhir)

    def call(*arguments: str) -> Told:
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Told(result.exit_code, result.stdout, result.stderr)

    return call


def kinds(bundle: dict[str, Any]) -> set[str]:
    return {entry["resource"]["resourceType"] for entry in bundle["entry"]}


@pytest.mark.parametrize("release", fhir.RELEASES)
def test_stdout_is_the_bundle_and_nothing_else(export: Export, release: str) -> None:
    told = export(RUNNING, "--patient", "P-0042", "--release", release)
    assert (told.code, told.err) == (0, "")
    bundle = fhir.read(told.out)
    assert fhir.check(bundle, release) == ()
    assert {"Device", "DeviceMetric", "MedicationRequest", "MedicationAdministration", "Task", "Provenance"} <= kinds(bundle)


def test_a_file_is_written_once_and_never_over_another(export: Export, tmp_path: Path) -> None:
    place = tmp_path / "bundle.json"
    told = export(RUNNING, "--patient", "P-0042", "--user", "nurse-7", "--to", str(place), "--json")
    assert told.code == 0, told.err
    bundle = fhir.read(place.read_text("utf-8"))
    wanted = {"file": str(place), "release": "R5", "resources": len(bundle["entry"]), "checked_by": ["own rules", "fhir.resources"]}
    assert json.loads(told.out) == wanted
    assert "nurse-7" in place.read_text("utf-8")
    before = place.read_bytes()
    again = export(RUNNING, "--patient", "P-0042", "--to", str(place))
    assert again.code == 2
    assert "not written: File exists" in again.said
    assert place.read_bytes() == before


def test_a_pump_without_a_therapy_has_no_task_and_that_is_said(export: Export) -> None:
    told = export(URL, "--patient", "P-0042")
    assert told.code == 0
    assert "no refill task" in told.said
    assert not kinds(fhir.read(told.out)) & {"Task", "MedicationRequest", "MedicationAdministration"}


def test_without_the_extra_own_rules_still_hold(export: Export, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "fhir.resources.bundle", None)
    told = export(RUNNING, "--patient", "P-0042", "--to", str(tmp_path / "b.json"))
    assert told.code == 0
    assert "checked by own rules." in told.said
    assert 'pip install "itbpump[fhir]"' in told.said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--patient", "Mary Jones"), "no name"),
        (("--patient", ""), "no name"),
        (("--patient", "P-1", "--user", "Dr Jones"), "--user"),
        (("--patient", "P-1", "--release", "R4"), "write R5 or R4B"),
        (("--patient", "P-1", "--json"), "add --to FILE"),
        (("--patient", "P-1", "--to", "/no/such/folder/x.json"), "not written"),
    ],
)
def test_what_cannot_be_is_refused(export: Export, arguments: tuple[str, ...], words: str) -> None:
    told = export(RUNNING, *arguments)
    assert told.code == 2
    assert words in told.said
    assert "Bundle" not in told.out


def test_a_bundle_that_breaks_a_rule_is_not_written(export: Export, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: object, **__: object) -> fhir.Json:
        return {"resourceType": "Bundle", "type": "banana"}

    monkeypatch.setattr(fhir, "bundle", broken)
    told = export(RUNNING, "--patient", "P-0042", "--to", str(tmp_path / "b.json"))
    assert told.code == 1
    assert "is not valid" in told.said
    assert not (tmp_path / "b.json").exists()
