"""`refill`: expected against aspirated, the recorded decision, the new prescription."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DAY_MS = 86_400_000


@pytest.fixture
def old(running: str, advance: Callable[[str, int], None]) -> str:
    """The pump after eleven weeks: 31.6 mL by its count, 30.2 mL of it for a needle."""
    advance(running, 77 * DAY_MS)
    return running


def volume(cli: Any, url: str) -> str:
    return str(cli("status", url, "--json").data["reservoir"]["volume"]["value"])


def test_a_refill_as_expected(cli: Any, old: str) -> None:
    told = cli("refill", old, "--aspirated", "30 mL", "--filled", "38 mL", answers="yes\n")
    assert told.code == 0, told.err
    assert "drug stable until" in told.out.splitlines()[-2]
    assert "refill by" in told.out.splitlines()[-1]
    assert "within both limits" in told.said
    assert volume(cli, old) == "39.4"
    assert "in the reservoir then 39.4 mL" in told.said


@pytest.mark.sr("SR-38")
@pytest.mark.parametrize(("aspirated", "sign"), [("27 mL", "-"), ("34 mL", "")])
def test_a_difference_of_either_sign_needs_a_recorded_decision(cli: Any, old: str, aspirated: str, sign: str) -> None:
    before = volume(cli, old)
    told = cli("refill", old, "--aspirated", aspirated, "--filled", "38 mL", "--yes", "--json")
    assert told.code == 3
    assert told.data["refill"]["above_clinic_limit"] is True
    assert told.data["refill"]["difference"]["value"].startswith("-") == bool(sign)
    assert "FIRED" in told.said
    assert volume(cli, old) == before
    rules = {line.partition(":")[0] for line in told.data["missing"]}
    assert rules == {"refill-discrepancy"} | ({"under-delivery"} if not sign else set())
    reasons = [f"--override={rule}=acknowledged: read twice" for rule in rules]
    people = ("--user", "dr-1", "--second", "rn-2")
    told = cli("refill", old, "--aspirated", aspirated, "--filled", "38 mL", "--yes", "--json", *reasons, *people)
    override = next(item for item in told.data["overrides"] if item["rule"] == "refill-discrepancy")
    assert (told.code, override["reason"], override["text"], override["user"]) == (0, "acknowledged", "read twice", "dr-1")


@pytest.mark.sr("SR-38")
def test_the_pumps_own_accuracy_is_a_test_of_its_own(cli: Any, old: str) -> None:
    told = cli("refill", old, "--aspirated", "28.5 mL", "--filled", "38 mL", "--yes", "--json")
    assert told.code == 3
    assert (told.data["refill"]["above_clinic_limit"], told.data["refill"]["outside_accuracy"]) == (False, True)


@pytest.mark.sr("SR-39")
def test_more_than_the_reservoir_holds(cli: Any, old: str) -> None:
    assert cli("refill", old, "--aspirated", "30 mL", "--filled", "39 mL", "--yes").code == 4


def test_unreadable_volumes_and_needless_overrides(cli: Any, old: str) -> None:
    assert cli("refill", old, "--aspirated", "30", "--filled", "38 mL", "--yes").code == 2
    assert cli("refill", old, "--aspirated", "30 mL", "--filled", "38 mg", "--yes").code == 2
    assert cli("refill", old, "--aspirated", "30 mL", "--filled", "38 mL", "--yes", "--override", "refill-discrepancy=other: x").code == 2
    assert cli("refill", old, "--aspirated", "30 mL", "--filled", "38 mL", "--yes", "--override", "bolus-size=tolerated: x").code == 2


def test_a_pump_without_therapy_is_filled_by_its_first_program(cli: Any, paired: str) -> None:
    told = cli("refill", paired, "--aspirated", "0 mL", "--filled", "38 mL", "--yes")
    assert told.code == 1
    assert "itbpump program" in told.said


@pytest.mark.sr("SR-12", "SR-39")
def test_another_concentration_comes_with_its_prescription(cli: Any, old: str, variant: Callable[..., str]) -> None:
    without = variant(("2000 mcg/mL", "1000 mcg/mL"))
    asked = ("refill", old, "--aspirated", "30 mL", "--filled", "38 mL", "--yes", "--json")
    told = cli(*asked, "--rx", without)
    assert told.code == 4
    bridged = variant(("2000 mcg/mL", "1000 mcg/mL"), ("[therapy]", '[bridge]\nplan = "auto"\n\n[therapy]'))
    told = cli(*asked, "--rx", bridged)
    if told.code == 3:
        rules = {line.partition(":")[0] for line in told.data["missing"]}
        told = cli(
            *asked, "--rx", bridged, *(f"--override={rule}=specialist: asked" for rule in rules), "--user", "dr-1", "--second", "rn-2"
        )
    assert told.code == 0, told.err
    status = cli("status", old, "--json").data
    assert status["therapy"]["concentration"] == {"value": "1000", "unit": "mcg/mL"}
    assert status["bridging"] is True
    assert "bridge" in cli("status", old).out


# ------------------------------------------------------------------------------------------------ a bridge in force
CONTINUOUS = """[therapy]
mode = "continuous"
dose = "200 mcg/day"
"""


@pytest.fixture
def steady(flex: str, tmp_path: Path) -> Callable[[str], str]:
    """200 mcg/day of a concentration, with a bridge to it."""

    def write(concentration: str) -> str:
        head = Path(flex).read_text("utf-8").partition("[therapy]")[0].replace("2000 mcg/mL", concentration)
        path = tmp_path / f"{concentration.partition(' ')[0]}.toml"
        path.write_text(f'{head}[bridge]\nplan = "auto"\n\n{CONTINUOUS}', "utf-8")
        return str(path)

    return write


@pytest.fixture
def bridged(cli: Any, paired: str, steady: Callable[[str], str], advance: Callable[[str, int], None]) -> str:
    """A pump an hour into its bridge from 2000 to 500 mcg per mL: 200 mcg/day either way."""
    assert cli("program", steady("2000 mcg/mL"), "--pump", paired, "--yes").code == 0
    filling = ("--aspirated", "36.6 mL", "--filled", "36 mL", "--rx", steady("500 mcg/mL"))
    told = cli("refill", paired, *filling, "--yes", "--json")
    assert told.code == 0, told.err
    advance(paired, DAY_MS // 24)
    return paired


@pytest.mark.sr("SR-12", "SR-23")
def test_a_stop_in_a_bridge_keeps_the_dose_when_the_therapy_starts_again(cli: Any, bridged: str, steady: Callable[[str], str]) -> None:
    def dose() -> str:
        return str(cli("status", bridged, "--json").data["delivering"]["dose"]["value"])

    assert dose() == "200"
    assert "200 mcg per day (0.1 mL per day); bridge: the path still holds the old 2,000 mcg per mL" in cli("status", bridged).said
    assert cli("stop", bridged, "--yes").code == 0
    assert "NOTHING; a bridge waits for the next start: 0.31" in cli("status", bridged).said
    told = cli("program", steady("500 mcg/mL"), "--pump", bridged, "--yes")
    assert told.code == 0, told.err
    assert "goes on first: 200 mcg per day from 2,000 mcg per mL until 0.31" in told.said
    assert dose() == "200"
    delivering = cli("status", bridged, "--json").data["delivering"]
    assert (delivering["path"]["holds"]["value"], delivering["path"]["is_clear"]) == ("2000", False)
    assert delivering["label_dose"]["value"] == "50"


@pytest.mark.sr("SR-12")
def test_nothing_gets_around_a_bridge(cli: Any, bridged: str, steady: Callable[[str], str]) -> None:
    told = cli("restore", bridged, "--indication", "spinal", "--yes")
    assert told.code == 1
    assert "a bridge is in force" in told.said
    assert cli("bolus", bridged, "--dose", "20 mcg", "--over", "10m", "--yes").code == 4
    told = cli("refill", bridged, "--aspirated", "35.996 mL", "--filled", "36 mL", "--rx", steady("1000 mcg/mL"), "--yes", "--json")
    assert told.code == 4
    assert any("wait until" in finding["message"] for finding in told.data["review"]["findings"])


@pytest.mark.sr("SR-39")
def test_a_pump_that_lost_its_memory_takes_a_measured_refill_with_its_prescription(cli: Any, running: str, flex: str) -> None:
    from firmware_sim.device import SimulatedPump
    from itbpump.transport.sim import SimTransport

    transport = SimTransport.open(running)
    device = transport.device
    assert isinstance(device, SimulatedPump)
    for slot in ("journal_a", "journal_b"):
        device.memory.flip(slot, 100, 0)
    device.power_cut()
    device.power_on()
    transport.close()
    assert cli("status", running, "--json").data["reservoir"]["volume"] is None
    assert cli("program", flex, "--pump", running, "--yes").code == 4
    filling = ("refill", running, "--aspirated", "36.6 mL", "--filled", "36 mL", "--yes", "--json")
    told = cli(*filling)
    assert told.code == 1
    assert "--rx" in told.said
    told = cli(*filling, "--rx", flex)
    assert (told.code, {line.partition(":")[0] for line in told.data["missing"]}) == (3, {"lost-configuration"})
    assert "not known (not checked: the pump has lost its count" in told.said
