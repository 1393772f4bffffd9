"""Every contact by the command line is recorded where a registry is set; one that cannot be reached hinders nothing and loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from itbpump.link.errors import NoReply
from itbpump.registry import contact as contacts
from itbpump.registry.errors import CannotOpen
from itbpump.registry.model import PumpHistory
from itbpump.registry.store import Registry
from itbpump.wire.pcapng import decode
from itbpump.workflow.registering import Registering
from tests.unit.cli.conftest import Cli, Told
from tests.unit.registry.clinic import NOW

SERIAL = "P4000001"
HIDDEN = "not-to-be-shown"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the registry is to be; not made yet."""
    for name in ("ITBPUMP_REGISTRY", "ITBPUMP_USER", "ITBPUMP_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "registry.db"


@pytest.fixture
def made(place: Path) -> Path:
    Registry.create(place, at=NOW).close()
    return place


def history(place: Path) -> PumpHistory:
    with Registry.open(place) as registry:
        assert registry.verify() == ()
        return registry.pump_history(SERIAL)


def waiting(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "home" / "to-register").glob("*"))


def test_without_a_registry_nothing_is_recorded_or_kept(cli: Cli, paired: str, place: Path, tmp_path: Path) -> None:
    told = cli("status", paired)
    assert (told.code, told.err) == (0, "")
    assert not waiting(tmp_path)


@pytest.mark.sr("SR-36")
def test_every_command_that_reaches_a_pump_records_it(
    cli: Cli, paired: str, flex: str, made: Path, monkeypatch: pytest.MonkeyPatch, insist: Callable[..., Told]
) -> None:
    monkeypatch.setenv("ITBPUMP_REGISTRY", str(made))
    counts = [0]
    for words in (
        ("status", paired),
        ("log", paired),
        ("review", flex, "--pump", paired),
        ("program", flex, "--pump", paired),
        ("forecast", "--pump", paired),
        ("alarm-test", paired),
        ("clock", paired, "--set"),
        ("reconcile", paired),
        ("bolus", paired, "--dose", "5 mcg", "--over", "10m", "--rx", flex, "--no-wait"),
        ("refill", paired, "--aspirated", "36.6 mL", "--filled", "38 mL"),
        ("stop", paired),
        ("restore", paired, "--rx", flex),
    ):
        asks = words[0] in ("program", "bolus", "refill", "restore") or words == ("stop", paired)
        told = insist(*words) if asks and words[0] != "stop" else cli(*words, *(("--yes",) if asks else ()))
        assert told.code == 0, told.err
        assert "RECORDED" not in told.err
        counts.append(len(history(made).readings))
        assert counts[-1] > counts[-2], words
    kept = history(made)
    assert [(row.kind, row.state) for row in kept.commands] == [
        ("configure", "applied"),
        ("alarm_test", "applied"),
        ("set_clock", "applied"),
        ("bolus", "applied"),
        ("configure", "applied"),
        ("stop", "applied"),
        ("configure", "applied"),
    ]
    assert [refill.source for refill in kept.refills] == ["log", "command"]
    assert kept.pump.simulated
    assert kept.pump.patient_id == "P-0042"


def test_who_records_is_the_staff_id_that_is_known(cli: Cli, paired: str, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("status", paired, "--registry", str(made))
    monkeypatch.setenv("ITBPUMP_USER", "rn-7")
    cli("status", paired, "--registry", str(made))
    assert [reading.by for reading in history(made).readings] == ["itbpump", "rn-7"]


# ------------------------------------------------------------------------------------------------ a registry that cannot be reached
@pytest.mark.sr("SR-36")
def test_a_stop_goes_on_without_the_registry_and_is_recorded_later_once(cli: Cli, running: str, place: Path, tmp_path: Path) -> None:
    told = cli("stop", running, "--yes", "--json", "--registry", str(place))
    assert (told.code, told.data["run_state"]) == (0, "stopped")
    assert "NOT RECORDED in the registry" in told.said
    assert "registry init" in told.said
    (file,) = waiting(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600

    Registry.create(place, at=NOW).close()
    again = cli("status", running, "--registry", str(place))
    assert again.code == 0
    assert "Recorded in the registry now: 1 contact kept on this computer." in again.said
    assert not waiting(tmp_path)
    kept = history(place)
    assert [reading.run_state for reading in kept.readings] == ["stopped", "stopped"]
    assert [command.kind for command in kept.commands] == ["configure", "stop"]
    assert cli("status", running, "--registry", str(place)).err == ""


def test_a_refill_told_while_the_registry_was_away_is_one_refill(
    cli: Cli, running: str, place: Path, insist: Callable[..., Told], tmp_path: Path
) -> None:
    """Also when its fill is seen in the pump's log by another workstation before the record comes in."""
    told = insist("refill", running, "--aspirated", "36.6 mL", "--filled", "38 mL", "--registry", str(place))
    assert told.code == 0, told.err
    Registry.create(place, at=NOW).close()
    put_away = [(path, path.rename(tmp_path / path.name)) for path in waiting(tmp_path)]
    home = tmp_path / "home"
    home.rename(tmp_path / "here")  # another workstation, which was told nothing
    (tmp_path / "elsewhere").mkdir()
    assert cli("pair", running).code == 0
    assert cli("status", running, "--registry", str(place)).code == 0
    assert [refill.source for refill in history(place).refills] == ["log", "log"]

    home.rename(tmp_path / "elsewhere" / "home")
    (tmp_path / "here").rename(home)
    for old, new in put_away:
        new.rename(old)
    assert "Recorded in the registry now" in cli("pair", running, "--replace").said + cli("status", running, "--registry", str(place)).said
    refills = history(place).refills
    assert [refill.source for refill in refills] == ["log", "command"]
    assert refills[-1].aspirated_nL == 36_600_000


def test_a_contact_that_was_recorded_before_its_file_was_taken_away_is_one_contact(
    cli: Cli, running: str, place: Path, tmp_path: Path
) -> None:
    cli("status", running, "--registry", str(place))
    (file,) = waiting(tmp_path)
    content = file.read_bytes()
    Registry.create(place, at=NOW).close()
    cli("status", running, "--registry", str(place))
    file.write_bytes(content)  # as after a kill between the two
    cli("status", running, "--registry", str(place))
    assert len(history(place).readings) == 3
    assert not waiting(tmp_path)


def test_what_is_kept_for_one_registry_does_not_go_into_another(cli: Cli, running: str, place: Path, made: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    cli("status", running, "--registry", str(other))
    cli("status", running, "--registry", str(made))
    assert len(history(made).readings) == 1
    assert len(waiting(tmp_path)) == 1


def test_a_damaged_file_and_one_that_contradicts_keep_out_no_other(cli: Cli, running: str, place: Path, tmp_path: Path) -> None:
    cli("status", running, "--registry", str(place))
    (sound,) = waiting(tmp_path)
    folder = sound.parent
    (folder / "0000000000.000000-bad.json").write_text('{"schema": "itbpump.contact/1"}')
    strange = sound.read_bytes().replace(SERIAL.encode(), b"P4000002").replace(rb"\"patient\": \"P-0042\"", rb"\"patient\": \"no id\"")
    (folder / "0000000001.000000-strange.json").write_bytes(strange)
    Registry.create(place, at=NOW).close()
    told = cli("status", running, "--registry", str(place))
    assert told.code == 0
    assert "cannot be read, and was put aside" in told.said
    assert "P4000002 that was kept here is not recorded yet" in told.said
    assert "Recorded in the registry now: 1 contact" in told.said
    assert sorted(path.name for path in waiting(tmp_path)) == ["0000000000.000000-bad.damaged", "0000000001.000000-strange.json"]


def test_an_address_that_nobody_can_mean_is_told_and_hinders_nothing(cli: Cli, running: str, place: Path, tmp_path: Path) -> None:
    told = cli("stop", running, "--yes", "--registry", f"mysql://n:{HIDDEN}@host/x")
    assert told.code == 0
    assert "NOT RECORDED" in told.said
    assert HIDDEN not in told.said
    assert not waiting(tmp_path)


def test_a_defect_of_recording_hinders_nothing_and_loses_nothing(
    cli: Cli, running: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise KeyError("a defect")

    monkeypatch.setattr(contacts, "record", broken)
    told = cli("stop", running, "--yes", "--registry", str(made))
    assert told.code == 0
    assert "defect of this program" in told.said
    assert len(waiting(tmp_path)) == 1


def test_a_disk_that_takes_nothing_is_told(cli: Cli, running: str, place: Path, tmp_path: Path) -> None:
    (tmp_path / "home" / "to-register").write_text("a file where the folder should be")
    told = cli("stop", running, "--yes", "--registry", str(place))
    assert told.code == 0
    assert "could not be kept on this computer either" in told.said


# ------------------------------------------------------------------------------------------------ what is read, and when
def frames(recording: Path) -> int:
    return sum(len(section.packets) for section in decode(recording.read_bytes()).sections)


@pytest.mark.sr("SR-36")
def test_a_contact_reads_only_what_is_newer_of_a_long_log(cli: Cli, running: str, made: Path, tmp_path: Path) -> None:
    """Frames on the line, both ways: a bare `status`, the first contact with a log of some 400 entries, and the next one."""
    from firmware_sim.device import SimulatedPump
    from itbpump.transport.sim import SimTransport

    transport = SimTransport.open(running)
    assert isinstance(transport.device, SimulatedPump)
    for _ in range(400):
        transport.device.firmware.handshake_failed(b"STRANGER", 1, transport.device.uptime_ms)
    transport.close()
    counts = []
    for number, registry in enumerate(((), ("--registry", str(made)), ("--registry", str(made)))):
        recording = tmp_path / f"{number}.pcapng"
        told = cli("--capture", str(recording), "status", running, *registry)
        assert (told.code, told.err) == (0, "")
        counts.append(frames(recording))
    bare, whole, newer = counts
    assert whole - bare >= 2 * 16, "16 pages of 25 entries, asked and answered"
    assert newer - bare <= 8, "status, configuration, one page, each asked and answered"
    assert len(history(made).readings) == 2


def test_a_log_that_is_not_the_one_known_is_told(cli: Cli, running: str, made: Path) -> None:
    assert cli("status", running, "--registry", str(made)).err == ""
    with Registry.open(made) as registry, registry.engine.begin() as connection:  # as if another pump had answered then
        connection.exec_driver_sql("UPDATE interrogations SET link = json_set(link, '$.log.sha256', 'x')")
    told = cli("status", running, "--registry", str(made))
    assert told.code == 0
    assert "ATTENTION: The pump's log is not the one that the registry knows" in told.said
    assert "ATTENTION" not in cli("status", running, "--registry", str(made)).said


def test_a_command_that_sent_nothing_is_a_contact_all_the_same(cli: Cli, running: str, flex: str, made: Path) -> None:
    told = cli("program", flex, "--pump", running, "--registry", str(made), answers="no\n")
    assert told.code == 1
    assert len(history(made).readings) == 1


def test_a_lost_line_leaves_what_was_decided_here(cli: Cli, running: str, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("status", running, "--registry", str(made))

    def gone(*_: object) -> object:
        raise NoReply("GetStatus", 10_000, 4)

    with monkeypatch.context() as line:
        line.setattr(contacts, "take", gone)
        told = cli("clock", running, "--set", "--registry", str(made))
    assert told.code == 0, told.err
    kept = history(made)
    assert len(kept.readings) == 1
    assert kept.commands[-1].kind == "set_clock"


def test_a_recording_that_is_played_back_is_no_contact(cli: Cli, tmp_path: Path, made: Path) -> None:
    record = tmp_path / "visit.pcapng"
    assert cli("--capture", str(record), "status", "sim://P-40?fill=38mL&seed=1").code == 0
    told = cli("status", f"replay:{record}", "--registry", str(made))
    assert told.code == 0, told.err
    with Registry.open(made) as registry:
        assert registry.pumps() == ()


# ------------------------------------------------------------------------------------------------ dates
@pytest.mark.sr("SR-36")
def test_dates_count_with_what_the_refills_taught(
    cli: Cli, running: str, made: Path, advance: Callable[[str, int], None], insist: Callable[..., Told]
) -> None:
    assert cli("forecast", "--pump", running, "--json", "--registry", str(made)).data["assumptions"]["calibration"] is None
    advance(running, 60 * 86_400_000)
    counted = float(cli("status", running, "--json").data["reservoir"]["volume"]["value"])
    told = insist("refill", running, "--aspirated", f"{counted - 1.4 - 1.2:.1f} mL", "--filled", "38 mL", "--registry", str(made))
    assert told.code == 0, told.err
    shown = cli("forecast", "--pump", running, "--json", "--registry", str(made)).data
    learned = shown["assumptions"]["calibration"]
    assert learned["refills"] == "1"
    assert not learned["flow_error_percent"].startswith("-")
    assert "Its refills (1)" in cli("forecast", "--pump", running, "--registry", str(made)).said
    with Registry.open(made) as registry:
        (pump,) = registry.watched()
        found = registry.learned(SERIAL).calibration
        assert found is not None
        assert (pump.calibration_ppm, pump.calibration_drifts) == (found.flow_error_ppm, found.alerts)
        assert pump.dates is not None
        assert shown["refill_by"].startswith(str(pump.dates.refill_by))


def test_dates_without_the_registry_say_what_is_missing(cli: Cli, running: str, place: Path) -> None:
    told = cli("forecast", "--pump", running, "--registry", str(place))
    assert told.code == 0
    assert told.said.count("What the registry knows of this pump, its patient and its flow, is not looked at") == 1


@pytest.mark.sr("SR-20")
def test_a_pump_that_the_registry_gives_to_another_patient_needs_a_second_person(
    cli: Cli, paired: str, flex: str, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This computer has programmed nothing; another one has."""

    def asked() -> list[str]:
        told = cli("review", flex, "--pump", paired, "--json")
        return [one["message"] for one in told.data["findings"] if one["rule"] == "identity"]

    monkeypatch.setenv("ITBPUMP_REGISTRY", str(made))
    assert asked() == []
    with Registry.open(made) as registry:
        registry.assign(SERIAL, "P-7", at=NOW, by="N-1")
    assert asked() == ["this pump is patient P-7's by the record, the prescription is P-0042's: the right pump?"]
    assert cli("program", flex, "--pump", paired, "--yes").code == 3
    monkeypatch.delenv("ITBPUMP_REGISTRY")
    assert asked() == []
    assert cli("program", flex, "--pump", paired, "--yes").code == 0


@pytest.mark.parametrize("words", [("review", "FLEX", "--pump"), ("status",), ("forecast", "--pump")])
def test_a_registry_that_does_not_answer_is_waited_for_once(
    cli: Cli, paired: str, flex: str, place: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    asked: list[object] = []

    def silent(*_: object, **__: object) -> Registry:
        asked.append(_)
        raise CannotOpen("server", "the server does not answer", "check it")

    monkeypatch.setattr(Registry, "open", silent)
    told = cli(*(flex if word == "FLEX" else word for word in words), paired, "--registry", str(place))
    assert "kept on this computer" in told.said
    assert len(asked) == 1


@pytest.mark.sr("SR-20")
def test_whose_therapy_was_programmed_here_goes_before_the_registry(cli: Cli, running: str, flex: str, made: Path) -> None:
    cli("status", running, "--registry", str(made))
    with Registry.open(made) as registry:
        registry.assign(SERIAL, "P-7", at=NOW, by="N-1")
    told = cli("review", flex, "--pump", running, "--registry", str(made), "--json")
    assert not [one for one in told.data["findings"] if one["rule"] == "identity"]


def test_nothing_is_set_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ITBPUMP_REGISTRY", raising=False)
    assert not Registering.chosen().is_set
    assert Registering.chosen().deliver(None) == ()
    monkeypatch.setenv("ITBPUMP_REGISTRY", "clinic.db")
    assert Registering.chosen().address == "clinic.db"
    assert Registering.chosen("other.db").address == "other.db"
