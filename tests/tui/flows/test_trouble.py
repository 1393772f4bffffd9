"""Trouble in the middle of a task: the line, the power, an alarm; nothing is sent twice, and what is not known is said to be unknown."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Input, OptionList, Select

from itbpump.outcome import Unknown
from itbpump.pump import Pump
from itbpump.tui.screens.form import FormPage
from itbpump.tui.screens.outcome import OutcomePage
from itbpump.tui.screens.review import ReviewPage
from itbpump.tui.screens.stop import StopPage
from itbpump.tui.screens.unknown import UnknownPage
from itbpump.tui.snapshot import LinkWord
from itbpump.wire.messages import BolusState, RunState
from tests.tui.flows.driving import BOLUS, HOUR_MS, THERAPY, Desk, desk, some, spied

pytestmark = pytest.mark.slow  # `make screen`, which CI runs as well

TASKS = {
    "bolus": BOLUS,
    "therapy": THERAPY,
    "alarm-test": {"tone": "critical"},
    "rebase": {},
    "refill": {"patient_id": "P-0042", "aspirated": "36", "filled": "38", "filled_with": "same", "same_concentration": "2000"},
}


async def filled(at: Desk, task: str) -> None:
    await at.open(task)
    await at.answer(TASKS[task])
    await at.tick_all()


def deaf_from_commit(at: Desk) -> None:
    """From the moment the pump takes the next order on, nothing it says arrives."""
    device = at.world.device
    first = _orders(device)
    at.world.line.to_host = lambda data: [data] if _orders(device) == first else []


def _orders(device: Any) -> tuple[int, int]:
    """What a commit changes: revision and bolus target."""
    state = device.firmware._machine.state
    return state.revision, state.bolus.requested


# ------------------------------------------------------------------------------------------------ the line
@pytest.mark.sr("SR-51", "SR-11")
@pytest.mark.parametrize("task", some(TASKS, "bolus"))
async def test_a_cable_pulled_while_a_form_is_open_loses_nothing_and_sends_nothing(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk() as at:
        with spied(monkeypatch) as sent:
            await filled(at, task)
            form = at.page
            at.world.cut()
            await at.until_link(LinkWord.LOST)
            assert "LINK lost since" in at.text
            await at.press("f5")
            await at.until(lambda: type(at.page).__name__ == "NoticePage", "the notice")
            assert "cable is out" in at.seen
            await at.press("escape")
            assert at.page is form
            assert form.draft.values == {**form.draft.values, **TASKS[task]}
            at.world.mend()
            await at.press("f5")
            await at.until(lambda: isinstance(at.page, ReviewPage), "the review, after the line is back")
            assert sent == []


def marks(at: Desk) -> dict[str, bool]:
    """Which lines of the menu say "not now"."""
    listed = at.page.query_one("#tasks", OptionList)
    options = (listed.get_option_at_index(number) for number in range(listed.option_count))
    return {option.id: "not now" in str(option.prompt) for option in options if option.id}


async def test_the_menu_says_not_now_while_the_line_is_lost_and_takes_it_back() -> None:
    async with desk() as at:
        await at.press("f2")
        await at.until(lambda: marks(at)["silence"], "what cannot be done")
        assert not marks(at)["bolus"]
        at.world.cut()
        await at.until_link(LinkWord.LOST)
        await at.until(lambda: all(marks(at).values()), "all that needs the line")
        assert "the line to the pump is lost" in at.text
        at.world.mend()
        await at.until(lambda: not marks(at)["bolus"] and marks(at)["silence"], "the pump asked again")


async def test_the_menu_follows_a_bolus_that_begins_and_ends() -> None:
    async with desk() as at:
        await at.carry_out("bolus", BOLUS)
        await at.home()
        await at.press("f2")
        await at.until(lambda: marks(at)["bolus"] and marks(at)["prime"], "a bolus is running")
        at.world.advance(11 * 60_000)
        await at.until(lambda: not marks(at)["bolus"] and not marks(at)["prime"], "it is over")


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize("task", some(TASKS, "bolus"))
async def test_a_cable_pulled_before_sending_is_no_effect(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk() as at:
        before = await at.status()
        with spied(monkeypatch) as sent:
            await filled(at, task)
            await at.review()
            await at.give()
            at.world.cut()
            await at.until_link(LinkWord.LOST)
            await at.send()
            assert "NOT SENT" in at.text or "NOT APPLIED" in at.text or "UNKNOWN" in at.text, at.text
            assert "APPLIED as command" not in at.text
            assert len(sent) <= 1
        at.world.mend()
        await at.until_link(LinkWord.LIVE)
        now = await at.status()
        assert (now.revision, now.bolus_requested, now.reservoir_nL) == (before.revision, before.bolus_requested, before.reservoir_nL)


async def unknown(at: Desk) -> None:
    """A bolus is sent, and its answer lost."""
    await filled(at, "bolus")
    await at.review()
    await at.give()
    deaf_from_commit(at)
    await at.press("f9")
    await at.until(lambda: isinstance(at.page, UnknownPage), "the page of the unknown outcome")


@pytest.mark.sr("SR-42", "SR-43")
async def test_an_answer_that_is_lost_has_a_page_that_says_what_is_known_and_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk() as at:
        with spied(monkeypatch) as sent:
            await unknown(at)
            assert sent == ["bolus"]
            for word in ("OUTCOME UNKNOWN", "known", "unknown", "blocked", "to do", "nothing but a stop"):
                assert word in at.text
            assert isinstance(at.app.screen_stack[-2], OutcomePage)
            assert isinstance(at.app.screen_stack[-2].outcome, Unknown)
            # nothing is settled by hand before the pump was asked
            await at.press("f9")
            assert "ask the pump first" in at.text
            await at.press("f5")  # the line is still deaf
            await at.until(lambda: "no answer" in at.text or "still" in at.text, "that nothing came")
            assert not at.page.query_one("#by-hand").display
            at.world.mend()
            await at.press("f5", "f5")
            await at.until(lambda: "APPLIED" in at.text and "Nothing is open" in at.text, "the answer")
            assert sent == ["bolus"]
        assert at.world.device.firmware._machine.state.bolus.requested == 10
        await at.press("escape")
        assert "SINCE ASKED" in at.text
        assert "APPLIED" in at.text
        await at.press("escape")
        assert not any(isinstance(page, FormPage | ReviewPage) for page in at.app.screen_stack)
        report = at.report()
        assert "Bolus of 10 mcg" in report
        assert "Bolus of 10 mcg over 10 min for patient P-0042" in report
        assert "UNKNOWN" in report
        assert "Settled as APPLIED" in report, report


@pytest.mark.sr("SR-42")
async def test_while_an_outcome_is_unknown_doses_are_blocked_with_words_and_a_stop_is_not() -> None:
    async with desk() as at:
        await unknown(at)
        at.world.mend()
        await at.home()
        await at.until(lambda: "OUTCOME UNKNOWN of" in at.text, "the line on every page")
        await at.open("therapy")
        assert "OUTCOME UNKNOWN of" in at.text  # on every page, the form too
        await at.answer(THERAPY)
        await at.review()
        await at.give()
        await at.send()
        assert "NOT SENT" in at.text, at.text
        assert "is settled" in at.text  # nothing is sent before that
        assert (await at.status()).revision == 1
        await at.home()
        await at.press("f8", "f4")
        await at.until(lambda: "Stopped." in at.text, "the stop")
        assert (await at.status()).run_state is RunState.STOPPED


@pytest.mark.sr("SR-42")
async def test_a_stop_works_while_the_unknown_page_is_open() -> None:
    async with desk() as at:
        await unknown(at)
        at.world.mend()
        await at.press("f8")
        assert isinstance(at.page, StopPage)
        await at.press("f4")
        await at.until(lambda: "Stopped." in at.text, "the stop")
        await at.press("escape")
        assert isinstance(at.page, UnknownPage)


@pytest.mark.sr("SR-42")
async def test_only_what_the_pump_no_longer_knows_is_settled_by_hand_and_is_in_the_report() -> None:
    async with desk() as at:
        await unknown(at)
        at.world.mend()
        monkey = pytest.MonkeyPatch()
        with monkey.context() as patch:
            patch.setattr(Pump, "reconcile", lambda self: [])  # a pump whose store no longer holds it
            await at.press("f5")
            await at.until(lambda: bool(at.page.query_one("#by-hand").display), "settling by hand")
        await at.press("f9")
        assert "choose what became of it" in at.text
        at.page.query_one("#state", Select).value = "applied"
        at.page.query_one("#reason", Input).value = "the log has it"
        await at.press("f9")
        await at.until(lambda: "not settled" in at.text, "that somebody must say so")
        at.page.query_one("#by", Input).value = "rn-7"
        await at.press("f9")
        await at.until(lambda: "Nothing is open" in at.text, "settled")
        assert "rn-7" in at.report() or "APPLIED" in at.report()


# ------------------------------------------------------------------------------------------------ power, alarms
@pytest.mark.sr("SR-50", "SR-51")
async def test_a_power_cut_while_a_form_is_open() -> None:
    async with desk() as at:
        await filled(at, "bolus")
        at.world.device.power_cut()
        await at.until_link(LinkWord.STALE, LinkWord.LOST)
        assert "LINK stale since" in at.text or "LINK lost since" in at.text
        assert isinstance(at.page, FormPage)
        at.world.device.power_on()
        await at.until_link(LinkWord.LIVE)
        await at.review()
        assert (await at.status()).run_state is RunState.RUNNING


@pytest.mark.sr("SR-50", "SR-42")
async def test_a_power_cut_while_a_bolus_is_sent_ends_with_the_truth_or_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk() as at:
        with spied(monkeypatch) as sent:
            await filled(at, "bolus")
            await at.review()
            await at.give()
            count = [0]

            def cut_at_third(data: bytes) -> list[bytes]:
                count[0] += 1
                if count[0] == 3:
                    at.world.device.power_cut()
                return [data]

            at.world.line.to_pump = cut_at_third
            await at.send()
            given = at.world.device.truth.commanded_pulses
            told = at.text
            at.world.mend()
            at.world.device.power_on()
            assert "UNKNOWN" in told or "NOT APPLIED" in told or "NOT SENT" in told, told
            assert sent == ["bolus"]
            await at.until_link(LinkWord.LIVE)
            if isinstance(at.page, UnknownPage):
                await at.press("f5")
                await at.until(lambda: "Nothing is open" in at.text, "the answer")
            assert given == 0
            assert (await at.status()).bolus_state in (BolusState.IDLE, BolusState.INTERRUPTED)


@pytest.mark.sr("SR-55")
async def test_an_alarm_raised_while_a_form_is_open_shows_on_every_page() -> None:
    async with desk() as at:
        await filled(at, "bolus")
        at.world.device.bench("stall", {"state": "on"})
        at.world.advance(5 * HOUR_MS)
        await at.until(lambda: "CRITICAL" in at.text, "the alarm on the form")
        assert isinstance(at.page, FormPage)
        await at.press("f5")
        await at.until(lambda: isinstance(at.page, ReviewPage), "the review")
        assert "CRITICAL" in at.text
        for keys in (("f8",), ("escape", "escape", "escape", "y"), ("escape",), ("f3",), ("escape", "f7"), ("escape", "f6")):
            await at.press(*keys)
            assert "CRITICAL" in at.seen, at.seen


@pytest.mark.sr("SR-55")
async def test_several_alarms_stand_in_order_or_are_counted() -> None:
    def trouble(pump: Pump, world: object) -> None:
        del pump
        world.device.bench("faults", {"inject": "memory.flip"})  # type: ignore[attr-defined]
        world.device.bench("stall", {"state": "on"})  # type: ignore[attr-defined]
        world.advance(5 * HOUR_MS)  # type: ignore[attr-defined]

    async with desk(prepare=trouble, size=(60, 18)) as at:
        alarms = at.app.snapshot.view.status.alarms
        assert len(alarms) >= 2, alarms
        ordered = sorted(alarms, key=lambda alarm: (-alarm.priority, -alarm.since_ms))
        shown = " ".join(str(at.page.query_one("#alarms").content).split())
        counted = f"and {len(alarms) - 1} more" in shown or shown.count("ALARM") + shown.count("CRITICAL") >= len(alarms)
        assert counted, shown
        if ordered[0].priority > ordered[-1].priority:
            assert "CRITICAL" in shown.split("…")[0]


@pytest.mark.sr("SR-56")
async def test_a_silenced_alarm_stays_on_the_screen_and_sounds_again() -> None:
    def stall(_pump: Pump, world: object) -> None:
        world.device.bench("stall", {"state": "on"})  # type: ignore[attr-defined]
        world.advance(5 * HOUR_MS)  # type: ignore[attr-defined]

    async with desk(prepare=stall) as at:
        await at.carry_out("silence", {"alarm": "motor-stall"})
        await at.until(lambda: "silenced" in at.seen.lower(), "the word of the silence")
        assert "CRITICAL" in at.seen
        at.world.advance(10 * 60_000)
        await at.until(lambda: at.app.snapshot.view.status.alarms[0].silenced_until_ms == 0, "its end")
        assert "CRITICAL" in at.seen
