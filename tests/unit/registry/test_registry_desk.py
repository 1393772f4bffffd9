"""`itbpump registry assign, retire, zone, book, cancel, refills, settle, contacts` as a clinic uses them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from itbpump.cli.registering import app
from itbpump.quantity import Volume
from itbpump.refill import Discrepancy, Refill
from itbpump.registry.store import Registry
from tests.command_line import CliRunner, Result
from tests.unit.registry.clinic import BY, DAY_MS, NOW, dates, fill_entry, view

SERIAL = "SIM-0001"
HIDDEN = "not-to-be-shown"


class Desk:
    """Calls of `itbpump registry`, by one person."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def run(self, *words: str, code: int = 0, typed: str = "") -> Result:
        result = CliRunner().invoke(app, [*words, "--registry", str(self.place)], input=typed, prog_name="itbpump registry")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    def by(self, *words: str, code: int = 0) -> dict[str, Any]:
        return self._data(self.run(*words, "--by", BY, "--json", code=code))

    def data(self, *words: str) -> dict[str, Any]:
        return self._data(self.run(*words, "--json"))

    def _data(self, result: Result) -> dict[str, Any]:
        found = json.loads(result.stdout)
        assert isinstance(found, dict)
        return found

    def open(self) -> Registry:
        return Registry.open(self.place)


@pytest.fixture
def desk(tmp_path: Path, file_registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in ("ITBPUMP_REGISTRY", "ITBPUMP_USER"):
        monkeypatch.delenv(name, raising=False)
    file_registry.record_reading(view(), log=(fill_entry(1, 10 * DAY_MS, 38_000_000, 0),), dates=dates(), by=BY)
    return Desk(tmp_path / "registry.db")


def test_a_pump_goes_from_one_patient_to_another(desk: Desk) -> None:
    desk.by("assign", SERIAL, "P-0042", "--zone", "Europe/Berlin")
    desk.by("assign", SERIAL, "P-0043")
    assert desk.data("pumps")["pumps"][0]["patient_id"] == "P-0043"
    desk.by("zone", "P-0043", "America/New_York")
    zones = {row["id"]: (row["zone"], row["pumps"]) for row in desk.data("patients")["patients"]}
    assert zones == {"P-0042": ("Europe/Berlin", []), "P-0043": ("America/New_York", [SERIAL])}
    for words in (("assign", SERIAL, "Jane Roe"), ("assign", "K-9", "P-1"), ("zone", "P-0043", "Mars/Base"), ("zone", "P-9", "UTC")):
        assert desk.by(*words, code=1)["error"]["message"]


def test_a_retired_pump_is_watched_no_more(desk: Desk) -> None:
    assert "is not retired without a reason" in desk.by("retire", SERIAL, "--because", " ", code=1)["error"]["message"]
    desk.by("retire", SERIAL, "--because", "explanted")
    assert desk.data("pumps")["pumps"] == []
    assert desk.data("pumps", "--all")["pumps"][0]["retired_because"] == "explanted"


def test_a_visit_is_booked_and_cancelled(desk: Desk) -> None:
    desk.by("book", SERIAL, "2027-01-11")
    with desk.open() as registry:
        assert [pump.visit_on.isoformat() for pump in registry.watched() if pump.visit_on is not None] == ["2027-01-11"]
    assert desk.by("book", SERIAL, "11.1.2027", code=2)["exit_code"] == 2
    assert desk.by("cancel", SERIAL, "2027-01-12", "--because", "ill", code=1)["exit_code"] == 1
    desk.by("cancel", SERIAL, "2027-01-11", "--because", "ill")
    with desk.open() as registry:
        assert [pump.visit_on for pump in registry.watched()] == [None]


@pytest.mark.sr("SR-38")
def test_a_suspicious_difference_is_open_until_somebody_says_what_was_found(desk: Desk) -> None:
    assert desk.run("refills", SERIAL).stdout.endswith("  in it then 38 mL\n")  # of the first fill only the log is known
    with desk.open() as registry:
        plan = Refill(10_000_000, 4_000_000, 38_000_000, 39_400_000, Discrepancy(-6_000_000, 1_000_000), 26_600_000)
        key = registry.record_refill(SERIAL, plan, at=NOW + timedelta(days=1), by=BY)
    shown = " ".join(desk.run("refills", SERIAL).stdout.split())
    assert f"expected {Volume(10_000_000)}" in shown
    assert f"OPEN: settle it with `itbpump registry settle {key}`" in shown
    assert "learned flow" in shown
    assert [one["open"] for one in desk.data("refills", SERIAL)["refills"]] == [False, True]
    assert desk.by("settle", str(key), "--found", "  ", code=1)["exit_code"] == 1
    desk.by("settle", str(key), "--found", "syringe misread; drawn again: 10 mL")
    assert desk.by("settle", str(key), "--found", "again", code=1)["exit_code"] == 1
    assert [one["open"] for one in desk.data("refills", SERIAL)["refills"]] == [False, False]
    assert "syringe misread" in desk.run("refills", SERIAL).stdout


def test_the_keys_in_a_contacts_address_are_typed_and_shown_nowhere(desk: Desk) -> None:
    url = f"tgram://{HIDDEN}/12345"
    desk.run("contacts", "add", "chat-1", "--channel", "chat", "--address", "-", "--by", BY, typed=f"{url}\n")
    with desk.open() as registry:
        assert [one.address for one in registry.contacts()] == [url]
    shown = [desk.run(*words).stdout for words in (("contacts", "list"), ("contacts", "list", "--json"), ("export", "contacts"))]
    shown.append(desk.run("export", "contacts", "--format", "json").stdout)
    assert all("tgram://…" in text and HIDDEN not in text for text in shown)


def test_contacts_stand_in_their_order(desk: Desk) -> None:
    assert "nobody can be told" in desk.run("contacts", "list").stdout
    doctor = ("contacts", "add", "doctor-1", "--channel", "mail", "--address", "d@clinic.example", "--position", "2")
    desk.by(*doctor)
    desk.by("contacts", "add", "nurse-1", "--channel", "mail", "--address", "n@clinic.example", "--escalate-after", "8", "--show-patient")
    found = desk.data("contacts", "list")["contacts"]
    assert [(row["id"], row["escalate_after_h"], row["shows_patient"]) for row in found] == [("nurse-1", 8, True), ("doctor-1", 24, False)]
    assert "names neither pump nor patient" in " ".join(desk.run("contacts", "list").stdout.split())
    desk.by(*doctor[:-1], "1")
    assert desk.by("contacts", "remove", "nurse-1")["left"] == 1
    assert desk.by("contacts", "remove", "nurse-1", code=1)["exit_code"] == 1
    assert "No contact is left" in desk.run("contacts", "remove", "doctor-1", "--by", BY).stdout


def test_readings_of_a_wrong_clock_are_shown(desk: Desk) -> None:
    ahead = NOW + timedelta(days=365)
    with desk.open() as registry:
        registry.record_reading(view(ahead, uptime_ms=101 * DAY_MS), by="N-99")
        registry.record_reading(view(NOW + timedelta(days=2), uptime_ms=102 * DAY_MS), by=BY)
    assert [one["by"] for one in desk.data("status")["set_aside"]] == ["N-99"]
    assert "taken by a wrong clock and are set aside" in " ".join(desk.run("status").stderr.split())


def test_all_of_it_is_in_the_audit(desk: Desk) -> None:
    desk.by("assign", SERIAL, "P-0042")
    desk.by("book", SERIAL, "2027-01-11")
    desk.by("contacts", "add", "nurse-1", "--channel", "mail", "--address", "n@clinic.example")
    assert desk.data("verify")["breaches"] == []
    audit = desk.run("export", "audit", "--format", "json").stdout
    assert {"assignments", "appointments", "contacts"} <= {row["subject"] for row in json.loads(audit)}
