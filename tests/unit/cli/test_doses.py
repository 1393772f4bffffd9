"""`bolus`, `prime`, `stop`: limits, confirmation, following, and what happens when nobody knows the outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from itbpump.link.errors import NoReply, PumpRefused
from itbpump.session import PumpSession
from itbpump.wire.messages import Commit, Error, ErrorCode, Reply, Request


@contextmanager
def line_lost_at_commit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The pump takes the commit; its answer, and everything asked afterwards, is lost."""
    whole_send, whole_ask = PumpSession.send, PumpSession.ask
    lost = False

    def send(self: PumpSession, message: Request, deadline_ms: int | None = None) -> Reply:
        nonlocal lost
        reply = whole_send(self, message, deadline_ms)
        lost = lost or isinstance(message, Commit)
        if lost:
            raise NoReply(type(message).__name__, 10_000, 4)
        return reply

    def ask(self: PumpSession, message: Request, kind: type[Any], **more: Any) -> Any:
        if lost:
            raise NoReply(type(message).__name__, 10_000, 4)
        return whole_ask(self, message, kind, **more)

    with monkeypatch.context() as patch:
        patch.setattr(PumpSession, "send", send)
        patch.setattr(PumpSession, "ask", ask)
        yield


def test_a_bolus_is_followed_to_its_end(cli: Any, running: str) -> None:
    told = cli("bolus", running, "--dose", "25 mcg", "--over", "10m", answers="25 mcg\n")
    assert told.code == 0, told.err
    assert "Given: 25 mcg of 25 mcg, 25 of 25 pulses, done." in told.said
    status = cli("status", running, "--json").data
    assert status["bolus"] == {
        "kind": "single",
        "state": "done",
        "requested_pulses": 25,
        "delivered_pulses": 25,
        "requested": {"value": "25", "unit": "mcg"},
        "delivered": {"value": "25", "unit": "mcg"},
        "left_s": 0,
    }


@pytest.mark.sr("SR-49", "SR-50")
def test_a_bolus_that_a_reset_ended_is_told_as_such(cli: Any, running: str) -> None:
    """A pump in a state file is reset between two commands: a single bolus is never resumed."""
    told = cli("bolus", running, "--dose", "25 mcg", "--over", "10m", "--yes", "--no-wait", "--json")
    assert (told.code, told.data["outcome"]) == (0, "applied")
    assert "interrupted: 0 mcg of 25 mcg" in cli("status", running).said
    assert cli("stop", running, "--bolus").code == 1


@pytest.mark.parametrize(
    ("dose", "over", "code"),
    [
        ("60 mcg", "10m", 3),
        ("160 mcg", "30m", 4),
        ("0.4 mcg", "10m", 4),
        (".5 mcg", "10m", 2),
        ("25", "10m", 2),
        ("25 mcg", "10", 2),
        ("25 mL", "10m", 2),
        ("0 mcg", "10m", 2),
        ("25 mcg", "0m", 2),
    ],
)
def test_limits_and_unreadable_amounts(cli: Any, running: str, dose: str, over: str, code: int) -> None:
    assert cli("bolus", running, "--dose", dose, "--over", over, "--yes").code == code
    assert cli("status", running, "--json").data["bolus"]["kind"] == "none"


def test_a_bolus_above_the_usual_with_a_reason(cli: Any, running: str) -> None:
    told = cli("bolus", running, "--dose", "60 mcg", "--over", "10m", "--yes", "--json", "--override", "bolus-size=monitored: on the ward")
    assert (told.code, told.data["overrides"][0]["reason"]) == (0, "monitored")


@pytest.mark.sr("SR-03")
@pytest.mark.parametrize("answers", ["no\n", "60 mcg\n"])
def test_overrides_are_shown_as_they_will_be_logged_before_the_question(cli: Any, running: str, answers: str) -> None:
    given = ("--override", "bolus-size=monitored: on the ward", "--user", "dr-1", "--second", "rn-2")
    told = cli("bolus", running, "--dose", "60 mcg", "--over", "10m", *given, answers=answers)
    assert told.code == (0 if answers == "60 mcg\n" else 1)
    shown = "bolus-size: 60 mcg against 50 mcg reason: monitored: on the ward by dr-1, second person rn-2"
    assert f"Overrides, as they will be logged: {shown}" in told.said
    assert "Overrides" in told.out.partition("Applied")[0]


def test_without_an_override_nothing_is_said_of_one(cli: Any, running: str) -> None:
    assert "Overrides" not in cli("bolus", running, "--dose", "25 mcg", "--over", "10m", "--yes").said


# ------------------------------------------------------------------------------------------------ whose limits
def judged(cli: Any, url: str, *patient: str, dose: str = "25 mcg") -> dict[str, Any]:
    """The findings by rule."""
    data = cli("bolus", url, "--dose", dose, "--over", "10m", "--yes", "--no-wait", "--json", *patient).data
    return {finding["rule"]: finding for finding in data["review"]["findings"]}


@pytest.mark.sr("SR-02")
def test_a_bolus_is_judged_by_the_patients_limits(cli: Any, running: str, flex: str, variant: Callable[..., str], advance: Any) -> None:
    """650 mcg per day with boluses: the hard limit of a child under 12 is lower than that of an adult."""
    advance(running, 2 * 86_400_000)
    assert "unknown-patient" in judged(cli, running)
    advance(running, 2 * 86_400_000)
    assert "unknown-patient" not in judged(cli, running, "--rx", flex)
    advance(running, 2 * 86_400_000)
    assert "age is not told" in judged(cli, running, "--indication", "spinal")["unknown-patient"]["message"]
    child = variant(("age_years = 46", "age_years = 8"))
    for patient in (("--rx", child), ("--indication", "spinal", "--age", "8")):
        advance(running, 2 * 86_400_000)
        assert "unknown-patient" not in judged(cli, running, *patient)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--indication", "spine"), 2, "write spinal or cerebral"),
        (("--age", "131"), 2, ""),
        (("--indication", "spinal", "--rx", "absent.toml"), 2, "the patient is told once"),
        (("--rx", "absent.toml"), 2, "cannot be read"),
    ],
)
def test_a_patient_that_cannot_be_read(cli: Any, running: str, options: tuple[str, ...], code: int, words: str) -> None:
    told = cli("bolus", running, "--dose", "25 mcg", "--over", "10m", "--yes", *options)
    assert told.code == code
    assert words in told.said
    assert cli("status", running, "--json").data["bolus"]["kind"] == "none"


@pytest.mark.sr("SR-20")
def test_another_patients_prescription_is_noticed(cli: Any, running: str, variant: Callable[..., str]) -> None:
    for change in (("2000 mcg/mL", "1000 mcg/mL"), ('name = "baclofen"', 'name = "morphine"')):
        told = cli("bolus", running, "--dose", "25 mcg", "--over", "10m", "--yes", "--rx", variant(change))
        assert told.code == 1
        assert "is it this patient's? nothing was sent" in told.said
    told = cli("bolus", running, "--dose", "25 mcg", "--over", "10m", "--yes", "--rx", variant(('"P-40"', '"V-40"')))
    assert told.code == 1
    assert "V-40" in told.said


@pytest.mark.sr("SR-23")
def test_no_bolus_without_a_therapy(cli: Any, paired: str) -> None:
    told = cli("bolus", paired, "--dose", "25 mcg", "--over", "10m", "--yes")
    assert told.code == 1
    assert "program a therapy first" in told.said


@pytest.mark.parametrize("answers", ["no\n", "26 mcg\n", "25\n", "yes\n"])
def test_another_answer_cancels(cli: Any, running: str, answers: str) -> None:
    told = cli("bolus", running, "--dose", "25 mcg", "--over", "10m", answers=answers)
    assert told.code == 1
    assert told.err.endswith("cancelled; nothing was sent\n")
    assert cli("status", running, "--json").data["bolus"]["kind"] == "none"


@pytest.mark.sr("SR-42")
def test_an_unknown_outcome_blocks_dosing_but_not_reading_and_stopping(
    cli: Any, running: str, flex: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with line_lost_at_commit(monkeypatch):
        told = cli("bolus", running, "--dose", "25 mcg", "--over", "10m", "--yes", "--json")
    assert (told.code, told.data["outcome"], told.data["exit_code"]) == (5, "unknown", 5)
    for word in ("known:", "unknown:", "blocked:", f"itbpump reconcile {running}"):
        assert word in told.said
    for blocked in (
        ("bolus", running, "--dose", "5 mcg", "--over", "10m", "--yes"),
        ("program", flex, "--pump", running, "--yes"),
        ("refill", running, "--aspirated", "36 mL", "--filled", "38 mL", "--yes"),
        ("clock", running, "--rebase", "--yes"),
    ):
        told = cli(*blocked)
        assert told.code == 5
        assert f"itbpump reconcile {running}" in told.said
    assert cli("status", running).code == 0
    assert cli("log", running).code == 0
    assert cli("stop", running, "--yes").code == 0
    told = cli("reconcile", running)
    assert told.code == 0
    assert "a bolus of 25 mcg: APPLIED" in told.said
    assert cli("program", flex, "--pump", running, "--yes").code in (0, 3)
    assert "Nothing was open" in cli("reconcile", running).out


@pytest.mark.sr("SR-33")
@pytest.mark.parametrize(
    ("answers", "code", "state"), [("STOP\n", 0, "stopped"), ("stop\n", 1, "running"), ("yes\n", 1, "running"), ("", 2, "running")]
)
def test_stop_tells_of_withdrawal_and_asks(cli: Any, running: str, answers: str, code: int, state: str) -> None:
    told = cli("stop", running, answers=answers)
    assert told.code == code
    assert "withdrawal" in told.said
    assert "kill" in told.said
    assert cli("status", running, "--json").data["run_state"] == state


@pytest.mark.sr("SR-33")
def test_a_pump_of_an_unknown_drug_can_be_stopped(cli: Any, paired: str) -> None:
    told = cli("stop", paired, answers="STOP\n")
    assert told.code == 0, told.err
    assert "does not tell which drug it holds: watch for withdrawal" in told.said


@pytest.mark.sr("SR-13")
def test_prime(cli: Any, running: str, variant: Callable[..., str]) -> None:
    with_prime = variant(("[therapy]", '[prime]\nscope = "path"\n\n[therapy]'))
    told = cli("prime", running, "--rx", with_prime, "--over", "30m", answers="no\n")
    assert told.code == 1
    assert "632 mcg" in told.out  # 0.316 mL of 2,000 mcg per mL
    told = cli("prime", running, "--rx", with_prime, "--over", "30m", "--yes")
    assert told.code == 0, told.err
    assert "0.316 mL of 0.316 mL, 632 of 632 pulses, done" in told.said


@pytest.mark.sr("SR-13")
@pytest.mark.parametrize(("answer", "code"), [("yes\n", 1), ("0.3 mL\n", 1), ("0.316 mL\n", 0), ("", 2)])
def test_a_prime_is_confirmed_by_its_volume(cli: Any, running: str, variant: Callable[..., str], answer: str, code: int) -> None:
    with_prime = variant(("[therapy]", '[prime]\nscope = "path"\n\n[therapy]'))
    assert cli("prime", running, "--rx", with_prime, "--over", "30m", "--no-wait", answers=answer).code == code
    assert cli("status", running, "--json").data["bolus"]["kind"] == ("none" if code else "prime")


@pytest.mark.sr("SR-13")
def test_a_prime_is_reviewed_and_not_repeated(cli: Any, running: str, variant: Callable[..., str]) -> None:
    with_prime = variant(("[therapy]", '[prime]\nscope = "path"\n\n[therapy]'))
    assert cli("prime", running, "--rx", with_prime, "--over", "30m", "--yes").code == 0
    override = ("--override", "prime-repeat=specialist: asked", "--user", "dr-1", "--second", "rn-2")
    told = cli("prime", running, "--rx", with_prime, "--over", "30m", "--yes", "--json", *override)
    assert told.code == 4
    assert "prime-repeat: a hard limit, which nobody can override" in told.data["missing"]


@pytest.mark.sr("SR-13")
def test_a_pump_without_a_therapy_is_not_primed_and_nobody_is_asked(cli: Any, paired: str, variant: Callable[..., str]) -> None:
    with_prime = variant(("[therapy]", '[prime]\nscope = "path"\n\n[therapy]'))
    told = cli("prime", paired, "--rx", with_prime, "--over", "30m", answers="0.316 mL\n")
    assert told.code == 1
    assert "Type" not in told.said
    assert "program a therapy first" in told.said


@pytest.mark.sr("SR-13")
def test_prime_needs_to_be_prescribed(cli: Any, running: str, flex: str) -> None:
    told = cli("prime", running, "--rx", flex, "--over", "30m", "--yes")
    assert told.code == 4
    assert "[prime]" in told.said


@pytest.mark.sr("SR-42")
def test_what_the_pump_no_longer_knows_stays_unknown(cli: Any, running: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with line_lost_at_commit(monkeypatch):
        assert cli("bolus", running, "--dose", "25 mcg", "--over", "10m", "--yes").code == 5

    def too_old(_: PumpSession, cmd_id: int) -> None:
        raise PumpRefused(Error(code=ErrorCode.TOO_OLD, detail=0, cmd_id=cmd_id))

    with monkeypatch.context() as patch:
        patch.setattr(PumpSession, "result_of", too_old)
        told = cli("reconcile", running, "--json")
    assert (told.code, told.data["answers"][0]["outcome"]) == (5, "unknown")
    assert "still unknown: a bolus of 25 mcg" in told.said
    assert cli("bolus", running, "--dose", "5 mcg", "--over", "10m", "--yes").code == 5


@pytest.mark.parametrize(
    ("failure", "words"),
    [(NoReply("GetStatus", 10_000, 4), "goes on, but the line was lost"), (KeyboardInterrupt(), "no longer watching; the bolus goes on")],
)
def test_a_bolus_that_is_lost_sight_of_goes_on(
    cli: Any, running: str, monkeypatch: pytest.MonkeyPatch, failure: BaseException, words: str
) -> None:
    def listen(_: PumpSession, wait_ms: int) -> None:
        assert wait_ms > 0
        raise failure

    monkeypatch.setattr(PumpSession, "listen", listen)
    told = cli("bolus", running, "--dose", "25 mcg", "--over", "10m", "--yes", "--json")
    assert (told.code, told.data["outcome"]) == (1, "applied")
    assert words in told.said
    assert f"itbpump status {running}" in told.said
