"""What a form and a review page hold to: consent, age, bounce, numbers, identity, undo, help, keys, themes; each by keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input, Label, Select

from itbpump.hoststate import HostState
from itbpump.pump import Pump
from itbpump.safety import REASONS
from itbpump.tui.screens.form import FormPage
from itbpump.tui.screens.page import Page
from itbpump.tui.screens.review import ReviewPage
from itbpump.tui.screens.stop import StopPage
from itbpump.tui.screens.week import WeekPage
from itbpump.workflow.facts import Policy
from itbpump.workflow.table import task
from tests.tui.flows.driving import AS_OF_S, BOLUS, PATIENT, THERAPY, WEEKDAYS, Desk, World, desk, reviewed, some, spied
from tests.tui.support import ROOT
from tests.unit.client.lines import Line, host

pytestmark = pytest.mark.slow  # `make screen`, which CI runs as well

STEEP = {**THERAPY, "dose": "260"}
MINUTE_MS = 60_000
ARABIC_TEN = "\N{ARABIC-INDIC DIGIT ONE}\N{ARABIC-INDIC DIGIT ZERO}"
NUMBERS = (".5", "5.", "1.0", "05", "1,5", "1e2", "1.2.3", ARABIC_TEN, "10 mcg/h", "10 mg", "-5", "10 mL")


# ------------------------------------------------------------------------------------------------ consent
def _reason_labels(page: Page[bool]) -> list[str]:
    return [said for said in (str(label.render()).strip() for label in page.query(Label)) if said.startswith("reason")]


@pytest.mark.sr("SR-03", "SR-09")
async def test_each_part_of_the_consent_is_asked_for_and_kept_with_the_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk() as at:
        with spied(monkeypatch) as sent:
            await reviewed(at, "therapy", STEEP)
            page: ReviewPage = at.page
            rules = {finding.rule for finding in page.open_findings}
            assert "increase" in rules
            await at.give()
            why, user, second, typed = (page.query_one(name, Input) for name in ("#why-increase", "#user", "#second", "#typed"))
            for widget, wrong in ((why, ""), (user, ""), (second, ""), (second, "rn-7"), (typed, ""), (typed, "26"), (typed, "yes")):
                right, widget.value = widget.value, wrong
                await at.press("f9", "enter", "f9")
                assert at.page is page
                assert "to do:" in at.text
                assert sent == [], (widget.id, wrong)
                widget.value = right
                await at.calm()
            reason = page.query_one("#reason-increase", Select)
            chosen, reason.value = reason.value, Select.NULL
            await at.press("f9")
            assert (at.page, sent) == (page, [])
            reason.value = chosen
            await at.calm()
            assert "everything is given" in at.text
            await at.send()
            assert sent == ["program"]
        kept = (await at.asked(lambda pump: pump.decisions()))[-1].basis
        for word in ("increase", "agreed with the physician", next(iter(REASONS)), "rn-7", "md-2"):
            assert word in kept, kept
        report = at.report()
        assert "agreed with the physician" in report
        assert "md-2" in report


@pytest.mark.sr("SR-03")
async def test_a_reason_that_accepts_several_findings_says_so() -> None:
    async with desk() as at:
        await reviewed(at, "therapy", STEEP)
        page: ReviewPage = at.page
        review = page.proposal.review
        assert review is not None
        first, *others = page.open_findings
        assert first.rule not in {other.rule for other in others}
        assert _reason_labels(page) == ["reason"] * len({item.rule for item in page.open_findings})
        again = replace(first, value="another value")
        at.app.push_screen(ReviewPage(replace(page.proposal, review=replace(review, findings=(*review.findings, again)))))
        await at.calm()
        assert _reason_labels(at.page).count("reason for all 2") == 1
        assert len(at.page.query(f"#reason-{first.rule}")) == 1


@pytest.mark.sr("SR-03")
async def test_a_clinic_can_want_a_second_person_for_every_change(monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk(policy=Policy(second_always=True, user="rn-7")) as at:
        with spied(monkeypatch) as sent:
            await reviewed(at, "bolus", BOLUS)
            await at.give(staff=False)
            assert at.page.query_one("#user", Input).value == "rn-7"
            await at.press("f9")
            assert "second person" in at.text
            assert sent == []
            await at.give()
            await at.send()
            assert sent == ["bolus"]


@pytest.mark.sr("SR-02")
async def test_what_is_beyond_a_hard_limit_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk() as at:
        with spied(monkeypatch) as sent:
            await reviewed(at, "therapy", {**THERAPY, "dose": "3000"})
            assert "HARD" in at.text
            await at.give()
            await at.press("f9", "enter", "f9")
            assert sent == []
            assert isinstance(at.page, ReviewPage)


@pytest.mark.sr("SR-10")
async def test_a_repeating_bolus_is_told_as_its_sum_of_the_day() -> None:
    """`60 mcg a day` entered as a bolus every hour has killed: the review counts it out."""
    values = {
        **PATIENT,
        "concentration": "2000",
        "mode": "periodic-bolus",
        "each_dose": "10",
        "over": "10m",
        "every": "2h",
        "background": "0",
    }
    async with desk() as at:
        await reviewed(at, "therapy", values)
        assert "boluses in 24 h" in at.text
        assert "120 mcg per day" in at.text
        assert "one hundred twenty micrograms per day" in at.text
        assert any("occur" in finding.rule or "bolus" in finding.rule for finding in at.page.open_findings), at.page.open_findings


@pytest.mark.sr("SR-38")
@pytest.mark.parametrize("aspirated", ["26", "40"])
async def test_a_discrepancy_of_either_sign_demands_a_decision(aspirated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"patient_id": "P-0042", "aspirated": aspirated, "filled": "38", "filled_with": "same", "same_concentration": "2000"}
    async with desk() as at:
        with spied(monkeypatch) as sent:
            await reviewed(at, "refill", values)
            asked = [finding.rule for finding in at.page.open_findings]
            assert asked, at.text
            await at.give(reasons=False)
            await at.press("f9")
            assert sent == []
            await at.give()
            await at.send()
            assert sent == ["refill"]
        assert "agreed with the physician" in at.report()


# ------------------------------------------------------------------------------------------------ an edit grows old
def _under(at: Desk) -> str:
    """What the page says that is seen, also around a question on it."""
    page = next(page for page in reversed(at.app.screen_stack) if isinstance(page, Page))
    return " ".join(page.text_of_page().split())


async def forward(at: Desk, ms: int) -> None:
    """The host's clock; the program looks at it each second, here at once."""
    at.bench.clock.now += ms
    at.app._look_at_pages()
    await at.calm()


@pytest.mark.sr("SR-11")
@pytest.mark.parametrize("above", ["", "review", "help", "week"])
async def test_an_edit_nobody_touches_is_warned_of_and_discarded(above: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk() as at:
        with spied(monkeypatch) as sent:
            await at.open("therapy")
            await at.answer(
                {**THERAPY, **({"mode": "flex"} if above == "week" else {})} if above != "week" else {**PATIENT, "mode": "flex"}
            )
            if above == "review":
                await at.review()
                await at.give()
            elif above:
                await at.press("f1" if above == "help" else "f3")
            top = at.page
            await forward(at, 8 * MINUTE_MS)
            assert "discarded in" not in _under(at)
            await forward(at, 90_000)
            assert "this edit is discarded in" in _under(at)
            await at.press("left")  # any key keeps it
            await forward(at, 9 * MINUTE_MS)
            assert at.page is top
            await forward(at, 2 * MINUTE_MS)
            assert "Nothing was sent" in at.seen
            await at.press("escape")
            assert not any(isinstance(page, FormPage | ReviewPage | WeekPage) for page in at.app.screen_stack)
            assert sent == []


@pytest.mark.sr("SR-11")
async def test_typing_on_the_pages_above_keeps_an_edit_alive() -> None:
    async with desk() as at:
        await reviewed(at, "therapy", STEEP)
        at.page.query_one("#user", Input).focus()
        for _ in range(3):
            await forward(at, 9 * MINUTE_MS)
            await at.type("r")
        assert isinstance(at.page, ReviewPage)


@pytest.mark.sr("SR-11", "SR-33")
async def test_the_stop_page_outlives_an_abandoned_edit() -> None:
    async with desk() as at:
        await at.open("bolus")
        await at.answer(BOLUS)
        await at.press("f8")
        await forward(at, 11 * MINUTE_MS)
        assert isinstance(at.page, StopPage)
        await at.press("escape")
        await forward(at, 0)
        assert "Nothing was sent" in at.seen


@pytest.mark.sr("SR-11")
async def test_two_abandoned_edits_are_both_discarded() -> None:
    async with desk() as at:
        await at.open("bolus")
        await at.answer(BOLUS)
        at.app.begin_task(task("therapy"))
        await at.until(lambda: sum(isinstance(page, FormPage) for page in at.app.screen_stack) == 2, "the second form")
        await forward(at, 11 * MINUTE_MS)
        await forward(at, 0)
        assert not any(isinstance(page, FormPage) for page in at.app.screen_stack)


# ------------------------------------------------------------------------------------------------ typing
@pytest.mark.sr("SR-19")
async def test_a_key_that_bounced_in_a_dose_field_is_flagged_and_the_review_refused_once() -> None:
    async with desk() as at:
        await at.open("bolus")
        await at.answer({**BOLUS, "dose": ""})
        at.page.query_one("#field-dose").focus()
        await at.calm()
        await at.type_apart("11", ms=20)
        assert "CHECK" in at.text
        await at.press("f5")
        assert isinstance(at.page, FormPage)
        assert "may have bounced" in at.text
        await at.review()


@pytest.mark.sr("SR-19")
@pytest.mark.parametrize(("field", "step", "typed"), [("dose", 200, "11"), ("dose", 20, "12"), ("patient_id", 20, "11")])
async def test_slow_keys_other_keys_and_other_fields_are_not_flagged(field: str, step: int, typed: str) -> None:
    async with desk() as at:
        await at.open("bolus")
        at.page.query_one(f"#field-{field}").focus()
        await at.calm()
        await at.type_apart(typed, ms=step)
        assert "CHECK" not in at.text
        assert at.page.query_one(f"#field-{field}", Input).value == typed


@pytest.mark.sr("SR-19")
async def test_a_step_of_the_week_is_a_dose_too() -> None:
    async with desk() as at:
        await at.open("therapy")
        await at.answer({**PATIENT, "concentration": "2000", "mode": "flex"})
        await at.press("f3", "a")
        await at.type("00:00 ")
        await at.type_apart("88", ms=20)
        assert "CHECK" in at.seen
        await at.type(" mcg/h")
        await at.press("enter")
        assert "look at the step" in at.seen
        assert type(at.page).__name__ == "StepPage"
        await at.press("enter")
        assert isinstance(at.page, WeekPage)
        assert "88 mcg per hour" in at.seen


@pytest.mark.sr("SR-16", "SR-18")
@pytest.mark.parametrize("text", some(NUMBERS, ".5", "1.0", "1,5", "10 mcg/h", "10 mg"))
async def test_a_number_that_is_none_is_refused_as_it_is_typed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk() as at:
        with spied(monkeypatch) as sent:
            await at.open("bolus")
            await at.answer({**BOLUS, "dose": text})
            assert "! " in " ".join(str(at.page.query_one("#said-dose").content).split()), at.text
            await at.press("f5")
            await at.calm()
            assert isinstance(at.page, FormPage)
            assert sent == []


@pytest.mark.sr("SR-18")
async def test_a_dose_of_a_day_is_not_taken_for_one_of_each_bolus() -> None:
    """The unit is part of the field: another mode asks anew, and taking the change back brings the number back."""
    async with desk() as at:
        await at.open("therapy")
        await at.answer({**PATIENT, "concentration": "2000", "mode": "continuous", "dose": "200"})
        await at.answer({"mode": "flex"})
        await at.answer({"mode": "periodic-bolus"})
        assert not at.page.query("#field-dose")
        assert at.page.query_one("#field-each_dose", Input).value == ""


async def test_what_another_drug_allows_is_offered_at_once() -> None:
    """A choice that hangs on another field is not that of the drug before."""
    async with desk() as at:
        await at.open("therapy")
        offered = {option[1] for option in at.page.query_one("#field-indication", Select)._options}
        await at.answer({"drug": "morphine"})
        now = {option[1] for option in at.page.query_one("#field-indication", Select)._options}
        wanted = {choice.value for field in at.page._shown if field.id == "indication" for choice in field.choices}
        assert wanted <= now
        assert {name for name in now if isinstance(name, str)} == wanted
        assert offered != now


async def test_a_concentration_is_never_offered() -> None:
    async with desk() as at:
        for chosen, name in (("therapy", "concentration"), ("refill", "same_concentration")):
            await at.open(chosen)
            if chosen == "refill":
                await at.answer({"filled_with": "same"})
            assert at.page.query_one(f"#field-{name}", Input).value == ""


async def test_undo_and_redo_walk_through_the_changes_of_a_form() -> None:
    async with desk() as at:
        await at.open("bolus")
        await at.answer({"dose": "10", "over": "10m"})
        await at.press("ctrl+z")
        assert at.page.query_one("#field-over", Input).value == ""
        await at.press("ctrl+z")
        assert at.page.query_one("#field-dose", Input).value == ""
        await at.press("ctrl+y", "ctrl+y")
        assert (at.page.query_one("#field-dose", Input).value, at.page.query_one("#field-over", Input).value) == ("10", "10m")


async def test_a_form_is_left_with_a_question_where_something_would_be_lost() -> None:
    async with desk() as at:
        await at.open("bolus")
        form = at.page
        await at.answer({"dose": "10"})
        await at.press("escape", "enter", "n")
        assert at.page is form
        await at.press("f10", "n")
        assert at.page is form
        await at.press("escape", "y")
        assert not any(page is form for page in at.app.screen_stack)


# ------------------------------------------------------------------------------------------------ a week by keys
async def test_weekday_patterns_are_made_by_keys() -> None:
    async with desk() as at:
        await at.open("therapy")
        await at.answer({**PATIENT, "concentration": "2000", "mode": "flex"})
        await at.press("f3")
        assert at.page.week.groups(), "it begins with the week that runs"
        for _ in range(7):
            while at.page.week.days[at.page.day]:
                await at.press("d")
            await at.press("right")
        while at.page.day:
            await at.press("left")
        for step in ("00:00 6 mcg/h", "06:00 30 mcg over 1h"):
            await at.press("a")
            await at.type(step)
            await at.press("enter")
        await at.press("c", "w", "left", "v", "down", "d", "c", "left", "v")
        assert at.page.week.text() == WEEKDAYS
        await at.press("u")
        assert at.page.week.text() != WEEKDAYS
        await at.press("v", "f5")
        assert isinstance(at.page, FormPage)
        await at.review()
        assert "Mon to Fri 06:00" in at.text
        await at.give()
        await at.send()
        assert "PROVED" in at.text
        held = await at.asked(lambda pump: pump.configuration())
        assert held is not None
        assert sorted(pattern.days for pattern in held.patterns) == [0b0011111, 0b1100000]


# ------------------------------------------------------------------------------------------------ identity, clock
@pytest.mark.sr("SR-20")
async def test_who_this_is_stands_on_every_page() -> None:
    async with desk() as at:
        seen = 0
        for keys in ((), ("f2",), ("escape", "f3"), ("escape", "f7"), ("escape", "f6"), ("escape", "f8")):
            await at.press(*keys)
            assert isinstance(at.page, Page)
            for word in ("P4000001", "P-40", "baclofen 2,000 mcg per mL"):
                assert word in at.seen, (type(at.page), word)
            seen += 1
        assert seen == 6
        await at.press("escape")
        for chosen in ("therapy", "bolus", "refill", "rebase", "after-mri"):
            await at.open(chosen)
            assert "P4000001 P-40" in at.seen
        await reviewed(at, "bolus", BOLUS)
        assert "P4000001" in at.seen
        assert "patient P-0042" in at.text


@pytest.mark.sr("SR-20")
async def test_a_prescription_of_another_patient_needs_a_second_person_and_leaves_no_trace() -> None:
    def from_here(pump: Pump, _world: World) -> object:
        return pump.set_clock(AS_OF_S)

    async with desk(prepare=from_here) as at:
        await at.open("therapy")
        await at.press("f4")
        at.page.query_one("#text", Input).value = str(ROOT / "examples" / "flex-weekday-weekend.toml")
        await at.press("enter")
        await at.until(lambda: isinstance(at.page, FormPage) and at.app.rx is not None, "the file")
        assert at.app.rx.patient.id in at.seen
        name = at.app.rx.patient.id
        await at.home()
        assert at.app.rx is None
        assert name not in at.seen


async def test_a_file_that_is_no_prescription_or_a_lost_line_is_told_and_keeps_the_form(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("nothing = 1")
    async with desk() as at:
        await at.open("therapy")
        await at.answer({"concentration": "2000"})
        form = at.page
        for name in (str(bad), str(tmp_path / "none.toml")):
            await at.press("f4")
            at.page.query_one("#text", Input).value = name
            await at.press("enter")
            await at.until(lambda: type(at.page).__name__ == "NoticePage", "the notice")
            await at.press("escape")
        at.world.cut()
        await at.press("f4")
        at.page.query_one("#text", Input).value = str(ROOT / "examples" / "flex-weekday-weekend.toml")
        await at.press("enter")
        await at.until(lambda: "could not be read" in at.seen, "the notice of the line")
        await at.press("escape")
        assert at.page is form
        assert form.draft.values["concentration"] == "2000"


@pytest.mark.sr("SR-53")
async def test_a_gap_of_the_clocks_is_shown_and_nothing_is_done_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def an_hour_off(pump: Pump, _world: World) -> object:
        return pump.set_clock(AS_OF_S - 3_600)

    async with desk(prepare=an_hour_off) as at:
        with spied(monkeypatch) as sent:
            assert "3,600 s behind" in at.seen or "CLOCK 3,600 s" in at.seen
            await at.press("f2", "escape", "f5", "enter")
            assert sent == []
    async with desk(prepare=lambda pump, _world: pump.set_clock(AS_OF_S - 30)) as at:
        assert "CLOCK" not in at.seen


@pytest.mark.sr("SR-20")
async def test_another_pump_on_the_line_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cable goes into another pump while a review is complete: nothing is sent to either."""
    async with desk() as at:
        await reviewed(at, "bolus", BOLUS)
        await at.give()
        other = _other_world()
        with spied(monkeypatch) as sent:
            at.world.cut()
            await at.until(lambda: at.app.snapshot.link.word.value == "lost", "the lost line")
            at.world.line, at.world.state = other.line, other.state
            await at.send()
            assert sent == []
            assert "NOT SENT" in at.text
        assert "answers now instead of" in at.seen
        assert other.line.device.firmware._machine.state.bolus.requested == 0


def _other_world() -> World:
    line = Line("sim://P-40?fill=38mL&seed=2")
    state: HostState = host(line)
    return World(line, state)
