"""Outcomes that are not known, lines that are lost, sessions that are made again, orders that are interrupted."""

from __future__ import annotations

import pytest

from firmware_sim.firmware.memory import LAYOUT
from firmware_sim.firmware.results import ResultsRing
from itbpump.outcome import Applied, Interrupted, Proof
from itbpump.pump import Pump
from itbpump.tui.plain.entry import FAILED, FINE, UNKNOWN, USAGE
from itbpump.wire.messages import PROGRAMMERS, RESULTS_PER_PROGRAMMER, RunState
from tests.unit.client.lines import straight
from tests.unit.tui_plain.rules import kept
from tests.unit.tui_plain.talk import HOUR_MS, Clinic, Pick, Step
from tests.unit.tui_plain.test_tasks import BOLUS, THERAPY


def deaf(clinic: Clinic, after: int) -> Step:
    """A step: from so many further answers of the pump on, nothing comes back."""

    def step() -> None:
        heard = [0]

        def passing(data: bytes) -> list[bytes]:
            heard[0] += 1
            return [data] if heard[0] <= after else []

        clinic.line.to_host = passing

    return step


def hears_again(clinic: Clinic) -> Step:
    def step() -> None:
        clinic.line.to_host = straight

    return step


def unknown_bolus(clinic: Clinic, *then: Step) -> tuple[Step, ...]:
    """A bolus that the pump gives, and of which nothing comes back from the answer to the commit on."""
    return (*BOLUS, deaf(clinic, 2), "25 mcg", hears_again(clinic), *then)


@pytest.mark.sr("SR-42")
def test_an_unknown_outcome_is_its_own_page_and_the_pump_answers() -> None:
    clinic = Clinic()
    told = kept(clinic.talk(*unknown_bolus(clinic, Pick("Ask the pump"), ".")))
    for words in (
        "OUTCOME UNKNOWN of command 2: a bolus of 25 mcg",
        "known: it was sent",
        "unknown: whether",
        "blocked: nothing but a stop",
        "to do: watch",
    ):
        assert words in told.said, words
    assert "command 2, a bolus of 25 mcg: APPLIED" in told.said
    assert "Every outcome is known; dosing is possible." in told.said
    assert clinic.unsettled() == []
    assert told.code == FAILED


@pytest.mark.sr("SR-42")
def test_left_open_it_blocks_every_order_but_a_stop_and_is_told_by_the_exit_code() -> None:
    clinic = Clinic()
    told = kept(clinic.talk(*unknown_bolus(clinic, ".", Pick("Dose now"), Pick("Single bolus:"), "<", ".")))
    assert "LEFT OPEN: the outcome is still unknown." in told.said
    assert "NOT NOW: an earlier outcome is not known; settle it first" in told.said
    assert "OUTCOME UNKNOWN: left open for this pump." in told.said
    assert told.code == UNKNOWN
    again = kept(clinic.talk("!", "STOP", "."))
    assert "STILL UNKNOWN" in again.text
    assert clinic.status().run_state is RunState.STOPPED
    assert again.code == UNKNOWN
    assert clinic.talk(Pick("Ask the pump"), ".").code == FINE


@pytest.mark.sr("SR-42")
def test_what_the_pump_no_longer_knows_is_settled_by_hand_with_name_and_reason() -> None:
    clinic = Clinic()
    clinic.talk(*unknown_bolus(clinic, "."))
    forget_result(clinic, 2)
    by_hand: tuple[Step, ...] = (Pick("Settle it by hand"), "1", "rn-7", "log entry 12")
    told = kept(clinic.talk(Pick("Ask the pump"), *by_hand, "no", *by_hand, "SETTLE", "."))
    assert "Settling by hand takes your word in place of the pump's" in told.said
    assert "Nothing was settled." in told.text
    assert "SETTLED by rn-7: command 2, a bolus of 25 mcg, applied: log entry 12" in told.said
    assert clinic.unsettled() == []
    assert told.code == FINE


def forget_result(clinic: Clinic, cmd_id: int) -> None:
    """Damage the result of a command in the pump's memory: nothing else makes it forget one that nobody has confirmed."""
    ring, step = ResultsRing(clinic.line.device.memory), LAYOUT["results"].size // (PROGRAMMERS * RESULTS_PER_PROGRAMMER)
    for place in range(PROGRAMMERS * RESULTS_PER_PROGRAMMER):
        result = ring._stored(place)
        if result is not None and result.cmd_id == cmd_id:
            clinic.line.device.memory.flip("results", place * step, 0)
    clinic.line.device.advance(HOUR_MS)  # the bolus is over


def test_an_order_interrupted_from_the_keyboard_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    clinic = Clinic()

    def interrupted(self: Pump, *_args: object, **_named: object) -> Applied:
        raise Interrupted(2, "a bolus of 25 mcg")

    monkeypatch.setattr(Pump, "bolus", interrupted)
    told = clinic.talk(*BOLUS, "25 mcg", ".")
    assert "it was interrupted from the keyboard" in told.said
    assert told.code == FAILED


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize("proof", [None, Proof((("kind", 1, 2),))], ids=["lost before it was read", "disproved"])
def test_an_order_that_is_not_proved_is_no_success(monkeypatch: pytest.MonkeyPatch, proof: Proof | None) -> None:
    clinic = Clinic()
    monkeypatch.setattr(Pump, "_proof", lambda _self, *_args: proof)
    told = kept(clinic.talk(*BOLUS, "25 mcg", "."))
    assert "PROVED" not in told.text
    assert "read it before you rely on it" in told.said or "does NOT run what was meant" in told.said
    assert "The bolus was started." not in told.text
    assert told.code == FAILED


# ------------------------------------------------------------------------------------------------ a line that is lost
@pytest.mark.sr("SR-42")
@pytest.mark.parametrize("place", range(2, len(THERAPY) + 1))
def test_a_line_lost_before_any_answer_of_a_form_sends_nothing(place: int) -> None:
    clinic = Clinic()
    told = kept(clinic.talk(*THERAPY[:place], clinic.unplug, *THERAPY[place:], "175", ".", "."))
    assert "NOT APPLIED: nothing changed in the pump" in told.text or place == 2
    assert "LINE LOST" in told.text
    assert told.code in (FAILED, UNKNOWN)
    assert clinic.revision == 1
    assert clinic.unsettled() == [] or told.code == UNKNOWN


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize("answers", range(12))
def test_a_line_that_falls_silent_within_an_order_ends_in_the_truth_or_unknown(answers: int) -> None:
    clinic = Clinic()
    before = clinic.commanded
    told = kept(clinic.talk(*BOLUS, deaf(clinic, answers), "25 mcg", hears_again(clinic), ".", ".", "."))
    clinic.line.device.advance(HOUR_MS)
    given = clinic.commanded - before
    assert told.code in (FINE, FAILED, UNKNOWN)
    if "APPLIED as command" in told.text:
        assert given >= 25
    if told.code == FINE and "APPLIED" not in told.text:
        assert given < 25


def test_a_line_lost_while_a_bolus_is_followed_is_said_and_the_bolus_goes_on() -> None:
    clinic = Clinic()
    before = clinic.commanded
    told = kept(clinic.talk(*BOLUS, "25 mcg", clinic.unplug, "", "2", "b", ".", ".", "."))
    assert "The bolus was started and goes on in the pump." in told.said
    assert told.code != FINE
    clinic.line.device.advance(HOUR_MS)
    assert clinic.commanded >= before + 25


def test_after_a_lost_line_one_can_connect_again() -> None:
    clinic = Clinic()
    told = kept(clinic.talk(clinic.unplug, Pick("Status of the pump"), Pick("Connect again"), Pick("Status of the pump"), "."))
    assert "LINE LOST" in told.text
    assert told.text.count("\nReservoir ") == 1
    assert told.code == FAILED


@pytest.mark.sr("SR-33")
def test_a_stop_over_a_lost_line_is_said_not_to_have_left() -> None:
    clinic = Clinic()
    told = kept(clinic.talk(clinic.unplug, "!", "STOP", ".", ".", "."))
    assert "the pump could not be read" in told.said
    assert "OUTCOME UNKNOWN" in told.text or "STOP NOT SENT" in told.text
    assert told.code in (FAILED, UNKNOWN)
    assert clinic.status().run_state is RunState.RUNNING


def test_a_pump_that_cannot_be_reached_ends_with_a_failure_or_another_choice(tmp_path: object) -> None:
    import io

    from itbpump.pump import connect
    from itbpump.tui.plain import Streams, run

    for url, code in (("/dev/no-such-port", FAILED), ("sim://P-99", FAILED), ("nonsense://x", USAGE)):
        out = io.StringIO()
        assert run(url, streams=Streams(io.StringIO(".\n"), out), connect=connect, monotonic=lambda: 0) == code
        assert "NOT CONNECTED:" in out.getvalue()
