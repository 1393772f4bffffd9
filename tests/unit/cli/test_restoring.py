"""`restore`: the stopped therapy, or the one before; reviewed for the patient who is named, and exactly what the pump held."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DAY_MS = 86_400_000
THERAPIES = {
    "flex": None,
    "continuous": 'mode = "continuous"\ndose = "170 mcg/day"\n',
    "periodic": 'mode = "periodic-bolus"\ndose = "20 mcg"\nover = "15m"\nevery = "4h"\nbackground = "100 mcg/day"\n',
    "patient": 'mode = "continuous"\ndose = "150 mcg/day"\n'
    '[therapy.patient_bolus]\ndose = "5 mcg"\nover = "10m"\nlockout = "6h"\nmax_per_day = 3\n',
}


@pytest.mark.parametrize("name", THERAPIES)
def test_restore_gives_the_former_therapy_back(
    cli: Any, insist: Callable[..., Any], paired: str, flex: str, name: str, tmp_path: Path
) -> None:
    def prescription(therapy: str) -> str:
        head = Path(flex).read_text("utf-8").partition("[therapy]")[0]
        path = tmp_path / f"{therapy}.toml"
        path.write_text(f"{head}[therapy]\n{THERAPIES[therapy]}" if THERAPIES[therapy] else Path(flex).read_text("utf-8"), "utf-8")
        return str(path)

    assert insist("program", prescription(name), "--pump", paired).code == 0
    before = cli("status", paired, "--json").data["therapy"]
    assert insist("program", prescription("continuous" if name != "continuous" else "flex"), "--pump", paired).code == 0
    told = insist("restore", paired, "--indication", "spinal")
    assert told.code == 0, told.err
    after = cli("status", paired, "--json").data["therapy"]
    assert {**after, "revision": 0, "digest": ""} == {**before, "revision": 0, "digest": ""}


def test_restore_needs_something_to_restore(cli: Any, running: str) -> None:
    told = cli("restore", running, "--indication", "spinal", "--yes")
    assert told.code == 1
    assert "no earlier configuration" in told.said
    assert cli("restore", running, "--indication", "other", "--yes").code == 2
    assert cli("restore", running, "--yes").code == 2
    assert cli("restore", running, "--indication", "spinal", "--rx", "x.toml", "--yes").code == 2


class _EqualToAll:
    """A digest that agrees, so that the altered configuration passes for the pump's own."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def therapy(cli: Any, url: str) -> dict[str, Any]:
    found: dict[str, Any] = cli("status", url, "--json").data["therapy"]
    return {key: value for key, value in found.items() if key not in ("revision", "digest")}


@pytest.mark.sr("SR-23", "SR-33")
def test_after_a_stop_the_stopped_therapy_itself_comes_back(cli: Any, running: str, flex: str, advance: Any) -> None:
    advance(running, 30 * DAY_MS)
    before = therapy(cli, running)
    assert cli("stop", running, "--yes").code == 0
    assert cli("status", running, "--json").data["running"] is False
    told = cli("restore", running, "--rx", flex, answers="165.429\n")
    assert told.code == 0, told.err
    assert "Start the stopped therapy again" in told.out
    assert "restart: the pump has given no therapy for" in told.said
    assert cli("status", running, "--json").data["running"] is True
    assert therapy(cli, running) == before


@pytest.mark.sr("SR-08")
def test_after_a_long_stop_it_is_a_start_again(cli: Any, insist: Callable[..., Any], running: str, advance: Any) -> None:
    """Without a screening dose nobody knows that this dose is one to start with."""
    patient = ("--indication", "spinal", "--age", "46")
    advance(running, 30 * DAY_MS)
    assert cli("stop", running, "--yes").code == 0
    advance(running, 3 * DAY_MS)
    told = cli("restore", running, *patient, "--yes", "--json")
    assert told.code == 3
    assert "restart" in {line.partition(":")[0] for line in told.data["missing"]}
    assert cli("status", running, "--json").data["running"] is False
    told = insist("restore", running, *patient)
    assert told.code == 0, told.err
    assert "restart" in {item["rule"] for item in told.data["overrides"]}


@pytest.mark.parametrize(("answer", "code"), [("yes\n", 1), ("165\n", 1), ("", 2)])
def test_restore_asks_for_the_dose(cli: Any, running: str, flex: str, answer: str, code: int) -> None:
    cli("stop", running, "--yes")
    assert cli("restore", running, "--rx", flex, answers=answer).code == code
    assert cli("status", running, "--json").data["running"] is False


@pytest.mark.sr("SR-02")
def test_the_patients_own_limits_hold(cli: Any, running: str, variant: Callable[..., str]) -> None:
    cli("stop", running, "--yes")
    child = variant(("age_years = 46", "age_years = 3"))
    for patient in (("--rx", child), ("--indication", "spinal", "--age", "3")):
        told = cli("restore", running, *patient, "--yes", "--json")
        assert told.code == 3
        assert "age" in {line.partition(":")[0] for line in told.data["missing"]}


def test_a_refill_in_between_leaves_nothing_to_restore(cli: Any, running: str, flex: str, advance: Any) -> None:
    advance(running, 77 * DAY_MS)
    assert cli("refill", running, "--aspirated", "30 mL", "--filled", "38 mL", "--yes").code == 0
    told = cli("restore", running, "--rx", flex, "--yes")
    assert told.code == 1
    assert "holds the same therapy" in told.said


def test_a_pump_without_a_therapy(cli: Any, paired: str, flex: str) -> None:
    told = cli("restore", paired, "--rx", flex, "--yes")
    assert told.code == 1
    assert f"itbpump program RX --pump {paired}" in told.said


@pytest.mark.sr("SR-09")
def test_what_no_prescription_makes_is_not_restored_unseen(cli: Any, running: str, flex: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The review is of a prescription; a stored therapy that differs from what it makes would be sent unreviewed."""
    from msgspec.structs import replace

    from itbpump.session import PumpSession

    cli("stop", running, "--yes")
    whole = PumpSession.configuration

    def altered(self: PumpSession, slot: Any) -> Any:
        found = whole(self, slot)
        return None if found is None else replace(found, empty_alarm_nL=found.empty_alarm_nL + 1)

    monkeypatch.setattr(PumpSession, "configuration", altered)
    monkeypatch.setattr("itbpump.present.configuration_digest", lambda _: _EqualToAll())
    told = cli("restore", running, "--rx", flex, "--yes")
    assert told.code == 1
    assert "no prescription makes exactly what pump" in told.said
