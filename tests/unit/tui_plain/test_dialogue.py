"""Saying and asking: ASCII, 80 columns, the signs that work everywhere, late answers, streams that end."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.tui.plain.dialogue import LONGEST, Abandoned, Back, Dialogue, Ended, Left, Stopped, Streams, in_ascii, said
from itbpump.tui.plain.menu import Item, choose, number
from itbpump.workflow.draft import ABANDONED_MS


class Desk:
    """A dialogue over texts, and the clock it measures by."""

    def __init__(self, typed: str, *, echo: bool = True, step_ms: int = 0) -> None:
        self.out = io.StringIO()
        self.now = 0
        self.step = step_ms
        self.forgot = 0
        self.dialogue = Dialogue(Streams(io.StringIO(typed), self.out, echo, self._forget), self._clock)

    def _clock(self) -> int:
        self.now += self.step
        return self.now

    def _forget(self) -> None:
        self.forgot += 1


def test_an_answer_is_one_line_without_spaces_around_it() -> None:
    desk = Desk("  25 mcg \nno more\n")
    assert desk.dialogue.ask("Dose:") == "25 mcg"
    assert desk.out.getvalue() == "Dose: \n> 25 mcg\n"
    assert desk.forgot == 0
    assert Desk("25\n", echo=False).dialogue.ask("Dose:", fresh=True) == "25"


def test_a_terminal_shows_what_is_typed_itself_and_forgets_what_was_typed_ahead() -> None:
    desk = Desk("25\n", echo=False)
    desk.dialogue.ask("Dose:", fresh=True)
    assert desk.out.getvalue() == "Dose: "
    assert desk.forgot == 1


@pytest.mark.parametrize(("typed", "signal"), [(".\n", Left), ("<\n", Back), ("", Ended)])
def test_signs_work_at_every_question(typed: str, signal: type[Exception]) -> None:
    with pytest.raises(signal):
        Desk(typed).dialogue.ask("Dose:")


def test_the_end_of_the_input_says_whether_it_was_in_the_midst_of_an_edit() -> None:
    for edit in (True, False):
        with pytest.raises(Ended) as caught:
            Desk("").dialogue.ask("Dose:", edit=edit)
        assert caught.value.midway is edit


def test_a_question_mark_says_the_help_and_asks_again() -> None:
    desk = Desk("?\n25\n")
    assert desk.dialogue.ask("Dose:", "Of one bolus.") == "25"
    assert "Of one bolus." in desk.out.getvalue()
    assert desk.out.getvalue().count("Dose:") == 2


@pytest.mark.sr("SR-33")
def test_an_exclamation_mark_opens_the_stop_page_and_the_question_comes_again() -> None:
    desk, opened = Desk("!\n25\n"), list[int]()
    desk.dialogue.urgent = lambda: opened.append(1)
    assert desk.dialogue.ask("Dose:") == "25"
    assert opened == [1]


def test_the_stop_page_is_not_opened_from_itself() -> None:
    desk = Desk("!\n!\nx\n")
    desk.dialogue.urgent = lambda: desk.dialogue.say(f"answered {desk.dialogue.ask('Word:')}")
    with pytest.raises(Ended):
        desk.dialogue.ask("Dose:", edit=True) and desk.dialogue.ask("More:")
    assert "This is the stop page: only the word itself sends." in desk.out.getvalue()


def test_without_a_pump_there_is_none_to_stop() -> None:
    desk = Desk("!\n25\n")
    assert desk.dialogue.ask("Dose:") == "25"
    assert "No pump is connected, so there is none to stop." in desk.out.getvalue()


@pytest.mark.sr("SR-11")
def test_an_answer_after_ten_minutes_discards_the_edit_with_a_warning() -> None:
    desk = Desk("25\n", step_ms=ABANDONED_MS)
    with pytest.raises(Abandoned):
        desk.dialogue.ask("Dose:")
    assert desk.out.getvalue().count("DISCARDED") == 1
    in_time = Desk("25\n", step_ms=ABANDONED_MS - 1)
    assert in_time.dialogue.ask("Dose:") == "25"
    assert Desk("25\n", step_ms=ABANDONED_MS).dialogue.ask("Which page?", edit=False) == "25"


@pytest.mark.sr("SR-33")
def test_a_stop_is_heard_however_late_it_comes() -> None:
    desk = Desk("!\n", step_ms=ABANDONED_MS)

    def stop() -> None:
        raise Stopped

    desk.dialogue.urgent = stop
    with pytest.raises(Stopped):
        desk.dialogue.ask("Dose:")


@pytest.mark.parametrize(
    "typed", ["\x1b[A25\n", "2\x005\n", "\udcff\n", "2\u202e5\n", "9" * (LONGEST + 1) + "\n", "9" * (3 * LONGEST) + "\n"]
)
def test_what_is_no_plain_line_is_refused_whole(typed: str) -> None:
    desk = Desk(typed + "25\n")
    assert desk.dialogue.ask("Dose:") == "25"
    assert desk.out.getvalue().count("NOT TAKEN") == 1


def test_an_output_that_nobody_takes_ends_the_dialogue() -> None:
    desk = Desk("25\n")
    desk.out.close()
    with pytest.raises(Ended):
        desk.dialogue.say("Hello")


def test_an_input_that_is_gone_ends_it() -> None:
    desk = Desk("")
    desk.dialogue.streams.reader.close()
    with pytest.raises(Ended):
        desk.dialogue.ask("Dose:")


def test_ctrl_c_at_a_question_leaves() -> None:
    class Interrupting(io.StringIO):
        def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
            raise KeyboardInterrupt

    with pytest.raises(Left):
        Dialogue(Streams(Interrupting(), io.StringIO()), lambda: 0).ask("Dose:")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=400))
def test_nothing_said_is_wider_than_80_columns_and_no_word_is_lost(text: str) -> None:
    desk = Desk("")
    desk.dialogue.say(text)
    assert all(len(line) <= 80 for line in desk.out.getvalue().split("\n"))
    assert "".join(desk.out.getvalue().split()) == "".join(in_ascii(text).split())


@pytest.mark.parametrize("wide", [78, 79, 80, 81])
def test_a_question_leaves_room_within_80_columns(wide: int) -> None:
    desk = Desk("25\n")
    assert desk.dialogue.ask("x " * (wide // 2 - 1) + "x" * (1 + wide % 2) + ":") == "25"
    assert all(len(line) <= 80 for line in desk.out.getvalue().split("\n"))


@pytest.mark.sr("SR-17")
@pytest.mark.parametrize(
    ("text", "voice"),
    [
        ("−28 mL: less", "minus 28 mL: less"),
        ("change: -2.2 %", "change: minus 2.2 %"),
        ("UTC−05:00", "UTC-05:00"),
        ("P-40", "P-40"),
        ("from 2 – 5…", "from 2 - 5..."),
    ],
)
def test_a_minus_is_a_word(text: str, voice: str) -> None:
    assert in_ascii(text) == voice


@pytest.mark.sr("SR-17")
def test_units_are_spelled_out_but_where_they_are_to_be_typed() -> None:
    assert said('write the number of mcg/day, such as "200 mcg/day"') == 'write the number of mcg per day, such as "200 mcg/day"'


def test_a_menu_takes_its_numbers_only_and_says_why_a_line_cannot_be_chosen() -> None:
    desk = Desk("0\n4\nbolus\n\n3\n2\n")
    items = [Item("a", "Therapy"), Item("b", "Bolus", group="Dose"), Item("c", "Prime", "the pump is empty", "Dose")]
    assert choose(desk.dialogue, "What?", items) == "b"
    said_ = desk.out.getvalue()
    assert said_.count("NOT TAKEN: write a number from 1 to 3.") == 4
    assert said_.count("NOT NOW: the pump is empty") == 1
    assert "     not now: the pump is empty" in said_
    assert said_.count("Dose:\n") == 1


@given(st.text(max_size=6), st.integers(1, 40))
def test_a_number_is_one_of_the_lines_or_none(text: str, most: int) -> None:
    found = number(text, most)
    assert found is None or (1 <= found <= most and text.lstrip("0") == str(found))
