"""What is done at the screen and in the dialogue in lines is in the clinic's registry, where one is set, and nothing waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from itbpump.registry.model import PumpHistory
from itbpump.registry.store import Registry
from itbpump.workflow.registering import Registering
from tests.tui.flows.driving import BOLUS, desk, reviewed
from tests.unit.registry.clinic import NOW
from tests.unit.tui_plain.talk import Clinic, Pick

SERIAL = "P4000001"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    Registry.create(tmp_path / "registry.db", at=NOW).close()
    return tmp_path / "registry.db"


def history(place: Path) -> PumpHistory:
    with Registry.open(place) as registry:
        assert registry.verify() == ()
        return registry.pump_history(SERIAL)


@pytest.mark.sr("SR-36")
async def test_a_visit_at_the_screen_is_recorded(place: Path, tmp_path: Path) -> None:
    registering = Registering(str(place), user="N-17", spool=tmp_path / "spool")
    async with desk(registering=lambda: registering) as at:
        await at.press("f8", "f4")
        await at.until(lambda: "APPLIED" in at.text and "Stopped." in at.text, "the stop")
        await at.press("escape")
        await at.until(lambda: "PUMP STOPPED" in at.text, "the stopped pump")
        await at.until(lambda: [row.run_state for row in history(place).readings] == ["running", "stopped"], "both readings")
        app = at.app
    assert app.unrecorded == ()
    found = history(place)
    assert [row.what for row in found.commands] == ["stop the therapy"]
    assert not list((tmp_path / "spool").glob("*"))


@pytest.mark.sr("SR-20")
async def test_whose_pump_it_is_by_the_registry_is_shown_and_held_against_an_order(place: Path, tmp_path: Path) -> None:
    Clinic().talk(".", registering=Registering(str(place), spool=tmp_path / "spool"))
    with Registry.open(place) as registry:
        registry.assign(SERIAL, "P-7", at=NOW, by="N-17")
    registering = Registering(str(place), user="N-17", spool=tmp_path / "spool")
    async with desk(registering=lambda: registering) as at:
        await at.until(lambda: "P-7" in at.text, "the patient's id")
        await reviewed(at, "bolus", BOLUS)
        assert "this pump is patient P-7's by the record" in " ".join(at.text.split())
    words = (Pick("Dose now"), Pick("Single bolus:"), "P-0042", Pick("spinal"), "46", "-", "25", "10m", ".")
    told = " ".join(Clinic(known=False).talk(*words, registering=registering).text.split())
    assert "this pump is patient P-7's by the record, the bolus is P-0042's: the right pump?" in told
    assert "Patient P-7;" in told


async def test_a_registry_that_cannot_be_reached_holds_up_nothing_and_is_told(tmp_path: Path) -> None:
    registering = Registering(str(tmp_path / "nowhere" / "registry.db"), user="N-17", spool=tmp_path / "spool")
    async with desk(registering=lambda: registering) as at:
        await at.until(lambda: "NOT RECORDED" in at.text or "kept on this computer" in at.text, "the word of the registry")
        await reviewed(at, "bolus", BOLUS)
    assert list((tmp_path / "spool").rglob("*.json"))


@pytest.mark.sr("SR-36")
def test_a_visit_in_lines_is_recorded(place: Path, tmp_path: Path) -> None:
    registering = Registering(str(place), user="N-17", spool=tmp_path / "spool")
    told = Clinic().talk(".", registering=registering)
    assert told.code == 0
    assert "ATTENTION" not in told.text
    assert [row.run_state for row in history(place).readings] == ["running"]
    lost = Clinic().talk(".", registering=Registering(str(tmp_path / "nowhere" / "registry.db"), spool=tmp_path / "spool"))
    assert "ATTENTION: NOT RECORDED in the registry" in lost.text
