"""`status`, `log`, `reconcile`, `alarm-test`: what is told, in words and as JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

DAY_MS = 86_400_000


def amounts(value: object) -> list[dict[str, object]]:
    """Every amount in a JSON form."""
    if isinstance(value, dict):
        found = [value] if {"value", "unit"} <= set(value) else []
        return found + [amount for item in value.values() for amount in amounts(item)]
    return [amount for item in value for amount in amounts(item)] if isinstance(value, list) else []


def test_a_fresh_pump_in_process_needs_no_pairing(cli: Any) -> None:
    told = cli("status", "sim://P-40?fill=38mL&seed=1")
    assert told.code == 0
    assert "SIMULATED" in told.said
    assert "unconfigured (no therapy programmed)" in told.said
    assert "not entered (capacity 40 mL)" in told.said
    data = cli("status", "sim://V-20?seed=3", "--json").data
    assert data["pump"]["profile"] == "V-20"
    assert data["reservoir"]["volume"] is None


def test_a_running_pump(cli: Any, running: str) -> None:
    data = cli("status", running, "--json").data
    assert set(data) >= {"pump", "therapy", "running", "delivering", "reservoir", "alarms", "battery", "clock", "link"}
    assert set(data["pump"]) >= {"serial", "profile", "firmware", "protocol"}
    assert set(data["therapy"]) >= {"mode", "revision", "digest"}
    assert set(data["reservoir"]) >= {"volume", "capacity", "estimated_at"}
    assert set(data["clock"]) >= {"pump", "host", "gap_s"}
    assert data["reservoir"]["volume"] == {"value": "38", "unit": "mL"}
    assert data["delivering"]["unit"] == "mL/day"
    assert data["last_change"]["by"] == "this companion"
    assert all(isinstance(amount["value"], str) for amount in amounts(data))
    assert len(amounts(data)) > 10


@pytest.mark.sr("SR-17")
def test_the_screen_is_printed_by_the_ismp_rules(cli: Any, running: str) -> None:
    told = cli("status", running)
    assert "baclofen 2,000 mcg per mL" in told.said
    assert "mcg/day" not in told.said
    assert "ug" not in told.out.replace("drug", "")
    assert "38 mL of 40 mL, estimated by counting pulses" in told.said


def test_a_configured_pump_from_a_prescription(cli: Any, flex: str) -> None:
    told = cli("status", f"sim://P-40?seed=1&rx={flex}", "--json")
    assert told.code == 0, told.err
    assert told.data["running"] is True
    assert told.data["others_unconfirmed"] == []


@pytest.mark.sr("SR-55")
def test_alarms_stand_on_top_with_what_to_do(cli: Any, running: str, advance: Callable[[str, int], None]) -> None:
    advance(running, 400 * DAY_MS)
    data = cli("status", running, "--json").data
    assert [(alarm["id"], alarm["priority"]) for alarm in data["alarms"]] == [("low-reservoir", "non-critical")]
    lines = cli("status", running).out.splitlines()
    assert lines[1].startswith("ALARM")
    assert "reservoir is low" in lines[1]
    assert "to do: arrange the refill" in lines[3]


@pytest.mark.sr("SR-33")
def test_a_stopped_pump_delivers_nothing_in_capitals(cli: Any, running: str) -> None:
    cli("stop", running, "--yes")
    assert "NOTHING" in cli("status", running).out


@pytest.mark.sr("SR-32")
def test_a_pump_in_its_safe_state_says_that_the_therapy_does_not_run(cli: Any, running: str) -> None:
    from itbpump.cli.pumps import opened
    from itbpump.wire.messages import CommandKind, MinimumRate

    with opened(running) as line:
        line._commands.direct(CommandKind.MINIMUM_RATE, lambda cmd_id: MinimumRate(cmd_id=cmd_id), "minimum rate")
    told = cli("status", running)
    assert "SAFE STATE: the programmed therapy does not run" in told.said
    assert cli("status", running, "--json").data["running"] is False


def test_the_log_in_words_and_from_a_number(cli: Any, running: str) -> None:
    entries = cli("log", running, "--json").data["entries"]
    assert [entry["seq"] for entry in entries] == list(range(len(entries)))
    assert any("command 1 carried out: configure; revision 1" in entry["text"] for entry in entries)
    later = cli("log", running, "--from", "4", "--json").data["entries"]
    assert later[0]["seq"] == 4
    assert "no entries" in cli("log", running, "--from", "999").out
    assert cli("log", running, "--from", "-1").code == 2


def test_the_log_by_kind_and_the_newest_first(cli: Any, running: str) -> None:
    cli("bolus", running, "--dose", "25 mcg", "--over", "10m", "--yes")
    cli("alarm-test", running)
    numbers = [int(line[:6]) for line in cli("log", running).out.splitlines() if line[:6].strip().isdecimal()]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) > 10
    kinds = {entry["kind"] for entry in cli("log", running, "--kind", "therapy", "--json").data["entries"]}
    assert kinds == {"committed", "bolus_start", "bolus_end", "refill"}
    texts = [entry["text"] for entry in cli("log", running, "--kind", "therapy", "--json").data["entries"]]
    assert not any("alarm test" in text for text in texts)
    alarms = cli("log", running, "--kind", "alarm", "--kind", "bolus-end", "--json").data["entries"]
    assert [entry["kind"] for entry in alarms] == ["bolus_end", "alarm_test"]
    assert "no entries of stall from number 0 on" in cli("log", running, "--kind", "stall").said
    told = cli("log", running, "--kind", "nothing")
    assert told.code == 2
    assert "therapy, alarm, session, pump" in told.said


def test_every_kind_of_entry_is_in_a_group_or_always_shown() -> None:
    from itbpump.wire.messages import LogKind
    from itbpump.wording.words import log_groups

    grouped = {name for group in log_groups().values() for name in group} - {"dose_command"}
    assert grouped == {kind.name.lower() for kind in LogKind} - {"gap"}


def test_the_log_tells_the_clock_where_it_was_set(cli: Any, running: str, advance: Callable[[str, int], None]) -> None:
    assert "clock (UTC)" not in cli("log", running).out
    assert cli("clock", running, "--set").code == 0
    advance(running, 77 * DAY_MS)
    cli("alarm-test", running)
    lines = cli("log", running).out.splitlines()
    assert lines[0].split() == ["number", "pump's", "uptime", "clock", "(UTC)", "newest", "first"]
    (tested,) = [line for line in lines if "tone tested" in line]
    assert " 77 d " in tested
    assert re.search(r" \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d ", tested)


@pytest.mark.sr("SR-42")
def test_an_open_outcome_stands_on_the_screen(cli: Any, running: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.unit.cli.test_doses import line_lost_at_commit

    assert cli("status", running, "--json").data["open_outcomes"] == []
    with line_lost_at_commit(monkeypatch):
        assert cli("bolus", running, "--dose", "25 mcg", "--over", "10m", "--yes").code == 5
    assert cli("status", running, "--json").data["open_outcomes"] == [{"command": 2, "what": "a bolus of 25 mcg"}]
    told = cli("status", running)
    assert told.out.splitlines()[1].startswith("UNKNOWN         what became of a bolus of 25 mcg (command 2):")
    assert f"itbpump reconcile {running}" in told.out
    cli("reconcile", running)
    assert "UNKNOWN" not in cli("status", running).out


def test_an_alarm_test_does_not_hide_when_the_therapy_changed(
    cli: Any, running: str, advance: Callable[[str, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    advance(running, 3 * DAY_MS)
    before = cli("status", running, "--json").data["last_dose_change"]
    assert before["kind"] == "configure"
    cli("alarm-test", running)
    told = cli("status", running)
    assert "Last change therapy, volume or day programmed, 3 d ago" in told.said
    assert "Last command alarm test by this companion" in told.said
    data = cli("status", running, "--json").data
    assert (data["last_change"]["kind"], data["last_dose_change"]["kind"]) == ("alarm_test", "configure")
    monkeypatch.setattr("itbpump.pump.RECENT_ENTRIES", 1)
    assert "Last change none in the newest log entries; all of them: itbpump log" in cli("status", running).said


@pytest.mark.sr("SR-20", "SR-53", "SR-55")
def test_a_review_beside_a_pump_says_which_what_it_sounds_and_what_day_it_has(
    cli: Any, paired: str, flex: str, advance: Callable[[str, int], None]
) -> None:
    first = cli("review", flex, "--pump", paired).said
    assert "Pump P4000001, P-40, SIMULATED Alarms none Pump's day none yet; it will be the day at UTC−05:00" in first
    assert cli("program", flex, "--pump", paired, "--yes").code == 0
    advance(paired, 400 * DAY_MS)
    lines = cli("review", flex, "--pump", paired).out.splitlines()
    assert lines[2].startswith("ALARM           the reservoir is low")
    (day,) = [line for line in lines if line.startswith("Pump's day")]
    assert re.match(r"Pump's day      [A-Z][a-z]{2} \d\d:\d\d, .* this computer", day)


def test_reconcile_with_nothing_open(cli: Any, running: str) -> None:
    told = cli("reconcile", running, "--json")
    assert (told.code, told.data) == (0, {"answers": []})


@pytest.mark.parametrize(("flag", "tone"), [("--critical", "critical"), ("--non-critical", "non-critical")])
def test_alarm_test(cli: Any, running: str, flag: str, tone: str) -> None:
    told = cli("alarm-test", running, flag, "--json")
    assert (told.code, told.data["tone"]) == (0, tone)
    assert f"{tone} tone tested" in cli("log", running).out


def test_others_results_are_told(cli: Any, running: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second programmer sees what the first has done and not yet confirmed, and who changed the pump last."""
    from itbpump.session import PumpSession
    from itbpump.wire.messages import ConfirmResult, Reply, Request

    whole = PumpSession.send

    def send(self: PumpSession, message: Request, deadline_ms: int | None = None) -> Reply:
        from itbpump.link.errors import NoReply

        if isinstance(message, ConfirmResult):
            raise NoReply("ConfirmResult", 10_000, 4)
        return whole(self, message, deadline_ms)

    with monkeypatch.context() as patch:
        patch.setattr(PumpSession, "send", send)
        assert cli("bolus", running, "--dose", "25 mcg", "--over", "10m", "--yes").code == 0
    monkeypatch.setenv("ITBPUMP_HOME", str(tmp_path / "other"))
    assert cli("pair", running).code == 0
    data = cli("status", running, "--json").data
    assert [(result["kind"], result["delivered_pulses"]) for result in data["others_unconfirmed"]] == [("bolus", 25)]
    assert data["last_change"]["by"].startswith("programmer ")
    assert "Unconfirmed" in cli("status", running).out


def test_a_cut_state_file_is_named_and_left_alone(cli: Any, running: str, tmp_path: Any) -> None:
    path = tmp_path / "pump.state"
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(half)
    told = cli("status", running)
    assert told.code == 2
    assert "cut short" in told.said
    assert str(path) in told.said
    assert path.read_bytes() == half


@pytest.mark.parametrize(
    ("url", "code"), [("/dev/no-such-port", 1), ("sim://P-99", 2), ("sim://P-40?fill=99mL", 2), ("nonsense:1", 2), ("sim://P-40?x=1", 2)]
)
def test_pumps_that_are_not_there(cli: Any, url: str, code: int) -> None:
    told = cli("status", url)
    assert told.code == code
    assert told.err.startswith("error: ")
    assert "Traceback" not in told.said
