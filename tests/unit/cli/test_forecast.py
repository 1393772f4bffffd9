"""`forecast`: from a file and from a pump, for people and for programs. Reading changes nothing in the pump."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from itbpump.cli import forecasting
from itbpump.cli.guard import GuardedCommand
from tests.command_line import CliRunner

DAY_MS = 86_400_000


@pytest.fixture
def forecast(cli: Any) -> Callable[..., Any]:
    """The command by itself, with the same guard, beside the command line that sets the pump up."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("forecast", cls=GuardedCommand)(forecasting.forecast)
    told = type(cli("review", "--help"))

    def call(*arguments: str) -> Any:
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return told(result.exit_code, result.stdout, result.stderr)

    return call


def test_a_prescription_is_counted_from_its_as_of(forecast: Any, flex: str) -> None:
    told = forecast(flex)
    assert told.code == 0, told.err
    lines = told.out.splitlines()
    assert lines[0] == "Dates of the prescription for patient P-0042, P-40, as written"
    assert "from                  22 Nov 2026 10:00 (UTC-05:00)" in lines
    assert "refill by             21 May 2027 (drug stability)" in lines
    assert "                      earliest      nominal       latest" in lines
    assert "low, at 6.5 mL        20 Oct 2027   8 Dec 2027    10 Feb 2028" in lines
    assert "alarm, by the count   8 Dec 2027" in lines
    assert max(len(line) for line in lines) <= 80
    assert any(line.startswith("Not checked: battery") for line in lines)


def test_json_is_the_form_of_the_design_and_nothing_else(forecast: Any, flex: str) -> None:
    data = forecast(flex, "--json").data
    assert {"as_of", "alarm", "low_reservoir", "empty", "refill_by", "limited_by", "assumptions"} == set(data)
    bounds = [datetime.fromisoformat(data["low_reservoir"][side]) for side in ("earliest", "nominal", "latest")]
    assert bounds == sorted(bounds)
    assert data["alarm"] == data["low_reservoir"]["nominal"]


@pytest.mark.sr("SR-36", "SR-37")
def test_a_pump_is_counted_from_its_own_words(cli: Any, forecast: Any, running: str, advance: Callable[[str, int], None]) -> None:
    before = forecast("--pump", running, "--json").data
    advance(running, 40 * DAY_MS)
    told = forecast("--pump", running)
    assert told.code == 0, told.err
    assert told.out.splitlines()[0].endswith("SIMULATED, as it runs now")
    after = forecast("--pump", running, "--json").data
    assert after["assumptions"]["counted_from"] == {"value": "38", "unit": "mL"}
    assert float(after["assumptions"]["reservoir_volume"]["value"]) < 38
    assert after["alarm"] < before["alarm"]  # the host's clock has not moved on by 40 days, the pump's count has
    filled = datetime.fromisoformat(after["as_of"]).date() - datetime.fromisoformat(after["assumptions"]["filled_on"]).date()
    assert filled.days == 40
    assert after["assumptions"]["not_checked"] == []
    assert cli("status", running, "--json").data["therapy"]["revision"] == 1


def test_a_day_of_implant_limits_too(forecast: Any, flex: str) -> None:
    data = forecast(flex, "--json", "--implanted-on", "2019-12-25").data
    assert data["limited_by"] == "service-life"
    assert data["refill_by"].startswith("2026-12-24")


def test_a_zero_flow_has_no_date(forecast: Any) -> None:
    stopped = str(Path(__file__).resolve().parents[3] / "examples" / "stopped.toml")
    assert forecast(stopped, "--json").data["alarm"] is None
    assert "low, at 6.5 mL        no date       no date       no date" in forecast(stopped).out.splitlines()


@pytest.mark.parametrize("arguments", [(), ("FLEX", "--pump", "sim://P-40"), ("FLEX", "--implanted-on", "25 Dec 2019"), ("missing.toml",)])
def test_what_cannot_be_read_ends_with_2(forecast: Any, flex: str, arguments: tuple[str, ...]) -> None:
    told = forecast(*(flex if argument == "FLEX" else argument for argument in arguments))
    assert told.code == 2
    assert told.err


def test_a_pump_without_a_therapy_has_no_dates(forecast: Any, paired: str) -> None:
    told = forecast("--pump", paired, "--json")
    assert told.code == 1
    assert json.loads(told.out)["error"]["kind"] == "ForecastError"
    assert "program it: itbpump program RX --pump " in " ".join(told.err.split())
