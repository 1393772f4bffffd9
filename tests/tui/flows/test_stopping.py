"""The stop: reached from every page by one key, sent by another, never by Enter, never taken back by a second key or by leaving (SR-33)."""

from __future__ import annotations

from pathlib import Path

import pytest

from itbpump.tui.keys import KeymapError, load_keymap
from itbpump.tui.screens.form import FormPage
from itbpump.tui.screens.outcome import OutcomePage
from itbpump.tui.screens.pump import PumpPage
from itbpump.tui.screens.review import ReviewPage
from itbpump.tui.screens.stop import StopPage
from itbpump.tui.snapshot import LinkWord
from itbpump.wire.messages import Mode, RunState
from tests.tui.flows.driving import BOLUS, PATIENT, THERAPY, Desk, Holding, desk, some, spied

pytestmark = pytest.mark.sr("SR-33")


async def stopped(at: Desk) -> None:
    await at.until(lambda: "APPLIED" in at.text and "Stopped." in at.text, "the stop")
    assert (await at.status()).run_state is RunState.STOPPED


async def test_the_stop_warns_and_is_sent_by_its_own_key_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk() as at:
        with spied(monkeypatch) as sent:
            await at.press("f8")
            assert isinstance(at.page, StopPage)
            assert "withdrawal" in at.text.lower()
            for key in ("enter", "f8", "space", "f9", "y", "enter", "tab", "enter", "f5", "f6"):
                await at.press(key)
            assert sent == []
            assert (await at.status()).run_state is RunState.RUNNING
            await at.press("f4")
            await stopped(at)
            assert sent == ["stop"]
        assert "Stop of all delivery" in at.report()
        await at.press("escape")
        assert "PUMP STOPPED" in at.text


PAGES = (
    "pump",
    "tasks",
    "form",
    "week",
    "step",
    "review",
    "outcome",
    "log",
    "report",
    "outcomes",
    "help",
    "ask",
    "walk",
    "palette",
    "notice",
)


async def _to(at: Desk, page: str) -> None:
    keys = {
        "pump": (),
        "tasks": ("f2",),
        "log": ("f3",),
        "report": ("f7",),
        "outcomes": ("f6",),
        "help": ("f1",),
        "ask": ("escape",),
        "palette": ("ctrl+p",),
    }
    if page in keys:
        await at.press(*keys[page])
    elif page in {"form", "review", "outcome", "notice"}:
        await at.open("bolus" if page != "notice" else "silence")
        if page in {"review", "outcome"}:
            await at.answer(BOLUS)
            await at.review()
        if page == "outcome":
            await at.give()
            await at.send()
    elif page == "walk":
        await at.open("after-mri")
    else:
        await at.open("therapy")
        await at.answer({"mode": "flex", "concentration": "2000"})
        await at.press("f3", *(("a",) if page == "step" else ()))


@pytest.mark.parametrize("page", some(PAGES, "pump", "form", "step", "review", "palette", "ask"))
async def test_it_is_reached_and_sent_from_every_page(page: str) -> None:
    async with desk() as at:
        await _to(at, page)
        before = at.page
        await at.press("f8", "f4")
        await stopped(at)
        await at.press("escape")
        assert at.page is before  # what was open stays open
        assert (await at.status()).run_state is RunState.STOPPED


async def test_a_second_press_neither_sends_twice_nor_calls_the_first_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a slow reading the stop waits, and a person who hits the key again must not take it back."""
    async with desk() as at:
        with spied(monkeypatch) as sent:
            slow = Holding(at)
            await at.until(slow.began.is_set, "the slow job")
            await _press_without_waiting(at, "f8", "f4", "f4", "f4")
            slow.go.set()
            await stopped(at)
            assert sent == ["stop"]


async def test_leaving_the_page_does_not_call_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk() as at:
        with spied(monkeypatch) as sent:
            slow = Holding(at)
            await at.until(slow.began.is_set, "the slow job")
            await _press_without_waiting(at, "f8", "f4", "escape")
            assert isinstance(at.page, PumpPage)
            slow.go.set()
            await at.until(lambda: "APPLIED" in at.seen, "the outcome on the page one went to")
            assert sent == ["stop"]
        assert (await at.status()).run_state is RunState.STOPPED
        assert "Stop of all delivery" in at.report()


async def test_one_that_is_under_way_is_told_from_whatever_page_it_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page may be left and opened anew: the stop of before is still on its way. What gives more than it is not sent after it."""
    async with desk() as at:
        with spied(monkeypatch) as sent:
            slow = Holding(at)
            await at.until(slow.began.is_set, "the slow job")
            await _press_without_waiting(at, "f8", "f4", "escape", "f8")
            assert "under way" in at.text
            await _press_without_waiting(at, "f4")
            assert "nothing more was sent" in at.seen
            await _press_without_waiting(at, "f2", "f3")
            slow.go.set()
            await at.until(lambda: "APPLIED" in at.seen, "the outcome")
            assert sent == ["stop"]
            await at.press("f4")
            await stopped(at)
            assert sent == ["stop", "stop"], "after its outcome another may be sent"


async def test_a_stop_waits_for_no_lesser_order(monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk() as at:
        with spied(monkeypatch) as sent:
            slow = Holding(at)
            await at.until(slow.began.is_set, "the slow job")
            await _press_without_waiting(at, "f8", "f2", "f4")
            slow.go.set()
            await stopped(at)
            assert sent == ["minimum_rate", "stop"]


async def test_a_stop_of_which_nothing_is_known_can_be_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk() as at:
        with spied(monkeypatch) as sent:
            await at.press("f8")
            at.world.deaf()
            await at.press("f4")
            await at.until(lambda: "UNKNOWN" in at.text or "NOT SENT" in at.text, "the outcome")
            at.world.mend()
            await at.press("f4")
            await stopped(at)
            assert sent == ["stop", "stop"]


async def test_a_stop_goes_before_everything_that_waits() -> None:
    """Urgent: jobs that were asked for earlier come after it."""
    async with desk() as at:
        slow = Holding(at)
        await at.until(slow.began.is_set, "the slow job")
        states: list[RunState] = []
        at.app.reader.submit(lambda pump: states.append(pump.status().run_state))
        await _press_without_waiting(at, "f8", "f4")
        slow.go.set()
        await at.until(lambda: bool(states), "the job that waited")
        assert states == [RunState.STOPPED]


async def test_an_outcome_that_comes_under_the_stop_page_does_not_cover_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """F8 while a bolus is on its way: F4 must still stop, the outcome waits, and the form is gone so that nothing is sent twice."""
    async with desk() as at:
        with spied(monkeypatch) as sent:
            await at.open("bolus")
            await at.answer(BOLUS)
            await at.review()
            await at.give()
            slow = Holding(at)
            await at.until(slow.began.is_set, "the slow job")
            await _press_without_waiting(at, "f9", "f9", "f8")
            slow.go.set()
            await at.until(lambda: "has its outcome" in at.seen, "the word of the outcome")
            assert isinstance(at.page, StopPage)
            await at.press("f4")
            await stopped(at)
            await at.press("escape")
            assert isinstance(at.page, OutcomePage)
            await at.press("escape")
            assert not any(isinstance(page, FormPage | ReviewPage) for page in at.app.screen_stack)
            assert sent == ["bolus", "stop"]


async def test_a_review_that_comes_late_does_not_cover_it() -> None:
    async with desk() as at:
        await at.open("bolus")
        await at.answer(BOLUS)
        slow = Holding(at)
        await at.until(slow.began.is_set, "the slow job")
        await _press_without_waiting(at, "f5", "f8")
        slow.go.set()
        await at.until(lambda: "press F5 again" in at.seen, "the word of the review")
        assert isinstance(at.page, StopPage)
        await at.press("f4")
        await stopped(at)


async def test_a_task_that_opens_late_does_not_cover_it() -> None:
    async with desk() as at:
        slow = Holding(at)
        await at.until(slow.began.is_set, "the slow job")
        await _press_without_waiting(at, "f2", "enter", "f8")
        slow.go.set()
        await at.until(lambda: "not opened over this page" in at.seen, "the word of the task")
        assert isinstance(at.page, StopPage)


async def test_what_was_reviewed_before_a_stop_is_not_started_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A review made of a running pump is not sent to one that was stopped meanwhile, whatever was typed."""
    async with desk() as at:
        await at.open("therapy")
        await at.answer(THERAPY)
        await at.review()
        await at.give()
        await at.press("f8", "f4")
        await stopped(at)
        await at.press("escape")
        assert isinstance(at.page, ReviewPage)
        await at.send()
        assert (await at.status()).run_state is RunState.STOPPED, at.text
        assert "NOT" in at.text


@pytest.mark.parametrize(("key", "mode", "words"), [("f2", Mode.MINIMUM_RATE, "at its minimum rate"), ("f3", Mode.FLEX, "NOT APPLIED")])
async def test_less_than_a_stop_has_keys_of_its_own(key: str, mode: Mode, words: str) -> None:
    async with desk() as at:
        await at.press("f8", key)
        await at.until(lambda: words in at.text, words)
        assert (await at.status()).mode is mode
        assert (await at.status()).flow_nL_per_day > 0


async def test_a_stop_over_a_cut_line_says_what_is_known_and_can_be_tried_again() -> None:
    async with desk() as at:
        at.world.cut()
        await at.until_link(LinkWord.LOST)
        await at.press("f8", "f4")
        await at.until(lambda: "NOT SENT" in at.text, "the failure")
        assert "The pump goes on" in at.text
        at.world.mend()
        await at.press("f4")
        await stopped(at)


async def test_help_over_the_stop_page_and_the_stop_key_again_lead_back_to_one_stop_page() -> None:
    async with desk() as at:
        await at.press("f8", "f1", "f8")
        assert isinstance(at.page, StopPage)
        assert sum(isinstance(page, StopPage) for page in at.app.screen_stack) == 1


async def test_without_a_pump_there_is_nothing_to_stop() -> None:
    async with desk(start=False) as at:
        await at.press("f8")
        assert not isinstance(at.page, StopPage)
        assert "nothing to stop" in at.seen


@pytest.mark.parametrize(
    "line",
    [
        'stop = "f4"',
        'stop-send = "f8"',
        'send = "f8"',
        'send = "enter"',
        'stop-send = "enter"',
        'stop = "s"',
        'stop-send = "f9"',
        'stop-send = "f1,f8"',
    ],
)
def test_no_keymap_makes_the_keys_of_stop_and_send_equal(tmp_path: Path, line: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(line)
    with pytest.raises(KeymapError):
        load_keymap(file)


async def test_a_stopped_therapy_is_restored_from_the_menu() -> None:
    async with desk() as at:
        await at.press("f8", "f4")
        await stopped(at)
        await at.press("escape")
        await at.carry_out("restore", PATIENT)
        assert "PROVED" in at.text
        assert (await at.status()).run_state is RunState.RUNNING


async def _press_without_waiting(at: Desk, *keys: str) -> None:
    """While the reader is held no worker ends, so calm never comes; messages still do."""
    await at.press(*keys, workers=False)
