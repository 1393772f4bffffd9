"""Keys, help, palette, keymap, looks: what a person finds on every page, and that Enter sends nothing anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input, Select

from itbpump.pump import Pump
from itbpump.tui.keys import KeymapError, load_keymap
from itbpump.tui.screens.form import FormPage
from itbpump.tui.screens.outcome import OutcomePage
from itbpump.tui.screens.pump import PumpPage
from itbpump.tui.screens.review import ReviewPage
from itbpump.tui.screens.stop import StopPage
from tests.tui.flows.driving import BOLUS, PATIENT, THERAPY, Holding, World, desk, reviewed, some, spied

# Marked slow: `make screen`, which CI runs as well.


@pytest.mark.sr("SR-09")
@pytest.mark.parametrize(
    "name", some(["therapy", "bolus", "refill", "rebase", "clock-label", "alarm-test", "restore", "prime"], "bolus", "rebase", "alarm-test")
)
async def test_enter_never_sends_on_any_field_of_a_complete_review(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "therapy": THERAPY,
        "bolus": BOLUS,
        "refill": {"patient_id": "P-0042", "aspirated": "36", "filled": "38", "filled_with": "same", "same_concentration": "2000"},
        "alarm-test": {"tone": "critical"},
        "restore": PATIENT,
        "prime": {**PATIENT, "scope": "path", "path_known": "path", "path_volume": "0.316", "over": "30m"},
    }

    def stop(pump: Pump, _world: World) -> object:
        return pump.stop() if name == "restore" else None

    async with desk(prepare=stop) as at:
        with spied(monkeypatch) as sent:
            await reviewed(at, name, values.get(name, {}))
            await at.give()
            page = at.page
            assert "everything is given" in at.text
            for widget in [*page.query(Input).results(), *page.query(Select).results()]:
                widget.focus()
                await at.press("enter", "enter", "tab", "enter")
                if at.page is not page:
                    await at.press("escape")
            page.set_focus(None)
            await at.press("enter", "space", "y")
            assert sent == []
            assert at.page is page


@pytest.mark.slow
async def test_enter_in_a_form_goes_to_the_next_field() -> None:
    async with desk() as at:
        await at.open("bolus")
        at.page.query_one("#field-dose").focus()
        await at.press("enter")
        assert at.page.focused.id == "field-over"
        assert isinstance(at.page, FormPage)


@pytest.mark.slow
async def test_help_stands_behind_every_field_and_page() -> None:
    async with desk() as at:
        await at.open("therapy")
        await at.answer({"mode": "periodic-bolus", "patient_bolus": "allowed", "path_known": "lengths"})
        form = at.page
        for field in form._shown:
            widget = form.query_one(f"#field-{field.id}")
            if not widget.focusable:
                continue
            widget.focus()
            await at.press("f1")
            assert " ".join(field.help.split()[:4]) in at.seen, field.id
            await at.press("escape")
        await at.home()
        for keys in ((), ("f2",), ("escape", "f3"), ("escape", "f7"), ("escape", "f6"), ("escape", "f8")):
            await at.press(*keys)
            under = at.page
            await at.press("f11")
            assert type(at.page).__name__ == "HelpPage"
            await at.press("escape", "f1")
            assert type(at.page).__name__ == "HelpPage"
            await at.press("escape")
            assert at.page is under


@pytest.mark.slow
async def test_a_question_mark_lists_the_keys_unless_it_is_typed() -> None:
    async with desk() as at:
        await at.press("?")
        assert "Open the page that stops the therapy" in at.seen
        await at.press("escape")
        await at.open("bolus")
        at.page.query_one("#field-patient_id").focus()
        await at.press("?")
        assert isinstance(at.page, FormPage)


@pytest.mark.slow
async def test_the_palette_opens_tasks() -> None:
    async with desk() as at:
        await at.press("ctrl+p")
        await at.type("Single bolus")
        await at.until(lambda: "Single bolus" in at.seen, "the hit")
        await at.press("enter", "enter")
        await at.until(lambda: isinstance(at.page, FormPage), "the form")
        assert at.page.task_.id == "bolus"


@pytest.mark.slow
async def test_the_palette_is_opened_once_also_under_the_stop_page() -> None:
    async with desk() as at:
        await at.press("ctrl+p", "f8", "ctrl+p", "ctrl+p")
        assert isinstance(at.page, StopPage)
        await at.press("escape", "escape")
        assert isinstance(at.page, PumpPage)


@pytest.mark.slow
async def test_a_keymap_gives_other_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text('stop = "f6"\nstop-send = "f9"\nsend = "f4"\nreconcile-open = "f8"\n')
    async with desk(keymap=load_keymap(file)) as at:
        await at.press("f6")
        assert isinstance(at.page, StopPage)
        assert "F9" in at.text
        await at.press("escape", "f8")
        assert type(at.page).__name__ == "UnknownPage"


@pytest.mark.parametrize("text", ["stop = 1", 'nothing = "f1"', "stop =", 'stop = ""', "\x00"])
def test_a_keymap_that_cannot_be_used_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(KeymapError, match=r"keys\.toml"):
        load_keymap(file)
    with pytest.raises(KeymapError, match="cannot be read"):
        load_keymap(tmp_path / "none.toml")


@pytest.mark.slow
async def test_a_page_is_copied_and_saved(tmp_path: Path) -> None:
    async with desk(folder=tmp_path) as at:
        await reviewed(at, "bolus", BOLUS)
        await at.press("f6")
        assert "REVIEW: Bolus of 10 mcg" in at.app.clipboard
        await at.press("f7", "f7")
        first, second = (tmp_path / f"itbpump-review{number}.txt" for number in ("", "-1"))
        assert first.read_text() == at.page.text_of_page().partition("saved:")[0]
        assert second.read_text().startswith("patient not on record")


@pytest.mark.slow
async def test_a_page_that_cannot_be_saved_says_so() -> None:
    async with desk() as at:
        await at.press("f3", "f7")
        assert "not saved" in at.text


@pytest.mark.slow
async def test_another_look_keeps_the_page_and_what_is_typed() -> None:
    async with desk() as at:
        await at.open("bolus")
        await at.answer({"dose": "10"})
        form, first = at.page, at.app.theme
        await at.press("f12")
        assert at.app.theme != first
        assert at.page is form
        assert form.query_one("#field-dose", Input).value == "10"
        await at.press("f12", "f12")
        assert at.app.theme == first


@pytest.mark.slow
async def test_a_window_too_small_shows_no_dose_and_gives_the_page_back() -> None:
    async with desk() as at:
        await at.open("bolus")
        form = at.page
        await at.bench.pilot.resize_terminal(50, 12)
        await at.calm()
        assert "Window too small" in at.seen
        await at.press("f8")
        await at.bench.pilot.resize_terminal(80, 24)
        await at.calm()
        assert isinstance(at.page, StopPage)
        await at.press("escape")
        at.app._look_at_pages()
        await at.calm()
        assert at.page is form


@pytest.mark.slow
async def test_no_one_leaves_while_an_order_is_on_its_way() -> None:
    async with desk() as at:
        await reviewed(at, "bolus", BOLUS)
        await at.give()
        slow = Holding(at)
        await at.until(slow.began.is_set, "the slow job")
        await at.press("f9", "f10", workers=False)
        assert "an order is on its way" in at.text
        await at.press("escape", workers=False)
        assert isinstance(at.page, ReviewPage)
        slow.go.set()
        await at.until(lambda: isinstance(at.page, OutcomePage), "the outcome")
        assert at.app.is_running


@pytest.mark.slow
async def test_a_word_of_a_page_names_keys_where_a_message_names_commands() -> None:
    async with desk() as at:
        at.page.say("the pump could not be read: its outcome is open; run: itbpump reconcile URL")
        await at.calm()
        assert "press F6 on the pump's page" in at.seen
        assert "itbpump reconcile" not in at.seen
