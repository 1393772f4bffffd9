"""`itbpump alerts` over a real registry: find, tell, list, acknowledge, snooze, publish; and what each says when it cannot."""

from __future__ import annotations

import json
import plistlib
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from itbpump.alerts import command
from itbpump.alerts.command import COMMANDS, alerts_app
from itbpump.alerts.desk import load_clinic_policy, write_text
from itbpump.alerts.doctor import ANSWERS
from itbpump.alerts.errors import AlertPolicyError
from itbpump.alerts.ical import entries_of
from itbpump.alerts.model import Contact, RefillDates, WatchedPump
from itbpump.alerts.source import RegistrySource, contact_of, watched_of
from itbpump.cli.guard import GuardedCommand
from itbpump.registry.model import ContactRow, DateRow, PumpRow
from itbpump.registry.store import Registry
from tests.command_line import CliRunner
from tests.unit.alert_channels.samples import NOW, dates, watched
from tests.unit.alert_channels.test_doctor import machine

HIDDEN = "not-to-be-shown"
RUNNER = CliRunner()
START = datetime(2026, 8, 6, 10, 30, tzinfo=UTC)
"""A day on which the refill of the samples is due soon: in words, not only in the list."""
CONTACTS: tuple[ContactRow, ...] = (ContactRow("ward", 0, "out", "ward@clinic.example", 24, False),)


def row_of(pump: WatchedPump) -> PumpRow:
    """The same as the registry gives it."""
    values = {field.name: getattr(pump, field.name) for field in fields(PumpRow)}
    day = pump.dates
    return PumpRow(**{**values, "dates": None if day is None else DateRow(**{f.name: getattr(day, f.name) for f in fields(DateRow)})})


class Clinic:
    """A registry whose pumps and contacts are told by the test; everything else of it is real."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.pumps, self.contacts, self.now = folder, [watched()], CONTACTS, START
        self.outbox = folder / "outbox"
        self.outbox.mkdir()
        (folder / "channels.toml").write_text('[out]\nkind = "folder"\nfolder = "outbox"\nsender = "pumps@clinic.example"\n')
        Registry.create(folder / "registry.db", at=NOW).close()
        monkeypatch.setenv("ITBPUMP_REGISTRY", str(folder / "registry.db"))
        monkeypatch.setenv("ITBPUMP_CHANNELS", str(folder / "channels.toml"))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        for name in ("ITBPUMP_ALERTS", "ITBPUMP_USER"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(Registry, "watched", lambda _: map(row_of, self.pumps))
        monkeypatch.setattr(Registry, "contacts", lambda _: self.contacts)
        monkeypatch.setattr(command, "_now", lambda: self.now)

    def __call__(self, *arguments: str, code: int = 0) -> Any:
        found = RUNNER.invoke(alerts_app(GuardedCommand), list(arguments), prog_name="itbpump alerts")
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        assert found.exit_code == code, found.output
        return json.loads(found.stdout) if "--json" in arguments else " ".join(found.output.split())

    def alerts(self, *arguments: str) -> Sequence[dict[str, Any]]:
        found: Sequence[dict[str, Any]] = self("list", "--json", *arguments)["alerts"]
        return found


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    return Clinic(tmp_path, monkeypatch)


# ------------------------------------------------------------------------------------------------ the seam to the registry
def test_the_registrys_rows_and_what_the_rules_watch_have_the_same_fields() -> None:
    assert {field.name for field in fields(PumpRow)} == {field.name for field in fields(WatchedPump)}
    assert {field.name for field in fields(DateRow)} == {field.name for field in fields(RefillDates)}
    pump = watched(zone="Europe/Berlin", alarms=("low-reservoir",), discrepancy_open=True)
    assert watched_of(row_of(pump)) == pump
    assert watched_of(row_of(watched(dates=None))).dates is None
    assert contact_of(ContactRow("b", 2, "mail", "x", 12, True)) == Contact("b", 2, "mail", "x", 12, True)


def test_a_real_registry_is_a_source(tmp_path: Path) -> None:
    with Registry.create(tmp_path / "r.db", at=NOW) as registry:
        source = RegistrySource(registry)
        assert list(source.watched(NOW)) == []
        assert list(source.contacts()) == []


# ------------------------------------------------------------------------------------------------ find and tell
@pytest.mark.sr("SR-40")
def test_a_check_that_sends_leaves_a_mail_an_alert_and_a_heartbeat(clinic: Clinic) -> None:
    counts = clinic("check", "--send", "--json")
    assert (counts["pumps"], counts["delivered"], counts["failed"], counts["problems"]) == (1, 1, 0, [])
    assert len(list(clinic.outbox.iterdir())) == 1
    again = clinic("check", "--send", "--json")
    assert (again["delivered"], len(list(clinic.outbox.iterdir()))) == (0, 1)
    (found,) = clinic.alerts()
    assert (found["kind"], found["serial"], found["state"], found["told"]) == ("refill", "P40-000123", "open", "delivered")
    assert clinic("list", "--json")["check"]["problem"] is None
    clinic.now = START + timedelta(hours=27)
    assert "has not run for 27 h" in clinic("list")


def test_a_check_records_and_send_tells(clinic: Clinic) -> None:
    assert "fired 1" in clinic("check")
    assert list(clinic.outbox.iterdir()) == []
    assert clinic.alerts()[0]["told"] == "waiting to be sent"
    assert "delivered 1" in clinic("send")
    assert clinic.alerts()[0]["told"] == "delivered"


def test_what_cannot_be_told_ends_with_one_and_says_what_to_do(clinic: Clinic) -> None:
    clinic.outbox.rmdir()
    told = clinic("check", "--send", code=1)
    assert "1 messages could not be sent now; they are kept and tried again" in told
    clinic.outbox.mkdir()
    clinic.now += timedelta(minutes=2)
    assert "delivered 1" in clinic("send")


def test_without_a_contact_or_with_an_unknown_channel_somebody_hears_of_it(clinic: Clinic) -> None:
    clinic.contacts = ()
    assert "no contact is set" in clinic("check", "--send", code=1)


def test_an_address_that_is_refused_is_told_in_the_list(clinic: Clinic) -> None:
    clinic.contacts = (ContactRow("ward", 0, "out", "no address", 24, False),)
    assert "refused" in clinic("check", "--send", code=1)
    assert clinic.alerts()[0]["told"] == "NOT DELIVERED: refused by every way tried"


# ------------------------------------------------------------------------------------------------ list, acknowledge, snooze
def test_the_list_is_filtered_printed_and_written_as_a_page(clinic: Clinic, tmp_path: Path) -> None:
    late = dates(refill_by=date(2026, 7, 30), low_earliest=date(2026, 7, 30), empty_earliest=date(2026, 7, 31), alarm=date(2026, 7, 31))
    clinic.pumps = [watched(), watched(serial="P40-2", memory_id="cd", patient_id="P-9", dates=late)]
    clinic("check")
    assert clinic.alerts("--kind", "refill")[0]["stage"] == "critical"
    assert [alert["serial"] for alert in clinic.alerts("--stage", "overdue")] == ["P40-2"]
    assert [alert["serial"] for alert in clinic.alerts("--pump", "P40-000123")] == ["P40-000123"]
    assert [alert["patient"] for alert in clinic.alerts("--patient", "P-9")] == ["P-9"]
    assert {alert["serial"] for alert in clinic.alerts("--until", "2026-08-01")} == {"P40-2"}
    assert clinic.alerts("--state", "acknowledged") == []
    assert "CRITICAL" in clinic("list")
    assert "P-9" not in clinic("list", "--hide-patient")
    page = tmp_path / "worklist.html"
    assert "2 alerts" in clinic("list", "--page", str(page))
    assert "Critical: 1" in page.read_text("utf-8")
    assert page.stat().st_mode & 0o777 == 0o600


def test_acknowledged_with_author_and_reason(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic("check")
    key = clinic.alerts()[0]["key"]
    assert "Acknowledged by rn-7" in clinic("ack", key, "--by", "rn-7", "--reason", "booked for Friday")
    (found,) = clinic.alerts()
    assert (found["state"], found["by"], found["reason"]) == ("acknowledged", "rn-7", "booked for Friday")
    clinic("ack", key, "--by", "rn-7", code=2)
    clinic("ack", key, "--reason", "x", code=2)
    assert "there is no alert 'x'" in clinic("ack", "x", "--by", "rn-7", "--reason", "y", code=1)
    monkeypatch.setenv("ITBPUMP_USER", "dr-1")
    assert clinic("ack", key, "--reason", "again", "--json")["by"] == "dr-1"


def test_what_is_critical_is_acknowledged_and_still_told_and_never_snoozed(clinic: Clinic) -> None:
    gone = dates(refill_by=date(2026, 7, 29), low_earliest=date(2026, 7, 29), empty_earliest=date(2026, 7, 30), alarm=date(2026, 7, 30))
    clinic.pumps = [watched(dates=gone)]
    clinic("check")
    key = clinic.alerts("--kind", "refill")[0]["key"]
    assert clinic("ack", key, "--by", "rn-7", "--reason", "on the way", "--json")["still_told"] is True
    told = clinic("snooze", key, "--by", "rn-7", "--reason", "x", "--until", "2026-08-08T10:30+00:00", code=1)
    assert "nothing silences what is critical" in told


def test_snoozed_until_a_time_that_is_before_the_next_stage(clinic: Clinic) -> None:
    clinic("check")
    key = clinic.alerts()[0]["key"]
    saying = ("--by", "rn-7", "--reason", "travels")
    assert clinic("snooze", key, *saying, "--until", "2026-08-08T10:30+00:00", "--json")["state"] == "snoozed"
    assert clinic.alerts()[0]["state"] == "snoozed"
    clinic.now = datetime(2026, 8, 8, 10, 30, tzinfo=UTC)
    assert clinic.alerts()[0]["state"] == "open"
    assert "may sleep until" in clinic("snooze", key, *saying, "--until", "2026-12-24", code=1)
    assert "is no time" in clinic("snooze", key, *saying, "--until", "tomorrow", code=2)


# ------------------------------------------------------------------------------------------------ the calendar
@pytest.mark.sr("SR-36")
def test_the_calendar_follows_the_pumps_and_cancels_what_is_refilled(clinic: Clinic, tmp_path: Path) -> None:
    path = tmp_path / "refills.ics"
    clinic("check")
    assert clinic("calendar", str(path), "--json") == {"file": str(path), "entries": 1, "cancelled": 0}
    (first,) = entries_of(path.read_bytes(), "x")
    assert (first.day, first.sequence, first.title) == (date(2026, 8, 19), 0, "Refill pump P40-000123")
    saturday = dates(refill_by=date(2026, 8, 15), computed_at=NOW + timedelta(days=1))
    clinic.pumps = [watched(dates=saturday)]
    clinic("calendar", str(path))
    (moved,) = entries_of(path.read_bytes(), "x")
    assert (moved.uid, moved.day, moved.sequence) == (first.uid, date(2026, 8, 14), 1)
    clinic.pumps = [watched(cycle=4, dates=dates(refill_by=date(2026, 11, 4)))]
    clinic.now += timedelta(days=2)
    assert "1 refill days, 1 cancelled" in clinic("calendar", str(path))
    before, after = entries_of(path.read_bytes(), "x")
    assert (before.uid, before.cancelled, before.sequence, after.day) == (first.uid, True, 2, date(2026, 11, 4))
    foreign = tmp_path / "notes.ics"
    foreign.write_text("notes")
    clinic("calendar", str(foreign), code=2)
    assert foreign.read_text() == "notes"


def test_mail_and_calendar_speak_of_the_same_entry(clinic: Clinic, tmp_path: Path) -> None:
    clinic("check", "--send")
    path = tmp_path / "refills.ics"
    clinic("calendar", str(path))
    (mail,) = clinic.outbox.iterdir()
    assert entries_of(path.read_bytes(), "x")[0].uid.encode() in mail.read_bytes()


# ------------------------------------------------------------------------------------------------ the rest
def test_channels_are_shown_and_a_mistake_named(clinic: Clinic, tmp_path: Path) -> None:
    assert clinic("channels", "--json")["channels"] == ["out"]
    bad = tmp_path / "bad.toml"
    bad.write_text("[x]\nkind = 'mail'\n")
    assert "line 2" in clinic("channels", "--channels", str(bad), code=2)


def test_contacts_that_no_channel_reaches_are_named(clinic: Clinic, tmp_path: Path) -> None:
    assert "ATTENTION" not in clinic("channels")
    clinic.contacts = (*CONTACTS, ContactRow("night", 1, "mail", "night@clinic.example", 24, False))
    assert "night cannot be told: no channel 'mail' is set up; there are out:" in clinic("channels", code=1)
    assert "night cannot be told" in clinic("check", "--send", code=1)
    nothing = tmp_path / "nothing.toml"
    nothing.write_text("")
    assert "no channel is set up, so nobody is told" in clinic("channels", "--channels", str(nothing), code=1)


def test_install_only_prints(clinic: Clinic) -> None:
    assert "nothing is installed from here" in clinic("install", code=2)
    for system, sign in (("systemd", "Persistent=true"), ("launchd", "<plist"), ("windows", "StartWhenAvailable")):
        assert sign in clinic("install", "--print", "--for", system)
    assert "write systemd, launchd, windows" in clinic("install", "--print", "--for", "cron", code=2)
    assert [file["path"] for file in clinic("install", "--print", "--for", "windows", "--json")["files"]] == ["itbpump-alerts.xml"]


def test_a_job_gets_what_was_named_here_but_no_password(clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ITBPUMP_CHANNELS", "ways.toml")
    monkeypatch.setenv("ITBPUMP_REGISTRY", "clinic.db")
    monkeypatch.delenv("ITBPUMP_ALERTS", raising=False)
    (file,) = clinic("install", "--print", "--for", "launchd", "--policy", "leads.toml", "--json")["files"]
    words = plistlib.loads(file["text"].encode())["ProgramArguments"]
    named = ["--registry", "clinic.db", "--policy", "leads.toml", "--channels", "ways.toml"]
    assert words[-6:] == [one if one.startswith("--") else str(tmp_path / one) for one in named]
    server = "postgresql://nurse@db.example/itb"
    assert server.partition("://")[2] in clinic("install", "--print", "--registry", server)
    for system, place in (("systemd", "alerts.env"), ("launchd", ".pgpass"), ("windows", "pgpass.conf")):
        told = clinic("install", "--print", "--for", system, "--registry", f"postgresql://nurse:{HIDDEN}@db.example/itb")
        assert HIDDEN not in told
        assert "holds a password" in told
        assert place in told


def test_a_registry_that_is_not_there_is_an_error_in_words(clinic: Clinic, tmp_path: Path) -> None:
    for name, *_ in COMMANDS:
        if name in {"check", "list", "send"}:
            assert "error: registry" in clinic(name, "--registry", str(tmp_path / "none.db"), code=1)
    for option, word in (("--stage", "late"), ("--kind", "x"), ("--state", "x"), ("--until", "x")):
        assert option in clinic("list", option, word, code=2)


def test_the_clinics_policy_is_the_one_named_the_default_or_the_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    shipped = load_clinic_policy(environment={})
    file = tmp_path / "own.toml"
    file.write_text("[leads]\nrefill_least = 10\n")
    assert load_clinic_policy(environment={"ITBPUMP_ALERTS": str(file)}).leads.refill_least == 10
    assert load_clinic_policy(file, {}).leads.refill_least == 10 != shipped.leads.refill_least
    with pytest.raises(AlertPolicyError, match="no such file"):
        load_clinic_policy(tmp_path / "none.toml", {})
    file.write_bytes(b"\xff")
    with pytest.raises(AlertPolicyError, match="cannot be read"):
        load_clinic_policy(file, {})


def test_a_page_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.html"
    write_text(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("itbpump.alerts.desk.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_text(path, "new")
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("page.html", "old")]


@pytest.mark.sr("SR-40")
def test_doctor_hears_whether_the_check_runs(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"ITBPUMP_REGISTRY": "registry.db", "ITBPUMP_CHANNELS": "channels.toml"}
    asked = machine(environment={name: str(clinic.folder / file) for name, file in names.items()}, now=START)
    assert ANSWERS["heartbeat"](asked)[0] == "WRONG"
    assert ANSWERS["registry"](asked)[0] == ANSWERS["channels"](asked)[0] == "ok"
    clinic("check", "--send")
    assert ANSWERS["heartbeat"](asked) == ("ok", "last came to its end at 2026-08-06 10:30 +0000")
    late = machine(environment=asked.environment, now=START + timedelta(hours=27))
    assert ANSWERS["heartbeat"](late)[0] == "WRONG"
    clinic.contacts = ()
    assert "nobody can be told" in ANSWERS["registry"](asked)[1]


def test_doctor_without_a_registry_finds_nothing_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("ITBPUMP_REGISTRY", raising=False)
    assert {answer(machine(environment={}))[0] for answer in ANSWERS.values()} == {"note"}
