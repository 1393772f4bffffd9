"""`refill`: expected against aspirated, the recorded decision, the new prescription."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

DAY_MS = 86_400_000


@pytest.fixture
def old(running: str, advance: Callable[[str, int], None]) -> str:
    """The pump after eleven weeks: 31.5 mL by its count, 30.1 mL of it for a needle."""
    advance(running, 77 * DAY_MS)
    return running


def volume(cli: Any, url: str) -> str:
    return str(cli("status", url, "--json").data["reservoir"]["volume"]["value"])


def test_a_refill_as_expected(cli: Any, old: str) -> None:
    told = cli("refill", old, "--aspirated", "30 mL", "--filled", "38 mL", answers="yes\n")
    assert told.code == 0, told.err
    assert "within both limits" in told.out
    assert volume(cli, old) == "39.4"
    assert "in the reservoir then:    39.4 mL" in told.out


@pytest.mark.sr("SR-38")
@pytest.mark.parametrize(("aspirated", "sign"), [("27 mL", "-"), ("34 mL", "")])
def test_a_difference_of_either_sign_needs_a_recorded_decision(cli: Any, old: str, aspirated: str, sign: str) -> None:
    before = volume(cli, old)
    told = cli("refill", old, "--aspirated", aspirated, "--filled", "38 mL", "--yes", "--json")
    assert told.code == 3
    assert told.data["refill"]["above_clinic_limit"] is True
    assert told.data["refill"]["difference"]["value"].startswith("-") == bool(sign)
    assert "FIRED" in told.err
    assert volume(cli, old) == before
    reason = "refill-discrepancy=acknowledged: read twice"
    told = cli("refill", old, "--aspirated", aspirated, "--filled", "38 mL", "--yes", "--json", "--override", reason)
    assert (told.code, told.data["discrepancy_reason"]) == (0, "acknowledged: read twice")


@pytest.mark.sr("SR-38")
def test_the_pumps_own_accuracy_is_a_test_of_its_own(cli: Any, old: str) -> None:
    told = cli("refill", old, "--aspirated", "29 mL", "--filled", "38 mL", "--yes", "--json")
    assert told.code == 3
    assert (told.data["refill"]["above_clinic_limit"], told.data["refill"]["outside_accuracy"]) == (False, True)


@pytest.mark.sr("SR-39")
def test_more_than_the_reservoir_holds(cli: Any, old: str) -> None:
    assert cli("refill", old, "--aspirated", "30 mL", "--filled", "39 mL", "--yes").code == 4


def test_unreadable_volumes_and_needless_overrides(cli: Any, old: str) -> None:
    assert cli("refill", old, "--aspirated", "30", "--filled", "38 mL", "--yes").code == 2
    assert cli("refill", old, "--aspirated", "30 mL", "--filled", "38 mg", "--yes").code == 2
    assert cli("refill", old, "--aspirated", "30 mL", "--filled", "38 mL", "--yes", "--override", "refill-discrepancy=other: x").code == 2
    assert cli("refill", old, "--aspirated", "30 mL", "--filled", "38 mL", "--yes", "--override", "bolus-size=tolerated").code == 2


def test_a_pump_without_therapy_is_filled_by_its_first_program(cli: Any, paired: str) -> None:
    told = cli("refill", paired, "--aspirated", "0 mL", "--filled", "38 mL", "--yes")
    assert told.code == 1
    assert "itbpump program" in told.err


def test_another_concentration_comes_with_its_prescription(cli: Any, old: str, variant: Callable[..., str]) -> None:
    without = variant(("2000 mcg/mL", "1000 mcg/mL"))
    asked = ("refill", old, "--aspirated", "30 mL", "--filled", "38 mL", "--yes", "--json")
    told = cli(*asked, "--rx", without)
    assert told.code == 4
    bridged = variant(("2000 mcg/mL", "1000 mcg/mL"), ("[therapy]", '[bridge]\nplan = "auto"\n\n[therapy]'))
    told = cli(*asked, "--rx", bridged)
    if told.code == 3:
        rules = {line.partition(":")[0] for line in told.data["missing"]}
        told = cli(*asked, "--rx", bridged, *(f"--override={rule}=specialist" for rule in rules), "--user", "dr-1", "--second", "rn-2")
    assert told.code == 0, told.err
    status = cli("status", old, "--json").data
    assert status["therapy"]["concentration"] == {"value": "1000", "unit": "mcg/mL"}
    assert status["bridging"] is True
    assert "bridge" in cli("status", old).out
