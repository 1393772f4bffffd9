"""`plan titrate`, `plan taper`, `plan convert`: what is shown, what is written, how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from itbpump.safety import review
from itbpump.therapy import load_prescription
from tests.command_line import CliRunner

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
CONTINUOUS, FLEX, STOPPED = (str(EXAMPLES / f"{name}.toml") for name in ("continuous", "flex-weekday-weekend", "stopped"))

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Calls the sub-program in process: exit code, stdout, stderr. Anything but a documented end is raised."""
    monkeypatch.setenv("ITBPUMP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("ITBPUMP_CLINIC_LIBRARY", raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        from itbpump.cli.planning import app

        result = CliRunner().invoke(app, list(arguments), prog_name="plan")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return call


def data(out: str) -> dict[str, Any]:
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def test_a_titration_is_a_table_two_charts_and_what_to_keep_in_mind(plan: Call) -> None:
    code, out, _ = plan("titrate", CONTINUOUS, "--target", "300 mcg/day")
    assert code == 0
    assert "Titration for patient P-0101" in out
    assert "5  27 Nov 2026 10:00    300 mcg per day  +2.5 %  ok" in out
    assert "Daily dose, mean, mcg per day" in out
    assert "Amount in the cerebrospinal fluid, simulated, mcg" in out
    assert "Keep in mind:" in out
    assert out.count("A plan is arithmetic, not medical advice") == 1
    assert all(len(line) <= 80 for line in out.splitlines())


@pytest.mark.sr("SR-33")
def test_a_taper_says_where_the_pump_ends(plan: Call) -> None:
    code, out, _ = plan("taper", CONTINUOUS)
    assert code == 0
    assert "48 mcg per day" in out
    assert "a stop from 48 mcg per day would be abrupt" in " ".join(out.split())
    assert all(len(line) <= 80 for line in out.splitlines())


@pytest.mark.sr("SR-12")
def test_a_change_of_concentration_in_figures(plan: Call) -> None:
    code, out, _ = plan(
        "convert", FLEX, "--concentration", "500 mcg/mL", "--filled", "38 mL", "--rinse", "5 mL", "--times", "2", "--rinse-with", "saline"
    )
    text = " ".join(out.split())
    assert code == 0
    assert "Rinse: 2 times 5 mL of drug-free fluid." in text
    assert "Reservoir without a rinse: 553.3 mcg per mL (+10.7 %)" in text
    assert "Reservoir after the rinse: 485.6 mcg per mL (-2.9 %)" in text
    assert "Without the bridge the patient would get 661.714 mcg per day for 22.92 h." in text


@pytest.mark.sr("SR-09")
@pytest.mark.parametrize(
    "arguments",
    [
        ("titrate", FLEX, "--target", "200 mcg/day"),
        ("taper", CONTINUOUS, "--to", "150 mcg/day", "--step", "12.5", "--every", "72h"),
        ("convert", CONTINUOUS, "--concentration", "2000 mcg/mL", "--filled", "18 mL", "--at", "2026-12-20T09:00:00-05:00"),
    ],
)
def test_what_is_written_is_reviewed_with_the_same_verdict(plan: Call, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    folder, svg = tmp_path / "plan", tmp_path / "chart.svg"
    code, out, _ = plan(*arguments, "--out", str(folder), "--svg", str(svg), "--json")
    assert code == 0
    steps = data(out)["steps"]
    files = sorted(folder.iterdir())
    assert [str(path) for path in files] == data(out)["files"]
    assert len(files) == len(steps) + 1
    chain = [load_prescription(path) for path in files]
    for before, after, step in zip(chain, chain[1:], steps, strict=False):
        found = review(after, before)
        assert (found.verdict, found.digest) == (step["verdict"], step["digest"])
    assert svg.read_text("utf-8").startswith("<svg")


def test_the_written_files_are_named_and_said(plan: Call, tmp_path: Path) -> None:
    folder = tmp_path / "plan"
    code, out, _ = plan("titrate", CONTINUOUS, "--target", "240 mcg/day", "--out", str(folder))
    assert code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["00-2026-11-22.toml", "01-2026-11-23.toml", "02-2026-11-24.toml"]
    assert f"itbpump review {folder}/01-2026-11-23.toml --current {folder}/00-2026-11-22.toml" in " ".join(out.split())


def test_two_plans_are_never_mixed_in_one_folder(plan: Call, tmp_path: Path) -> None:
    folder = str(tmp_path / "plan")
    assert plan("titrate", CONTINUOUS, "--target", "240 mcg/day", "--out", folder)[0] == 0
    code, _, err = plan("taper", CONTINUOUS, "--out", folder)
    assert code == 2
    assert "two plans are never mixed" in " ".join(err.split())
    assert len(list(Path(folder).iterdir())) == 3


def test_a_folder_that_cannot_be_made_is_said(plan: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", "utf-8")
    assert plan("taper", CONTINUOUS, "--out", str(tmp_path / "file"))[0] == 1
    assert plan("taper", CONTINUOUS, "--svg", str(tmp_path / "none" / "chart.svg"))[0] == 1


@pytest.mark.sr("SR-07", "SR-03")
def test_a_soft_limit_ends_with_3_and_a_reason_lets_it_stand(plan: Call) -> None:
    code, out, err = plan("titrate", FLEX, "--target", "250 mcg/day", "--json")
    assert code == 3
    assert "no plan" in err
    assert data(out)["finding"]["rule"] == "bolus-size"
    code, out, _ = plan("titrate", FLEX, "--target", "250 mcg/day", "--override", "bolus-size=tolerated", "--json")
    assert code == 0
    assert data(out)["steps"][-1]["verdict"] == "soft"


def test_a_reason_for_nothing_is_no_reason(plan: Call) -> None:
    code, out, err = plan("titrate", CONTINUOUS, "--target", "240 mcg/day", "--override", "bolus-size=tolerated")
    assert code == 2
    assert "nothing to override for bolus-size" in err
    assert out == ""


def test_a_drug_known_only_as_data_is_planned_like_any_other(plan: Call) -> None:
    code, out, err = plan("taper", str(EXAMPLES / "morphine.toml"), "--json")
    assert code == 0, err
    assert data(out)["steps"]
    assert data(out)["library"]["name"] == "morphine"


@pytest.mark.sr("SR-08")
def test_a_step_above_the_label_and_a_hard_limit_end_with_4(plan: Call) -> None:
    code, out, err = plan("titrate", CONTINUOUS, "--target", "300 mcg/day", "--step", "35", "--json")
    assert code == 4
    assert "above the 30 %" in " ".join(err.split())
    assert data(out)["limit"] == "30 %"
    assert plan("convert", CONTINUOUS, "--concentration", "50 mcg/mL", "--filled", "18 mL")[0] == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("titrate", CONTINUOUS, "--target", "100 mcg/day"),
        ("titrate", CONTINUOUS, "--target", "300.0 mcg/day"),
        ("titrate", CONTINUOUS, "--target", "300 mcg/day", "--step", "ten"),
        ("titrate", CONTINUOUS, "--target", "300 mcg/day", "--every", "24"),
        ("titrate", CONTINUOUS, "--target", "300 mcg/day", "--at", "tomorrow"),
        ("titrate", CONTINUOUS, "--target", "300 mcg/day", "--at", "2026-12-01T10:00:00"),
        ("titrate", STOPPED, "--target", "300 mcg/day"),
        ("taper", STOPPED),
        ("taper", "nowhere.toml"),
        ("convert", CONTINUOUS, "--concentration", "1000 mcg/mL", "--filled", "18 mL"),
        ("convert", CONTINUOUS, "--concentration", "500 mcg/mL", "--filled", "18 mL", "--times", "2"),
        ("convert", CONTINUOUS, "--concentration", "500 mcg/mL", "--filled", "18 mL", "--rinse", "0 mL"),
        ("convert", CONTINUOUS, "--concentration", "500 mcg/mL", "--filled", "18 mL", "--rinse", "5 mL", "--rinse-with", "water"),
    ],
)
def test_what_is_no_plan_ends_with_2_and_says_what_to_write(plan: Call, arguments: tuple[str, ...]) -> None:
    code, out, err = plan(*arguments)
    assert code == 2
    assert out == ""
    assert err


def test_a_clinic_s_tighter_file_holds_for_plans(plan: Call, tmp_path: Path) -> None:
    folder = tmp_path / "clinic"
    folder.mkdir()
    text = 'schema = "itbpump.clinic-library/1"\ndrug = "baclofen"\nclinic = "ward-1"\nversion = "1"\n'
    for key, count in (("titration.spinal.step_low_percent", 4), ("titration.spinal.step_high_percent", 8)):
        text += f'{key} = {{ count = {count}, mark = "C", source = "policy 7" }}\n'
    (folder / "baclofen.toml").write_text(text, "utf-8")
    code, out, err = plan("titrate", CONTINUOUS, "--target", "240 mcg/day", "--clinic-library", str(folder), "--json")
    assert code == 0, err
    assert data(out)["steps"][0]["daily_dose"] == {"value": "208", "unit": "mcg/day"}
    assert data(out)["library"]["clinic"]["id"] == "ward-1"
    code, _, err = plan("titrate", CONTINUOUS, "--target", "240 mcg/day", "--step", "9", "--clinic-library", str(folder))
    assert code == 4
    assert "above the 8 %" in " ".join(err.split())
