"""The other tasks and the checklist, from their first question to what the pump then says."""

from __future__ import annotations

import pytest

from itbpump.wire.messages import RunState
from tests.unit.tui_plain.rules import kept
from tests.unit.tui_plain.talk import HOUR_MS, Clinic, Pick, Step, Wanted

DONE: tuple[Step, ...] = ("yes", "yes", "yes", "yes", "yes")


@pytest.mark.sr("SR-38")
def test_a_refill_of_the_same_drug_compares_the_syringe_and_is_proved() -> None:
    clinic = Clinic()
    clinic.line.device.advance(70 * 24 * HOUR_MS)
    refill: tuple[Step, ...] = (Pick("Reservoir:"), Pick("Refill:"), "30.6", "38", Pick("the same drug"), "2000", "-", "-", *DONE)
    told = kept(clinic.talk(*refill, "no", Pick("Hear the review again"), "38", "."))
    assert told.said.count("difference minus 0.103 mL: within both limits") == 2
    assert "APPLIED as command 2 and PROVED" in told.said
    assert clinic.status().reservoir_nL > 39_000_000
    assert told.code == 0


def test_a_stopped_therapy_is_restored_by_its_dose() -> None:
    clinic = Clinic()
    told = kept(clinic.talk("!", "STOP", Pick("Therapy:"), Pick("Restore the former therapy:"), *_accepted(), "."))
    assert "Stopped." in told.text
    assert "and PROVED" in told.text, told.text[-3_000:]
    assert clinic.status().run_state is RunState.RUNNING
    assert told.code == 0


def _accepted() -> tuple[Step, ...]:
    """What the restart's review wants: found by asking another pump the same."""
    shown = Clinic().talk("!", "STOP", Pick("Therapy:"), Pick("Restore the former therapy:")).text
    findings = shown.rpartition("Verdict:")[2]
    wanted = sum(findings.count(f": {word}, ") for word in ("SOFT", "SECOND"))
    steps: list[Step] = ["1", "on the ward"] * wanted
    steps += ["dr-1"] * bool(wanted) + ["rn-2"] * (": SECOND, " in findings)
    return (*steps, Wanted())


def test_an_alarm_tone_and_the_clocks_label_change_no_dose() -> None:
    clinic = Clinic()
    before = clinic.revision
    steps: tuple[Step, ...] = (
        Pick("Alarms:"),
        Pick("Alarm test:"),
        Pick("critical, two-tone"),
        "yes",
        Pick("Clock:"),
        Pick("Set the clock"),
        "yes",
        ".",
    )
    told = kept(clinic.talk(*steps))
    assert "REVIEW. Test of the critical tone." in told.text
    assert told.text.count("APPLIED as command") == 2
    assert clinic.revision == before
    assert clinic.status().wall_s > 0
    assert told.code == 0


def test_a_checklist_goes_point_by_point_and_takes_its_readings() -> None:
    clinic = Clinic()
    told = kept(
        clinic.talk(Pick("Checks:"), Pick("After an MRI:"), "no", "yes", "<", "yes", *(("yes",) * 4), "15", "", "5", "", "", "yes", ".")
    )
    assert "NOT DONE: write yes once it is done" in told.said
    assert told.text.count("1 of 9:") == 3
    assert "PASS: running as programmed" in told.said
    assert "WAIT: 20 min left." in told.text
    assert "WAIT: 5 min left." in told.text
    assert "WAIT: the wait is over." in told.text
    assert "DONE: every point of the checklist." in told.text
    assert told.code == 0


@pytest.mark.sr("SR-03")
def test_a_wait_is_ticked_early_only_with_a_reason_which_the_report_tells() -> None:
    """Enter alone waits on; the reason stands on the checklist and in the notes of the visit."""
    steps = (*(("yes",) * 5), "", "yes", "early", "", "early", "the patient must go home")
    report = (Pick("Report of this visit"), Pick("Hear the report"), ".", ".")
    told = kept(Clinic().talk(Pick("Checks:"), Pick("After an MRI:"), *steps, ".", *report))
    assert told.text.count("6 of 9:") == 4
    assert "NOT DONE: a point that waits is ticked early only with a reason" in told.said
    assert told.said.count("ATTENTION: ticked early (20 min left): the patient must go home") == 2


def test_a_line_lost_within_a_checklist_ends_in_no_false_reading() -> None:
    clinic = Clinic()
    told = kept(clinic.talk(Pick("Checks:"), Pick("After an MRI:"), "yes", "yes", clinic.unplug, "", "", ".", ".", "."))
    assert "NOT READ:" in told.text
    assert "PASS" not in told.text
