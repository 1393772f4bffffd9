"""Tasks from the first question to the outcome: therapy in every mode, bolus, stop, what the review asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from itbpump.wire.messages import Mode, Role, RunState
from itbpump.workflow.model import Task, Walk
from itbpump.workflow.settings import Settings
from itbpump.workflow.table import TASKS, WALKS
from tests.unit.tui_plain.rules import kept
from tests.unit.tui_plain.talk import Clinic, Pick, Step, Told, Wanted

GOLDEN = Path(__file__).parent / "golden"
WHO: tuple[Step, ...] = ("=", "=", "=", "-")
PUMP: tuple[Step, ...] = ("=", "2000", "=", "=", "=")
NEW: tuple[Step, ...] = (Pick("Therapy:"), Pick("New or changed therapy:"))
BOLUS: tuple[Step, ...] = (Pick("Dose now"), Pick("Single bolus:"), "25", "10m")
WEEK: tuple[Step, ...] = (Pick("flex"), "mon-fri: 00:00 6 mcg/h; 06:00 41 mcg over 1h; 20:00 5 mcg/h", "sat sun = fri", "done")
THERAPY: tuple[Step, ...] = (*NEW, *WHO, *PUMP, *WEEK, "=")
WHY: tuple[Step, ...] = (Pick("monitored"), "on the ward")
STRONG: tuple[Step, ...] = (*NEW, *WHO, *PUMP, Pick("continuous"), "256", "=")


def golden(name: str, told: Told, page: str) -> None:
    """Compare a page with its file; what hangs on the drug library's state is left out. Delete the file to have it written anew."""
    text = re.sub(r"(?m)^(Library: \S+ version \d+, |Digest: )[0-9a-f]+", r"\1HASH", told.page(page))
    text = re.sub(r"version \d+, [0-9a-f]{12}", "version N, HASH", text)
    path = GOLDEN / f"{name}.txt"
    if not path.exists():
        path.write_text(text, "utf-8")
        pytest.fail(f"{path} was missing and is written: read it")
    assert text == path.read_text("utf-8")


@pytest.mark.sr("SR-09", "SR-20")
def test_a_bolus_from_the_question_to_its_last_pulse() -> None:
    clinic = Clinic()
    before = clinic.commanded
    told = kept(clinic.talk(*BOLUS, "25 mcg", "", "2", "20", "."))
    assert told.code == 0
    assert "GIVEN: 25 mcg of 25 mcg, 25 of 25 pulses, done." in told.text
    assert clinic.commanded >= before + 25
    golden("bolus", told, "Single bolus:")


@pytest.mark.sr("SR-09", "SR-20")
def test_a_flex_therapy_is_asked_reviewed_sent_and_proved() -> None:
    clinic = Clinic()
    told = kept(clinic.talk(*THERAPY, "175", "."))
    assert told.code == 0
    assert clinic.revision == 2
    assert "CHANGED Mon to Fri 06:00: now 40 mcg over 1 h; new 41 mcg over 1 h." in told.text
    assert "24-h total 175 mcg per day: one hundred seventy-five micrograms per day" in told.said
    assert "and PROVED" in told.text
    golden("therapy", told, "New or changed therapy:")


@pytest.mark.parametrize(
    ("steps", "mode"),
    [
        ((Pick("continuous"), "170", "=", "170"), Mode.CONTINUOUS),
        ((Pick("periodic bolus"), "20", "10m", "6h", "4", "=", *WHY, *WHY, "dr-1", Wanted()), Mode.PERIODIC_BOLUS),
        ((Pick("minimum rate"), Pick("acknowledged"), "told", "dr-1", "12"), Mode.MINIMUM_RATE),
        ((Pick("stopped"), Pick("acknowledged"), "told", "dr-1", "STOP"), Mode.STOPPED),
    ],
    ids=["continuous", "periodic", "minimum", "stopped"],
)
def test_every_mode_can_be_programmed(steps: tuple[Step, ...], mode: Mode) -> None:
    clinic = Clinic()
    told = kept(clinic.talk(*NEW, *WHO, *PUMP, *steps, "."))
    assert "and PROVED" in told.text, told.text[-3_000:]
    assert clinic.status().mode is mode


def test_a_patient_bolus_is_asked_for_where_it_is_allowed() -> None:
    told = kept(Clinic().talk(*NEW, *WHO, *PUMP, Pick("continuous"), "170", Pick("allowed"), "5", "10m", "6h", "3"))
    assert "CHANGED patient bolus: now none; new 5 mcg over 10 min, lockout 6 h, at most three in 24 h." in told.said


@pytest.mark.sr("SR-03", "SR-08")
def test_a_second_finding_wants_reason_and_another_person() -> None:
    clinic = Clinic()
    told = kept(clinic.talk(*STRONG, *WHY, "dr-1", "dr-1", "256", Pick("Hear the review again"), "<", "."))
    assert "SECOND, needs a reason and a second person: increase" in told.said
    assert "NOT SENT: the second person is the first" in told.said
    assert clinic.revision == 1
    told = kept(clinic.talk(*STRONG, *WHY, "dr-1", "rn-2", "256", "."))
    assert "second person rn-2" in told.said
    assert clinic.revision == 2
    assert told.code == 0


@pytest.mark.sr("SR-03")
def test_the_clinic_can_want_a_second_person_for_every_change() -> None:
    clinic = Clinic()
    strict = Settings(second_person="always", user="dr-1")
    told = clinic.talk(*BOLUS, "=", "rn-2", "25 mcg", "20", ".", settings=strict)
    assert "Staff id of the second person:" in told.text
    assert told.code == 0
    assert "GIVEN" in told.text


@pytest.mark.sr("SR-03")
def test_a_hard_finding_cannot_be_sent() -> None:
    clinic = Clinic()
    steps = (*NEW, *WHO, *PUMP, Pick("continuous"), "9000", "=")
    told = kept(clinic.talk(*steps, Pick("Change an answer"), Pick("Dose of a day"), "170", "=", "170", "."))
    assert "NOT SENT: a HARD finding stands in the way." in told.said
    assert "Type the mean daily dose, 9,000" not in told.said
    assert clinic.revision == 2


@pytest.mark.parametrize("typed", ["", "yes", "25.0", "24 mcg", "=", "STOP", "1"])
def test_what_is_not_the_dose_letter_by_letter_sends_nothing(typed: str) -> None:
    clinic = Clinic()
    before = clinic.commanded
    told = clinic.talk(*BOLUS, typed, ".", ".")
    assert "NOT SENT" in told.text
    assert clinic.commanded == before
    assert told.code == 0


def test_an_answer_can_be_changed_after_the_review() -> None:
    clinic = Clinic()
    told = clinic.talk(*BOLUS, "no", Pick("Change an answer"), Pick("Dose: 25 mcg"), "20", "=", "20", "20", ".")
    assert "GIVEN: 20 mcg of 20 mcg" in told.text


def test_what_the_prescription_refuses_is_taught_at_its_field() -> None:
    bad = (Pick("periodic bolus"), "20", "6h", "10m", "3.5", "=")
    told = kept(Clinic().talk(*NEW, *WHO, *PUMP, *bad))
    assert "NOT TAKEN:" in told.text
    assert told.code == 2


# ------------------------------------------------------------------------------------------------ stop
@pytest.mark.sr("SR-33")
@pytest.mark.parametrize("place", range(len(THERAPY) + 1))
def test_a_stop_from_every_question_wants_a_second_word(place: int) -> None:
    clinic = Clinic()
    told = kept(clinic.talk(*THERAPY[:place], "!", "!", ".", "!", "STOP", "."))
    assert told.text.count("NOT SENT: the pump goes on as it was.") == 1
    assert "Stopped. The pump was read again: stopped, it delivers nothing." in told.said
    assert clinic.status().run_state is RunState.STOPPED
    assert clinic.revision == 2  # the stop's own
    assert told.code == 0


@pytest.mark.sr("SR-33")
def test_the_stop_page_warns_before_it_asks_and_only_its_words_send() -> None:
    clinic = Clinic()
    told = kept(clinic.talk("!", "stop", "!", ".", "!", "yes", "."))
    assert told.text.count("A sudden stop of intrathecal baclofen can kill") == 3
    assert clinic.status().run_state is RunState.RUNNING
    assert clinic.talk("!", "MINIMUM", ".").code == 0
    assert clinic.status().mode is Mode.MINIMUM_RATE


def test_a_bolus_can_be_ended_while_it_is_followed_and_the_therapy_goes_on() -> None:
    clinic = Clinic()
    told = kept(clinic.talk(*BOLUS, "25 mcg", "4", "b", "."))
    assert "The bolus is ended: 10 mcg of 25 mcg" in told.said
    assert "NOT WHOLE" in told.text
    assert told.code == 1
    assert clinic.status().run_state is RunState.RUNNING


# ------------------------------------------------------------------------------------------------ time, end, identity
@pytest.mark.sr("SR-11")
@pytest.mark.parametrize("place", range(2, len(BOLUS) + 1))
def test_an_edit_without_an_answer_for_ten_minutes_is_discarded(place: int) -> None:
    clinic = Clinic()
    before = clinic.commanded
    told = kept(clinic.talk(*BOLUS[:place], clinic.wait(600_000), "25 mcg", "."))
    assert told.text.count("DISCARDED: nobody answered for 10 min") == 1
    assert clinic.commanded == before
    assert told.code == 0


@pytest.mark.parametrize("place", range(len(THERAPY) + 1))
def test_the_end_of_the_input_anywhere_sends_nothing(place: int) -> None:
    clinic = Clinic()
    told = kept(clinic.talk(*THERAPY[:place]))
    assert told.code == (0 if place < 2 else 2)  # menus are no edit
    assert clinic.revision == 1
    assert clinic.unsettled() == []


@pytest.mark.sr("SR-20")
def test_identity_is_said_at_the_start_of_each_page() -> None:
    told = Clinic().talk(
        Pick("Status of the pump"), *BOLUS, "25 mcg", ".", "!", ".", Pick("Log of the pump"), Pick("all entries"), "", ".", "."
    )
    pages = re.findall(
        r"(?m)^(?:PUMP\.|Status of the pump\.|Single bolus:.*|REVIEW\..*|STOP page\..*|Log of the pump\.)\n(.*(?:\n.*)?)", told.text
    )
    assert len(pages) >= 7
    assert all("Patient P-0042; pump P4000001, P-40, SIMULATED; baclofen 2,000 mcg per mL." in page for page in pages)


def test_the_first_lines_say_what_this_is_not() -> None:
    assert "Not a medical device" in Clinic().talk().text.splitlines()[0]


@pytest.mark.parametrize("row", [*TASKS, *WALKS], ids=lambda row: row.id)
def test_every_task_and_walk_of_the_table_opens_and_is_left_without_a_trace(row: Task | Walk) -> None:
    clinic = Clinic()
    before = clinic.revision, clinic.commanded
    told = kept(clinic.talk(Pick(f"{row.group}:"), Pick(f"{row.title}:"), "?", ".", ".", "."))
    assert told.code == 0
    assert (clinic.revision, clinic.commanded) == before
    assert f"\n{row.title}: {row.summary}" in told.text.replace("\n ", " ") or "LEFT:" in told.text or "NOT NOW:" in told.text


def test_an_emergency_session_offers_status_and_stops_alone() -> None:
    clinic = Clinic(role=Role.EMERGENCY)
    assert clinic.line.device.magnet(10_000, clinic.line.now_ms())
    told = kept(clinic.talk(Pick("Status of the pump"), "!", "BOLUS", "!", "MINIMUM", "."))
    assert "an emergency session was opened" in told.said
    assert "Single bolus" not in told.text
    assert "Log of the pump" not in told.text
    assert "at its minimum rate" in told.said
    assert told.code == 0


def test_the_log_is_heard_by_group_and_by_words() -> None:
    told = kept(Clinic().talk(Pick("Log of the pump"), Pick("only therapy"), "CARRIED out", "."))
    assert re.search(r"1 of \d+ entries\.", told.text)
    everything = kept(Clinic().talk(Pick("Log of the pump"), Pick("all entries"), "", "."))
    assert "memory formatted" in everything.said
