"""`reconcile` by hand, and what an interrupt or a failing memory leaves to be told. `log` and `alarm-test`: test_status.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from itbpump.cli.pumps import opened
from itbpump.hoststate import HostState
from itbpump.link.errors import PumpRefused
from itbpump.session import PumpSession
from itbpump.transport.sim import SimTransport
from itbpump.wire.messages import Commit, ConfirmResult, Error, ErrorCode, Reply, Request, StopTherapy

SEEN = ("--by", "n1", "--reason", "log entry 9: 25 pulses given")


@pytest.fixture
def forgotten(cli: Any, running: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, int]:
    """A pump, and the number of a command that is open here and that the pump no longer knows."""
    with opened(running) as line:
        key = line.key
    state = HostState.open(tmp_path / "home" / "state.db")
    cmd_id = state.begin(key, 0, 2, bytes(32), b"", "a bolus of 25 mcg")
    state.close()

    def too_old(_: PumpSession, cmd_id: int) -> None:
        raise PumpRefused(Error(code=ErrorCode.TOO_OLD, detail=0, cmd_id=cmd_id))

    monkeypatch.setattr(PumpSession, "result_of", too_old)
    return running, cmd_id


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize(("word", "outcome"), [("applied", "applied"), ("not-applied", "not applied")])
def test_an_outcome_is_settled_by_hand(cli: Any, forgotten: tuple[str, int], word: str, outcome: str) -> None:
    url, cmd_id = forgotten
    told = cli("reconcile", url)
    assert told.code == 5
    assert f"itbpump reconcile {url} --settle {cmd_id}=applied (or =not-applied) --by ID --reason TEXT" in told.said
    told = cli("alarm-test", url)
    assert told.code == 5
    assert "nothing but a stop is sent" in told.said
    told = cli("reconcile", url, "--settle", f"{cmd_id}={word}", *SEEN)
    assert told.code == 0, told.err
    for words in ("your word in place of the pump's", "volume in the reservoir first", f"settled by n1 as {outcome}", "dosing is possible"):
        assert words in told.said
    assert cli("alarm-test", url).code == 0
    assert "Nothing was open" in cli("reconcile", url).out


def test_settling_by_hand_as_data(cli: Any, forgotten: tuple[str, int]) -> None:
    url, cmd_id = forgotten
    data = cli("reconcile", url, "--settle", f"{cmd_id}=applied", *SEEN, "--json").data
    assert data["settled_by_hand"] == [
        {"command": cmd_id, "what": "a bolus of 25 mcg", "outcome": "applied", "by": "n1", "reason": "log entry 9: 25 pulses given"}
    ]
    assert [answer["outcome"] for answer in data["answers"]] == ["unknown"]


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize(
    "options",
    [
        ("--settle", "2=applied"),
        ("--settle", "2=applied", "--by", "n1"),
        ("--settle", "2=applied", "--by", " ", "--reason", "seen"),
        ("--by", "n1"),
        ("--by", "n1", "--reason", "seen"),
        ("--settle", "2", *SEEN),
        ("--settle", "2=yes", *SEEN),
        ("--settle", "x=applied", *SEEN),
        ("--settle", "²=applied", *SEEN),
        ("--settle", "2=applied", "--settle", "2=not-applied", *SEEN),
    ],
)
def test_a_settlement_that_is_not_complete_settles_nothing(cli: Any, forgotten: tuple[str, int], options: tuple[str, ...]) -> None:
    url, cmd_id = forgotten
    assert cmd_id == 2
    assert cli("reconcile", url, *options).code == 2
    assert cli("alarm-test", url).code == 5


@pytest.mark.sr("SR-42")
def test_only_what_is_open_can_be_settled(cli: Any, forgotten: tuple[str, int]) -> None:
    url, cmd_id = forgotten
    told = cli("reconcile", url, "--settle", f"{cmd_id}=applied", "--settle", "1=not-applied", *SEEN)
    assert told.code == 1
    assert "command 1 is not open" in told.said
    assert cli("alarm-test", url).code == 5


@pytest.mark.sr("SR-42")
def test_the_word_of_the_pump_stands(cli: Any, running: str, tmp_path: Path) -> None:
    with opened(running) as line:
        key = line.key
    state = HostState.open(tmp_path / "home" / "state.db")
    cmd_id = state.begin(key, 0, 2, bytes(32), b"", "a bolus of 25 mcg")
    told = cli("reconcile", running, "--settle", f"{cmd_id}=applied", *SEEN)
    assert told.code == 0
    assert "a bolus of 25 mcg: NOT applied" in told.said
    assert "the pump itself has told what became of it, and that stands" in told.said
    assert state.intents(key)[-1].state == "not_applied"
    state.close()


# ------------------------------------------------------------------------------------------------ interrupted
def interrupted_after(monkeypatch: pytest.MonkeyPatch, kind: type[Any]) -> None:
    """Ctrl-C when the pump's answer to such a message has come."""
    whole: Callable[..., Reply] = PumpSession.send

    def send(self: PumpSession, message: Request, deadline_ms: int | None = None) -> Reply:
        reply = whole(self, message, deadline_ms)
        if isinstance(message, kind):
            raise KeyboardInterrupt
        return reply

    monkeypatch.setattr(PumpSession, "send", send)


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize(
    ("command", "message"),
    [(("bolus", "--dose", "25 mcg", "--over", "10m", "--yes"), Commit), (("stop", "--yes"), StopTherapy)],
    ids=["bolus", "stop"],
)
def test_ctrl_c_in_a_command_says_that_its_outcome_is_unknown(
    cli: Any, running: str, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], message: type[Any]
) -> None:
    with monkeypatch.context() as patch:
        interrupted_after(patch, message)
        told = cli(command[0], running, *command[1:], "--json")
    assert (told.code, told.data["outcome"], told.data["command"]) == (5, "unknown", 2)
    for words in ("OUTCOME UNKNOWN of command 2", "interrupted from the keyboard", f"itbpump reconcile {running}"):
        assert words in told.said
    assert "command 2, " in cli("reconcile", running).out


@pytest.mark.sr("SR-42")
def test_ctrl_c_after_the_outcome_is_known_tells_it(cli: Any, running: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        interrupted_after(patch, ConfirmResult)
        told = cli("bolus", running, "--dose", "25 mcg", "--over", "10m", "--yes")
    assert told.code == 1
    assert "interrupted: command 2, a bolus of 25 mcg, was applied" in told.said
    assert f"itbpump status {running}" in told.said
    assert "Nothing was open" in cli("reconcile", running).out


def test_ctrl_c_outside_a_command_is_an_interrupt_like_any_other(cli: Any, running: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: PumpSession) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PumpSession, "status", interrupt)
    told = cli("status", running)
    assert told.code not in (0, 5)
    assert "UNKNOWN" not in told.said


# ------------------------------------------------------------------------------------------------ notes
@pytest.mark.sr("SR-32")
def test_a_memory_fault_is_not_called_nothing_changed(cli: Any, running: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = SimTransport.open

    def worn(url: str) -> SimTransport:
        transport = whole(url)
        for slot in ("journal_a", "journal_b"):
            transport.device.memory.stick(slot, 200, 0xAA)  # type: ignore[attr-defined]
        return transport

    monkeypatch.setattr(SimTransport, "open", worn)
    told = cli("alarm-test", running, "--json")
    assert told.code == 1
    assert "not applied as ordered: " in told.said
    assert "nothing changed" not in told.said
    assert "ATTENTION: the pump was read again: its run state is " in told.said
    assert "its run state is" in told.data["note"]


@pytest.mark.sr("SR-43")
def test_a_stop_from_a_full_disk_is_told_loudly(cli: Any, running: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = HostState.open

    def unwritable() -> HostState:
        state = whole()
        state._db.execute("PRAGMA query_only = 1")
        return state

    with monkeypatch.context() as patch:
        patch.setattr(HostState, "open", unwritable)
        told = cli("stop", running, "--yes")
        assert told.code == 0, told.err
        assert "ATTENTION: this stop was sent though no record of it could be written" in told.said
        assert "Stopped." in told.said
        told = cli("alarm-test", running)
        assert told.code == 1
        assert "cannot be written" in told.said
        assert "Traceback" not in told.said
    assert cli("status", running, "--json").data["run_state"] == "stopped"


# ------------------------------------------------------------------------------------------------ on what judgement
@pytest.mark.sr("SR-03", "SR-43")
def test_the_intent_keeps_judgement_overrides_and_people(cli: Any, running: str, flex: str, tmp_path: Path) -> None:
    """Digest, library, and what was overridden by whom are on disk before the first byte leaves."""
    given = ("--override", "bolus-size=monitored: on the ward", "--user", "dr-1", "--second", "rn-2")
    told = cli("bolus", running, "--dose", "60 mcg", "--over", "10m", "--yes", "--json", *given)
    assert told.code == 0, told.err
    cli("stop", running, "--yes")
    assert cli("restore", running, "--rx", flex, "--yes").code == 0
    state = HostState.open(tmp_path / "home" / "state.db")
    with opened(running) as line:
        key = line.key
    programmed, bolus, stopped, restored = (intent.basis for intent in state.intents(key))
    state.close()
    basis = json.loads(bolus)
    assert basis["review"] == told.data["review"]["digest"]
    assert basis["library"] == told.data["review"]["library"]
    assert (basis["user"], basis["second"], basis["verdict"]) == ("dr-1", "rn-2", "soft")
    (override,) = basis["overrides"]
    assert override == {
        "rule": "bolus-size", "value": "60 mcg", "limit": "50 mcg", "reason": "monitored", "text": "on the ward",
        "user": "dr-1", "second": "rn-2",
    }  # fmt: skip
    assert json.loads(programmed)["overrides"] == []
    assert json.loads(restored)["patient"] == json.loads(programmed)["patient"] == "P-0042"
    assert stopped == ""
